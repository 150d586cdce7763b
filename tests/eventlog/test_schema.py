"""The schema in docs describes what is really written, and refuses what no line may be."""

from __future__ import annotations

import json

import jsonschema
import pytest

from tests.regenerate import EXAMPLES
from tests.schema import schema
from tracedbg.eventlog.codec import encode, header
from tracedbg.model.events import Record
from tracedbg.model.ids import Source
from tracedbg.walk.shipped import RECORDINGS


@pytest.fixture(scope="module")
def validator():
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(schema())


def test_every_kind_and_a_recording_that_ships_are_what_it_says(validator):
    for event, lane, tid in EXAMPLES.values():
        validator.validate(json.loads(encode(Record(1, 5, lane, tid, Source.USER, event, 1))))
    shipped = min(RECORDINGS.glob("*.jsonl")).read_bytes().splitlines()
    assert len(shipped) > 100
    for line in shipped:
        validator.validate(json.loads(line))


@pytest.mark.parametrize(
    "change",
    [
        {"seq": "1"}, {"seq": 0}, {"t": 1.5}, {"src": "hearsay"}, {"lane": None}, {"text": 5}, {"of": 0}, {"ev": 7},
    ],
)  # fmt: skip
def test_what_is_no_line_is_refused(validator, change):
    line = {"seq": 1, "t": 1, "lane": "w1", "tid": 79, "ev": "note", "text": "hello", "src": "user"}
    assert validator.is_valid(line)
    assert validator.is_valid({**line, "ev": "from.the.future", "more": [1]})
    assert not validator.is_valid({**line, **change})
    assert all(not validator.is_valid({name: line[name] for name in line if name != missing}) for missing in line)


def test_headers(validator):
    told = json.loads(header({"title": "x", "started": "2026-11-22T06:40:00Z", "walkthrough": {"name": "a.md", "sha256": "0" * 64}}))
    assert validator.is_valid(told)
    for change in ({"version": 2}, {"format": "other"}, {"started": "today"}, {"walkthrough": {"name": "x"}}, {"clock": "wall"}):
        assert not validator.is_valid({**told, **change})
