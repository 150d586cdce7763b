"""The facts that the command `look` reads of a thread or pid, field by field, as words.

Any thread; reads /proc through `procfs` and nothing else.  Every value is safe to show.  It must not raise for a thread that is
gone: each field then says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from tracedbg.model.errors import BadArgument
from tracedbg.model.names import signal_name
from tracedbg.model.text import Shown, quoted, visible

from . import procfs

GONE: Final = Shown("gone")
"""The value of every field of a thread that does not exist."""

HIDDEN: Final = Shown("hidden")
"""The value of a field that this kernel does not offer, or not to us."""

# include/linux/sched.h; only bits that have kept their place since 2.6.
_TASK_FLAGS: Final = {
    0x4: "PF_EXITING",
    0x40: "PF_FORKNOEXEC",
    0x100: "PF_SUPERPRIV",
    0x200: "PF_DUMPCORE",
    0x400: "PF_SIGNALED",
    0x200000: "PF_KTHREAD",
    0x400000: "PF_RANDOMIZE",
}


def _state(tid: int) -> str:
    return procfs.state(tid)


def _wchan(tid: int) -> str:
    return procfs.wchan(tid) or HIDDEN


def _syscall(tid: int) -> str:
    found = procfs.current_syscall(tid)
    if found is None:
        return HIDDEN
    if found == "running":
        return found
    if found.number == -1:
        return "-1"
    asleep = procfs.asleep_in_wait(tid)
    if asleep is not None and asleep.args == found.args:
        return f"{found.number} {asleep.call}"
    return f"{found.number} ({', '.join(map(hex, found.args))})"


def _from_status(field: str) -> Callable[[int], str]:
    def read(tid: int) -> str:
        return procfs.status_fields(tid).get(field, HIDDEN)

    return read


def _ids(field: str) -> Callable[[int], str]:
    """Real, effective, saved and file-system id, in the kernel's order (proc_pid_status(5))."""

    def read(tid: int) -> str:
        return " ".join(procfs.status_fields(tid).get(field, HIDDEN).split())

    return read


def _signals(field: str) -> Callable[[int], str]:
    """The set as the kernel writes it, then the names: a pattern can ask for either."""

    def read(tid: int) -> str:
        mask = procfs.status_fields(tid).get(field)
        if mask is None:
            return HIDDEN
        return " ".join([mask, *(signal_name(number) for number in sorted(procfs.signals_of(mask)))])

    return read


def _children(tid: int) -> str:
    # Of this thread only: a child belongs to the thread that forked it until that thread ends.
    found = procfs.children(tid, tid)
    if found is None:
        return HIDDEN
    return " ".join(map(str, found)) or "none"


def _switches(tid: int) -> str:
    found = procfs.switches(tid)
    return HIDDEN if found is None else f"voluntary {found[0]} involuntary {found[1]}"


def _comm(tid: int) -> str:
    name = procfs.comm_bytes(tid)
    if name is None:
        return HIDDEN
    # One word in the event line, whatever blanks and brackets a program puts into its name.
    plain = re.fullmatch(rb"[\w.:/+@-]+", name)
    return visible(name) if plain else quoted(name)


def _number(field: int) -> Callable[[int], str]:
    def text(tid: int) -> str:
        value = procfs.stat_number(tid, field)
        return HIDDEN if value is None else str(value)

    return text


def _exit_signal(tid: int) -> str:
    # The signal that tells the parent of the end; -1 for a thread that is not its process's leader.
    number = procfs.stat_number(tid, 38)
    return HIDDEN if number is None else f"{number} {signal_name(number)}" if number > 0 else str(number)


def _flags(tid: int) -> str:
    bits = procfs.task_flags(tid)
    if bits is None:
        return HIDDEN
    return " ".join([hex(bits), *(name for bit, name in _TASK_FLAGS.items() if bits & bit)])


_READERS: Final[dict[str, Callable[[int], str]]] = {
    "state": _state,
    "wchan": _wchan,
    "syscall": _syscall,
    "TracerPid": _from_status("TracerPid"),
    "PPid": _from_status("PPid"),
    "Tgid": _from_status("Tgid"),
    "Uid": _ids("Uid"),
    "Gid": _ids("Gid"),
    "Threads": _from_status("Threads"),
    "pgrp": _number(5),
    "session": _number(6),
    "exit_signal": _exit_signal,
    "children": _children,
    "switches": _switches,
    "SigPnd": _signals("SigPnd"),
    "ShdPnd": _signals("ShdPnd"),
    "SigBlk": _signals("SigBlk"),
    "SigIgn": _signals("SigIgn"),
    "SigCgt": _signals("SigCgt"),
    "comm": _comm,
    "flags": _flags,
}

FIELDS: Final = tuple(_READERS)
"""Every field, in the order in which they are offered."""

DEFAULT_FIELDS: Final = ("state", "wchan", "syscall", "TracerPid", "PPid")
"""What `look WHO` shows when no field is named."""


def look(tid: int, fields: Iterable[str] = ()) -> list[tuple[str, Shown]]:
    """Read facts of one thread, in the order asked.

    Args:
        tid: any thread of this machine; a pid means the leader.
        fields: names of `FIELDS`; none means `DEFAULT_FIELDS`.

    Returns:
        Pairs of field and value.  A value may be several words; `gone` and `hidden` say that there was nothing to read.  The
        fields are read one after the other: between two of them a thread that runs may change.

    Raises:
        BadArgument: a field that does not exist.
    """
    names = tuple(fields) or DEFAULT_FIELDS
    for name in names:
        if name not in _READERS:
            raise BadArgument(f"look has no field '{name}'", f"fields: {' '.join(FIELDS)}")
    found = []
    for name in names:
        value = visible(_READERS[name](tid))
        if value in ("", HIDDEN):
            # The state tells death from secrecy: it is the one fact that everybody may read.
            value = HIDDEN if procfs.state(tid) else GONE
        found.append((name, value))
    return found
