"""The program's own terminal: what it writes becomes events, what is typed for it is written there.

One reader thread a session.  It also watches a pidfd, so that a stopped program that is killed from outside is noticed.  It makes no
ptrace request and takes no status.
"""

from __future__ import annotations

import os
import re
import select
import threading
import time
from collections.abc import Callable

from tracedbg.eventlog.log import EventLog
from tracedbg.kernel import procfs, terminal, threads
from tracedbg.model.errors import NotNow
from tracedbg.model.events import ProgramInput, ProgramOutput, pack
from tracedbg.model.ids import Role

GRACE_S = 0.002
"""The tty layer hands output on by a kernel worker, a moment after the program wrote it."""
_PARTIAL_S = 0.05
"""A line without its newline is shown after this long."""
_LOOK_S, _IDLE_S = 0.005, 0.5
"""Seconds between looks at a process that seems to be dead, at first, and at one that does not."""
_LINE_LIMIT = 4096
"""Bytes after which a line is shown even if it goes on."""
_SECRET = re.compile(rb"(?i)\b(password|passphrase|passcode|secret|pin)\b[^\n]*$")


class ProgramTerminal:
    """The session's end of the program's pty.

    Args:
        log: where output goes, on lane `tracee`.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        # Under the lock.
        self._lock = threading.Lock()
        self._pty: terminal.Pty | None = None
        self._pid = 0
        self._pidfd = -1
        self._on_death: Callable[[int], bool] = lambda _pid: True
        # Seconds until the next look, 0 when its death is known.
        self._look_s = 0.0
        self._buffer = b""
        self._unfinished = b""
        self._since = 0.0
        self._closing = False
        self._raw_to: Callable[[bytes], None] | None = None
        self._wake_r, self._wake_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._started = False
        # Rows and columns of a new pty; set by a front end with a terminal of its own.
        self.size = (24, 80)

    # --- life -----------------------------------------------------------------------------------------------------------------
    def open(self) -> terminal.Pty:
        """A fresh pty for a new program; the old one is closed."""
        pty = terminal.open_pty(*self.size)
        with self._lock:
            self._flush()
            self._unwatch()  # a late look at the former program must not give up the new one's terminal
            old, self._pty = self._pty, pty
            self._unfinished = b""
            if old is not None:
                old.close()
            if not self._started:
                self._started = True
                self._thread.start()
        self._wake()
        return pty

    def watch(self, pid: int, on_death: Callable[[int], bool]) -> None:
        """Call `on_death(pid)` on the reader thread when all threads of the process are dead, and again until it answers True.

        A process of several traced threads does not show as dead before those are reaped, which is our own business: so besides
        the pidfd (pidfd_open(2)) its leader's state is looked at now and then.

        Until then the program's side of its pty is kept open here too: a program whose input and output all go to files holds it
        nowhere, and what looks like its end would be a hang-up that kills it.
        """
        with self._lock:
            self._unwatch()
            self._pid, self._on_death = pid, on_death
            try:
                self._pidfd, self._look_s = os.pidfd_open(pid), _IDLE_S
            except OSError:
                self._look_s = _LOOK_S  # dead and reaped already
            if not self._started:
                self._started = True
                self._thread.start()
        self._wake()

    def _release(self) -> None:
        if self._pty is not None:
            self._pty.close_slave()

    def _unwatch(self) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        self._look_s = 0.0

    def close(self) -> None:
        """Close everything and join the thread."""
        with self._lock:
            self._closing = True
        self._wake()
        if self._started:
            self._thread.join()
        with self._lock:
            self._unwatch()
            if self._pty is not None:
                self._flush()
                self._pty.close()
                self._pty = None
        for fd in (self._wake_r, self._wake_w):
            os.close(fd)

    # --- for any thread -------------------------------------------------------------------------------------------------------
    @property
    def pty(self) -> terminal.Pty | None:
        """The pty of the program that was started last."""
        return self._pty

    def send(self, data: bytes, *, show: bool = True) -> int:
        """Type into the program's terminal.

        Raises:
            NotNow: no program with a terminal of ours was started.
        """
        with self._lock:
            if self._pty is None:
                raise NotNow("the program has no terminal of ours", "start it with run, without --tty")
            if show:
                self._log.publish(ProgramInput(pack(data)), lane="tracee", tid=self._pid)
            return terminal.write(self._pty, data)

    def divert(self, receiver: Callable[[bytes], None] | None) -> None:
        """Hand raw output to `receiver` instead of the log (`fg`); None ends that."""
        with self._lock:
            self._flush()
            self._raw_to = receiver

    def drain(self, grace: float = GRACE_S) -> None:
        """Take in what the program has written up to now; the tty layer delivers a moment later, hence the grace."""
        with self._lock:
            self._take()
            master = self._pty.master_fd if self._pty is not None else -1
        if master < 0:
            return
        try:
            select.select([master], [], [], grace)
        except OSError:
            return  # closed meanwhile by the reader thread, which has taken in everything
        with self._lock:
            self._take()

    @property
    def asks_for_a_secret(self) -> bool:
        """The line that the program has not finished looks like a question for a password; any thread."""
        with self._lock:
            return bool(_SECRET.search(self._unfinished + self._buffer))

    def flush(self) -> None:
        """Show an unfinished line now."""
        with self._lock:
            self._flush()

    # --- the reader thread ----------------------------------------------------------------------------------------------------
    def _wake(self) -> None:
        try:
            os.write(self._wake_w, b"x")
        except (BlockingIOError, OSError):
            pass

    def _run(self) -> None:
        threads.name_here("output")
        with self._log.lane("output", Role.SCREEN, os.getpid()):
            while self._turn():
                pass

    def _turn(self) -> bool:
        with self._lock:
            if self._closing:
                return False
            pty, pidfd = self._pty, self._pidfd
            wait = None if not self._buffer else max(0.0, self._since + _PARTIAL_S - time.monotonic())
            if self._look_s:
                wait = self._look_s if wait is None else min(wait, self._look_s)
        poller = select.poll()
        poller.register(self._wake_r, select.POLLIN)
        if pty is not None and pty.master_fd >= 0:
            poller.register(pty.master_fd, select.POLLIN)
        if pidfd >= 0:
            poller.register(pidfd, select.POLLIN)
        try:
            ready = {fd for fd, _ in poller.poll(None if wait is None else wait * 1000 + 1)}
        except OSError:
            ready = set()
        if self._wake_r in ready:
            try:
                os.read(self._wake_r, 4096)
            except BlockingIOError:
                pass
        with self._lock:
            if pidfd in ready and pidfd == self._pidfd:
                self._unwatch()
                self._look_s = _LOOK_S
            dead = self._pid if self._look_s and not procfs.living(self._pid) else 0
            if dead:
                self._release()  # the last close by whoever has it now shows as a hang-up
            self._take()
            if self._buffer and time.monotonic() - self._since >= _PARTIAL_S:
                self._flush()
            told = self._on_death
        done = bool(dead) and told(dead)
        with self._lock:
            if self._look_s and self._pid == (dead or self._pid):
                self._look_s = 0.0 if done else min(self._look_s * 1.5, _IDLE_S)
        return True

    def _take(self) -> None:
        """Read what is there; whole lines become events.  Under the lock."""
        while self._pty is not None and self._pty.master_fd >= 0:
            data = terminal.read_now(self._pty)
            if data is None:  # hang-up: no process has the slave open any more
                self._flush()
                self._pty.close()
                self._pty = None
                return
            if not data:
                return
            if self._raw_to is not None:
                self._raw_to(data)
                continue
            if not self._buffer:
                self._since = time.monotonic()
            self._buffer += data
            while True:
                line, newline, rest = self._buffer.partition(b"\n")
                if not newline and len(line) < _LINE_LIMIT:
                    break
                if not newline:
                    line, rest = line[:_LINE_LIMIT], line[_LINE_LIMIT:]
                self._publish(line + newline, partial=False)
                self._unfinished = b""
                self._buffer, self._since = rest, time.monotonic()

    def _flush(self) -> None:
        if self._buffer:
            self._publish(self._buffer, partial=True)
            self._unfinished = (self._unfinished + self._buffer)[-_LINE_LIMIT:]
            self._buffer = b""

    def _publish(self, data: bytes, *, partial: bool) -> None:
        self._log.publish(ProgramOutput(pack(data), partial), lane="tracee", tid=self._pid)
