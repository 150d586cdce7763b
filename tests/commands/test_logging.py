"""The command `log`: what is shown, and pages of what was recorded."""

from __future__ import annotations

import pytest

from tests.commands.console import console
from tracedbg.model.errors import UserError
from tracedbg.model.events import CallReturned, Detail, Note, PolicyChanged, Record
from tracedbg.model.ids import Source


def _record(lane, event):
    return Record(1, 0, lane, 1, Source.USER, event)


def test_lanes_and_levels_choose_what_is_shown():
    call = CallReturned("ptrace", ("PTRACE_CONT", 1, 0, 0), 0)
    with console() as it:
        view = it.session.view
        it.do("thread w1")
        assert it.said("log on") == ["The live log shows all lanes, detail calls."]
        assert view.wants(_record("tracer", call))
        assert it.said("log w1 tracee") == ["The live log shows lanes tracee, w1, detail calls."]
        assert view.wants(_record("w1", call))
        assert not view.wants(_record("tracer", call))
        assert it.said("log all --detail news") == ["The live log shows all lanes, detail news."]
        assert not view.wants(_record("w1", call))
        assert view.wants(_record("w1", Note("x")))
        it.do("log off")
        assert not view.wants(_record("w1", Note("x")))
        it.do("log --detail desk tracer")
        assert view.wants(_record("tracer", PolicyChanged("waiters", "x")))


def test_desk_events_are_made_only_when_asked_for_and_calls_always():
    with console() as it:
        assert not it.session.log.wants(Detail.DESK)
        it.do("log --detail desk")
        assert it.session.log.wants(Detail.DESK)
        it.do("log --detail quiet")
        assert it.session.log.wants(Detail.CALLS)
        assert not it.session.log.wants(Detail.DESK)


def test_pages_of_the_past_say_how_we_know():
    with console() as it:
        log = it.session.log
        for number in range(30):
            log.publish(Note(f"number {number}"), lane="w1", source=Source.PROC if number % 2 else Source.USER)
        first = log.last - 29
        page = it.said("log last 2")
        assert [int(line.split()[0]) for line in page] == [first + 28, first + 29]
        assert page[0].endswith("w1  note: number 28")
        assert page[1].endswith("w1  [proc] note: number 29")
        assert it.said(f"log {first + 28}") == page
        assert len(it.said("log last")) == 20
        assert it.said(f"log {log.last + 5}") == ["nothing yet"]


def test_a_long_page_says_how_to_go_on():
    with console() as it:
        for number in range(700):
            it.session.log.publish(Note(f"number {number}"), lane="w1")
        page = it.said("log 1")
        assert len(page) == 501
        left, _, seq = page[-1].partition(" more: log ")
        assert int(left) >= 200
        assert len(it.said(f"log {seq}")) == int(left)
        assert it.said(f"log {seq}")[0].strip().startswith(seq)


@pytest.mark.parametrize("line", ["log nobody", "log --detail loud", "log last x", "log 1 2", "log w1 --detail"])
def test_bad_lines_are_refused(line):
    with console() as it, pytest.raises(UserError):
        it.do(line)
