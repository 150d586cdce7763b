"""Small calls about threads of our own and of tracees: a name for one, a signal for exactly one.

Any thread; nothing here is a ptrace request.
"""

from __future__ import annotations

from tracedbg.eventlog.log import EventLog
from tracedbg.model.events import CallEntered, CallReturned
from tracedbg.model.names import errno_name, signal_name

from . import raw

_KCMP_VM = 1
"""linux/kcmp.h"""


def name_here(name: str) -> None:
    """Give the calling thread its name in the kernel too (15 bytes of it), so that ps, gdb and /proc tell the log's story.

    Source: prctl(2) PR_SET_NAME.
    """
    raw.set_thread_name(name)


def same_memory(one: int, other: int) -> bool:
    """Whether two tasks run in one address space; False where that cannot be known (no kcmp in this kernel, or one is gone).

    Source: kcmp(2) KCMP_VM, which needs the rights to trace both.
    """
    return raw.syscall(raw.SYS["kcmp"], one, other, _KCMP_VM, 0, 0) == (0, 0)


def tgkill(log: EventLog, tgid: int, tid: int, signal: int, *, to: str) -> bool:
    """Announce tgkill(2) and make it; whether the thread was there to get the signal; `to` is what for."""
    args = (tgid, tid, signal_name(signal))
    entered = log.publish(CallEntered("tgkill", args, to))
    ret, errno = raw.tgkill(tgid, tid, signal)
    log.publish(CallReturned("tgkill", args, ret, errno_name(errno) if errno else ""), of=entered)
    return ret == 0
