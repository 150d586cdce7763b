"""What a status means, as a table; the lifecycle; plans without a kernel."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracedbg.model.errors import NotNow
from tracedbg.model.ids import Pid, Tid
from tracedbg.model.stops import (
    AnyStop,
    Born,
    BreakpointHit,
    ExecStop,
    ExitEvent,
    GroupStop,
    Interrupted,
    NewTask,
    OtherEvent,
    SignalDelivery,
    StepDone,
    SyscallStop,
    VforkDone,
)
from tracedbg.model.views import TraceeState
from tracedbg.model.waitstatus import WaitStatus, stopped
from tracedbg.tracer.classify import SI_KERNEL, SI_TKILL, SI_USER, TRAP_BRKPT, TRAP_TRACE, Facts, classify
from tracedbg.tracer.lifecycle import TABLE, Happening, after
from tracedbg.tracer.plans import Await, News, Plan, PlanRun
from tracedbg.tracer.reply import Reply

TRAP, STOP, USR1 = int(signal.SIGTRAP), int(signal.SIGSTOP), int(signal.SIGUSR1)
US = os.getpid()


@pytest.mark.parametrize(
    ("word", "facts", "meaning"),
    [
        (0x1057F, Facts(message=77), NewTask("fork", 77)),
        (0x2057F, Facts(message=77), NewTask("vfork", 77)),
        (0x3057F, Facts(message=77), NewTask("clone", 77)),
        (0x4057F, Facts(message=70), ExecStop(70)),
        (0x5057F, Facts(), VforkDone()),
        (0x6057F, Facts(message=0x700), ExitEvent(0x700)),
        (0x7057F, Facts(), OtherEvent(7)),
        (0x857F, Facts(), SyscallStop()),
        (0x80057F, Facts(), Interrupted()),
        (0x80057F, Facts(newborn=True), Born()),
        (0x80137F, Facts(), GroupStop(STOP)),
        (0x137F, Facts(info=None), GroupStop(STOP)),  # GETSIGINFO said EINVAL
        (0x137F, Facts(info=(STOP, SI_USER, 0, 0), newborn=True), Born()),
        (0x137F, Facts(info=(STOP, SI_TKILL, US, US), ours=True), Interrupted()),
        (0x137F, Facts(info=(STOP, SI_TKILL, US, US)), Interrupted()),  # a late one of ours is still ours
        (0x137F, Facts(info=(STOP, SI_KERNEL, 0, 0), ours=True), Interrupted()),  # PTRACE_ATTACH sent it
        (0x137F, Facts(info=(STOP, SI_USER, 1, 1), ours=True), SignalDelivery(STOP, SI_USER, sender=1)),  # somebody else's kill
        (0x057F, Facts(info=(TRAP, SI_USER, 0, 0), exec_due=True), ExecStop()),
        (0x057F, Facts(info=(TRAP, TRAP_TRACE, 0, 0), stepping=True), StepDone()),
        (0x057F, Facts(info=(TRAP, TRAP_BRKPT, 0, 0), stepping=True), StepDone()),  # a step over a system call
        (0x057F, Facts(info=(TRAP, SI_KERNEL, 0, 0), site=0x1000), BreakpointHit(0x1000)),
        (0x057F, Facts(info=(TRAP, SI_KERNEL, 0, 0), site=0x1000, stepping=True), BreakpointHit(0x1000)),
        (0x057F, Facts(info=(TRAP, TRAP_BRKPT, 0, 0), site=0x1000, stepping=True), StepDone()),
        (0x057F, Facts(info=(TRAP, SI_KERNEL, 0, 0)), SignalDelivery(TRAP, SI_KERNEL)),  # the program's own int3
        (0x0A7F, Facts(info=(USR1, SI_USER, 42, 42)), SignalDelivery(USR1, SI_USER, sender=42)),
        (0x0B7F, Facts(info=(11, 1, 0, 0x10)), SignalDelivery(11, 1, address=0x10)),
    ],
)
def test_the_meaning_of_a_stop(word: int, facts: Facts, meaning: AnyStop) -> None:
    assert classify(WaitStatus(word), facts) == meaning


def test_the_lifecycle_answers_every_question_and_death_is_final() -> None:
    assert set(TABLE) == {(state, happening) for state in TraceeState for happening in Happening}
    for happening in Happening:
        assert after(TraceeState.DEAD, happening) is TraceeState.DEAD
    for state in TraceeState:
        assert after(state, Happening.END) is TraceeState.DEAD
        assert after(state, Happening.REPLACED) is TraceeState.DEAD
    assert after(TraceeState.STOPPED, Happening.RESUME) is TraceeState.RUNNING
    assert after(TraceeState.ZOMBIE, Happening.RESUME) is TraceeState.ZOMBIE


@given(st.lists(st.sampled_from(Happening)))
def test_any_history_ends_where_the_last_happenings_say(history: list[Happening]) -> None:
    state = TraceeState.RUNNING
    for happening in history:
        state = after(state, happening)
    ended = any(happening in (Happening.END, Happening.REPLACED) for happening in history)
    assert (state is TraceeState.DEAD) == ended
    if not ended and history and history[-1] is Happening.STOP:
        assert state is TraceeState.STOPPED


def _news(tid: int) -> News:
    return News(Tid(tid), stopped(TRAP), StepDone())


def _run(plan: Plan[object]) -> PlanRun:
    return PlanRun(Pid(1), plan, Reply(), "test")


def test_a_plan_gets_the_news_it_waits_for_and_the_rest_later() -> None:
    heard: list[int] = []

    def plan() -> Plan[str]:
        for wanted in (Await(Tid(2)), Await(), Await()):
            news = yield wanted
            assert news is not None
            heard.append(news.tid)
        return "done"

    run = _run(plan())
    assert not run.begin()
    assert not run.tell(_news(1))  # kept: the plan waits for 2
    assert heard == []
    assert not run.tell(_news(2))
    assert heard == [2, 1]
    assert run.tell(_news(3))
    assert (heard, run.outcome) == ([2, 1, 3], ("done", None))


def test_a_plan_that_fails_tells_its_asker() -> None:
    def plan() -> Plan[None]:
        yield Await()
        raise NotNow("too late")

    run = _run(plan())
    run.begin()
    assert run.tell(_news(1))
    assert isinstance(run.outcome[1], NotNow)


def test_a_cancelled_plan_puts_things_in_order() -> None:
    order: list[str] = []

    def plan() -> Plan[None]:
        try:
            yield Await()
        finally:
            order.append("planted again")

    run = _run(plan())
    run.begin()
    run.cancel(NotNow("the session ends"))
    assert order == ["planted again"]
    assert isinstance(run.outcome[1], NotNow)


def test_a_deadline_comes_as_no_news() -> None:
    def plan() -> Plan[str]:
        news = yield Await(timeout=5)
        return "nothing" if news is None else "something"

    run = _run(plan())
    run.begin()
    assert not run.expire(run.deadline - 0.001)
    assert run.expire(run.deadline + 0.001)
    assert run.outcome == ("nothing", None)


def test_a_reply_is_given_once_and_waited_for() -> None:
    reply: Reply[int] = Reply()
    with pytest.raises(TimeoutError):
        reply.result(0.01)
    reply.set(3)
    reply.fail(NotNow("too late to change it"))
    assert reply.finished
    assert not reply.failed
    assert reply.result() == 3
