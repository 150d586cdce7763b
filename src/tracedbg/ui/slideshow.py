"""A full screen for something that is shown page by page: a lesson on a projector, or the notes beside it.

Main thread.  It knows keys, colours and the terminal, and nothing of what is shown; the terminal is in order again on every way out.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.application.current import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.key_binding.key_processor import KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.controls import UIContent, UIControl
from prompt_toolkit.layout.layout import Layout
from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.styles import DynamicStyle, Style
from prompt_toolkit.utils import get_cwidth

from tracedbg.model.errors import InternalError
from tracedbg.model.text import Shown, visible
from tracedbg.render.styles import NAMES, StyledLine
from tracedbg.session.show import Frame, Show

from .layout import cut
from .output import FrameOutput

_KEYS: dict[str, tuple[Keys | str, ...]] = {
    "next": ("pagedown", " ", "enter", "right", "down", "n"),
    "back": ("pageup", "left", "up", "backspace"),
    "skip": ("]",),
    "former": ("[",),
    "restart": ("r",),
    "first": ("home",),
    "blank": ("b", "."),
    "more": ("+",),
    "less": ("-",),
    "poll": ("p",),
    "help": ("?", "f1", "h"),
    "leave": ("q", "c-c", "c-d", "<sigint>"),
    "yes": ("y", "Y"),
    **{digit: (digit,) for digit in "123456789"},
}
"""What each action is typed as: a clicker sends PageDown, PageUp, and b or a full stop."""

DARK = {
    "plain": "#ffffff", "strong": "#ffffff bold", "heading": "#ffff66 bold", "emphasis": "#ffffff italic", "code": "#66ffff",
    "note": "#66ffff", "hint": "#d0d0d0", "warn": "#ffff00 bold", "error": "#ffb0b0 bold", "good": "#80ff80 bold", "gap": "#ffff00",
    "current": "#ffff00 bold", "prompt": "#ffffff bold", "input": "#ffffff bold", "answer": "#ffffff", "time": "#d0d0d0",
    "lane.repl": "#ffffff bold", "lane.tracer": "#ffb0ff bold", "lane.waiter": "#66ffff bold", "lane.bench": "#b0d0ff bold",
    "lane.puppet": "#b0d0ff bold", "lane.tracee": "#80ff80 bold", "lane.parent": "#ffff66 bold", "lane.kernel": "#ffff66 bold",
    "lane.screen": "#d0d0d0",
}  # fmt: skip
"""Colours on black, each far from it."""

LIGHT = {
    "plain": "#000000", "strong": "#000000 bold", "heading": "#00005f bold", "emphasis": "#000000 italic", "code": "#00005f",
    "note": "#00005f", "hint": "#3a3a3a", "warn": "#5f0000 bold", "error": "#870000 bold", "good": "#005f00 bold", "gap": "#5f0000",
    "current": "#5f0000 bold", "prompt": "#000000 bold", "input": "#000000 bold", "answer": "#000000", "time": "#3a3a3a",
    "lane.repl": "#000000 bold", "lane.tracer": "#5f005f bold", "lane.waiter": "#00005f bold", "lane.bench": "#00005f bold",
    "lane.puppet": "#00005f bold", "lane.tracee": "#005f00 bold", "lane.parent": "#5f0000 bold", "lane.kernel": "#5f0000 bold",
    "lane.screen": "#3a3a3a",
}  # fmt: skip
"""Colours on white."""

_FRAME_S = 0.05
"""Seconds between two drawings at least, however much happens."""


def _style(colours: Mapping[str, str], back: str) -> Style:
    rules = [(name, f"{colour} bg:{back}") for name, colour in colours.items()]
    return Style([*rules, ("slide", f"{colours['plain']} bg:{back}"), ("edge", f"{colours['hint']} bg:{back}"), ("dark", "bg:#000000")])


class _Slide(UIControl):
    """The whole screen, drawn from a frame."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self.blank = False

    def create_content(self, width: int, height: int | None) -> UIContent:
        """Called by prompt_toolkit once a frame."""
        rows = height or get_app().output.get_size().rows
        frame = self._show.frame(width, rows)
        self.blank = frame.blank
        lines = [] if frame.blank else screen(frame, width, rows)
        return UIContent(get_line=lambda number: lines[number], line_count=len(lines), show_cursor=False)


def screen(frame: Frame, columns: int, rows: int) -> list[StyleAndTextTuples]:
    """A frame as rows: its ends at the edges, its body in the middle."""
    room = max(rows - 2, 0)
    body = list(frame.body[:room])
    above = (room - len(body)) // 2 if frame.centred else min(1 if room < 18 else 2, room - len(body))
    left = max((columns - frame.width) // 2, 0)
    filled: list[StyledLine] = [*[()] * above, *body]
    filled += [()] * (room - len(filled))
    middle = [_fit(((("plain", Shown(" " * left)), *line) if line else ()), columns) for line in filled]
    return [_edge(frame.head, columns), *middle, _edge(frame.foot, columns)][:rows]


def _edge(ends: tuple[Shown, Shown], columns: int) -> StyleAndTextTuples:
    right = str(visible(ends[1]))
    room = max(columns - get_cwidth(right) - (3 if right else 2), 0)
    left = cut(str(visible(ends[0])), room) if room else ""
    gap = max(columns - 2 - get_cwidth(left) - get_cwidth(right), 0)
    return [("class:edge", f" {left}{' ' * gap}"), ("class:warn", right)]


def _fit(line: StyledLine, columns: int) -> StyleAndTextTuples:
    out: StyleAndTextTuples = []
    room = columns
    for style, text in line:
        safe = str(visible(text))
        if get_cwidth(safe) > room:
            out.append((f"class:{style}", cut(safe, room)))
            break
        out.append((f"class:{style}" if style in NAMES else "", safe))
        room -= get_cwidth(safe)
    return out


class Slideshow:
    """Keyboard and screen.

    Args:
        show: what is shown.
        light: dark letters on white at first.
        tick: seconds after which the frame is drawn anew although nothing happened, for a clock; 0 for never.
        environ: ``TERM``, ``NO_COLOR``.
    """

    def __init__(self, show: Show, *, light: bool = False, tick: float = 0.0, environ: Mapping[str, str] = os.environ) -> None:
        self._show = show
        self._light = light
        output = FrameOutput(sys.stdout, environ)
        slide = _Slide(show)
        self._styles = {True: _style(LIGHT, "#ffffff"), False: _style(DARK, "#000000")}
        self._app: Application[None] = Application(
            layout=Layout(Window(slide, style=lambda: "class:dark" if slide.blank else "class:slide", always_hide_cursor=True)),
            style=DynamicStyle(lambda: self._styles[self._light]),
            include_default_pygments_style=False,
            key_bindings=self._bindings(),
            full_screen=True,
            min_redraw_interval=_FRAME_S,
            refresh_interval=tick or None,
            terminal_size_polling_interval=None,
            # The terminal's own sixteen colours may be anything; the cube of 256 is the same everywhere.
            color_depth=ColorDepth.DEPTH_8_BIT if output.colour else ColorDepth.DEPTH_1_BIT,
            input=Vt100Input(sys.stdin),
            output=output,
        )
        # Seconds until a lone Escape counts as the key.
        self._app.ttimeoutlen = 0.05
        self._app.timeoutlen = 0.5
        self._failure: BaseException | None = None
        # Any thread: a redraw is on its way.
        self._lock = threading.Lock()
        self._asked = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def _bindings(self) -> KeyBindings:
        bindings = KeyBindings()
        for action, keys in _KEYS.items():
            for key in keys:
                bindings.add(key, eager=True)(lambda _event, action=action: self._press(action))

        @bindings.add("t")
        def _theme(_event: KeyPressEvent) -> None:
            self._light = not self._light

        @bindings.add("c-l")
        def _redraw(event: KeyPressEvent) -> None:
            event.app.renderer.clear()

        @bindings.add(Keys.Any)
        @bindings.add(Keys.BracketedPaste)
        @bindings.add("escape")
        def _other(_event: KeyPressEvent) -> None:
            self._press("no")

        return bindings

    def _press(self, action: str) -> None:
        self._show.press(action)
        self._end_if_over()

    def _end_if_over(self) -> None:
        if self._show.over and self._app.is_running and self._app.future is not None and not self._app.future.done():
            self._app.exit()

    # --- any thread -----------------------------------------------------------------------------------------------------------
    def _changed(self) -> None:
        """Ask for one redraw, however often it is told until then; may be called under the lock of a log."""
        with self._lock:
            if self._asked or self._loop is None:
                return
            self._asked = True
            try:
                self._loop.call_soon_threadsafe(self._redraw)
            except RuntimeError:  # closed: the screen has gone
                pass

    def _redraw(self) -> None:
        with self._lock:
            self._asked = False
        self._app.invalidate()
        self._end_if_over()

    # --- main thread ----------------------------------------------------------------------------------------------------------
    def run(self) -> None:
        """Serve the screen until somebody leaves, it is over, or the terminal hangs up.  Main thread.

        Raises:
            InternalError: a defect in drawing; the terminal is in order again by then.
        """
        try:
            asyncio.run(self._serve())
        except EOFError:  # the terminal hung up
            pass
        if self._failure is not None:
            raise InternalError(f"the screen failed: {self._failure!r}") from self._failure

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._broken)
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._exit)
        with self._lock:
            self._loop = loop
        self._show.on_change(self._changed)
        try:
            await self._app.run_async(pre_run=self._end_if_over, set_exception_handler=False)
        finally:
            with self._lock:
                self._loop = None

    def _exit(self) -> None:
        if self._app.future is not None and not self._app.future.done():
            self._app.exit()

    def _broken(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._failure = context.get("exception") or InternalError(str(context.get("message", "unknown")))
        self._exit()
