"""The bench: named threads of ours that make one call when told, and otherwise do nothing.

Made, asked and closed on the command thread; each `BenchThread` is a thread of its own.  A bench thread has no right to make ptrace
requests: what it asks of the kernel goes through `lab.forbidden` or a wait door, and the kernel's answer is the lesson.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from tracedbg.eventlog.log import EventLog
from tracedbg.kernel import threads
from tracedbg.kernel.poke import Seat
from tracedbg.kernel.wait import WaitDoor
from tracedbg.model.errors import BadArgument, NotFound, NotNow
from tracedbg.model.events import Warned
from tracedbg.model.ids import Role
from tracedbg.tracer.reply import Reply

R = TypeVar("R")

RESERVED = frozenset({"tracer", "repl", "tracee", "tracedbg", "puppets", "kernel", "witness", "log", "all", "not", "end"})
"""Lanes that exist without being made, and words that commands read where a name could stand."""

_END_S = 2.0
"""How long `close` waits for one thread.  A wait call ends at once; a ptrace request that sleeps in the kernel (PTRACE_ATTACH while
the target is in execve) restarts after every signal, and only the target's end lets it return."""
_FREE_S = 0.05
"""How long a call waits for a thread that has just answered another one."""


class BenchThread:
    """One idle thread with an inbox.

    Args:
        name: its lane, and its name in the kernel (15 bytes of it).
        door: gives it its seat, so that a sleeping call can be ended.
    """

    def __init__(self, name: str, door: WaitDoor) -> None:
        # Set once; `tid` by the thread itself before `start` returns.
        self.name, self._door = name, door
        self.tid = 0
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._ready = threading.Event()
        # Under the lock.
        self._lock = threading.Condition()
        self._busy = ""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; returns when the thread has its lane and number."""
        self._thread.start()
        self._ready.wait()

    @property
    def busy(self) -> str:
        """The call that it is making, empty when it is idle; any thread."""
        return self._busy

    @property
    def seat(self) -> Seat:
        """Its place in a wait call."""
        return self._door.seat(self.tid)

    def run(self, work: Callable[[], R], text: str = "a call") -> Reply[R]:
        """Run `work` on this thread; the reply is its value.

        Args:
            work: called once, on this thread.
            text: what it is, for `busy` and for the refusal of a second call.

        Raises:
            NotNow: the thread has not finished its last call.
        """
        reply: Reply[R] = Reply()

        def job() -> None:
            try:
                value = work()
            except BaseException as error:  # belongs to the asker
                self._idle()
                reply.fail(error)
            else:
                self._idle()
                reply.set(value)

        with self._lock:
            # An expectation may have been met by the answer to a call in the background, a moment before the thread is free again.
            if not self._lock.wait_for(lambda: not self._busy, _FREE_S):
                raise NotNow(
                    f"{self.name} is still in {self._busy}",
                    f"end it first (Ctrl-C, or thread end {self.name}), or use another thread",
                )
            self._busy = text
            self._inbox.put(job)
        return reply

    def _idle(self) -> None:
        # Before the answer: whoever hears it may ask again at once.
        with self._lock:
            self._busy = ""
            self._lock.notify_all()

    def close(self) -> bool:
        """End the thread, out of a wait call too; False if it is stuck in the kernel.  Any thread but its own."""
        self._inbox.put(None)
        if self._thread.ident is None:
            return True
        self.seat.kick()
        self._thread.join(_END_S)
        if self._thread.is_alive():
            return False
        self._door.forget(self.tid)
        return True

    def _run(self) -> None:
        threads.name_here(self.name)
        self.tid = threading.get_native_id()
        with self._door.log.lane(self.name, Role.BENCH, os.getpid()):
            self._ready.set()
            while True:
                job = self._inbox.get()
                if job is None:
                    return
                job()


class Bench:
    """All bench threads of a session.

    Args:
        log: where a thread that cannot be ended is reported.
        door: given to each thread.
    """

    def __init__(self, log: EventLog, door: WaitDoor) -> None:
        # Set once.
        self._log, self._door = log, door
        # Replaced whole by the command thread, read by any.
        self._all: dict[str, BenchThread] = {}
        self._foreground: tuple[Seat, ...] = ()

    def add(self, name: str, taken: Collection[str] = ()) -> BenchThread:
        """Make one; it is ready when this returns.

        Args:
            name: a word of letters, digits, ``_`` and ``-`` that begins with a letter.
            taken: other lanes' names.

        Raises:
            BadArgument: the name is taken or cannot be a lane's.
        """
        check_name(name)
        if name in self._all or name in taken:
            raise BadArgument(f"there is a thread {name} already", "choose another name")
        made = BenchThread(name, self._door)
        made.start()
        self._all = {**self._all, name: made}
        return made

    def get(self, name: str) -> BenchThread:
        """One by its name.

        Raises:
            NotFound: there is none.
        """
        found = self._all.get(name)
        if found is None:
            raise NotFound(f"there is no thread {name}", f"thread {name} makes it")
        return found

    def names(self) -> tuple[str, ...]:
        """Their names, oldest first; any thread."""
        return tuple(self._all)

    def tid(self, name: str) -> int | None:
        """The kernel's number of one, None if there is none; any thread."""
        found = self._all.get(name)
        return None if found is None else found.tid

    def end(self, name: str) -> None:
        """End one, out of a wait call too.

        Raises:
            NotFound: there is none.
        """
        found = self.get(name)
        self._all = {other: thread for other, thread in self._all.items() if other != name}
        self._close(found)

    def close(self) -> None:
        """End all."""
        gone, self._all = self._all, {}
        for thread in gone.values():
            self._close(thread)

    def _close(self, thread: BenchThread) -> None:
        if not thread.close():
            self._log.publish(Warned(f"thread {thread.name} sleeps in a request that no signal ends; it goes with this process"))

    # --- calls that somebody waits for ----------------------------------------------------------------------------------------
    @contextmanager
    def foreground(self, seats: Sequence[Seat]) -> Iterator[None]:
        """The command thread waits for calls made at these seats while the block runs: an interrupt ends them."""
        self._foreground = tuple(seats)
        try:
            yield
        finally:
            self._foreground = ()
            for seat in seats:
                seat.welcome()

    @property
    def waited_for(self) -> bool:
        """The command thread waits for a call of ours; any thread."""
        return bool(self._foreground)

    def kick_foreground(self) -> bool:
        """End the calls that the command thread waits for; whether there were any.  Any thread but those that sleep.

        A call that has not begun yet is refused as if it had been poked, until the command thread has its answers.
        """
        seats = self._foreground
        for seat in seats:
            seat.kick()
        return bool(seats)


def check_name(name: str) -> None:
    """Raise `BadArgument` unless `name` can be a lane's name."""
    plain = name.replace("_", "a").replace("-", "a")
    if name in RESERVED:
        raise BadArgument(f"{name} is a name that tracedbg uses itself", "choose another name, for example w1")
    if not (plain.isascii() and plain.isalnum() and name[0].isalpha()) or len(name) > 15:
        raise BadArgument(f"'{name}' cannot name a thread", "use up to 15 letters, digits, _ and -, a letter first: w1")
