"""Markdown as lines for a terminal, laid out by Rich.

Pure, any thread.  Links show where they lead, pictures only their words, raw HTML not at all.  No escape sequence is made here: a line
is pieces of (style name, text that passed `visible`), and whoever draws it decides on colours.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Markdown
from rich.padding import Padding
from rich.style import Style
from rich.text import Text
from rich.theme import Theme

from tracedbg.model.text import Shown, visible

from .styles import StyledLine

MEASURE = 88
"""Columns of prose: longer lines are hard to read, however wide the window."""
_LEAST = 20

# What Rich calls its parts, and the names of our own table of styles.
_NAMES = {
    **{f"markdown.h{level}": "heading" for level in range(1, 7)},
    "markdown.em": "emphasis",
    "markdown.strong": "strong",
    "markdown.code": "code",
    "markdown.code_block": "code",
    "markdown.block_quote": "emphasis",
    "markdown.item.bullet": "hint",
    "markdown.item.number": "hint",
    "markdown.hr": "hint",
    "markdown.link": "strong",
    "markdown.link_url": "hint",
    "markdown.table.header": "strong",
    "markdown.table.border": "hint",
    "markdown.paragraph": "plain",
    "markdown.item": "plain",
}
# A style's meta data travels through Rich's layout unchanged; its colours are not used.
_THEME = Theme({theirs: Style(meta={"name": ours}) for theirs, ours in _NAMES.items()})


class _Block(CodeBlock):
    """A block of code as it stands, indented: no lexer guesses at commands that it does not know."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = Text(str(self.text).rstrip("\n"), style=console.get_style(self.style_name), overflow="fold")
        yield Padding(text, (0, 0, 0, 2), expand=False)


class _Page(Markdown):
    """Markdown without what a terminal should not show."""

    elements = {**Markdown.elements, "fence": _Block, "code_block": _Block}

    def __init__(self, text: str, *, ticks: bool) -> None:
        super().__init__(text, hyperlinks=False)
        self.parsed = list(_tamed(self.parsed, ticks=ticks))


def _tamed(tokens: Iterable[Token], *, ticks: bool) -> Iterator[Token]:
    """Tokens that Rich lays out as we want them.

    Args:
        tokens: of the parser.
        ticks: keep the backticks of code, where no colour can stand for them.
    """
    for token in tokens:
        if token.type in ("html_block", "html_inline") or (token.type.startswith("link_") and token.markup == "autolink"):
            continue
        if token.type == "image":
            yield Token("text", "", 0, content=f"[picture: {token.content}]")
            continue
        if token.type == "code_inline" and ticks:
            token.content = f"`{token.content}`"
        if token.children:
            token.children = list(_tamed(token.children, ticks=ticks))
        yield token


def markdown_lines(text: str, columns: int, *, colour: bool, indent: int = 2) -> list[StyledLine]:
    """Lay out Markdown.

    Args:
        text: Markdown; foreign, so control characters in it (written as entities too) are made visible.
        columns: of the terminal; prose uses `MEASURE` of them at most.
        colour: styles can be seen; otherwise code keeps its backticks.
        indent: blanks before each line.
    """
    width = max(min(columns - 1, MEASURE) - indent, _LEAST)
    source = "\n".join(visible(line) for line in text.expandtabs(4).split("\n"))
    console = Console(
        file=io.StringIO(), width=width, theme=_THEME, color_system=None, emoji=False, markup=False, highlight=False, _environ={}
    )
    margin = Shown(" " * indent)
    lines: list[StyledLine] = []
    for segments in console.render_lines(_Page(source, ticks=not colour), console.options.update(height=None), pad=False):
        pieces = [(str((each.style.meta if each.style else {}).get("name", "plain")), visible(each.text)) for each in segments]
        while pieces and not pieces[-1][1].strip():
            pieces.pop()
        if pieces:
            pieces[-1] = (pieces[-1][0], Shown(pieces[-1][1].rstrip()))
        lines.append((("plain", margin), *pieces) if pieces else ())
    return _trimmed(lines)


def _trimmed(lines: list[StyledLine]) -> list[StyledLine]:
    """Without empty lines at both ends."""
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    return lines
