"""Help and the reference page come from the rows."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest
from markdown_it import MarkdownIt

from tests.lang.table_for_tests import TABLE
from tracedbg.lang.reference import help_lines, reference
from tracedbg.model.errors import AmbiguousCommand, UnknownCommand


def test_page_names_everything_once() -> None:
    page = reference(TABLE)
    for row in TABLE.rows:
        assert page.count(f"### `{row.usage}`\n") == 1
        assert row.help.summary in page
        for alias in row.aliases:
            assert f"`{alias}`" in page
    for title in TABLE.families.values():
        assert page.count(f"\n## {title}\n") == 1
    assert "| `--tty FILE` | another terminal (a path) |" in page
    assert "**In the kernel:** PTRACE_CONT for each thread, by the tracer thread." in page
    assert "```text\ncontinue\nc 3\n```" in page
    assert "on\\|off" in page
    assert "session: not for users" not in page


def test_page_is_markdown_of_the_right_shape() -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(reference(TABLE))
    heads = [token.tag for token in tokens if token.type == "heading_open"]
    assert heads.count("h1") == 1
    assert heads.count("h2") == len(TABLE.families) + 1  # and "on", which is grammar
    assert heads.count("h3") == len(TABLE.rows) + 1
    # Each table has two columns: no bar of a cell was taken for a border.
    assert sum(token.type == "th_open" for token in tokens) == 2 * sum(token.type == "table_open" for token in tokens)


def test_help_of_a_command() -> None:
    text = "\n".join(help_lines(TABLE, ["c"]))
    assert text.startswith("continue [COUNT]\n  also: c, fg\n\nLet the stopped program run on.\n")
    assert "  COUNT                   pass this many stops (a count (1 or more))" in text
    assert "In the kernel:\n  PTRACE_CONT for each thread, by the tracer thread." in text
    assert "For example:\n  continue\n  c 3" in text
    assert text.endswith("Enter on an empty line repeats it.")


def test_help_of_groups_and_families() -> None:
    lines = help_lines(TABLE, ["info"])
    assert lines[0] == "Facts about the program."
    assert [line.split()[1] for line in lines if line.startswith("  info")] == ["breakpoints", "line", "locals", "registers"]
    assert help_lines(TABLE, ["running"])[0] == "Running the program:"
    overview = "\n".join(help_lines(TABLE))
    for row in TABLE.rows:
        assert row.name.split()[0] in overview
    both = "\n".join(help_lines(TABLE, ["set"]))
    assert both.startswith("set EXPRESSION")
    assert "Sub-commands of 'set':" in both


def test_help_on_actors_comes_from_the_function_that_runs_calls() -> None:
    assert help_lines(TABLE, ["on"]) == ["on NAME[,NAME...] CALL [ARGUMENT...] [&]", "", "Run a call on actors."]


def test_help_that_does_not_exist() -> None:
    with pytest.raises(UnknownCommand, match=r"no help on 'contiune'.*continue"):
        help_lines(TABLE, ["contiune"])
    with pytest.raises(UnknownCommand, match="try: help continue"):
        help_lines(TABLE, ["continue", "now"])
    with pytest.raises(AmbiguousCommand):
        help_lines(TABLE, ["st"])


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_help_fits_the_terminal(width: int) -> None:
    pages = [[], *([family] for family in TABLE.families), *(row.name.split() for row in TABLE.rows)]
    for names in pages:
        for line in help_lines(TABLE, names, width):
            # A single word that is longer than the terminal is wide is not torn.
            assert len(line) <= width or " " not in line.strip()


def test_the_language_imports_nothing_heavy() -> None:
    """Start-up: no prompt, no tables for the screen, and nothing of Python's that the model beneath does not bring already."""
    code = (
        "import sys, msgspec, tracedbg.model.names, tracedbg.model.errors\n"
        "before = set(sys.modules)\n"
        "import tracedbg.lang.complete, tracedbg.lang.run, tracedbg.lang.params, tracedbg.lang.reference\n"
        "import tracedbg.render.patterns\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert set(ast.literal_eval(done.stdout)) <= {"tracedbg", "textwrap"}
