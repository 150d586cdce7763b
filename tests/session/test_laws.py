"""The check of the laws over a log can fail: real logs, each with one thing wrong."""

from __future__ import annotations

import msgspec

from tests.session.driver import Driver, broken_laws, exit_code, tracers, worker
from tracedbg.model.events import CallEntered, CallReturned, Record, StatusReported


def _log(debugger: Driver) -> list[Record]:
    debugger.file(worker())
    debugger.break_("marked")
    debugger.run("calls", "2")
    debugger.stepi(50)
    debugger.delete(1)
    assert exit_code(debugger.cont()) == 0
    records = debugger.log.since(0)
    assert broken_laws(records) == []
    return records


def test_a_status_that_was_kept_or_made_up_or_told_twice(debugger: Driver) -> None:
    records = _log(debugger)
    told = [record for record in records if isinstance(record.event, StatusReported) and record.of]
    assert len(told) >= 3
    one = told[1]
    assert isinstance(one.event, StatusReported)
    assert any("never reported" in line for line in broken_laws([record for record in records if record is not one]))
    assert any("twice" in line for line in broken_laws([*records, one]))
    made_up = msgspec.structs.replace(one, of=0, seq=records[-1].seq + 1)
    assert any("no call took" in line for line in broken_laws([*records, made_up]))
    wrong = msgspec.structs.replace(one, event=StatusReported(one.event.target, 0x1337, "waiter"))
    assert any("taken was" in line for line in broken_laws([wrong if record is one else record for record in records]))


def test_a_request_of_another_thread(debugger: Driver) -> None:
    records = _log(debugger)
    one = next(record for record in records if isinstance(record.event, CallEntered) and record.event.name == "ptrace")
    other = msgspec.structs.replace(one, tid=one.tid + 1)
    assert any("by the threads" in line for line in broken_laws([*records, other]))


def test_the_tracer_is_the_thread_that_proc_names(debugger: Driver) -> None:
    debugger.file(worker())
    pid = debugger.run("calls", "1", until="main").report.pid
    calls = [record for record in debugger.log.since(0) if isinstance(record.event, CallReturned)]
    requests = {record.tid for record in calls if isinstance(record.event, CallReturned) and record.event.name == "ptrace"}
    takers = {record.tid for record in calls if isinstance(record.event, CallReturned) and record.event.name == "wait4"}
    assert tracers(pid) == requests == {debugger.session.tracer.tid}
    assert takers
    assert not takers & requests
