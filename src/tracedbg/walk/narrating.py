"""Puts what a page tells and asks into the log, beside what the kernel did.

On the thread that plays.  It writes events only; what is shown, and when, is the business of whoever drives the player.
"""

from __future__ import annotations

from tracedbg.eventlog.log import EventLog
from tracedbg.model.events import (
    BlockLeftOut,
    ChoiceOffered,
    PredictionAnswered,
    PredictionAsked,
    PredictionRevealed,
    StepReached,
    TextTold,
)

from .document import Prediction, Rules, TraceeSource
from .moments import Answered, Asking, BlockSkipped, Explaining, Moment, Reading, StepBegins, StepEnds


class Narrator:
    """One play of one page.

    Args:
        log: of the session that plays it.
        title: of the page.
    """

    def __init__(self, log: EventLog, title: str) -> None:
        self._log, self._title = log, title
        self._asked: dict[int, int] = {}  # line of the question -> seq of its record
        self._rules: list[Rules] = []
        self._predicts = False
        # The page and the step that it has reached; replaced whole, read by any thread.
        self.reached: tuple[StepReached, ...] = ()

    def tells(self, moment: Moment) -> None:
        """Write what a moment of the play brings, before anything of it is shown or run."""
        if isinstance(moment, StepBegins):
            step = moment.step
            self._predicts = step is not None and any(isinstance(part, Prediction) for part in step.parts)
            here = StepReached(moment.number, step.slug if step else "", step.title if step else self._title)
            self.reached = (*self.reached[:1], here)
            self._log.publish(here)
        elif isinstance(moment, Reading):
            self._reading(moment)
        elif isinstance(moment, Asking):
            asked = moment.prediction
            choices = tuple(ChoiceOffered(choice.pattern, choice.reason) for choice in asked.choices)
            self._asked[asked.line] = self._log.publish(PredictionAsked(asked.question, choices))
        elif isinstance(moment, Answered):
            judged = moment.judged
            chosen = -1 if judged.guess is None else judged.guess
            self._log.publish(PredictionRevealed(judged.by, judged.right, chosen), of=self._asked.get(moment.prediction.line, 0))
        elif isinstance(moment, Explaining):
            self._log.publish(TextTold(moment.details.kind, moment.details.text, moment.details.summary))
        elif isinstance(moment, BlockSkipped):
            self._log.publish(BlockLeftOut(moment.lack.need, moment.lack.reason))
        elif isinstance(moment, StepEnds):
            self._tell_rules()

    def answered(self, prediction: Prediction, guess: int | None) -> None:
        """Write what was guessed."""
        self._log.publish(PredictionAnswered(-1 if guess is None else guess), of=self._asked.get(prediction.line, 0))

    def _reading(self, moment: Reading) -> None:
        part = moment.part
        if isinstance(part, TraceeSource):
            self._log.publish(TextTold("program", part.source, f"{part.name}.c"))
        elif not isinstance(part, Rules):
            self._log.publish(TextTold("prose", part.text))
        else:
            self._rules.append(part)
            # Before the prediction it would give the answer away.
            if not self._predicts:
                self._tell_rules()

    def _tell_rules(self) -> None:
        rules, self._rules = self._rules, []
        for rule in rules:
            self._log.publish(TextTold("rule", rule.text, ", ".join(rule.ids)))
