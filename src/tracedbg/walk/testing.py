"""`tracedbg test` and `tracedbg lint`: pages as tests, without questions or pauses.

Main thread of a process that holds no tracer; pages play on threads beside it, each in a process of its own.  Writes to the stream
that it is given, results in the order of the command line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TextIO, TypeVar

from tracedbg.model.errors import NotFound
from tracedbg.model.text import visible

from .document import Document, WrongFile
from .keeper import Keeper, Played
from .moments import Failure, Lack, StepResult
from .reading import read

PASSED, FAILED, WRONG = 0, 1, 2
"""Exit statuses: all passed or skipped; something failed; a file is no walkthrough."""

_NAME = re.compile(r"\d\d-[a-z0-9]+(?:-[a-z0-9]+)*\.md")

T = TypeVar("T")
R = TypeVar("R")


def read_all(paths: Sequence[str], out: TextIO) -> list[Document] | None:
    """Read every file; None if one of them is wrong, after saying so for each of those."""
    documents, wrong = [], False
    for path in paths:
        try:
            documents.append(read(path))
        except WrongFile as error:
            wrong = True
            out.writelines(f"{line}\n" for line in error.lines)
    return None if wrong else documents


def lint(paths: Sequence[str], out: TextIO) -> int:
    """Read files and say what is wrong with them; the exit status."""
    documents = read_all(paths, out)
    misnamed = [path for path in paths if not _NAME.fullmatch(Path(path).name)]
    out.writelines(f"{visible(path)}:0:0: this is no name for a walkthrough; call it NN-short-name.md\n" for path in misnamed)
    if documents is None or misnamed:
        return WRONG
    for document in documents:
        blocks = sum(len(step.blocks) for step in document.steps)
        out.write(f"{visible(document.path)}: {len(document.steps)} steps, {blocks} blocks\n")
    return PASSED


def at_once() -> int:
    """How many pages play at the same time: one for each processor that we may use."""
    return max(len(os.sched_getaffinity(0)), 1)


def side_by_side(keeper: Keeper, work: Callable[[T], R], items: Sequence[T], done: Callable[[T, R], None]) -> None:
    """Do `work` for each item on threads; `done` is called here, in the order of the items."""
    pool = ThreadPoolExecutor(at_once(), thread_name_prefix="play")
    try:
        futures: list[Future[R]] = [pool.submit(work, item) for item in items]
        for item, future in zip(items, futures, strict=True):
            done(item, future.result())
    finally:
        # After Ctrl-C too: what plays is ended, what has not begun does not begin.
        keeper.cancel()
        pool.shutdown(wait=True, cancel_futures=True)


class Count:
    """Passed, failed, skipped, as the last line of a run says it.

    Args:
        strict: a skip is a failure.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict
        self.passed = self.failed = self.skipped = 0

    def add(self, outcome: str, times: int = 1) -> None:
        """Count outcomes."""
        if outcome == "passed":
            self.passed += times
        elif outcome == "failed" or self._strict:
            self.failed += times
        else:
            self.skipped += times

    @property
    def line(self) -> str:
        """The last line."""
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def run_tests(
    paths: Sequence[str], out: TextIO, *, without: Sequence[str] = (), strict: bool = False, step: str = "", go_on: bool = False
) -> int:
    """Play files as tests; the exit status.

    Args:
        paths: of the files.
        out: takes the report.
        without: capabilities that are taken for missing.
        strict: a skip is a failure, for machines that should have everything.
        step: report this step only (those before it are played all the same, since it stands on them).
        go_on: play on after a failure.

    Raises:
        BadArgument: `without` names no capability.
        NotFound: no file has that step.
    """
    documents = read_all(paths, out)
    if documents is None:
        return WRONG
    if step:
        documents = [document for document in documents if document.step(step) is not None]
        if not documents:
            raise NotFound(f"there is no step '{step}'", "a step's name is its heading in lower case, with dashes")
    count = Count(strict=strict)
    with Keeper(tuple(without)) as keeper:

        def play(document: Document) -> Played:
            return keeper.play(document, go_on=go_on, until=step)

        def tell(_document: Document, played: Played) -> None:
            _report(played, out, count, step)
            out.flush()

        side_by_side(keeper, play, documents, tell)
    out.write(count.line + "\n")
    return FAILED if count.failed else PASSED


def _report(played: Played, out: TextIO, count: Count, only: str) -> None:
    """Say how one page went."""
    document = played.document
    path = visible(document.path)
    if played.lacks:
        steps = [step for step in document.steps if step.blocks and only in ("", step.slug)]
        count.add("skipped", len(steps))
        out.write(f"{path}: skipped\n")
        out.writelines(f"  {line}\n" for line in map(lack_line, played.lacks))
        return
    shown = [result for result in played.steps if only in ("", result.slug) or result.outcome == "failed"]
    out.write(f"{path}: {_summary(shown)}, {played.seconds:.1f} s\n")
    for result in shown:
        count.add(result.outcome)
        out.writelines(f"  {path}:{lack.line}: skipped; {lack_line(lack)}\n" for lack in result.lacks)
        for failure in result.failures:
            out.writelines(f"{line}\n" for line in failure_lines(document.path, failure))
    if played.not_run:
        out.write(f"  not run after the failure: {', '.join(map(visible, played.not_run))}\n")
    if played.left:
        out.write(f"  {played.left} process{'es' * (played.left > 1)} left behind, ended now\n")


def _summary(results: Sequence[StepResult]) -> str:
    parts = [(sum(result.outcome == outcome for result in results), outcome) for outcome in ("passed", "failed", "skipped")]
    return ", ".join(f"{number} {outcome}" for number, outcome in parts if number) or "nothing to run"


def lack_line(lack: Lack) -> str:
    """A missing capability in one line."""
    return str(visible(f"needs {lack.need}: {lack.reason}" + (f"; {lack.remedy}" if lack.remedy else "")))


def failure_lines(path: str, failure: Failure) -> list[str]:
    """A failure as it is shown: its place and line, then what was seen instead."""
    after = f"  (after the failure in line {failure.after})" if failure.after else ""
    return [f"{visible(path)}:{failure.line}: {failure.asked}{after}", *failure.told]
