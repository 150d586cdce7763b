"""Plans: work on the tracer thread that must hear from a tracee in between.

A plan is a generator that yields what it waits for and gets the news; it reads like straight-line code, and while it waits the tracer
serves others.  It must not wait by itself: a waiter may take the status and put it on the very desk that a blocked tracer no longer
reads.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import msgspec

from tracedbg.model.events import Event, PlanWaits, PlanWent
from tracedbg.model.ids import Pid, Tid
from tracedbg.model.stops import AnyStop
from tracedbg.model.waitstatus import WaitStatus

from .reply import Reply

R = TypeVar("R")


class News(msgspec.Struct, frozen=True):
    """One status of one tracee, with its meaning.

    Args:
        tid: the tracee.
        status: its status word.
        stop: what it means; None when the tracee has ended.
    """

    tid: Tid
    status: WaitStatus
    stop: AnyStop | None


class Await(msgspec.Struct, frozen=True):
    """What a plan waits for.

    Args:
        tid: news of this tracee only; None for any of the inferior.
        timeout: seconds after which the plan gets None instead; 0 for none.
        what: the same in words, for the log.
    """

    tid: Tid | None = None
    timeout: float = 0.0
    what: str = "news of any thread"


Plan = Generator[Await, News | None, R]


class PlanRun:
    """One plan under way.  Tracer thread, but for the reply."""

    def __init__(
        self, pid: Pid, plan: Plan[Any], reply: Reply[Any], name: str, tell: Callable[[Event], object] = lambda _event: None
    ) -> None:
        self.pid, self.plan, self.reply, self.name = pid, plan, reply, name
        # Where its waits are announced.
        self._tell = tell
        self.awaiting: Await | None = None
        self.deadline = 0.0
        self.outcome: tuple[Any, BaseException | None] = (None, None)
        self._backlog: deque[News] = deque()

    def begin(self) -> bool:
        """Run to the first wait; True when the plan is over."""
        return self._go(lambda: next(self.plan))

    def tell(self, news: News) -> bool:
        """Deliver news, or keep it until the plan asks for it; True when the plan is over."""
        self._backlog.append(news)
        return self._feed()

    def expire(self, now: float) -> bool:
        """Deliver None if the wait has lasted too long; True when the plan is over."""
        if not self.deadline or now < self.deadline:
            return False
        self._tell(PlanWent(self.name, f"nothing within {self.awaiting.timeout:g} s" if self.awaiting else "nothing"))
        return self._go(lambda: self.plan.send(None)) or self._feed()

    def cancel(self, error: BaseException) -> None:
        """End the plan where it stands; its `finally` blocks run."""
        self.awaiting = None
        self.plan.close()
        self.outcome = (None, error)

    def _feed(self) -> bool:
        while self.awaiting is not None:
            wanted = self.awaiting.tid
            found = next((news for news in self._backlog if wanted is None or news.tid == wanted), None)
            if found is None:
                return False
            self._backlog.remove(found)
            self._tell(PlanWent(self.name, f"{found.tid} {found.status.text()}", found.tid))
            if self._go(lambda news=found: self.plan.send(news)):  # type: ignore[misc]
                return True
        return True

    def _go(self, step: Callable[[], Await]) -> bool:
        try:
            awaiting = step()
        except StopIteration as end:
            self.awaiting = None
            self.outcome = (end.value, None)
            return True
        except Exception as error:  # belongs to the asker, not to the loop
            self.awaiting = None
            self.outcome = (None, error)
            return True
        self.awaiting = awaiting
        self._tell(PlanWaits(self.name, awaiting.what))
        self.deadline = time.monotonic() + awaiting.timeout if awaiting.timeout else 0.0
        return False
