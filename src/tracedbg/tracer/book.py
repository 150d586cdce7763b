"""What the tracer thread knows: processes, their threads, their breakpoint sites.

Owned by the tracer thread and never handed out; other threads get the frozen `view`.  It makes no request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tracedbg.kernel.memory import Memory
from tracedbg.kernel.spawn import Spawned
from tracedbg.model.errors import TraceeGone
from tracedbg.model.ids import Pid, Tid
from tracedbg.model.stops import AnyStop
from tracedbg.model.views import BookView, InferiorView, TraceeState, TraceeView
from tracedbg.model.waitstatus import WaitStatus

from .lifecycle import Happening, after
from .signals import SignalTable
from .wishes import BreakpointTable


class Tracee:
    """One traced thread.  All fields belong to the tracer thread."""

    def __init__(self, tid: Tid, pid: Pid, number: int, *, seized: bool) -> None:
        self.tid, self.pid, self.number, self.seized = tid, pid, number, seized
        self.state = TraceeState.RUNNING
        self.stop: AnyStop | None = None
        self.status: WaitStatus | None = None
        # Its first stop as a tracee from birth (SIGSTOP or event-stop) has not been seen yet.
        self.newborn = False
        # An INTERRUPT or a SIGSTOP of ours is under way for an all-stop or an `interrupt`.
        self.stop_asked = False
        # 1 while a SIGSTOP of ours has not come back yet; it is swallowed when it does.  Several that are pending are one to the kernel.
        self.ledger = 0
        # Goes with the next resumption.
        self.deliver = 0
        # Stopped for something the user has not been told yet.
        self.unreported: AnyStop | None = None
        # Its breakpoint hit has been counted: the next resumption steps over it.  A thread that an all-stop caught right before it
        # executed the byte, or whose hit was put off, runs into it (again) instead.
        self.hit_counted = False
        self.stepping = False
        # Its vfork child still uses its memory; the kernel cannot stop it before the child has finished.
        self.in_vfork = False
        self._view: TraceeView | None = None

    def happens(self, happening: Happening) -> None:
        """Move along the lifecycle table."""
        self.state = after(self.state, happening)
        if self.state is not TraceeState.STOPPED:
            self.stop = None

    @property
    def stopped(self) -> bool:
        """In a ptrace-stop that was reported."""
        return self.state is TraceeState.STOPPED

    @property
    def running(self) -> bool:
        """Not in a ptrace-stop that we know of."""
        return self.state is TraceeState.RUNNING

    def view(self) -> TraceeView:
        """A frozen copy; the last one as long as nothing has changed."""
        seen = self._view
        if seen is None or seen.state is not self.state or seen.stop is not self.stop:
            self._view = seen = TraceeView(
                self.number, self.tid, self.state, self.stop, self.seized, 0 if self.status is None else self.status.word
            )
        return seen


class Site:
    """One patched address.

    Args:
        address: where.
        saved: the program's own bytes.
    """

    __slots__ = ("address", "planted", "saved", "users")

    def __init__(self, address: int, saved: bytes) -> None:
        self.address, self.saved = address, saved
        self.planted = False
        # Who wants it: numbers of user breakpoints, negative numbers for plans.
        self.users: set[int] = set()


class Inferior:
    """One traced process.  All fields belong to the tracer thread."""

    def __init__(self, pid: Pid, *, launched: bool, path: str = "", spawned: Spawned | None = None) -> None:
        self.pid, self.launched, self.path, self.spawned = pid, launched, path, spawned
        self.tracees: dict[Tid, Tracee] = {}
        self.sites: dict[int, Site] = {}
        self.memory: Memory | None = None
        self.ended: WaitStatus | None = None
        self.exec_seen = not launched
        self.options = 0
        self.interrupt_asked = False
        # Processes of their own that use its memory (clone with CLONE_VM): as long as there is one, no byte is planted.
        self.sharers: set[Tid] = set()
        # Plan that runs it at present; the engine keeps it here.
        self.plan: object | None = None
        self._numbers = 0

    def adopt(self, tid: Tid, *, seized: bool) -> Tracee:
        """A thread of it is traced from now on."""
        self._numbers += 1
        tracee = self.tracees[tid] = Tracee(tid, self.pid, self._numbers, seized=seized)
        return tracee

    @property
    def had_threads(self) -> bool:
        """More than one thread of it was traced at some time."""
        return self._numbers > 1

    def vanish(self) -> None:
        """It is gone from /proc and nobody has told us: somebody else in this process has taken its end."""
        for tracee in self.tracees.values():
            tracee.happens(Happening.REPLACED)
        self.tracees.clear()

    def living(self) -> list[Tracee]:
        """Its threads that may still report something before the process's end."""
        return [tracee for tracee in self.tracees.values() if tracee.state in (TraceeState.RUNNING, TraceeState.STOPPED)]

    def running(self) -> list[Tracee]:
        """Its threads that are not stopped."""
        return [tracee for tracee in self.tracees.values() if tracee.running]

    def open_memory(self) -> Memory:
        """Its address space, opened at the first use and anew after an exec.

        Raises:
            TraceeGone: the process is gone, or going.
        """
        if self.memory is None:
            try:
                # By a thread that lives: a leader that has ended before its threads has no memory any more.
                self.memory = Memory(next((int(tracee.tid) for tracee in self.living()), int(self.pid)))
            except OSError as error:
                text = f"process {self.pid} has no memory any more"
                raise TraceeGone(text, "it has ended; its status will tell", tid=self.pid) from error
        return self.memory

    def close(self) -> None:
        """Give descriptors back."""
        if self.memory is not None:
            self.memory.close()
            self.memory = None
        if self.spawned is not None:
            self.spawned.close()

    def view(self) -> InferiorView:
        """A frozen copy."""
        return InferiorView(
            self.pid,
            self.launched,
            self.plan is not None,
            tuple(tracee.view() for tracee in self.tracees.values()),
            self.ended,
        )


class Book:
    """All that is traced, by number."""

    def __init__(self) -> None:
        self.inferiors: dict[Pid, Inferior] = {}
        self.signals = SignalTable()
        self.breakpoints = BreakpointTable()
        # First stops that were reported before the event that announces their task.
        self.early: dict[Tid, WaitStatus] = {}
        # Forked children to be let go at their first stop: whose they are, and what undoes our traces in them.
        self.letting_go: dict[Tid, tuple[Pid, Callable[[], None]]] = {}
        # Threads of forgotten processes that died before they could be let go: while their deaths are ours to collect, nobody else can
        # collect the process (kernel/exit.c, wait_consider_task: a traced zombie is the tracer's first).
        self.owed: set[Tid] = set()

    def add(self, inferior: Inferior) -> None:
        """Keep a process."""
        self.inferiors[inferior.pid] = inferior

    def tracee(self, tid: int) -> Tracee | None:
        """The thread with this number."""
        for inferior in self.inferiors.values():
            tracee = inferior.tracees.get(Tid(tid))
            if tracee is not None:
                return tracee
        return None

    def inferior(self, pid: int) -> Inferior | None:
        """The process with this number."""
        return self.inferiors.get(Pid(pid))

    def children_of(self, pid: int) -> list[Tid]:
        """Forked children of a process that have not come to their first stop, where they are let go."""
        return [tid for tid, (parent, _) in self.letting_go.items() if parent == pid]

    def owner(self, tid: int) -> Inferior | None:
        """The process that a thread belongs to."""
        tracee = self.tracee(tid)
        return None if tracee is None else self.inferiors.get(tracee.pid)

    def all_tracees(self) -> Iterator[Tracee]:
        """Every thread of every process."""
        for inferior in self.inferiors.values():
            yield from inferior.tracees.values()

    def forget(self, pid: Pid) -> None:
        """Drop a process that is dead or detached; what is still traced of it then has died, and its death is owed to us."""
        inferior = self.inferiors.pop(pid, None)
        if inferior is not None:
            self.owed.update(inferior.tracees)
            inferior.close()

    def view(self) -> BookView:
        """A frozen copy of everything."""
        return BookView(tuple(inferior.view() for inferior in self.inferiors.values()))
