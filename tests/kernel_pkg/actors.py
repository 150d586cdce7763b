"""Processes for these tests: targets that stand still, and actors that try something and tell what came of it.

Targets and actors are Python programs of their own, so that a test can give up root, enter a sandbox or die without taking the
test run along.  Each says `ready` and then reads its standard input, whose end is its end.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import tracedbg
from tracedbg.kernel import credentials, procfs

SRC = str(Path(tracedbg.__file__).resolve().parent.parent)
NOBODY = 65534

PLAIN = f"""
import ctypes, os, signal, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
def drop():
    os.setgroups([]); os.setresgid({NOBODY}, {NOBODY}, {NOBODY}); os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
    assert libc.prctl(4, 1, 0, 0, 0) == 0      # PR_SET_DUMPABLE: a change of user has cleared it
"""
HEAD = f"""{PLAIN}
import errno, json, struct
sys.path.insert(0, {SRC!r})
from tracedbg.kernel import attachable, credentials, needs, procfs, raw, refusals
def ptrace(request, tid, addr=0, data=0):
    number = {{"PTRACE_CONT": 7, "PTRACE_SEIZE": 0x4206, "PTRACE_INTERRUPT": 0x4207, "PTRACE_PEEKDATA": 2,
              "PTRACE_SETOPTIONS": 0x4200, "PTRACE_ATTACH": 16, "PTRACE_GETSIGINFO": 0x4202}}[request]
    ret, code = raw.ptrace_free(number, tid, addr, data)
    if ret == 0:
        return {{"errno": 0}}
    error = refusals.explain("ptrace", (request, tid, addr, data), code, tid)
    return {{"errno": code, "kind": type(error).__name__, "what": str(error.what), "todo": str(error.todo), "call": error.call}}
def tell(value):
    print(json.dumps(value), flush=True)
"""


def become_nobody() -> str:
    """Code that makes a target or an actor an ordinary user; nothing to do where the run has one already."""
    return "drop()\n" if os.geteuid() == 0 else ""


def no_yama() -> None:
    """Skip where Yama refuses an ordinary user before the cause under test is reached."""
    scope = credentials.yama_scope()
    if scope:
        pytest.skip(f"Yama's ptrace_scope is {scope}, which refuses an ordinary user first")


@contextlib.contextmanager
def target(code: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A process that has run `code` and stands still."""
    program = PLAIN + code + "\nprint('ready', flush=True)\nsys.stdin.read()\n"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


def act(code: str, *, wrapper: Sequence[str] = ()) -> Any:
    """Run `code` in a process of its own, and return what it told."""
    done = subprocess.run(
        [*wrapper, sys.executable, "-c", HEAD + code], capture_output=True, timeout=30, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def until(fact: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Look until `fact` is true and return it; the deadline is there to fail."""
    deadline = time.monotonic() + seconds
    while True:
        found = fact()
        if found:
            return found
        assert time.monotonic() < deadline, "the fact did not come true in time"
        os.sched_yield()


def gone_pid() -> int:
    """The number of a process that has been reaped a moment ago."""
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    assert procfs.state(process.pid) == ""
    return process.pid
