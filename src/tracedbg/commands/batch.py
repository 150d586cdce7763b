"""Scripts: lines from options, files and a piped stdin, run one after the other.

Main thread, which is the command thread here.  A failed command ends the script (unless told otherwise) and makes the exit status
non-zero.  Imports nothing of the prompt.
"""

from __future__ import annotations

import queue
import signal
import sys
import threading
from collections.abc import Iterable
from types import FrameType
from typing import Self

from tracedbg.model.errors import NotFound
from tracedbg.session.session import Session

from .runner import Runner
from .screen import PlainScreen

OK, FAILED, USAGE, INTERNAL = 0, 1, 2, 3
"""Exit statuses: all went well; a command or an expectation failed; the command line was wrong; a defect of tracedbg."""


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
    """Ctrl-C and SIGTERM while a script runs.

    A signal handler may run in the middle of anything, so it only leaves a note; a thread of its own acts on it.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._notes: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="signals", daemon=True)
        self._former: dict[int, object] = {}
        self.ending = 0
        self._count = 0

    def __enter__(self) -> Self:
        self._thread.start()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._former[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)  # type: ignore[arg-type]  # what signal.signal itself returned
        self._notes.put(0)
        self._thread.join()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._notes.put(number)

    def _serve(self) -> None:
        while (number := self._notes.get()) != 0:
            if number == signal.SIGINT:
                self._count += 1
                if self._session.interrupt(gently=True) and self._count < 4:
                    continue
            # Nothing to interrupt, or asked to end: end the script, and whatever it waits for.
            self.ending = number
            self._session.abandon()


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

