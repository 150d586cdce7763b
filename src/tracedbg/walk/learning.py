"""A lesson as somebody plays it: stops before each block and each question, shows what the page tells, keeps the progress.

`Lesson` belongs to the command thread, except where `tracedbg.session.lesson` says any; it writes to its stage only and never waits for
a key: it plays on to the next pause and returns to the prompt.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from tracedbg.commands.runner import Runner
from tracedbg.commands.table import all_commands
from tracedbg.model.errors import BadArgument, NotFound, NotNow
from tracedbg.model.text import Shown
from tracedbg.render.markdown import markdown_lines
from tracedbg.session.lesson import Pieces, Stage
from tracedbg.session.session import Session

from . import learning_text as text
from .document import Block, Details, Document, Prediction, Rules, Step
from .learning_progress import Mark, digest_to
from .moments import (
    Answered,
    Asking,
    BlockDone,
    BlockReady,
    BlockSkipped,
    Explaining,
    Lack,
    LineDone,
    Moment,
    Reading,
    StepBegins,
    StepEnds,
)
from .player import Player, Playing

_DOUBLE_S = 0.3
"""Seconds within which a second Enter is taken for the first one."""


class Lesson:
    """One page in one session.

    Args:
        document: the page; its programs are in the working directory.
        session: on a bare bench.
        stage: where it is shown.
        lacks: what is missing here.
        mark: how far it was played before.
        first: number of the step to stop at first, from 1 on; those before it are played without pauses, unseen.
        note: keeps a new mark.
        coda: Markdown for the end.
        alone: nobody is asked anything: no choices to number, no word about keys.
        player: gives the moments instead of one that runs the page in the session.
    """

    def __init__(
        self,
        document: Document,
        session: Session,
        stage: Stage,
        lacks: Mapping[str, Lack],
        *,
        mark: Mark,
        first: int,
        note: Callable[[Mark], None],
        coda: str,
        alone: bool = False,
        player: Playing | None = None,
    ) -> None:
        # Set once.
        self._document, self._session, self._stage = document, session, stage
        self._first, self._note, self._coda, self._alone = first, note, coda, alone
        self._player = player or Player(document, session, Runner(session, all_commands(), stage.columns), lacks)
        self._play = self._player.play()
        # The command thread.
        self._mark = mark
        self._former = mark.guesses
        self._guessed: list[int | None] = []
        self._step: Step | None = None
        self._asked: list[Prediction] = []
        self._order: list[int] = []
        self._previewed: Block | None = None
        self._read: list[Pieces] = []
        self._unread = 0
        self._rules: list[Rules] = []
        self._hints: list[Details] = []
        self._more: list[Details] = []
        # Replaced whole; read on any thread.
        self._held: Moment | None = None
        self._number = 0
        self._playing = False
        self._over = False
        self._pauses_made = 0
        self._turned = (-1, 0.0)
        self._words = 0

    # --- session.lesson.Lesson ------------------------------------------------------------------------------------------------
    @property
    def over(self) -> bool:
        """It has come to its end, or something failed."""
        return self._over

    @property
    def failed(self) -> bool:
        """Something went another way than the page says."""
        return self._player.failed

    @property
    def words(self) -> int:
        """How many words were shown since the last pause."""
        return self._words

    @property
    def where(self) -> str:
        """The step, and what Enter does next."""
        if self._over:
            return "the lesson is over"
        step = f"{self._number}/{len(self._document.steps)}" if self._number else self._document.title
        return f"{step}, {'it plays' if self._playing else text.enter(self._held, len(self._order))}"

    @property
    def prompt(self) -> str:
        """What stands before the line while a question waits."""
        asking = isinstance(self._held, Asking) and not self._playing
        return f"your guess, 1-{len(self._order)}> " if asking else ""

    def meaning(self, line: str) -> str | None:
        """The command that a typed line stands for."""
        word = line.strip()
        if self._over:
            return line
        if not word:
            # Pressed twice before the first one has been served, Enter would turn two pages.
            now, (pauses, at) = time.monotonic(), self._turned
            if self._playing or (pauses == self._pauses_made and now - at < _DOUBLE_S):
                return None
            self._turned = (self._pauses_made, now)
            return "lesson next"
        if isinstance(self._held, Asking) and word.isdecimal():
            return f"lesson guess {word}"
        if isinstance(self._held, Explaining) and word.lower() in ("why", "why?"):
            return "lesson next"
        return line

    def go_on(self) -> None:
        """Play up to the next place where the learner decides."""
        self._on(None)

    def guess(self, number: int) -> None:
        """Answer the prediction that is being asked."""
        if not isinstance(self._held, Asking):
            raise NotNow("no question waits for an answer", "lesson says what Enter does next")
        if not 1 <= number <= len(self._order):
            raise BadArgument(f"there is no choice {number}", f"type a number from 1 to {len(self._order)}, or Enter alone to skip")
        self._on(self._order[number - 1])

    def again(self) -> None:
        """Show once more what was to be read since the step began."""
        for line in list(self._read):
            self._stage.tell(line)

    def hint(self) -> Sequence[Shown]:
        """The next hint of this step."""
        if not self._hints:
            raise NotFound("there is no further hint for this step", "lesson again shows its text once more")
        return self._plain(self._hints.pop(0))

    def more(self) -> Sequence[Shown]:
        """What else the page tells about what was just played."""
        if not self._more:
            raise NotFound("there is nothing more to tell here", "lesson again shows the step's text once more")
        return self._plain(self._more.pop(0))

    def _plain(self, details: Details) -> list[Shown]:
        lines = markdown_lines(f"**{details.summary}**\n\n{details.text}", self._stage.columns(), colour=False)
        return [Shown("".join(piece for _, piece in line)) for line in lines]

    # --- playing --------------------------------------------------------------------------------------------------------------
    @property
    def _replaying(self) -> bool:
        return self._first > 1 and self._number < self._first

    def _on(self, guess: int | None) -> None:
        if self._over:
            raise NotNow("the lesson is over", "the prompt is yours; quit leaves")
        self._playing, self._words = True, 0
        try:
            self._run(guess)
        finally:
            self._pauses_made += 1
            self._playing = False
        # Last of all: whoever reads it may press Enter at once.
        if self._held is not None:
            self._tell_how(self._held)

    def _run(self, guess: int | None) -> None:
        held, self._held = self._held, None
        if isinstance(held, Asking):
            self._guessed.append(guess)
        elif held is not None:
            self._show(held)
        while True:
            try:
                # The first moment of a generator is asked for by None; a guess answers `Asking` only.
                moment = self._play.send(guess if isinstance(held, Asking) else None)
            except StopIteration:
                self._finish()
                return
            held = None
            if self._takes(moment):
                self._held = moment
                return
            if isinstance(moment, Asking):  # a replayed question
                held, guess = moment, self._former_guess()
                self._guessed.append(guess)

    def _former_guess(self) -> int | None:
        former = self._former.get(self._step.slug, ()) if self._step is not None else ()
        return former[len(self._guessed)] if len(self._guessed) < len(former) else None

    def _takes(self, moment: Moment) -> bool:
        """Take note of a moment and show it; True to pause before that."""
        if isinstance(moment, StepBegins):
            if moment.number < self._first and self._first > 1:
                self._begin(moment)
                return False
            if moment.number == self._first > 1:
                self._stage.mute(False)
                self._unread = 0
            pause = self._unread > 0
        elif isinstance(moment, LineDone) and moment.failure is not None:
            self._stage.mute(False)
            self._tell(text.failure(self._document, self._step, moment.failure, replayed=self._replaying))
            return False
        elif isinstance(moment, StepEnds):
            self._rules_at_last()
            self._noted(moment.step)
            return False
        elif self._replaying:
            return False
        else:
            pause = self._pauses(moment)
        if isinstance(moment, Asking):
            self._ask(moment.prediction)
        elif not pause:
            self._show(moment)
            return False
        return True

    def _pauses(self, moment: Moment) -> bool:
        if isinstance(moment, BlockReady):
            asked, self._asked = self._asked, []
            if self._previewed is moment.block and asked:
                return False
            self._preview(moment.block)
            return True
        return isinstance(moment, Asking) or (isinstance(moment, Explaining) and moment.details.kind == "why")

    def _begin(self, moment: StepBegins) -> None:
        self._step, self._number = moment.step, moment.number
        self._guessed, self._asked, self._more, self._rules = [], [], [], []
        self._hints = (
            [] if moment.step is None else [part for part in moment.step.parts if isinstance(part, Details) and part.kind == "hint"]
        )
        if moment.number == 0 and self._first > 1:
            self._readable(text.heading(self._document, moment, self._stage.columns()))
            self._tell(text.replaying(self._document, self._first))
            self._stage.mute(True)

    def _show(self, moment: Moment) -> None:
        """Show what a moment brings; blocks show themselves through the log."""
        columns, colour = self._stage.columns(), self._stage.colour
        if isinstance(moment, StepBegins):
            self._begin(moment)
            self._read = []
            self._readable(text.heading(self._document, moment, columns))
        elif isinstance(moment, Reading):
            if isinstance(moment.part, Rules) and self._predicts:
                self._rules.append(moment.part)  # before the prediction it would give the answer away
                return
            self._readable(text.reading(moment.part, columns, colour=colour))
        elif isinstance(moment, LineDone):
            if moment.seen is not None:
                self._tell([text.met(moment.seen)])
        elif isinstance(moment, BlockDone):
            self._tell([()])
        elif isinstance(moment, BlockSkipped):
            self._readable([*text.skipped(moment), ()])
        elif isinstance(moment, Answered):
            choices = moment.prediction.choices
            guess = choices[moment.judged.guess] if moment.judged.guess is not None else None
            self._tell(text.answered(moment, guess, columns, colour=colour))
        elif isinstance(moment, Explaining):
            if moment.details.kind == "why":
                self._readable(text.explanation(moment.details, columns, colour=colour))
            elif moment.details.kind == "more":
                self._more.append(moment.details)
                if not self._alone:
                    self._tell(text.offer_more(moment.details))

    @property
    def _predicts(self) -> bool:
        return self._step is not None and any(isinstance(part, Prediction) for part in self._step.parts)

    def _rules_at_last(self) -> None:
        """The rules that a step has shown, after its explanations."""
        rules, self._rules = self._rules, []
        for rule in rules:
            self._readable(text.reading(rule, self._stage.columns(), colour=self._stage.colour))

    # --- questions and pauses -------------------------------------------------------------------------------------------------
    def _ask(self, prediction: Prediction) -> None:
        order = list(range(len(prediction.choices)))
        if not self._alone:
            random.shuffle(order)
        self._order = order
        self._asked.append(prediction)
        columns, colour = self._stage.columns(), self._stage.colour
        self._readable(text.question(prediction, order, columns, colour=colour))
        block = self._next_block(prediction)
        if block is not None and self._previewed is not block:
            self._preview(block)

    def _next_block(self, prediction: Prediction) -> Block | None:
        if self._step is None:
            return None
        return self._step.block_after(self._step.parts.index(prediction))

    def _preview(self, block: Block) -> None:
        if self._previewed is not block and not self._alone:
            self._readable(text.preview(block))
        self._previewed = block

    def _tell_how(self, moment: Moment) -> None:
        self._unread = 0
        if not self._alone:
            has_hint = bool(self._hints) and isinstance(moment, (Asking, BlockReady))
            self._stage.tell(text.how(moment, self._document, len(self._order), hint=has_hint))

    def _readable(self, lines: Iterable[Pieces]) -> None:
        """What belongs to the text of the page: kept for `lesson again`."""
        kept = list(lines)
        self._read += kept
        self._tell(kept)

    def _tell(self, lines: Iterable[Pieces]) -> None:
        for line in lines:
            self._unread += 1
            self._words += sum(len(piece.split()) for _, piece in line)
            self._stage.tell(line)

    # --- progress -------------------------------------------------------------------------------------------------------------
    def _noted(self, step: Step) -> None:
        if self._player.failed or self._alone:
            return
        guesses = {**self._mark.guesses, step.slug: tuple(self._guessed)}
        slugs = [each.slug for each in self._document.steps]
        last = step.slug
        if self._mark.step in slugs and slugs.index(self._mark.step) > slugs.index(last):
            last = self._mark.step  # an earlier step was asked for
        self._mark = Mark(last, digest_to(self._document, last), guesses, self._mark.done)
        self._note(self._mark)

    def _finish(self) -> None:
        self._over = True
        self._stage.mute(False)
        if self._player.failed:
            self._tell(text.cannot_go_on(self._document, self._step))
            return
        if not self._alone:
            self._mark = Mark(self._mark.step, self._mark.digest, self._mark.guesses, done=True)
            self._note(self._mark)
        self._tell(text.the_end(self._document, self._coda, self._stage.columns(), colour=self._stage.colour))
