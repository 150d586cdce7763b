"""Who a thread in a wait call waits for, and whether anything can wake it: eligible tasks as the kernel would find them now.

Any thread; reads /proc and makes no call that changes anything.  The search is that of kernel/exit.c (`eligible_child`, `eligible_pid`),
the wake-up that of `child_wait_callback`, which nobody calls for a task that merely stops being eligible: so a waiter can be stranded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tracedbg.kernel import procfs
from tracedbg.model.names import SIGNALS, WAIT_OPTIONS, WAITID_TYPES

from .causes import Diagnosis, Evidence

_NOTHREAD, _WALL, _WCLONE = (WAIT_OPTIONS[name] for name in ("__WNOTHREAD", "__WALL", "__WCLONE"))
_P_ALL, _P_PID, _P_PGID, _P_PIDFD = (WAITID_TYPES[f"P_{name}"] for name in ("ALL", "PID", "PGID", "PIDFD"))
_SIGCHLD = SIGNALS["SIGCHLD"]


class Wish(NamedTuple):
    """What a wait call asks for.

    Attributes:
        tid: the thread that waits.
        kind: an idtype of waitid.
        ident: the number that goes with it.
        options: its bits.
        call: as it is written.
    """

    tid: int
    kind: int
    ident: int
    options: int
    call: str


class Candidate(NamedTuple):
    """A task that this wait could report one day.

    Attributes:
        tid: its number.
        state: its state now.
        traced: a thread of the waiter's process traces it.
        child: it is a child of that process.
        tracer: who traces it, 0 for nobody.
    """

    tid: int
    state: str
    traced: bool
    child: bool
    tracer: int


def wish_of(tid: int) -> Wish | None:
    """What a thread waits for, read in /proc; None if it is not asleep in a wait call, or its call cannot be seen."""
    # A waiter that is woken in vain at this moment is not seen asleep; it is again a moment later.
    sleep = next((seen for _ in range(3) if (seen := procfs.asleep_in_wait(tid)) is not None), None)
    if sleep is None or len(sleep.args) < 4:
        return None
    if sleep.name == "waitid":
        return Wish(tid, sleep.args[0], _int(sleep.args[1]), sleep.args[3] & 0xFFFFFFFF, sleep.call)
    pid, options = _int(sleep.args[0]), sleep.args[2] & 0xFFFFFFFF
    if pid == -1:
        return Wish(tid, _P_ALL, 0, options, sleep.call)
    if pid > 0:
        return Wish(tid, _P_PID, pid, options, sleep.call)
    # Of the moment of the call (wait.pgid-at-call); /proc shows the group of now only.
    return Wish(tid, _P_PGID, -pid if pid else procfs.stat_number(tid, 5) or 0, options, sleep.call)


def _int(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value & 0x80000000 else value


def _tasks() -> Iterator[int]:
    for name in os.listdir("/proc"):
        if name.isdecimal():
            yield from procfs.threads(int(name))


def candidates(wish: Wish) -> list[Candidate]:
    """The tasks that a fresh call with these arguments would not answer ECHILD for."""
    pid = procfs.tgid(wish.tid) or 0
    threads = {int(tid) for tid in procfs.threads(pid)}
    of_own = {int(child) for child in procfs.children(pid, wish.tid) or ()}
    children = {int(child) for tid in threads for child in procfs.children(pid, tid) or ()}
    ident = _process_of_pidfd(wish) if wish.kind == _P_PIDFD else wish.ident
    found = []
    for tid in [ident] if wish.kind in (_P_PID, _P_PIDFD) else _tasks():
        tracer, state = int(procfs.tracer_pid(tid)), procfs.state(tid)
        traced, child = tracer in threads, tid in children
        if not state or not (traced or child):
            continue
        if wish.kind == _P_PGID and procfs.stat_number(tid, 5) != ident:
            continue
        if wish.options & _NOTHREAD and not (tid in of_own or tracer == wish.tid):
            continue
        # A tracee is eligible whatever its exit signal (eligible_child, `ptrace`).
        family = bool(wish.options & _WALL) or (procfs.stat_number(tid, 38) != _SIGCHLD) == bool(wish.options & _WCLONE)
        if traced or family:
            found.append(Candidate(tid, state, traced, child, tracer))
    return found


def _process_of_pidfd(wish: Wish) -> int:
    data = (procfs.read_file(f"/proc/{wish.tid}/fdinfo/{wish.ident}") or b"").decode("ascii", "replace")
    fields = dict(line.split(":", 1) for line in data.splitlines() if ":" in line)
    return max(0, int(fields.get("Pid", "0")))


def why_waiting(tid: int, who: Callable[[int], str]) -> Diagnosis:
    """Say what a thread in a wait call waits for and whether anything can wake it.

    Args:
        tid: the thread.
        who: a task as sentences name it.
    """
    wish = wish_of(tid)
    if wish is None:
        return _not_waiting(tid, who)
    asleep = Evidence("now", f"asleep in {wish.call}", f"/proc/{tid}/syscall, wchan do_wait")
    found = candidates(wish)
    if not found:
        return Diagnosis(
            "stranded",
            f"{who(tid)} waits for what no longer exists: no child and no tracee of its process fits {wish.call}, and nobody wakes it. "
            "A fresh call would say ECHILD",
            "a signal with a handler makes it look again (Ctrl-C ends a call of ours, thread end NAME too)",
            "wake.stranded-waiter",
            (
                asleep,
                Evidence(
                    "now", "no child or tracee that fits", f"/proc/{procfs.tgid(tid) or tid}/task/*/children, TracerPid of every task"
                ),
            ),
        )
    evidence = [asleep, *(Evidence("now", _told(each, who), f"/proc/{each.tid}/stat") for each in found[:8])]
    names = ", ".join(who(each.tid) for each in found[:4]) + (f" and {len(found) - 4} more" if len(found) > 4 else "")
    if all(each.state == "t" or (each.state == "Z" and not _reports(each)) for each in found):
        return Diagnosis(
            "all-stopped",
            f"{who(tid)} waits for {names}, which stand in stops that were reported already or are told to their tracer only: "
            "nothing comes before they are resumed or killed",
            "let the tracer resume them",
            "stop.is-a-state",
            tuple(evidence),
        )
    if wish.options & _NOTHREAD and all(each.traced and each.tracer != tid for each in found):
        return Diagnosis(
            "nothread-missed",
            f"{who(tid)} waits with __WNOTHREAD for {names}, which a sibling thread traces: stops wake that thread's waiters only, though "
            "a fresh look would report them",
            "leave __WNOTHREAD away, or let the tracer thread wait",
            "wake.nothread-missed",
            tuple(evidence),
        )
    elsewhere = [each for each in found if each.tracer and not each.traced]
    if len(elsewhere) == len(found):
        tracers = ", ".join(dict.fromkeys(who(each.tracer) for each in elsewhere))
        return Diagnosis(
            "told-elsewhere",
            f"{who(tid)} waits for {names}, whose stops are told to {tracers} only: what wakes it is job control, and their death once "
            "the tracer has taken it or let go",
            "",
            "wake.reporting-queue",
            tuple(evidence),
        )
    return Diagnosis(
        "waiting", f"{who(tid)} waits for {names}: a stop or the end of any of these wakes it", "", "wake.eligible-only", tuple(evidence)
    )


def _reports(each: Candidate) -> bool:
    """A zombie that is still to be reported to this process; one that another process traces is told there first (wait.tracer-first)."""
    return each.traced or not each.tracer


def _told(each: Candidate, who: Callable[[int], str]) -> str:
    role = "child and tracee" if each.child and each.traced else "tracee" if each.traced else "child"
    tracer = f", traced by {who(each.tracer)}" if each.tracer else ""
    return f"{who(each.tid)}: {role}, state {each.state}{tracer}"


def _not_waiting(tid: int, who: Callable[[int], str]) -> Diagnosis:
    state, where = procfs.state(tid), procfs.wchan(tid)
    shown = Evidence("now", f"state {state or 'none'}, wchan {where or '-'}", f"/proc/{tid}")
    if not state:
        return Diagnosis("gone", f"there is no task {tid}", "", "", (shown,))
    if state in "SD" and procfs.current_syscall(tid) is None:
        # The kernel shows it to whoever may trace the task (proc_pid_syscall(5)); to others the wait channel reads 0 as well.
        what = f"{who(tid)} sleeps, and in which call it does is hidden from us: seeing that takes the right to trace it"
        return Diagnosis("hidden", what, "run tracedbg as root, or as that user", "wait.blocked-view", (shown,))
    inside = f" but in {where}" if where not in ("", "0") else ""
    return Diagnosis(
        "not-waiting",
        f"{who(tid)} is not asleep in a wait call{inside} (state {state})",
        f"look {tid} shows what it does",
        "wait.blocked-view",
        (shown,),
    )
