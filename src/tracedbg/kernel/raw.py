"""Thin system calls: `(result, errno)`, no exceptions, no policy.

Any thread.  Two doors: `_free` releases the interpreter lock during the call, `_held` keeps it.  Keeping it is right only for calls
that last less than a microsecond; a call that may sleep with the lock held would freeze every thread of the process.
Libc's `ptrace` mixes value and error for the PEEK requests, so those go through `syscall`.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import get_errno, set_errno

NUMBERS: dict[str, dict[str, int]] = {
    "x86_64": {"ptrace": 101, "wait4": 61, "waitid": 247, "tgkill": 234, "kcmp": 312},
    "aarch64": {"ptrace": 117, "wait4": 260, "waitid": 95, "tgkill": 131, "kcmp": 272},
}
"""System call numbers by CPU: another CPU is another row."""

MACHINE = os.uname().machine
SYS = NUMBERS.get(MACHINE, NUMBERS["x86_64"])

_free = ctypes.CDLL(None, use_errno=True)
_held = ctypes.PyDLL(None, use_errno=True)

_long = ctypes.c_long
_syscall = _free.syscall
_syscall.restype = _long
_ptrace_held = _held.ptrace
_ptrace_held.restype = _long
_ptrace_held.argtypes = (_long, _long, _long, _long)
_wait4 = _free.wait4
_wait4.restype = ctypes.c_int  # pid_t: read as a long, its -1 would be 4294967295
_wait4.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)

_waitpid = _free.waitpid
_waitpid.restype = ctypes.c_int
_waitpid.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int)

SYS_PTRACE, SYS_WAIT4, SYS_WAITID, SYS_TGKILL = SYS["ptrace"], SYS["wait4"], SYS["waitid"], SYS["tgkill"]


def ptrace_held(request: int, tid: int, addr: int, data: int) -> tuple[int, int]:
    """ptrace(2) with the interpreter lock kept: for requests on a tracee that is known to be stopped (about 0.6 µs)."""
    result = _ptrace_held(request, tid, addr, data)
    return (result, get_errno()) if result == -1 else (result, 0)


def ptrace_free(request: int, tid: int, addr: int, data: int) -> tuple[int, int]:
    """ptrace(2) by its system call number, interpreter lock released: for requests that may sleep or fault."""
    set_errno(0)
    result = _syscall(_long(SYS_PTRACE), _long(request), _long(tid), _long(addr), _long(data))
    return (result, get_errno()) if result == -1 else (result, 0)


def wait4(pid: int, options: int) -> tuple[int, int, int]:
    """wait4(2): `(pid or 0 or -1, errno, status word)`.  Ends with EINTR when its thread is poked."""
    status = ctypes.c_int(0)
    # WALL and friends use bit 31 in some cases; the kernel takes an int.
    result = _wait4(pid, ctypes.addressof(status), options, None)
    return result, get_errno() if result == -1 else 0, status.value & 0xFFFFFFFF


def waitpid(pid: int, options: int) -> tuple[int, int, int]:
    """waitpid(3), a function of the C library: `(pid or 0 or -1, errno, status word)`, as `wait4`."""
    status = ctypes.c_int(0)
    result = _waitpid(pid, ctypes.addressof(status), options)
    return result, get_errno() if result == -1 else 0, status.value & 0xFFFFFFFF


def waitid(idtype: int, ident: int, options: int) -> tuple[int, int, tuple[int, int, int]]:
    """waitid(2) by number: `(0 or -1, errno, (si_code, si_pid, si_status))`."""
    info = ctypes.create_string_buffer(128)
    set_errno(0)
    result = _syscall(_long(SYS_WAITID), _long(idtype), _long(ident), _long(ctypes.addressof(info)), _long(options), _long(0))
    # siginfo_t for SIGCHLD: signo, errno, code at 0, 4, 8; pid, uid, status at 16, 20, 24.
    words = [int.from_bytes(info.raw[at : at + 4], "little", signed=True) for at in (8, 16, 24)]
    return result, get_errno() if result == -1 else 0, (words[0], words[1], words[2])


def syscall(number: int, *args: int) -> tuple[int, int]:
    """Any system call by its number, interpreter lock released; six argument words at most, addresses among them are the caller's."""
    set_errno(0)
    result = _syscall(_long(number), *map(_long, args))
    return (result, get_errno()) if result == -1 else (result, 0)


def tgkill(tgid: int, tid: int, signal: int) -> tuple[int, int]:
    """tgkill(2): a signal for exactly one thread."""
    set_errno(0)
    result = _syscall(_long(SYS_TGKILL), _long(tgid), _long(tid), _long(signal))
    return (result, get_errno()) if result == -1 else (result, 0)


# --- signal handler that does nothing -----------------------------------------------------------------------------------------
class _SigAction(ctypes.Structure):
    """Glibc's and musl's `struct sigaction` on 64-bit Linux: handler, mask of 1,024 bits, flags, restorer."""

    _fields_ = [
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ulong * 16),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    ]


def install_empty_handler(signal: int) -> bytes:
    """Handle `signal` with a C function that does nothing, without SA_RESTART, so that a blocked wait4 ends with EINTR.

    Python's own `signal.signal` works on the main thread only, and its handler would let the interpreter run code.  The handler is
    libc's `abs`: it takes an int, touches no memory and is async-signal-safe; no interpreter lock is needed to run it.

    Returns:
        The former `struct sigaction`, for `restore_handler`.
    """
    new, old = _SigAction(), _SigAction()
    new.handler = ctypes.cast(_free.abs, ctypes.c_void_p).value
    if _free.sigaction(signal, ctypes.byref(new), ctypes.byref(old)):
        raise OSError(get_errno(), "sigaction")
    return bytes(old)


def restore_handler(signal: int, former: bytes) -> None:
    """Put back what `install_empty_handler` returned."""
    old = _SigAction.from_buffer_copy(former)
    _free.sigaction(signal, ctypes.byref(old), None)


# --- for the child between fork and exec --------------------------------------------------------------------------------------
_child_signal = _held.signal
_child_signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
_child_signal.restype = ctypes.c_void_p
_child_personality = _held.personality
_child_personality.argtypes = (ctypes.c_ulong,)
_child_prctl = _held.prctl


def child_default_signals() -> None:
    """Every signal back to its default: an ignored one would survive exec (signal(7))."""
    for number in range(1, 65):
        _child_signal(number, None)


def child_no_randomization() -> int:
    """personality(ADDR_NO_RANDOMIZE) on top of what is set: 0 or an errno."""
    current = _child_personality(0xFFFFFFFF)
    if current == -1:
        return get_errno()
    return get_errno() if _child_personality(current | 0x0040000) == -1 else 0


def child_traceme() -> int:
    """ptrace(PTRACE_TRACEME): 0 or an errno."""
    return get_errno() if _ptrace_held(0, 0, 0, 0) == -1 else 0


def set_thread_name(name: str) -> None:
    """Give the calling thread its name in the kernel too (15 bytes), so that ps, gdb and /proc tell our story."""
    _child_prctl(15, ctypes.c_char_p(name.encode()[:15]), 0, 0, 0)
