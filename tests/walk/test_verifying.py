"""`replay --verify`: the lines of a recording run here, and only what really differs is told."""

from __future__ import annotations

import io
import threading

import msgspec
import pytest

from tests.cli import inside
from tests.programs import build
from tracedbg.commands.runner import Runner
from tracedbg.commands.table import all_commands
from tracedbg.eventlog.recordings import load
from tracedbg.model.events import CallReturned, ExpectJudged, LineEntered, Looked, TraceeStopped
from tracedbg.session.recorder import Wanted
from tracedbg.session.session import Session
from tracedbg.walk import shipped, verifying
from tracedbg.walk.comparing import compared

pytestmark = [pytest.mark.needs("ptrace"), pytest.mark.slow]


def recorded(path: str, *lines: str) -> None:
    """A recording of these lines."""
    with Session() as session:
        session.view.on = False
        session.recorder.start(Wanted(path, force=True))
        runner = Runner(session, all_commands())
        for line in lines:
            runner.run_line(line, "keyboard")


def verified(path: str) -> tuple[int, list[str]]:
    out = io.StringIO()
    return verifying.main(path, out), out.getvalue().splitlines()


def tampered(path: str, *changes: tuple[str, str]) -> None:
    with open(path) as file:
        text = file.read()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    with open(path, "w") as file:
        file.write(text)


@pytest.mark.needs("cc", "drgn")
def test_a_session_is_the_same_until_the_recording_says_otherwise(tmp_path):
    path, program = str(tmp_path / "r.jsonl"), str(build("fact"))
    lines = [
        f"file {program}", "break fact", "run", "bt", "frame 77", "print n", "delete", "continue", "thread w1",
        "on w1 ptrace PTRACE_CONT 1", f"launch {program}", "on w1 wait4 -1 __WALL", "look $tracee state",
    ]  # fmt: skip
    recorded(path, *lines)
    status, told = verified(path)
    assert told[:-1] == [f"same      {line}" for line in lines]
    assert told[-1] == f"{len(lines)} lines: {len(lines)} the same, 0 different, 0 not to be compared here"
    assert status == 0
    # A stop that a typed wait has answered stands there already, also if the tracer takes it in when the next line is typed.
    records = load(path).records
    stop = [each for each in records if isinstance(each.event, TraceeStopped)][-1]
    late = [each for each in records if each is not stop]
    late.insert(max(at for at, each in enumerate(late) if isinstance(each.event, LineEntered)) + 1, stop)
    assert [line.text for line in compared(records, late, {}) if line.differs] == []
    tampered(path, ("5! = 120", "5! = 121"), ('= 5"]', '= 6"]'), ('"errno":"ESRCH"', '"errno":"EPERM"'), ("(n=5)", "(n=7)"))
    done = inside("replay", path, "--verify")
    told = done.stdout.splitlines()
    assert done.returncode == 1
    different = {line.split(None, 1)[1] for line in told if line.startswith("differs")}
    assert different == {"run", "bt", "print n", "continue", "on w1 ptrace PTRACE_CONT 1"}, told
    assert sum(line.startswith("same ") for line in told) == len(lines) - len(different), told
    assert any("recorded: " in each and "5! = 121" in each for each in told), told
    assert any("here: " in each and "ESRCH" in each for each in told), told


@pytest.mark.needs("cc")
def test_who_wins_a_race_is_no_difference(tmp_path):
    path, look = str(tmp_path / "r.jsonl"), "look $tracee state"
    lines = [
        "thread w1 w2", f"launch {build('hello')}", "on w1,w2 wait4 -1 __WALL &", "expect w1|w2 wait4 -1 __WALL = $tracee stopped SIGTRAP",
        look, "on tracer ptrace PTRACE_CONT $tracee 0 0", "expect w1|w2 wait4 -1 __WALL = $tracee exited 0",
    ]  # fmt: skip
    recorded(path, *lines)
    status, told = verified(path)
    assert (status, told[:-1]) == (0, [f"same      {line}" for line in lines]), told
    records = load(path).records

    def differing(here):
        return [line.text for line in compared(records, here, {}) if line.differs]

    # The same without the expectations: of such a line only the verdict is compared.
    records = [
        each
        for each in records
        if not isinstance(each.event, ExpectJudged) and not (isinstance(each.event, LineEntered) and each.event.text.startswith("expect"))
    ]
    other = {"w1": "w2", "w2": "w1"}
    swapped = [msgspec.structs.replace(each, lane=other.get(each.lane, each.lane)) for each in records]
    winners = [[each.lane for each in way if isinstance(each.event, CallReturned) and each.lane in other] for way in (records, swapped)]
    assert winners[0] == winners[1][::-1] != winners[1]
    assert differing(swapped) == []
    # A lane that was not in the race, and another answer, are differences.
    assert differing([msgspec.structs.replace(each, lane=f"x{each.lane}") if each.lane in other else each for each in records])
    assert differing([each for each in records if not isinstance(each.event, Looked)]) == [look]


def test_what_is_missing_here_is_told_and_does_not_count(tmp_path):
    path, program = tmp_path / "r.jsonl", tmp_path / "prog"
    program.write_bytes(build("hello").read_bytes())
    program.chmod(0o755)
    recorded(str(path), "thread w1", "on w1 getpid", f"launch {program}", "on w1 wait4 $tracee __WALL")
    program.unlink()
    status, told = verified(str(path))
    assert status == 0
    assert [line.split(None, 1)[0] for line in told[:-1] if line[0] != " "] == ["same", "same", "not", "not"]
    assert "there is no file" in told[3]
    assert "it rests on 'launch" in told[5]
    assert told[-1] == "4 lines: 2 the same, 0 different, 2 not to be compared here"


@pytest.mark.needs("cc")
def test_lines_that_ran_at_the_same_time_do_so_again(tmp_path):
    path, program = str(tmp_path / "r.jsonl"), str(build("loop"))
    with Session() as session:
        session.view.on = False
        session.recorder.start(Wanted(path))
        runner = Runner(session, all_commands())
        runner.run_line(f"file {program}", "keyboard")
        runner.run_line("starti", "keyboard")
        running = threading.Thread(target=runner.run_line, args=("continue", "keyboard"), name="repl")
        mark = session.log.last
        running.start()
        assert session.log.until(lambda record: type(record.event).__name__ == "TraceeResumed", 10, since=mark)
        Runner(session, all_commands()).run_line("interrupt", "keyboard")
        running.join()
    status, told = verified(path)
    assert (status, [line.split(None, 1)[0] for line in told[:-1]]) == (0, ["same"] * 4), told


def test_a_lesson_is_played(tmp_path):
    out = io.StringIO()
    recording = shipped.recording_of("three-times-esrch")
    assert recording is not None
    assert verifying.main(str(recording), out) == 0, out.getvalue()
    assert " 0 different, 0 not to be compared here" in out.getvalue()
    path = tmp_path / "r.jsonl"
    path.write_bytes(recording.read_bytes())
    tampered(str(path), ('"text":"look c state"', '"text":"look c comm"'))
    status, told = verified(str(path))
    assert status == 1
    assert [line for line in told if line.startswith("differs")]
