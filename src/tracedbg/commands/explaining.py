"""The commands `explain` and `go`: run a command and show the tree of requests, waits and stops that it became.

Handlers run on the command thread; they print nothing.  The tree is made from the log alone (`render.tree`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import msgspec

from tracedbg.eventlog.sinks import CallbackSink
from tracedbg.lab.calls import ptrace_call
from tracedbg.lang.params import Actor, CommandLine, Count
from tracedbg.lang.table import CommandTable
from tracedbg.model import events as ev
from tracedbg.model.errors import BadArgument, NotNow, TracedbgError
from tracedbg.model.events import Detail
from tracedbg.model.text import Shown
from tracedbg.render.lines import line_of
from tracedbg.render.tree import Node, tree_of
from tracedbg.render.treelines import tree_lines, wrapped
from tracedbg.session.bystep import LANE, ByStep
from tracedbg.session.session import Runnable, Session
from tracedbg.session.shelf import lessons_on
from tracedbg.tracer.gate import Held

from .answers import Answer
from .benching import CallAnswers, told
from .waiting import info_waitqueue

table = CommandTable("explaining", "Explaining: what a command is to the kernel")

_NOT_BY_STEP = ("fg", "quit", "go", "go on")
"""Commands that take the prompt away, at which the pauses are answered."""
_CAME = (ev.CallReturned, ev.TraceePaused, ev.TraceeStopped, ev.TraceeGone, ev.TraceeBorn, ev.SiteChanged, ev.PlanWaits, ev.LoopDone)
_MOST_CAME = 5
_NOT_EXPLAINED = ("explain", "lesson", "lesson next", "lesson guess", "lesson again")
"""Commands whose requests are those of other commands."""
_WIDTH = 80
"""Columns of a tree that goes with an error, which knows no screen."""


class Explained(msgspec.Struct, frozen=True):
    """A command's answer, and what it took.

    Args:
        answer: the command's own; None if it has none.
        tree: what happened.
    """

    answer: Answer | None
    tree: Node

    def lines(self, width: int) -> list[Shown]:
        """The answer, a blank line, and the tree."""
        own = self.answer.lines(width) if self.answer is not None else []
        return [*own, *([Shown("")] if own else []), *tree_lines(self.tree, width, lessons_on)]


class Pause(msgspec.Struct, frozen=True):
    """Where the tracer is held.

    Args:
        held: before what.
        doing: the op or plan that makes the request, or whose news it is about.
        tracer: the tracer thread's number.
        came: what has come since the last pause, newest last; `more` older ones are left out.
        asleep: who is in a wait call, and in which.
    """

    held: Held
    doing: str
    tracer: int
    came: tuple[str, ...]
    more: int
    asleep: tuple[str, ...]

    def lines(self, width: int) -> list[Shown]:
        """What has come, who sleeps, what it is about to do, and how to go on."""
        came = [f"... {self.more} more", *self.came] if self.more else list(self.came)
        out: list[Shown] = []

        def tell(head: str, texts: Sequence[str]) -> None:
            for at, text in enumerate(texts):
                out.extend(wrapped(text, max(40, width), f"{head if not at else '':<11}", " " * 13))

        tell("just came", came or ["nothing yet"])
        tell("asleep", self.asleep or ["nobody is in a wait call"])
        give = "" if self.held.numbers == (0, 0, 0, 0) else "on w1 tries it on w1, "
        tell(
            f"pause {self.held.number}",
            [
                f"tracer (tid {self.tracer}) will make {self.held.call}",
                f"for {self.doing}: to {self.held.purpose}",
                f"go or Enter makes it, {give}go --end pauses no more",
            ],
        )
        return out


@table.add("explain")
def explain(
    session: Session, line: Annotated[CommandLine, "what to run"], *, step: Annotated[bool, "pause before each request"] = False
) -> Explained | Pause:
    """Run a command and show the tree of requests, waits and stops that it became.

    Each line of the tree is one thing that happened: how long it lasted, which thread did it, what it was, and what for. What a waiter
    took stands above what the tracer did about it. Repeats are counted, and so are the calls of a loop that waits inline. The
    numbers in brackets are rules of the kernel; the list at the end says which lesson shows each.

    With `--step` the tracer thread is held before each request: the answer says what it is about to do, what has just come and who sleeps
    in a wait call. The prompt is yours meanwhile, for whatever only looks (`info registers`, `info waitqueue`, `look`) and for other
    threads: `on w1` gives the request to w1 first, whose answer is the kernel's. `go`, or Enter alone, lets it be made; `go 5` passes
    four more, `go --end` all; Ctrl-C also interrupts the program. In a script the lines that follow are those of the pause.

    In the kernel: nothing but what the command does by itself; the tree is read from the log.

    Example: explain continue
    """
    if session.by_step is not None:
        raise NotNow(f"'{session.by_step.line}' is being explained", "go lets it go on, go --end to its end")
    call = prepared(session, line)
    if step:
        return _begin(session, call, line)
    lane, before = session.log.here().name, session.log.last
    with _all_details(session):
        try:
            answer = call.run(session)
        except TracedbgError as error:
            _add_tree(error, tree_of(session.log.since(before), line, lane))
            raise
    return Explained(answer, tree_of(session.log.since(before), line, lane))  # type: ignore[arg-type]  # what every handler returns


def _add_tree(error: BaseException, tree: Node) -> None:
    """Have the tree of a command that has failed shown before its error."""
    setattr(error, "details", tuple(tree_lines(tree, _WIDTH, lessons_on)))  # noqa: B010  # the lines that go with an error, if it has any


def prepared(session: Session, line: str) -> Runnable:
    """The call that a line asks for.

    Raises:
        UserError: the line is wrong, or is no command that has anything to explain.
        NotNow: nobody runs lines in this session.
    """
    if session.prepare is None:
        raise NotNow("nothing runs lines in this session", "use the prompt, or a script")
    call = session.prepare(line)
    if call is None:
        raise BadArgument("there is nothing to explain", "name a command: explain continue")
    if call.name in _NOT_EXPLAINED:
        raise BadArgument(f"'{call.name}' runs other commands, which can be explained", "explain one of those")
    return call


@contextmanager
def _all_details(session: Session) -> Iterator[None]:
    """Have the log made in full while the block runs, whatever is shown of it."""
    sink = CallbackSink(lambda _record: None, Detail.DESK)
    session.log.attach(sink)
    try:
        yield
    finally:
        session.log.detach(sink)


# --- request by request -------------------------------------------------------------------------------------------------------
def _begin(session: Session, call: Runnable, line: str) -> Explained | Pause:
    """Start a command by steps; up to its first pause, or its end."""
    if call.name in _NOT_BY_STEP:
        raise BadArgument(f"'{call.name}' takes the prompt away, at which pauses are answered", "explain it without --step")
    session.by_step = ByStep(session.log, session.tracer.gate, line, lambda: call.run(session))
    return _told(session, session.by_step, session.by_step.begin())


def _told(session: Session, by_step: ByStep, held: Held | None) -> Explained | Pause:
    """The pause; or the answer and the tree of a command that is over.

    Raises:
        BaseException: what the command raised.
    """
    if held is not None:
        came = [(record, line_of(record)) for record in session.log.since(by_step.seen) if isinstance(record.event, _CAME)]
        lines = [f"{record.lane}: {text}" for record, text in came if text is not None]
        queue = info_waitqueue(session)
        asleep = tuple(f"{each.name} in {each.call or 'a wait call, not seen asleep yet'}" for each in queue.sleepers)
        more = max(0, len(lines) - _MOST_CAME)
        doing = _doing(session.log.since(by_step.before)) or by_step.line
        return Pause(held, doing, session.tracer.tid, tuple(lines[more:]), more, asleep)
    session.by_step = None
    tree = tree_of(session.log.since(by_step.before), by_step.line, LANE)
    if by_step.error is not None:
        _add_tree(by_step.error, tree)
        raise by_step.error
    return Explained(by_step.value, tree)  # type: ignore[arg-type]  # what every handler returns


def _doing(records: Sequence[ev.Record]) -> str:
    """What the tracer was at when it was held: the op, the plan, or the status that it takes in."""
    name, held = "", False
    for record in records:
        event = record.event
        if isinstance(event, (ev.RequestHeld, ev.RequestFreed)):
            held = isinstance(event, ev.RequestHeld)  # what is done while it is held is done for somebody else
        elif held:
            continue
        elif isinstance(event, ev.RequestStarted):
            name = event.text
        elif isinstance(event, ev.PlanWent):
            name = event.plan
        elif isinstance(event, ev.StatusReported):
            name = f"the news of {event.target}"
    return name


def _paused(session: Session) -> bool:
    return session.by_step is not None


def _stepping(session: Session) -> ByStep:
    if session.by_step is None:
        raise NotNow("no command is held", "explain --step COMMAND holds it before each request")
    return session.by_step


@table.add("go", enabled=_paused)
def go(
    session: Session,
    count: Annotated[Count, "pass this many requests"] = 1,
    *,
    end: Annotated[bool, "pause no more"] = False,
) -> Explained | Pause:
    """Let the request be made before which `explain --step` holds the tracer, and go on to the next.

    Enter alone does the same. When the command is over, its answer and its tree are shown.

    In the kernel: the request that was announced, and the ones after it.

    Example: go 3
    """
    by_step = _stepping(session)
    if end:
        by_step.end()
        return _told(session, by_step, None)
    return _told(session, by_step, by_step.go(count))


@table.add("go on", enabled=_paused)
def go_on(session: Session, name: Annotated[Actor, "a thread of the bench or a puppet"]) -> CallAnswers:
    """Give the request before which the tracer is held to another thread first; the tracer stays held.

    `on NAME` alone does the same at a pause.

    In the kernel: ptrace compares the tracee's tracer with the thread that asks, not with its process (`ptrace_check_attach`), so
    that it answers ESRCH; an attach has no tracer yet to compare with, and is really done.

    Example: go on w1
    """
    held = _stepping(session).held
    if held is None:
        raise NotNow("the tracer is not held", "go shows how the command has ended")
    if held.numbers == (0, 0, 0, 0):
        raise NotNow("a loop makes many requests", "go lets it begin; before a single request one can be given away")
    if name == "tracer":
        raise BadArgument("the tracer is about to make it anyway", "go lets it")
    request, tid, addr, data = held.numbers
    call = ptrace_call(request, tid, addr, 0 if ", &" in held.call else data)
    answers = session.actors.call((name,), call, held.call, background=False)
    return CallAnswers(tuple(told(session, each, event) for each, event in answers))
