"""`record`: a session is kept from any moment on, with what could be looked at at each stop, and is not changed by that."""

from __future__ import annotations

import os

import pytest

from tests.programs import build
from tracedbg.commands.runner import Runner
from tracedbg.commands.table import all_commands
from tracedbg.eventlog import writing
from tracedbg.eventlog.recordings import Recording, load
from tracedbg.model.errors import TracedbgError
from tracedbg.model.events import CallEntered, CallReturned, LaneOpened, LineEntered, StateKept, TraceeBorn, TraceeStopped, Warned
from tracedbg.model.ids import Source
from tracedbg.render.lines import line_of
from tracedbg.session.recorder import Wanted
from tracedbg.session.session import Session

pytestmark = [pytest.mark.needs("ptrace"), pytest.mark.slow]


class Typed:
    """A session in which lines are typed as at a prompt."""

    def __init__(self, session: Session) -> None:
        session.view.on = False
        self.session = session
        self._runner = Runner(session, all_commands(), lambda: 100)

    def do(self, *lines: str) -> list[str]:
        """Run them; what the last one answered."""
        for line in lines:
            if not self._runner.run_line(line, "script"):
                assert self.session.last_error is not None
                raise self.session.last_error[1]
        answer = self._runner.answer
        return [] if answer is None else [str(line) for line in answer.lines(100)]


def states(recording: Recording) -> list[StateKept]:
    return [record.event for record in recording.records if isinstance(record.event, StateKept)]


def requests(session: Session) -> list[str]:
    return [str(record.event.args[0]) for record in session.log.since(0)
            if isinstance(record.event, CallEntered) and record.event.name == "ptrace"]  # fmt: skip


@pytest.mark.needs("cc", "drgn")
def test_each_stop_keeps_what_could_be_looked_at_and_nothing_is_asked_for_it(tmp_path):
    program = str(build("fact"))
    lines = ["break fact", "run", "stepi", "stepi 50", "next 2", "delete", "continue"]
    made: list[list[str]] = []
    for path in ("", str(tmp_path / "r.jsonl")):
        with Session() as session:
            typed = Typed(session)
            if path:
                session.recorder.start(Wanted(path, {"title": "One"}))
            typed.do(f"file {program}")
            answers: list[list[str]] = []
            for line in lines:
                typed.do(line)
                if session.program.alive and line != "delete":
                    answers.append([*typed.do("bt"), *(line.split()[1] for line in typed.do("info registers rip rsp"))])
            made.append(requests(session))
    assert made[0] == made[1]
    found = load(path)
    assert (found.note, found.title) == ("", "One")
    kept = states(found)
    assert len(kept) == len(answers) == 4
    by_seq = {record.seq: record for record in found.records}
    for record in found.records:
        if isinstance(record.event, StateKept):
            assert type(by_seq[record.of].event).__name__ in ("ProgramStopped", "LoopDone", "TraceeStopped")
    for state, answer in zip(kept, answers, strict=True):
        registers = dict(state.registers)
        assert list(state.frames) == answer[:-2]
        assert [registers["rip"], registers["rsp"]] == answer[-2:]
        assert state.where.startswith("fact (n=")
        assert dict(state.source)[state.line]
        assert len(state.source) <= 11
        assert state.threads[1].startswith("* 1 ")
        assert str(state.pid) in state.threads[1]


def test_a_recording_that_begins_in_the_middle_can_be_read_by_itself(tmp_path):
    program, path = str(build("hello")), str(tmp_path / "m.jsonl")
    with Session() as session:
        typed = Typed(session)
        typed.do("thread w1", "thread w2", f"launch {program}", "on w1 wait4 $tracee __WALL", "on w2 wait4 -1 __WALL &")
        typed.do("expect w2 asleep")
        told = typed.do(f"record start {path}")
        assert told == [f"Recording to {path}; record stop ends it, record says what is stored."]
        with pytest.raises(TracedbgError, match="is being recorded"):
            typed.do(f"record start {path}2")
        typed.do("thread w3", "on tracer ptrace PTRACE_CONT $tracee", "expect w2 wait4 = $tracee exited")
        told = typed.do("record")
        assert told[0].startswith(f"Recording to {path}: ")
        assert any("environment" in line for line in told)
        assert typed.do("record stop")[0].startswith(f"The recording {path} is complete: ")
        typed.do("thread w4")
        with pytest.raises(TracedbgError, match="nothing is recorded"):
            typed.do("record stop")
        assert typed.do("record")[0] == "Nothing is recorded; record start FILE begins."
        with pytest.raises(TracedbgError, match="exists"):
            typed.do(f"record start {path}")
        memory = [str(line_of(record)) for record in session.log.since(0) if isinstance(record.event, (TraceeBorn, TraceeStopped))]
        tracee = int(session.variables["tracee"])
    assert len(memory) == 2  # the session itself was told nothing twice
    found = load(path)
    assert found.note == ""
    assert os.stat(path).st_mode & 0o777 == 0o600
    lanes = [record.lane for record in found.records if isinstance(record.event, LaneOpened)]
    assert {"repl", "tracer", "witness", "w1", "w2", "w3"} <= set(lanes)
    assert "w4" not in lanes
    assert lanes.index("w2") < lanes.index("w3")
    lines = [record.event.text for record in found.records if isinstance(record.event, LineEntered)]
    assert lines[1] == "thread w3"
    born, stopped = (next(record for record in found.records if isinstance(record.event, kind)) for kind in (TraceeBorn, TraceeStopped))
    assert (born.tid, born.event.pid, born.source) == (tracee, tracee, Source.INFERRED)
    assert (stopped.tid, stopped.event.status, stopped.event.meaning) == (tracee, 0x57F, "exec")
    # The call that slept already stands in the file with its number, so that its end finds it.
    ended = next(record for record in found.records if isinstance(record.event, CallReturned) and record.lane == "w2")
    entered = next(record for record in found.records if record.seq == ended.of)
    assert (entered.lane, entered.t, entered.event.name) == ("w2", 0, "wait4")
    queue = [state.queue for state in states(found)]
    assert queue[0] == (("w2", "wait4(-1, __WALL)"),)
    assert len({record.seq for record in found.records}) == len(found.records)


def test_a_recording_that_is_full_is_told_once(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "FILE_LIMIT", 3000)
    with Session() as session:
        typed = Typed(session)
        typed.do(f"record start {tmp_path / 'r.jsonl'}", *["info waitqueue"] * 20)
        warned = [record.event.text for record in session.log.since(0) if isinstance(record.event, Warned)]
    assert len(warned) == 1
    assert "as large as it may be" in warned[0]
    assert "as large as it may be" in load(str(tmp_path / "r.jsonl")).note
