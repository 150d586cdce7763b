"""A system call that a user has typed, as a value: what to call, with what, and how the log shows it.

Pure, any thread.  Making the call is the business of `lab.calls` (threads of ours) and `lab.puppets`; reading words is that of the
commands.  Nothing here may touch the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from tracedbg.kernel.ptrace import shown_args
from tracedbg.model.callnames import (
    CLONE_FLAGS,
    FILLED,
    FILLER,
    ITIMERS,
    LANDLOCK_ACCESS,
    MADVICE,
    MAP_FLAGS,
    OPEN_FLAGS,
    PERSONAS,
    PIDFD_FLAGS,
    PRCTLS,
    RLIMITS,
    RUSAGE,
    RUSAGES,
    SA_FLAGS,
    SIG_HOW,
    SIGACTIONS,
    clone_text,
    sigset_text,
)
from tracedbg.model.errors import BadArgument
from tracedbg.model.names import PTRACE_REQUESTS, SIGNALS, WAITID_TYPES, flags_text, signal_name, wait_options_text
from tracedbg.model.text import quoted

_TYPE_NAMES = {number: name for name, number in WAITID_TYPES.items()}
PEEKS = tuple(PTRACE_REQUESTS[f"PTRACE_PEEK{what}"] for what in ("TEXT", "DATA", "USER"))
"""Requests that store the word through `data`; libc's ptrace returns it."""

THREAD = sum(CLONE_FLAGS[f"CLONE_{what}"] for what in ("VM", "FS", "FILES", "SIGHAND", "THREAD", "SYSVSEM"))
"""What pthread_create asks of clone, but for thread-local storage, which a puppet does not have."""

WAITS = ("wait4", "waitid", "waitpid")
BLOCKING = (*WAITS, "pause", "nanosleep", "sigtimedwait", "sigsuspend", "read", "poll")
"""Calls that may sleep for long: the witness looks at who makes them."""
LAST = ("exit", "exit_group")
"""Calls that do not return."""


class Typed(msgspec.Struct, frozen=True):
    """One call, ready to be made on any thread.

    Args:
        name: of the call, as the log shows it.
        numbers: its arguments.
        out: how the log shows an argument that is a buffer of the caller's.
        texts: bytes that arguments point at.
        display: its arguments as the log shows them; made from `numbers` where None.
        birth: the name of the task that the call makes.
    """

    name: str
    numbers: tuple[int, ...] = ()
    out: str = ""
    texts: tuple[bytes, ...] = ()
    display: tuple[str | int, ...] | None = None
    birth: str = ""

    @property
    def shown(self) -> tuple[str | int, ...]:
        """Its arguments as the log shows them."""
        if self.display is not None:
            return self.display
        numbers = self.numbers
        if self.name in ("wait4", "waitpid"):
            pid, options, *place = numbers
            if place == [RUSAGE]:
                return pid, wait_options_text(options), "&rusage"
            return (pid, *(f"status {pointer:#x}" for pointer in place), wait_options_text(options))
        if self.name == "waitid":
            idtype, ident, options, *place = numbers
            return _TYPE_NAMES.get(idtype, idtype), ident, wait_options_text(options, waitid=True), *map(_place, place)
        if self.name == "ptrace":
            request, tid, addr, data = numbers
            peek = request in PEEKS and not data
            return shown_args(request, tid, addr, data, "&word" if peek else self.out)
        if self.name in ("kill", "tkill", "tgkill"):
            return (*numbers[:-1], _signal(numbers[-1]))
        return numbers

    @property
    def waits(self) -> bool:
        """It may sleep until a child changes state."""
        return self.name in WAITS


def _signal(number: int) -> str | int:
    return signal_name(number) if number else 0


def _place(place: int) -> str:
    """Where waitid's result goes, if not simply into a buffer of the caller's."""
    return {RUSAGE: "&rusage", FILLED: f"infop filled with {FILLER:#x}", 0: "infop NULL"}.get(place, f"infop {place:#x}")


def _named(value: int, table: Mapping[str, int]) -> str | int:
    return next((name for name, number in table.items() if number == value), value)


def _ms(ms: int) -> str:
    return f"{ms} ms" if ms >= 0 else "NULL"


# --- from values to a call ----------------------------------------------------------------------------------------------------
def _sigqueue(name: str) -> Callable[[Sequence[Any]], Typed]:
    def make(values: Sequence[Any]) -> Typed:
        *whom, signal, value = values
        return Typed(name, tuple(values), display=(*whom, _signal(signal), f"SI_QUEUE value {value}"))

    return make


def _prctl(values: Sequence[Any]) -> Typed:
    option, *words = values
    shown = _named(option, PRCTLS)
    if option == PRCTLS["PR_SET_NAME"]:
        text = str(words[0] if words else "").encode()[:15]
        return Typed("prctl", (option,), texts=(text,), display=(shown, str(quoted(text))))
    numbers = []
    for word in words:
        value = SIGNALS.get(str(word), SIGNALS.get("SIG" + str(word)))
        if value is None:
            try:
                value = int(str(word), 0)
            except ValueError:
                raise BadArgument(f"'{word}' is neither a number nor a signal", "for example: prctl PR_SET_PDEATHSIG SIGTERM") from None
        numbers.append(value)
    signals = option == PRCTLS["PR_SET_PDEATHSIG"]
    return Typed("prctl", (option, *numbers), display=(shown, *((_signal(number) if signals else number) for number in numbers)))


def _exec(values: Sequence[Any]) -> Typed:
    path, *args = values
    texts = tuple(str(word).encode("utf-8", "surrogateescape") for word in (path, path, *args))
    argv = " ".join(str(quoted(text)) for text in texts[1:])
    return Typed("execve", texts=texts, display=(str(quoted(texts[0])), f"[{argv}]"))


def _bytes(value: Any) -> bytes:
    return str(value).encode("utf-8", "surrogateescape")


def _write(values: Sequence[Any]) -> Typed:
    fd, text, *offset = values
    name = "pwrite" if offset else "write"
    data = _bytes(text)
    return Typed(name, (fd, *offset), texts=(data,), display=(fd, str(quoted(data)), len(data), *map(hex, offset)))


def _writev(values: Sequence[Any]) -> Typed:
    pid, address, text = values
    data = _bytes(text)
    return Typed("process_vm_writev", (pid, address, len(data)), texts=(data,), display=(pid, hex(address), str(quoted(data))))


def _persona(value: int) -> str:
    # All bits set asks for the present one, and zero is a persona too.
    whole = next((name for name, number in PERSONAS.items() if number == value), "")
    return whole or flags_text(value, {name: bit for name, bit in PERSONAS.items() if bit and bit != PERSONAS["PER_GET"]})


_FURTHER = {name: bit for name, bit in OPEN_FLAGS.items() if bit & ~3}


def _open_text(flags: int) -> str:
    access = ("O_RDONLY", "O_WRONLY", "O_RDWR", "0x3")[flags & 3]
    return "|".join([access, *([flags_text(flags & ~3, _FURTHER)] if flags & ~3 else [])])


def _pread(values: Sequence[Any]) -> Typed:
    return Typed("pread", tuple(values), display=(values[0], "&buf", values[1], hex(values[2])))


MAKERS: Mapping[str, Callable[[Sequence[Any]], Typed]] = {
    "thread": lambda v: Typed("clone", (THREAD,), birth=v[0], display=(clone_text(THREAD),)),
    "fork": lambda v: Typed("fork", display=(), birth=v[0]),
    "vfork": lambda v: Typed("vfork", display=(), birth=v[0]),
    "clone": lambda v: Typed("clone", (v[1],), birth=v[0], display=(clone_text(v[1]),)),
    "exec": _exec,
    "sigqueueinfo": _sigqueue("sigqueueinfo"),
    "tgsigqueueinfo": _sigqueue("tgsigqueueinfo"),
    "sigaction": lambda v: Typed("sigaction", tuple(v), display=(_signal(v[0]), _named(v[1], SIGACTIONS), flags_text(v[2], SA_FLAGS))),
    "sigprocmask": lambda v: Typed("sigprocmask", tuple(v), display=(_named(v[0], SIG_HOW), sigset_text(v[1]))),
    "sigsuspend": lambda v: Typed("sigsuspend", tuple(v), display=(sigset_text(v[0]),)),
    "sigtimedwait": lambda v: Typed("sigtimedwait", (v[0], v[1]), display=(sigset_text(v[0]), _ms(v[1]))),
    "nanosleep": lambda v: Typed("nanosleep", tuple(v), display=(_ms(v[0]),)),
    "prctl": _prctl,
    "personality": lambda v: Typed("personality", tuple(v), display=(_persona(v[0]),)),
    "mmap": lambda v: Typed(
        "mmap", (v[0], v[1] | 0x20), display=(0, hex(v[0]), "PROT_READ|PROT_WRITE", flags_text(v[1] | 0x20, MAP_FLAGS))
    ),
    "munmap": lambda v: Typed("munmap", tuple(v), display=(hex(v[0]), hex(v[1]))),
    "madvise": lambda v: Typed("madvise", tuple(v), display=(hex(v[0]), hex(v[1]), _named(v[2], MADVICE))),
    "setrlimit": lambda v: Typed("setrlimit", tuple(v), display=(_named(v[0], RLIMITS), v[1])),
    "process_vm_readv": lambda v: Typed("process_vm_readv", tuple(v), display=(v[0], hex(v[1]), v[2])),
    "process_vm_writev": _writev,
    "open": lambda v: Typed("open", (v[1],), texts=(_bytes(v[0]),), display=(str(quoted(_bytes(v[0]))), _open_text(v[1]))),
    "read": lambda v: Typed("read", tuple(v), display=(v[0], "&buf", v[1])),
    "pread": _pread,
    "write": _write,
    "pwrite": lambda v: _write((v[0], v[1], v[2])),
    "pipe2": lambda v: Typed("pipe2", tuple(v), display=(flags_text(v[0], OPEN_FLAGS) if v[0] else "0",)),
    "poll": lambda v: Typed("poll", tuple(v), display=(f"fd {v[0]}", "POLLIN", _ms(v[1]))),
    "getrusage": lambda v: Typed("getrusage", tuple(v), display=(_named(v[0], RUSAGES),)),
    "setitimer": lambda v: Typed("setitimer", tuple(v), display=(_named(v[0], ITIMERS), f"{v[1]} ms")),
    "pidfd_open": lambda v: Typed("pidfd_open", tuple(v), display=(v[0], flags_text(v[1], PIDFD_FLAGS))),
    "landlock_create_ruleset": lambda v: Typed("landlock_create_ruleset", tuple(v), display=(flags_text(v[0], LANDLOCK_ACCESS),)),
    "landlock_restrict_self": lambda v: Typed("landlock_restrict_self", (v[0], 0), display=(v[0], 0)),
    "pidfd_send_signal": lambda v: Typed("pidfd_send_signal", (v[0], v[1], 0, 0), display=(v[0], _signal(v[1]))),
    "syscall": lambda v: Typed("syscall", tuple(v), display=(v[0], *map(hex, v[1:]))),
}
"""Calls whose arguments are not simply the numbers typed; all others are `Typed(name, numbers)`."""
