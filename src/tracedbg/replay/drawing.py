"""Records as lines for the replay: what the screen showed when it was recorded, a lesson's text and questions included.

Pure but for the memory of repeated calls that the live log has as well; the replay's thread.  All text of the recording passes
`visible`, and what is very long is cut: a recording is foreign.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from tracedbg.commands.screen import Lines
from tracedbg.model.events import (
    BlockLeftOut,
    CommandFinished,
    Detail,
    LineEntered,
    PredictionAnswered,
    PredictionAsked,
    PredictionRevealed,
    Record,
    StateKept,
    StepReached,
    TextTold,
)
from tracedbg.model.text import Shown, visible
from tracedbg.render.lines import line_of
from tracedbg.render.markdown import MEASURE, markdown_lines
from tracedbg.render.styles import MAX_LINE, StyledLine, shorten

from .tape import Tape

_MARGIN = Shown("  ")
_MOST_MARKDOWN = 20_000
"""Characters of one text that are laid out; lessons have a tenth of that, and a parser's time may grow faster than the text."""

_MOST_LINES = 2_000
"""Lines of one record that are shown."""


_OWN = frozenset(
    (StepReached, TextTold, PredictionAsked, PredictionAnswered, PredictionRevealed, BlockLeftOut, StateKept, LineEntered, CommandFinished)
)
"""Kinds that are drawn here; all others as at the live prompt."""


class View:
    """Which records are shown.

    Args:
        detail: up to this level.
    """

    def __init__(self, detail: Detail) -> None:
        self._detail = detail
        self.lanes: frozenset[str] | None = None

    @property
    def detail(self) -> Detail:
        """The level."""
        return self._detail

    @detail.setter
    def detail(self, detail: Detail) -> None:
        self._detail = detail

    def wants(self, record: Record) -> bool:
        """Whether a record is shown."""
        return record.event.detail <= self._detail and (self.lanes is None or record.lane in self.lanes)


class Drawing:
    """Draws the records of one tape.

    Args:
        tape: they are of.
        columns: of the screen now.
        colour: styles can be seen.
        times: with a column of seconds.
    """

    def __init__(self, tape: Tape, columns: Callable[[], int], *, colour: bool, times: bool) -> None:
        self._tape, self._columns, self._colour, self._times = tape, columns, colour, times
        self.view = View(Detail.CALLS)
        self._running = self._lines()

    def _lines(self) -> Lines:
        return Lines(self.view, times=self._times, echo=True)

    def jumped(self) -> None:
        """What is drawn next does not follow what was drawn last."""
        self._running = self._lines()

    def shows(self, record: Record) -> bool:
        """Whether a record has lines: what `step` counts."""
        event = record.event
        if isinstance(event, TextTold):
            return event.kind != "notes"
        if isinstance(event, (StepReached, PredictionAsked, PredictionRevealed, BlockLeftOut)):
            return True
        if isinstance(event, (PredictionAnswered, StateKept)) or record.seq in self._tape.assertions:
            return False
        if isinstance(event, CommandFinished):
            return bool(event.lines or event.error)
        return bool(self._logged(record, self._lines()))

    def alone(self, record: Record) -> list[StyledLine]:
        """The lines of one record, whatever stood before it."""
        return self._drawn(record, self._lines())

    def next(self, record: Record) -> list[StyledLine]:
        """The lines of the record that comes next; none if it only repeats the call before it, as in the live log."""
        return self._drawn(record, self._running)

    def _drawn(self, record: Record, lines: Lines) -> list[StyledLine]:
        drawn = self._of(record, lines)
        if len(drawn) > _MOST_LINES:
            drawn = [*drawn[:_MOST_LINES], (("gap", Shown(f"... {len(drawn) - _MOST_LINES} more lines")),)]
        return [shorten(line) if sum(len(text) for _, text in line) > MAX_LINE else line for line in drawn]

    def _of(self, record: Record, lines: Lines) -> list[StyledLine]:
        event = record.event
        if type(event) not in _OWN and record.seq not in self._tape.assertions:
            return self._logged(record, lines)
        if isinstance(event, StepReached):
            return self._heading(event)
        if isinstance(event, TextTold):
            return self._told(event)
        if isinstance(event, PredictionAsked):
            return self._question(event)
        if isinstance(event, PredictionRevealed):
            return self._revealed(record, event)
        if isinstance(event, BlockLeftOut):
            return [_line(("warn", f"This part was skipped, it needed {event.need}: {event.reason}")), ()]
        if isinstance(event, (PredictionAnswered, StateKept)) or record.seq in self._tape.assertions:
            return []
        if isinstance(event, LineEntered):
            return [(("prompt", Shown("tracedbg> ")), ("input", visible(event.text)))]
        if isinstance(event, CommandFinished) and event.ok and record.of in self._tape.assertions:
            captured = "".join(f"  {line.strip()}" for line in event.lines[1:])
            return [(("good", Shown("ok ")), ("hint", visible(self._tape.assertions[record.of])), ("note", visible(captured)))]
        return self._logged(record, lines)

    @staticmethod
    def _logged(record: Record, lines: Lines) -> list[StyledLine]:
        """As in the live log.  A foreign record may have the right fields and yet make no sense: that is told in its place."""
        try:
            return list(lines.of(record))
        except (LookupError, ValueError, TypeError, ArithmeticError) as error:
            return [(("warn", visible(f"record {record.seq} cannot be shown: {error!r}")),)]

    # --- what a lesson tells --------------------------------------------------------------------------------------------------
    def _prose(self, text: str, indent: int = 2) -> list[StyledLine]:
        if len(text) > _MOST_MARKDOWN:
            return [(("plain", visible(" " * indent + line)),) for line in text.split("\n")]
        # Laying out takes milliseconds, and the same text is drawn again and again by whoever goes back.
        return list(_laid_out(text, self._columns(), self._colour, indent))

    def _heading(self, event: StepReached) -> list[StyledLine]:
        last = self._tape.sections[-1].number if self._tape.sections else event.number
        title = f"{event.number}/{last}  {event.heading}" if event.number else event.heading
        lead = "── " if event.number else "━━ "
        rest = min(self._columns() - 1, MEASURE) - len(lead) - len(title) - 1
        tail = (("hint", Shown(" " + lead[0] * rest)),) if rest > 0 else ()
        return [(), (("hint", Shown(lead)), ("heading", visible(title)), *tail), ()]

    def _told(self, event: TextTold) -> list[StyledLine]:
        if event.kind == "notes":
            return []  # the speaker's, not the audience's
        if event.kind == "program":
            body = event.text.rstrip("\n").expandtabs(4).split("\n") if len(event.text) <= _MOST_MARKDOWN else event.text.split("\n")
            return [_line(("plain", f"{event.summary}:")), *(_line(("hint", " | "), ("code", each)) for each in body), ()]
        if event.kind == "rule":
            return [*self._prose(event.text, 4), ()]
        head: list[StyledLine] = [_line(("heading", event.summary)), ()] if event.summary else []
        return [*head, *self._prose(event.text), ()]

    def _question(self, event: PredictionAsked) -> list[StyledLine]:
        asked = event.question[:1].upper() + event.question[1:]
        listed = "\n".join(f"{number}. {_choice(each.pattern, each.reason)}" for number, each in enumerate(event.choices, 1))
        return [(), *self._prose(f"**What do you think?** {asked}"), (), *self._prose(listed), ()]

    def _revealed(self, record: Record, event: PredictionRevealed) -> list[StyledLine]:
        by = self._tape.record(event.by) if event.by else None
        seen = line_of(by) if by is not None else None
        out: list[StyledLine] = [(), _line(("strong", "What happened:"))]
        if by is not None and seen is not None:
            out.append(_line(("plain", f"  {by.lane}  {seen}")))
        choices = self.choices(record.of)
        if 0 <= event.right < len(choices):
            out += self._prose(f"Number {event.right + 1} was right: {choices[event.right]}")
        return [*out, ()]

    def choices(self, seq: int) -> list[str]:
        """The choices of a question, as Markdown; none if there is no such question."""
        asked = self._tape.record(seq)
        if asked is None or not isinstance(asked.event, PredictionAsked):
            return []
        return [_choice(each.pattern, each.reason) for each in asked.event.choices]

    def verdict(self, seq: int, guess: int | None, right: int, recorded: int) -> list[StyledLine]:
        """What was guessed, now and when it was recorded, behind what happened.

        Args:
            seq: of the question.
            guess: number of the choice that was chosen now, from 0 on; None for none.
            right: the one that the kernel made right, -1 where the question was for thinking only.
            recorded: the one that was chosen then, -1 for none.
        """
        choices = self.choices(seq)
        out: list[StyledLine] = []
        if guess is not None and 0 <= guess < len(choices):
            lead = "You had said" if right < 0 else "As you predicted" if guess == right else "You had predicted"
            out += self._prose(f"{lead}: {choices[guess]}")
            if right >= 0 and guess != right:
                out += [(), *self._prose("Which rule explains the difference?")]
        if 0 <= recorded < len(choices):
            out.append(_line(("hint", f"recorded guess: {recorded + 1}")))
        return [*out, ()] if out else []


@functools.lru_cache(maxsize=200)
def _laid_out(text: str, columns: int, colour: bool, indent: int) -> tuple[StyledLine, ...]:
    return tuple(markdown_lines(text, columns, colour=colour, indent=indent))


def _choice(pattern: str, reason: str) -> str:
    words = " ".join(reason.split())
    if not pattern:
        return words
    ticks = "``" if "`" in pattern else "`"
    return f"{ticks}{pattern}{ticks}" + (f" - {words}" if words else "")


def _line(*pieces: tuple[str, str]) -> StyledLine:
    return (("plain", _MARGIN), *((style, visible(text)) for style, text in pieces))
