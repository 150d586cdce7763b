"""Moving on a recording: in time, by events, stops and sections, to a place, to a text.

Handlers run on the replay's thread; they get the deck, move it, and raise our errors.  The words are gdb's, so that nobody learns two
languages.
"""

from __future__ import annotations

from typing import Annotated

from tracedbg.lang.forms import WordsType
from tracedbg.lang.params import Count, Rest
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import BadArgument, NotFound, NotNow
from tracedbg.model.events import Record
from tracedbg.model.text import Shown, visible
from tracedbg.render.styles import StyledLine

from .deck import Deck

table = CommandTable("moving", "Moving on the recording")


@table.add("play", repeats=True)
def play(deck: Deck) -> None:
    """Let time run on, up to the end, a question, or Ctrl-C.

    Example: play
    """
    deck.play()


@table.add("pause")
def pause(deck: Deck) -> list[Shown] | None:
    """Let time stand still; Ctrl-C and Space on an empty line do so too.

    Example: pause
    """
    if not deck.pause():
        raise NotNow("nothing is played", "play goes on")
    return [visible(f"paused at {deck.place()}")]


@table.add("continue", "c", "fg", repeats=True)
def continue_(deck: Deck, count: Annotated[Count, "how many stops"] = 1) -> None:
    """Play on up to the next stop of a program, in time; without a further stop, up to the end.

    Example: continue
    """
    ahead = deck.tape.stop_from(deck.position, count)
    deck.play(ahead if ahead > deck.position else None)


@table.add("step", "s", "next", "n", "stepi", "si", "nexti", "ni", repeats=True)
def step(deck: Deck, count: Annotated[Count, "how many events"] = 1) -> None:
    """Show the next event at once; those that the log's level of detail leaves out are passed.

    Example: step 5
    """
    deck.step(count)


@table.add("reverse-step", "rs", "reverse-stepi", "rsi", "reverse-next", "rn", "reverse-nexti", "rni", "back", repeats=True)
def reverse_step(deck: Deck, count: Annotated[Count, "how many events"] = 1) -> None:
    """Go back to before the last event.

    Example: reverse-step
    """
    deck.step_back(count)


@table.add("reverse-continue", "rc", repeats=True)
def reverse_continue(deck: Deck, count: Annotated[Count, "how many stops"] = 1) -> None:
    """Go back to the stop before; without one, to the beginning.

    Example: reverse-continue
    """
    deck.back_to(deck.tape.stop_from(deck.position, -count))


@table.add("section", repeats=True)
def section(deck: Deck, count: Annotated[Count, "how many sections"] = 1) -> None:
    """Go to the beginning of the next section.

    Example: section
    """
    must_have_sections(deck)
    ahead = deck.tape.section_from(deck.position, count)
    if ahead == deck.position:
        raise NotNow("this is the last section", "reverse-section goes back, seek end to the end")
    deck.go(ahead)


@table.add("reverse-section", repeats=True)
def reverse_section(deck: Deck, count: Annotated[Count, "how many sections"] = 1) -> None:
    """Go back to the beginning of this section, or to the one before.

    Example: reverse-section
    """
    must_have_sections(deck)
    deck.back_to(deck.tape.section_from(deck.position, -count))


@table.add("seek")
def seek(deck: Deck, place: Annotated[tuple[str, ...], WordsType("PLACE", "a place on the recording", "place"), ""] = ()) -> None:
    """Go to a place: the number of a record, a time, a section, start or end.

    A time is written 1.5s, 200ms or 1:30 since the recording began, +2s and -2s from here. A section is named by its short name, by
    what its heading begins with, or `section 3`.

    Example: seek 412
    """
    deck.go(deck.tape.place(place, deck.position))


@table.add("search", "forward-search", "fo", repeats=True, repeat_as="search")
def search(deck: Deck, text: Annotated[Rest, "what to look for; nothing for the same as before"] = "") -> None:
    """Go to the next event whose line holds a text, in capitals or not.

    Example: search ESRCH
    """
    _search(deck, text, 1)


@table.add("reverse-search", "rev", repeats=True, repeat_as="reverse-search")
def reverse_search(deck: Deck, text: Annotated[Rest, "what to look for; nothing for the same as before"] = "") -> None:
    """Go back to the last event whose line holds a text, in capitals or not.

    Example: reverse-search ESRCH
    """
    _search(deck, text, -1)


def _search(deck: Deck, text: str, count: int) -> None:
    text = text or deck.searched
    if not text:
        raise BadArgument("search needs a text", "for example: search ESRCH")
    deck.searched = text
    wanted = visible(text).casefold()

    def fits(record: Record) -> bool:
        return any(wanted in _words(line) for line in deck.drawing.alone(record))

    found = deck.tape.find(deck.position, count, fits)
    if found is None:
        way, other = ("behind", "reverse-search looks back") if count > 0 else ("before", "search looks forward")
        raise NotFound(f"no event {way} this place holds '{visible(text)}'", other)
    deck.go(found)


def _words(line: StyledLine) -> str:
    """A line without its time, which nobody means who looks for a number."""
    return "".join(piece for style, piece in line if style != "time").casefold()


def must_have_sections(deck: Deck) -> None:
    """Where there are no sections, say so.

    Raises:
        NotFound: there are none.
    """
    if not deck.tape.sections:
        raise NotFound("this recording has no sections", "they are the steps of a lesson; continue goes on by stops")
