"""The terminal front end: one line editor for the whole session, live log above it.

`Terminal.run` takes the main thread; `leave`, `ask`, `hand_over` and `take_back` are for any thread.  Raw mode is never left while
the session lasts (except for Ctrl-Z), because a key that arrives outside it is echoed by the kernel.  Runs no command itself.
"""

from __future__ import annotations

import asyncio
import enum
import os
import signal
import sys
import termios
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import ThreadedCompleter
from prompt_toolkit.input.typeahead import store_typeahead
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.styles import Style

from tracedbg.model.errors import InternalError
from tracedbg.model.text import visible
from tracedbg.render.styles import prompt_toolkit_rules

from .completer import HostCompleter
from .flow import Flow, Newest, PacedApplication
from .foreground import Handover, parse_keys, pass_bytes
from .history import LineHistory, history_path
from .host import Host
from .jobs import suspend_job
from .keys import key_bindings
from .layout import Sources, inline_layout
from .output import FrameOutput
from .pump import Pump
from .split import refusal, split_layout


class _Leave(enum.Enum):
    """Why an application ends."""

    QUIT = "quit"
    SPLIT = "split"
    SUSPEND = "suspend"
    FOREGROUND = "foreground"


class Terminal:
    """Keyboard and screen of a session.

    Args:
        host: the side that runs commands.
        pump: the lines on their way to the screen.
        environ: ``TERM``, ``NO_COLOR``, ``HOME``, ``XDG_STATE_HOME``.
        newest: gives the split's log where it is not simply what was shown last: a replay can go back.
        space: what Space does on an empty line; it tells whether it did anything.
    """

    def __init__(
        self, host: Host, pump: Pump, environ: Mapping[str, str] = os.environ, *, newest: Newest | None = None,
        space: Callable[[], bool] | None = None,
    ) -> None:  # fmt: skip
        self._host = host
        self._pump = pump
        self._environ = environ
        self._input = Vt100Input(sys.stdin)
        self._output = FrameOutput(sys.stdout, environ)
        self._flow = Flow(pump, self._output, newest)
        self._space = space
        self._history = LineHistory(history_path(environ))
        self._buffer = Buffer(
            name="line",
            history=self._history,
            completer=ThreadedCompleter(HostCompleter(host)),
            complete_while_typing=True,
            enable_history_search=True,
            auto_suggest=AutoSuggestFromHistory(),
            accept_handler=self._accepted,
            multiline=True,
        )
        self._sources = Sources(
            prompt=lambda: self._question or host.prompt(),
            asking=self.asking,
            fields=host.toolbar,
            held=lambda: self._flow.waiting() if self._flow.held else None,
            doubt=self._doubt,
        )
        # UI thread's:
        self._question = ""
        self._doubted = ("", "")
        self._in_split, self._too_small = False, ""
        self._apps: dict[bool, Application[_Leave]] = {}
        self._current: Application[_Leave] | None = None
        self._failure: BaseException | None = None
        self._size = (0, 0)
        self.on_resize: Callable[[int, int], None] | None = None
        """Told (columns, rows) on the UI thread at the first frame and after each change: the program's terminal follows ours."""
        self._loop: asyncio.AbstractEventLoop | None = None  # set once, read by any thread
        # Under the lock:
        self._lock = threading.Lock()
        self._wanted: deque[_Leave] = deque()
        self._handover: Handover | None = None
        self._ended = False

    # --- any thread ---------------------------------------------------------------------------------------------------------
    def leave(self) -> None:
        """End `run`: what the command ``quit`` calls.  Any thread."""
        self._want(_Leave.QUIT)

    def ask_to_quit(self, question: str) -> None:
        """Show a question to be answered with y or n; y ends `run`.  Any thread."""
        self._on_loop(self._ask, question)

    def hand_over(self, handover: Handover) -> None:
        """See `foreground.run_foreground`.  Any thread."""
        if threading.current_thread() is threading.main_thread():
            raise InternalError("fg was started on the UI thread, which must pass the bytes on")
        with self._lock:
            if self._ended or self._handover is not None:
                handover.closed()
                return
            self._handover = handover
        self._want(_Leave.FOREGROUND)

    def take_back(self, handover: Handover) -> None:
        """See `foreground.run_foreground`.  Any thread."""
        self._on_loop(handover.finish)

    def _on_loop(self, action: Any, *args: Any) -> None:
        loop = self._loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(action, *args)
        except RuntimeError:  # closed: the terminal has gone, and `_close` has told everybody
            pass

    def _want(self, leave: _Leave) -> None:
        with self._lock:
            self._wanted.append(leave)
        self._on_loop(self._serve)

    # --- the session, on the main thread ------------------------------------------------------------------------------------
    def run(self) -> None:
        """Serve the terminal until the person or the host leaves.  Main thread; calls ``host.quit`` at the end.

        Raises:
            InternalError: a defect in a key binding or in drawing; the terminal is in order again by then.
        """
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
        try:
            asyncio.run(self._serve_terminal())
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self._host.quit()
            # What the host told while it ended.
            self._flow.close()
        if self._failure is not None:
            raise InternalError(f"the terminal front end failed: {self._failure!r}") from self._failure

    async def _serve_terminal(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._broken)
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.leave)
        if self._history.refused:
            self._tell("hint", f"history is kept in memory only: {self._history.refused}")
        self._host.on_change(lambda complete: self._flow.hurry() if complete else self._flow.touch())
        self._cooked = termios.tcgetattr(self._input.fileno())
        try:
            with self._input.raw_mode():
                self._raw = termios.tcgetattr(self._input.fileno())
                self._loop = loop
                self._flow.open(loop)
                while await self._one_application():
                    pass
        finally:
            self._close()

    def _close(self) -> None:
        self._flow.close()
        with self._lock:
            self._ended = True
            handover, self._handover = self._handover, None
        if handover is not None:
            handover.closed()
        self._loop = None

    async def _one_application(self) -> bool:
        """Run the ordinary screen or the split until it is left; False when the session is over."""
        app = self._application(split=self._in_split)

        def before_first_frame() -> None:
            self._current = app
            self._flow.attach(app, split=self._in_split)
            self._serve()

        try:
            leave = await app.run_async(pre_run=before_first_frame, set_exception_handler=False)
        except EOFError:  # the terminal hung up
            leave = _Leave.QUIT
        finally:
            self._current = None
            self._flow.detach()
        if leave is _Leave.SPLIT:
            self._in_split, self._too_small = not self._in_split, ""
        elif leave is _Leave.SUSPEND:
            self._suspend()
        elif leave is _Leave.FOREGROUND:
            await self._foreground()
        return leave is not _Leave.QUIT

    def _serve(self) -> None:
        """End the running application if somebody asked for something that it cannot do itself."""
        app = self._current
        if app is None or app.future is None or app.future.done():
            if self._handover is not None and _Leave.QUIT in self._wanted:  # SIGTERM while the program has the keyboard
                self._handover.closed()
                self._handover.finish()
            return
        with self._lock:
            leave = self._wanted.popleft() if self._wanted else None
        if leave is not None:
            app.exit(result=leave)

    def _broken(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A defect of ours ends the session loudly, with the terminal in order, instead of leaving half a screen behind."""
        self._failure = context.get("exception") or InternalError(str(context.get("message", "unknown")))
        self._want(_Leave.QUIT)

    def _application(self, *, split: bool) -> Application[_Leave]:
        """The application of the ordinary screen or of the split; each is made when first needed and kept."""
        if split in self._apps:
            return self._apps[split]
        if split:
            layout = split_layout(self._buffer, self._sources, log=self._flow.newest, context=self._host.context)
        else:
            layout = inline_layout(self._buffer, self._sources)
        app = PacedApplication[_Leave](
            layout=layout,
            style=Style(prompt_toolkit_rules()),
            include_default_pygments_style=False,
            key_bindings=key_bindings(self),
            full_screen=split,
            erase_when_done=True,
            # No polling and no periodic repaint: frames follow from keys, lines, changes of the host and SIGWINCH only.
            refresh_interval=None,
            terminal_size_polling_interval=None,
            max_render_postpone_time=None,
            before_render=self._watch_size,
            after_render=self._flow.rendered,
            input=self._input,
            output=self._output,
        )
        # Seconds until a lone Escape counts as the key; sequences of a terminal arrive in one piece.
        app.ttimeoutlen = 0.05
        app.timeoutlen = 0.5
        app.imminent = self._flow.imminent
        self._apps[split] = app
        return app

    # --- the line -----------------------------------------------------------------------------------------------------------
    def _accepted(self, buffer: Buffer) -> bool:
        """Enter: into the log, and on to the host.  False lets the buffer be emptied and the application go on."""
        for line in buffer.text.split("\n"):
            self._submit(line)
        return False

    def _submit(self, line: str) -> None:
        if self._host.echoes(line):
            self._pump.put((("prompt", visible(self._host.prompt())), ("input", visible(line))), keep=True)
        self._host.submit(line)

    def _doubt(self) -> str:
        """What may be wrong with the line, unless the menu still shows how it could go on; asked once for each text."""
        text = self._buffer.text
        if not text or self._question or self._buffer.complete_state is not None:
            return ""
        if self._doubted[0] != text:
            self._doubted = (text, self._host.validate(text) or "")
        return self._doubted[1]

    def _tell(self, style: str, text: str) -> None:
        self._pump.put(((style, visible(text)),), keep=True)

    # --- keys.Actions -------------------------------------------------------------------------------------------------------
    def asking(self) -> bool:
        """Whether a question waits for y or n."""
        return bool(self._question)

    def answer(self, yes: bool) -> None:
        """Answer it."""
        self._tell("hint", f"{self._question}{'y' if yes else 'n'}")
        self._question = ""
        if yes:
            self._want(_Leave.QUIT)

    def interrupt(self) -> None:
        """Ctrl-C on an empty line."""
        hint = self._host.interrupt()
        if hint:
            self._tell("hint", hint)

    def request_leave(self) -> None:
        """Ctrl-D on an empty line."""
        question = self._host.request_quit()
        if question is None:
            self._want(_Leave.QUIT)
        else:
            self._ask(question)

    def _ask(self, question: str) -> None:
        self._question = f"{visible(question).rstrip()} (y or n) "
        self._flow.touch()

    def suspend(self) -> None:
        """Ctrl-Z."""
        self._want(_Leave.SUSPEND)

    def help(self) -> None:
        """F1: help for the command that is being typed, or in general; the line stays as it is."""
        first = self._buffer.text.split()[:1]
        self._submit(f"help {first[0]}" if first and first[0].replace("-", "").isalnum() else "help")

    def toggle_split(self) -> None:
        """F2."""
        size = self._output.get_size()
        why_not = "" if self._in_split else refusal(size.rows, size.columns)
        if why_not:
            self._tell("hint", why_not)
        else:
            self._want(_Leave.SPLIT)

    def toggle_hold(self) -> None:
        """F3."""
        self._flow.hold(not self._flow.held)

    def space(self) -> bool:
        """Space on an empty line; False for an ordinary blank."""
        return self._space is not None and self._space()

    def clear(self) -> None:
        """Ctrl-L."""
        if self._current is not None:
            self._current.renderer.clear()

    def _tell_size(self) -> None:
        size = self._output.get_size()
        if (size.columns, size.rows) != self._size:
            self._size = (size.columns, size.rows)
            if self.on_resize is not None:
                self.on_resize(*self._size)

    def _watch_size(self, _app: Application[_Leave]) -> None:
        """Before each frame.  The split closes with a reason when the terminal became too small for it."""
        self._tell_size()
        if self._in_split and not self._too_small:  # told once: frames may follow before the split is left
            size = self._output.get_size()
            self._too_small = refusal(size.rows, size.columns)
            if self._too_small:
                self._tell("hint", self._too_small)
                self._want(_Leave.SPLIT)

    # --- out of the way -----------------------------------------------------------------------------------------------------
    def _suspend(self) -> None:
        """Stop the whole job as a shell's user expects, with the terminal's modes as they were found."""
        if not suspend_job(self._input.fileno(), found=self._cooked, ours=self._raw):
            self._tell("hint", "Ctrl-Z: no shell of this terminal could bring tracedbg back, so it goes on")

    async def _foreground(self) -> None:
        """Pass bytes both ways until somebody sets the handover's stop."""
        handover = self._handover
        assert handover is not None, "the application was left for fg without a handover"
        self._flow.drain()
        self._output.write_raw("the keyboard goes to the program; Ctrl-] comes back\r\n")
        self._output.flush()
        # prompt_toolkit listens for it only while an application runs.
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGWINCH, self._tell_size)
        self._tell_size()
        try:
            rest = await pass_bytes(handover, self._input.fileno(), self._output.fileno(), self.leave)
            if rest:
                store_typeahead(self._input, parse_keys(rest))
        finally:
            loop.remove_signal_handler(signal.SIGWINCH)
            with self._lock:
                self._handover = None
            handover.over.set()
