"""How sentences name a task: a thread of ours by its lane, a puppet by its name, anybody else by number and comm.

Any thread; reads /proc for tasks that are not ours.
"""

from __future__ import annotations

from collections.abc import Callable

from tracedbg.kernel.attachable import who

from .session import Session


def namer(session: Session) -> Callable[[int], str]:
    """A function from a task's number to the words for it, with the names of this moment."""
    ours, puppets = session.actors.ours(), session.puppets.names()
    threads = {session.actors.tid(name): f"thread {name} (tid {session.actors.tid(name)})" for name in ours}
    tasks = {session.puppets.tid(name): f"{name} ({session.puppets.tid(name)})" for name in puppets}

    def named(tid: int) -> str:
        if tid in threads:
            return threads[tid]
        if tid == session.pid:
            return f"tracedbg's first thread (tid {tid})"
        return tasks.get(tid) or who(tid)

    return named
