"""A tracee's life as a table: state and happening give the next state.

Pure, any thread; the diagram in docs/INTERNALS.md is this table.  Death is final: nothing leads out of it.
"""

from __future__ import annotations

import enum

from tracedbg.model.views import TraceeState

RUNNING, STOPPED, ZOMBIE, DEAD = TraceeState.RUNNING, TraceeState.STOPPED, TraceeState.ZOMBIE, TraceeState.DEAD


class Happening(enum.Enum):
    """What can happen to a tracee, as the tracer learns it."""

    STOP = "a stopped status was reported"
    RESUME = "a resuming request succeeded, or found it killed meanwhile"
    END = "an exited or killed status was reported"
    LEFT = "seen in /proc: a leader that ended before its threads"
    REPLACED = "another thread's exec took its place, or it was detached"


TABLE: dict[tuple[TraceeState, Happening], TraceeState] = {
    (RUNNING, Happening.STOP): STOPPED,
    (RUNNING, Happening.RESUME): RUNNING,
    (RUNNING, Happening.END): DEAD,
    (RUNNING, Happening.LEFT): ZOMBIE,
    (RUNNING, Happening.REPLACED): DEAD,
    (STOPPED, Happening.STOP): STOPPED,
    (STOPPED, Happening.RESUME): RUNNING,
    (STOPPED, Happening.END): DEAD,
    (STOPPED, Happening.LEFT): ZOMBIE,
    (STOPPED, Happening.REPLACED): DEAD,
    # A leader that seemed to be gone can stop again only as the survivor of another thread's exec.
    (ZOMBIE, Happening.STOP): STOPPED,
    (ZOMBIE, Happening.RESUME): ZOMBIE,
    (ZOMBIE, Happening.END): DEAD,
    (ZOMBIE, Happening.LEFT): ZOMBIE,
    (ZOMBIE, Happening.REPLACED): DEAD,
    (DEAD, Happening.STOP): DEAD,
    (DEAD, Happening.RESUME): DEAD,
    (DEAD, Happening.END): DEAD,
    (DEAD, Happening.LEFT): DEAD,
    (DEAD, Happening.REPLACED): DEAD,
}


def after(state: TraceeState, happening: Happening) -> TraceeState:
    """The state that follows; every pair has an answer."""
    return TABLE[state, happening]
