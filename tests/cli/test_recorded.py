"""A recording of a tracedbg that is killed: every line but the last can be read, and what was answered before is there."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.cli import ENVIRONMENT
from tests.programs import build
from tracedbg.eventlog.recordings import load
from tracedbg.model.events import CommandFinished, LaneOpened, StateKept

pytestmark = [pytest.mark.needs("ptrace"), pytest.mark.slow]


@pytest.mark.parametrize(("seen", "times"), [(b"lane.open", 1), (b'"ev":"state"', 20)])
def test_killed_at_any_moment(tmp_path: Path, seen: bytes, times: int) -> None:
    path = tmp_path / "r.jsonl"
    script = "".join(f"{line}\n" for line in ["starti", *["stepi"] * 5000])
    command = [sys.executable, "-m", "tracedbg", "--record", str(path), str(build("loop"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=ENVIRONMENT) as tracedbg:
        assert tracedbg.stdin is not None
        tracedbg.stdin.write(script.encode())
        tracedbg.stdin.close()
        never, deadline = threading.Event(), time.monotonic() + 30
        while not path.exists() or path.read_bytes().count(seen) < times:
            assert time.monotonic() < deadline, path.read_bytes()[-2000:] if path.exists() else "no file"
            never.wait(0.003)
        tracedbg.kill()
    found = load(str(path))
    assert found.note, "it has no end"
    assert any(isinstance(record.event, LaneOpened) for record in found.records)
    states = sum(isinstance(record.event, StateKept) for record in found.records)
    answers = sum(isinstance(record.event, CommandFinished) for record in found.records)
    assert states >= (times if b"state" in seen else 0)
    assert answers >= states
