"""The lessons as a course: which part each belongs to, how deep it goes, and the list that `tracedbg learn` shows.

Any thread; reads files only.  A new lesson joins by its number alone: the first digit of its file's name is its part.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from tracedbg.model.text import visible

from .catalogue import RULES, Level
from .learning_progress import Mark, Progress
from .outline import Outline, outline
from .shipped import lessons, name_of

PARTS = {
    "0": "Begin here",
    "1": "Who is the tracer?",
    "2": "Taking hold and letting go",
    "3": "Who may wait, and for what",
    "4": "Who is woken, and who is first",
    "5": "What a stop says",
    "6": "Fork, exec, exit and system calls",
    "7": "Dying, orphans and SIGCHLD",
    "8": "Signals, errors and permission",
    "9": "In practice",
}
"""Titles by the first digit of a lesson's number, in the order in which a newcomer meets them."""

_LEVELS: tuple[Level, ...] = get_args(Level)
_MARKS = {"core": " ", "deep": "+", "expert": "!"}


def part_of(path: Path) -> str:
    """The title of the part that a lesson belongs to."""
    return PARTS[path.name[0]]


def level_of(page: Outline) -> Level:
    """How deep a lesson goes: the level of the easiest rule that it shows, for without that one nobody need read it."""
    shown = {RULES[rule].level for rule in page.rules if rule in RULES}
    return next((level for level in _LEVELS if level in shown), "core")


def grouped(paths: Sequence[Path]) -> list[tuple[str, list[Path]]]:
    """The lessons of each part that has any, in order."""
    groups = [(title, [path for path in paths if path.name[0] == digit]) for digit, title in PARTS.items()]
    return [(title, found) for title, found in groups if found]


def listed(progress: Progress, columns: int = 100, paths: Sequence[Path] | None = None) -> list[str]:
    """The lessons by part, each with the question that it answers and how far it was played; at last, what to do next.

    Args:
        progress: what was played.
        columns: of the terminal.
        paths: the lessons, all that ship unless given.
    """
    pages = {path: outline(path) for path in (lessons() if paths is None else paths)}
    marks = {path: progress.mark(page) for path, page in pages.items()}
    width = max((len(name_of(path)) for path in pages), default=0)
    lines = ["Each lesson answers a question, on your own kernel:"]
    for title, found in grouped(list(pages)):
        lines += ["", title]
        for path in found:
            page, name = pages[path], name_of(path)
            done = "*" if marks[path].done else " "
            how_far = _how_far(page, marks[path])
            text = str(visible(page.title + (f" ({how_far})" if how_far else "")))
            head = f"{done}{_MARKS[level_of(page)]} {name:<{width}}  "
            lines += textwrap.wrap(text, columns - 1, initial_indent=head, subsequent_indent=" " * len(head))
    played = sum(mark.done for mark in marks.values())
    words = [
        f"* played, {played} of {len(pages)}. + goes deeper, ! is for experts: a first course leaves both out.",
        "tracedbg learn NAME plays one. Enter goes on, Ctrl-D leaves, and the next time it comes back to where you were.",
    ]
    following = _next(pages, marks)
    if following is not None:
        words.append(f"Next: tracedbg learn {name_of(following)}")
    return [*lines, "", *(line for each in words for line in textwrap.wrap(each, columns - 1))]


def _next(pages: dict[Path, Outline], marks: dict[Path, Mark]) -> Path | None:
    """Where to go on: a lesson that was begun, else the first of the first course that was not played, else the first of all."""
    open_ones = [path for path in pages if not marks[path].done]
    begun = [path for path in open_ones if marks[path].step]
    core = [path for path in open_ones if level_of(pages[path]) == "core"]
    return next(iter([*begun, *core, *open_ones]), None)


def _how_far(page: Outline, mark: Mark) -> str:
    if mark.done or mark.step not in page.slugs:
        return ""
    return f"step {min(page.slugs.index(mark.step) + 2, len(page.slugs))} of {len(page.slugs)} is next"
