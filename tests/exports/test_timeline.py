"""The rows of a timeline: who is drawn where, what is folded, and that pages hold no more than they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.exports.sample import recording
from tests.exports.test_exports import EVIL
from tests.exports.wellformed import harmless_page
from tracedbg.eventlog.recordings import load
from tracedbg.exports.drawing import Lanes
from tracedbg.exports.page import fragment, page
from tracedbg.exports.rows import Column, Look, Row
from tracedbg.exports.story import Command
from tracedbg.exports.timeline import MOST_ROWS, timeline
from tracedbg.model import events as ev
from tracedbg.model.errors import BadArgument
from tracedbg.walk import shipped

_STEP = ("ptrace", ("PTRACE_SINGLESTEP", 4242, 0, 0))


def test_a_sleeper_is_on_its_queue_and_how_that_is_known_is_told():
    rows = {row.seq: row for part in timeline(recording()).parts for row in part.rows if row.text}
    assert rows[8].look.queues == {"q:tracedbg": (("w1", False),)}
    assert [(arrow.kind, arrow.start, arrow.end) for arrow in rows[8].arrows] == [("sleep", "w1", "q:tracedbg")]
    assert rows[10].look.queues == {"q:tracedbg": (("w1", True),)}
    assert [(arrow.kind, arrow.label) for arrow in rows[16].arrows] == [("refused", "ESRCH")]
    assert (rows[16].took, rows[16].expected) == (30_000, "tracer ptrace = -1 ESRCH")


@pytest.mark.parametrize(("count", "told"), [(2, "w1 w2?"), (3, "w1 w2? w3?"), (12, "12 wait")])
def test_sleepers_that_would_cover_each_other_are_counted(count, told):
    columns = [Column("q:tracedbg", "queue", "wait queue", ""), *(Column(f"w{number}", "thread", "", "") for number in range(5))]
    look = Look({"q:tracedbg": tuple((f"w{number}", number == 1) for number in range(1, count + 1))}, {}, ())
    drawn = Lanes(columns).row(Row(1, 0, Command(1, 0, "x", "keyboard"), "", "", look))
    assert re.findall(r'<text class="n"[^>]*>([^<]*)<', drawn) == [told]
    assert drawn.count('class="z') == min(count, 4)


def test_what_repeats_is_told_once_and_too_much_is_refused():
    def steps(count: int) -> tuple[tuple[int, str, ev.Event, int], ...]:
        return tuple((at, "tracer", ev.CallReturned(*_STEP, 0 if count < MOST_ROWS else at), 0) for at in range(count))

    (part,) = timeline(recording(steps(412))).parts
    assert [row.folded for row in part.rows] == [0, 411]
    with pytest.raises(BadArgument, match="too many"):
        timeline(recording(steps(MOST_ROWS + 1)))


def test_a_page_has_an_address_for_each_row():
    made = harmless_page(page(recording()))
    assert {"r7", "r8", "r10", "r11", "r16"} <= made.ids
    assert harmless_page(fragment(recording()) * 2).ids == set()


def test_a_page_is_a_recording_again(tmp_path: Path):
    file = tmp_path / "page.html"
    for one in (recording(), EVIL):
        file.write_text(page(one), encoding="utf-8")
        assert load(str(file)).records == one.records
    for text, why in (
        ("<!DOCTYPE html>\n<p>nothing", "holds no recording"),
        (page(recording())[:-3000].replace("H4sI", "H4sJ"), "is damaged"),
    ):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(BadArgument, match=why):
            load(str(file))


def test_the_tour_shows_what_was_read_who_was_woken_in_vain_and_who_was_refused():
    path = shipped.recording_of("tour")
    assert path is not None
    made = timeline(load(str(path)))
    rows = [row for part in made.parts for row in part.rows]
    vain = [row for row in rows if any("in vain" in arrow.label for arrow in row.arrows)]
    assert len({row.lane for row in vain}) == len(vain) == 2
    refused = next(row for row in rows if row.lane == "w1" and "PTRACE_CONT" in row.text)
    assert [(arrow.kind, arrow.label) for arrow in refused.arrows] == [("refused", "ESRCH")]
    # A queue belongs to a process: a thread of the puppet waits on the queue of the puppet.
    assert "q:p1" in {column.key for part in made.parts for column in part.columns}
    # Every expectation was met, and every question decided, by something that stands on the page.
    assert set(made.deciding) <= {row.seq for row in rows if row.text}
