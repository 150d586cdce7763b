"""Commands about memory and registers: x, info registers.

Command thread.  Memory is read through /proc/PID/mem with planted breakpoints hidden; before the program runs, from its file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from tracedbg.kernel.regs import NAMES, ORDER, Registers, flags_words
from tracedbg.lang.params import NO_FORMAT, Address, FormatSpec, Register
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import BadArgument, MemoryRefused, TracedbgError
from tracedbg.model.text import Shown, visible
from tracedbg.symbols.disassembly import Instruction
from tracedbg.symbols.disassembly import disassemble as decode
from tracedbg.symbols.notation import float_text, number_text, quoted_runs

from .drawing import tabbed
from .looking import frame_registers, selected_frame, stopped_registers
from .looking_values import named, number_of

if TYPE_CHECKING:
    from tracedbg.session.session import Session

table = CommandTable("memory", "Memory and registers")

_SIZES = {"b": 1, "h": 2, "w": 4, "g": 8}
_PER_LINE = {"b": 8, "h": 8, "w": 4, "g": 2}
LONGEST = 15
"""Bytes of the longest instruction (Intel SDM volume 2, 2.3.11)."""
_MOST = 100_000
"""Units that one `x` shows at most: more are a mistake, and would take minutes."""


# --- reading ------------------------------------------------------------------------------------------------------------------
def read_exactly(session: Session, address: int, count: int) -> bytes:
    """Memory of the process, or, before it runs, what its file would put there.

    Raises:
        MemoryRefused: some byte is not there; `address` of the error says which.
        NotNow: no program is chosen.
    """
    if session.program.alive:
        return session.program.memory().read(address, count)
    with session.program.places.lock:
        data = session.program.places.symbols().code(address, count)
    if len(data) < count:
        where = address + len(data)
        raise MemoryRefused(f"the file has nothing at {where:#x}", "start the program to see its memory", address=where)
    return data


def read_some(session: Session, address: int, count: int) -> bytes:
    """As many of `count` bytes as there are from `address` on.

    Raises:
        MemoryRefused: there is not even one.
    """
    try:
        return read_exactly(session, address, count)
    except MemoryRefused as error:
        if not address < error.address < address + count:
            raise
        return read_exactly(session, address, error.address - address)


# --- x ------------------------------------------------------------------------------------------------------------------------
class Cell(msgspec.Struct, frozen=True):
    """One unit of memory.

    Args:
        address: of its first byte.
        data: its bytes.
        text: as shown.
        label: ``main+4`` for its address; empty where nothing has a name.
        current: it is the instruction that the thread is about to execute.
    """

    address: int
    data: bytes
    text: str
    label: str = ""
    current: bool = False


class Examined(msgspec.Struct, frozen=True):
    """Memory as units of one size and format.

    Args:
        cells: in the order of their addresses.
        letter: x d u o t z a c f s i.
        per_line: how many stand in a line.
        note: why there are fewer than asked for.
    """

    cells: tuple[Cell, ...]
    letter: str
    per_line: int
    note: str = ""

    def lines(self, width: int) -> list[Shown]:
        """As gdb answers `x`: the address with its name, then the units."""
        out = []
        for first in range(0, len(self.cells), self.per_line):
            row = self.cells[first : first + self.per_line]
            head = f"{row[0].address:#x}" + (f" <{row[0].label}>" if row[0].label else "")
            if self.letter == "i":
                head = ("=> " if row[0].current else "   ") + head
            out.append(tabbed("\t".join([head + ":", *(cell.text for cell in row)])))
        return [*out, *([visible(self.note)] if self.note else [])]


@table.add("x", repeat_as="x")
def examine(
    session: Session,
    fmt: Annotated[FormatSpec, "/NFU: count, format, unit"] = NO_FORMAT,
    address: Annotated[Address, "where; nothing goes on behind the last unit"] = "",
) -> Examined:
    """Show memory as units.

    Formats are x d u o t z a c f, s for strings and i for instructions; units are b (1 byte), h (2), w (4) and g (8). What is
    left out is as it was the last time.

    In the kernel: one read of /proc/PID/mem, which needs no ptrace request; planted breakpoints are hidden.

    Example: x/4xg $sp
      x/3i $pc
      x/s name
    """
    places = session.program.places
    at, count, letter, size = places.examined
    if address:
        at, count = number_of(session, address), 1
    count = fmt.count if fmt.count is not None else count
    letter = fmt.letter or letter
    size = _size(letter, fmt.size, fmt.letter, size)
    if not 0 < abs(count) <= _MOST:
        raise BadArgument(f"{count} is no sensible count", f"1 to {_MOST}")
    if count < 0:
        if letter in "si":
            raise BadArgument("strings and instructions cannot be read backwards", "their length is not known before they are read")
        at, count = (at + count * _SIZES[size]) & (1 << 64) - 1, -count
    take = {"s": _strings, "i": _instructions}.get(letter)
    try:
        cells, note = take(session, at, count) if take else _units(session, at, count, letter, size)
    except MemoryRefused as error:
        raise MemoryRefused(f"Cannot access memory at address {error.address:#x}", error.todo, address=error.address) from None
    last = cells[-1]
    places.examined = (last.address + len(last.data), count, letter, size)
    session.variables["_"] = f"{last.address:#x}"
    return Examined(tuple(cells), letter, 1 if letter in "si" else _PER_LINE[size], note)


def _size(letter: str, asked: str, new_letter: str, last: str) -> str:
    """The unit: as typed, else what the format brings with it, else the last one."""
    if asked:
        return asked
    if letter == "a":
        return "g"
    if new_letter == "c":
        return "b"
    if new_letter == "f" and last in "bh":
        return "g"
    return last


def _units(session: Session, at: int, count: int, letter: str, size: str) -> tuple[list[Cell], str]:
    step = _SIZES[size]
    data = read_some(session, at, count * step)
    data = data[: len(data) // step * step]
    if not data:
        raise MemoryRefused(f"Cannot access memory at address {at:#x}", "info proc mappings shows what is mapped", address=at)
    cells = []
    per_line = _PER_LINE[size]
    for index in range(len(data) // step):
        raw = data[index * step : index * step + step]
        where = at + index * step
        label = named(session, where) if index % per_line == 0 else ""
        cells.append(Cell(where, raw, _unit_text(session, raw, letter), label))
    short = at + len(data)
    return cells, "" if len(cells) == count else f"Cannot access memory at address {short:#x}"


def _unit_text(session: Session, raw: bytes, letter: str) -> str:
    number = int.from_bytes(raw, "little")
    if letter == "f" and len(raw) in (4, 8):
        return float_text(raw)
    if letter in "xz":
        return f"0x{number:0{2 * len(raw)}x}"
    if letter == "t":
        return f"{number:0{8 * len(raw)}b}"
    if letter == "o" and number:
        return f"0{number:0{(8 * len(raw) + 2) // 3}o}"
    return number_text(number, "d" if letter == "f" else letter, len(raw), lambda address: named(session, address))


def _strings(session: Session, at: int, count: int) -> tuple[list[Cell], str]:
    limit = session.settings.print_elements
    cells: list[Cell] = []
    while len(cells) < count:
        data = bytearray()
        end = -1
        try:
            while end < 0 and len(data) < limit:
                # Not over the end of a page at once: the string may stand just before memory that is not there.
                piece = read_some(session, at + len(data), min(64, 4096 - (at + len(data)) % 4096))
                end = piece.find(0)
                data += piece if end < 0 else piece[: end + 1]
        except MemoryRefused:
            if not data:
                if not cells:
                    raise
                return cells, f"Cannot access memory at address {at:#x}"
        data = data[:limit] if end < 0 else data
        whole = data.endswith(b"\0")
        text = quoted_runs(bytes(data[:-1] if whole else data)) + ("" if whole else "...")
        cells.append(Cell(at, bytes(data), text, named(session, at)))
        at += len(data)
    return cells, ""


def _instructions(session: Session, at: int, count: int) -> tuple[list[Cell], str]:
    pc = current_pc(session)
    found = decoded(session, read_some(session, at, count * LONGEST), at, count)
    if not found:
        raise MemoryRefused(f"there is no whole instruction at {at:#x}", "the memory ends there", address=at)
    cells = [Cell(each.address, each.bytes_, spaced(each.text), named(session, each.address), each.address == pc) for each in found]
    after = found[-1].address + found[-1].size
    return cells, "" if len(cells) == count else f"Cannot access memory at address {after:#x}"


def current_pc(session: Session) -> int | None:
    """Where the selected frame executes; None while nothing is stopped."""
    try:
        return selected_frame(session, stopped_registers(session)).pc
    except TracedbgError:
        return None


def decoded(session: Session, code: bytes, at: int, count: int | None) -> list[Instruction]:
    """At most `count` instructions of `code`, which begins at `at`, in the flavor of the settings and with names for targets."""
    flavor: Literal["att", "intel"] = "intel" if session.settings.disassembly_flavor == "intel" else "att"
    return decode(code, at, count=count, flavor=flavor, name=lambda address: named(session, address))


_SUFFIXED = re.compile(r"(mov|add|sub|and|or|xor|cmp|test|imul|lea|inc|dec|neg|not|shl|shr|sar|sal|adc|sbb|xchg|rol|ror|bt)[bwlq]")
_SMALL = re.compile(r"(?<![\w.%])(\$?-?)([0-9])(?=[,(]|$)")


def spaced(text: str) -> str:
    """An instruction as GNU tools write it: ``mov    %rsp,%rbp``.

    Operands stand in a column of their own, small numbers are hexadecimal too, and the letter for the size goes where a
    register says it already.
    """
    text, sharp, comment = text.partition("        #")
    mnemonic, blank, operands = text.partition(" ")
    while blank and mnemonic in ("rep", "repz", "repnz", "lock", "bnd", "notrack", "data16"):
        more, blank, operands = operands.partition(" ")
        mnemonic += " " + more
    operands = operands.replace(", ", ",")
    if "%" in operands or "$" in operands:
        operands = _SMALL.sub(r"\g<1>0x\2", operands)
    if _SUFFIXED.fullmatch(mnemonic) and re.search(r"(^|,)%", re.sub(r"\([^)]*\)", "", operands)):
        mnemonic = mnemonic[:-1]
    return (f"{mnemonic:<6} {operands}" if operands else mnemonic) + sharp + comment


# --- registers ----------------------------------------------------------------------------------------------------------------
class RegisterRow(msgspec.Struct, frozen=True):
    """One register.

    Args:
        name: without ``$``.
        value: None where the frame's value is not known, because a called function may have changed it.
        natural: the value in words: decimal, ``main+4``, or the names of flags.
    """

    name: str
    value: int | None
    natural: str


class RegisterList(msgspec.Struct, frozen=True):
    """Registers of the selected frame."""

    rows: tuple[RegisterRow, ...]

    def lines(self, width: int) -> list[Shown]:
        """Name, hexadecimal, natural, as gdb's `info registers`."""
        return [
            visible(f"{row.name:<14} " + ("<not saved>" if row.value is None else f"{row.value:<#19x} {row.natural}".rstrip()))
            for row in self.rows
        ]


@table.add("info registers", "info r", "info reg", "info all-registers")
def info_registers(session: Session, *names: Annotated[Register, "which; all if none"]) -> RegisterList:
    """Show registers of the selected frame.

    In an outer frame those that a called function may have changed, and did not save, are not known.

    In the kernel: PTRACE_GETREGS by the tracer thread, the only one that may ask.

    Example: info registers rip rsp
    """
    regs = stopped_registers(session)
    level = selected_frame(session, regs).level
    known = frame_registers(session, regs, level)
    rows = []
    for name in names or ORDER:
        if name in known:
            value: int | None = known[name]
        elif name in ORDER:
            value = None
        else:
            value = _part(regs, known, name)
        rows.append(RegisterRow(name, value, "" if value is None else natural(session, name, value)))
    return RegisterList(tuple(rows))


def _part(regs: Registers, known: dict[str, int], name: str) -> int | None:
    """A part or another name of a register (``eax``, ``pc``), in the frame that `known` describes."""
    regs[name]  # raises NotFound for a name that nothing has
    if "rip" not in known:
        return None
    framed = Registers(tuple(known.get(each, 0) for each in NAMES))
    return framed[name]


def natural(session: Session, name: str, value: int) -> str:
    """A register's value in gdb's words."""
    if name in ("rip", "pc"):
        label = named(session, value)
        return f"{value:#x}" + (f" <{label}>" if label else "")
    if name in ("rsp", "rbp", "sp", "fp"):
        return f"{value:#x}"
    if name == "eflags":
        return flags_words(value)
    return str(value - (1 << 64) if value >> 63 else value)
