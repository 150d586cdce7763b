"""The one door to wait4 and waitid.

Any thread: wait calls of all threads of a process sleep on one queue (`signal_struct.wait_chldexit`), and whoever takes a status owes
it to the tracer, so the door itself hands it over.  It must not interpret a status.  Source: wait(2), kernel/exit.c `do_wait`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec

from tracedbg.eventlog.log import EventLog
from tracedbg.model.events import CallEntered, CallReturned, ChildInfo, Detail
from tracedbg.model.ids import ThreadRef, Tid
from tracedbg.model.names import WAIT_OPTIONS, WAITID_TYPES, errno_name, wait_options_text
from tracedbg.model.waitstatus import WaitStatus

from . import facts, raw
from .poke import Seat
from .witness import Witness

WALL = WAIT_OPTIONS["__WALL"]
WNOHANG = WAIT_OPTIONS["WNOHANG"]
WNOWAIT = WAIT_OPTIONS["WNOWAIT"]
_EINTR = 4
_TYPE_NAMES = {number: name for name, number in WAITID_TYPES.items()}


class WaitResult(msgspec.Struct, frozen=True):
    """A status that one wait call took from the kernel.

    Args:
        tid: the task it is about.
        status: the word.
        taken_by: the thread that got it.
        of: seq of the call's `CallReturned` record, 0 if calls are not logged.
    """

    tid: Tid
    status: WaitStatus
    taken_by: ThreadRef
    of: int = 0


class Waited(msgspec.Struct, frozen=True):
    """What a wait call answered, status or not."""

    ret: int
    errno: int = 0
    result: WaitResult | None = None
    info: ChildInfo | None = None


class WaitDoor:
    """Makes wait calls for any thread, announces them and pays the debt of each status taken.

    Args:
        log: where calls are announced.
        witness: watches calls that last, or None.
    """

    def __init__(self, log: EventLog, witness: Witness | None = None) -> None:
        # Set once (`hand_over` by the session, before any waiting).
        self.log = log
        self.witness = witness
        self.hand_over: Callable[[WaitResult], None] = lambda _result: None
        # Under the lock.
        self._lock = threading.Lock()
        self._seats: dict[int, Seat] = {}

    def seat(self, tid: int | None = None) -> Seat:
        """The place of a thread, the calling one unless told."""
        tid = threading.get_native_id() if tid is None else tid
        seat = self._seats.get(tid)
        if seat is None:
            with self._lock:
                seat = self._seats.setdefault(tid, Seat(tid))
        return seat

    def inside(self) -> list[int]:
        """The threads that are in a wait call at this moment, or about to make one."""
        with self._lock:
            return [tid for tid, seat in self._seats.items() if seat.inside]

    def forget(self, tid: int) -> None:
        """The thread has ended; its number may be used again."""
        with self._lock:
            self._seats.pop(tid, None)

    def wait4(self, pid: int, options: int, *, hand_over: bool = True, name: str = "wait4", to: str = "") -> Waited:
        """wait4(pid, &status, options, NULL) on the calling thread.

        Args:
            pid: selector of wait(2): a tid, -1 for any, 0 or negative for process groups.
            options: bits, without WNOWAIT (wait4 does not know it).
            hand_over: False when the caller is the tracer itself and will handle the status at once.
            to: what for, in the log.
            name: ``waitpid`` to go through that function of the C library, which makes the same system call.

        Returns:
            The kernel's answer; errno EINTR when the wait was poked.
        """
        args = (pid, wait_options_text(options))
        with self.seat().taken() as allowed:
            if not allowed:  # kicked before it began: no call was made, so none is told
                return Waited(-1, _EINTR)
            entered = self._entered(name, args, to)
            ret, errno, word = raw.waitpid(pid, options) if name == "waitpid" else raw.wait4(pid, options)
            # Without `hand_over` a thread of the debugger itself waits, and knows what a failure means to it.
            numbers = (pid, options) if hand_over else None
            seq = self._returned(name, args, ret, errno, word if ret > 0 else None, None, entered, numbers)
        if ret <= 0:
            return Waited(ret, errno)
        result = WaitResult(Tid(ret), WaitStatus(word), self.log.here(), seq)
        if hand_over:
            self.hand_over(result)
        return Waited(ret, 0, result)

    def waitid(self, idtype: int, ident: int, options: int, *, hand_over: bool = True, to: str = "") -> Waited:
        """waitid(idtype, id, &info, options, NULL) on the calling thread; with WNOWAIT nothing is taken, so nothing handed over."""
        args = (_TYPE_NAMES.get(idtype, idtype), ident, wait_options_text(options, waitid=True))
        with self.seat().taken() as allowed:
            if not allowed:
                return Waited(-1, _EINTR)
            entered = self._entered("waitid", args, to)
            ret, errno, words = raw.waitid(idtype, ident, options)
            info = ChildInfo(*words) if ret == 0 and words[1] else None
            seq = self._returned("waitid", args, ret, errno, None, info, entered, (idtype, ident, options) if hand_over else None)
        if info is None:
            return Waited(ret, errno)
        result = WaitResult(Tid(info.pid), word_of(info), self.log.here(), seq)
        if hand_over and not options & WNOWAIT:
            self.hand_over(result)
        return Waited(ret, 0, result, info)

    def _entered(self, name: str, args: tuple[str | int, ...], to: str) -> int:
        if not self.log.wants(Detail.CALLS):
            return 0
        seq = self.log.publish(CallEntered(name, args, to))
        if self.witness is not None:
            self.witness.watch(threading.get_native_id(), self.log.here().name, seq)
        return seq

    def _returned(
        self, name: str, args: tuple[str | int, ...], ret: int, errno: int, status: int | None, info: ChildInfo | None, entered: int,
        numbers: tuple[int, ...] | None,
    ) -> int:  # fmt: skip
        at = self.log.now()
        if self.witness is not None:
            self.witness.release(threading.get_native_id())
        if not self.log.wants(Detail.CALLS):
            return 0
        name_of_errno = errno_name(errno) if ret == -1 else ""
        why = facts.at_failure(name, numbers, errno) if ret == -1 and numbers is not None else ()
        return self.log.publish(CallReturned(name, args, ret, name_of_errno, status, info, facts=why), of=entered, at=at)


def word_of(info: ChildInfo) -> WaitStatus:
    """The status word that wait4 would have stored for what waitid reported (kernel/exit.c: the two encodings)."""
    if info.code == 1:
        return WaitStatus((info.status & 0xFF) << 8)
    if info.code in (2, 3):
        return WaitStatus(info.status & 0x7F | (0x80 if info.code == 3 else 0))
    if info.code == 6:
        return WaitStatus(0xFFFF)
    return WaitStatus((info.status & 0xFFFF) << 8 | 0x7F)
