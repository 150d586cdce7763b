"""A page that plays beside a screen: up to the block that is asked for, and anew from the beginning whenever that is asked for.

Three kinds of threads: `player` makes each session and plays in it, `guard` gives up what takes too long, any other asks and looks.  Live
processes cannot be taken back, so what is played anew begins with a fresh session and hurries to where it was.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from tracedbg.commands.runner import Runner
from tracedbg.commands.table import all_commands
from tracedbg.eventlog.recordings import Recording
from tracedbg.eventlog.sinks import CallbackSink
from tracedbg.exports.story import Answer, Command, Happened, tell
from tracedbg.kernel import threads
from tracedbg.model.errors import InternalError, TracedbgError
from tracedbg.model.events import Detail, LaneOpened, Record
from tracedbg.model.ids import Role
from tracedbg.session.session import Session

from .document import Document
from .moments import Answered, Asking, BlockDone, BlockReady, BlockSkipped, Judged, Lack, LineDone, Moment, StepBegins
from .player import Play, Player
from .recorded import Run

Place = tuple[int, int]
"""Number of a step, from 1 on, and of a block in it, from 0 on; (2, -1) is the second step before its first block."""

State = Literal["ahead", "runs", "done"]
LIMIT_S = 25.0
"""Seconds that one block may take: an expectation waits 5 s, and a class not much longer."""
MOST = 5000
"""Records of a block that are drawn: the newest, since they are drawn anew for each frame."""
_END_S = 5.0


class Trouble(msgspec.Struct, frozen=True):
    """The play cannot go on.

    Args:
        place: the block that failed, or that did not end.
        what: in one line.
        told: what was seen instead.
    """

    place: Place
    what: str
    told: tuple[str, ...] = ()


class LivePlay:
    """One page, played as often as asked.

    Args:
        document: the page; its programs are in the working directory.
        lacks: what is missing here.
        guess: the choice (from 0 on) that is taken for a question, by its line; None for none.  Called on the player's thread.
        limit: seconds that a block may take.
    """

    def __init__(
        self, document: Document, lacks: Mapping[str, Lack], guess: Callable[[int], int | None], *, limit: float = LIMIT_S
    ) -> None:
        self._document, self._lacks, self._guess, self._limit = document, lacks, guess, limit
        self._changed: Callable[[], None] = lambda: None
        # Under the lock.
        self._turn = threading.Condition()
        self._closing = False
        self._epoch = 0
        self._allowed: Place = (0, -1)
        self._player: Player | None = None
        self._deadline = 0.0
        self._trouble: Trouble | None = None
        self._begun: dict[Place, int] = {}
        self._done: set[Place] = set()
        self._judged: dict[Place, dict[int, Judged]] = {}
        # Appended to under the lock of the log, of one session after the other; read by any thread.
        self._records: list[Record] = []
        self.roles: dict[str, Role] = {}
        # The thread that looks.
        self._drawn: dict[Place, tuple[int, int, Run]] = {}
        self._threads = [
            threading.Thread(target=self._serve, name="player", daemon=True),
            threading.Thread(target=self._watch, name="guard", daemon=True),
        ]

    # --- any thread -----------------------------------------------------------------------------------------------------------
    def start(self, changed: Callable[[], None]) -> None:
        """Begin.

        Args:
            changed: called on any thread, as often as something has happened.
        """
        self._changed = changed
        for thread in self._threads:
            thread.start()

    def allow(self, place: Place) -> None:
        """Play up to the end of this block, if that was not allowed before."""
        with self._turn:
            if place > self._allowed:
                self._allowed = place
                self._turn.notify_all()

    def restart(self, step: int) -> None:
        """Begin a new session and play it up to the beginning of a step, at once."""
        with self._turn:
            self._epoch += 1
            self._allowed, self._trouble = (step, -1), None
            self._forget()
            player = self._player
            self._turn.notify_all()
        if player is not None:
            player.end("it is played anew")

    def _forget(self) -> None:
        """Nothing has been played.  The lock is held."""
        self._begun, self._done, self._judged, self._drawn, self._deadline = {}, set(), {}, {}, 0.0
        self._records = []

    def state(self, place: Place) -> State:
        """How far a block has come."""
        with self._turn:
            return "done" if place in self._done else "runs" if place in self._begun else "ahead"

    @property
    def trouble(self) -> Trouble | None:
        """Why it does not go on."""
        return self._trouble

    def run(self, place: Place) -> Run | None:
        """What a block has made happen up to now, made from the log; None if it has not begun."""
        with self._turn:
            begin = self._begun.get(place)
            if begin is None:
                return None
            after = [other for key, other in self._begun.items() if key > place]
            records = self._records[begin : min(after, default=len(self._records))]
            judged = dict(self._judged.get(place, {}))
            known = self._drawn.get(place)
        if known is not None and known[:2] == (len(records), len(judged)):
            return known[2]
        in_order = tuple(sorted(records[-MOST:], key=lambda record: (record.t, record.seq)))
        items = [item for section in tell(Recording("", {}, in_order)).sections for item in section.items]
        run = Run([item for item in items if isinstance(item, Command | Answer | Happened)], judged, missing=max(len(records) - MOST, 0))
        with self._turn:
            self._drawn[place] = (len(records), len(judged), run)
        return run

    def close(self) -> None:
        """End: the session too, with all that it has started."""
        with self._turn:
            self._closing = True
            player = self._player
            self._turn.notify_all()
        if player is not None:
            player.end("it is over")
        for thread in self._threads:
            thread.join(_END_S)

    # --- the player's thread --------------------------------------------------------------------------------------------------
    def _serve(self) -> None:
        threads.name_here("player")
        while True:
            with self._turn:
                if self._closing:
                    return
                epoch = self._epoch
            try:
                self._play(epoch)
            except Exception as error:  # a defect, or a machine that refuses a session: the screen must hear of it and go on
                self._fail(epoch, str(error) if isinstance(error, TracedbgError) else f"internal error: {error!r}", ())
            self._changed()
            with self._turn:
                self._turn.wait_for(lambda epoch=epoch: self._closing or self._epoch != epoch)  # type: ignore[misc]  # the default binds it

    def _play(self, epoch: int) -> None:
        with Session(detail=Detail.CALLS) as session:
            sink = CallbackSink(lambda record: self._take(epoch, record), Detail.DESK)
            session.log.attach(sink)
            player = Player(self._document, session, Runner(session, all_commands()), self._lacks)
            with self._turn:
                self._player = player
            try:
                self._drive(epoch, player.play())
                if session.failure is not None:
                    raise InternalError(f"the tracer thread failed: {session.failure!r}")
            finally:
                with self._turn:
                    self._player, self._deadline = None, 0.0
                session.log.detach(sink)

    def _take(self, epoch: int, record: Record) -> None:
        """A record, under the lock of its log."""
        if epoch != self._epoch:
            return
        self._records.append(record)
        if isinstance(record.event, LaneOpened):
            self.roles[record.lane] = record.event.role
        if record.event.detail <= Detail.CALLS:
            self._changed()

    def _drive(self, epoch: int, play: Play) -> None:
        """Play as far as it is allowed, until the end or until something else is wanted."""
        step, block = 0, -1
        answer: int | None = None
        while True:
            try:
                moment = play.send(answer)
            except StopIteration:
                return
            answer = None
            if isinstance(moment, StepBegins):
                step, block = moment.number, -1
            elif isinstance(moment, BlockSkipped):
                block += 1
            elif isinstance(moment, Asking):
                if not self._wait_for(epoch, (step, block + 1)):
                    break
                answer = self._guess(moment.prediction.line)
            elif isinstance(moment, BlockReady):
                block += 1
                if not self._wait_for(epoch, (step, block)):
                    break
                self._begins(epoch, (step, block))
            else:
                self._notes(epoch, (step, block), moment)
        play.close()

    def _wait_for(self, epoch: int, place: Place) -> bool:
        """Wait until a block may be played; False if it never will be in this session."""
        with self._turn:
            self._turn.wait_for(lambda: self._closing or self._epoch != epoch or self._allowed >= place)
            return not self._closing and self._epoch == epoch

    def _begins(self, epoch: int, place: Place) -> None:
        with self._turn:
            if epoch == self._epoch:
                self._begun[place] = len(self._records)
                self._deadline = time.monotonic() + self._limit
                self._turn.notify_all()
        self._changed()

    def _notes(self, epoch: int, place: Place, moment: Moment) -> None:
        if isinstance(moment, LineDone) and moment.failure is not None:
            self._fail(epoch, f"line {moment.failure.line}: {moment.failure.asked}", moment.failure.told, place)
        with self._turn:
            if epoch != self._epoch:
                return
            if isinstance(moment, Answered):
                self._judged.setdefault(place, {})[moment.judged.line] = moment.judged
            elif isinstance(moment, BlockDone):
                self._deadline = 0.0
                if moment.ok:
                    self._done.add(place)
        self._changed()

    def _fail(self, epoch: int, what: str, told: tuple[str, ...], place: Place | None = None) -> None:
        with self._turn:
            if epoch == self._epoch and not self._closing and self._trouble is None:
                self._trouble = Trouble(place or max(self._begun, default=(max(self._allowed[0], 0), -1)), what, told)

    # --- the guard's thread ---------------------------------------------------------------------------------------------------
    def _watch(self) -> None:
        threads.name_here("guard")
        while True:
            with self._turn:
                if self._closing:
                    return
                left = self._deadline - time.monotonic() if self._deadline else None
                if left is None or left > 0:
                    self._turn.wait(left)
                    continue
                self._deadline = 0.0
                epoch, player, place = self._epoch, self._player, max(self._begun, default=(0, -1))
            self._fail(epoch, f"it has not ended within {self._limit:g} s", (), place)
            self._changed()
            if player is not None:
                player.end("it takes too long")
