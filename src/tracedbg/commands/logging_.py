"""The command `log`: what of the log is shown, and a look at what it holds.

Handlers run at once, also while another command runs; they change only what is looked at, never what has happened.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from tracedbg.lang.params import Words
from tracedbg.lang.paramtypes import ChoiceType
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import BadArgument, NotFound
from tracedbg.model.events import Detail, Record
from tracedbg.model.ids import Source
from tracedbg.model.text import Shown, visible
from tracedbg.render.lines import line_of
from tracedbg.session.session import Session

from .answers import Answer

table = CommandTable("log", "The log")

LEVELS = {level.name.lower(): level for level in Detail}
"""Levels by the words that name them."""

_MOST = 500
"""Lines that one `log N` prints at most."""
_LAST = 20
_LANES = ("repl", "control", "tracer", "tracee", "kernel", "witness", "log", "output")
"""Lanes that need nobody to make them."""


class LogChoice(msgspec.Struct, frozen=True):
    """What the live log shows from now on."""

    on: bool
    detail: str
    lanes: tuple[str, ...]

    def lines(self, width: int) -> list[Shown]:
        """One line."""
        if not self.on:
            return [Shown("The live log is off; everything is still recorded: log last 20")]
        lanes = f"lanes {', '.join(self.lanes)}" if self.lanes else "all lanes"
        return [visible(f"The live log shows {lanes}, detail {self.detail}.")]


class LogPage(msgspec.Struct, frozen=True):
    """Records of the past.

    Args:
        records: oldest first.
        left: how many more there are after them.
    """

    records: tuple[Record, ...]
    left: int = 0

    def lines(self, width: int) -> list[Shown]:
        """Number, seconds since the log began, lane, how we know, and the canonical line."""
        shown = [(record, line_of(record)) for record in self.records]
        wide = max((len(record.lane) for record, _ in shown), default=0)
        out = [log_line(record, text, wide) for record, text in shown if text is not None]
        if self.left:
            out.append(visible(f"{self.left} more: log {self.records[-1].seq + 1}"))
        return out or [Shown("nothing yet")]


def log_line(record: Record, text: str, wide: int = 8) -> Shown:
    """One line of a listing: how we know stands before the text unless the caller itself measured it."""
    source = "" if record.source is Source.USER else f"[{record.source.value}] "
    return visible(f"{record.seq:>6} {record.t / 1e9:>10.6f}  {record.lane:<{wide}}  {source}{text}")


@table.add("log", while_busy="now")
def log(
    session: Session,
    words: Annotated[Words, "lanes or 'all', 'on', 'off', a number to begin at, or 'last N'"] = (),
    *,
    detail: Annotated[str, ChoiceType("LEVEL", *LEVELS), "quiet, news, calls or desk: how much is shown"] | None = None,
) -> Answer:
    """Choose what the live log shows, or print a part of what it holds.

    `log w1 tracee` shows only those lanes, `log all` every lane; `log off` and `log on` hide and show it. `quiet` shows answers and
    output, `news` what happened to the program, `calls` every ptrace and wait call and who slept, `desk` also what the threads
    of tracedbg ask of each other. `log 100` prints from record 100 on, `log last 30` the last thirty.

    In the kernel: nothing is called. Each line says how we know: measured by the calling thread itself, or [proc], [tracefs],
    [inferred].

    Example: log --detail desk tracer waiter
    """
    words, detail = _options(words, detail)
    if words and (words[0] == "last" or words[0].isdecimal()):
        return _page(session, words)
    view = session.view
    if words in (("on",), ("off",)):
        view.on = words == ("on",)
    elif words:
        _check_lanes(session, words)
        view.lanes = None if "all" in words else frozenset(words)
        view.on = True
    if detail is not None:
        view.set_detail(LEVELS[detail])
        view.on = True
    return LogChoice(view.on, view.detail.name.lower(), tuple(sorted(view.lanes or ())))


def _options(words: tuple[str, ...], detail: str | None) -> tuple[tuple[str, ...], str | None]:
    """`--detail LEVEL` behind the lanes is as good as before them, and a level's name alone is enough."""
    rest = list(words)
    for place, word in enumerate(rest):
        name, equals, value = word.partition("=")
        if name != "--detail":
            continue
        taken = 1 if equals else 2
        if not equals:
            value = rest[place + 1] if place + 1 < len(rest) else ""
        detail = ChoiceType("LEVEL", *LEVELS).parse(value)
        del rest[place : place + taken]
        break
    if detail is None:
        # `log quiet` is what one types: no lane has the name of a level.
        detail = next((word for word in rest if word in LEVELS), None)
        rest = [word for word in rest if word != detail]
    return tuple(rest), detail


def _check_lanes(session: Session, words: tuple[str, ...]) -> None:
    known = {*_LANES, *session.actors.names(), "all"}
    for word in words:
        if word not in known:
            raise NotFound(f"there is no lane {word}", f"there are {', '.join(sorted(known - {'all'}))}, and all")


def _page(session: Session, words: tuple[str, ...]) -> LogPage:
    """`log N` and `log last N`: lanes and level as in the live log."""
    view = session.view
    last = words[0] == "last"
    rest = words[1:] if last else words
    if len(rest) > 1 or (rest and not rest[0].isdecimal()):
        raise BadArgument("log takes one number here", "log 100, or log last 30")
    number = int(rest[0]) if rest else _LAST
    records = session.log.since(0 if last else max(0, number - 1))
    kept = [record for record in records if view.shows(record) and line_of(record) is not None]
    if last:
        return LogPage(tuple(kept[-number:] if number else ()))
    return LogPage(tuple(kept[:_MOST]), max(0, len(kept) - _MOST))
