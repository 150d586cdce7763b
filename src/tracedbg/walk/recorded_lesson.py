"""A recorded lesson behind the protocol of a lesson: pauses, questions asked anew, explanations, all as live and labelled as a recording.

`RecordedLesson` belongs to the command thread, as `learning.Lesson` does.  It runs nothing: what a block made happen is shown as it was.
"""

from __future__ import annotations

from tracedbg.model.text import visible
from tracedbg.session.lesson import Stage
from tracedbg.session.session import Session

from . import learning_text as text
from .document import Block, Details, Part, Prediction, Step
from .learning import Lesson
from .learning_progress import Mark
from .moments import Answered, Asking, BlockDone, BlockReady, BlockSkipped, Explaining, Moment, Reading, StepBegins, StepEnds, StepResult
from .player import Play
from .recorded import RecordedPage, Run, drawn


class RecordedPlayer:
    """Plays a recorded page: the moments of `Player`, with a block's log shown where it ran.

    Args:
        page: the recording.
        stage: takes the log of each block.
        first: number of the step to begin with; nothing of those before it is needed.
    """

    def __init__(self, page: RecordedPage, stage: Stage, first: int = 1) -> None:
        self._page, self._stage, self._first = page, stage, first
        self._asked: list[tuple[Prediction, int | None]] = []

    @property
    def failed(self) -> bool:
        """It cannot fail."""
        return False

    def play(self) -> Play:
        """From the first step that was asked for to the end."""
        if self._first == 1:
            yield StepBegins(None, 0)
            for part in self._page.document.intro:
                yield from self._part(None, 0, part)
        for number, step in list(enumerate(self._page.document.steps, 1))[self._first - 1 :]:
            self._asked = []
            yield StepBegins(step, number)
            for place, part in enumerate(step.parts):
                yield from self._part(step, place, part)
            yield StepEnds(step, StepResult(step.slug, step.line, step.rules, "passed"))

    def _part(self, step: Step | None, place: int, part: Part) -> Play:
        if isinstance(part, Block):
            yield from self._block(part, self._page.runs[part.line])
        elif isinstance(part, Prediction):
            block = step.block_after(place) if step is not None else None
            # A question whose block is not in the recording would never be answered.
            if block is not None and part.line in self._page.runs[block.line].judged:
                self._asked.append((part, (yield Asking(part))))
        elif isinstance(part, Details):
            yield Explaining(part)
        else:
            yield Reading(part)

    def _block(self, block: Block, run: Run) -> Play:
        if run.lack is not None:
            yield BlockSkipped(block, run.lack)
            return
        yield BlockReady(block)
        asked, self._asked = self._asked, []
        for line in drawn(run.items, self._page.roles):
            self._stage.tell(line)
        for prediction, guess in asked:
            judged = run.judged[prediction.line]
            yield Answered(prediction, type(judged)(judged.line, judged.lane, judged.text, judged.right, guess, judged.by))
        yield BlockDone(block, True)


class RecordedLesson(Lesson):
    """A recording in one session.

    Args:
        page: the recording.
        session: whose prompt it is played at; nothing of it is used.
        stage: where it is shown.
        first: number of the step to begin with, from 1 on.
        coda: Markdown for the end.
        alone: nobody is asked anything.
    """

    def __init__(self, page: RecordedPage, session: Session, stage: Stage, *, first: int, coda: str, alone: bool) -> None:
        super().__init__(
            page.document,
            session,
            stage,
            {},
            mark=Mark(),
            first=1,
            note=lambda _mark: None,
            coda=coda,
            alone=alone,
            player=RecordedPlayer(page, stage, first),
        )
        self._label = page.label

    @property
    def where(self) -> str:
        """The step, and what Enter does next; first of all that it is a recording."""
        return f"{self._label}: {super().where}"

    def _show(self, moment: Moment) -> None:
        super()._show(moment)
        # Each screenful says what it is: a step's heading and each block have the label right below.
        if isinstance(moment, StepBegins | BlockReady):
            self._stage.tell(text.line(("warn", visible(f"[{self._label}: nothing of this runs now]"))))
            self._stage.tell(())
