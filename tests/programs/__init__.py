"""Programs to debug: small C sources beside this file, and `build`, which compiles one.

Runs on the main thread of a test run.  It must not leave files behind: everything it compiles
lies in one temporary directory that goes when the run ends.  The workers of a parallel run share it.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

HERE = Path(__file__).resolve().parent


# Its value is the directory of this run's programs.  The first process of a run sets it, and workers inherit it.
_VARIABLE = "TRACEDBG_TEST_PROGRAMS"
_keep: tempfile.TemporaryDirectory[str] | None = None


def share_folder() -> Path:
    """The directory of this run's programs, made by the first call of the first process.

    It can be read by every user, since some tests give up root.
    """
    global _keep
    inherited = os.environ.get(_VARIABLE)
    if inherited is None:
        # The object removes the directory when it is finalised, at the latest when the interpreter ends: so keep it.
        _keep = tempfile.TemporaryDirectory(prefix="tracedbg-programs-", ignore_cleanup_errors=True)
        os.chmod(_keep.name, 0o755)
        os.environ[_VARIABLE] = inherited = _keep.name
    return Path(inherited)


def source(name: str) -> Path:
    """The source file called `name` (``fact`` or ``fact.c``)."""
    path = HERE / name
    return path if path.suffix else path.with_suffix(".c")


def line_of(name: str, marker: str) -> int:
    """The 1-based number of the only line of source `name` that contains `marker`, so that tests do not count lines."""
    hits = [n for n, text in enumerate(source(name).read_text().splitlines(), 1) if marker in text]
    assert len(hits) == 1, f"{marker!r} is on the lines {hits} of {name}"
    return hits[0]


def matrix(names: Sequence[str], flags: Sequence[tuple[str, ...]]) -> list[ParameterSet]:
    """Every name with every set of flags, for `pytest.mark.parametrize`.

    A normal run takes each name and each set at least once; all combinations are for `.ci/run --long`.
    """
    chosen = {(names[turn % len(names)], flags[turn % len(flags)]) for turn in range(max(len(names), len(flags)))}
    return [
        pytest.param(name, each, id=f"{name} {' '.join(each)}", marks=() if (name, each) in chosen else pytest.mark.long)
        for name in names
        for each in flags
    ]


def build(name: str, *flags: str, compiler: str = "cc") -> Path:
    """Compile a program once for this run and return its path.

    Args:
        name: a source in this directory, ``fact`` or ``fact.c``.
        flags: what the compiler is told, for example ``"-O2", "-static"``; none at all means ``-g -O0``.
            ``-pthread`` is always there.
        compiler: the program to call; the test is skipped where it is missing.

    Returns:
        The program.  Its file name is that of the source, so that it also is the process's name.
    """
    if shutil.which(compiler) is None:
        pytest.skip(f"no C compiler {compiler!r} here")
    return _compile(source(name), flags or ("-g", "-O0"), compiler)


@functools.cache
def _compile(path: Path, flags: tuple[str, ...], compiler: str) -> Path:
    key = hashlib.sha256(repr((path.name, flags, compiler)).encode() + path.read_bytes()).hexdigest()[:16]
    folder = share_folder() / key
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    program = folder / path.stem
    # One worker compiles, the others wait for it; what it leaves when it fails is not taken for a program.
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _call_compiler(path, flags, compiler, folder / "unfinished")
            (folder / "unfinished").rename(program)
    return program


def _call_compiler(path: Path, flags: tuple[str, ...], compiler: str, program: Path) -> None:
    # Standard input is closed so that a compiler that asks something fails instead of waiting for ever.
    done = subprocess.run(
        [compiler, "-pthread", *flags, str(path), "-o", str(program)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode and "-static" in " ".join(flags) and "cannot find -l" in done.stderr:
        pytest.skip(f"no static C library here: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
