"""System calls that a user can type: how they are read, and how they are made on a thread of ours.

`read_call` is pure but for the buffers it sets aside; `Typed.here` runs on the thread that is to make the call, `on_tracer` on the
tracer thread.  A call is made once, as typed, and its answer is the kernel's.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Sequence

import msgspec

from tracedbg.eventlog.log import EventLog
from tracedbg.kernel import raw
from tracedbg.kernel.ptrace import Ptrace, shown_args
from tracedbg.kernel.wait import WaitDoor, Waited
from tracedbg.model.errors import BadArgument
from tracedbg.model.events import CallEntered, CallReturned
from tracedbg.model.names import PTRACE_REQUESTS, WAITID_TYPES, errno_name, signal_name, wait_options_text
from tracedbg.tracer import ops
from tracedbg.tracer.book import Book

from . import forbidden

_R = PTRACE_REQUESTS
_TYPE_NAMES = {number: name for name, number in WAITID_TYPES.items()}

NAMES = ("wait4", "waitid", "ptrace", "kill", "tgkill", "gettid", "getpid", "getppid")
"""Every call that can be typed."""

SIGNAL_REQUESTS = frozenset(_R[f"PTRACE_{name}"] for name in ("CONT", "SINGLESTEP", "SYSCALL", "DETACH", "SYSEMU", "SINGLEBLOCK"))
"""Requests whose data is a signal."""
OPTION_REQUESTS = frozenset(_R[f"PTRACE_{name}"] for name in ("SETOPTIONS", "SEIZE"))
"""Requests whose data is a set of options."""

_PEEKS = tuple(_R[f"PTRACE_PEEK{what}"] for what in ("TEXT", "DATA", "USER"))
_BUFFERS = {
    _R["PTRACE_GETREGS"]: "&regs",
    _R["PTRACE_SETREGS"]: "&regs",
    _R["PTRACE_GETFPREGS"]: "&fpregs",
    _R["PTRACE_SETFPREGS"]: "&fpregs",
    _R["PTRACE_GETSIGINFO"]: "&siginfo",
    _R["PTRACE_SETSIGINFO"]: "&siginfo",
    _R["PTRACE_GETEVENTMSG"]: "&msg",
    _R["PTRACE_GETSIGMASK"]: "&mask",
    _R["PTRACE_SETSIGMASK"]: "&mask",
    _R["PTRACE_GETREGSET"]: "&iov",
    _R["PTRACE_SETREGSET"]: "&iov",
    _R["PTRACE_GET_SYSCALL_INFO"]: "&info",
}
"""Requests whose data is an address in the caller's own memory, and how the log shows it."""
_BUFFER_SIZE = 16384
"""Larger than any of these structures (XSAVE areas are the largest, about 11 KiB with AMX)."""
_MINE = -(1 << 63), (1 << 64) - 1


class _Buffers:
    """One buffer of ours for each kind of structure: SETREGS writes what the last GETREGS read."""

    def __init__(self) -> None:
        self._all: dict[str, ctypes.Array[ctypes.c_char]] = {}

    def address(self, kind: str) -> int:
        """Where the structure is, made on first use."""
        buffer = self._all.get(kind)
        if buffer is None:
            buffer = self._all.setdefault(kind, ctypes.create_string_buffer(_BUFFER_SIZE))
        start = ctypes.addressof(buffer)
        if kind == "&iov":
            # struct iovec: where the registers go, and how much room is there; the kernel shortens the length.
            place, room = start + 16, _BUFFER_SIZE - 16
            ctypes.memmove(start, place.to_bytes(8, "little") + room.to_bytes(8, "little"), 16)
        return start


_buffers = _Buffers()


class Typed(msgspec.Struct, frozen=True):
    """One call, ready to be made on any thread.

    Args:
        name: of `NAMES`.
        numbers: its arguments.
        out: how the log shows an argument that is a buffer of ours.
    """

    name: str
    numbers: tuple[int, ...]
    out: str = ""

    @property
    def shown(self) -> tuple[str | int, ...]:
        """Its arguments as the log shows them."""
        numbers = self.numbers
        if self.name == "wait4":
            return numbers[0], wait_options_text(numbers[1])
        if self.name == "waitid":
            return _TYPE_NAMES.get(numbers[0], numbers[0]), numbers[1], wait_options_text(numbers[2], waitid=True)
        if self.name == "ptrace":
            request, tid, addr, data = numbers
            peek = request in _PEEKS and not data
            return shown_args(request, tid, addr, data, "&word" if peek else self.out)
        if self.name in ("kill", "tgkill"):
            return (*numbers[:-1], signal_name(numbers[-1]) if numbers[-1] else 0)
        return numbers

    @property
    def waits(self) -> bool:
        """It may sleep until a child changes state."""
        return self.name in ("wait4", "waitid")

    def here(self, log: EventLog, door: WaitDoor) -> CallReturned:
        """Make the call on the calling thread, which is not the tracer."""
        if self.name == "ptrace":
            request, tid, addr, data = self.numbers
            return self._answer(*forbidden.ptrace(log, request, tid, addr, data, self.out))
        return self._harmless(log, door)

    def on_tracer(self, pt: Ptrace, book: Book, door: WaitDoor) -> CallReturned:
        """Make the call on the tracer thread; a request goes through the op that keeps the book right."""
        if self.name == "ptrace":
            request, tid, addr, data = self.numbers
            return self._answer(*ops.raw(pt, book, request, tid, addr, data, self.out))
        if self.waits:
            return self._waited(ops.wait_here(pt, book, door, self.name, self.numbers))
        return self._harmless(pt.log, door)

    def _harmless(self, log: EventLog, door: WaitDoor) -> CallReturned:
        if self.name == "wait4":
            return self._waited(door.wait4(self.numbers[0], self.numbers[1]))
        if self.name == "waitid":
            return self._waited(door.waitid(*self.numbers))
        entered = log.publish(CallEntered(self.name, self.shown))
        ret, errno = _SIMPLE[self.name](*self.numbers)
        answer = self._answer(ret, errno)
        log.publish(answer, of=entered)
        return answer

    def _answer(self, ret: int, errno: int) -> CallReturned:
        return CallReturned(self.name, self.shown, ret, errno_name(errno) if errno else "")

    def _waited(self, got: Waited) -> CallReturned:
        errno = errno_name(got.errno) if got.errno else ""
        status = got.result.status.word if got.result is not None and self.name == "wait4" else None
        return CallReturned(self.name, self.shown, got.ret, errno, status, got.info)


def on_tracer(pt: Ptrace, book: Book, call: Typed, door: WaitDoor, gate: Callable[[], None]) -> CallReturned:
    """An op: pass the gate, then make the call (see `Typed.on_tracer`)."""
    gate()
    return call.on_tracer(pt, book, door)


def ptrace_call(request: int, tid: int, addr: int, data: int) -> Typed:
    """A ptrace request as typed; where the kernel wants a buffer, one of ours is given.

    Raises:
        BadArgument: the request would write to an address that was typed, or make tracedbg a tracee.
    """
    for number in (addr, data):
        if not _MINE[0] <= number <= _MINE[1]:
            raise BadArgument(f"{number:#x} does not fit into 64 bits", "ptrace takes two words: ADDR and DATA")
    if request == _R["PTRACE_TRACEME"]:
        raise BadArgument("PTRACE_TRACEME would make tracedbg itself the tracee of its parent, which does not expect it",
                          "launch PROGRAM makes a child that asks to be traced")  # fmt: skip
    if request == _R["PTRACE_PEEKSIGINFO"]:
        raise BadArgument("PTRACE_PEEKSIGINFO takes a structure that cannot be typed", "info signals shows what is pending")
    out = _BUFFERS.get(request, "")
    if (out or request in _PEEKS) and data:
        raise BadArgument("here DATA is an address in tracedbg's own memory, where the kernel would write",
                          "leave DATA away: a buffer is given")  # fmt: skip
    if request == _R["PTRACE_GET_SYSCALL_INFO"]:
        addr = min(addr or _BUFFER_SIZE, _BUFFER_SIZE)
    return Typed("ptrace", (request, tid, addr, _buffers.address(out) if out else data), out)


def _kill(pid: int, signal: int) -> tuple[int, int]:
    try:
        os.kill(pid, signal)
    except OSError as error:
        return -1, error.errno or 0
    return 0, 0


_SIMPLE: dict[str, Callable[..., tuple[int, int]]] = {
    "kill": _kill,
    "tgkill": raw.tgkill,
    "gettid": lambda: (threading.get_native_id(), 0),
    "getpid": lambda: (os.getpid(), 0),
    "getppid": lambda: (os.getppid(), 0),
}


def simple_call(name: str, numbers: Sequence[int]) -> Typed:
    """A call whose arguments are plain numbers: waits, signals, the get family.

    Raises:
        BadArgument: a signal that would hit tracedbg itself.
    """
    if name == "kill" and numbers[0] in (-1, 0, -os.getpgrp(), os.getpid()) and numbers[1]:
        raise BadArgument(f"kill({numbers[0]}, ...) would hit tracedbg itself", "name one process: kill $tracee SIGUSR1")
    if name == "tgkill" and numbers[0] == os.getpid() and numbers[2]:
        raise BadArgument("tgkill would hit a thread of tracedbg itself", "name a thread of the program")
    return Typed(name, tuple(numbers))
