"""Children of a process that traces nothing: start them, collect them and what they leave, end the rest.

For a process without a `Session`, since its one thread here waits for any child.  As a child subreaper (prctl(2),
PR_SET_CHILD_SUBREAPER) it adopts orphans and collects them at once, as init would.  It must not run in a process that holds a tracer.
"""

from __future__ import annotations

import ctypes
import errno as _errno
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Self

from tracedbg.model.errors import InternalError
from tracedbg.model.ids import Pid
from tracedbg.model.names import WAIT_OPTIONS
from tracedbg.model.waitstatus import WaitStatus, exited

from . import procfs, raw
from .spawn import Spawned, SpawnSpec, fork_exec
from .wait import WALL, WNOHANG, WNOWAIT

_SET_SUBREAPER, _GET_SUBREAPER = 36, 37  # include/uapi/linux/prctl.h
_P_ALL, _WEXITED = 0, WAIT_OPTIONS["WEXITED"]
_UNKNOWN = 255
_END_S = 5.0
"""How long the end of killed processes is waited for; never without a limit, since one may sleep uninterruptibly."""
_LOOK_S = 0.01
"""How soon it is looked again for what killed processes have left behind."""


class Child:
    """A process that was started here, or adopted.

    Args:
        pid: its number.
        spawned: from `fork_exec`, if it was started.
    """

    def __init__(self, pid: Pid, spawned: Spawned | None = None) -> None:
        # Set once.
        self.pid = pid
        self._spawned = spawned
        self.gone_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        """Becomes readable when the process has ended."""
        # Written by the reaper's thread before `gone_fd` becomes readable.
        self.status: WaitStatus | None = None
        self._gone = threading.Event()

    def ended(self, status: WaitStatus) -> None:
        """Note its end (reaper's thread)."""
        self.status = status
        os.eventfd_write(self.gone_fd, 1)
        self._gone.set()  # last: who waited for it may close

    def wait(self, seconds: float) -> bool:
        """Wait for its end; False when the time is over first."""
        return self._gone.wait(seconds)

    @property
    def pipe(self) -> int:
        """Readable when there is `trouble`, or an end of file once the program has begun; -1 if nothing can come."""
        return self._spawned.pipe if self._spawned is not None else -1

    def trouble(self) -> list[tuple[str, int, bool]]:
        """What went wrong before its exec: `(stage, errno, fatal)`."""
        return self._spawned.trouble() if self._spawned is not None else []

    def close(self) -> None:
        """Give the descriptors back; after its end."""
        if self._spawned is not None:
            self._spawned.close()
        os.close(self.gone_fd)


class Reaper:
    """Starts processes and makes sure that nothing of them is left.

    A context manager; `spawn`, `end` and `end_all` may be called by any thread.  One at a time in a process: it collects every child.
    """

    _active = threading.Lock()

    def __init__(self) -> None:
        self._prctl = ctypes.CDLL(None, use_errno=True).prctl
        self._was_subreaper = ctypes.c_int(0)
        # Under the lock.
        self._changed = threading.Condition()
        self._children: dict[int, Child] = {}
        self._others: frozenset[Pid] = frozenset()
        self._closing = False
        self._thread = threading.Thread(target=self._collect, name="reaper", daemon=True)

    def __enter__(self) -> Self:
        if not self._active.acquire(blocking=False):
            raise InternalError("a second reaper would take the first one's children", "play one after the other")
        self._prctl(_GET_SUBREAPER, ctypes.byref(self._was_subreaper), 0, 0, 0)
        self._prctl(_SET_SUBREAPER, 1, 0, 0, 0)
        self._others = frozenset(self._living())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end_all(lambda _pid: True)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(_END_S)
        self._prctl(_SET_SUBREAPER, self._was_subreaper.value, 0, 0, 0)
        self._active.release()

    def spawn(self, spec: SpawnSpec) -> Child:
        """Start a process.

        Raises:
            OSError: no process could be made.
        """
        # One at a time: fork_exec changes the interpreter's warning filters for a moment.
        with self._changed:
            spawned = fork_exec(spec)
            return self._know(Child(spawned.pid, spawned))

    def adopt(self, pid: Pid) -> Child:
        """Know a process that has become our child because its parent ended."""
        with self._changed:
            child = Child(pid)
            if procfs.ppid(pid) == os.getpid():
                return self._know(child)
            child.ended(exited(_UNKNOWN))  # it was quicker, and is gone
            return child

    def _know(self, child: Child) -> Child:
        self._children[child.pid] = child
        self._changed.notify_all()
        return child

    def end(self, child: Child) -> bool:
        """Kill a process that was started here; False if it has not ended in time."""
        with self._changed:
            # As long as it is in the list its number is its own: nobody but our thread collects it, under this lock.
            if child.pid in self._children:
                os.kill(child.pid, signal.SIGKILL)
        return child.wait(_END_S)

    def end_all(self, mine: Callable[[Pid], bool]) -> list[Pid]:
        """Kill children of this process, adopted ones too, and theirs, until none is left; those that would not end.

        Args:
            mine: says which; asked again for each that turns up.
        """
        deadline = time.monotonic() + _END_S
        while True:
            with self._changed:
                left = [pid for pid in self._living() if pid not in self._others and mine(pid)]
                if not left or time.monotonic() > deadline:
                    return left
                for pid in left:
                    os.kill(pid, signal.SIGKILL)
                # What they leave is adopted while they are collected.
                self._changed.wait(_LOOK_S)

    def _living(self) -> list[Pid]:
        """Children of this process; under the lock, so that none of them is collected meanwhile and its number given away."""
        me = os.getpid()
        found: list[Pid] = []
        for tid in procfs.threads(me):
            of_thread = procfs.children(me, tid)
            if of_thread is None:
                return [Pid(int(name)) for name in os.listdir("/proc") if name.isdecimal() and procfs.ppid(int(name)) == me]
            found += of_thread
        return found

    def _collect(self) -> None:
        """The reaper's thread: take every end that comes."""
        while True:
            # Looked at first, taken under the lock: so whoever holds the lock may signal a child by its number.
            ret, errno, (_code, pid, _status) = raw.waitid(_P_ALL, 0, _WEXITED | WNOWAIT | WALL)
            with self._changed:
                if ret == 0:
                    self._take(pid)
                elif errno == _errno.ECHILD:
                    # Without a child there is no descendant either: orphans come to us.
                    self._lost()
                    self._changed.wait_for(lambda: self._closing or self._children)
                    if self._closing and not self._children:
                        return

    def _take(self, pid: int) -> None:
        ret, _, word = raw.wait4(pid, WALL | WNOHANG)
        status = WaitStatus(word)
        # A child that asked to be traced reports its stops without being asked for them (kernel/exit.c, wait_task_stopped), and may
        # have been killed out of a stop that was seen a moment ago.
        if ret != pid or not status.is_end:
            return
        child = self._children.pop(pid, None)
        if child is not None:
            child.ended(status)
        self._changed.notify_all()

    def _lost(self) -> None:
        """Children that somebody else in this process has collected: their status is not known."""
        if self._children and raw.waitid(_P_ALL, 0, _WEXITED | WNOWAIT | WNOHANG | WALL)[1] == _errno.ECHILD:
            for child in self._children.values():
                child.ended(exited(_UNKNOWN))
            self._children.clear()
