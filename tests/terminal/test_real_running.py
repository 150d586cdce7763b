"""The real program at a terminal while something runs: what answers at once, what is refused, how it is stopped."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.programs import build

from .real import is_alive, tracedbg

pytestmark = [pytest.mark.slow, pytest.mark.needs("cc", "ptrace")]


def test_while_continue_runs(tmp_path: Path) -> None:
    """What may answers at once, what must wait is refused by the name of what runs, and the program can be stopped again and again."""
    with tracedbg(tmp_path, build("loop")) as screen:
        screen.say("run", "| looping")
        screen.until(lambda: "running" in screen.toolbar())
        queue = screen.say("info waitqueue", "do_wait")
        assert re.search(r"waiter\b.*", queue)
        screen.say("info threads", "(running)")
        screen.say("help continue", "continue [COUNT]")
        screen.say("why", "No command has failed yet.")
        screen.say("next", "'next' must wait: 'run' is running")
        screen.say("why", "what to do:")
        screen.say("log last 3", "waiter")
        screen.say("log quiet", "detail quiet")
        screen.say("log calls", "detail calls")
        screen.say("input hello", 'typed "hello\\n"')
        assert "running" in screen.toolbar(), "none of this disturbed the program"
        screen.say("interrupt", "Program interrupted.")
        screen.until(lambda: "stopped" in screen.toolbar())
        screen.say("continue", "running continue")
        # Ctrl-C: the program's own terminal first, as in a shell; it has no handler, so this is a delivery stop.
        screen.type("\x03")
        screen.until("Program received signal SIGINT")
        screen.say("signal 0", "running")
        screen.say("interrupt", "Program interrupted.")
        # Typed ahead: each waits its turn.
        screen.type("stepi\nprint 6*7\nprint 7*7\n")
        screen.until(lambda: "= 49" in screen.text)
        tail = screen.text.rpartition("stopped SIGTRAP step")[2]
        assert re.search(r"= 42.*= 49", tail, re.DOTALL), tail
        pid = screen.inferior()
        assert pid
        screen.say("continue", "running continue")
        began = time.monotonic()
        screen.type("\x04")
        assert screen.wait() == 0
        assert time.monotonic() - began < 2
        assert not is_alive(pid)
