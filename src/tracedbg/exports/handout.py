"""A recording as sheets of paper: each question with what was known then and lines to write on; the answers on pages of their own.

Pure, any thread.  The page has no script and reaches for nothing.  The recording is foreign: all of its text passes `_text` or `_prose`,
and nothing else puts text into the page.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterator
from pathlib import Path

import msgspec
from markdown_it import MarkdownIt

from tracedbg.eventlog.recordings import Recording
from tracedbg.model.text import visible

from .story import Answer, Command, Happened, Item, LeftOut, Question, Revealed, Section, Story, Told, tell

# No links and pictures, which paper has no use for, and no entities, which could bring back characters that `visible` took out.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).disable(
    ["link", "image", "autolink", "html_inline", "html_block", "entity", "heading", "lheading"]
)
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
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    policy = html.escape(f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'")
    by = ", ".join(_text(recording.text(field)) for field in ("author", "licence") if recording.text(field))
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        '<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(story.title)}</title>",
        f"<style>{style}</style>\n</head>\n<body>\n<main>",
        f"<h1>{_text(story.title)}</h1>",
        *([f'<p class="small">{by}</p>'] if by else []),
        '<p class="who"><span>Name:</span><span>Date:</span></p>',
        f'<p class="small">{_TASK if asked else "Nothing is asked in this recording."}</p>',
        *([f"<p><em>{_text(story.note)}</em></p>"] if story.note else []),
    ]
    heading: Section | None = None
    for number, one in enumerate(asked, 1):
        if one.section is not heading:
            heading = one.section
            lines.append(f"<h2>{_text(heading.heading)}</h2>")
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
        yield from _block([_text(line) for line in one.typed])
    text = one.question.text
    yield f"<h3>Question {number}</h3>\n{_prose(text[:1].upper() + text[1:])}"
    if one.question.choices:
        yield '<ul class="choices">'
        for place, choice in enumerate(one.question.choices):
            pattern = f"<code>{_text(choice.pattern)}</code>: " if choice.pattern else ""
            letter = f'<span class="box"></span><span class="letter">{_letter(place)}</span>'
            yield f"<li>{letter}<span>{pattern}{_inline(choice.reason)}</span></li>"
        yield "</ul>"
    yield '<p class="small">Because:</p>'
    yield '<div class="line"></div>' * _LINES
    yield "</section>"


def _logged(item: Command | Answer | Happened) -> Iterator[str]:
    """As HTML; an expectation is not shown: paper cannot check anything."""
    if isinstance(item, Happened):
        yield _text(f"{item.record.lane:<8} | {item.text}")
    elif isinstance(item, Command):
        if not item.asserts:
            yield f"<b>{_text(item.text)}</b>"
    elif not item.command.asserts:
        yield from (_text(line) for line in item.command.answer)
        if item.command.error:
            yield _text(item.command.error)


def _block(lines: list[str]) -> Iterator[str]:
    if lines:
        yield "<pre>" + "\n".join(lines) + "</pre>"


def _told(item: Item) -> Iterator[str]:
    if isinstance(item, LeftOut):
        yield f"<p><em>Not run there: it needs {_text(item.need)} ({_text(item.reason)}).</em></p>"
    elif isinstance(item, Told) and item.kind == "program":
        yield f"<p><code>{_text(item.summary)}</code></p>"
        yield from _block([_text(line) for line in item.text.expandtabs(4).split("\n")])
    elif isinstance(item, Told) and item.kind == "prose":
        yield _prose(item.text)


# --- answers --------------------------------------------------------------------------------------------------------------------
def _solution(number: int, one: _Asked, story: Story) -> Iterator[str]:
    question = one.question
    yield '<div class="answer">'
    right = f": {_letter(question.right)}" if 0 <= question.right < len(question.choices) else ""
    yield f"<h3>Question {number}{right}</h3>"
    lane, text = story.deciding.get(question.by, ("", ""))
    if lane:
        yield f"<p>The event that decided: <code>{_text(lane)}</code>&nbsp; <code>{_text(text)}</code></p>"
    elif question.right < -1:
        yield "<p>It was never decided: the recording ends before.</p>"
    for each in one.why:
        yield _prose(each.text)
    yield "</div>"


def _letter(place: int) -> str:
    """A, B, C ...; a number where letters end."""
    return chr(ord("A") + place) if place < 26 else str(place + 1)


# --- text that stays text -------------------------------------------------------------------------------------------------------
def _text(text: str) -> str:
    return html.escape(visible(text))


def _prose(text: str) -> str:
    lines = (str(visible(line)) for line in text.expandtabs(4).split("\n"))
    return str(_MARKDOWN.render("\n".join(lines))).rstrip("\n")


def _inline(text: str) -> str:
    return str(_MARKDOWN.renderInline(visible(" ".join(text.split()))))
