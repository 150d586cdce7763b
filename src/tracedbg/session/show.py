"""What a full-screen front end needs of something that is shown page by page: a presentation, or the notes for it.

Protocols and values only.  What is shown lives above (`tracedbg.walk`), the screen beside it (`tracedbg.ui`): neither knows the other, and
whoever starts both joins them by these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from tracedbg.model.text import Shown
from tracedbg.render.styles import StyledLine


class Frame(msgspec.Struct, frozen=True):
    """One screenful.

    Args:
        head: left and right ends of the first row.
        body: between first and last row; what has no room is cut off.
        foot: left and right ends of the last row.
        width: columns of the body, which is set in the middle of the screen.
        centred: the body stands in the middle from top to bottom, too.
        blank: show nothing at all.
    """

    head: tuple[Shown, Shown]
    body: tuple[StyledLine, ...]
    foot: tuple[Shown, Shown]
    width: int
    centred: bool = False
    blank: bool = False


class Show(Protocol):
    """Something that is shown.  Every method is called on the UI thread and must not block; `over` may be asked on any thread."""

    def frame(self, columns: int, rows: int) -> Frame:
        """What to show on a screen of this size now."""

    def press(self, action: str) -> None:
        """A key: one of `ACTIONS`, or a digit."""

    def on_change(self, callback: Callable[[], None]) -> None:
        """Keep `callback` and call it, on any thread and as often as you like, when the frame may have changed."""

    @property
    def over(self) -> bool:
        """It has ended: the screen can be left."""


ACTIONS = (
    "next", "back", "skip", "former", "restart", "first", "blank", "more", "less", "poll", "help", "leave", "yes", "no",
)  # fmt: skip
"""What keys mean: on, back; next section, this or the former section's begin, play it anew, the very first; nothing on the screen; one vote
more or less, show the tallies; the keys; leave, and the answers to whether to."""
