"""A small language with every feature of the table, and a session that knows some names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from tracedbg.lang.callforms import KINDS
from tracedbg.lang.forms import FlagLettersType
from tracedbg.lang.params import (
    HERE,
    NO_ARGUMENTS,
    NO_FORMAT,
    BreakpointIds,
    Count,
    Expression,
    Fields,
    FormatSpec,
    LocationSpec,
    NewName,
    OnOff,
    Path,
    PatternText,
    ProgramArguments,
    Register,
    Signal,
    Text,
)
from tracedbg.lang.table import CommandTable

if TYPE_CHECKING:
    # As in the real handlers: a name that exists for the type checker only must not disturb the table.
    from somewhere import Session

NAMES = {
    "actor": ["tracer", "w1", "w2"],
    "call": ["getpid", "wait4"],
    "breakpoint": ["1", "2"],
    "symbol": ["fact", "factor", "main", "b c"],
    "source": ["fact.c"],
    "register": ["rax", "rip", "rsp"],
    "variable": ["tracee", "first"],
    "lane": ["w1", "tracee"],
    "fact": ["state", "wchan"],
}


class FakeSession:
    """Names and variables, and whether a program runs."""

    def __init__(self, *, program: bool = True) -> None:
        self.program = program
        self.variables = {"tracee": "4242", "first": "w2"}

    def variable(self, name: str) -> str | None:
        return self.variables.get(name)

    def names(self, kind: str, prefix: str) -> Iterable[str]:
        return NAMES.get(kind, [])


def has_program(session: FakeSession) -> bool:
    return session.program


running = CommandTable("running", "Running the program")
looking = CommandTable("looking", "Looking at it")
benching = CommandTable("benching", "Threads for experiments")
LETTERS = FlagLettersType("/FLAGS", "rsm")


@running.add("continue", "c", "fg", repeats=True, enabled=has_program)
def continue_(session: Session, count: Annotated[Count, "pass this many stops"] = 1) -> object:
    """Let the stopped program run on.

    All its threads run until one stops.

    In the kernel: PTRACE_CONT for each thread,
    by the tracer thread.

    Example:
      continue
      c 3

    Args:
        session: not for users.
    """
    return "continue", count


@running.add("run", "r")
def run(
    session: Session,
    args: Annotated[ProgramArguments, "what the program gets"] = NO_ARGUMENTS,
    *,
    tty: Annotated[Path | None, "another terminal"] = None,
    stop: Annotated[bool, "stop at the first instruction"] = False,
) -> object:
    """Start the program."""
    return "run", args, tty, stop


@running.add("signal", enabled=has_program)
def signal_(session: Session, signal: Annotated[Signal, "which"]) -> object:
    """Continue with a signal."""
    return "signal", signal


@running.add("step", "s", repeats=True)
def step(session: Session, count: Annotated[Count, "lines"] = 1) -> object:
    """Step a line."""
    return "step", count


@running.add("stepi", "si", repeats=True)
def stepi(session: Session, count: Annotated[Count, "instructions"] = 1, *, background: bool = False) -> object:
    """Step an instruction."""
    return "stepi", count, background


@looking.add("x", repeat_as="x")
def examine(session: Session, form: FormatSpec = NO_FORMAT, address: Annotated[Expression | None, "where"] = None, *,
            raw: Annotated[bool, "with breakpoints shown"] = False) -> object:  # fmt: skip
    """Examine memory."""
    return "x", form, address, raw


@looking.add("list", "l", repeat_as=lambda line: line.split()[0])
def list_(session: Session, where: LocationSpec = HERE) -> object:
    """Show source."""
    return "list", where


@looking.add("disassemble")
def disassemble(session: Session, flags: Annotated[str, LETTERS, "what to add"] = "", where: Expression | None = None) -> object:
    """Show instructions."""
    return "disassemble", flags, where


@looking.add("break", "b")
def break_(session: Session, where: Annotated[LocationSpec, "where"] = HERE) -> object:
    """Set a breakpoint."""
    return "break", where


@looking.add("backtrace", "bt", "where")
def backtrace(session: Session) -> object:
    """Show the frames."""
    return ("backtrace",)


@looking.add("delete", "d")
def delete(session: Session, ids: Annotated[BreakpointIds, "which, default all"] = ()) -> object:
    """Delete breakpoints."""
    return "delete", ids


looking.group("info", "i", "inf", about="Facts about the program.")


@looking.add("info breakpoints", "info b", while_busy="now")
def info_breakpoints(session: Session) -> object:
    """List breakpoints."""
    return ("info breakpoints",)


@looking.add("info registers", "info r")
def info_registers(session: Session, *names: Annotated[Register, "only these"]) -> object:
    """Show registers."""
    return "info registers", names


@looking.add("info line")
def info_line(session: Session) -> object:
    """Show a line's addresses."""
    return ("info line",)


@looking.add("info locals")
def info_locals(session: Session) -> object:
    """Show local variables."""
    return ("info locals",)


@looking.add("set")
def set_(session: Session, what: Annotated[Expression, "an assignment"]) -> object:
    """Assign."""
    return "set", what


@looking.add("set variable", "set var")
def set_variable(session: Session, what: Annotated[Expression, "an assignment"]) -> object:
    """Assign to a variable."""
    return "set variable", what


@looking.add("set logging")
def set_logging(session: Session, to: Annotated[OnOff, "whether"], file: Annotated[Path | None, "which file"] = None) -> object:
    """Write a log."""
    return "set logging", to, file


@looking.add("look", actor_ok=True, while_busy="now")
def look(session: Session, who: Annotated[Text, "whom"], fields: Annotated[Fields, "facts"] = (), *,
         actors: tuple[str, ...] = ()) -> object:  # fmt: skip
    """Read facts."""
    return "look", who, fields, actors


@looking.add("expect")
def expect(session: Session, pattern: Annotated[PatternText, "what must happen"]) -> object:
    """Wait for an event."""
    return "expect", pattern


benching.group("thread", strict=True)


@benching.add("thread", "t")
def thread(session: Session, *names: Annotated[NewName, "new threads"]) -> object:
    """Make threads."""
    return "thread", names


@benching.add("thread name")
def thread_name(session: Session, name: NewName) -> object:
    """Name a thread."""
    return "thread name", name


@benching.actor_call(KINDS, while_busy="now")
def on(session: Session, actors: tuple[str, ...], verb: str, words: tuple[str, ...], background: bool) -> object:
    """Run a call on actors."""
    return "on", actors, verb, words, background


TABLE = CommandTable.merged([running, looking, benching])
