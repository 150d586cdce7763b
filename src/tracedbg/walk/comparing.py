"""Two sittings with the same lines side by side: what each line led to there and here, without what differs in every run.

Pure, any thread.
"""

from __future__ import annotations

import difflib
import re
import signal
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from tracedbg.exports.walkthrough import Typed, captured
from tracedbg.model.events import BlockLeftOut, CommandFinished, LineEntered, Record, TraceeStopped

_NEAR = 4
"""Lines by which an event may come earlier or later without being another one."""
_ANSWERED = re.compile(
    r"(b|backtrace|br|break|bt|c|cont|continue|down|f|fin|finish|frame|l|list|n|next|ni|nexti|p|print|ptype|r|run|s|si|start|starti|step|"
    r"stepi|tbreak|until|up|whatis|where|x|info (args|break|breakpoints|frame|line|locals|symbol|source))(/\S+)?( |$)"
)
"""Commands whose answers say something about the program."""
_WAIT = re.compile(r"on (\S+) (wait\w+ .*)")
_WORDS = ("answer: ", "failed: ", "the line", "it went")
"""Differences that are no events."""
_SIGINT = signal.SIGINT << 8 | 0x7F
"""The status of a stop before its delivery."""
_ANEW = re.compile(r"(r|run|start|starti|attach|launch|kill)( |$)")
_CHANGING = re.compile(r"0x[0-9a-f]+|\d{3,}|(?<=at )\S*/|(?<=from )\S*/|\"[^\"]*/[^\"]*\"")
"""In an answer: addresses, pids and large numbers, folders."""


class Line(msgspec.Struct):
    """A line in the recording, and here.

    Args:
        recorded: None for one that was run here only.
        here: None for one that was not run here.
        why_not: why it is not compared, empty if it is.
        only_recorded: what it led to there only.
        only_here: what it led to here only.
    """

    recorded: Typed | None
    here: Typed | None
    why_not: str = ""
    only_recorded: list[str] = msgspec.field(default_factory=list)
    only_here: list[str] = msgspec.field(default_factory=list)

    @property
    def text(self) -> str:
        """As it was typed."""
        line = self.recorded or self.here
        return line.text if line is not None else ""

    @property
    def differs(self) -> bool:
        """It led to something else."""
        return not self.why_not and bool(self.only_recorded or self.only_here)


def compared(recorded: Sequence[Record], here: Sequence[Record], missing: Mapping[int, str]) -> list[Line]:
    """Put the lines of two sittings side by side, and what each led to.

    Args:
        recorded: the records of the recording, by time.
        here: those of its lines run here, by time.
        missing: by the number of a recorded line, why it could not be run here.
    """
    ours, theirs = captured(here), captured(recorded)
    lines = [Line(*pair) for pair in _pairs(theirs, ours)]
    answers, said = _answers(recorded), _answers(here)
    left_out = next((f"{event.need}: {event.reason}" for record in here if isinstance(event := record.event, BlockLeftOut)), "")
    ended_early = interrupted(recorded)
    racing = races(theirs)
    by_chance = False  # where a program stands that was interrupted
    added = any(isinstance(record.event, BlockLeftOut) for record in recorded)
    for line in lines:
        if line.recorded is not None and line.recorded.seq in missing:
            line.why_not = missing[line.recorded.seq]
        elif line.here is None:
            line.why_not = f"it needs {left_out}" if left_out else "it was not run here"
            if not left_out:
                line.why_not, line.only_recorded = "", ["the line itself"]
        elif line.recorded is None:
            if added:
                line.why_not = "where it was recorded, something that it needs was missing"
            else:
                line.only_here = ["the line itself"]
        else:
            by_chance = (by_chance and not _ANEW.match(line.text)) or line.recorded.seq in ended_early
            _compare(line, line.recorded, line.here, racing)
            if by_chance:  # how far the program had come by then is a matter of time
                line.only_recorded = [each for each in line.only_recorded if " wrote " not in each]
                line.only_here = [each for each in line.only_here if " wrote " not in each]
            if not by_chance and _ANSWERED.match(line.text):
                _compare_answers(line, answers.get(line.recorded.seq, ()), said.get(line.here.seq, ()))
    _settle_neighbours(lines, racing)
    for line in lines:
        if line.text.startswith(("expect ", "then ")):  # what it waited for is said by its verdict
            line.only_recorded = [each for each in line.only_recorded if each.startswith(_WORDS)]
            line.only_here = [each for each in line.only_here if each.startswith(_WORDS)]
    return lines


def _pairs(recorded: list[Typed], here: list[Typed]) -> Iterator[tuple[Typed | None, Typed | None]]:
    """The same lines beside each other, in order."""
    matcher = difflib.SequenceMatcher(None, [line.text for line in recorded], [line.text for line in here], autojunk=False)
    for _, first, last, our_first, our_last in matcher.get_opcodes():
        if recorded[first:last] and [line.text for line in recorded[first:last]] == [line.text for line in here[our_first:our_last]]:
            yield from zip(recorded[first:last], here[our_first:our_last], strict=True)
        else:
            yield from ((line, None) for line in recorded[first:last])
            yield from ((None, line) for line in here[our_first:our_last])


def _answers(records: Sequence[Record]) -> dict[int, tuple[str, ...]]:
    """What was answered, by the number of the line."""
    return {record.of: record.event.lines for record in records if isinstance(record.event, CommandFinished)}


def _compare(line: Line, recorded: Typed, here: Typed, races: Mapping[str, set[str]]) -> None:
    """What a line led to; to be seen asleep is a matter of time and does not count."""
    if bool(recorded.failed) != bool(here.failed):
        line.only_recorded.append(f"failed: {recorded.failed}" if recorded.failed else "it went well")
        line.only_here.append(f"failed: {here.failed}" if here.failed else "it went well")
        return
    rest = list(here.expected)
    for each in recorded.expected:
        found = next((other for other in rest if alike(each, other, races)), None)
        if found is not None:
            rest.remove(found)
        elif not each.endswith(" asleep"):
            line.only_recorded.append(each.removeprefix("expect "))
    line.only_here += [each.removeprefix("expect ") for each in rest if not each.endswith(" asleep")]


def _compare_answers(line: Line, recorded: Sequence[str], here: Sequence[str]) -> None:
    before, after = ([_CHANGING.sub("#", text) for text in each] for each in (recorded, here))
    line.only_recorded += [f"answer: {text}" for text in before if text not in after]
    line.only_here += [f"answer: {text}" for text in after if text not in before]


def races(lines: Sequence[Typed]) -> dict[str, set[str]]:
    """For each lane those that made the same wait call: any of them may be the one whose call is answered."""
    callers: dict[str, set[str]] = {}
    for line in lines:
        found = _WAIT.match(line.text)
        if found:
            callers.setdefault(found[2].strip(" &"), set()).update(found[1].split(","))
    races: dict[str, set[str]] = {}
    for lanes in callers.values():
        for lane in lanes:
            races.setdefault(lane, set()).update(lanes)
    return races


def alike(expected: str, other: str, races: Mapping[str, set[str]]) -> bool:
    """Two expectations of the same thing: where any of several lanes may be the one, one in common is enough."""
    if expected == other:
        return True
    one, two = expected.split(" ", 2), other.split(" ", 2)
    if len(one) < 3 or len(two) < 3:
        return False
    (_, lanes, words), (_, others, rest) = one, two
    if words != rest or not words.startswith("wait"):
        return False
    mine = {each for lane in lanes.split("|") for each in races.get(lane, {lane})}
    return not mine.isdisjoint(others.split("|"))


def _settle_neighbours(lines: list[Line], races: Mapping[str, set[str]]) -> None:
    """What came with one line there and with a line nearby here is the same thing, a little earlier or later."""
    for number, line in enumerate(lines):
        for each in [each for each in line.only_recorded if not each.startswith(_WORDS)]:
            for other in lines[max(0, number - _NEAR) : number + _NEAR + 1]:
                found = next((mine for mine in other.only_here if alike(f"expect {each}", f"expect {mine}", races)), None)
                if found is not None:
                    other.only_here.remove(found)
                    line.only_recorded.remove(each)
                    break


def interrupted(records: Sequence[Record]) -> set[int]:
    """The lines that somebody ended with Ctrl-C or `interrupt`, by their numbers."""
    begun = {record.seq: record.t for record in records if isinstance(record.event, LineEntered)}
    stops = [
        record.t
        for record in records
        if isinstance(event := record.event, TraceeStopped) and ("interrupted" in event.meaning or event.status == _SIGINT)
    ]
    return {
        record.of
        for record in records
        if isinstance(record.event, CommandFinished) and any(begun.get(record.of, record.t) < t < record.t for t in stops)
    }
