"""A recording as a page of Markdown: what was told, typed, asked, seen.

Pure, any thread.  The recording is foreign, and the page will be shown by somebody else's renderer: text that would not stay text there
(HTML, pictures, links to anything but the web, control characters) is written as code.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tracedbg.model.text import visible

from .story import Answer, Command, Happened, Item, LeftOut, Question, Revealed, Section, Story, Told

_TICKS = re.compile(r"`+")
_SPECIAL = re.compile(r"([\\`*_\[\]<>#&|~])")
_LANE_WIDTH = 8


def transcript(story: Story) -> str:
    """The page.

    Args:
        story: of the recording.
    """
    out = [f"# {plain(story.title)}", ""]
    if story.note:
        out += [f"*{plain(story.note)}*", ""]
    for section in story.sections:
        if section.number:
            out += [f"## {section.number}. {plain(section.heading)}", ""]
        out += _section(section, story)
    return "\n".join(out).rstrip("\n") + "\n"


def _section(section: Section, story: Story) -> Iterator[str]:
    lines: list[str] = []
    for item in section.items:
        if isinstance(item, Command | Answer | Happened):
            lines += _logged(item)
            continue
        yield from fenced(lines)
        lines = []
        yield from _said(item, story)
    yield from fenced(lines)


def _logged(item: Command | Answer | Happened) -> Iterator[str]:
    if isinstance(item, Happened):
        yield f"{visible(item.record.lane):<{_LANE_WIDTH}} | {item.text}"
        return
    command = item.command if isinstance(item, Answer) else item
    # An expectation is told when it was met; its answer repeats the line that met it, which stands above.
    met = command.asserts and bool(command.ended) and not command.error
    if isinstance(item, Command):
        if not met:
            yield f"tracedbg> {visible(command.text)}"
    elif met:
        yield f"ok        {visible(command.text)}"
        yield from (f"          {visible(line)}" for line in command.answer[1:])
    else:
        yield from (str(visible(line)) for line in command.answer)
        if command.error:
            yield str(visible(command.error))


def _said(item: Item, story: Story) -> Iterator[str]:
    if isinstance(item, Told):
        yield from _told(item)
    elif isinstance(item, Question):
        yield from prose(f"**Question:** {item.text}")
        for number, choice in enumerate(item.choices, 1):
            pattern = f"{code(choice.pattern)} - " if choice.pattern else ""
            yield f"{number}. {pattern}{_inline(choice.reason)}"
        yield ""
    elif isinstance(item, Revealed):
        yield from _revealed(item.question, story)
    elif isinstance(item, LeftOut):
        yield from [f"*Not run here: it needs {plain(item.need)} ({plain(item.reason)}).*", ""]


def _told(item: Told) -> Iterator[str]:
    if item.kind == "program":
        yield from [f"{code(item.summary)}:", ""]
        yield from fenced([str(visible(line)) for line in item.text.expandtabs(4).split("\n")], "c")
    elif item.kind in ("why", "hint", "more", "notes"):
        # Inside HTML only HTML's own escapes keep text from being more.
        yield from [f"<details><summary>{html.escape(visible(item.summary))}</summary>", "", *prose(item.text), "</details>", ""]
    else:
        yield from prose(marked(item))


def marked(item: Told) -> str:
    """Its Markdown; what was added to the recording later says so."""
    return f"**Note:** {item.text}" if item.kind == "remark" else item.text


def _revealed(question: Question, story: Story) -> Iterator[str]:
    lane, text = story.deciding.get(question.by, ("", ""))
    seen = f": {code(f'{lane}  {text}')}" if lane else ""
    yield f"**What happened**{seen}"
    if question.right >= 0:
        guess = "Nothing was guessed." if question.chosen < 0 else f"The guess was {question.chosen + 1}."
        yield f"Number {question.right + 1} is right. {guess}"
    yield ""


# --- text that stays text -----------------------------------------------------------------------------------------------------
def fenced(lines: list[str], language: str = "text") -> Iterator[str]:
    """A block of code that none of its lines can end, with an empty line behind; nothing for no lines."""
    if lines:
        longest = max((len(run) for line in lines for run in _TICKS.findall(line)), default=0)
        fence = "`" * max(3, longest + 1)
        yield from [f"{fence}{language}", *lines, fence, ""]


def plain(text: str) -> str:
    """One line of foreign text as Markdown that shows it as it is."""
    return _SPECIAL.sub(r"\\\1", visible(text))


def code(text: str) -> str:
    """One line of foreign text as a code span."""
    shown = str(visible(text))
    ticks = "`" * (max((len(run) for run in _TICKS.findall(shown)), default=0) + 1)
    blank = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{ticks}{blank}{shown}{blank}{ticks}"


def prose(text: str) -> list[str]:
    """Foreign Markdown, with an empty line behind; as code if it holds more than text."""
    lines = [str(visible(line)) for line in text.expandtabs(4).split("\n")]
    if not _harmless("\n".join(lines)):
        return list(fenced(lines))
    return [*lines, ""]


def _inline(text: str) -> str:
    joined = " ".join(text.split())
    return str(visible(joined)) if _harmless(joined) else code(joined)


@functools.lru_cache(256)
def _harmless(text: str) -> bool:
    return all(_is_text(token) for token in _tokens(_parser().parse(text)))


@functools.cache
def _parser() -> MarkdownIt:
    # To make one takes longer than to read a paragraph with it.
    return MarkdownIt("commonmark")


def _tokens(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _tokens(token.children or [])


def _is_text(token: Token) -> bool:
    if token.type in ("html_block", "html_inline", "image"):
        return False
    href = token.attrs.get("href", "")
    return not href or str(href).startswith(("https://", "http://", "#")) or re.fullmatch(r"[\w./-]+", str(href)) is not None
