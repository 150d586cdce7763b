"""The canonical text of each kind of event: one pure function per kind, found by the event's type.

Any thread.  Screens, `expect` and the exports all use these words, so words may be appended to a line, never inserted or renamed.
No colours, times or columns, and nothing foreign that has not passed `visible` or `quoted`.
"""

from __future__ import annotations

import errno as _errno
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from tracedbg.model import events as ev
from tracedbg.model.callnames import si_code_text
from tracedbg.model.names import CLD_NAMES, EVENT_NAMES, errno_text, signal_name
from tracedbg.model.text import Shown, quoted, visible
from tracedbg.model.waitstatus import StatusKind, WaitStatus

from .lessonlines import LESSON_LINES

WAIT_CALLS: Final = ("wait4", "waitid", "waitpid")
"""The calls that may sleep: they have a line when they are entered, too."""

_PEEKS: Final = ("PTRACE_PEEKTEXT", "PTRACE_PEEKDATA", "PTRACE_PEEKUSER")
_LAST_CALLS: Final = ("exit", "exit_group")

_E = TypeVar("_E", bound=ev.Event)
_Line = Callable[[ev.Record, Any], Shown | None]
_LINES: dict[type[ev.Event], _Line] = {}
_CLD_EXITED, _CLD_TRAPPED, _CLD_STOPPED = 1, 4, 5


def line_of(record: ev.Record) -> Shown | None:
    """The canonical text of a record, None for a kind that has no line of its own.

    A call other than a wait has none when it is entered: its line says what it returned.
    """
    event = record.event
    if isinstance(event, ev.UnknownEvent):
        return visible(f"unknown event {event.raw.get('ev', '?')}")
    return _LINES[type(event)](record, event)


def remembering(most: int = 4096) -> Callable[[ev.Record], Shown | None]:
    """A `line_of` for many records: long runs are long because they repeat, and a text that was made once is found in a fifth of the time.

    Args:
        most: texts that are kept.
    """
    known: dict[tuple[ev.Event | ev.UnknownEvent, int], Shown | None] = {}

    def text(record: ev.Record) -> Shown | None:
        # A line tells of its event and of the task that it is about, and of nothing else in its record.
        key = record.event, record.tid
        try:
            return known[key]
        except KeyError:
            if len(known) >= most:
                known.clear()
            made = known[key] = line_of(record)
            return made
        except TypeError:  # it holds a dict
            return line_of(record)

    return text


def kinds() -> frozenset[type[ev.Event]]:
    """The kinds that have a function."""
    return frozenset(_LINES)


def call_text(name: str, args: Iterable[str | int]) -> Shown:
    """A call as it is written: ``ptrace(PTRACE_CONT, 4242, 0, 0)``."""
    return visible(f"{name}({', '.join(map(str, args))})")


def status_text(status: int) -> str:
    """A status word in words: ``stopped SIGTRAP``, ``exited 0``."""
    return WaitStatus(status).text()


def _kind(kind: type[_E]) -> Callable[[Callable[[_E], Shown | None]], Callable[[_E], Shown | None]]:
    """Enter a function whose line depends on the payload alone."""

    def enter(function: Callable[[_E], Shown | None]) -> Callable[[_E], Shown | None]:
        _LINES[kind] = lambda _record, event: function(event)
        return function

    return enter


def _kind_of_task(kind: type[_E]) -> Callable[[Callable[[ev.Record, _E], Shown]], Callable[[ev.Record, _E], Shown]]:
    """Enter a function whose line also names the task that the record is about."""

    def enter(function: Callable[[ev.Record, _E], Shown]) -> Callable[[ev.Record, _E], Shown]:
        _LINES[kind] = function
        return function

    return enter


# --- calls -------------------------------------------------------------------------------------------------------------------
@_kind(ev.CallEntered)
def _entered(event: ev.CallEntered) -> Shown | None:
    return Shown(f"waiting {call_text(event.name, event.args)}") if event.name in WAIT_CALLS else None


@_kind(ev.CallReturned)
def _returned(event: ev.CallReturned) -> Shown:
    # A fork is told as an act rather than as a call: libc's fork has no arguments and the kernel's clone has many.
    call = event.name if event.name == "fork" else call_text(event.name, event.args)
    return visible(f"{call} = {result_text(event)}")


def result_text(event: ev.CallReturned) -> str:
    """What a call answered: ``0``, ``4242 stopped SIGTRAP status 0x57f``, ``-1 ESRCH (No such process)``."""
    more = f" {event.note}" if event.note else ""
    if event.errno:
        number = getattr(_errno, event.errno, None)
        return f"-1 {event.errno}" + (f" ({errno_text(number)})" if isinstance(number, int) else "") + more
    if event.status is not None:
        return f"{event.ret} {status_text(event.status)} status {event.status:#x}{more}"
    if event.info is not None:
        return f"{event.ret} {_info(event.info)}{more}"
    if event.name == "waitid" and not more:
        return f"{event.ret} empty"  # it succeeded and stored zeros: there are children, and none has anything to tell (waitid(2))
    if event.name in _LAST_CALLS:
        return "?"  # it does not return; its thread was seen dead
    big = event.ret > 0xFFFFFFFF or (event.name == "ptrace" and any(each in _PEEKS for each in event.args[:1]))
    return (hex(event.ret & 0xFFFFFFFFFFFFFFFF) if big else str(event.ret)) + more


def _info(info: ev.ChildInfo) -> str:
    """What waitid stored.  A traced stop carries the event above the signal, as the status word of wait4 does (wait(2))."""
    if info.code == _CLD_EXITED:
        value = str(info.status)
    else:
        value = signal_name(info.status & 0x7F)
        if info.code in (_CLD_TRAPPED, _CLD_STOPPED):
            value += "|0x80" if info.status & 0x80 else ""
            event = info.status >> 8 & 0xFF
            value += " " + EVENT_NAMES.get(event, f"event {event}") if event else ""
    return f"{CLD_NAMES.get(info.code, info.code)} pid {info.pid} si_status {value}"


@_kind(ev.SignalTaken)
def _signal_taken(event: ev.SignalTaken) -> Shown:
    sender = f" from {event.sender}" if event.sender else ""
    return visible(f"signal {signal_name(event.signal)} {si_code_text(event.signal, event.code)}{sender}")


@_kind(ev.LoopBegan)
def _loop_began(event: ev.LoopBegan) -> Shown:
    return visible(f"loop {event.name} begins, its calls are counted")


@_kind(ev.LoopDone)
def _loop_done(event: ev.LoopDone) -> Shown:
    counts = ", ".join(f"{call} {count}" for call, count in event.counts.items())
    return visible(f"loop {event.name} done: {counts}")


@_kind(ev.RuleBroken)
def _rule_broken(event: ev.RuleBroken) -> Shown:
    return visible(f"breaks {event.rule} on purpose: {event.call}")


# --- threads of ours ---------------------------------------------------------------------------------------------------------
@_kind(ev.ThreadAsleep)
def _asleep(event: ev.ThreadAsleep) -> Shown:
    # A kernel that hides wait channels shows 0; the call is then what is known.
    return visible(f"asleep {event.call if event.wchan == '0' else event.wchan}")


@_kind(ev.ThreadWoken)
def _woken(event: ev.ThreadWoken) -> Shown:
    return Shown(f"woken {event.woken} in-vain {event.in_vain}")


@_kind(ev.LaneOpened)
def _lane_opened(event: ev.LaneOpened) -> Shown:
    return visible(f"lane opened: {event.role.value} of process {event.pid}")


@_kind(ev.LaneClosed)
def _lane_closed(_event: ev.LaneClosed) -> Shown:
    return Shown("lane closed")


@_kind(ev.PolicyChanged)
def _policy(event: ev.PolicyChanged) -> Shown:
    return visible(f"waiting is left to {event.who}: {event.why}")


@_kind(ev.RequestQueued)
def _queued(event: ev.RequestQueued) -> Shown:
    return visible(f"asks {event.to}: {event.text}")


@_kind(ev.RequestStarted)
def _started(event: ev.RequestStarted) -> Shown:
    return visible(f"takes up {event.text}")


@_kind(ev.RequestDone)
def _done(event: ev.RequestDone) -> Shown:
    return visible(f"done with {event.text}" + ("" if event.ok else ", failed"))


@_kind(ev.PlanWaits)
def _plan_waits(event: ev.PlanWaits) -> Shown:
    return visible(f"{event.plan} waits for {event.what}")


@_kind(ev.PlanWent)
def _plan_went(event: ev.PlanWent) -> Shown:
    return visible(f"{event.plan} goes on: {event.news}")


@_kind(ev.RequestHeld)
def _held(event: ev.RequestHeld) -> Shown:
    return visible(f"held before {event.call}" + (f" to {event.purpose}" if event.purpose else ""))


@_kind(ev.RequestFreed)
def _freed(event: ev.RequestFreed) -> Shown:
    return visible(f"goes on to {event.call}")


@_kind(ev.StatusReported)
def _status(event: ev.StatusReported) -> Shown:
    return visible(f"told {event.target} {status_text(event.status)} taken-by {event.taken_by}")


@_kind(ev.LateNews)
def _late(event: ev.LateNews) -> Shown:
    return visible(f"told late {event.target} {status_text(event.status)}, nobody is concerned")


# --- tracees -----------------------------------------------------------------------------------------------------------------
def _thread(record: ev.Record, pid: int) -> str:
    """Which thread, where it is not the leader: appended, so that patterns of one-threaded programs need no number."""
    return f" tid {record.tid}" if record.tid and pid and record.tid != pid else ""


def _stop_words(status: int, meaning: str) -> str:
    """The status in words without its verb, then the meaning unless it would repeat the words."""
    known = WaitStatus(status)
    words = known.text().removeprefix("stopped ") if known.kind is StatusKind.STOPPED else ""
    return " ".join(word for word in (words, "" if meaning == words else meaning) if word)


@_kind_of_task(ev.TraceeBorn)
def _born(record: ev.Record, event: ev.TraceeBorn) -> Shown:
    return visible(f"born {record.tid} {event.how}" + _thread(record, event.pid))


@_kind_of_task(ev.TraceeStopped)
def _stopped(record: ev.Record, event: ev.TraceeStopped) -> Shown:
    return visible(f"stopped {_stop_words(event.status, event.meaning)}" + _thread(record, event.pid))


@_kind_of_task(ev.TraceePaused)
def _paused(record: ev.Record, event: ev.TraceePaused) -> Shown:
    return visible(f"paused {_stop_words(event.status, event.meaning)}" + _thread(record, event.pid))


@_kind_of_task(ev.TraceeResumed)
def _resumed(record: ev.Record, event: ev.TraceeResumed) -> Shown:
    signal = f" with {signal_name(event.signal)}" if event.signal else ""
    return visible(f"running {event.how}{signal}" + _thread(record, event.pid))


@_kind_of_task(ev.TraceeGone)
def _gone(record: ev.Record, event: ev.TraceeGone) -> Shown:
    words = f"gone {event.why}" if event.status < 0 else status_text(event.status)
    return visible(words + _thread(record, event.pid))


@_kind_of_task(ev.ProgramStopped)
def _program_stopped(record: ev.Record, event: ev.ProgramStopped) -> Shown:
    return visible(f"all threads stopped: {event.meaning}" + _thread(record, event.pid))


@_kind(ev.ProgramOutput)
def _output(event: ev.ProgramOutput) -> Shown:
    return Shown(f"wrote {quoted(ev.unpack(event.data))}" + (" unfinished" if event.partial else ""))


@_kind(ev.ProgramInput)
def _input(event: ev.ProgramInput) -> Shown:
    return Shown(f"typed {quoted(ev.unpack(event.data))}")


@_kind(ev.SiteChanged)
def _site(event: ev.SiteChanged) -> Shown:
    return visible(f"{event.action} {event.address:#x}")


@_kind(ev.Looked)
def _looked(event: ev.Looked) -> Shown:
    return visible("look " + " ".join(f"{field} {value}" for field, value in event.fields))


# --- the kernel's own trace -----------------------------------------------------------------------------------------------------
@_kind(ev.KernelWoke)
def _woke(event: ev.KernelWoke) -> Shown:
    return visible(f"woke {event.who} in {event.by}")


@_kind(ev.KernelStack)
def _stack(event: ev.KernelStack) -> Shown:
    return visible(" ".join(("stack", *event.functions)))


@_kind(ev.KernelSignal)
def _signal(event: ev.KernelSignal) -> Shown:
    scope = "process" if event.process else "thread"
    named = f" named {event.name}" if event.name else ""
    return visible(f"signal {signal_name(event.signal)} to {event.to} {event.result} in {event.by} code {event.code} {scope}{named}")


@_kind(ev.KernelTold)
def _told(event: ev.KernelTold) -> Shown:
    return visible(" ".join((event.verb, *event.words)))


@_kind(ev.KernelLost)
def _lost(event: ev.KernelLost) -> Shown:
    many = f"{event.count} events" if event.count else "events"
    return visible(f"lost {many} of cpu {event.cpu}: the ring buffer was overrun before it was read")


# --- the session -------------------------------------------------------------------------------------------------------------
@_kind(ev.SessionStarted)
def _session_started(event: ev.SessionStarted) -> Shown:
    return visible(f"tracedbg {event.version}, kernel {event.kernel}, python {event.python}")


@_kind(ev.SessionEnded)
def _session_ended(event: ev.SessionEnded) -> Shown:
    return Shown("the session ended" + ("" if event.ok else " after a failure"))


@_kind(ev.Note)
def _note(event: ev.Note) -> Shown:
    return visible(f"note: {event.text}")


@_kind(ev.Warned)
def _warned(event: ev.Warned) -> Shown:
    return visible(f"warning: {event.text}")


@_kind(ev.LineEntered)
def _line(event: ev.LineEntered) -> Shown:
    return visible(f"line {event.text}")


@_kind(ev.CommandFinished)
def _answer(event: ev.CommandFinished) -> Shown:
    words = " / ".join(event.lines) if event.ok else event.error
    return visible(f"{'answer' if event.ok else 'error'} {words}".rstrip())


@_kind(ev.ExpectJudged)
def _judged(event: ev.ExpectJudged) -> Shown:
    verdict = f"met by {event.by}" if event.by else "met" if event.ok else "not met"
    return visible(f"expectation {event.pattern}: {verdict} after {event.waited_ms} ms")


for _of, _function in LESSON_LINES.items():
    _kind(_of)(_function)
