"""The thread that hears puppets: one epoll set, and a function for each descriptor in it.

`Listener` may be used by any thread that holds the lock; the functions are called on the thread `puppets`, with the lock held.  It must
not know what it is that it listens to.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from tracedbg.eventlog.log import EventLog
from tracedbg.kernel import threads
from tracedbg.model.events import Warned
from tracedbg.model.ids import Role


class Listener:
    """Calls a function when a descriptor can be read.

    Args:
        log: for the thread's lane.
        lock: held while a function is called.
        watch: called after each round; seconds until the next one at the latest, None for no limit.
    """

    def __init__(self, log: EventLog, lock: AbstractContextManager[object], watch: Callable[[], float | None]) -> None:
        # Set once.
        self._log, self._lock, self._watch = log, lock, watch
        self._poll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll.register(self._wake, select.EPOLLIN)
        self._thread = threading.Thread(target=self._run, name="puppets", daemon=True)
        # Under the lock.
        self._heard: dict[int, Callable[[], None]] = {}
        self._closing = False

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def listen(self, fd: int, what: Callable[[], None]) -> None:
        """Call `what` whenever `fd` can be read."""
        self._heard[fd] = what
        self._poll.register(fd, select.EPOLLIN)

    def deaf(self, fd: int) -> bool:
        """Not any more, before it is closed; False if nobody listened."""
        if self._heard.pop(fd, None) is None:
            return False
        self._poll.unregister(fd)
        return True

    def stir(self) -> None:
        """Have `watch` called soon."""
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """End the thread; the lock must be free."""
        self._closing = True
        self.stir()
        self._thread.join()
        self._poll.close()
        os.close(self._wake)

    def _run(self) -> None:
        threads.name_here("puppets")
        with self._log.lane("puppets", Role.SCREEN, os.getpid()):
            while not self._closing:
                with self._lock:
                    pause = self._watch()
                for fd, _ in self._poll.poll(pause):
                    with self._lock:
                        self._serve(fd)

    def _serve(self, fd: int) -> None:
        what = self._heard.get(fd)
        if fd == self._wake:
            os.eventfd_read(fd)
        elif what is not None:
            try:
                what()
            except Exception as error:  # a defect of ours: say so, and go on for the others
                self.deaf(fd)
                self._log.publish(Warned(f"a puppet is not heard any longer: {error!r}"))
