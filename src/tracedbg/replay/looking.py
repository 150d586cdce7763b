"""Looking at what was, at the place where the replay stands.

Handlers run on the replay's thread; they return lines.  What they tell was kept or follows from the events, and they say which.
"""

from __future__ import annotations

from typing import Annotated

from tracedbg.lang.forms import WordsType
from tracedbg.lang.params import Words
from tracedbg.lang.paramtypes import ChoiceType
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import BadArgument, NotFound
from tracedbg.model.events import Detail, PredictionAsked, PredictionRevealed, StepReached, TextTold
from tracedbg.model.text import Shown, visible
from tracedbg.render.lines import line_of

from .deck import Deck
from .moving import must_have_sections
from .tape import seconds

table = CommandTable("looking", "Looking at what was")

LEVELS = {level.name.lower(): level for level in Detail}
"""Levels of detail by their names."""

_TEXTS = (StepReached, TextTold, PredictionAsked, PredictionRevealed)
_LAST = 20
_MOST = 500

Lines = list[Shown]


@table.add("where", "info position")
def where(deck: Deck) -> Lines:
    """Tell where the replay stands, and the frames of the program as they were.

    Example: where
    """
    out = [visible(f"{'playing, ' if deck.playing else ''}{deck.place()}; {deck.position:,} of {len(deck.tape):,} events")]
    return out + deck.states.backtrace(deck.position) if deck.tape.kept_at(deck.position) is not None else out


@table.add("backtrace", "bt", "info backtrace", "info stack")
def backtrace(deck: Deck) -> Lines:
    """Show the frames of the program as they were.

    Example: backtrace
    """
    return deck.states.backtrace(deck.position)


@table.add("info registers")
def registers(
    deck: Deck, names: Annotated[tuple[str, ...], WordsType("REGISTER", "names of registers", "", variables=False), "only these"] = ()
) -> Lines:
    """Show the registers as they were at the last stop at which they were kept.

    Example: info registers rip rsp
    """
    return deck.states.registers(deck.position, names)


@table.add("info threads")
def threads(deck: Deck) -> Lines:
    """Show the threads of the program as they were.

    Example: info threads
    """
    return deck.states.threads(deck.position)


@table.add("info waitqueue")
def waitqueue(deck: Deck) -> Lines:
    """Show who slept in a wait call, and how that is known.

    Example: info waitqueue
    """
    return deck.states.waitqueue(deck.position)


@table.add("info source", "list")
def source(deck: Deck) -> Lines:
    """Show the source around the place where the program stood.

    Example: info source
    """
    return deck.states.source(deck.position)


@table.add("info lanes")
def lanes(deck: Deck) -> Lines:
    """Show which call each thread was inside of.

    Example: info lanes
    """
    return deck.states.lanes(deck.position)


@table.add("info sections")
def sections(deck: Deck) -> Lines:
    """List the sections.

    Example: info sections
    """
    must_have_sections(deck)
    here = deck.tape.section(deck.position)
    out = []
    for each in deck.tape.sections:
        mark = "=>" if each is here else "  "
        seq = deck.tape.records[each.position].seq
        out.append(
            visible(f"{mark} {each.number:>3}  {seconds(deck.tape.time(each.position + 1)):>12}  {seq:>7}  {each.heading}  ({each.slug})")
        )
    return out


@table.add("info stops")
def stops(deck: Deck) -> Lines:
    """List the stops and ends of programs, at most those around this place.

    Example: info stops
    """
    found = deck.tape.stops
    if not found:
        return [Shown("no program stopped in this recording")]
    after = sum(1 for stop in found if stop <= deck.position)
    first = max(0, after - _LAST)
    out = [Shown(f"{first} earlier stops are not listed")] if first else []
    for number in range(first, min(len(found), after + _LAST)):
        mark = "=>" if number == after - 1 else "  "
        out += [visible(f"{mark} {line}") for line in _logged(deck, found[number] - 1)]
    left = len(found) - after - _LAST
    return [*out, Shown(f"{left} later stops are not listed")] if left > 0 else out


@table.add("info recording")
def recording(deck: Deck) -> Lines:
    """Tell what is known of the recording itself: title, author, machine, length.

    Example: info recording
    """
    header = deck.tape.recording
    out = [visible(f"{header.title} ({header.path})")]
    out += [visible(f"{name}: {header.text(name)}") for name in ("author", "licence", "started") if header.text(name)]
    host = header.header.get("host")
    if isinstance(host, dict):
        out.append(visible("recorded on: " + ", ".join(f"{key} {value}" for key, value in list(host.items())[:12])))
    length = seconds(deck.tape.time(len(deck.tape)) - deck.tape.time(0))
    out.append(visible(f"{len(deck.tape):,} events in {length}; {len(deck.tape.stops)} stops, {len(deck.tape.kept)} kept states"))
    return [*out, visible(header.note)] if header.note else out


@table.add("log")
def log(
    deck: Deck,
    words: Annotated[Words, "lanes or 'all', the number of a record to begin at, or 'last N'"] = (),
    *,
    detail: Annotated[str, ChoiceType("LEVEL", *LEVELS), "quiet, news, calls or desk: how much is shown"] | None = None,
) -> Lines:
    """Print the log up to here, or from a record on; choose how much of it is shown.

    Without words the last twenty lines. `log w1 tracee` shows only those lanes from now on, `log all` every lane.

    Example: log last 50
    """
    view = deck.drawing.view
    if detail is not None:
        view.detail = LEVELS[detail]
    if not words and detail is None:
        return _page(deck, "last", _LAST)
    if not words:
        return [visible(f"the log shows detail {detail}")]
    if words[0] == "last" or words[0].isdecimal():
        number = words[1] if words[0] == "last" and len(words) > 1 else words[0] if words[0] != "last" else str(_LAST)
        if not (number.isascii() and number.isdecimal()) or len(number) > 15 or len(words) > 2:
            raise BadArgument("log takes one number here", "log 100, or log last 30")
        return _page(deck, words[0], int(number))
    known = {record.lane for record in deck.tape.records}
    unknown = [word for word in words if word not in known and word != "all"]
    if unknown:
        some = ", ".join(sorted(known)[:12])
        raise NotFound(f"there is no lane {visible(unknown[0])} in this recording", f"there are {visible(some)}, and all")
    view.lanes = None if "all" in words else frozenset(words)
    return [visible(f"the log shows {'all lanes' if view.lanes is None else 'lanes ' + ', '.join(sorted(view.lanes))}")]


def _page(deck: Deck, word: str, number: int) -> Lines:
    found: list[Lines] = []
    missing = min(number, _MOST)
    if word == "last":
        for index in range(deck.position - 1, -1, -1):
            if missing <= 0:
                break
            lines = _logged(deck, index)
            found.append(lines)
            missing -= len(lines)
        found.reverse()
        return [line for lines in found for line in lines] or [Shown("nothing yet")]
    for index in range(deck.tape.place([str(number)], 0) - 1, deck.position):
        if missing <= 0:
            break
        lines = _logged(deck, index)
        found.append(lines)
        missing -= len(lines)
    return [line for lines in found for line in lines] or [Shown("that was not told yet: seek goes there")]


def _logged(deck: Deck, index: int) -> Lines:
    """The lines of one record behind its number; of a lesson's texts only what they are."""
    record = deck.tape.records[index]
    if isinstance(record.event, _TEXTS):
        texts = [line_of(record) or ""]
    else:
        texts = ["".join(piece for _, piece in line) for line in deck.drawing.alone(record)]
    return [visible(f"{record.seq:>7}  {text}") for text in texts if text.strip()]
