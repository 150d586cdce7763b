"""Whether a thread may be attached to: the facts that decide, and the check in the kernel's order.

Any thread; `target` reads /proc, the rest is pure but for the name of another tracer.  It makes no request.  Texts are written in the
order in which the kernel checks.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final, NamedTuple

from tracedbg.model.ids import Pid, Tid
from tracedbg.model.text import Shown

from . import credentials, needs, procfs

PF_EXITING: Final = 0x4
PF_KTHREAD: Final = 0x200000


class Refusal(NamedTuple):
    """What forbids attaching.

    Attributes:
        what: the cause as a clause.
        todo: what to do about it.
        cause: its name for programs: ``kernel-thread``, ``own-thread``, ``uid``, ``gid``, ``undumpable``, ``capabilities``, ``yama``,
            ``selinux``, ``zombie``, ``traced``, ``seccomp``, ``lsm``, ``namespace``.
    """

    what: str
    todo: str
    cause: str


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
        descendant: it descends from the process that wants to attach.
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


def target(tid: int, caller: int = 0) -> Target | None:
    """Gather the facts of a thread; None if it is gone.

    Args:
        tid: the thread.
        caller: the process that wants to attach; this one unless told.
    """
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
        descendant=_descends_from(int(fields["PPid"]), caller or os.getpid()),
        user_ns_seen=bool(credentials.user_namespace(tid)),
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


def _descends_from(pid: int, ancestor: int) -> bool:
    seen: set[int] = set()
    while pid > 0 and pid not in seen:  # numbers can come again while we climb: never in a circle
        if pid == ancestor:
            return True
        seen.add(pid)
        pid = procfs.ppid(pid) or 0
    return False


def attach_refusal(target: Target, rights: credentials.OurRights) -> Refusal | None:
    """Find what forbids attaching, in the kernel's order (pure, but for the name of another tracer).

    Source: kernel/ptrace.c, ptrace_attach and __ptrace_may_access; security/commoncap.c, cap_ptrace_access_check;
    security/yama/yama_lsm.c, yama_ptrace_access_check; ptrace(2), "Ptrace access mode checking".

    Args:
        target: whom to attach to.
        rights: of the thread that wants to.

    Returns:
        None if nothing that can be seen forbids it.
    """
    name = f"{target.tid} ({target.name})"
    powerful = rights.may_trace_anyone and (rights.initial_user_ns or target.user_ns_seen)
    if target.flags & PF_KTHREAD:
        return Refusal(f"{name} is a kernel thread: it runs no program", "choose a process that has one", "kernel-thread")
    if target.tgid == rights.pid:
        part = f"{rights.asker} itself" if int(target.tid) == int(rights.pid) else f"a thread of {rights.asker} itself"
        todo = "start a second tracedbg for that" if rights.asker == credentials.US else "let another process do it"
        return Refusal(f"{name} is {part}, and no thread can trace its own process", todo, "own-thread")
    if not powerful:
        found = _credentials(name, target, rights) or _yama(name, target, rights)
        if found:
            return found
    if rights.yama == 3 or rights.selinux_denies:
        refusal = needs.refused_to_everyone(rights)
        if refusal:
            return Refusal(refusal.reason, refusal.remedy, "yama" if rights.yama == 3 else "selinux")
    if target.state in "ZX":
        what = f"{name} has ended already (a zombie): its parent {who(target.parent)} has not waited for it yet"
        return Refusal(what, "there is nothing to debug", "zombie")
    if target.tracer:
        what = f"{name} is already traced by {who(target.tracer)}, and a thread has one tracer at most"
        return Refusal(what, "detach or end that tracer first", "traced")
    return None


def _credentials(name: str, target: Target, rights: credentials.OurRights) -> Refusal | None:
    """User, group, dumpability, capabilities: checked only where CAP_SYS_PTRACE does not count."""
    uid, gid = rights.uids[0], rights.gids[0]
    asker = rights.asker
    if rights.may_trace_anyone:
        where = ", and our CAP_SYS_PTRACE counts only inside our own user namespace"
        remedy = f"run {asker} as root outside the container"
    else:
        where = " without CAP_SYS_PTRACE"
        remedy = f"run {asker} as root"
    if set(target.uids[:3]) != {uid}:
        owner = str(target.uids[0]) if len(set(target.uids[:3])) == 1 else "/".join(map(str, target.uids[:3]))
        return Refusal(f"{name} runs as user {owner} and {asker} as user {uid}{where}", f"{remedy}, or as the program's user", "uid")
    if set(target.gids[:3]) != {gid}:
        owner = str(target.gids[0]) if len(set(target.gids[:3])) == 1 else "/".join(map(str, target.gids[:3]))
        return Refusal(f"{name} runs as group {owner} and {asker} as group {gid}{where}", f"{remedy}, or with the program's group", "gid")
    if target.dumpable is False:
        what = f"{name} is not dumpable: it changed its user, has file capabilities, or asked for it with prctl"
        return Refusal(what, remedy, "undumpable")
    if target.cap_permitted & ~rights.cap_permitted:
        return Refusal(f"{name} holds capabilities that {asker} does not have{where}", remedy, "capabilities")
    return None


def _yama(name: str, target: Target, rights: credentials.OurRights) -> Refusal | None:
    if rights.yama == 1 and not target.descendant:
        return Refusal(
            f"Yama's ptrace_scope is 1 ({needs.YAMA_MEANING[1]}) and {name} is no descendant of {rights.asker}",
            "start the program with tracedbg, run tracedbg as root, or as root: sysctl kernel.yama.ptrace_scope=0",
            "yama",
        )
    if rights.yama == 2:
        refusal = needs.refused_to_everyone(rights)
        return Refusal(refusal.reason, refusal.remedy, "yama") if refusal else None
    return None


def unseen_refusal(rights: credentials.OurRights) -> Refusal:
    """EPERM, and nothing in /proc shows why."""
    if rights.seccomp == needs.SECCOMP_FILTER:
        return Refusal(f"a seccomp filter on {rights.asker} refuses ptrace (containers have one)", needs.SECCOMP_REMEDY, "seccomp")
    if rights.profile not in ("", "unconfined"):
        what = f"the security module that confines {rights.asker} as '{rights.profile}' refuses it"
        return Refusal(what, "run it outside that profile", "lsm")
    if not rights.initial_user_ns:
        return Refusal(
            f"{rights.asker} runs in a user namespace of its own, where its rights end", "run it outside the container", "namespace"
        )
    return Refusal("a security module (Landlock, for example) refuses it: nothing in /proc forbids it", "run it outside the sandbox", "lsm")


def why_not_attach(pid: int) -> str:
    """Say in advance why attaching to a thread would be refused.

    Returns:
        One line, cause and remedy; empty when nothing that can be seen forbids it (a seccomp filter or Landlock still may).
    """
    facts = target(pid)
    if facts is None:
        return f"there is no process {pid}"
    found = attach_refusal(facts, credentials.our_rights())
    return f"{found.what}; {found.todo}" if found else ""
