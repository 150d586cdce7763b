"""A recording as one HTML page that needs nothing else: rows of text, beside each the lanes; and the same without the page around it.

Pure, any thread.  Python writes everything, the script only shows and hides.  Every text passes `markup`; the page's policy allows no
network, and exactly one style and one script.
"""

from __future__ import annotations

import base64
import functools
import gzip
from collections.abc import Iterator
from importlib import resources

from tracedbg.eventlog.codec import encode, header
from tracedbg.eventlog.recordings import Recording
from tracedbg.model.events import CallReturned, StateKept, ThreadAsleep

from .drawing import Lanes
from .markup import duration, inline, lines, milliseconds, policy, prose, text
from .rows import Part, Row
from .story import Answer, Command, Happened, LeftOut, Question, Revealed, Told
from .timeline import MANY_ROWS, Timeline, timeline

_LEGEND = (
    ('<i class="k command"></i>', "a command: you tell a thread what to call; or one thread of tracedbg tells another"),
    ('<i class="k request"></i>', "a request that reached its target"),
    ('<i class="k refused"></i>', "refused: ends in a cross, with the errno"),
    ('<i class="k report"></i>', "a stop or a death is reported to a wait queue"),
    ('<i class="k wake"></i>', "a wait call takes a report and returns"),
    ('<i class="k sleep"></i>', "a wait call goes to its queue"),
    ('<i class="bx seen"></i>', "asleep on the queue: seen in /proc"),
    ('<i class="bx inf"></i>', "a name with a question mark: inside the call, not yet seen asleep"),
    ('<i class="bx call"></i>', "inside a call that has not returned"),
    ('<i class="bx look"></i>', "a fact that was read in /proc or in registers"),
    ("<b>R t X ?</b> ", "the tracee runs (or sleeps), is stopped, is dead; nothing was told of it yet"),
)
_MOST_LINES = 12


def page(recording: Recording, home: str = "") -> str:
    """The page.

    Args:
        recording: by time.
        home: address of the front page of a site that it is part of; empty for a page that stands alone.

    Raises:
        BadArgument: there would be too many rows.
    """
    made = timeline(recording)
    style, script = _asset("page_style.css"), _asset("page.js")
    count = sum(isinstance(row.item, Happened | Command | Question) for part in made.parts for row in part.rows)
    return "\n".join([
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        policy(style, script),
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{text(made.title)} - tracedbg</title>",
        f"<style>{style}</style></head>",
        '<body class="tdbg">',
        f'<header class="top">{_way_back(home)}<h1>{text(made.title)}</h1>{_about(recording, made)}</header>',
        _controls(count),
        "<main>",
        *_parts(made, "r"),
        _legend(),
        "</main>",
        f'<script type="application/gzip" id="recording">{_embedded(recording)}</script>',
        f"<script>{script}</script>",
        "</body></html>",
    ]) + "\n"  # fmt: skip


def fragment(recording: Recording) -> str:
    """The same to be put into another page: a style and a ``div``; no script, no ids, no names outside of the class ``tdbg``.

    Args:
        recording: by time.

    Raises:
        BadArgument: there would be too many rows.
    """
    made = timeline(recording)
    body = [f"<style>{_asset('page_style.css')}</style>", '<div class="tdbg">', f"<h2>{text(made.title)}</h2>", _about(recording, made)]
    return "\n".join([*body, *_parts(made, ""), _legend(), "</div>"]) + "\n"


def _way_back(home: str) -> str:
    return f'<p class="meta"><a href="{text(home)}">All lessons</a></p>' if home else ""


@functools.cache
def _asset(name: str) -> str:
    return resources.files("tracedbg.exports").joinpath(name).read_text(encoding="utf-8").strip()


def _embedded(recording: Recording) -> str:
    """The recording itself, gzip in base64: its alphabet cannot end the element it stands in."""
    data = header({key: value for key, value in recording.header.items() if key not in ("format", "version", "clock")})
    return base64.b64encode(gzip.compress(data + b"".join(map(encode, recording.records)), mtime=0)).decode("ascii")


def _about(recording: Recording, made: Timeline) -> str:
    host = recording.header.get("host")
    machine = f"Recorded on Linux {host.get('kernel', '?')} {host.get('machine', '')}. " if isinstance(host, dict) else ""
    by = "".join(
        f"{label}: {recording.text(name)}. " for name, label in (("author", "Author"), ("licence", "Licence")) if recording.text(name)
    )
    rows = sum(len(part.rows) for part in made.parts)
    slow = f" {rows:,} rows are slow to go through: trim the recording, or take the perfetto export." if rows > MANY_ROWS else ""
    note = f" {made.note[:1].upper()}{made.note[1:]}." if made.note else ""
    return (
        f'<p class="meta">{text(machine + by)}Time runs down, one row for each event; times are in ms since the start, '
        f"distances are not to scale.{text(note + slow)}</p>"
    )


def _controls(count: int) -> str:
    buttons = (
        ("first", "first", "Home"),
        ("prev", "back", "k or left arrow"),
        ("play", "play", "Space"),
        ("next", "next", "j or right arrow"),
        ("all", "show all", "Esc"),
        ("theme", "light / dark", "colours"),
    )
    made = "".join(f'<button id="{key}" type="button" title="{title}">{label}</button>' for key, label, title in buttons)
    scrub = f'<input id="scrub" type="range" min="0" max="{max(0, count - 1)}" value="0" aria-label="Row">'
    return f'<nav aria-label="Playback" hidden>{made}{scrub}<output id="pos"></output><output id="state" aria-live="polite"></output></nav>'


def _legend() -> str:
    items = "".join(f"<li>{sign}{text(words)}</li>" for sign, words in _LEGEND)
    keys = "<li>keys: j k step, [ ] sections, Space plays, Home, End, Esc shows all</li>"
    return f'<aside class="legend" aria-label="Legend"><h2>Reading the picture</h2><ul>{items}{keys}</ul></aside>'


# --- sections -----------------------------------------------------------------------------------------------------------------
def _parts(made: Timeline, prefix: str) -> Iterator[str]:
    for part in made.parts:
        heading = f"{part.section.number}. {text(part.section.heading)}" if part.section.number else "Before it begins"
        tag = "h2" if prefix else "h3"
        yield f"<section>{f'<{tag}>{heading}</{tag}>' if part.section.number else ''}"
        if part.others:
            yield f'<p class="meta">Not drawn, only told: {text(", ".join("you" if each == "repl" else each for each in part.others))}.</p>'
        yield '<ol class="rows">'
        yield from _rows(part, made, prefix)
        yield "</ol></section>"


def _rows(part: Part, made: Timeline, prefix: str) -> Iterator[str]:
    lanes = Lanes(part.columns)
    head = _head(part) if part.columns else ""
    wide = True  # what stood last went over the whole width: the names of the lanes are told again
    for row in part.rows:
        item = row.item
        if isinstance(item, Happened | Command | Answer):
            yield _row(row, lanes, head if wide else "", prefix)
            wide = False
            continue
        wide = True
        if isinstance(item, Told):
            yield from _told(item)
        elif isinstance(item, Question):
            yield _asked(item, row, prefix)
        elif isinstance(item, Revealed):
            yield _revealed(item.question, made, prefix)
        elif isinstance(item, LeftOut):
            yield f'<li class="w"><em>Not run here: it needs {text(item.need)} ({text(item.reason)}).</em></li>'


def _head(part: Part) -> str:
    names = "".join(f"<span>{text(column.name)}<small>{text(column.about)}</small></span>" for column in part.columns)
    return f'<div class="hd" aria-hidden="true">{names}</div>'


def _row(row: Row, lanes: Lanes, head: str, prefix: str) -> str:
    place = f' id="r{row.seq}"' if prefix and isinstance(row.item, Happened | Command) and not row.folded else ""
    gap = f"<i>{text(duration(row.gap))} later</i>" if row.gap else ""
    count = len(lanes.columns)
    drawn = f'<svg class="g L{count}" aria-hidden="true">{lanes.row(row)}</svg>' if count else ""
    state = f' data-s="{text(row.look.words())}"' if not isinstance(row.item, Answer) else ""
    return (
        f'<li class="r{" gap" if gap else ""}{" hh" if head else ""}"{place}{state}>{head}{drawn}'
        f'<span class="tm">{gap}{milliseconds(row.t)}</span><div class="x">{_said(row)}{_kept(row.kept)}</div></li>'
    )


def _said(row: Row) -> str:
    item = row.item
    if row.folded:
        return f"<em>the same {row.folded} more times: {text(row.lane)} {text(row.text)}</em>"
    if isinstance(item, Command):
        return f"you: <code>{text(item.text)}</code>"
    if isinstance(item, Answer):
        return _answer(item.command)
    took = f" <small>{duration(row.took)}</small>" if row.took else ""
    expected = '<span class="ok">\u2713 as the lesson expected</span>' if row.expected else ""
    return f"<b>{text(row.lane)}</b> {_event(row)}{took}{expected}"


def _event(row: Row) -> str:
    assert isinstance(row.item, Happened)
    event = row.item.record.event
    if isinstance(event, ThreadAsleep):
        return f"seen asleep <small>(/proc: {text(event.evidence)})</small>"
    kind = ""
    if isinstance(event, CallReturned):
        kind = ' class="err"' if event.errno else ' class="got"' if any(arrow.kind == "wake" for arrow in row.arrows) else ""
    return f"<code{kind}>{text(row.text)}</code>"


def _answer(command: Command) -> str:
    if command.error:
        return f'<span class="err">{text(command.error)}</span>'
    shown = "<br>".join(f'<span class="m">{text(line)}</span>' for line in command.answer[:_MOST_LINES])
    rest = command.answer[_MOST_LINES:]
    more = f"<details><summary>{len(rest)} more lines</summary><pre>{lines(chr(10).join(rest))}</pre></details>" if rest else ""
    return f"{shown}{more}"


def _kept(state: StateKept | None) -> str:
    if state is None:
        return ""
    parts = [f"<p>{text(state.where)}</p>"] if state.where else []
    if state.source:
        numbered = "\n".join(f"{'>' if number == state.line else ' '} {number:>4} {line}" for number, line in state.source)
        parts.append(f"<pre>{lines(numbered)}</pre>")
    blocks = (
        ("backtrace", state.frames),
        ("threads", state.threads),
        ("wait queue of tracedbg", tuple(f"{lane}: {call}" for lane, call in state.queue)),
        ("registers", tuple(f"{name:<8} {value}" for name, value in state.registers)),
    )
    parts += [f"<p>{name}:</p><pre>{lines(chr(10).join(each))}</pre>" for name, each in blocks if each]
    return f"<details><summary>state at this stop</summary>{''.join(parts)}</details>" if parts else ""


# --- what is told and asked -----------------------------------------------------------------------------------------------------
def _told(item: Told) -> Iterator[str]:
    if item.kind == "program":
        yield f'<li class="w"><details><summary>{text(item.summary)}</summary><pre>{lines(item.text)}</pre></details></li>'
    elif item.kind in ("why", "hint", "more"):
        yield f'<li class="w"><details><summary>{text(item.summary)}</summary>{prose(item.text)}</details></li>'
    elif item.kind != "notes":  # those are for whoever speaks
        yield f'<li class="w">{prose(item.text)}</li>'


def _asked(item: Question, row: Row, prefix: str) -> str:
    place = f' id="r{item.seq}" data-ask data-right="{item.right}" data-s="{text(row.look.words())}"' if prefix else ""
    choices = "".join(
        f'<li data-k="{number}">{f"<code>{text(choice.pattern)}</code> " if choice.pattern else ""}{inline(choice.reason)}</li>'
        for number, choice in enumerate(item.choices)
    )
    return (
        f'<li class="w"{place}><div class="ask"><b>What do you think?</b>{prose(item.text)}<ol>{choices}</ol>'
        f'<p class="verdict" aria-live="polite"></p></div></li>'
    )


def _has_row(made: Timeline, seq: int) -> bool:
    rows = (row for part in made.parts for row in part.rows)
    return any(row.seq == seq and isinstance(row.item, Happened | Command) and not row.folded for row in rows)


def _revealed(question: Question, made: Timeline, prefix: str) -> str:
    lane, line = made.deciding.get(question.by, ("", ""))
    link = f' <a href="#r{question.by}">its row</a>' if prefix and _has_row(made, question.by) else ""
    seen = f"<p><b>What happened:</b> <code>{text(f'{lane}  {line}')}</code>{link}</p>" if lane else ""
    right = ""
    if 0 <= question.right < len(question.choices):
        pattern = question.choices[question.right].pattern
        right = f"<p>Number {question.right + 1} is right{f': <code>{text(pattern)}</code>' if pattern else ''}.</p>"
    return f'<li class="w"><div class="rv">{seen}{right}</div></li>' if seen or right else ""
