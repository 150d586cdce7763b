"""Stopping and resuming all threads of a process.

Tracer thread; the parts that must hear from a tracee are plans.  All-stop: while the user looks, no thread of the program runs.
Source: ptrace(2), "Attaching and detaching", "Group-stop"; a leader that ended first reports nothing until its threads are gone.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Generator

from tracedbg.kernel import procfs, threads
from tracedbg.kernel.ptrace import Ptrace
from tracedbg.model.errors import TraceeGone
from tracedbg.model.events import TraceeBorn, Warned
from tracedbg.model.ids import Tid
from tracedbg.model.names import PTRACE_OPTIONS
from tracedbg.model.stops import (
    Arrived,
    ExitEvent,
    GroupStop,
    Interrupted,
    NewTask,
    SignalDelivery,
    SyscallStop,
    VforkDone,
)

from .book import Book, Inferior, Tracee
from .breakpoints import lift_all, plant_all
from .children import let_go
from .lifecycle import Happening
from .news import EXITKILL, adopt_task
from .plans import Await, News

FULL_OPTIONS = 0
for _name in ("TRACESYSGOOD", "TRACEFORK", "TRACEVFORK", "TRACECLONE", "TRACEEXEC", "TRACEVFORKDONE"):
    FULL_OPTIONS |= PTRACE_OPTIONS[f"PTRACE_O_{_name}"]

_RECHECK_S = 0.02
"""How long an all-stop waits for news before it looks in /proc whether a thread will ever report: a leader that ends before its
threads turns into a zombie without a word."""
_ASK_AGAIN = 25
"""Looks after which it asks again: a SIGCONT from somewhere removes a SIGSTOP that is still pending (signal(7))."""


def full_options(inferior: Inferior) -> int:
    """The option bits of a process that is being debugged."""
    return FULL_OPTIONS | (EXITKILL if inferior.launched else 0)


def manage(pt: Ptrace, inferior: Inferior) -> None:
    """Before a resumption: set all options on every stopped thread that lacks them (threads born later inherit them)."""
    if inferior.sharers:
        inferior.sharers = {child for child in inferior.sharers if threads.same_memory(inferior.pid, child)}
        if not inferior.sharers:
            plant_all(pt, inferior)
    wanted = full_options(inferior)
    if inferior.options != wanted:
        for tracee in inferior.tracees.values():
            if tracee.stopped:
                pt.setoptions(tracee.tid, wanted, to="hear of new tasks and of exec")
        inferior.options = wanted


# --- resuming one thread ------------------------------------------------------------------------------------------------------
def let_run(pt: Ptrace, tracee: Tracee, number: int = 0, *, to: str) -> None:
    """CONT; a tracee that was killed meanwhile counts as running, its end will be reported."""
    tracee.deliver = 0
    tracee.hit_counted = False
    try:
        pt.cont(tracee.tid, number, to=to)
    except TraceeGone:
        pass
    tracee.happens(Happening.RESUME)


def let_step(pt: Ptrace, tracee: Tracee, number: int = 0, *, to: str) -> None:
    """SINGLESTEP, likewise."""
    tracee.deliver = 0
    tracee.hit_counted = False
    tracee.stepping = True
    try:
        pt.singlestep(tracee.tid, number, to=to)
    except TraceeGone:
        pass
    tracee.happens(Happening.RESUME)


def go_on(pt: Ptrace, tracee: Tracee) -> None:
    """Resume after a stop that nobody needs to hear of."""
    stop = tracee.stop
    if isinstance(stop, GroupStop) and tracee.seized:
        # The process has been stopped by a stop signal: leave it so, but hear of SIGCONT.
        try:
            pt.listen(tracee.tid, to="leave it in its group-stop, and hear of SIGCONT")
        except TraceeGone:
            pass
        tracee.happens(Happening.RESUME)
    else:
        let_run(pt, tracee, tracee.deliver, to="let it run on: this stop is nobody's news")


# --- asking to stop -----------------------------------------------------------------------------------------------------------
def request_stop(pt: Ptrace, tracee: Tracee, *, to: str) -> None:
    """Ask one running thread to stop: INTERRUPT for a seized one, else a SIGSTOP that is swallowed when it comes."""
    if tracee.stop_asked or not tracee.running:
        return
    tracee.stop_asked = True
    if tracee.newborn:
        return  # its first stop is on its way by itself
    if tracee.seized:
        try:
            pt.interrupt(tracee.tid, to=to)
        except TraceeGone:
            pass
        return
    pt.here()
    if threads.tgkill(pt.log, tracee.pid, tracee.tid, signal.SIGSTOP, to=to):
        tracee.ledger = 1


def quietly(book: Book, tracee: Tracee, news: News) -> None:
    """File a stop that came while stopping everybody: it is kept for later, or needs no word.

    A breakpoint hit needs none: pc stands at the byte again, and the thread will run into it.
    """
    stop = news.stop
    if isinstance(stop, SignalDelivery):
        row = book.signals[stop.signal]
        if row.stop:
            tracee.unreported = stop
        if row.deliver:
            tracee.deliver = stop.signal


def stop_all(pt: Ptrace, book: Book, inferior: Inferior) -> Generator[Await, News | None, None]:
    """Stop every thread of the process; other news that comes meanwhile is filed, none is lost.

    It also stays until forked children are let go: nobody could do that once the process is detached, or its tracer ends.
    """
    looks = 0
    while True:
        waiting = [tracee for tracee in inferior.running() if not tracee.in_vfork]
        if not waiting and not book.children_of(inferior.pid):
            return
        for tracee in waiting:
            request_stop(pt, tracee, to="have every thread stand still")
        news = yield Await(timeout=_RECHECK_S, what="every thread to stand still")
        if news is None:
            looks += 1
            for tracee in waiting:
                leader_left(inferior, tracee)
                if looks % _ASK_AGAIN == 0:
                    tracee.stop_asked = False
            continue
        stopped = inferior.tracees.get(news.tid)
        if stopped is None:
            if inferior.ended is not None:
                return
            continue
        if news.stop is None:
            continue
        if isinstance(news.stop, (ExitEvent, SyscallStop)):
            let_run(pt, stopped, to="let it come past this event to its stop")
        elif isinstance(news.stop, NewTask):
            meet(pt, book, inferior, stopped, news.stop)
        elif isinstance(news.stop, VforkDone):
            vfork_done(pt, inferior, stopped)
        else:
            quietly(book, stopped, news)


def leader_left(inferior: Inferior, tracee: Tracee) -> bool:
    """Whether a thread is a leader that has ended before its threads: seen in /proc only, it reports nothing before they are gone."""
    if tracee.tid != Tid(inferior.pid) or len(inferior.tracees) < 2 or procfs.state(tracee.tid) not in ("Z", "X", ""):
        return False
    tracee.happens(Happening.LEFT)
    return True


def ask_one(pt: Ptrace, inferior: Inferior) -> bool:
    """Ask one thread to stop, for an `interrupt`; False when there is none that runs and could."""
    for tracee in inferior.running():
        if not tracee.in_vfork and not leader_left(inferior, tracee):
            request_stop(pt, tracee, to="interrupt the program")
            return True
    return False


# --- new tasks ----------------------------------------------------------------------------------------------------------------
def meet(pt: Ptrace, book: Book, inferior: Inferior, parent: Tracee, stop: NewTask) -> Tracee | None:
    """A thread or a child was made.  A thread joins the program; a child process is let go with our traces removed.

    Returns:
        The new thread, None for a child process.
    """
    thread = adopt_task(pt, book, inferior, parent, stop)
    if thread is not None:
        return thread
    child = Tid(stop.tid)
    pt.log.publish(TraceeBorn(int(child), stop.how), lane="tracee", tid=int(child))
    shares_memory = stop.how == "vfork" or threads.same_memory(parent.tid, child)
    if shares_memory:
        # The child runs in its parent's memory until it execs or exits: our bytes must not be in its way.
        lift_all(pt, inferior)
        parent.in_vfork = stop.how == "vfork"
        if not parent.in_vfork:  # clone with CLONE_VM, which announces no end of the sharing
            inferior.sharers.add(child)
            text = f"process {child} uses the program's memory: breakpoints are out of it until that process has ended"
            pt.log.publish(Warned(f"{text} and the program is resumed once more"))
    let_go(pt, book, inferior, child, stop.how, heal=not shares_memory)
    return None


def vfork_done(pt: Ptrace, inferior: Inferior, parent: Tracee) -> None:
    """The vfork child has left its parent's memory: our bytes go back."""
    parent.in_vfork = False
    try:
        plant_all(pt, inferior)
    except TraceeGone:
        pass


def ours(tracee: Tracee) -> bool:
    """Whether its present stop is one that we asked for."""
    return isinstance(tracee.stop, (Interrupted, Arrived))


def kill_now(inferior: Inferior) -> None:
    """SIGKILL for the process; it needs no permission of ptrace.  ESRCH means that it is dead already."""
    try:
        os.kill(inferior.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
