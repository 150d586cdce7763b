"""Leaving tracedbg in the middle of everything: quickly, nothing behind, the terminal in order."""

from __future__ import annotations

import os
import signal
import subprocess
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.programs import build

from .real import Real, is_alive, tracedbg

pytestmark = [pytest.mark.slow, pytest.mark.needs("cc", "ptrace")]


def leave(screen: Real, how: Callable[[], object], status: int = 0) -> None:
    """Leave, and look at the clock and the terminal."""
    began = time.monotonic()
    how()
    assert screen.wait() == status
    assert time.monotonic() - began < 2
    assert screen.modes() & termios.ECHO
    assert screen.modes() & termios.ICANON


def gone(pid: int) -> bool:
    return not is_alive(pid)


def test_while_the_program_runs(tmp_path: Path) -> None:
    with tracedbg(tmp_path, build("loop")) as screen:
        screen.say("run", "| looping")
        pid = screen.inferior()
        leave(screen, lambda: screen.type("quit\n"))
        assert gone(pid)


def test_while_a_thread_sleeps_in_a_wait(tmp_path: Path) -> None:
    """The wait of the foreground is ended by Ctrl-C and says EINTR; another, in the background, by leaving."""
    with tracedbg(tmp_path, build("loop")) as screen:
        screen.say("starti", "0x0000")
        screen.say("thread w1 w2", "")
        screen.type("on w1 wait4 -1 __WALL\n")
        screen.until("| asleep do_wait")
        screen.say("next", "is running")
        screen.type("\x03")
        screen.until("-1 EINTR")
        screen.say("on w2 wait4 -1 __WALL &", "| asleep do_wait")
        pid = screen.inferior()
        leave(screen, lambda: screen.type("\x04"))
        assert gone(pid)


def test_in_a_flood(tmp_path: Path) -> None:
    """Binary output as fast as it comes: the prompt is usable, and leaving takes no longer."""
    with tracedbg(tmp_path, build("terminal"), "flood", "400") as screen:
        screen.say("run", "| ")
        screen.type("echo usa")
        screen.type("ble\n")
        screen.until_bytes(b"usable\r\r\n", 5)
        leave(screen, lambda: screen.type("quit\n"))
        for byte in (b"\x07", b"\x0e", b"\x9b", b"\x90"):
            assert byte not in screen.raw.replace("\N{HORIZONTAL ELLIPSIS}".encode(), b"")


def test_an_attached_program_goes_on(tmp_path: Path) -> None:
    """Ctrl-D asks first; the program is let go unharmed."""
    with subprocess.Popen([build("loop")], stdout=subprocess.DEVNULL) as program:
        try:
            with tracedbg(tmp_path) as screen:
                screen.say(f"attach {program.pid}", "Program interrupted.")
                screen.say("continue", "running continue")
                screen.type("\x03")  # it has no terminal of ours: through ptrace
                screen.until(lambda: "Program interrupted." in screen.after("continue"))
                screen.say("stepi", "stopped SIGTRAP step")
                screen.say("continue", "running continue")
                screen.type("\x04")
                screen.until(f"process {program.pid} was attached: let it go and quit? (y or n)")
                leave(screen, lambda: screen.type("y"))
            with open(f"/proc/{program.pid}/status") as file:
                status = file.read()
            assert "TracerPid:\t0\n" in status
            assert "State:\tR" in status
        finally:
            program.kill()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_ended_by_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    with tracedbg(tmp_path, build("loop")) as screen:
        screen.say("run", "| looping")
        pid = screen.inferior()
        if number == signal.SIGKILL:
            os.kill(screen.pid, number)
            assert screen.wait() == -signal.SIGKILL
        else:
            leave(screen, lambda: os.kill(screen.pid, number))
        screen.until_dead(pid)
