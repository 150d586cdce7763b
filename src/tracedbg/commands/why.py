"""`why`: a diagnosis of what has just failed, with evidence and remedy; and why something stands, runs or waits.

Handlers run at once, also while another command runs.  They read the log and /proc and make no request: what was so at the moment of a
failure was written down then (`kernel.facts`).
"""

from __future__ import annotations

import errno as errno_of
from collections.abc import Sequence

import msgspec

from tracedbg.lang.table import CommandTable
from tracedbg.model.events import CommandFinished, Record
from tracedbg.model.names import errno_text
from tracedbg.model.text import Shown
from tracedbg.session.causes import Diagnosis, Evidence, Failure
from tracedbg.session.diagnosing import diagnose, last_failure
from tracedbg.session.naming import namer
from tracedbg.session.session import Session
from tracedbg.session.shelf import lessons_on

from .answers import Said, said
from .drawing import wrapped

table = CommandTable("why", "Why")

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
        return said("No command has failed yet, and no call.")
    return _explained(session, found, records)


def _last_failed_command(records: Sequence[Record]) -> Record | None:
    return next((record for record in reversed(records) if isinstance(record.event, CommandFinished) and not record.event.ok), None)


def _explained(session: Session, failure: Failure, records: Sequence[Record], before: str = "") -> Explained:
    number = getattr(errno_of, failure.errno, 0)
    head = f"{before}{failure.lane}  {failure.text} = -1 {failure.errno} ({errno_text(number)})"
    return Explained(head, diagnose(failure, records, namer(session)), (session.log.now() - failure.at) / 1e9)
