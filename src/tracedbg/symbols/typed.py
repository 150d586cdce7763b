"""A value of the program with what a command needs to go on with it: number, address, size, and its text in a chosen format.

Any thread, under the session's lock.  The results are plain values that may be kept after the program has run on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tracedbg.model.text import visible

from .formatter import AGGREGATES, ELEMENTS, LENGTH, OPTIMIZED_OUT, Formatter, plain
from .library import drgn
from .notation import REPEATS, number_text

_Kind = drgn.TypeKind
_WHOLE = (_Kind.INT, _Kind.BOOL, _Kind.ENUM, _Kind.POINTER)


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
            if self._letter in "xzotdu":  # the bits, as gdb does; of a long double only ten bytes count
                raw = self._bytes(value)[:10]
                return number_text(int.from_bytes(raw, "little"), self._letter, len(raw), self.symbol)
            if self._letter in "fs" or abs(number := float(value.value_())) >= 1 << 63 or number != number:
                return super()._scalar(value, type_)
            return number_text(int(number), self._letter, type_.size, self.symbol)  # without its fraction
        if type_.kind not in _WHOLE or self._letter == "s":
            return super()._scalar(value, type_)
        bits = value.bit_field_size_
        size = drgn.sizeof(value.type_) if bits is None else (bits + 7) // 8
        return number_text(int(value.value_()), self._letter, size, self.symbol)

    @staticmethod
    def _bytes(value: drgn.Object) -> bytes:
        # drgn has no long double of its own, but reads its bytes from memory.
        if value.address_ is not None:
            return bytes(value.prog_.read(value.address_, drgn.sizeof(value.type_)))
        return bytes(value.to_bytes_())

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
        text,
        visible(value.type_.type_name()),
        definition_lines(value.type_),
        number,
        None if address is None else int(address),
        size,
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
