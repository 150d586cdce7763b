"""What can be said of a walkthrough's lines and predictions without running them.

Pure, any thread.  Names that only a running session knows (threads, puppets, captured values) are not judged here.
"""

from __future__ import annotations

from tracedbg.commands.table import all_commands
from tracedbg.lang.grammar import Line
from tracedbg.lang.grammar import parse as parse_line
from tracedbg.model.errors import BadSyntax, UserError
from tracedbg.render.patterns import Pattern

from .document import Block, Prediction, Problem

_NOT_HERE = {
    "quit": "a walkthrough ends by itself",
    "fg": "nobody is there to type: use input",
    **dict.fromkeys(("lesson", "lesson next", "lesson guess", "lesson again", "hint", "more"), "it is for whoever plays the page"),
}


def check_line(text: str, number: int, indent: int = 0) -> list[Problem]:
    """What is wrong with one line of a block.

    Args:
        text: as it stands there.
        number: of the line in its file, 1-based.
        indent: columns before `text` in the file.
    """
    try:
        line = parse_line(text)
        if line:
            _check(line)
    except BadSyntax as error:
        return [Problem(number, indent + error.column + 1, error.what, error.todo)]
    except UserError as error:
        return [Problem(number, indent + 1, error.what, error.todo)]
    return []


def _check(line: Line) -> None:
    if line.verb in ("expect", "then") and not line.actors:
        if line.background:
            raise BadSyntax(f"{line.verb} cannot run in the background", "leave the & away", column=line.end)
        _pattern(line)
        return
    if line.actors:
        return  # which calls an actor knows, and which actors there are, a running session knows
    row, _ = all_commands().command([line.verb, *(word.text for word in line.words if not word.quoted)])
    if row.name in _NOT_HERE:
        raise BadSyntax(f"'{row.name}' has no place in a walkthrough", _NOT_HERE[row.name], column=line.verb_start)


def _pattern(line: Line) -> None:
    start = line.words[0].start if line.words else line.end
    try:
        Pattern.parse(line.tail(0))
    except BadSyntax as error:
        raise BadSyntax(error.what, error.todo, column=start + error.column) from None


def check_prediction(prediction: Prediction, block: Block | None) -> list[Problem]:
    """What is wrong with a prediction and the block that it is about."""
    if block is None:
        return [Problem(prediction.line, 1, "a prediction without a block", "write the tracedbg block that answers it in the same step")]
    problems = []
    seen: dict[str, int] = {}
    for choice in prediction.choices:
        if not choice.pattern:
            continue
        try:
            pattern = Pattern.of_words(choice.pattern)
        except BadSyntax as error:
            problems.append(Problem(choice.line, error.column + 1, error.what, error.todo))
            continue
        if pattern.captures:
            problems.append(Problem(choice.line, 1, f"the choice sets ${pattern.captures[0]}", "a choice only matches: write <pid>"))
        if choice.pattern in seen:
            problems.append(Problem(choice.line, 1, f"`{choice.pattern}` is also the choice on line {seen[choice.pattern]}"))
        seen.setdefault(choice.pattern, choice.line)
    if prediction.judged:
        judge = block.judge
        if judge is None:
            todo = "write an expect line in that block"
            problems.append(Problem(prediction.line, 1, f"no expectation answers it: the block on line {block.line} has none", todo))
        elif judge.text.split()[1:2] == ["not"]:
            todo = "put an expect line that matches an event before it"
            problems.append(Problem(prediction.line, 1, f"'{judge.text.strip()}' cannot answer it: it matches no event", todo))
    return problems
