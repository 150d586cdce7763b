"""Docs that cannot go out of date: made pages are compared, names are looked up, commands of the README are tried."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import regenerate, sources
from tests.laws.trees import MODULES, SOURCE, TOP, nodes_of
from tracedbg import cli
from tracedbg.commands import batch
from tracedbg.commands.table import all_commands
from tracedbg.kernel import pyptrace
from tracedbg.kernel.look import FIELDS
from tracedbg.model import events as ev
from tracedbg.model import names
from tracedbg.render.lines import line_of
from tracedbg.walk.catalogue import RULES

DOCS = TOP / "docs"
PAGES = [TOP / "README.md", TOP / "CHANGELOG.md", *sorted(DOCS.glob("**/*.md"))]
WRITTEN = [page for page in PAGES if page.name not in ("REFERENCE.md", "EVENTS.md")]

_CODE = re.compile(r"`([^`\n]+)`")
_BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
# Names of the kernel, the C library, Python and of other programs: nothing that this tree could define.
FOREIGN = {
    "fork", "wait4", "waitid", "os.wait4", "signal.signal", "int3", "pwrite", "ptrace", "ldconfig", "jq", "printf", "main", "fact",
    "ptrace.binding.func", "ptrace.binding.linux_struct", "PtraceDebugger", "PtraceProcess", "__del__", "TracerPid",
    "tracedbg", "prog.c", "w1", "prog", "waiter", "tracee", "json", "b64", "version", "CI", "dev", "t",
    "kernel", "repl", "tracer", "caps", "author", "licence",
}  # fmt: skip


@pytest.mark.parametrize("page", regenerate.pages(), ids=lambda path: path.name)
def test_made_pages_are_up_to_date(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == regenerate.pages()[page], "run: python -m tests.regenerate"


# --- events -------------------------------------------------------------------------------------------------------------------
def test_every_kind_of_event_is_on_its_page() -> None:
    page = (DOCS / "EVENTS.md").read_text(encoding="utf-8")
    for kind in ev.EVENT_TYPES:
        event, lane, tid = regenerate.EXAMPLES[kind]
        assert f"### `{kind.__struct_config__.tag}` ({kind.__name__})" in page
        # A wait has a line when it is entered; the example of each kind is one that has.
        assert line_of(ev.Record(1, 0, lane, tid, ev.Source.USER, event)), kind


# --- older texts --------------------------------------------------------------------------------------------------------------
def test_every_rule_is_on_the_page_of_sources() -> None:
    """Where an older text speaks of it, or among those that none mentions; and no row names a rule or a page that is not there."""
    page = (DOCS / "sources.md").read_text(encoding="utf-8")
    assert [rule for rule in RULES if f"`{rule}`" not in page] == []
    rows = [*sources.OUTDATED, *(row for subject in sources.COVERAGE.values() for row in subject)]
    assert {rule for row in rows for rule in row.rules.split()} <= set(RULES)
    assert {row.page for row in rows} - {""} == {path.name for path in (DOCS / "mechanisms").iterdir()}
    assert all(row.rules or row.page or getattr(row, "note", "") for row in rows)
    assert "no lesson yet" not in page


# --- names --------------------------------------------------------------------------------------------------------------------
@functools.cache
def defined() -> set[str]:
    """Every name that the tree defines: functions, classes, methods with and without their class, constants, attributes."""
    found: set[str] = set()
    for path in MODULES:
        for node in nodes_of(path):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                found.add(node.name)
            if isinstance(node, ast.ClassDef):
                found |= {f"{node.name}.{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
                for each in ast.walk(node):
                    if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id == "self":
                        found |= {each.attr, f"{node.name}.{each.attr}"}
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
    return found


def words_of_the_language() -> set[str]:
    """What can be typed or stands in the log: commands, call options, requests, kinds of events, levels, fields."""
    table = all_commands()
    rows = {name for row in table.rows for name in (row.name, *row.aliases)}
    tags = {str(kind.__struct_config__.tag) for kind in ev.EVENT_TYPES}
    fields = {field for kind in ev.EVENT_TYPES for field in kind.__struct_fields__} | set(ev.Record.__struct_fields__)
    known = rows | tags | fields | {"ev", "src", "limit"} | {level.name.lower() for level in ev.Detail} | {each.value for each in ev.Source}
    for numbers in (names.PTRACE_REQUESTS, names.PTRACE_OPTIONS, names.PTRACE_EVENTS, names.WAIT_OPTIONS, names.SIGNALS):
        known |= set(numbers)
    return known | set(FIELDS) | {path.name for path in SOURCE.iterdir() if path.is_dir()}


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: path.name)
def test_modules_named_in_the_docs_exist(page: Path) -> None:
    missing = []
    for name in set(re.findall(r"[\w/.-]*\w\.py\b", page.read_text(encoding="utf-8"))):
        places = (SOURCE / name, TOP / name, SOURCE / name.removeprefix("src/tracedbg/"))
        if not any(place.is_file() for place in places):
            missing.append(name)
    assert missing == []


@pytest.mark.parametrize("page", [DOCS / "INTERNALS.md", DOCS / "GLOSSARY.md", DOCS / "RECORDING.md"], ids=lambda path: path.name)
def test_names_in_the_docs_exist(page: Path) -> None:
    known = defined() | words_of_the_language() | FOREIGN
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    asked = {word for word in _CODE.findall(text) if re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", word) and not word.endswith((".py", ".md"))}
    assert sorted(asked - known) == []


def test_functions_on_the_path_are_in_the_files_that_it_names() -> None:
    """The picture of the path: a name before a file is defined in that file."""
    text = (DOCS / "INTERNALS.md").read_text(encoding="utf-8")
    stations = re.findall(r"^ *\[\d+\] (\w+(?:\.\w+)?) +(\w+/\w+\.py)", text, re.MULTILINE)
    assert len(stations) >= 10
    for name, file in stations:
        source = (SOURCE / file).read_text(encoding="utf-8")
        for part in name.split("."):
            assert re.search(rf"(?:def|class) {part}\b", source), f"{file} has no {name}"


def test_the_search_for_names_finds_what_it_is_for() -> None:
    known = defined()
    assert {"WaitDoor", "WaitDoor.wait4", "take_in", "Tracer.view", "TABLE"} <= known
    assert "NoSuchName" not in known


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert target.startswith("https://") or (page.parent / target).is_file(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_no_control_characters(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.endswith("\n")
    assert not set(text) & {chr(number) for number in (*range(9), *range(11, 32), 127)}


# --- the first page -----------------------------------------------------------------------------------------------------------
README = (TOP / "README.md").read_text(encoding="utf-8")


def test_the_two_commands() -> None:
    """One line each, and the second is the line that `.ci/run` looks for and runs."""
    lines = [line.strip() for line in README.splitlines() if line.startswith("    python3 -m venv .venv && ")]
    assert len(lines) == 2
    assert lines[0].endswith("&& .venv/bin/tracedbg tour")
    assert lines[1].endswith("&& .venv/bin/pytest -n auto")
    run = (TOP / ".ci" / "run").read_text(encoding="utf-8")
    (pattern,) = re.findall(r"readme=\$\(grep -m 1 -E '([^']+)' README.md", run)
    first = next(line for line in README.splitlines() if re.search(pattern, line))
    assert first.strip() == lines[1]


def test_commands_in_the_table_of_families_exist() -> None:
    start, end = README.index("## Commands by family"), README.index("## What is used of python-ptrace")
    section = README[start:end]
    table = all_commands()
    known = {name for row in table.rows for name in (row.name, *row.aliases)} | {"thread w1", "puppet p1", "on w1 CALL", "help"}
    cells = [line.split("|")[2] for line in section.splitlines() if line.startswith("|")]
    asked = {word for cell in cells for word in _CODE.findall(cell)}
    assert len(asked) > 50
    assert sorted(asked - known) == []


def test_options_and_statuses_are_those_of_the_program() -> None:
    known = set(cli._parser()._option_string_actions)
    # `--cap-add` and the like are options of other programs; -e and -m stand in commands that call pip and python.
    asked = set(re.findall(r"(?:tracedbg |`)(--?[a-z][\w-]*)", README))
    assert asked <= known, asked - known
    assert {"--batch", "--events", "-ex", "-x", "-p", "--keep-going"} <= set(re.findall(r"--?[a-z][\w-]*", README))
    rows = re.findall(r"^\| (\d) \| (.*) \|$", README, re.MULTILINE)
    assert [int(number) for number, _ in rows] == [batch.OK, batch.FAILED, batch.USAGE, batch.INTERNAL]


# --- python-ptrace ------------------------------------------------------------------------------------------------------------
# What python-ptrace 0.9 does not have for x86-64, and what it has that cannot be used here.  A newer version that adds one of these
# fails this test, so that the table of the README can be mended.
LACKING = {
    "PTRACE_SYSEMU", "PTRACE_SYSEMU_SINGLESTEP", "PTRACE_SINGLEBLOCK", "PTRACE_SEIZE",
    "PTRACE_INTERRUPT", "PTRACE_LISTEN", "PTRACE_PEEKSIGINFO", "PTRACE_GETSIGMASK", "PTRACE_SETSIGMASK", "PTRACE_GET_SYSCALL_INFO",
    "PTRACE_SET_SYSCALL_INFO",
    "PTRACE_O_TRACESECCOMP", "PTRACE_O_EXITKILL", "PTRACE_O_SUSPEND_SECCOMP", "PTRACE_EVENT_SECCOMP", "PTRACE_EVENT_STOP",
}  # fmt: skip


def theirs() -> dict[str, int]:
    """The constants of ptrace.binding.func, read off its source: importing it runs ldconfig as a child process."""
    assert pyptrace.UserRegs is not None
    found = importlib.util.find_spec("ptrace")
    assert found is not None
    assert found.submodule_search_locations
    path = Path(next(iter(found.submodule_search_locations))) / "binding" / "func.py"
    text = path.read_text(encoding="utf-8")
    # Constants of other systems stand in branches; what Linux on x86-64 takes are the module's own values, the first branches
    # for 64-bit CPUs, and the last `else`.  Evaluating the plain assignments in order, with the two tests answered, gives them.
    world: dict[str, object] = {"RUNNING_OPENBSD": False, "RUNNING_BSD": False, "RUNNING_LINUX": True}
    world |= dict.fromkeys(set(re.findall(r"\bCPU_\w+", text)), False) | {"CPU_64BITS": True, "CPU_X86_64": True}

    def walk(body: list[ast.stmt]) -> None:
        for node in body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Constant):
                world[node.targets[0].id] = node.value.value
            elif isinstance(node, ast.If):
                test = eval(compile(ast.Expression(node.test), str(path), "eval"), {}, world)
                walk(node.body if test else node.orelse)

    walk(ast.parse(text).body)
    return {name: value for name, value in world.items() if name.startswith("PTRACE_") and isinstance(value, int)}


def test_our_tables_are_those_of_python_ptrace() -> None:
    ours: Mapping[str, int] = {**names.PTRACE_REQUESTS, **names.PTRACE_OPTIONS, **names.PTRACE_EVENTS}
    known = theirs()
    assert len(known) > 30
    assert {name: value for name, value in known.items() if name in ours} == {name: ours[name] for name in known if name in ours}
    assert set(ours) - set(known) == LACKING


def test_what_the_readme_says_it_lacks_is_lacking() -> None:
    (row,) = [line for line in README.splitlines() if line.startswith("| tables of requests")]
    named = re.findall(r"\b[A-Z][A-Z_]{4,}\b", row)
    assert len(named) >= 6
    for name in named:
        assert {f"PTRACE_{name}", f"PTRACE_O_{name}"} & LACKING, name


def test_signal_names_are_those_of_python_ptrace() -> None:
    from ptrace.signames import signalName

    differing = {number for number in range(1, 32) if signalName(number) != names.signal_name(number)}
    # Two names for one number: python-ptrace prefers the System V one.
    assert differing <= {29}, {number: (signalName(number), names.signal_name(number)) for number in differing}
