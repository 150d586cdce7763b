"""The command line from outside: tracedbg as a process of its own, its output, its exit status, and what it leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

SOURCE = str(Path(__file__).resolve().parents[2] / "src")

# Errors of the interpreter itself would end a run before tracedbg can say anything: warnings stay warnings there.
ENVIRONMENT = {**os.environ, "PYTHONPATH": SOURCE, "NO_COLOR": "1", "TERM": "dumb"}


def command(*args: str, options: Sequence[str] = ()) -> list[str]:
    """The command line of one run."""
    return [sys.executable, *options, "-m", "tracedbg", *args]


def tracedbg(*args: str, stdin: str = "", cwd: Path | None = None, seconds: float = 50) -> subprocess.CompletedProcess[str]:
    """Run tracedbg to its end; the deadline exists to fail."""
    return subprocess.run(
        command(*args), input=stdin, capture_output=True, text=True, timeout=seconds, check=False, cwd=cwd, env=ENVIRONMENT
    )


def batch(*commands: str, program: Path | str = "", options: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """`tracedbg --batch -ex ... PROGRAM`."""
    words = [word for each in commands for word in ("-ex", each)]
    return tracedbg("--batch", *options, *words, *([str(program)] if program else []))
