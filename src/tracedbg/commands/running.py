"""Commands that start, move and end the program.

Handlers run on the command thread (those marked `now` on the control thread); they print nothing.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from tracedbg.lang.params import NO_ARGUMENTS, Count, LocationSpec, Path, Pid, Program, ProgramArguments, Signal
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import BadArgument, NotNow
from tracedbg.model.startup import ProgramArgs
from tracedbg.model.stops import BreakpointHit
from tracedbg.model.text import Shown, visible
from tracedbg.session.session import Session
from tracedbg.session.stepping import Stepper
from tracedbg.session.stopped import Stopped
from tracedbg.symbols.elf import ProgramFile, check_program
from tracedbg.tracer import ops, running

from .answers import Said, StopTold, said

table = CommandTable("running", "Starting, running, stepping, ending")


def _alive(session: Session) -> bool:
    return session.program.alive


def _stopped(session: Session) -> bool:
    return session.program.alive and not session.program.busy


def _stepper(session: Session) -> Stepper:
    return Stepper(session.tracer, session.waiters, session.program)


def _began(session: Session) -> None:
    session.variables["tracee"] = str(session.program.pid)


def _kind(found: ProgramFile) -> str:
    """A file's kind in a few words."""
    if found.kind == "script":
        return f"a script for {found.interpreter}"
    words = [found.machine, "position independent" if found.pie else "fixed addresses", "static" if found.static else "dynamic"]
    words.append("with line information" if found.lines else "with symbols" if found.symbols else "stripped")
    return ", ".join(words)


class FileChosen(msgspec.Struct, frozen=True):
    """The program that will be debugged.

    Args:
        path: absolute.
        kind: of file, in a few words.
    """

    path: str
    kind: str

    def lines(self, width: int) -> list[Shown]:
        """One line."""
        return [visible(f"Program {self.path} ({self.kind})")]


@table.add("file")
def file(session: Session, program: Annotated[Program, "the program's file; a bare name is looked up in PATH"]) -> FileChosen:
    """Choose the program to debug.

    Nothing is started. Breakpoints may be set before the program runs.

    Example: file ./prog
    """
    if session.program.alive:
        raise NotNow(f"process {session.program.pid} is being debugged", "kill or detach it first")
    path = session.program.file(program)
    return FileChosen(path, _kind(check_program(path)))


@table.add("run", "r")
def run(
    session: Session, args: Annotated[ProgramArguments, "arguments and redirections"] = NO_ARGUMENTS, *, tty: Path | None = None
) -> StopTold:
    """Start the program and let it run.

    Arguments stay for the next `run`. The program gets a session and a terminal of its own, so that its output never tears the
    prompt; `input` types for it, `fg` hands it the keyboard, `--tty DEV` puts it on another terminal.

    In the kernel: fork on the tracer thread; the child asks PTRACE_TRACEME and execs; the tracer sets PTRACE_O_EXITKILL at the exec
    stop, plants breakpoints and continues.

    Example: run -v < input.txt > output.txt
    """
    return StopTold(_run(session, args, "", tty))


def _run(session: Session, args: ProgramArgs, until: str, tty: str | None) -> Stopped:
    try:
        return session.program.run(None if args == NO_ARGUMENTS else args, until, tty or "")
    finally:
        _began(session)


@table.add("start")
def start(
    session: Session, args: Annotated[ProgramArguments, "arguments and redirections"] = NO_ARGUMENTS, *, tty: Path | None = None
) -> StopTold:
    """Start the program and stop at main.

    In the kernel: as `run`, with a temporary breakpoint on main.

    Example: start
    """
    return StopTold(_run(session, args, "main", tty))


@table.add("starti")
def starti(
    session: Session, args: Annotated[ProgramArguments, "arguments and redirections"] = NO_ARGUMENTS, *, tty: Path | None = None
) -> StopTold:
    """Start the program and stop at its very first instruction.

    In the kernel: the exec stop itself; nothing of the program (nor of its dynamic loader) has run.

    Example: starti
    """
    return StopTold(_run(session, args, "entry", tty))


@table.add("attach")
def attach(session: Session, pid: Annotated[Pid, "the process"]) -> StopTold:
    """Take hold of a running process, all its threads, and stop it.

    In the kernel: PTRACE_SEIZE for each thread in /proc/PID/task and then PTRACE_INTERRUPT, which disturbs it least; with
    `set attach-mode attach` PTRACE_ATTACH, which sends SIGSTOP.

    Example: attach 4242
    """
    try:
        return StopTold(session.program.attach(pid))
    finally:
        _began(session)


@table.add("detach", enabled=_alive)
def detach(session: Session) -> Said:
    """Let the program go on without the debugger.

    In the kernel: all threads are stopped, breakpoint bytes put back, then PTRACE_DETACH for each thread with the signal it is owed.

    Example: detach
    """
    pid = session.program.need_process()
    if session.program.busy:
        raise NotNow("the program is running", "interrupt it first")
    count = session.program.detach()
    return said(f"[Inferior 1 (process {pid}) detached: {count} thread{'s' if count != 1 else ''} let go]")


@table.add("kill", "k", enabled=_alive)
def kill(session: Session) -> Said:
    """End the program with SIGKILL and collect its end.

    In the kernel: SIGKILL needs no permission of ptrace and ends every ptrace-stop but the exit event.

    Example: kill
    """
    return said(f"[Inferior 1 (process {session.program.kill()}) killed]")


@table.add("quit", "q", "exit", while_busy="now")
def quit_(session: Session) -> Said:
    """Leave tracedbg: what was launched is killed, what was attached is let go.

    Example: quit
    """
    session.quitting = True
    return Said(())


# --- moving -------------------------------------------------------------------------------------------------------------------
@table.add("continue", "c", repeats=True, enabled=_stopped)
def continue_(session: Session, count: Annotated[Count, "stop at this breakpoint's COUNTth next hit only"] = 1) -> StopTold:
    """Let the program run on.

    With a count, the breakpoint at which the program stands ignores its next COUNT - 1 hits; any other stop still is one.

    In the kernel: a thread that stands at a breakpoint steps over it first (byte lifted, PTRACE_SINGLESTEP, byte planted), then
    PTRACE_CONT for every thread, with the signal it is owed. A waiter sleeps in wait4 until something happens.

    Example: continue 3
    """
    program = session.program
    tid = program.need_stopped()
    first = ""
    if count > 1:
        stop = program.last.stop if program.last is not None else None
        ids = stop.ids if isinstance(stop, BreakpointHit) else ()
        kept = [view.number for view in program.breakpoints() if view.number in ids]
        if kept:
            view = session.tracer.call(ops.ignore_breakpoint, kept[-1], count - 1)
            first = f"Will ignore next {view.ignore} crossings of breakpoint {view.number}.  Continuing."
        else:
            first = "Not stopped at a breakpoint that is still there; the count is ignored."
    return StopTold(program.proceed(running.cont, tid), first)


@table.add("signal", enabled=_stopped)
def signal_(session: Session, signal: Annotated[Signal, "the signal to deliver, 0 for none"]) -> StopTold:
    """Let the program run on with this signal instead of the one it is owed.

    In the kernel: the signal is the `data` of PTRACE_CONT; 0 makes the pending one disappear.

    Example: signal SIGUSR1
    """
    return StopTold(session.program.proceed(running.cont, session.program.need_stopped(), signal))


@table.add("stepi", "si", repeats=True, enabled=_stopped)
def stepi(session: Session, count: Annotated[Count, "how many instructions"] = 1) -> StopTold:
    """Execute one machine instruction, or COUNT of them.

    In the kernel: PTRACE_SINGLESTEP sets the trap flag; the CPU raises a debug exception after one instruction, which becomes
    SIGTRAP. One step goes through a waiter; many are stepped and waited for inline on the tracer thread, and the log says so.

    Example: stepi 100
    """
    return StopTold(_stepper(session).instructions(count))


@table.add("nexti", "ni", repeats=True, enabled=_stopped)
def nexti(session: Session, count: Annotated[Count, "how many instructions"] = 1) -> StopTold:
    """Execute one machine instruction, but run a call to its return.

    In the kernel: PTRACE_SINGLESTEP into the call, then a breakpoint on the return address and PTRACE_CONT.

    Example: nexti
    """
    return StopTold(_stepper(session).over_instructions(count))


@table.add("step", "s", repeats=True, enabled=_stopped)
def step(session: Session, count: Annotated[Count, "how many lines"] = 1) -> StopTold:
    """Go to the start of another source line, into functions that have lines.

    In the kernel: PTRACE_SINGLESTEP until the pc leaves the line's addresses; a call to a function without line information is run
    to its return.

    Example: step
    """
    return StopTold(_stepper(session).lines(count, over=False))


@table.add("next", "n", repeats=True, enabled=_stopped)
def next_(session: Session, count: Annotated[Count, "how many lines"] = 1) -> StopTold:
    """Go to the start of another source line, over calls.

    In the kernel: as `step`, but every call is run to its return with a breakpoint on the return address.

    Example: next 2
    """
    return StopTold(_stepper(session).lines(count, over=True))


@table.add("finish", "fin", repeats=True, enabled=_stopped)
def finish(session: Session) -> StopTold:
    """Run until the selected function has returned, and show what it returned.

    In the kernel: a breakpoint on the return address, which counts only once the stack pointer is above the function's frame.

    Example: finish
    """
    return StopTold(_stepper(session).finish())


@table.add("advance", enabled=_stopped)
def advance(session: Session, location: Annotated[LocationSpec, "where to"]) -> StopTold:
    """Run to a place, or until the current function has returned.

    Example: advance fact.c:12
    """
    if not location.text or location.condition:
        raise BadArgument("advance needs a place, without a condition", "for example: advance main")
    return StopTold(_stepper(session).until(location.text))


@table.add("interrupt", while_busy="now", enabled=lambda session: bool(session.program.busy))
def interrupt(session: Session) -> Said:
    """Stop the running program.

    In the kernel: PTRACE_INTERRUPT for a seized thread; for others SIGSTOP by tgkill, which is swallowed when it is reported. The
    command that let the program run reports the stop.

    Example: interrupt
    """
    done = session.interrupt()
    if not done:
        raise NotNow("nothing is running", "continue lets the program run")
    return said(done)
