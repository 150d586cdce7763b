"""Stepping while a wait that somebody typed sleeps on the same queue: any of its stops may go there, and none is lost."""

from __future__ import annotations

import pytest

from tests.programs import build
from tracedbg.kernel.wait import WALL
from tracedbg.model.events import ThreadAsleep
from tracedbg.model.stops import StepDone
from tracedbg.session.session import Session
from tracedbg.session.stepping import Stepper
from tracedbg.tracer import ops


@pytest.mark.needs("ptrace", "cc", "drgn")
def test_lines_and_counted_steps_go_on() -> None:
    program = build("fact", "-g")
    with Session() as session:
        session.program.file(str(program))
        where, addresses = session.program.locate("fact")
        session.tracer.call(ops.add_breakpoint, 0, "fact", where, addresses, False)
        session.program.run()
        thread = session.bench.add("w1")
        since = session.log.last
        taken = thread.run(lambda: session.door.wait4(-1, WALL))
        asleep = session.log.until(lambda record: isinstance(record.event, ThreadAsleep) and record.lane == "w1", 10, since=since)
        assert asleep is not None
        stepper = Stepper(session.tracer, session.waiters, session.program)
        lines = [source[0] for _ in range(2) if (source := stepper.lines(1, over=True).source) is not None]
        assert lines == sorted(set(lines))
        assert len(lines) == 2
        assert stepper.instructions(3).report.stop == StepDone()
        # Who is told of which stop is not promised; that w1 hears of one or of the end is.
        session.program.kill()
        assert taken.result(10).errno in (0, 10)
