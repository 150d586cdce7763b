"""Finding a row, building and merging tables."""

from __future__ import annotations

from typing import Annotated

import pytest

from tests.lang.table_for_tests import TABLE, benching, looking, running
from tracedbg.lang.params import Count, Expression
from tracedbg.lang.signature import read_params
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import AmbiguousCommand, UnknownCommand


@pytest.mark.parametrize(
    ("words", "name", "used"),
    [
        ("continue", "continue", 1),
        ("c", "continue", 1),
        ("cont", "continue", 1),
        ("s", "step", 1),  # an alias is never ambiguous, although stepi, set and signal begin so
        ("si", "stepi", 1),
        ("step", "step", 1),  # a full name is not the prefix of another
        ("sig", "signal", 1),
        ("b", "break", 1),
        ("bt", "backtrace", 1),
        ("whe", "backtrace", 1),
        ("info breakpoints", "info breakpoints", 2),
        ("i b", "info breakpoints", 2),
        ("inf br", "info breakpoints", 2),
        ("info loc", "info locals", 2),
        ("info r rip", "info registers", 2),
        ("set var x = 3", "set variable", 2),
        ("set v x = 3", "set variable", 2),
        ("set v = 3", "set", 1),  # v is assigned to, not abbreviated
        ("set var = 3", "set", 1),
        ("set $rax = 5", "set", 1),
        ("set log on", "set logging", 2),
        ("thread n", "thread", 1),  # names that a user makes up are not abbreviations
        ("thread name n", "thread name", 2),
        ("t w1", "thread", 1),
    ],
)
def test_names(words: str, name: str, used: int) -> None:
    row, taken = TABLE.command(words.split())
    assert (row.name, taken) == (name, used)


@pytest.mark.parametrize(
    ("words", "message", "choices"),
    [
        ("st", 'Ambiguous command "st": step, stepi', ("step", "stepi")),
        ("info l", 'Ambiguous info command "l": line, locals', ("line", "locals")),
        ("di", None, None),
    ],
)
def test_ambiguous(words: str, message: str | None, choices: tuple[str, ...] | None) -> None:
    if message is None:
        assert TABLE.command(words.split())[0].name == "disassemble"
        return
    with pytest.raises(AmbiguousCommand) as caught:
        TABLE.command(words.split())
    assert caught.value.what == message
    assert caught.value.choices == choices


@pytest.mark.parametrize(
    ("words", "what", "todo"),
    [
        ("contiune", 'Undefined command: "contiune"', "perhaps continue; 'help' lists them"),
        ("frobnicate", 'Undefined command: "frobnicate"', "'help' lists them"),
        ("info regsters", 'Undefined info command: "regsters"', "perhaps info registers; 'help info' lists them"),
        ("info", '"info" needs a sub-command', "one of info breakpoints, info line, info locals, info registers; try: help info"),
        ("\x1b[2J", 'Undefined command: "\\x1b[2J"', "'help' lists them"),
    ],
)
def test_unknown(words: str, what: str, todo: str) -> None:
    with pytest.raises(UnknownCommand) as caught:
        TABLE.command(words.split())
    assert (caught.value.what, caught.value.todo) == (what, todo)


def test_merged_keeps_order_and_families() -> None:
    assert [row.name for row in TABLE.rows] == [row.name for table in (running, looking, benching) for row in table.rows]
    assert TABLE.families == {
        "running": "Running the program", "looking": "Looking at it", "benching": "Threads for experiments",
    }  # fmt: skip
    assert {row.family for row in TABLE.rows} == set(TABLE.families)


def _table(name: str, *aliases: str) -> CommandTable:
    table = CommandTable("one")

    @table.add(name, *aliases)
    def handler(session: object) -> None:
        """Do nothing."""

    return table


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("go",), ("go",)),
        (("go",), ("walk", "go")),
        (("go", "g"), ("walk", "g")),
        (("info a", "info x"), ("info x",)),
    ],
)
def test_a_name_used_twice_raises(first: tuple[str, ...], second: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"two commands are called|name of another command"):
        CommandTable.merged([_table(*first), _table(*second)])


def test_an_alias_may_not_take_a_name_that_comes_later() -> None:
    with pytest.raises(ValueError, match="'g'"):
        CommandTable.merged([_table("go", "g"), _table("g")])


def test_two_actor_calls_raise() -> None:
    with pytest.raises(ValueError, match="actor call"):
        CommandTable.merged([benching, benching_again()])


def benching_again() -> CommandTable:
    table = CommandTable("other")

    @table.actor_call()
    def handler(session: object) -> None:
        """Do nothing."""

    return table


def test_repeat() -> None:
    assert TABLE.command(["continue"])[0].repeat_line("c 3") == "c 3"
    assert TABLE.command(["x"])[0].repeat_line("x/8xg $rsp") == "x"
    assert TABLE.command(["list"])[0].repeat_line("l fact.c:3") == "l"
    assert TABLE.command(["run"])[0].repeat_line("run") is None


def test_help_of_a_row() -> None:
    row, _ = TABLE.command(["continue"])
    assert row.help.summary == "Let the stopped program run on."
    assert row.help.text == ("All its threads run until one stops.",)
    assert row.help.kernel == "PTRACE_CONT for each thread, by the tracer thread."
    assert row.help.examples == ("continue", "c 3")
    assert row.usage == "continue [COUNT]"
    assert TABLE.command(["x"])[0].usage == "x[/NFU] [--raw] [EXPRESSION]"
    assert TABLE.command(["run"])[0].usage == "run [--tty FILE] [--stop] [ARG... [< IN] [> OUT]]"
    assert TABLE.command(["info", "registers"])[0].usage == "info registers [REGISTER...]"
    assert TABLE.command(["look"])[0].usage == "look TEXT [FIELD...]"


def test_a_command_needs_help_and_kinds() -> None:
    table = CommandTable("bad")

    def silent(session: object) -> None:
        pass

    def untyped(session: object, count: int) -> None:
        """Take something."""

    def greedy(session: object, what: Annotated[Expression, ""], count: Annotated[Count, ""] = 1) -> None:
        """Take everything, and then more."""

    for name, handler in (("silent", silent), ("untyped", untyped)):
        table.add(name)(handler)
    with pytest.raises(ValueError, match="no docstring"):
        _ = table.rows[0].help
    with pytest.raises(TypeError, match="count needs Annotated"):
        _ = table.rows[1].params
    with pytest.raises(TypeError, match="must be the last"):
        read_params(greedy)
