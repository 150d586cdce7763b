"""What lets the program run: one plan after another, and an interrupt that is never lost between two of them.

Command thread, but for `stop` and `under_way`.  It knows no command and no symbols.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tracedbg.tracer import ops
from tracedbg.tracer.plans import Plan
from tracedbg.tracer.reply import Reply
from tracedbg.tracer.thread import Tracer
from tracedbg.tracer.waiter import Waiters

R = TypeVar("R")


class Moves:
    """Plans for the program, and the commands that are made of them.

    Args:
        tracer: runs the plans.
        waiters: made ready before anything runs under the usual policy.
    """

    def __init__(self, tracer: Tracer, waiters: Waiters) -> None:
        self._tracer, self._waiters = tracer, waiters
        # Under the lock: commands that move the program, nested; and whether somebody wants them to end.
        self._lock = threading.Lock()
        self._depth = 0
        self.stop_wanted = False

    @property
    def under_way(self) -> bool:
        """A command that moves the program is under way; any thread."""
        return self._depth > 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """A command that moves the program, be it of one piece or of a thousand."""
        with self._lock:
            self._depth += 1
        try:
            yield
        finally:
            with self._lock:
                self._depth -= 1
                if not self._depth:
                    self.stop_wanted = False
                    self._tracer.seat.welcome()

    def stop(self, pid: int) -> bool:
        """Have the command end that moves the program, now or before its next piece; False if there is none.

        Any thread but the tracer's.
        """
        with self._lock:
            if not self._depth:
                return False
            self.stop_wanted = True
            # No inline loop goes on or begins from here on; the seat is free again when the command is over.
            self._tracer.seat.kick()
            self._tracer.post(ops.interrupt, pid)
            return True

    def wait_for(self, plan: Callable[..., Plan[R]], pid: int, *args: object) -> R:
        """Run one plan for a process and wait for its answer."""
        self._waiters.ensure()
        reply: Reply[R] = self._tracer.start(plan, pid, pid, *args)
        if self.stop_wanted:  # wanted after the last look, and before the plan was on the desk: the interrupt found nothing that ran
            self._tracer.post(ops.interrupt, pid)
        return reply.result()
