"""Calls on threads by name: the tracer, the command thread, waiters, the bench and puppets under one roof.

Command thread (`names` and `tid`: any thread).  It chooses the way to a thread and nothing else: what is called, and that it is
announced, is the business of `lab.calls`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext

from tracedbg.eventlog.log import EventLog
from tracedbg.kernel.ptrace import Ptrace
from tracedbg.kernel.wait import WaitDoor
from tracedbg.lab.bench import Bench, check_name
from tracedbg.lab.calls import check_ours, check_own_group, check_target, here, on_tracer
from tracedbg.lab.puppets import Puppets
from tracedbg.lab.typed import Typed
from tracedbg.model.errors import BadArgument, NotFound, NotNow
from tracedbg.model.events import CallEntered, CallReturned
from tracedbg.tracer import ops
from tracedbg.tracer.book import Book
from tracedbg.tracer.reply import Reply
from tracedbg.tracer.thread import Tracer
from tracedbg.tracer.waiter import Waiters

_GATE_S = 5.0
"""How long actors that start together wait for each other before they give up."""
_SYNC_S = 0.5
"""How long a command waits for the tracer to take in what its call has brought."""
PATIENCE_S = 5.0
"""How long a command waits for the answer of a puppet, which may be stopped or asleep."""

TRACER, REPL = "tracer", "repl"


class Actors:
    """Every thread of ours, and of puppets, that can be told to make a call.

    Args:
        log: where calls are announced.
        door: the way to wait calls.
        tracer: of the session, as are the others.
    """

    def __init__(self, log: EventLog, door: WaitDoor, tracer: Tracer, waiters: Waiters, bench: Bench, puppets: Puppets) -> None:
        # Set once.
        self._log, self._door, self._tracer, self._waiters, self._bench = log, door, tracer, waiters, bench
        self._puppets = puppets

    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.ours(), *self._puppets.names())

    def ours(self) -> tuple[str, ...]:
        """The threads of tracedbg's own process."""
        return (TRACER, REPL, *(waiter.name for waiter in self._waiters.all), *self._bench.names())

    def check_new(self, name: str) -> None:
        """Make sure that a new thread or puppet may have this name.

        Raises:
            BadArgument: it is another one's, or cannot be a lane's.
        """
        check_name(name)
        if name in self.ours():
            raise BadArgument(f"there is a thread {name} already", "choose another name")
        self._puppets.check_free(name)

    def tid(self, name: str) -> int | None:
        """The kernel's number of one, None if there is none of that name."""
        if name == TRACER:
            return self._tracer.tid
        if name == REPL:
            return _command_thread().native_id
        for waiter in self._waiters.all:
            if waiter.name == name:
                return waiter.tid
        tid = self._bench.tid(name)
        return self._puppets.tid(name) if tid is None else tid

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
            BadArgument: a name twice, the command thread in the background, or a call that only a puppet may make.
        """
        self._check(names, call, background)
        ours = [name for name in names if name in self.ours()]
        others = [name for name in names if name not in ours]
        # Puppets are told by this thread, which passes the gate with the threads that make the call themselves.
        gate, abort = self._gate(len(ours) + bool(others and REPL not in ours))
        seats = [self._door.seat(tid) for tid in map(self.tid, ours) if tid is not None]
        replies: dict[str, Reply[CallReturned]] = {}
        with nullcontext() if background or not ours else self._bench.foreground(seats):
            try:
                for name in ours:
                    if name != REPL:
                        replies[name] = self._start(name, call, text, gate)
                if others or REPL in names:
                    gate()
                orders = {name: self._puppets.order(name, call) for name in others}
            except BaseException:
                abort()
                raise
            if background:
                if call.birth and others:
                    self._puppets.wait_born(others[0], call)
                return []
            answers = {}
            if REPL in names:
                answers[REPL] = self._make(call)
            answers |= {name: reply.result() for name, reply in replies.items()}
        if orders:
            answers |= self._puppets.answers.wait(orders, PATIENCE_S)
            if call.birth:
                self._puppets.wait_born(others[0], call)
        if ours:
            self._settle()
        return [(name, answers[name]) for name in names]

    def _check(self, names: tuple[str, ...], call: Typed, background: bool) -> None:
        known, ours = self.names(), self.ours()
        for name in names:
            if name not in known:
                raise NotFound(f"there is no thread {name}", f"there are {', '.join(known)}; thread {name} or puppet {name} makes it")
        if not all(name not in ours and self._puppets.get(name).process.elsewhere for name in names):
            check_target(call)  # in a pid namespace of its own a puppet cannot name us, and -1 is everybody there
        if any(name in ours for name in names):
            if call.birth and call.name != "fork":
                raise BadArgument(f"tracedbg cannot {call.name}: its interpreter would not survive in the child", "let a puppet do it")
            if not call.birth:
                check_ours(call)
            check_own_group(call)
        if any(name not in ours for name in names) and call.name == "waitpid":
            raise BadArgument("waitpid is a function of the C library, which a puppet does not have", "wait4 is the system call")
        if call.birth:
            if len(names) > 1:
                raise BadArgument("several cannot make one and the same task", "give each new task a name of its own")
            self.check_new(call.birth)
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
            if call.birth:
                return self._tracer.post(fork_puppet, self._make, call)
            return self._tracer.post(on_tracer, call, self._door, gate)

        def work() -> CallReturned:
            gate()
            return self._make(call)

        for waiter in self._waiters.all:
            if waiter.name == name:
                return waiter.ask(work, text)
        return self._bench.get(name).run(work, text)

    def _make(self, call: Typed) -> CallReturned:
        """Make a call on the calling thread, which is one of ours."""
        if not call.birth:
            return here(call, self._log, self._door)
        entered = self._log.publish(CallEntered("fork", ()))
        pid = self._puppets.add(call.birth)
        answer = CallReturned("fork", (), pid)
        self._log.publish(answer, of=entered)
        return answer

    def _settle(self) -> None:
        """Let the tracer take in a status that the call brought, so that the next command sees its effect."""
        if self._tracer.seat.inside:
            return  # asleep in a wait of its own: it will take it in when that is over
        try:
            self._tracer.post(ops.view).result(_SYNC_S)
        except TimeoutError:
            pass  # it has just begun to wait; the order on its desk is what counts


def fork_puppet(pt: Ptrace, book: Book, make: Callable[[Typed], CallReturned], call: Typed) -> CallReturned:
    """An op: fork a puppet on the tracer thread, which is thereby the thread that PTRACE_TRACEME in the child binds to."""
    return make(call)


def _command_thread() -> threading.Thread:
    """The thread that runs commands: the prompt has one for it, a script runs on the main thread."""
    return next((thread for thread in threading.enumerate() if thread.name == "command"), threading.main_thread())


def _open() -> None:
    """A gate for one."""
