"""`decode`: numbers and names of ptrace, wait and signals in words, both ways.

Runs at once, also while another command runs; asks nothing of the kernel or the program, so it works where ptrace is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from tracedbg.lang.paramtypes import Choice, Context, ParamType, Takes
from tracedbg.lang.table import CommandTable
from tracedbg.model.decoding import KINDS, Reading, readings, spellings
from tracedbg.model.text import Shown, visible
from tracedbg.session.session import Session

from .drawing import wrapped

table = CommandTable("decoding", "Numbers and names in words")


class _Anything(ParamType[tuple[str, ...]]):
    """A kind, and what is to be read."""

    takes: Takes = "words"

    def parse(self, text: str) -> tuple[str, ...]:
        """Return the words."""
        return tuple(text.split())

    def show(self, value: tuple[str, ...]) -> str:
        """Return them in a line."""
        return " ".join(value)

    def complete(self, context: Context, prefix: str) -> Iterable[Choice]:
        """Return every name, for the part after the last bar."""
        done, bar, _ = prefix.rpartition("|")
        return [Choice(done + bar + name, "kind" if name in KINDS else "") for name in spellings()]


ANYTHING = _Anything("ANYTHING", "[KIND] and a number, a name, or words such as 'killed SIGKILL'; KIND is " + ", ".join(KINDS))


class Decoded(msgspec.Struct, frozen=True):
    """Every reading of what was typed, the likeliest first."""

    typed: str
    readings: tuple[Reading, ...]

    def lines(self, width: int) -> list[Shown]:
        """A headline for each and what it means below; of many, the first in full and a line or two of each other."""
        many, out = len(self.readings) > 2, []
        for number, reading in enumerate(self.readings, 1):
            place = f"{number}. " if len(self.readings) > 1 else ""
            out.append(visible(place + (reading.title or f"{reading.label} {_value(reading)}: {reading.spelling}")))
            lines = reading.lines if number == 1 or not many else (reading.gist or reading.lines[0],)
            for line in lines:
                drawing = "  " in line
                out += [visible("    " + line)] if drawing else wrapped(line, width, "    ", "      ")
        if many:
            kinds = ", ".join(dict.fromkeys(reading.kind for reading in self.readings[1:]))
            out.append(visible(f"decode KIND {self.typed} tells all of one: {kinds}"))
        return out


def _value(reading: Reading) -> str:
    number = reading.number
    return f"{number:#x}" if reading.kind in ("status", "option") or number > 0xFF else str(number)


@table.add("decode", while_busy="now")
def decode(session: Session, anything: Annotated[tuple[str, ...], ANYTHING]) -> Decoded:
    """Say in words what a wait status, errno, signal, ptrace event, request, option or siginfo code means, and the reverse.

    A bare number that may be several things shows every reading, the likeliest first; a kind before it narrows: `decode status 0x57f`,
    `decode errno 3`, `decode signal 10`, `decode event 4`, `decode request 0x4206`, `decode option 0x100000` (ptrace's and wait's),
    `decode siginfo SIGCHLD 4`. Names do too, with or without what they begin with: `decode ESRCH`, `decode CONT`,
    `decode PTRACE_O_TRACEEXEC|EXITKILL`, `decode __WALL|WNOHANG`, and a status in words: `decode stopped SIGTRAP PTRACE_EVENT_EXEC`,
    `decode killed SIGABRT dumped`.

    In the kernel: wait_task_zombie, wait_task_stopped and wait_task_continued make the word of a status, ptrace_stop the code of a stop;
    nothing is asked of it here.

    Example: decode 0x4057f
    """
    return Decoded(" ".join(anything), tuple(readings(anything)))
