"""The only door to ptrace(2) for the debugger itself.

`Ptrace` is a right: made once, by the tracer thread, for itself.  A function that must run on the tracer thread takes it as its first
argument; nobody else has one.  Every request is announced in the log with the tid that made it.  It keeps no book of tracees.
"""

from __future__ import annotations

import ctypes
import errno as _errno
import threading
from collections.abc import Callable
from typing import Final, final

from tracedbg.eventlog.log import EventLog
from tracedbg.model.errors import KernelRefused, WrongThread
from tracedbg.model.events import CallEntered, CallReturned, Detail
from tracedbg.model.ids import Tid
from tracedbg.model.names import PTRACE_OPTIONS, PTRACE_REQUESTS, errno_name, flags_text, request_name, signal_name

from . import facts, raw, refusals
from .pyptrace import SigInfo, UserFpRegs
from .regs import SIZE, Registers

_MINT: Final = object()

CONT, SINGLESTEP, SYSCALL = (PTRACE_REQUESTS[name] for name in ("PTRACE_CONT", "PTRACE_SINGLESTEP", "PTRACE_SYSCALL"))
_R = PTRACE_REQUESTS

# Requests that last less than a microsecond on a tracee known to be stopped keep the interpreter lock; everything else releases it.
# ATTACH can sleep in the kernel until another thread of ours reaps a task (execve of a traced multithreaded process): with the lock
# held, that other thread could never run.
_HELD = frozenset(
    _R[name]
    for name in (
        "PTRACE_CONT",
        "PTRACE_SINGLESTEP",
        "PTRACE_SYSCALL",
        "PTRACE_GETREGS",
        "PTRACE_SETREGS",
        "PTRACE_GETFPREGS",
        "PTRACE_SETFPREGS",
        "PTRACE_PEEKUSER",
        "PTRACE_POKEUSER",
        "PTRACE_SETOPTIONS",
        "PTRACE_GETEVENTMSG",
        "PTRACE_GETSIGINFO",
    )
)
_SIGNAL_DATA = frozenset(_R[name] for name in ("PTRACE_CONT", "PTRACE_SINGLESTEP", "PTRACE_SYSCALL", "PTRACE_DETACH"))
_OPTION_DATA = frozenset(_R[name] for name in ("PTRACE_SETOPTIONS", "PTRACE_SEIZE"))


def shown_args(request: int, tid: int, addr: int, data: int, out: str = "") -> tuple[str | int, ...]:
    """Arguments as the log shows them: names where numbers have names, ``&regs`` for a buffer of ours."""
    shown: str | int = data
    if out:
        shown = out
    elif request in _SIGNAL_DATA and data:
        shown = signal_name(data)
    elif request in _OPTION_DATA:
        shown = flags_text(data, PTRACE_OPTIONS)
    elif abs(data) > 0xFFFF:
        shown = hex(data & 0xFFFFFFFFFFFFFFFF)
    return request_name(request), tid, hex(addr) if abs(addr) > 0xFFFF else addr, shown


Before = Callable[[tuple[int, int, int, int], str, str], None]


@final
class Ptrace:
    """The right to make ptrace requests.

    Every method raises `WrongThread` on another thread (before the kernel could answer ESRCH), `TraceeGone` when the tracee is no
    longer there or no longer stopped (it was killed: news will follow), `NotPermitted` or `KernelRefused` otherwise.  Whoever makes a
    request says what for: `to` completes the sentence "the tracer does this to ...", and stands in the log.
    """

    def __init__(self, mint: object, log: EventLog) -> None:
        if mint is not _MINT:
            raise TypeError("only the tracer thread makes one")
        # Set once.
        self._owner = threading.get_ident()
        self._log = log
        # Of the owner: buffers whose addresses stay the same.
        self._regs = ctypes.create_string_buffer(SIZE)
        self._regs_at = ctypes.addressof(self._regs)
        self._word = ctypes.c_ulong()
        self._info = SigInfo()
        # Called before each request with its four numbers, how a buffer of ours is shown, and what for; it may take its time.
        self.before: Before = lambda _numbers, _out, _to: None
        # Apart, since whoever is let in before a request may read registers into the other one.
        self._new_regs = ctypes.create_string_buffer(SIZE)
        self._info_at = ctypes.addressof(self._info)

    @staticmethod
    def mint(log: EventLog) -> Ptrace:
        """Make the right for the calling thread; called by the tracer thread when it begins, and by nobody else."""
        return Ptrace(_MINT, log)

    @property
    def log(self) -> EventLog:
        """Where requests are announced."""
        return self._log

    def here(self) -> None:
        """Raise `WrongThread` unless the calling thread is the owner."""
        if threading.get_ident() != self._owner:
            raise WrongThread(
                f"a ptrace request was about to be made on thread {threading.current_thread().name}",
                "requests belong to the tracer thread: use Tracer.call",
            )

    # --- the two ways through the door ----------------------------------------------------------------------------------------
    def raw(
        self, request: int, tid: int, addr: int, data: int, out: str = "", note: Callable[[], str] | None = None, *, to: str
    ) -> tuple[int, int]:
        """Any request, answered with `(result, errno)`; used for what a user typed.

        For the PEEK requests the word read is the result (the raw system call stores it through `data`).  `note` says in words what
        a successful request has stored.
        """
        self.here()
        peek = request in (1, 2, 3)
        if peek and not data:
            data, out = ctypes.addressof(self._word), "&word"
        self.before((request, tid, addr, data), out, to)
        args = shown_args(request, tid, addr, data, out)
        entered = self._log.publish(CallEntered("ptrace", args, to)) if self._log.wants(Detail.CALLS) else 0
        ret, errno = raw.ptrace_free(request, tid, addr, data)
        at = self._log.now()
        if peek and out and ret == 0:
            ret = self._word.value
        if entered:
            said = note() if note is not None and not errno else ""
            why = facts.at_failure("ptrace", (request, tid, addr, data), errno) if errno else ()
            answer = CallReturned("ptrace", args, ret, errno_name(errno) if errno else "", note=said, facts=why)
            self._log.publish(answer, of=entered, at=at)
        return ret, errno

    def _request(self, request: int, tid: int, to: str, addr: int = 0, data: int = 0, out: str = "", expected: int = 0) -> None:
        """Make a request; `expected` is an errno that is news to the caller rather than a failure."""
        self.here()
        self.before((request, tid, addr, data), out, to)
        call = raw.ptrace_held if request in _HELD else raw.ptrace_free
        if not self._log.wants(Detail.CALLS):
            ret, errno = call(request, tid, addr, data)
            if ret == -1:
                raise refusals.explain("ptrace", shown_args(request, tid, addr, data, out), errno, tid)
            return
        args = shown_args(request, tid, addr, data, out)
        entered = self._log.publish(CallEntered("ptrace", args, to))
        ret, errno = call(request, tid, addr, data)
        at = self._log.now()
        why = facts.at_failure("ptrace", (request, tid, addr, data), errno) if ret == -1 and errno != expected else ()
        self._log.publish(CallReturned("ptrace", args, ret, errno_name(errno) if ret == -1 else "", facts=why), of=entered, at=at)
        if ret == -1:
            raise refusals.explain("ptrace", args, errno, tid)

    # --- resuming -------------------------------------------------------------------------------------------------------------
    def cont(self, tid: Tid, signal: int = 0, *, to: str) -> None:
        """PTRACE_CONT: let a stopped tracee run, delivering `signal` (0: none)."""
        self._request(CONT, tid, to, 0, signal)

    def singlestep(self, tid: Tid, signal: int = 0, *, to: str) -> None:
        """PTRACE_SINGLESTEP: let it execute one instruction."""
        self._request(SINGLESTEP, tid, to, 0, signal)

    def listen(self, tid: Tid, *, to: str) -> None:
        """PTRACE_LISTEN: leave a seized tracee in its group-stop but let it hear SIGCONT."""
        self._request(_R["PTRACE_LISTEN"], tid, to)

    # --- attaching ------------------------------------------------------------------------------------------------------------
    def seize(self, tid: Tid, options: int, *, to: str) -> None:
        """PTRACE_SEIZE: attach without stopping."""
        self._request(_R["PTRACE_SEIZE"], tid, to, 0, options)

    def attach(self, tid: Tid, *, to: str) -> None:
        """PTRACE_ATTACH: attach and send SIGSTOP.  May sleep in the kernel (execve of the target in progress)."""
        self._request(_R["PTRACE_ATTACH"], tid, to)

    def interrupt(self, tid: Tid, *, to: str) -> None:
        """PTRACE_INTERRUPT: stop a seized tracee; EIO for others."""
        self._request(_R["PTRACE_INTERRUPT"], tid, to)

    def detach(self, tid: Tid, signal: int = 0, *, to: str) -> None:
        """PTRACE_DETACH: let go of a stopped tracee, delivering `signal`."""
        self._request(_R["PTRACE_DETACH"], tid, to, 0, signal)

    def setoptions(self, tid: Tid, options: int, *, to: str) -> None:
        """PTRACE_SETOPTIONS: replace the option bits of a stopped tracee."""
        self._request(_R["PTRACE_SETOPTIONS"], tid, to, 0, options)

    # --- looking --------------------------------------------------------------------------------------------------------------
    def geteventmsg(self, tid: Tid, *, to: str) -> int:
        """PTRACE_GETEVENTMSG: the number that belongs to an event stop (8 bytes: new tid, former tid, exit status)."""
        self._request(_R["PTRACE_GETEVENTMSG"], tid, to, 0, ctypes.addressof(self._word), "&msg")
        return self._word.value

    def getsiginfo(self, tid: Tid, *, to: str) -> tuple[int, int, int, int] | None:
        """PTRACE_GETSIGINFO: `(si_signo, si_code, si_pid, si_addr)`; None where the kernel has none (EINVAL: group-stop)."""
        try:
            self._request(_R["PTRACE_GETSIGINFO"], tid, to, 0, self._info_at, "&siginfo", _errno.EINVAL)
        except KernelRefused as error:
            if error.errno == _errno.EINVAL:
                return None
            raise
        head = bytes(self._info)[:24]
        signo, code = (int.from_bytes(head[at : at + 4], "little", signed=True) for at in (0, 8))
        # The union begins at byte 16: si_pid for signals that were sent, si_addr for faults.
        sender, address = int.from_bytes(head[16:20], "little"), int.from_bytes(head[16:24], "little")
        return signo, code, sender, address

    def getregs(self, tid: Tid, *, to: str) -> Registers:
        """PTRACE_GETREGS: all general registers."""
        self._request(_R["PTRACE_GETREGS"], tid, to, 0, self._regs_at, "&regs")
        return Registers.from_bytes(self._regs.raw)

    def setregs(self, tid: Tid, regs: Registers, *, to: str) -> None:
        """PTRACE_SETREGS: replace them."""
        self._new_regs.raw = regs.to_bytes()
        self._request(_R["PTRACE_SETREGS"], tid, to, 0, ctypes.addressof(self._new_regs), "&regs")

    def getfpregs(self, tid: Tid, *, to: str) -> bytes:
        """PTRACE_GETFPREGS: the FXSAVE area, 512 bytes on x86-64."""
        buffer = UserFpRegs()
        self._request(_R["PTRACE_GETFPREGS"], tid, to, 0, ctypes.addressof(buffer), "&fpregs")
        return bytes(buffer)
