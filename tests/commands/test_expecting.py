"""Expectations over the session's log: windows, order, captures, silence, and what a failure says."""

from __future__ import annotations

import pytest

from tests.commands.console import console, until
from tracedbg.commands.expecting import ExpectationFailed
from tracedbg.model.errors import BadSyntax, Failed, NotFound
from tracedbg.model.events import CallEntered, CallReturned, LineEntered, Note


def _call(it, lane, name="ptrace", args=("PTRACE_CONT", 4242, 0, 0), ret=0, errno="", of=0):
    return it.session.log.publish(CallReturned(name, args, ret, errno), lane=lane, tid=1, of=of)


def test_an_event_of_the_block_counts_even_if_it_came_before_the_line():
    with console() as it:
        it.session.begins("on")
        _call(it, "w1", ret=-1, errno="ESRCH")
        met = it.do("expect w1 ptrace = -1 ESRCH")
        assert met.lane == "w1"
        assert it.session.matched == {met.seq}


def test_a_new_block_begins_with_the_first_command_after_an_expectation():
    with console() as it:
        it.session.begins("on")
        _call(it, "w1")
        it.do("expect w1 ptrace = 0")
        _call(it, "w2")
        it.session.begins("on")
        with pytest.raises(Failed):
            it.do("expect w2 ptrace = 0 within 0.05s")
        _call(it, "w2")
        it.do("expect w2 ptrace = 0")


def test_each_event_meets_one_line():
    with console() as it:
        it.session.begins("on")
        _call(it, "w1")
        _call(it, "w1")
        it.do("expect w1 ptrace = 0")
        it.do("expect w1 ptrace = 0")
        with pytest.raises(ExpectationFailed) as found:
            it.do("expect w1 ptrace = 0 within 0.05s")
        assert any("(it has met another line)" in line for line in found.value.details)


def test_then_wants_the_later_event():
    with console() as it:
        it.session.begins("on")
        _call(it, "w1", ret=1)
        _call(it, "w1", ret=2)
        it.do("expect w1 ptrace = 2")
        with pytest.raises(Failed):
            it.do("then w1 ptrace = 1 within 0.05s")
        it.do("expect w1 ptrace = 1")


def test_what_follows_a_request_may_be_told_before_the_request_has_returned():
    with console() as it:
        it.session.begins("on")
        entered = it.session.log.publish(CallEntered("ptrace", ("PTRACE_CONT", 7, 0, 0)), lane="tracer", tid=1)
        _call(it, "w1", "wait4", (-1, "__WALL"), 7)
        _call(it, "tracer", args=("PTRACE_CONT", 7, 0, 0), of=entered)
        it.do("expect tracer ptrace = 0")
        it.do("then w1 wait4 = 7")


def test_captures_become_variables():
    with console() as it:
        it.session.begins("on")
        _call(it, "w2", "wait4", (-1, "__WALL"), 4243)
        said = it.said("expect <first:w1|w2> wait4 = <child:pid>")
        assert it.session.variables["first"] == "w2"
        assert it.session.variable("child") == "4243"
        assert said == ["met: w2  wait4(-1, __WALL) = 4243", "$first = w2", "$child = 4243"]
        _call(it, "w2", "kill", (4243, 0))
        it.do("expect $first kill $child")
        with pytest.raises(NotFound, match=r"\$nothing is not set"):
            it.do("expect w1 $nothing")


def test_silence_is_listened_for_after_the_last_match():
    with console() as it:
        it.session.begins("on")
        _call(it, "w1")
        it.do("expect w1 ptrace = 0")
        assert it.said("expect not w1 ptrace within 0.05s") == ["not seen in 0.1 s, as expected"]
        _call(it, "w1")
        with pytest.raises(ExpectationFailed, match="seen after"):
            it.do("expect not w1 ptrace within 0.05s")


def test_silence_after_a_request_is_not_broken_by_the_request_itself():
    """What follows a request follows its beginning, which is before its own line; that line has met its expectation already."""
    with console() as it:
        it.session.begins("on")
        entered = it.session.log.publish(CallEntered("ptrace", ("PTRACE_CONT", 7, 0, 0)), lane="w1", tid=1)
        _call(it, "w1", of=entered)
        it.do("expect w1 ptrace = 0")
        it.do("expect not w1 ptrace within 0.05s")
        entered = it.session.log.publish(CallEntered("ptrace", ("PTRACE_CONT", 7, 0, 0)), lane="w1", tid=1)
        _call(it, "w2", "wait4", (-1, "__WALL"), 7)
        _call(it, "w1", of=entered)
        it.do("expect w1 ptrace = 0")
        with pytest.raises(ExpectationFailed, match="seen after"):
            it.do("expect not w2 wait4 within 0.05s")


def test_a_line_waits_for_what_comes_later():
    with console() as it:
        line = it.later("expect w1 ptrace = 5")
        until(lambda: it.session.expecting, "it waits")
        _call(it, "w1", ret=5)
        assert line.result().seq


def test_neither_the_line_itself_nor_an_answer_is_an_event():
    with console() as it:
        it.session.begins("expect")
        it.session.log.publish(LineEntered("expect * wait4 = 7", "keyboard"))
        with pytest.raises(ExpectationFailed, match="nothing has happened"):
            it.do("expect * wait4 = 7 within 0.05s")


def test_a_failure_tells_the_closest_event_and_the_window():
    with console() as it:
        it.session.begins("on")
        _call(it, "w1", ret=-1, errno="ESRCH")
        it.session.log.publish(Note("something else"), lane="w2")
        with pytest.raises(ExpectationFailed) as found:
            it.do("expect w1 ptrace = -1 EPERM within 0.1s")
        assert [str(line) for line in found.value.details] == [
            "  waited 0.1 s; closest event: 4 of 5 words",
            "    w1  ptrace(PTRACE_CONT, 4242, 0, 0) = -1 ESRCH (No such process)",
            "  everything since the block began:",
            "    w1  ptrace(PTRACE_CONT, 4242, 0, 0) = -1 ESRCH (No such process)",
            "    w2  note: something else",
        ]
        assert "\n" not in str(found.value)


def test_an_interrupt_ends_the_wait():
    with console() as it:
        line = it.later("expect w1 never within 60s")
        until(lambda: it.session.expecting, "it waits")
        assert it.session.interrupt() == "the expectation was given up"
        with pytest.raises(Failed, match="given up"):
            line.result()
        _call(it, "w1")
        it.do("expect w1 ptrace = 0")


@pytest.mark.parametrize("line", ["expect w1", "expect not w1", "then <x> y", "expect w1 = /(/", "expect w1 x within soon"])
def test_bad_patterns_are_refused_at_once(line):
    with console() as it, pytest.raises(BadSyntax):
        it.do(line)
