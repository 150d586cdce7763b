"""Letting a program run until something happens that the user should know.

Tracer thread: plans.  One class holds what a run needs; its methods read like straight-line code and yield where they must hear from a
tracee.  At the end all threads are stopped, or the process is gone, and the books are right.
"""

from __future__ import annotations

from collections.abc import Generator

from tracedbg.kernel import threads
from tracedbg.kernel.ptrace import Ptrace
from tracedbg.model.errors import NotNow, TraceeGone
from tracedbg.model.events import ProgramStopped, TraceeResumed, TraceeStopped
from tracedbg.model.ids import Tid
from tracedbg.model.names import signal_name
from tracedbg.model.stops import (
    AnyStop,
    Arrived,
    Born,
    BreakpointHit,
    ExecStop,
    GroupStop,
    Interrupted,
    NewTask,
    OtherEvent,
    SignalDelivery,
    StepDone,
    ThreadEnded,
    VforkDone,
)
from tracedbg.model.views import Report
from tracedbg.model.waitstatus import WaitStatus

from .allstop import ask_one, go_on, let_run, let_step, manage, meet, stop_all, vfork_done
from .book import Book, Inferior, Tracee
from .breakpoints import count_hit, internal_user, lift, plant, unwant, want
from .plans import Await, News, Plan

_STEP_PATIENCE_S = 0.2
"""A single step that lasts longer sleeps in a system call; it may wait for another thread, so the others run from then on."""


def the_inferior(book: Book, pid: int) -> Inferior:
    """The process with this number, alive.

    Raises:
        NotNow: it is not traced, or has ended.
    """
    inferior = book.inferior(pid)
    if inferior is None or inferior.ended is not None or not inferior.tracees:
        raise NotNow("the program is not being run", "start it with run")
    return inferior


class Run:
    """One resumption of a process.

    Args:
        tid: the thread in the user's focus.
        target: an address to stop at, reached by that thread with a stack pointer above `above`; -1 for none.
        above: see `target`; deeper calls of the same function are passed over.
    """

    def __init__(self, pt: Ptrace, book: Book, inferior: Inferior, tid: int, targets: tuple[int, ...] = (), above: int = 0) -> None:
        self._pt, self._book, self._inferior, self._tid = pt, book, inferior, Tid(tid)
        self._targets, self._above = targets, above
        self._user = internal_user()

    # --- from outside ---------------------------------------------------------------------------------------------------------
    def cont(self, number: int | None) -> Plan[Report]:
        """Let all threads run until there is something to report."""
        inferior = self._inferior
        early = self._before(number)
        if early is not None:
            return early
        try:
            for target in self._targets:
                want(self._pt, inferior, target, self._user)
            report = yield from self._over_sites()
            if report is None:
                for tracee in list(inferior.tracees.values()):
                    if tracee.stopped:
                        let_run(self._pt, tracee, tracee.deliver, to="let the program run")
                self._announce("continue", number)
                report = yield from self._listen()
            return self._done(report)
        finally:
            for target in self._targets:
                unwant(self._pt, inferior, target, self._user)

    def step(self, number: int | None) -> Plan[Report]:
        """Let the focused thread execute one instruction."""
        early = self._before(number)
        if early is not None:
            return early
        tracee = self._inferior.tracees[self._tid]
        report = yield from self._step_one(tracee)
        return (yield from self._stepped(tracee, report))

    def finish_step(self) -> Plan[Report]:
        """End a step that has met with an event on its way (a new task, an exec), where an inline loop had begun it."""
        tracee = self._inferior.tracees.get(self._tid)
        if tracee is None or tracee.stop is None or tracee.status is None:
            raise NotNow(f"thread {self._tid} is not stopped", "interrupt stops the program")
        report = yield from self._after_step(tracee, [], first=News(tracee.tid, tracee.status, tracee.stop))
        return (yield from self._stepped(tracee, report))

    def _stepped(self, tracee: Tracee, report: Report | None) -> Plan[Report]:
        """What a step comes to; it may have been the last of its thread."""
        inferior = self._inferior
        if report is None and tracee not in inferior.living():
            yield from stop_all(self._pt, self._book, inferior)
            if inferior.ended is not None:
                return self._done(self._ended(inferior.ended))
            return self._done(self._report(self._any(), ThreadEnded()))
        return self._done(report or self._report(tracee, StepDone()))

    # --- before ---------------------------------------------------------------------------------------------------------------
    def _before(self, number: int | None) -> Report | None:
        """Checks and settings; a report that has been waiting comes first, without running anything."""
        inferior = self._inferior
        focused = inferior.tracees.get(self._tid)
        if focused is None or not focused.stopped:
            raise NotNow(f"thread {self._tid} is not stopped", "choose another thread, or interrupt first")
        inferior.interrupt_asked = False
        try:
            manage(self._pt, inferior)
        except TraceeGone:
            pass
        if number is not None:
            focused.deliver = number
            focused.unreported = None
        for tracee in inferior.tracees.values():
            if tracee.unreported is not None:
                stop, tracee.unreported = tracee.unreported, None
                return self._done(self._report(tracee, stop))
        return None

    def _announce(self, how: str, number: int | None) -> None:
        inferior = self._inferior
        self._pt.log.publish(TraceeResumed(how, number or 0, inferior.pid), lane="tracee", tid=int(self._tid))

    # --- stepping over planted bytes ------------------------------------------------------------------------------------------
    def _over_sites(self) -> Generator[Await, News | None, Report | None]:
        """Every thread whose hit was counted, and the one in focus, executes the instruction under the byte first."""
        inferior = self._inferior
        if not inferior.sites:
            return None
        for tracee in list(inferior.tracees.values()):
            if not tracee.stopped or not (tracee.hit_counted or tracee.tid == self._tid):
                continue
            try:
                pc = self._pt.getregs(tracee.tid, to="see whether it stands at a breakpoint byte").pc
            except TraceeGone:
                continue
            site = inferior.sites.get(pc)
            if site is not None and site.planted:
                report = yield from self._step_one(tracee)
                if report is not None:
                    return report
        return None

    def _step_one(self, tracee: Tracee) -> Generator[Await, News | None, Report | None]:
        """One instruction of one thread, with the byte under it lifted; the others stay stopped.  None: done, nothing to report."""
        inferior = self._inferior
        kept: list[int] | None = None
        pc = -1
        try:
            pc = self._pt.getregs(tracee.tid, to="see whether a byte must be lifted for this step").pc if inferior.sites else -1
        except TraceeGone:
            pass
        site = inferior.sites.get(pc)
        lifted = site is not None and site.planted
        if site is not None and lifted:
            lift(self._pt, inferior, site)
            # A signal now would run its handler over the lifted byte, and bring the thread back to the breakpoint afterwards, to be
            # counted twice: signals are delivered with the next resumption instead.
            kept = [tracee.deliver] if tracee.deliver else []
            tracee.deliver = 0
        try:
            let_step(self._pt, tracee, tracee.deliver, to="execute one instruction" + " with the byte lifted" * lifted)
            report = yield from self._after_step(tracee, kept)
        finally:
            if site is not None and lifted and inferior.sites.get(pc) is site and site.users:
                try:
                    plant(self._pt, inferior, site)
                except TraceeGone:
                    pass
        if kept and tracee.stopped:
            if not tracee.deliver:
                tracee.deliver = kept.pop(0)
            for number in kept:
                threads.tgkill(self._pt.log, tracee.pid, tracee.tid, number, to="send a signal again that came amid the step")
        return report

    def _after_step(
        self, tracee: Tracee, kept: list[int] | None, first: News | None = None
    ) -> Generator[Await, News | None, Report | None]:
        """Stay until the step has ended, whatever comes in between; `kept` collects signals that must not be delivered now."""
        inferior = self._inferior
        others_run = False
        while True:
            news, first = first or (yield Await(timeout=0.0 if others_run else _STEP_PATIENCE_S, what="the end of the step")), None
            if news is None:
                others_run = True
                for other in list(inferior.tracees.values()):
                    if other.stopped:
                        let_run(self._pt, other, other.deliver, to="let it act: the step sleeps in a system call")
                continue
            if news.tid == tracee.tid and isinstance(news.stop, StepDone):
                yield from stop_all(self._pt, self._book, inferior)  # also threads and children that this step has made
                return self._report(tracee, Interrupted()) if inferior.interrupt_asked and tracee.stopped else None
            if news.tid == tracee.tid and isinstance(news.stop, SignalDelivery) and not self._book.signals[news.stop.signal].stop:
                # Not for the user: step on; the signal goes along, or waits where the byte is lifted.
                row = self._book.signals[news.stop.signal]
                self._show(tracee, news.stop)
                number = news.stop.signal if row.deliver else 0
                if kept is not None:
                    kept += [number] if number else []
                    number = 0
                let_step(self._pt, tracee, number, to="go on with the step past a signal")
                continue
            if news.tid == tracee.tid and isinstance(news.stop, NewTask):
                # The step was the system call that made a task: it reports its event first, its step afterwards.
                meet(self._pt, self._book, inferior, tracee, news.stop)
                if news.stop.how == "vfork":
                    others_run = True
                let_step(self._pt, tracee, to="go on with the step past the birth of a task")
                continue
            if news.tid == tracee.tid and isinstance(news.stop, VforkDone):
                vfork_done(self._pt, inferior, tracee)
                let_step(self._pt, tracee, to="go on with the step past the end of a vfork")
                continue
            if news.tid == tracee.tid and isinstance(news.stop, (Interrupted, OtherEvent)) and not inferior.interrupt_asked:
                let_step(self._pt, tracee, to="go on with the step past a late stop of ours")  # CONT would let it run away
                continue
            if isinstance(news.stop, Born) and news.tid != tracee.tid and not others_run:
                continue  # made by this step: it waits with the others
            report = self._judge(news)
            if report is not None:
                yield from stop_all(self._pt, self._book, inferior)
                return report
            if inferior.tracees.get(tracee.tid) is None:
                return None if inferior.ended is None else self._ended(inferior.ended)
            if not others_run and news.tid == tracee.tid and tracee.running and not isinstance(news.stop, StepDone):
                others_run = True  # it was let run on (an exit event, say): its step will not come

    # --- while it runs --------------------------------------------------------------------------------------------------------
    def _listen(self) -> Generator[Await, News | None, Report]:
        """Take news until there is a report; then everybody is stopped."""
        inferior = self._inferior
        while True:
            news = yield Await()
            if news is None:
                continue
            report = self._judge(news)
            if report is None:
                hit = self._passed_over(news)
                if hit is not None:
                    # Safe way past a byte that others may reach too: stop them, step this one over, let all run.
                    yield from stop_all(self._pt, self._book, inferior)
                    if inferior.ended is not None:
                        return self._ended(inferior.ended)
                    if inferior.interrupt_asked:
                        return self._report(hit if hit.stopped else self._any(), Interrupted())
                    for other in inferior.tracees.values():
                        if other.unreported is not None:
                            stop, other.unreported = other.unreported, None
                            return self._report(other, stop)
                    report = yield from self._over_sites()
                    if report is None:
                        for other in list(inferior.tracees.values()):
                            if other.stopped:
                                let_run(self._pt, other, other.deliver, to="let the program run on")
            if report is not None:
                yield from stop_all(self._pt, self._book, inferior)
                return report

    def _passed_over(self, news: News) -> Tracee | None:
        tracee = self._inferior.tracees.get(news.tid)
        return tracee if tracee is not None and tracee.stopped and isinstance(news.stop, BreakpointHit) else None

    def _judge(self, news: News) -> Report | None:
        """What one piece of news means for the run: a report, or None after what it needed has been done."""
        inferior = self._inferior
        if inferior.ended is not None:
            return self._ended(inferior.ended)
        tracee = inferior.tracees.get(news.tid)
        stop = news.stop
        if tracee is None or stop is None:
            return self._thread_ended(news)
        if isinstance(stop, BreakpointHit):
            return self._hit(tracee, stop)
        if isinstance(stop, SignalDelivery):
            return self._signal(tracee, stop)
        if isinstance(stop, ExecStop):
            return self._report(tracee, stop)
        if isinstance(stop, Interrupted) and inferior.interrupt_asked:
            inferior.interrupt_asked = False
            return self._report(tracee, stop)
        if isinstance(stop, NewTask):
            thread = meet(self._pt, self._book, inferior, tracee, stop)
            if thread is not None and thread.stopped:
                let_run(self._pt, thread, to="let the new thread run")
        elif isinstance(stop, VforkDone):
            vfork_done(self._pt, inferior, tracee)
        elif isinstance(stop, GroupStop) and inferior.interrupt_asked:
            inferior.interrupt_asked = False
            return self._report(tracee, stop)
        elif isinstance(stop, Born):
            let_run(self._pt, tracee, to="let the new thread run")
            return None
        go_on(self._pt, tracee)
        return None

    def _thread_ended(self, news: News) -> Report | None:
        inferior = self._inferior
        if news.tid == self._tid and self._targets:
            survivor = next(iter(inferior.living()), None)
            if survivor is not None:
                return self._report(survivor, ThreadEnded())
        if inferior.interrupt_asked:
            ask_one(self._pt, inferior)  # the thread that was asked may be the one that has ended
        return None

    def _any(self) -> Tracee:
        return next(iter(self._inferior.living()))

    def _hit(self, tracee: Tracee, stop: BreakpointHit) -> Report | None:
        numbers = count_hit(self._pt, self._book, self._inferior, stop.address)
        tracee.hit_counted = True
        if stop.address in self._targets and tracee.tid == self._tid:
            try:
                sp = self._pt.getregs(tracee.tid, to="see whether this is the frame, not a deeper one").sp
            except TraceeGone:
                return None
            if sp > self._above and not numbers:
                return self._report(tracee, Arrived(stop.address))
        if not numbers:
            return None
        return self._report(tracee, BreakpointHit(stop.address, numbers))

    def _signal(self, tracee: Tracee, stop: SignalDelivery) -> Report | None:
        row = self._book.signals[stop.signal]
        tracee.deliver = stop.signal if row.deliver else 0
        if row.stop:
            return self._report(tracee, stop)
        self._show(tracee, stop)
        let_run(self._pt, tracee, tracee.deliver, to="let it run on with the signal")
        return None

    def _show(self, tracee: Tracee, stop: SignalDelivery) -> None:
        if self._book.signals[stop.signal].show and tracee.status is not None:
            event = TraceeStopped(tracee.status.word, f"{signal_name(stop.signal)} passed on", self._inferior.pid)
            self._pt.log.publish(event, lane="tracee", tid=tracee.tid)

    # --- the answer -----------------------------------------------------------------------------------------------------------
    def _report(self, tracee: Tracee, stop: AnyStop) -> Report:
        tracee.stop = stop
        return Report(self._inferior.pid, tracee.tid, stop)

    def _ended(self, status: WaitStatus) -> Report:
        return Report(self._inferior.pid, self._inferior.pid, None, status)

    def _done(self, report: Report) -> Report:
        """Publish the one stop that the user hears of; a process that died while being stopped has that as its answer."""
        inferior = self._inferior
        if inferior.ended is not None:
            inferior.close()
            self._pt.log.publish(ProgramStopped(inferior.ended.text(), inferior.pid), lane="tracee", tid=inferior.pid)
            return self._ended(inferior.ended)
        tracee = inferior.tracees.get(Tid(report.tid))
        if tracee is not None and report.stop is not None:
            word = tracee.status.word if tracee.status is not None else 0
            text = str(report.stop.text())
            self._pt.log.publish(TraceeStopped(word, text, inferior.pid), lane="tracee", tid=tracee.tid)
            self._pt.log.publish(ProgramStopped(text, inferior.pid), lane="tracee", tid=tracee.tid)
        return report


# --- plans that are asked for by name -----------------------------------------------------------------------------------------
def cont(pt: Ptrace, book: Book, pid: int, tid: int, number: int | None = None) -> Plan[Report]:
    """Let the program run on; `number` replaces the signal that would be delivered (0: none)."""
    return (yield from Run(pt, book, the_inferior(book, pid), tid).cont(number))


def step_instruction(pt: Ptrace, book: Book, pid: int, tid: int, number: int | None = None) -> Plan[Report]:
    """Let one thread execute one instruction, through a waiter."""
    return (yield from Run(pt, book, the_inferior(book, pid), tid).step(number))


def finish_step(pt: Ptrace, book: Book, pid: int, tid: int) -> Plan[Report]:
    """End a step that an inline loop began and that has met with an event on its way."""
    return (yield from Run(pt, book, the_inferior(book, pid), tid).finish_step())


def run_to(pt: Ptrace, book: Book, pid: int, tid: int, targets: tuple[int, ...], above: int = 0) -> Plan[Report]:
    """Let the program run until thread `tid` reaches one of the addresses with a stack pointer above `above`."""
    return (yield from Run(pt, book, the_inferior(book, pid), tid, targets, above).cont(None))
