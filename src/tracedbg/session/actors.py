"""Calls on threads by name: the tracer, the command thread, waiters and the bench under one roof.

Command thread (`names` and `tid`: any thread).  It chooses the way to a thread and nothing else: what is called, and that it is
announced, is the business of `lab.calls`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext

from tracedbg.eventlog.log import EventLog
from tracedbg.kernel.wait import WaitDoor
from tracedbg.lab.bench import Bench
from tracedbg.lab.calls import Typed, on_tracer
from tracedbg.model.errors import BadArgument, NotFound, NotNow
from tracedbg.model.events import CallReturned
from tracedbg.tracer import ops
from tracedbg.tracer.reply import Reply
from tracedbg.tracer.thread import Tracer
from tracedbg.tracer.waiter import Waiters

_GATE_S = 5.0
"""How long actors that start together wait for each other before they give up."""
_SYNC_S = 0.5
"""How long a command waits for the tracer to take in what its call has brought."""

TRACER, REPL = "tracer", "repl"


class Actors:
    """Every thread of ours that can be told to make a call.

    Args:
        log: where calls are announced.
        door: the way to wait calls.
        tracer: of the session, as are the others.
    """

    def __init__(self, log: EventLog, door: WaitDoor, tracer: Tracer, waiters: Waiters, bench: Bench) -> None:
        # Set once.
        self._log, self._door, self._tracer, self._waiters, self._bench = log, door, tracer, waiters, bench

    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (TRACER, REPL, *(waiter.name for waiter in self._waiters.all), *self._bench.names())

    def tid(self, name: str) -> int | None:
        """The kernel's number of one, None if there is none of that name."""
        if name == TRACER:
            return self._tracer.tid
        if name == REPL:
            return _command_thread().native_id
        for waiter in self._waiters.all:
            if waiter.name == name:
                return waiter.tid
        return self._bench.tid(name)

    def call(self, names: tuple[str, ...], call: Typed, text: str, *, background: bool) -> list[tuple[str, CallReturned]]:
        """Make a call on one thread, or the same call on several that start together.

        Args:
            names: whose threads.
            call: what to call.
            text: as typed, for listings of who is busy.
            background: return at once; the log tells the answers.

        Returns:
            The answers in the order of `names`; none in the background.

        Raises:
            NotFound: there is no such thread.
            NotNow: one of them is busy.
            BadArgument: a name twice, or the command thread in the background.
        """
        self._check(names, background)
        gate, abort = self._gate(len(names))
        seats = [self._door.seat(tid) for tid in map(self.tid, names) if tid is not None]
        replies: dict[str, Reply[CallReturned]] = {}
        with nullcontext() if background else self._bench.foreground(seats):
            try:
                for name in names:
                    if name != REPL:
                        replies[name] = self._start(name, call, text, gate)
            except BaseException:
                abort()
                raise
            if background:
                return []
            answers = {}
            if REPL in names:
                gate()
                answers[REPL] = call.here(self._log, self._door)
            answers |= {name: reply.result() for name, reply in replies.items()}
        self._settle()
        return [(name, answers[name]) for name in names]

    def _check(self, names: tuple[str, ...], background: bool) -> None:
        known = self.names()
        for name in names:
            if name not in known:
                raise NotFound(f"there is no thread {name}", f"there are {', '.join(known)}; thread {name} makes it")
        if len(set(names)) < len(names):
            raise BadArgument("a thread is named twice", "one thread makes one call at a time")
        if background and REPL in names:
            raise BadArgument("the command thread cannot leave its own call in the background", "use a thread of the bench: thread w1")
        if TRACER in names and self._tracer.seat.inside:
            raise NotNow("the tracer is in a wait call already", "Ctrl-C ends it, or whatever it waits for")

    def _gate(self, count: int) -> tuple[Callable[[], None], Callable[[], None]]:
        """What each actor passes before its call, and how to call all off."""
        if count == 1:
            return _open, _open
        barrier = threading.Barrier(count)

        def gate() -> None:
            try:
                barrier.wait(_GATE_S)
            except threading.BrokenBarrierError:
                raise NotNow("not all threads could begin", "see who is busy: info waitqueue") from None

        return gate, barrier.abort

    def _start(self, name: str, call: Typed, text: str, gate: Callable[[], None]) -> Reply[CallReturned]:
        if name == TRACER:
            return self._tracer.post(on_tracer, call, self._door, gate)

        def work() -> CallReturned:
            gate()
            return call.here(self._log, self._door)

        for waiter in self._waiters.all:
            if waiter.name == name:
                return waiter.ask(work, text)
        return self._bench.get(name).run(work, text)

    def _settle(self) -> None:
        """Let the tracer take in a status that the call brought, so that the next command sees its effect."""
        if self._tracer.seat.inside:
            return  # asleep in a wait of its own: it will take it in when that is over
        try:
            self._tracer.post(ops.view).result(_SYNC_S)
        except TimeoutError:
            pass  # it has just begun to wait; the order on its desk is what counts


def _command_thread() -> threading.Thread:
    """The thread that runs commands: the prompt has one for it, a script runs on the main thread."""
    return next((thread for thread in threading.enumerate() if thread.name == "command"), threading.main_thread())


def _open() -> None:
    """A gate for one."""
