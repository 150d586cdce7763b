"""What a lesson tells while it plays: its text, its questions and how the kernel answered them.

Pure values, any thread; `events` hands these names on.  With them a recording holds all that the learner saw, so that it can be read,
replayed and turned into a page without the walkthrough's file.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from .eventbase import Detail, Event


class StepReached(Event, frozen=True, tag="step"):
    """A step of a page begins; number 0 is the page itself, before its first step, and its heading is the title."""

    number: int
    slug: str
    heading: str
    detail: ClassVar[Detail] = Detail.DESK


class TextTold(Event, frozen=True, tag="told"):
    """Markdown of the page: ``prose``, ``rule`` (after the step that shows it), ``program``, ``why``, ``hint``, ``more``, ``notes``.

    ``remark`` is what somebody added later to the recording, about the record of `Record.of`.
    """

    kind: str
    text: str
    summary: str = ""
    detail: ClassVar[Detail] = Detail.DESK


class ChoiceOffered(msgspec.Struct, frozen=True):
    """One answer of a prediction: the pattern that would make it right, and why one might think so."""

    pattern: str
    reason: str


class PredictionAsked(Event, frozen=True, tag="predict.ask"):
    """A question, before the block whose first expectation answers it."""

    question: str
    choices: tuple[ChoiceOffered, ...]
    detail: ClassVar[Detail] = Detail.DESK


class PredictionAnswered(Event, frozen=True, tag="predict.answer"):
    """What was guessed (`Record.of` is the question): the number of a choice, from 0 on, or -1 for none."""

    choice: int
    detail: ClassVar[Detail] = Detail.DESK


class PredictionRevealed(Event, frozen=True, tag="predict.reveal"):
    """What happened (`Record.of` is the question): record `by` decided for choice `right`, -1 if the question is for thinking only."""

    by: int
    right: int
    chosen: int = -1
    detail: ClassVar[Detail] = Detail.DESK


class BlockLeftOut(Event, frozen=True, tag="block.skip"):
    """A block was not run, because this machine lacks something."""

    need: str
    reason: str
    detail: ClassVar[Detail] = Detail.DESK
