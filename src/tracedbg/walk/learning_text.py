"""How a lesson looks: each thing that it shows, as lines of styled pieces.

Pure, any thread.  Text of the page passes `markdown_lines` or `visible`; nothing here knows a screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tracedbg.model.text import Shown, visible
from tracedbg.render.markdown import MEASURE, markdown_lines
from tracedbg.render.styles import StyledLine

from .document import Block, Choice, Details, Document, Prediction, Prose, Rules, Step, TraceeSource
from .moments import Answered, Asking, BlockReady, BlockSkipped, Explaining, Failure, Moment, Seen, StepBegins
from .shipped import is_shipped, name_of

_MARGIN = Shown("  ")


def line(*pieces: tuple[str, str]) -> StyledLine:
    """A line with the margin of prose."""
    return (("plain", _MARGIN), *((style, visible(text)) for style, text in pieces))


# --- the page -----------------------------------------------------------------------------------------------------------------
def heading(document: Document, moment: StepBegins, columns: int) -> list[StyledLine]:
    """The title of the page or of a step, with a rule as long as prose is wide."""
    if moment.step is None:
        title, style = document.title, "heading"
        lead = "━━ "
    else:
        title, style = f"{moment.number}/{len(document.steps)}  {moment.step.title}", "heading"
        lead = "── "
    rest = min(columns - 1, MEASURE) - len(lead) - len(title) - 1
    pieces = [("hint", visible(lead)), (style, visible(title)), ("hint", visible(" " + lead[0] * max(rest, 0)))]
    return [(), tuple(pieces[: 2 if rest < 1 else 3]), ()]


def reading(part: Prose | Rules | TraceeSource, columns: int, *, colour: bool) -> list[StyledLine]:
    """Prose, a rule, or the source of a program."""
    if isinstance(part, TraceeSource):
        flags = "".join(f" {flag}" for flag in part.cflags)
        head = line(("plain", f"./{part.name} is this program, compiled with cc{flags}:"))
        return [head, *(line(("hint", " | "), ("code", each)) for each in part.source.rstrip("\n").expandtabs(4).split("\n")), ()]
    if isinstance(part, Rules):
        lines = markdown_lines(part.statement, columns - 2, colour=colour, indent=4)
        head = line(("note", f"Rule {', '.join(part.ids)}"))
        return [head, *lines, ()]
    return [*markdown_lines(part.text, columns, colour=colour), ()]


def question(prediction: Prediction, order: Sequence[int], columns: int, *, colour: bool) -> list[StyledLine]:
    """A prediction with its choices, numbered in the order in which they are shown."""
    choices = [prediction.choices[number] for number in order]
    asked = prediction.question[:1].upper() + prediction.question[1:]
    lines = markdown_lines(f"**What do you think?** {asked}", columns, colour=colour)
    listed = "\n".join(f"{number}. {_choice(choice)}" for number, choice in enumerate(choices, 1))
    return [*lines, (), *markdown_lines(listed, columns, colour=colour), ()]


def _choice(choice: Choice) -> str:
    reason = " ".join(choice.reason.split())
    if not choice.pattern:
        return reason
    ticks = "``" if "`" in choice.pattern else "`"
    return f"{ticks}{choice.pattern}{ticks}" + (f" - {reason}" if reason else "")


def preview(block: Block) -> list[StyledLine]:
    """The commands of a block; what it expects would give an answer away."""
    commands = [each.text.strip() for each in block.lines if not each.asserts]
    return [*(line(("hint", " > "), ("code", each)) for each in commands), ()]


# --- what happened ------------------------------------------------------------------------------------------------------------
def met(seen: Seen) -> StyledLine:
    """An expectation that was met, and what it captured."""
    captured = "".join(f"  ${name} = {value}" for name, value in seen.captured)
    return (("good", Shown("ok ")), ("hint", visible(seen.asked)), ("note", visible(captured)))


def answered(moment: Answered, guess: Choice | None, columns: int, *, colour: bool) -> list[StyledLine]:
    """What the kernel did, and whether it was predicted."""
    judged = moment.judged
    out = [(), line(("strong", "What happened:")), line(("plain", f"  {judged.lane}  {judged.text}")), ()]
    if guess is None:
        return out
    said = _choice(guess)
    if judged.right < 0:
        words = f"You had said: {said}"
    elif judged.right == judged.guess:
        words = f"As you predicted: {said}"
    else:
        words = f"You had predicted: {said}\n\nWhich rule explains the difference?"
    return [*out, *markdown_lines(words, columns, colour=colour)]


def explanation(details: Details, columns: int, *, colour: bool) -> list[StyledLine]:
    """The text behind ``Why?``."""
    return [(), line(("heading", details.summary)), (), *markdown_lines(details.text, columns, colour=colour), ()]


def offer_more(details: Details) -> list[StyledLine]:
    """There is more text for those who want it."""
    return [line(("hint", f"more tells: {details.summary}")), ()]


def skipped(moment: BlockSkipped) -> list[StyledLine]:
    """A block that is not run here."""
    lack = moment.lack
    remedy = f"; {lack.remedy}" if lack.remedy else ""
    return [line(("warn", f"This part is skipped, it needs {lack.need}: {lack.reason}{remedy}"))]


def failure(document: Document, step: Step | None, failed: Failure, *, replayed: bool) -> list[StyledLine]:
    """A line that went another way than the page says."""
    place = f"{document.path}:{failed.line}: {failed.asked}"
    before = f"While the step '{step.title}' was replayed: " if replayed and step is not None else ""
    return [(("error", visible(before + place)),), *((("plain", visible(each)),) for each in failed.told)]


def cannot_go_on(document: Document, step: Step | None) -> list[StyledLine]:
    """The lesson ends before its end."""
    name = called(document)
    again = f"tracedbg learn {name} --step {step.slug}" if step is not None else f"tracedbg learn {name}"
    return [
        (),
        line(("warn", "Something went another way than this page says, so the lesson cannot go on.")),
        line(("plain", "Commands of your own in between may be the reason. The prompt is yours: look around; quit leaves.")),
        line(("plain", "To come back to this step: "), ("code", again)),
    ]


def the_end(document: Document, coda: str, columns: int, *, colour: bool) -> list[StyledLine]:
    """The last words."""
    end = f"**That was:** {document.title}"
    return [*markdown_lines("\n\n".join(filter(None, [end, coda])), columns, colour=colour), ()]


def replaying(document: Document, first: int) -> list[StyledLine]:
    """Said before finished steps are played again."""
    done = document.steps[: first - 1]
    count = "Step 1 is" if len(done) == 1 else f"Steps 1 to {len(done)} are"
    return [line(("note", f"{count} played again now, without pauses: live processes cannot be saved."))]


# --- keys ---------------------------------------------------------------------------------------------------------------------
def enter(held: Moment | None, choices: int) -> str:
    """What Enter does at a pause, for a toolbar."""
    if isinstance(held, Asking):
        return f"type 1-{choices}, or Enter to skip"
    if isinstance(held, BlockReady):
        return "Enter runs it"
    if isinstance(held, Explaining):
        return "Enter: why?"
    return "Enter goes on"


def how(held: Moment, document: Document, choices: int, *, hint: bool) -> StyledLine:
    """The line above the prompt at a pause."""
    also = "  hint helps." if hint else ""
    if isinstance(held, Asking):
        return line(("note", f"Your guess: a number from 1 to {choices}. Enter alone skips, and runs it.{also}"))
    if isinstance(held, BlockReady):
        return line(("note", f"Enter runs this.{also}"))
    if isinstance(held, Explaining):
        return line(("note", "Why? Enter tells."))
    if isinstance(held, StepBegins) and held.step is not None:
        return line(("note", "Enter begins." if held.number == 1 else f"Enter goes on, to step {held.number} of {len(document.steps)}."))
    return line(("note", "Enter goes on."))


def called(document: Document) -> str:
    """What to write behind ``tracedbg learn`` for this page."""
    return name_of(Path(document.path)) if is_shipped(document.path) else visible(document.path)
