"""The witness itself: it sees what happened, and the comparison sees every kind of lie."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.programs import build
from tests.witness.compare import Loop, differences, read_log, read_witness

HERE = Path(__file__).resolve().parent
pytestmark = [pytest.mark.needs("ptrace", "cc", "x86-64"), pytest.mark.slow]


def witness() -> Path:
    return build(str(HERE / "witness.c"), "-O2", "-Wall", "-Wextra", "-Werror")


def run(log: Path, *command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    line = [str(each) for each in (witness(), log, "--", *command)]
    return subprocess.run(line, capture_output=True, text=True, timeout=50, check=False, **options)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The subject's run: the witness's file and its own log."""
    folder = tmp_path_factory.mktemp("witness")
    seen, own = folder / "seen.jsonl", folder / "own.jsonl"
    done = run(seen, sys.executable, "-W", "ignore::DeprecationWarning", HERE / "subject.py", own)
    assert done.returncode == 0, done.stderr
    return seen, own


def test_log_and_witness_agree(story: tuple[Path, Path]) -> None:
    witnessed, logged = read_witness(story[0]), read_log(story[1])
    assert witnessed.status == 0
    assert differences(witnessed, logged) == []
    # It compared something: three threads, an ESRCH, an EINTR, a status and the counted loop.
    calls = [call for calls in witnessed.calls.values() for call in calls]
    assert len(witnessed.calls) == 3
    assert len(calls) == 407
    assert {"ESRCH", "EINTR", "ECHILD"} < {call.ret for call in calls}
    assert {0x137F, 0x057F, 0x0700} == {call.extra[0] for call in calls if call.extra}
    assert any(isinstance(item, Loop) and item.counts.total() == 400 for items in logged.values() for item in items)


def changed(path: Path, to: Path, change: Callable[[list[dict[str, Any]]], None]) -> Path:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    change(lines)
    to.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return to


def _find(lines: list[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    return next(line for line in lines if all(line.get(key) == value for key, value in wanted.items()))


def _drop_call(lines: list[dict[str, Any]]) -> None:
    gone = _find(lines, ev="sys.enter", name="wait4")
    lines[:] = [line for line in lines if line is not gone and line.get("of") != gone["seq"]]


def _invent_call(lines: list[dict[str, Any]]) -> None:
    last = _find(lines[::-1], ev="sys.enter")
    lines.append({**last, "seq": 10**6})
    lines.append({"ev": "sys.exit", "of": 10**6, "seq": 10**6 + 1, "tid": last["tid"], "name": last["name"], "ret": 0})


def _other_thread(lines: list[dict[str, Any]]) -> None:
    mine = _find(lines, ev="sys.enter", name="ptrace")
    mine["tid"] = next(line["tid"] for line in lines if line["tid"] != mine["tid"])


def _other_result(lines: list[dict[str, Any]]) -> None:
    _find(lines, ev="sys.exit", errno="ESRCH").update(ret=0, errno="")


def _other_errno(lines: list[dict[str, Any]]) -> None:
    _find(lines, ev="sys.exit", errno="EINTR")["errno"] = "ECHILD"


def _other_status(lines: list[dict[str, Any]]) -> None:
    _find(lines, ev="sys.exit", status=0x0700)["status"] = 0x0900


def _other_order(lines: list[dict[str, Any]]) -> None:
    tid = _find(lines, ev="loop.begin")["tid"]
    places = [at for at, line in enumerate(lines) if line["ev"] == "sys.enter" and line["tid"] == tid]
    first, second = places[0], places[-1]
    lines[first], lines[second] = lines[second], lines[first]


def _other_count(lines: list[dict[str, Any]]) -> None:
    _find(lines, ev="loop.done")["counts"]["wait4"] += 1


def _moved_count(lines: list[dict[str, Any]]) -> None:
    counts = _find(lines, ev="loop.done")["counts"]
    counts["wait4"] -= 1
    counts["ptrace(PTRACE_CONT)"] = 1


def _other_request(lines: list[dict[str, Any]]) -> None:
    _find(lines, ev="sys.enter", name="ptrace")["args"][0] = "PTRACE_KILL"


def _other_target(lines: list[dict[str, Any]]) -> None:
    _find(lines, ev="sys.enter", name="wait4")["args"][0] = -1


def _other_options(lines: list[dict[str, Any]]) -> None:
    _find(lines, ev="sys.enter", name="wait4")["args"][1] = "__WALL|WNOHANG"


@pytest.mark.parametrize(
    "lie",
    [
        _drop_call, _invent_call, _other_thread, _other_result, _other_errno, _other_status, _other_order, _other_count,
        _moved_count, _other_request, _other_target, _other_options,
    ],
)  # fmt: skip
def test_a_lie_is_seen(story: tuple[Path, Path], tmp_path: Path, lie: Callable[[list[dict[str, Any]]], None]) -> None:
    log = changed(story[1], tmp_path / "lie.jsonl", lie)
    assert differences(read_witness(story[0]), read_log(log)) != []


def test_status_of_the_program_is_passed_on(tmp_path: Path) -> None:
    assert run(tmp_path / "log", sys.executable, "-S", "-c", "raise SystemExit(42)").returncode == 42
    killed = run(tmp_path / "log", sys.executable, "-S", "-c", "import os; os.kill(os.getpid(), 9)")
    assert killed.returncode == 128 + 9
    assert read_witness(tmp_path / "log").status == 128 + 9
    assert run(tmp_path / "log", tmp_path / "nothing-here").returncode == 127


def test_vfork_child_is_not_followed(tmp_path: Path) -> None:
    """A child, its thread and its own wait stay unseen; the parent's wait is seen."""
    inner = "import os; os.waitpid(os.spawnlp(os.P_NOWAIT, 'true', 'true'), 0)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {inner!r}])"
    done = run(tmp_path / "log", sys.executable, "-S", "-c", code)
    assert done.returncode == 0, done.stderr
    witnessed = read_witness(tmp_path / "log")
    assert len(witnessed.tids) == 1
    assert {call.key for calls in witnessed.calls.values() for call in calls} == {"wait4"}


def test_job_control_stop_stays_a_stop(tmp_path: Path) -> None:
    """SIGSTOP to the program stops it (state T or t, not running on); SIGCONT lets it go on."""
    read_end, write_end = os.pipe()
    code = "import os, signal\nos.write(1, b'%d\\n' % os.getpid())\nos.kill(os.getpid(), signal.SIGSTOP)\nos.write(1, b'on\\n')\n"
    line = [str(witness()), str(tmp_path / "log"), "--", sys.executable, "-S", "-c", code]
    with subprocess.Popen(line, stdout=write_end) as follower, os.fdopen(read_end) as output:
        os.close(write_end)
        pid = int(output.readline())
        deadline, never = time.monotonic() + 20, threading.Event()
        stopped = ""
        while "T" not in stopped.upper() or "SigPnd:\t0000000000000000" not in stopped:
            assert time.monotonic() < deadline, stopped
            stopped = Path(f"/proc/{pid}/status").read_text()
            stopped = "\n".join(line for line in stopped.splitlines() if line.startswith(("State", "SigPnd")))
            never.wait(0.002)
        os.kill(pid, signal.SIGCONT)
        assert output.readline() == "on\n"
        assert follower.wait(timeout=20) == 0


def test_attached_process_is_followed_with_all_threads(tmp_path: Path) -> None:
    """`-p`: threads that exist already, and one that is born later."""
    code = (
        "import os, sys, threading\n"
        "go = threading.Event()\n"
        "def ask():\n"
        "    go.wait()\n"
        "    try: os.waitpid(-1, os.WNOHANG)\n"
        "    except ChildProcessError: pass\n"
        "old = threading.Thread(target=ask); old.start()\n"
        "sys.stdout.write('ready\\n'); sys.stdout.flush(); sys.stdin.readline()\n"
        "go.set(); new = threading.Thread(target=ask); new.start(); old.join(); new.join()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as program:
        assert program.stdin is not None and program.stdout is not None  # noqa: PT018
        assert program.stdout.readline() == "ready\n"
        log = tmp_path / "log"
        with subprocess.Popen([str(witness()), str(log), "-p", str(program.pid)]) as follower:
            deadline, never = time.monotonic() + 20, threading.Event()
            while not (log.exists() and '"start"' in log.read_text()):
                assert time.monotonic() < deadline
                never.wait(0.002)
            program.stdin.write("go\n")
            program.stdin.flush()
            # The dead leader is reported to its tracer first, then to us (wait.c, `wait_task_zombie`).
            assert program.wait(timeout=20) == 0
            assert follower.wait(timeout=20) == 0
    witnessed = read_witness(log)
    assert len(witnessed.tids) == 3
    assert sorted(len(calls) for calls in witnessed.calls.values()) == [1, 1]
    assert {call.ret for calls in witnessed.calls.values() for call in calls} == {"ECHILD"}
