"""The facts that decide why a call failed, read in /proc at the moment of its failure and kept with it in the log.

Any thread, right after a call has failed; never for one that succeeded, so a debugger that works pays nothing.  It must not judge
(`session.causes` does), repeat the call, or raise: what cannot be read is left out.  A fact is a pair of short texts.
"""

from __future__ import annotations

import dataclasses
import errno as _e
import os
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Final, get_type_hints

from tracedbg.model.names import PTRACE_REQUESTS, SIGNALS, WAIT_OPTIONS, WAITID_TYPES
from tracedbg.model.text import Shown, visible

from . import attachable, credentials, procfs, refusals

Facts = tuple[tuple[str, str], ...]

_R: Final = PTRACE_REQUESTS
_ATTACHING: Final = frozenset({_R["PTRACE_ATTACH"], _R["PTRACE_SEIZE"]})
_AT_ADDRESS: Final = frozenset(_R[f"PTRACE_{name}"] for name in ("PEEKTEXT", "PEEKDATA", "POKETEXT", "POKEDATA"))
_KILLS: Final = {"kill": 0, "tkill": 0, "tgkill": 1, "sigqueueinfo": 0, "tgsigqueueinfo": 1}
_BY_FD: Final = frozenset({"read", "write", "pread", "pwrite", "poll", "pidfd_send_signal", "close"})
_SIGCHLD: Final = SIGNALS["SIGCHLD"]
_MOST: Final = 64
"""Children that are written down one by one; a process with more of them is not a classroom."""


def at_failure(name: str, numbers: Sequence[int], errno: int, caller: int = 0) -> Facts:
    """Read what decides, for a call that has just failed.

    Args:
        name: of the call, without ``rt_``.
        numbers: its arguments as in `lab.typed.Typed`: for wait4 pid and options, for ptrace request, tid, addr and data.
        errno: what the kernel answered.
        caller: the thread that made the call; the calling thread unless told.

    Returns:
        Pairs of a name and its value; `call`, `numbers` and `caller` are always there.
    """
    tid = caller or threading.get_native_id()
    try:
        return tuple(_gathered(name, [int(number) for number in numbers], errno, tid))
    except OSError as problem:  # our own trouble, such as too many open files: the answer of the call matters more
        return (("call", name), ("numbers", " ".join(map(str, numbers))), ("caller", str(tid)), ("unread", str(problem.strerror)))


def _gathered(name: str, numbers: list[int], errno: int, caller: int) -> Iterator[tuple[str, str]]:
    yield "call", name
    yield "numbers", " ".join(map(str, numbers))
    yield "caller", str(caller)
    pid = procfs.tgid(caller) or 0
    yield "caller.pid", str(pid)
    if name == "ptrace" and len(numbers) == 4:
        yield from _of_ptrace(numbers, errno, caller, pid)
    elif name in ("wait4", "waitpid", "waitid") and len(numbers) > 1:
        yield from _of_wait(name, numbers, errno, caller, pid)
    elif name in _KILLS and len(numbers) > _KILLS[name]:
        yield from _of_kill(numbers[_KILLS[name]], errno, caller, pid)
    elif name in ("process_vm_readv", "process_vm_writev", "pidfd_open", "setpgid", "getpgid", "getsid") and numbers:
        yield from _task("target", numbers[0] or caller)
        if errno == _e.EPERM and name.startswith("process_vm"):
            yield from _flat("rights", credentials.rights_of(caller))
            yield from _target(numbers[0], pid)
        if name.startswith("process_vm") and len(numbers) > 1:
            yield "map", _mapping(numbers[0], numbers[1])
    elif name in _BY_FD and numbers:
        yield from _descriptor(caller, numbers[0])
    elif name in ("fork", "vfork", "clone"):
        yield from _limit(caller, "Max processes")
    if name in ("setpgid", "setsid"):
        yield from _task("me", caller)
    if name in ("sigqueueinfo", "tgsigqueueinfo"):
        yield "queue", procfs.status_fields(caller).get("SigQ", "?")


# --- ptrace -------------------------------------------------------------------------------------------------------------------
def _of_ptrace(numbers: Sequence[int], errno: int, caller: int, pid: int) -> Iterator[tuple[str, str]]:
    request, tid, addr, _ = numbers
    if request == _R["PTRACE_TRACEME"]:
        yield from _task("me", caller)
        return
    yield from _target(tid, pid)
    if errno == _e.EPERM:
        yield from _flat("rights", credentials.rights_of(caller))
    if errno == _e.ESRCH:
        fields = procfs.status_fields(tid)
        yield "target.killed", _yes(refusals.dying(tid))
        yield "target.pending", fields.get("SigPnd", "?")
        where = procfs.wchan(tid)
        if where not in ("", "0"):
            yield "target.wchan", where
        siblings = [f"{each}:{procfs.tracer_pid(each)}" for each in procfs.threads(procfs.tgid(tid) or 0)[:_MOST] if each != tid]
        if siblings:
            yield "siblings", " ".join(siblings)
    if request in _AT_ADDRESS:
        yield "map", _mapping(tid, addr & 0xFFFFFFFFFFFFFFFF)


def _target(tid: int, caller_pid: int) -> Iterator[tuple[str, str]]:
    found = attachable.target(tid, caller_pid) if tid > 0 else None
    if found is None:
        yield "target", "gone"
    else:
        yield from _flat("target", found)


def _mapping(tid: int, address: int) -> str:
    """The line of the map that an address is in: its rights and its file; ``none`` if it is in no line, ``hidden`` without a map."""
    lines = procfs.maps(tid)
    if not lines:
        return "hidden"
    found = next((line for line in lines if line.start <= address < line.end), None)
    return "none" if found is None else str(visible(f"{found.perms} {found.path}".strip()))


# --- waiting ------------------------------------------------------------------------------------------------------------------
def _of_wait(name: str, numbers: Sequence[int], errno: int, caller: int, pid: int) -> Iterator[tuple[str, str]]:
    if name == "waitid" and numbers[0] == WAITID_TYPES["P_PIDFD"]:
        yield from _descriptor(caller, numbers[1])
    if errno != _e.ECHILD:
        return
    fields = procfs.status_fields(caller)
    ignored = _SIGCHLD in procfs.signals_of(fields.get("SigIgn", "0"))
    yield "caller.sigchld", "ignored" if ignored else "caught" if _SIGCHLD in procfs.signals_of(fields.get("SigCgt", "0")) else "default"
    yield "caller.pgrp", str(procfs.stat_number(caller, 5) or 0)
    yield "caller.threads", " ".join(map(str, procfs.threads(pid)))
    left = _MOST
    for thread in procfs.threads(pid):
        for child in (procfs.children(pid, thread) or [])[:left]:
            left -= 1
            yield f"child.{child}", f"of {thread} {_child(child)}"
    options = numbers[2] if name == "waitid" and len(numbers) > 2 else numbers[1] if len(numbers) > 1 else 0
    if options & WAIT_OPTIONS["__WNOTHREAD"]:
        ours = frozenset(procfs.threads(pid))
        # Only with this flag may there be tracees of ours that the call does not mean; looking at every process is worth it then.
        traced = [f"{each}:{tracer}" for each in _pids() if (tracer := procfs.tracer_pid(each)) in ours]
        yield "traced", " ".join(traced[:_MOST])
    selected = _selected(name, numbers)
    if selected > 0:
        yield from _task("target", selected)


def _child(pid: int) -> str:
    """A child in words: state, exit signal, process group, tracer."""
    return " ".join(
        [procfs.state(pid) or "gone", str(procfs.stat_number(pid, 38)), str(procfs.stat_number(pid, 5)), str(procfs.tracer_pid(pid))]
    )


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _selected(name: str, numbers: Sequence[int]) -> int:
    """The one task that a wait is about; 0 if it is about several."""
    if name != "waitid":
        return numbers[0]
    return numbers[1] if numbers[0] == WAITID_TYPES["P_PID"] else 0


# --- other calls --------------------------------------------------------------------------------------------------------------
def _of_kill(whom: int, errno: int, caller: int, pid: int) -> Iterator[tuple[str, str]]:
    if whom > 0:
        yield from _target(whom, pid)
    if errno == _e.EPERM:
        yield from _flat("rights", credentials.rights_of(caller))


def _task(prefix: str, tid: int) -> Iterator[tuple[str, str]]:
    """The few facts that say what a task is, without its rights."""
    state = procfs.state(tid) if tid > 0 else ""
    if not state:
        yield prefix, "gone"
        return
    fields = procfs.status_fields(tid)
    yield f"{prefix}.state", state
    yield f"{prefix}.name", str(procfs.comm(tid))
    for key, field in (("tgid", "Tgid"), ("parent", "PPid"), ("tracer", "TracerPid")):
        yield f"{prefix}.{key}", fields.get(field, "0")
    for key, place in (("pgrp", 5), ("session", 6), ("exit_signal", 38)):
        yield f"{prefix}.{key}", str(procfs.stat_number(tid, place) or 0)


def _descriptor(caller: int, fd: int) -> Iterator[tuple[str, str]]:
    try:
        yield "fd", str(visible(os.readlink(f"/proc/{caller}/fd/{fd}")))
    except OSError:
        yield "fd", "none"
        return
    data = (procfs.read_file(f"/proc/{caller}/fdinfo/{fd}") or b"").decode("ascii", "replace")
    fields = dict(line.split(":", 1) for line in data.splitlines() if ":" in line)
    yield "fd.flags", fields.get("flags", "0").strip()
    if "Pid" in fields:
        yield "fd.pid", fields["Pid"].strip()
        if int(fields["Pid"]) > 0:
            yield from _task("target", int(fields["Pid"]))


def _limit(caller: int, name: str) -> Iterator[tuple[str, str]]:
    data = (procfs.read_file(f"/proc/{caller}/limits") or b"").decode("ascii", "replace")
    for line in data.splitlines():
        if line.startswith(name):
            yield "limit", line.removeprefix(name).split()[0]


# --- structures as facts and back ---------------------------------------------------------------------------------------------
def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    """A dataclass as facts, one for each field."""
    for field in dataclasses.fields(value):
        each = getattr(value, field.name)
        if isinstance(each, bool):
            text = _yes(each)
        elif isinstance(each, tuple):
            text = " ".join(map(str, each))
        else:
            text = "?" if each is None else str(each)
        yield f"{prefix}.{field.name}", text


def _whole(kind: type[Any], prefix: str, facts: dict[str, str]) -> Any:
    """The inverse of `_flat`; None if a fact is missing."""
    values: dict[str, object] = {}
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        text = facts.get(f"{prefix}.{field.name}")
        if text is None:
            return None
        hint = hints[field.name]
        if hint is bool or text in ("yes", "no"):
            values[field.name] = text == "yes"
        elif text == "?":
            values[field.name] = None
        elif hint in (str, Shown):
            values[field.name] = Shown(text)
        elif hint == tuple[int, ...]:
            values[field.name] = tuple(map(int, text.split()))
        else:
            values[field.name] = int(text)
    return kind(**values)


def target_of(facts: dict[str, str]) -> attachable.Target | None:
    """The target of an attach as it was then."""
    found: attachable.Target | None = _whole(attachable.Target, "target", facts)
    return found


def rights_of(facts: dict[str, str]) -> credentials.OurRights | None:
    """The caller's rights as they were then."""
    found: credentials.OurRights | None = _whole(credentials.OurRights, "rights", facts)
    return found
