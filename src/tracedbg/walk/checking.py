"""`tracedbg check`: do the rules of the catalogue hold on the kernel that runs?

Main thread of a process that holds no tracer; lessons play on threads beside it.  A rule's verdict comes from the steps that name it, and
from nothing else.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Literal, TextIO

import msgspec

from tracedbg import __version__
from tracedbg.model.errors import NotFound
from tracedbg.model.text import visible

from .catalogue import CHAPTERS, RULES, Rule
from .document import Document, Step
from .keeper import Keeper, Played
from .moments import Failure, Lack, Seen, StepResult
from .reading import read
from .testing import side_by_side

Verdict = Literal["holds", "differs", "not here", "varies", "not shown"]
VERDICTS: tuple[Verdict, ...] = ("holds", "differs", "not here", "varies", "not shown")


class Showing(msgspec.Struct, frozen=True):
    """A step that shows a rule, and how it went.

    Args:
        path: of the lesson.
        line: of the step's heading.
        slug: of the step.
        verdict: of this step alone.
        evidence: the expectations that were met, each with its event.
        failures: what was seen instead.
        lacks: what is missing here.
    """

    path: str
    line: int
    slug: str
    verdict: Verdict
    evidence: tuple[Seen, ...] = ()
    failures: tuple[Failure, ...] = ()
    lacks: tuple[Lack, ...] = ()


class Row(msgspec.Struct, frozen=True):
    """The verdict on one rule.

    Args:
        rule: its id.
        level: of the catalogue; empty for a rule that is not in it.
        says: likewise.
        verdict: *holds* only if it does in every step that shows it.
        shown: those steps.
    """

    rule: str
    level: str
    says: str
    verdict: Verdict
    shown: tuple[Showing, ...]

    @property
    def key(self) -> Seen | None:
        """The event that tells most: the last one that an expectation was met by."""
        return next((seen for shown in self.shown for seen in reversed(shown.evidence) if seen.lane), None)


class Host(msgspec.Struct, frozen=True):
    """What was asked."""

    kernel: str
    machine: str
    cpus: int
    uid: int
    tracedbg: str

    @property
    def text(self) -> str:
        """In a line."""
        return str(visible(f"Linux {self.kernel}, {self.machine}, {self.cpus} CPUs, uid {self.uid}, tracedbg {self.tracedbg}"))


class Conformance(msgspec.Struct, frozen=True):
    """The whole answer.

    Args:
        host: the machine.
        rows: by chapter, in the catalogue's order.
        seconds: how long it took.
        notes: failures in steps that show no rule.
    """

    host: Host
    rows: tuple[Row, ...]
    seconds: float
    notes: tuple[str, ...] = ()

    def count(self, verdict: Verdict) -> int:
        """How many rows have it."""
        return sum(row.verdict == verdict for row in self.rows)

    @property
    def status(self) -> int:
        """The exit status: 1 if something differs."""
        return 1 if self.count("differs") else 0


def wanted_rules(names: Sequence[str], known: Collection[str]) -> list[str]:
    """The rules that names of rules and chapters mean; all of them for no name.

    Args:
        names: as typed.
        known: every rule, in order.

    Raises:
        NotFound: a name is neither.
    """
    if not names:
        return list(known)
    chosen: set[str] = set()
    for name in names:
        found = {rule for rule in known if name in (rule, rule.partition(".")[0])}
        if not found:
            raise NotFound(f"there is no rule or chapter '{name}'", f"chapters are {', '.join(CHAPTERS)}; 'check' alone lists all rules")
        chosen |= found
    return [rule for rule in known if rule in chosen]


def check(files: Iterable[Path], names: Sequence[str] = (), *, without: Sequence[str] = (), progress: TextIO | None = None) -> Conformance:
    """Play the lessons and judge the rules.

    Args:
        files: the lessons.
        names: rules or chapters; empty for all.
        without: capabilities that are taken for missing.
        progress: a terminal for a progress bar.

    Raises:
        WrongFile: a lesson is none.
        NotFound: a name is no rule and no chapter.
        BadArgument: `without` names no capability.
    """
    began = time.monotonic()
    documents = [read(path) for path in files]
    extra = [rule for document in documents for step in document.steps for rule in step.rules if rule not in RULES]
    wanted = wanted_rules(names, dict.fromkeys([*RULES, *extra]))
    playing = [document for document in documents if any(set(step.rules) & set(wanted) for step in document.steps)]
    played: list[Played] = []
    bar = _Bar(progress, len(playing))
    with Keeper(tuple(without)) as keeper:

        def work(document: Document) -> Played:
            last = [step.slug for step in document.steps if set(step.rules) & set(wanted)][-1]
            return keeper.play(document, go_on=True, until="" if not names else last)

        def done(_document: Document, result: Played) -> None:
            played.append(result)
            bar.step()

        try:
            side_by_side(keeper, work, playing, done)
        finally:
            bar.clear()
    rows = tuple(row_of(rule, played) for rule in wanted)
    notes = tuple(
        str(visible(f"{one.document.path}:{failure.line}: {failure.asked}"))
        for one in played
        for result in one.steps
        if not result.rules
        for failure in result.failures
    )
    return Conformance(host(), rows, time.monotonic() - began, notes)


def host() -> Host:
    """This machine."""
    return Host(platform.release(), platform.machine(), len(os.sched_getaffinity(0)), os.geteuid(), __version__)


def row_of(name: str, played: Iterable[Played]) -> Row:
    """The verdict on a rule, from every play of a page that shows it (pure)."""
    rule = RULES.get(name, Rule(name, "core", ""))
    shown = tuple(_shown(rule, one, step) for one in played for step in one.document.steps if name in step.rules)
    # The worst of them; a rule that holds in one lesson and differs in another differs.
    worst: tuple[Verdict, ...] = ("differs", "varies", "not here", "holds")
    found = [each for each in worst if any(one.verdict == each for one in shown)]
    verdict: Verdict = found[0] if found else "not shown"
    return Row(name, rule.level if name in RULES else "", rule.says or _statement(name, played), verdict, shown)


def _statement(name: str, played: Iterable[Played]) -> str:
    """What a lesson says of a rule that the catalogue does not have."""
    from .document import Rules

    parts = (part for one in played for step in one.document.steps for part in step.parts)
    return next((part.statement for part in parts if isinstance(part, Rules) and name in part.ids), "")


def _shown(rule: Rule, played: Played, step: Step) -> Showing:
    path = str(visible(played.document.path))
    if played.lacks:
        return Showing(path, step.line, step.slug, "not here", lacks=played.lacks)
    result = next((result for result in played.steps if result.slug == step.slug), None)
    if result is None:
        # Not reached: the page could not be played to this step.
        return Showing(path, step.line, step.slug, "differs", failures=tuple(played.failures))
    return Showing(path, step.line, step.slug, _verdict(rule, result), result.seen, result.failures, result.lacks)


def _verdict(rule: Rule, result: StepResult) -> Verdict:
    if result.outcome == "failed":
        return "varies" if rule.may_vary else "differs"
    return "not here" if result.outcome == "skipped" else "holds"


class _Bar:
    """A progress bar that leaves no trace.

    Args:
        out: a terminal, or None for no bar.
        total: of steps.
    """

    _WIDTH = 30

    def __init__(self, out: TextIO | None, total: int) -> None:
        self._out, self._total, self._done = out, total, 0
        self._draw()

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        self._draw()

    def clear(self) -> None:
        """Take it away."""
        self._write("\r" + " " * (self._WIDTH + 30) + "\r")

    def _draw(self) -> None:
        full = self._WIDTH * self._done // max(self._total, 1)
        self._write(f"\r[{'#' * full}{' ' * (self._WIDTH - full)}] {self._done} of {self._total} lessons")

    def _write(self, text: str) -> None:
        if self._out is not None:
            self._out.write(text)
            self._out.flush()
