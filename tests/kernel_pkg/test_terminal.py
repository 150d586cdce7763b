"""The program's own terminal, with real programs on its other side."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.kernel_pkg.actors import until
from tracedbg.kernel import terminal
from tracedbg.model.errors import KernelRefused, NotHere

SESSION = """
import fcntl, os, signal, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
"""


@pytest.fixture
def pty() -> Iterator[terminal.Pty]:
    made = terminal.open_pty(17, 61)
    yield made
    made.close()


def start(pty: terminal.Pty, code: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", SESSION + code], stdin=pty.slave_fd, stdout=pty.slave_fd, stderr=pty.slave_fd)
    pty.close_slave()
    return process


def read_until(pty: terminal.Pty, wanted: bytes, seconds: float = 10.0) -> bytes:
    """Output up to `wanted`; waits for the descriptor, not for time."""
    seen = b""
    deadline = time.monotonic() + seconds
    while wanted not in seen:
        assert time.monotonic() < deadline, f"{wanted!r} is not in {seen!r}"
        select.select([pty.master_fd], [], [], 0.5)
        data = terminal.read_now(pty)
        assert data is not None, f"hang-up after {seen!r}"
        seen += data
    return seen


def hang_up(pty: terminal.Pty) -> None:
    def closed() -> bool:
        select.select([pty.master_fd], [], [], 0.1)
        return terminal.read_now(pty) is None

    until(closed)


def test_descriptors_are_private_and_the_master_does_not_block(pty: terminal.Pty) -> None:
    for fd in (pty.master_fd, pty.slave_fd):
        assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    assert not os.get_blocking(pty.master_fd)
    assert os.ttyname(pty.slave_fd) == pty.slave_path
    assert terminal.read_now(pty) == b""
    assert terminal.foreground_group(pty) == 0


def test_a_program_sees_a_terminal_of_our_size(pty: terminal.Pty) -> None:
    process = start(pty, "print(sys.stdin.isatty(), os.get_terminal_size(), os.getpgrp() == os.tcgetpgrp(0), 'end', flush=True)")
    assert read_until(pty, b"end\n") == b"True os.terminal_size(columns=61, lines=17) True end\n"  # no OPOST: no \r
    assert process.wait() == 0
    hang_up(pty)


def test_window_change_reaches_the_program(pty: terminal.Pty) -> None:
    code = (
        "signal.signal(signal.SIGWINCH, lambda *_: print(os.get_terminal_size(), 'end', flush=True))\n"
        "print('ready', flush=True)\nsys.stdin.read()"
    )
    process = start(pty, code)
    read_until(pty, b"ready\n")
    assert terminal.foreground_group(pty) == process.pid
    terminal.set_window_size(pty, 5, 200)
    assert b"columns=200, lines=5" in read_until(pty, b"end\n")
    assert terminal.write(pty, b"\x04") == 1
    assert process.wait() == 0


def test_control_c_is_a_signal_and_typed_text_is_not_seen_twice(pty: terminal.Pty) -> None:
    process = start(pty, "print('ready', flush=True)\nprint('got', input(), flush=True)\nsignal.pause()")
    read_until(pty, b"ready\n")
    assert terminal.write(pty, b"hello\n") == 6
    assert read_until(pty, b"hello\n") == b"got hello\n"
    terminal.write(pty, b"\x03")
    assert b"KeyboardInterrupt" in read_until(pty, b"KeyboardInterrupt")
    assert process.wait() == -signal.SIGINT


def test_foreground_and_background(pty: terminal.Pty) -> None:
    assert terminal.modes(pty) == terminal.TtyModes(echo=False, opost=False, canonical=True, signals=True)
    terminal.set_foreground_modes(pty, on=True)
    assert terminal.modes(pty) == terminal.COOKED
    process = start(pty, "print('ready', flush=True)\nprint('got', input(), flush=True)\nsignal.pause()")
    read_until(pty, b"ready\r\n")
    terminal.write(pty, b"hello\n")
    assert read_until(pty, b"got hello\r\n") == b"hello\r\ngot hello\r\n"
    terminal.set_foreground_modes(pty, on=False)
    terminal.set_foreground_modes(pty, on=False)  # twice is once: what was taken is not forgotten
    assert not terminal.modes(pty).echo
    terminal.set_foreground_modes(pty, on=True)
    assert terminal.modes(pty) == terminal.COOKED
    process.kill()
    process.wait()


def test_modes_that_a_program_chose_are_left_to_it(pty: terminal.Pty) -> None:
    process = start(pty, "import tty\ntty.setraw(0)\nprint('raw', flush=True)\nsys.stdin.read(1)")
    read_until(pty, b"raw\n")
    raw = terminal.modes(pty)
    assert not raw.canonical
    terminal.set_foreground_modes(pty, on=True)
    assert terminal.modes(pty) == raw
    terminal.set_foreground_modes(pty, on=False)
    terminal.set_foreground_modes(pty, on=True)
    assert terminal.modes(pty) == raw
    terminal.write(pty, b"x")
    assert process.wait() == 0


def test_a_program_that_does_not_read_does_not_block_us(pty: terminal.Pty) -> None:
    process = start(pty, "import tty\ntty.setraw(0)\nprint('ready', flush=True)\nsignal.pause()")
    read_until(pty, b"ready")
    taken = [terminal.write(pty, b"x" * 3000) for _ in range(40)]
    assert 0 < sum(taken) < 3000 * 40
    assert taken[-1] == 0
    process.kill()
    process.wait()
    hang_up(pty)


def test_closing_hangs_up(pty: terminal.Pty) -> None:
    process = start(pty, "print('ready', flush=True)\nsignal.pause()")
    read_until(pty, b"ready")
    pty.close()
    pty.close()
    assert process.wait() == -signal.SIGHUP
    assert terminal.read_now(pty) is None
    assert terminal.foreground_group(pty) == 0
    for attempt in (
        lambda: terminal.write(pty, b"x"),
        lambda: terminal.modes(pty),
        lambda: terminal.set_foreground_modes(pty, on=False),
        lambda: terminal.set_window_size(pty, 1, 1),
    ):
        with pytest.raises(KernelRefused, match="did not take"):
            attempt()


def test_no_terminal_left() -> None:
    import resource

    former = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, former[1]))
    try:
        with pytest.raises(NotHere, match="no pseudo-terminal"):
            terminal.open_pty()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, former)
