"""The recordings that ship with the lessons: one for each, of the page as it is, complete, and with nothing of the machine in it."""

from __future__ import annotations

import functools
import os
import re
import sys
from pathlib import Path

import pytest

from tests.record_lessons import LICENCE, PYTHON, anywhere, digest, paced
from tests.regenerate import read
from tracedbg.eventlog.recordings import Recording, load
from tracedbg.exports.story import LeftOut, Question, Story, tell
from tracedbg.model.events import ExpectJudged
from tracedbg.walk import shipped
from tracedbg.walk.catalogue import RULES
from tracedbg.walk.document import Prediction

LESSONS = shipped.lessons()
AGAIN = "run, as root: python -m tests.record_lessons"

_MACHINE = re.compile(rb"/(?:root|home|work|mnt|opt|srv)/|/tmp/(?!tracedbg-lesson\b)[^ \"\\]*|venv|site-packages")
"""Names that a recording would bring along from the machine where it was made."""


@functools.cache
def recorded(path: Path) -> tuple[Recording, Story]:
    """The recording of a lesson, and what it tells."""
    one = load(str(shipped.RECORDINGS / f"{path.stem}.jsonl"))
    return one, tell(one)


@pytest.mark.slow
def test_each_lesson_has_a_recording_of_its_page_as_it_is() -> None:
    assert {path.stem for path in shipped.RECORDINGS.iterdir()} == {path.stem for path in LESSONS}
    for path in LESSONS:
        name = shipped.name_of(path)
        found = shipped.recording_of(name)
        assert found is not None
        assert found == shipped.recording_of(path.stem[:2])
        header = recorded(path)[0].header
        assert header["walkthrough"] == {"name": name, "sha256": digest(path)}, f"{path.name} has changed; {AGAIN}"
        assert (header["title"], header["licence"], header.get("author", "")) == (read(path).title, LICENCE, "")
    assert shipped.recording_of("no-such-lesson") is None


@pytest.mark.slow
def test_they_are_complete() -> None:
    for path in LESSONS:
        one, story = recorded(path)
        page = read(path)
        assert one.note == "", path.name
        assert [section.slug for section in story.sections] == ["", *(step.slug for step in page.steps)], path.name
        assert [record for record in one.records if isinstance(record.event, ExpectJudged) and not record.event.ok] == []
        items = [item for section in story.sections for item in section.items]
        assert not [item for item in items if isinstance(item, LeftOut)], path.name
        asked = [item for item in items if isinstance(item, Question)]
        predictions = [part for step in page.steps for part in step.parts if isinstance(part, Prediction)]
        assert len(asked) == len(predictions), path.name
        for question, prediction in zip(asked, predictions, strict=True):
            assert question.chosen == -1, "whoever sees it is asked"
            assert (question.right >= 0) == prediction.judged, (path.name, question.text)
    shown = {rule for path in LESSONS for step in read(path).steps for rule in step.rules}
    assert shown == set(RULES)


def test_nothing_in_them_tells_of_the_machine() -> None:
    node = os.uname().nodename.encode()
    for path in LESSONS:
        data = (shipped.RECORDINGS / f"{path.stem}.jsonl").read_bytes()
        assert data.isascii()
        assert set(_MACHINE.findall(data)) == set(), f"{path.name}; {AGAIN}"
        assert len(node) < 6 or node not in data
        assert len(data) < 400_000, path.name


def test_names_of_the_machine_are_taken_out() -> None:
    line = f'{{"seq":1,"ev":"line","text":"{sys.executable} /tmp/tracedbg-ab_3cdef/prog"}}\n'.encode()
    _, rest = anywhere(b'{"title":"x"}\n' + line, LESSONS[0]).split(b"\n", 1)
    assert rest == f'{{"seq":1,"ev":"line","text":"{PYTHON} /tmp/tracedbg-lesson/prog"}}\n'.encode()


def test_a_reader_has_time_to_read() -> None:
    for path in LESSONS:
        _, story = recorded(path)
        assert len(story.sections) < story.end / 1e9 < 3600, path.name
    lines = b'{"format":"x"}\n{"seq":1,"t":10,"ev":"a"}\n{"seq":2,"t":20,"ev":"b"}\n{"seq":3,"t":30,"ev":"c"}\n'
    later = paced(lines, [(1, 2.0), (2, 1.0)])
    assert re.findall(rb'"t":(\d+)', later) == [b"10", b"2000000020", b"3000000030"]
    assert later.replace(b"2000000020", b"20").replace(b"3000000030", b"30") == lines
