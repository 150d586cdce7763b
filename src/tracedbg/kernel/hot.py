"""The tight loop: step, wait, compare, again.

Tracer thread only.  A hand-off to a waiter for every one of a hundred thousand steps would cost more than the steps, so this loop waits
inline, which is safe only while no other thread is asleep in a wait that could take the status.  Its calls are counted, not announced.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Container

import msgspec

from tracedbg.model.ids import Tid
from tracedbg.model.names import PTRACE_REQUESTS
from tracedbg.model.waitstatus import STEP_TRAP

from . import raw
from .poke import Seat
from .ptrace import SINGLESTEP, Ptrace
from .pyptrace import UserRegs
from .regs import CPU

_WALL = 0x40000000
_EINTR = 4
_PEEKUSER = PTRACE_REQUESTS["PTRACE_PEEKUSER"]
_PC_OFFSET = getattr(UserRegs, "rip").offset if hasattr(UserRegs, "rip") else 0  # noqa: B009  (a field made by ctypes)


class StepRun(msgspec.Struct, frozen=True):
    """How a run of single steps ended.

    Args:
        steps: instructions executed and reported.
        status: the last status word; None when the run was interrupted or refused.
        errno: of the request that was refused, else 0.
        pc: where it stands, -1 if it was not looked at.
        counts: calls made, by name.
        stepping: the tracee was left running in the middle of a step (interrupted while it slept in a system call).
        at_call: it stands at a system call, which was asked for.
    """

    steps: int
    status: int | None
    errno: int
    pc: int
    counts: dict[str, int]
    stepping: bool = False
    at_call: bool = False


def step_many(pt: Ptrace, seat: Seat, tid: Tid, limit: int, signal: int = 0, low: int = 0, high: int = 0,
              stop_at: Container[int] = (), code: int = -1) -> StepRun:  # fmt: skip
    """Step `tid` up to `limit` times.

    Args:
        pt: the right.
        seat: the tracer thread's place in a wait; kicking it ends the run.
        tid: a stopped tracee.
        limit: steps.
        signal: delivered with the first step.
        low: with `high`, go on only while low <= pc < high.
        high: exclusive; 0 for no range.
        stop_at: addresses before which to stop (breakpoints, whose bytes are lifted meanwhile).
        code: the tracee's memory as a descriptor, to stop before every system call; -1 not to look.
    """
    pt.here()
    ptrace, wait4, get_errno = raw._ptrace_held, raw._wait4, ctypes.get_errno
    c_long = ctypes.c_long
    # Ready-made argument objects: building them anew is a third of the cost of a request.
    request, target, zero, data = c_long(SINGLESTEP), c_long(tid), c_long(0), c_long(signal)
    status = ctypes.c_int(0)
    status_at = ctypes.c_void_p(ctypes.addressof(status))
    look = bool(high) or bool(stop_at) or code >= 0
    pread, calls = os.pread, CPU.calls
    call_size = len(next(iter(calls)))
    peek, offset = c_long(_PEEKUSER), c_long(_PC_OFFSET)
    done = peeks = waits = requests = 0
    pc = -1
    word: int | None = None
    errno = 0
    stepping = at_call = False
    with seat.taken():
        while done < limit and not seat.kicked:
            requests += 1
            if ptrace(request, target, zero, data) == -1:
                errno = get_errno()
                break
            data = zero
            answer = wait4(tid, status_at, _WALL, None)
            waits += 1
            while answer == -1 and get_errno() == _EINTR and not seat.kicked:
                answer = wait4(tid, status_at, _WALL, None)
                waits += 1
            if answer == -1:
                errno = get_errno()
                stepping = errno == _EINTR
                errno = 0 if stepping else errno
                break
            word = status.value
            if word != STEP_TRAP:
                break
            done += 1
            if look:
                # PEEKUSER returns the word itself; -1 is no address a program runs at.
                pc = ptrace(peek, target, offset, zero) & 0xFFFFFFFFFFFFFFFF
                peeks += 1
                if pc in stop_at or (high and not low <= pc < high):
                    break
                if code >= 0:
                    try:
                        at_call = pread(code, call_size, pc) in calls
                    except (OSError, OverflowError):  # nothing is mapped there: the next step will say so
                        continue
                    if at_call:
                        break
    counts = {"ptrace(PTRACE_SINGLESTEP)": requests, "wait4": waits, "ptrace(PTRACE_PEEKUSER)": peeks}
    final = None if stepping or errno else word
    return StepRun(done, final, errno, pc, {name: count for name, count in counts.items() if count}, stepping, at_call)
