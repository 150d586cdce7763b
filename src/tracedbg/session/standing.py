"""Why a task stands still, or why it does not: its state in /proc, its tracer, and what the log tells of its last stop and resumption.

Any thread; reads the log and /proc, makes no request and no wait.  That a signal or a breakpoint will stop it is nobody's to know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tracedbg.kernel import procfs
from tracedbg.model.events import Record
from tracedbg.model.names import signal_name
from tracedbg.model.stops import AnyStop

from .causes import Diagnosis, Evidence
from .history import Deed, History

_JOB_STOPS = frozenset({19, 20, 21, 22})


def _log(deed: Deed, what: str) -> Evidence:
    return Evidence("log", what, f"event {deed.seq}")


def _now(tid: int, what: str, file: str = "status") -> Evidence:
    return Evidence("now", what, f"/proc/{tid}/{file}")


def why_stopped(tid: int, records: Sequence[Record], who: Callable[[int], str], stop: AnyStop | None = None) -> Diagnosis:
    """Say why a task stands still.

    Args:
        tid: the task.
        records: of the log, in order.
        who: a task as sentences name it.
        stop: what the tracer thread knows of the stop, if it is its tracee.

    Returns:
        The cause; ``running`` and ``gone`` where it does not stand at all.
    """
    state, name = procfs.state(tid), who(tid)
    shown = _now(tid, f"state {state or 'none: there is no such task'} of {tid}", "stat")
    history = History(records, 1 << 62)
    if not state:
        return _gone(tid, history, shown)
    if state in "ZX":
        parent = procfs.ppid(tid) or 0
        what = f"{name} is dead, and {who(parent) if parent else 'its parent'} has not collected it (a zombie)"
        return Diagnosis("zombie", what, f"a wait of its parent or tracer ends it: wait4 {tid} __WALL", "exit.zombie-anatomy", (shown,))
    if state == "T":
        what = f"{name} is stopped by job control: a stop signal (SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU) stopped its whole process"
        return Diagnosis("job-control", what, f"SIGCONT continues it: kill {tid} SIGCONT", "stop.jobctl-latest", (shown,))
    if state != "t":
        return Diagnosis("running", f"{name} is not stopped (state {state})", f"why not stopped {tid} says why not", "", (shown,))
    tracer = procfs.tracer_pid(tid)
    evidence = [shown, _now(tid, f"TracerPid {tracer} of {tid}")]
    taken, resumed = history.stop_taken(tid), history.resumed(tid)
    fresh = taken is not None and (resumed is None or taken.seq > resumed.seq or resumed.what == "PTRACE_LISTEN")
    if resumed is not None and resumed.what == "PTRACE_LISTEN":
        evidence.append(_log(resumed, f"{resumed.lane}: PTRACE_LISTEN"))
        what = f"{name} is in a group-stop and listens (PTRACE_LISTEN): it waits for SIGCONT, or for PTRACE_INTERRUPT"
        return Diagnosis("listening", what, f"kill {tid} SIGCONT", "stop.group-vs-signal", tuple(evidence))
    if taken is None or not fresh:
        what = f"{name} is in a ptrace-stop that nobody has collected yet: the next wait of {who(tracer)}'s process for it returns at once"
        return Diagnosis("uncollected", what, f"wait4 {tid} __WALL takes the report", "stop.is-a-state", tuple(evidence))
    evidence.append(_log(taken, f"{taken.lane} took its report: {taken.what}"))
    meaning = f": {stop.text()}" if stop is not None else ""
    rule = "stop.group-vs-signal" if stop is not None and "group-stop" in stop.text() else "stop.is-a-state"
    what = f"{name} is in a ptrace-stop, {taken.what}{meaning}, and nobody has let it go on since"
    todo = f"only {who(tracer)} can resume it (PTRACE_CONT, or continue for the program); SIGKILL ends it"
    return Diagnosis("ptrace-stop", what, todo, rule, tuple(evidence))


def _gone(tid: int, history: History, shown: Evidence) -> Diagnosis:
    taken = history.collected(tid)
    more = (_log(taken, f"{taken.lane} collected it ({taken.what})"),) if taken is not None else ()
    how = f": {taken.lane} collected its end ({taken.what})" if taken is not None else ""
    return Diagnosis("gone", f"there is no task {tid}{how}", "", "tracer.tracee-gone", (shown, *more))


def why_not_stopped(tid: int, records: Sequence[Record], who: Callable[[int], str]) -> Diagnosis:
    """Say why a task does not stand still, in the words of `why_stopped`."""
    state, name = procfs.state(tid), who(tid)
    history = History(records, 1 << 62)
    if not state or state in "tTZX":
        found = why_stopped(tid, records, who)
        standing = {"gone": "", "zombie": "it is dead, which is not a stop: "}.get(found.cause, "it is stopped: ")
        return Diagnosis(found.cause, standing + found.what, found.todo, found.rule, found.evidence)
    fields = procfs.status_fields(tid)
    tracer = int(fields.get("TracerPid", "0"))
    where = procfs.wchan(tid)
    inside = f", asleep in {where}" if where not in ("", "0") else ""
    evidence = [_now(tid, f"state {state}{inside}", "stat"), _now(tid, f"TracerPid {tracer} of {tid}")]
    sets = procfs.signal_sets(tid)
    held = sorted((sets.pending | sets.shared_pending) & sets.blocked) if sets is not None else []
    if held:
        names = ", ".join(map(signal_name, held))
        evidence.append(_now(tid, f"pending and blocked: {names}"))
        if not tracer or not history.stop_asked(tid):
            what = f"{name} runs (state {state}); {names} is pending, but it blocks that, and a signal that is not delivered stops nobody"
            return Diagnosis(
                "blocked-signal", what, "SIGSTOP and PTRACE_INTERRUPT cannot be blocked", "stop.signal-delivery", tuple(evidence)
            )
    if not tracer:
        gone = history.let_go(tid)
        if gone is not None:
            evidence.append(_log(gone, f"{gone.lane}: {gone.what}"))
            return Diagnosis(
                "let-go",
                f"{name} is traced by nobody any more ({gone.lane}: {gone.what}), so no tracer stops it",
                "attach to it again",
                "tracer.detach",
                tuple(evidence),
            )
        what = f"{name} is traced by nobody, and no stop signal was sent: there is nothing that would stop it"
        return Diagnosis("untraced", what, f"attach {tid}, or SIGSTOP for job control", "tracer.per-thread-attach", tuple(evidence))
    asked, resumed = history.stop_asked(tid), history.resumed(tid)
    pending = asked is not None and (resumed is None or asked.seq > resumed.seq)
    if resumed is not None:
        evidence.append(_log(resumed, f"{resumed.lane} let it go on with {resumed.what}"))
    if asked is not None and pending:
        evidence.append(_log(asked, f"{asked.lane}: {asked.what}"))
        if state == "D":
            what = f"{name} was asked to stop, but sleeps uninterruptibly{inside}: a vfork or an exec must end first"
            return Diagnosis(
                "uninterruptible", what, "let its child exec or end, or collect its dead threads", _rule_of_d(where), tuple(evidence)
            )
        what = f"{name} was asked to stop and has not come to it yet (state {state})"
        return Diagnosis("on-its-way", what, "ask again in a moment", "tracer.attach-seize", tuple(evidence))
    if resumed is None:
        what = f"{name} is traced by {who(tracer)}, which has not asked it to stop: SEIZE attaches without stopping"
        return Diagnosis("never-asked", what, "PTRACE_INTERRUPT, or interrupt for the program", "tracer.attach-seize", tuple(evidence))
    what = (
        f"{name} runs since {resumed.lane} let it go on ({resumed.what}), and nothing has stopped it: no signal, "
        f"event or breakpoint came{inside}"
    )
    return Diagnosis("resumed", what, "interrupt stops the program; PTRACE_INTERRUPT a seized tracee", "tracer.needs-stop", tuple(evidence))


def _rule_of_d(wchan: str) -> str:
    return "event.exec-waits" if "new_exec" in wchan or "de_thread" in wchan else "tracer.vfork-deadlock"
