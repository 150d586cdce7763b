"""All that can be typed while a recording is played, and what completion offers.

Handlers run on the replay's thread.  Nothing here runs anything that was recorded.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Annotated

from tracedbg.lang.params import Words
from tracedbg.lang.paramtypes import NumberType, TextType
from tracedbg.lang.reference import help_lines
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import BadArgument
from tracedbg.model.text import Shown, visible

from . import looking, moving
from .deck import Deck

general = CommandTable("general", "The replay itself")


@general.add("speed")
def speed(deck: Deck, factor: Annotated[str, TextType("FACTOR", "a factor such as 2 or 0.5; 0 for at once"), ""] = "") -> list[Shown]:
    """Show or set how many times as fast as it was the recording is played; 0 is at once.

    Example: speed 4
    """
    if factor:
        deck.speed = factor_of(factor, "speed")
    return [Shown(f"speed {deck.speed:g}" + (": at once" if not deck.speed else ""))]


@general.add("idle")
def idle(deck: Deck, longest: Annotated[str, TextType("SECONDS", "seconds such as 2 or 0.5"), ""] = "") -> list[Shown]:
    """Show or set the longest pause that is played, in recorded seconds.

    Example: idle 10
    """
    if longest:
        deck.idle = factor_of(longest, "idle")
    return [Shown(f"pauses of at most {deck.idle:g} s are played")]


@general.add("guess")
def guess(deck: Deck, number: Annotated[int, NumberType("NUMBER", "the number of a choice", 1)] | None = None) -> None:
    """Answer the question that waits; its number alone on the line does the same, and Enter alone skips it.

    Example: guess 2
    """
    deck.guess(number)


@general.add("help", "h")
def help_(deck: Deck, words: Annotated[Words, "a command or a family; nothing for an overview"] = ()) -> list[Shown]:
    """Explain a command of the replay, or list them.

    Example: help seek
    """
    return [line for line in help_lines(all_commands(), words, deck.columns()) if not line.startswith("On a thread or puppet")]


@general.add("quit", "q", "exit")
def quit_(deck: Deck) -> None:
    """Leave the replay.

    Example: quit
    """
    deck.pause()
    deck.quitting = True


def factor_of(text: str, what: str) -> float:
    """A number that is not negative and not huge.

    Raises:
        BadArgument: it is none.
    """
    try:
        value = float(text.removesuffix("x"))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1e6:
        raise BadArgument(f"{visible(text)} cannot be a {what}", "write a number from 0 on, such as 0.5 or 4")
    return value


@functools.cache
def all_commands() -> CommandTable:
    """Every row."""
    whole = CommandTable.merged((moving.table, looking.table, general))
    whole.group("info", "i", about="Tell about the state at this place of the recording.")
    return whole


class Context:
    """What completion may ask of a deck: names.  Any thread."""

    def __init__(self, deck: Deck) -> None:
        self._deck = deck

    def variable(self, name: str) -> str | None:
        """Nothing has a value: nothing runs."""
        return None

    def names(self, kind: str, prefix: str) -> Iterable[str]:
        """Names of one kind."""
        if kind == "place":
            return ["start", "end", *(each.slug for each in self._deck.tape.sections if each.slug)]
        if kind == "command":
            return [row.name for row in all_commands().rows]
        return ()
