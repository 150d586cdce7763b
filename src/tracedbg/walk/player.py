"""The engine: plays a walkthrough in a session, one moment after the other.

Whatever thread asks for the next moment runs the lines of the page, so it is a command thread.  The player asks no questions itself,
waits for nobody and writes nothing: that is the work of the front end that drives it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator, Mapping
from typing import Protocol

from tracedbg.commands.expecting import ExpectationFailed, Met
from tracedbg.commands.runner import Runner
from tracedbg.model.errors import TracedbgError
from tracedbg.model.text import visible
from tracedbg.render.patterns import Pattern
from tracedbg.session.session import Session

from .document import Block, BlockLine, Details, Document, Part, Prediction, Step
from .moments import (
    Answered,
    Asking,
    BlockDone,
    BlockReady,
    BlockSkipped,
    Explaining,
    Failure,
    Judged,
    Lack,
    LineBegins,
    LineDone,
    Moment,
    Outcome,
    Reading,
    Seen,
    StepBegins,
    StepEnds,
    StepResult,
)
from .narrating import Narrator

Play = Generator[Moment, int | None, None]
"""Moments come out, answers to `Asking` go in."""


class Playing(Protocol):
    """What a front end needs of whatever plays a page."""

    @property
    def failed(self) -> bool:
        """Something has failed."""

    def play(self) -> Play:
        """From the beginning to the end."""


class Player:
    """Plays one page.

    Args:
        document: the page; its programs have been compiled, into the working directory.
        session: on a bare bench.
        runner: of that session.
        lacks: capabilities that are missing here, by name.
        go_on: play on after something failed, as a report on rules does; otherwise the first failure ends the play.
        until: slug of the last step to play; empty for all.
    """

    def __init__(
        self,
        document: Document,
        session: Session,
        runner: Runner,
        lacks: Mapping[str, Lack],
        *,
        go_on: bool = False,
        until: str = "",
    ) -> None:
        # Set once.
        self.document = document
        self._session, self._runner, self._lacks = session, runner, lacks
        self._go_on, self._until = go_on, until
        # The thread that plays.
        self.results: list[StepResult] = []
        self._failed_at = 0
        self._step = _Record()
        # Any thread; written once.
        self._why_ended = ""

    @property
    def failed(self) -> bool:
        """Something has failed."""
        return bool(self._failed_at)

    def end(self, why: str) -> None:
        """End the play, out of a wait too; the line that runs fails with `why`.  Any thread but the one that plays."""
        self._why_ended = why
        self._session.abandon()

    def play(self) -> Play:
        """Play from the beginning to the end.

        Closing the generator (or dropping it) ends the play where it stands; the session is left as it is then.
        """
        narrator = Narrator(self._session.log, self.document.title)
        self._session.recorder.reached = lambda: narrator.reached
        with contextlib.closing(self._moments()) as moments:
            guess: int | None = None
            while True:
                try:
                    moment = moments.send(guess)
                except StopIteration:
                    return
                narrator.tells(moment)
                guess = yield moment
                if isinstance(moment, Asking):
                    narrator.answered(moment.prediction, guess)

    def _moments(self) -> Play:
        yield StepBegins(None, 0)
        for part in self.document.intro:
            yield from self._part(None, 0, part)
        for number, step in enumerate(self.document.steps, 1):
            yield from self._play_step(step, number)
            if (self.failed and not self._go_on) or self._why_ended or step.slug == self._until:
                return

    def _play_step(self, step: Step, number: int) -> Play:
        self._step = _Record()
        yield StepBegins(step, number)
        for place, part in enumerate(step.parts):
            yield from self._part(step, place, part)
            if self._step.failures and (not self._go_on or self._why_ended):
                break
        if step.blocks:
            self.results.append(self._step.result(step))
            yield StepEnds(step, self.results[-1])

    def _part(self, step: Step | None, place: int, part: Part) -> Play:
        if isinstance(part, Block):
            yield from self._block(part)
        elif isinstance(part, Prediction):
            block = step.block_after(place) if step is not None else None
            if block is not None and self._lack_of(block) is None:
                self._step.asked.append((part, (yield Asking(part))))
        elif isinstance(part, Details):
            yield Explaining(part)
        else:
            yield Reading(part)

    # --- blocks ---------------------------------------------------------------------------------------------------------------
    def _lack_of(self, block: Block) -> Lack | None:
        return next((self._lacks[need] for need in block.needs if need in self._lacks), None)

    def _block(self, block: Block) -> Play:
        lack = self._lack_of(block)
        if lack is not None:
            lack = Lack(lack.need, lack.reason, lack.remedy, block.line)
            self._step.lacks.append(lack)
            yield BlockSkipped(block, lack)
            return
        yield BlockReady(block)
        asked, self._step.asked = self._step.asked, []
        failures = len(self._step.failures)
        judged: list[tuple[Prediction, Judged]] = []
        self._session.open_block()
        began = time.monotonic()
        try:
            for line in block.lines:
                yield LineBegins(line)
                seen, failure = self._run(line)
                yield LineDone(line, seen, failure)
                if seen is not None and line is block.judge:
                    judged = list(self._judge(asked, seen))
                if failure is not None and (not self._go_on or self._why_ended):
                    break
        finally:
            self._session.close_block()
            self._step.seconds += time.monotonic() - began
        for prediction, verdict in judged:
            yield Answered(prediction, verdict)
        yield BlockDone(block, len(self._step.failures) == failures)

    def _run(self, line: BlockLine) -> tuple[Seen | None, Failure | None]:
        ok = self._runner.run_line(line.text, "walkthrough")
        if self._why_ended:
            return None, self._fail(line.line, line.text, (f"  {self._why_ended}",))
        if not ok:
            assert self._session.last_error is not None, "a line that failed has its error"
            return None, self._fail(line.line, line.text, told(self._session.last_error[1]))
        answer = self._runner.answer
        if not isinstance(answer, Met):
            return None, None
        seen = Seen(line.line, line.text.strip(), answer.lane, answer.text, answer.captured, answer.seq)
        self._step.seen.append(seen)
        return seen, None

    def _fail(self, line: int, asked: str, lines: tuple[str, ...]) -> Failure:
        failure = Failure(line, str(visible(asked.strip())), lines, self._failed_at)
        self._failed_at = self._failed_at or line
        self._step.failures.append(failure)
        return failure

    # --- predictions ----------------------------------------------------------------------------------------------------------
    def _judge(self, asked: list[tuple[Prediction, int | None]], seen: Seen) -> Iterator[tuple[Prediction, Judged]]:
        """Which choice the event that was just matched makes right."""
        for prediction, guess in asked:
            right = [number for number, choice in enumerate(prediction.choices) if choice.pattern and self._fits(choice.pattern, seen)]
            verdict = Judged(prediction.line, seen.lane, seen.text, right[0] if len(right) == 1 else -1, guess, seen.seq)
            if prediction.judged and len(right) != 1:
                self._fail(prediction.line, "**Predict:**", _undecided(prediction, right, seen))
            else:
                self._step.judged.append(verdict)
                yield prediction, verdict

    def _fits(self, pattern: str, seen: Seen) -> bool:
        try:
            return Pattern.of_words(pattern).match(seen.lane, seen.text, self._session.variables) is not None
        except TracedbgError:  # a variable that is not set yet: the choice cannot be what happened
            return False


def told(error: TracedbgError) -> tuple[str, ...]:
    """An error in lines for a failure: what an expectation saw instead, or the error itself."""
    if isinstance(error, ExpectationFailed):
        return tuple(str(line) for line in error.details)
    return (f"  {error}",)


def _undecided(prediction: Prediction, right: list[int], seen: Seen) -> tuple[str, ...]:
    """What to say when the event fits none of the choices, or several."""
    what = f"{len(right)} choices match" if right else "no choice matches"
    lines = [f"  {what} the event that decides:", f"    {visible(f'{seen.lane}  {seen.text}')}", "  choices:"]
    for number, choice in enumerate(prediction.choices):
        mark = "  (matches)" if number in right else ""
        lines.append(f"    {visible(choice.pattern or '(no pattern)')}{mark}")
    return tuple(lines)


class _Record:
    """What has happened in the step that is being played."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.failures: list[Failure] = []
        self.lacks: list[Lack] = []
        self.judged: list[Judged] = []
        self.asked: list[tuple[Prediction, int | None]] = []
        self.seconds = 0.0

    def result(self, step: Step) -> StepResult:
        outcome: Outcome = "failed" if self.failures else "skipped" if self.lacks else "passed"
        return StepResult(
            step.slug,
            step.line,
            step.rules,
            outcome,
            tuple(self.seen),
            tuple(self.failures),
            tuple(self.lacks),
            tuple(self.judged),
            self.seconds,
        )
