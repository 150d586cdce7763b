"""Why other calls of the lab failed: signals, memory, processes and groups, descriptors.

Pure over the facts of the failure and the log, any thread.  Source: kernel/signal.c, kernel/sys.c, kernel/fork.c, mm/process_vm_access.c
and the manual page of each call.
"""

from __future__ import annotations

from collections.abc import Mapping

from tracedbg.kernel import exec_failures, facts
from tracedbg.kernel.attachable import attach_refusal, unseen_refusal
from tracedbg.model.callnames import CLONE_FLAGS, RLIMITS
from tracedbg.model.names import signal_name

from .causes import Case, Diagnosis, Finder

_KILLS = {"kill": 0, "tkill": 0, "tgkill": 1, "sigqueueinfo": 0, "tgsigqueueinfo": 1, "pidfd_send_signal": -1}
_FLAGS = CLONE_FLAGS


def _kill(case: Case) -> Diagnosis | None:
    failure = case.failure
    at = _KILLS[failure.name]
    whom, signal = (failure.numbers[at] if at >= 0 else failure.value("fd.pid")), failure.numbers[at + 1] if at >= 0 else failure.numbers[1]
    asked = case.asked(f"signal {signal}, to {whom}")
    if failure.errno == "EINVAL":
        if not 0 <= signal <= 64:
            return Diagnosis(
                "bad-signal", f"{signal} is no signal: there are 1 to 64, and 0 only asks", "decode signal NAME", "signal.targets", (asked,)
            )
        if failure.name in ("tkill", "tgkill") and min(failure.numbers[: at + 1]) <= 0:
            return Diagnosis(
                "bad-target", f"{failure.name} wants a thread's number, above 0", "kill takes 0, -1 and groups", "signal.targets", (asked,)
            )
        return None
    if failure.errno == "ESRCH":
        return _nobody(case, whom)
    if failure.errno == "EPERM" and whom > 0:
        target, rights = facts.target_of(dict(failure.facts)), facts.rights_of(dict(failure.facts))
        if target is None or rights is None:
            return None
        evidence = (
            case.then(f"user {'/'.join(map(str, target.uids[:3]))} of {whom}", f"/proc/{whom}/status"),
            case.then(f"user {rights.uids[0]} of the caller {failure.caller}", f"/proc/{failure.caller}/status"),
        )
        return Diagnosis(
            "uid",
            f"{case.who(whom)} runs as user {target.uids[0]} and {case.who(failure.caller)} as user {rights.uids[0]}, without CAP_KILL",
            "run it as root, or as that user",
            "signal.targets",
            evidence,
        )
    if failure.errno == "EAGAIN" and "sigqueue" in failure.name:
        queue = failure.fact("queue", "?")
        return Diagnosis(
            "signal-limit",
            f"the queue of pending signals is full: {queue.replace('/', ' of ')} in use, and a real-time signal needs a place",
            "let the receiver take some, or raise RLIMIT_SIGPENDING; kill(2) would lose the information instead",
            "signal.limit",
            (case.then(f"SigQ {queue}", f"/proc/{failure.caller}/status"),),
        )
    return None


def _nobody(case: Case, whom: int) -> Diagnosis:
    failure = case.failure
    if failure.name == "pidfd_send_signal":
        return Diagnosis(
            "gone",
            "the process behind the descriptor is gone and collected: a pidfd never means another one",
            "",
            "pidfd.poll",
            (case.then(f"descriptor {failure.numbers[0]}: {failure.fact('fd')}, process {failure.fact('fd.pid', '?')}"),),
        )
    if whom <= 0:
        group = f"process group {-whom}" if whom < -1 else "the caller's own group" if whom == 0 else "the whole machine"
        return Diagnosis("empty-group", f"there is nobody in {group} to signal", "", "signal.targets", (case.asked(f"to {whom}"),))
    if not failure.gone:
        tgid = failure.value("target.tgid")
        if failure.name in ("tgkill", "tgsigqueueinfo") and tgid != failure.numbers[0]:
            return Diagnosis(
                "wrong-process",
                f"{case.who(whom)} is a thread of process {tgid}, not of {failure.numbers[0]}: this is what tgkill checks",
                f"name the process: {failure.name} {tgid} {whom}",
                "signal.targets",
                (case.then(f"Tgid {tgid} of {whom}", f"/proc/{whom}/status"),),
            )
        return Diagnosis("raced", f"{case.who(whom)} was not there at that moment", "ask again", "signal.targets", ())
    taken = case.history.collected(whom)
    more = (case.logged(f"{taken.lane} collected it ({taken.what})", taken.seq),) if taken is not None else ()
    return Diagnosis(
        "gone",
        f"there is no {'thread' if failure.name[:2] == 'tg' or failure.name == 'tkill' else 'process'} {whom}"
        + (f" any more: {taken.lane} collected it" if taken is not None else ""),
        "",
        "signal.targets",
        (case.then(f"there is no /proc/{whom}"), *more),
    )


def _memory(case: Case) -> Diagnosis | None:
    failure = case.failure
    pid, address = failure.numbers[0], failure.numbers[1] if len(failure.numbers) > 1 else 0
    if failure.errno == "ESRCH":
        return Diagnosis("gone", f"there is no process {pid}", "", "tracer.tracee-gone", (case.then(f"there is no /proc/{pid}"),))
    if failure.errno == "EPERM":
        target, rights = facts.target_of(dict(failure.facts)), facts.rights_of(dict(failure.facts))
        if target is None or rights is None:
            return None
        found = attach_refusal(target, rights)
        if found is None or found.cause in ("zombie", "traced"):  # asked of an attach only (kernel/ptrace.c, __ptrace_may_access)
            found = unseen_refusal(rights)
        return Diagnosis(
            found.cause,
            f"reading memory takes the right to attach: {found.what}",
            found.todo,
            "perm.credentials",
            (case.then(f"user {target.uids[0]} of {pid}, user {rights.uids[0]} of the caller", f"/proc/{pid}/status"),),
        )
    if failure.errno != "EFAULT":
        return None
    mapped = failure.fact("map", "hidden")
    evidence = (case.then(f"{address:#x} of {pid}: {mapped if mapped != 'none' else 'nothing is mapped there'}", f"/proc/{pid}/maps"),)
    if mapped == "none":
        return Diagnosis(
            "bad-address",
            f"nothing is mapped at {address:#x} in {case.who(pid)}",
            "info proc mappings shows what is",
            "tracer.memory-any-thread",
            evidence,
        )
    return Diagnosis(
        "no-access",
        f"what is mapped at {address:#x} in {case.who(pid)} does not allow it ({mapped}); unlike PTRACE_POKE this call respects that",
        "use PTRACE_POKEDATA or /proc/PID/mem",
        "tracer.memory-any-thread",
        evidence,
    )


def _setpgid(case: Case) -> Diagnosis | None:
    failure = case.failure
    pid, group = (*failure.numbers, 0, 0)[:2]
    pid = pid or failure.caller
    if failure.errno == "EINVAL":
        return Diagnosis(
            "bad-group", f"{group} is no process group", "0 means the process's own number", "", (case.asked(f"group {group}"),)
        )
    session, leader = failure.value("target.session"), failure.value("target.session") == pid
    facts_then = case.then(
        f"PPid {failure.fact('target.parent')}, session {session} of {pid}; session {failure.fact('me.session')} of the caller",
        f"/proc/{pid}/stat",
    )
    if failure.errno == "EACCES":
        return Diagnosis(
            "has-execed",
            f"{case.who(pid)} has called execve: from then on only it may change its group",
            "do it before the exec",
            "",
            (facts_then,),
        )
    if failure.errno == "ESRCH":
        return Diagnosis(
            "not-my-child", f"{pid} is neither the caller nor a child of it", "let it, or its parent, do it", "", (facts_then,)
        )
    if failure.errno == "EPERM":
        if leader:
            return Diagnosis(
                "session-leader",
                f"{case.who(pid)} leads session {session}: its group cannot be changed",
                "fork a child, which may",
                "",
                (facts_then,),
            )
        return Diagnosis(
            "other-session",
            f"process group {group} is not in the session of {case.who(pid)}",
            "groups belong to sessions",
            "",
            (facts_then,),
        )
    return None


def _setsid(case: Case) -> Diagnosis | None:
    if case.failure.errno != "EPERM":
        return None
    pgrp = case.failure.value("me.pgrp")
    return Diagnosis(
        "group-leader",
        f"{case.who(case.failure.caller)} leads process group {pgrp}, and a leader cannot begin a session",
        "fork a child, which may",
        "",
        (case.then(f"group {pgrp} of {case.failure.caller}", f"/proc/{case.failure.caller}/stat"),),
    )


def _birth(case: Case) -> Diagnosis | None:
    failure = case.failure
    if failure.errno == "EAGAIN":
        limit = failure.fact("limit", "?")
        return Diagnosis(
            "process-limit",
            f"a limit on the number of processes is reached (RLIMIT_NPROC {limit}, or that of the control group)",
            "end some, or raise the limit",
            "",
            (case.then(f"Max processes {limit}", f"/proc/{failure.caller}/limits"),),
        )
    if failure.errno == "EINVAL" and failure.numbers:
        flags = failure.numbers[0]
        for needed, name in (("CLONE_SIGHAND", "CLONE_THREAD"), ("CLONE_VM", "CLONE_SIGHAND")):
            if flags & _FLAGS[name] and not flags & _FLAGS[needed]:
                return Diagnosis("flags", f"{name} needs {needed} too", f"add {needed}", "", (case.asked(f"flags {flags:#x}"),))
    return None


def _execve(case: Case) -> Diagnosis | None:
    path = str(case.failure.args[0]).strip('"') if case.failure.args else ""
    what, todo = exec_failures.cause(case.failure.number, path)
    return Diagnosis("exec", f"{path}: {what}", todo, "", (case.asked(path),))


def _descriptor(case: Case) -> Diagnosis | None:
    failure = case.failure
    fd, held = failure.numbers[0], failure.fact("fd", "none")
    there = case.then(f"descriptor {fd}: {held}, flags {failure.fact('fd.flags', '-')}", f"/proc/{failure.caller}/fd/{fd}")
    if failure.errno == "EBADF":
        what = f"descriptor {fd} is not open" if held == "none" else f"descriptor {fd} ({held}) does not allow it"
        return Diagnosis("bad-descriptor", what, "open PATH FLAGS gives one", "", (there,))
    if failure.errno == "EAGAIN":
        return Diagnosis(
            "nothing-yet", f"nothing can be read from {held} yet, and the descriptor has O_NONBLOCK", "poll it first", "", (there,)
        )
    if failure.errno == "EIO" and held.endswith("/mem"):
        return Diagnosis(
            "bad-address",
            f"nothing is mapped at {failure.numbers[-1]:#x} there",
            "info proc mappings shows what is",
            "tracer.memory-any-thread",
            (there,),
        )
    if failure.errno == "ESPIPE":
        return Diagnosis("no-place", f"{held} has no positions", "read and write have no offset", "", (there,))
    return None


def _sigtimedwait(case: Case) -> Diagnosis | None:
    if case.failure.errno != "EAGAIN":
        return None
    return Diagnosis(
        "timeout", "none of these signals came before the time was over", "-1 waits without a limit", "", (case.asked(case.failure.text),)
    )


def _sigaction(case: Case) -> Diagnosis | None:
    signal = case.failure.numbers[0] if case.failure.numbers else 0
    if case.failure.errno != "EINVAL":
        return None
    what = f"{signal_name(signal)} cannot be caught or ignored" if signal in (9, 19) else f"{signal} is no signal"
    return Diagnosis("bad-signal", what, "decode signal NAME", "", (case.asked(f"signal {signal}"),))


def _pidfd_open(case: Case) -> Diagnosis | None:
    failure = case.failure
    pid = failure.numbers[0]
    if failure.errno == "ESRCH":
        return Diagnosis("gone", f"there is no process {pid}", "", "pidfd.poll", (case.then(f"there is no /proc/{pid}"),))
    tgid = failure.value("target.tgid")
    if failure.errno in ("EINVAL", "ENOENT") and tgid and tgid != pid:
        return Diagnosis(
            "thread",
            f"{case.who(pid)} is a thread of process {tgid}, not a process",
            f"pidfd_open {tgid}, or PIDFD_THREAD (Linux 6.9)",
            "pidfd.poll",
            (case.then(f"Tgid {tgid} of {pid}", f"/proc/{pid}/status"),),
        )
    return None


def _id(case: Case) -> Diagnosis | None:
    if case.failure.errno != "EPERM":
        return None
    return Diagnosis(
        "credentials",
        f"{case.who(case.failure.caller)} may become only who it is or was, without CAP_SETUID and CAP_SETGID",
        "run it as root",
        "perm.credentials",
        (case.asked(case.failure.text),),
    )


def _prctl(case: Case) -> Diagnosis | None:
    if case.failure.errno != "EINVAL":
        return None
    option = str(case.failure.args[0]) if case.failure.args else "?"
    if option == "PR_SET_PTRACER":
        return Diagnosis(
            "no-yama",
            "PR_SET_PTRACER belongs to Yama, which this kernel does not have, or the number is no process",
            "",
            "perm.lsm",
            (case.asked(case.failure.text),),
        )
    return Diagnosis(
        "bad-value",
        f"{option} does not take that value, or this kernel does not know the option",
        "see prctl(2)",
        "",
        (case.asked(case.failure.text),),
    )


def _setrlimit(case: Case) -> Diagnosis | None:
    if case.failure.errno != "EPERM":
        return None
    name = next((name for name, number in RLIMITS.items() if case.failure.numbers and number == case.failure.numbers[0]), "the limit")
    return Diagnosis(
        "hard-limit", f"{name} cannot be raised above its hard limit without CAP_SYS_RESOURCE", "", "", (case.asked(case.failure.text),)
    )


FINDERS: Mapping[str, Finder] = {
    **dict.fromkeys(_KILLS, _kill),
    **dict.fromkeys(("process_vm_readv", "process_vm_writev"), _memory),
    **dict.fromkeys(("fork", "vfork", "clone"), _birth),
    **dict.fromkeys(("read", "write", "pread", "pwrite", "close", "poll"), _descriptor),
    **dict.fromkeys(("setuid", "setgid"), _id),
    "setpgid": _setpgid,
    "setsid": _setsid,
    "execve": _execve,
    "sigtimedwait": _sigtimedwait,
    "sigaction": _sigaction,
    "pidfd_open": _pidfd_open,
    "prctl": _prctl,
    "setrlimit": _setrlimit,
}
"""By call; what is not here is said in the errno's own words."""
