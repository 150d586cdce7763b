"""A recording as rows of a timeline: what happened, beside it who slept where, which tracee ran, and who acted upon whom.

Pure, any thread.  It says what is drawn, not how: the page and the pictures are made from the same rows.  Text in it is as it was
recorded: whoever writes it somewhere makes it harmless for that place.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import msgspec

from tracedbg.eventlog.recordings import Recording
from tracedbg.model import events as ev
from tracedbg.model.errors import BadArgument
from tracedbg.model.ids import Role
from tracedbg.render.lines import WAIT_CALLS

from .columns import columns
from .rows import Arrow, Look, Part, Row
from .situation import Situation, Task, Under
from .story import Answer, Command, Happened, Item, Question, Revealed, Section, Told, tell

MANY_ROWS, MOST_ROWS = 2_000, 10_000
"""More rows than the first are slow to read, more than the second to open."""

_GAP = 50_000_000
"""Nanoseconds: events of one command come in bursts of less, people need more for the next."""
_LONGEST_PATTERN = 8  # a step is four or five rows
_REPEATS = 3  # from so many on they are folded
# Told by the call that follows, or told before.
_LEFT_OUT = (ev.RuleBroken, ev.LateNews)


class Timeline(msgspec.Struct, frozen=True):
    """All of it."""

    title: str
    note: str
    parts: tuple[Part, ...]
    deciding: dict[int, tuple[str, str]]


def timeline(recording: Recording) -> Timeline:
    """Make the rows of a recording.

    Args:
        recording: by time.

    Raises:
        BadArgument: there would be too many rows to open a page of.
    """
    story = tell(recording, looks=True)  # predictions are often decided by one
    rows = _Rows(recording)
    made = [(section, rows.of(section)) for section in story.sections]
    every = [row for _, each in made for row in each]
    rows.keep(every)
    count = len(every)
    if count > MOST_ROWS:
        raise BadArgument(
            f"{count:,} rows are too many for a page: {MOST_ROWS:,} at most", "take --to perfetto, or cut the recording with tracedbg trim"
        )
    parts = tuple(Part(section, tuple(each), *columns(each, rows.threads, rows.own)) for section, each in made)
    return Timeline(story.title, story.note, parts, {seq: (lane, str(text)) for seq, (lane, text) in story.deciding.items()})


class _Rows:
    """Looks at every record once, before the story is gone through."""

    def __init__(self, recording: Recording) -> None:
        self.looks: dict[int, Look] = {}
        self.entered: dict[int, ev.Record] = {}
        self.returned: dict[int, ev.Record] = {}
        self.asleep: set[int] = set()  # seqs of calls
        self.threads: dict[str, tuple[ev.LaneOpened, int]] = {}
        self.first: dict[int, str] = {}  # pid -> the lane that its queue is named by
        self.names: dict[int, str] = {}  # tid -> column
        self.met: dict[int, str] = {}
        self.kept: dict[int, ev.StateKept] = {}
        self.asked: dict[int, str] = {}  # seq of a line -> who was asked
        self.own = 0
        self._last = 0
        self._looked = False  # since the last command
        self._fold(recording.records)

    def _fold(self, records: Sequence[ev.Record]) -> None:
        now, look, line = Situation(), Look({}, {}, ()), 0
        for record in records:
            event = record.event
            self._note(record, event)
            if isinstance(event, ev.LineEntered):
                line = record.seq
            elif isinstance(event, ev.RequestQueued) and event.text != "view" and line:
                self.asked.setdefault(line, event.to)
            calls, tasks = len(now.calls), len(now.tasks)
            now.take(record)
            if calls != len(now.calls) or tasks != len(now.tasks) or isinstance(event, _CHANGES):
                look = self._look(now)
            self.looks[record.seq] = look

    def _note(self, record: ev.Record, event: ev.Event | ev.UnknownEvent) -> None:
        if isinstance(event, ev.LaneOpened):
            self.threads[record.lane] = (event, record.tid)
            self.first.setdefault(event.pid, record.lane)
            if event.role is not Role.SCREEN:
                self.names[record.tid] = record.lane
            if event.role in (Role.REPL, Role.TRACER):
                self.own = self.own or event.pid
        elif isinstance(event, ev.CallEntered):
            self.entered[record.seq] = record
        elif isinstance(event, ev.CallReturned):
            self.returned[record.of] = record
        elif isinstance(event, ev.ThreadAsleep):
            self.asleep.add(record.of)
        elif isinstance(event, (ev.TraceeBorn, ev.TraceeStopped)):
            self.names.setdefault(record.tid, record.lane if record.tid == event.pid else f"{record.lane} {record.tid}")
        elif isinstance(event, ev.ExpectJudged) and event.by:
            self.met.setdefault(event.by, event.pattern)
        elif isinstance(event, ev.StateKept):
            self.kept[record.of] = event

    def _look(self, now: Situation) -> Look:
        queues: dict[str, tuple[tuple[str, bool], ...]] = {}
        for lane, under in now.calls.items():
            if under.waits and not _polls(under.call):
                key = self.queue(lane)
                queues[key] = (*queues.get(key, ()), (lane, under.asleep is not None))
        letters = {}
        for tid, task in now.tasks.items():
            letters[self.names.get(tid, str(tid))] = _letter(task)
        return Look(queues, letters, tuple(lane for lane, under in now.calls.items() if _long(under)))

    def queue(self, lane: str) -> str:
        """Key of the wait queue of a lane's process: all of its threads share it (wait_chldexit of the signal_struct)."""
        opened = self.threads.get(lane)
        if opened is None or opened[0].pid == self.own:
            return "q:tracedbg"
        return f"q:{self.first[opened[0].pid]}"

    # --- rows -----------------------------------------------------------------------------------------------------------------
    def of(self, section: Section) -> list[Row]:
        """The rows of a section."""
        rows: list[Row] = []
        seq = next((item.seq for item in section.items if isinstance(item, Command | Question)), 0)
        for item in section.items:
            row = self._row(item, seq)
            if row is None:
                continue
            seq = row.seq
            if self._last and row.t - self._last >= _GAP and not isinstance(item, Told):
                row.gap = row.t - self._last
            self._last = max(self._last, row.t)
            rows.append(row)
        return _folded(rows)

    def keep(self, rows: Sequence[Row]) -> None:
        """Put what could be looked at beside the row of its stop, or the last one before it."""
        placed = sorted((row for row in rows if isinstance(row.item, Happened | Command) and not row.folded), key=lambda row: row.seq)
        seqs = [row.seq for row in placed]
        for seq, state in self.kept.items():
            at = bisect.bisect_right(seqs, seq) - 1
            if at >= 0:
                placed[at].kept = state

    def _row(self, item: Item, before: int) -> Row | None:
        if isinstance(item, Happened):
            return self._happened(item)
        if isinstance(item, Answer):
            command = item.command
            # What was expected is told beside the row that met it, and what was read in /proc in rows of its own.
            told = command.error or (command.answer and not command.asserts and not self._looked)
            if not told:
                return None
            return Row(before, item.t, item, "repl", "", self._at(before))
        if isinstance(item, Command):
            if item.asserts and item.ended and not item.error:
                return None
            self._looked = False
            words = item.text.split()
            to = words[1] if len(words) > 2 and words[0] == "on" and words[1] in self.threads else self.asked.get(item.seq, "")
            arrows = (Arrow("command", "repl", to),) if to in self.threads and to != "repl" else ()
            return Row(item.seq, item.t, item, "repl", "", self._at(item.seq), arrows)
        if isinstance(item, Question):
            return Row(item.seq, item.t, item, "", "", self._at(item.seq))
        return Row(item.question.by if isinstance(item, Revealed) else before, item.t, item, "", "", self._at(before))

    def _at(self, seq: int) -> Look:
        return self.looks.get(seq, Look({}, {}, ()))

    def _happened(self, item: Happened) -> Row | None:
        record, event = item.record, item.record.event
        if isinstance(event, _LEFT_OUT):
            return None
        self._looked = self._looked or isinstance(event, ev.Looked)
        look = self._at(record.seq)
        text = str(item.text)
        row = Row(record.seq, record.t, item, record.lane, text, look, expected=self.met.get(record.seq, ""))
        if isinstance(event, ev.CallEntered):
            returned = self.returned.get(record.seq)
            soon = returned is not None and returned.seq == record.seq + 1
            if _polls(event) or (soon and record.seq not in self.asleep):
                return None  # it did not sleep: one row tells it
            row.arrows = (Arrow("sleep", record.lane, self.queue(record.lane), "waits"),)
        elif isinstance(event, ev.StatusReported) and event.taken_by in self.threads and event.taken_by != record.lane:
            row.arrows = (Arrow("command", event.taken_by, record.lane, "told"),)
        elif isinstance(event, ev.ThreadWoken):
            label = f"in vain {event.in_vain}x" if event.in_vain else f"woken {event.woken}x"
            row.arrows = (Arrow("wake", self.queue(record.lane), record.lane, label),)
        elif isinstance(event, ev.CallReturned):
            entered = self.entered.get(record.of)
            if entered is not None:
                row.took = max(0, record.t - entered.t)
            row.arrows = self._call(record, event)
        return row

    def _call(self, record: ev.Record, event: ev.CallReturned) -> tuple[Arrow, ...]:
        lane = record.lane
        if event.name in WAIT_CALLS:
            queue = self.queue(lane)
            if event.errno:
                return (Arrow("refused", queue, lane, event.errno),)
            who = self.names.get(event.info.pid if event.info is not None else event.ret, "")
            told = (Arrow("report", who, queue),) if who and who != lane else ()
            return (*told, Arrow("wake", queue, lane, "takes" if who else "nothing")) if event.ret or event.info else ()
        place = 1 if event.name in ("ptrace", "tgkill") else 0
        target = event.args[place] if len(event.args) > place and event.name in _AIMED else 0
        to = self.names.get(target, "") if isinstance(target, int) else ""
        label = event.name
        if event.name == "ptrace" and event.args:
            label = str(event.args[0]).removeprefix("PTRACE_")
        elif event.name in _AIMED and len(event.args) > place + 1:
            label = str(event.args[place + 1])  # the signal
        if event.errno:
            return (Arrow("refused", lane, to if to != lane else "", event.errno),)
        if event.name in ("fork", "vfork", "clone") and event.ret:
            to = self.names.get(event.ret, "")
        return (Arrow("request", lane, to, label),) if to and to != lane else ()


_CHANGES = (ev.ThreadAsleep, ev.CallEntered, ev.CallReturned, ev.TraceeBorn, ev.TraceeStopped, ev.TraceePaused, ev.TraceeResumed,
            ev.TraceeGone, ev.LaneClosed)  # fmt: skip
_AIMED = ("ptrace", "kill", "tkill", "tgkill", "sigqueueinfo")


def _letter(task: Task) -> str:
    if task.ended:
        return "X"
    # Of one that was only born, nobody has told yet whether it has stopped.
    return "t" if task.words.startswith("stopped") else "?" if task.words.startswith("traced") else "R"


def _long(under: Under) -> bool:
    return under.waits or under.asleep is not None


def _polls(call: ev.CallEntered) -> bool:
    """It is a wait that never sleeps."""
    return any("WNOHANG" in str(arg) for arg in call.args)


def _folded(rows: list[Row]) -> list[Row]:
    """With a pattern that repeats told once, and how often."""
    keys = [(type(row.item).__name__, row.lane, row.text) if row.text else (row.seq, row.t, id(row)) for row in rows]
    out: list[Row] = []
    at = 0
    while at < len(rows):
        length, times = _repeats(keys, at)
        out += rows[at : at + length]
        if times >= _REPEATS:
            last = rows[at + length * times - 1]
            out.append(msgspec.structs.replace(last, arrows=(), expected="", kept=None, gap=0, folded=times - 1))
            at += length * times
        else:
            at += length
    return out


def _repeats(keys: Sequence[tuple[object, ...]], at: int) -> tuple[int, int]:
    """Length and count of the pattern that begins here; (1, 1) for none."""
    for length in range(1, _LONGEST_PATTERN + 1):
        pattern, times = keys[at : at + length], 1
        while len(pattern) == length and keys[at + length * times : at + length * (times + 1)] == pattern:
            times += 1
        if times >= _REPEATS:
            return length, times
    return 1, 1
