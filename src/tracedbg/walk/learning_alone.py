"""A lesson that plays by itself: `--auto`, or whenever nobody sits at a terminal.

Main thread, which is the command thread here; lines are written on the screen's own thread.  Pauses are for reading and end early when
the play is interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from tracedbg.commands.batch import FAILED, INTERNAL, OK, Interrupts
from tracedbg.commands.screen import Lines, PlainScreen
from tracedbg.model.events import Detail
from tracedbg.session.lesson import Lesson, Pieces, Stage
from tracedbg.session.session import Session

_WORDS_A_SECOND = 200 / 60
_SHORTEST_S, _LONGEST_S = 1.0, 8.0


def reading_seconds(words: int, speed: float) -> float:
    """How long a pause is: 200 words a minute, 1 to 8 s, `speed` times as fast; none at speed 0."""
    if not speed:
        return 0.0
    return min(max(words / _WORDS_A_SECOND, _SHORTEST_S), _LONGEST_S) / speed


class _PlainStage:
    """Standard output."""

    def __init__(self, screen: PlainScreen, columns: int, *, colour: bool) -> None:
        self._screen, self._columns = screen, columns
        self.colour = colour

    def tell(self, line: Pieces) -> None:
        """Write it behind what the log has told up to now."""
        self._screen.say(line)

    def mute(self, on: bool) -> None:
        """Write nothing but what is told, or all again."""
        self._screen.flush()
        self._screen.lines.muted = on

    def columns(self) -> int:
        """Width of the terminal at the beginning."""
        return self._columns


def play_alone(
    make: Callable[[Session, Stage], Lesson],
    speed: float,
    *,
    events: str,
    detail: Detail,
    columns: int,
    paint: Callable[[Pieces], str] | None,
) -> int:
    """Play a lesson to its end; the exit status.

    Args:
        make: the lesson.
        speed: of reading, 0 for no pauses.
        events: file for JSON lines, empty for none.
        detail: of the live log.
        columns: to draw for.
        paint: makes a line for a terminal with colours; None for plain text.
    """
    with Session(events=events, detail=detail) as session:
        session.view.set_detail(detail)
        screen = PlainScreen(Lines(session.view, times=False, echo=True), sys.stdout, paint)
        session.log.attach(screen)
        try:
            with Interrupts(session) as interrupts:
                lesson = make(session, _PlainStage(screen, columns, colour=paint is not None))
                while not (lesson.over or interrupts.ending or screen.broken):
                    lesson.go_on()
                    if not lesson.over:
                        screen.flush()
                        interrupts.ended.wait(reading_seconds(lesson.words, speed))
        finally:
            session.close()
            session.log.detach(screen)
            screen.close()
    if screen.broken:
        # The reader of our output has gone: say nothing more, and keep the interpreter from complaining at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if interrupts.ending:
        return 128 + interrupts.ending
    if session.failure is not None:
        return INTERNAL
    return FAILED if lesson.failed else OK
