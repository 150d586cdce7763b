"""Counted loops: the tracer thread steps and waits inline.

Tracer thread: an op that may last; it takes the arm from the waiters, says so in the log, and gives it back.  An interrupt ends it
within milliseconds.
"""

from __future__ import annotations

import msgspec

from tracedbg.kernel import procfs
from tracedbg.kernel.hot import StepRun, step_many
from tracedbg.kernel.poke import Seat
from tracedbg.kernel.ptrace import Ptrace
from tracedbg.kernel.regs import CPU
from tracedbg.kernel.wait import WaitResult
from tracedbg.model.errors import NotNow, TraceeGone
from tracedbg.model.events import LoopBegan, LoopDone, TraceeStopped
from tracedbg.model.ids import Tid
from tracedbg.model.stops import BreakpointHit, ExecStop, ExitEvent, Interrupted, NewTask, SignalDelivery, StepDone, VforkDone
from tracedbg.model.views import Report
from tracedbg.model.waitstatus import STEP_TRAP, WaitStatus

from .allstop import manage
from .book import Book, Inferior, Tracee
from .breakpoints import count_hit, lift_all, plant_all
from .lifecycle import Happening
from .news import take_in
from .ops import stopped_tracee
from .waiter import Waiters


class LoopEnd(msgspec.Struct, frozen=True):
    """How a counted loop ended.

    Args:
        steps: instructions executed.
        pc: where it stands, -1 if unknown.
        report: why it ended before its count; None when it did not, or when it only left its range.
        interrupted: somebody asked it to end.
        unfinished: the last step has not ended (interrupted while it slept in a system call): a plan has to collect it.
        event: the last step has met with an event on its way (a new task, an exec): a plan has to deal with that and to end the step.
        at_call: it stands at a system call, and other threads are stopped for which that could wait: a plan has to make that step.
    """

    steps: int
    pc: int
    report: Report | None = None
    interrupted: bool = False
    unfinished: bool = False
    event: bool = False
    at_call: bool = False


def step_loop(
    pt: Ptrace, book: Book, waiters: Waiters, seat: Seat, tid: int, limit: int, name: str,
    low: int = 0, high: int = 0, pause: frozenset[int] = frozenset(), resumed: bool = False,
) -> LoopEnd:  # fmt: skip
    """Step one thread up to `limit` times, while low <= pc < high if high is not 0, and not past an address of `pause`.

    Breakpoints are lifted meanwhile and looked up by address: only this thread runs.  A loop that is `resumed` looks first where the
    plan's step in between has led.

    Raises:
        NotNow: a thread sleeps in a wait call that was typed: it could take the status that the loop waits for.
    """
    inferior, tracee = stopped_tracee(book, tid)
    strangers = waiters.strangers()
    if strangers:
        names = ", ".join(procfs.comm(stranger) for stranger in strangers)
        raise NotNow(f"{names} is in a wait call, and could take the stops of {name}", "end that wait first, or use stepi and continue")
    pt.before((0, 0, 0, 0), name, f"step up to {limit} times and wait inline, request by request")
    waiters.park("tracer", name)
    try:
        manage(pt, inferior)
    except TraceeGone:
        pass
    pt.log.publish(LoopBegan(name))
    counts: dict[str, int] = {}
    # Like a plan, it deals with news itself: what comes meanwhile is the tracer's own work.
    inferior.plan = step_loop
    try:
        lift_all(pt, inferior)
        return _loop(pt, book, seat, inferior, tracee, limit, low, high, pause, counts, resumed)
    finally:
        inferior.plan = None
        try:
            if inferior.ended is None:
                plant_all(pt, inferior)
        except TraceeGone:
            pass
        pt.log.publish(LoopDone(name, counts))


def _loop(
    pt: Ptrace, book: Book, seat: Seat, inferior: Inferior, tracee: Tracee, limit: int, low: int, high: int,
    pause: frozenset[int], counts: dict[str, int], resumed: bool,
) -> LoopEnd:  # fmt: skip
    done, pc = 0, -1
    code = -1
    if resumed or len(inferior.living()) > 1:
        pc = pt.getregs(tracee.tid, to="see where the loop begins").pc
        if resumed and pc in inferior.sites and inferior.sites[pc].users:
            hit = _hit(pt, book, inferior, tracee, pc)
            if hit is not None:
                return LoopEnd(0, pc, hit)
        if len(inferior.living()) > 1:
            memory = inferior.open_memory()
            code = memory.descriptor
            if not tracee.deliver and memory.read_raw(pc, len(next(iter(CPU.calls)))) in CPU.calls:
                return LoopEnd(0, pc, at_call=True)
    number, tracee.deliver = tracee.deliver, 0
    while True:
        stop_at = {address for address, site in inferior.sites.items() if site.users} | pause
        run = step_many(pt, seat, tracee.tid, limit - done, number, low, high, stop_at, code)
        number, tracee.hit_counted = 0, False
        done += run.steps
        pc = run.pc
        for call, count in run.counts.items():
            counts[call] = counts.get(call, 0) + count
        if run.stepping or (run.errno and run.status is None):
            # Interrupted in mid-step, or the tracee was killed between two requests: in both cases news is to come.
            tracee.happens(Happening.RESUME)
            tracee.stepping = True
            return LoopEnd(done, pc, interrupted=run.stepping, unfinished=True)
        if run.status is None:  # kicked before the first step
            return LoopEnd(done, pc, interrupted=True)
        if run.status == STEP_TRAP:
            if pc in stop_at:
                hit = _hit(pt, book, inferior, tracee, pc)
                if hit is not None:
                    return LoopEnd(done, pc, hit)
            if done < limit and (not high or low <= pc < high) and pc not in pause and not seat.kicked and not run.at_call:
                continue
            at_call = run.at_call and done < limit and not seat.kicked
            tracee.stop, tracee.status = StepDone(), WaitStatus(STEP_TRAP)
            return LoopEnd(done, pc, interrupted=seat.kicked, at_call=at_call)
        report = _other_news(pt, book, inferior, tracee, run)
        if report is not None and isinstance(report.stop, (NewTask, VforkDone, ExecStop, ExitEvent)):
            return LoopEnd(done, -1, event=True)
        if report is not None:
            return LoopEnd(done, -1, report)
        number, tracee.deliver = tracee.deliver, 0


def _other_news(pt: Ptrace, book: Book, inferior: Inferior, tracee: Tracee, run: StepRun) -> Report | None:
    """A status that is no step: taken in like any other; None to step on."""
    assert run.status is not None
    tracee.stepping = True
    taken = take_in(pt, book, WaitResult(Tid(tracee.tid), WaitStatus(run.status), pt.log.here()))
    if inferior.ended is not None:
        inferior.close()
        return Report(inferior.pid, inferior.pid, None, inferior.ended)
    if taken is None or not tracee.stopped:
        return Report(inferior.pid, tracee.tid, None)
    stop = tracee.stop
    if isinstance(stop, SignalDelivery):
        row = book.signals[stop.signal]
        tracee.deliver = stop.signal if row.deliver else 0
        if not row.stop:
            return None
    if isinstance(stop, (StepDone, Interrupted)):
        return None  # this loop is interrupted through its seat: a stop of ours is a late one
    return Report(inferior.pid, tracee.tid, stop)


def _hit(pt: Ptrace, book: Book, inferior: Inferior, tracee: Tracee, pc: int) -> Report | None:
    """The thread has come to a planted address: counted, and told if some breakpoint there is to stop it."""
    numbers = count_hit(pt, book, inferior, pc)
    tracee.hit_counted = pc in inferior.sites
    if not numbers:
        return None
    stop = BreakpointHit(pc, numbers)
    tracee.stop, tracee.status = stop, WaitStatus(STEP_TRAP)
    event = TraceeStopped(STEP_TRAP, str(stop.text()), inferior.pid)
    pt.log.publish(event, lane="tracee", tid=tracee.tid)
    return Report(inferior.pid, tracee.tid, stop)
