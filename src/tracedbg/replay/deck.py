"""The player: a tape, a place on it, and time.

One thread, the replay's, which calls `advance` when something is due; fields that are named without an underscore may be read on any
thread.  It sleeps for nothing and knows no screen: lines go to a function.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from tracedbg.model.errors import BadArgument, NotNow
from tracedbg.model.events import (
    CommandFinished,
    LineEntered,
    PredictionAnswered,
    PredictionAsked,
    PredictionRevealed,
    Record,
    StepReached,
    TextTold,
)
from tracedbg.model.text import visible
from tracedbg.render.styles import StyledLine

from .drawing import Drawing
from .state import States
from .tape import SECOND, Tape, seconds

IDLE_S = 2.0
"""Longest pause between two records, in recorded seconds: people read and think while they record."""

_PORTION = 500
"""Records that are told in one go, so that a command never waits long."""

_BEFORE = 8
"""Lines that are shown once more after a jump."""
_BEHIND = 3
"""The same after a single step back."""
_WHOLE = 24
"""Lines of one event that are shown all the same."""
_RING = 100
"""Lines that the split's log shows after a jump."""

_KEPT = (CommandFinished, LineEntered, StepReached, TextTold, PredictionAsked, PredictionRevealed)
"""Kinds that no screen leaves out, however many lines come at once: the same as at the live prompt."""

Put = Callable[[StyledLine, bool], None]


class Question(msgspec.Struct, frozen=True):
    """A prediction that waits for its answer.

    Args:
        seq: of its record.
        choices: how many it has.
        goal: where to go on to afterwards, None to stay.
    """

    seq: int
    choices: int
    goal: int | None


class Deck:
    """Plays a tape.

    Args:
        tape: to be played.
        states: of the same tape.
        drawing: makes lines of records.
        put: shows a line; its second argument says that the line must not be left out.
        speed: how many times as fast as it was, 0 for at once.
        idle: seconds that no recorded pause is longer than.
        questions: ask predictions again.
        columns: of the screen now.
    """

    def __init__(
        self,
        tape: Tape,
        states: States,
        drawing: Drawing,
        put: Put,
        *,
        speed: float = 1.0,
        idle: float = IDLE_S,
        questions: bool = True,
        columns: Callable[[], int] = lambda: 80,
    ) -> None:
        self.tape, self.states, self.drawing = tape, states, drawing
        self._put = put
        self.speed, self.idle, self.questions, self.columns = speed, idle, questions, columns
        self.position = 0
        self.goal: int | None = None
        """Where the playing ends; None while it does not play."""
        self.question: Question | None = None
        self.quitting = False
        self._due: float | None = None
        self._guesses: dict[int, int] = {}
        self._recorded: dict[int, int] = {
            record.of: record.event.choice for record in tape.records if isinstance(record.event, PredictionAnswered)
        }
        self.ring: deque[StyledLine] = deque(maxlen=_RING)
        """The newest lines of what a screen that can be redrawn should show."""
        self.searched = ""

    @property
    def playing(self) -> bool:
        """Time runs."""
        return self.goal is not None

    # --- telling --------------------------------------------------------------------------------------------------------------
    def say(self, style: str, text: str) -> None:
        """A line of the replay's own."""
        self.show([((style, visible(text)),)], keep=True)

    def show(self, lines: Iterable[StyledLine], *, keep: bool) -> None:
        """Lines behind all that were shown before."""
        for line in lines:
            self.ring.append(line)
            self._put(line, keep)

    def _tell(self, record: Record, *, alone: bool = False) -> bool:
        """Show a record; whether it has lines."""
        event = record.event
        lines = self.drawing.alone(record) if alone else self.drawing.next(record)
        if isinstance(event, PredictionRevealed):
            recorded = event.chosen if event.chosen >= 0 else self._recorded.get(record.of, -1)
            lines = [*lines, *self.drawing.verdict(record.of, self._guesses.get(record.of), event.right, recorded)]
        self.show(lines, keep=isinstance(event, _KEPT))
        return bool(lines)

    # --- time -----------------------------------------------------------------------------------------------------------------
    def advance(self, now: float) -> float | None:
        """Tell what is due.

        Args:
            now: seconds of the monotonic clock.

        Returns:
            When to call again; None for not before a command says so.
        """
        if self.goal is None:
            return None
        due = now if self._due is None else self._due
        for _ in range(_PORTION):
            if self.position >= self.goal:
                self._arrive()
                return None
            if due > now:
                break
            record = self.tape.records[self.position]
            self.position += 1
            self._tell(record)
            if self._asks(record):
                return None
            due += self._pause(record)
        # Where telling takes longer than it took to happen, nothing is gained by hurrying on for ever.
        self._due = max(due, now - 1.0)
        return self._due

    def _pause(self, told: Record) -> float:
        if not self.speed or self.position >= len(self.tape):
            return 0.0
        gap = max(0, self.tape.records[self.position].t - told.t)
        return min(gap, int(self.idle * SECOND)) / SECOND / self.speed

    def _arrive(self) -> None:
        at_end = self.position >= len(self.tape)
        self.pause()
        if at_end:
            self._end()
        else:
            self.say("note", f"paused at {self.place()}")

    def _end(self) -> None:
        note = self.tape.recording.note
        if note:
            self.say("warn", note)
        self.say("note", f"the end: {len(self.tape):,} events, {seconds(self.tape.time(len(self.tape)))}")

    def play(self, goal: int | None = None) -> None:
        """Let time run, up to the end or to a position.

        Raises:
            NotNow: this is the end already.
        """
        self._must_not_be_at_the_end()
        self.question = None
        self.goal = len(self.tape) if goal is None else goal
        self._due = None

    def pause(self) -> bool:
        """Let time stand still; whether it ran."""
        was, self.goal, self._due = self.goal, None, None
        return was is not None

    def _must_not_be_at_the_end(self) -> None:
        if self.position >= len(self.tape):
            raise NotNow("this is the end of the recording", "reverse-continue goes back to the last stop, seek start to the beginning")

    # --- questions ------------------------------------------------------------------------------------------------------------
    def _asks(self, record: Record) -> bool:
        """Wait for a guess if a record is a question."""
        if not self.questions or not isinstance(record.event, PredictionAsked):
            return False
        self.question = Question(record.seq, len(record.event.choices), self.goal)
        self.pause()
        return True

    def guess(self, number: int | None) -> None:
        """Answer the question that waits, and go on as before it.

        Args:
            number: of the choice as shown, from 1 on; None for no guess.

        Raises:
            NotNow: nothing is asked.
            BadArgument: there is no such choice.
        """
        question = self.question
        if question is None:
            raise NotNow("no question waits for an answer", "play goes on to the next one")
        if number is not None and not 1 <= number <= question.choices:
            raise BadArgument(f"there is no choice {number}", f"type a number from 1 to {question.choices}, or Enter to skip")
        self.question = None
        self._guesses.pop(question.seq, None)
        if number is not None:
            self._guesses[question.seq] = number - 1
        if question.goal is not None:
            self.goal = question.goal

    # --- from place to place --------------------------------------------------------------------------------------------------
    def step(self, count: int) -> None:
        """Tell the next `count` events that have lines, whenever they happened.

        Raises:
            NotNow: this is the end already.
        """
        self._must_not_be_at_the_end()
        self.pause()
        self.question = None
        while count > 0 and self.position < len(self.tape):
            record = self.tape.records[self.position]
            self.position += 1
            if self._tell(record, alone=True):
                count -= 1
            if self._asks(record):
                return
        if self.position >= len(self.tape):
            self._end()

    def step_back(self, count: int) -> None:
        """Go back to before the last `count` events that have lines.

        Raises:
            NotNow: this is the beginning.
        """
        self._must_not_be_at_the_beginning()
        at = self._last_shown(self.position)
        for _ in range(count):
            if at == 0:
                break
            at = self._last_shown(at - 1)
        self.jump(at, "back at", _BEHIND if count == 1 else _BEFORE)

    def _last_shown(self, position: int) -> int:
        """The position right behind the last event with lines that was told at `position`."""
        while position and not self.drawing.shows(self.tape.records[position - 1]):
            position -= 1
        return position

    def _must_not_be_at_the_beginning(self) -> None:
        if self.position == 0:
            raise NotNow("this is the beginning of the recording", "play, step or continue goes forward")

    def go(self, position: int) -> None:
        """Jump to a position, and say where that is."""
        self.jump(position, "back at" if position < self.position else "forward to" if position > self.position else "still at", _BEFORE)

    def back_to(self, position: int) -> None:
        """Jump back.

        Raises:
            NotNow: there is nothing before.
        """
        self._must_not_be_at_the_beginning()
        self.jump(position if position < self.position else 0, "back at", _BEFORE)

    def jump(self, position: int, word: str, before: int) -> None:
        """Stand at a position, with time standing still.

        What stands on an ordinary terminal cannot be taken back: the place is told, and the lines that lead to it are shown once more.
        A screen that can be redrawn shows `ring`.

        Args:
            position: where to.
            word: how, before the place.
            before: how many lines are shown once more.
        """
        self.pause()
        self.question = None
        self.position = position
        self.drawing.jumped()
        lines = self.lines_before(position, _RING)
        place: StyledLine = (("note", visible(f"{word} {self.place()}")),)
        self._put(place, True)
        if position:
            # All of the event at which it now stands, unless that is a long text.
            before = max(before, min(len(self.drawing.alone(self.tape.records[position - 1])), _WHOLE))
        for line in lines[-before:]:
            self._put(line, True)
        self.ring = deque([*lines, place], maxlen=_RING)
        last = self.tape.last(position)
        if last is not None:
            self._asks(last)

    def lines_before(self, position: int, count: int) -> list[StyledLine]:
        """The last `count` lines that were told up to a position."""
        found: list[list[StyledLine]] = []
        missing = count
        while position and missing > 0:
            position -= 1
            lines = self.drawing.alone(self.tape.records[position])
            found.append(lines)
            missing -= len(lines)
        return [line for lines in reversed(found) for line in lines][-count:]

    def place(self) -> str:
        """Where the replay stands, in words: record, time, section, and at a stop the place in the program."""
        last = self.tape.last(self.position)
        if last is None:
            return "the beginning"
        section = self.tape.section(self.position)
        where = f", in {section.number}: {section.heading}" if section is not None and section.number else ""
        end = ", the end" if self.position == len(self.tape) else ""
        kept = self.tape.kept_at(self.position)
        stop = f"; {kept.state.where}" if kept is not None and kept.position == self.position and kept.state.where else ""
        return f"{last.seq}, {seconds(last.t)}{where}{end}{stop}"
