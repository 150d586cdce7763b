"""Folds runs of repeated lines for screens: the same few lines again and again become one count.

Pure; any thread, one owner.  It drops nothing but repetitions, and tells how many; records and files keep everything.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from tracedbg.model.text import Shown

WINDOW = 8
"""How many different lines a repeated pattern may have: a step is four or five."""


class Folded(NamedTuple):
    """One line of a screen.

    Args:
        lane: whose it is.
        text: the canonical line, or ``... N more`` for what was left out.
        times: how many lines it stands for, 1 for an ordinary one.
    """

    lane: str
    text: Shown
    times: int = 1


class Fold:
    """A small window of recent lines; a line that is in it is counted, and something new lets the counts out.

    Args:
        window: how many different lines are remembered.
        free: how often a line is shown before it is folded.
    """

    def __init__(self, window: int = WINDOW, free: int = 3) -> None:
        self._free = free
        self._recent: deque[tuple[str, Shown]] = deque(maxlen=window)
        self._seen: dict[tuple[str, Shown], int] = {}
        self._held: dict[tuple[str, Shown], int] = {}

    def add(self, lane: str, text: Shown) -> list[Folded]:
        """Take a line; the lines to show now, oldest first."""
        key = (lane, text)
        if key in self._seen:
            self._seen[key] += 1
            if self._seen[key] > self._free:
                self._held[key] = self._held.get(key, 0) + 1
                return []
            return [*self.flush(), Folded(lane, text)]
        out = self.flush()
        if len(self._recent) == self._recent.maxlen:
            self._seen.pop(self._recent[0], None)
        self._recent.append(key)
        self._seen[key] = 1
        return [*out, Folded(lane, text)]

    def flush(self) -> list[Folded]:
        """Let out what is held back: for a pause, a prompt, or the end."""
        out = [Folded(lane, Shown(f"... {count} more: {text}"), count) for (lane, text), count in self._held.items()]
        if self._held:
            # Shown as often as it may be: a later run of the same lines starts a new count.
            self._held.clear()
            self._seen = dict.fromkeys(self._seen, 1)
        return out

    @property
    def held(self) -> int:
        """How many lines are held back."""
        return sum(self._held.values())
