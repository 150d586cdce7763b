"""What this process may do with ptrace, found out by reading only.

Any thread.  It must not fork, trace or signal to find out: the one function that makes processes is in `spawn`, and every request
belongs to the tracer thread.  So an answer "allowed" means that nothing visible forbids it.
"""

from __future__ import annotations

import errno as errno_of
import os
import platform
import re
import resource
import shutil
import stat
import threading
from typing import Final, NamedTuple

from tracedbg.model.text import visible

from . import credentials, procfs, raw, tracefs

SECCOMP_FILTER: Final = 2
"""SECCOMP_MODE_FILTER of seccomp(2), as the field `Seccomp` of proc_pid_status(5) shows it."""

YAMA_MEANING: Final = {
    0: "any process of the same user may be traced",
    1: "only one's own descendants may be traced",
    2: "only a tracer with CAP_SYS_PTRACE may trace",
    3: "nobody may trace, and this cannot be changed before the next boot",
}
"""What each value of kernel.yama.ptrace_scope allows (ptrace(2), ptrace_scope)."""

_LOCKDOWN: Final = "/sys/kernel/security/lockdown"

SECCOMP_REMEDY: Final = "allow ptrace in the container's seccomp profile (docker: --cap-add=SYS_PTRACE)"


class Need(NamedTuple):
    """The answer of a probe.

    Attributes:
        ok: nothing visible speaks against it.
        reason: what was found, one clause.
        remedy: what to do about it; empty when there is nothing to do.
    """

    ok: bool
    reason: str
    remedy: str


def kernel_version() -> tuple[int, int]:
    """The running kernel's version, for example ``(6, 18)``."""
    found = re.match(r"(\d+)\.(\d+)", platform.release())
    return (int(found[1]), int(found[2])) if found else (0, 0)


def refused_to_everyone(rights: credentials.OurRights) -> Need | None:
    """What refuses ptrace even on our own children, from rights alone (pure).

    Returns:
        None if nothing visible does.
    """
    if rights.yama == 3:
        remedy = "set kernel.yama.ptrace_scope to 1 in /etc/sysctl.d and boot again"
        return Need(False, f"Yama's ptrace_scope is 3: {YAMA_MEANING[3]}", remedy)
    if rights.yama == 2 and not rights.may_trace_anyone:
        remedy = "run tracedbg as root, or as root: sysctl kernel.yama.ptrace_scope=1"
        return Need(False, f"Yama's ptrace_scope is 2: {YAMA_MEANING[2]}", remedy)
    if rights.selinux_denies:
        return Need(False, "SELinux's switch deny_ptrace is on", "as root: setsebool deny_ptrace off")
    return None


def ptrace_allowed() -> Need:
    """Say whether programs that we start ourselves can be traced, as far as reading can tell.

    Returns:
        `ok` false only for a certain refusal.  A seccomp filter cannot be read back: with one, `ok` is true and `reason` warns.
    """
    rights = credentials.our_rights()
    version = kernel_version()
    if version < (4, 7):
        # Before, waitid(2) knew no __WALL (BUGS and HISTORY there), and nothing here could wait for a traced thread with it.
        return Need(False, f"this kernel is Linux {version[0]}.{version[1]}", "tracedbg needs Linux 4.7 or newer")
    refusal = refused_to_everyone(rights)
    if refusal:
        return refusal
    if rights.tracer:
        name = procfs.comm(rights.tracer)
        reason = f"tracedbg itself is traced by {rights.tracer} ({name}); if that follows forks, it takes our programs first"
        return Need(True, reason, "trace tracedbg without following forks (strace: without -f)")
    if rights.seccomp == SECCOMP_FILTER:
        return Need(True, "a seccomp filter is in force and may refuse ptrace", SECCOMP_REMEDY)
    return Need(True, "nothing visible refuses ptrace on programs that we start", "")


def attach_allowed() -> Need:
    """Say whether running processes of the same user can be attached to, as far as reading can tell."""
    general = ptrace_allowed()
    rights = credentials.our_rights()
    if general.ok and rights.yama == 1 and not rights.may_trace_anyone:
        remedy = "start the program with tracedbg, run tracedbg as root, or as root: sysctl kernel.yama.ptrace_scope=0"
        return Need(False, f"Yama's ptrace_scope is 1: {YAMA_MEANING[1]}", remedy)
    return general


# --- capabilities by name -----------------------------------------------------------------------------------------------------
_VERSION: Final = re.compile(r"kernel>=(\d{1,3})\.(\d{1,3})")
_YAMA_MOST: Final = re.compile(r"yama<=([0-3])")
_ARCH: Final = re.compile(r"arch=(\w+)")

NAMES: Final = (
    "ptrace",
    "cc",
    "root",
    "tracefs",
    "tty",
    "smp",
    "seize",
    "kthread",
    "landlock",
    "setuid",
    "corefile",
    "kallsyms",
    "yama<=N",
    "arch=NAME",
    "kernel>=X.Y",
)
"""The closed list of capabilities that a walkthrough may ask for."""
NAMES_TEXT: Final = ", ".join(NAMES)


def known(name: str) -> bool:
    """Whether `name` is a capability of the closed list."""
    return name in _PROBES or any(form.fullmatch(name) for form in (_VERSION, _YAMA_MOST, _ARCH))


def probe(name: str) -> Need:
    """Say whether a capability is there, by reading only.

    Args:
        name: one of `NAMES`.

    Raises:
        KeyError: the name is not on the list.
    """
    if found := _VERSION.fullmatch(name):
        return _kernel_at_least(int(found[1]), int(found[2]))
    if found := _YAMA_MOST.fullmatch(name):
        return _yama_at_most(int(found[1]))
    if found := _ARCH.fullmatch(name):
        machine = platform.machine()
        return Need(machine == found[1], f"this machine is {machine}", "" if machine == found[1] else f"use a machine with {found[1]}")
    return _PROBES[name]()


def _kernel_at_least(major: int, minor: int) -> Need:
    here = kernel_version()
    ok = here >= (major, minor)
    return Need(ok, f"this kernel is Linux {here[0]}.{here[1]}", "" if ok else f"boot Linux {major}.{minor} or newer")


def _yama_at_most(most: int) -> Need:
    """Yama asks who traces whom; CAP_SYS_PTRACE passes all but scope 3 (ptrace(2), ptrace_scope)."""
    rights = credentials.our_rights()
    scope = rights.yama
    if scope is None:
        return Need(True, "this kernel has no Yama", "")
    reason = f"Yama's ptrace_scope is {scope}: {YAMA_MEANING.get(scope, 'unknown')}"
    if scope <= most or (rights.may_trace_anyone and scope < 3):
        return Need(True, reason, "")
    remedy = "set kernel.yama.ptrace_scope and boot again" if scope == 3 else f"as root: sysctl kernel.yama.ptrace_scope={most}"
    return Need(False, reason, remedy)


def _compiler() -> Need:
    path = shutil.which("cc")
    return (
        Need(True, f"the compiler is {visible(path)}", "")
        if path
        else Need(False, "there is no program cc", "install a C compiler, such as gcc")
    )


def _root() -> Need:
    uid = os.geteuid()
    return Need(True, "this is root", "") if uid == 0 else Need(False, f"the user id is {uid}", "run tracedbg as root")


def tracefs_allowed() -> Need:
    """Say whether the kernel's own trace can be read: root, a mounted tracefs, and the first pid namespace.

    Nothing is mounted to find out, and no directory is visited where a visit would mount.
    """
    where = tracefs.root()
    if not where:
        if b"\ttracefs\n" not in (procfs.read_file("/proc/filesystems") or b""):
            return Need(False, "this kernel was built without tracing", "a kernel with CONFIG_EVENT_TRACING")
        remedy = tracefs.REMEDY if os.geteuid() == 0 else f"{tracefs.REMEDY}, and run tracedbg as root"
        return Need(False, "tracefs, where the kernel shows its own trace, is not mounted", remedy)
    if os.geteuid() != 0:
        return Need(False, f"the kernel's own trace in {where} is for root, and this is user {os.geteuid()}", "run tracedbg as root")
    if b"[confidentiality]" in (procfs.read_file(_LOCKDOWN) or b""):
        return Need(False, "the kernel is locked down and shows its trace to nobody", "boot without lockdown=confidentiality")
    if not os.access(f"{where}/instances", os.W_OK, effective_ids=True):
        return Need(False, f"no trace instance can be made in {where}", "mount it writable, and run tracedbg with all of root's rights")
    if not tracefs.numbers_are_ours():
        return Need(False, "tracedbg is in a pid namespace, and the kernel's trace has other numbers", "run tracedbg outside the container")
    return Need(True, f"tracefs is mounted at {where} and may be used", "")


def _terminal() -> Need:
    ok = os.isatty(0) and os.isatty(1)
    return Need(ok, f"input and output are {'a' if ok else 'no'} terminal", "" if ok else "run it at a terminal, without a pipe")


def _processors() -> Need:
    count = len(os.sched_getaffinity(0))
    ok = count > 1
    return Need(ok, f"{count} CPU{'s' * ok} may be used", "" if ok else "use a machine with two, or widen the CPU affinity (taskset)")


def _seize() -> Need:
    """PTRACE_SEIZE on our own children: as ptrace, and newer (ptrace(2): since Linux 3.4)."""
    return ptrace_allowed()


_KTHREAD: Final = 2
"""kthreadd, the parent of all kernel threads, in the first pid namespace (init/main.c, rest_init)."""
_PF_KTHREAD: Final = 0x200000


def _kernel_thread() -> Need:
    """In a container process 2 is an ordinary process or nobody, and no kernel thread is to be seen at all (pid_namespaces(7))."""
    flags = procfs.task_flags(_KTHREAD)
    if flags is not None and flags & _PF_KTHREAD:
        return Need(True, "process 2 is a kernel thread", "")
    reason = "there is no process 2" if flags is None else "process 2 is no kernel thread"
    return Need(False, f"{reason} here", "run tracedbg outside the container, where /proc shows every process")


_LANDLOCK_CREATE_RULESET: Final = 444
_LANDLOCK_VERSION: Final = 1


def _landlock() -> Need:
    """Landlock is asked for its version, which makes no ruleset (landlock_create_ruleset(2))."""
    version, errno = raw.syscall(_LANDLOCK_CREATE_RULESET, 0, 0, _LANDLOCK_VERSION)
    if version > 0:
        return Need(True, f"the kernel has Landlock, interface {version}", "")
    if errno == errno_of.EOPNOTSUPP:
        return Need(False, "Landlock was not switched on when this kernel was booted", "boot with landlock in the list lsm=")
    if errno == errno_of.ENOSYS:
        return Need(False, "this kernel has no Landlock", "boot Linux 5.13 or newer with CONFIG_SECURITY_LANDLOCK")
    return Need(False, f"Landlock does not answer ({os.strerror(errno)})", "allow its calls in the container's seccomp profile")


SETUID_PROGRAM: Final = "/bin/su"


def _setuid() -> Need:
    """A set-user-id program of root's gives no privilege on a file system that is mounted nosuid (execve(2))."""
    name = SETUID_PROGRAM
    try:
        facts = os.stat(name)
        nosuid = bool(os.statvfs(name).f_flag & os.ST_NOSUID)
    except OSError:
        return Need(False, f"there is no {name}", "install the package that has it (util-linux, or shadow)")
    if facts.st_uid != 0 or not facts.st_mode & stat.S_ISUID:
        return Need(False, f"{name} does not have root's set-user-id bit", f"as root: chmod u+s {name}")
    if nosuid:
        return Need(False, f"{name} lies on a file system that is mounted nosuid", "mount it without nosuid")
    if procfs.status_fields(threading.get_native_id()).get("NoNewPrivs") == "1":
        return Need(
            False, "this process may gain no privilege (no_new_privs), so no set-user-id bit counts", "run it outside the container"
        )
    return Need(True, f"{name} belongs to root and has the set-user-id bit", "")


_CORE_BYTES: Final = 16 << 20
"""More than the core of a puppet takes."""


def _core_file() -> Need:
    """Whether a core becomes a file `core` in the dying process's directory, and the limit alone decides on it (core(5))."""
    pattern = (procfs.read_file("/proc/sys/kernel/core_pattern") or b"").strip()
    with_pid = (procfs.read_file("/proc/sys/kernel/core_uses_pid") or b"0").strip() != b"0"
    most = resource.getrlimit(resource.RLIMIT_CORE)[1]
    if pattern != b"core" or with_pid:
        remedy = "as root: sysctl kernel.core_pattern=core kernel.core_uses_pid=0"
        return Need(False, f"cores go to '{visible(pattern)}{'.PID' * with_pid}', not to a file named core", remedy)
    if most != resource.RLIM_INFINITY and most < _CORE_BYTES:
        return Need(False, f"the hard limit for cores is {most} bytes", "as root, before tracedbg starts: ulimit -Hc unlimited")
    return Need(True, "a core becomes a file named core", "")


def _kallsyms() -> Need:
    """The kernel lists its functions by name (proc_kallsyms(5))."""
    if os.access("/proc/kallsyms", os.R_OK):
        return Need(True, "the kernel lists its functions in /proc/kallsyms", "")
    return Need(False, "the kernel does not list its functions", "boot a kernel with CONFIG_KALLSYMS")


_PROBES: Final = {
    "ptrace": ptrace_allowed,
    "cc": _compiler,
    "root": _root,
    "tracefs": tracefs_allowed,
    "tty": _terminal,
    "smp": _processors,
    "seize": _seize,
    "kthread": _kernel_thread,
    "landlock": _landlock,
    "setuid": _setuid,
    "corefile": _core_file,
    "kallsyms": _kallsyms,
}
