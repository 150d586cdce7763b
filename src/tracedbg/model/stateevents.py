"""What the learner could look at when the program stood still: kept in a recording, so that a replay can show it without the program.

Pure values, any thread; `events` hands these names on.
"""

from __future__ import annotations

from typing import ClassVar

from .eventbase import Detail, Event


class StateKept(Event, frozen=True, tag="state"):
    """The state at a stop (`Record.of`), made for recordings only: all of it as text, as commands would have shown it.

    `where` is the place in words, `source` the lines around it by number, the current one being `line` (0 if there is none);
    `registers` are names and hexadecimal values; `frames` and `threads` are lines of `backtrace` and `info threads`; `queue` has for each
    sleeper on the wait queue of tracedbg its lane and its call.  Where a stop was taken by a wait that somebody typed, nobody read
    registers: then only threads and queue are known.
    """

    pid: int
    where: str = ""
    file: str = ""
    line: int = 0
    source: tuple[tuple[int, str], ...] = ()
    registers: tuple[tuple[str, str], ...] = ()
    frames: tuple[str, ...] = ()
    threads: tuple[str, ...] = ()
    queue: tuple[tuple[str, str], ...] = ()
    detail: ClassVar[Detail] = Detail.DESK
