"""What could stand at the cursor, and what is wrong with a line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import odd
from tests.lang.table_for_tests import TABLE, FakeSession
from tracedbg.lang.complete import complete, validate


def texts(text: str, *, program: bool = True) -> list[str]:
    """The lines that result from each candidate."""
    return [text[: len(text) + one.start] + one.text for one in complete(TABLE, FakeSession(program=program), text)]


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("cont", ["continue"]),
        ("s", ["signal", "step", "stepi", "set"]),
        ("o", ["on"]),
        ("info ", ["info breakpoints", "info registers", "info line", "info locals"]),
        ("i l", ["i line", "i locals"]),
        ("info registers r", ["info registers rax", "info registers rip", "info registers rsp"]),
        ("info registers $ri", ["info registers $rip"]),
        ("info registers rax ri", ["info registers rax rip"]),
        ("signal SIGU", ["signal SIGURG", "signal SIGUSR1", "signal SIGUSR2"]),
        ("set log", ["set logging"]),
        ("set logging o", ["set logging on", "set logging off"]),
        ("delete ", ["delete 1", "delete 2"]),
        ("delete 1 ", ["delete 1 1", "delete 1 2"]),
        ("b fac", ["b fact", "b factor", "b fact.c"]),
        ("b fact if ma", ["b fact if main"]),
        ("x/8xg $rs", ["x/8xg $rsp"]),
        ("x --r", ["x --raw"]),
        ("x fact(ma", ["x fact(main"]),
        ("look $tr", ["look $tracee"]),
        ("look w1 st", ["look w1 state"]),
        ("on ", ["on tracer", "on w1", "on w2"]),
        ("on w1,", ["on w1,tracer", "on w1,w2"]),
        ("on w1, w", ["on w1, w2"]),
        ("on w1 wai", ["on w1 wait4", "on w1 waitid", "on w1 waitpid"]),
        ("on w1 loo", ["on w1 look"]),
        ("on w1 look w1 wc", ["on w1 look w1 wchan"]),
        ("on w1 wait4 -1 __WA", ["on w1 wait4 -1 __WALL"]),
        ("on w1 wait4 -1 __WALL|WNOH", ["on w1 wait4 -1 __WALL|WNOHANG"]),
        ("on w1 ptrace PTRACE_CO", ["on w1 ptrace PTRACE_CONT"]),
        ("on w1 ptrace PTRACE_CONT $", ["on w1 ptrace PTRACE_CONT $tracee", "on w1 ptrace PTRACE_CONT $first"]),
        ("expect w", ["expect w1"]),
        ("expect w1 = $tr", ["expect w1 = $tracee"]),
        ("thread na", ["thread name"]),
    ],
)
def test_candidates_come_first_by_prefix(text: str, begins: list[str]) -> None:
    found = texts(text)
    assert [line for line in found if line.startswith(text)] == begins
    assert found[: len(begins)] == begins


@pytest.mark.parametrize(
    "text", ["frob ", "print 1 # con", '"con', "on w1 getpid ", "backtrace ", "x/8x", "set logging on a b", "on w1 wait4 1 2 3"]
)
def test_nothing_to_offer(text: str) -> None:
    assert texts(text) == []


def test_what_contains_the_word_comes_after_what_begins_so() -> None:
    assert texts("info al") == ["info locals"]
    assert texts("st") == ["step", "stepi", "list"]
    assert texts("in") == ["info", "continue"]


def test_only_what_makes_sense_now() -> None:
    assert "continue" in texts("c")
    assert "continue" not in texts("c", program=False)
    assert "signal" not in texts("sig", program=False)


def test_short_forms_are_offered_when_they_are_typed() -> None:
    assert texts("bt") == ["bt"]
    assert "bt" not in texts("b")


def test_meta_and_display() -> None:
    (one,) = complete(TABLE, FakeSession(), "contin")
    assert (one.text, one.start, one.display, one.meta) == ("continue", -6, "continue", "Let the stopped program run on.")
    (group,) = complete(TABLE, FakeSession(), "info")
    assert group.meta == "Facts about the program."


def test_a_name_that_needs_quotes_gets_them_and_hostile_ones_are_shown_harmless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my log").write_text("")
    (tmp_path / "bad\x1b[2J").write_text("")
    monkeypatch.chdir(tmp_path)
    assert texts("set logging on m") == ['set logging on "my log"']
    assert texts('set logging on "my l') == ['set logging on "my log"']
    (one,) = complete(TABLE, FakeSession(), "set logging on ba")
    assert one.display == "bad\\x1b[2J"
    assert one.text == '"bad\\x1b[2J"'


@pytest.mark.parametrize("text", ["", "  # nothing", "c", "c 3", "on w1 wait4 -1 &", "b fact if n == 1", "look $tracee"])
def test_valid(text: str) -> None:
    assert validate(TABLE, FakeSession(), text) is None


@pytest.mark.parametrize(
    ("text", "part"),
    [("c x", "not a count"), ("frob", "Undefined"), ('input "', "no end"), ("look $x", "$x is not set"), ("st", "Ambiguous")],
)
def test_invalid(text: str, part: str) -> None:
    assert part in (validate(TABLE, FakeSession(), text) or "")


STARTS = st.sampled_from(["", "on ", "on w1 ", "on w1,", "info ", "x/", "run ", "set ", "b ", "look ", "expect ", "signal "])


@given(STARTS, odd.text(max_size=20) | st.text("abcw1 ,\"'\\$/|&#-=<>", max_size=12))
def test_completion_never_fails_and_replaces_only_what_stands_before_the_cursor(start: str, rest: str) -> None:
    text = start + rest
    for one in complete(TABLE, FakeSession(), text):
        assert -len(text) <= one.start <= 0
        assert one.display.isprintable()
        assert one.meta.isprintable()
    validate(TABLE, FakeSession(), text)


@given(st.data())
def test_every_command_is_reached_by_completing_its_words(data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(TABLE.rows))
    done = ""
    for word in row.name.split():
        offered = [one.text for one in complete(TABLE, FakeSession(), done + word[:1])]
        assert word in offered
        done += word + " "
