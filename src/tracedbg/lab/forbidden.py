"""The one door through which law 1 is broken on purpose: ptrace on whatever thread calls.

Any thread.  It has no `Ptrace` and refuses nothing: a request from the wrong thread must reach the kernel, so that ESRCH is the
kernel's own answer (kernel/ptrace.c, `ptrace_check_attach`: the tracee's parent is compared with `current`, a thread).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from tracedbg.eventlog.log import EventLog
from tracedbg.kernel import facts, raw
from tracedbg.kernel.ptrace import shown_args
from tracedbg.model.events import CallEntered, CallReturned, RuleBroken
from tracedbg.model.names import PTRACE_REQUESTS, errno_name

LAW = "law 1"
"""Requests are made by the tracer thread only."""

_PEEKS = frozenset(PTRACE_REQUESTS[f"PTRACE_PEEK{what}"] for what in ("TEXT", "DATA", "USER"))


def ptrace(
    log: EventLog, request: int, tid: int, addr: int, data: int, out: str = "", note: Callable[[], str] | None = None
) -> tuple[int, int, str]:
    """Make a ptrace request on the calling thread, announced like any other, after an event that says which law it breaks.

    Args:
        log: where it is announced.
        request: its number; any.
        tid: the target.
        addr: the third argument as a number.
        data: the fourth; for a PEEK 0, the word read is then the result.
        out: how the log shows `data` when it is a buffer of ours, such as ``&regs``.
        note: what to say of that buffer when the request has succeeded.

    Returns:
        `(result, errno, note)`; never raises for an errno.
    """
    word = ctypes.c_ulong()
    if request in _PEEKS and not data:
        # The system call stores the word through `data`; it is libc's ptrace that returns it.
        data, out = ctypes.addressof(word), "&word"
    args = shown_args(request, tid, addr, data, out)
    log.publish(RuleBroken(LAW, f"ptrace({', '.join(map(str, args))})"))
    entered = log.publish(CallEntered("ptrace", args))
    ret, errno = raw.ptrace_free(request, tid, addr, data)
    at = log.now()
    if out == "&word" and ret == 0:
        ret = word.value
    said = note() if note is not None and not errno else ""
    why = facts.at_failure("ptrace", (request, tid, addr, data), errno) if errno else ()
    log.publish(CallReturned("ptrace", args, ret, errno_name(errno) if errno else "", note=said, facts=why), of=entered, at=at)
    return ret, errno, said
