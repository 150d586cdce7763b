"""A recording as a Chrome trace (JSON), for Perfetto and for long runs: a lane is a thread, a call is a slice.

Pure, any thread.  Slices of one lane nest, as the format demands; what never returned ends with the recording and says so.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from tracedbg.eventlog.recordings import Recording
from tracedbg.model.events import (
    CallEntered,
    CallReturned,
    Detail,
    LaneOpened,
    Record,
    RequestDone,
    RequestQueued,
    RequestStarted,
    StepReached,
    ThreadAsleep,
    UnknownEvent,
)
from tracedbg.model.text import visible
from tracedbg.render.lines import remembering

_PROCESS = 1
_LESSON = 0


def perfetto(recording: Recording) -> str:
    """The trace.

    Args:
        recording: by time.
    """
    maker = _Maker(str(visible(recording.title)))
    for record in recording.records:
        maker.take(record)
    maker.close(recording.records[-1].t if recording.records else 0)
    return f'{{"displayTimeUnit":"ns","traceEvents":[{",".join(maker.out)}]}}\n'


def _json(entry: dict[str, Any]) -> str:
    # At once: a hundred thousand dicts that wait to be written cost more memory than all else, and the time to look through them.
    encoded = _encoder.encode(entry)
    # msgspec writes raw UTF-8; what is only ASCII is shown alike by everything that reads it.
    return encoded.decode() if encoded.isascii() else json.dumps(entry, separators=(",", ":"))


_encoder = msgspec.json.Encoder()


class _Maker:
    def __init__(self, title: str) -> None:
        self.out: list[str] = []
        self._text = remembering()
        self._lanes: dict[str, int] = {}
        # By lane the seqs of what is open there, outermost first: as keys, so that one of them is found among a million.
        self._open: dict[int, dict[int, None]] = {}
        self._asleep: dict[int, int] = {}  # seq of a call -> lane
        self._meta("process_name", 0, name=title)

    # --- lanes ----------------------------------------------------------------------------------------------------------------
    def _meta(self, kind: str, lane: int, **args: object) -> None:
        self.out.append(_json({"ph": "M", "pid": _PROCESS, "tid": lane, "name": kind, "args": args}))

    def _lane(self, name: str) -> int:
        number = self._lanes.get(name)
        if number is None:
            number = self._lanes[name] = len(self._lanes) + 1
            self._meta("thread_name", number, name=str(visible(name)))
            self._meta("thread_sort_index", number, sort_index=number)
        return number

    def _put(self, phase: str, record: Record, lane: int, name: str, **more: object) -> None:
        self.out.append(_json({"ph": phase, "pid": _PROCESS, "tid": lane, "ts": record.t / 1e3, "name": name, **more}))

    # --- records --------------------------------------------------------------------------------------------------------------
    def take(self, record: Record) -> None:
        """The next record."""
        event = record.event
        if isinstance(event, StepReached):
            self._section(record, str(visible(event.heading)))
            return
        lane = self._lane(record.lane)
        if isinstance(event, CallEntered):
            self._begin(record, lane, str(visible(f"{event.name}({', '.join(map(str, event.args))})")), event.purpose)
        elif isinstance(event, RequestStarted):
            self._begin(record, lane, str(visible(event.text)))
            self._put("f", record, lane, "asks", id=record.of, bp="e", cat="desk")
        elif isinstance(event, (CallReturned, RequestDone)):
            self._end(record, lane)
        elif isinstance(event, RequestQueued):
            self._put("i", record, lane, str(self._text(record)), s="t")
            self._put("s", record, lane, "asks", id=record.seq, cat="desk")
        elif isinstance(event, ThreadAsleep):
            self._asleep[record.of] = lane
            self._sleepers(record)
        elif not isinstance(event, (UnknownEvent, LaneOpened)) and event.detail <= Detail.CALLS:
            text = self._text(record)
            if text is not None:
                self._put("i", record, lane, str(text), s="t")

    def _section(self, record: Record, heading: str) -> None:
        if _LESSON in self._open:
            self._put("E", record, _LESSON, "")
        else:
            self._meta("thread_name", _LESSON, name="lesson")
        self._open[_LESSON] = {record.seq: None}
        self._put("B", record, _LESSON, heading)

    def _begin(self, record: Record, lane: int, name: str, purpose: str = "") -> None:
        seq = record.of if isinstance(record.event, RequestStarted) else record.seq
        stack = self._open.setdefault(lane, {})
        stack[seq if seq not in stack else -len(self.out)] = None  # a number that is there twice must not end both
        self._put("B", record, lane, name, args={"seq": record.seq, **({"purpose": str(visible(purpose))} if purpose else {})})

    def _end(self, record: Record, lane: int) -> None:
        stack = self._open.get(lane, {})
        if record.of not in stack:
            return  # its beginning was not recorded
        # What was begun inside and never returned ends with what it is in.
        while stack:
            inner, _ = stack.popitem()
            text = self._text(record) if inner == record.of else None
            self._put("E", record, lane, "", args={"result": str(text)} if text is not None else {"result": "never returned"})
            if inner == record.of:
                break
        if self._asleep.pop(record.of, None) is not None:
            self._sleepers(record)

    def _sleepers(self, record: Record) -> None:
        self._put("C", record, 0, "asleep in a wait call", args={"threads": len(self._asleep)})

    def close(self, t: int) -> None:
        """End what is open."""
        for lane, stack in self._open.items():
            for _ in stack:
                args = {} if lane == _LESSON else {"result": "never returned"}
                self.out.append(_json({"ph": "E", "pid": _PROCESS, "tid": lane, "ts": t / 1e3, "name": "", "args": args}))
