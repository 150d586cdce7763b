"""How a puppet is started, and the line it hangs from.

Any thread: the thread that starts a puppet is its parent.  The only fork is that of `kernel.spawn`.  Must not keep a descriptor that a
child could inherit.
"""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tracedbg.kernel import raw
from tracedbg.kernel.spawn import Spawned, SpawnSpec, fork_exec
from tracedbg.model.errors import NotHere
from tracedbg.model.names import WAIT_OPTIONS

from . import machine

PUPPET = "/memfd:puppet (deleted)"
"""What /proc/PID/exe says of a puppet as long as it is one."""

_F_SETOWN, _F_SETSIG = 8, 10  # include/uapi/asm-generic/fcntl.h
_MFD_EXEC = 0x10
"""Since Linux 6.3; memfd_create(2)."""


class Program:
    """The puppets' program as a file without a name, and how often it was started.

    Raises:
        NotHere: this CPU has no such program.
    """

    def __init__(self) -> None:
        if raw.MACHINE != "x86_64":
            raise NotHere(f"puppets are made of x86-64 instructions, and this machine is {raw.MACHINE}", "use a machine with such a CPU")
        try:
            fd = os.memfd_create("puppet", os.MFD_CLOEXEC | _MFD_EXEC)
        except OSError:
            fd = os.memfd_create("puppet", os.MFD_CLOEXEC)
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.write(fd, machine.image())
        # Read only, or the kernel would refuse to run it (ETXTBSY).
        self._file = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
        os.close(fd)
        self._last: Spawned | None = None

    def spawn(self, channel: int, lifeline: int) -> int:
        """Fork on the calling thread; the child's pid.

        Raises:
            OSError: no process could be made.
        """
        path = f"/proc/self/fd/{self._file}"
        null = (self._null,) * 3
        spawned = fork_exec(SpawnSpec(path, ["puppet"], {}, stdio=null, randomize=True, trace=False, keep=(channel, lifeline)))
        if self._last is not None:
            self._last.close()
        self._last = spawned
        return spawned.pid

    def trouble(self) -> str:
        """What went wrong in the last child before it became a puppet, empty if nothing did."""
        told = self._last.trouble() if self._last is not None else []
        return "; ".join(f"{stage}: {os.strerror(errno)}" for stage, errno, _ in told)

    def close(self) -> None:
        """Close the file."""
        if self._last is not None:
            self._last.close()
        os.close(self._file)
        os.close(self._null)


class End:
    """One puppet's end of the lifeline, for as long as we hold it too."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        fcntl.fcntl(fd, _F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)

    def own(self, pid: int) -> None:
        """Say whom the signal is for."""
        try:
            fcntl.fcntl(self.fd, _F_SETOWN, pid)
        except OSError:
            pass  # dead already

    def close(self) -> None:
        """Let go; the puppet keeps it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Lifeline:
    """A pipe that nobody writes to, and whose other end only this process holds.

    When this process ends, however it ends, the kernel closes that end and sends each puppet a signal, since its own end asks for
    one with O_ASYNC.  The signal is SIGKILL (F_SETSIG), so puppets that are stopped, traced or asleep die as well.  A parent-death
    signal would do for children of ours only, and would be seen by those who look for one.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_CLOEXEC)

    def open(self) -> End:
        """One more end: an open file description of its own, since owner and signal belong to the description (fcntl(2))."""
        return End(os.open(f"/proc/self/fd/{self._read}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))

    @contextmanager
    def end(self) -> Iterator[End]:
        """The same, closed on our side afterwards."""
        end = self.open()
        try:
            yield end
        finally:
            end.close()

    def close(self) -> None:
        """Close both ends: whoever still hangs here dies."""
        os.close(self._write)
        os.close(self._read)


def reap(pids: list[int]) -> None:
    """Collect those of our children that are dead; never waits.  After all threads that wait have ended."""
    for pid in pids:
        raw.wait4(pid, WAIT_OPTIONS["WNOHANG"] | WAIT_OPTIONS["__WALL"])
