"""Numbers and their names, both ways: ptrace requests, options, events, wait options, signals.

Pure tables for Linux (asm-generic numbers; x86-64 requests), any thread.  A law test compares them with python-ptrace's and lists
what python-ptrace lacks.  Source: include/uapi/linux/ptrace.h, include/uapi/linux/wait.h.
"""

from __future__ import annotations

import errno as _errno
import os
import signal as _signal
from collections.abc import Mapping

PTRACE_REQUESTS: Mapping[str, int] = {
    "PTRACE_TRACEME": 0,
    "PTRACE_PEEKTEXT": 1,
    "PTRACE_PEEKDATA": 2,
    "PTRACE_PEEKUSER": 3,
    "PTRACE_POKETEXT": 4,
    "PTRACE_POKEDATA": 5,
    "PTRACE_POKEUSER": 6,
    "PTRACE_CONT": 7,
    "PTRACE_KILL": 8,
    "PTRACE_SINGLESTEP": 9,
    "PTRACE_GETREGS": 12,
    "PTRACE_SETREGS": 13,
    "PTRACE_GETFPREGS": 14,
    "PTRACE_SETFPREGS": 15,
    "PTRACE_ATTACH": 16,
    "PTRACE_DETACH": 17,
    "PTRACE_SYSCALL": 24,
    "PTRACE_SYSEMU": 31,
    "PTRACE_SYSEMU_SINGLESTEP": 32,
    "PTRACE_SINGLEBLOCK": 33,
    "PTRACE_SETOPTIONS": 0x4200,
    "PTRACE_GETEVENTMSG": 0x4201,
    "PTRACE_GETSIGINFO": 0x4202,
    "PTRACE_SETSIGINFO": 0x4203,
    "PTRACE_GETREGSET": 0x4204,
    "PTRACE_SETREGSET": 0x4205,
    "PTRACE_SEIZE": 0x4206,
    "PTRACE_INTERRUPT": 0x4207,
    "PTRACE_LISTEN": 0x4208,
    "PTRACE_PEEKSIGINFO": 0x4209,
    "PTRACE_GETSIGMASK": 0x420A,
    "PTRACE_SETSIGMASK": 0x420B,
    "PTRACE_GET_SYSCALL_INFO": 0x420E,
    "PTRACE_SET_SYSCALL_INFO": 0x4212,
}
REQUEST_NAMES: Mapping[int, str] = {number: name for name, number in PTRACE_REQUESTS.items()}

PTRACE_OPTIONS: Mapping[str, int] = {
    "PTRACE_O_TRACESYSGOOD": 0x01,
    "PTRACE_O_TRACEFORK": 0x02,
    "PTRACE_O_TRACEVFORK": 0x04,
    "PTRACE_O_TRACECLONE": 0x08,
    "PTRACE_O_TRACEEXEC": 0x10,
    "PTRACE_O_TRACEVFORKDONE": 0x20,
    "PTRACE_O_TRACEEXIT": 0x40,
    "PTRACE_O_TRACESECCOMP": 0x80,
    "PTRACE_O_EXITKILL": 0x100000,
    "PTRACE_O_SUSPEND_SECCOMP": 0x200000,
}

EVENT_FORK, EVENT_VFORK, EVENT_CLONE, EVENT_EXEC = 1, 2, 3, 4
EVENT_VFORK_DONE, EVENT_EXIT, EVENT_SECCOMP, EVENT_STOP = 5, 6, 7, 128
PTRACE_EVENTS: Mapping[str, int] = {
    "PTRACE_EVENT_FORK": EVENT_FORK,
    "PTRACE_EVENT_VFORK": EVENT_VFORK,
    "PTRACE_EVENT_CLONE": EVENT_CLONE,
    "PTRACE_EVENT_EXEC": EVENT_EXEC,
    "PTRACE_EVENT_VFORK_DONE": EVENT_VFORK_DONE,
    "PTRACE_EVENT_EXIT": EVENT_EXIT,
    "PTRACE_EVENT_SECCOMP": EVENT_SECCOMP,
    "PTRACE_EVENT_STOP": EVENT_STOP,
}
EVENT_NAMES: Mapping[int, str] = {number: name for name, number in PTRACE_EVENTS.items()}

WAIT_OPTIONS: Mapping[str, int] = {
    "WNOHANG": 0x1,
    "WUNTRACED": 0x2,
    "WSTOPPED": 0x2,
    "WEXITED": 0x4,
    "WCONTINUED": 0x8,
    "WNOWAIT": 0x01000000,
    "__WNOTHREAD": 0x20000000,
    "__WALL": 0x40000000,
    "__WCLONE": 0x80000000,
}
WAITID_TYPES: Mapping[str, int] = {"P_ALL": 0, "P_PID": 1, "P_PGID": 2, "P_PIDFD": 3}
CLD_NAMES: Mapping[int, str] = {
    1: "CLD_EXITED",
    2: "CLD_KILLED",
    3: "CLD_DUMPED",
    4: "CLD_TRAPPED",
    5: "CLD_STOPPED",
    6: "CLD_CONTINUED",
}

_SIGRTMIN, _SIGRTMAX = 32, 64  # the kernel's; glibc keeps 32 and 33 for itself and calls 34 SIGRTMIN
_PREFERRED = {6: "SIGABRT", 17: "SIGCHLD", 29: "SIGIO", 31: "SIGSYS"}


def _signals() -> dict[str, int]:
    named = {name: int(getattr(_signal, name)) for name in dir(_signal) if name.startswith("SIG") and name[3] != "_"}
    named = {name: number for name, number in named.items() if 0 < number < _SIGRTMIN}
    named |= {"SIG32": 32, "SIG33": 33}
    for number in range(34, _SIGRTMAX + 1):
        named["SIGRTMIN" if number == 34 else f"SIGRTMIN+{number - 34}"] = number
    named["SIGRTMAX"] = _SIGRTMAX
    return named


SIGNALS: Mapping[str, int] = _signals()
"""Every spelling that is accepted, with its number (aliases such as SIGCLD included)."""

_SIGNAL_NAMES: dict[int, str] = {}
for _name, _number in SIGNALS.items():
    _SIGNAL_NAMES.setdefault(_number, _name)
_SIGNAL_NAMES.update(_PREFERRED)


def signal_name(number: int) -> str:
    """The usual name of a signal number, ``SIGRTMIN+N`` for real-time ones, ``SIGN`` for numbers that are none."""
    return _SIGNAL_NAMES.get(number, f"SIG{number}")


def errno_name(number: int) -> str:
    """``ESRCH`` for 3; the number itself where it has no name."""
    return _errno.errorcode.get(number, str(number))


def errno_text(number: int) -> str:
    """The C library's text for an errno."""
    return os.strerror(number)


def flags_text(value: int, table: Mapping[str, int]) -> str:
    """Bits as names joined by ``|``, what has no name in hexadecimal, ``0`` for none.

    The first name of equal values wins, so WUNTRACED is preferred to WSTOPPED; callers of waitid put WSTOPPED first.
    """
    names, rest = [], value
    seen: set[int] = set()
    for name, bit in table.items():
        if value & bit == bit and bit not in seen:
            seen.add(bit)
            names.append(name)
            rest &= ~bit
    if rest:
        names.append(hex(rest))
    return "|".join(names) if names else "0"


_WAITID_ORDER = {name: WAIT_OPTIONS[name] for name in WAIT_OPTIONS if name != "WUNTRACED"}
_WAIT4_ORDER = {
    **{name: WAIT_OPTIONS[name] for name in ("__WALL", "__WCLONE", "__WNOTHREAD")},
    **{name: number for name, number in WAIT_OPTIONS.items() if name != "WSTOPPED"},
}


def wait_options_text(value: int, *, waitid: bool = False) -> str:
    """Options of a wait call by name: ``__WALL|WNOHANG``."""
    return flags_text(value & 0xFFFFFFFF, _WAITID_ORDER if waitid else _WAIT4_ORDER)


def request_name(number: int) -> str:
    """``PTRACE_CONT`` for 7; hexadecimal for a request without a name."""
    return REQUEST_NAMES.get(number, hex(number))
