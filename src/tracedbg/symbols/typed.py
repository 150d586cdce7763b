"""A value of the program with what a command needs to go on with it: number, address, size, and its text in a chosen format.

Any thread, under the session's lock.  The results are plain values that may be kept after the program has run on.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from tracedbg.model.text import visible

from .formatter import AGGREGATES, ELEMENTS, LENGTH, OPTIMIZED_OUT, REPEATS, Formatter, plain
from .library import drgn

_Kind = drgn.TypeKind
_WHOLE = (_Kind.INT, _Kind.BOOL, _Kind.ENUM, _Kind.POINTER)
_ESCAPES = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 27: "\\033", 39: "\\'", 92: "\\\\"}


@dataclass(frozen=True, slots=True)
class Value:
    """The value of an expression.

    Attributes:
        text: as `print` shows it, in the format that was asked for.
        type_name: its type in C.
        definition: the type written out as `ptype` does, one line or several.
        number: the value of an integer, enumerator or pointer; the address of a function or an array; None for all others.
        address: where it is in memory; None for registers and results.
        size: in bytes, 0 where the type has none.
    """

    text: str
    type_name: str
    definition: tuple[str, ...]
    number: int | None
    address: int | None
    size: int


def number_text(number: int, letter: str, size: int, symbol: Callable[[int], str]) -> str:
    """An integer in one of gdb's formats.

    Args:
        number: the value, signed or not.
        letter: x z d u o t a c; anything else is decimal.
        size: how many bytes it has.
        symbol: gives ``name+offset`` for an address, or an empty text (for the letter a).
    """
    bits = 8 * max(size, 1)
    unsigned = number & (1 << bits) - 1
    signed = unsigned - (unsigned >> bits - 1 << bits)
    match letter:
        case "x":
            return f"{unsigned:#x}"
        case "z":
            return f"0x{unsigned:0{bits // 4}x}"
        case "o":
            return f"0{unsigned:o}" if unsigned else "0"
        case "t":
            return f"{unsigned:b}"
        case "u":
            return str(unsigned)
        case "d":
            return str(signed)
        case "a":
            name = symbol(unsigned)
            return f"{unsigned:#x}" + (f" <{name}>" if name else "")
        case "c":
            byte = unsigned & 255
            shown = byte - 256 if byte > 127 else byte
            return f"{shown} '{character(byte)}'"
        case "f" if size in (4, 8):
            return float_text(unsigned.to_bytes(size, "little"))
        case _:
            return str(number)


def character(byte: int) -> str:
    """A byte as it stands between single quotes in C."""
    if byte in _ESCAPES:
        return _ESCAPES[byte]
    return chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"


def float_text(data: bytes) -> str:
    """A float (4 bytes) or double (8) with as many digits as tell it from its neighbours, as gdb does."""
    (number,) = struct.unpack("<f" if len(data) == 4 else "<d", data)
    if number != number:
        bits = int.from_bytes(data, "little")
        sign = "-" if data[-1] & 0x80 else ""
        return f"{sign}nan({bits & (1 << (23 if len(data) == 4 else 52)) - 1:#x})"
    return f"{number:.{9 if len(data) == 4 else 17}g}"


class LetterFormatter(Formatter):
    """A formatter that shows each number in the format of one letter, also those inside arrays and structures.

    Args:
        symbol: as for `Formatter`.
        letter: as for `number_text`.
    """

    def __init__(self, symbol: Callable[[int], str], letter: str) -> None:
        super().__init__(symbol)
        self._letter = letter

    def _scalar(self, value: drgn.Object, type_: drgn.Type) -> str:
        if type_.kind == _Kind.FLOAT:
            # gdb shows the number without its fraction in the formats for integers.
            if self._letter in "fs" or abs(number := float(value.value_())) >= 1 << 63 or number != number:
                return super()._scalar(value, type_)
            return number_text(int(number), self._letter, type_.size, self.symbol)
        if type_.kind not in _WHOLE or self._letter == "s":
            return super()._scalar(value, type_)
        bits = value.bit_field_size_
        size = drgn.sizeof(value.type_) if bits is None else (bits + 7) // 8
        return number_text(int(value.value_()), self._letter, size, self.symbol)

    def _pointer(self, value: drgn.Object, type_: drgn.Type, top: bool) -> str:
        if self._letter == "s":
            return super()._pointer(value, type_, top)
        return number_text(int(value.value_()), self._letter, 8, self.symbol)

    def _array(self, value: drgn.Object, type_: drgn.Type, depth: int) -> str:
        if self._letter == "s":
            return super()._array(value, type_, depth)
        # With a format even an array of characters is one of numbers.
        length = type_.length or 0
        texts: list[str] = []
        index = taken = total = 0
        while index < length and taken < ELEMENTS and total < LENGTH:
            text = self._value(value[index], depth + 1)
            run = 1
            while index + run < min(length, index + ELEMENTS) and self._value(value[index + run], depth + 1) == text:
                run += 1
            texts += [f"{text} <repeats {run} times>"] if run >= REPEATS else [text] * run
            taken += min(run, REPEATS)
            total += len(text) * min(run, REPEATS)
            index += run
        return "{" + ", ".join(texts) + ("..." if index < length else "") + "}"


def typed(value: drgn.Object, formatter: Formatter) -> Value:
    """What is known about an object.

    Args:
        value: the object.
        formatter: makes its text.
    """
    type_ = plain(value.type_)
    number: int | None = None
    address = None if value.absent_ else value.address_
    size = 0
    if type_.kind not in (_Kind.VOID, _Kind.FUNCTION):
        try:
            size = drgn.sizeof(value.type_)
        except TypeError:
            pass  # an incomplete type
    if type_.kind in (_Kind.VOID, _Kind.FUNCTION, _Kind.ARRAY):
        number = address
    elif type_.kind in _WHOLE and not value.absent_:
        try:
            number = int(value.value_())
        except (drgn.FaultError, drgn.ObjectAbsentError, TypeError, ValueError):
            pass  # the text says that it cannot be read
    text = OPTIMIZED_OUT if value.absent_ else formatter.text(value, top=True)
    return Value(
        text, visible(value.type_.type_name()), definition_lines(value.type_),
        number, None if address is None else int(address), size,
    )


def definition_lines(type_: drgn.Type) -> tuple[str, ...]:
    """A type written out as `ptype` does: behind typedefs, members on lines of their own."""
    behind = plain(type_)
    if (behind.kind in AGGREGATES and behind.kind != _Kind.ARRAY) or behind.kind == _Kind.ENUM:
        return tuple(visible(line.expandtabs(4)) for line in str(behind).split("\n"))
    stars = ""
    inner = behind
    while inner.kind == _Kind.POINTER:
        stars += "*"
        inner = plain(inner.type)
    named = inner.kind in (_Kind.STRUCT, _Kind.UNION, _Kind.CLASS, _Kind.ENUM)
    if stars and named and getattr(inner, "members", None):
        # gdb writes out what a pointer points to, with the stars behind the closing brace.
        lines = [line.expandtabs(4) for line in str(inner).split("\n")]
        return tuple(visible(line) for line in [*lines[:-1], f"{lines[-1]} {stars}"])
    return (visible(behind.type_name()),)


def type_named(program: drgn.Program, name: str) -> tuple[str, tuple[str, ...]] | None:
    """Name and definition of a type; None if there is no such type."""
    try:
        found = program.type(name)
    except (LookupError, ValueError, SyntaxError):
        return None
    return visible(found.type_name()), definition_lines(found)
