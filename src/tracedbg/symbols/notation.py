r"""Numbers, characters and strings in the notation of C and gdb: ``0x2a``, ``65 'A'``, ``"text\n"``.

Pure, any thread.  Needs no library, so that memory can be looked at where debug information cannot be read.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import groupby

REPEATS = 10
"""More equal elements in a row than this are counted instead of repeated (gdb's `print repeats`)."""

_ESCAPES = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 27: "\\033"}


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
            return f"{shown} '{escaped(byte, quote=39)}'"
        case "f" if size in (4, 8):
            return float_text(unsigned.to_bytes(size, "little"))
        case _:
            return str(number)


def float_text(data: bytes) -> str:
    """A float (4 bytes) or double (8) with as many digits as tell it from its neighbours, as gdb does."""
    (number,) = struct.unpack("<f" if len(data) == 4 else "<d", data)
    if number != number:
        bits = int.from_bytes(data, "little")
        sign = "-" if data[-1] & 0x80 else ""
        return f"{sign}nan({bits & (1 << (23 if len(data) == 4 else 52)) - 1:#x})"
    return f"{number:.{9 if len(data) == 4 else 17}g}"


def escaped(byte: int, quote: int) -> str:
    """A byte as it stands in C between two signs `quote` (34 or 39)."""
    if byte in (quote, 92):
        return "\\" + chr(byte)
    if byte in _ESCAPES:
        return _ESCAPES[byte]
    return chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"


def quoted_runs(data: bytes) -> str:
    """Bytes as a C string literal; more than `REPEATS` equal ones in a row are counted, as gdb does."""
    parts: list[str] = []
    literal = ""
    for byte, group in groupby(data):
        count = sum(1 for _ in group)
        if count > REPEATS:
            if literal:
                parts.append(f'"{literal}"')
                literal = ""
            parts.append(f"'{escaped(byte, quote=39)}' <repeats {count} times>")
        else:
            literal += escaped(byte, quote=34) * count
    if literal or not parts:
        parts.append(f'"{literal}"')
    return ", ".join(parts)
