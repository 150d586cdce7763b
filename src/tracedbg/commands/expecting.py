"""`expect` and `then`: wait for an event of the log, or make sure that none comes.

Handlers run on the command thread and wait there, on the log alone; nothing here sleeps or asks the tracer.  Patterns are matched
by `render.patterns` against the canonical lines of `render.lines`.
"""

from __future__ import annotations

import time
from typing import Annotated

import msgspec

from tracedbg.lang.params import PatternText
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import Failed
from tracedbg.model.events import CallReturned, CommandFinished, Detail, ExpectJudged, LineEntered, Record, UnknownEvent
from tracedbg.model.text import Shown, visible
from tracedbg.render.lines import WAIT_CALLS, line_of
from tracedbg.render.patterns import Pattern
from tracedbg.session.session import Session

table = CommandTable("expecting", "Waiting for events, in lessons and tests")

PATIENCE_S = 5.0
"""How long a line waits for its event unless it says `within`."""
SILENCE_S = 0.5
"""How long `expect not` listens unless it says `within`."""
_SHOWN = 40
"""Events of the window that a failure lists at most: the newest."""


class Met(msgspec.Struct, frozen=True):
    """An expectation that was met.

    Args:
        lane: of the event, empty when none was to come.
        text: its canonical line.
        captured: what the pattern set.
        seq: of the record, 0 when none was to come.
    """

    lane: str
    text: Shown
    captured: tuple[tuple[str, str], ...] = ()
    seq: int = 0

    def lines(self, width: int) -> list[Shown]:
        """What was seen, and each variable that it set."""
        out = [visible(f"met: {self.lane}  {self.text}" if self.lane else self.text)]
        return out + [visible(f"${name} = {value}") for name, value in self.captured]


class ExpectationFailed(Failed):
    """An expectation that was not met.

    Args:
        what: the line and how it went, with the closest event.
        todo: what to do next; empty where only the reader can tell.
        details: what was seen instead, line by line, to be shown below the line itself.
    """

    def __init__(self, what: str, todo: str, details: tuple[Shown, ...]) -> None:
        super().__init__(what, todo)
        self.details = details


def candidate(record: Record) -> Shown | None:
    """The text that an expectation may match, None for records that are no events of the program or of our threads.

    Lines typed and their answers are text on a screen, and the pattern itself would be found in them; what is made only at the
    level `desk` must not decide whether an expectation is met.
    """
    event = record.event
    if isinstance(event, (LineEntered, CommandFinished, UnknownEvent)) or event.detail >= Detail.DESK:
        return None
    return line_of(record)


@table.add("expect")
def expect(session: Session, pattern: Annotated[PatternText, "a lane, then words that its line has in this order"]) -> Met:
    """Wait until an event matches, or make sure that none does.

    All events since the block of commands began are looked at, so an event that came before this line counts. Each event meets
    one line only. `<name:pid>` takes a word of that shape and sets `$name`; `$name+1` is one more. Without `within` a line waits
    5 s, `expect not` listens 0.5 s.

    In the kernel: nothing is called; events are what the threads of tracedbg have reported about their own calls, and what was
    read in /proc.

    Example: expect w1 wait4 = $tracee stopped SIGTRAP
    """
    return _judge(session, "expect", pattern, since=session.block_start)


@table.add("then")
def then(session: Session, pattern: Annotated[PatternText, "a lane, then words that its line has in this order"]) -> Met:
    """Like `expect`, but the event must come after the one that the line before this one has met.

    What comes after a request comes after its beginning: the program may act before the request has returned.

    In the kernel: nothing is called. The order is that in which the threads of tracedbg came to the log.

    Example: then w1 ptrace = -1 ESRCH
    """
    return _judge(session, "then", pattern, since=max(session.block_start, session.matched_at))


def _judge(session: Session, verb: str, text: str, *, since: int) -> Met:
    pattern = Pattern.parse(text)
    pattern.check(session.variables)
    if pattern.negate:
        since = max(since, session.matched_at)
    patience = pattern.within if pattern.within is not None else SILENCE_S if pattern.negate else PATIENCE_S
    began = time.monotonic()
    found, captured = _wait(session, pattern, patience, since)
    waited = time.monotonic() - began
    ok = (found is None) if pattern.negate else (found is not None)
    event = ExpectJudged(f"{verb} {text}", ok, found.seq if found else 0, round(waited * 1000))
    session.log.publish(event)
    if not ok:
        raise _failure(session, verb, pattern, found, waited, since)
    if found is None:
        return Met("", visible(f"not seen in {waited:.1f} s, as expected"))
    session.matched.add(found.seq)
    session.matched_at = _when(found)
    session.variables.update(captured)
    line = candidate(found)
    assert line is not None, "only candidates match"
    return Met(found.lane, line, tuple(captured.items()), found.seq)


def _when(record: Record) -> int:
    """The place in the log after which the consequences of an event are to be found.

    A request takes effect while it is being made: the tracee may have run and another thread may have told its end before the
    requesting thread comes to the log again.  So what follows a call follows its beginning; a wait call takes effect when it returns.
    """
    event = record.event
    instant = isinstance(event, CallReturned) and event.name not in WAIT_CALLS
    return record.of if instant and record.of else record.seq


def _wait(session: Session, pattern: Pattern, patience: float, since: int) -> tuple[Record | None, dict[str, str]]:
    """The first record that matches and has not met another line."""
    captured: dict[str, str] = {}

    def wanted(record: Record) -> bool:
        if session.given_up:
            return True
        text = candidate(record)
        if text is None or record.seq in session.matched:  # `expect not` looks from the beginning of the last matched call on
            return False
        found = pattern.match(record.lane, text, session.variables)
        if found is None:
            return False
        captured.update(found)
        return True

    session.given_up, session.expecting = False, True
    try:
        found = session.log.until(wanted, patience, since=since)
    finally:
        session.expecting = False
    if session.given_up:
        raise Failed(f"the expectation was given up: {pattern.text}", "the log shows what has happened: log last 20")
    return found, captured


def _failure(session: Session, verb: str, pattern: Pattern, found: Record | None, waited: float, since: int) -> ExpectationFailed:
    line = f"{verb} {pattern.text}"
    if found is not None:
        what = f"{line}: seen after {waited:.1f} s: {_told(found)}"
        seen = (visible(f"  seen after {waited:.1f} s, and it was not to come:"), visible(f"    {_told(found)}"))
        return ExpectationFailed(what, "it was not to come", (*seen, *_window(session)))
    best, score = _closest(session, pattern, since)
    what = f"{line}: waited {waited:.1f} s"
    details: list[Shown] = []
    if best is None:
        what += "; nothing has happened since the block began"
        details.append(visible(f"  waited {waited:.1f} s; nothing has happened since the block began"))
    else:
        what += f"; closest event, {score} of {pattern.size} words: {_told(best)}"
        details.append(visible(f"  waited {waited:.1f} s; closest event: {score} of {pattern.size} words"))
        met = "  (it has met another line)" if best.seq in session.matched else ""
        details.append(visible(f"    {_told(best)}{met}"))
    return ExpectationFailed(what, "", (*details, *_window(session)))


def _window(session: Session) -> list[Shown]:
    """Every event since the block began."""
    told = [_told(record) for record in session.log.since(session.block_start) if candidate(record) is not None]
    if not told:
        return []
    hidden = len(told) - _SHOWN
    out = [Shown("  everything since the block began:")]
    if hidden > 0:
        out.append(visible(f"    ({hidden} events before these)"))
    return out + [visible(f"    {text}") for text in told[-_SHOWN:]]


def _closest(session: Session, pattern: Pattern, since: int) -> tuple[Record | None, int]:
    """The event with the most words of the pattern, the newest of several."""
    best, most = None, -1
    for record in session.log.since(since):
        text = candidate(record)
        if text is None:
            continue
        score = pattern.closeness(record.lane, text, session.variables)
        if score >= most:
            best, most = record, score
    return best, most


def _told(record: Record) -> Shown:
    return visible(f"{record.lane}  {candidate(record)}")
