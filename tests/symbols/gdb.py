"""gdb as an oracle: runs it in batch mode and returns what each command printed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

_MARK = "=====tracedbg-mark====="


def ask(program: Path, commands: Sequence[str]) -> list[str]:
    """What gdb prints for each command; the test is skipped where there is no gdb."""
    if shutil.which("gdb") is None:
        pytest.skip("gdb, the oracle of this test, is not installed")
    words = ["gdb", "-nx", "-nh", "-batch", "-iex", "set debuginfod enabled off", "-ex", "set width 0", "-ex", "set confirm off"]
    for command in commands:
        words += ["-ex", f"echo {_MARK}\\n", "-ex", command]
    done = subprocess.run(
        [*words, str(program)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    parts = done.stdout.split(_MARK + "\n")[1:]
    assert len(parts) == len(commands), done.stdout
    return [part.strip() for part in parts]
