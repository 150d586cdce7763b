"""What a status means: gather facts, then decide.

`facts` runs on the tracer thread and asks the kernel only what this kind of stop needs; `classify` is pure.
Source: ptrace(2), "Stopped states"; kernel/signal.c, arch/x86/kernel/traps.c for the si_code values.
"""

from __future__ import annotations

import os
import signal

import msgspec

from tracedbg.kernel.ptrace import Ptrace
from tracedbg.kernel.regs import Registers
from tracedbg.model.names import EVENT_CLONE, EVENT_EXEC, EVENT_EXIT, EVENT_FORK, EVENT_STOP, EVENT_VFORK, EVENT_VFORK_DONE, signal_name
from tracedbg.model.stops import (
    AnyStop,
    Born,
    BreakpointHit,
    ExecStop,
    ExitEvent,
    GroupStop,
    Interrupted,
    NewTask,
    OtherEvent,
    SignalDelivery,
    StepDone,
    SyscallStop,
    VforkDone,
)
from tracedbg.model.waitstatus import WaitStatus

from .book import Inferior, Tracee

SI_USER, SI_KERNEL, SI_TKILL = 0, 0x80, -6
TRAP_BRKPT, TRAP_TRACE = 1, 2
_STOP_SIGNALS = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
_FAULTS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP)
_TASK_EVENTS = {EVENT_FORK: "fork", EVENT_VFORK: "vfork", EVENT_CLONE: "clone"}
_WITH_MESSAGE = (EVENT_FORK, EVENT_VFORK, EVENT_CLONE, EVENT_EXEC, EVENT_EXIT)


class Facts(msgspec.Struct, frozen=True):
    """What the kernel holds for one stop.

    Args:
        message: of GETEVENTMSG, for events that have one.
        info: `(si_signo, si_code, si_pid, si_addr)`; None where the kernel has none.
        site: address of a planted site that ends right before pc, -1 if there is none.
        newborn: the first stop of a task that was traced from birth.
        ours: a SIGSTOP or INTERRUPT of ours is under way for it.
        stepping: it was resumed for one instruction.
        exec_due: a launched program whose exec stop has not been seen.
    """

    message: int = 0
    info: tuple[int, int, int, int] | None = None
    site: int = -1
    newborn: bool = False
    ours: bool = False
    stepping: bool = False
    exec_due: bool = False


def facts(pt: Ptrace, inferior: Inferior, tracee: Tracee, status: WaitStatus) -> tuple[Facts, Registers | None]:
    """Ask the kernel what belongs to this stop.

    Raises:
        TraceeGone: it was killed meanwhile.
    """
    message, info, site = 0, None, -1
    regs: Registers | None = None
    if status.event in _WITH_MESSAGE:
        message = pt.geteventmsg(tracee.tid, to="learn the number that belongs to this event")
    elif not status.event and not status.is_syscall:
        info = pt.getsiginfo(tracee.tid, to=f"learn what this {signal_name(status.signal)} is")
        if status.signal == signal.SIGTRAP and info is not None and info[1] in (SI_KERNEL, TRAP_BRKPT) and inferior.sites:
            regs = pt.getregs(tracee.tid, to="see whether a breakpoint byte of ours ends at pc")
            planted = inferior.sites.get(regs.pc - 1)
            if planted is not None and planted.planted:
                site = planted.address
    ours = tracee.ledger > 0 or tracee.stop_asked
    return Facts(message, info, site, tracee.newborn, ours, tracee.stepping, not inferior.exec_seen), regs


def classify(status: WaitStatus, known: Facts) -> AnyStop:
    """The meaning of a stopped status."""
    event = status.event
    if event in _TASK_EVENTS:
        return NewTask(_TASK_EVENTS[event], known.message)
    if event == EVENT_EXEC:
        return ExecStop(known.message)
    if event == EVENT_VFORK_DONE:
        return VforkDone()
    if event == EVENT_EXIT:
        return ExitEvent(known.message)
    if event == EVENT_STOP:
        if status.signal != signal.SIGTRAP:
            return GroupStop(status.signal)
        return Born() if known.newborn else Interrupted()
    if event:
        return OtherEvent(event)
    if status.is_syscall:
        return SyscallStop()
    if known.info is None:
        return GroupStop(status.signal)
    return _signal_stop(status.signal, known.info, known)


def _signal_stop(number: int, info: tuple[int, int, int, int], known: Facts) -> AnyStop:
    _, code, sender, address = info
    if number == signal.SIGSTOP:
        if known.newborn:
            return Born()
        # Ours came by tgkill from this process (nobody else in it sends one), or from PTRACE_ATTACH (SEND_SIG_PRIV: SI_KERNEL).
        if (code == SI_TKILL and sender == os.getpid()) or (known.ours and code == SI_KERNEL):
            return Interrupted()
    if number == signal.SIGTRAP:
        if known.exec_due and code == SI_USER:
            return ExecStop()
        # int3 reports SI_KERNEL on x86.  A step over a system call instruction reports TRAP_BRKPT, so a step wins for that code.
        if known.site >= 0 and (code == SI_KERNEL or not known.stepping):
            return BreakpointHit(known.site)
        # A step that delivers a signal ends at its handler's first instruction, told by ptrace_notify, whose si_code is the exit
        # code SIGTRAP (kernel/signal.c, signal_setup_done).
        if code in (TRAP_TRACE, TRAP_BRKPT, signal.SIGTRAP) and known.stepping:
            return StepDone()
    if number in _FAULTS:
        return SignalDelivery(number, code, address=address)
    return SignalDelivery(number, code, sender=sender if code <= 0 else 0)
