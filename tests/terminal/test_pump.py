"""The pump, the styles and the history without a terminal."""

from __future__ import annotations

import os
import re
import stat
import threading
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import odd
from tracedbg.model.ids import Role
from tracedbg.model.text import Shown
from tracedbg.render.styles import MAX_LINE, NAMES, StyledLine, lane_style, paint, wants_colour
from tracedbg.ui.completer import fuzzy_rank
from tracedbg.ui.foreground import ScreenState
from tracedbg.ui.history import MAX_BYTES, LineHistory, history_path
from tracedbg.ui.layout import cut, toolbar_text
from tracedbg.ui.pump import FRAME_CAP, Pump
from tracedbg.ui.split import fit

GAP = re.compile(r"\.\.\. (\d+) lines? not shown")


def plain(text: str) -> StyledLine:
    return (("plain", Shown(text)),)


def words(line: StyledLine) -> str:
    return "".join(text for _, text in line)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.booleans(), st.integers(1, 700)),
            st.tuples(st.just("take"), st.integers(1, 250)),
        )
    ),
)
def test_every_line_is_shown_once_in_order_or_counted(steps: list[tuple[str, int, int]] | list[tuple[str, int]]) -> None:
    pump = Pump()
    number = 0
    kept: list[int] = []
    out: list[StyledLine] = []
    for step in steps:
        if step[0] == "put":
            for _ in range(step[2]):  # type: ignore[misc]
                pump.put(plain(str(number)), keep=bool(step[1]))
                if step[1]:
                    kept.append(number)
                number += 1
        else:
            taken = pump.take(int(step[1]))
            assert len(taken) <= int(step[1]) + 1
            out += taken
    while pump.waiting():
        before = pump.waiting()
        out += pump.take()
        assert pump.waiting() < before
    shown = [int(words(line)) for line in out if not GAP.match(words(line))]
    missing = sum(int(match[1]) for line in out if (match := GAP.match(words(line))))
    assert shown == sorted(set(shown))
    assert len(shown) + missing == number
    assert set(kept) <= set(shown)


def test_the_oldest_and_the_newest_half_stay_and_memory_is_bounded() -> None:
    pump = Pump()
    for number in range(100_000):
        pump.put(plain(str(number)))
    assert len(pump._entries) <= 2 * FRAME_CAP + 2
    lines = [words(line) for line in pump.take()]
    half = FRAME_CAP // 2
    assert lines[:half] == [str(n) for n in range(half)]
    assert lines[half].startswith(f"... {100_000 - FRAME_CAP} lines not shown")
    assert lines[half + 1 :] == [str(n) for n in range(100_000 - half, 100_000)]
    assert pump.take() == []
    assert pump.waiting() == 0


def test_wake_comes_once_until_all_is_taken() -> None:
    calls: list[int] = []
    pump = Pump()
    pump.put(plain("before"))
    pump.on_lines(lambda: calls.append(1))
    assert len(calls) == 1, "lines that came before anybody listened are told"
    for _ in range(3):
        pump.put(plain("x"))
    assert len(calls) == 2
    pump.take()
    pump.put(plain("y"))
    assert len(calls) == 3


def test_many_threads_put_at_once() -> None:
    pump = Pump()
    together = threading.Barrier(8)

    def work(name: int) -> None:
        together.wait()
        for number in range(200):
            pump.put(plain(f"{name} {number}"), keep=True)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    out: list[str] = []
    while any(thread.is_alive() for thread in threads) or pump.waiting():
        out += [words(line) for line in pump.take()]
    for thread in threads:
        thread.join()
    for name in range(8):
        assert [line for line in out if line.startswith(f"{name} ")] == [f"{name} {n}" for n in range(200)]


# --- styles -------------------------------------------------------------------------------------------------------------------
@given(st.lists(st.tuples(st.sampled_from([*sorted(NAMES), "unknown"]), odd.text())), st.booleans(), st.integers(1, 200))
def test_a_painted_line_is_printable_text_and_our_own_sgr(pieces: list[tuple[str, str]], colour: bool, columns: int) -> None:
    line = tuple((style, Shown(text)) for style, text in pieces)  # as if somebody had forgotten `visible`
    out = paint(line, colour=colour, columns=columns)
    assert re.sub(r"\x1b\[[0-9;]*m", "", out).isprintable()
    if not colour:
        assert "\x1b" not in out


def test_lanes_have_styles_and_narrow_terminals_lose_the_time() -> None:
    assert {lane_style(role) for role in Role} <= NAMES
    line = (("time", Shown("0.1 ")), ("lane.tracer", Shown("tracer ")), ("plain", Shown("x")))
    assert paint(line, colour=False, columns=60) == "0.1 tracer x"
    assert paint(line, colour=False, columns=59) == "tracer x"
    assert paint(line, colour=True, columns=59) == "\x1b[35mtracer \x1b[0mx"


def test_an_endless_line_is_cut_and_says_so() -> None:
    out = paint((("plain", Shown("x" * 1_000_000)), ("plain", Shown("y" * 10))), colour=False)
    assert len(out) <= MAX_LINE
    found = re.fullmatch(r"(x+) \.\.\. (\d+) more characters \.\.\. (x+y{10})", out)
    assert found
    assert len(found[1]) + int(found[2]) + len(found[3]) == 1_000_010


@pytest.mark.parametrize(
    ("environ", "colour"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({}, False),
    ],
)
def test_who_wants_colours(environ: dict[str, str], colour: bool) -> None:
    assert wants_colour(environ) is colour


@given(st.text(odd.VALID.filter(lambda char: unicodedata.category(char)[0] not in "CMZ")), st.integers(1, 40))
def test_cut_never_exceeds_the_width(text: str, columns: int) -> None:
    from prompt_toolkit.utils import get_cwidth

    out = cut(text, columns)
    assert get_cwidth(out) <= columns
    assert out == text or out.endswith("…")


@given(st.lists(st.text(st.sampled_from(odd.ASCII[32:127])), max_size=5), st.integers(1, 60))
def test_split_lines_fit_and_mark_what_is_missing(texts: list[str], columns: int) -> None:
    out = "".join(fragment[1] for fragment in fit(tuple(("plain", Shown(text)) for text in texts), columns))
    whole = "".join(texts)
    assert len(out) <= columns
    assert out.rstrip() == whole.rstrip() or out.endswith("…")


def test_toolbar_drops_fields_from_the_right() -> None:
    fields = [("tracer", "idle"), ("queue", "w1 w2"), ("program", "stopped")]

    def text(columns: int, held: int | None = None, doubt: str = "") -> str:
        return "".join(part[1] for part in toolbar_text(fields, held=held, doubt=doubt, keys="F1 help", columns=columns))

    assert text(80) == " tracer: idle | queue: w1 w2 | program: stopped | F1 help"
    assert text(50) == " tracer: idle | queue: w1 w2 | program: stopped"
    assert text(20) == " tracer: idle"
    assert text(8) == " tracer…"
    assert text(80, held=7).startswith(" HELD, 7 lines wait (F3) | tracer")
    assert "! what\\x07" in text(80, doubt="what\x07")


# --- history ------------------------------------------------------------------------------------------------------------------
def test_where_the_history_lives() -> None:
    assert history_path({"XDG_STATE_HOME": "/s", "HOME": "/h"}) == Path("/s/tracedbg/history")
    assert history_path({"XDG_STATE_HOME": "relative", "HOME": "/h"}) == Path("/h/.local/state/tracedbg/history")
    assert history_path({"HOME": "relative"}) is None
    assert history_path({}) is None


def test_history_is_written_trimmed_and_harmless(tmp_path: Path) -> None:
    file = tmp_path / "state" / "tracedbg" / "history"
    history = LineHistory(file)
    history.store_string("one")
    history.store_string("two \x1b[31m\nthree")
    assert file.read_bytes() == b"one\ntwo \\x1b[31m three\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    with file.open("ab") as out:
        out.write(b"\x9b2J\xff\n" + b"".join(b"%07d\n" % n for n in range(MAX_BYTES // 8 + 10)))
    os.chmod(file, 0o644)
    again = LineHistory(file)
    assert file.stat().st_size < MAX_BYTES
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    newest = list(again.load_history_strings())
    assert newest[0] == f"{MAX_BYTES // 8 + 9:07d}"
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
def test_something_else_in_the_place_of_the_history_is_left_alone(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "tracedbg" / "history"
    file.parent.mkdir()
    target = tmp_path / "precious"
    target.write_text("precious\n")
    if kind == "link":
        file.symlink_to(target)
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.mkdir()
    history = LineHistory(file)
    assert history.refused
    history.store_string("one")
    assert list(history.load_history_strings()) == []
    assert target.read_text() == "precious\n"


# --- small things ---------------------------------------------------------------------------------------------------------------
def test_fuzzy_order() -> None:
    names = ["backtrace", "break", "breakpoints", "tbreak", "x"]
    ranked = sorted((rank, name) for name in names if (rank := fuzzy_rank("bk", name)) is not None)
    assert [name for _, name in ranked] == ["backtrace", "break", "breakpoints", "tbreak"]
    assert fuzzy_rank("kb", "break") is None


@given(st.integers(0, 20))
def test_the_alternate_screen_is_noticed_across_chunks(at: int) -> None:
    data = b"ab\x1b[?1049hcd\x1b[?25l"
    state = ScreenState()
    state.feed(data[:at])
    state.feed(data[at:])
    assert state.alternate
    state.feed(b"\x1b[?1049l")
    assert not state.alternate
