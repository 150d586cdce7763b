"""The event log: one order, one lock, immutable records.

Any thread may publish and read.  It makes no system call on tracees, prints nothing and waits only in `until`.  `seq` is the order in
which our threads reached the log, which need not be the kernel's order; times are taken as close to a call as Python allows.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import dropwhile, islice
from typing import NamedTuple

from tracedbg.model.events import Detail, Event, LaneClosed, LaneOpened, Note, Record, UnknownEvent, Warned
from tracedbg.model.ids import Role, Source, ThreadRef

from .sinks import Sink

CAPACITY = 1_000_000
"""Records kept in memory; older ones are only where a sink has written them."""

_DESK = Detail.DESK


class Lane(NamedTuple):
    """A lane that is open: whose it is."""

    role: Role
    pid: int
    tid: int


Opening = Callable[[Mapping[str, Lane], Callable[[int], list[Record]]], Iterable[Record]]
"""What a sink is handed first; gets the open lanes, and a function for the records after a seq."""


class EventLog:
    """All that happened, in one order.

    Args:
        capacity: records kept in memory.
        detail: the level that is kept in memory even when no sink asks for it.
    """

    def __init__(self, capacity: int = CAPACITY, detail: Detail = Detail.CALLS) -> None:
        # Set once.
        self._began_ns = time.monotonic_ns()
        self._capacity = capacity
        self._threads = threading.local()
        # Under the lock.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting = 0
        self._records: deque[Record] = deque()
        self._dropped = 0
        self._seq = 0
        self._lanes: dict[str, Lane] = {}
        self._sinks: list[Sink] = []
        self._own_detail = detail
        # Written under the lock, read without it: an int is replaced whole.
        self.detail = detail

    # --- who ------------------------------------------------------------------------------------------------------------------
    @contextmanager
    def lane(self, name: str, role: Role, pid: int) -> Iterator[ThreadRef]:
        """Make the calling thread a lane of this log while the block runs."""
        ref = ThreadRef(name, threading.get_native_id(), role)
        self._threads.ref = ref
        self.publish(LaneOpened(name, role, pid))
        try:
            yield ref
        finally:
            self.publish(LaneClosed(name))
            self._threads.ref = None

    def here(self) -> ThreadRef:
        """The calling thread, by its lane if it has one."""
        ref: ThreadRef | None = getattr(self._threads, "ref", None)
        if ref is None:
            thread = threading.current_thread()
            ref = ThreadRef(thread.name, threading.get_native_id(), Role.REPL)
        return ref

    # --- writing --------------------------------------------------------------------------------------------------------------
    def now(self) -> int:
        """Nanoseconds since the log began."""
        return time.monotonic_ns() - self._began_ns

    def at(self, monotonic_ns: int) -> int:
        """A moment of CLOCK_MONOTONIC, in nanoseconds since the log began: for facts that bring their own time."""
        return monotonic_ns - self._began_ns

    def wants(self, detail: Detail) -> bool:
        """Whether events of this level are made at all; ask before building a costly one."""
        return detail <= self.detail

    def publish(
        self,
        event: Event,
        *,
        lane: str | None = None,
        tid: int | None = None,
        source: Source = Source.USER,
        of: int = 0,
        at: int | None = None,
    ) -> int:
        """Number the event, keep it and hand it to each sink.

        Args:
            event: the payload.
            lane: where it belongs; the calling thread's lane unless given.
            tid: likewise.
            source: how we know.
            of: seq of the record that it completes.
            at: nanoseconds since the log began, when the fact is older than this call.

        Returns:
            The record's seq, or 0 if nobody asks for this level of detail.
        """
        level = event.detail
        if level is _DESK and isinstance(event, (LaneOpened, LaneClosed)):
            self._note_lane(event, lane, tid)
        if level > self.detail:
            return 0
        if lane is None:
            ref = self.here()
            lane, tid = ref.name, ref.tid if tid is None else tid
        with self._lock:
            return self._append(event, lane, tid or 0, source, of, at)

    def _note_lane(self, event: LaneOpened | LaneClosed, lane: str | None, tid: int | None) -> None:
        """Lanes are known even when nobody asks for their events: a sink that comes later is told of them."""
        with self._lock:
            if isinstance(event, LaneClosed):
                self._lanes.pop(lane or event.label, None)
            else:
                self._lanes[lane or event.label] = Lane(event.role, event.pid, self.here().tid if tid is None else tid)

    def _append(self, event: Event, lane: str, tid: int, source: Source, of: int, at: int | None) -> int:
        if len(self._records) >= self._capacity:
            self._shed()
        return self._keep(event, lane, tid, source, of, at)

    def _keep(self, event: Event, lane: str, tid: int, source: Source, of: int, at: int | None) -> int:
        self._seq = seq = self._seq + 1
        record = Record(seq, time.monotonic_ns() - self._began_ns if at is None else at, lane, tid, source, event, of)
        self._records.append(record)
        for sink in self._sinks[:]:
            if event.detail <= sink.detail:
                try:
                    sink.take(record)
                except Exception as error:  # a sink of any origin must not stop the log; its removal is news
                    self._failed(sink, record, error)
        if self._waiting:
            self._changed.notify_all()
        return seq

    def _failed(self, sink: Sink, record: Record, error: Exception) -> None:
        self._sinks.remove(sink)
        self._refresh()
        self._keep(Warned(f"a reader of the log failed and was removed: {error!r}"), record.lane, record.tid, Source.USER, 0, None)

    def _shed(self) -> None:
        """Forget the oldest tenth and say so, once per tenth."""
        count = max(1, self._capacity // 10)
        for _ in range(count):
            self._records.popleft()
        self._dropped += count
        text = f"the {self._dropped} oldest events are no longer in memory; --events FILE keeps all"
        self._keep(Note(text), "log", 0, Source.USER, 0, None)

    # --- sinks ----------------------------------------------------------------------------------------------------------------
    def attach(self, sink: Sink, opening: Opening | None = None) -> None:
        """Hand every later record to `sink`, on the publishing thread, under the lock: it must only enqueue or write.

        Args:
            sink: the reader.
            opening: makes the records that it is handed first, for it alone; called under the lock, so it must neither publish nor wait.
                Those with seq 0 are numbered here.
        """
        with self._lock:
            self._sinks.append(sink)
            for record in opening(self._lanes, self._after) if opening is not None else ():
                self._hand(sink, record)
            self._refresh()

    def hand(self, sink: Sink, event: Event, *, lane: str | None = None, tid: int = 0, source: Source = Source.USER, of: int = 0) -> None:
        """Give an event to one sink only; nothing happens if it is not attached.

        The record has a number of its own, which is missing in memory: there it never was.
        """
        ref = self.here()
        with self._lock:
            if sink in self._sinks:
                self._hand(sink, Record(0, self.now(), lane or ref.name, tid if lane else ref.tid, source, event, of))

    def _hand(self, sink: Sink, record: Record) -> None:
        if not record.seq:
            self._seq += 1
            record = Record(self._seq, record.t, record.lane, record.tid, record.source, record.event, record.of)
        try:
            sink.take(record)
        except Exception as error:
            self._failed(sink, record, error)

    def detach(self, sink: Sink) -> None:
        """Take a sink away; nothing happens if it is not attached."""
        with self._lock:
            if sink in self._sinks:
                self._sinks.remove(sink)
            self._refresh()

    def set_detail(self, detail: Detail) -> None:
        """Choose the level kept in memory; sinks may ask for more."""
        with self._lock:
            self._own_detail = detail
            self._refresh()

    def refresh(self) -> None:
        """A sink has changed its `detail`."""
        with self._lock:
            self._refresh()

    def _refresh(self) -> None:
        self.detail = max([self._own_detail, *(sink.detail for sink in self._sinks)])

    # --- reading --------------------------------------------------------------------------------------------------------------
    @property
    def last(self) -> int:
        """The newest seq, 0 for an empty log."""
        return self._seq

    def since(self, seq: int) -> list[Record]:
        """The records after `seq` that are still in memory."""
        with self._lock:
            return self._after(seq)

    def _after(self, seq: int) -> list[Record]:
        records = self._records
        if not records or records[-1].seq <= seq:
            return []
        # At most so many: numbers are consecutive, but for what was handed to one sink only.
        count = records[-1].seq - seq
        return list(dropwhile(lambda record: record.seq <= seq, islice(records, max(0, len(records) - count), None)))

    def until(self, wanted: Callable[[Record], bool], timeout: float, *, since: int = 0) -> Record | None:
        """Wait for a record, looking at the past from `since` on first: no race, no sleep.

        Args:
            wanted: called once for each record, oldest first, on the calling thread.
            timeout: seconds, after which None is the answer.
            since: the seq after which to look.
        """
        deadline = time.monotonic() + timeout
        while True:
            with self._lock:
                fresh = self._after(since)
                if not fresh:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        return None
                    self._waiting += 1
                    try:
                        self._changed.wait(left)
                    finally:
                        self._waiting -= 1
                    continue
            for record in fresh:
                if wanted(record):
                    return record
            since = fresh[-1].seq


__all__ = ["CAPACITY", "EventLog", "Sink", "UnknownEvent"]
