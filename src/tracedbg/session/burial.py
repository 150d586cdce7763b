"""Programs that are killed while nobody waits for them: noticed, taken in, and told as news.

`died` runs on the reader thread of the program's terminal, `end` on the command thread.
"""

from __future__ import annotations

import threading

from tracedbg.model.errors import NotNow
from tracedbg.model.views import Report
from tracedbg.tracer import edges, ops
from tracedbg.tracer.reply import Reply
from tracedbg.tracer.thread import Tracer
from tracedbg.tracer.waiter import Waiters

from .moves import Moves


class Burial:
    """Takes in the end of a program that no plan runs.

    Args:
        tracer: runs the plan that does it.
        waiters: none of them: what was launched by hand is collected by hand.
        moves: tells whether a command steps the program at this moment.
    """

    def __init__(self, tracer: Tracer, waiters: Waiters, moves: Moves) -> None:
        # Set once.
        self._tracer, self._waiters, self._moves = tracer, waiters, moves
        # Under the lock: what the reader thread has begun.
        self._lock = threading.Lock()
        self._begun: Reply[Report | None] | None = None

    def died(self, pid: int) -> bool:
        """All threads of a process are dead; False to be called again."""
        view = self._tracer.view.inferior(pid)
        if view is None or view.ended is not None or not view.tracees or not self._waiters.all:
            return True
        seat = self._tracer.seat
        if seat.inside and self._moves.under_way:
            # An inline loop waits for the leader, whose end is told only after those of its threads, for which nobody waits.
            seat.kick()
            seat.welcome()
        elif view.stopped and not view.busy:
            with self._lock:
                if self._begun is None or self._begun.finished:
                    self._begun = self._tracer.start(edges.bury, pid, pid)
        return False

    @property
    def begun(self) -> object:
        """The last burial that was begun, to compare: a plan that is refused meanwhile was refused because of it.  Any thread."""
        with self._lock:
            return self._begun

    def end(self, pid: int) -> Report | None:
        """The end of a program that a request has found gone; None if nothing is known of it."""
        try:
            with self._lock:
                begun = self._begun
            if begun is not None and not begun.finished:
                begun.result()
            else:
                self._moves.wait_for(edges.bury, pid)
        except NotNow:
            pass  # the reader thread has begun it at this very moment: on the desk, its plan comes before the next question
        while True:
            found = self._tracer.call(ops.view).inferior(pid)
            if found is None:
                return None
            if found.ended is not None or not found.tracees:
                return Report(pid, pid, None, found.ended)
            begun = self._begun
            if begun is None or begun.finished:
                return None
            begun.result()
