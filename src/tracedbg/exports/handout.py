"""A recording as sheets of paper: each question with what was known then and lines to write on; the answers on pages of their own.

Pure, any thread.  The page has no script and reaches for nothing.  The recording is foreign: all of its text passes `markup`,
and nothing else puts text into the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from tracedbg.eventlog.recordings import Recording

from . import markup
from .story import Answer, Command, Happened, Item, LeftOut, Question, Revealed, Section, Story, Told, tell

_LINES = 3
"""To write on, for the reason of a guess."""
_TASK = (
    "Guess before you see it: tick one box, and write down why you think so. All of it happened on a real kernel; what the kernel did, "
    "and why, stands on the last page."
)


class _Asked(msgspec.Struct):
    """A question with all that its sheet and its answer need.

    Args:
        section: it stands in.
        question: itself.
        before: what was told and seen since the question before it, or since the section began.
        typed: lines that were entered between question and answer, without expectations.
        why: Markdown that explains, as told after it and before the next question.
    """

    section: Section
    question: Question
    before: list[Item]
    typed: list[str] = msgspec.field(default_factory=list)
    why: list[Told] = msgspec.field(default_factory=list)


def handout(recording: Recording) -> str:
    """The sheets, as one HTML page that is made to be printed on A4 or Letter.

    Args:
        recording: by time.
    """
    story = tell(recording)
    asked = [one for section in story.sections for one in _questions(section)]
    style = (Path(__file__).resolve().parent / "handout.css").read_text(encoding="utf-8")
    by = ", ".join(markup.text(recording.text(field)) for field in ("author", "licence") if recording.text(field))
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        '<head>\n<meta charset="utf-8">',
        markup.policy(style),
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{markup.text(story.title)}</title>",
        f"<style>{style}</style>\n</head>\n<body>\n<main>",
        f"<h1>{markup.text(story.title)}</h1>",
        *([f'<p class="small">{by}</p>'] if by else []),
        '<p class="who"><span>Name:</span><span>Date:</span></p>',
        f'<p class="small">{_TASK if asked else "Nothing is asked in this recording."}</p>',
        *([f"<p><em>{markup.text(story.note)}</em></p>"] if story.note else []),
    ]
    heading: Section | None = None
    for number, one in enumerate(asked, 1):
        if one.section is not heading:
            heading = one.section
            lines.append(f"<h2>{markup.text(heading.heading)}</h2>")
        lines += _sheet(number, one)
    lines += ['<section class="answers">', "<h2>Answers</h2>"] if asked else []
    for number, one in enumerate(asked, 1):
        lines += _solution(number, one, story)
    lines += ["</section>"] if asked else []
    return "\n".join([*lines, "</main>\n</body>\n</html>"]) + "\n"


def _questions(section: Section) -> Iterator[_Asked]:
    """The questions of a section, each with its surroundings; several may stand one behind the other."""
    before: list[Item] = []
    found: list[_Asked] = []
    open_: list[_Asked] = []
    for item in section.items:
        if isinstance(item, Question):
            one = _Asked(section, item, before)
            found.append(one)
            open_.append(one)
            before = []
        elif isinstance(item, Revealed):
            open_ = [one for one in open_ if one.question is not item.question]
        elif open_:
            # Until it is answered, what happens is the answer; only what is typed belongs to the question.
            if isinstance(item, Command) and not item.asserts:
                open_[-1].typed.append(item.text)
        elif isinstance(item, Told) and item.kind in ("why", "rule"):
            if found:
                found[-1].why.append(item)
        else:
            before.append(item)
    yield from found


# --- sheets ---------------------------------------------------------------------------------------------------------------------
def _sheet(number: int, one: _Asked) -> Iterator[str]:
    logged: list[str] = []
    for item in one.before:
        if isinstance(item, Command | Answer | Happened):
            logged += _logged(item)
            continue
        yield from _block(logged)
        logged = []
        yield from _told(item)
    yield from _block(logged)
    yield f'<section class="ask" aria-label="Question {number}">'
    if one.typed:
        yield "<p>Now this is typed:</p>"
        yield from _block([markup.text(line) for line in one.typed])
    text = one.question.text
    yield f"<h3>Question {number}</h3>\n{markup.prose(text[:1].upper() + text[1:])}"
    if one.question.choices:
        yield '<ul class="choices">'
        for place, choice in enumerate(one.question.choices):
            pattern = f"<code>{markup.text(choice.pattern)}</code>: " if choice.pattern else ""
            letter = f'<span class="box"></span><span class="letter">{_letter(place)}</span>'
            yield f"<li>{letter}<span>{pattern}{markup.inline(choice.reason)}</span></li>"
        yield "</ul>"
    yield '<p class="small">Because:</p>'
    yield '<div class="line"></div>' * _LINES
    yield "</section>"


def _logged(item: Command | Answer | Happened) -> Iterator[str]:
    """As HTML; an expectation is not shown: paper cannot check anything."""
    if isinstance(item, Happened):
        yield markup.text(f"{item.record.lane:<8} | {item.text}")
    elif isinstance(item, Command):
        if not item.asserts:
            yield f"<b>{markup.text(item.text)}</b>"
    elif not item.command.asserts:
        yield from (markup.text(line) for line in item.command.answer)
        if item.command.error:
            yield markup.text(item.command.error)


def _block(lines: list[str]) -> Iterator[str]:
    if lines:
        yield "<pre>" + "\n".join(lines) + "</pre>"


def _told(item: Item) -> Iterator[str]:
    if isinstance(item, LeftOut):
        yield f"<p><em>Not run there: it needs {markup.text(item.need)} ({markup.text(item.reason)}).</em></p>"
    elif isinstance(item, Told) and item.kind == "program":
        yield f"<p><code>{markup.text(item.summary)}</code></p>"
        yield from _block([markup.text(line) for line in item.text.expandtabs(4).split("\n")])
    elif isinstance(item, Told) and item.kind == "prose":
        yield markup.prose(item.text)


# --- answers --------------------------------------------------------------------------------------------------------------------
def _solution(number: int, one: _Asked, story: Story) -> Iterator[str]:
    question = one.question
    yield '<div class="answer">'
    right = f": {_letter(question.right)}" if 0 <= question.right < len(question.choices) else ""
    yield f"<h3>Question {number}{right}</h3>"
    lane, text = story.deciding.get(question.by, ("", ""))
    if lane:
        yield f"<p>The event that decided: <code>{markup.text(lane)}</code>&nbsp; <code>{markup.text(text)}</code></p>"
    elif question.right < -1:
        yield "<p>It was never decided: the recording ends before.</p>"
    for each in one.why:
        yield markup.prose(each.text)
    yield "</div>"


def _letter(place: int) -> str:
    """A, B, C ...; a number where letters end."""
    return chr(ord("A") + place) if place < 26 else str(place + 1)
