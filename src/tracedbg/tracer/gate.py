"""The gate before each ptrace request: where `explain --step` holds the tracer thread, to look at it.

The tracer thread waits in `before`, on a condition that `open` ends from any thread.  While it is held it still looks for others (ops
marked `looks`); all else stays on the desk, in order, so nothing is lost.  It makes no request and decides nothing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TypeVar

import msgspec

from tracedbg.eventlog.log import EventLog
from tracedbg.kernel.ptrace import shown_args
from tracedbg.model.errors import NotNow
from tracedbg.model.events import RequestFreed, RequestHeld

F = TypeVar("F", bound=Callable[..., object])
_LOOKS: set[object] = set()
_LOOP = 0, 0, 0, 0


def looks(op: F) -> F:
    """Mark an op that changes nothing: it is done also while the tracer is held."""
    _LOOKS.add(op)
    return op


class Held(msgspec.Struct, frozen=True):
    """What the tracer stands before.

    Args:
        number: of this pause, from 1 on; requests that were passed without a pause count too.
        call: the request as the log will have it, or the loop.
        purpose: what for, as "to ..." goes on.
        numbers: request, tid, addr and data; all 0 before a loop, whose requests are many.
        seq: of its record.
    """

    number: int
    call: str
    purpose: str
    numbers: tuple[int, int, int, int]
    seq: int


class Gate:
    """Opens and shuts before requests.

    Args:
        log: where pauses are announced.
        arrived: called on the tracer thread when it is held: what others look at must be up to date.
    """

    def __init__(self, log: EventLog, arrived: Callable[[], None]) -> None:
        # Set once.
        self._log, self._arrived = log, arrived
        # Under the lock: whose requests are held (a thread's ident, 0 for nobody's), who looks around, and the pause itself.
        self._turn = threading.Condition()
        self._owner = self._visitor = 0
        self._count = self._next = 0
        self._held: Held | None = None
        self._guests: deque[Callable[[], None]] = deque()
        # Tracer thread: on whose behalf it works (0: what a status brings belongs to the command under way).
        self.asker = 0
        self._busy = False

    # --- any thread -------------------------------------------------------------------------------------------------------------
    def shut(self, visitor: int) -> None:
        """Hold what the calling thread asks of the tracer from now on, request by request; the visitor is who will look around."""
        with self._turn:
            self._owner, self._visitor = threading.get_ident(), visitor
            self._count, self._next = 0, 1

    def open(self) -> None:
        """Hold nothing more, and let a request that is held be made."""
        with self._turn:
            self._owner = 0
            self._held = None
            self._turn.notify_all()

    def go(self, count: int) -> None:
        """Let the request that is held be made, and hold the tracer before the `count`-th after it.

        Raises:
            NotNow: none is held.
        """
        with self._turn:
            if self._held is None:
                raise NotNow("the tracer is not held", "explain --step COMMAND holds it before each request")
            self._held, self._next = None, self._count + count
            self._turn.notify_all()

    @property
    def held(self) -> Held | None:
        """What the tracer stands before, None while it is free."""
        return self._held

    def wait(self, over: Callable[[], bool]) -> Held | None:
        """Wait until the tracer is held, or until `over` is so and `open` has said it; the pause, or None."""
        with self._turn:
            self._turn.wait_for(lambda: self._held is not None or over())
            return self._held

    def admits(self, asked: object, item: Callable[[], None]) -> bool:
        """Take in an op that only looks, if the tracer is held; False: it goes to the desk like any other.

        Raises:
            NotNow: the visitor has asked for more than a look, which could not be done before the pause is over.
        """
        with self._turn:
            if self._held is None:
                return False
            if asked in _LOOKS:
                self._guests.append(item)
                self._turn.notify_all()
                return True
            if threading.get_ident() == self._visitor:
                raise NotNow(f"the tracer is held before {self._held.call}", "go lets it go on; what only looks can be asked now")
            return False

    # --- the tracer thread ------------------------------------------------------------------------------------------------------
    def before(self, numbers: tuple[int, int, int, int], out: str, purpose: str) -> None:
        """Stand before a request until it may be made, if it is one of those that are held; serve who looks meanwhile.

        Args:
            numbers: its four; all 0 before a loop.
            out: how a buffer of ours is shown; the loop's name.
            purpose: what for.
        """
        if not self._owner or self._busy or self.asker not in (0, self._owner):
            return
        with self._turn:
            self._count += 1
            if not self._owner or self._count < self._next:
                return
        self._arrived()
        asker, self._busy = self.asker, True
        call = f"loop {out}" if numbers == _LOOP else f"ptrace({', '.join(map(str, shown_args(*numbers, out)))})"
        held = Held(self._count, call, purpose, numbers, self._log.publish(RequestHeld(call, purpose)))
        try:
            self._stand(held)
        finally:
            self.asker, self._busy = asker, False
        self._log.publish(RequestFreed(call), of=held.seq)

    def _stand(self, held: Held) -> None:
        with self._turn:
            if not self._owner:
                return
            self._held = held
            self._turn.notify_all()
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._guests or self._held is not held)
                if not self._guests:
                    return
                guest = self._guests.popleft()
            guest()
