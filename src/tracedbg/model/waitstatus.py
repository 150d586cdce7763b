"""The status word of wait(2) as a value with a kind.

Pure, any thread.  The inverse of the kernel's encoding (kernel/exit.c, kernel/signal.c): low seven bits 0 = exited, 0x7f =
stopped, else killed by that signal; 0xffff = continued; a stopped word may carry a ptrace event above bit 16.
"""

from __future__ import annotations

import enum

import msgspec

from .names import EVENT_NAMES, EVENT_STOP, signal_name

SYSGOOD = 0x80
"""Set in the stop signal of a system call stop when PTRACE_O_TRACESYSGOOD is on."""


class StatusKind(enum.Enum):
    """What a status word says happened."""

    EXITED = "exited"
    KILLED = "killed"
    STOPPED = "stopped"
    CONTINUED = "continued"


class WaitStatus(msgspec.Struct, frozen=True):
    """A status word as the kernel stored it.

    Args:
        word: the integer that wait4 wrote, for example 0x57f.
    """

    word: int

    @property
    def kind(self) -> StatusKind:
        """Exited, killed, stopped or continued (the macros of wait(2) in one)."""
        if self.word == 0xFFFF:
            return StatusKind.CONTINUED
        low = self.word & 0x7F
        if low == 0:
            return StatusKind.EXITED
        return StatusKind.STOPPED if low == 0x7F else StatusKind.KILLED

    @property
    def exit_code(self) -> int:
        """The code given to exit, 0 to 255; meaningful for `StatusKind.EXITED` only."""
        return (self.word >> 8) & 0xFF

    @property
    def signal(self) -> int:
        """The signal that killed or stopped; for a system call stop 5 without the SYSGOOD bit."""
        if self.kind is StatusKind.STOPPED:
            return (self.word >> 8) & 0x7F
        return self.word & 0x7F

    @property
    def is_syscall(self) -> bool:
        """A system call stop marked by PTRACE_O_TRACESYSGOOD."""
        return self.kind is StatusKind.STOPPED and bool(self.word >> 8 & SYSGOOD)

    @property
    def event(self) -> int:
        """The PTRACE_EVENT number of an event stop, else 0."""
        return self.word >> 16 & 0xFF if self.kind is StatusKind.STOPPED else 0

    @property
    def dumped(self) -> bool:
        """Killed and a core dump was attempted."""
        return self.kind is StatusKind.KILLED and bool(self.word & 0x80)

    @property
    def is_end(self) -> bool:
        """The task is dead: exited or killed."""
        return self.kind in (StatusKind.EXITED, StatusKind.KILLED)

    def text(self) -> str:
        """The words of the canonical line: ``stopped SIGTRAP PTRACE_EVENT_EXEC``, ``exited 0``, ``killed SIGTERM``."""
        kind = self.kind
        if kind is StatusKind.EXITED:
            return f"exited {self.exit_code}"
        if kind is StatusKind.CONTINUED:
            return "continued"
        if kind is StatusKind.KILLED:
            return f"killed {signal_name(self.signal)}" + (" dumped" if self.dumped else "")
        words = f"stopped {signal_name(self.signal)}"
        if self.is_syscall:
            words += "|0x80"
        if self.event:
            words += " " + EVENT_NAMES.get(self.event, f"event {self.event}")
        return words


def exited(code: int) -> WaitStatus:
    """The word of a task that called exit(code)."""
    return WaitStatus((code & 0xFF) << 8)


def killed(signal: int, *, dumped: bool = False) -> WaitStatus:
    """The word of a task that a signal killed."""
    return WaitStatus(signal & 0x7F | (0x80 if dumped else 0))


def stopped(signal: int, event: int = 0) -> WaitStatus:
    """The word of a stopped task; `event` is a PTRACE_EVENT number or 0."""
    return WaitStatus(event << 16 | (signal & 0xFF) << 8 | 0x7F)


CONTINUED = WaitStatus(0xFFFF)
STEP_TRAP = stopped(5).word
"""0x57f: what a hot loop compares with."""
INTERRUPTED = stopped(5, EVENT_STOP).word
"""0x80057f: a seized tracee that PTRACE_INTERRUPT stopped."""
