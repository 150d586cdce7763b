"""What the kernel's own trace (tracefs) told: who was woken by whom, which signals were generated.

Pure values, any thread; `events` hands these names on.
"""

from __future__ import annotations

from typing import ClassVar

from .eventbase import Detail, Event


class KernelWoke(Event, frozen=True, tag="kernel.woke"):
    """A task was woken (sched_waking), and the task in whose context that was done; `Record.tid` is that one."""

    who: str
    by: str
    cpu: int
    detail: ClassVar[Detail] = Detail.CALLS


class KernelStack(Event, frozen=True, tag="kernel.stack"):
    """The functions of the kernel that led to the wake-up of `Record.of`, outermost first."""

    functions: tuple[str, ...]
    detail: ClassVar[Detail] = Detail.CALLS


class KernelSignal(Event, frozen=True, tag="kernel.signal"):
    """A signal was generated for a task or its whole process, and what became of it at that moment (signal_generate)."""

    signal: int
    to: int
    result: str
    by: str
    code: str
    process: bool
    name: str = ""
    detail: ClassVar[Detail] = Detail.CALLS


class KernelTold(Event, frozen=True, tag="kernel.told"):
    """Any other tracepoint: its name, the task it is about, and its facts in words."""

    point: str
    verb: str
    words: tuple[str, ...]
    detail: ClassVar[Detail] = Detail.CALLS


class KernelLost(Event, frozen=True, tag="kernel.lost"):
    """The ring buffer of a processor was overrun before it was read; `count` is 0 where the kernel does not tell."""

    cpu: int
    count: int
