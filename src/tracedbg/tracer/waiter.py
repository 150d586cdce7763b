"""Threads whose work is to sleep in a wait call and hand over what they got.

Each waiter runs on its own thread; the tracer thread arms them when it lets a tracee run, one ticket for one status, so that a
stopped program has no sleepers and every status in flight has an owner.  A waiter makes no ptrace request.
"""

from __future__ import annotations

import itertools
import os
import queue
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

from tracedbg.kernel import threads
from tracedbg.kernel.poke import Seat
from tracedbg.kernel.wait import WALL, WNOWAIT, WaitDoor, Waited
from tracedbg.model.errors import BadArgument, NotNow
from tracedbg.model.events import PolicyChanged
from tracedbg.model.ids import Role
from tracedbg.model.names import WAIT_OPTIONS, wait_options_text

from .reply import Reply

R = TypeVar("R")

_P_ALL, _P_PID = 0, 1
_WSTOPPED_AND_EXITED = WAIT_OPTIONS["WSTOPPED"] | WAIT_OPTIONS["WEXITED"]
_EINTR = 4
_FOR = "take one status and hand it to the tracer"
_FREE_S = 0.05
"""How long a typed call waits for a waiter that has just taken a status or answered another call."""


class Style(msgspec.Struct, frozen=True):
    """How a waiter waits.

    Args:
        call: ``wait4`` or ``waitid``.
        pid: selector: -1 for any child, or one tid.
        options: bits on top of what the call needs.
        peek: look with waitid WNOWAIT first, then take what was seen.
    """

    call: str = "wait4"
    pid: int = -1
    options: int = WALL
    peek: bool = False

    @property
    def hears_all(self) -> bool:
        """Whether no status of any tracee of any of our threads can escape it."""
        return self.pid == -1 and bool(self.options & WALL) and not self.options & WAIT_OPTIONS["__WNOTHREAD"]

    def text(self) -> str:
        """As in a listing: ``wait4(-1, __WALL)``."""
        options = wait_options_text(self.options, waitid=self.call == "waitid")
        peek = " after a look with WNOWAIT" if self.peek else ""
        return f"{self.call}({self.pid}, {options}){peek}"


class _Ticket:
    """Leave to wait for one status; void when it was taken back before it was used."""

    __slots__ = ("void",)

    def __init__(self) -> None:
        self.void = False


class Waiter:
    """One waiting thread.

    Args:
        name: its lane, unique.
        style: how it waits.
        door: the way to the kernel.
    """

    def __init__(self, name: str, style: Style, door: WaitDoor) -> None:
        self.name, self.style, self._door = name, style, door
        # What it is to do next: wait on a ticket, make a call that was typed, or end.
        self._inbox: queue.SimpleQueue[_Ticket | Callable[[], None] | None] = queue.SimpleQueue()
        # Set by the tracer thread when it gives a ticket, cleared by the waiter when it is used up.
        # Under the lock: arming, using up a ticket and asking for a call may meet.
        self._lock = threading.Condition()
        self.armed = False
        self._ticket = _Ticket()
        self.busy = ""
        self.taken = 0
        self.tid = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; returns when the thread has its lane and number."""
        self._thread.start()
        self._ready.wait()

    @property
    def seat(self) -> Seat:
        """Its place in a wait call."""
        return self._door.seat(self.tid)

    def arm(self) -> None:
        """Give it a ticket for one status, unless it has one.  Tracer thread."""
        with self._lock:
            if not self.busy:
                self.seat.welcome()
            if not self.armed:
                self.armed = True
                self._ticket = _Ticket()
                self._inbox.put(self._ticket)

    def park(self) -> None:
        """Take an unused ticket back: poke it until it is out of its call.  A call that was typed goes on.  Tracer thread."""
        with self._lock:
            if not self.armed:
                return
            if self.busy:
                self._ticket.void, self.armed = True, False
            else:
                self.seat.kick()

    def ask(self, work: Callable[[], R], text: str) -> Reply[R]:
        """Run `work` on this thread while it has nothing to wait for; the reply is its value.  Any other thread.

        Args:
            work: called once.
            text: what it is, for listings and for the refusal of a second call.

        Raises:
            NotNow: it waits for the tracer, or is in another call.
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
            # Its last answer may be known a moment before it is free again.
            if not self._lock.wait_for(lambda: not (self.armed or self.busy), _FREE_S):
                doing = self.busy or self.style.text()
                raise NotNow(f"{self.name} is in {doing}", "stop the program first, or use a thread of the bench: thread w1")
            self.busy = text
            self.seat.welcome()
            self._inbox.put(job)
        return reply

    def _idle(self) -> None:
        with self._lock:
            self.busy = ""
            self._lock.notify_all()

    def close(self) -> None:
        """End the thread and join it; any thread but its own."""
        self._inbox.put(None)
        if self._ready.is_set():
            self.seat.kick()
        if self._thread.is_alive():
            self._thread.join()
        self._door.forget(self.tid)

    def _run(self) -> None:
        threads.name_here(self.name)
        self.tid = threading.get_native_id()
        with self._door.log.lane(self.name, Role.WAITER, os.getpid()):
            self._ready.set()
            while (item := self._inbox.get()) is not None:
                if not isinstance(item, _Ticket):
                    item()
                elif not item.void:
                    while not self._used_up(self._once()):
                        pass

    def _used_up(self, got: Waited) -> bool:
        """Whether the ticket is spent; a poke that was meant for an earlier call is no reason to give up this one."""
        with self._lock:
            if got.errno == _EINTR and not self.seat.kicked:
                return False
            # Before the status is handed over: the tracer may arm again at once.
            self.armed = False
            self._lock.notify_all()
        if got.result is not None:
            self.taken += 1
            self._door.hand_over(got.result)
        return True

    def _once(self) -> Waited:
        """Wait once in this waiter's style."""
        style = self.style
        if style.peek:
            idtype, ident = (_P_ALL, 0) if style.pid == -1 else (_P_PID, style.pid)
            seen = self._door.waitid(idtype, ident, _WSTOPPED_AND_EXITED | WAIT_OPTIONS["__WALL"] | WNOWAIT, to="look without taking")
            if seen.result is None:
                return seen
            # Taking what was seen may find it gone: somebody else was quicker (WNOHANG, so that this cannot sleep).
            pid, options = int(seen.result.tid), style.options | WAIT_OPTIONS["WNOHANG"]
        else:
            pid, options = style.pid, style.options
        if style.call == "waitid":
            idtype, ident = (_P_ALL, 0) if pid == -1 else (_P_PID, pid)
            return self._door.waitid(idtype, ident, options | _WSTOPPED_AND_EXITED, hand_over=False, to=_FOR)
        return self._door.wait4(pid, options, hand_over=False, to=_FOR)


def _default_names() -> Iterator[str]:
    """``waiter``, ``waiter2``, ``waiter3`` ..."""
    yield "waiter"
    for number in itertools.count(2):
        yield f"waiter{number}"


class Waiters:
    """All waiters of a session, armed and parked together.

    Args:
        door: the way to the kernel.
    """

    def __init__(self, door: WaitDoor) -> None:
        self._door = door
        # Replaced whole under the lock, read without it.
        self._lock = threading.Lock()
        self._all: tuple[Waiter, ...] = ()
        self._armed = False
        self._who = "nobody"

    @property
    def all(self) -> tuple[Waiter, ...]:
        """Those that exist."""
        return self._all

    def add(self, name: str, style: Style) -> Waiter:
        """Make one; it takes part from the next resumption on, at once if the program runs.

        Raises:
            BadArgument: the name is taken.
        """
        with self._lock:
            if any(waiter.name == name for waiter in self._all):
                raise BadArgument(f"there is a waiter {name} already", "choose another name, or waiter remove it first")
            waiter = Waiter(name, style, self._door)
            waiter.start()
            self._all = (*self._all, waiter)
            if self._armed:
                waiter.arm()
        return waiter

    def ensure(self) -> None:
        """Make the default waiter unless one hears of every tracee: the debugger's own commands need that."""
        if not any(waiter.style.hears_all for waiter in self._all):
            taken = [waiter.name for waiter in self._all]
            self.add(next(name for name in _default_names() if name not in taken), Style())

    def remove(self, name: str) -> None:
        """End one, out of its call too; a status that it has taken is handed over first.

        Raises:
            BadArgument: there is none of that name.
            NotNow: a program runs, and no other waiter would hear of all its stops.
        """
        with self._lock:
            found = next((waiter for waiter in self._all if waiter.name == name), None)
            if found is None:
                raise BadArgument(f"there is no waiter {name}", "waiter list shows them")
            if self._armed and not any(waiter.style.hears_all for waiter in self._all if waiter is not found):
                raise NotNow(
                    f"{name} is the last waiter that hears of every tracee, and the program runs",
                    "add another one first: waiter add",
                )
            self._all = tuple(waiter for waiter in self._all if waiter is not found)
        found.close()

    def arm(self) -> None:
        """The tracer lets a tracee run and will hear of it through them.  Tracer thread."""
        self._armed = True
        self._say("waiters", "a tracee runs")
        for waiter in self._all:
            waiter.arm()

    def park(self, who: str, why: str) -> None:
        """No waiter is asleep in a wait call when this returns.  Tracer thread."""
        if self._armed:
            self._armed = False
            for waiter in self._all:
                waiter.park()
        self._say(who, why)

    def strangers(self) -> list[int]:
        """The threads that are in a wait call although no waiter was sent: calls that were typed, and may take any status."""
        return [tid for tid in self._door.inside() if not any(waiter.tid == tid and waiter.armed for waiter in self._all)]

    def _say(self, who: str, why: str) -> None:
        if who != self._who:
            self._who = who
            self._door.log.publish(PolicyChanged(who, why))

    def close(self) -> None:
        """End all."""
        with self._lock:
            gone, self._all = self._all, ()
        for waiter in gone:
            waiter.close()
