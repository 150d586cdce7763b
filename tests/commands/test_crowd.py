"""Very many threads asleep on the one wait queue: the demonstration works, and the queue is shown at once."""

from __future__ import annotations

import time

import pytest

from tests.commands.console import console
from tests.programs import build
from tracedbg.model.events import Event, Record, ThreadAsleep, ThreadWoken

pytestmark = pytest.mark.needs("ptrace", "cc")


@pytest.mark.parametrize("count", [60, pytest.param(1000, marks=pytest.mark.long)])
def test_a_crowd_on_one_queue_has_one_winner(count):
    with console() as it:
        it.script(f"""
            thread w1..w{count}
            launch {build("loop")} 1
            on tracer wait4 $tracee __WALL
            on w1..w{count} wait4 -1 __WALL &
        """)
        names = {f"w{number}" for number in range(1, count + 1)}

        def all_told(kind: type[Event], lanes: set[str]) -> bool:
            missing = set(lanes)

            def met(record: Record) -> bool:
                if isinstance(record.event, kind):
                    missing.discard(record.lane)
                return not missing

            return it.session.log.until(met, 120, since=0) is not None

        assert all_told(ThreadAsleep, names)
        began = time.monotonic()
        queue = it.do("info waitqueue")
        took = time.monotonic() - began
        print(f"info waitqueue with {count} sleepers: {took:.3f} s")  # noqa: T201  # shown with -rP
        assert {each.name for each in queue.sleepers if each.call} >= names
        it.do("on tracer kill $tracee SIGUSR1")
        it.do("on tracer ptrace PTRACE_CONT $tracee")
        won = it.do("expect <winner:any> wait4 = $tracee stopped SIGUSR1 within 30s")
        winner = dict(won.captured)["winner"]
        assert winner in names
        # All of them were eligible: each has looked, found nothing and gone back to sleep.
        assert all_told(ThreadWoken, names - {winner})
        assert sum("stopped SIGUSR1" in line for record, line in it.records() if record.lane in names) == 1
