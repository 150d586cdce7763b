"""The log tells the truth: an outside witness of our threads sees what the log says, call by call.

The witness follows tracedbg's own threads and not the program (see `witness.c`).  Everything it saw must be in the log that
`--events` wrote: by the same thread, in the same order per thread, with the same result.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.programs import build
from tests.witness.compare import Loop, Witnessed, differences, read_log, read_witness

pytestmark = [
    pytest.mark.needs("ptrace", "cc", "x86-64"),
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("tracedbg.cli") is None, reason="there is no command line yet"),
]

HERE = Path(__file__).resolve().parent


def watched(folder: Path, commands: list[str], *arguments: str | Path, status: int = 0) -> tuple[Witnessed, Path]:
    """Run one batch session under the witness; the witness's story and the session's log."""
    seen, log = folder / "seen.jsonl", folder / "log.jsonl"
    line: list[str | Path] = [build(str(HERE / "witness.c"), "-O2"), seen, "--", sys.executable, "-m", "tracedbg", "--batch"]
    line += ["--events", log]
    for command in commands:
        line += ["-ex", command]
    done = subprocess.run(
        [*map(str, line), *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=55, check=False
    )
    assert done.returncode == status, f"{done.stdout}\n{done.stderr}"
    witnessed = read_witness(seen)
    found = differences(witnessed, read_log(log))
    assert not found, "\n".join(found)
    return witnessed, log


def kinds(witnessed: Witnessed) -> Counter[str]:
    return Counter(call.key for calls in witnessed.calls.values() for call in calls)


def tids_of(witnessed: Witnessed, name: str) -> set[int]:
    """Threads that made such a call and got what they asked for."""
    return {
        tid
        for tid, calls in witnessed.calls.items()
        for call in calls
        if call.name == name and isinstance(call.ret, int) and (name == "ptrace" or call.ret > 0)
    }


def test_breakpoint_session(tmp_path: Path) -> None:
    """All requests come from one thread, the statuses are taken by another, and the log has each of them."""
    commands = ["break fact", "run", "bt", "next", "finish", "delete", "continue"]
    witnessed, _ = watched(tmp_path, commands, build("fact"))
    assert len(tids_of(witnessed, "ptrace")) == 1
    assert tids_of(witnessed, "wait4")
    assert tids_of(witnessed, "wait4").isdisjoint(tids_of(witnessed, "ptrace"))
    assert kinds(witnessed)["ptrace(PTRACE_CONT)"] >= 2


def test_single_and_counted_steps(tmp_path: Path) -> None:
    """One `stepi` goes through a waiter and is spelled out; `stepi 500` is counted, and the count is what happened."""
    witnessed, log = watched(tmp_path, ["starti", "stepi", "stepi", "stepi 500", "kill"], build("fact"))
    assert kinds(witnessed)["ptrace(PTRACE_SINGLESTEP)"] == 502
    loops = [item for items in read_log(log).values() for item in items if isinstance(item, Loop)]
    assert sum(loop.counts["ptrace(PTRACE_SINGLESTEP)"] for loop in loops) == 500


def test_wrong_thread_and_sleeping_bench_threads(tmp_path: Path) -> None:
    """The lab's own calls: ESRCH for a wrong thread, two sleepers on one queue, a WNOWAIT look."""
    commands = [
        "thread w1 w2",
        "launch /bin/true",
        "on w1 waitid P_ALL 0 WEXITED|WSTOPPED|WNOWAIT",
        "on w1 wait4 -1 __WALL",
        "on w1 ptrace PTRACE_CONT $tracee",
        "on w2 wait4 -1 __WALL &",
        "on tracer ptrace PTRACE_CONT $tracee",
        "then w2 wait4 = $tracee exited 0",
        "on w1 wait4 -1 __WALL",
    ]
    witnessed, log = watched(tmp_path, commands)
    results = [call.ret for calls in witnessed.calls.values() for call in calls]
    assert "ESRCH" in results
    assert "ECHILD" in results
    assert kinds(witnessed)["waitid"] == 1
    assert any(json.loads(line).get("ev") == "rule.broken" for line in log.read_bytes().splitlines())


def test_threads_and_forks_of_the_program(tmp_path: Path) -> None:
    """Clone events, exiting threads and a fork that is let go: many statuses, each in the log."""
    for name in ("threads", "forker", "leader_exit", "execer"):
        folder = tmp_path / name
        folder.mkdir()
        watched(folder, ["run"], build(name))


def test_quit_while_a_wait_sleeps(tmp_path: Path) -> None:
    """Teardown ends sleeping waits; each has returned before the process ends, and with what the log says."""
    commands = ["thread w1", "launch /bin/true", "on w1 wait4 -1 __WALL", "on w1 wait4 $tracee __WALL &"]
    witnessed, _ = watched(tmp_path, commands)
    calls = [call for calls in witnessed.calls.values() for call in calls]
    assert sum(call.name == "wait4" for call in calls) >= 2
    assert [call for call in calls if call.ret is None] == []
