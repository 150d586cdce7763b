"""A command that goes on request by request: the tracer is held before each, and the prompt is free meanwhile.

`begin`, `go`, `end` and `close` belong to the command thread, `let_go` to any; the command itself runs on a thread of its own, `explained`.
It and the command thread never work at the same time: one waits for the other.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from tracedbg.eventlog.log import EventLog
from tracedbg.eventlog.sinks import CallbackSink
from tracedbg.kernel import threads
from tracedbg.model.events import Detail
from tracedbg.model.ids import Role
from tracedbg.tracer.gate import Gate, Held

LANE = "explained"
_END_S = 5.0


class ByStep:
    """One command under way.

    Args:
        log: whose details are made in full until the command is over.
        gate: holds the tracer.
        line: the command, as typed.
        work: runs it.
    """

    def __init__(self, log: EventLog, gate: Gate, line: str, work: Callable[[], object]) -> None:
        # Set once.
        self._log, self._gate, self.line, self._work = log, gate, line, work
        self.before = log.last
        self._sink = CallbackSink(lambda _record: None, Detail.DESK)
        self._thread = threading.Thread(target=self._run, name=LANE, daemon=True)
        # Written by the thread before it says that it is over.
        self.over = False
        self.value: object = None
        self.error: BaseException | None = None
        # Command thread: where the last pause began to look at what came.
        self.seen = self.before
        self._visitor = 0

    def begin(self) -> Held | None:
        """Start the command; where it is held first, None if it is over without a request."""
        self._log.attach(self._sink)
        self._visitor = threading.get_ident()
        self._thread.start()
        return self._wait()

    def go(self, count: int) -> Held | None:
        """Let it go on; where it is held before the `count`-th further request, None if it is over before."""
        if self.held is not None:
            self.seen = self.held.seq
            self._gate.go(count)
        return self._wait()

    def end(self) -> None:
        """Let it go on without a pause, to its end."""
        self.let_go()
        self._wait()

    def let_go(self) -> None:
        """Hold it no more; any thread."""
        self._gate.open()

    @property
    def held(self) -> Held | None:
        """Where it is held; any thread."""
        return None if self.over else self._gate.held

    def _wait(self) -> Held | None:
        held = self._gate.wait(lambda: self.over)
        if held is None:
            self._finish()
        return held

    def _finish(self) -> None:
        self._thread.join(_END_S)
        self._log.detach(self._sink)

    def close(self) -> bool:
        """The session ends: whether the command was still under way."""
        under_way = not self.over
        self.let_go()
        self._finish()
        return under_way

    def _run(self) -> None:
        threads.name_here(LANE)
        with self._log.lane(LANE, Role.REPL, os.getpid()):
            self._gate.shut(self._visitor)
            try:
                self.value = self._work()
            except BaseException as error:  # belongs to whoever asked
                self.error = error
        self.over = True
        self._gate.open()
