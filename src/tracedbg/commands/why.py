"""`why`: a diagnosis of what has just failed, with evidence and remedy; and why something stands, runs or waits.

Handlers run at once, also while another command runs.  They read the log and /proc and make no request: what was so at the moment of a
failure was written down then (`kernel.facts`).
"""

from __future__ import annotations

import errno as errno_of
from collections.abc import Sequence
from typing import Annotated

import msgspec

from tracedbg.kernel import procfs
from tracedbg.lang.paramtypes import NameType
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import NotNow
from tracedbg.model.events import CommandFinished, Record
from tracedbg.model.names import errno_text
from tracedbg.model.stops import AnyStop
from tracedbg.model.text import Shown
from tracedbg.session.causes import Diagnosis, Evidence, Failure
from tracedbg.session.diagnosing import diagnose, last_failure
from tracedbg.session.naming import namer
from tracedbg.session.session import Session
from tracedbg.session.shelf import lessons_on
from tracedbg.session.standing import why_not_stopped, why_stopped
from tracedbg.session.waiting_for import why_waiting

from .answers import Said, said
from .benching_look import whom
from .drawing import wrapped

table = CommandTable("why", "Why")

WHO = NameType("WHO", "a thread or puppet by its name, or the number of any process or thread", "actor", r"[\w.-]+")

_LEGEND = {
    "then": "read right after the failure",
    "now": "read for this answer",
    "log": "what tracedbg saw itself",
    "asked": "the call itself",
}


class Explained(msgspec.Struct, frozen=True):
    """A diagnosis.

    Args:
        head: what failed, or what was asked about.
        diagnosis: why.
        ago: seconds since then, negative if it is about now.
    """

    head: str
    diagnosis: Diagnosis
    ago: float = -1.0

    def lines(self, width: int) -> list[Shown]:
        """What failed, why, each piece of evidence with how we know, what to do, and the rule with its lesson."""
        found = self.diagnosis
        out = wrapped(self.head + (f", {self.ago:.1f} s ago" if self.ago >= 0 else ""), width)
        out += wrapped(f"why: {found.what} [{found.cause}]", width)
        out += [line for each in found.evidence for line in wrapped(_evidence(each), width, "  ", "        ")]
        if found.todo:
            out += wrapped(f"what to do: {found.todo}", width)
        out += rule_lines(found.rule, width)
        kinds = dict.fromkeys(each.when for each in found.evidence)
        if "then" in kinds:
            out += wrapped("(" + "; ".join(f"{kind}: {_LEGEND[kind]}" for kind in kinds) + ")", width)
        return out


def _evidence(each: Evidence) -> str:
    return f"{each.when:<5} {each.what}" + (f"  [{each.source}]" if each.source else "")


def rule_lines(rule: str, width: int) -> list[Shown]:
    """The rule behind an answer, and where it is taught; nothing without one."""
    if not rule:
        return []
    lessons = [f"tracedbg learn {name}" for name, _ in lessons_on(rule)]
    return wrapped(f"rule: {rule}" + (f"; {' or '.join(lessons[:2])}" if lessons else ""), width)


class Reason(msgspec.Struct, frozen=True):
    """An error that no single call explains."""

    line: str
    what: str
    todo: str
    call: str

    def lines(self, width: int) -> list[Shown]:
        """What happened, what to do, and the call behind it."""
        out = wrapped(f"{self.line}: {self.what}", width)
        if self.call:
            out += wrapped(f"the call that was refused: {self.call}", width)
        return out + wrapped(f"what to do: {self.todo}" if self.todo else "there is nothing to do about it", width)


@table.add("why", while_busy="now")
def why(session: Session) -> Explained | Reason | Said:
    """Explain the last call or command that failed: which of its causes it was, the evidence, and what to do.

    Each piece of evidence says how it is known: `then` was read in /proc right after the failure and kept with the call, `now` is read
    for the answer, `log` is what tracedbg saw before, `asked` stands in the call itself. Calls that waiters make for the debugger's own
    work are not meant. The rule at the end names the lesson that shows it.

    In the kernel: one errno stands for several tests. ESRCH of a ptrace request, for one, is ptrace_check_attach's answer to a task
    that is gone, dying, another thread's tracee, nobody's, or not in a ptrace-stop.

    Example: why
    """
    records = session.log.since(0)
    failed = _last_failed_command(records)
    if failed is not None and session.last_error is not None:
        line, error = session.last_error
        call = str(getattr(error, "call", ""))
        inside = last_failure(records, after=failed.of, call=call) if call else None
        newest = last_failure(records, after=failed.seq)
        if newest is None and inside is not None:
            return _explained(session, inside, records, f"{line}: ")
        if newest is None:
            return Reason(line, error.what, error.todo, call)
    found = last_failure(records)
    if found is None:
        return said("No command has failed yet. No call has either.")
    return _explained(session, found, records)


def _last_failed_command(records: Sequence[Record]) -> Record | None:
    return next((record for record in reversed(records) if isinstance(record.event, CommandFinished) and not record.event.ok), None)


def _explained(session: Session, failure: Failure, records: Sequence[Record], before: str = "") -> Explained:
    number = getattr(errno_of, failure.errno, 0)
    head = f"{before}{failure.lane}  {failure.text} = -1 {failure.errno} ({errno_text(number)})"
    return Explained(head, diagnose(failure, records, namer(session)), (session.log.now() - failure.at) / 1e9)


# --- why it stands, runs, waits -----------------------------------------------------------------------------------------------
def _about(session: Session, who: str) -> int:
    """The task that a question is about: named, or the thread of the program in focus."""
    if who:
        return whom(session, who)[0]
    tid = session.program.tid or int(session.variable("tracee") or "0")
    if not tid:
        raise NotNow("there is no program to ask about", "name a thread, a puppet or a pid: why stopped p1")
    return tid


@table.add("why stopped", while_busy="now")
def why_stopped_(
    session: Session, who: Annotated[str, WHO, "a thread, puppet or pid; the program's thread in focus if left away"] = ""
) -> Explained:
    """Say why a task stands still: which stop it is in, who took its report, and who alone can let it go on.

    In the kernel: a stop is a state of the task (TASK_TRACED, TASK_STOPPED) and its report a word that one wait takes; /proc tells the
    two states apart by the letters t and T, the log tells the report.

    Example: why stopped
    """
    tid = _about(session, who)
    found = why_stopped(tid, session.log.since(0), namer(session), _known_stop(session, tid))
    return Explained(f"why is {namer(session)(tid)} stopped?", found)


@table.add("why not stopped", while_busy="now")
def why_not_stopped_(
    session: Session, who: Annotated[str, WHO, "a thread, puppet or pid; the program's thread in focus if left away"] = ""
) -> Explained:
    """Say why a task does not stand still: nobody traces it, nobody asked, it was let go on, or it cannot stop yet.

    In the kernel: a tracee stops on its own way back to user space (signals, PTRACE_INTERRUPT), at an event, or at a breakpoint; asleep
    in state D, as in vfork or exec, it comes to none of these.

    Example: why not stopped $tracee
    """
    tid = _about(session, who)
    return Explained(f"why is {namer(session)(tid)} not stopped?", why_not_stopped(tid, session.log.since(0), namer(session)))


class Waiting(msgspec.Struct, frozen=True):
    """Who waits for whom."""

    answers: tuple[Explained, ...]

    def lines(self, width: int) -> list[Shown]:
        """An answer for each thread."""
        if not self.answers:
            return [Shown("No thread of tracedbg and no puppet is asleep in a wait call.")]
        return [line for each in self.answers for line in each.lines(width)]


@table.add("why waiting", while_busy="now")
def why_waiting_(
    session: Session, who: Annotated[str, WHO, "a thread, puppet or tid; all of tracedbg and of the puppets if left away"] = ""
) -> Waiting:
    """Say who a thread in a wait call waits for, and whether anything can wake it.

    Without a name it answers for each thread of tracedbg and each puppet that is asleep in a wait call. A *stranded* waiter is one for
    which no child or tracee is left that fits: nothing wakes it, though a fresh call would say ECHILD.

    In the kernel: a waiter is woken by a task that stops or ends and fits its selector (child_wait_callback); a task that is detached,
    changes its group or loses its tracer wakes nobody.

    Example: why waiting w1
    """
    name = namer(session)
    if who:
        tids = [whom(session, who)[0]]
    else:
        tids = [tid for each in session.actors.names() if (tid := session.actors.tid(each)) and procfs.asleep_in_wait(tid) is not None]
    return Waiting(tuple(Explained(f"what does {name(tid)} wait for?", why_waiting(tid, name)) for tid in tids))


def _known_stop(session: Session, tid: int) -> AnyStop | None:
    inferior = session.tracer.view.owner(tid)
    tracee = inferior.tracee(tid) if inferior is not None else None
    return tracee.stop if tracee is not None else None
