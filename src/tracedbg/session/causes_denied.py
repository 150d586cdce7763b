"""Why a ptrace request was not heard or not allowed: ESRCH and EPERM, in the order in which the kernel checks.

Pure over the facts of the failure and the log, any thread.  Source: kernel/ptrace.c (ptrace_attach, ptrace_traceme, ptrace_check_attach),
ptrace(2) ERRORS.
"""

from __future__ import annotations

from collections.abc import Mapping

from tracedbg.kernel import facts
from tracedbg.kernel.attachable import attach_refusal, unseen_refusal
from tracedbg.model.names import PTRACE_OPTIONS, PTRACE_REQUESTS

from .causes import Case, Diagnosis, Evidence, bits

_R = PTRACE_REQUESTS
_ATTACHING = (_R["PTRACE_ATTACH"], _R["PTRACE_SEIZE"])
_LISTEN = "PTRACE_LISTEN"
_EXCLUSIVE = "tracer.exclusive"
_ATTACH_RULES: Mapping[str, str] = {
    "kernel-thread": _EXCLUSIVE,
    "own-thread": _EXCLUSIVE,
    "zombie": _EXCLUSIVE,
    "traced": _EXCLUSIVE,
    "uid": "perm.credentials",
    "gid": "perm.credentials",
    "undumpable": "perm.credentials",
    "capabilities": "perm.credentials",
    "namespace": "perm.credentials",
    "yama": "perm.lsm",
    "selinux": "perm.lsm",
    "lsm": "perm.lsm",
    "seccomp": "perm.lsm",
}


def task_of(case: Case) -> tuple[int, str, str]:
    """The target: its number, how sentences name it, its status file."""
    tid = case.failure.numbers[1]
    return tid, case.who(tid), f"/proc/{tid}/status"


# --- ESRCH --------------------------------------------------------------------------------------------------------------------
def no_such(case: Case) -> Diagnosis:
    """The cause of ESRCH: gone, dead, another thread's tracee, nobody's, or not in a ptrace-stop."""
    failure = case.failure
    tid, name, status = task_of(case)
    if failure.gone or not failure.fact("target.state"):
        taken = case.history.collected(tid)
        evidence = [case.then(f"there is no /proc/{tid}")]
        if taken is not None:
            evidence.append(case.logged(f"its end ({taken.what}) was collected by {taken.lane}", taken.seq))
        todo = "info threads and puppet list what there is" if taken is None else "its last status tells how it ended"
        return Diagnosis("gone", f"there is no task {tid}" + (" any more" if taken else ""), todo, "tracer.tracee-gone", tuple(evidence))
    state = failure.fact("target.state")
    stand = case.then(f"state {state} of {tid}", f"/proc/{tid}/stat")
    if failure.numbers[0] in _ATTACHING:
        return Diagnosis("dying", f"{name} was ending", "there is nothing to attach to", "tracer.tracee-gone", (stand,))
    if state in "ZX" or failure.fact("target.killed") == "yes":
        how = "it is a zombie" if state in "ZX" else "SIGKILL has come for it"
        evidence = [stand] if state in "ZX" else [stand, case.then(f"pending signals {failure.fact('target.pending')}", status)]
        what = f"{name} is dead: {how}, and nothing but waiting for it is left"
        return Diagnosis("dead", what, f"wait for it: on NAME wait4 {tid} __WALL tells how it ended", "tracer.tracee-gone", tuple(evidence))
    tracer = failure.value("target.tracer")
    link = case.then(f"TracerPid {tracer} of {tid}; the caller is {failure.caller}", status)
    if not tracer:
        return _untraced(case, link)
    if tracer != failure.caller:
        also = "" if state == "t" else f"; besides, it stands in no ptrace-stop (state {state})"
        return Diagnosis(
            "wrong-thread",
            f"the tracer of {name} is {case.who(tracer)}, and {case.who(failure.caller)} asked{also}",
            "only the thread that is the tracer is heard: let that one make the request",
            "tracer.wrong-thread",
            (link, stand),
        )
    resumed = case.history.resumed(tid)
    since = (case.logged(f"{resumed.lane} let it go on with {resumed.what}", resumed.seq),) if resumed is not None else ()
    if resumed is not None and resumed.what == _LISTEN:
        what = f"{name} listens in its group-stop since PTRACE_LISTEN, and a listening tracee takes PTRACE_INTERRUPT only"
        return Diagnosis(
            "listening",
            what,
            "PTRACE_INTERRUPT, or SIGCONT to it, brings a stop in which it obeys",
            "stop.group-vs-signal",
            (link, stand, *since),
        )
    if state != "t":
        where = failure.fact("target.wchan")
        inside = f", asleep in {where}" if where else ""
        what = f"{name} is this thread's tracee but stands in no ptrace-stop: it runs (state {state}{inside})"
        attached = case.history.attached(tid)
        how = f"PTRACE_INTERRUPT {tid}" if attached is not None and attached.what == "seize" else f"SIGSTOP to {tid} (tgkill)"
        return Diagnosis("not-stopped", what, f"stop it first: {how}, then wait for the stop", "tracer.needs-stop", (link, stand, *since))
    what = f"{name} had not come to its stop yet when the request was made; it stood a moment later"
    return Diagnosis("too-early", what, "wait for the stop (wait4) before the next request", "tracer.needs-stop", (link, stand, *since))


def _untraced(case: Case, link: Evidence) -> Diagnosis:
    tid, name, _ = task_of(case)
    gone = case.history.let_go(tid)
    if gone is not None:
        deed = "was detached by" if gone.what == "detached" else "was let go when its tracer thread ended:"
        rule = "tracer.detach" if gone.what == "detached" else "tracer.thread-exit-detaches"
        return Diagnosis(
            "let-go",
            f"{name} is traced by nobody any more: it {deed} {gone.lane}",
            "attach to it again",
            rule,
            (link, case.logged(f"{gone.lane}: {gone.what}", gone.seq)),
        )
    traced = [pair.partition(":") for pair in case.failure.fact("siblings").split()]
    ours = [int(other) for other, _, tracer in traced if int(tracer) == case.failure.caller]
    if ours:
        what = f"{name} is traced by nobody: attaching covers one thread, and {', '.join(map(case.who, ours))} of the same process is it"
        return Diagnosis(
            "sibling-only",
            what,
            "attach to this thread too",
            "tracer.per-thread-attach",
            (link, case.then(f"siblings of {tid} and their tracers: {case.failure.fact('siblings')}")),
        )
    return Diagnosis(
        "never-traced", f"{name} is traced by nobody", "attach to it first: PTRACE_SEIZE or PTRACE_ATTACH", "tracer.wrong-thread", (link,)
    )


# --- EPERM --------------------------------------------------------------------------------------------------------------------
def not_permitted(case: Case) -> Diagnosis | None:
    """The cause of EPERM, mostly of an attach."""
    failure = case.failure
    target, rights = facts.target_of(dict(failure.facts)), facts.rights_of(dict(failure.facts))
    tid, name, status = task_of(case)
    if failure.numbers[0] not in _ATTACHING:
        if failure.numbers[0] == _R["PTRACE_SETOPTIONS"] and failure.numbers[3] & PTRACE_OPTIONS["PTRACE_O_SUSPEND_SECCOMP"]:
            return Diagnosis(
                "suspend-seccomp",
                "PTRACE_O_SUSPEND_SECCOMP takes CAP_SYS_ADMIN and a tracer without a seccomp filter of its own",
                "leave that option away",
                "perm.credentials",
                (case.asked(f"options {bits(failure.numbers[3])}"),),
            )
        return None
    if target is None or rights is None:
        return None
    found = attach_refusal(target, rights) or unseen_refusal(rights)
    what, todo = found.what, found.todo
    evidence = [case.then(f"user {target.uids[0]}, group {target.gids[0]}, tracer {target.tracer}, state {target.state} of {tid}", status)]
    if found.cause == "traced":
        what = f"{name} is already traced by {case.who(target.tracer)}, and a thread has one tracer at most"
        attached = case.history.attached(tid)
        if attached is not None:
            evidence.append(case.logged(f"{attached.lane}: {attached.what}", attached.seq))
    elif found.cause in ("uid", "gid", "undumpable", "capabilities"):
        evidence.append(
            case.then(
                f"user {rights.uids[0]}, group {rights.gids[0]}, CAP_SYS_PTRACE {'yes' if rights.may_trace_anyone else 'no'} "
                f"of the caller {failure.caller}",
                f"/proc/{failure.caller}/status",
            )
        )
        if found.cause == "undumpable":
            evidence.append(case.then(f"/proc/{tid}/stat belongs to root, which is how the kernel marks an undumpable process"))
    elif found.cause == "own-thread":
        evidence = [case.then(f"Tgid {target.tgid} of {tid}, and {rights.pid} of the caller {failure.caller}", status)]
    elif found.cause == "kernel-thread":
        evidence = [case.then(f"flags {target.flags:#x} of {tid} have PF_KTHREAD (0x200000)", f"/proc/{tid}/stat")]
    elif found.cause == "yama":
        evidence.append(case.then(f"ptrace_scope {rights.yama}", "/proc/sys/kernel/yama/ptrace_scope"))
    return Diagnosis(found.cause, what, todo, _ATTACH_RULES.get(found.cause, ""), tuple(evidence))


def traceme(case: Case) -> Diagnosis | None:
    """The cause of a PTRACE_TRACEME that was refused."""
    failure = case.failure
    tracer = failure.value("me.tracer")
    if failure.errno != "EPERM" or not tracer:
        return None
    what = f"{case.who(failure.caller)} is already traced by {case.who(tracer)}, and a thread has one tracer at most"
    return Diagnosis(
        "traced",
        what,
        "detach or end that tracer first",
        _EXCLUSIVE,
        (case.then(f"TracerPid {tracer} of the caller {failure.caller}", f"/proc/{failure.caller}/status"),),
    )
