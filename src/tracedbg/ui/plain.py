"""The prompt for terminals without cursor movement (``TERM=dumb``): read a line, run it, print what happened.

Main thread.  Nothing is redrawn, so lines are printed only while a command runs or just before the next prompt.  Must not import
prompt_toolkit.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from types import FrameType
from typing import TextIO

from tracedbg.model.text import visible
from tracedbg.render.styles import paint_all

from .host import Host
from .pump import Pump

_TICK = 0.1


def is_dumb(environ: Mapping[str, str]) -> bool:
    """Whether this terminal cannot be redrawn (``TERM`` unset, ``dumb`` or ``unknown``)."""
    return environ.get("TERM", "") in ("", "dumb", "unknown")


class _Plain:
    """The loop and what it needs."""

    def __init__(self, host: Host, pump: Pump, stdin: TextIO, stdout: TextIO) -> None:
        self._host = host
        self._pump = pump
        self._stdin = stdin
        self._stdout = stdout
        self._reading = False
        self._ctrl_c = False

    def _sigint(self, _number: int, _frame: FrameType | None) -> None:
        """Only a read may be broken off by an exception; in the middle of the host's own code it could leave a lock behind."""
        if self._reading:
            raise KeyboardInterrupt
        self._ctrl_c = True

    def run(self) -> None:
        """Until end of input is confirmed, or the host says so by `leave`."""
        before = signal.signal(signal.SIGINT, self._sigint)
        try:
            self._watch()  # what the command line asked for comes before the first prompt
            while self._one_line():
                pass
        finally:
            signal.signal(signal.SIGINT, before)
            self._host.quit()
            self._show()

    def _one_line(self) -> bool:
        self._show()
        line = self._read(self._host.prompt())
        if line is None:
            return not self._quit()
        if line:
            self._host.submit(line.rstrip("\n"))
            self._watch()
        return not self._host.ended()

    def _read(self, prompt: str) -> str | None:
        """A line with its newline, an empty text after Ctrl-C, None at the end of input."""
        self._write(str(visible(prompt)))
        try:
            self._reading = True
            line = self._stdin.readline() or None
            self._reading = False
        except KeyboardInterrupt:
            self._reading = False
            self._interrupt()
            return ""
        return line

    def _watch(self) -> None:
        """Print while the command runs: no prompt is on the screen, so nothing can be torn."""
        idle = False
        while not idle:
            idle = self._host.idle(_TICK)
            if self._ctrl_c:
                self._ctrl_c = False
                self._interrupt()
            self._show()

    def _interrupt(self) -> None:
        self._write("\n")
        hint = self._host.interrupt()
        if hint:
            self._write(f"{visible(hint)}\n")

    def _quit(self) -> bool:
        """Ctrl-D: leave, or ask first.  A second end of input is a yes: nobody is there to answer."""
        self._write("\n")
        question = self._host.request_quit()
        if question is None:
            return True
        answer = self._read(f"{visible(question).rstrip()} (y or n) ")
        return answer is None or answer.strip().lower() in ("y", "yes")

    def _show(self) -> None:
        while self._pump.waiting():
            self._write("".join(line + "\n" for line in paint_all(self._pump.take(), colour=False)))

    def _write(self, text: str) -> None:
        encoding = self._stdout.encoding or "ascii"
        self._stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        self._stdout.flush()


def run_plain(host: Host, pump: Pump, stdin: TextIO | None = None, stdout: TextIO | None = None) -> None:
    """Serve a terminal that cannot be redrawn until the end of the session.  Main thread; calls ``host.quit`` at the end.

    Args:
        host: the side that runs commands.
        pump: lines to print.
        stdin: where lines come from, default the process's.
        stdout: where lines go, default the process's.
    """
    _Plain(host, pump, stdin or sys.stdin, stdout or sys.stdout).run()
