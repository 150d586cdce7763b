"""Scripts: lines from options, files and a piped stdin, run one after the other.

Main thread, which is the command thread here.  A failed command ends the script (unless told otherwise) and makes the exit status
non-zero.  Imports nothing of the prompt.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Iterable
from typing import Self

from tracedbg.model.errors import NotFound
from tracedbg.session.session import Session

from .runner import Runner
from .screen import PlainScreen

OK, FAILED, USAGE, INTERNAL = 0, 1, 2, 3
"""Exit statuses: all went well; a command or an expectation failed; the command line was wrong; a defect of tracedbg."""

_AGAIN_S = 0.05
"""How soon the end of a script is asked for again, until it has come."""


def script_lines(path: str) -> list[str]:
    """The lines of a script file; ``-`` is standard input.

    Raises:
        NotFound: it cannot be read.
    """
    if path == "-":
        return sys.stdin.read().splitlines()
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().splitlines()
    except OSError as error:
        raise NotFound(f"script {path} cannot be read: {error.strerror}", "name another file for -x") from error


class Interrupts:
    """Ctrl-C, SIGTERM and SIGHUP while a script runs.

    The C handler of the interpreter writes each signal's number into a pipe (signal.set_wakeup_fd), and a thread of its own acts on
    it.  A handler in Python would not do: it runs on the main thread only when that thread is back in Python code, and a signal
    that comes right before the main thread goes to sleep on a lock does not wake it.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._thread = threading.Thread(target=self._serve, name="signals", daemon=True)
        self._former: dict[int, object] = {}
        self._former_fd = -1
        self._read = self._write = -1
        self.ending = 0
        self.ended = threading.Event()
        """Set with `ending`: for whoever waits for nothing but time."""
        self._count = 0

    def __enter__(self) -> Self:
        self._read, self._write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._write, False)
        self._thread.start()
        self._former_fd = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._former[number] = signal.signal(number, lambda _number, _frame: None)
        return self

    def __exit__(self, *_: object) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)  # type: ignore[arg-type]  # what signal.signal itself returned
        signal.set_wakeup_fd(self._former_fd)
        os.write(self._write, b"\0")
        self._thread.join()
        for fd in (self._read, self._write):
            os.close(fd)

    def _serve(self) -> None:
        while (number := self._next()) != 0:
            if number == signal.SIGINT and not self.ending:
                self._count += 1
                if self._session.interrupt(gently=True) and self._count < 4:
                    continue
            # Nothing to interrupt, or asked to end: end the script, and whatever it waits for.
            self.ending = self.ending or number
            self.ended.set()
            self._session.abandon()

    def _next(self) -> int:
        """The next signal; while the script is being ended the same one again and again, for what began a moment later."""
        if self.ending and not select.select([self._read], [], [], _AGAIN_S)[0]:
            return self.ending
        return os.read(self._read, 1)[0]


def run_script(
    session: Session, runner: Runner, lines: Iterable[str], screen: PlainScreen, interrupts: Interrupts, *, keep_going: bool
) -> int:
    """Run lines until the first failure, `quit`, or their end; the exit status."""
    status = OK
    for text in lines:
        if session.quitting or interrupts.ending:
            break
        if not text.strip():
            continue
        if not runner.run_line(text, "script"):
            status = FAILED
            if not keep_going:
                break
        screen.flush()
    if interrupts.ending:
        return 128 + interrupts.ending
    if session.failure is not None:
        return INTERNAL
    return status
