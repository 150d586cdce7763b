"""Taking hold of a running process, letting go of it, ending it.

Tracer thread: plans.  SEIZE and INTERRUPT unless ATTACH is asked for; every thread of the process, also those born meanwhile.
Source: ptrace(2) PTRACE_SEIZE, PTRACE_ATTACH, PTRACE_DETACH; proc(5) task directory.
"""

from __future__ import annotations

import signal
from collections.abc import Generator

from tracedbg.kernel import procfs
from tracedbg.kernel.ptrace import Ptrace
from tracedbg.model.errors import KernelRefused, NotFound, NotNow, TraceeGone
from tracedbg.model.events import TraceeBorn
from tracedbg.model.events import TraceeGone as GoneEvent
from tracedbg.model.ids import Pid, Tid
from tracedbg.model.stops import Born, GroupStop, Interrupted, SignalDelivery
from tracedbg.model.views import Report

from .allstop import FULL_OPTIONS, kill_now, let_run, manage, request_stop, stop_all
from .book import Book, Inferior, Tracee
from .breakpoints import lift_all
from .lifecycle import Happening
from .plans import Await, News, Plan


def open_page(pt: Ptrace, book: Book, pid: int) -> None:
    """Make the book's page for a process that is about to be attached (an op, so that a plan has a place to run in).

    Raises:
        NotFound: there is no such process.
        NotNow: it is traced already.
    """
    pt.here()
    old = book.inferior(pid)
    if old is not None and old.ended is None and old.tracees:
        raise NotNow(f"process {pid} is already being debugged", "detach or kill it first")
    if procfs.state(pid) == "":
        raise NotFound(f"there is no process {pid}", "ps -e lists them")
    book.forget(Pid(pid))
    book.add(Inferior(Pid(pid), launched=False))


def attach(pt: Ptrace, book: Book, pid: int, seize: bool = True) -> Plan[Report]:
    """Attach to every thread and stop them all.

    Args:
        seize: SEIZE and INTERRUPT; False sends each thread a SIGSTOP by ATTACH.

    Raises:
        NotPermitted: the kernel refuses, with the cause.
        NotFound: the process vanished meanwhile.
    """
    inferior = book.inferiors[Pid(pid)]
    try:
        _take_hold(pt, inferior, seize)
        yield from stop_all(pt, book, inferior)
        if not seize and inferior.ended is None:
            manage(pt, inferior)
            # Threads born between our look at /proc and the options above are not traced yet.
            _take_hold(pt, inferior, seize)
            yield from stop_all(pt, book, inferior)
            manage(pt, inferior)
    except (KernelRefused, NotFound):
        # Some threads may be ours already: none stays behind half attached.
        if inferior.tracees:
            yield from stop_all(pt, book, inferior)
            for tracee in list(inferior.tracees.values()):
                if tracee.stopped:
                    _let_go(pt, inferior, tracee)
        book.forget(inferior.pid)
        raise
    if inferior.ended is not None:
        inferior.close()
        return Report(pid, pid, None, inferior.ended)
    leader = inferior.tracees.get(Tid(pid)) or next(iter(inferior.living()), None)
    if leader is None:
        book.forget(inferior.pid)
        raise NotFound(f"process {pid} ended while it was being attached", "nothing to do")
    shown = leader if leader.stopped else next((tracee for tracee in inferior.tracees.values() if tracee.stopped), leader)
    return Report(pid, shown.tid, shown.stop)


def _take_hold(pt: Ptrace, inferior: Inferior, seize: bool) -> None:
    """Attach to threads until /proc shows none that is not ours."""
    refused: KernelRefused | None = None
    while True:
        fresh = [tid for tid in procfs.threads(inferior.pid) if tid not in inferior.tracees]
        progress = False
        for tid in fresh:
            try:
                if seize:
                    pt.seize(tid, FULL_OPTIONS, to="become its tracer without stopping it")
                else:
                    pt.attach(tid, to="become its tracer, with a SIGSTOP")
            except TraceeGone:
                continue  # it ended between our look and the request
            except KernelRefused as error:
                if procfs.state(tid) in ("Z", "X", ""):
                    continue  # a leader that has ended, or a thread on its way out: not attachable, and no harm
                if procfs.tracer_pid(tid) == pt_tid(pt):
                    continue  # born of a seized thread: it is ours already and will report
                refused = error
                continue
            progress = True
            tracee = inferior.adopt(tid, seized=seize)
            if not seize:
                tracee.ledger, tracee.stop_asked = 1, True
            pt.log.publish(TraceeBorn(inferior.pid, "attached"), lane="tracee", tid=tid)
        if seize:
            inferior.options = FULL_OPTIONS
        if refused is not None:
            raise refused
        if not progress:
            break
    if not inferior.tracees:
        raise NotFound(f"process {inferior.pid} has no thread that can be traced", "it has ended or is a zombie")


def pt_tid(pt: Ptrace) -> int:
    """The tracer thread's number."""
    return pt.log.here().tid


def detach(pt: Ptrace, book: Book, pid: int) -> Plan[int]:
    """Let go of every thread: breakpoint bytes put back, signals that waited for an answer passed on, our own stops swallowed.

    Returns:
        How many threads were let go.
    """
    inferior = book.inferior(pid)
    if inferior is None or inferior.ended is not None:
        raise NotNow("the program is not being run", "there is nothing to detach from")
    yield from stop_all(pt, book, inferior)
    count = 0
    if inferior.ended is None:
        try:
            lift_all(pt, inferior)
        except TraceeGone:
            pass
        for tracee in list(inferior.tracees.values()):
            yield from _swallow(pt, tracee)
            if tracee.stopped:
                count += _let_go(pt, inferior, tracee)
        while inferior.ended is None and inferior.tracees and not count:
            # Killed meanwhile: nobody else can reap its threads while they are ours, so its end is collected first.
            yield Await(timeout=0.5, what="the end of the process")
            if procfs.state(inferior.pid) == "":
                inferior.vanish()
    book.forget(inferior.pid)
    return count


def _swallow(pt: Ptrace, tracee: Tracee) -> Generator[Await, News | None, None]:
    """A SIGSTOP of ours that is still under way would stop the process for good once we are gone: let it come first."""
    while tracee.stopped and not tracee.seized and _stop_pending(tracee):
        let_run(pt, tracee, _pending_signal(tracee), to="let our own SIGSTOP come first")
        tracee.unreported = None
        while tracee.running:
            news = yield Await(tracee.tid, timeout=0.5, what="our own SIGSTOP")
            if news is None:
                tracee.stop_asked = False  # a SIGCONT from somewhere has removed it: stop the thread anew
                request_stop(pt, tracee, to="stop it anew: a SIGCONT has taken our SIGSTOP away")
            elif isinstance(news.stop, SignalDelivery):
                tracee.deliver = news.stop.signal


def _stop_pending(tracee: Tracee) -> bool:
    """Whether a SIGSTOP waits for this very thread; the kernel's word, since SIGCONT removes such signals silently."""
    sets = procfs.signal_sets(tracee.tid)
    return sets is not None and int(signal.SIGSTOP) in sets.pending


def _pending_signal(tracee: Tracee) -> int:
    """What a tracee that stops for a signal is owed when it goes on without us."""
    if isinstance(tracee.unreported, SignalDelivery):
        return tracee.unreported.signal
    return tracee.deliver


def _let_go(pt: Ptrace, inferior: Inferior, tracee: Tracee) -> int:
    number = 0 if isinstance(tracee.stop, (Interrupted, Born, GroupStop)) else _pending_signal(tracee)
    try:
        pt.detach(tracee.tid, number, to="let it go on untraced")
    except KernelRefused:
        tracee.happens(Happening.RESUME)
        return 0
    tracee.happens(Happening.REPLACED)
    inferior.tracees.pop(tracee.tid, None)
    pt.log.publish(GoneEvent(-1, "detached", inferior.pid), lane="tracee", tid=tracee.tid)
    return 1


def kill(pt: Ptrace, book: Book, pid: int) -> Plan[Report]:
    """SIGKILL, and stay until the end has been reported.

    A tracee in its exit event ignores SIGKILL, so whatever stops is let run on.
    """
    inferior = book.inferior(pid)
    if inferior is None or inferior.ended is not None:
        raise NotNow("the program is not being run", "there is nothing to kill")
    kill_now(inferior)
    while inferior.ended is None and inferior.tracees:
        for tracee in list(inferior.tracees.values()):
            if tracee.stopped:
                let_run(pt, tracee, to="let it die: it stands in its way out")
        yield Await(timeout=0.5, what="the end of the process")
        if procfs.state(inferior.pid) == "":
            inferior.vanish()
    while book.children_of(inferior.pid):
        yield Await(timeout=0.5, what="a forked child to be let go")  # a child of it is about to be let go
    inferior.close()
    return Report(pid, pid, None, inferior.ended)
