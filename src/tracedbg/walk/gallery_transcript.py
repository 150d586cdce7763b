"""A recording as a page to read: text, questions with their answers folded away, commands and the log; each line has an address.

Pure, any thread.  A recording is foreign: all of its text passes `markup`, and nothing else puts text into the page.
"""

from __future__ import annotations

import html
from collections.abc import Iterator

from tracedbg.eventlog.recordings import Recording
from tracedbg.exports import markup
from tracedbg.exports.story import Answer, Command, Happened, Item, LeftOut, Question, Revealed, Section, Story, Told, tell

_LOGGED = (Command, Answer, Happened)


def page(recording: Recording, style: str, home: str) -> str:
    """The page.

    Args:
        recording: by time.
        style: CSS of the site.
        home: address of the site's front page.
    """
    story = tell(recording)
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        '<head>\n<meta charset="utf-8">',
        markup.policy(style),
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{markup.text(story.title)}</title>",
        f"<style>{style}</style>\n</head>\n<body>",
        f'<nav aria-label="Site"><a href="{html.escape(home)}">All lessons</a></nav>',
        f"<main>\n<h1>{markup.text(story.title)}</h1>",
        *([f"<p><em>{markup.text(story.note)}</em></p>"] if story.note else []),
        *(line for section in story.sections for line in _section(section, story)),
        "</main>\n</body>\n</html>",
    ]
    return "\n".join(parts) + "\n"


def _section(section: Section, story: Story) -> Iterator[str]:
    if section.number:
        yield f"<h2>{section.number}. {markup.text(section.heading)}</h2>"
    lines: list[str] = []
    asked, answering = 0, False  # questions without an answer so far; what answers them is being told
    for item in section.items:
        if isinstance(item, _LOGGED):
            if asked and not answering:
                # Whoever reads on has guessed.  A link to a line inside opens it.
                yield "<details><summary>What happened?</summary>"
                answering = True
            lines += _logged(item)
            continue
        yield from _block(lines)
        lines = []
        yield from _said(item, story)
        asked += isinstance(item, Question)
        if isinstance(item, Revealed):
            asked = max(0, asked - 1)
            if answering and not asked:
                yield "</details>"
                answering = False
    yield from _block(lines)
    if answering:
        yield "</details>"


def _block(lines: list[str]) -> Iterator[str]:
    if lines:
        yield '<pre class="log" tabindex="0">' + "\n".join(lines) + "</pre>"


def _logged(item: Command | Answer | Happened) -> Iterator[str]:
    if isinstance(item, Happened):
        yield f'<span id="r{item.record.seq}">{markup.text(f"{item.record.lane:<8} | {item.text}")}</span>'
    elif isinstance(item, Command):
        yield f'<span id="r{item.seq}"><b>{markup.text(item.text)}</b></span>'
    else:
        yield from (markup.text(line) for line in item.command.answer)
        if item.command.error:
            yield markup.text(item.command.error)


def _said(item: Item, story: Story) -> Iterator[str]:
    if isinstance(item, Told):
        if item.kind == "program":
            yield f'<p><code>{markup.text(item.summary)}</code></p>\n<pre class="log" tabindex="0">'
            yield "\n".join(markup.text(line) for line in item.text.expandtabs(4).split("\n")) + "</pre>"
        elif item.kind in ("why", "hint", "more"):
            yield f"<details><summary>{markup.text(item.summary)}</summary>\n{markup.prose(item.text)}</details>"
        elif item.kind != "notes":  # those are for whoever speaks
            yield markup.prose(item.text)
    elif isinstance(item, Question):
        yield f'<div class="question" id="r{item.seq}"><p><strong>What do you think?</strong></p>'
        yield f"{markup.prose(item.text[:1].upper() + item.text[1:])}<ol>"
        for choice in item.choices:
            pattern = f"<code>{markup.text(choice.pattern)}</code> " if choice.pattern else ""
            yield f"<li>{pattern}{markup.prose(choice.reason)}</li>"
        yield "</ol></div>"
    elif isinstance(item, Revealed):
        lane, text = story.deciding.get(item.question.by, ("", ""))
        right = f"<p>Number {item.question.right + 1} is right.</p>" if item.question.right >= 0 else ""
        seen = f"<p>It was decided by <code>{markup.text(f'{lane}  {text}')}</code></p>" if lane else ""
        yield seen + right
    elif isinstance(item, LeftOut):
        yield f"<p><em>Not run here: it needs {markup.text(item.need)} ({markup.text(item.reason)}).</em></p>"
