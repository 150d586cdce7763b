"""A program stopped at a breakpoint under a real session, and gdb at the same place, for the tests of the looking commands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.symbols import gdb
from tracedbg.commands.runner import Context
from tracedbg.commands.table import all_commands
from tracedbg.lang.forms import ProgramArgs
from tracedbg.lang.run import prepare
from tracedbg.session.session import Session
from tracedbg.tracer import ops, running


class Looker:
    """What a test types into."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def do(self, line: str) -> Any:
        """The value that the handler returns."""
        return prepare(all_commands(), Context(self.session), line).run(self.session)

    def say(self, line: str) -> list[str]:
        """The lines of the answer; each must be safe for a terminal."""
        lines = [str(each) for each in self.do(line).lines(80)]
        assert all(each.isprintable() for each in lines), lines
        return lines

    def go_on(self) -> None:
        """Continue to the next stop."""
        program = self.session.program
        program.proceed(running.cont, program.tid)


@contextmanager
def stopped_at(program: Path, place: str, *args: str, times: int = 1) -> Iterator[Looker]:
    """The program at the `times`-th hit of a breakpoint."""
    with Session() as session:
        session.program.file(str(program))
        where, addresses = session.program.locate(place)
        session.tracer.call(ops.add_breakpoint, 0, place, where, addresses, False)
        session.program.run(ProgramArgs(tuple(args)), "")
        looker = Looker(session)
        for _ in range(times - 1):
            looker.go_on()
        yield looker


def from_gdb(program: Path, place: str, commands: Sequence[str], times: int = 1) -> list[list[str]]:
    """What gdb answers at the same place, as lines that `same` can compare."""
    answers = gdb.ask(program, [f"break {place}", "run", *["continue"] * (times - 1), *commands])
    return [normal(each.splitlines()) for each in answers[1 + times :]]


def normal(lines: Sequence[str]) -> list[str]:
    """Without what differs between two runs: addresses on the stack, columns, and the number of an answer."""
    out = []
    for line in lines:
        line = re.sub(r"0x0*7ff[0-9a-f]{9}\b", "STACK", line)
        line = re.sub(r"^\$\d+ = ", "$ = ", line)
        # Parity and the like of the last result follow from the stack pointer, which depends on the environment's size.
        line = re.sub(r"(?<== \[ )[A-Z ]+(?= \]$)", lambda flags: re.sub(r"\b[AP]F\b", "", flags[0]), line)
        line = " ".join(line.replace("=>", " ").split())
        if line:
            out.append(line)
    return out
