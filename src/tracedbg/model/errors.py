"""The error tree.

Pure values, any thread.  Errors carry data; `str()` is one plain line that says what happened and what to do next.  News (a
tracee stopped, ran, died) is never an error.  Only `ui`, `walk`, `commands.batch` and `cli` catch `TracedbgError`.
"""

from __future__ import annotations

from .text import visible


class TracedbgError(Exception):
    """Something that a user can be told in one line.

    Args:
        what: what happened, a full clause without a final stop.
        todo: what to do next; empty when there is nothing to do.
    """

    def __init__(self, what: str, todo: str = "") -> None:
        super().__init__(what, todo)
        self.what = visible(what)
        self.todo = visible(todo)

    def __str__(self) -> str:
        return f"{self.what}; {self.todo}" if self.todo else str(self.what)


class UserError(TracedbgError):
    """The line was wrong."""


class BadSyntax(UserError):
    """The line does not follow the grammar.

    Args:
        column: 0-based place in the line, for a caret.
    """

    def __init__(self, what: str, todo: str = "", *, column: int = 0) -> None:
        super().__init__(what, todo)
        self.column = column


class UnknownCommand(UserError):
    """No row of the table has this name."""


class AmbiguousCommand(UserError):
    """A prefix of several names.

    Args:
        choices: the full names.
    """

    def __init__(self, what: str, todo: str = "", *, choices: tuple[str, ...] = ()) -> None:
        super().__init__(what, todo)
        self.choices = choices


class BadArgument(UserError):
    """A word cannot be what its place asks for."""


class NotFound(UserError):
    """No such file, symbol, line, thread or breakpoint."""


class NotNow(TracedbgError):
    """The right command at the wrong moment; `todo` says what to do first."""


class NotHere(TracedbgError):
    """This machine lacks something; `todo` names the remedy."""


class Failed(TracedbgError):
    """An attempt ended without its result: an expectation not met, a program that could not be started."""


class KernelRefused(TracedbgError):
    """A system call failed.

    Args:
        call: as in the log, for example ``ptrace(PTRACE_CONT, 4242, 0, 0)``.
        errno: the kernel's number.
        tid: the target, 0 if there is none.
    """

    def __init__(self, what: str, todo: str = "", *, call: str = "", errno: int = 0, tid: int = 0) -> None:
        super().__init__(what, todo)
        self.call = call
        self.errno = errno
        self.tid = tid


class TraceeGone(KernelRefused):
    """ESRCH for a tracee that had been stopped: it was killed meanwhile, and its status will tell the rest."""


class NotPermitted(KernelRefused):
    """EPERM; `what` names the cause that was found, `todo` its remedy."""


class MemoryRefused(KernelRefused):
    """An address that cannot be read or written.

    Args:
        address: the first byte that was refused.
    """

    def __init__(self, what: str, todo: str = "", *, address: int = 0, errno: int = 0) -> None:
        super().__init__(what, todo, errno=errno)
        self.address = address


class WrongThread(TracedbgError):
    """Law 1 was about to be broken by our own code."""


class InternalError(TracedbgError):
    """A defect of tracedbg itself; ends the session and keeps the log."""
