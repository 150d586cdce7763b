"""The lessons that come with tracedbg, as much as a command needs to send somebody to one: which page shows which rule.

Any thread; reads files only, at the first question.  It plays nothing: pages are read in full by `walk`, above.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

_HOME = Path(__file__).resolve().parent.parent / "walkthroughs"
_RULE = re.compile(r"^\*\*Rules?:?\*\*:? *((?:`[a-z0-9.-]+`[, and]*)+)", re.MULTILINE)
_ID = re.compile(r"`([a-z0-9.-]+)`")
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)


@functools.cache
def _shelf() -> dict[str, tuple[tuple[str, str], ...]]:
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for path in sorted(_HOME.glob("[0-9][0-9]-*.md")):
        text = path.read_text(encoding="utf-8")
        title = _TITLE.search(text)
        lesson = path.stem.split("-", 1)[1], title[1] if title is not None else path.stem
        for rule in dict.fromkeys(each for ids in _RULE.findall(text) for each in _ID.findall(ids)):
            found[rule] = (*found.get(rule, ()), lesson)
    return found


def lessons_on(rule: str) -> tuple[tuple[str, str], ...]:
    """The lessons that show a rule, in the order of the course.

    Args:
        rule: its id, for example ``wake.one-winner``.

    Returns:
        ``(name for tracedbg learn, question)`` for each, none for a rule that no lesson shows.
    """
    return _shelf().get(rule, ())
