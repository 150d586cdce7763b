"""Commands about symbols: info line, info symbol, info address, info functions, info variables.

Command thread.  Handlers print nothing; names from the program have passed `visible`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import msgspec

from tracedbg.lang.params import Address, Rest
from tracedbg.lang.paramtypes import TailType
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import BadArgument, NotFound, NotNow, TracedbgError
from tracedbg.model.text import Shown, visible
from tracedbg.symbols.values import Place

from .answers import Said
from .drawing import columns
from .looking import selected_frame, stopped_registers
from .looking_source import line_of
from .looking_values import number_of

if TYPE_CHECKING:
    from tracedbg.session.session import Session
    from tracedbg.symbols.engine import Symbols

table = CommandTable("symbols", "Symbols and lines")

_PLACE = TailType("[LOCATION]", "a line, FILE:LINE, a function or *ADDRESS", "symbol", "source")


# --- facts about places -------------------------------------------------------------------------------------------------------
class LineInfo(msgspec.Struct, frozen=True):
    """Where the code of a line is.

    Args:
        file: as the compiler was told it.
        line: 1-based.
        low: first address of its code; equal to `high` where the line has none.
        high: first address after it.
        low_name: ``main+4`` for `low`, empty where unknown.
        high_name: the same for `high`.
    """

    file: str
    line: int
    low: int
    high: int
    low_name: str = ""
    high_name: str = ""

    def lines(self, width: int) -> list[Shown]:
        """One sentence, as gdb's."""
        low = f"{self.low:#x}" + (f" <{self.low_name}>" if self.low_name else "")
        high = f"{self.high:#x}" + (f" <{self.high_name}>" if self.high_name else "")
        if self.low == self.high:
            return [visible(f'Line {self.line} of "{self.file}" is at address {low} but contains no code.')]
        return [visible(f'Line {self.line} of "{self.file}" starts at address {low} and ends at {high}.')]


def label_of(place: Place) -> str:
    """``main``, ``main+4``, or an empty text."""
    return "" if not place.symbol else f"{place.symbol}+{place.offset}" if place.offset else place.symbol


@table.add("info line")
def info_line(session: Session, where: Annotated[str, _PLACE, "nothing means the current line"] = "") -> LineInfo:
    """Show where the code of a line is.

    In the kernel: nothing; the line table is part of the debug information (DWARF 5, 6.2).

    Example: info line fact.c:9
    """
    places = session.program.places
    regs = stopped_registers(session) if not where else None
    if regs is not None:
        frame = selected_frame(session, regs)
        address = frame.pc if frame.interrupted else frame.pc - 1
        wanted = 0
    else:
        spec = where if where.startswith("*") else ":".join(str(part) for part in line_of(session, where))
        wanted = 0 if where.startswith("*") else int(spec.rpartition(":")[2])
        with places.lock:
            address = _first_code(places.symbols(), spec, wanted)
    with places.lock:
        symbols = places.symbols()
        row = symbols.row(address)
        if row is None:
            raise NotFound(f"there is no line information for {address:#x}", "it was compiled without -g")
        file = symbols.file_name(row.file)
        low, high = label_of(symbols.place(row.low)), label_of(symbols.place(row.high))
    if wanted and row.line != wanted:
        return LineInfo(file, wanted, row.low, row.low, low, low)
    return LineInfo(file, row.line, row.low, row.high, low, high)


def _first_code(symbols: Symbols, spec: str, line: int) -> int:
    """The first address of a line's code, else of the next line that has any; a breakpoint's place may be behind a prologue."""
    address = symbols.locate(spec)[0].address
    rows = [row for row in symbols.statement_addresses(address) if line and row.line >= line]
    if not rows:
        return address
    nearest = min(row.line for row in rows)
    return min(row.low for row in rows if row.line == nearest)


class SymbolInfo(msgspec.Struct, frozen=True):
    """What symbol an address belongs to."""

    place: Place
    section: str

    def lines(self, width: int) -> list[Shown]:
        """One line, as gdb's."""
        offset = f" + {self.place.offset}" if self.place.offset else ""
        section = f" in section {self.section}" if self.section else ""
        return [visible(f"{self.place.symbol}{offset}{section} of {self.place.module}")]


@table.add("info symbol")
def info_symbol(session: Session, address: Annotated[Address, "an address"]) -> SymbolInfo:
    """Show which symbol an address belongs to.

    In the kernel: nothing; symbols are a table in the program's file (elf(5)).

    Example: info symbol $pc
    """
    at = number_of(session, address)
    with session.program.places.lock:
        symbols = session.program.places.symbols()
        place, section = symbols.place(at), symbols.section(at)
    if not place.symbol:
        raise NotFound(f"No symbol matches {address}", "info proc mappings shows what is mapped there")
    return SymbolInfo(place, section)


@table.add("info address")
def info_address(session: Session, name: Annotated[Address, "a function or a variable"]) -> Said:
    """Show where a function or variable is.

    In the kernel: nothing but PTRACE_GETREGS, for variables of the selected frame.

    Example: info address main
    """
    program, places = session.program, session.program.places
    regs = stopped_registers(session) if program.alive and not program.busy else None
    with places.lock:
        if regs is not None and places.has_live:
            value = places.live().value(regs.words, program.level, name)
            if "(" in value.type_name and value.size == 0:
                return Said((f'Symbol "{name}" is a function at address {value.address or 0:#x}.',))
            if value.address is None:
                return Said((f'Symbol "{name}" is in a register or was optimised out here.',))
            place = places.live().place(value.address)
            kind = "static storage" if place.symbol else "a variable in memory"
            return Said((f'Symbol "{name}" is {kind} at address {value.address:#x}.',))
        return Said((f'Symbol "{name}" is at address {places.symbols().address_of(name):#x}.',))


# --- lists of symbols ---------------------------------------------------------------------------------------------------------
class SymbolList(msgspec.Struct, frozen=True):
    """Symbols of the program.

    Args:
        title: what they are.
        places: name and place of each.
    """

    title: str
    places: tuple[tuple[str, Place], ...]

    def lines(self, width: int) -> list[Shown]:
        """Address, name, and the line where it begins."""
        rows = []
        for name, place in self.places:
            rows.append((f"0x{place.address:016x}", name, f"{place.file}:{place.line}" if place.line else ""))
        return [visible(self.title), *(columns(rows) or [Shown("none")])]


def _symbols(session: Session, kind: str, pattern: str) -> SymbolList:
    places = session.program.places
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise BadArgument(f"'{pattern}' is no regular expression: {error}", "a part of the name will do") from error
    found = []
    with places.lock:
        symbols = places.symbols()
        for name in symbols.functions() if kind == "functions" else symbols.objects():
            if wanted.search(name):
                try:
                    found.append((name, symbols.place(symbols.address_of(name))))
                except TracedbgError:
                    continue  # a name that address_of does not understand, such as one with blanks
    if not pattern and not found:
        raise NotNow(f"the program has no table of {kind}", "it is stripped; compile it without -s")
    matching = f' matching regular expression "{pattern}"' if pattern else ""
    return SymbolList(f"All {'defined ' if not pattern else ''}{kind}{matching}:", tuple(found))


@table.add("info functions")
def info_functions(session: Session, pattern: Annotated[Rest, "a regular expression"] = "") -> SymbolList:
    """List the program's own functions.

    In the kernel: nothing.

    Example: info functions ^f
    """
    return _symbols(session, "functions", pattern)


@table.add("info variables")
def info_variables(session: Session, pattern: Annotated[Rest, "a regular expression"] = "") -> SymbolList:
    """List the program's own variables that have a fixed place.

    In the kernel: nothing.

    Example: info variables count
    """
    return _symbols(session, "variables", pattern)
