"""Finds the last call that failed and says why: the log's facts from then, /proc as it is now.

Any thread; it reads the log and /proc and makes no other call.  The causes are in `causes_ptrace`, `causes_wait` and `causes_calls`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from tracedbg.kernel import procfs
from tracedbg.model.events import CallReturned, Record

from . import causes_calls, causes_ptrace, causes_wait
from .causes import Case, Diagnosis, Evidence, Failure, Finder, unknown
from .history import History

_FINDERS: Mapping[str, Finder] = {**causes_calls.FINDERS, **causes_wait.FINDERS, **causes_ptrace.FINDERS}
_CHANGING = ("state", "tracer", "parent", "pgrp")
"""Facts that are looked at again; the others do not change, or do not decide."""


def failure_of(record: Record) -> Failure | None:
    """The failure that a record tells of; None if it tells of none, or of one whose facts nobody kept."""
    event = record.event
    if not isinstance(event, CallReturned) or not event.errno or not event.facts:
        return None
    facts = dict(event.facts)
    numbers = tuple(int(word) for word in facts.get("numbers", "").split())
    caller = int(facts.get("caller", "0")) or record.tid
    return Failure(
        record.seq, record.t, record.lane, caller, facts.get("call", event.name), event.args, numbers, event.errno, facts, event.name
    )


def last_failure(records: Sequence[Record], after: int = 0, call: str = "") -> Failure | None:
    """The newest failed call.

    Args:
        records: of the log, in order.
        after: only later ones count.
        call: only this one, as it is written.
    """
    for record in reversed(records):
        if record.seq <= after:
            return None
        found = failure_of(record)
        if found is not None and call in ("", found.text):
            return found
    return None


def diagnose(failure: Failure, records: Sequence[Record], who: Callable[[int], str]) -> Diagnosis:
    """Say why a call failed.

    Args:
        failure: what failed.
        records: of the log, in order.
        who: a task as sentences name it.

    Returns:
        The cause with its evidence; the last pieces of evidence say what has changed since.
    """
    case = Case(failure, History(records, failure.seq), who)
    find = _FINDERS.get(failure.name)
    found = (find(case) if find is not None else None) or unknown(case)
    return msgspec.structs.replace(found, evidence=(*found.evidence, *_since(failure)))


def _since(failure: Failure) -> list[Evidence]:
    """What is otherwise now than it was then; nothing where the facts had no task in them."""
    was = {key: failure.facts[key] for key in (f"target.{name}" for name in _CHANGING) if key in failure.facts}
    tid = _target_tid(failure)
    if not tid or not (was or failure.gone):
        return []
    if failure.gone:
        return [Evidence("now", f"{tid} exists, as another task with the same number", f"/proc/{tid}")] if procfs.state(tid) else []
    if not procfs.state(tid):
        return [Evidence("now", f"{tid} is gone", f"/proc/{tid}")]
    now = {"target.state": procfs.state(tid), "target.tracer": str(procfs.tracer_pid(tid)), "target.parent": str(procfs.ppid(tid)),
           "target.pgrp": str(procfs.stat_number(tid, 5))}  # fmt: skip
    changed = [f"{key.removeprefix('target.')} of {tid} is {now[key]} (it was {old})" for key, old in was.items() if now[key] != old]
    return [Evidence("now", text, f"/proc/{tid}") for text in changed] or [
        Evidence("now", f"nothing of this has changed for {tid}", f"/proc/{tid}")
    ]


def _target_tid(failure: Failure) -> int:
    if "target.tid" in failure.facts:
        return failure.value("target.tid")
    if "fd.pid" in failure.facts:
        return failure.value("fd.pid")
    place = {"ptrace": 1, "waitid": 1, "tgkill": 1}.get(failure.name, 0)
    return failure.numbers[place] if len(failure.numbers) > place and failure.numbers[place] > 0 else 0
