"""A recording as an asciicast, version 2 or 3: what the terminal showed, with a marker for each section.

Pure, any thread.  It is made from events, not from bytes: the only escape sequences in it are the colours of our own table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from tracedbg.model.text import Shown, visible
from tracedbg.render.markdown import markdown_lines
from tracedbg.render.styles import StyledLine, lane_style, paint

from .story import Answer, Command, Happened, Item, LeftOut, Question, Revealed, Section, Story, Told
from .transcript import marked

COLUMNS, ROWS = 100, 30
IDLE_S = 2.0
"""What a player makes of longer pauses: people read, and think about a question, and leave for lunch."""
_US = 1_000
_LANE_WIDTH = 8


def cast(story: Story, version: int = 2, columns: int = COLUMNS, rows: int = ROWS) -> str:
    """The file.

    Args:
        story: of the recording.
        version: 2 or 3, see the asciicast file format.
        columns: of the terminal, prose is laid out for it.
        rows: of the terminal.
    """
    if version == 2:
        head: dict[str, object] = {"version": 2, "width": columns, "height": rows}
    else:
        head = {"version": 3, "term": {"cols": columns, "rows": rows}}
    head |= {"title": str(visible(story.title)), "idle_time_limit": IDLE_S}
    lines, before = [json.dumps(head)], 0
    for t, kind, data in _events(story, columns):
        # Absolute times are rounded first and subtracted then: the other way round, rounding errors add up.
        at = max(t // _US, before)
        lines.append(json.dumps([(at - before if version == 3 else at) / 1e6, kind, data]))
        before = at
    return "\n".join(lines) + "\n"


def _events(story: Story, columns: int) -> Iterator[tuple[int, str, str]]:
    for section in story.sections:
        heading = str(visible(section.heading))
        yield section.t, "m", heading
        yield section.t, "o", _text(_heading(section), columns)
        for item in section.items:
            drawn = list(_drawn(item, story, columns))
            if drawn:
                yield _when(item), "o", _text(drawn, columns)


def _when(item: Item) -> int:
    return item.record.t if isinstance(item, Happened) else item.t


def _text(lines: list[StyledLine], columns: int) -> str:
    return "".join(paint(line, colour=True, columns=columns) + "\r\n" for line in lines)


def _one(style: str, text: str) -> StyledLine:
    return ((style, visible(text)),)


def _heading(section: Section) -> list[StyledLine]:
    number = f"{section.number}. " if section.number else ""
    return [(), _one("heading", f"-- {number}{section.heading} --"), ()]


def _answer(item: Command) -> Iterator[StyledLine]:
    if item.asserts and not item.error:
        # Its answer repeats the line that met it, which stands above.
        yield (("good", Shown("ok ")), ("hint", visible(item.text)))
        yield from (_one("note", f"   {line}") for line in item.answer[1:])
        return
    yield from (_one("answer", line) for line in item.answer)
    if item.error:
        yield _one("error", item.error)


def _drawn(item: Item, story: Story, columns: int) -> Iterator[StyledLine]:
    if isinstance(item, Told):
        if item.kind == "program":
            yield from ((("plain", Shown("    ")), ("code", visible(line))) for line in item.text.expandtabs(4).split("\n"))
        elif item.kind not in ("hint", "notes"):
            yield from markdown_lines(marked(item), columns, colour=True)
        yield ()
    elif isinstance(item, Command):
        if not item.asserts:  # it is shown when it has been met: it may give the answer to a question away
            yield (("prompt", Shown("tracedbg> ")), ("input", visible(item.text)))
    elif isinstance(item, Answer):
        yield from _answer(item.command)
    elif isinstance(item, Happened):
        record, role = item.record, story.roles.get(item.record.lane)
        lane = visible(record.lane)
        yield (
            ("time", Shown(f"{record.t / 1e9:12.6f} ")),
            (lane_style(role) if role else "plain", Shown(f"{lane:<{_LANE_WIDTH}}")),
            ("hint", Shown(" | ")),
            ("plain", item.text),
        )
    elif isinstance(item, Question):
        yield from markdown_lines(f"**What do you think?** {item.text}", columns, colour=True)
        yield ()
        for number, choice in enumerate(item.choices, 1):
            pattern = (("code", visible(choice.pattern)), ("plain", Shown(" - "))) if choice.pattern else ()
            yield (("hint", Shown(f"  {number} ")), *pattern, ("plain", visible(" ".join(choice.reason.split()))))
        yield ()
    elif isinstance(item, Revealed):
        yield from _revealed(item.question, story)
    elif isinstance(item, LeftOut):
        yield _one("warn", f"not run here: it needs {item.need} ({item.reason})")


def _revealed(question: Question, story: Story) -> Iterator[StyledLine]:
    lane, text = story.deciding.get(question.by, ("", ""))
    yield ()
    if lane:
        yield (("strong", Shown("  What happened: ")), ("plain", visible(f"{lane}  {text}")))
    if question.right >= 0:
        right = question.choices[question.right] if question.right < len(question.choices) else None
        yield _one(
            "good" if question.chosen == question.right else "plain",
            f"  It is number {question.right + 1}" + (f": {right.pattern}" if right else ""),
        )
    yield ()
