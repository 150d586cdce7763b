"""What a plan of the tracer thread waits for, and with what it goes on; and where the tracer was held to be looked at.

Pure values, any thread; `events` hands these names on.  They say what a wait was for, which the calls of a waiter alone cannot.
"""

from __future__ import annotations

from typing import ClassVar

from .eventbase import Detail, Event


class PlanWaits(Event, frozen=True, tag="plan.wait"):
    """A plan (asked for by the record of `Record.of`) must hear from a tracee before it can go on: `what` it waits for."""

    plan: str
    what: str
    detail: ClassVar[Detail] = Detail.DESK


class PlanWent(Event, frozen=True, tag="plan.go"):
    """It goes on: `news` is what it got, `target` the tracee that it is about (0 for none)."""

    plan: str
    news: str
    target: int = 0
    detail: ClassVar[Detail] = Detail.DESK


class RequestHeld(Event, frozen=True, tag="held"):
    """The tracer stands before a request that it is about to make: `explain --step` looks at it."""

    call: str
    purpose: str = ""
    detail: ClassVar[Detail] = Detail.DESK


class RequestFreed(Event, frozen=True, tag="freed"):
    """It goes on, to make it (`Record.of` is its `RequestHeld`)."""

    call: str
    detail: ClassVar[Detail] = Detail.DESK
