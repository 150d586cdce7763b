"""Ending a blocked wait from outside.

Any thread may kick; only the thread itself sits down and gets up.  A signal that lands just before the system call begins is lost,
so the kicker asks again until the sitter has answered.  Source: signal(7), "Interruption of system calls".
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from . import raw

POKE = signal.SIGURG
"""Its default is to be ignored, so that a late poke after the handler was restored does nothing."""

_AGAIN_S = 0.001


class Seat:
    """One thread's place in a wait call.

    Args:
        tid: of the thread that will sit here.
    """

    def __init__(self, tid: int) -> None:
        self.tid = tid
        self.inside = False
        self._kicked = False
        self._left = threading.Event()

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Sit down for one call; the value says whether to make it (False: kicked before it began)."""
        self._left.clear()
        # Order matters: first inside, then look.  The kicker first marks, then looks at inside: one of the two sees the other.
        self.inside = True
        try:
            yield not self._kicked
        finally:
            self.inside = False
            self._left.set()

    def kick(self) -> None:
        """End the current call and refuse further ones until `welcome`; returns when the thread is out."""
        self._kicked = True
        self.nudge()

    def nudge(self) -> None:
        """Poke until the thread is out of its call."""
        while self.inside:
            if raw.tgkill(os.getpid(), self.tid, POKE)[0] == -1:
                return  # the thread has ended
            self._left.wait(_AGAIN_S)

    def welcome(self) -> None:
        """Calls are possible again."""
        self._kicked = False

    @property
    def kicked(self) -> bool:
        """Whether calls are refused at present."""
        return self._kicked


class PokeHandler:
    """The empty handler for `POKE`, for as long as the first owner lives; nested owners count."""

    _lock = threading.Lock()
    _owners = 0
    _former = b""

    @classmethod
    def acquire(cls) -> None:
        """Install the handler for the first owner."""
        with cls._lock:
            if cls._owners == 0:
                cls._former = raw.install_empty_handler(POKE)
            cls._owners += 1

    @classmethod
    def release(cls) -> None:
        """Restore the former disposition with the last owner."""
        with cls._lock:
            cls._owners -= 1
            if cls._owners == 0:
                raw.restore_handler(POKE, cls._former)
