"""A recording cut, annotated, and with another header: what `tracedbg trim` and `tracedbg note` make of it.

Pure, any thread.  Numbers of records never change, so that what names them stays true; a record that is added gets a number after all
others.  It must not leave a record that belongs to one that is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from tracedbg.eventlog.codec import encode, header
from tracedbg.eventlog.recordings import Recording
from tracedbg.model.errors import BadArgument, NotFound
from tracedbg.model.events import (
    CallEntered,
    CallReturned,
    CommandFinished,
    LaneClosed,
    LaneOpened,
    LoopBegan,
    LoopDone,
    PredictionAnswered,
    PredictionRevealed,
    Record,
    RequestDone,
    RequestFreed,
    RequestStarted,
    SessionEnded,
    SessionStarted,
    StateKept,
    StepReached,
    TextTold,
    ThreadAsleep,
    ThreadWoken,
    TraceeBorn,
    TraceeGone,
    TraceePaused,
    TraceeResumed,
    TraceeStopped,
)
from tracedbg.model.ids import Source
from tracedbg.model.text import visible

REMARK = "remark"
"""Kind of the text that somebody added to a recording."""

SHORTEST_NS = 1_000
"""What is left of the time that was cut out."""

_ENDINGS = (
    CallReturned, RequestStarted, RequestDone, RequestFreed, CommandFinished, PredictionAnswered, PredictionRevealed, ThreadWoken, LoopDone,
)  # fmt: skip
"""Kinds that end what was begun by the record that they belong to."""


# --- cutting ----------------------------------------------------------------------------------------------------------------------
def trim(recording: Recording, first: str = "", last: str = "", without: Sequence[str] = ()) -> Recording:
    """A part of a recording.

    What goes on across a cut is kept: lanes and tracees that are there, calls and commands that are under way or end.  It stands at the
    cut, where the time that is cut out is closed.

    Args:
        recording: by time.
        first: number of the first record, or slug of the first section, that is kept; empty for the beginning.
        last: number of the last record, or slug of the last section; empty for the end.
        without: slugs of sections that are left out.

    Raises:
        NotFound: there is no such record or section.
        BadArgument: nothing would be left.
    """
    records = recording.records
    sections = _sections(records)
    begin = _place(records, sections, first)[0] if first else 0
    end = _place(records, sections, last)[1] if last else len(records)
    wanted = [begin <= index < end for index in range(len(records))]
    for slug in without:
        gone = _section(sections, slug)
        wanted[gone.start : gone.stop] = [False] * len(gone)
    if not any(want and not isinstance(record.event, SessionEnded) for want, record in zip(wanted, records, strict=True)):
        raise BadArgument("nothing would be left of the recording", "cut less of it out")
    kept = _Cutter(records, wanted).run()
    return msgspec.structs.replace(recording, records=kept, header={**recording.header, "trimmed": True})


def _sections(records: Sequence[Record]) -> dict[str, range]:
    """Where each section begins and ends, by its slug; what comes before the first belongs to none."""
    begins = [
        (index, record.event) for index, record in enumerate(records) if isinstance(record.event, StepReached) and record.event.number
    ]
    ends = [index for index, _ in begins[1:]] + [len(records)] * bool(begins)
    return {step.slug or str(step.number): range(index, end) for (index, step), end in reversed(list(zip(begins, ends, strict=True)))}


def _section(sections: dict[str, range], slug: str) -> range:
    found = sections.get(slug)
    if found is None:
        known = ", ".join(reversed(sections)) or "this recording has none"
        raise NotFound(f"there is no section {visible(slug)}", f"sections: {known}")
    return found


def _place(records: Sequence[Record], sections: dict[str, range], word: str) -> tuple[int, int]:
    """The first index of a record or section, and the one behind it."""
    if word in sections or not word.isdecimal():
        place = _section(sections, word)
        return place.start, place.stop
    index = index_of(records, int(word[:20]))
    return index, index + 1


def index_of(records: Sequence[Record], seq: int) -> int:
    """Where the record with a number stands.

    Raises:
        NotFound: there is none.
    """
    for index, record in enumerate(records):
        if record.seq == seq:
            return index
    span = f"{min(each.seq for each in records)} to {max(each.seq for each in records)}" if records else "none at all"
    raise NotFound(f"there is no record {seq}", f"numbers in this recording: {span}")


class _Cutter:
    """Chooses what is kept, and moves it in time."""

    def __init__(self, records: Sequence[Record], wanted: list[bool]) -> None:
        self._records, self._wanted = records, wanted
        self._at = {record.seq: index for index, record in reversed(list(enumerate(records)))}
        self._keep = wanted.copy()

    def run(self) -> tuple[Record, ...]:
        holes = list(_runs(self._wanted))
        for start, stop in holes:
            self._bridge(start, stop, tail=stop == len(self._records))
        self._complete()
        return tuple(self._moved())

    def _bridge(self, start: int, stop: int, tail: bool) -> None:
        """Mark what must be kept of a part that is cut out."""
        if tail:  # the recording ends here, whatever was under way
            for index in range(start, stop):
                self._keep[index] = isinstance(self._records[index].event, SessionEnded)
            return
        standing: dict[tuple[str, object], int] = {}
        for index in range(start, stop):
            self._stand(standing, index, start)
        if isinstance(self._records[stop].event, StepReached):
            standing.pop(("step", 0), None)
        for index in standing.values():
            self._keep[index] = True

    def _stand(self, standing: dict[tuple[str, object], int], index: int, start: int) -> None:
        """What still holds after the next record of the part, and what ends something that was kept."""
        record = self._records[index]
        event = record.event
        if isinstance(event, _ENDINGS):
            standing.pop(("asleep", record.of), None)
            if standing.pop(("call", record.of), None) is None and self._is_kept_before(record.of, start):
                standing["ends", index] = index
        elif isinstance(event, CallEntered | LoopBegan):
            standing["call", record.seq] = index
        elif isinstance(event, ThreadAsleep):
            if ("call", record.of) in standing or self._is_kept_before(record.of, start):
                standing["asleep", record.of] = index
        elif isinstance(event, LaneOpened):
            standing["lane", record.lane] = index
        elif isinstance(event, LaneClosed):
            if standing.pop(("lane", record.lane), None) is None:
                standing["closed", record.lane] = index
        elif isinstance(event, SessionStarted) or (isinstance(event, StepReached) and event.number == 0):
            standing["once", index] = index
        elif isinstance(event, StepReached):
            if start == 0:  # a part that begins in the middle of a section still is of that section
                standing["step", 0] = index
        else:
            self._stand_tracee(standing, index)

    def _stand_tracee(self, standing: dict[tuple[str, object], int], index: int) -> None:
        event, tid = self._records[index].event, self._records[index].tid
        if isinstance(event, TraceeBorn):
            standing["born", tid] = index
        elif isinstance(event, TraceeStopped | TraceePaused | TraceeResumed):
            standing["state", tid] = index
            standing.pop(("kept", tid), None)
        elif isinstance(event, StateKept):
            standing["kept", tid] = index
        elif isinstance(event, TraceeGone):
            for what in ("state", "kept"):
                standing.pop((what, tid), None)
            if standing.pop(("born", tid), None) is None:
                standing["gone", tid] = index

    def _is_kept_before(self, seq: int, start: int) -> bool:
        index = self._at.get(seq, start)
        return index < start and self._keep[index]

    def _complete(self) -> None:
        """What a kept record belongs to is kept, too."""
        waiting = [index for index, keep in enumerate(self._keep) if keep]
        while waiting:
            record = self._records[waiting.pop()]
            begun = self._at.get(record.of)
            if record.of and begun is not None and not self._keep[begun]:
                self._keep[begun] = True
                waiting.append(begun)

    def _moved(self) -> Iterator[Record]:
        removed = 0  # nanoseconds
        before, hole = min(0, self._records[0].t), False
        for record, wanted, keep in zip(self._records, self._wanted, self._keep, strict=True):
            if not wanted:
                hole = True
                if keep:
                    yield msgspec.structs.replace(record, t=before)
                continue
            if hole:
                removed = max(removed, record.t - before - SHORTEST_NS)
                hole = False
            before = record.t - removed
            yield record if not removed else msgspec.structs.replace(record, t=before)


def _runs(wanted: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Begin and end of each stretch that is not wanted."""
    start = -1
    for index, want in enumerate([*wanted, True]):
        if not want and start < 0:
            start = index
        elif want and start >= 0:
            yield start, index
            start = -1


# --- remarks ----------------------------------------------------------------------------------------------------------------------
def remarks(recording: Recording) -> list[tuple[int, str]]:
    """What was added to a recording: the number of the record that it is about, and the text."""
    return [(record.of, record.event.text) for record in recording.records if _is_remark(record) and isinstance(record.event, TextTold)]


def _is_remark(record: Record) -> bool:
    return isinstance(record.event, TextTold) and record.event.kind == REMARK


def remark(recording: Recording, seq: int, text: str) -> Recording:
    """Add a remark right after a record, in place of one that is there.

    Args:
        recording: by time.
        seq: number of the record that it is about.
        text: Markdown; empty takes the remark away.

    Raises:
        NotFound: there is no such record, or no remark to take away.
    """
    about = recording.records[index_of(recording.records, seq)]
    others = [record for record in recording.records if not (_is_remark(record) and record.of == seq)]
    if not text:
        if len(others) == len(recording.records):
            noted = ", ".join(str(each) for each, _ in remarks(recording)) or "this recording has none"
            raise NotFound(f"there is no note at record {seq}", f"notes stand at: {noted}")
        return msgspec.structs.replace(recording, records=tuple(others))
    number = max(record.seq for record in recording.records) + 1
    added = Record(number, about.t, "repl", 0, Source.USER, TextTold(REMARK, text), seq)
    where = index_of(others, seq) + 1
    # Readers sort by time and number: with the number after all others, it would stand behind what happened at the very same time.
    while where < len(others) and others[where].t == about.t:
        where += 1
    return msgspec.structs.replace(recording, records=(*others[:where], added, *others[where:]))


# --- the header, and writing ------------------------------------------------------------------------------------------------------
def entitle(recording: Recording, **fields: str | None) -> Recording:
    """Change fields of the header.

    Args:
        recording: any.
        fields: title, author, licence; None leaves one as it is, empty takes it away.
    """
    head = dict(recording.header)
    for name, value in fields.items():
        if value:
            head[name] = value
        elif value is not None:
            head.pop(name, None)
    return msgspec.structs.replace(recording, header=head)


def written(recording: Recording, tick: Callable[[int, int], None] | None = None) -> Iterator[bytes]:
    """The lines of its file, the end last.

    Args:
        recording: by time.
        tick: told now and then how many records of how many are written.
    """
    yield header({key: value for key, value in recording.header.items() if key not in ("format", "version", "clock")})
    total = len(recording.records)
    ends = [record for record in recording.records if isinstance(record.event, SessionEnded)]
    for number, record in enumerate(_in_order(recording.records, ends)):
        yield encode(record)
        if tick is not None and not number % 1024:
            tick(number, total)


def _in_order(records: Iterable[Record], ends: Sequence[Record]) -> Iterator[Record]:
    yield from (record for record in records if not isinstance(record.event, SessionEnded))
    yield from ends
