"""list, info line, info symbol, info address, info source, and lists of symbols."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.commands.looking_tools import Looker, from_gdb, normal, stopped_at
from tests.programs import build, line_of, source
from tracedbg.model.errors import NotFound
from tracedbg.session.session import Session

pytestmark = pytest.mark.needs("ptrace", "cc", "x86-64", "drgn")


def test_list_goes_on_back_and_around_the_current_line() -> None:
    text = source("fact").read_text().splitlines()
    with stopped_at(build("fact"), "fact") as at:
        here = line_of("fact", "long below = 1")
        first = at.do("list")
        assert first.text[0] == (here - 5, text[here - 6])
        assert len(first.text) == 10
        assert first.current == here
        assert [line for line in at.say("list fact") if "=>" in line] == [f"{here:<5}=> {text[here - 1]}"]
        at.do("frame 0")  # the place to list is the frame's again
        assert at.do("list").text == first.text
        after = at.do("list")
        assert after.text[0][0] == here + 5
        while after.text[-1][0] < len(text):
            after = at.do("list")
        with pytest.raises(NotFound, match="out of range"):
            at.do("list")
        assert at.do("list 1").text[0][0] == 1
        with pytest.raises(NotFound, match="start of"):
            at.do("list -")
        at.do("up")
        assert at.do("list").current == line_of("fact", "result = fact")


@pytest.mark.parametrize(
    ("line", "first", "last"),
    [("list 10,12", 10, 12), ("list 10,", 10, 19), ("list ,20", 11, 20), ("list fact.c:10", 5, 14), ("list 3", 1, 10)],
)
def test_list_takes_lines_and_ranges(line: str, first: int, last: int) -> None:
    with stopped_at(build("fact"), "fact") as at:
        shown = at.do(line).text
        assert (shown[0][0], shown[-1][0]) == (first, last)


def test_list_size_is_a_setting_and_no_process_is_needed() -> None:
    with Session() as session:
        session.program.file(str(build("fact")))
        at = Looker(session)
        at.do("set listsize 3")
        shown = at.do("list main")
        assert len(shown.text) == 3
        assert shown.current == 0


@pytest.mark.needs("gdb")
def test_places_as_gdb_names_them() -> None:
    binary = build("fact")
    commands = [
        "info line", "info line 12", "info line fact.c:9", "info line 8", "info symbol main", "info symbol main+4", "info symbol $pc",
        "info symbol &calls", "info address main", "info address calls", "list fact", "list 10,12", "info line *main",
    ]  # fmt: skip
    theirs = from_gdb(binary, "fact", commands)
    with stopped_at(binary, "fact") as at:
        ours = [normal(at.say(command)) for command in commands]
    different = [
        each
        for each in zip(commands, ours, theirs, strict=True)
        if each[1] != each[2] and each[2][0] not in each[1][0] and each[1][0] not in each[2][0]
    ]
    assert not different


def test_names_of_files_are_those_the_compiler_was_told(tmp_path: Path) -> None:
    import subprocess

    shutil.copy(source("fact"), tmp_path / "fact.c")
    subprocess.run(["cc", "-g", "fact.c", "-o", "fact"], cwd=tmp_path, check=True, timeout=60)
    with stopped_at(tmp_path / "fact", "fact") as at:
        assert at.say("bt 1")[0] == f"#0  fact (n=5) at fact.c:{line_of('fact', 'long below = 1')}"
        said = at.say("info source")
        assert said[0] == "Current source file is fact.c"
        assert said[1] == f"Compilation directory is {tmp_path}"
        later = os.stat(tmp_path / "fact").st_mtime + 10
        os.utime(tmp_path / "fact.c", (later, later))
        assert "newer" in at.do("list fact").note
        (tmp_path / "fact.c").unlink()
        with pytest.raises(NotFound, match="not here"):
            at.do("list fact")
        assert at.say("frame")[1].startswith(f"{line_of('fact', 'long below = 1')}")


def test_symbols_are_listed_with_their_places() -> None:
    with stopped_at(build("structs"), "look") as at:
        names = [name for name, _ in at.do("info functions ^ret_").places]
        assert names == sorted(names)
        assert "ret_point" in names
        assert all(name.startswith("ret_") for name in names)
        assert [name for name, _ in at.do("info variables ^global_int$").places] == ["global_int"]
        ((_, place),) = at.do("info functions ^twice$").places
        assert (place.line, place.symbol) == (line_of("structs", "int twice"), "twice")


def test_no_line_information_is_said() -> None:
    with stopped_at(build("fact", "-O0"), "fact") as at:
        for line in ("list", "list fact", "info line", "info source"):
            with pytest.raises(NotFound, match="line information"):
                at.do(line)
        assert "(no debugging symbols" in "".join(at.say("info files"))
