"""The edges of a run: its first stop, a halt that an inline loop needs, and the end of a program that nobody runs.

Tracer thread: plans.  They resume nothing but what has to move for a status to come.
"""

from __future__ import annotations

from tracedbg.kernel import procfs
from tracedbg.kernel.ptrace import Ptrace
from tracedbg.model.errors import NotNow
from tracedbg.model.events import Note, TraceeStopped
from tracedbg.model.ids import Tid
from tracedbg.model.stops import ExecStop, Interrupted, SignalDelivery, ThreadEnded
from tracedbg.model.views import Report

from .allstop import let_run, manage, stop_all
from .book import Book
from .plans import Await, Plan
from .running import the_inferior


def first_stop(pt: Ptrace, book: Book, pid: int) -> Plan[Report]:
    """Wait for a launched program's exec stop; signals that come before it are passed on.

    Returns:
        The exec stop, or the end of a child that did not get that far.
    """
    inferior = book.inferior(pid)
    if inferior is None:
        raise NotNow("the program is not being run", "start it with run")
    while True:
        if inferior.ended is not None:
            inferior.close()
            return Report(pid, pid, None, inferior.ended)
        tracee = inferior.tracees.get(Tid(pid))
        if tracee is not None and tracee.stopped:
            if isinstance(tracee.stop, ExecStop):
                manage(pt, inferior)
                return Report(pid, pid, tracee.stop)
            let_run(pt, tracee, tracee.stop.signal if isinstance(tracee.stop, SignalDelivery) else 0, to="let it come to its exec stop")
        yield Await(what="the exec stop")


def halt(pt: Ptrace, book: Book, pid: int, tid: int) -> Plan[Report]:
    """Stop a program that an interrupted loop left running, and report the interruption."""
    inferior = the_inferior(book, pid)
    yield from stop_all(pt, book, inferior)
    if inferior.ended is not None:
        inferior.close()
        return Report(pid, pid, None, inferior.ended)
    tracee = inferior.tracees.get(Tid(tid))
    gone = tracee is None or not tracee.stopped
    if tracee is None or gone:
        tracee = next(iter(inferior.living()))
    word = tracee.status.word if tracee.status is not None else 0
    stop = tracee.unreported or (ThreadEnded() if gone else Interrupted())
    tracee.unreported = None
    pt.log.publish(TraceeStopped(word, str(stop.text()), inferior.pid), lane="tracee", tid=tracee.tid)
    return Report(pid, tracee.tid, stop)


def bury(pt: Ptrace, book: Book, pid: int) -> Plan[Report | None]:
    """A stopped program was killed from outside: take in its end."""
    inferior = book.inferior(pid)
    if inferior is None or inferior.ended is not None:
        return None
    pt.log.publish(Note(f"process {pid} was killed while it was stopped"), lane="tracee", tid=pid)
    while inferior.ended is None and inferior.tracees:
        for tracee in list(inferior.tracees.values()):
            if tracee.stopped:
                let_run(pt, tracee, to="let it die: it stands in its way out")
        yield Await(timeout=0.5, what="the end of the process")
        if procfs.state(pid) == "":
            inferior.vanish()
    inferior.close()
    return Report(pid, pid, None, inferior.ended)
