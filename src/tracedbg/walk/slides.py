"""A page as slides: one thing at a time.

Pure, any thread.  Which slides a step has follows from the page alone, so that a place in it stays the same place whether its blocks run
now, have run, or were recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from .document import Block, Details, Document, Part, Prediction, Prose, Rules, Step, TraceeSource
from .moments import Lack

Kind = Literal["notice", "heading", "text", "program", "question", "preview", "log", "outcome", "why", "rule", "skipped", "end"]


class Slide(msgspec.Struct, frozen=True):
    """One thing to show.

    Args:
        kind: of thing.
        title: a line above it, or the heading itself.
        text: Markdown, or the source of a program.
        block: whose commands or log it shows.
        number: of that block in its step, from 0 on.
        prediction: that is asked or answered.
    """

    kind: Kind
    title: str = ""
    text: str = ""
    block: Block | None = None
    number: int = -1
    prediction: Prediction | None = None


def lack_of(block: Block, lacks: Mapping[str, Lack]) -> Lack | None:
    """Why a block is not run here."""
    return next((lacks[need] for need in block.needs if need in lacks), None)


def slides_of(document: Document, section: int, lacks: Mapping[str, Lack]) -> tuple[Slide, ...]:
    """The slides of a step, or of what stands before the first.

    Args:
        document: the page.
        section: number of the step, 0 for what stands before.
        lacks: what is missing, by name: blocks that need it are not run, and what is asked about them is not asked.
    """
    if section == 0:
        return (Slide("heading", document.title), *(slide for part in document.intro for slide in _read(part)))
    step = document.steps[section - 1]
    return (Slide("heading", step.title), *_step(step, lacks))


def _step(step: Step, lacks: Mapping[str, Lack]) -> list[Slide]:
    slides: list[Slide] = []
    # Before the prediction a rule would give the answer away: it comes at the end, as when one plays alone.
    late = [part for part in step.parts if isinstance(part, Rules)] if any(isinstance(part, Prediction) for part in step.parts) else []
    asked: list[Prediction] = []
    number = -1
    for place, part in enumerate(step.parts):
        if isinstance(part, Prediction):
            block = step.block_after(place)
            if block is not None and lack_of(block, lacks) is None:
                asked.append(part)
                slides.append(Slide("question", "What do you think?", part.question, prediction=part))
        elif isinstance(part, Block):
            number += 1
            lack = lack_of(part, lacks)
            if lack is not None:
                slides.append(Slide("skipped", f"Not here: it needs {lack.need}", lack.reason, part, number))
                continue
            slides.append(Slide("preview", "Now we run", "", part, number))
            slides.append(Slide("log", "What happens", "", part, number))
            slides += [Slide("outcome", "What happened", "", part, number, each) for each in asked]
            asked = []
        elif part not in late:
            slides += _read(part)
    return slides + [slide for part in late for slide in _read(part)]


def _read(part: Part) -> list[Slide]:
    if isinstance(part, Prose):
        return [Slide("text", "", part.text)]
    if isinstance(part, Rules):
        return [Slide("rule", f"Rule {', '.join(part.ids)}", part.statement)]
    if isinstance(part, TraceeSource):
        return [Slide("program", f"./{part.name}", part.source)]
    if isinstance(part, Details) and part.kind == "why":
        return [Slide("why", part.summary, part.text)]
    # Hints and what is told on request stay with whoever presents, and so do the notes.
    return []
