"""Names worth offering in a completion.

Any thread (a helper of the prompt's); answers at once from what is known, and asks the tracer nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from tracedbg.kernel import look
from tracedbg.kernel.regs import completion_names
from tracedbg.model.errors import TracedbgError
from tracedbg.session.session import Session

_PATIENCE_S = 1.0
"""How long a completion waits for debug information that another thread is using."""


def offered(session: Session, kind: str, prefix: str) -> Iterable[str]:
    """Names of one kind; see `lang.paramtypes.Context`."""
    if kind in ("actor", "lane"):
        names = list(session.actors.names())
        return [*names, "tracee", "*"] if kind == "lane" else names
    if kind == "register":
        return completion_names()
    if kind == "variable":
        return list(session.variables)
    if kind == "fact":
        return look.FIELDS
    if kind == "thread":
        view = session.program.view
        return [str(tracee.number) for tracee in view.tracees] if view else []
    if kind == "breakpoint":
        return [str(view.number) for view in session.program.breakpoints_seen]
    if kind in ("symbol", "source"):
        return _symbols(session, kind)
    return ()


def _symbols(session: Session, kind: str) -> Iterable[str]:
    places = session.program.places
    # The menu is filled on a helper thread, which may be reading the names for the first time when somebody presses Tab: that is
    # worth a moment.  A command that reads debug information for longer than that is not waited for.
    if not places.lock.acquire(timeout=_PATIENCE_S):
        return ()
    try:
        symbols = places.symbols()
        if kind == "symbol":
            return symbols.functions()
        # One types `fact.c:12`; where two files share a name, the symbols say so when it is used.
        return list(dict.fromkeys(os.path.basename(path) for path in symbols.source_files()))
    except TracedbgError:
        return ()
    finally:
        places.lock.release()
