"""What a session, its commands and its front end need to know of the lesson that is being played in it.

Protocols only.  The lesson itself lives above (`tracedbg.walk`), the screen beside it (`tracedbg.ui`): neither knows the other, and
whoever starts both joins them by these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tracedbg.model.text import Shown

Pieces = tuple[tuple[str, Shown], ...]
"""A line: pieces of (style name, text)."""


class Lesson(Protocol):
    """A lesson in a session.

    `go_on`, `guess`, `again`, `hint` and `more` belong to the command thread; all else may be asked on any thread and never waits.
    """

    def go_on(self) -> None:
        """Play up to the next place where the learner decides.

        Raises:
            NotNow: the lesson is over.
        """

    def guess(self, number: int) -> None:
        """Answer the prediction that is being asked, by the number shown before a choice, and go on.

        Raises:
            NotNow: nothing is asked.
            BadArgument: there is no such choice.
        """

    def again(self) -> None:
        """Show once more what was to be read since the step began."""

    def hint(self) -> Sequence[Shown]:
        """The next hint of this step.

        Raises:
            NotFound: it has none, or all were shown.
        """

    def more(self) -> Sequence[Shown]:
        """What else the page tells about what was just played.

        Raises:
            NotFound: nothing.
        """

    @property
    def where(self) -> str:
        """The step, and what Enter does next: one line."""

    @property
    def prompt(self) -> str:
        """What stands before the line while a question waits, empty otherwise."""

    @property
    def over(self) -> bool:
        """It has come to its end: the prompt is like any other."""

    @property
    def failed(self) -> bool:
        """Something went another way than the page says."""

    @property
    def words(self) -> int:
        """How many words were shown since the last pause."""

    def meaning(self, line: str) -> str | None:
        """The command that a typed line stands for: Enter alone goes on, a number answers; None to ignore the line."""


class Stage(Protocol):
    """The screen on which a lesson is shown; any thread."""

    @property
    def colour(self) -> bool:
        """Styles can be seen."""

    def tell(self, line: Pieces) -> None:
        """Show a line behind all that was shown before."""

    def mute(self, on: bool) -> None:
        """Show nothing that commands and the log tell, or show it again."""

    def columns(self) -> int:
        """Width of the terminal now."""
