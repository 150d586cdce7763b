"""What a call has stored in its caller's memory, in words; and the one structure that a request takes.

Pure, any thread; bytes in, words out.  Source of the structures: ptrace(2), sigaction(2), waitid(2), getrusage(2).
"""

from __future__ import annotations

import struct

from tracedbg.model.callnames import FILLER, si_code_text, sigset_text
from tracedbg.model.names import PTRACE_REQUESTS, signal_name
from tracedbg.model.text import quoted

_R = PTRACE_REQUESTS


def request_note(request: int, data: bytes) -> str:
    """What a ptrace request has stored, where a word or two say it.

    Args:
        request: its number.
        data: the buffer after the request.
    """
    if request == _R["PTRACE_GETSIGINFO"]:
        return siginfo_text(data)
    if request == _R["PTRACE_GETEVENTMSG"]:
        return f"message {int.from_bytes(data[:8], 'little')}"
    if request == _R["PTRACE_GETSIGMASK"]:
        return sigset_text(int.from_bytes(data[:8], "little"))
    if request in (_R["PTRACE_GET_SYSCALL_INFO"], _R["PTRACE_SET_SYSCALL_INFO"]):
        return syscall_info_text(data)
    return ""


_INFO = struct.Struct("<B3xIQQ")
"""struct ptrace_syscall_info up to its union: op, architecture, instruction and stack pointer (ptrace(2), PTRACE_GET_SYSCALL_INFO)."""
_ENTRY, _EXIT = 1, 2
SYSCALL_INFO_SIZE = 88
"""The whole structure as of Linux 6.16, with what a stop by seccomp has to tell."""


def syscall_info_text(data: bytes) -> str:
    """What a struct ptrace_syscall_info says: ``op 1 entry nr 39 args 0x0 ...``, ``op 2 exit rval -4 is_error``, ``op 0`` elsewhere."""
    op: int = _INFO.unpack_from(data)[0]
    if op == _ENTRY:
        number, *args = struct.unpack_from("<7Q", data, _INFO.size)
        return " ".join(["op 1 entry nr", str(number), "args", *map(hex, args)])
    if op == _EXIT:
        value, failed = struct.unpack_from("<qB", data, _INFO.size)
        return f"op 2 exit rval {value}{' is_error' if failed else ''}"
    return f"op {op}"


def exit_info(value: int) -> bytes:
    """The structure that has a system call return `value`; as in the kernel's own answers -1 to -4095 are errors."""
    signed = (value + (1 << 63)) % (1 << 64) - (1 << 63)
    return (_INFO.pack(_EXIT, 0, 0, 0) + struct.pack("<qB", signed, -4096 < signed < 0)).ljust(SYSCALL_INFO_SIZE, b"\0")


def rusage_text(data: bytes) -> str:
    """The times in a struct rusage: ``cpu 0.1 s user 104 ms system 0 ms``, their sum to a tenth of a second first (getrusage(2))."""
    seconds, micros, kernel_seconds, kernel_micros = struct.unpack_from("<qqqq", data)
    user, kernel = seconds * 1_000_000 + micros, kernel_seconds * 1_000_000 + kernel_micros
    return f"cpu {(user + kernel) / 1e6:.1f} s user {user // 1000} ms system {kernel // 1000} ms"


def fields_text(data: bytes) -> str:
    """Every field of the siginfo that waitid stores, whatever it says (waitid(2))."""
    fields = zip(("si_signo", "si_errno", "si_code", "si_pid", "si_uid", "si_status"), struct.unpack_from("<III4xIII", data), strict=True)
    filler = int.from_bytes(bytes([FILLER]) * 4, "little")
    return " ".join(f"{name} {hex(value) if value == filler else value}" for name, value in fields)


def siginfo_text(data: bytes) -> str:
    """The facts of a siginfo: ``SIGCHLD CLD_STOPPED from 4242 si_code 0x5 si_status SIGSTOP``, ``SIGTRAP si_code 0x8005``.

    Args:
        data: 28 bytes at least.
    """
    signal, code, sender, status = struct.unpack_from("<i4xi4xi4xi", data)
    named = si_code_text(signal, code)
    words = [signal_name(signal)] if named.startswith("0x") else [signal_name(signal), named]
    if code <= 0 or named.startswith("CLD_"):  # else a kernel's signal: another member of the union, an address for example
        words.append(f"from {sender}")
    words.append(f"si_code {code:#x}" if code >= 0 else f"si_code {code}")
    if named.startswith("CLD_"):
        words.append(f"si_status {signal_name(status) if status and named != 'CLD_EXITED' else status}")
    return " ".join(words)


def bytes_text(data: bytes) -> str:
    """Memory as a number if it fits into a word, else as quoted text."""
    return hex(int.from_bytes(data, "little")) if len(data) in (1, 2, 4, 8) else str(quoted(data))
