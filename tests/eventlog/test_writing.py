"""A recording is written beside the log: whole lines, bounded, never over something that is there."""

from __future__ import annotations

import errno
import os

import pytest

from tracedbg.eventlog import writing
from tracedbg.eventlog.codec import decode
from tracedbg.eventlog.log import EventLog
from tracedbg.eventlog.recordings import load
from tracedbg.eventlog.writing import RecordingFile
from tracedbg.model.errors import BadArgument
from tracedbg.model.events import LaneOpened, Note, Record, SessionEnded, StateKept
from tracedbg.model.ids import Role, Source


def _record(seq: int, text: str = "hello", t: int = 0) -> Record:
    return Record(seq, t or seq * 10, "w1", 79, Source.USER, Note(text))


@pytest.fixture
def make(tmp_path):
    """Makes files and closes them at the end; what they told stands in `told`."""
    files: list[RecordingFile] = []
    told: list[str] = []

    def one(**more: object) -> RecordingFile:
        files.append(RecordingFile(str(tmp_path / "r.jsonl"), {"title": "One"}, told.append, **more))
        return files[-1]

    one.told = told
    yield one
    for file in files:
        if not file.closed:
            file.close()


def test_what_was_put_aside_is_written_by_whoever_has_time_and_by_the_file_itself(make):
    file = make(since=20)
    for seq, t in ((1, 5), (2, 20), (3, 33)):
        file.take(_record(seq, t=t))
    file.write()
    assert [(record.seq, record.t) for record in load(file.path).records] == [(1, 0), (2, 0), (3, 13)]
    file.take(_record(4, t=50))
    file.close()
    assert [record.seq for record in load(file.path).records] == [1, 2, 3, 4]
    assert (file.events, file.bytes) == (4, os.stat(file.path).st_size)


def test_its_own_thread_writes_what_nobody_else_does(make):
    file = make()
    with open(file.path, "rb") as reader:
        reader.readline()
        file.take(_record(1))
        line, deadline = b"", 100
        while not line and deadline:  # the pace is a tenth of a second
            deadline -= 1
            file._closing.wait(0.02)
            line = reader.readline()
    assert decode(line).event == Note("hello")


def test_a_file_that_is_full_says_so_once_and_stays_readable(make):
    file = make(limit=400)
    for seq in range(1, 20):
        file.take(_record(seq, "x" * 30))
        file.write()
    file.take(Record(30, 300, "repl", 1, Source.USER, SessionEnded(True)))
    file.close()
    assert len(make.told) == 1
    assert "as large as it may be" in make.told[0]
    found = load(file.path)
    assert found.note == "the recording has no end: it had become as large as it may be"
    assert len(found.records) >= 2


def test_a_disk_that_is_full_ends_the_recording_and_not_the_session(make, monkeypatch):
    file = make()
    write = os.write

    def full(fd: int, data: bytes) -> int:
        if fd == file._fd:
            if len(data) > 50:
                return write(fd, data[:50])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, data)

    file.take(_record(1))
    file.write()
    monkeypatch.setattr(os, "write", full)
    file.take(_record(2))
    file.write()
    file.take(_record(3))
    file.write()
    assert make.told == [f"the recording {file.path} ends here: No space left on device"]
    assert [record.seq for record in load(file.path).records] == [1]


def test_memory_is_bounded_when_nobody_writes(make, monkeypatch):
    monkeypatch.setattr(writing, "_MOST_PENDING", 10)
    file = make()
    for seq in range(1, 200):
        file.take(_record(seq))
        assert len(file._pending) <= 11
    file.close()
    assert len(load(file.path).records) == 199


def test_what_is_there_is_not_replaced_without_asking_and_nothing_is_followed(make, tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text("")
    path.chmod(0o644)
    make().close()  # an empty one is replaced: mktemp made it
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(BadArgument, match="exists; name another file or remove it"):
        make()
    first = path.read_bytes()
    assert first
    path.chmod(0o644)
    file = make(force=True)
    file.take(_record(1))
    file.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(load(str(path)).records) == 1
    other = tmp_path / "other"
    other.write_text("precious")
    path.unlink()
    path.symlink_to(other)
    for force in (False, True):
        with pytest.raises(BadArgument, match="cannot be replaced"):
            make(force=force)
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(BadArgument, match="cannot be replaced"):
        make()
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(BadArgument):
        make(force=True)
    path.unlink()
    path.mkdir()
    with pytest.raises(BadArgument):
        make(force=True)
    assert other.read_text() == "precious"


def test_a_reader_that_comes_late_is_told_what_is_open_and_gets_what_is_meant_for_it_alone(make):
    log = EventLog()
    file = make()
    with log.lane("w1", Role.BENCH, 7):
        assert log.last == 0  # nobody asked for lanes
        log.publish(Note("before"))
        log.attach(
            file,
            lambda lanes, since: [
                *since(0),
                *(Record(0, 1, name, lane.tid, Source.USER, LaneOpened(name, lane.role, lane.pid)) for name, lane in lanes.items()),
            ],
        )
        log.publish(Note("between"))
        log.hand(file, StateKept(7), lane="tracee", tid=7, of=1)
        log.publish(Note("after"))
    log.publish(Note("last"))
    log.attach(file, lambda lanes, _since: [_record(100, str(dict(lanes)))])
    file.close()
    found = load(file.path).records
    kinds = [(record.seq, type(record.event).__name__) for record in sorted(found, key=lambda record: record.seq)]
    assert kinds[:6] == [(1, "Note"), (2, "LaneOpened"), (3, "Note"), (4, "StateKept"), (5, "Note"), (6, "LaneClosed")]
    assert Note("{}") in [record.event for record in found]
    # In memory there are only the others, and each can be asked for by its number.
    assert [record.seq for record in log.since(0)] == [1, 3, 5, 6, 7]
    for seq in range(8):
        assert [record.seq for record in log.since(seq)] == [number for number in (1, 3, 5, 6, 7) if number > seq]
