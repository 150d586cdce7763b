"""What a player tells whoever drives it, and what it reports at the end of each step.

Pure values, any thread.  A front end (learn, test, record) is a loop over `Player.play`: it gets one `Moment` after the other, each before
or after the thing it names, and may take as long as it likes before it asks for the next.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from .document import Block, BlockLine, Details, Prediction, Prose, Rules, Step, TraceeSource

Outcome = Literal["passed", "failed", "skipped"]


# --- results ------------------------------------------------------------------------------------------------------------------
class Seen(msgspec.Struct, frozen=True):
    """An expectation that was met, and by what.

    Args:
        line: of the expectation in its file.
        asked: the expectation.
        lane: of the event; empty for `expect not`, which nothing met.
        text: the event's canonical line, or that nothing came.
        captured: the variables that it set.
        seq: of the event's record in the log, 0 for `expect not`.
    """

    line: int
    asked: str
    lane: str
    text: str
    captured: tuple[tuple[str, str], ...] = ()
    seq: int = 0


class Failure(msgspec.Struct, frozen=True):
    """Something that went another way than the page says.

    Args:
        line: in its file.
        asked: the line of the page.
        told: what was seen instead, in lines to be shown below `asked`; safe to show.
        after: line of the failure before it in the same run, which may be its cause; 0 for the first.
    """

    line: int
    asked: str
    told: tuple[str, ...]
    after: int = 0


class Lack(msgspec.Struct, frozen=True):
    """A capability that this machine does not have.

    Args:
        need: its name.
        reason: what was found.
        remedy: what to do about it.
        line: of the block that is skipped for it, 0 for the whole file.
    """

    need: str
    reason: str
    remedy: str
    line: int = 0


class Judged(msgspec.Struct, frozen=True):
    """How a prediction came out.

    Args:
        line: of the question.
        lane: of the event that decided.
        text: its canonical line.
        right: number of the choice that matched, from 0 on; -1 for a question that is for thinking only.
        guess: number of the choice that was made, None if none was.
        by: seq of that event's record in the log.
    """

    line: int
    lane: str
    text: str
    right: int
    guess: int | None = None
    by: int = 0


class StepResult(msgspec.Struct, frozen=True):
    """How a step went.

    Args:
        slug: of the step.
        line: of its heading.
        rules: that it shows.
        outcome: skipped when a block was, and nothing failed.
        seen: the expectations that were met.
        failures: usually one at most.
        lacks: why blocks were skipped.
        judged: its predictions.
        seconds: how long its blocks took.
    """

    slug: str
    line: int
    rules: tuple[str, ...]
    outcome: Outcome
    seen: tuple[Seen, ...] = ()
    failures: tuple[Failure, ...] = ()
    lacks: tuple[Lack, ...] = ()
    judged: tuple[Judged, ...] = ()
    seconds: float = 0.0


# --- moments ------------------------------------------------------------------------------------------------------------------
class StepBegins(msgspec.Struct, frozen=True):
    """A step is reached; `number` counts from 1, 0 is the page before the first step."""

    step: Step | None
    number: int


class Reading(msgspec.Struct, frozen=True):
    """Something to read: prose, a rule, the source of a program that has been compiled."""

    part: Prose | Rules | TraceeSource


class Asking(msgspec.Struct, frozen=True):
    """A prediction, before its block runs.  Send the number of a choice (from 0 on) to `play`, or None."""

    prediction: Prediction


class BlockReady(msgspec.Struct, frozen=True):
    """A block is about to run: the place to pause."""

    block: Block


class LineBegins(msgspec.Struct, frozen=True):
    """A line of a block is about to run.  Do not show an expectation before its `LineDone`: it may give a prediction's answer away."""

    line: BlockLine


class LineDone(msgspec.Struct, frozen=True):
    """It has run; `seen` if it was an expectation that was met, `failure` if it failed."""

    line: BlockLine
    seen: Seen | None = None
    failure: Failure | None = None


class BlockDone(msgspec.Struct, frozen=True):
    """A block has run."""

    block: Block
    ok: bool


class BlockSkipped(msgspec.Struct, frozen=True):
    """A block is not run here; predictions about it are not asked."""

    block: Block
    lack: Lack


class Answered(msgspec.Struct, frozen=True):
    """What the kernel did, after a block that was predicted."""

    prediction: Prediction
    judged: Judged


class Explaining(msgspec.Struct, frozen=True):
    """Text that is closed until asked for: offer ``Why?`` here, keep hints for `hint`, never show notes, all else for `more`."""

    details: Details


class StepEnds(msgspec.Struct, frozen=True):
    """A step is over: progress may be noted."""

    step: Step
    result: StepResult


Moment = StepBegins | Reading | Asking | BlockReady | LineBegins | LineDone | BlockDone | BlockSkipped | Answered | Explaining | StepEnds
