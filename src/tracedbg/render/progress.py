"""A line about long work, on a terminal only: it is redrawn in place and erased at the end.

The thread that works; nothing runs beside it.  It must not be used while a prompt or another screen owns the terminal.
"""

from __future__ import annotations

import shutil
import time
from types import TracebackType
from typing import Self, TextIO

from tracedbg.model.text import visible

_QUIET_S = 0.4
"""Work that is over by then shows nothing: a line that flashes by is noise."""
_PAUSE_S = 0.1
_ERASE = "\r\x1b[K"


class Progress:
    """A line like ``reading x.jsonl 41 %``; a context manager, which erases it.

    Args:
        stream: usually standard error; nothing is written unless it is a terminal.
        label: what is being done; foreign text in it is made visible.
        at_once: show it from the beginning: the work is known to be long, and cannot tell how far it is.
    """

    def __init__(self, stream: TextIO, label: str, at_once: bool = False) -> None:
        self._stream, self.label = stream, label
        try:
            self._shows = stream.isatty()
        except ValueError:  # closed
            self._shows = False
        self._at_once, self._next = at_once, time.monotonic() + _QUIET_S
        self._drawn = False

    def __call__(self, done: int, total: int) -> None:
        """How far it is; cheap, so call it often.

        Args:
            done: units that are done.
            total: of so many; 0 if nobody knows, then the number alone is shown.
        """
        if not self._shows:
            return
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _PAUSE_S
        self._draw(f" {min(100, 100 * done // total)} %" if total > 0 else f" {done:,}")

    def _draw(self, amount: str) -> None:
        width = max(20, shutil.get_terminal_size((80, 24)).columns - 1)
        self._put(f"{_ERASE}{visible(self.label)[: width - len(amount)]}{amount}")
        self._drawn = True

    def _put(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # the terminal has gone; the work has not
            self._shows = False

    def __enter__(self) -> Self:
        if self._shows and self._at_once:
            self._draw(" ...")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._drawn and self._shows:
            self._put(_ERASE)
        self._drawn = False
