"""System calls on threads of ours: how they are made, and which of them are.

`here` runs on the thread that is to make the call, `on_tracer` on the tracer thread; what makes a `Typed` is pure but for the buffers
set aside.  A call is made once, as typed, and its answer is the kernel's.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Sequence

from tracedbg.eventlog.log import EventLog
from tracedbg.kernel import raw
from tracedbg.kernel.poke import POKE
from tracedbg.kernel.ptrace import Ptrace
from tracedbg.kernel.wait import WaitDoor, Waited
from tracedbg.model.errors import BadArgument
from tracedbg.model.events import CallEntered, CallReturned
from tracedbg.model.names import PTRACE_REQUESTS, errno_name
from tracedbg.tracer import ops
from tracedbg.tracer.book import Book

from . import forbidden, machine
from .failing import with_facts
from .orders import MOST_PEEKED, answer_of, order_of
from .stored import SYSCALL_INFO_SIZE, exit_info, request_note
from .typed import PEEKS, Typed

_R = PTRACE_REQUESTS

NAMES = ("wait4", "waitid", "waitpid", "ptrace", "kill", "tkill", "tgkill", "gettid", "getpid", "getppid", "getpgid", "getsid",
         "process_vm_readv", "sched_yield")  # fmt: skip
"""Every call that a thread of ours can be told to make; `fork` comes on top, which makes a puppet (`lab.puppets`)."""

SIGNAL_REQUESTS = frozenset(_R[f"PTRACE_{name}"] for name in ("CONT", "SINGLESTEP", "SYSCALL", "DETACH", "SYSEMU", "SINGLEBLOCK"))
"""Requests whose data is a signal."""
OPTION_REQUESTS = frozenset(_R[f"PTRACE_{name}"] for name in ("SETOPTIONS", "SEIZE"))
"""Requests whose data is a set of options."""

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
    _R["PTRACE_SET_SYSCALL_INFO"]: "&info",
}
"""Requests whose data is an address in the caller's own memory, and how the log shows it."""
_PEEK_FLAGS = {0: "0", 1: "PTRACE_PEEKSIGINFO_SHARED"}
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


def here(call: Typed, log: EventLog, door: WaitDoor) -> CallReturned:
    """Make a call on the calling thread, which is not the tracer."""
    if call.name == "ptrace":
        request, tid, addr, data = call.numbers
        ret, errno, note = forbidden.ptrace(log, request, tid, addr, data, call.out, _noted(call))
        return _answer(call, ret, errno, note)
    return _harmless(call, log, door)


def _on_tracer(pt: Ptrace, book: Book, call: Typed, door: WaitDoor) -> CallReturned:
    """The same on the tracer thread; a request goes through the op that keeps the book right."""
    if call.name == "ptrace":
        request, tid, addr, data = call.numbers
        note = _noted(call)
        ret, errno = ops.raw(pt, book, request, tid, addr, data, call.out, note)
        return _answer(call, ret, errno, note() if note and ret != -1 else "")
    if call.waits:
        return _waited(call, ops.wait_here(pt, book, door, call.name, call.numbers))
    return _harmless(call, pt.log, door)


def _noted(call: Typed) -> Callable[[], str] | None:
    """What to say of the buffer that a request has filled, once it has; None if there is none."""
    if not call.out:
        return None
    request, _, _, data = call.numbers
    return lambda: request_note(request, ctypes.string_at(data, 128))


def _harmless(call: Typed, log: EventLog, door: WaitDoor) -> CallReturned:
    if call.name == "waitid":
        return _waited(call, door.waitid(*call.numbers))
    if call.waits:
        return _waited(call, door.wait4(call.numbers[0], call.numbers[1], name=call.name))
    entered = log.publish(CallEntered(call.name, call.shown))
    simple = _SIMPLE.get(call.name)
    answer = with_facts(_answer(call, *simple(*call.numbers)) if simple is not None else _ordered(call), call)
    log.publish(answer, of=entered)
    return answer


def _ordered(call: Typed) -> CallReturned:
    """Make the call that a puppet would make, with a data area of ours."""
    order = order_of(call)
    area = ctypes.create_string_buffer(machine.DATA_SIZE)
    base = ctypes.addressof(area)
    data = order.filled(base)
    ctypes.memmove(base, data, len(data))
    ret, errno = raw.syscall(order.number, *order.numbers(base))
    return answer_of(call, -errno if ret == -1 else ret, area.raw)


def _answer(call: Typed, ret: int, errno: int, note: str = "") -> CallReturned:
    return CallReturned(call.name, call.shown, ret, errno_name(errno) if errno else "", note=note)


def _waited(call: Typed, got: Waited) -> CallReturned:
    errno = errno_name(got.errno) if got.errno else ""
    status = got.result.status.word if got.result is not None and call.name != "waitid" else None
    return CallReturned(call.name, call.shown, got.ret, errno, status, got.info)


def on_tracer(pt: Ptrace, book: Book, call: Typed, door: WaitDoor, gate: Callable[[], None]) -> CallReturned:
    """An op: pass the gate, then make the call."""
    gate()
    return _on_tracer(pt, book, call, door)


def ptrace_call(request: int, tid: int, addr: int, data: int) -> Typed:
    """A ptrace request as typed; where the kernel wants a buffer, one of ours is given.

    Raises:
        BadArgument: the request would write to an address that was typed.
    """
    for number in (addr, data):
        if not _MINE[0] <= number <= _MINE[1]:
            raise BadArgument(f"{number:#x} does not fit into 64 bits", "ptrace takes two words: ADDR and DATA")
    if request == _R["PTRACE_PEEKSIGINFO"]:
        # Its structure is typed as two numbers: flags in the place of ADDR, how many in that of DATA.
        count = data or MOST_PEEKED
        if not 0 < count <= MOST_PEEKED or addr >> 32:
            raise BadArgument(f"at most {MOST_PEEKED} signals can be looked at in one call", "ptrace PTRACE_PEEKSIGINFO PID FLAGS COUNT")
        shown = ("PTRACE_PEEKSIGINFO", tid, f"off 0 flags {_PEEK_FLAGS.get(addr, hex(addr))} nr {count}", "&siginfo")
        return Typed("ptrace", (request, tid, addr, count), display=shown)
    out = _BUFFERS.get(request, "")
    if request == _R["PTRACE_SET_SYSCALL_INFO"]:
        # Its structure is typed as one number in the place of DATA: what the call shall return.
        info, size = exit_info(data), addr or SYSCALL_INFO_SIZE
        ctypes.memmove(_buffers.address(out), info, len(info))
        return Typed("ptrace", (request, tid, size, _buffers.address(out)), out, texts=(info,))
    if (out or request in PEEKS) and data:
        raise BadArgument("here DATA is an address in the caller's own memory, where the kernel would write",
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
    """A call whose arguments are plain numbers: waits, signals, the get family."""
    return Typed(name, tuple(numbers))


def check_ours(call: Typed) -> None:
    """Make sure that a thread of tracedbg may make this call.

    Raises:
        BadArgument: it is for puppets only, or would harm tracedbg itself.
    """
    if call.name not in NAMES:
        raise BadArgument(f"{call.name} would change tracedbg itself, so only a puppet makes it", f"puppet p1, then: on p1 {call.name} ...")
    if call.name == "ptrace" and call.numbers[0] == _R["PTRACE_TRACEME"]:
        raise BadArgument("PTRACE_TRACEME would make tracedbg itself the tracee of its parent, which does not expect it",
                          "launch PROGRAM makes a child that asks to be traced, and a puppet may ask it")  # fmt: skip
    if call.name == "ptrace" and call.numbers[0] == _R["PTRACE_PEEKSIGINFO"]:
        raise BadArgument("PTRACE_PEEKSIGINFO takes a structure, which only a puppet has room for", "info signals shows what is pending")
    if len(call.numbers) > {"wait4": 2, "waitid": 3}.get(call.name, 4):
        raise BadArgument("the status would be lost, and the tracer never hear of it", "let a puppet wait for a child of its own")


def check_target(call: Typed) -> None:
    """Make sure that a signal does not hit tracedbg; the poke's signal may, as its handler does nothing.

    Raises:
        BadArgument: it would.
    """
    if call.name not in ("kill", "tkill", "tgkill") or call.numbers[-1] in (0, POKE):
        return
    ours = call.numbers[0] in (-os.getpgrp(), os.getpid()) or (call.name == "kill" and call.numbers[0] == -1)
    ours |= call.name == "tkill" and os.path.exists(f"/proc/self/task/{call.numbers[0]}")
    if ours:
        what = f"{call.name}({call.numbers[0]}, ...) would hit tracedbg itself"
        raise BadArgument(what, f"name one process: {call.name} $tracee SIGUSR1")


def check_own_group(call: Typed) -> None:
    """Make sure that a thread of ours does not signal our own group.

    Raises:
        BadArgument: it would.
    """
    if call.name == "kill" and call.numbers[0] == 0 and call.numbers[1]:
        raise BadArgument("kill(0, ...) would hit tracedbg itself", "name one process: kill $tracee SIGUSR1")
