"""The terminal as prompt_toolkit writes to it, able to gather one frame into one write.

UI thread only.  Knows nothing of logs or prompts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import TextIO

from prompt_toolkit.data_structures import Size
from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output

from .style import wants_colour


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
        self.on_frame: Callable[[float], None] | None = None

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

    def release(self) -> None:
        """Send what was gathered and tell `on_frame` how many seconds the terminal took for it."""
        if not self._held:
            return
        self._held = False
        began = time.monotonic()
        super().flush()
        if self.on_frame is not None:
            self.on_frame(time.monotonic() - began)

    def flush(self) -> None:
        """Send what was written so far, unless a frame is being gathered."""
        if not self._held:
            super().flush()
