"""Law 10 in the test suite: what a test may not leave behind, and how that is seen.

Runs on the main thread before and after each test.  It must not change what it looks at, with one exception: a process
that a test forgot is ended (and reported), so that it cannot disturb the next test.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

GRACE = 5.0
"""Seconds in which the kernel may finish what was begun (a joined thread's task, a killed process); only failures pay it."""

PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Adopt orphans, so that a program which outlives the debugger that started it is seen as our child (prctl(2))."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(errors="backslashreplace")
    except OSError:
        return ""


def _children() -> set[int]:
    """The process ids of our children, zombies too: proc_pid_task(5), `children`, one file for each of our threads."""
    found: set[int] = set()
    for tid in os.listdir("/proc/self/task"):
        found.update(int(word) for word in _text(f"/proc/self/task/{tid}/children").split())
    return found


def _state(pid: int) -> str:
    stat = _text(f"/proc/{pid}/stat")
    return stat.rpartition(") ")[2][:1]


def _descriptors() -> dict[int, str]:
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # listdir's own descriptor is closed again
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found


def _masks() -> dict[str, str]:
    """The kernel's own view of caught, ignored and (main thread) blocked signals; Python's view hides C handlers."""
    lines = (line.split(":\t") for line in _text(f"/proc/self/task/{os.getpid()}/status").splitlines() if ":\t" in line)
    return {key: value for key, value in lines if key in ("SigCgt", "SigIgn", "SigBlk")}


def _handlers() -> dict[signal.Signals, object]:
    return {number: signal.getsignal(number) for number in signal.Signals}


@dataclass(frozen=True)
class Belongings:
    """What this process owns at one moment."""

    children: frozenset[int]
    tasks: frozenset[int]
    threads: frozenset[threading.Thread]
    descriptors: dict[int, str]
    masks: dict[str, str]
    handlers: dict[signal.Signals, object]


def belongings() -> Belongings:
    """Look at children, threads, descriptors and signal dispositions now."""
    return Belongings(
        children=frozenset(_children()),
        tasks=frozenset(int(name) for name in os.listdir("/proc/self/task")),
        threads=frozenset(threading.enumerate()),
        descriptors=_descriptors(),
        masks=_masks(),
        handlers=_handlers(),
    )


def _reap_adopted(before: Belongings) -> None:
    """Reap zombies that are new: orphans which came to us when their parent was killed, and ended properly."""
    for pid in _children() - before.children:
        if _state(pid) == "Z":
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def compare(before: Belongings, after: Belongings) -> list[str]:
    """One line for each thing that `after` has and `before` had not (or the other way round for handlers)."""
    found = [
        f"process {pid} ({_text(f'/proc/{pid}/comm').strip()!r}, state {_state(pid)})" for pid in sorted(after.children - before.children)
    ]
    new_threads = sorted(after.threads - before.threads, key=lambda each: each.name)
    found.extend(f"thread {thread.name!r} (tid {thread.native_id})" for thread in new_threads)
    known = {thread.native_id for thread in after.threads}
    found.extend(
        f"kernel task {tid} ({_text(f'/proc/self/task/{tid}/comm').strip()!r}), no Python thread"
        for tid in sorted(after.tasks - before.tasks - known)
    )
    new = {fd: to for fd, to in after.descriptors.items() if fd not in before.descriptors}
    if len(after.descriptors) > len(before.descriptors):  # a descriptor may be renumbered; more of them is a leak
        found.extend(f"descriptor {fd} -> {to}" for fd, to in sorted(new.items()))
    for key, value in after.masks.items():
        if before.masks.get(key) != value:
            found.append(f"{key} was {before.masks.get(key)} and is {value}")
    for number, handler in after.handlers.items():
        if before.handlers[number] != handler:
            found.append(f"handler of {number.name} was {before.handlers[number]!r} and is {handler!r}")
    return found


def left_behind(before: Belongings, grace: float = GRACE) -> list[str]:
    """What is still there that was not there `before`; looks again with growing pauses while something is.

    Processes that remain are killed after the list was made.
    """
    deadline = time.monotonic() + grace
    pause = 0.001
    never = threading.Event()
    while True:
        _reap_adopted(before)
        found = compare(before, belongings())
        if not found or time.monotonic() > deadline:
            break
        gc.collect()  # a file object in a reference cycle closes its descriptor only now
        never.wait(pause)
        pause = min(pause * 2, 0.1)
    for pid in _children() - before.children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return found
