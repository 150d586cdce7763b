"""A player process: plays one page in a session of its own and tells how it went, as JSON lines.

Main thread of that process.  Standard input brings the job and stays open for as long as the runner lives; standard output takes the
messages.  Nothing of this may reach the programs of the lesson, so both are moved out of the way first.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import threading

import msgspec

from tracedbg.commands.runner import Runner
from tracedbg.commands.table import all_commands
from tracedbg.model.events import Detail
from tracedbg.session.session import Session

from .document import Document
from .moments import Lack, LineBegins, StepEnds, StepResult
from .player import Player

_AGAIN_S = 0.05
"""How soon the end of a play is asked for again, until it has come: a wait may begin a moment later."""
_WIDTH = 100


class Job(msgspec.Struct, frozen=True):
    """What to play.

    Args:
        document: the page; its programs are in the working directory.
        lacks: what is missing here.
        environment: for the programs of the lesson.
        folder: the private working directory; the runner removes it, and the player if the runner has gone.
        go_on: see `Player`.
        until: see `Player`.
        seconds: time limit.
    """

    document: Document
    lacks: dict[str, Lack]
    environment: dict[str, str]
    folder: str
    go_on: bool = False
    until: str = ""
    seconds: float = 60.0


class At(msgspec.Struct, frozen=True, tag="at"):
    """This line begins now."""

    line: int


class StepTold(msgspec.Struct, frozen=True, tag="step"):
    """A step is over."""

    result: StepResult


class Over(msgspec.Struct, frozen=True, tag="over"):
    """The play is over, the session closed, everything that it made gone."""


Message = At | StepTold | Over
# Text that passed `visible` is a kind of str of its own.
encode = msgspec.json.Encoder(enc_hook=str).encode
decode_message = msgspec.json.Decoder(Message).decode


class Leash:
    """A thread that ends the play when the time is over or the runner has gone.

    Args:
        player: told so, again and again until `loose`.
        fd: becomes readable (end of file) when the runner has gone.
        seconds: the time limit.
    """

    def __init__(self, player: Player, fd: int, seconds: float) -> None:
        # Set once.
        self._player, self._fd, self._seconds = player, fd, seconds
        self._wake = os.eventfd(0, os.EFD_CLOEXEC)
        self._over = threading.Event()
        self.broken = False
        """The runner has gone."""
        self._thread = threading.Thread(target=self._watch, name="leash", daemon=True)
        self._thread.start()

    def loose(self) -> None:
        """The play is over."""
        self._over.set()
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        os.close(self._wake)

    def _watch(self) -> None:
        ready, _, _ = select.select([self._fd, self._wake], [], [], self._seconds)
        if self._wake in ready:
            return
        late = f"the time limit of {self._seconds:g} s is over; a line that may wait longer ends with &"
        self.broken = bool(ready)
        why = "the runner has gone" if ready else late
        self._player.end(why)
        while not self._over.wait(_AGAIN_S):
            self._player.end(why)


def main() -> None:
    """Play the job that comes on standard input; never returns."""
    leash, results = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3) for fd in (0, 1))
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for fd in (0, 1):
        os.dup2(nothing, fd)
    _play(msgspec.json.decode(_line(leash), type=Job), leash, results)
    # Every thread has been joined and nothing is buffered: taking the interpreter down in order would only take time.
    os._exit(0)


def _line(fd: int) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        piece = os.read(fd, 1 << 16)
        if not piece:
            os._exit(1)  # the runner went before it said anything
        data += piece
    return data


def _play(job: Job, leash: int, results: int) -> None:
    def tell(message: Message) -> None:
        data = encode(message) + b"\n"
        try:
            while data:
                data = data[os.write(results, data) :]
        except BrokenPipeError:
            return  # the runner has gone; the leash ends the play

    with Session(detail=Detail.CALLS, environment=job.environment) as session:
        session.view.on = False
        player = Player(job.document, session, Runner(session, all_commands(), lambda: _WIDTH), job.lacks, go_on=job.go_on, until=job.until)
        watch = Leash(player, leash, job.seconds)
        try:
            for moment in player.play():
                if isinstance(moment, LineBegins):
                    tell(At(moment.line.line))
                elif isinstance(moment, StepEnds):
                    tell(StepTold(moment.result))
        finally:
            watch.loose()
    tell(Over())
    if watch.broken:
        shutil.rmtree(job.folder, ignore_errors=True)
