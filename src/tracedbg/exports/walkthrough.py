"""A session as the skeleton of a walkthrough: what was typed, and an expectation for each thing that it led to.

Pure, any thread.  Numbers that differ in each run become variables or shapes, and where several threads waited alike any of them may be
the one.  What the author knows and the log does not (why, and what to predict) is left to write.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

import msgspec

from tracedbg.eventlog.recordings import Recording
from tracedbg.model.errors import BadArgument
from tracedbg.model.events import (
    CallEntered,
    CallReturned,
    CommandFinished,
    ExpectJudged,
    LaneOpened,
    LineEntered,
    Looked,
    ProgramOutput,
    Record,
    StatusReported,
    StepReached,
    TextTold,
    ThreadAsleep,
    TraceeBorn,
    TraceeGone,
    TraceeResumed,
    TraceeStopped,
)
from tracedbg.model.ids import Role
from tracedbg.model.text import visible
from tracedbg.render.lines import WAIT_CALLS, line_of
from tracedbg.render.patterns import split_words

from .transcript import fenced, plain

_TYPED = ("", "do as was typed")
"""Purposes of calls that the tracer thread makes because somebody asked for just that."""

_RESUMING = (("PTRACE_CONT",), ("PTRACE_SINGLESTEP",), ("PTRACE_SYSCALL",))

_LEFT_OUT = frozenset({"quit", "q", "exit", "help", "h", "log", "why", "hint", "more", "lesson", "record"})
"""Commands about the session itself."""

_LASTING, _STANDING = frozenset({"TracerPid", "PPid", "Threads", "comm"}), frozenset({"t", "T", "Z"})
"""What a second look would find again: these facts, and these states."""

_SIGKILL = 9
_NUMBER = re.compile(r"-?\d+")
_ADDRESS = re.compile(r"0x[0-9a-f]+")
_SMALL = 300
"""From here on a number is a pid, a time or a count of something: nothing that a second run would repeat."""

_RACERS = 64
"""Lanes that are named as those of which any may have been the one."""


class Typed(msgspec.Struct):
    """A command and what followed it.

    Args:
        text: as typed.
        seq: of its line.
        failed: why, empty if it did not.
        expected: a line of a walkthrough for each thing that it led to.
    """

    text: str
    seq: int = 0
    failed: str = ""
    expected: list[str] = msgspec.field(default_factory=list)
    remarks: list[str] = msgspec.field(default_factory=list)


def walkthrough(recording: Recording) -> str:
    """The page.

    Args:
        recording: of a session, by time.

    Raises:
        BadArgument: it is of a lesson, which has a page already, or nothing was typed in it.
    """
    if any(isinstance(record.event, StepReached) for record in recording.records):
        raise BadArgument(
            "this is a recording of a lesson, and the lesson's page is its walkthrough", "record a session: tracedbg --record FILE"
        )
    commands = captured(recording.records)
    if not any(not each.failed for each in commands):
        raise BadArgument("no command of this recording could be repeated", "record a session in which something is done")
    lines = [line for each in commands for line in _written(each)]
    return "\n".join(
        [
            "---", "needs: [ptrace]", "---", "",
            f"# {plain(recording.title)}", "",
            "Say here what the reader will learn. A relative path is looked for in a folder of the walkthrough's own: name programs from",
            "the root, or put their source into a block `c tracee=NAME`.", "",
            "## What happens", "",
            "Say what to look at. A prediction about the first expectation of the block would stand here.", "",
            *fenced(lines, "tracedbg"),
            "## Try it yourself", "",
            "What could the reader change, and what would that show?", "",
        ]
    )  # fmt: skip


def captured(records: Iterable[Record]) -> list[Typed]:
    """What was typed, but for commands about the session itself, and an expectation for each thing that it led to.

    Args:
        records: of a session, by time.
    """
    records = list(records)
    launched = {record.event.pid for record in records if isinstance(record.event, TraceeBorn) and record.event.how == "launched"}
    last = max((record.t for record in records if isinstance(record.event, CommandFinished)), default=0)
    maker = _Maker(launched)
    for record in records:
        if record.t <= last or not _ending(record.event):
            maker.take(record)
    return [each for each in maker.typed if _first(each.text) not in _LEFT_OUT]


def _ending(event: object) -> bool:
    """The end of a session does that, and no line: what was launched is killed, who sleeps in a call is woken."""
    if isinstance(event, CallReturned):
        return event.errno == "EINTR"
    return isinstance(event, TraceeGone) and event.status & 0x7F == _SIGKILL


def _first(text: str) -> str:
    return (text.split(None, 1) or [""])[0]


def _written(command: Typed) -> Iterator[str]:
    yield from (f"# {visible(line)}" for line in command.remarks)
    if command.failed:
        yield f"# {visible(command.text)}: {visible(command.failed)}"
        return
    yield str(visible(command.text))
    yield from command.expected


class _Maker:
    def __init__(self, launched: set[int]) -> None:
        self._launched = launched
        self.typed: list[Typed] = []
        self._lines: dict[int, Typed] = {}
        self._names: dict[str, str] = {}  # a number as written -> the variable that holds it
        self._lab: set[str] = set()
        self._calls: dict[int, Record] = {}  # entered and not returned
        self._waits: dict[
            tuple[str, tuple[str | int, ...]], dict[int, Record]
        ] = {}  # those of the lab that may sleep, by what they wait for
        self._races: dict[int, set[str]] = {}  # seq of a call -> the lanes that raced with it
        self._actors: list[str] = []  # of the last command that was no expectation
        self._asleep: dict[int, int] = {}  # seq of a call -> seq of the record that saw it sleep
        self._made: dict[int, tuple[Typed, str]] = {}  # seq of the record -> expectation that it led to
        self._told: set[int] = set()  # seqs of answers to calls that were typed
        self._taken: dict[int, bool] = {}  # tid -> its last status was such an answer
        self._bare: set[int] = set()  # pids of programs that were launched, and that the debugger has not moved

    def take(self, record: Record) -> None:
        """The next record, by time."""
        event = record.event
        if isinstance(event, LineEntered):
            self._lines[record.seq] = typed = Typed(event.text.strip(), record.seq)
            if typed.text and not typed.text.startswith("#"):
                self.typed.append(typed)
                words = typed.text.split()
                if words[0] not in ("expect", "then"):
                    self._actors = words[1].split(",") if words[0] == "on" and len(words) > 1 else []
        elif isinstance(event, CommandFinished):
            if record.of in self._lines and not event.ok:
                self._lines[record.of].failed = event.error or "failed"
        elif isinstance(event, ExpectJudged):
            # Each event meets one line: this one has met a line that was typed.
            self._drop(event.by)
        elif isinstance(event, LaneOpened):
            self._opened(record, event)
        elif isinstance(event, TextTold):
            if self.typed and event.kind == "remark":
                self.typed[-1].remarks += event.text.splitlines()
        else:
            self._event(record)

    def _opened(self, record: Record, event: LaneOpened) -> None:
        if event.role in (Role.BENCH, Role.PUPPET, Role.REPL):
            self._lab.add(record.lane)
        if event.role is Role.PUPPET and re.fullmatch(r"\w+", record.lane):
            self._names.setdefault(str(record.tid), f"${record.lane}")
        elif event.role is Role.TRACER:
            self._names[str(record.tid)] = "$tracer"
        elif event.role is Role.REPL:
            self._names[str(event.pid)] = "$tracedbg"

    def _event(self, record: Record) -> None:
        event, lane = record.event, record.lane
        if isinstance(event, CallEntered):
            self._calls[record.seq] = record
            if event.args[:1] in _RESUMING and event.purpose not in _TYPED:
                self._bare.clear()
            if lane in self._lab and event.name in WAIT_CALLS:
                self._waits.setdefault((event.name, event.args), {})[record.seq] = record
        elif isinstance(event, CallReturned):
            entered = self._calls.pop(record.of, None)
            self._waits.get((event.name, event.args), {}).pop(record.of, None)
            slept = self._asleep.pop(record.of, 0)
            if slept in self._made and self._made[slept][0] is self.typed[-1]:
                # It was over before anything else was typed; another time it may be over before it sleeps.
                self._drop(slept)
            purpose = entered.event.purpose if entered is not None and isinstance(entered.event, CallEntered) else ""
            if event.ret in self._launched:
                self._names = {number: name for number, name in self._names.items() if name != "$tracee"}
                self._names[str(event.ret)] = "$tracee"
            if lane in self._lab or (lane == "tracer" and purpose in _TYPED):
                self._told.add(record.seq)
                self._expect(record, self._alike(record, event))
        elif isinstance(event, ThreadAsleep):
            # Later it may be a matter of luck: between two commands a sleeper can be woken before anybody has seen it sleep.
            if (lane in self._lab or lane == "tracer") and lane in self._actors:
                self._expect(record, lane, "asleep")
                self._asleep[record.of] = record.seq
        elif isinstance(event, Looked):
            facts = [(name, value) for name, value in event.fields if name in _LASTING or (name == "state" and value in _STANDING)]
            if facts:
                self._expect(record, lane, " ".join(["look", *(f"{name} {value}" for name, value in facts)]))
        else:
            self._news(record)

    def _news(self, record: Record) -> None:
        """What the program does is news of the debugger's own waiters: a stop that a typed wait has answered has a line already.

        Not the line that was typed last decides that, but who took the status: the tracer may come to it when the next line is there.
        """
        event = record.event
        if isinstance(event, StatusReported):
            self._taken[event.target] = record.of in self._told
        elif isinstance(event, TraceeResumed):
            self._taken.pop(record.tid, None)
        elif isinstance(event, TraceeBorn):
            if event.how == "launched" and self._by_hand():
                self._bare.add(event.pid)
        elif isinstance(event, (TraceeStopped, TraceeGone)):
            if not self._taken.pop(record.tid, self._by_hand()):
                self._expect(record, record.lane)
        elif isinstance(event, ProgramOutput) and not self._bare and not self._by_hand():
            self._expect(record, record.lane)

    def _drop(self, seq: int) -> None:
        """No expectation for this record."""
        typed, line = self._made.pop(seq, (None, ""))
        if typed is not None:
            typed.expected.remove(line)

    def _by_hand(self) -> bool:
        """The line typed last asks a thread or a puppet to do something, not the debugger."""
        return not self.typed or _first(self.typed[-1].text) in ("on", "launch", "thread", "puppet")

    def _alike(self, record: Record, event: CallReturned) -> str:
        """The lanes of which any might have been the one: who was in the same call, and who lost such a race before."""
        lanes = self._races.pop(record.of, {record.lane})
        if event.name in WAIT_CALLS and len(lanes) < _RACERS:
            alike = list(itertools.islice(self._waits.get((event.name, event.args), {}).values(), _RACERS))
            lanes |= {each.lane for each in alike}
            for each in alike:
                self._races[each.seq] = lanes
        return "|".join(sorted(lanes))

    def _expect(self, record: Record, lane: str, text: str = "") -> None:
        said = text or line_of(record)
        if not said or not self.typed:
            return
        line = f"expect {lane} {' '.join(self._words(said))}"
        if line == self.typed[-1].text:  # somebody expects just that
            return
        self.typed[-1].expected.append(line)
        self._made[record.seq] = (self.typed[-1], line)

    def _words(self, text: str) -> Iterator[str]:
        words = split_words(text)
        for number, word in enumerate(words):
            if word == "status":  # its words stand before it
                return
            yield self._word(word)
            if words[max(number - 1, 0)] == "-1" and word.startswith("E"):
                return  # what follows is the error in words, which the C library chooses

    def _word(self, word: str) -> str:
        if word in self._names:
            return self._names[word]
        if _ADDRESS.fullmatch(word):
            return "<addr>"
        if _NUMBER.fullmatch(word) and abs(int(word)) >= _SMALL:
            return "<n>"
        return word if re.fullmatch(r"[\w.:=+|/&-]+|\"[^\"]*\"", word) and not word.startswith("/") else "<any>"
