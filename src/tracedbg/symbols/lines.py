"""Line tables: from a line to its addresses, and from an address to its row.

Any thread, under the session's lock.  Addresses are those of the file; the caller adds the load bias.  Only the units that a
question is about are decoded, and they are kept.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from collections.abc import Iterator
from itertools import chain

from .elf import ElfFile
from .lineprogram import END, PROLOGUE_END, STATEMENT, RawRow, Sections, Unit
from .values import Row

_DAMAGE = (ValueError, IndexError, struct.error)
"""What decoding damaged tables raises; such a unit is then treated as absent."""

_ENDBR64 = b"\xf3\x0f\x1e\xfa"
_PUSH_RBP_MOV_RSP_RBP = b"\x55\x48\x89\xe5"


class LineTable:
    """All line-number programs of one file.

    Args:
        sections: of the file; damaged ones are read as far as they make sense.
    """

    def __init__(self, sections: Sections) -> None:
        self._sections = sections
        self._broken: set[int] = set()
        self.units: list[Unit] = []
        at = 0
        try:
            while at < len(sections.line):
                unit = Unit(sections, at)
                if 2 <= unit.version <= 5:
                    self.units.append(unit)
                at = unit.end
        except _DAMAGE:
            pass  # without the length of this unit the next one cannot be found

    @classmethod
    def of(cls, elf: ElfFile | None) -> LineTable:
        """The table of an ELF file; without units when it has none, or there is no file."""
        line = elf.data(".debug_line") if elf is not None else b""
        if elf is None or not line:
            return cls(Sections(b""))
        return cls(Sections(line, elf.data(".debug_line_str"), elf.data(".debug_str")))

    def _files(self, unit: Unit) -> tuple[str, ...]:
        try:
            return unit.files
        except _DAMAGE:
            return ()

    def _rows(self, unit: Unit) -> list[RawRow]:
        if id(unit) in self._broken:
            return []
        try:
            return unit.rows()
        except _DAMAGE:
            self._broken.add(id(unit))
            return []

    def files(self) -> list[str]:
        """All source files, without repetition, in the order of the table."""
        return list(dict.fromkeys(name for unit in self.units for name in self._files(unit)))

    def recorded_name(self, path: str) -> str:
        """The name by which the compiler was told a file: relative if it was; `path` itself where nothing is known."""
        for unit in self._units_with(path):
            for file, name in zip(self._files(unit), unit.names if self._files(unit) else (), strict=False):
                # Before DWARF 5 the table does not say where the compilation ran, so the path may be a relative one.
                if file == path or (not os.path.isabs(file) and path.endswith("/" + file)):
                    return name
        return path

    def _units_with(self, name: str) -> Iterator[Unit]:
        """Units that may mention a file with this last component.  No header is parsed: 2 ms for 150 units."""
        base = os.fsencode(os.path.basename(name))
        offsets: set[int] = set()
        for strings in (self._sections.line_str, self._sections.str_):
            at = strings.find(base + b"\0")
            while at >= 0:
                # A header refers to the whole string, or to a suffix that several strings share.
                offsets |= {strings.rfind(b"\0", 0, at) + 1, at}
                at = strings.find(base + b"\0", at + 1)
        line = self._sections.line
        for unit in self.units:
            needles = chain([base + b"\0"], (offset.to_bytes(unit.offset_size, "little") for offset in offsets))
            if any(line.find(needle, unit.header_start, unit.program) >= 0 for needle in needles):
                yield unit

    def matching_files(self, name: str) -> list[str]:
        """The files that `name` can mean: the same path, or one that ends with it."""
        name = os.path.normpath(name)
        found = (path for unit in self._units_with(name) for path in self._files(unit) if _matches(path, name))
        return list(dict.fromkeys(found))

    def find(self, name: str, line: int) -> tuple[int, list[tuple[int, str]]]:
        """Addresses for a line.

        Args:
            name: a path or its last components.
            line: 1-based.

        Returns:
            The line that was found (the nearest following one with code), and for each run of its statement rows the first
            address with the file's path.  ``(0, [])`` when there is nothing at or after the line.
        """
        name = os.path.normpath(name)
        best = 0
        hits: list[tuple[int, str]] = []
        for unit in self._units_with(name):
            files = self._files(unit)
            wanted = {number for number, path in enumerate(files) if _matches(path, name)}
            if not wanted:
                continue
            before: tuple[int, int] | None = None
            for row in self._rows(unit):
                here = (row.file, row.line)
                if row.flags & END:
                    before = None
                    continue
                if not row.flags & STATEMENT:
                    before = None if here != before else before
                    continue
                if row.file in wanted and row.line >= line and row.line:
                    if not best or row.line < best:
                        best, hits = row.line, []
                    if row.line == best and before != here:
                        hits.append((row.address, files[row.file]))
                before = here
        return best, sorted(set(hits))

    def last_line(self, name: str) -> int:
        """The last line of a file that has code; 0 when none has."""
        name = os.path.normpath(name)
        last = 0
        for unit in self._units_with(name):
            wanted = {number for number, path in enumerate(self._files(unit)) if _matches(path, name)}
            last = max((row.line for row in self._rows(unit) if row.file in wanted and row.flags & STATEMENT), default=last)
        return last

    def unit_at(self, address: int, file: str) -> Unit | None:
        """The unit whose rows cover an address.

        Args:
            address: as in the file.
            file: a source file that drgn gives for the address: it limits the search to a few units.
        """
        decoded = [unit for unit in self.units if unit.decoded]
        for unit in chain(decoded, self._units_with(file)):
            rows = self._rows(unit)
            at = bisect_right(rows, (address, 1 << 62)) - 1
            if at >= 0 and not rows[at].flags & END:
                return unit
        return None

    def row_at(self, address: int, file: str) -> Row | None:
        """The row that covers an address; arguments as for `unit_at`."""
        unit = self.unit_at(address, file)
        if unit is None:
            return None
        rows = self._rows(unit)
        last = bisect_right(rows, (address, 1 << 62)) - 1
        low = rows[last].address
        # Several rows may begin at one address: the last one that is a statement counts.
        chosen = last
        while not rows[chosen].flags & STATEMENT and chosen and rows[chosen - 1].address == low:
            if rows[chosen - 1].flags & END:
                break
            chosen -= 1
        if not rows[chosen].flags & STATEMENT:
            chosen = last
        return _row(unit, rows[chosen], rows[last + 1].address)

    def rows_between(self, low: int, high: int, file: str) -> list[tuple[Row, bool]]:
        """Rows that begin in a range of one function, each with whether it is flagged as the prologue's end.

        Args:
            low: first address, as in the file.
            high: first address after the range.
            file: as for `unit_at`.
        """
        unit = self.unit_at(low, file)
        if unit is None:
            return []
        rows = self._rows(unit)
        at = bisect_right(rows, (low,))
        found = []
        while at < len(rows) and rows[at].address < high:
            if not rows[at].flags & END:
                after = at + 1
                while rows[after].address == rows[at].address and not rows[after].flags & END:
                    after += 1
                found.append((_row(unit, rows[at], rows[after].address), bool(rows[at].flags & PROLOGUE_END)))
            at += 1
        return found

    def after_prologue(self, low: int, high: int, code: bytes, file: str) -> int | None:
        """Where a breakpoint on a function goes, so that its arguments can be read.

        Args:
            low: the function's first address, as in the file.
            high: first address after it.
            code: its first bytes, at least 8.
            file: as for `unit_at`.

        Returns:
            The address; None when the function has no rows.
        """
        rows = self.rows_between(low, high, file)
        if not rows:
            return None
        for row, prologue_end in rows:
            if prologue_end:  # clang says so
                return row.low
        if code.removeprefix(_ENDBR64).startswith(_PUSH_RBP_MOV_RSP_RBP):
            # Unoptimised code of gcc: arguments are stored to the frame before the second statement begins.
            return next((row.low for row, _ in rows if row.low > low and row.line and row.is_stmt), low)
        return low  # optimised code: variables are described from the entry on


def _matches(path: str, name: str) -> bool:
    return path == name or path.endswith("/" + name)


def _row(unit: Unit, raw: RawRow, high: int) -> Row:
    files = unit.files
    file = files[raw.file] if raw.file < len(files) else ""
    return Row(raw.address, high, file, raw.line, bool(raw.flags & STATEMENT))
