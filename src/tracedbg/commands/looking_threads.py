"""Commands about the program's threads: info threads, thread apply, and what `thread N` does.

`info threads` works at once while the program runs, on another thread than the command that runs it: it reads the tracer's last
view and /proc, and asks for registers only of a stopped program.  The others belong to the command thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from tracedbg.kernel import procfs
from tracedbg.kernel.regs import Registers
from tracedbg.lang.paramtypes import TailType
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import NotFound, NotNow, TracedbgError
from tracedbg.model.text import Shown, visible
from tracedbg.model.views import TraceeState, TraceeView
from tracedbg.symbols.values import Frame
from tracedbg.tracer import ops

from .answers import Said
from .drawing import columns, frame_line, shows_address
from .looking import Backtrace, FrameShown, backtrace, frames_of, show_frame

if TYPE_CHECKING:
    from tracedbg.session.session import Session

table = CommandTable("threads", "The threads of the program")

_STATES = {
    "R": "running", "S": "asleep", "D": "asleep, not to be disturbed", "t": "stopped by the tracer", "T": "stopped by job control",
    "Z": "zombie", "X": "dead", "I": "idle", "": "gone",
}  # fmt: skip
"""proc_pid_stat(5), field 3, in words."""


# --- threads ------------------------------------------------------------------------------------------------------------------
class ThreadRow(msgspec.Struct, frozen=True):
    """One thread of the program.

    Args:
        number: as `thread N` takes it.
        tid: the kernel's.
        name: its comm.
        state: as the tracer knows it.
        kernel_state: the letter of /proc/TID/stat at this moment.
        why: why it is stopped, empty while it runs.
        frame: where it stands; None while it runs.
        address: the frame's pc is worth showing.
        current: it is in focus.
        wchan: the kernel function in which it sleeps; empty if it does not.
    """

    number: int
    tid: int
    name: str
    state: TraceeState
    kernel_state: str
    why: str = ""
    frame: Frame | None = None
    address: bool = True
    current: bool = False
    wchan: str = ""


class ThreadList(msgspec.Struct, frozen=True):
    """The threads of the program."""

    rows: tuple[ThreadRow, ...]

    def lines(self, width: int) -> list[Shown]:
        """A table as gdb's, with the kernel's state of each beside."""
        table_rows: list[tuple[str, ...]] = [("  Id", "Target Id", "State", "Frame")]
        for row in self.rows:
            state = f"{row.kernel_state or '-'} {_STATES.get(row.kernel_state, 'unknown')}"
            state += f" in {row.wchan}" if row.wchan else ""
            place = "(running)" if row.state is TraceeState.RUNNING else "(ended)"
            if row.frame is not None:
                place = frame_line(row.frame, number=False, address=row.address)
            elif row.state is TraceeState.STOPPED:
                place = "(stopped)"
            why = f" ({row.why})" if row.why else ""
            mark = "*" if row.current else " "
            table_rows.append((f"{mark} {row.number}", f'LWP {row.tid} "{row.name}"', state + why, place))
        return columns(table_rows)


@table.add("info threads", "info th", while_busy="now")
def info_threads(session: Session) -> ThreadList:
    """List the program's threads: state, name, and where each stands.

    Works while the program runs. The letter is the kernel's state of the thread: R runs, S sleeps, t is stopped by its tracer.

    In the kernel: /proc/PID/task/TID/stat and comm, which anybody may read; PTRACE_GETREGS for each thread if the program is
    stopped.

    Example: info threads
    """
    view = session.program.view
    if view is None:
        raise NotNow("the program is not being run", "start it with run, or attach to a process")
    stopped = view.stopped and not view.busy
    rows = []
    for tracee in view.tracees:
        frame, address = _standing(session, tracee) if stopped else (None, True)
        rows.append(thread_row(tracee, frame, address=address, current=tracee.tid == session.program.tid))
    return ThreadList(tuple(rows))


def thread_row(tracee: TraceeView, frame: Frame | None, *, address: bool, current: bool) -> ThreadRow:
    """A row, with what /proc says of the thread at this moment.

    Args:
        tracee: as the tracer knows it.
        frame: where it stands, None if nobody looked.
        address: the frame's pc is worth showing.
        current: it is in focus.
    """
    letter = procfs.state(tracee.tid)
    wchan = procfs.wchan(tracee.tid) if letter in ("S", "D") else ""
    why = str(tracee.stop.text()) if tracee.stop is not None else ""
    name = procfs.comm(tracee.tid)
    return ThreadRow(tracee.number, tracee.tid, name, tracee.state, letter, why, frame, address, current, "" if wchan == "0" else wchan)


def _standing(session: Session, tracee: TraceeView) -> tuple[Frame | None, bool]:
    """The innermost frame of a thread, and whether its pc is worth showing; None if it is not stopped any more."""
    if tracee.state is not TraceeState.STOPPED:
        return None, True
    try:
        regs: Registers = session.tracer.call(ops.registers, tracee.tid)
        frame = session.program.places.top(regs)
    except TracedbgError:
        return None, True  # it was let go or killed meanwhile, which is news for others to tell
    return frame, shows_address([frame], 0, mid_line=session.program.places.mid_line(frame))


class Switched(msgspec.Struct, frozen=True):
    """Another thread is in focus.

    Args:
        number: its number.
        tid: the kernel's.
        name: its comm.
        shown: where it stands.
    """

    number: int
    tid: int
    name: str
    shown: FrameShown

    def lines(self, width: int) -> list[Shown]:
        """As gdb answers `thread N`."""
        return [visible(f'[Switching to thread {self.number} (LWP {self.tid} "{self.name}")]'), *self.shown.lines(width)]


def the_thread(session: Session, number: int) -> TraceeView:
    """The thread with a number of `info threads`.

    Raises:
        NotFound: there is none.
        NotNow: nothing is being run.
    """
    session.program.need_process()
    view = session.program.view
    found = next((tracee for tracee in view.tracees if tracee.number == number), None) if view else None
    if found is None or found.state in (TraceeState.DEAD, TraceeState.ZOMBIE):
        raise NotFound(f"Unknown thread {number}" if found is None else f"Thread {number} has ended", "info threads lists them")
    return found


def select_thread(session: Session, number: int | None) -> Switched | Said:
    """Put the focus on a thread and show where it stands: what `thread N` does.

    Args:
        session: whose program it is.
        number: as in `info threads`; None only tells which one is in focus.

    Raises:
        NotFound: there is no such thread.
        NotNow: nothing is being run, or that thread runs; the focus stays where it was.
    """
    if number is None:
        return current_thread(session)
    tracee = the_thread(session, number)
    if tracee.state is not TraceeState.STOPPED:
        raise NotNow(f"thread {number} is running", "interrupt stops the program")
    regs: Registers = session.tracer.call(ops.registers, tracee.tid)
    session.program.tid, session.program.level = tracee.tid, 0
    frames = frames_of(session, regs, 1)
    return Switched(number, tracee.tid, procfs.comm(tracee.tid), show_frame(session, frames))


def current_thread(session: Session) -> Said:
    """What `thread` answers without a number: which thread is in focus.

    Raises:
        NotNow: nothing is being run.
    """
    tid = session.program.need_process() and session.program.tid
    view = session.program.view
    tracee = view.tracee(tid) if view is not None else None
    if tracee is None:
        return Said(("No thread selected",))
    return Said((f'[Current thread is {tracee.number} (LWP {tid} "{procfs.comm(tid)}")]',))


class Stacks(msgspec.Struct, frozen=True):
    """The stacks of several threads: number, tid, name and stack of each."""

    threads: tuple[tuple[int, int, str, Backtrace], ...]

    def lines(self, width: int) -> list[Shown]:
        """As gdb answers `thread apply all bt`."""
        out: list[Shown] = []
        for number, tid, name, stack in self.threads:
            out += [Shown(""), visible(f'Thread {number} (LWP {tid} "{name}"):'), *stack.lines(width)]
        return out


def stacks(session: Session, numbers: tuple[int, ...] = (), *how: str) -> Stacks:
    """The stacks of some threads, the highest number first as in gdb; the focus stays where it is.

    Args:
        session: whose program it is.
        numbers: of the threads; none means all.
        how: as for `backtrace`.

    Raises:
        NotFound: there is no such thread.
        NotNow: the program is not stopped.
    """
    program = session.program
    program.need_stopped()
    view = program.view
    chosen = [the_thread(session, number) for number in numbers] or list(reversed(view.tracees if view else ()))
    before = program.tid, program.level
    found = []
    try:
        for tracee in chosen:
            if tracee.state is TraceeState.STOPPED:
                program.tid = tracee.tid
                found.append((tracee.number, tracee.tid, str(procfs.comm(tracee.tid)), backtrace(session, *how)))
    finally:
        program.tid, program.level = before
    return Stacks(tuple(found))


_BT = TailType("[all|N...] bt", "threads, then bt and its words", "")


@table.add("thread apply", "taas")
def thread_apply(session: Session, words: Annotated[str, _BT, "all or thread numbers, then bt"]) -> Stacks:
    """Show the stacks of all threads, or of some.

    In the kernel: PTRACE_GETREGS for each thread by the tracer thread.

    Example: thread apply all bt
    """
    parts = words.split()
    numbers: list[int] = []
    while parts and (parts[0].isdigit() or parts[0] == "all"):
        if parts[0] != "all":
            numbers.append(int(parts[0]))
        parts.pop(0)
    if not parts or parts[0] not in ("bt", "backtrace", "where"):
        raise NotNow("only bt can be applied to several threads yet", "thread N selects one, then any command works")
    return stacks(session, tuple(numbers), *parts[1:])
