"""The kernel as witness: a private trace of our threads, puppets and tracees, switched on and off.

Any thread but the tracer switches it; `take` runs on whatever thread publishes.  It must not touch anything outside its own instance,
mount nothing, and leave the instance only if the kernel refuses to remove it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence

import msgspec

from tracedbg.eventlog.log import EventLog
from tracedbg.kernel import needs, procfs, tracefs, tracing_filter
from tracedbg.kernel.tracing_reader import LANE, TraceReader
from tracedbg.kernel.tracing_ring import Format, read_format
from tracedbg.kernel.tracing_symbols import KernelSymbols, kernel_symbols
from tracedbg.kernel.tracing_words import POINTS, STACK, Teller
from tracedbg.model.errors import Failed, NotHere, NotNow
from tracedbg.model.events import CallEntered, Detail, LoopBegan, LoopDone, Note, Record, Warned

_ATTACHING = ("PTRACE_ATTACH", "PTRACE_SEIZE")
_WAKING, _SWITCH = "events/sched/sched_waking", "events/sched/sched_switch"


class WitnessFacts(msgspec.Struct, frozen=True):
    """How the trace stands.

    Args:
        where: the instance's folder, empty while it is off.
        stack: wake-ups come with the kernel's call chain.
        points: tracepoints that are on.
        absent: tracepoints that this kernel does not have.
        read: events that were read.
        told: events that were put into the log.
        lost: events that were overwritten before they were read, as far as the kernel tells.
        tasks: how many tasks are traced now.
        failed: why reading ended, empty if it did not.
    """

    where: str
    stack: bool = False
    points: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    read: int = 0
    told: int = 0
    lost: int = 0
    tasks: int = 0
    failed: str = ""


class KernelWitness:
    """Owner of the instance and of its reader.

    Args:
        log: where the kernel's words go.
        pid: of this process.
        names: the lanes of our threads and of puppets; asked on the reader's thread, as is
        tid_of: the number of one of them.
        tracees: the tasks that are traced now.
    """

    detail = Detail.CALLS
    """As a reader of the log: calls are announced from this level on."""

    def __init__(
        self,
        log: EventLog,
        pid: int,
        names: Callable[[], Sequence[str]],
        tid_of: Callable[[str], int | None],
        tracees: Callable[[], Iterable[int]],
    ) -> None:
        # Set once.
        self._log, self._pid, self._names, self._tid_of, self._tracees = log, pid, names, tid_of, tracees
        # One at a time switches: commands that run at once have a thread of their own.
        self._switching = threading.RLock()
        # Under that lock, replaced whole; read by any thread.
        self._instance: tracefs.Instance | None = None
        self._reader: TraceReader | None = None
        self._teller: Teller | None = None
        self._tasks_fd = self._switch_fd = -1
        self._stack = False
        self._absent: tuple[str, ...] = ()

    # --- on and off -----------------------------------------------------------------------------------------------------------
    @property
    def is_on(self) -> bool:
        """Whether a trace is under way; any thread."""
        return self._instance is not None

    def sweep(self) -> None:
        """Remove what killed tracedbgs have left behind; nothing where we may not or need not."""
        where = tracefs.root() if os.geteuid() == 0 else ""
        for name in tracefs.sweep(where) if where else ():
            self._log.publish(Note(f"the trace instance {name} of a tracedbg that was killed has been removed"))

    def on(self, *, stack: bool) -> None:
        """Begin to trace.

        Args:
            stack: with the kernel's call chain at each wake-up.

        Raises:
            NotHere: no right, no tracefs, or a pid namespace of our own.
            NotNow: it is on already.
            Failed: the kernel refused a step.
        """
        with self._switching:
            self._switch_on(stack)

    def _switch_on(self, stack: bool) -> None:
        if self.is_on:
            raise NotNow("the kernel's trace is on already", "kernel off ends it")
        need = needs.tracefs_allowed()
        if not need.ok:
            raise NotHere(need.reason, need.remedy)
        self.sweep()
        where = tracefs.root()
        # Before the instance: reading a hundred thousand names takes a while.
        try:
            symbols = kernel_symbols() if stack else KernelSymbols(b"")
            instance = tracefs.Instance.make(where, self._pid)
        except OSError as error:
            raise Failed(
                f"no trace instance can be made in {where}: {error.strerror}",
                "free memory for its ring buffers, or look for other instances there",
            ) from error
        try:
            self._set_up(instance, symbols, stack)
        except OSError as error:
            self._take_down(instance)
            raise Failed(f"the kernel refused to trace: {error.strerror} ({error.filename})", f"look at {where}/error_log") from error

    def _set_up(self, instance: tracefs.Instance, symbols: KernelSymbols, stack: bool) -> None:
        """In this order: the clock empties the buffer, the reader is one of our threads, tasks and filters stand before events."""
        instance.write("trace_clock", "mono")
        if instance.has("buffer_percent"):
            instance.write("buffer_percent", "0")
        instance.write("options/event-fork", "1")
        formats, points = self._formats(instance)
        teller = Teller(formats, self._names, self._tid_of, symbols)
        layout = read_format(_text(f"{instance.root}/events/header_page")).fields["data"]
        page = layout.offset + layout.size, layout.offset
        reader = TraceReader(self._log, instance.open_pipes(), page, teller, lambda: _write_filters(instance, teller))
        self._instance, self._reader, self._teller, self._stack = instance, reader, teller, stack
        reader.start()
        self._tasks_fd = os.open(f"{instance.path}/set_event_pid", os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._switch_fd = os.open(f"{instance.path}/tracing_on", os.O_WRONLY | os.O_CLOEXEC)
        self._log.attach(self)
        self._follow_all(instance, teller)
        ours = _write_filters(instance, teller)
        for point in points:
            instance.write(f"events/{point}/enable", "1")
        if stack:
            # A trigger does not ask the event's filter but has one of its own, and the tasks must be named before it is set.  It is
            # not renewed when threads of ours are made later: taking a trigger away waits for a grace period, a tenth of a second
            # without stacks.  Stacks without a wake-up before them are left out by the reader.
            instance.add(f"{_WAKING}/trigger", f"stacktrace if {tracing_filter.waking(ours)}")

    def _formats(self, instance: tracefs.Instance) -> tuple[dict[int, Format], list[str]]:
        """The formats of what this kernel has, and which tracepoints those are."""
        points = [point for point in POINTS if instance.has(f"events/{point}/enable")]
        self._absent = tuple(point for point in POINTS if point not in points)
        texts = [instance.read(f"events/{point}/format") for point in points]
        texts.append(_text(f"{instance.root}/events/{STACK}/format"))
        formats = [read_format(text) for text in texts]
        return {each.ident: each for each in formats}, points

    def _follow_all(self, instance: tracefs.Instance, teller: Teller) -> None:
        """Our threads, tracees and children as they are; whatever these make is added by the kernel itself (event-fork)."""
        added: set[int] = set()
        while True:
            ours = teller.ours()
            others = set(self._tracees()) | _descendants(self._pid)
            fresh = (ours | others) - added
            if not fresh:
                return
            # Again until nothing is new: a thread that was made by one not yet in the list would be missing.
            for tid in others:
                teller.follow(tid)
            instance.add_tasks(sorted(fresh))
            added |= fresh

    def off(self) -> WitnessFacts:
        """End the trace: what has happened until now is read first, then the instance is removed.

        Raises:
            NotNow: it is not on.
        """
        with self._switching:
            instance = self._instance
            if instance is None:
                raise NotNow("the kernel's trace is not on", "kernel on begins it")
            facts, reader = self.facts(), self._reader
            self._take_down(instance)
        if reader is None:
            return facts
        return msgspec.structs.replace(facts, read=reader.read, told=reader.told, lost=reader.lost, failed=reader.failed)

    def close(self) -> None:
        """End it if it is on."""
        with self._switching:
            if self._instance is not None:
                self._take_down(self._instance)

    def _take_down(self, instance: tracefs.Instance) -> None:
        self._log.detach(self)
        reader, fds = self._reader, (self._tasks_fd, self._switch_fd)
        self._instance = self._reader = self._teller = None
        self._tasks_fd = self._switch_fd = -1
        try:
            instance.write("tracing_on", "0")
            if reader is not None:
                reader.close()
            for fd in fds:
                if fd >= 0:
                    os.close(fd)
            instance.remove()
        except OSError as error:
            self._log.publish(Warned(f"the trace instance {instance.path} could not be removed: {error.strerror}"))

    # --- looking --------------------------------------------------------------------------------------------------------------
    def facts(self) -> WitnessFacts:
        """How it stands; any thread."""
        instance, reader = self._instance, self._reader
        if instance is None or reader is None:
            return WitnessFacts("")
        try:
            tasks = len(instance.read("set_event_pid").split())
        except OSError:
            tasks = 0
        points = tuple(point for point in POINTS if point not in self._absent)
        counts = reader.read, reader.told, reader.lost, tasks
        return WitnessFacts(instance.path, self._stack, points, self._absent, *counts, reader.failed)

    # --- as a reader of the log -----------------------------------------------------------------------------------------------
    def take(self, record: Record) -> None:
        """Act on what a thread of ours is about to do: attach to a task, or make calls that are counted.

        Calls are announced by the calling thread before it makes them, so nothing of a first stop is missed.  A counted loop makes
        nine events a step: recorded, a hundred thousand steps would fill the log and make the loop four times slower.
        """
        event, reader = record.event, self._reader
        if reader is None or record.lane == LANE:
            return
        if isinstance(event, CallEntered) and event.name == "ptrace" and event.args[0] in _ATTACHING:
            tid = event.args[1]
            if self._teller is not None and isinstance(tid, int) and tid > 0:
                self._teller.follow(tid)
                os.write(self._tasks_fd, b"%d\n" % tid)
        elif isinstance(event, LoopBegan):
            os.write(self._switch_fd, b"0")
            reader.note(f"the kernel's trace pauses while the calls of loop {event.name} are counted")
        elif isinstance(event, LoopDone):
            os.write(self._switch_fd, b"1")
            reader.note("the kernel's trace goes on")


def _write_filters(instance: tracefs.Instance, teller: Teller) -> set[int]:
    """Leave out what our threads, as they are now, do to each other; a filter is replaced without a gap.  They are returned."""
    ours = teller.ours()
    instance.write(f"{_WAKING}/filter", tracing_filter.waking(ours))
    instance.write(f"{_SWITCH}/filter", tracing_filter.switching(ours))
    return ours


def _text(path: str) -> str:
    return (procfs.read_file(path) or b"").decode("ascii", "backslashreplace")


def _descendants(pid: int) -> set[int]:
    """Every thread of every process below `pid` as they are now."""
    found: set[int] = set()
    todo = [pid]
    while todo:
        parent = todo.pop()
        for tid in procfs.threads(parent):
            for child in procfs.children(parent, tid) or ():
                if child not in found:
                    found.update(procfs.threads(child))
                    found.add(child)
                    todo.append(child)
    return found
