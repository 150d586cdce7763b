"""A session with a prompt's language and no terminal: tests type lines and look at answers, the log and /proc."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tracedbg.commands import benching, expecting, logging_, running, waiting, why
from tracedbg.commands.runner import Context
from tracedbg.kernel import procfs
from tracedbg.lang.run import prepare
from tracedbg.lang.table import CommandTable
from tracedbg.model.events import Record
from tracedbg.render.lines import line_of
from tracedbg.session.session import Session

FAMILIES = (running, waiting, benching, logging_, expecting, why)
PATIENCE = 10.0


class Console:
    """What a test types into."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.table = CommandTable.merged(family.table for family in FAMILIES)

    def do(self, line: str) -> Any:
        """Run one line as the command thread would; its result."""
        call = prepare(self.table, Context(self.session), line)
        self.session.begins(call.name)
        try:
            return call.run(self.session)
        finally:
            self.session.settled()

    def script(self, text: str) -> list[Any]:
        return [self.do(line.strip()) for line in text.strip().splitlines() if line.strip()]

    def said(self, line: str, width: int = 100) -> list[str]:
        """The lines of the answer."""
        return [str(each) for each in self.do(line).lines(width)]

    def later(self, line: str) -> Later:
        """Run a line on a thread of its own, as a prompt does, so that the test can act meanwhile."""
        return Later(self, line)

    def events(self, *lanes: str) -> list[str]:
        """The canonical lines of some lanes, in order."""
        return [text for record, text in self.records() if record.lane in lanes]

    def records(self) -> list[tuple[Record, str]]:
        return [(record, str(line)) for record in self.session.log.since(0) if (line := line_of(record)) is not None]

    def wait_for(self, lane: str, words: str, since: int = 0) -> Record:
        """Wait for a line that holds `words`."""

        def wanted(record: Record) -> bool:
            line = line_of(record)
            return record.lane == lane and line is not None and words in line

        found = self.session.log.until(wanted, PATIENCE, since=since)
        assert found is not None, f"no '{words}' on {lane}: {self.events(lane)}"
        return found

    @property
    def tracee(self) -> int:
        return int(self.session.variables["tracee"])


class Later:
    """A line that runs on a thread of its own."""

    def __init__(self, console: Console, line: str) -> None:
        self._console, self._line = console, line
        self.value: Any = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="command")
        self._thread.start()

    def _run(self) -> None:
        try:
            self.value = self._console.do(self._line)
        except BaseException as error:  # handed to the test
            self.error = error

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def result(self) -> Any:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), f"'{self._line}' has not ended"
        if self.error is not None:
            raise self.error
        return self.value


@contextmanager
def console() -> Iterator[Console]:
    with Session() as session:
        session.view.on = False
        yield Console(session)


def until(fact: Callable[[], object], what: str) -> None:
    """Look until something is so: for facts of the kernel that come without an event."""
    import time

    deadline = time.monotonic() + PATIENCE
    never = threading.Event()
    while not fact():
        assert time.monotonic() < deadline, f"not seen: {what}"
        never.wait(0.002)


def asleep(tid: int) -> bool:
    return procfs.asleep_in_wait(tid) is not None
