"""Everything that can happen, as immutable values.

Pure values, any thread.  A payload says what happened; the `Record` around it says when, where and how we know.  Each class is one
kind on disk (its tag) and one line on the screen (`render.lines`).  Writers never change a field's meaning, they add fields.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from .eventbase import Base64, Detail, Event, pack, unpack
from .ids import Role, Source
from .kernelevents import KernelLost, KernelSignal, KernelStack, KernelTold, KernelWoke
from .lessonevents import (
    BlockLeftOut,
    ChoiceOffered,
    PredictionAnswered,
    PredictionAsked,
    PredictionRevealed,
    StepReached,
    TextTold,
)
from .planevents import PlanWaits, PlanWent, RequestFreed, RequestHeld
from .stateevents import StateKept

# Made next door, known here; the rest by its names.
__all__ = [
    "Base64", "BlockLeftOut", "ChoiceOffered", "Detail", "Event", "KernelLost", "KernelSignal", "KernelStack", "KernelTold", "KernelWoke",
    "PlanWaits", "PlanWent", "PredictionAnswered", "PredictionAsked", "PredictionRevealed", "RequestFreed", "RequestHeld", "StateKept",
    "StepReached", "TextTold", "pack", "unpack",
]  # fmt: skip


# --- session -----------------------------------------------------------------------------------------------------------------
class SessionStarted(Event, frozen=True, tag="session.start"):
    """First event of a log."""

    version: str
    kernel: str
    python: str
    detail: ClassVar[Detail] = Detail.DESK


class SessionEnded(Event, frozen=True, tag="end"):
    """Last event of a log that was not cut off."""

    ok: bool
    detail: ClassVar[Detail] = Detail.DESK


class RecordingFull(Event, frozen=True, tag="limit"):
    """Last event of a recording that has become as large as it may be."""

    text: str
    detail: ClassVar[Detail] = Detail.DESK


class Note(Event, frozen=True, tag="note"):
    """Something a reader should know; not an error."""

    text: str


class Warned(Event, frozen=True, tag="warn"):
    """Something went another way than was asked for, and what was done instead."""

    text: str
    detail: ClassVar[Detail] = Detail.QUIET


# --- lanes -------------------------------------------------------------------------------------------------------------------
class LaneOpened(Event, frozen=True, tag="lane.open"):
    """A thread of ours, or a tracee, is there from now on."""

    label: str
    role: Role
    pid: int
    detail: ClassVar[Detail] = Detail.DESK


class LaneClosed(Event, frozen=True, tag="lane.close"):
    """It is gone."""

    label: str
    detail: ClassVar[Detail] = Detail.DESK


class ThreadAsleep(Event, frozen=True, tag="asleep"):
    """Seen asleep in a call (`Record.of` is the call's `CallEntered`)."""

    call: str
    wchan: str
    evidence: str
    detail: ClassVar[Detail] = Detail.CALLS


class ThreadWoken(Event, frozen=True, tag="awake"):
    """Wake-ups since it fell asleep and how many of them found nothing, from its context-switch counters."""

    woken: int
    in_vain: int
    detail: ClassVar[Detail] = Detail.CALLS


class PolicyChanged(Event, frozen=True, tag="policy"):
    """Who waits from now on: the waiters, the tracer thread inline, or nobody."""

    who: str
    why: str
    detail: ClassVar[Detail] = Detail.DESK


# --- language ----------------------------------------------------------------------------------------------------------------
class LineEntered(Event, frozen=True, tag="line"):
    """A line was accepted; origin is ``keyboard``, ``script`` or ``walkthrough``."""

    text: str
    origin: str
    detail: ClassVar[Detail] = Detail.QUIET


class CommandFinished(Event, frozen=True, tag="answer"):
    """Its answer, as lines that passed `visible`."""

    ok: bool
    lines: tuple[str, ...] = ()
    error: str = ""
    detail: ClassVar[Detail] = Detail.QUIET


class ExpectJudged(Event, frozen=True, tag="expect"):
    """An expectation was met by record `by`, or not (`by` 0)."""

    pattern: str
    ok: bool
    by: int = 0
    waited_ms: int = 0
    detail: ClassVar[Detail] = Detail.DESK


# --- desks -------------------------------------------------------------------------------------------------------------------
class RequestQueued(Event, frozen=True, tag="cmd.queue"):
    """An op was put on another thread's desk; `about` says in a sentence what it does."""

    to: str
    text: str
    about: str = ""
    detail: ClassVar[Detail] = Detail.DESK


class RequestStarted(Event, frozen=True, tag="cmd.take"):
    """It was taken from the desk (`Record.of`)."""

    text: str
    detail: ClassVar[Detail] = Detail.DESK


class RequestDone(Event, frozen=True, tag="cmd.done"):
    """It ended."""

    text: str
    ok: bool
    detail: ClassVar[Detail] = Detail.DESK


# --- calls -------------------------------------------------------------------------------------------------------------------
class CallEntered(Event, frozen=True, tag="sys.enter"):
    """A system call was about to be made by this thread; `purpose` is what for, as "to ..." goes on."""

    name: str
    args: tuple[str | int, ...]
    purpose: str = ""
    detail: ClassVar[Detail] = Detail.CALLS


class ChildInfo(msgspec.Struct, frozen=True):
    """What waitid stored: ``si_code``, ``si_pid``, ``si_status``."""

    code: int
    pid: int
    status: int


class CallReturned(Event, frozen=True, tag="sys.exit"):
    """Its end (`Record.of` is its `CallEntered`): `note` says what it stored, `facts` what /proc showed right after a failure."""

    name: str
    args: tuple[str | int, ...]
    ret: int
    errno: str = ""
    status: int | None = None
    info: ChildInfo | None = None
    note: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    detail: ClassVar[Detail] = Detail.CALLS


class SignalTaken(Event, frozen=True, tag="signal"):
    """A handler of a puppet has run: the signal, the ``si_code`` of its siginfo, and who sent it (0 where nobody did)."""

    signal: int
    code: int
    sender: int = 0
    detail: ClassVar[Detail] = Detail.CALLS


class LoopBegan(Event, frozen=True, tag="loop.begin"):
    """From here to `LoopDone` this thread's calls are counted, not spelled out."""

    name: str
    detail: ClassVar[Detail] = Detail.CALLS


class LoopDone(Event, frozen=True, tag="loop.done"):
    """How many calls of each kind the loop made."""

    name: str
    counts: dict[str, int]
    detail: ClassVar[Detail] = Detail.CALLS


class RuleBroken(Event, frozen=True, tag="rule.broken"):
    """A call that breaks a law on purpose is about to be made, through the lab's one door."""

    rule: str
    call: str
    detail: ClassVar[Detail] = Detail.DESK


class Looked(Event, frozen=True, tag="look"):
    """Facts read in /proc (or registers) about one actor."""

    who: str
    fields: tuple[tuple[str, str], ...]
    detail: ClassVar[Detail] = Detail.QUIET


# --- tracees -----------------------------------------------------------------------------------------------------------------
class StatusReported(Event, frozen=True, tag="status"):
    """Whoever took a status handed it to the tracer."""

    target: int
    status: int
    taken_by: str
    detail: ClassVar[Detail] = Detail.CALLS


class TraceeBorn(Event, frozen=True, tag="tracee.born"):
    """A task is traced from now on: ``launched``, ``attached``, ``clone``, ``fork``, ``vfork``."""

    pid: int
    how: str


class TraceeStopped(Event, frozen=True, tag="tracee.stopped"):
    """A tracee stopped, and what that means."""

    status: int
    meaning: str
    pid: int


class TraceePaused(Event, frozen=True, tag="tracee.paused"):
    """A tracee stopped for the tracer's own work: a step over a breakpoint, the all-stop."""

    status: int
    meaning: str
    pid: int
    detail: ClassVar[Detail] = Detail.DESK


class TraceeResumed(Event, frozen=True, tag="tracee.running"):
    """A tracee runs again."""

    how: str
    signal: int = 0
    pid: int = 0


class TraceeGone(Event, frozen=True, tag="tracee.gone"):
    """A tracee is dead, detached or replaced: `status` is -1 where no status word told it."""

    status: int
    why: str
    pid: int


class LateNews(Event, frozen=True, tag="late"):
    """A status of a task that is already known to be dead; dropped."""

    target: int
    status: int
    detail: ClassVar[Detail] = Detail.DESK


class ProgramStopped(Event, frozen=True, tag="program.stopped"):
    """A run is over: all threads are stopped, or the program has ended; `Record.tid` is the one it is about."""

    meaning: str
    pid: int
    detail: ClassVar[Detail] = Detail.QUIET


class ProgramOutput(Event, frozen=True, tag="out"):
    """The program wrote to its terminal; `partial` when no newline has come yet."""

    data: str | Base64
    partial: bool = False
    detail: ClassVar[Detail] = Detail.QUIET


class ProgramInput(Event, frozen=True, tag="in"):
    """Bytes were typed into the program's terminal."""

    data: str | Base64


# --- breakpoints -------------------------------------------------------------------------------------------------------------
class SiteChanged(Event, frozen=True, tag="site"):
    """A breakpoint byte was planted in or lifted from the program's memory."""

    action: str
    address: int
    detail: ClassVar[Detail] = Detail.CALLS


class UnknownEvent(msgspec.Struct, frozen=True, gc=False):
    """A kind that this version does not know; passed through unchanged."""

    raw: dict[str, object]
    detail: ClassVar[Detail] = Detail.QUIET


EVENT_TYPES: tuple[type[Event], ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, type) and issubclass(value, Event) and value is not Event
)
"""Every kind, in the order of this page."""

EVENTS_BY_TAG: dict[str, type[Event]] = {str(kind.__struct_config__.tag): kind for kind in EVENT_TYPES}


class Record(msgspec.Struct, frozen=True, gc=False):
    """An event in its place.

    Args:
        seq: order in this log, from 1 on.
        t: nanoseconds of the monotonic clock since the log began.
        lane: name of the thread or tracee it belongs to.
        tid: that task's number, 0 if unknown.
        source: how we know.
        event: the payload.
        of: the `seq` that this event completes or belongs to, 0 if none.
    """

    seq: int
    t: int
    lane: str
    tid: int
    source: Source
    event: Event | UnknownEvent
    of: int = 0
