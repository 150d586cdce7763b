"""The kernel's ring buffer as it is read from per_cpu/cpuN/trace_pipe_raw: pages of events with times.

Pure, any thread.  Binary pages instead of the text of trace_pipe: a task may name itself, or exec a file named, so that it looks
like a line of the trace; here every fact has its own field.  It must not raise for a page of any content.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Literal, NamedTuple

_ORDER: Literal["little", "big"] = "little" if sys.byteorder == "little" else "big"
_FIELD = re.compile(r"field:\s*([^;]+?);\s*offset:(\d+);\s*size:(\d+);(?:\s*signed:(\d+);)?")
_NAME = re.compile(r"(\w+)(?:\[[^\]]*\])?$")

# include/linux/ring_buffer.h, enum ring_buffer_type; smaller values are the length of the data in words of four bytes.
_PADDING, _TIME_EXTEND, _TIME_STAMP = 29, 30, 31
# kernel/trace/ring_buffer.c: bits beside the length in a page's `commit`.
_MISSED, _MISSED_STORED = 1 << 31, 1 << 30
_LENGTH = _MISSED_STORED - 1
_DELTA_BITS = 27
_ABSOLUTE_BITS = 59
"""An absolute stamp carries so many bits; the upper ones are those of the page."""


class Field(NamedTuple):
    """Where a field lies in an event's data."""

    offset: int
    size: int
    signed: bool
    dynamic: bool
    """The field is ``__data_loc``: length and place of the real data, two halves of a word."""


class Format(NamedTuple):
    """What a tracepoint's `format` file says.

    Attributes:
        name: the tracepoint.
        ident: its number in `common_type`.
        fields: by name, the common ones included.
    """

    name: str
    ident: int
    fields: Mapping[str, Field]

    def number(self, data: bytes, field: str) -> int:
        """An integer field; 0 where this kernel has no such field or the data ends before it."""
        found = self.fields.get(field)
        if found is None:
            return 0
        return int.from_bytes(data[found.offset : found.offset + found.size], _ORDER, signed=found.signed)

    def text(self, data: bytes, field: str) -> bytes:
        """A string field, up to its first zero: foreign bytes."""
        found = self.fields.get(field)
        if found is None:
            return b""
        start, size = found.offset, found.size
        if found.dynamic:
            where = int.from_bytes(data[start : start + 4], _ORDER)
            start, size = where & 0xFFFF, where >> 16
        return data[start : start + size].split(b"\0", 1)[0]

    def words(self, data: bytes, field: str, count: int) -> tuple[int, ...]:
        """`count` addresses from a field on, fewer if the data ends before."""
        found = self.fields.get(field)
        if found is None:
            return ()
        end = min(len(data), found.offset + 8 * max(0, count))
        return tuple(int.from_bytes(data[at : at + 8], _ORDER) for at in range(found.offset, end - 7, 8))


def read_format(text: str) -> Format:
    """Read a `format` file (or `header_page`, which has no name and no number).

    Source: Documentation/trace/events.rst, "Event formats".
    """
    name = re.search(r"^name: (\S+)", text, re.MULTILINE)
    ident = re.search(r"^ID: (\d+)", text, re.MULTILINE)
    fields: dict[str, Field] = {}
    for declaration, offset, size, signed in _FIELD.findall(text):
        last = _NAME.search(declaration)
        if last is not None:
            fields[last[1]] = Field(int(offset), int(size), signed == "1", declaration.startswith("__data_loc"))
    return Format(name[1] if name else "", int(ident[1]) if ident else 0, fields)


def kind_of(data: bytes) -> int:
    """The number of the tracepoint that made an event: `common_type`, the first field of every format."""
    return int.from_bytes(data[:2], _ORDER)


class Page(NamedTuple):
    """What one page holds.

    Attributes:
        events: time in nanoseconds of the trace clock, and data, oldest first.
        missed: events were overwritten between the page before and this one.
        lost: how many, 0 where the kernel does not tell.
    """

    events: list[tuple[int, bytes]]
    missed: bool
    lost: int


def read_page(page: bytes, data_at: int = 16) -> Page:
    """Take a page apart.

    Args:
        page: as one read returned it.
        data_at: where the first event begins: the offset of `data` in `events/header_page`.
    """
    if len(page) < data_at:
        return Page([], False, 0)
    base = int.from_bytes(page[:8], _ORDER)
    commit = int.from_bytes(page[8:data_at], _ORDER)
    end = min(len(page), data_at + (commit & _LENGTH))
    count = int.from_bytes(page[end : end + 8], _ORDER) if commit & _MISSED and commit & _MISSED_STORED else 0
    return Page(_events(page, data_at, end, base), bool(commit & _MISSED), count)


def _events(page: bytes, at: int, end: int, time: int) -> list[tuple[int, bytes]]:
    """Follow the headers: five bits of kind or length, 27 bits of time since the event before (events/header_event)."""
    found: list[tuple[int, bytes]] = []
    base = time
    while at + 4 <= end:
        header = int.from_bytes(page[at : at + 4], _ORDER)
        kind, delta = (header & 31, header >> 5) if _ORDER == "little" else (header >> _DELTA_BITS, header & ((1 << _DELTA_BITS) - 1))
        word = int.from_bytes(page[at + 4 : at + 8], _ORDER)
        if kind == _PADDING:
            if not delta:
                break  # the rest of the page is empty
            at += 4 + max(4, word)  # an event that a filter took back; its time does not count
        elif kind == _TIME_EXTEND:
            time += (word << _DELTA_BITS) + delta
            at += 8
        elif kind == _TIME_STAMP:
            time = (base >> _ABSOLUTE_BITS << _ABSOLUTE_BITS) | ((word << _DELTA_BITS) + delta)
            at += 8
        else:
            time += delta
            start, size = (at + 4, 4 * kind) if kind else (at + 8, max(0, word - 4))
            if start + size > end:
                break
            found.append((time, page[start : start + size]))
            at = start + size if kind else at + 4 + max(4, word)
    return found
