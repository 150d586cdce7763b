"""The keyboard handed to the program's own terminal (`fg`), until Ctrl-] or the next stop.

`run_foreground` is called on the command thread and waits there; `pass_bytes` runs on the UI thread.  The only place where bytes of
the program reach the person's terminal unchanged, because that was asked for; puts the terminal in order afterwards.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Callable
from typing import Protocol

from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding.key_processor import KeyPress

ESCAPE_KEY = 0x1D
"""Ctrl-]: comes back to the prompt, as in telnet(1)."""

_ALTERNATE = re.compile(rb"\x1b\[\?(?:1049|1047|47)([hl])")

_RESET = (
    b"\x1b[0m\x1b(B\x0f"  # attributes, character set
    b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1004l"  # mouse, focus reports
    b"\x1b[?2004l\x1b[?1l\x1b>\x1b[>4m"  # bracketed paste, cursor keys, keypad, modified keys
    b"\x1b7\x1b[r\x1b8"  # scrolling region; setting it homes the cursor, hence saved and restored
    b"\x1b[?7h\x1b[?25h"  # line wrap on, cursor visible
)


def reset_sequence(*, alternate: bool) -> bytes:
    """What puts a terminal in order after a program that did not clean up.

    Args:
        alternate: the program left the alternate screen on.  It is switched off only then, since ``?1049l`` moves the cursor.
    """
    return (b"\x1b[?1049l" if alternate else b"") + _RESET + b"\r\n"


class ScreenState:
    """Follows in a stream of bytes whether the alternate screen is on, also where a sequence is cut by a chunk's end."""

    def __init__(self) -> None:
        self.alternate = False
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Take note of the next bytes."""
        text = self._tail + data
        for match in _ALTERNATE.finditer(text):
            self.alternate = match[1] == b"h"
        self._tail = text[-7:]


class Handover:
    """One stay in the foreground.

    Args:
        write: sends bytes to the program's terminal; called on the UI thread and must not block (a pty's master in non-blocking
            mode; what it does not take is lost, as a keyboard's is).
        register: starts the stream of the program's output to the given sink, on any thread, and returns what ends it.
        stop: set by whoever ends the stay; the escape key sets it too.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        register: Callable[[Callable[[bytes], None]], Callable[[], None]],
        stop: threading.Event,
    ) -> None:
        self.write = write
        self.register = register
        self.stop = stop
        self.over = threading.Event()
        self.reason = "stop"
        # UI thread's:
        self._finished = False
        self._future: asyncio.Future[None] | None = None

    def keys(self, data: bytes) -> bytes | None:
        """Pass typed bytes on; return those behind the escape key (for the prompt), or None while it was not typed."""
        at = data.find(ESCAPE_KEY)
        if at < 0:
            self.write(data)
            return None
        if at:
            self.write(data[:at])
        self.reason = "key"
        self.stop.set()
        return data[at + 1 :]

    def finish(self) -> None:
        """End `pass_bytes`, also when it has not begun.  UI thread."""
        self._finished = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def finished(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        """What `pass_bytes` waits for.  UI thread."""
        self._future = loop.create_future()
        if self._finished:
            self._future.set_result(None)
        return self._future

    def closed(self) -> None:
        """The terminal is gone, or the session ends."""
        self.reason = "closed"
        self.stop.set()
        self.over.set()


class Foreground(Protocol):
    """The terminal, as `run_foreground` needs it."""

    def hand_over(self, handover: Handover) -> None:
        """Give the keyboard away.  Any thread."""
        ...

    def take_back(self, handover: Handover) -> None:
        """Bring the prompt back; `handover.over` is set when it is there.  Any thread."""
        ...


def run_foreground(
    app: Foreground,
    master_fd_write: Callable[[bytes], None],
    output: Callable[[Callable[[bytes], None]], Callable[[], None]],
    stop_event: threading.Event,
) -> str:
    """Give the keyboard to the program and wait until it comes back.  Command thread only.

    Args:
        app: the terminal (`ui.app.Terminal`).
        master_fd_write: see `Handover.write`.
        output: see `Handover.register`.  The host should not show the same output as log lines meanwhile.
        stop_event: to be set at the program's next stop or exit.

    Returns:
        ``key`` (Ctrl-] was typed), ``stop`` (`stop_event` was set) or ``closed`` (the terminal is gone).
    """
    handover = Handover(master_fd_write, output, stop_event)
    app.hand_over(handover)
    stop_event.wait()
    app.take_back(handover)
    handover.over.wait()
    return handover.reason


async def pass_bytes(handover: Handover, keyboard: int, screen: int, hung_up: Callable[[], None]) -> bytes:
    """Pass bytes both ways until `Handover.finish`.  UI thread; the terminal is raw before and after.

    Args:
        handover: what was asked for.
        keyboard: descriptor of the person's terminal, for reading.
        screen: the same for writing.
        hung_up: called when the person's terminal is gone.

    Returns:
        What was typed behind the escape key.
    """
    loop = asyncio.get_running_loop()
    finished = handover.finished(loop)
    state, gate = ScreenState(), threading.Lock()
    rest = b""

    def typed() -> None:
        nonlocal rest
        try:
            data = os.read(keyboard, 4096)
        except OSError:  # EIO: the terminal hung up
            data = b""
        if not data:
            loop.remove_reader(keyboard)
            handover.closed()
            handover.finish()
            hung_up()
            return
        behind = handover.keys(data)
        if behind is not None:
            # Once is enough: the command thread sees `stop` and calls `take_back`.
            loop.remove_reader(keyboard)
            rest = behind

    def shown(data: bytes) -> None:
        with gate:
            if not finished.done():
                state.feed(data)
                _write_all(screen, data)

    end_output = handover.register(shown)
    loop.add_reader(keyboard, typed)
    try:
        await finished
    finally:
        loop.remove_reader(keyboard)
        end_output()
        with gate:
            _write_all(screen, reset_sequence(alternate=state.alternate))
    return rest


def parse_keys(data: bytes) -> list[KeyPress]:
    """Typed bytes as key presses, for the prompt that comes back."""
    keys: list[KeyPress] = []
    Vt100Parser(keys.append).feed_and_flush(data.decode("utf-8", "replace"))
    return keys


def _write_all(descriptor: int, data: bytes) -> None:
    """Every byte, or nothing more once the terminal has gone."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError:  # EIO after a hang-up: the reader of the keyboard sees it too and ends the session
        pass
