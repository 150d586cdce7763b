"""The rights of a thread that asks for ptrace, as /proc shows them: credentials, capabilities, security modules.

Any thread; reads only.  What follows from them is said in `attachable` and `needs`.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import Final

from tracedbg.model.ids import Pid, Tid
from tracedbg.model.text import Shown, visible

from . import procfs

CAP_SYS_PTRACE: Final = 19
"""capabilities(7)"""

_YAMA: Final = "/proc/sys/kernel/yama/ptrace_scope"
_SELINUX_DENY: Final = "/sys/fs/selinux/booleans/deny_ptrace"

# The initial user namespace has this inode number on every kernel (include/linux/proc_ns.h, PROC_USER_INIT_INO).
_INITIAL_USER_NS: Final = "user:[4026531837]"

US: Final = Shown("tracedbg")
"""How sentences name this program."""


@dataclass(frozen=True, slots=True)
class OurRights:
    """What the kernel looks at when one of our threads asks for ptrace.

    Attributes:
        uids: real, effective, saved and file-system user id.
        gids: the same for groups.
        cap_effective: capability bits that count now.
        cap_permitted: capability bits that we could switch on.
        seccomp: 0 none, 1 strict, 2 a filter.
        yama: kernel.yama.ptrace_scope, None where the kernel has no Yama.
        tracer: the thread that traces the calling thread, 0 for none.
        initial_user_ns: whether our capabilities count on the whole machine.
        profile: the security module's label of this process (AppArmor, SELinux), empty or ``unconfined`` without one.
        selinux_denies: SELinux's switch deny_ptrace is on.
        pid: the process that the thread belongs to.
        asker: how sentences name it.
    """

    uids: tuple[int, ...]
    gids: tuple[int, ...]
    cap_effective: int
    cap_permitted: int
    seccomp: int
    yama: int | None
    tracer: Tid
    initial_user_ns: bool
    profile: Shown
    selinux_denies: bool
    pid: Pid
    asker: Shown = US

    @property
    def may_trace_anyone(self) -> bool:
        """CAP_SYS_PTRACE is in effect (within our user namespace at least)."""
        return bool(self.cap_effective >> CAP_SYS_PTRACE & 1)


def yama_scope() -> int | None:
    """The value of kernel.yama.ptrace_scope, None where there is no Yama."""
    data = procfs.read_file(_YAMA)
    return int(data) if data else None


def user_namespace(pid: int | str) -> str:
    """The user namespace of a process as a name to compare; empty when it is gone or closed to us.

    Args:
        pid: a number, or ``self``.
    """
    try:
        return os.readlink(f"/proc/{pid}/ns/user")
    except OSError:
        return ""  # includes kernels without user namespaces, where there is nothing to compare


def our_rights() -> OurRights:
    """Read the rights of the calling thread (they belong to a thread: credentials(7), seccomp(2))."""
    return rights_of(threading.get_native_id())


def rights_of(tid: int) -> OurRights:
    """Read the rights of a thread, of this process or another one.

    Raises:
        ProcessLookupError: it is gone.
    """
    fields = procfs.status_fields(tid)
    if not fields:
        raise ProcessLookupError(f"there is no thread {tid}")
    pid = int(fields["Tgid"])
    deny = procfs.read_file(_SELINUX_DENY) or b"0"
    try:
        profile = procfs.read_file(f"{procfs.task_dir(tid)}/attr/current")
    except OSError:
        profile = None  # EINVAL: a kernel whose security modules have no labels
    return OurRights(
        uids=tuple(map(int, fields["Uid"].split())),
        gids=tuple(map(int, fields["Gid"].split())),
        cap_effective=int(fields["CapEff"], 16),
        cap_permitted=int(fields["CapPrm"], 16),
        seccomp=int(fields.get("Seccomp", "0")),
        yama=yama_scope(),
        tracer=Tid(int(fields["TracerPid"])),
        initial_user_ns=user_namespace(tid) in ("", _INITIAL_USER_NS),
        profile=visible((profile or b"").strip(b"\0\n ")),
        selinux_denies=deny[:1] == b"1",
        pid=Pid(pid),
        asker=US if pid == os.getpid() else visible(f"{pid} ({procfs.comm(pid)})"),
    )
