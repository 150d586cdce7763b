"""Why the kernel said no: an errno becomes an error that names the cause which was found by looking.

Any thread; reads /proc after the call has failed, so a cause is what is seen then.  It must not repeat the call, and it only
returns errors: raising them is the caller's part.  Texts are written in the order in which the kernel checks.
"""

from __future__ import annotations

import errno as _e
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tracedbg.model.errors import Failed, KernelRefused, MemoryRefused, NotPermitted, TracedbgError, TraceeGone
from tracedbg.model.ids import Pid, Tid
from tracedbg.model.names import errno_name, errno_text
from tracedbg.model.text import Shown

from . import exec_failures, needs, procfs

_PF_EXITING: Final = 0x4
_PF_KTHREAD: Final = 0x200000
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
    ("PTRACE_LISTEN", _e.EIO): ("only a tracee attached with PTRACE_SEIZE that is in a group-stop can listen", ""),
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


@dataclass(frozen=True, slots=True)
class Target:
    """What decides whether a thread may be attached to.

    Attributes:
        tid: the thread.
        tgid: its process.
        name: the thread's name, safe to show.
        state: one letter.
        parent: its parent process.
        flags: PF_ bits.
        tracer: the thread that traces it, 0 for none.
        uids: real, effective, saved and file-system user id.
        gids: the same for groups.
        cap_permitted: its capability bits.
        dumpable: None when it cannot be told (a process of root shows the same owner either way).
        descendant: it descends from this process.
        user_ns_seen: its user namespace could be read.
    """

    tid: Tid
    tgid: Pid
    name: Shown
    state: str
    parent: Pid
    flags: int
    tracer: Tid
    uids: tuple[int, ...]
    gids: tuple[int, ...]
    cap_permitted: int
    dumpable: bool | None
    descendant: bool
    user_ns_seen: bool


def who(tid: int) -> str:
    """A thread as sentences name it: ``4242 (sleep)``, the number alone once it is gone."""
    name = procfs.comm(tid)
    return f"{tid} ({name})" if name else str(tid)


def target(tid: int) -> Target | None:
    """Gather the facts of a thread; None if it is gone."""
    fields = procfs.status_fields(tid)
    flags = procfs.task_flags(tid)
    state = procfs.state(tid)
    if not fields or flags is None or not state:
        return None
    uids = tuple(map(int, fields["Uid"].split()))
    return Target(
        tid=Tid(tid),
        tgid=Pid(int(fields["Tgid"])),
        name=procfs.comm(tid),
        state=state,
        parent=Pid(int(fields["PPid"])),
        flags=flags,
        tracer=Tid(int(fields["TracerPid"])),
        uids=uids,
        gids=tuple(map(int, fields["Gid"].split())),
        cap_permitted=int(fields["CapPrm"], 16),
        dumpable=_dumpable(tid, uids[1], state),
        descendant=_descends_from_us(int(fields["PPid"])),
        user_ns_seen=bool(needs.user_namespace(tid)),
    )


def _dumpable(tid: int, effective_uid: int, state: str) -> bool | None:
    """The kernel gives the files of an undumpable process to root (fs/proc/base.c, task_dump_owner), not its directory."""
    if state in "ZX":
        return True  # no memory left to protect: __ptrace_may_access skips this check
    try:
        owner = os.stat(f"{procfs.task_dir(tid)}/stat").st_uid
    except OSError:
        return None  # gone meanwhile: whatever was refused, this was not the reason
    if owner != effective_uid:
        return False
    return None if effective_uid == 0 else True


def _descends_from_us(pid: int) -> bool:
    seen: set[int] = set()
    while pid > 0 and pid not in seen:  # numbers can come again while we climb: never in a circle
        if pid == os.getpid():
            return True
        seen.add(pid)
        pid = procfs.ppid(pid) or 0
    return False


def attach_refusal(target: Target, rights: needs.OurRights) -> tuple[str, str] | None:
    """Find what forbids attaching, in the kernel's order (pure, but for the name of another tracer).

    Source: kernel/ptrace.c, ptrace_attach and __ptrace_may_access; security/commoncap.c, cap_ptrace_access_check;
    security/yama/yama_lsm.c, yama_ptrace_access_check; ptrace(2), "Ptrace access mode checking".

    Args:
        target: whom to attach to.
        rights: ours.

    Returns:
        The cause as a clause and what to do; None if nothing that can be seen forbids it.
    """
    name = f"{target.tid} ({target.name})"
    powerful = rights.may_trace_anyone and (rights.initial_user_ns or target.user_ns_seen)
    if target.flags & _PF_KTHREAD:
        return f"{name} is a kernel thread: it runs no program", "choose a process that has one"
    if target.tgid == os.getpid():
        part = "tracedbg itself" if target.tid == os.getpid() else "a thread of tracedbg itself"
        return f"{name} is {part}, and no thread can trace its own process", "start a second tracedbg for that"
    if not powerful:
        found = _credentials(name, target, rights) or _yama(name, target, rights)
        if found:
            return found
    if rights.yama == 3 or rights.selinux_denies:
        refusal = needs.refused_to_everyone(rights)
        if refusal:
            return refusal.reason, refusal.remedy
    if target.state in "ZX":
        parent = who(target.parent)
        return f"{name} has ended already (a zombie): its parent {parent} has not waited for it yet", "there is nothing to debug"
    if target.tracer:
        return (
            f"{name} is already traced by {who(target.tracer)}, and a thread has one tracer at most",
            "detach or end that tracer first",
        )
    return None


def _credentials(name: str, target: Target, rights: needs.OurRights) -> tuple[str, str] | None:
    """User, group, dumpability, capabilities: checked only where CAP_SYS_PTRACE does not count."""
    uid, gid = rights.uids[0], rights.gids[0]
    if rights.may_trace_anyone:
        where = ", and our CAP_SYS_PTRACE counts only inside our own user namespace"
        remedy = "run tracedbg as root outside the container"
    else:
        where = " without CAP_SYS_PTRACE"
        remedy = "run tracedbg as root"
    if set(target.uids[:3]) != {uid}:
        owner = str(target.uids[0]) if len(set(target.uids[:3])) == 1 else "/".join(map(str, target.uids[:3]))
        return f"{name} runs as user {owner} and tracedbg as user {uid}{where}", f"{remedy}, or as the program's user"
    if set(target.gids[:3]) != {gid}:
        owner = str(target.gids[0]) if len(set(target.gids[:3])) == 1 else "/".join(map(str, target.gids[:3]))
        return f"{name} runs as group {owner} and tracedbg as group {gid}{where}", f"{remedy}, or with the program's group"
    if target.dumpable is False:
        return (
            f"{name} is not dumpable: it changed its user, has file capabilities, or asked for it with prctl",
            remedy,
        )
    if target.cap_permitted & ~rights.cap_permitted:
        return f"{name} holds capabilities that tracedbg does not have{where}", remedy
    return None


def _yama(name: str, target: Target, rights: needs.OurRights) -> tuple[str, str] | None:
    if rights.yama == 1 and not target.descendant:
        return (
            f"Yama's ptrace_scope is 1 ({needs.YAMA_MEANING[1]}) and {name} is no descendant of tracedbg",
            "start the program with tracedbg, run tracedbg as root, or as root: sysctl kernel.yama.ptrace_scope=0",
        )
    if rights.yama == 2:
        refusal = needs.refused_to_everyone(rights)
        return (refusal.reason, refusal.remedy) if refusal else None
    return None


def _unseen_refusal(rights: needs.OurRights) -> tuple[str, str]:
    """EPERM, and nothing in /proc shows why."""
    if rights.seccomp == needs.SECCOMP_FILTER:
        return "a seccomp filter on tracedbg refuses ptrace (containers have one)", needs.SECCOMP_REMEDY
    if rights.profile not in ("", "unconfined"):
        return f"the security module that confines tracedbg as '{rights.profile}' refuses it", "run it outside that profile"
    if not rights.initial_user_ns:
        return "tracedbg runs in a user namespace of its own, where its rights end", "run it outside the container"
    return "a security module (Landlock, for example) refuses it: nothing in /proc forbids it", "run it outside the sandbox"


def why_not_attach(pid: int) -> str:
    """Say in advance why attaching to a thread would be refused.

    Returns:
        One line, cause and remedy; empty when nothing that can be seen forbids it (a seccomp filter or Landlock still may).
    """
    facts = target(pid)
    if facts is None:
        return f"there is no process {pid}"
    found = attach_refusal(facts, needs.our_rights())
    return "; ".join(found) if found else ""


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
    rights = needs.our_rights()
    facts = target(tid) if tid else None
    if name in _ATTACHING and facts is not None:
        return attach_refusal(facts, rights) or _unseen_refusal(rights)
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
    return _unseen_refusal(rights)


def _no_such(call: str, name: str, tid: int, caller: int) -> KernelRefused:
    """ESRCH: for ptrace it means "not your stopped tracee" as often as "no such thread" (kernel/ptrace.c, ptrace_check_attach)."""
    facts = target(tid)
    verb = _verb(name, tid)
    if not name.startswith("PTRACE_") or name in _ATTACHING:
        what = f"there is no process {tid}" if facts is None else f"{who(tid)} was ending"
        return KernelRefused(f"{verb}: {what}", "info proc lists what runs", call=call, errno=_e.ESRCH, tid=tid)
    if facts is None or _dying(facts):
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


def _dying(facts: Target) -> bool:
    """Whether a thread is dead or can do nothing but die.

    SIGKILL wakes a stopped tracee, which then runs for some microseconds: until it takes the signal, that is in its own pending set
    (kernel/signal.c, complete_signal and zap_other_threads); soon after, PF_EXITING is set.  Several looks bridge the gap.
    """
    for _ in range(3):
        sets = procfs.signal_sets(facts.tid)
        now = target(facts.tid)
        if now is None or sets is None or now.state in "ZX" or now.flags & _PF_EXITING or _SIGKILL in sets.pending:
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
