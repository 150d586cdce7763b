"""What the front end is told when something changes: the end of a command at once, anything before it in passing."""

from __future__ import annotations

import pytest

from tests.programs import build
from tracedbg.session.session import Session
from tracedbg.ui.hosting import SessionHost
from tracedbg.ui.pump import Pump

pytestmark = pytest.mark.needs("ptrace", "cc")


def test_only_the_end_of_a_command_asks_for_a_frame_at_once():
    # A stop that no line shows (log off) brings the toolbar up to date.  Drawn at once, it would hold up the answer that follows it.
    told: list[bool] = []
    with Session() as session:
        host = SessionHost(session, Pump(), lambda: 80)
        host.on_change(told.append)
        host.start()
        lines = ("log off", f"file {build('loop')}", "starti", "stepi", "kill")
        for line in lines:
            host.submit_in_order(line)
        assert host.idle(20)
        host.quit()
    assert told.count(True) == len(lines)
    assert False in told
