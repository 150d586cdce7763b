"""The canonical text of what a lesson tells and of what is made for recordings; `lines` enters these beside all others.

Pure, any thread.  The rules of `lines` hold here: words may be appended to a line, never inserted or renamed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from tracedbg.model import events as ev
from tracedbg.model.text import Shown, visible

_E = TypeVar("_E", bound=ev.Event)
LESSON_LINES: dict[type[ev.Event], Callable[[Any], Shown]] = {}
"""The function of each kind."""


def _kind(kind: type[_E]) -> Callable[[Callable[[_E], Shown]], Callable[[_E], Shown]]:
    def enter(function: Callable[[_E], Shown]) -> Callable[[_E], Shown]:
        LESSON_LINES[kind] = function
        return function

    return enter


@_kind(ev.StepReached)
def _step(event: ev.StepReached) -> Shown:
    return visible(f"step {event.number}: {event.heading}")


@_kind(ev.TextTold)
def _lesson_text(event: ev.TextTold) -> Shown:
    words = len(event.text.split())
    return visible(f"tells {event.kind}{f' {event.summary}' if event.summary else ''}: {words} words")


@_kind(ev.PredictionAsked)
def _asked(event: ev.PredictionAsked) -> Shown:
    return visible(f"asks: {' '.join(event.question.split())}")


@_kind(ev.PredictionAnswered)
def _answered(event: ev.PredictionAnswered) -> Shown:
    return visible("nothing was guessed" if event.choice < 0 else f"choice {event.choice + 1} was guessed")


@_kind(ev.PredictionRevealed)
def _revealed(event: ev.PredictionRevealed) -> Shown:
    verdict = f"choice {event.right + 1} is right" if event.right >= 0 else "seen"
    return visible(f"{verdict}, by {event.by}" if event.by else verdict)


@_kind(ev.BlockLeftOut)
def _left_out(event: ev.BlockLeftOut) -> Shown:
    return visible(f"skipped, needs {event.need}: {event.reason}")


@_kind(ev.RecordingFull)
def _full(event: ev.RecordingFull) -> Shown:
    return visible(f"recording ends: {event.text}")


@_kind(ev.StateKept)
def _kept(event: ev.StateKept) -> Shown:
    return visible(f"kept the state at {event.where or '?'}: {len(event.registers)} registers, {len(event.frames)} frames")
