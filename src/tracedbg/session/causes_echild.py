"""Why a wait call said ECHILD: which of its filters left nothing, or who has taken what there was.

Pure over the facts of the failure and the log, any thread.  Source: kernel/exit.c (kernel_wait4, kernel_waitid_prepare, eligible_child,
wait_consider_task), wait(2) ERRORS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tracedbg.model.names import SIGNALS, WAIT_OPTIONS, WAITID_TYPES, signal_name, wait_options_text

from .causes import Case, Diagnosis, Evidence

_O = WAIT_OPTIONS
_NOTHREAD, _WALL, _WCLONE = _O["__WNOTHREAD"], _O["__WALL"], _O["__WCLONE"]
_ALL, _PID, _PGID, _PIDFD = (WAITID_TYPES[f"P_{name}"] for name in ("ALL", "PID", "PGID", "PIDFD"))
_SIGCHLD = SIGNALS["SIGCHLD"]
_CHILD = re.compile(r"of (\d+) (\S+) (-?\d+) (-?\d+) (\d+)")


class Child(NamedTuple):
    """A child of the caller's process as it was at the failure.

    Attributes:
        pid: its number.
        of: the thread whose child it is.
        state: one letter, or ``gone``.
        exit_signal: what its end sends to the parent.
        pgrp: its process group.
        tracer: who traces it, 0 for nobody.
    """

    pid: int
    of: int
    state: str
    exit_signal: int
    pgrp: int
    tracer: int


def children_of(facts: Mapping[str, str]) -> list[Child]:
    """The children that the facts list."""
    found = []
    for name, value in facts.items():
        match = _CHILD.fullmatch(value) if name.startswith("child.") else None
        if match is not None:
            of, state, *numbers = match.groups()
            found.append(Child(int(name.removeprefix("child.")), int(of), state, *map(int, numbers)))
    return found


class Selector(NamedTuple):
    """What a wait call asks for.

    Attributes:
        kind: `P_ALL`, `P_PID`, `P_PGID` or `P_PIDFD` of waitid.
        ident: the number that goes with it.
        options: bits; wait4 adds WEXITED itself.
    """

    kind: int
    ident: int
    options: int


def selector_of(case: Case) -> Selector:
    """Read the arguments of either call in the words of waitid (kernel/exit.c does the same)."""
    numbers = [*case.failure.numbers, 0, 0, 0]
    if case.failure.name == "waitid":
        return Selector(numbers[0], as_int(numbers[1]), numbers[2] & 0xFFFFFFFF)
    pid, options = as_int(numbers[0]), (numbers[1] & 0xFFFFFFFF) | _O["WEXITED"]
    if pid == -1:
        return Selector(_ALL, 0, options)
    return Selector(_PID, pid, options) if pid > 0 else Selector(_PGID, -pid if pid else case.failure.value("caller.pgrp"), options)


def as_int(value: int) -> int:
    """The C int in a register."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value & 0x80000000 else value


# --- ECHILD -------------------------------------------------------------------------------------------------------------------
def no_child(case: Case) -> Diagnosis:
    """The cause of ECHILD, found in the order in which the kernel narrows down."""
    want = selector_of(case)
    kids = children_of(case.failure.facts)
    if want.kind == _PIDFD:
        pid = case.failure.value("fd.pid")
        held = case.then(
            f"descriptor {want.ident} stands for {pid if pid > 0 else 'a process that is gone'}", f"/proc/{case.failure.caller}/fdinfo"
        )
        if pid <= 0:
            return _collected(case, 0, (held,))
        told = _of_one(case, pid, want, kids)
        return Diagnosis(
            told.cause, told.what, told.todo, "pidfd.poll" if told.cause == "not-my-child" else told.rule, (held, *told.evidence)
        )
    if want.kind == _PID:
        return _of_one(case, want.ident, want, kids)
    ignored = _ignored(case)
    listed = case.then(_list(case, kids), f"/proc/{case.failure.value('caller.pid')}/task/*/children")
    if not kids and not (want.options & _NOTHREAD and case.failure.fact("traced")):
        return ignored or _none_at_all(case, listed)
    if want.kind == _PGID:
        inside = [kid for kid in kids if kid.pgrp == want.ident]
        if not inside:
            groups = ", ".join(f"{kid.pid} is in {kid.pgrp}" for kid in kids[:4])
            return Diagnosis(
                "wrong-group",
                f"no child or tracee of this process is in process group {want.ident}: {groups}",
                "wait for -1, or for the group that the child is in now",
                "wait.pgid",
                (listed,),
            )
        kids = inside
    return _filtered(case, kids, want, listed)


def _list(case: Case, kids: Sequence[Child]) -> str:
    if not kids:
        return f"no thread of process {case.failure.value('caller.pid')} has a child"
    each = [
        f"{kid.pid} (of thread {kid.of}, state {kid.state}, exit signal {_exit_signal(kid.exit_signal)}, group {kid.pgrp})"
        for kid in kids[:6]
    ]
    return "children: " + ", ".join(each) + (f" and {len(kids) - 6} more" if len(kids) > 6 else "")


def _exit_signal(number: int) -> str:
    return signal_name(number) if number > 0 else str(number)


def _filtered(case: Case, kids: Sequence[Child], want: Selector, listed: Evidence) -> Diagnosis:
    """There are children that the selector means, and yet none may be reported: say which filter it was."""
    caller = case.failure.caller
    options = case.asked(f"options {wait_options_text(want.options & ~_O['WEXITED'])}")
    own = [kid for kid in kids if kid.of == caller or kid.tracer == caller]
    if want.options & _NOTHREAD and not own:
        others = [f"{kid.pid} is a child of {case.who(kid.of)}" for kid in kids[:3]]
        others += [f"{pid} is traced by {case.who(int(tracer))}" for pid, _, tracer in map(_pair, case.failure.fact("traced").split()[:3])]
        return Diagnosis(
            "nothread",
            f"__WNOTHREAD means this thread's own children and tracees, and it has none: {', '.join(others)}",
            "leave __WNOTHREAD away, or let that thread wait",
            "wait.nothread",
            (options, listed),
        )
    kids = own if want.options & _NOTHREAD else kids
    untraced = [kid for kid in kids if not kid.tracer]
    if not want.options & _WALL and untraced:
        wrong = [kid for kid in untraced if (kid.exit_signal != _SIGCHLD) != bool(want.options & _WCLONE)]
        if len(wrong) == len(kids):
            signals = ", ".join(f"the exit signal of {kid.pid} is {_exit_signal(kid.exit_signal)}" for kid in wrong[:3])
            means = (
                "__WCLONE means only children whose exit signal is not SIGCHLD"
                if want.options & _WCLONE
                else ("without __WALL or __WCLONE only children whose exit signal is SIGCHLD are meant")
            )
            return Diagnosis(
                "clone-family", f"{means}, and {signals}", "add __WALL, which means both", "wait.clone-families", (options, listed)
            )
    if not want.options & _O["WEXITED"] and all(kid.state in "ZX" for kid in kids):
        dead = ", ".join(str(kid.pid) for kid in kids[:3])
        return Diagnosis(
            "zombie-unasked",
            f"{dead} is dead, and only stops were asked for: a zombie will never stop",
            "add WEXITED",
            "args.wait",
            (options, listed),
        )
    return Diagnosis(
        "raced",
        "what this wait meant was collected or let go just before, by another thread",
        "ask again: the answer is what is true then",
        "wait.one-reaper",
        (options, listed),
    )


def _pair(text: str) -> tuple[str, str, str]:
    return text.partition(":")


def _ignored(case: Case) -> Diagnosis | None:
    """Whether the caller's process throws its dead children away (kernel/signal.c, do_notify_parent)."""
    failure = case.failure
    callers = [int(tid) for tid in failure.fact("caller.threads").split()]
    chosen = case.history.sigchld_action(callers)
    made = case.history.children_made(callers)
    nocldwait = chosen is not None and "SA_NOCLDWAIT" in chosen.what
    if not (failure.fact("caller.sigchld") == "ignored" or nocldwait):
        return None
    evidence = [
        case.then(f"SIGCHLD is {failure.fact('caller.sigchld')} in process {failure.value('caller.pid')}", f"/proc/{failure.caller}/status")
    ]
    if chosen is not None:
        evidence.append(case.logged(f"{chosen.lane}: sigaction SIGCHLD {chosen.what}", chosen.seq))
    for pid, deed in made[:1]:
        evidence.append(case.logged(f"{deed.lane} made {pid}", deed.seq))
    if not made and failure.fact("target") != "gone":
        return None
    how = "has SA_NOCLDWAIT for SIGCHLD" if nocldwait else "ignores SIGCHLD"
    return Diagnosis(
        "sigchld-ignored",
        f"the process {how}, so its children leave nothing behind when they end: there is nothing left to wait for",
        "sigaction SIGCHLD SIG_DFL before the child ends keeps it as a zombie",
        "sigchld.ignored",
        tuple(evidence),
    )


def _none_at_all(case: Case, listed: Evidence) -> Diagnosis:
    callers = [int(tid) for tid in case.failure.fact("caller.threads").split()]
    evidence = [listed]
    more = ""
    for pid, _ in case.history.children_made(callers)[:1]:
        taken = case.history.collected(pid)
        if taken is not None:
            evidence.append(case.logged(f"{taken.lane} collected {pid} ({taken.what})", taken.seq))
            more = f"; the last one it had, {pid}, was collected by {taken.lane}"
    return Diagnosis(
        "no-children",
        f"process {case.failure.value('caller.pid')} has no child and no tracee at all{more}",
        "make a child or attach to a process first",
        "wait.nohang-echild",
        tuple(evidence),
    )


def _collected(case: Case, pid: int, evidence: tuple[Evidence, ...]) -> Diagnosis:
    taken = case.history.collected(pid) if pid else None
    if taken is not None:
        by = "this very thread" if taken.tid == case.failure.caller else case.who(taken.tid)
        return Diagnosis(
            "already-collected",
            f"{pid} is gone: its end ({taken.what}) was collected by {by} already, and a death is reported once",
            "use what that wait returned",
            "wait.one-reaper",
            (*evidence, case.logged(f"{taken.lane} took its end", taken.seq)),
        )
    return Diagnosis(
        "already-collected",
        "the process is gone: its end was collected already, and a death is reported once",
        "use what that wait returned",
        "wait.one-reaper",
        evidence,
    )


def _of_one(case: Case, pid: int, want: Selector, kids: Sequence[Child]) -> Diagnosis:
    failure = case.failure
    if failure.gone:
        there = case.then(f"there is no /proc/{pid}")
        if case.history.collected(pid) is not None:
            return _collected(case, pid, (there,))
        made = case.history.made(pid)
        ignored = _ignored(case) if made is not None else None
        if ignored is not None:
            return Diagnosis(ignored.cause, ignored.what, ignored.todo, ignored.rule, (there, *ignored.evidence))
        return Diagnosis(
            "no-such-process",
            f"there is no process {pid}, and no wait of ours has collected one",
            "info threads and puppet list what there is",
            "wait.nohang-echild",
            (there,),
        )
    name, ours = case.who(pid), failure.value("caller.pid")
    tgid, parent, tracer = (failure.value(f"target.{key}") for key in ("tgid", "parent", "tracer"))
    threads = failure.fact("caller.threads").split()
    facts = case.then(
        f"Tgid {tgid}, PPid {parent}, TracerPid {tracer} of {pid}; the caller is thread {failure.caller} of process {ours}",
        f"/proc/{pid}/status",
    )
    if tgid == ours:
        itself = "the caller itself" if pid == failure.caller else "a thread of the caller's own process"
        return Diagnosis(
            "own-thread",
            f"{name} is {itself}: only children and tracees can be waited for",
            "pthread_join is for threads",
            "wait.not-mine",
            (facts,),
        )
    mine = str(tracer) in threads
    if tgid != pid and not mine:
        return Diagnosis(
            "thread",
            f"{name} is a thread of process {tgid}: threads of others can be waited for only while one of ours traces them",
            f"wait for {tgid}, or attach to {pid}",
            "wait.not-mine",
            (facts,),
        )
    if parent != ours and not mine:
        gone = case.history.let_go(pid)
        if gone is not None and (gone.what == "ended" or str(gone.tid) in threads):
            return Diagnosis(
                "let-go",
                f"{name} is no child of ours and no tracee any more: {gone.lane} {'let it go' if gone.what == 'detached' else 'ended'}",
                "attach again, or watch it through a pidfd",
                "wake.stranded-waiter",
                (facts, case.logged(f"{gone.lane}: {gone.what}", gone.seq)),
            )
        return Diagnosis(
            "not-my-child",
            f"{name} is a child of {case.who(parent) if parent else 'nobody here'}, and neither child nor tracee of process {ours}",
            "only its parent and its tracer can wait for it; a pidfd can be polled by anyone",
            "wait.not-mine",
            (facts,),
        )
    found = [kid for kid in kids if kid.pid == pid] or [
        Child(pid, 0, failure.fact("target.state"), failure.value("target.exit_signal"), failure.value("target.pgrp"), tracer)
    ]
    return _filtered(case, found, want, facts)
