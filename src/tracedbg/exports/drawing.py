"""One row of a timeline as SVG: the bands of who sleeps, runs or is inside a call, and the arrows.

Pure, any thread.  All places across are parts of the width, so that a row is as wide and as high as whoever shows it wants; down, the
middle of the row is zero of everything that is not a band.  Everything that is drawn in colour has a dash, a letter or a word, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tracedbg.model.events import Looked, ThreadAsleep

from .markup import text
from .rows import Arrow, Column, Row
from .story import Happened

_DASHES = {"command": "6 3", "report": "2 3"}
"""Written into pictures, too, where no style could."""

_APART = (-7, 9)
_SHORT = 14  # characters of a label that fit between two columns
_FITS = 80  # characters of all columns beside each other, in a page as wide as most are
_BOXES = 4  # of one queue


class Lanes:
    """The columns of one section.

    Args:
        columns: from left to right.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        self._places = {column.key: number for number, column in enumerate(columns)}

    def x(self, number: float) -> str:
        """The middle of a column, as a part of the width."""
        return f"{(number + 0.5) / max(1, len(self.columns)) * 100:.4g}%"

    def row(self, row: Row, *, bands: bool = True) -> str:
        """Bands and arrows of a row."""
        bars = "".join(self._bands(row)) if bands else ""
        arrows = "".join(self._arrows(row))
        return f'{bars}<svg y="50%" class="o">{arrows}</svg>' if arrows else bars

    # --- bands ----------------------------------------------------------------------------------------------------------------
    def _bands(self, row: Row) -> Iterator[str]:
        for number, column in enumerate(self.columns):
            x = self.x(number)
            if column.kind == "queue":
                yield from self._queue(row, column.key, x, number)
                continue
            letter = row.look.tasks.get(column.key)
            if letter is not None:
                yield f'<line class="b s{"N" if letter == "?" else letter}" x1="{x}" x2="{x}" y2="100%"/>'
                yield f'<text class="n" x="{x}" y="50%" dy="14">{letter}</text>'
            elif column.key in row.look.calls:
                yield f'<line class="c" x1="{x}" x2="{x}" y2="100%"/>'

    def _queue(self, row: Row, key: str, x: str, number: int) -> Iterator[str]:
        sleepers = row.look.queues.get(key, ())
        yield f'<line class="q" x1="{x}" x2="{x}" y2="100%"/>'
        shown = sleepers[:_BOXES]
        width = 0.54 / max(1, len(shown))
        for at, (_, seen) in enumerate(shown):
            place = self.x(number - 0.27 + width * (at + 0.5))
            yield f'<line class="z{len(shown)} {"seen" if seen else "inf"}" x1="{place}" x2="{place}" y2="100%"/>'
        if sleepers:
            names = " ".join(f"{lane[:6]}{'' if seen else '?'}" for lane, seen in sleepers)
            # Names that cover each other name nobody; the line of the marked row names all.
            fits = len(sleepers) == 1 or len(names) * len(self.columns) <= _FITS
            yield f'<text class="n" x="{x}" y="50%" dy="14">{text(names) if fits else f"{len(sleepers)} wait"}</text>'

    # --- arrows ---------------------------------------------------------------------------------------------------------------
    def _arrows(self, row: Row) -> Iterator[str]:
        for number, arrow in enumerate(row.arrows):
            start, end = self._places.get(arrow.start), self._places.get(arrow.end)
            if start is None:
                continue
            drawn = ""
            if arrow.kind == "refused" and end is None:
                drawn = "".join(self._cross(arrow, start, start + 0.35))
            elif end is not None and end != start:
                drawn = "".join(self._arrow(arrow, start, end))
            # Two on one row may cover each other: one above the other.
            yield f'<svg y="{_APART[number % 2]}" class="o">{drawn}</svg>' if drawn and len(row.arrows) > 1 else drawn
        if row.lane in self._places and not row.arrows and row.text:
            looked = isinstance(row.item, Happened) and isinstance(row.item.record.event, (Looked, ThreadAsleep))
            sign = '<circle class="eye" r="6"/><circle class="dot" r="2.5"/>' if looked else '<circle class="dot" r="4"/>'
            yield f'<svg x="{self.x(self._places[row.lane])}" class="o">{sign}</svg>'

    def _cross(self, arrow: Arrow, start: float, end: float) -> Iterator[str]:
        yield f'<line class="a refused" x1="{self.x(start)}" x2="{self.x(end)}"/>'
        yield f'<svg x="{self.x(end)}" class="o"><path class="a refused" d="M-5-5 5 5M-5 5 5-5"/></svg>'
        yield self._label(arrow, (start + end) / 2)

    def _arrow(self, arrow: Arrow, start: int, end: int) -> Iterator[str]:
        way = 1 if end > start else -1
        if arrow.kind == "refused":
            # It ends before the tracee: the request has not reached it.
            yield from self._cross(arrow, start, end - 0.3 * way)
            return
        dashes = f' stroke-dasharray="{_DASHES[arrow.kind]}"' if arrow.kind in _DASHES else ""
        tip = end - 0.1 * way
        yield f'<line class="a {arrow.kind}" x1="{self.x(start + 0.08 * way)}" x2="{self.x(tip)}"{dashes}/>'
        yield f'<svg x="{self.x(tip)}" class="o"><path class="h {arrow.kind}" d="M0 0L{-8 * way}-5V5z"/></svg>'
        yield self._label(arrow, (start + tip) / 2)

    def _label(self, arrow: Arrow, at: float) -> str:
        return f'<text class="t {arrow.kind}" x="{self.x(at)}" y="-5">{text(arrow.label[:_SHORT])}</text>' if arrow.label else ""
