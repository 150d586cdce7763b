"""Taking in a status: what it means and what changes in the book.

Tracer thread.  It resumes nothing: that is for the plan that runs the process, or for the user.
"""

from __future__ import annotations

from signal import SIGKILL

from tracedbg.kernel import procfs
from tracedbg.kernel.ptrace import Ptrace
from tracedbg.kernel.wait import WaitResult
from tracedbg.model.errors import KernelRefused, TraceeGone
from tracedbg.model.events import LateNews, StatusReported, TraceeBorn, TraceePaused, TraceeStopped
from tracedbg.model.events import TraceeGone as GoneEvent
from tracedbg.model.ids import Pid, Source, Tid
from tracedbg.model.names import PTRACE_OPTIONS
from tracedbg.model.stops import AnyStop, Born, BreakpointHit, ExecStop, Interrupted, NewTask
from tracedbg.model.waitstatus import StatusKind, WaitStatus

from .book import Book, Inferior, Tracee
from .children import let_go_unannounced
from .classify import classify, facts
from .lifecycle import Happening
from .plans import News

EXITKILL = PTRACE_OPTIONS["PTRACE_O_EXITKILL"]


def take_in(pt: Ptrace, book: Book, result: WaitResult) -> tuple[Pid, News] | None:
    """Enter one status in the book; None when there is nobody to tell."""
    log = pt.log
    tracee = book.tracee(result.tid)
    status = result.status
    if tracee is not None and status.kind is StatusKind.STOPPED:
        _arm_exitkill(pt, book.inferiors[tracee.pid])
    log.publish(StatusReported(result.tid, status.word, result.taken_by.name), of=result.of)
    if tracee is None:
        return _unknown(pt, book, result)
    inferior = book.inferiors[tracee.pid]
    if status.kind is StatusKind.CONTINUED:
        return None
    if status.is_end:
        return _end(pt, book, inferior, tracee, status)
    return _stop(pt, book, inferior, tracee, status)


def _arm_exitkill(pt: Ptrace, inferior: Inferior) -> None:
    """At the first stop of a launched program, before anybody else hears of it: it shall not outlive the tracer thread."""
    if inferior.launched and not inferior.options:
        try:
            pt.setoptions(Tid(inferior.pid), EXITKILL, to="have it die with the tracer thread")
            inferior.options = EXITKILL
        except TraceeGone:
            pass  # killed meanwhile: its status will tell


def _unknown(pt: Ptrace, book: Book, result: WaitResult) -> tuple[Pid, News] | None:
    """A task that is not in the book: a newborn ahead of its announcement, a forked child to let go, or one already buried.

    Returns:
        For a child, news to its parent's plan, which may wait until the child is out of its hands.
    """
    parent, release = book.letting_go.pop(result.tid, (None, None))
    if result.tid in book.owed:
        book.owed.discard(result.tid)
        if result.status.kind is StatusKind.STOPPED:
            _let_go_late(pt, result.tid)
            return None
    if result.status.kind is not StatusKind.STOPPED:
        book.early.pop(result.tid, None)
        pt.log.publish(LateNews(result.tid, result.status.word))
    elif release is not None:
        release()
    else:
        book.early[result.tid] = result.status
    return None if parent is None else (parent, News(result.tid, result.status, Born()))


def _let_go_late(pt: Ptrace, tid: Tid) -> None:
    """A thread that was taken for dead has stopped once more: nobody would ever let it run."""
    try:
        pt.detach(tid, to="let it go: its process is forgotten")
    except KernelRefused:
        pass  # dead by now: that status is not ours any more


def _end(pt: Ptrace, book: Book, inferior: Inferior, tracee: Tracee, status: WaitStatus) -> tuple[Pid, News]:
    tracee.happens(Happening.END)
    tracee.status = status
    inferior.tracees.pop(tracee.tid, None)
    if int(tracee.tid) == int(inferior.pid):
        # A leader is reaped last: whatever else was in the book has died without a word (an exec or a SIGKILL).
        inferior.ended = status
        inferior.tracees.clear()
        if status.signal == SIGKILL or inferior.had_threads:
            let_go_unannounced(pt, book, inferior)
    pt.log.publish(GoneEvent(status.word, "ended", inferior.pid), lane="tracee", tid=tracee.tid)
    return inferior.pid, News(tracee.tid, status, None)


def _stop(pt: Ptrace, book: Book, inferior: Inferior, tracee: Tracee, status: WaitStatus) -> tuple[Pid, News] | None:
    try:
        known, regs = facts(pt, inferior, tracee, status)
    except TraceeGone:
        # Killed between its stop and our question.  The death comes as a status of its own: nothing to tell yet.
        tracee.happens(Happening.RESUME)
        return None
    stop = classify(status, known)
    if isinstance(stop, BreakpointHit) and regs is not None:
        # The CPU reports int3 with pc behind it; the program is to see the address where it stopped.
        try:
            pt.setregs(tracee.tid, regs.replace("rip", stop.address), to="put pc back on the breakpoint")
        except TraceeGone:
            tracee.happens(Happening.RESUME)
            return None
    tracee.happens(Happening.STOP)
    tracee.stop, tracee.status, tracee.stepping = stop, status, False
    if isinstance(stop, (Born, Interrupted)):
        tracee.ledger = 0
        tracee.newborn = False
        tracee.stop_asked = False
    elif tracee.seized and not tracee.newborn:
        # Any other trap takes the place of the one that INTERRUPT had asked for (kernel/signal.c, ptrace_stop).
        tracee.stop_asked = False
    if isinstance(stop, ExecStop):
        replaced_image(pt, inferior, tracee)
    if isinstance(stop, NewTask) and inferior.plan is None:
        _adopt_bare(pt, book, inferior, tracee, stop)
    kind = TraceeStopped if inferior.plan is None else TraceePaused
    pt.log.publish(kind(status.word, str(stop.text()), inferior.pid), lane="tracee", tid=tracee.tid)
    return inferior.pid, News(tracee.tid, status, stop)


def replaced_image(pt: Ptrace, inferior: Inferior, survivor: Tracee) -> None:
    """After an exec: one thread is left, the sites went with the old memory, and the former tid is gone without a report."""
    for tid in [tid for tid in inferior.tracees if tid != survivor.tid]:
        gone = inferior.tracees.pop(tid)
        gone.happens(Happening.REPLACED)
        pt.log.publish(GoneEvent(-1, "exec", inferior.pid), lane="tracee", tid=tid, source=Source.INFERRED)
    inferior.exec_seen = True
    inferior.sites.clear()
    survivor.in_vfork = False
    if inferior.memory is not None:
        inferior.memory.close()
        inferior.memory = None


def adopt_task(pt: Ptrace, book: Book, inferior: Inferior, parent: Tracee, stop: NewTask) -> Tracee | None:
    """A new thread of the same process: enter it; its first stop may be here already.  None if it is a process of its own."""
    tid = Tid(stop.tid)
    if stop.how != "clone" or procfs.tgid(tid) not in (inferior.pid, None):
        return None
    tracee = inferior.adopt(tid, seized=parent.seized)
    tracee.newborn = True
    pt.log.publish(TraceeBorn(inferior.pid, stop.how), lane="tracee", tid=tid)
    early = book.early.pop(tid, None)
    if early is not None:
        _stop(pt, book, inferior, tracee, early)
    return tracee


def _adopt_bare(pt: Ptrace, book: Book, inferior: Inferior, parent: Tracee, stop: NewTask) -> None:
    """Without a plan nothing is resumed or let go: the new task is simply traced from now on."""
    if adopt_task(pt, book, inferior, parent, stop) is None:
        child = Inferior(Pid(stop.tid), launched=inferior.launched)
        child.options, child.exec_seen = inferior.options, True
        tracee = child.adopt(Tid(stop.tid), seized=parent.seized)
        tracee.newborn = True
        book.add(child)
        pt.log.publish(TraceeBorn(child.pid, stop.how), lane="tracee", tid=stop.tid)
        early = book.early.pop(Tid(stop.tid), None)
        if early is not None:
            _stop(pt, book, child, tracee, early)


def describe(stop: AnyStop | None, status: WaitStatus) -> str:
    """Words for a stop or an end."""
    return str(stop.text()) if stop is not None else status.text()
