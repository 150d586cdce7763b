"""Frames: takes lines from the pump and puts them above the prompt, or into the split's log.

UI thread only, except `wake` and `touch`.  At most about twenty frames a second, each written at once and as whole lines; must
never leave raw mode for a write (a key that arrives meanwhile would be echoed by the kernel into the middle of a line).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, TypeVar

from prompt_toolkit.application import Application

from tracedbg.render.styles import StyledLine, paint_all

from .output import FrameOutput
from .pump import FRAME_CAP, Pump, gap_line

FRAME = 0.05
"""Seconds between frames while lines keep coming."""

_LONG = 0.4 * FRAME
"""Seconds from which on a frame is too long."""

_GATHER = 0.015
"""Seconds from the first line to its frame: what one command tells arrives within this time and is drawn together, since each
drawing takes as long as a single step and would hold it up.  `hurry` ends the time early."""

_SOON = _GATHER
"""Seconds that a key may wait for a frame that comes anyway: two drawings would take longer."""

_BURST = 4.0
"""Frames that may follow each other closely after a quiet time, so that an answer does not wait for the next tick."""

_HELD_TICK = 0.25
"""Seconds between looks at the number of lines that wait while the flow is held."""

_LEAST_CAP = 8
_DRAIN_SECONDS = 0.3
RING = 2000
"""Lines that the split's log can show."""


Newest = Callable[[int], Sequence[StyledLine]]
"""Gives the newest lines of a log, oldest first, as many as asked for."""

_T = TypeVar("_T")


class PacedApplication(Application[_T]):
    """An application that leaves the drawing to the flow when its next frame is due at once.

    After Enter that saves one of two drawings, a third of the time from the key to the answer on the screen.
    """

    imminent: Callable[[], bool] = staticmethod(lambda: False)

    def invalidate(self) -> None:
        """As the base class; nothing to do when a frame comes within milliseconds."""
        if not self.imminent():
            super().invalidate()


class Flow:
    """Moves lines from the pump to whichever application is on the screen.

    Args:
        pump: where they come from.
        output: the terminal.
        newest: gives the lines of the split's log; without it, those that were shown last.
    """

    def __init__(self, pump: Pump, output: FrameOutput, newest: Newest | None = None) -> None:
        self._pump = pump
        self._output = output
        self._loop: asyncio.AbstractEventLoop | None = None
        self._app: Application[Any] | None = None
        self._split = False
        self._timer: asyncio.TimerHandle | None = None
        self._credit = _BURST
        self._credited = time.monotonic()
        self._cap = float(FRAME_CAP)
        self._woken = False
        self._held_shown = 0
        self._missed = Pump()  # lines that came while the split covered the ordinary screen
        self._ring: deque[StyledLine] = deque(maxlen=RING)
        self._newest = newest
        self._frozen: Sequence[StyledLine] = ()  # what that gave when the flow was held
        self.held = False
        self._began = 0.0

    # --- any thread ---------------------------------------------------------------------------------------------------------
    def wake(self) -> None:
        """Ask for a frame.  Any thread; cheap when one is asked for already."""
        loop = self._loop
        if self._woken or loop is None:
            return
        self._woken = True
        try:
            loop.call_soon_threadsafe(self._schedule)
        except RuntimeError:  # the loop was closed between the two lines: the terminal has gone
            self._woken = False

    def hurry(self) -> None:
        """Something is complete (a command has ended): no reason to gather any longer.  Any thread."""
        loop = self._loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(self._at_once)
        except RuntimeError:  # closed meanwhile
            pass

    touch = wake

    # --- UI thread ----------------------------------------------------------------------------------------------------------
    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to listen to the pump; what waits already stands above the first frame."""
        self._loop = loop
        self._drain()
        self._pump.on_lines(self.wake)

    def attach(self, app: Application[Any], *, split: bool) -> None:
        """Draw into `app` from now on."""
        self._app = app
        self._split = split
        self._schedule()

    def detach(self) -> None:
        """Draw nothing until the next `attach`; lines wait."""
        self._app = None
        self._output.release()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """Show what still waits, for a fraction of a second at most, and say how much could not be shown."""
        self.detach()
        self._pump.on_lines(None)
        self._loop = None
        self._drain()
        left = self._pump.waiting() + self._missed.waiting()
        if left:
            self._write_plain([gap_line(left)])

    def drain(self) -> None:
        """While no application is on the ordinary screen: show what waits, so that it stands before what comes next."""
        if not self.held and not self._split:
            self._drain()

    def _drain(self) -> None:
        until = time.monotonic() + _DRAIN_SECONDS
        while (self._pump.waiting() or self._missed.waiting()) and time.monotonic() < until:
            self._write_plain(self._take())

    def hold(self, on: bool) -> None:
        """Freeze the flow, or let it go on."""
        self.held = on
        self._held_shown = 0
        self._frozen = self._newest(RING) if on and self._newest is not None else ()
        self._schedule()

    def waiting(self) -> int:
        """How many lines wait."""
        return self._pump.waiting()

    def newest(self, count: int) -> list[StyledLine]:
        """The last `count` lines that were shown, oldest first."""
        if self._newest is not None:
            return list(self._frozen[-count:] if self.held else self._newest(count)) if count else []
        return list(islice(self._ring, max(0, len(self._ring) - count), None))

    def imminent(self) -> bool:
        """Whether a frame comes within milliseconds anyway, so that drawing for a key alone would only delay it."""
        if self._timer is not None:
            return self._timer.when() - time.monotonic() <= _SOON and not self.held
        return self._woken and self._app is not None and self._spare() >= 1

    def _spare(self) -> float:
        """Frames that may come at once; a twentieth of a second earns one."""
        now = time.monotonic()
        self._credit = min(_BURST, self._credit + (now - self._credited) / FRAME)
        self._credited = now
        return self._credit

    def _schedule(self) -> None:
        self._woken = False
        if self._timer is not None or self._app is None or self._loop is None:
            return
        spare = self._spare()
        delay = _GATHER if spare >= 1 else (1 - spare) * FRAME
        self._timer = self._loop.call_later(delay, self._frame)

    def _at_once(self) -> None:
        self._schedule()
        if self._timer is not None and self._loop is not None and self._spare() >= 1 and not self.held:
            self._timer.cancel()
            self._timer = self._loop.call_later(0, self._frame)  # behind the lines that were announced before

    def _frame(self) -> None:
        self._timer = None
        app = self._app
        if app is None or self._loop is None:
            return
        self._credit -= 1
        if self.held:
            # Only the number in the toolbar moves, and only when it changed: nothing is repainted for nothing.
            waiting = self._pump.waiting()
            if waiting != self._held_shown:
                self._held_shown = waiting
            app.invalidate()
            self._timer = self._loop.call_later(_HELD_TICK, self._held_tick)
            return
        lines = self._take()
        if lines and not self._split:
            self._write_above(app, lines)
        app.invalidate()
        if self._pump.waiting() or (self._missed.waiting() and not self._split):
            self._schedule()

    def _held_tick(self) -> None:
        self._timer = None
        if self.held and self._pump.waiting() == self._held_shown and self._loop is not None and self._app is not None:
            self._timer = self._loop.call_later(_HELD_TICK, self._held_tick)
        else:
            self._schedule()

    def _take(self) -> list[StyledLine]:
        """The next frame's lines: first those that the split hid, then the pump's."""
        if not self._split and self._missed.waiting():
            return self._missed.take(int(self._cap))
        lines = self._pump.take(int(self._cap))
        self._ring.extend(lines)
        if self._split:
            for line in lines:
                self._missed.put(line)
        return lines

    def _write_above(self, app: Application[Any], lines: list[StyledLine]) -> None:
        """Erase the prompt, write the lines, draw the prompt again: one write, sent when the prompt has been drawn."""
        self._began = time.monotonic()
        painted = paint_all(lines, colour=self._output.colour, columns=self._output.get_size().columns)
        self._output.hold()  # released by `rendered`
        app.renderer.erase()
        self._output.enable_autowrap()
        self._output.write_raw("\r\n".join(painted) + "\r\n")

    def _write_plain(self, lines: list[StyledLine]) -> None:
        painted = paint_all(lines, colour=self._output.colour, columns=self._output.get_size().columns)
        # Carriage returns stand for themselves whether the terminal is raw or cooked.
        self._output.write_raw("".join(line + "\r\n" for line in painted))
        self._output.flush()

    def rendered(self, _: Application[Any]) -> None:
        """Registered as ``after_render``: the frame is complete, send it and judge how long it took."""
        if self._output.release():
            self._pace(time.monotonic() - self._began)

    def _pace(self, seconds: float) -> None:
        """Fewer lines when a frame took long: no key is served meanwhile, whether the processor or the terminal was slow."""
        if seconds > _LONG:
            self._cap = max(_LEAST_CAP, self._cap * max(0.25, _LONG / seconds))
        elif seconds < _LONG / 2:
            self._cap = min(FRAME_CAP, self._cap * 1.25)
