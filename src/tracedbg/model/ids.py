"""Numbers with a meaning, and who acted.

Pure values, any thread.
"""

from __future__ import annotations

import enum
from typing import NewType

import msgspec

Pid = NewType("Pid", int)
"""A thread group's number (what a shell calls the process number)."""

Tid = NewType("Tid", int)
"""One kernel task's number; equal to the Pid for the group's leader."""

Addr = NewType("Addr", int)
"""An address in a tracee, 0 to 2**64 - 1."""


class Role(enum.Enum):
    """What an actor is for.  One list for logs, recordings and screens."""

    REPL = "repl"
    TRACER = "tracer"
    WAITER = "waiter"
    BENCH = "bench"
    PUPPET = "puppet"
    TRACEE = "tracee"
    PARENT = "parent"
    KERNEL = "kernel"
    SCREEN = "screen"


class ThreadRef(msgspec.Struct, frozen=True):
    """Who acted: the lane's name, the kernel's thread id and the role."""

    name: str
    tid: int
    role: Role


class Source(enum.Enum):
    """How we know a fact; never confused (see `Record.source`)."""

    USER = "user"
    """Measured by the calling thread itself, right around the call."""
    PROC = "proc"
    """Read in /proc."""
    TRACEFS = "tracefs"
    """Reported by the kernel's own trace."""
    INFERRED = "inferred"
    """Concluded by tracedbg from other facts."""
