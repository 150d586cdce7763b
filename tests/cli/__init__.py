"""The command line from outside: tracedbg as a process of its own, or its `main` in this one where only words and status count."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from tracedbg import cli

SOURCE = str(Path(__file__).resolve().parents[2] / "src")

# Errors of the interpreter itself would end a run before tracedbg can say anything: warnings stay warnings there.
ENVIRONMENT = {**os.environ, "PYTHONPATH": SOURCE, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100"}


def command(*args: str, options: Sequence[str] = ()) -> list[str]:
    """The command line of one run."""
    return [sys.executable, *options, "-m", "tracedbg", *args]


def tracedbg(*args: str, stdin: str = "", cwd: Path | None = None, seconds: float = 50) -> subprocess.CompletedProcess[str]:
    """Run tracedbg to its end; the deadline exists to fail."""
    return subprocess.run(
        command(*args), input=stdin, capture_output=True, text=True, timeout=seconds, check=False, cwd=cwd, env=ENVIRONMENT
    )


def inside(*args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Call `main` in this process: much quicker than a new interpreter, and the check for leftovers sees its threads too."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch("sys.stdin", io.StringIO(stdin)),
        mock.patch.dict(os.environ, {"COLUMNS": "100"}),
    ):
        try:
            status = cli.main(args)
        except SystemExit as end:  # argparse
            status = end.code if isinstance(end.code, int) else 1
    return subprocess.CompletedProcess(args, status, out.getvalue(), err.getvalue())


def batch(*commands: str, program: Path | str = "", options: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """`tracedbg --batch -ex ... PROGRAM`."""
    words = [word for each in commands for word in ("-ex", each)]
    return tracedbg("--batch", *options, *words, *([str(program)] if program else []))
