"""The command that shows machine code: disassemble.

Command thread.  Code is read with planted breakpoints hidden; before the program runs, from its file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from tracedbg.lang.forms import FlagLettersType
from tracedbg.lang.paramtypes import ChoiceType, TailType
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import BadArgument, NotFound, TracedbgError
from tracedbg.model.text import Shown, visible
from tracedbg.symbols.disassembly import Instruction

from .answers import Said, said
from .drawing import source_line, tabbed
from .looking import selected_frame, stopped_registers
from .looking_memory import LONGEST, current_pc, decoded, read_some, spaced
from .looking_values import named, number_of

if TYPE_CHECKING:
    from tracedbg.session.session import Session

table = CommandTable("code", "Machine code")


class CodeLine(msgspec.Struct, frozen=True):
    """One instruction of a listing.

    Args:
        instruction: what it is.
        label: ``+4``, or ``fact+4`` where the listing is no whole function.
        current: the selected frame stands there.
        source: lines of source that begin here, with `source` asked for; the file's name first where it changes.
    """

    instruction: Instruction
    label: str
    current: bool
    source: tuple[str, ...] = ()


class Disassembly(msgspec.Struct, frozen=True):
    """Machine code.

    Args:
        title: what it is.
        code: the instructions.
        raw: show their bytes.
    """

    title: str
    code: tuple[CodeLine, ...]
    raw: bool = False

    def lines(self, width: int) -> list[Shown]:
        """As gdb answers `disassemble`."""
        out = [visible(self.title)]
        for line in self.code:
            if line.source:
                out += [Shown("")] if line is not self.code[0] else []
                out += [visible(each) for each in line.source]
            one = line.instruction
            head = f"{'=>' if line.current else '  '} 0x{one.address:016x}" + (f" <{line.label}>" if line.label else "")
            raw = one.bytes_.hex(" ").ljust(19) + "\t" if self.raw else ""
            out.append(tabbed(f"{head}:\t{raw}{spaced(one.text)}"))
        return [*out, Shown("End of assembler dump.")]


_FLAGS = FlagLettersType("/rms", "rms", "r raw bytes, s or m source lines")
_RANGE = TailType("[LOCATION | START,END | START,+LENGTH]", "a function, an address in it, or a range", "symbol", "register")
_FLAVOR = ChoiceType("FLAVOR", "att", "intel")


@table.add("disassemble", "disas")
def disassemble(
    session: Session,
    flags: Annotated[str, _FLAGS, "r: bytes, s: source lines"] = "",
    where: Annotated[str, _RANGE, "a function or a range; nothing means here"] = "",
) -> Disassembly:
    """Show the machine code of a function or a range; an arrow marks where the selected frame stands.

    In the kernel: a read of /proc/PID/mem, with planted breakpoints hidden.

    Example: disassemble main
      disassemble /s
      disassemble 0x401000,+32
    """
    start, comma, end = where.partition(",")
    if comma:
        low = number_of(session, start)
        high = low + number_of(session, end.strip()[1:]) if end.strip().startswith("+") else number_of(session, end)
        if not low < high <= low + (1 << 24):
            raise BadArgument(f"the range {low:#x} to {high:#x} is empty or too long", "write START,+LENGTH")
        title = f"Dump of assembler code from {low:#x} to {high:#x}:"
    else:
        inside = number_of(session, where) if where else selected_frame(session, stopped_registers(session)).pc
        with session.program.places.lock:
            bounds = session.program.places.symbols().function_range(inside)
        if bounds is None:
            raise NotFound(f"no function contains {inside:#x}", f"name a range: disassemble {inside:#x},+32")
        low, high = bounds
        title = f"Dump of assembler code for function {named(session, low)}:"
    code = read_some(session, low, high - low + (LONGEST if comma else 0))
    found = [each for each in decoded(session, code, low, None) if each.address < high]
    pc = current_pc(session)
    source = _source_of(session, found) if "s" in flags or "m" in flags else {}
    lines = []
    for each in found:
        # In a function the offset says enough; a range may touch several.
        label = _with_offset(named(session, each.address)) if comma else f"+{each.address - low}"
        lines.append(CodeLine(each, label, each.address == pc, source.get(each.address, ())))
    return Disassembly(title, tuple(lines), "r" in flags)


def _with_offset(label: str) -> str:
    return label if not label or "+" in label else f"{label}+0"


def _source_of(session: Session, code: list[Instruction]) -> dict[int, tuple[str, ...]]:
    """For each instruction at which another line begins: that line, behind the file's name where it changes."""
    places = session.program.places
    with places.lock:
        symbols = places.symbols()
        rows = [(each.address, symbols.place(each.address)) for each in code]
        names = {place.file: symbols.file_name(place.file) for _, place in rows if place.file}
    if not names:
        raise NotFound("that code has no line information", "leave /s away, or compile with -g")
    out: dict[int, tuple[str, ...]] = {}
    before: tuple[str, int] = ("", 0)
    for address, place in rows:
        if (place.file, place.line) == before or not place.line:
            continue
        text: list[str] = [] if place.file == before[0] else [f"{names[place.file]}:"]
        before = (place.file, place.line)
        try:
            text += [source_line(number, line) for number, line in places.sources.lines(place.file, place.line, place.line)]
        except TracedbgError:
            text.append(str(place.line))
        out[address] = tuple(text)
    return out


@table.add("set disassembly-flavor")
def set_flavor(session: Session, flavor: Annotated[str, _FLAVOR, "AT&T's syntax, or Intel's"]) -> Said:
    """Choose the syntax of machine code.

    Example: set disassembly-flavor intel
    """
    session.settings.disassembly_flavor = flavor
    return said()
