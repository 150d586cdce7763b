"""One table of styles, for our own escape sequences and for prompt_toolkit.

Pure, any thread.  Colour only repeats what a word or a sign says already, so dropping it (``NO_COLOR``, a dumb terminal) loses
nothing.  This is the only place where escape sequences for log lines are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tracedbg.model.ids import Role
from tracedbg.model.text import Shown, visible

StyledLine = tuple[tuple[str, Shown], ...]
"""One line of a screen: pieces of (style name, text that passed `visible`), without a newline."""

_TABLE: dict[str, tuple[str, str]] = {
    # name: (SGR parameters of ECMA-48, the same for prompt_toolkit)
    "plain": ("", ""),
    "time": ("2", "ansibrightblack"),
    "prompt": ("1", "bold"),
    "input": ("1", "bold"),
    "answer": ("", ""),
    "heading": ("1", "bold"),
    "strong": ("1", "bold"),
    "emphasis": ("3", "italic"),
    "code": ("36", "ansicyan"),
    "note": ("36", "ansicyan"),
    "hint": ("2", "ansibrightblack"),
    "warn": ("33", "ansiyellow"),
    "error": ("31", "ansired"),
    "good": ("32", "ansigreen"),
    "gap": ("33", "ansiyellow"),
    "current": ("1;33", "bold ansiyellow"),
    "lane.repl": ("1", "bold"),
    "lane.tracer": ("35", "ansimagenta"),
    "lane.waiter": ("36", "ansicyan"),
    "lane.bench": ("34", "ansiblue"),
    "lane.puppet": ("34", "ansiblue"),
    "lane.tracee": ("32", "ansigreen"),
    "lane.parent": ("33", "ansiyellow"),
    "lane.kernel": ("33", "ansiyellow"),
    "lane.screen": ("2", "ansibrightblack"),
}

NAMES = frozenset(_TABLE)
"""The names that a `StyledLine` may use; others are drawn plain."""

_RESET = "\x1b[0m"
_SGR = {name: f"\x1b[{parameters}m" for name, (parameters, _) in _TABLE.items() if parameters}
MAX_LINE = 2000
"""Longest line that is put on the screen, in characters: a program's megabyte without a newline would otherwise fill it."""


def lane_style(role: Role) -> str:
    """The style of a lane's name."""
    return f"lane.{role.value}"


def wants_colour(environ: Mapping[str, str]) -> bool:
    """Whether colours are welcome: ``NO_COLOR`` is unset or empty (no-color.org) and the terminal is none of the dumb ones."""
    return not environ.get("NO_COLOR") and environ.get("TERM", "") not in ("", "dumb", "unknown")


def prompt_toolkit_rules() -> list[tuple[str, str]]:
    """The table as rules for ``prompt_toolkit.styles.Style``, with those for the fixed parts of the screen."""
    rules = [(name, theirs) for name, (_, theirs) in _TABLE.items()]
    return [
        *rules,
        ("toolbar", "reverse"),
        ("toolbar.key", "reverse bold"),
        ("toolbar.hold", "bold"),
        ("toolbar.doubt", "reverse italic"),
        ("rule", "ansibrightblack"),
        ("auto-suggestion", "ansibrightblack"),
        ("question", "bold"),
    ]


def shorten(line: StyledLine, limit: int = MAX_LINE - 100, tail: int = 60) -> StyledLine:
    """A line longer than `limit` characters: its beginning, how much is missing, its end.

    The end is worth its place: a prompt that follows a megabyte without a newline stands there.
    """
    length = sum(len(text) for _, text in line)
    kept: list[tuple[str, Shown]] = []
    room = limit - tail
    for style, text in line:
        if room <= 0:
            break
        kept.append((style, Shown(text[:room])))
        room -= len(text)
    kept.append(("gap", Shown(f" ... {length - limit} more characters ... ")))
    end = "".join(text for _, text in line)[-tail:] if tail else ""
    return (*kept, ("plain", Shown(end)))


def paint(line: StyledLine, *, colour: bool, columns: int = 80) -> str:
    """One log line as it goes to the terminal, without a newline.

    Below 60 columns the time is left out.  `visible` is applied once more (it changes nothing in text that passed it): here is the
    last place where a control character could be kept from the terminal.
    """
    out: list[str] = []
    length = 0
    for style, text in line:
        if style == "time" and columns < 60:
            continue
        # The common case first: two hundred lines a frame are drawn while somebody types.
        safe = text if text.isascii() and text.isprintable() else visible(text)
        length += len(safe)
        sgr = _SGR.get(style) if colour else None
        out.append(f"{sgr}{safe}{_RESET}" if sgr else safe)
    if length > MAX_LINE:
        return paint(shorten(tuple((style, visible(text)) for style, text in line)), colour=colour, columns=columns)
    return "".join(out)


def paint_all(lines: Iterable[StyledLine], *, colour: bool, columns: int = 80) -> list[str]:
    """`paint` for each line."""
    return [paint(line, colour=colour, columns=columns) for line in lines]
