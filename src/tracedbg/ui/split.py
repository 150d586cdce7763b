"""The full-screen split (F2): log, side pane, the same line, the toolbar.

UI thread only.  A second application over the same buffer, so that a half-typed line survives the change; must not keep a state of
its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prompt_toolkit.application.current import get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import ConditionalContainer, HSplit, VSplit, Window
from prompt_toolkit.layout.controls import UIContent, UIControl
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.layout import Layout
from prompt_toolkit.utils import get_cwidth

from tracedbg.model.text import Shown, visible
from tracedbg.render.styles import NAMES, StyledLine

from .layout import PromptArea, Sources, cut, with_menu

LEAST_COLUMNS = 40
LEAST_ROWS = 8
SIDE_BY_SIDE = 100
"""From this width on the panes stand beside each other, below it one above the other."""


def refusal(rows: int, columns: int) -> str:
    """Why the split cannot be drawn in a terminal of this size; empty if it can."""
    if columns < LEAST_COLUMNS:
        return f"the split needs {LEAST_COLUMNS} columns, this terminal has {columns}"
    if rows < LEAST_ROWS:
        return f"the split needs {LEAST_ROWS} rows, this terminal has {rows}"
    return ""


def fit(line: StyledLine, columns: int) -> StyleAndTextTuples:
    """A log line cut to the pane's width, as fragments of prompt_toolkit."""
    out: StyleAndTextTuples = []
    pieces = [(style, text) for style, text in line if style != "time" or columns >= 60]
    room = columns
    for index, (style, text) in enumerate(pieces):
        more = index + 1 < len(pieces)
        name = f"class:{style}" if style in NAMES else ""
        safe = str(visible(text))
        width = get_cwidth(safe)
        if width > room or (more and width == room):
            # The mark belongs on the last cell, also where the cut falls between two pieces.
            out.append((name, cut(safe + "  ", room)))
            break
        out.append((name, safe))
        room -= width
    return out


class _Tail(UIControl):
    """The last lines of a sequence, as many as the pane has rows."""

    def __init__(self, newest: Callable[[int], Sequence[StyledLine]]) -> None:
        self._newest = newest

    def create_content(self, width: int, height: int | None) -> UIContent:
        """Called by prompt_toolkit once a frame."""
        tail = [fit(line, width) for line in self._newest(height or 0)]
        return UIContent(get_line=lambda i: tail[i], line_count=len(tail), show_cursor=False)


class _Head(UIControl):
    """The first lines of a sequence, as many as the pane has rows."""

    def __init__(self, lines: Callable[[], Sequence[Shown]]) -> None:
        self._lines = lines

    def create_content(self, width: int, height: int | None) -> UIContent:
        """Called by prompt_toolkit once a frame."""
        lines = [str(visible(line)) for line in self._lines()[: height or 0]]
        # Source lines that hold the program counter are marked by the host with "->" or ">": repeat that mark in colour.
        shown: list[StyleAndTextTuples] = [
            [("class:current" if line.lstrip().startswith(("->", "=>", ">")) else "", cut(line, width))] for line in lines
        ]
        return UIContent(get_line=lambda i: shown[i], line_count=len(shown), show_cursor=False)


def split_layout(
    buffer: Buffer,
    sources: Sources,
    *,
    log: Callable[[int], Sequence[StyledLine]],
    context: Callable[[], Sequence[Shown]],
) -> Layout:
    """The whole split.

    Args:
        buffer: the line being typed, shared with the ordinary screen.
        sources: prompt and toolbar.
        log: gives the newest lines for the log pane, as many as asked for, oldest first.
        context: the lines for the side pane.
    """
    area = PromptArea(buffer, sources, reserve=False)
    wide = Condition(lambda: get_app().output.get_size().columns >= SIDE_BY_SIDE)

    def side_height() -> Dimension:
        # A third of the screen, so that even twelve rows leave more for the log than for the source.
        return Dimension.exact(max(2, get_app().output.get_size().rows // 3))

    def side_width() -> Dimension:
        return Dimension.exact(get_app().output.get_size().columns * 2 // 5)

    log_control, side_control = _Tail(log), _Head(context)
    beside = VSplit(
        [
            Window(log_control),
            Window(width=1, char="│", style="class:rule"),
            Window(side_control, width=side_width),
        ]
    )
    above = HSplit(
        [
            Window(side_control, height=side_height),
            Window(height=1, char="─", style="class:rule"),
            Window(log_control),
        ]
    )
    panes = HSplit(
        [
            ConditionalContainer(beside, filter=wide),
            ConditionalContainer(above, filter=~wide),
            Window(height=1, char="─", style="class:rule"),
            area.container,
        ]
    )
    return with_menu(area, panes)
