"""The rows of a timeline: who is drawn where, what is folded, and that pages hold no more than they say."""

from __future__ import annotations

import base64
import gzip
import re

import pytest

from tests.exports.sample import EVENTS, as_file, recording
from tests.exports.wellformed import harmless_page
from tracedbg.exports.page import fragment, page
from tracedbg.exports.timeline import MOST_ROWS, timeline
from tracedbg.model import events as ev
from tracedbg.model.errors import BadArgument

_STEP = ("ptrace", ("PTRACE_SINGLESTEP", 4242, 0, 0))


def test_a_sleeper_is_on_its_queue_and_how_that_is_known_is_told():
    rows = {row.seq: row for part in timeline(recording()).parts for row in part.rows if row.text}
    assert rows[8].look.queues == {"q:tracedbg": (("w1", False),)}
    assert [(arrow.kind, arrow.start, arrow.end) for arrow in rows[8].arrows] == [("sleep", "w1", "q:tracedbg")]
    assert rows[10].look.queues == {"q:tracedbg": (("w1", True),)}
    assert [(arrow.kind, arrow.label) for arrow in rows[16].arrows] == [("refused", "ESRCH")]
    assert (rows[16].took, rows[16].expected) == (30_000, "tracer ptrace = -1 ESRCH")


def test_what_repeats_is_told_once_and_too_much_is_refused():
    def steps(count: int) -> tuple[tuple[int, str, ev.Event, int], ...]:
        return tuple((at, "tracer", ev.CallReturned(*_STEP, 0 if count < MOST_ROWS else at), 0) for at in range(count))

    (part,) = timeline(recording(steps(412))).parts
    assert [row.folded for row in part.rows] == [0, 411]
    with pytest.raises(BadArgument, match="too many"):
        timeline(recording(steps(MOST_ROWS + 1)))


def test_a_page_holds_its_recording_and_an_address_for_each_row():
    made = harmless_page(page(recording()))
    assert {"r7", "r8", "r10", "r11", "r16"} <= made.ids
    held = re.search(r'id="recording">([^<]+)<', page(recording()))
    assert held is not None
    lines = gzip.decompress(base64.b64decode(held[1])).splitlines()
    assert lines[1:] == as_file(recording()).splitlines()[1:]
    assert len(lines) == len(EVENTS) + 1
    assert harmless_page(fragment(recording()) * 2).ids == set()
