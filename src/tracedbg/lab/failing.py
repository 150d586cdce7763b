"""What is kept of a call of the lab that has failed: its answer together with the facts that decide why.

The thread that hears the answer: the caller itself, or the thread `puppets`, on which the puppet stands idle by then and has made no
other call.  It must not judge: `session.causes` does.
"""

from __future__ import annotations

import errno as errno_of

import msgspec

from tracedbg.kernel import facts
from tracedbg.model.callnames import as_made
from tracedbg.model.events import CallReturned

from .typed import Typed


def with_facts(answer: CallReturned, call: Typed, caller: int = 0) -> CallReturned:
    """An answer, and if it is a failure the facts that decide why, read now.

    Args:
        answer: what came back.
        call: what was asked.
        caller: the thread that made it; the calling thread unless told.
    """
    number = getattr(errno_of, answer.errno, 0) if answer.errno else 0
    if not number:
        return answer
    name, numbers = as_made(call.name, call.numbers)
    return msgspec.structs.replace(answer, facts=facts.at_failure(name, numbers, number, caller))
