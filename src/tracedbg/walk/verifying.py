"""`tracedbg replay FILE --verify`: runs the lines of a recording here, and shows what differs.

Main thread of a process that holds no tracer.  A recording of a lesson plays that lesson; of any other the lines are run one after the
other.  Lines run on threads of their own, so that one that does not end can be interrupted.  Whatever runs, runs with one's own rights.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from typing import TextIO

from tracedbg.commands.batch import Interrupts
from tracedbg.commands.runner import Runner
from tracedbg.commands.table import all_commands
from tracedbg.eventlog.recordings import Recording, load
from tracedbg.exports.walkthrough import Typed, captured
from tracedbg.model.errors import NotHere, NotPermitted, UserError
from tracedbg.model.events import CallEntered, CommandFinished, Detail, LineEntered, Record, StepReached, TraceeResumed
from tracedbg.model.text import visible
from tracedbg.session.session import Session

from . import shipped
from .comparing import Line, alike, compared, interrupted, races
from .document import Document
from .learning_start import prepared
from .player import Player
from .reading import read

SAME, DIFFERS = 0, 1
"""Exit statuses."""

_PATIENCE_S = 1.0
"""How long what followed a line is waited for, once the line has ended."""
_LONGEST_S = 10.0
"""How long a line may take beyond twice its time in the recording."""
_WIDTH = 100


def main(path: str, out: TextIO) -> int:
    """Run the lines of a recording here and tell what differs; the exit status.

    Args:
        path: of the recording.
        out: takes the report.

    Raises:
        UserError: it is no recording, or nothing was typed in it.
        NotHere: what it needs is missing on this machine.
    """
    recording = load(path)
    if not captured(recording.records):
        raise UserError("no line of this recording can be run", "it holds none that does something; replay shows it")
    document, note = _page(recording)
    out.writelines(f"{visible(each)}\n" for each in (recording.note, note) if each)
    lacks: dict[int, str] = {}
    if document is not None:
        here = _played(document)
    else:
        here, lacks = _run(recording)
    lines = compared(recording.records, here, lacks)
    return _told(lines, out)


# --- running ------------------------------------------------------------------------------------------------------------------
def _page(recording: Recording) -> tuple[Document | None, str]:
    """The page of a lesson that is here, and what to say about it."""
    about = recording.header.get("walkthrough")
    if not isinstance(about, dict):
        return None, ""
    name = about.get("name")
    for path in shipped.lessons():
        if name in (path.name, shipped.name_of(path)):
            changed = hashlib.sha256(path.read_bytes()).hexdigest() != about.get("sha256")
            return read(path), "The page of this lesson has changed since it was recorded." if changed else ""
    return None, "The page of this recording does not come with tracedbg; its lines are run without it."


def _played(document: Document) -> list[Record]:
    """Play a lesson; its log."""
    with prepared(document) as lacks, Session(detail=Detail.DESK) as session:
        session.view.on = False
        player = Player(document, session, Runner(session, all_commands(), lambda: _WIDTH), lacks, go_on=True)
        with Interrupts(session) as interrupts:
            for _ in player.play():
                if interrupts.ending:
                    raise KeyboardInterrupt
    return _by_time(session)


def _by_time(session: Session) -> list[Record]:
    return sorted(session.log.since(0), key=lambda record: (record.t, record.seq))


def _run(recording: Recording) -> tuple[list[Record], dict[int, str]]:
    """Run the lines; the log, and by the number of a recorded line why it could not be run."""
    with Session(detail=Detail.DESK) as session:
        session.view.on = False
        lines = _Lines(session, recording)
        with Interrupts(session) as interrupts:
            lines.run(interrupts)
            if interrupts.ending:
                raise KeyboardInterrupt
    return _by_time(session), lines.missing


class _Lines:
    """The lines of a recording, run in a session.

    Args:
        session: open.
        recording: by time.
    """

    def __init__(self, session: Session, recording: Recording) -> None:
        self._session = session
        self._runner = Runner(session, all_commands(), lambda: _WIDTH)
        self._typed = captured(recording.records)
        records = recording.records
        self._begun = [(record.t, what) for record in records if (what := _begun(record))]
        self._lines = {record.seq: record for record in records if isinstance(record.event, LineEntered)}
        self._ends = {record.of: record for record in records if isinstance(record.event, CommandFinished)}
        self._steps = [record.t for record in records if isinstance(record.event, StepReached)]
        self._under_way: list[tuple[Typed, threading.Thread]] = []
        self._interrupted = interrupted(records)
        self._races = races(self._typed)
        self._ran = 0
        self.missing: dict[int, str] = {}

    def run(self, interrupts: Interrupts) -> None:
        """All of them; what rests on a line that cannot be run here is left out."""
        step, missing = -1, ""
        for number, line in enumerate(self._typed):
            if interrupts.ending or self._session.quitting:
                return
            now = sum(t <= self._lines[line.seq].t for t in self._steps)
            if now != step:
                # In a lesson all lines of a block look at one window; where blocks end is not in the recording, where steps do is.
                step, missing = now, ""
                if self._steps:
                    self._session.open_block()
            if missing:
                self.missing[line.seq] = f"it rests on '{missing}'"
                continue
            self._await(line)
            mark = self._session.log.last
            self._begin(line)
            self._reach(line, self._typed[number + 1] if number + 1 < len(self._typed) else None, mark)
            self._settle(self._typed[number + 1] if number + 1 < len(self._typed) else None, line)
            self._ran += 1
            if line.seq in self.missing:
                missing = line.text
        for line, thread in self._under_way:
            self._end(line, thread)

    def _await(self, line: Typed) -> None:
        """Wait for the lines that had ended before this one was typed."""
        for other in self._under_way[:]:
            ended = self._ends.get(other[0].seq)
            if ended is None or ended.t <= self._lines[line.seq].t:
                self._end(*other)
                self._under_way.remove(other)

    def _begin(self, line: Typed) -> None:
        event = self._lines[line.seq].event
        origin = event.origin if isinstance(event, LineEntered) else "script"

        def run() -> None:
            ok = self._runner.run_line(line.text, origin)
            error = self._session.last_error
            if not ok and error is not None and error[0] == line.text and not line.failed and _absent(line, error[1]):
                self.missing[line.seq] = str(error[1])

        thread = threading.Thread(target=run, name="repl", daemon=True)
        thread.start()
        self._under_way.append((line, thread))

    def _reach(self, line: Typed, following: Typed | None, mark: int) -> None:
        """Where a line was still under way when the next one was typed, let it come as far here: the next may depend on that.

        `interrupt` needs a program that runs, and another thread's look at a sleeper needs one that has begun its call.
        """
        if following is None:
            return
        first, last = self._lines[line.seq].t, self._lines[following.seq].t
        missing = {what for t, what in self._begun if first < t < last}
        thread = self._under_way[-1][1]

        def reached(record: Record) -> bool:
            missing.discard(_begun(record))
            return not missing or not thread.is_alive()

        if missing:
            self._session.log.until(reached, _PATIENCE_S, since=mark)

    def _settle(self, following: Typed | None, line: Typed) -> None:
        """Give what followed this line in the recording the time to follow here."""
        ended = self._ends.get(line.seq)
        if ended is not None and (following is None or ended.t <= self._lines[following.seq].t):
            self._end(line, self._under_way[-1][1])
        log = self._session.log
        mark = log.last
        if line.seq not in self.missing and not self._followed(line):
            log.until(lambda _: self._followed(line), _PATIENCE_S, since=mark)

    def _followed(self, line: Typed) -> bool:
        """All that followed the line in the recording has followed here."""
        if not line.expected:
            return True
        here = captured(_by_time(self._session))[self._ran :][:1]
        return bool(here) and all(any(alike(each, other, self._races) for other in here[0].expected) for each in line.expected)

    def _end(self, line: Typed, thread: threading.Thread) -> None:
        """Wait for the end of a line; one that was interrupted in the recording, or takes too long, is interrupted."""
        ended = self._ends.get(line.seq)
        took = (ended.t - self._lines[line.seq].t) / 1e9 if ended is not None else 0.0
        interrupted = line.seq in self._interrupted
        thread.join(min(took, _PATIENCE_S) if interrupted or ended is None else 2 * took + _LONGEST_S)
        while thread.is_alive():
            self._session.interrupt(gently=interrupted)
            thread.join(_PATIENCE_S)


def _begun(record: Record) -> str:
    """What has begun with this record: a program's run, or a call of a lane; empty if nothing has."""
    if isinstance(record.event, TraceeResumed):
        return "running"
    return f"{record.lane} {record.event.name}" if isinstance(record.event, CallEntered) and record.event.purpose == "" else ""


def _absent(line: Typed, error: Exception) -> bool:
    """A line fails for want of something: a capability, or the program that it names."""
    first = line.text.split(None, 1)[0]
    return isinstance(error, (NotHere, NotPermitted)) or (
        isinstance(error, UserError) and first in ("file", "launch", "attach", "run", "start", "starti", "set")
    )


def _told(lines: Sequence[Line], out: TextIO) -> int:
    """Write the report; the exit status."""
    for line in lines:
        if line.why_not:
            out.write(f"not here  {visible(line.text)}\n            {visible(line.why_not)}\n")
        elif line.differs:
            out.write(f"differs   {visible(line.text)}\n")
            out.writelines(f"            recorded: {visible(each)}\n" for each in line.only_recorded or ["nothing of this"])
            out.writelines(f"            here:     {visible(each)}\n" for each in line.only_here or ["nothing of this"])
        else:
            out.write(f"same      {visible(line.text)}\n")
    absent, other = sum(bool(line.why_not) for line in lines), sum(line.differs for line in lines)
    out.write(f"{len(lines)} lines: {len(lines) - absent - other} the same, {other} different, {absent} not to be compared here\n")
    return DIFFERS if other else SAME
