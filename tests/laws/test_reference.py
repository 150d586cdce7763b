"""Law 6: one grammar, one command table.  The reference page, help and every row say the same, and every row is complete."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable

import pytest

from tests import regenerate
from tracedbg.commands.table import all_commands
from tracedbg.lang.grammar import parse
from tracedbg.lang.reference import help_lines
from tracedbg.lang.run import prepare
from tracedbg.lang.table import Command
from tracedbg.render.lines import kinds

TABLE = all_commands()
ROWS = sorted(TABLE.rows, key=lambda row: row.name)


class Names:
    """What the language asks of a session while it reads a line: here every variable has a value, and nothing is offered."""

    def variable(self, name: str) -> str | None:
        return "4242"

    def names(self, kind: str, prefix: str) -> tuple[str, ...]:
        return ()


def test_the_reference_page_is_up_to_date() -> None:
    page = (regenerate.DOCS / "REFERENCE.md").read_text(encoding="utf-8")
    assert page == regenerate.reference_page(), "run: python -m tests.regenerate"


def _only_return(handler: Callable[..., object]) -> Callable[..., object]:
    def stand_in() -> None: ...

    stand_in.__annotations__ = {"return": inspect.get_annotations(handler)["return"]}
    return stand_in


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_is_complete(row: Command) -> None:
    text = row.help
    assert text.summary, "the first line of the docstring is what help shows"
    assert text.summary.endswith("."), text.summary
    assert len(text.summary) <= 120, "a summary is one line"
    assert text.examples, "an example, as it is typed"
    assert row.usage.startswith(row.name)
    for param in row.params:
        assert param.help or (param.type is not None and param.type.about) or param.kind == "given", f"{param.name} is not explained"
    assert any(str(line).startswith(row.usage[:40].rstrip()) for line in help_lines(TABLE, row.name.split(), 120))
    # The answer is a value that can say itself in lines; nothing of it is printed by the handler.
    # Only this annotation: those of the arguments may name types that are imported for type checkers alone.
    answer = typing.get_type_hints(_only_return(row.handler), vars(inspect.getmodule(row.handler)))["return"]
    for kind in typing.get_args(answer) or (answer,):
        assert callable(getattr(kind, "lines", None)), f"{row.name} answers {kind}"


@pytest.mark.parametrize(
    ("name", "example"), [(row.name, example) for row in ROWS for example in row.help.examples], ids=lambda value: str(value)
)
def test_an_example_can_be_typed(name: str, example: str) -> None:
    """It is read without an error, and it leads to the command that it stands under, or to the shorter name of the same."""
    call = prepare(TABLE, Names(), parse(example))
    assert call is not None
    assert call.name == name or name.startswith(f"{call.name} ")


def test_control_commands_answer_at_once() -> None:
    now = {row.name for row in ROWS if row.while_busy == "now"}
    assert {"info waitqueue", "input", "interrupt", "log", "help", "why", "info threads"} <= now
    assert not now & {"run", "continue", "step", "next", "finish", "stepi", "attach", "kill", "detach", "set"}


def test_every_kind_of_event_has_a_line() -> None:
    assert kinds() == frozenset(regenerate.ev.EVENT_TYPES)
