"""Calls as a puppet makes them: numbers, and bytes for what an argument points at; and what came back, in words.

Pure, any thread.  An order names places in the data area of a puppet's slot, whose address only the sender knows; nothing here asks
the kernel.  Source of the structures: the manual page of each call, siginfo in sigaction(2).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

import msgspec

from tracedbg.model.callnames import (
    CALL_NUMBERS,
    FILLED,
    FILLER,
    PRCTLS_THAT_STORE,
    RUSAGE,
    SIGACTIONS,
    sigset_text,
)
from tracedbg.model.events import CallReturned, ChildInfo
from tracedbg.model.names import PTRACE_REQUESTS, errno_name

from . import machine
from .stored import bytes_text, fields_text, request_note, rusage_text, siginfo_text
from .typed import PEEKS, Typed

_R = PTRACE_REQUESTS


class Place(msgspec.Struct, frozen=True):
    """An address in the data area of whoever makes the call."""

    offset: int


class Code(msgspec.Struct, frozen=True):
    """An address in a puppet's own program."""

    label: str


class Order(msgspec.Struct, frozen=True):
    """A call without its addresses.

    Args:
        number: of the system call, `machine.FUNCTION` for a function of the puppet's own.
        args: up to six.
        data: what the data area holds at first; zeros behind it.
        pointers: where in the data area the addresses of other places are to be written.
    """

    number: int
    args: tuple[int | Place | Code, ...] = ()
    data: bytes = b""
    pointers: tuple[tuple[int, Place | Code], ...] = ()

    def numbers(self, base: int) -> list[int]:
        """Six argument words, for a data area at `base`."""
        words = [self._word(arg, base) & 0xFFFFFFFFFFFFFFFF for arg in self.args]
        return words + [0] * (6 - len(words))

    def filled(self, base: int) -> bytes:
        """The data area's first bytes, for a data area at `base`."""
        data = bytearray(self.data)
        for at, pointer in self.pointers:
            data[at : at + 8] = self._word(pointer, base).to_bytes(8, "little")
        return bytes(data)

    @staticmethod
    def _word(arg: int | Place | Code, base: int) -> int:
        if isinstance(arg, Place):
            return base + arg.offset
        return machine.address(arg.label) if isinstance(arg, Code) else arg


START = Place(0)
_ROOM = machine.DATA_SIZE
_USED = machine.SIGINFO_SIZE
"""Offset of a struct rusage behind what a wait call stores else."""
_PEEKED = 16
"""Offset of the siginfos that PTRACE_PEEKSIGINFO copies, behind its struct ptrace_peeksiginfo_args."""
MOST_PEEKED = (_ROOM - _PEEKED) // machine.SIGINFO_SIZE


def order_of(call: Typed) -> Order:
    """The order for a call that was typed."""
    make = _MAKERS.get(call.name)
    if make is not None:
        return make(call)
    if call.name == "syscall":
        return Order(call.numbers[0], call.numbers[1:])
    if call.name in machine_functions:
        return Order(machine.FUNCTION, (Code(call.name), *call.numbers))
    return Order(CALL_NUMBERS[call.name], call.numbers)


machine_functions = ("spin", "trap", "eofwait")
"""What a puppet can be told to do that is no system call."""


# --- what an argument points at -----------------------------------------------------------------------------------------------
def _wait4(call: Typed) -> Order:
    pid, options, *place = call.numbers
    if place == [RUSAGE]:
        return Order(61, (pid, START, options, Place(_USED)))
    return Order(61, (pid, place[0] if place else START, options, 0))


def _waitid(call: Typed) -> Order:
    idtype, ident, options, *place = call.numbers
    if place and place[0] >= 0:
        return Order(247, (idtype, ident, place[0], options, 0))
    filled = bytes([FILLER]) * machine.SIGINFO_SIZE if place == [FILLED] else b""
    return Order(247, (idtype, ident, START, options, Place(_USED) if place == [RUSAGE] else 0), filled)


def _ptrace(call: Typed) -> Order:
    request, tid, addr, data = call.numbers
    if request in PEEKS and not data:
        return Order(101, (request, tid, addr, START))
    if request == _R["PTRACE_PEEKSIGINFO"]:
        # struct ptrace_peeksiginfo_args: the first one, flags, how many (ptrace(2)).
        return Order(101, (request, tid, START, Place(_PEEKED)), struct.pack("<QIi", 0, addr, data))
    if not call.out:
        return Order(101, (request, tid, addr, data))
    if call.out == "&iov":
        # A struct iovec in front of the room that it describes; the kernel shortens its length.
        return Order(101, (request, tid, addr, START), struct.pack("<QQ", 0, _ROOM - 16), ((0, Place(16)),))
    if request == _R["PTRACE_SET_SYSCALL_INFO"]:
        return Order(101, (request, tid, addr, START), call.texts[0])
    size = min(addr, _ROOM) if request == _R["PTRACE_GET_SYSCALL_INFO"] else addr
    return Order(101, (request, tid, size, START))


def _execve(call: Typed) -> Order:
    # argv is the words from the second one on, each with its zero byte, behind the table that points at them.
    path, *argv = call.texts
    table = 8 * (len(argv) + 1)
    data, pointers = bytearray(table), []
    for index, word in enumerate(argv):
        pointers.append((8 * index, Place(len(data))))
        data += word + b"\0"
    where = Place(len(data))
    data += path + b"\0"
    # An empty environment: eight zero bytes, the end of argv's table.
    return Order(59, (where, START, Place(table - 8)), bytes(data), tuple(pointers))


def _clone(call: Typed) -> Order:
    # clone(flags, stack, parent_tid, child_tid, tls); the stack is filled in by whoever knows the new task's slot.
    return Order(56, (call.numbers[0], 0, 0, 0, 0))


def _sigaction(call: Typed) -> Order:
    signal, action, flags = call.numbers
    siginfo, restorer = 0x4, 0x04000000  # SA_SIGINFO, SA_RESTORER (arch/x86/include/uapi/asm/signal.h)
    pointers: tuple[tuple[int, Place | Code], ...] = ((16, Code("restorer")),)
    handler = action
    if action == SIGACTIONS["handler"]:
        handler, flags, pointers = 0, flags | siginfo, ((0, Code("handler")), *pointers)
    # struct kernel_sigaction: handler, flags, restorer, mask.
    return Order(13, (signal, START, 0, 8), struct.pack("<QQQQ", handler, flags | restorer, 0, 0), pointers)


def _mask(number: int) -> Callable[[Typed], Order]:
    """A call whose only pointer is a set of signals, at the end of `numbers`."""

    def make(call: Typed) -> Order:
        *first, mask = call.numbers
        rest: tuple[int, ...] = (0, 8) if first else (8,)
        return Order(number, (*first, START, *rest), struct.pack("<Q", mask))

    return make


def _sigpending(call: Typed) -> Order:
    return Order(127, (START, 8))


def _sigtimedwait(call: Typed) -> Order:
    mask, ms = call.numbers
    data = struct.pack("<Qqq", mask, ms // 1000, ms % 1000 * 1_000_000)
    return Order(128, (START, Place(64), Place(8) if ms >= 0 else 0, 8), data)


def _sigqueueinfo(call: Typed) -> Order:
    # A process may send others only codes below 0 that are not SI_TKILL (kernel/signal.c, do_rt_sigqueueinfo).
    *whom, signal, value = call.numbers
    data = struct.pack("<iii4xiiq", signal, 0, -1, 0, 0, value)
    return Order(CALL_NUMBERS[call.name], (*whom, signal, START), data)


def _setitimer(call: Typed) -> Order:
    which, ms = call.numbers
    return Order(38, (which, START, 0), struct.pack("<qqqq", 0, 0, ms // 1000, ms % 1000 * 1000))


def _getrusage(call: Typed) -> Order:
    return Order(98, (call.numbers[0], Place(_USED)))


def _create_ruleset(call: Typed) -> Order:
    # struct landlock_ruleset_attr in its oldest form: what is denied unless a rule allows it; there are no rules (landlock(7)).
    return Order(444, (START, 8, 0), struct.pack("<Q", call.numbers[0]))


def _nanosleep(call: Typed) -> Order:
    (ms,) = call.numbers
    return Order(35, (START, 0), struct.pack("<qq", ms // 1000, ms % 1000 * 1_000_000))


def _prctl(call: Typed) -> Order:
    option, *args = call.numbers
    if call.texts:
        return Order(157, (option, START), call.texts[0] + b"\0")
    return Order(157, (option, START) if option in PRCTLS_THAT_STORE else (option, *args))


def _mmap(call: Typed) -> Order:
    length, flags = call.numbers
    read_write = 3
    return Order(9, (0, length, read_write, flags, -1, 0))


def _setrlimit(call: Typed) -> Order:
    what, value = call.numbers
    return Order(160, (what, START), struct.pack("<QQ", value, value))


def _process_vm(number: int) -> Callable[[Typed], Order]:
    def make(call: Typed) -> Order:
        pid, address, length = call.numbers
        # local iovec, remote iovec, bytes
        text = call.texts[0] if call.texts else b""
        data = struct.pack("<QQQQ", 0, length, address, length) + text
        return Order(number, (pid, START, 1, Place(16), 1, 0), data, ((0, Place(32)),))

    return make


def _open(call: Typed) -> Order:
    return Order(2, (START, call.numbers[0], 0o600), call.texts[0] + b"\0")


def _read(call: Typed) -> Order:
    fd, length, *offset = call.numbers
    return Order(CALL_NUMBERS[call.name], (fd, START, length, *offset))


def _write(call: Typed) -> Order:
    fd, *offset = call.numbers
    return Order(CALL_NUMBERS[call.name], (fd, START, len(call.texts[0]), *offset), call.texts[0])


def _pipe2(call: Typed) -> Order:
    return Order(293, (START, call.numbers[0]))


def _poll(call: Typed) -> Order:
    fd, ms = call.numbers
    return Order(7, (START, 1, ms), struct.pack("<ihh", fd, 1, 0))


_MAKERS: Mapping[str, Callable[[Typed], Order]] = {
    "wait4": _wait4,
    "waitid": _waitid,
    "ptrace": _ptrace,
    "execve": _execve,
    "clone": _clone,
    "sigaction": _sigaction,
    "sigprocmask": _mask(14),
    "sigsuspend": _mask(130),
    "sigpending": _sigpending,
    "sigtimedwait": _sigtimedwait,
    "sigqueueinfo": _sigqueueinfo,
    "tgsigqueueinfo": _sigqueueinfo,
    "nanosleep": _nanosleep,
    "setitimer": _setitimer,
    "getrusage": _getrusage,
    "landlock_create_ruleset": _create_ruleset,
    "prctl": _prctl,
    "mmap": _mmap,
    "setrlimit": _setrlimit,
    "process_vm_readv": _process_vm(310),
    "process_vm_writev": _process_vm(311),
    "open": _open,
    "read": _read,
    "pread": _read,
    "write": _write,
    "pwrite": _write,
    "pipe2": _pipe2,
    "poll": _poll,
}


# --- what came back -----------------------------------------------------------------------------------------------------------
def answer_of(call: Typed, result: int, data: bytes) -> CallReturned:
    """What a call returned.

    Args:
        call: as typed.
        result: what the system call left in its register: -1 to -4095 are errnos.
        data: the data area afterwards.
    """
    if -4096 < result < 0:
        note = fields_text(data) if call.name == "waitid" and call.numbers[3:] == (FILLED,) else ""
        return CallReturned(call.name, call.shown, -1, errno_name(-result), note=note)
    if call.name == "wait4" and result > 0 and call.numbers[2:] in ((), (RUSAGE,)):
        return CallReturned(call.name, call.shown, result, status=int.from_bytes(data[:4], "little"), note=_note(call, result, data))
    if call.name == "waitid":
        code, pid, status = struct.unpack_from("<8xi4xi4xi", data)
        info = ChildInfo(code, pid, status) if pid and call.numbers[3:] in ((), (RUSAGE,)) else None
        return CallReturned(call.name, call.shown, result, info=info, note=_note(call, result, data))
    if call.name == "ptrace" and call.numbers[0] in PEEKS and not call.numbers[3]:
        result = int.from_bytes(data[:8], "little", signed=True)
    return CallReturned(call.name, call.shown, result, note=_note(call, result, data))


def _note(call: Typed, result: int, data: bytes) -> str:
    name = call.name
    if name == "getrusage" or (name in ("wait4", "waitid") and call.numbers[-1] == RUSAGE):
        return rusage_text(data[_USED:])
    if name == "waitid" and len(call.numbers) > 3:
        return fields_text(data) if call.numbers[3] == FILLED else "stored nowhere"
    if name == "ptrace" and call.numbers[0] == _R["PTRACE_PEEKSIGINFO"]:
        peeked = (data[_PEEKED + index * machine.SIGINFO_SIZE :] for index in range(result))
        return " ".join(siginfo_text(each).partition(" si_code")[0] for each in peeked)
    if name == "ptrace":
        return request_note(call.numbers[0], data)
    if name == "sigtimedwait":
        return siginfo_text(data[64:])
    if name == "sigpending":
        return sigset_text(int.from_bytes(data[:8], "little"))
    if name in ("read", "pread"):
        return bytes_text(data[:result])
    if name == "process_vm_readv":
        return bytes_text(data[32 : 32 + result])
    if name == "pipe2":
        return "read {} write {}".format(*struct.unpack_from("<ii", data))
    if name == "poll" and result:
        return "revents " + hex(struct.unpack_from("<6xH", data)[0])
    if name == "prctl" and call.numbers[0] in PRCTLS_THAT_STORE:
        return f"value {int.from_bytes(data[:4], 'little')}"
    return ""
