"""Names worth offering in a completion.

Any thread (a helper of the prompt's); answers at once from what is known, and asks the tracer nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from tracedbg.kernel import look
from tracedbg.kernel.regs import completion_names
from tracedbg.model.errors import TracedbgError
from tracedbg.session.session import Session


def offered(session: Session, kind: str, prefix: str) -> Iterable[str]:
    """Names of one kind; see `lang.paramtypes.Context`."""
    if kind in ("actor", "lane"):
        names = ["tracer", "repl", *(waiter.name for waiter in session.waiters.all), *session.bench.names()]
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
    # Never wait for a command that is just reading debug information: completion must answer at once.
    if not places.lock.acquire(timeout=0.05):
        return ()
    try:
        symbols = places.symbols()
        return symbols.functions() if kind == "symbol" else symbols.source_files()
    except TracedbgError:
        return ()
    finally:
        places.lock.release()
