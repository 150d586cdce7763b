"""The tracer thread: a desk, a book, and one loop.

`Tracer` is what every other thread holds; it is safe to use from any thread.  The loop runs ops and plans, takes in statuses from
whoever took them, and is the only code that changes the book.  To the kernel the tracer is this *thread*: fork and every request
happen here.  It must not wait for a tracee; plans do that by yielding.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from tracedbg.eventlog.log import EventLog
from tracedbg.kernel import procfs, threads
from tracedbg.kernel.poke import Seat
from tracedbg.kernel.ptrace import Ptrace
from tracedbg.kernel.wait import WaitDoor, WaitResult
from tracedbg.model.errors import InternalError, NotNow, TracedbgError, WrongThread
from tracedbg.model.events import Detail, RequestDone, RequestQueued, RequestStarted
from tracedbg.model.ids import Pid, Role
from tracedbg.model.views import BookView

from .book import Book
from .gate import Gate
from .news import take_in
from .plans import News, Plan, PlanRun
from .reply import Reply
from .waiter import Waiters

P = ParamSpec("P")
R = TypeVar("R")

_Item = Callable[[], None]


class Tracer:
    """What every other thread holds.

    Args:
        log: where everything is announced.
        door: the way to wait calls, for `seat` and for what the tracer itself is asked to wait for.
        waiters: armed while a plan waits for news.
        on_failure: called on the tracer thread when the loop itself fails: a defect of ours.
    """

    def __init__(self, log: EventLog, door: WaitDoor, waiters: Waiters, on_failure: Callable[[BaseException], None]) -> None:
        # Set once.
        self._log, self._door, self._waiters, self._on_failure = log, door, waiters, on_failure
        self._desk: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._ready = threading.Event()
        self.tid = 0
        self._ident = 0
        # Replaced whole by the tracer thread, read by any thread.
        self.view = BookView()
        self.doing = ""
        self.gate = Gate(log, self._stand)
        # Tracer thread only.
        self._book = Book()
        self._runs: dict[Pid, PlanRun] = {}
        # Answers are given at the end of an item: what it did must be visible to whoever it wakes.
        self._answers: list[_Item] = []
        self._failed: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="tracer", daemon=True)

    # --- for any thread -------------------------------------------------------------------------------------------------------
    def start_thread(self) -> None:
        """Begin; returns when the thread is ready to take work."""
        self._thread.start()
        self._ready.wait()

    def close(self) -> None:
        """End the loop after what is on the desk, and join the thread.  Its tracees must have been ended or let go before."""
        self._desk.put(None)
        self.seat.kick()
        if self._thread.is_alive() and threading.get_ident() != self._ident:
            self._thread.join()
        self._door.forget(self.tid)

    @property
    def seat(self) -> Seat:
        """The tracer thread's place in a wait call, for ending a wait that was typed on it or an inline loop."""
        return self._door.seat(self.tid)

    @property
    def log(self) -> EventLog:
        """Where everything is announced."""
        return self._log

    @property
    def desk_length(self) -> int:
        """Items not yet taken."""
        return self._desk.qsize()

    def call(self, op: Callable[Concatenate[Ptrace, Book, P], R], /, *args: P.args, **kw: P.kwargs) -> R:
        """Run an op on the tracer thread and wait for its answer.

        Raises:
            WrongThread: called on the tracer thread itself, which would wait for itself.
            BaseException: whatever the op raised.
        """
        return self.post(op, *args, **kw).result()

    def post(self, op: Callable[Concatenate[Ptrace, Book, P], R], /, *args: P.args, **kw: P.kwargs) -> Reply[R]:
        """Put an op on the desk; the reply comes later."""
        reply: Reply[R] = Reply()
        name = op.__name__

        def work(_of: int) -> None:
            try:
                value = op(self._pt, self._book, *args, **kw)
            except Exception as error:  # belongs to the asker
                self._answer(reply, error=_own(name, error))
            else:
                self._answer(reply, value)

        self._put(op, work)
        return reply

    def start(self, plan: Callable[Concatenate[Ptrace, Book, P], Plan[R]], pid: int, /, *args: P.args, **kw: P.kwargs) -> Reply[R]:
        """Begin a plan for one process; the reply is what the generator returns.

        One plan a process at a time: the reply fails with `NotNow` while another runs it.
        """
        reply: Reply[R] = Reply()
        name = plan.__name__

        def work(of: int) -> None:
            if Pid(pid) in self._runs:
                self._answer(reply, error=NotNow(f"process {pid} is running ({self._runs[Pid(pid)].name})", "interrupt it first"))
                return
            run = PlanRun(Pid(pid), plan(self._pt, self._book, *args, **kw), reply, name, partial(self._log.publish, of=of))
            self._runs[Pid(pid)] = run
            self._mark(Pid(pid), run)
            if run.begin():
                self._over(run)

        self._put(plan, work)
        return reply

    def cancel(self, pid: int, why: str) -> None:
        """End the plan of a process where it stands, if it has one."""

        def cancel(_of: int) -> None:
            run = self._runs.get(Pid(pid))
            if run is not None:
                run.cancel(NotNow(why))
                self._over(run)

        self._put(cancel, cancel)

    def report(self, result: WaitResult) -> None:
        """Hand over a status; whoever took it calls this (law 3)."""

        def news() -> None:
            self.gate.asker = 0
            self._news(result)

        self._desk.put(news)

    def _put(self, asked: Callable[..., object], work: Callable[[int], None]) -> None:
        """Put what was asked for on the desk; `work` gets the number of the record that tells so."""
        name = asked.__name__
        if threading.get_ident() == self._ident:
            raise WrongThread(f"{name} was asked of the tracer thread by itself", "call the op directly")
        asker = threading.get_ident()
        if not self._log.wants(Detail.DESK):
            self._place(asked, asker, lambda: work(0))
            return
        about = (asked.__doc__ or "").strip().partition("\n")[0]
        queued = self._log.publish(RequestQueued("tracer", name, about))

        def announced() -> None:
            self._log.publish(RequestStarted(name), of=queued)
            work(queued)
            self._log.publish(RequestDone(name, name not in self._failed), of=queued)
            self._failed.discard(name)

        self._place(asked, asker, announced)

    def _place(self, asked: object, asker: int, item: _Item) -> None:
        """On the desk, or in at the gate: one that only looks, while the tracer is held there."""

        def taken() -> None:
            self.gate.asker = asker
            item()

        def guest() -> None:
            mark = len(self._answers)
            taken()
            for answer in self._answers[mark:]:  # not at the end of the work that is held, as others are
                answer()
            del self._answers[mark:]

        if not self.gate.admits(asked, guest):
            self._desk.put(taken)

    def _stand(self) -> None:
        """The tracer is held before a request (tracer thread): others see the book as it is now."""
        self.view, self.doing = self._book.view(), "held"

    # --- the thread -----------------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        threads.name_here("tracer")
        self.tid, self._ident = threading.get_native_id(), threading.get_ident()
        with self._log.lane("tracer", Role.TRACER, os.getpid()):
            self._pt = Ptrace.mint(self._log)
            self._pt.before = self.gate.before
            self._ready.set()
            try:
                self._serve()
            except BaseException as error:  # a defect in the loop itself: end loudly, but tell everyone who waits
                for run in list(self._runs.values()):
                    run.reply.fail(InternalError(f"the tracer thread failed: {error!r}"))
                self._on_failure(error)
                raise

    def _serve(self) -> None:
        """Take the desk's items in order until the thread is told to end."""
        while True:
            item = self._take()
            if item is None:
                return
            self.doing = "busy"
            item()
            self.gate.asker = 0
            self._expire()
            if self._book.owed:
                # Some end without a report: those that went with an exec, or before the leader of a killed process was collected.
                self._book.owed = {tid for tid in self._book.owed if procfs.tracer_pid(tid) == self.tid}
            if self._runs or self._book.letting_go or self._book.owed:
                self._waiters.arm()
            else:
                self._waiters.park("nobody", "nothing runs")
            self.view = self._book.view()
            self.doing = ""
            for answer in self._answers:
                answer()
            self._answers.clear()

    def _answer(self, reply: Reply[R], value: R | None = None, error: BaseException | None = None) -> None:
        if error is None:
            self._answers.append(lambda: reply.set(value))  # type: ignore[arg-type]
        else:
            self._answers.append(lambda: reply.fail(error))

    def _take(self) -> _Item | None:
        """The next item; an empty one when a plan's deadline has come first."""
        deadline = min((run.deadline for run in self._runs.values() if run.deadline), default=0.0)
        if not deadline:
            return self._desk.get()
        try:
            return self._desk.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return lambda: None

    def _expire(self) -> None:
        now = time.monotonic()
        for run in list(self._runs.values()):
            if run.expire(now):
                self._over(run)

    def _news(self, result: WaitResult) -> None:
        taken = take_in(self._pt, self._book, result)
        if self._door.witness is not None:
            self._door.witness.look_again()
        if taken is None:
            return
        pid, news = taken
        run = self._runs.get(pid)
        if run is not None:
            if run.tell(news):
                self._over(run)
        else:
            self._unplanned(pid, news)

    def _unplanned(self, pid: Pid, news: News) -> None:
        """Nobody runs this process: its stops stay as they are, its end closes its page."""
        inferior = self._book.inferior(pid)
        if inferior is not None and inferior.ended is not None and news.stop is None:
            inferior.close()

    def _over(self, run: PlanRun) -> None:
        self._runs.pop(run.pid, None)
        self._mark(run.pid, None)
        value, error = run.outcome
        self._answer(run.reply, value, None if error is None else _own(run.name, error))

    def _mark(self, pid: Pid, run: PlanRun | None) -> None:
        inferior = self._book.inferior(pid)
        if inferior is not None:
            inferior.plan = run


def _own(name: str, error: BaseException) -> BaseException:
    """Errors for people pass through; anything else is a defect of ours, and says where."""
    if isinstance(error, TracedbgError):
        return error
    return InternalError(f"{name} failed: {error!r}", "please report this with the log").with_traceback(error.__traceback__)
