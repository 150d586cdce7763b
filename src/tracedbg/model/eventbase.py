"""What all kinds of events have in common: how much detail they are, and bytes as values that JSON can hold.

Pure values, any thread.  The kinds themselves are in `events`, which also hands these names on.
"""

from __future__ import annotations

import base64
import enum
from typing import ClassVar

import msgspec


class Detail(enum.IntEnum):
    """How much a reader of the log asks for.  What nobody asks for is not built."""

    QUIET = 0
    """Answers and the program's output only."""
    NEWS = 1
    """What happened to the program."""
    CALLS = 2
    """Every ptrace, wait and fork, who slept, who was woken."""
    DESK = 3
    """Requests on the tracer's desk, statuses handed over, waiters armed."""


class Base64(msgspec.Struct, frozen=True):
    """Bytes that are not valid UTF-8, as they stand in a file."""

    b64: str


def pack(data: bytes) -> str | Base64:
    """Bytes as a value that JSON can hold: text where they are UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return Base64(base64.b64encode(data).decode("ascii"))


def unpack(data: str | Base64) -> bytes:
    """The inverse of `pack`; what is no base64, in a file that somebody changed, stands for itself."""
    if isinstance(data, str):
        return data.encode("utf-8", "backslashreplace")
    try:
        return base64.b64decode(data.b64)
    except ValueError:
        return data.b64.encode("utf-8", "backslashreplace")


class Event(msgspec.Struct, frozen=True, tag_field="ev", tag=True, omit_defaults=True, gc=False):
    """Base of all payloads; `detail` says from which level on it is made.

    The collector of cycles leaves them alone: a frozen value of plain values is in no cycle, and a log holds a million of them.
    """

    detail: ClassVar[Detail] = Detail.NEWS
