"""Every lesson that ships: it is a walkthrough, it passes, and each rule that it shows can fail."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.walk.pages import command
from tracedbg.walk import shipped
from tracedbg.walk.catalogue import RULES
from tracedbg.walk.checking import row_of
from tracedbg.walk.keeper import Keeper
from tracedbg.walk.reading import parse, read

LESSONS = shipped.lessons()


def test_lessons_are_walkthroughs_and_name_known_rules() -> None:
    status, lines = command("lint", *LESSONS) if LESSONS else (0, [])
    assert status == 0, lines
    shown = [(path.name, rule) for path in LESSONS for each in read(path).steps for rule in each.rules]
    assert [(name, rule) for name, rule in shown if rule not in RULES] == []


@pytest.mark.slow
@pytest.mark.needs("ptrace")
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_each_lesson_passes(path: Path, keeper: Keeper) -> None:
    one = keeper.play(read(path), go_on=True)
    if one.lacks:
        pytest.skip(f"needs {one.lacks[0].need}: {one.lacks[0].reason}")
    assert one.failures == []
    assert (one.not_run, one.left) == ((), 0)


@dataclass(frozen=True)
class Claim:
    """The first expectation of a step that shows a rule."""

    path: Path
    slug: str
    rule: str
    line: int

    def __str__(self) -> str:
        return f"{self.rule} in {self.path.stem}"


def claims() -> list[ParameterSet]:
    """One claim for each rule; the others, of steps and lessons that show a rule again, are for `.ci/run --long`."""
    found: list[Claim] = []
    for path in LESSONS:
        for each in read(path).steps:
            lines = (line for block in each.blocks for line in block.lines if line.asserts and line.text.split()[1] != "not")
            first = next(lines, None)
            found += [Claim(path, each.slug, rule, first.line) for rule in each.rules if first is not None]
    seen: set[str] = set()
    return [pytest.param(each, id=str(each), marks=() if _first(each.rule, seen) else pytest.mark.long) for each in found]


def _first(name: str, seen: set[str]) -> bool:
    """Whether `name` has not been seen yet; it has from now on."""
    fresh = name not in seen
    seen.add(name)
    return fresh


@pytest.mark.slow
@pytest.mark.needs("ptrace")
@pytest.mark.parametrize("claim", claims())
def test_each_rule_can_fail(claim: Claim, keeper: Keeper) -> None:
    """With one expectation that asks for what the kernel does not do, the rule differs, at that line."""
    lines = claim.path.read_text().split("\n")
    falsified = re.sub(r"\s+within \S+$", "", lines[claim.line - 1].rstrip()) + " NEVER-SAID within 0.2s"
    lines[claim.line - 1] = falsified
    one = keeper.play(parse("\n".join(lines), str(claim.path)), until=claim.slug)
    row = row_of(claim.rule, [one])
    if row.verdict == "not here":
        pytest.skip(f"needs {row.shown[0].lacks[0].need}: {row.shown[0].lacks[0].reason}")
    # Steps behind this one were not played, so that only its own verdict counts.
    shown = next(each for each in row.shown if each.slug == claim.slug)
    assert shown.verdict == ("varies" if RULES[claim.rule].may_vary else "differs")
    assert one.failures[0].line == claim.line
    assert one.failures[0].asked == falsified.strip()
