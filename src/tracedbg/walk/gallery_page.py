"""The front page of a gallery: lessons, questions and rules as lists, and a search that needs no server.

Pure, any thread.  Everything stands in the page; the script only finds it.  All foreign text passes `_text` or `_inline`, and nothing
else puts text into the page.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tracedbg.exports import markup
from tracedbg.model.text import visible

from .catalogue import CHAPTERS, RULES
from .course import PARTS
from .exhibits import OTHERS, Exhibit, Ruled, downloads

_HERE = Path(__file__).resolve().parent
_LEVELS = {"core": "", "deep": "goes deeper", "expert": "for experts"}


def _text(text: str) -> str:
    return markup.text(" ".join(text.split()))


def _link(href: str, label: str) -> str:
    """A link; `label` is HTML."""
    return f'<a href="{html.escape(href)}">{label}</a>'


def front_page(title: str, exhibits: Sequence[Exhibit], version: str, sizes: Mapping[str, int]) -> str:
    """index.html.

    Args:
        title: of the site.
        exhibits: in order.
        version: of tracedbg.
        sizes: bytes of the files of the site, by path from its root.
    """
    style, script = (_HERE / "gallery.css").read_text(encoding="utf-8"), (_HERE / "gallery.js").read_text(encoding="utf-8")
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        markup.policy(style, script),
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(title)}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        *_head(title, exhibits),
        "<main>",
        *_lessons(exhibits, sizes),
        *_questions(exhibits),
        *_rules(exhibits),
        "</main>",
        *_foot(exhibits, version),
        f'<script type="application/json" id="places">{_places(exhibits)}</script>',
        f"<script>{script}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _head(title: str, exhibits: Sequence[Exhibit]) -> Iterator[str]:
    asked = sum(len(one.questions) for one in exhibits)
    yield "<header>"
    yield f"<h1>{_text(title)}</h1>"
    yield (
        '<p class="lead">Who is the tracer? Who is woken? Who takes the report? Each lesson is a recording of real system calls: what each '
        "thread asked the kernel, and what the kernel answered. Predict first, then look.</p>"
    )
    yield '<nav aria-label="On this page"><ul>'
    yield f'<li><a href="#lessons">{len(exhibits)} lessons</a></li>'
    yield f'<li><a href="#questions">{asked} questions</a></li>'
    yield '<li><a href="#rules">Rules of the kernel</a></li>'
    yield "</ul></nav>"
    yield '<div class="search" id="search" role="search" hidden>'
    yield '<label for="words">Search in all lessons</label>'
    yield '<input type="search" id="words" autocomplete="off" spellcheck="false" aria-describedby="said">'
    yield '<p id="said" class="small" aria-live="polite"></p>'
    yield '<ol id="found" aria-label="Places found"></ol>'
    yield "</div>"
    yield "</header>"


def _lessons(exhibits: Sequence[Exhibit], sizes: Mapping[str, int]) -> Iterator[str]:
    yield '<section aria-labelledby="lessons">'
    yield '<h2 id="lessons">Lessons</h2>'
    for part in (*PARTS.values(), OTHERS):
        found = [one for one in exhibits if one.part == part]
        if not found:
            continue
        yield f"<h3>{_text(part)}</h3>"
        yield '<ul class="lessons">'
        for one in found:
            yield from _lesson(one, sizes)
        yield "</ul>"
    yield "</section>"


def _lesson(one: Exhibit, sizes: Mapping[str, int]) -> Iterator[str]:
    level = f' <span class="level">{_LEVELS[one.level]}</span>' if _LEVELS[one.level] else ""
    steps = len([each for each in one.places if each.number])
    facts = [f"{one.minutes} min", f"{steps} step{'s' * (steps != 1)}"] if steps else [f"{one.minutes} min"]
    if one.questions:
        facts.append(f"{len(one.questions)} question{'s' * (len(one.questions) != 1)}")
    yield "<li>"
    yield f"<h4>{_link(one.page, _text(one.title))}</h4>"
    yield f'<p class="small">{", ".join(facts)}{level}</p>'
    yield f'<details class="small"><summary>To take away<span class="only-spoken">: {_text(one.title)}</span></summary>'
    yield '<ul class="files">'
    for _, label, path in downloads(one.name):
        yield f"<li>{_link(path, label)}{_size(sizes.get(path, 0))}</li>"
    for path in sorted(sizes):
        if path in (f"files/{one.name}.md", f"files/{one.name}.jsonl"):
            yield f"<li>{_link(path, 'lesson' if path.endswith('.md') else 'recording')}{_size(sizes[path])}</li>"
    yield "</ul></details>"
    yield "</li>"


def _size(size: int) -> str:
    return f" ({max(1, round(size / 1000))} kB)" if size else ""


def _questions(exhibits: Sequence[Exhibit]) -> Iterator[str]:
    yield '<section aria-labelledby="questions">'
    yield '<h2 id="questions">Questions</h2>'
    yield '<p class="lead">Each leads to the moment before the answer.</p>'
    for one in exhibits:
        if not one.questions:
            continue
        yield f"<h3>{_text(one.title)}</h3>"
        yield '<ul class="questions">'
        for question in one.questions:
            yield f"<li>{_link(one.at(question.seq), markup.inline(question.text[:1].upper() + question.text[1:]))}</li>"
        yield "</ul>"
    yield "</section>"


def _rules(exhibits: Sequence[Exhibit]) -> Iterator[str]:
    shown: dict[str, list[tuple[Exhibit, Ruled]]] = {}
    for one in exhibits:
        for each in one.rules:
            shown.setdefault(each.rule, []).append((one, each))
    yield '<section aria-labelledby="rules">'
    yield '<h2 id="rules">Rules</h2>'
    yield '<p class="lead">What the kernel does, each rule with the step that shows it, and with the event that settles it.</p>'
    for chapter, title in CHAPTERS.items():
        rules = [rule for rule in RULES.values() if rule.chapter == chapter]
        yield f"<h3>{_text(title)}</h3>"
        yield "<dl>"
        for rule in rules:
            yield f'<dt id="{html.escape(rule.id)}"><code>{_text(rule.id)}</code></dt>'
            yield f"<dd><p>{_text(rule.says)}.</p>"
            yield from _shown(shown.get(rule.id, []))
            yield "</dd>"
        yield "</dl>"
    yield "</section>"


def _shown(found: Sequence[tuple[Exhibit, Ruled]]) -> Iterator[str]:
    # The tour shows a little of everything; a lesson of its own tells more.
    for one, each in sorted(found, key=lambda both: both[0].name.startswith("01-")):
        event = f"; {_link(one.at(each.shown), 'the event')}" if each.shown else ""
        yield f'<p class="small">{_link(one.at(each.place), _text(each.heading))} in “{_text(one.title)}”{event}</p>'


def _foot(exhibits: Sequence[Exhibit], version: str) -> Iterator[str]:
    kernels = sorted({one.kernel for one in exhibits if one.kernel})
    licences = sorted({one.licence for one in exhibits if one.licence})
    yield "<footer>"
    if kernels:
        yield f'<p class="small">Recorded on Linux {", ".join(map(_text, kernels))}.</p>'
    if licences:
        yield f'<p class="small">Licence: {", ".join(map(_text, licences))}.</p>'
    yield (
        f'<p class="small">Made by tracedbg {_text(version)}. <code>tracedbg learn NAME</code> plays a lesson on your own kernel, '
        "<code>tracedbg replay FILE</code> a recording.</p>"
    )
    yield "</footer>"


def _places(exhibits: Sequence[Exhibit]) -> str:
    """What the search looks through, as JSON that can stand in a page."""
    found = [
        [
            one.page,
            str(visible(one.title)),
            [[one.at(each.row).partition("#")[2], str(visible(each.heading)), each.words] for each in one.places],
        ]
        for one in exhibits
    ]
    text = json.dumps(found, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
