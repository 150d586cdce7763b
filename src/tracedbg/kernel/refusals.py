"""Why the kernel said no: an errno becomes an error that names the cause which was found by looking.

Any thread; reads /proc after the call has failed, so a cause is what is seen then.  It must not repeat the call, and it only
returns errors: raising them is the caller's part.  Texts are written in the order in which the kernel checks.
"""

from __future__ import annotations

import errno as _e
import threading
from collections.abc import Sequence
from typing import Final

from tracedbg.model.errors import Failed, KernelRefused, MemoryRefused, NotPermitted, TracedbgError, TraceeGone
from tracedbg.model.names import errno_name, errno_text

from . import credentials, exec_failures, needs, procfs
from .attachable import PF_EXITING, attach_refusal, target, unseen_refusal, who

_SIGKILL: Final = 9

_ATTACHING: Final = frozenset({"PTRACE_ATTACH", "PTRACE_SEIZE"})
_READING: Final = frozenset({"PTRACE_PEEKTEXT", "PTRACE_PEEKDATA", "process_vm_readv"})
_WRITING: Final = frozenset({"PTRACE_POKETEXT", "PTRACE_POKEDATA", "process_vm_writev"})

# What an errno means for one request, where the arguments and not the circumstances decide: ptrace(2), ERRORS and the request's
# own text; kernel/ptrace.c and arch/x86/kernel/ptrace.c.
_BY_CALL: Final[dict[tuple[str, int], tuple[str, str]]] = {
    ("PTRACE_SEIZE", _e.EIO): ("the address must be 0 and the data may hold only PTRACE_O_ options that this kernel knows", ""),
    ("PTRACE_INTERRUPT", _e.EIO): (
        "only a tracee attached with PTRACE_SEIZE can be interrupted",
        "send SIGSTOP with tgkill instead",
    ),
    ("PTRACE_LISTEN", _e.EIO): (
        "only a tracee attached with PTRACE_SEIZE that stands in a group-stop or a PTRACE_EVENT_STOP can listen",
        "",
    ),
    ("PTRACE_GETSIGINFO", _e.EINVAL): ("the tracee is in a group-stop, which has no signal information", ""),
    ("PTRACE_SETOPTIONS", _e.EINVAL): ("an option bit is unknown to this kernel", ""),
    ("PTRACE_SETREGS", _e.EIO): ("a register was given a value that the processor does not allow there", ""),
    ("PTRACE_SETREGSET", _e.EINVAL): ("the register set is unknown here or a value in it is not allowed", ""),
    ("PTRACE_GETREGSET", _e.EINVAL): ("the register set is unknown here", ""),
    ("PTRACE_GETREGSET", _e.ENODEV): ("this processor does not have that register set", ""),
    ("PTRACE_SETREGSET", _e.ENODEV): ("this processor does not have that register set", ""),
    ("PTRACE_PEEKUSER", _e.EIO): ("the offset is not that of a word in the USER area", ""),
    ("PTRACE_POKEUSER", _e.EIO): ("the offset or the value is not allowed in the USER area", ""),
    ("PTRACE_POKEUSER", _e.EINVAL): ("the debug register does not accept this address or control word", ""),
    ("PTRACE_POKEUSER", _e.ENOSPC): ("all hardware breakpoints are in use", "delete a hardware breakpoint or watchpoint"),
    ("PTRACE_POKEUSER", _e.EBUSY): ("the debug registers are in use by someone else", ""),
    ("wait4", _e.ECHILD): ("the calling thread has no child and no tracee that this wait could report", ""),
    ("waitid", _e.ECHILD): ("the calling thread has no child and no tracee that this wait could report", ""),
    ("wait4", _e.EINTR): ("a signal ended the wait before there was news", ""),
    ("waitid", _e.EINTR): ("a signal ended the wait before there was news", ""),
    ("wait4", _e.EINVAL): ("an option bit is not one of wait4's", ""),
    ("waitid", _e.EINVAL): ("an option bit is not one of waitid's, or none of WEXITED, WSTOPPED, WCONTINUED is given", ""),
}

_RESUMING: Final = frozenset({"PTRACE_CONT", "PTRACE_SYSCALL", "PTRACE_SINGLESTEP", "PTRACE_DETACH"})


def explain(
    call: str, args: Sequence[str | int], errno: int, tid: int = 0, *, address: int | None = None, caller: int = 0
) -> KernelRefused:
    """Make the error for a failed call, with the cause that can be seen now.

    Args:
        call: the system call's name, ``ptrace`` or ``wait4`` for example.
        args: its arguments as in the log; for ptrace the request's name comes first.
        errno: what the kernel answered.
        tid: the target, 0 if there is none.
        address: what was to be read or written, where the arguments do not say it.
        caller: the thread that made the call; the calling thread unless told.

    Returns:
        `TraceeGone` where the target is dead or dying, `NotPermitted` for EPERM and EACCES, `MemoryRefused` for an address,
        `KernelRefused` for everything else.
    """
    name = str(args[0]) if call == "ptrace" and args else call
    shown = f"{call}({', '.join(map(str, args))})"
    if address is None and name.startswith(("PTRACE_PEEK", "PTRACE_POKE")) and len(args) > 2:
        address = int(str(args[2]), 0)
    if errno == _e.ESRCH:
        return _no_such(shown, name, tid, caller or threading.get_native_id())
    if errno in (_e.EPERM, _e.EACCES):
        what, todo = _not_permitted(name, tid)
        return NotPermitted(f"{_verb(name, tid)}: {what}", todo, call=shown, errno=errno, tid=tid)
    if address is not None and name in _READING | _WRITING and errno in (_e.EIO, _e.EFAULT):
        return _memory(name in _WRITING, errno, tid, address)
    if name in _RESUMING and errno == _e.EIO:
        what, todo = "the signal to deliver is not a signal number", ""
    else:
        what, todo = _BY_CALL.get((name, errno), (f"{errno_text(errno)} ({errno_name(errno)})", ""))
    return KernelRefused(f"{_verb(name, tid)}: {what}", todo, call=shown, errno=errno, tid=tid)


def _verb(name: str, tid: int) -> str:
    if name in _ATTACHING:
        return f"cannot attach to {tid}"
    if name == "PTRACE_TRACEME":
        return "the program cannot be traced"
    return f"{name} on {tid} was refused" if tid else f"{name} was refused"


def _not_permitted(name: str, tid: int) -> tuple[str, str]:
    rights = credentials.our_rights()
    facts = target(tid) if tid else None
    if name in _ATTACHING and facts is not None:
        return (attach_refusal(facts, rights) or unseen_refusal(rights))[:2]
    if name == "PTRACE_TRACEME":
        refusal = needs.refused_to_everyone(rights)
        if refusal:
            return refusal.reason, refusal.remedy
        # ptrace_traceme answers EPERM above all when somebody traces the caller: a tracer of ours that follows forks took the
        # child before it could speak for itself (strace -f does).  The child has ended by now, so look at ourselves.
        tracer = (facts.tracer if facts else 0) or rights.tracer
        if tracer:
            return (
                f"{who(tracer)} traces tracedbg, follows its forks and so traces the program already",
                "trace tracedbg without following forks (strace: without -f)",
            )
    if name in ("kill", "tkill", "tgkill", "pidfd_send_signal") and facts is not None:
        return f"{tid} ({facts.name}) runs as user {facts.uids[0]} and tracedbg as user {rights.uids[0]}", "run tracedbg as root"
    return unseen_refusal(rights)[:2]


def _no_such(call: str, name: str, tid: int, caller: int) -> KernelRefused:
    """ESRCH: for ptrace it means "not your stopped tracee" as often as "no such thread" (kernel/ptrace.c, ptrace_check_attach)."""
    facts = target(tid)
    verb = _verb(name, tid)
    if not name.startswith("PTRACE_") or name in _ATTACHING:
        what = f"there is no process {tid}" if facts is None else f"{who(tid)} was ending"
        return KernelRefused(f"{verb}: {what}", "info proc lists what runs", call=call, errno=_e.ESRCH, tid=tid)
    if facts is None or dying(tid):
        how = "is gone" if facts is None else "is dead or dying"
        return TraceeGone(f"{verb}: {tid} {how}", "its last status tells how it ended", call=call, errno=_e.ESRCH, tid=tid)
    label = f"{tid} ({facts.name})"
    if not facts.tracer:
        what, todo = f"{label} is not traced by anyone", "attach to it first"
    elif facts.tracer != caller:
        what = f"the tracer of {label} is thread {who(facts.tracer)}, and thread {who(caller)} asked"
        todo = "only the thread that is the tracer is heard"
    elif facts.state != "t":
        what, todo = f"{label} is not stopped (state {facts.state})", "interrupt it first, and take the stop with a wait"
    else:
        what, todo = f"{label} was not stopped at that moment; it is now", "ask again"
    return KernelRefused(f"{verb}: {what}", todo, call=call, errno=_e.ESRCH, tid=tid)


def dying(tid: int) -> bool:
    """Whether a thread is dead or can do nothing but die.

    SIGKILL wakes a stopped tracee, which then runs for some microseconds: until it takes the signal, that is in its own pending set
    (kernel/signal.c, complete_signal and zap_other_threads); soon after, PF_EXITING is set.  Several looks bridge the gap.
    """
    for _ in range(3):
        sets = procfs.signal_sets(tid)
        now = target(tid)
        if now is None or sets is None or now.state in "ZX" or now.flags & PF_EXITING or _SIGKILL in sets.pending:
            return True
        if now.state == "t":
            return False
    return False


def _memory(writing: bool, errno: int, tid: int, address: int) -> MemoryRefused:
    """A read or write of memory that failed, with what the map says about the address."""
    verb = "write" if writing else "read"
    facts = target(tid)
    around = [line for line in procfs.maps(tid) if line.start <= address < line.end]
    if around:
        perms = f"mapped {around[0].perms}" + (f" from {around[0].path}" if around[0].path else "")
        what = f"it is {perms} and does not allow that"
        if facts is not None and facts.dumpable is False:
            what = f"process {tid} is not dumpable, which hides its memory from a tracer without CAP_SYS_PTRACE"
    else:
        what = "nothing is mapped there" if facts is not None and facts.state not in "ZX" else f"process {tid} is gone"
    return MemoryRefused(f"cannot {verb} memory at {address:#x}: {what}", address=address, errno=errno)


_STAGES: Final = {
    "setsid": "it could not begin a session of its own",
    "terminal": "its terminal could not become its controlling terminal",
    "redirect": "its standard input and output could not be put in place",
    "directory": "its working directory could not be entered",
    "signals": "its signals could not be reset",
}


def explain_exec(stage: str, errno: int, path: str, *, child: int = 0) -> TracedbgError:
    """Make the error for a program that could not be started.

    Args:
        stage: what the child was at when it failed: one of `spawn.STAGES`.
        errno: its errno.
        path: the program's file as given to execve, already searched for in PATH.
        child: the forked child, if it still exists.

    Returns:
        `NotPermitted` or `KernelRefused` for the stage ``traceme``, `Failed` for all others.
    """
    if stage == "traceme":
        return explain("ptrace", ("PTRACE_TRACEME", 0, 0, 0), errno, child)
    if stage == "exec":
        what, todo = exec_failures.cause(errno, path)
    else:
        what, todo = f"{_STAGES.get(stage, stage)}: {errno_text(errno)} ({errno_name(errno)})", ""
    return Failed(f"cannot start '{path}': {what}", todo)
