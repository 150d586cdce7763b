"""What follows from the events alone: which thread is inside which call, who was seen asleep there, which tracee runs or stands.

Pure; a fold over records, cheap to copy, so that seeking begins at a copy nearby.  It knows what was told, no more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tracedbg.model.events import (
    CallEntered,
    CallReturned,
    Event,
    LaneClosed,
    LaneOpened,
    Record,
    ThreadAsleep,
    TraceeBorn,
    TraceeGone,
    TraceePaused,
    TraceeResumed,
    TraceeStopped,
    UnknownEvent,
)
from tracedbg.render.lines import WAIT_CALLS, call_text

_MOST = 500
"""Lanes, and tracees, that are followed: a recording that was put together by hand could name a million."""

EVERY = 500
"""Records from one copy to the next."""


class Under(msgspec.Struct, frozen=True):
    """A call under way.

    Args:
        entered: its record.
        call: what that record tells.
        asleep: the record that saw it asleep, None if none did.
    """

    entered: Record
    call: CallEntered
    asleep: Record | None = None

    @property
    def waits(self) -> bool:
        """It is a call that sleeps on the wait queue of its process."""
        return self.call.name in WAIT_CALLS

    @property
    def text(self) -> str:
        """The call with its arguments."""
        return call_text(self.call.name, self.call.args)


class Task(msgspec.Struct, frozen=True):
    """A tracee.

    Args:
        pid: its process, 0 if unknown.
        seq: of the record that told its state last.
        words: the state.
        ended: it is gone.
    """

    pid: int
    seq: int
    words: str
    ended: bool = False


class Situation:
    """The fold."""

    def __init__(self) -> None:
        self.calls: dict[str, Under] = {}
        """Calls under way by lane, those that were entered first come first."""
        self.processes: dict[str, int] = {}
        """The process of each lane."""
        self.tasks: dict[int, Task] = {}
        """Tracees by tid, in the order of their birth."""

    def copy(self) -> Situation:
        """One that goes its own way."""
        other = Situation()
        other.calls, other.processes, other.tasks = dict(self.calls), dict(self.processes), dict(self.tasks)
        return other

    def take(self, record: Record) -> None:
        """The next record."""
        handler = _TAKES.get(type(record.event))
        if handler is not None:
            handler(self, record, record.event)

    def _opened(self, record: Record, event: LaneOpened) -> None:
        if len(self.processes) < _MOST:
            self.processes[record.lane] = event.pid

    def _closed(self, record: Record, _event: LaneClosed) -> None:
        self.calls.pop(record.lane, None)
        self.processes.pop(record.lane, None)

    def _entered(self, record: Record, event: CallEntered) -> None:
        self.calls.pop(record.lane, None)
        if len(self.calls) < _MOST:
            self.calls[record.lane] = Under(record, event)

    def _returned(self, record: Record, _event: CallReturned) -> None:
        under = self.calls.get(record.lane)
        if under is not None and record.of in (0, under.entered.seq):
            del self.calls[record.lane]

    def _asleep(self, record: Record, _event: ThreadAsleep) -> None:
        under = self.calls.get(record.lane)
        if under is not None and record.of in (0, under.entered.seq):
            self.calls[record.lane] = Under(under.entered, under.call, record)

    def _task(self, record: Record, event: Any, words: str, *, ended: bool = False) -> None:
        if record.tid in self.tasks or len(self.tasks) < _MOST:
            self.tasks[record.tid] = Task(event.pid, record.seq, words, ended)

    def _born(self, record: Record, event: TraceeBorn) -> None:
        self.tasks.pop(record.tid, None)  # a number that is used again
        self._task(record, event, f"traced ({event.how})")

    def _stopped(self, record: Record, event: TraceeStopped) -> None:
        self._task(record, event, f"stopped: {event.meaning}")

    def _paused(self, record: Record, event: TraceePaused) -> None:
        self._task(record, event, f"stopped for the tracer's own work: {event.meaning}")

    def _resumed(self, record: Record, event: TraceeResumed) -> None:
        self._task(record, event, f"running ({event.how})")

    def _gone(self, record: Record, event: TraceeGone) -> None:
        self._task(record, event, f"gone: {event.why}", ended=True)


_TAKES: dict[type[Event | UnknownEvent], Callable[[Situation, Record, Any], None]] = {
    LaneOpened: Situation._opened,
    LaneClosed: Situation._closed,
    CallEntered: Situation._entered,
    CallReturned: Situation._returned,
    ThreadAsleep: Situation._asleep,
    TraceeBorn: Situation._born,
    TraceeStopped: Situation._stopped,
    TraceePaused: Situation._paused,
    TraceeResumed: Situation._resumed,
    TraceeGone: Situation._gone,
}


class Snapshots:
    """The situation at any position of a sequence of records.

    Args:
        records: all of them; folded once, here.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records
        self._copies: list[Situation] = []
        now = Situation()
        for index, record in enumerate(records):
            if index % EVERY == 0:
                self._copies.append(now.copy())
            now.take(record)
        if not records:
            self._copies.append(now)

    def at(self, position: int) -> Situation:
        """The situation when `position` records have been told; the caller's own."""
        number = min(position // EVERY, len(self._copies) - 1)
        now = self._copies[number].copy()
        for record in self._records[number * EVERY : position]:
            now.take(record)
        return now
