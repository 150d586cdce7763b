"""Rows of names."""

from __future__ import annotations

import pytest

from tracedbg.lang.ranges import MOST, expanded
from tracedbg.model.errors import BadArgument


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (("w1..w3",), ("w1", "w2", "w3")),
        (("w9..11", "x"), ("w9", "w10", "w11", "x")),
        (("a-b2..a-b2",), ("a-b2",)),
        (("p1.t2", "w1..v3", "1..3", "w..", "$p1"), ("p1.t2", "w1..v3", "1..3", "w..", "$p1")),
    ],
)
def test_rows_are_spelled_out_and_all_else_stands(typed, meant):
    assert expanded(typed) == meant


@pytest.mark.parametrize("row", ["w3..w1", f"w1..w{MOST + 1}"])
def test_rows_that_cannot_be_meant_are_refused(row):
    with pytest.raises(BadArgument, match="no row of names"):
        expanded([row])
