"""Waiting for what puppets answer, with a limit and an end.

`wait` belongs to the command thread, `give_up` to any.  A wait that ends early leaves the calls as they are: they belong to the puppets.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager

from tracedbg.model.errors import NotNow
from tracedbg.model.events import CallReturned
from tracedbg.tracer.reply import Reply


class Answers:
    """Who the command thread waits for.

    Args:
        lock: held by whoever answers, so that giving up and an answer cannot meet.
    """

    def __init__(self, lock: AbstractContextManager[object]) -> None:
        # Set once.
        self._lock = lock
        # Replaced whole by the command thread, read by whoever interrupts.
        self._awaited: tuple[Reply[CallReturned], ...] = ()

    @property
    def awaited(self) -> bool:
        """The command thread waits for an answer of a puppet; any thread."""
        return bool(self._awaited)

    def wait(self, replies: Mapping[str, Reply[CallReturned]], seconds: float) -> dict[str, CallReturned]:
        """Wait for the answers to orders, by the names of who was told.

        Raises:
            NotNow: they did not come in time, the wait was given up, or the puppet has died in the call.
        """
        self._awaited = tuple(replies.values())
        try:
            return {name: self._one(name, reply, seconds) for name, reply in replies.items()}
        finally:
            self._awaited = ()

    def _one(self, name: str, reply: Reply[CallReturned], seconds: float) -> CallReturned:
        try:
            return reply.result(seconds)
        except TimeoutError:
            raise NotNow(
                f"{name} has not answered for {seconds:g} s: it is stopped, or asleep in the call, which goes on",
                f"write & behind the call to go on meanwhile; look {name} shows where it is",
            ) from None

    def give_up(self) -> bool:
        """End the wait for answers, whether there was one; the calls go on."""
        awaited = self._awaited
        with self._lock:
            for reply in awaited:
                reply.fail(NotNow("the answer was not waited for any longer; the call goes on", "the log will tell it"))
        return bool(awaited)
