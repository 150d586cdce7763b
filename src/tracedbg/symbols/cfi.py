"""Callers of code that has no call frame information: hand-written assembly, stubs of static programs, some C libraries.

Any thread, under the session's lock.  Where there is no unwind information an unwinder has to guess, and following rbp, as drgn
does, silently skips the caller of a function that has not set rbp up.  So: know which code is described, and search the stack
for the rest.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Sequence

from .elf import PT_GNU_EH_FRAME, PT_LOAD, parse_segments
from .lineprogram import uleb
from .values import RIP, RSP

Read = Callable[[int, int], bytes]
"""``read(address, count)``: exactly `count` bytes of the program; raises `LookupError` where there is no memory."""

# Encodings of .eh_frame_hdr (LSB Core, "Exception Frames"): what every linker writes.
_PCREL_SDATA4, _UDATA4, _DATAREL_SDATA4 = 0x1B, 0x03, 0x3B

_SEARCHED_WORDS = 512


class CfiIndex:
    """Which addresses of one mapped ELF image have an entry in ``.eh_frame``, read from the sorted table in PT_GNU_EH_FRAME.

    Args:
        read: memory of the program.
        base: where the image's ELF header is mapped.

    Attributes:
        found: the image has such a table.
    """

    def __init__(self, read: Read, base: int) -> None:
        self._read = read
        self.found = False
        self._starts: Sequence[int] = ()
        self._entries: Sequence[int] = ()
        try:
            header = _eh_frame_hdr(read, base)
            if header is not None:
                self._load(header)
        except (LookupError, struct.error):
            pass  # an image without a readable header describes nothing

    def _load(self, header: int) -> None:
        version, pointer, count_encoding, table_encoding = self._read(header, 4)
        if (version, pointer, count_encoding, table_encoding) != (1, _PCREL_SDATA4, _UDATA4, _DATAREL_SDATA4):
            return
        (count,) = struct.unpack("<I", self._read(header + 8, 4))
        table = struct.unpack(f"<{2 * count}i", self._read(header + 12, 8 * count))
        self.found = True
        self._starts = [header + start for start in table[::2]]
        self._entries = [header + entry for entry in table[1::2]]

    def covers(self, address: int) -> bool:
        """An entry describes this address."""
        at = bisect_right(self._starts, address) - 1
        if at < 0:
            return False
        try:
            # After length, CIE pointer and initial location comes the length of the range, here 4 bytes as well.
            (length,) = struct.unpack("<I", self._read(self._entries[at] + 12, 4))
        except LookupError:
            return False
        return address < self._starts[at] + int(length)


def _eh_frame_hdr(read: Read, base: int) -> int | None:
    (offset,) = struct.unpack("<Q", read(base + 32, 8))  # e_phoff
    (count,) = struct.unpack("<H", read(base + 56, 2))  # e_phnum
    segments = parse_segments(read(base + offset, 56 * count))
    first = next((segment.address & ~0xFFF for segment in segments if segment.type == PT_LOAD), None)
    header = next((segment.address for segment in segments if segment.type == PT_GNU_EH_FRAME), None)
    return None if first is None or header is None else base + header - first


class FrameSection:
    """Which addresses ``.eh_frame`` describes, read entry by entry: for static programs, which have no sorted table.

    Args:
        data: contents of the section (LSB Core, "Exception Frames").
        address: of the section, as in the file.
    """

    def __init__(self, data: bytes, address: int) -> None:
        self._ranges: list[tuple[int, int]] = []
        encodings: dict[int, int] = {}
        at = 0
        try:
            while at + 4 <= len(data):
                (length,) = struct.unpack_from("<I", data, at)
                if length in (0, 0xFFFFFFFF):  # the terminator; 64-bit entries are not written for x86-64
                    at += 4
                    continue
                (back,) = struct.unpack_from("<I", data, at + 4)
                if back == 0:
                    encodings[at] = _pointer_encoding(data, at + 8)
                else:
                    self._entry(data, at + 8, address, encodings.get(at + 4 - back, _PCREL_SDATA4))
                at += 4 + length
        except (ValueError, IndexError, struct.error):
            pass  # cut short: what has been read so far is right
        self._ranges.sort()

    def _entry(self, data: bytes, at: int, address: int, encoding: int) -> None:
        form = {0x00: "q", 0x02: "H", 0x03: "I", 0x04: "Q", 0x0A: "h", 0x0B: "i", 0x0C: "q"}.get(encoding & 0x0F)
        if form is None or encoding & 0xF0 not in (0, 0x10):
            return
        start, length = struct.unpack_from(f"<{form}{form.upper()}", data, at)
        start += address + at if encoding & 0x10 else 0
        self._ranges.append((start, start + length))

    def covers(self, address: int) -> bool:
        """An entry describes this address (as in the file)."""
        at = bisect_right(self._ranges, (address, 1 << 64)) - 1
        return at >= 0 and address < self._ranges[at][1]


def _pointer_encoding(data: bytes, at: int) -> int:
    """How the entries of a common information entry write addresses: augmentation ``R``, or plain pointers."""
    version = data[at]
    end = data.index(0, at + 1)
    augmentation = data[at + 1 : end]
    if not augmentation.startswith(b"z"):
        return 0x00
    _, at = uleb(data, end + 1)  # code alignment
    _, at = uleb(data, at)  # data alignment; signed, but only its length matters here
    at = at + 1 if version == 1 else uleb(data, at)[1]  # return address column
    _, at = uleb(data, at)  # length of the augmentation
    for letter in augmentation[1:]:
        if letter == ord("R"):
            return data[at]
        if letter == ord("L"):
            at += 1
        elif letter == ord("P"):
            at += 1 + {0x02: 2, 0x03: 4, 0x0A: 2, 0x0B: 4}.get(data[at] & 0x0F, 8)
    return 0x00


def _called_from(read: Read, after: int) -> int | None:
    """The target of the call instruction that ends at an address; 0 for an indirect call; None when none ends there."""
    try:
        code = read(after - 7, 7)
    except LookupError:
        return None
    if code[2] == 0xE8:
        return (after + int.from_bytes(code[3:], "little", signed=True)) & (1 << 64) - 1
    indirect = any(code[7 - n] == 0xFF and code[8 - n] >> 3 & 7 == 2 for n in (2, 3, 4, 6, 7))
    return 0 if indirect else None


def guess_caller(read: Read, regs: Sequence[int], start: int | None, executable: Callable[[int], bool]) -> list[int] | None:
    """Registers of the caller of code without call frame information, found by searching the stack.

    A word is a return address if a call instruction stands before the place it points to; the word behind a call of this very
    function is the best candidate, the first one behind an indirect call the second best.

    Args:
        read: memory of the program.
        regs: the 27 words of ``user_regs_struct`` of the callee.
        start: first address of the callee's function, None when unknown.
        executable: an address lies in executable memory.

    Returns:
        The registers with the caller's rip and rsp, the others unchanged; None when nothing on the stack is a return address.
    """
    best: tuple[int, int] | None = None
    for index in range(_SEARCHED_WORDS):
        try:
            (word,) = struct.unpack("<Q", read(regs[RSP] + 8 * index, 8))
        except LookupError:
            break
        target = _called_from(read, word) if executable(word) else None
        if target is None:
            continue
        if target and target == start:
            best = index, word
            break
        if best is None and (target == 0 or start is None or index == 0):
            best = index, word
    if best is None:
        return None
    caller = list(regs)
    caller[RIP], caller[RSP] = best[1], regs[RSP] + 8 * best[0] + 8
    return caller
