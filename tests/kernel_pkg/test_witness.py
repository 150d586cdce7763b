"""When a thread is said to be asleep: not while it is on its way in, however long others keep the processor."""

from __future__ import annotations

import pytest

from tracedbg.eventlog.log import EventLog
from tracedbg.kernel import procfs, witness
from tracedbg.kernel.procfs import WaitSleep
from tracedbg.model.events import ThreadAsleep, ThreadWoken
from tracedbg.model.ids import Role


@pytest.fixture
def look(monkeypatch):
    """Have a witness look at one wait call: ``look(SECONDS, WCHAN, SWITCHES)``; answered with what it has said so far."""
    now = [100.0]
    sight: list[WaitSleep | None] = [None]
    monkeypatch.setattr(witness.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(procfs, "asleep_in_wait", lambda tid: sight[0])
    log = EventLog()
    subject = witness.Witness(log, 1)
    watched = witness.Watched(2, "w1", 0)

    def look(at: float, wchan: str | None, switches: int = 7) -> list[str]:
        now[0] = 100.0 + at
        sight[0] = None if wchan is None else WaitSleep("wait4", (), wchan, switches, f"wchan {wchan}")
        with log.lane("witness", Role.SCREEN, 1):
            subject._look(watched)
        assert watched.look_at > now[0], "a look that is due at once would keep a processor"
        events = (record.event for record in log.since(0))
        return [
            event.wchan if isinstance(event, ThreadAsleep) else "woken"
            for event in events
            if isinstance(event, (ThreadAsleep, ThreadWoken))
        ]

    return look


def test_a_thread_on_its_way_in_is_not_asleep_yet(look):
    # The call began long before the first look that found anything: the machine was busy.
    assert look(3.0, None) == []
    assert look(3.1, "0") == []
    assert look(3.9, "0") == []
    # One voluntary switch later it has left its run queue, which is falling asleep and no wake-up.
    assert look(4.0, "do_wait", 8) == ["do_wait"]
    assert look(4.1, "do_wait", 8) == ["do_wait"]
    assert look(4.2, "do_wait", 9) == ["do_wait", "woken"]


def test_a_channel_that_is_never_shown_is_no_reason_to_wait_for_ever(look):
    assert look(0.1, "0") == []
    assert look(1.2, "0") == ["0"]


def test_a_thread_that_runs_between_two_sights_begins_anew(look):
    assert look(0.1, "0") == []
    assert look(0.9, None) == []
    assert look(1.2, "0") == []
    assert look(1.3, "do_wait") == ["do_wait"]
