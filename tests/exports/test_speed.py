"""Long runs: a hundred thousand events are read and made a trace of while somebody waits for it."""

from __future__ import annotations

import json
import time

import pytest

from tracedbg.eventlog.codec import encode, header
from tracedbg.eventlog.recordings import load
from tracedbg.exports.perfetto import perfetto
from tracedbg.model import events as ev
from tracedbg.model.ids import Source

_STEP: tuple[tuple[str, ev.Event, int], ...] = (
    # lane, event, how many records before it the one stands that it belongs to
    ("repl", ev.RequestQueued("tracer", "stepi", "one instruction"), 0),
    ("tracer", ev.RequestStarted("stepi"), 1),
    ("tracer", ev.CallEntered("ptrace", ("PTRACE_SINGLESTEP", 4242, 0, 0), "step"), 0),
    ("tracer", ev.CallReturned("ptrace", ("PTRACE_SINGLESTEP", 4242, 0, 0), 0), 1),
    ("w1", ev.CallEntered("wait4", (-1, "__WALL"), "take one status"), 0),
    ("w1", ev.ThreadAsleep("wait4", "do_wait", "/proc/70/task/79/syscall"), 1),
    ("w1", ev.CallReturned("wait4", (-1, "__WALL"), 4242, status=0x57F), 2),
    ("tracer", ev.StatusReported(4242, 0x57F, "w1"), 0),
    ("tracee", ev.TraceeStopped(0x57F, "single step", 4242), 0),
    ("tracer", ev.RequestDone("stepi", True), 9),
)


def steps(count: int) -> bytes:
    """A recording of so many events: single steps, none of them counted."""
    lines = [header({"title": "long"})]
    for seq in range(1, count):
        lane, event, back = _STEP[seq % 10 - 1]
        lines.append(encode(ev.Record(seq, seq * 15_000, lane, 77, Source.USER, event, seq - back if back else 0)))
    lines.append(encode(ev.Record(count, count * 15_000, "repl", 70, Source.USER, ev.SessionEnded(True))))
    return b"".join(lines)


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.parametrize(("count", "seconds"), [(10_000, 1.0), pytest.param(100_000, 5.0, marks=pytest.mark.long)])
def test_a_long_recording_is_read_and_exported_in_time(tmp_path, count, seconds):
    path = tmp_path / "long.jsonl"
    path.write_bytes(steps(count))
    began = time.process_time()
    recording = load(str(path))
    text = perfetto(recording)
    took = time.process_time() - began
    assert len(recording.records) == count
    assert sum(event["ph"] == "B" for event in json.loads(text)["traceEvents"]) == count * 3 // 10
    assert took < seconds
