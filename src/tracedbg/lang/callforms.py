"""How each call that ``on NAME`` can make is written: its arguments by kind, in groups, with a word on what it is for.

Pure tables, any thread; completion, help and the reading of a line come from these rows.  What a call does is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

from tracedbg.model import callnames, names
from tracedbg.model.errors import BadArgument

from .forms import SizeType
from .params import (
    NEW_NAME,
    NUMBER,
    PATH,
    PID,
    REQUEST,
    SIGNAL,
    TEXT,
    WAIT_OPTIONS,
    WAIT_PID,
    WAITID_TYPE,
)
from .paramtypes import FlagsType, NamedType, NumberType, ParamType

_MOST = 3072
"""Bytes that one call moves between a puppet and us."""

CLONE = FlagsType("FLAGS", "clone flags and the signal for the parent, joined by |", callnames.CLONE_WORDS, "CLONE_", "SIG")
SIGSET = FlagsType("SIGNALS", "signals joined by |, none or all",
                   {**callnames.SIGNAL_BITS, "none": 0, "all": (1 << 64) - 1}, "SIG")  # fmt: skip
ACTION = NamedType("ACTION", "SIG_DFL, SIG_IGN or handler", callnames.SIGACTIONS, "SIG_")
SA_FLAGS = FlagsType("FLAGS", "flags of sigaction", callnames.SA_FLAGS, "SA_")
HOW = NamedType("HOW", "SIG_BLOCK, SIG_UNBLOCK or SIG_SETMASK", callnames.SIG_HOW, "SIG_")
PRCTL = NamedType("OPTION", "an option of prctl", callnames.PRCTLS, "PR_")
PERSONA = FlagsType("PERSONA", "a personality", callnames.PERSONAS)
MAP_FLAGS = FlagsType("FLAGS", "flags of mmap", callnames.MAP_FLAGS, "MAP_")
ADVICE = NamedType("ADVICE", "advice for madvise", callnames.MADVICE, "MADV_")
OPEN_FLAGS = FlagsType("FLAGS", "flags of open", callnames.OPEN_FLAGS, "O_")
RLIMIT = NamedType("RESOURCE", "a resource limit", callnames.RLIMITS, "RLIMIT_")
SIZE = SizeType("SIZE", "a size such as 4096, 64K, 512M or 2G")
SOME = NumberType("COUNT", f"bytes, 1 to {_MOST}", 1, _MOST)
CODE = NumberType("CODE", "an exit status", -(1 << 31), (1 << 32) - 1)
MS = NumberType("MS", "milliseconds, -1 for no limit", -1, 3_600_000)
FD = NumberType("FD", "a descriptor", -1, 1 << 20)
ADDRESS = NumberType("ADDRESS", "an address")
STATUS = NamedType("STATUS", "an address in the place of &status, or rusage", {"rusage": callnames.RUSAGE})
RESULT = NamedType("RESULT", "an address in the place of &info, null, filled or rusage",
                   {"rusage": callnames.RUSAGE, "filled": callnames.FILLED, "null": 0})  # fmt: skip
ANY_TASK = NumberType("PID", "a pid or tid, whether there is such a task or not", -1, 2**22)
PIDFD_FLAGS = FlagsType("FLAGS", "flags of pidfd_open", callnames.PIDFD_FLAGS, "PIDFD_")
USAGE = NamedType("WHO", "RUSAGE_SELF, RUSAGE_CHILDREN or RUSAGE_THREAD", callnames.RUSAGES, "RUSAGE_")
TIMER = NamedType("TIMER", "ITIMER_REAL, ITIMER_VIRTUAL or ITIMER_PROF", callnames.ITIMERS, "ITIMER_")
ACCESS = FlagsType("ACCESS", "what Landlock may take away", callnames.LANDLOCK_ACCESS, "LANDLOCK_ACCESS_FS_")
WHOM = NumberType("PID", "a pid, 0 for the caller", 0, 2**22)

GROUPS: Mapping[str, str] = {
    "wait": "waiting",
    "task": "making, changing and ending tasks",
    "trace": "tracing",
    "signal": "signals",
    "who": "who and what one is",
    "memory": "memory and files",
    "time": "blocking and computing",
}


@final
class CallForm:
    """One call.

    Set once, at import:
        name: as typed.
        kinds: its arguments.
        needed: how many of them must be there.
        defaults: values of the others.
        group: key of `GROUPS`.
        about: a few words.
        rest: further words belong to the last kind.
        ours: threads of tracedbg can make it, not only puppets.
    """

    __slots__ = ("about", "defaults", "group", "kinds", "name", "needed", "ours", "rest")

    def __init__(
        self, group: str, name: str, kinds: Sequence[ParamType[Any]] = (), defaults: Sequence[Any] = (), *,
        about: str, rest: bool = False, ours: bool = False,
    ) -> None:  # fmt: skip
        self.group, self.name, self.kinds, self.defaults = group, name, tuple(kinds), tuple(defaults)
        self.about, self.rest, self.ours = about, rest, ours
        self.needed = len(self.kinds) - len(self.defaults) - rest

    @property
    def usage(self) -> str:
        """The call and its arguments, those in brackets optional."""
        words = [kind.name if index < self.needed else f"[{kind.name}]" for index, kind in enumerate(self.kinds)]
        return " ".join([self.name, *words]) + ("..." if self.rest else "")

    def read(self, words: Sequence[str]) -> list[Any]:
        """Return the arguments' values, defaults where words are missing.

        Raises:
            BadArgument: a word is not what its place asks for, is missing, or is too much.
        """
        most = len(words) if self.rest else len(self.kinds)
        if not self.needed <= len(words) <= most:
            raise BadArgument(
                f"{self.name} takes {_amount(self.needed, None if self.rest else most)}, not {len(words)}", f"usage: on NAME {self.usage}"
            )
        values = []
        for index, word in enumerate(words):
            try:
                values.append(self.kinds[min(index, len(self.kinds) - 1)].parse(word))
            except BadArgument as error:
                raise BadArgument(error.what, error.todo or f"usage: on NAME {self.usage}") from None
        if not self.rest:
            values += self.defaults[len(words) - self.needed :]
        return values


def _amount(low: int, high: int | None) -> str:
    if high == 0:
        return "no arguments"
    if high is None:
        return f"at least {low} argument" + "s" * (low != 1)
    return f"{low} to {high} arguments" if low != high else f"{low} argument" + "s" * (low != 1)


_F = CallForm
FORMS: Mapping[str, CallForm] = {
    form.name: form
    for form in (
        _F("wait", "wait4", (WAIT_PID, WAIT_OPTIONS, STATUS), (0, None), ours=True,
           about="wait for a child; an address takes the place of &status, 'rusage' asks what the child has used"),
        _F("wait", "waitid", (WAITID_TYPE, NUMBER, WAIT_OPTIONS, RESULT), (0, None), ours=True,
           about="wait, and look without taking (WNOWAIT); 'filled' shows each field, 'null' gives no place for them"),
        _F("wait", "waitpid", (WAIT_PID, WAIT_OPTIONS), (0,), ours=True, about="the C library's function: threads of tracedbg only"),
        _F("task", "fork", (NEW_NAME,), ours=True, about="make a puppet, as a child of the very task that makes the call"),
        _F("task", "vfork", (NEW_NAME,), about="make one that shares memory; the caller sleeps until it execs or ends"),
        _F("task", "clone", (NEW_NAME, CLONE), (names.SIGNALS["SIGCHLD"],),
           about="make one with these flags, and this signal for the parent"),
        _F("task", "thread", (NEW_NAME,), about="make a thread of the same puppet: p1.t2 for 'on p1 thread t2'"),
        _F("task", "exec", (PATH, TEXT), rest=True, about="execve: run another program, which obeys nobody"),
        _F("task", "exit", (CODE,), (0,), about="end this thread only"),
        _F("task", "exit_group", (CODE,), (0,), about="end the whole process"),
        _F("task", "setpgid", (WHOM, WHOM), (0, 0), about="change the process group"),
        _F("task", "setsid", about="begin a session"),
        _F("task", "setuid", (NUMBER,), about="change the user"),
        _F("task", "setgid", (NUMBER,), about="change the group"),
        _F("task", "prctl", (PRCTL, TEXT), rest=True, about="change how the kernel treats the caller"),
        _F("task", "personality", (PERSONA,), about="change the execution domain"),
        _F("task", "setrlimit", (RLIMIT, SIZE), about="change a resource limit"),
        _F("task", "landlock_create_ruleset", (ACCESS,), about="a ruleset that allows nothing of what is named"),
        _F("task", "landlock_restrict_self", (FD,), about="enter a Landlock domain with that ruleset; PR_SET_NO_NEW_PRIVS comes first"),
        _F("trace", "ptrace", (REQUEST, WAIT_PID, NUMBER, NUMBER), (0, 0, 0), ours=True, about="any request, TRACEME too for a puppet"),
        _F("signal", "kill", (WAIT_PID, SIGNAL), ours=True, about="to a process or group"),
        _F("signal", "tkill", (ANY_TASK, SIGNAL), ours=True, about="to a thread"),
        _F("signal", "tgkill", (ANY_TASK, ANY_TASK, SIGNAL), ours=True, about="to a thread of this process"),
        _F("signal", "sigqueueinfo", (PID, SIGNAL, NUMBER), (0,), about="to a process, with a value"),
        _F("signal", "tgsigqueueinfo", (PID, PID, SIGNAL, NUMBER), (0,), about="to a thread, with a value"),
        _F("signal", "sigaction", (SIGNAL, ACTION, SA_FLAGS), (0,), about="say what a signal does; 'handler' reports it in the log"),
        _F("signal", "sigprocmask", (HOW, SIGSET), about="block and unblock signals for this thread"),
        _F("signal", "sigpending", about="which blocked signals are pending"),
        _F("signal", "sigtimedwait", (SIGSET, MS), (-1,), about="take a pending signal, or wait for one"),
        _F("signal", "sigsuspend", (SIGSET,), about="wait for a signal with another mask"),
        _F("signal", "pause", about="wait for a signal with a handler"),
        _F("signal", "pidfd_open", (PID, PIDFD_FLAGS), (0,), about="a descriptor for a process or thread"),
        _F("signal", "pidfd_send_signal", (FD, SIGNAL), about="to what a pidfd stands for"),
        _F("who", "getpid", ours=True, about="the process"),
        _F("who", "gettid", ours=True, about="the thread"),
        _F("who", "getppid", ours=True, about="the parent process"),
        _F("who", "getpgid", (WHOM,), (0,), ours=True, about="the process group"),
        _F("who", "getsid", (WHOM,), (0,), ours=True, about="the session"),
        _F("who", "getrusage", (USAGE,), about="what the caller has used, or its collected children"),
        _F("memory", "process_vm_readv", (PID, ADDRESS, SOME), (8,), ours=True, about="read another process's memory"),
        _F("memory", "process_vm_writev", (PID, ADDRESS, TEXT), about="write it"),
        _F("memory", "mmap", (SIZE, MAP_FLAGS), (callnames.MAP_FLAGS["MAP_PRIVATE"],), about="get memory"),
        _F("memory", "munmap", (ADDRESS, SIZE), about="give it back"),
        _F("memory", "madvise", (ADDRESS, SIZE, ADVICE), about="say how it is to be treated"),
        _F("memory", "open", (PATH, OPEN_FLAGS), (0,), about="open a file"),
        _F("memory", "close", (FD,), about="close a descriptor"),
        _F("memory", "read", (FD, SOME), (1,), about="read from a descriptor"),
        _F("memory", "write", (FD, TEXT), about="write to one"),
        _F("memory", "pread", (FD, SOME, ADDRESS), about="read at an offset, in /proc/PID/mem an address"),
        _F("memory", "pwrite", (FD, TEXT, ADDRESS), about="write there"),
        _F("memory", "pipe2", (OPEN_FLAGS,), (0,), about="make a pipe"),
        _F("memory", "poll", (FD, MS), (-1,), about="wait until a descriptor can be read"),
        _F("time", "nanosleep", (MS,), about="sleep"),
        _F("time", "sched_yield", ours=True, about="let others run"),
        _F("time", "setitimer", (TIMER, MS),
           about="have a signal sent after that time, or with ITIMER_PROF after so much CPU time"),
        _F("time", "spin", about="compute until a handler has run"),
        _F("time", "trap", about="run an int3 instruction"),
        _F("time", "eofwait", (FD, PID), about="read to the end of file and then, with nothing in between, wait4 with WNOHANG"),
        _F("time", "syscall", (NUMBER, NUMBER), rest=True, about="any other call by its number"),
    )
}  # fmt: skip
"""Every call, by name."""

KINDS: Mapping[str, tuple[ParamType[Any], ...]] = {name: form.kinds for name, form in FORMS.items()}
"""For completion."""


def groups() -> list[tuple[str, list[CallForm]]]:
    """The calls by group, in the order of this page."""
    return [(title, [form for form in FORMS.values() if form.group == group]) for group, title in GROUPS.items()]
