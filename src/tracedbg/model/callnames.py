"""Numbers and names for the calls of the lab: clone flags, signal actions, prctl options, memory and file flags.

Pure tables for Linux (asm-generic numbers; call numbers of x86-64), any thread.  What `names` has is not repeated here.  Source:
include/uapi/linux/sched.h, prctl.h, signal.h, asm-generic/mman-common.h, fcntl.h; arch/x86/entry/syscalls/syscall_64.tbl.
"""

from __future__ import annotations

from collections.abc import Mapping

from .names import SIGNALS, flags_text, signal_name

CALL_NUMBERS: Mapping[str, int] = {
    "read": 0,
    "write": 1,
    "open": 2,
    "close": 3,
    "poll": 7,
    "mmap": 9,
    "munmap": 11,
    "sigaction": 13,
    "sigprocmask": 14,
    "pread": 17,
    "pwrite": 18,
    "sched_yield": 24,
    "madvise": 28,
    "pause": 34,
    "nanosleep": 35,
    "setitimer": 38,
    "getpid": 39,
    "clone": 56,
    "fork": 57,
    "vfork": 58,
    "execve": 59,
    "exit": 60,
    "wait4": 61,
    "kill": 62,
    "fcntl": 72,
    "getrusage": 98,
    "ptrace": 101,
    "setuid": 105,
    "setgid": 106,
    "setpgid": 109,
    "getppid": 110,
    "setsid": 112,
    "getpgid": 121,
    "getsid": 124,
    "sigpending": 127,
    "sigtimedwait": 128,
    "sigqueueinfo": 129,
    "sigsuspend": 130,
    "personality": 135,
    "prctl": 157,
    "setrlimit": 160,
    "gettid": 186,
    "tkill": 200,
    "exit_group": 231,
    "tgkill": 234,
    "waitid": 247,
    "pipe2": 293,
    "tgsigqueueinfo": 297,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "pidfd_send_signal": 424,
    "pidfd_open": 434,
    "landlock_create_ruleset": 444,
    "landlock_restrict_self": 446,
}
"""The calls of the lab by the kernel's numbers; the ``rt_`` that some names carry in the kernel's table is left out."""

CLONE_FLAGS: Mapping[str, int] = {
    "CLONE_VM": 0x100,
    "CLONE_FS": 0x200,
    "CLONE_FILES": 0x400,
    "CLONE_SIGHAND": 0x800,
    "CLONE_PIDFD": 0x1000,
    "CLONE_PTRACE": 0x2000,
    "CLONE_VFORK": 0x4000,
    "CLONE_PARENT": 0x8000,
    "CLONE_THREAD": 0x10000,
    "CLONE_NEWNS": 0x20000,
    "CLONE_SYSVSEM": 0x40000,
    "CLONE_UNTRACED": 0x800000,
    "CLONE_NEWUTS": 0x4000000,
    "CLONE_NEWIPC": 0x8000000,
    "CLONE_NEWUSER": 0x10000000,
    "CLONE_NEWPID": 0x20000000,
    "CLONE_NEWNET": 0x40000000,
}
CLONE_WORDS: Mapping[str, int] = {**CLONE_FLAGS, **SIGNALS}
"""What clone's first argument is made of: flags, and in its lowest byte the signal that tells the parent of the end."""
CSIGNAL = 0xFF

SIGACTIONS: Mapping[str, int] = {"SIG_DFL": 0, "SIG_IGN": 1, "handler": 2}
"""``handler`` is a function of the puppet's own that reports each signal it gets."""
SA_FLAGS: Mapping[str, int] = {
    "SA_NOCLDSTOP": 0x1,
    "SA_NOCLDWAIT": 0x2,
    "SA_ONSTACK": 0x08000000,
    "SA_RESTART": 0x10000000,
    "SA_NODEFER": 0x40000000,
    "SA_RESETHAND": 0x80000000,
}
SIG_HOW: Mapping[str, int] = {"SIG_BLOCK": 0, "SIG_UNBLOCK": 1, "SIG_SETMASK": 2}
SIGNAL_BITS: Mapping[str, int] = {name: 1 << (number - 1) for name, number in SIGNALS.items()}

PRCTLS: Mapping[str, int] = {
    "PR_SET_PDEATHSIG": 1,
    "PR_GET_PDEATHSIG": 2,
    "PR_GET_DUMPABLE": 3,
    "PR_SET_DUMPABLE": 4,
    "PR_SET_NAME": 15,
    "PR_GET_NAME": 16,
    "PR_SET_CHILD_SUBREAPER": 36,
    "PR_GET_CHILD_SUBREAPER": 37,
    "PR_SET_NO_NEW_PRIVS": 38,
    "PR_GET_NO_NEW_PRIVS": 39,
    "PR_SET_PTRACER": 0x59616D61,
}
PRCTLS_THAT_STORE = frozenset(number for name, number in PRCTLS.items() if name in ("PR_GET_PDEATHSIG", "PR_GET_CHILD_SUBREAPER"))
"""These write an int through their second argument (prctl(2)); the other ones return what they tell."""

PERSONAS: Mapping[str, int] = {"PER_LINUX": 0, "ADDR_NO_RANDOMIZE": 0x0040000, "PER_GET": 0xFFFFFFFF}
MAP_FLAGS: Mapping[str, int] = {
    "MAP_SHARED": 0x1,
    "MAP_PRIVATE": 0x2,
    "MAP_ANONYMOUS": 0x20,
    "MAP_LOCKED": 0x2000,
    "MAP_NORESERVE": 0x4000,
    "MAP_POPULATE": 0x8000,
}
MADVICE: Mapping[str, int] = {
    "MADV_DONTNEED": 4,
    "MADV_DONTFORK": 10,
    "MADV_DOFORK": 11,
    "MADV_HUGEPAGE": 14,
    "MADV_NOHUGEPAGE": 15,
    "MADV_POPULATE_WRITE": 23,
}
OPEN_FLAGS: Mapping[str, int] = {
    "O_WRONLY": 0x1,
    "O_RDWR": 0x2,
    "O_RDONLY": 0,
    "O_CREAT": 0x40,
    "O_TRUNC": 0x200,
    "O_NONBLOCK": 0x800,
    "O_CLOEXEC": 0x80000,
}
PIDFD_FLAGS: Mapping[str, int] = {"PIDFD_NONBLOCK": 0x800, "PIDFD_THREAD": 0x80}
RUSAGES: Mapping[str, int] = {"RUSAGE_SELF": 0, "RUSAGE_CHILDREN": -1, "RUSAGE_THREAD": 1}
ITIMERS: Mapping[str, int] = {"ITIMER_REAL": 0, "ITIMER_VIRTUAL": 1, "ITIMER_PROF": 2}
LANDLOCK_ACCESS: Mapping[str, int] = {
    "LANDLOCK_ACCESS_FS_EXECUTE": 0x1,
    "LANDLOCK_ACCESS_FS_WRITE_FILE": 0x2,
    "LANDLOCK_ACCESS_FS_READ_FILE": 0x4,
    "LANDLOCK_ACCESS_FS_READ_DIR": 0x8,
    "LANDLOCK_ACCESS_FS_MAKE_DIR": 0x80,
    "LANDLOCK_ACCESS_FS_MAKE_BLOCK": 0x800,
}
"""What a Landlock ruleset may take away (landlock(7)); there is more."""
RUSAGE, FILLED = -1, -2
"""Words in the place of a wait call's address: also ask what the child has used; fill the result with `FILLER` before the call."""
FILLER = 0x77
RLIMITS: Mapping[str, int] = {"RLIMIT_CPU": 0, "RLIMIT_CORE": 4, "RLIMIT_NPROC": 6, "RLIMIT_NOFILE": 7, "RLIMIT_SIGPENDING": 11}

_SI_CODES: Mapping[int, str] = {0: "SI_USER", 0x80: "SI_KERNEL", -1: "SI_QUEUE", -2: "SI_TIMER", -6: "SI_TKILL"}
_CLD_CODES: Mapping[int, str] = {
    1: "CLD_EXITED",
    2: "CLD_KILLED",
    3: "CLD_DUMPED",
    4: "CLD_TRAPPED",
    5: "CLD_STOPPED",
    6: "CLD_CONTINUED",
}
_OWN_CODES = frozenset(SIGNALS[f"SIG{name}"] for name in ("ILL", "TRAP", "BUS", "FPE", "SEGV", "POLL", "SYS"))
"""Signals whose small codes mean something of their own; with any other one they tell of a child (its exit signal, clone(2))."""


def clone_text(value: int) -> str:
    """Clone's first argument as it is written: ``CLONE_VFORK|SIGCHLD``, ``SIGUSR1``, ``0``."""
    flags, signal = value & ~CSIGNAL, value & CSIGNAL
    words = [flags_text(flags, CLONE_FLAGS)] if flags else []
    return "|".join([*words, signal_name(signal)] if signal else words) or "0"


def sigset_text(mask: int) -> str:
    """A set of signals: ``SIGCHLD|SIGUSR1``, ``none`` or ``all``."""
    if mask in (0, (1 << 64) - 1):
        return "all" if mask else "none"
    return "|".join(signal_name(number) for number in range(1, 65) if mask >> (number - 1) & 1)


def si_code_text(signal: int, code: int) -> str:
    """What a siginfo's code means for this signal, its number where it has no name here (sigaction(2), The si_code field)."""
    named = None if signal in _OWN_CODES else _CLD_CODES.get(code)
    return named or _SI_CODES.get(code) or hex(code)


_NAMES_BY_NUMBER: Mapping[int, str] = {number: name for name, number in CALL_NUMBERS.items()}
_ARGUMENTS_KEPT: Mapping[str, tuple[int, ...]] = {"wait4": (0, 2), "waitid": (0, 1, 3), "ptrace": (0, 1, 2, 3)}


def as_made(name: str, numbers: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    """A call that was made by its bare number, as if it had been typed by name: ``syscall 61 -1 0 1`` is wait4(-1, 1).

    Args:
        name: of the call, ``syscall`` for one by number.
        numbers: its arguments; for ``syscall`` the number comes first.

    Returns:
        The name and those arguments that a typed call of that name has; pointers to results are left out.
    """
    if name != "syscall" or not numbers or numbers[0] not in _NAMES_BY_NUMBER:
        return name, numbers
    known = _NAMES_BY_NUMBER[numbers[0]]
    words = (*numbers[1:], 0, 0, 0, 0)
    kept = _ARGUMENTS_KEPT.get(known)
    return known, tuple(words[at] for at in kept) if kept else numbers[1:]
