"""Every test of this directory gets a session and afterwards the laws are checked over its log."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.session.driver import Driver, check_laws, state, until
from tracedbg.model.events import Detail
from tracedbg.session.session import Session


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/session/" in str(item.path):
            item.add_marker(pytest.mark.needs("ptrace", "cc", "x86-64"))


class Outsider:
    """A process that was not started by tracedbg, for attaching to."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def tell(self, text: str) -> str:
        """Write to it and read its next line."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def end(self) -> int:
        """Kill it and collect it; its return code."""
        self.process.kill()
        code = self.process.wait(timeout=20)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        return code


@pytest.fixture
def outsider() -> Iterator[Callable[..., Outsider]]:
    """Starts processes that say "ready", and ends them."""
    made: list[Outsider] = []

    def start(*command: str) -> Outsider:
        made.append(Outsider(list(command)))
        until(lambda: state(made[-1].pid) not in ("", "D"))
        return made[-1]

    yield start
    for each in made:
        each.end()


@pytest.fixture
def debugger(outsider: Callable[..., Outsider]) -> Iterator[Driver]:
    """A session that everything is logged of; closed in order, before outsiders are ended, then judged."""
    with Session(detail=Detail.DESK) as session:
        yield Driver(session)
    check_laws(session)
    assert session.failure is None, session.failure
