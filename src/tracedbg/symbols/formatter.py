r"""Values of the program as text, in gdb's notation: ``{x = 1, y = 2}``, ``65 'A'``, ``0x4010 "text\n"``.

Any thread, under the session's lock.  With limits on elements, depth and length everywhere: values come from a program that may
be broken, and drgn's own text of one large structure can take seconds.  It reads memory through drgn and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal, localcontext

from tracedbg.model.text import visible

from .library import drgn
from .notation import REPEATS, escaped, quoted_runs

ELEMENTS, DEPTH, LENGTH = 200, 20, 20_000
"""gdb's `print elements` and `print max-depth`, and a limit on the whole text."""

OPTIMIZED_OUT = "<optimized out>"
_Kind = drgn.TypeKind
AGGREGATES = (_Kind.STRUCT, _Kind.UNION, _Kind.CLASS, _Kind.ARRAY)


def plain(type_: drgn.Type) -> drgn.Type:
    """The type behind typedefs."""
    while type_.kind == _Kind.TYPEDEF:
        type_ = type_.type
    return type_


def is_char(type_: drgn.Type) -> bool:
    """A type whose values are shown as characters: the three char types of C."""
    type_ = plain(type_)
    return type_.kind == _Kind.INT and type_.size == 1 and "char" in type_.name


class Formatter:
    """Makes text of drgn objects.

    Args:
        symbol: gives ``name`` or ``name+offset`` for an address in the program, or an empty text.
    """

    def __init__(self, symbol: Callable[[int], str]) -> None:
        self.symbol = symbol

    def text(self, value: drgn.Object, *, top: bool = False) -> str:
        """A value as gdb prints it.

        Args:
            value: the object.
            top: at the top of a `print` command pointers are preceded by their type.
        """
        text = self._value(value, 0, top)
        return visible(text if len(text) <= LENGTH else text[:LENGTH] + "...")

    def _value(self, value: drgn.Object, depth: int, top: bool = False) -> str:
        type_ = plain(value.type_)
        try:
            if value.absent_:
                return OPTIMIZED_OUT
            if type_.kind in AGGREGATES:
                return self._aggregate(value, type_, depth)
            if type_.kind == _Kind.POINTER:
                return self._pointer(value, type_, top)
            if type_.kind == _Kind.FUNCTION:
                address = value.address_
                return f"{{{type_.type_name()}}} {address:#x}{self._named(address)}"
            return self._scalar(value, type_)
        except drgn.FaultError as error:
            return f"<error: Cannot access memory at address {error.address:#x}>"
        except drgn.ObjectAbsentError:
            return OPTIMIZED_OUT
        except (ValueError, TypeError, LookupError, NotImplementedError, drgn.BadDataError) as error:
            return f"<not readable: {error}>"

    def _named(self, address: int) -> str:
        name = self.symbol(address)
        return f" <{name}>" if name else ""

    def _scalar(self, value: drgn.Object, type_: drgn.Type) -> str:
        if type_.kind == _Kind.VOID:
            return "void"
        if type_.kind == _Kind.FLOAT:
            return _float(value, type_)
        number = value.value_()
        if type_.kind == _Kind.BOOL:
            return "true" if number else "false"
        if type_.kind == _Kind.ENUM:
            return _enumerator(type_, int(number))
        if is_char(type_) and value.bit_field_size_ is None:
            return f"{number} '{escaped(int(number) & 255, quote=39)}'"
        return str(number)

    def _pointer(self, value: drgn.Object, type_: drgn.Type, top: bool) -> str:
        address = int(value.value_())
        target = plain(type_.type)
        if is_char(target):
            return f"{address:#x}" + (f" {self._string(value, address)}" if address else "")
        # An object on the stack or the heap has no symbol, so nothing follows there.
        text = f"{address:#x}{self._named(address) if address else ''}"
        return f"({value.type_.type_name()}) {text}" if top else text

    def _string(self, value: drgn.Object, address: int) -> str:
        data = bytearray()
        memory = value.prog_
        while len(data) < ELEMENTS:
            # By small pieces that end at a page's end: the string may stand just before memory that is not there.
            count = min(64, ELEMENTS - len(data), 4096 - (address + len(data)) % 4096)
            try:
                piece = memory.read(address + len(data), count)
            except (drgn.FaultError, ValueError, OverflowError):
                fault = address + len(data)
                error = f"<error: Cannot access memory at address {fault:#x}>"
                return f"{quoted_runs(bytes(data))}{error}" if data else error
            end = piece.find(0)
            if end >= 0:
                return quoted_runs(bytes(data + piece[:end]))
            data += piece
        return quoted_runs(bytes(data)) + "..."

    def _aggregate(self, value: drgn.Object, type_: drgn.Type, depth: int) -> str:
        if depth >= DEPTH:
            return "{...}"
        if type_.kind == _Kind.ARRAY:
            return self._array(value, type_, depth)
        if type_.members is None:
            return "<incomplete type>"
        if not type_.members:
            return "{<No data fields>}"
        parts = []
        for number, member in enumerate(type_.members):
            if number >= ELEMENTS:
                parts.append("...")
                break
            text = self._value(_member(value, member), depth + 1)
            parts.append(f"{member.name} = {text}" if member.name else text)
        return "{" + ", ".join(parts) + "}"

    def _array(self, value: drgn.Object, type_: drgn.Type, depth: int) -> str:
        length = type_.length or 0
        shown = min(length, ELEMENTS)
        if is_char(type_.type):
            data = value[0:shown].to_bytes_() if shown else b""
            whole = shown == length
            if whole and data.endswith(b"\0"):
                data = data[:-1]  # the byte that ends a string goes without saying
            return quoted_runs(data) + ("" if whole else "...")
        texts: list[str] = []
        budget = LENGTH
        # Runs of equal elements count as REPEATS elements each, so a look ahead is worth its reading.
        taken = 0
        index = 0
        previous: bytes | None = None
        limit = min(length, 100_000)
        size = drgn.sizeof(type_.type)
        raw = value[0:limit].to_bytes_() if limit and plain(type_.type).kind not in AGGREGATES else None
        while index < limit and taken < ELEMENTS and budget > 0:
            run = 1
            if raw is not None:
                previous = raw[index * size : index * size + size]
                while index + run < limit and raw[(index + run) * size : (index + run + 1) * size] == previous:
                    run += 1
                text = self._value(value[index], depth + 1)
            else:
                text = self._value(value[index], depth + 1)
                while index + run < min(limit, ELEMENTS) and self._value(value[index + run], depth + 1) == text:
                    run += 1
            if run >= REPEATS:
                texts.append(f"{text} <repeats {run} times>")
                taken += REPEATS
            else:
                run = min(run, ELEMENTS - taken)
                texts += [text] * run
                taken += run
            budget -= len(text) * min(run, REPEATS) + 2
            index += run
        more = "..." if index < length else ""
        return "{" + ", ".join(texts) + more + "}"


def _member(value: drgn.Object, member: drgn.TypeMember) -> drgn.Object:
    if member.name:
        return value.member_(member.name)
    # An unnamed structure or union: its members belong to the outer one, but gdb prints the braces.
    if value.address_ is not None:
        return drgn.Object(value.prog_, member.type, address=value.address_ + member.bit_offset // 8)
    start = member.bit_offset // 8
    return drgn.Object.from_bytes_(value.prog_, member.type, value.to_bytes_()[start : start + drgn.sizeof(member.type)])


def _float(value: drgn.Object, type_: drgn.Type) -> str:
    if type_.size == 16:
        data = value.prog_.read(value.address_, 10) if value.address_ is not None else value.to_bytes_()[:10]
        return long_double(data)
    number = float(value.value_())
    if number != number:
        return "-nan" if str(number).startswith("-") else "nan"
    return f"{number:.{9 if type_.size == 4 else 17}g}"


def long_double(data: bytes) -> str:
    """The 80-bit format of the x87 (Intel SDM volume 1, 4.2.2) with the 21 digits that distinguish its values."""
    mantissa = int.from_bytes(data[:8], "little")
    exponent = int.from_bytes(data[8:10], "little")
    sign = "-" if exponent & 0x8000 else ""
    exponent &= 0x7FFF
    if exponent == 0x7FFF:
        return sign + ("nan" if mantissa << 1 & (1 << 64) - 1 else "inf")
    with localcontext(Context(prec=60, Emax=999999, Emin=-999999)):
        number = Decimal(mantissa) * Decimal(2) ** (max(exponent, 1) - 16383 - 63)
    with localcontext(Context(prec=21, Emax=999999, Emin=-999999)):
        number = +number
    if not number:
        return sign + "0"
    digits = "".join(map(str, number.as_tuple().digits)).rstrip("0")
    power = number.adjusted()
    if power < -4 or power >= 21:  # as C's %g chooses
        return f"{sign}{digits[0]}{'.' + digits[1:] if digits[1:] else ''}e{'-' if power < 0 else '+'}{abs(power):02d}"
    return sign + format(Decimal(f"{digits}e{power - len(digits) + 1}"), "f")


def _enumerator(type_: drgn.Type, number: int) -> str:
    values = [(each.name, each.value) for each in type_.enumerators or ()]
    exact = next((name for name, value in values if value == number), None)
    if exact is not None:
        return str(exact)
    bits = 0
    for _, value in values:
        if value < 0 or value & bits or value.bit_count() > 1:
            return str(number)  # not a set of flags
        bits |= value
    if number == 0 or number < 0 or not bits:
        return str(number)
    names = [name for name, value in values if value and number & value == value]
    rest = number & ~sum(value for _, value in values if value and number & value == value)
    if rest:
        names.append(f"unknown: {rest:#x}")
    return "(" + " | ".join(names) + ")"
