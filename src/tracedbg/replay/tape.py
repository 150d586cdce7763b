"""A recording with marks: where its stops, sections and kept states are, and how a place in it is named.

Pure, any thread; made once and only read afterwards.  A position is the number of records that have been told, so 0 is before the
first and `len(tape)` behind the last.  Text stays as it was recorded: whoever shows it makes it visible.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

import msgspec

from tracedbg.eventlog.recordings import Recording
from tracedbg.model.errors import BadArgument, NotFound
from tracedbg.model.events import LineEntered, Record, StateKept, StepReached, TraceeGone, TraceeResumed, TraceeStopped
from tracedbg.model.text import Shown, visible

SECOND = 1_000_000_000

_TIME = re.compile(r"([+-]?)(?:(\d{1,6}):)?(\d{1,9})(?:\.(\d{1,9}))?(s|ms)?")
_WHERE = "write the number of a record, a time (1.5s, +2s, -2s, 1:30), a section's name, start or end"


class Section(msgspec.Struct, frozen=True):
    """A step of a lesson.

    Args:
        position: of its record, which is the first to be told behind it.
        number: as in the lesson, 0 for what comes before the first step.
        slug: short name.
        heading: of the step.
    """

    position: int
    number: int
    slug: str
    heading: str


class Kept(msgspec.Struct, frozen=True):
    """A state that was kept.

    Args:
        position: from where on it is the last one: behind the stop that it belongs to.
        seq: of that stop.
        state: as kept.
    """

    position: int
    seq: int
    state: StateKept


class Tape:
    """What is played.

    Args:
        recording: by time.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.records: Sequence[Record] = recording.records
        self.sections: list[Section] = []
        self.stops: list[int] = []
        """Positions right behind a record that tells a stop or the end of a tracee."""
        self.assertions: dict[int, str] = {}
        """Expectations of a page, by the seq of their line."""
        self._index: dict[int, int] = {}
        self._resumed: dict[int, list[int]] = {}  # by process
        kept: list[int] = []
        for index, record in enumerate(self.records):
            self._index.setdefault(record.seq, index)
            event = record.event
            if isinstance(event, (TraceeStopped, TraceeGone)):
                self.stops.append(index + 1)
            elif isinstance(event, StepReached):
                self.sections.append(Section(index, event.number, event.slug, event.heading))
            elif isinstance(event, StateKept):
                kept.append(index)
            elif isinstance(event, TraceeResumed):
                self._resumed.setdefault(event.pid or record.tid, []).append(index)
            elif isinstance(event, LineEntered) and event.origin == "walkthrough" and asserts(event.text):
                self.assertions[record.seq] = event.text
        self._seqs = sorted(self._index)
        self._times = [record.t for record in self.records]
        self.kept = sorted((self._placed(index) for index in kept), key=lambda each: each.position)
        self._kept_from = [each.position for each in self.kept]

    def _placed(self, index: int) -> Kept:
        """It is written a little after its stop, but tells of the stop: whoever stands there wants to see it."""
        record = self.records[index]
        state = record.event
        assert isinstance(state, StateKept), "only these are marked"
        told = min(self._index.get(record.of, index), index)
        # What it names is the end of the run, which is told behind the stop of the thread.
        number = bisect_right(self.stops, told + 1)
        stop = self.stops[number - 1] - 1 if number else told
        event = self.records[stop].event
        if not isinstance(event, (TraceeStopped, TraceeGone)) or event.pid != state.pid or self._runs_between(state.pid, stop, told):
            stop = told
        return Kept(stop + 1, self.records[stop].seq, state)

    def _runs_between(self, pid: int, first: int, last: int) -> bool:
        resumed = self._resumed.get(pid, [])
        return bisect_left(resumed, last) > bisect_left(resumed, first)

    def __len__(self) -> int:
        """How many records there are: the last position."""
        return len(self.records)

    # --- what is at a position ------------------------------------------------------------------------------------------------
    def record(self, seq: int) -> Record | None:
        """The record with that number."""
        index = self._index.get(seq)
        return None if index is None else self.records[index]

    def last(self, position: int) -> Record | None:
        """The record that was told last."""
        return self.records[position - 1] if position else None

    def time(self, position: int) -> int:
        """When that was, nanoseconds since the log began; before the first record, the time of the first."""
        return self._times[max(position - 1, 0)] if self._times else 0

    def section(self, position: int) -> Section | None:
        """The section that was begun last."""
        number = bisect_left(self.sections, position, key=lambda section: section.position)
        return self.sections[number - 1] if number else None

    def kept_at(self, position: int) -> Kept | None:
        """The state that was kept last."""
        number = bisect_right(self._kept_from, position)
        return self.kept[number - 1] if number else None

    def resumed_since(self, kept: Kept, position: int) -> Record | None:
        """The record at which that process was let run after `kept` and before `position`; None if it has stood still."""
        resumed = self._resumed.get(kept.state.pid, [])
        number = bisect_left(resumed, kept.position)
        return self.records[resumed[number]] if number < len(resumed) and resumed[number] < position else None

    # --- from one place to another --------------------------------------------------------------------------------------------
    def stop_from(self, position: int, count: int) -> int:
        """The position `count` stops further, or back for a negative count; as far as there are stops, `position` if there are none."""
        return _moved(self.stops, position, count)

    def section_from(self, position: int, count: int) -> int:
        """The position behind the heading of the section `count` further or, for a negative count, back."""
        return _moved([section.position + 1 for section in self.sections], position, count)

    def find(self, start: int, count: int, fits: Callable[[Record], bool]) -> int | None:
        """The position behind the first record from `start` on that fits, or, for a negative count, behind the first before it.

        Args:
            start: a position; the record right before it is not looked at again.
            count: how many must fit; negative to look back.
            fits: decides.

        Returns:
            The position, None if there are not as many.
        """
        left = abs(count)
        indexes = range(start, len(self.records)) if count > 0 else range(start - 2, -1, -1)
        for index in indexes:
            if fits(self.records[index]):
                left -= 1
                if not left:
                    return index + 1
        return None

    # --- places in words ------------------------------------------------------------------------------------------------------
    def place(self, words: Sequence[str], position: int) -> int:
        """The position that `words` name, seen from `position`.

        Args:
            words: ``412`` (the record), ``1.5s``, ``1:30``, ``+2s``, ``-2s``, ``start``, ``end``, ``section 3`` or a section's name.
            position: for what is relative.

        Raises:
            BadArgument: they name no place.
            NotFound: there is no such section, or no record of that number.
        """
        text = " ".join(words)
        if not text:
            raise BadArgument("seek needs a place", _WHERE)
        if text in ("start", "end"):
            return 0 if text == "start" else len(self.records)
        if text.isascii() and text.isdecimal() and len(text) < 20:
            return self._at_seq(int(text))
        time = _TIME.fullmatch(text)
        if time and (time[1] or time[2] or time[4] or time[5]):
            return self._at_time(time, position)
        return self._at_section(words)

    def _at_seq(self, seq: int) -> int:
        if not self._seqs:
            raise NotFound("the recording has no records")
        if not self._seqs[0] <= seq <= self._seqs[-1]:
            raise NotFound(f"there is no record {seq}", f"they go from {self._seqs[0]} to {self._seqs[-1]}")
        # Numbers are missing where a part was taken out: the next one is the nearest to what was meant.
        return self._index[self._seqs[bisect_left(self._seqs, seq)]] + 1

    def _at_time(self, found: re.Match[str], position: int) -> int:
        sign, minutes, whole, part, unit = found.groups()
        part = (part or "").ljust(9, "0")
        moment = int(minutes or 0) * 60 * SECOND + int(whole) * SECOND + int(part)
        if unit == "ms":
            moment //= 1000
        if sign:
            moment = self.time(position) + (moment if sign == "+" else -moment)
        return bisect_right(self._times, moment)

    def _at_section(self, words: Sequence[str]) -> int:
        text = " ".join(words)
        if not self.sections:
            raise NotFound(f"{visible(text)} is no place, and the recording has no sections", _WHERE)
        if len(words) == 2 and words[0] == "section" and words[1].isascii() and words[1].isdecimal():
            found = [section for section in self.sections if str(section.number) == words[1]]
        else:
            low = text.casefold()
            found = [section for section in self.sections if text == section.slug]
            found = found or [
                section for section in self.sections if section.slug.startswith(text) or section.heading.casefold().startswith(low)
            ]
        if not found:
            raise NotFound(f"there is no section {visible(text)}", "info sections lists them")
        if len(found) > 1 and len({section.number for section in found}) > 1:
            raise NotFound(f"several sections begin with {visible(text)}", "info sections lists them; type more of the name")
        return found[0].position + 1


def asserts(line: str) -> bool:
    """Whether a line of a page is an expectation."""
    return line.lstrip().startswith(("expect ", "then "))


def _moved(marks: Sequence[int], position: int, count: int) -> int:
    """The mark `count` further than `position`, or the last on the way there."""
    if count > 0:
        number = bisect_right(marks, position) + count - 1
        return marks[min(number, len(marks) - 1)] if marks and marks[-1] > position else position
    number = bisect_left(marks, position) + count
    return marks[max(number, 0)] if marks and marks[0] < position else position


def seconds(nanoseconds: int) -> Shown:
    """A time as it is written in `seek`: ``1.234 s``."""
    sign = "-" if nanoseconds < 0 else ""
    whole, part = divmod(abs(nanoseconds) // 1_000_000, 1000)
    return Shown(f"{sign}{whole}.{part:03d} s")
