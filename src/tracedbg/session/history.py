"""What the log tells of a task before a certain moment: who attached, let go, made, collected it.

Any thread; pure over a list of records.  It knows what tracedbg saw itself, which is not all that happened: who asks must say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tracedbg.model.events import CallReturned, LaneClosed, Record
from tracedbg.model.waitstatus import StatusKind, WaitStatus

_WAITS = ("wait4", "waitid", "waitpid")
_BIRTHS = ("fork", "vfork", "clone")
_HOW = {"PTRACE_ATTACH": "attach", "PTRACE_SEIZE": "seize", "PTRACE_TRACEME": "traceme"}
_RESUMES = frozenset(f"PTRACE_{name}" for name in ("CONT", "SYSCALL", "SINGLESTEP", "SINGLEBLOCK", "SYSEMU", "LISTEN", "DETACH"))
_CLD_ENDS = (1, 2, 3)


class Deed(NamedTuple):
    """Something that was done to a task.

    Attributes:
        seq: of the record.
        lane: who did it.
        tid: that thread's number.
        what: which of several.
        t: when, nanoseconds since the log began.
    """

    seq: int
    lane: str
    tid: int
    what: str
    t: int


class History:
    """The records up to a moment, the newest of them first to be asked.

    Args:
        records: in order.
        before: seq from which on nothing counts.
    """

    def __init__(self, records: Sequence[Record], before: int) -> None:
        self._records = [record for record in records if record.seq < before]

    def _calls(self, *names: str) -> Iterator[tuple[Record, CallReturned]]:
        """Successful calls, the newest first."""
        for record in reversed(self._records):
            event = record.event
            if isinstance(event, CallReturned) and not event.errno and event.name in names:
                yield record, event

    def _first(self, wanted: Callable[[Record, CallReturned], str], *names: str) -> Deed | None:
        for record, event in self._calls(*names):
            what = wanted(record, event)
            if what:
                return Deed(record.seq, record.lane, record.tid, what, record.t)
        return None

    def attached(self, tid: int, tracer: int = 0) -> Deed | None:
        """How a task came to its tracer the last time: ``attach``, ``seize`` or ``traceme``.

        Args:
            tid: the task.
            tracer: only what this thread did; TRACEME is the tracee's own deed and always counts.
        """

        def wanted(record: Record, event: CallReturned) -> str:
            how = _HOW.get(str(event.args[0]), "") if event.args else ""
            if how == "traceme":
                return how if record.tid == tid else ""
            return how if how and event.args[1] == tid and (not tracer or record.tid == tracer) else ""

        return self._first(wanted, "ptrace")

    def resumed(self, tid: int) -> Deed | None:
        """The last request that let a task go on, or listen."""

        def wanted(record: Record, event: CallReturned) -> str:
            request = str(event.args[0]) if event.args else ""
            return request if request in _RESUMES and event.args[1] == tid else ""

        return self._first(wanted, "ptrace")

    def stop_asked(self, tid: int) -> Deed | None:
        """The last PTRACE_INTERRUPT or ATTACH of a task."""

        def wanted(record: Record, event: CallReturned) -> str:
            request = str(event.args[0]) if event.args else ""
            return request if request in ("PTRACE_INTERRUPT", "PTRACE_ATTACH") and event.args[1] == tid else ""

        return self._first(wanted, "ptrace")

    def let_go(self, tid: int) -> Deed | None:
        """Who detached a task, or attached to it and has ended, if that was after it was attached the last time."""
        attached = self.attached(tid)
        for record in reversed(self._records):
            if attached is not None and record.seq < attached.seq:
                return None
            event = record.event
            if isinstance(event, CallReturned) and not event.errno and event.args[:2] == ("PTRACE_DETACH", tid):
                return Deed(record.seq, record.lane, record.tid, "detached", record.t)
            if attached is not None and isinstance(event, LaneClosed) and record.tid == attached.tid:
                return Deed(record.seq, record.lane, record.tid, "ended", record.t)
        return None

    def collected(self, pid: int) -> Deed | None:
        """Who took the end of a task."""

        def wanted(record: Record, event: CallReturned) -> str:
            if event.status is not None and event.ret == pid and WaitStatus(event.status).is_end:
                return WaitStatus(event.status).text()
            if event.info is not None and event.info.pid == pid and event.info.code in _CLD_ENDS and "WNOWAIT" not in str(event.args[-1]):
                return "its end"
            return ""

        return self._first(wanted, *_WAITS)

    def stop_taken(self, tid: int) -> Deed | None:
        """Who took the last stop of a task; `what` is its status in words."""

        def wanted(record: Record, event: CallReturned) -> str:
            if event.status is not None and event.ret == tid and WaitStatus(event.status).kind is StatusKind.STOPPED:
                return f"{WaitStatus(event.status).text()} (status {event.status:#x})"
            if event.info is not None and event.info.pid == tid and event.info.code in (4, 5) and "WNOWAIT" not in str(event.args[-1]):
                return "a stop"
            return ""

        return self._first(wanted, *_WAITS)

    def made(self, pid: int) -> Deed | None:
        """Who forked a task."""
        return self._first(lambda _, event: event.name if event.ret == pid else "", *_BIRTHS)

    def children_made(self, makers: Sequence[int]) -> list[tuple[int, Deed]]:
        """The tasks that any of these threads forked, the newest first."""
        return [(event.ret, Deed(record.seq, record.lane, record.tid, event.name, record.t))
                for record, event in self._calls(*_BIRTHS) if record.tid in makers]  # fmt: skip

    def sigchld_action(self, callers: Sequence[int]) -> Deed | None:
        """What any of these threads chose to do about SIGCHLD the last time: the words of sigaction."""

        def wanted(record: Record, event: CallReturned) -> str:
            if record.tid in callers and event.args and event.args[0] == "SIGCHLD":
                return " ".join(map(str, event.args[1:]))
            return ""

        return self._first(wanted, "sigaction")
