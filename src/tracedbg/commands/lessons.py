"""Commands of somebody who plays a lesson; Enter alone is `lesson next`, a number alone `lesson guess`.

Handlers run on the command thread and act on the session's lesson; they print nothing themselves.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from tracedbg.lang.params import Count
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import NotNow
from tracedbg.model.text import Shown
from tracedbg.session.lesson import Lesson
from tracedbg.session.session import Session

from .answers import Said, said

table = CommandTable("lessons", "Playing a lesson")


class Told(msgspec.Struct, frozen=True):
    """Text of the page."""

    text: tuple[Shown, ...]

    def lines(self, width: int) -> list[Shown]:
        """It."""
        return list(self.text)


def _lesson(session: Session) -> Lesson:
    if session.lesson is None:
        raise NotNow("no lesson is being played", "tracedbg learn, in a shell, lists the lessons")
    return session.lesson


def _playing(session: Session) -> bool:
    return session.lesson is not None


@table.add("lesson", while_busy="now", enabled=_playing)
def lesson(session: Session) -> Said:
    """Say where the lesson is and what Enter does next.

    Example: lesson
    """
    return said(_lesson(session).where)


@table.add("lesson next", enabled=_playing)
def lesson_next(session: Session) -> Said:
    """Go on with the lesson, as Enter on an empty line does.

    Example: lesson next
    """
    _lesson(session).go_on()
    return Said(())


@table.add("lesson guess", enabled=_playing)
def lesson_guess(session: Session, number: Annotated[Count, "the choice that was shown with this number"]) -> Said:
    """Answer the lesson's question and go on; the number alone does the same.

    Example: lesson guess 2
    """
    _lesson(session).guess(number)
    return Said(())


@table.add("lesson again", enabled=_playing)
def lesson_again(session: Session) -> Said:
    """Show once more what there was to read in this step.

    Example: lesson again
    """
    _lesson(session).again()
    return Said(())


@table.add("hint", while_busy="now", enabled=_playing)
def hint(session: Session) -> Told:
    """Show the next hint of this step of the lesson.

    Example: hint
    """
    return Told(tuple(_lesson(session).hint()))


@table.add("more", while_busy="now", enabled=_playing)
def more(session: Session) -> Told:
    """Show what else the lesson has to tell about what was just played.

    Example: more
    """
    return Told(tuple(_lesson(session).more()))
