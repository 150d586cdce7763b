"""Frozen snapshots of what the tracer thread owns, for everyone else.

Pure values, any thread.
"""

from __future__ import annotations

import enum

import msgspec

from .stops import AnyStop
from .waitstatus import WaitStatus


class TraceeState(enum.Enum):
    """Where a tracee is in its life, as the tracer knows it."""

    RUNNING = "running"
    STOPPED = "stopped"
    ZOMBIE = "zombie"
    """A leader that has ended while other threads live: not reapable yet, reports nothing."""
    DEAD = "dead"


class TraceeView(msgspec.Struct, frozen=True):
    """One traced thread.

    Args:
        number: 1 for the first thread of the program, then in order of birth.
        tid: the kernel's number.
        state: running, stopped ...
        stop: why it is stopped.
        seized: attached with PTRACE_SEIZE.
        status: the last status word that was taken of it, 0 for none.
    """

    number: int
    tid: int
    state: TraceeState
    stop: AnyStop | None = None
    seized: bool = False
    status: int = 0


class InferiorView(msgspec.Struct, frozen=True):
    """One traced process.

    Args:
        pid: the thread group's number.
        launched: tracedbg started it (it dies with tracedbg), else it was attached.
        busy: a plan runs it at present.
    """

    pid: int
    launched: bool
    busy: bool
    tracees: tuple[TraceeView, ...]
    ended: WaitStatus | None = None

    def tracee(self, tid: int) -> TraceeView | None:
        """The thread with this tid."""
        return next((tracee for tracee in self.tracees if tracee.tid == tid), None)

    @property
    def stopped(self) -> bool:
        """No thread of it runs."""
        return all(tracee.state is not TraceeState.RUNNING for tracee in self.tracees)


class BookView(msgspec.Struct, frozen=True):
    """All that is traced."""

    inferiors: tuple[InferiorView, ...] = ()

    def inferior(self, pid: int) -> InferiorView | None:
        """The process with this pid."""
        return next((inferior for inferior in self.inferiors if inferior.pid == pid), None)

    def owner(self, tid: int) -> InferiorView | None:
        """The process that a tid belongs to."""
        return next((inferior for inferior in self.inferiors if inferior.tracee(tid) is not None), None)


class BreakpointView(msgspec.Struct, frozen=True):
    """One user's breakpoint.

    Args:
        number: as `break` answered it.
        spec: what the user wrote.
        addresses: where it is, none before its place is known.
        where: a description of the first place.
        hits: how often it was reached.
        ignore: how many more times it only counts.
    """

    number: int
    spec: str
    addresses: tuple[int, ...]
    where: str
    enabled: bool
    temporary: bool
    hits: int
    ignore: int = 0


class Report(msgspec.Struct, frozen=True):
    """Why a program that was let run is stopped or gone; what plans answer.

    Args:
        pid: of the program.
        tid: the thread it is about.
        stop: what it means; None when the program has ended.
        ended: the last status, if it has.
    """

    pid: int
    tid: int
    stop: AnyStop | None = None
    ended: WaitStatus | None = None
