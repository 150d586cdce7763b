"""What a diagnosis of a failed call is made of: the failure with its facts, evidence, and the answer.

Pure values, any thread.  The causes themselves are in `causes_ptrace`, `causes_wait` and `causes_calls`; `diagnosing` chooses among them.
"""

from __future__ import annotations

import errno as _errno
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from tracedbg.model.names import errno_name, errno_text

from .history import History

When = Literal["then", "now", "log", "asked"]
"""How we know: read right after the failure, read now, told by the log, or part of the call itself."""


class Evidence(msgspec.Struct, frozen=True):
    """One fact that a diagnosis rests on.

    Args:
        when: how we know.
        what: the fact.
        source: where it is to be seen: a file of /proc, ``event 57``.
    """

    when: When
    what: str
    source: str = ""


class Diagnosis(msgspec.Struct, frozen=True):
    """Why a call failed.

    Args:
        cause: a name for programs and tests, such as ``wrong-thread``.
        what: the cause in a clause.
        todo: the remedy.
        rule: id of the rule of the kernel behind it, empty if it is none of the catalogue.
        evidence: what it rests on.
    """

    cause: str
    what: str
    todo: str = ""
    rule: str = ""
    evidence: tuple[Evidence, ...] = ()


class Failure(msgspec.Struct, frozen=True):
    """A call that failed, with what was read at that moment.

    Args:
        seq: of its record.
        at: nanoseconds since the log began.
        lane: who made it.
        caller: that thread's number.
        name: of the call; for one that was made by its number its usual name.
        args: as the log shows them.
        numbers: as they were given to the kernel.
        errno: the kernel's answer.
        facts: by name, as `kernel.facts` wrote them.
        called: the call as it was typed, ``syscall`` for one by its number.
    """

    seq: int
    at: int
    lane: str
    caller: int
    name: str
    args: tuple[str | int, ...]
    numbers: tuple[int, ...]
    errno: str
    facts: Mapping[str, str]
    called: str

    @property
    def number(self) -> int:
        """The errno as a number, 0 if it has none here."""
        return int(getattr(_errno, self.errno, 0))

    @property
    def text(self) -> str:
        """The call as it is written."""
        return f"{self.called}({', '.join(map(str, self.args))})"

    def fact(self, name: str, default: str = "") -> str:
        """One fact."""
        return self.facts.get(name, default)

    def value(self, name: str) -> int:
        """One fact that is a number, 0 if it was not read."""
        text = self.facts.get(name, "0")
        return int(text) if text.lstrip("-").isdecimal() else 0

    @property
    def gone(self) -> bool:
        """The target did not exist."""
        return self.facts.get("target") == "gone"


class Case(msgspec.Struct, frozen=True):
    """A failure together with what is known of the world: what the causes are found from.

    Args:
        failure: what failed.
        history: what the log told before it.
        who: a task as sentences name it.
    """

    failure: Failure
    history: History
    who: Callable[[int], str]

    def then(self, what: str, source: str = "") -> Evidence:
        """A fact that was read right after the failure."""
        return Evidence("then", what, source)

    def asked(self, what: str) -> Evidence:
        """A fact of the call itself."""
        return Evidence("asked", what, self.failure.text)

    def logged(self, what: str, seq: int) -> Evidence:
        """A fact that the log tells."""
        return Evidence("log", what, f"event {seq}")


Finder = Callable[[Case], Diagnosis | None]


def unknown(case: Case, words: str = "") -> Diagnosis:
    """What is left to say where nothing that was read explains it."""
    number = case.failure.number
    what = words or f"{errno_text(number)} ({errno_name(number)}), and nothing that was read then explains it"
    return Diagnosis("unknown", what, f"decode {case.failure.errno} says what it means in general")


def bits(value: int) -> str:
    """A set of bits in hexadecimal."""
    return f"{value & 0xFFFFFFFF:#x}"
