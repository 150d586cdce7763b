"""`tracedbg litmus`: play a page many times and put what it promises beside what was seen.

Main thread of a process that holds no tracer.  What the kernel does not promise comes out differently from run to run; this counts how.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TextIO

from tracedbg.model.errors import NotFound
from tracedbg.model.text import visible

from .checking import host
from .document import BlockLine, Document, Prediction, Rules, Step
from .keeper import Keeper, Played
from .moments import StepResult
from .testing import FAILED, PASSED, failure_lines, lack_line, side_by_side

RUNS = 20
"""How often, unless told."""
_DISTINCT = 8
"""A captured name with more different values than this is a number of its run, not an outcome."""
_NUMBER = re.compile(r"-?\d+|0x[0-9a-f]+")


def litmus(document: Document, slug: str, runs: int, out: TextIO) -> int:
    """Play and count; the exit status.

    Args:
        document: the page.
        slug: of the only step to report; empty for all.
        runs: how often.
        out: takes the report.

    Raises:
        NotFound: there is no such step.
    """
    if slug and document.step(slug) is None:
        names = ", ".join(step.slug for step in document.steps)
        raise NotFound(f"there is no step '{slug}' in {document.path}", f"steps are {names}")
    played: list[Played] = []
    with Keeper() as keeper:

        def work(_number: int) -> Played:
            return keeper.play(document, go_on=True, until=slug)

        side_by_side(keeper, work, range(runs), lambda _number, one: played.append(one))
    lacks = next((one.lacks for one in played if one.lacks), ())
    if lacks:
        out.write(f"{visible(document.path)}: skipped\n")
        out.writelines(f"  {lack_line(lack)}\n" for lack in lacks)
        return PASSED
    out.write(f"{visible(document.path)}: {runs} runs on {host().text}\n")
    for step in document.steps:
        if step.blocks and slug in ("", step.slug):
            results = [result for one in played for result in one.steps if result.slug == step.slug]
            out.writelines(f"{line}\n" for line in step_lines(document, step, results, runs))
    outside = [failure for one in played for result in one.steps if not result.slug for failure in result.failures]
    out.writelines(f"{line}\n" for failure in outside[:1] for line in failure_lines(document.path, failure))
    return FAILED if any(one.failures for one in played) else PASSED


def step_lines(document: Document, step: Step, results: Sequence[StepResult], runs: int) -> Iterator[str]:
    """What one step promises beside what its runs have shown (pure)."""
    yield ""
    yield f"## {visible(step.title)}"
    rules = [part for part in step.parts if isinstance(part, Rules)]
    yield from (f"  promised by {', '.join(rule.ids)}: {visible(rule.statement)}" for rule in rules)
    yield "  expected, and how often it was met:"
    for line in (line for block in step.blocks for line in block.lines if line.asserts):
        yield f"    {_met(line, results):>{len(str(runs))}} of {runs}  {visible(line.text.strip())}"
    yield from _captured(results)
    for prediction in (part for part in step.parts if isinstance(part, Prediction)):
        yield from _predicted(prediction, results)
    lacks = list(dict.fromkeys(lack for result in results for lack in result.lacks))
    yield from (f"  skipped in line {lack.line}: {lack_line(lack)}" for lack in lacks)
    failures = [failure for result in results for failure in result.failures]
    if failures:
        yield f"  failed in {sum(bool(result.failures) for result in results)} runs; the first time so:"
        yield from (f"    {line}" for line in failure_lines(document.path, failures[0]))


def _met(line: BlockLine, results: Sequence[StepResult]) -> int:
    return sum(seen.line == line.line for result in results for seen in result.seen)


def _captured(results: Sequence[StepResult]) -> Iterator[str]:
    """Names that were captured: an outcome that is not promised shows as a distribution."""
    counts: dict[str, Counter[str]] = {}
    for result in results:
        for name, value in (pair for seen in result.seen for pair in seen.captured):
            counts.setdefault(name, Counter())[value] += 1
    if counts:
        yield "  captured, since it is not promised:"
    for name, values in counts.items():
        if len(values) > _DISTINCT or (len(values) > 1 and all(_NUMBER.fullmatch(value) for value in values)):
            yield f"    ${name}: {len(values)} different values, such as {visible(next(iter(values)))}"
        else:
            yield f"    ${name}: {', '.join(f'{visible(value)} {count}' for value, count in values.most_common())}"


def _predicted(prediction: Prediction, results: Sequence[StepResult]) -> Iterator[str]:
    """Which choice of a question was right how often."""
    judged = [verdict for result in results for verdict in result.judged if verdict.line == prediction.line]
    yield f"  predicted in line {prediction.line}: {visible(' '.join(prediction.question.split()))}"
    if not prediction.judged:
        lanes = Counter(verdict.lane for verdict in judged)
        yield f"    for thinking; the event came from {', '.join(f'{visible(lane)} {count}' for lane, count in lanes.most_common())}"
        return
    for number, choice in enumerate(prediction.choices):
        yield f"    {sum(verdict.right == number for verdict in judged):>4}  {visible(choice.pattern or choice.reason)}"
