"""Folding: nothing but repetitions is left out, and every line is counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tracedbg.model.text import Shown
from tracedbg.render.fold import Fold


def _run(pairs, **options):
    fold = Fold(**options)
    out = []
    for lane, text in pairs:
        out += fold.add(lane, Shown(text))
    return out + fold.flush()


def test_a_run_becomes_its_first_lines_and_a_count():
    out = _run([("tracer", "step = 0"), ("waiter", "wait = 1")] * 100 + [("tracee", "exited 0")])
    assert [(line.lane, str(line.text), line.times) for line in out] == [
        *[("tracer", "step = 0", 1), ("waiter", "wait = 1", 1)] * 3,
        ("tracer", "... 97 more: step = 0", 97),
        ("waiter", "... 97 more: wait = 1", 97),
        ("tracee", "exited 0", 1),
    ]


def test_different_lines_pass_as_they_are():
    lines = [("w1", f"line {number}") for number in range(50)]
    assert [(line.lane, str(line.text)) for line in _run(lines)] == lines


def test_the_same_text_of_another_lane_is_another_line():
    out = _run([("w1", "x"), ("w2", "x")] * 2, free=1)
    assert [(line.lane, line.times) for line in out] == [("w1", 1), ("w2", 1), ("w1", 1), ("w2", 1)]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz0123456789")), max_size=200),
    st.integers(1, 6),
    st.integers(1, 4),
)
def test_every_line_is_shown_or_counted_and_the_first_of_each_run_is_shown(pairs, window, free):
    out = _run(pairs, window=window, free=free)
    assert sum(line.times for line in out) == len(pairs)
    for pair in set(pairs):
        assert sum(line.times for line in out if line.lane == pair[0] and str(line.text).endswith(pair[1])) == pairs.count(pair)
    assert {(line.lane, str(line.text)[-1]) for line in out} == set(pairs)
