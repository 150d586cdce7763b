"""How a slide looks: lines of styled pieces for a given width, and pages of a given height.

Pure, any thread.  Made for a projector: few words at a time, a block's log wrapped and never cut, the deciding event in a frame of its
own.  Text of the page passes `markdown_lines` or `visible`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tracedbg.model.ids import Role
from tracedbg.model.text import Shown, visible
from tracedbg.render.markdown import markdown_lines
from tracedbg.render.styles import StyledLine

from .document import Choice, Prediction
from .moments import Judged
from .recorded import Run, drawn
from .slides import Slide

MEASURE = 72
"""Columns of a slide at most: a wide window is filled with blank space, not with words."""


def draw(
    slide: Slide, width: int, *, run: Run | None, roles: Mapping[str, Role], votes: Sequence[int] | None, of: str, label: str
) -> list[StyledLine]:
    """The lines of a slide.

    Args:
        slide: what to draw.
        width: columns.
        run: of its block, as far as it has come; None if it has not begun.
        roles: of lanes.
        votes: for each choice, None to keep them hidden.
        of: which section this is, for headings.
        label: that this is a recording, empty if it is not.
    """
    if slide.kind == "heading":
        return _heading(slide, width, of, label)
    title = [*wrapped((("heading", visible(slide.title)),), width), ()] if slide.title else []
    if slide.kind == "program":
        return [*title, *_code(slide.text, width)]
    if slide.kind == "question" and slide.prediction is not None:
        return [*title, *_markdown(slide.text[:1].upper() + slide.text[1:], width), (), *_choices(slide.prediction, width, votes, None)]
    if slide.kind == "preview" and slide.block is not None:
        commands = [each.text.strip() for each in slide.block.lines if not each.asserts]
        return [*title, *(line for each in commands for line in wrapped((("hint", Shown("> ")), ("code", visible(each))), width, 4))]
    if slide.kind == "log":
        items = run.items if run is not None else []
        if run is not None and run.missing:
            title += wrapped((("gap", Shown(f"({run.missing} earlier events are not shown)")),), width)
        return [*title, *(line for each in drawn(items, roles) for line in wrapped(_narrow(each, width), width, 4))]
    if slide.kind == "outcome" and slide.prediction is not None:
        judged = run.judged.get(slide.prediction.line) if run is not None else None
        return [*title, *_outcome(slide.prediction, judged, width, votes)]
    if slide.kind == "end":
        return _heading(slide, width, "That was", label)
    return [*title, *_markdown(slide.text, width)]


def _markdown(text: str, width: int) -> list[StyledLine]:
    # One column is kept free of prose by `markdown_lines` itself.
    return markdown_lines(text, width + 1, colour=True, indent=0)


def _heading(slide: Slide, width: int, of: str, label: str) -> list[StyledLine]:
    above: list[StyledLine] = [*wrapped((("hint", visible(of)),), width), ()] if of else []
    below: list[StyledLine] = [(), *wrapped((("warn", visible(label)),), width)] if label else []
    rule: StyledLine = (("hint", Shown("━" * min(width, max(len(slide.title), 8)))),)
    return [*above, *wrapped((("heading", visible(slide.title)),), width), rule, *below]


def _code(source: str, width: int) -> list[StyledLine]:
    lines = source.rstrip("\n").expandtabs(4).split("\n")
    return [line for each in lines for line in wrapped((("code", visible(each)),), width, 4)]


def _narrow(line: StyledLine, width: int) -> StyledLine:
    """On few columns the blanks behind the name of a lane are better used."""
    if width >= 60:
        return line
    return tuple((style, Shown(text.rstrip() if style.startswith("lane.") else text)) for style, text in line)


# --- questions ----------------------------------------------------------------------------------------------------------------
def _choices(prediction: Prediction, width: int, votes: Sequence[int] | None, right: int | None) -> list[StyledLine]:
    """The choices by number; with bars for votes, and with a mark at the right one once it is known."""
    lines: list[StyledLine] = []
    most = max(votes, default=0) if votes else 0
    for number, choice in enumerate(prediction.choices):
        is_right = number == right
        mark = "► " if is_right else "  " if right is not None else ""
        style = "good" if is_right else "strong"
        lines += wrapped(((style, Shown(f"{mark}{number + 1} ")), *_choice(choice, "good" if is_right else "plain")), width, 4)
        if votes is not None:
            count = votes[number]
            room = max(width - 10, 4)
            bar = "█" * (round(count / most * room) if most else 0)
            lines.append((("note", Shown(f"    {bar}{' ' if bar else ''}{count}")),))
    return lines


def _choice(choice: Choice, style: str) -> StyledLine:
    reason = " ".join(choice.reason.replace("`", "").split())
    if not choice.pattern:
        return ((style, visible(reason)),)
    return (("code" if style == "plain" else style, visible(choice.pattern)), (style, visible(f" - {reason}" if reason else "")))


def _outcome(prediction: Prediction, judged: Judged | None, width: int, votes: Sequence[int] | None) -> list[StyledLine]:
    if judged is None:
        return [(("hint", Shown("It has not happened yet.")),)]
    right = judged.right if judged.right >= 0 else None
    return [*_boxed(judged, width), (), *_choices(prediction, width, votes, right)]


def _boxed(judged: Judged, width: int) -> list[StyledLine]:
    """The deciding event once more: who, what, and what came of it, each on a line of its own."""
    call, equals, result = judged.text.partition(" = ")
    parts: list[tuple[str, str]] = [("note", judged.lane), ("strong", call), *([("strong", f"= {result}")] if equals else [])]
    inner = max(width - 4, 8)
    rows = [line for style, text in parts if text for line in wrapped(((style, visible(text)),), inner, 2)]
    longest = max((_length(row) for row in rows), default=0)
    side = ("note", Shown("┃ "))
    return [
        (("note", Shown(f"┏{'━' * (longest + 2)}┓")),),
        *((side, *row, ("note", Shown(f"{' ' * (longest - _length(row))} ┃"))) for row in rows),
        (("note", Shown(f"┗{'━' * (longest + 2)}┛")),),
    ]


def _length(line: StyledLine) -> int:
    return sum(len(text) for _, text in line)


# --- lines and pages ----------------------------------------------------------------------------------------------------------
def wrapped(line: StyledLine, width: int, indent: int = 0) -> list[StyledLine]:
    """A line as several of at most `width` characters, broken at blanks where there are any.

    Args:
        line: styled pieces.
        width: characters.
        indent: blanks before all but the first.
    """
    if _length(line) <= width:
        return [line]
    indent = min(indent, width // 3)
    rows: list[StyledLine] = []
    row: list[tuple[str, Shown]] = []
    room = width
    for style, word in _words(line):
        while len(word) > room:
            if word.isspace():
                word = ""  # noqa: PLW2901  # the blank at which a row is broken
            elif room < (width - indent if rows else width) and len(word) <= width - indent:
                pass  # it has room on the next row
            else:
                row.append((style, Shown(word[:room])))
                word = word[room:]  # noqa: PLW2901  # what is left of it goes to the next row
            rows.append(tuple(row))
            row, room = [("plain", Shown(" " * indent))], width - indent
        if word:
            row.append((style, Shown(word)))
            room -= len(word)
    return [*rows, tuple(row)] if len(row) > 1 or not rows else rows


def _words(line: StyledLine) -> Iterable[tuple[str, str]]:
    """Words and the blanks between them, each with its style; a word of flags may be broken behind each of them."""
    for style, text in line:
        word = ""
        for char in text:
            if word and ((char == " ") != (word[-1] == " ") or word[-1] == "|"):
                yield style, word
                word = ""
            word += char
        if word:
            yield style, word


def pages(lines: Sequence[StyledLine], rows: int) -> list[list[StyledLine]]:
    """Lines cut into pages of at most `rows`, at an empty line if one stands in a page's second half.  At least one page."""
    rows = max(rows, 1)
    left = list(lines)
    out: list[list[StyledLine]] = []
    while len(left) > rows:
        end = next((place for place in range(rows, rows // 2, -1) if not left[place]), rows)
        out.append(left[:end])
        left = left[end:]
        while left and not left[0]:
            left.pop(0)
    return [*out, left] if left or not out else out
