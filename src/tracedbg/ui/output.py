"""The terminal as prompt_toolkit writes to it, able to gather one frame into one write.

UI thread only.  Knows nothing of logs or prompts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO

from prompt_toolkit.data_structures import Size
from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output

from tracedbg.render.styles import wants_colour


class FrameOutput(Vt100_Output):
    """A VT100 terminal whose flushes can be held back until the frame is complete.

    Cursor position requests stay off: the prompt area always has its preferred height, so its place on the screen is never needed,
    and no answer can arrive late, in the program's input or in the shell.

    Args:
        stdout: the terminal.
        environ: for ``TERM`` and ``NO_COLOR``.
    """

    def __init__(self, stdout: TextIO, environ: Mapping[str, str]) -> None:
        self.colour = wants_colour(environ)
        super().__init__(
            stdout,
            self._size_of_terminal,
            term=environ.get("TERM"),
            # Sixteen colours are those the person chose for their terminal; one bit means none (NO_COLOR).
            default_color_depth=ColorDepth.DEPTH_4_BIT if self.colour else ColorDepth.DEPTH_1_BIT,
            enable_bell=False,
            enable_cpr=False,
        )
        self._held = False
        self.gone = False

    def _size_of_terminal(self) -> Size:
        try:
            size = os.get_terminal_size(self.stdout.fileno())
        except OSError:
            return Size(rows=24, columns=80)
        # A pty that nobody has sized says 0 x 0.
        return Size(rows=size.lines or 24, columns=size.columns or 80)

    def hold(self) -> None:
        """Gather everything from now on; `release` sends it with one write."""
        self._held = True

    def release(self) -> bool:
        """Send what was gathered; tell whether anything had been held."""
        if not self._held:
            return False
        self._held = False
        self._send()
        return True

    def flush(self) -> None:
        """Send what was written so far, unless a frame is being gathered."""
        if not self._held:
            self._send()

    def _send(self) -> None:
        """One write where the terminal takes it in one.

        Past `sys.stdout`, whose buffer would keep what a hung-up terminal refused, and fail once more when the interpreter ends.
        """
        data = "".join(self._buffer).encode(self.stdout.encoding or "utf-8", "replace")
        self._buffer = []
        view = memoryview(data)
        while view and not self.gone:
            try:
                view = view[os.write(self.fileno(), view) :]
            except BlockingIOError:  # somebody who shares the terminal made it non-blocking
                os.set_blocking(self.fileno(), True)
            except OSError:  # EIO: the terminal hung up; its input says so too and ends the session
                self.gone = True
