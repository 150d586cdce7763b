"""What a stopped status means.

Pure values, any thread.  Each class is one kind of ptrace-stop of ptrace(2) and its docstring says what to do next with a tracee
that stopped so.  Made by `tracer.classify` from the status word and the facts that the kernel holds for the stop.
"""

from __future__ import annotations

import msgspec

from .names import signal_name
from .text import Shown


class Stop(msgspec.Struct, frozen=True, tag_field="stop", tag=True):
    """Base of all kinds of stop."""

    def text(self) -> Shown:
        """A few words for people and logs."""
        raise NotImplementedError


class SignalDelivery(Stop, frozen=True, tag="signal"):
    """Signal-delivery-stop: the signal has left its queue and waits for the tracer's word.

    Next: resume with the signal to deliver it, with 0 to suppress it.

    Args:
        signal: its number.
        code: ``si_code``, which tells how it was sent (SI_USER 0, SI_KERNEL 0x80, TRAP_BRKPT 1 ...).
        sender: ``si_pid`` where the code says that there is one, else 0.
        address: ``si_addr`` of a fault signal, else 0.
    """

    signal: int
    code: int = 0
    sender: int = 0
    address: int = 0

    def text(self) -> Shown:
        """See `Stop.text`."""
        return Shown(signal_name(self.signal))


class GroupStop(Stop, frozen=True, tag="group"):
    """Group-stop: a stop signal has stopped the whole process, and this tracee takes part.

    Next: seized tracees get PTRACE_LISTEN (they stay stopped until SIGCONT); others can only be resumed, which loses the stop.
    """

    signal: int

    def text(self) -> Shown:
        """See `Stop.text`."""
        return Shown(f"group-stop {signal_name(self.signal)}")


class Interrupted(Stop, frozen=True, tag="interrupted"):
    """A stop that tracedbg asked for: PTRACE_INTERRUPT, or a SIGSTOP of ours that must be swallowed.

    Next: resume with 0.
    """

    def text(self) -> Shown:
        """See `Stop.text`."""
        return Shown("interrupted")


class StepDone(Stop, frozen=True, tag="step"):
    """One instruction was executed (TRAP_TRACE).  Next: whatever the step was for."""

    def text(self) -> Shown:
        """See `Stop.text`."""
        return Shown("step")


class BreakpointHit(Stop, frozen=True, tag="breakpoint"):
    """The tracee executed an int3 that tracedbg planted; its pc has been set back to `address`.

    Next: lift the site, step, plant it again, go on.

    Args:
        address: of the site.
        ids: numbers of the user's breakpoints there, empty for an internal one.
    """

    address: int
    ids: tuple[int, ...] = ()

    def text(self) -> Shown:
        """See `Stop.text`."""
        names = ",".join(str(number) for number in self.ids)
        return Shown(f"breakpoint {names}" if names else "at a breakpoint")


class SyscallStop(Stop, frozen=True, tag="syscall"):
    """Before or after a system call (the two look alike; only GET_SYSCALL_INFO or counting tells).  Next: PTRACE_SYSCALL."""

    def text(self) -> Shown:
        """See `Stop.text`."""
        return Shown("syscall-stop")


class ExecStop(Stop, frozen=True, tag="exec"):
    """A new program image is in place, nothing of it has run.

    Args:
        former: the tid that called execve; the task now has the process's number.
    """

    former: int = 0

    def text(self) -> Shown:
        """See `Stop.text`."""
        return Shown("exec")


class NewTask(Stop, frozen=True, tag="new-task"):
    """Fork, vfork or clone event in the parent: the new task is traced too.  Next: resume both.

    Args:
        how: ``fork``, ``vfork`` or ``clone``.
        tid: of the new task.
    """

    how: str
    tid: int

    def text(self) -> Shown:
        """See `Stop.text`."""
        return Shown(f"{self.how} {self.tid}")


class Born(Stop, frozen=True, tag="born"):
    """The first stop of a task that was traced from birth (SIGSTOP, or an event-stop if its parent was seized)."""

    def text(self) -> Shown:
        """See `Stop.text`."""
        return Shown("born")


class VforkDone(Stop, frozen=True, tag="vfork-done"):
    """The vfork child has released its parent's memory.  Next: resume."""

    def text(self) -> Shown:
        """See `Stop.text`."""
        return Shown("vfork-done")


class ExitEvent(Stop, frozen=True, tag="exit-event"):
    """The task is on its way out, its registers still readable; SIGKILL does nothing to it here.  Next: resume."""

    code: int = 0

    def text(self) -> Shown:
        """See `Stop.text`."""
        return Shown(f"exit-event status {self.code:#x}")


class ThreadEnded(Stop, frozen=True, tag="thread-ended"):
    """The thread that was being stepped has ended; the others are stopped.  Next: choose another thread."""

    def text(self) -> Shown:
        """See `Stop.text`."""
        return Shown("thread ended")


class Arrived(Stop, frozen=True, tag="arrived"):
    """The place that a plan ran to (a return address, a statement) was reached."""

    address: int

    def text(self) -> Shown:
        """See `Stop.text`."""
        return Shown("arrived")


class OtherEvent(Stop, frozen=True, tag="event"):
    """An event that needs no action of ours (seccomp, or one newer than this program).  Next: resume."""

    number: int

    def text(self) -> Shown:
        """See `Stop.text`."""
        return Shown(f"event {self.number}")


AnyStop = (
    SignalDelivery
    | GroupStop
    | Interrupted
    | StepDone
    | BreakpointHit
    | SyscallStop
    | ExecStop
    | NewTask
    | Born
    | VforkDone
    | ExitEvent
    | ThreadEnded
    | Arrived
    | OtherEvent
)
