"""The real tracedbg at a terminal: start it on a program, type a line, wait for what follows that line."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .harness import PROMPT, Screen

TRACEDBG = [sys.executable, "-m", "tracedbg"]


class Real(Screen):
    """A session of the real program."""

    def ready(self) -> None:
        """Wait for an empty prompt."""
        self.until(lambda: self.prompt_line() == "")

    def after(self, line: str) -> str:
        """What stands behind the last echo of `line`, rows joined by newlines; empty while it was not taken."""
        return self.text.rpartition(f"{PROMPT}{line}\n")[2] if f"{PROMPT}{line}\n" in self.text else ""

    def say(self, line: str, wanted: str | Callable[[str], Any], deadline: float = 8.0) -> str:
        """Type a line and wait until what follows it holds `wanted`; returns what follows."""
        count = self.text.count(f"{PROMPT}{line}\n")
        self.type(line + "\n")

        def seen() -> str:
            if self.text.count(f"{PROMPT}{line}\n") <= count:
                return ""
            behind = self.after(line)
            return behind if (wanted in behind if isinstance(wanted, str) else wanted(behind)) else ""

        found: str = self.until(seen, deadline)
        return found

    def toolbar(self) -> str:
        """The last row that is one."""
        return next((line for line in reversed(self.lines()) if " | " in line and ": " in line), "")

    def until_dead(self, pid: int, deadline: float = 5.0) -> None:
        """Wait until a process has ended."""
        try:
            watch = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            assert select.select([watch], [], [], deadline)[0], f"process {pid} has not ended"
        finally:
            os.close(watch)

    def inferior(self) -> int:
        """The pid of its only child, 0 without one."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children", "rb") as own:
            found = own.read().split()
        for task in os.listdir(f"/proc/{self.pid}/task"):
            if found:
                break
            try:
                with open(f"/proc/{self.pid}/task/{task}/children", "rb") as file:
                    found = file.read().split()
            except OSError:
                continue  # that thread has just ended
        return int(found[0]) if found else 0


@contextmanager
def tracedbg(
    state: Path, *words: str | Path, cols: int = 100, rows: int = 40, env: dict[str, str | None] | None = None, **more: Any
) -> Iterator[Real]:
    """Start tracedbg with these words behind it and wait for its prompt."""
    with Real([*TRACEDBG, *map(str, words)], cols, rows, {"XDG_STATE_HOME": str(state), **(env or {})}, **more) as screen:
        screen.ready()
        yield screen


def is_alive(pid: int) -> bool:
    """Whether there is such a process that is not a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False
