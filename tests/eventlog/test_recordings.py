"""Recordings read back: what a session wrote, what was cut off, and files that mean harm."""

from __future__ import annotations

import os
import random

import pytest

from tracedbg.eventlog import recordings
from tracedbg.eventlog.codec import encode, header
from tracedbg.eventlog.recordings import Damaged, load
from tracedbg.eventlog.sinks import FileSink
from tracedbg.model.errors import BadArgument, NotFound, UserError
from tracedbg.model.events import Note, Record, SessionEnded, UnknownEvent
from tracedbg.model.ids import Source


def _record(seq: int, text: str = "hello", t: int = 0) -> Record:
    return Record(seq, t or seq * 10, "w1", 79, Source.USER, Note(text))


END = Record(9, 99, "repl", 70, Source.USER, SessionEnded(True))
WHOLE = header({"title": "One stop"}) + encode(_record(1)) + encode(_record(2, "\x1b[31m")) + encode(END)


@pytest.fixture
def file(tmp_path):
    """Writes bytes to a file; its path."""

    def write(data: bytes) -> str:
        path = tmp_path / "r.jsonl"
        path.write_bytes(data)
        return str(path)

    return write


def test_what_was_written_comes_back_by_time(tmp_path):
    path = str(tmp_path / "r.jsonl")
    sink = FileSink(path, {"title": "One stop"})
    written = [_record(1, t=30), _record(2, "\x1b[2J \u202e", t=20), END]
    for record in written:
        sink.take(record)
    sink.close()
    found = load(path)
    assert found.records == (written[1], written[0], END)
    assert (found.title, found.note) == ("One stop", "")
    assert os.stat(path).st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("data", "note", "count"),
    [
        (WHOLE, "", 3),
        (WHOLE[:-5], "line 4 broke off in the middle and is left out", 2),
        (WHOLE.replace(encode(END), b""), "the recording has no end: it was cut off", 2),
        (header({}), "the recording has no end: it was cut off", 0),
        (WHOLE.replace(b'"ev":"note"', b'"ev":"from.the.future"', 1), "", 3),
    ],
)
def test_what_is_left_of_a_recording_is_read_and_what_is_missing_is_said(file, data, note, count):
    found = load(file(data))
    assert (found.note, len(found.records)) == (note, count)


def test_a_kind_of_a_later_version_is_kept_as_it_is(file):
    found = load(file(WHOLE.replace(b'"ev":"note"', b'"ev":"from.the.future"', 1)))
    assert isinstance(found.records[0].event, UnknownEvent)


@pytest.mark.parametrize(
    "line",
    [
        b"\n", b"nonsense\n", b"[1]\n", b"\xff\xfe\n", b'{"seq":1}\n', b"\0" * 50 + b"\n",
        b'{"seq":1,"t":1,"lane":"x","tid":0,"ev":"note","text":5,"src":"user"}\n',
        b'{"seq":1,"t":1,"lane":"x","tid":0,"ev":"note","text":"x","src":"hearsay"}\n',
        b'{"seq":1,"t":1,"lane":"x","tid":0,"src":"user","ev":"odd","deep":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
        b"[" * 1_000_000 + b"\n",
    ],
)  # fmt: skip
def test_a_damaged_line_is_named(file, line):
    head, _, rest = WHOLE.partition(b"\n")
    with pytest.raises(Damaged) as error:
        load(file(head + b"\n" + line + rest))
    assert error.value.line == 2
    assert ":2: " in str(error.value)
    assert str(error.value).isprintable()


@pytest.mark.parametrize("data", [b"", b"\n", b"{}\n", b"\x7fELF\n", header({}).replace(b'"version":1', b'"version":2'), b"[" * 100_000])
def test_what_is_no_recording_is_refused(file, data):
    with pytest.raises(UserError):
        load(file(data))


def test_files_that_would_not_end(tmp_path, file, monkeypatch):
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)
    for path in (fifo, str(tmp_path), "/dev/zero"):
        with pytest.raises(BadArgument, match="no ordinary file"):
            load(path)
    with pytest.raises(NotFound):
        load(str(tmp_path / "missing"))
    monkeypatch.setattr(recordings, "LONGEST_LINE", 100)
    with pytest.raises(Damaged, match="a line of more than"):
        load(file(WHOLE + b" " * 101))
    monkeypatch.setattr(recordings, "MOST_RECORDS", 2)
    monkeypatch.setattr(recordings, "LONGEST_LINE", 1000)
    with pytest.raises(Damaged, match="more than 2 events"):
        load(file(WHOLE))
    monkeypatch.setattr(recordings, "MOST_BYTES", 100)
    with pytest.raises(BadArgument, match="larger than"):
        load(file(WHOLE))


@pytest.mark.parametrize("rounds", [300, pytest.param(100_000, marks=pytest.mark.long)])
def test_random_damage_is_an_error_or_harmless(file, rounds):
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    for _ in range(rounds):
        data = bytearray(WHOLE)
        for _ in range(chance.randrange(1, 6)):
            place = chance.randrange(len(data))
            data[place : place + chance.choice((0, 1, 1, 1, 20))] = chance.choice(
                (b"", b'"', b"{", b"\n", b"\xff", b"9" * 40, bytes([chance.randrange(256)]))
            )
        told = ""
        try:
            load(file(bytes(data)))
        except UserError as error:
            told = str(error)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {bytes(data)!r}") from error
        assert told.isprintable(), f"seed {seed}"
