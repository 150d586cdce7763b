"""How long a page takes, step by step: read alone, and presented to a class.

Pure but for `measured`, which plays pages in processes of their own on the calling thread.  It estimates: who has rehearsed knows better.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

import msgspec

from tracedbg.model.text import visible

from .document import Details, Document, Part, Prediction, Prose, Rules, Step, TraceeSource

_READ_WPM = 200
"""Words a minute that somebody reads alone."""
_SPOKEN_WPM = 120
"""Words a minute where one speaks and others listen, look up and take notes."""
_PREDICTION_MIN = (0.5, 2.0)
"""Minutes for a prediction, alone and in a class: to read it out, to let all think and commit themselves, to count hands."""
_BLOCK_MIN = (0.25, 0.5)
"""Minutes to look through what a block made happen, alone and in a class."""


class StepTime(msgspec.Struct, frozen=True):
    """What one step asks for.

    Args:
        heading: of the step; of the page for what stands before its first step.
        slug: of the step, empty for that.
        words: that are read or said: prose, rules, questions and choices, explanations.
        predictions: how many.
        blocks: how many.
        notes: there are notes for whoever presents it.
        played: seconds that its blocks took here, None if they were not played.
    """

    heading: str
    slug: str
    words: int
    predictions: int
    blocks: int
    notes: bool
    played: float | None = None

    def _minutes(self, which: int, pace: int) -> float:
        waited = (self.played or 0.0) / 60
        return self.words / pace + self.predictions * _PREDICTION_MIN[which] + self.blocks * _BLOCK_MIN[which] + waited

    @property
    def alone(self) -> float:
        """Minutes for somebody who reads and plays it alone."""
        return self._minutes(0, _READ_WPM)

    @property
    def presented(self) -> float:
        """Minutes in front of a class."""
        return self._minutes(1, _SPOKEN_WPM)


def times_of(document: Document, played: Mapping[str, float] | None = None) -> tuple[StepTime, ...]:
    """The page before its first step, then each step.

    Args:
        document: the page.
        played: seconds that the blocks of a step took, by its slug.
    """
    seconds = played or {}
    steps: list[tuple[str, str, tuple[Part, ...]]] = [(document.title, "", document.intro)]
    steps += [(step.title, step.slug, step.parts) for step in document.steps]
    return tuple(_time_of(heading, slug, parts, seconds.get(slug)) for heading, slug, parts in steps)


def _time_of(heading: str, slug: str, parts: Sequence[Part], played: float | None) -> StepTime:
    return StepTime(
        heading,
        slug,
        len(heading.split()) + sum(map(_words, parts)),
        sum(isinstance(part, Prediction) for part in parts),
        len(Step("", "", 0, tuple(parts)).blocks),
        any(isinstance(part, Details) and part.kind == "notes" for part in parts),
        played,
    )


def _words(part: Part) -> int:
    if isinstance(part, Prose | Rules):
        return len(part.text.split())
    if isinstance(part, Prediction):
        choices = " ".join(f"{choice.pattern} {choice.reason}" for choice in part.choices)
        return len(f"{part.question} {choices}".split())
    if isinstance(part, TraceeSource):
        return len(part.source.split())
    # Hints and what is told on request take no time of the plan, notes are not read out.
    return len(part.text.split()) if isinstance(part, Details) and part.kind == "why" else 0


def measured(document: Document) -> dict[str, float]:
    """Play a page and take the time of its blocks: seconds by the slug of the step.

    Steps that were not played here (a need is missing, or one before them failed) are left out.
    """
    from .keeper import Keeper

    with Keeper() as keeper:
        return {step.slug: step.seconds for step in keeper.play(document).steps if step.outcome != "failed"}


def table(times: Sequence[StepTime]) -> list[str]:
    """The times as lines, with their sum."""
    rows = [(_minutes(each.alone), _minutes(each.presented), each) for each in times]
    lines = [f"{'alone':>6} {'class':>6}  {'words':>5} {'asks':>4} {'runs':>4}  {'notes':<7}  step"]
    for alone, presented, each in rows:
        took = "" if each.played is None else f" (played in {each.played:.1f} s)"
        notes = "yes" if each.notes else "missing"
        line = f"{alone:>6} {presented:>6}  {each.words:>5} {each.predictions:>4} {each.blocks:>4}  {notes:<7}  {each.heading}{took}"
        lines.append(str(visible(line)))
    total = f"{_minutes(sum(each.alone for each in times)):>6} {_minutes(sum(each.presented for each in times)):>6}"
    missing = sum(not each.notes for each in times)
    lines.append(f"{total}  minutes in all; {'every step has notes' if not missing else f'{missing} of {len(times)} without notes'}")
    return lines


def _minutes(minutes: float) -> str:
    whole, seconds = divmod(round(minutes * 60), 60)
    return f"{whole}:{seconds:02}"


def tell(documents: Sequence[Document], out: TextIO = sys.stdout, *, play: bool = False) -> None:
    """Write the times of pages.

    Args:
        documents: the pages.
        out: takes the lines.
        play: play each and add the time that its blocks take here.
    """
    for document in documents:
        out.write(f"{visible(document.path)}: {visible(document.title)}\n")
        out.writelines(f"{line}\n" for line in table(times_of(document, measured(document) if play else None)))
