"""The bounded queue between whoever has something to tell and the terminal.

`put` is for any thread and never blocks; everything else is for the UI thread.  Draws nothing and must not import prompt_toolkit.
The screen is a view: what does not fit is counted and said, the log keeps it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from tracedbg.model.text import Shown
from tracedbg.render.styles import StyledLine

FRAME_CAP = 200
"""Most lines in one frame; at 20 frames a second nobody reads more."""

PATIENT = 64
"""Lines of the flow that may wait for further frames where a slow terminal takes only a few at a time: what one command tells is
shown without gaps."""

KEPT_CAP = 10_000
"""Most lines that wait although they may not be left out (answers to commands)."""


def gap_line(missing: int) -> StyledLine:
    """The line that stands for lines not shown."""
    word = "line" if missing == 1 else "lines"
    return (("gap", Shown(f"... {missing} {word} not shown here; the log has them all (see: help log)")),)


class _Entry:
    """One waiting line, or the gap that some left behind (`line` is None)."""

    __slots__ = ("keep", "line", "missing")

    def __init__(self, line: StyledLine | None, *, keep: bool = False, missing: int = 0) -> None:
        self.line = line
        self.keep = keep
        self.missing = missing


class Pump:
    """Lines on their way to the terminal.

    Lines of the flow may be left out: of more than a frame's worth the oldest and the newest half stay.  Lines that somebody asked
    for (``keep=True``) are never left out, they come a frame's worth at a time.  Both keep the order in which they were put.

    Args:
        wake: called once, on the thread that puts, when the first line comes after the pump was found empty.
    """

    def __init__(self, wake: Callable[[], None] | None = None) -> None:
        self._lock = threading.Lock()
        # Under the lock:
        self._entries: deque[_Entry] = deque()
        self._loose = 0  # waiting lines that may be left out
        self._kept = 0  # waiting lines that may not
        self._left_out = 0  # lines that gaps stand for
        self._wake = wake
        self._awake = False

    def on_lines(self, wake: Callable[[], None] | None) -> None:
        """Register (or, with None, forget) who is told that lines are waiting."""
        with self._lock:
            self._wake = wake
            self._awake = False
            waiting = bool(self._entries)
        if waiting and wake is not None:
            wake()

    def put(self, line: StyledLine, *, keep: bool = False) -> None:
        """Add a line.  Any thread; never blocks, never draws.

        Args:
            line: styled pieces without a newline.
            keep: never leave this line out (the answer to a command, an error).
        """
        with self._lock:
            keep = keep and self._kept < KEPT_CAP
            self._entries.append(_Entry(line, keep=keep))
            if keep:
                self._kept += 1
            else:
                self._loose += 1
                # Twice the cap before thinning out, so that each line costs a constant share of the work.
                if self._loose > 2 * FRAME_CAP:
                    self._thin(FRAME_CAP)
            wake = None if self._awake else self._wake
            self._awake = True
        if wake is not None:
            wake()

    def waiting(self) -> int:
        """How many lines wait, those left out included."""
        with self._lock:
            return self._loose + self._kept + self._left_out

    def take(self, cap: int = FRAME_CAP) -> list[StyledLine]:
        """At most `cap` lines in order, and a line for a gap.  What may not be left out and finds no room goes on waiting."""
        out: list[StyledLine] = []
        with self._lock:
            if self._loose > max(cap, PATIENT):
                self._thin(cap)
            while self._entries and len(out) < cap + 1:
                entry = self._entries.popleft()
                if entry.line is None:
                    self._left_out -= entry.missing
                    out.append(gap_line(entry.missing))
                    continue
                if entry.keep:
                    self._kept -= 1
                else:
                    self._loose -= 1
                out.append(entry.line)
            self._awake = bool(self._entries)
        return out

    def _thin(self, cap: int) -> None:
        """Leave out the middle of the loose lines so that `cap` of them stay.  The lock is held."""
        first = cap // 2
        last = self._loose - (cap - first)  # loose lines number first..last-1 go
        kept: deque[_Entry] = deque()
        number = 0
        for entry in self._entries:
            if entry.line is not None and (entry.keep or not first <= number < last):
                kept.append(entry)
                number += not entry.keep
                continue
            if entry.line is not None:
                number += 1
                self._loose -= 1
                self._left_out += 1
                missing = 1
            else:
                missing = entry.missing
            if kept and kept[-1].line is None:
                kept[-1].missing += missing
            else:
                kept.append(_Entry(None, missing=missing))
        self._entries = kept
