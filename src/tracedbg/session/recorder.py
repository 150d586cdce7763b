"""Records a session: begins and ends a recording at any time, and makes one that begins in the middle readable by itself.

Any thread may ask; the command or control thread begins and ends.  It changes nothing in the session: what is written for the recording
alone is handed to its file and to nobody else.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping

import msgspec

from tracedbg import __version__
from tracedbg.eventlog.log import EventLog, Lane
from tracedbg.eventlog.writing import RecordingFile
from tracedbg.kernel import needs
from tracedbg.kernel.witness import Witness
from tracedbg.model.errors import NotNow
from tracedbg.model.events import (
    CallEntered,
    CallReturned,
    Event,
    LaneOpened,
    LineEntered,
    Record,
    SessionEnded,
    SessionStarted,
    StepReached,
    TraceeBorn,
    TraceeStopped,
    Warned,
)
from tracedbg.model.ids import Source
from tracedbg.model.views import BookView, TraceeState

_CAPABILITIES = ("ptrace", "seize", "cc", "root", "tracefs")
"""What is told in the first line where no lesson says what it needs."""


class Wanted(msgspec.Struct, frozen=True):
    """A recording that is to be made.

    Args:
        path: absolute.
        about: more fields of its first line: title, author, licence, walkthrough, caps.
        force: replace a recording that is there.
    """

    path: str
    about: Mapping[str, object] = {}
    force: bool = False


class Written(msgspec.Struct, frozen=True):
    """How a recording stands.

    Args:
        path: of its file.
        events: written up to now.
        size: bytes.
        seconds: since it began.
    """

    path: str
    events: int
    size: int
    seconds: float


def host() -> dict[str, object]:
    """The machine, without names of it or of anybody: a field of the first line."""
    return {
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpus": os.cpu_count() or 1,
        "python": platform.python_version(),
        "tracedbg": __version__,
    }


class Recorder:
    """At most one recording at a time.

    Args:
        log: what is recorded.
        witness: knows who sleeps in a wait call.
        traced: the tracer's last view.
    """

    def __init__(self, log: EventLog, witness: Witness, traced: Callable[[], BookView]) -> None:
        # Set once.
        self._log, self._witness, self._traced = log, witness, traced
        self._turn = threading.Lock()
        # Set by the session: lines that would choose the program that is chosen, none while there is a process.
        self.chosen: Callable[[], tuple[str, ...]] = lambda: ()
        # Set by whoever plays a lesson: the page and the step that it has reached; any thread.
        self.reached: Callable[[], tuple[StepReached, ...]] = lambda: ()
        # Replaced whole.
        self.file: RecordingFile | None = None
        self._began = 0

    # --- beginning and ending -------------------------------------------------------------------------------------------------
    def start(self, wanted: Wanted) -> None:
        """Begin.

        Raises:
            NotNow: a recording is being written.
            BadArgument: the file cannot be made, or is there already.
        """
        with self._turn:
            if self.file is not None:
                raise NotNow(f"{self.file.path} is being recorded", "record stop ends that")
            columns, rows = shutil.get_terminal_size((80, 24))
            meta = {
                "started": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "title": "",
                "host": host(),
                "term": {"cols": columns, "rows": rows},
                "caps": [name for name in _CAPABILITIES if needs.probe(name).ok] if "caps" not in wanted.about else [],
                **wanted.about,
            }
            self._began = self._log.now()
            file = RecordingFile(wanted.path, meta, self._over, since=self._began, home=os.environ.get("HOME", ""), force=wanted.force)
            sleepers = {watched.seq for watched in self._witness.sleepers().values()}
            self._log.attach(file, lambda lanes, since: self._opening(lanes, since, sleepers))
            self.file = file

    def stop(self, ok: bool = True) -> Written:
        """End the recording in order.

        Args:
            ok: the last line says so: nothing was wrong with tracedbg.

        Raises:
            NotNow: nothing is recorded.
        """
        with self._turn:
            file, self.file = self.file, None
            if file is None:
                raise NotNow("nothing is recorded", "record start FILE begins")
            self._log.hand(file, SessionEnded(ok))
            self._log.detach(file)
            file.close()
            return self._written(file)

    def _over(self, why: str) -> None:
        """Nothing more can be written (a thread without locks): the learner is told, once."""
        self._log.publish(Warned(why))

    @property
    def written(self) -> Written | None:
        """How the recording stands, None if there is none; any thread."""
        file = self.file
        if file is None:
            return None
        file.write()
        return self._written(file)

    def _written(self, file: RecordingFile) -> Written:
        return Written(file.path, file.events, file.bytes, (self._log.now() - self._began) / 1e9)

    # --- what was there before ------------------------------------------------------------------------------------------------
    def _opening(self, lanes: Mapping[str, Lane], since: Callable[[int], list[Record]], sleepers: set[int]) -> Iterable[Record]:
        """What one must know who did not see the beginning: lanes, calls that sleep, tracees, the step of the lesson."""
        now = self._began

        def made(event: Event, lane: str = "repl", tid: int = 0, source: Source = Source.USER) -> Record:
            return Record(0, now, lane, tid, source, event)

        yield made(SessionStarted(__version__, platform.release(), platform.python_version()), tid=os.getpid())
        for name, lane in lanes.items():
            yield made(LaneOpened(name, lane.role, lane.pid), name, lane.tid)
        # In the file a call stands with its own number, so that its end finds it; its time is that of the beginning.
        records = since(min(sleepers) - 1) if sleepers else []
        over = {record.of for record in records if isinstance(record.event, CallReturned)}
        for record in records:
            if record.seq in sleepers - over and isinstance(record.event, CallEntered):
                yield Record(record.seq, now, record.lane, record.tid, record.source, record.event)
        for inferior in self._traced().inferiors:
            for tracee in inferior.tracees if inferior.ended is None else ():
                how = "launched" if inferior.launched else "attached"
                yield made(TraceeBorn(inferior.pid, how), "tracee", tracee.tid, Source.INFERRED)
                if tracee.state is TraceeState.STOPPED and tracee.stop is not None:
                    stopped = TraceeStopped(tracee.status, str(tracee.stop.text()), inferior.pid)
                    yield made(stopped, "tracee", tracee.tid, Source.INFERRED)
        for step in self.reached():
            yield made(step)
        for line in self.chosen():
            # As if it had been typed: whoever runs the lines of this recording again needs it.
            yield made(LineEntered(line, "script"))
