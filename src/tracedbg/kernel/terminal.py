"""The program's own pseudo-terminal, as its master side sees it.

Any thread, one at a time for one pty.  Nothing here blocks: the master is non-blocking and reading it is a matter of `poll` and
`read_now`.  It must not touch the terminal that tracedbg itself runs on.
"""

from __future__ import annotations

import errno as _errno
import fcntl
import os
import struct
import termios
from dataclasses import dataclass
from typing import Any, Final

from tracedbg.model.errors import KernelRefused, NotHere
from tracedbg.model.names import errno_name, errno_text
from tracedbg.model.text import visible

_OFLAG: Final = 1
_LFLAG: Final = 3
# Places in what termios.tcgetattr returns.


@dataclass(frozen=True, slots=True)
class TtyModes:
    r"""The modes of a terminal that matter to us (termios(3)).

    Attributes:
        echo: the terminal shows what is typed (ECHO).
        opost: the terminal edits output, above all newline to carriage return and newline (OPOST).
        canonical: input comes in edited lines (ICANON); programs that draw screens switch it off.
        signals: the keys ^C, ^\ and ^Z send signals (ISIG).
    """

    echo: bool
    opost: bool
    canonical: bool
    signals: bool


COOKED: Final = TtyModes(echo=True, opost=True, canonical=True, signals=True)
"""How a terminal is handed to a program by a shell."""


@dataclass(slots=True)
class Pty:
    """A pseudo-terminal for one program.  Every descriptor is close-on-exec; the child's copies 0, 1, 2 are its own.

    Attributes:
        master_fd: our side, non-blocking; -1 once closed.
        slave_path: the name that the program's `tty` would print.
        slave_fd: the program's side, for the fork; -1 once closed.  While we hold it, end of output cannot be seen.
        background: the modes as they were before the terminal was put into the background, None while in the foreground.
    """

    master_fd: int
    slave_path: str
    slave_fd: int
    background: TtyModes | None = None

    def close_slave(self) -> None:
        """Give up the program's side, after the fork: from then on its last close shows as a hang-up.  May be repeated."""
        if self.slave_fd >= 0:
            os.close(self.slave_fd)
            self.slave_fd = -1

    def close(self) -> None:
        """Give up both sides: a program that still has the terminal gets SIGHUP (tty_io.c, __tty_hangup).  May be repeated."""
        self.close_slave()
        if self.master_fd >= 0:
            os.close(self.master_fd)
            self.master_fd = -1


def open_pty(rows: int = 24, columns: int = 80) -> Pty:
    """Make a pseudo-terminal in background modes: no ECHO, so that typed input is not seen twice, and no OPOST.

    Args:
        rows: height in characters.
        columns: width in characters.

    Raises:
        NotHere: this machine gives out no pseudo-terminal.
    """
    try:
        master, slave = os.openpty()  # both close-on-exec since Python 3.4 (PEP 446)
    except OSError as problem:
        why = f"{errno_text(problem.errno or 0)} ({errno_name(problem.errno or 0)})"
        remedy = "mount devpts on /dev/pts, or close programs that hold terminals (limit: /proc/sys/kernel/pty/max)"
        raise NotHere(f"no pseudo-terminal for the program: {why}", remedy) from problem
    try:
        os.set_blocking(master, False)
        pty = Pty(master, os.ttyname(slave), slave)
        set_window_size(pty, rows, columns)
        set_foreground_modes(pty, on=False)
    except BaseException:
        os.close(master)
        os.close(slave)
        raise
    return pty


def modes(pty: Pty) -> TtyModes:
    """Read the modes that are in force now; the program may have changed them.

    The master answers for the slave: for a pty's master the kernel turns to the other side (drivers/tty/tty_ioctl.c, real_tty).

    Raises:
        KernelRefused: the pty is closed.
    """
    return _as_modes(_attributes(pty))


def set_foreground_modes(pty: Pty, *, on: bool, echo: bool = True) -> None:
    """Hand the terminal to a person, or take it back.

    Off takes ECHO and OPOST away and remembers what they were.  On gives back exactly what was taken, unless the program has
    changed between lines and single keys meanwhile: then the modes are its own choice and stay.  ISIG is never touched, so that a
    ^C written to the master is SIGINT for the program's foreground group in either mode.

    Args:
        pty: the program's terminal.
        on: true for the foreground.
        echo: false to leave ECHO off for somebody who is asked for a password.  The modes cannot tell: a program that turned ECHO
            off in the background found it off already.  That ISIG is off as well (getpass(3) turns off both) is taken as a sign.

    Raises:
        KernelRefused: the pty is closed.
    """
    attributes = _attributes(pty)
    if on:
        before, pty.background = pty.background, None
        if before is None or before.canonical != _as_modes(attributes).canonical:
            return
        secret = not echo or before.signals != _as_modes(attributes).signals
        attributes[_LFLAG] |= termios.ECHO if before.echo and not secret else 0
        attributes[_OFLAG] |= termios.OPOST if before.opost else 0
    else:
        if pty.background is None:
            pty.background = _as_modes(attributes)
        attributes[_LFLAG] &= ~termios.ECHO
        attributes[_OFLAG] &= ~termios.OPOST
    try:
        termios.tcsetattr(pty.master_fd, termios.TCSANOW, attributes)
    except (termios.error, OSError) as problem:
        raise _refused("tcsetattr", pty, problem) from problem


def set_window_size(pty: Pty, rows: int, columns: int) -> None:
    """Tell the size of the window; the kernel sends SIGWINCH to the foreground group if it changed (tty_ioctl(4), TIOCSWINSZ).

    Raises:
        KernelRefused: the pty is closed.
    """
    size = struct.pack("HHHH", min(max(rows, 1), 0xFFFF), min(max(columns, 1), 0xFFFF), 0, 0)
    try:
        fcntl.ioctl(pty.master_fd, termios.TIOCSWINSZ, size)
    except (OSError, ValueError) as problem:  # ValueError: Python's own answer to descriptor -1
        raise _refused("ioctl(TIOCSWINSZ)", pty, problem) from problem


def foreground_group(pty: Pty) -> int:
    """The process group that ^C would reach; 0 if there is none or the pty is closed (tty_ioctl(4), TIOCGPGRP)."""
    try:
        return os.tcgetpgrp(pty.master_fd)
    except OSError:
        return 0  # ENOTTY, EIO: no session has this terminal


def write(pty: Pty, data: bytes) -> int:
    r"""Type on the program's keyboard.

    Args:
        pty: the program's terminal.
        data: bytes as keys send them: ``\x03`` for ^C, ``\n`` or ``\r`` for Enter.

    Returns:
        How many bytes were taken.  Fewer than given, 0 among them, when the program does not read and the queue of about 4,000
        bytes is full: poll the master for writing and go on with the rest.

    Raises:
        KernelRefused: the pty is closed.
    """
    try:
        return os.write(pty.master_fd, data)
    except BlockingIOError:
        return 0
    except OSError as problem:
        raise _refused("write", pty, problem) from problem


def read_now(pty: Pty, limit: int = 65536) -> bytes | None:
    """Take what the program has written so far.

    Output arrives a moment after the write, by a kernel worker (drivers/tty/tty_buffer.c): empty now does not mean that nothing is
    on its way.

    Args:
        pty: the program's terminal.
        limit: at most so many bytes.

    Returns:
        The bytes, empty if there are none now, None when no process has the terminal open any more (hang-up, EIO) or `pty` is
        closed.
    """
    try:
        return os.read(pty.master_fd, limit) or None
    except BlockingIOError:
        return b""
    except OSError as problem:
        if problem.errno in (_errno.EIO, _errno.EBADF):
            return None
        raise


def _attributes(pty: Pty) -> list[Any]:
    # Any: six numbers and a list of keys, which termios has no better type for.
    try:
        attributes: list[Any] = termios.tcgetattr(pty.master_fd)
    except (termios.error, OSError, ValueError) as problem:
        raise _refused("tcgetattr", pty, problem) from problem
    return attributes


def _as_modes(attributes: list[Any]) -> TtyModes:
    local = attributes[_LFLAG]
    return TtyModes(
        echo=bool(local & termios.ECHO),
        opost=bool(attributes[_OFLAG] & termios.OPOST),
        canonical=bool(local & termios.ICANON),
        signals=bool(local & termios.ISIG),
    )


def _refused(call: str, pty: Pty, problem: Exception) -> KernelRefused:
    errno = problem.args[0] if problem.args and isinstance(problem.args[0], int) else _errno.EBADF
    what = f"the program's terminal {visible(pty.slave_path)} did not take {call}: {errno_text(errno)} ({errno_name(errno)})"
    return KernelRefused(what, "the program has ended or its terminal is closed", call=call, errno=errno)
