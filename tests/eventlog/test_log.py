"""One order for all threads; readers that fail, wait, or want less."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tracedbg.eventlog.codec import decode, read_header
from tracedbg.eventlog.log import EventLog
from tracedbg.eventlog.sinks import CallbackSink, FileSink
from tracedbg.model.errors import TracedbgError
from tracedbg.model.events import Detail, Note, PolicyChanged, Record, SessionEnded, Warned
from tracedbg.model.ids import Role


def test_one_order_for_many_threads() -> None:
    log = EventLog()
    seen: list[Record] = []
    log.attach(CallbackSink(seen.append))

    def write(name: str) -> None:
        with log.lane(name, Role.BENCH, 1):
            for number in range(200):
                log.publish(Note(f"{name} {number}"))

    threads = [threading.Thread(target=write, args=(f"w{index}",)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = log.since(0)
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert seen == records
    assert [record.t for record in records] == sorted(record.t for record in records)
    for index in range(8):
        own = [record.event for record in records if record.lane == f"w{index}"]
        assert own == [Note(f"w{index} {number}") for number in range(200)]


def test_until_looks_at_the_past_first_and_then_waits() -> None:
    log = EventLog()
    log.publish(Note("old"))
    assert log.until(lambda record: record.event == Note("old"), 0) is not None
    assert log.until(lambda record: record.event == Note("old"), 0.01, since=log.last) is None
    found: list[Record | None] = []
    waiting = threading.Event()

    def wait() -> None:
        waiting.set()
        found.append(log.until(lambda record: record.event == Note("new"), 10, since=log.last))

    thread = threading.Thread(target=wait)
    thread.start()
    waiting.wait()
    for number in range(50):
        log.publish(Note(f"other {number}"))
    log.publish(Note("new"))
    thread.join()
    # The thread may have read `last` after the event it waits for: then its deadline would have come; it is far away.
    assert found[0] is not None


def test_what_nobody_asks_for_is_not_made() -> None:
    log = EventLog(detail=Detail.NEWS)
    assert log.publish(PolicyChanged("waiters", "a test")) == 0
    assert not log.wants(Detail.CALLS)
    sink = CallbackSink(lambda _record: None, Detail.DESK)
    log.attach(sink)
    assert log.publish(PolicyChanged("waiters", "a test")) == 1
    log.detach(sink)
    assert log.publish(PolicyChanged("nobody", "a test")) == 0


def test_a_reader_that_fails_is_removed_and_that_is_news() -> None:
    log = EventLog()
    good: list[Record] = []

    def fail(_record: Record) -> None:
        raise ValueError("broken reader")

    log.attach(CallbackSink(fail))
    log.attach(CallbackSink(good.append))
    log.publish(Note("one"))
    log.publish(Note("two"))
    assert [record.event for record in good if isinstance(record.event, Note)] == [Note("one"), Note("two")]
    assert sum(isinstance(record.event, Warned) for record in log.since(0)) == 1


def test_memory_is_bounded_and_says_so() -> None:
    log = EventLog(capacity=100)
    for number in range(1000):
        log.publish(Note(str(number)))
    records = log.since(0)
    assert len(records) <= 101
    assert [record.seq for record in records] == list(range(records[0].seq, log.last + 1))
    assert any(isinstance(record.event, Note) and "no longer in memory" in record.event.text for record in records)
    assert log.since(log.last - 1)[-1].event == Note("999")


def test_a_file_holds_whole_lines_while_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog()
    sink = FileSink(str(path), {"title": "test"})
    log.attach(sink)
    for number in range(20):
        log.publish(Note(f"line\n{number}"))
        lines = path.read_bytes().splitlines(keepends=True)
        assert len(lines) == number + 2
        assert decode(lines[-1]).event == Note(f"line\n{number}")
    assert path.stat().st_mode & 0o777 == 0o600
    read_header(path.read_bytes().splitlines()[0])
    sink.close()
    log.publish(Note("after"))
    assert len(path.read_bytes().splitlines()) == 21


def test_a_file_has_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog()
    sink = FileSink(str(path), {}, limit=500)
    log.attach(sink)
    for _ in range(100):
        log.publish(Note("x" * 40))
    log.publish(SessionEnded(True))
    sink.close()
    text = path.read_bytes()
    assert len(text) < 1000
    assert b'"ev":"limit"' in text.splitlines()[-1]


def test_errors_say_what_and_what_to_do_in_one_printable_line() -> None:
    error = TracedbgError("a \x1b name", "do \u202e this")
    assert str(error).isprintable()
    with pytest.raises(TracedbgError, match="do"):
        raise error
