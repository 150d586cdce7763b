"""Plays pages in processes of their own, within a time limit, and leaves nothing of them behind.

`Keeper.play` belongs to any thread of a process that holds no tracer (several may play at the same time).  It must not interpret what
the players tell, beyond keeping it.
"""

from __future__ import annotations

import itertools
import os
import select
import shutil
import tempfile
import threading
import time
from typing import Self

import msgspec

from tracedbg.kernel import procfs
from tracedbg.kernel.reap import Child, Reaper
from tracedbg.model.errors import Failed, NotHere
from tracedbg.model.ids import Pid
from tracedbg.model.text import visible

from . import compiling, worker
from .capabilities import Capabilities
from .document import Document
from .moments import Failure, Lack, StepResult
from .nursery import Nursery

_GRACE_S = 10.0
"""How much later than its time limit a player is killed that has not ended by itself."""
_VARIABLE = "TRACEDBG_PLAY"
"""In the environment of everything that a play starts, with a value of its own: so leftovers are known by it."""
_ERRORS = 8192
"""Bytes of a player's standard error that are kept: the newest."""
_LOOK_S = 0.25
"""How soon a cancelled play is noticed."""


class Played(msgspec.Struct, frozen=True):
    """How a page went.

    Args:
        document: the page.
        steps: results, in file order; a failure outside of every step stands in one with an empty slug.
        lacks: why the whole page was not played; empty if it was.
        not_run: slugs of steps with blocks that were not reached after a failure.
        seconds: how long it took.
        left: how many processes were still there when the player had ended, and were killed.
    """

    document: Document
    steps: tuple[StepResult, ...]
    lacks: tuple[Lack, ...] = ()
    not_run: tuple[str, ...] = ()
    seconds: float = 0.0
    left: int = 0

    @property
    def failures(self) -> list[Failure]:
        """All of them, in order."""
        return [failure for step in self.steps for failure in step.failures]


class Keeper:
    """Plays pages.

    A context manager: afterwards nothing that was started is left.

    Args:
        without: capabilities that are to be taken for missing.

    Raises:
        BadArgument: one of them is not on the list.
    """

    def __init__(self, without: tuple[str, ...] = ()) -> None:
        self._reaper = Reaper()
        self.capabilities = Capabilities(self._reaper, without)
        self._numbers = itertools.count(1)
        # Any thread.
        self._cancelled = False
        # Under the lock.
        self._lock = threading.Lock()
        self._nursery: Nursery | None = None

    def __enter__(self) -> Self:
        self._reaper.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()
        if self._nursery is not None:
            self._nursery.close()
        self._reaper.__exit__()

    def cancel(self) -> None:
        """End every play that is under way and refuse further ones; any thread."""
        self._cancelled = True

    def play(self, document: Document, *, go_on: bool = False, until: str = "") -> Played:
        """Play a page to its end.

        Args:
            document: the page.
            go_on: also after a failure.
            until: slug of the last step to play.
        """
        began = time.monotonic()
        lacks = self._lacks(document)
        whole = tuple(lacks[need] for need in document.needs if need in lacks)
        if whole:
            return Played(document, (), whole, seconds=time.monotonic() - began)
        folder = tempfile.mkdtemp(prefix="tracedbg-")
        try:
            return _Play(self, document, folder, lacks, go_on=go_on, until=until).result(began)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _lacks(self, document: Document) -> dict[str, Lack]:
        with self._lock:
            return self.capabilities.lacks(document.all_needs)

    # --- for a play -----------------------------------------------------------------------------------------------------------
    @property
    def reaper(self) -> Reaper:
        """Starts and ends processes."""
        return self._reaper

    @property
    def cancelled(self) -> bool:
        """Plays are to end."""
        return self._cancelled

    def token(self) -> str:
        """A value for `_VARIABLE` that no other play has."""
        return f"{os.getpid()}-{next(self._numbers)}"

    def player(self, folder: str, stdio: tuple[int, int, int]) -> Child:
        """A new process that will play what it is told on its standard input.

        Raises:
            Failed: none can be made.
        """
        with self._lock:
            if self._nursery is None:
                self._nursery = Nursery(self._reaper, {**os.environ, _VARIABLE: f"{os.getpid()}-0"})
            return self._nursery.player(folder, stdio)


class _Play:
    """One play of one page."""

    def __init__(self, keeper: Keeper, document: Document, folder: str, lacks: dict[str, Lack], *, go_on: bool, until: str) -> None:
        self._keeper, self._document, self._folder = keeper, document, folder
        self._token = keeper.token()
        environment = {**os.environ, _VARIABLE: self._token}
        self._job = worker.Job(document, lacks, environment, folder, go_on, until, document.timeout)
        self._deadline = time.monotonic() + document.timeout + _GRACE_S
        self._steps: list[StepResult] = []
        self._at = 0
        self._over = False
        self._late = False
        self._data = self._errors = b""

    def result(self, began: float) -> Played:
        """Compile, play, clear up."""
        left = 0
        try:
            self._steps += [
                _outside(self._document, each) for each in compiling.compile_all(self._document, self._folder, self._keeper.reaper)
            ]
            if not self._steps:
                left = self._play()
        except (NotHere, Failed) as error:
            self._steps.append(_outside(self._document, Failure(1, self._document.path, (f"  {error}",))))
        played = {step.slug for step in self._steps}
        wanted = [step.slug for step in self._document.steps if step.blocks]
        if self._job.until in wanted:
            wanted = wanted[: wanted.index(self._job.until) + 1]
        not_run = tuple(slug for slug in wanted if slug not in played)
        return Played(self._document, tuple(self._steps), (), not_run, time.monotonic() - began, left)

    def _play(self) -> int:
        """Start a player and hear it to its end; how many processes it left."""
        (leash_read, leash), (results, results_write), (errors, errors_write) = (os.pipe2(os.O_CLOEXEC) for _ in range(3))
        for fd in (leash, results, errors):
            os.set_blocking(fd, False)
        try:
            try:
                child = self._keeper.player(self._folder, (leash_read, results_write, errors_write))
            finally:
                for fd in (leash_read, results_write, errors_write):
                    os.close(fd)
            try:
                self._hear(child, leash, results, errors)
            finally:
                self._keeper.reaper.end(child)
                # Its last words; later ones can only come from what it left behind.
                for fd in (results, errors):
                    self._drain(results, errors, fd)
                left = self._clear_up()
                child.close()
        finally:
            for fd in (leash, results, errors):
                os.close(fd)
        if not self._over:
            self._cut_short(child)
        return left

    # --- hearing --------------------------------------------------------------------------------------------------------------
    def _hear(self, child: Child, leash: int, results: int, errors: int) -> None:
        """Hand the job over and take in what the player tells, until it has ended or must be ended."""
        job = worker.encode(self._job) + b"\n"
        poll = select.poll()
        poll.register(leash, select.POLLOUT)
        for fd in (results, errors, child.gone_fd):
            poll.register(fd, select.POLLIN)
        while not self._keeper.cancelled:
            left = self._deadline - time.monotonic()
            if left <= 0:
                self._late = True
                return
            for fd, _event in poll.poll(min(left, _LOOK_S) * 1000):
                if fd == child.gone_fd:
                    return
                if fd == leash:
                    job = _written(leash, job)
                    done = not job
                else:
                    done = not self._drain(results, errors, fd)
                if done:
                    poll.unregister(fd)

    def _drain(self, results: int, errors: int, fd: int) -> bool:
        """Take what can be read of one pipe; False at the end of the file."""
        data = _available(fd)
        if fd == errors:
            self._errors = (self._errors + (data or b""))[-_ERRORS:]
        elif data:
            *lines, self._data = (self._data + data).split(b"\n")
            for line in lines:
                self._take(worker.decode_message(line))
        return data is not None

    def _take(self, message: worker.Message) -> None:
        if isinstance(message, worker.At):
            self._at = message.line
        elif isinstance(message, worker.StepTold):
            self._steps.append(message.result)
        else:
            self._over = True

    # --- the end --------------------------------------------------------------------------------------------------------------
    def _clear_up(self) -> int:
        """Kill what the player left; how many processes that were."""
        mark = f"{_VARIABLE}={self._token}".encode()
        found: set[Pid] = set()

        def ours(pid: Pid) -> bool:
            mine = pid in found or mark in (procfs.read_file(f"/proc/{pid}/environ") or b"").split(b"\0")
            if mine:
                found.add(pid)
            return mine

        self._keeper.reaper.end_all(ours)
        return len(found)

    def _cut_short(self, child: Child) -> None:
        """The player did not come to its end: say how, at the line where it was."""
        if self._keeper.cancelled:
            how = "the play was cancelled"
        elif self._late:
            how = f"it did not end within {self._document.timeout:g} s and was killed"
        else:
            status = child.status
            how = f"the process that played it {status.text() if status is not None else 'is gone'}"
        errors = [f"    {visible(line)}" for line in self._errors.decode("utf-8", "backslashreplace").splitlines()]
        step = next((step for step in reversed(self._document.steps) if step.line <= self._at), None)
        line = next((line for block in self._document.blocks() for line in block.lines if line.line == self._at), None)
        failure = Failure(self._at or 1, line.text.strip() if line is not None else self._document.title, (f"  {how}", *errors))
        self._steps.append(
            StepResult(step.slug, step.line, step.rules, "failed", failures=(failure,)) if step else _outside(self._document, failure)
        )


def _outside(document: Document, failure: Failure) -> StepResult:
    """A failure that belongs to no step."""
    return StepResult("", failure.line, (), "failed", failures=(failure,))


def _written(fd: int, data: bytes) -> bytes:
    """Write what can be written; the rest.  Nothing if the reader has gone, which is noticed by its end."""
    try:
        return data[os.write(fd, data) :]
    except BlockingIOError:
        return data
    except BrokenPipeError:
        return b""


def _available(fd: int) -> bytes | None:
    """What can be read now; None at the end of the file."""
    data = b""
    try:
        while piece := os.read(fd, 1 << 16):
            data += piece
    except BlockingIOError:
        return data
    return data or None
