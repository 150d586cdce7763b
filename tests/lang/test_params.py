"""Kinds of arguments: parse(show(value)) == value, and what each refuses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import odd
from tests.lang.table_for_tests import LETTERS, FakeSession
from tracedbg.lang import params
from tracedbg.lang.forms import Format, Location, ProgramArgs
from tracedbg.lang.paramtypes import ChoiceType, ParamType
from tracedbg.model import names
from tracedbg.model.errors import BadArgument

NAME = st.text("abcw12_-", min_size=1, max_size=8).filter(lambda name: name[0].isalpha())
ONE_LINE = st.text(odd.VALID.filter("\0".__ne__), min_size=1, max_size=12)
TAIL = ONE_LINE.map(str.strip).filter(bool)
PLACE = st.sampled_from(["main", "fact.c:12", "*0x401000", "+3", "-1", "12", "'a b.c':3", ""])
CONDITION = st.sampled_from(["", "n == 1", "s[0] == ' '", "thread == 2", "(a)", "if_x"])
WORD = st.text(odd.VALID.filter("\0".__ne__), max_size=6) | st.text("<>2&'\"\\ $x", max_size=6)
PATH = ONE_LINE.map(lambda path: "./" + path if path.startswith("~") else path)
OUTPUT = st.tuples(PATH | st.just(""), PATH | st.just(""), st.booleans(), st.booleans())


def program_args(argv: tuple[str, ...], stdin: str, out: tuple[str, str, bool, bool]) -> ProgramArgs:
    stdout, stderr, append, both = out
    both = both and bool(stdout)
    return ProgramArgs(argv, stdin, stdout, "" if both else stderr, append and bool(stdout), both)


VALUES: dict[str, tuple[ParamType[Any], st.SearchStrategy[Any]]] = {
    "count": (params.COUNT, st.integers(1, 10**12)),
    "number": (params.NUMBER, st.integers(-(2**64), 2**64)),
    "pid": (params.PID, st.integers(1, 2**22)),
    "wait pid": (params.WAIT_PID, st.integers(-(2**22), 2**22)),
    "thread": (params.THREAD, st.integers(1, 99)),
    "breakpoints": (params.BREAKPOINTS, st.lists(st.integers(1, 99), unique=True).map(tuple)),
    "signal": (params.SIGNAL, st.integers(0, 64)),
    "request": (params.REQUEST, st.sampled_from(sorted(names.PTRACE_REQUESTS.values())) | st.integers(0, 2**31)),
    "wait options": (params.WAIT_OPTIONS, st.integers(0, 2**32 - 1)),
    "ptrace options": (params.PTRACE_OPTIONS, st.integers(0, 2**32 - 1)),
    "waitid type": (params.WAITID_TYPE, st.integers(0, 5)),
    "on/off": (params.ON_OFF, st.booleans()),
    "register": (params.REGISTER, st.sampled_from(["rax", "rip", "eflags", "fs_base", "xmm0"])),
    "actor": (params.ACTOR, NAME),
    "new name": (params.NEW_NAME, NAME),
    "path": (params.PATH, PATH),
    "text": (params.TEXT, odd.text()),
    "words": (params.WORDS, st.lists(NAME).map(tuple)),
    "fields": (params.FIELDS, st.lists(NAME | st.just("$rip")).map(tuple)),
    "expression": (params.EXPRESSION, TAIL),
    "rest": (params.REST, TAIL),
    "choice": (ChoiceType("MODE", "parent", "child", "parentage"), st.sampled_from(["parent", "child", "parentage"])),
    "format": (params.FORMAT, st.builds(Format, st.none() | st.integers(-999, 999), st.sampled_from(["", *"xduotacfsiz"]),
                                        st.sampled_from(["", *"bhwg"]))),
    "letters": (LETTERS, st.sampled_from(["r", "s", "m", "rs", "rsm"])),
    "location": (params.LOCATION, st.builds(Location, PLACE, CONDITION, st.none() | st.integers(0, 99))),
    "program arguments": (params.PROGRAM_ARGS, st.builds(program_args, st.lists(WORD).map(tuple), PATH | st.just(""), OUTPUT)),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
@given(data=st.data())
def test_parse_reads_what_show_wrote(name: str, data: st.DataObject) -> None:
    kind, values = VALUES[name]
    value = data.draw(values)
    assert kind.parse(kind.show(value)) == value


def test_every_kind_has_its_property() -> None:
    covered = {id(kind) for kind, _ in VALUES.values()}
    like = {"ADDRESS", "LINE", "PATTERN", "PROGRAM"}  # of the class and with the parsing of EXPRESSION and PATH
    missing = [name for name, kind in vars(params).items() if isinstance(kind, ParamType) and id(kind) not in covered]
    assert set(missing) == like


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (params.NUMBER, "0x1F", 31),
        (params.NUMBER, "017", 15),
        (params.NUMBER, "-0x10", -16),
        (params.NUMBER, "+5", 5),
        (params.NUMBER, "0", 0),
        (params.SIGNAL, "INT", 2),
        (params.SIGNAL, "sigint", 2),
        (params.SIGNAL, "SIGRTMIN+1", 35),
        (params.SIGNAL, "0", 0),
        (params.SIGNAL, "9", 9),
        (params.WAIT_OPTIONS, "__WALL|WNOHANG", 0x40000001),
        (params.WAIT_OPTIONS, "WEXITED|WSTOPPED", 6),
        (params.WAIT_OPTIONS, "__wall", 0x40000000),
        (params.WAIT_OPTIONS, "0", 0),
        (params.WAIT_OPTIONS, "__WALL|0x2", 0x40000002),
        (params.PTRACE_OPTIONS, "EXITKILL|TRACECLONE", 0x100008),
        (params.REQUEST, "PTRACE_CONT", 7),
        (params.REQUEST, "cont", 7),
        (params.REQUEST, "0x4206", 0x4206),
        (params.REGISTER, "$rax", "rax"),
        (params.PATH, "~nobody.here/x", "./~nobody.here/x"),
        (params.BREAKPOINTS, "1 3-5", (1, 3, 4, 5)),
        (params.BREAKPOINTS, "1,2, 2", (1, 2)),
        (params.FORMAT, "8xg", Format(8, "x", "g")),
        (params.FORMAT, "gx", Format(None, "x", "g")),
        (params.FORMAT, "-3i", Format(-3, "i")),
        (params.FORMAT, "", Format()),
        (LETTERS, "sr", "rs"),
        (params.LOCATION, "fact.c:12 if n == 1", Location("fact.c:12", "n == 1")),
        (params.LOCATION, "fact if(n == 1)", Location("fact", "(n == 1)")),
        (params.LOCATION, "if n == 1", Location("", "n == 1")),
        (params.LOCATION, "fact thread 2 if n > 1", Location("fact", "n > 1", 2)),
        (params.LOCATION, "iffy", Location("iffy")),
        (params.LOCATION, "*0x401000", Location("*0x401000")),
        (params.PROGRAM_ARGS, "a 'b c' \"d e\" f\\ g ''", ProgramArgs(("a", "b c", "d e", "f g", ""))),
        (params.PROGRAM_ARGS, "< in > out", ProgramArgs((), "in", "out")),
        (params.PROGRAM_ARGS, "x <in >>out 2>err", ProgramArgs(("x",), "in", "out", "err", append=True)),
        (params.PROGRAM_ARGS, "> out 2>&1", ProgramArgs((), "", "out", both=True)),
        (params.PROGRAM_ARGS, "&> out", ProgramArgs((), "", "out", both=True)),
        (params.PROGRAM_ARGS, "'<' \\>", ProgramArgs(("<", ">"))),
        (params.PROGRAM_ARGS, "*.c $HOME", ProgramArgs(("*.c", "$HOME"))),
    ],
)
def test_values(kind: ParamType[Any], text: str, value: object) -> None:
    assert kind.parse(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (params.COUNT, "0"),
        (params.COUNT, "-1"),
        (params.COUNT, "many"),
        (params.NUMBER, ""),
        (params.NUMBER, "08"),
        (params.NUMBER, "1e3"),
        (params.NUMBER, "٣"),
        (params.NUMBER, "9" * 5000),
        (params.PID, "0"),
        (params.PID, "4194305"),
        (params.SIGNAL, "65"),
        (params.SIGNAL, "-1"),
        (params.SIGNAL, "SIGNOT"),
        (params.WAIT_OPTIONS, "WALL"),
        (params.WAIT_OPTIONS, "__WALL|"),
        (params.WAIT_OPTIONS, "-1"),
        (params.REQUEST, "PTRACE_GO"),
        (params.ON_OFF, "maybe"),
        (params.REGISTER, "$"),
        (params.REGISTER, "1"),
        (params.NEW_NAME, "2"),
        (params.NEW_NAME, "a b"),
        (params.PATH, ""),
        (params.BREAKPOINTS, "0"),
        (params.BREAKPOINTS, "5-3"),
        (params.BREAKPOINTS, "1-999999999"),
        (params.BREAKPOINTS, "x"),
        (params.FORMAT, "8q"),
        (params.FORMAT, "x8"),
        (LETTERS, "q"),
        (LETTERS, ""),
        (params.LOCATION, "fact if"),
        (params.LOCATION, "if"),
        (params.LOCATION, "fact if "),
        (params.EXPRESSION, "  "),
        (params.PROGRAM_ARGS, "'a"),
        (params.PROGRAM_ARGS, "a\\"),
        (params.PROGRAM_ARGS, "<"),
        (params.PROGRAM_ARGS, "> a >> b"),
        (params.PROGRAM_ARGS, "2> a > b 2>&1"),
    ],
)
def test_refused(kind: ParamType[Any], text: str) -> None:
    with pytest.raises(BadArgument):
        kind.parse(text)


def test_refusals_say_what_is_near() -> None:
    with pytest.raises(BadArgument) as caught:
        params.REQUEST.parse("PTRACE_CNT")
    assert "PTRACE_CONT" in caught.value.todo
    with pytest.raises(BadArgument) as caught:
        params.WAIT_OPTIONS.parse("_WALL")
    assert "__WALL" in caught.value.todo


def test_paths_complete_from_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prog").write_text("")
    (tmp_path / "prog").chmod(0o755)
    (tmp_path / "prog.c").write_text("")
    (tmp_path / ".hidden").write_text("")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    session = FakeSession()

    def texts(kind: ParamType[Any], prefix: str) -> list[str]:
        return sorted(choice.text for choice in kind.complete(session, prefix))

    assert texts(params.PATH, "") == ["prog", "prog.c", "sub/"]
    assert texts(params.PROGRAM, "") == ["prog", "sub/"]
    assert texts(params.PATH, ".h") == [".hidden"]
    assert texts(params.PATH, f"{tmp_path}/su") == [f"{tmp_path}/sub/"]
    assert texts(params.PATH, "nowhere/") == []
    monkeypatch.setenv("HOME", str(tmp_path))
    assert texts(params.PATH, "~/su") == ["~/sub/"]
    assert params.PATH.parse("~/sub") == os.path.join(tmp_path, "sub")
