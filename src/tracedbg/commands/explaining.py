"""The command `explain`: run a command and show the tree of requests, waits and stops that it became.

Handlers run on the command thread; they print nothing.  The tree is made from the log alone (`render.tree`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import msgspec

from tracedbg.eventlog.sinks import CallbackSink
from tracedbg.lang.params import Rest
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import BadArgument, NotNow, TracedbgError
from tracedbg.model.events import Detail
from tracedbg.model.text import Shown
from tracedbg.render.tree import Node, tree_of
from tracedbg.render.treelines import tree_lines
from tracedbg.session.session import Runnable, Session
from tracedbg.session.shelf import lessons_on

from .answers import Answer

table = CommandTable("explaining", "Explaining: what a command is to the kernel")

_NOT_EXPLAINED = ("explain", "lesson", "lesson next", "lesson guess", "lesson again")
"""Commands whose requests are those of other commands."""
_WIDTH = 80
"""Columns of a tree that goes with an error, which knows no screen."""


class Explained(msgspec.Struct, frozen=True):
    """A command's answer, and what it took.

    Args:
        answer: the command's own; None if it has none.
        tree: what happened.
    """

    answer: Answer | None
    tree: Node

    def lines(self, width: int) -> list[Shown]:
        """The answer, a blank line, and the tree."""
        own = self.answer.lines(width) if self.answer is not None else []
        return [*own, *([Shown("")] if own else []), *tree_lines(self.tree, width, lessons_on)]


@table.add("explain")
def explain(session: Session, line: Annotated[Rest, "the command"]) -> Explained:
    """Run a command and show the tree of requests, waits and stops that it became.

    Each line of the tree is one thing that happened: how long it lasted, which thread did it, what it was, and what for. What a waiter
    took stands above what the tracer did about it. Repeats are counted, and so are the calls of a loop that waits inline. The
    numbers in brackets are rules of the kernel; the list at the end says which lesson shows each.

    In the kernel: nothing but what the command does by itself; the tree is read from the log.

    Example: explain continue
    """
    call = prepared(session, line)
    lane, before = session.log.here().name, session.log.last
    with _all_details(session):
        try:
            answer = call.run(session)
        except TracedbgError as error:
            tree = tree_of(session.log.since(before), line, lane)
            setattr(error, "details", tuple(tree_lines(tree, _WIDTH, lessons_on)))  # noqa: B010  # shown before it, if it has any
            raise
    return Explained(answer, tree_of(session.log.since(before), line, lane))  # type: ignore[arg-type]  # what every handler returns


def prepared(session: Session, line: str) -> Runnable:
    """The call that a line asks for.

    Raises:
        UserError: the line is wrong, or is no command that has anything to explain.
        NotNow: nobody runs lines in this session.
    """
    if session.prepare is None:
        raise NotNow("nothing runs lines in this session", "use the prompt, or a script")
    call = session.prepare(line)
    if call is None:
        raise BadArgument("there is nothing to explain", "name a command: explain continue")
    if call.name in _NOT_EXPLAINED:
        raise BadArgument(f"'{call.name}' runs other commands, which can be explained", "explain one of those")
    return call


@contextmanager
def _all_details(session: Session) -> Iterator[None]:
    """Have the log made in full while the block runs, whatever is shown of it."""
    sink = CallbackSink(lambda _record: None, Detail.DESK)
    session.log.attach(sink)
    try:
        yield
    finally:
        session.log.detach(sink)
