"""A lesson in front of a class: one thing at a time, votes, step back, play anew, and the recording as a net; without a terminal here."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.walk.pages import page, step
from tests.walk.test_learning import PAGE
from tests.walk.test_recorded import recording  # noqa: F401  # a fixture
from tracedbg.eventlog.recordings import load
from tracedbg.model.errors import BadArgument
from tracedbg.model.text import Shown
from tracedbg.walk import lectern, live_play
from tracedbg.walk.following import Follower
from tracedbg.walk.lectern import Lectern
from tracedbg.walk.live_play import LivePlay
from tracedbg.walk.moments import Lack
from tracedbg.walk.presenting import Presentation
from tracedbg.walk.reading import parse
from tracedbg.walk.recorded import RecordedPage, page_of
from tracedbg.walk.slide_drawing import pages, wrapped
from tracedbg.walk.slides import slides_of

DEADLINE_S = 20.0


@pytest.fixture
def recorded(recording: Path) -> RecordedPage:  # noqa: F811  # pytest hands the fixture in by its name
    return page_of(load(str(recording)))


class Class:
    """A class that looks at a screen."""

    def __init__(self, show: Presentation, columns: int = 60, rows: int = 20) -> None:
        self.show, self.size = show, (columns, rows)
        self._news = threading.Condition()
        show.on_change(self._heard)

    def _heard(self) -> None:
        # As a screen does it: whoever tells may hold the lock of a log, so nothing is drawn here.
        with self._news:
            self._news.notify_all()

    @property
    def sees(self) -> str:
        frame = self.show.frame(*self.size)
        if frame.blank:
            return ""
        rows = [" | ".join(frame.head), *("".join(text for _, text in line) for line in frame.body), " | ".join(frame.foot)]
        assert len(frame.body) <= self.size[1] - 2
        assert all(len(row) <= self.size[0] for row in rows[1:-1]), rows
        return "\n".join(rows)

    def until(self, wanted: str | Callable[[], Any]) -> str:
        end = time.monotonic() + DEADLINE_S
        while not ((wanted in self.sees) if isinstance(wanted, str) else wanted()):
            assert time.monotonic() < end, f"no {wanted!r} in {self.sees}"
            with self._news:
                self._news.wait(0.05)
        return self.sees

    def press(self, *actions: str) -> str:
        for action in actions:
            self.show.press(action)
        return self.sees

    def on_to(self, wanted: str) -> str:
        """Press on until something is seen; a block that runs is waited for."""
        for _ in range(60):
            if wanted in self.sees:
                return self.sees
            self.press("next")
            self.until(lambda: "it runs" not in self.sees)
        raise AssertionError(f"no {wanted!r} up to {self.sees}")


@contextmanager
def presented(text: str = PAGE, net: RecordedPage | None = None, limit: float = 20.0, **more: Any) -> Iterator[Class]:
    document = parse(text, "x.md")
    show = Presentation(document, {}, net, **more)
    live = LivePlay(document, {}, show.polls.leader, limit=limit)
    show.play(live)
    try:
        yield Class(show)
    finally:
        live.close()


# --- slides -------------------------------------------------------------------------------------------------------------------
def test_the_slides_of_a_page() -> None:
    document = parse(PAGE, "x.md")
    assert [slide.kind for slide in slides_of(document, 0, {})] == ["heading", "text"]
    assert [slide.kind for slide in slides_of(document, 1, {})] == ["heading", "text", "preview", "log"]
    kinds = ["heading", "question", "preview", "log", "outcome", "why", "rule"]
    assert [slide.kind for slide in slides_of(document, 2, {})] == kinds, "no hint, nothing in reserve, no notes"
    needy = parse(page(step("kernel on", "expect tracer x", info=" needs=tracefs", above="**Predict:** what?\n\n- a\n- b\n\n")), "x.md")
    lacks = {"tracefs": Lack("tracefs", "not mounted", "")}
    assert [slide.kind for slide in slides_of(needy, 1, lacks)] == ["heading", "skipped"], "what is not run is not asked"


def test_lines_are_wrapped_and_never_cut() -> None:
    line = (("strong", Shown("w1")), ("plain", Shown(" | ptrace(PTRACE_CONT, 4242, 0, 0) = -1 ESRCH " + "x" * 30)))
    flags = wrapped(((("plain", Shown("x PTRACE_O_TRACEFORK|PTRACE_O_TRACECLONE|PTRACE_O_EXITKILL"))),), 30)
    assert "".join(text for _, text in flags[0]).endswith("|"), "flags are broken between them"
    for width in (12, 20, 38):
        rows = wrapped(line, width, 4)
        assert all(sum(len(text) for _, text in row) <= width for row in rows)
        told = "".join(text for row in rows for _, text in row)
        assert told.replace(" ", "") == "".join(text for _, text in line).replace(" ", "")
    lines = [(("plain", Shown(str(number))),) if number % 4 else () for number in range(1, 30)]
    assert all(len(each) <= 5 for each in pages(lines, 5))
    assert [line for each in pages(lines, 5) for line in each if line] == [line for line in lines if line]


# --- live ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.needs("ptrace")
def test_a_class_votes_and_sees() -> None:
    told: list[dict[str, Any]] = []
    with presented(tell=told.append) as it:
        assert "Title" in it.sees
        it.on_to("What comes back?")
        it.press("2", "more", "1", "1", "less")
        assert "3 votes" in it.sees
        assert "█" not in it.sees, "tallies stay hidden until they are asked for"
        assert "█" in it.press("poll")
        it.press("poll", "9")
        assert "there is no choice 9" in it.sees
        it.press("next")
        assert "> on w1 wait4 -1 __WALL" in it.sees
        assert "expect" not in it.sees, "it would give the answer away"
        it.press("next")
        it.until("ok expect w1 wait4 = -1 ECHILD")
        it.until(lambda: "it runs" not in it.sees)
        seen = it.press("next")
        assert "┃ = -1 ECHILD (No child processes)" in seen
        assert "► 2" in seen
        assert "█" in seen
        assert "Because w1 has no child." in it.press("next")
        assert "nobody waits for a stranger" in it.press("next")
        assert told[-1]["question"] is None
        # Back: shown from the log.
        assert "ok expect w1 wait4 = -1 ECHILD" in it.press("back", "back", "back")
        assert it.press("blank") == ""
        assert "ok expect" in it.press("next"), "any key brings the picture back and does nothing else"
        it.press("first")
        assert "Title" in it.sees
    states = [state["question"]["votes"] for state in told if state["question"]]
    assert (1, 2, 0) in states
    assert any(state["notes"] == ["Say this to the class."] for state in told)


@pytest.mark.needs("ptrace")
def test_a_section_is_played_anew_within_a_second() -> None:
    """Its begin is there at once; a new session plays what comes before meanwhile."""
    with presented() as it:
        it.on_to("ok expect w1 wait4")
        began = time.monotonic()
        assert "Two" in it.press("restart")
        assert "2 of 3" in it.sees
        assert time.monotonic() - began < 1.0
        it.press("next", "next", "next")
        it.until("ok expect w1 wait4 = -1 ECHILD")
        it.press("skip")
        assert "3 of 3" in it.sees
        it.press("former", "former")
        assert "1 of 3" in it.sees


def test_a_flood_is_cut_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much a block makes happen, a frame draws a bounded part of it: the newest."""
    monkeypatch.setattr(live_play, "MOST", 10)
    lines = [f"on w1 getpid # {number}" for number in range(20)]
    with presented(page(step("thread w1", *lines, "expect w1 getpid = <n>", name="One"))) as it:
        it.on_to("ok expect w1 getpid")
        it.until(lambda: "it runs" not in it.sees)
        for _ in range(5):
            if "earlier events are not shown" in it.sees:
                break
            it.press("back")
        assert "earlier events are not shown" in it.sees


# --- the net ------------------------------------------------------------------------------------------------------------------
FAILS = PAGE.replace("expect w1 wait4 = -1 ECHILD", "expect w1 wait4 = 0 within 0.1s")
HANGS = PAGE.replace("expect w1 wait4 = -1 ECHILD", "expect w1 wait4 = 0 within 100s")


@pytest.mark.needs("ptrace")
@pytest.mark.parametrize(("text", "limit", "why"), [(FAILS, 20.0, "line 3"), (HANGS, 0.3, "has not ended within 0.3 s")])
def test_the_recording_takes_over(recorded: RecordedPage, text: str, limit: float, why: str) -> None:
    """In the section in which the live play fails or hangs, at the same slide, and labelled."""
    with presented(text, recorded, limit) as it:
        assert "RECORDING" not in it.sees
        it.on_to("> on w1 wait4")
        it.press("next")
        seen = it.until("RECORDING")
        assert "the live play failed" in seen
        assert why in it.show.state()["said"]
        assert "ok expect w1 wait4 = -1 ECHILD" in seen
        assert "► 2" in it.press("next")
        assert it.show.state()["label"].startswith("recording")
        it.on_to("That was")
        it.show.go_to(1)
        assert "RECORDING" not in it.sees, "what was live stays live"


@pytest.mark.needs("ptrace")
def test_without_a_net_the_failure_is_shown() -> None:
    with presented(FAILS) as it:
        it.on_to("> on w1 wait4")
        it.press("next")
        seen = it.until("r plays it anew")
        assert "expect w1 wait4 = 0" in seen
        it.press("skip")
        assert "3 of 3" in it.sees


def test_where_the_machine_refuses(recorded: RecordedPage) -> None:
    """All of it is the recording; first what refuses, and the remedy."""
    told: list[dict[str, Any]] = []
    show = Presentation(recorded.document, {}, recorded, refused="a filter refuses it; allow it", tell=told.append)
    it = Class(show, 40, 12)
    assert "a filter refuses it; allow it" in " ".join(it.sees.split())
    it.on_to("What comes back?")
    assert "RECORDING" in it.sees
    assert told[-1]["question"]["right"] == 1, "whoever presents may know"
    it.press("3", "next", "next")
    it.on_to("What happened")
    it.on_to("That was")
    it.press("restart", "leave", "no")
    assert not show.over
    it.press("leave", "yes")
    assert show.over
    assert any(state["notes"] for state in told)


# --- those who follow ---------------------------------------------------------------------------------------------------------
STATE = {"title": "T", "step": 1, "of": 2, "heading": "Here", "notes": ["*Say* this. \x1b[31m"], "began": 0.0, "reached": 0.0}


@contextmanager
def a_lectern(tmp_path: Path) -> Iterator[Lectern]:
    made = Lectern("", {"XDG_RUNTIME_DIR": str(tmp_path)})
    try:
        yield made
    finally:
        made.close()
    assert not os.path.exists(made.path)


def connected(path: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(DEADLINE_S)
    made.connect(path)
    return made


def test_one_way_and_only_for_its_owner(tmp_path: Path) -> None:
    """Several may follow; what they send does no harm; one that does not read does not stop the others."""
    with a_lectern(tmp_path) as desk:
        assert stat.S_IMODE(os.stat(desk.path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(os.path.dirname(desk.path)).st_mode) == 0o700
        assert lectern.newest({"XDG_RUNTIME_DIR": str(tmp_path)}) == desk.path
        with pytest.raises(BadArgument, match="is there already"):
            Lectern(desk.path, {})
        with connected(desk.path) as hostile, connected(desk.path) as slow, connected(desk.path) as good:
            assert slow.fileno() > 0
            hostile.sendall(b"\x00\xff{{{{\n" * 20_000)
            with good.makefile("rb") as lines:
                desk.tell(STATE)
                assert json.loads(lines.readline())["heading"] == "Here"
                for _ in range(200):
                    desk.tell({**STATE, "said": "x" * 50_000})
                hostile.close()
                desk.tell({**STATE, "said": "the last"})
                while json.loads(lines.readline()).get("said") != "the last":
                    pass
        with connected(desk.path) as late, late.makefile("rb") as lines:
            assert json.loads(lines.readline())["said"] == "the last", "who comes late knows all"


def seen_by(follower: Follower) -> str:
    frame = follower.frame(60, 30)
    return "\n".join(["".join(frame.head), *("".join(text for _, text in line) for line in frame.body), "".join(frame.foot)])


def test_a_follower(tmp_path: Path) -> None:
    """It shows notes, safely; a lectern that ends without a word is looked for again, one that says so ends it."""
    news = threading.Condition()

    def until(wanted: Callable[[], Any]) -> None:
        with news:
            assert news.wait_for(wanted, DEADLINE_S)

    def heard() -> None:
        with news:
            news.notify_all()

    path = str(tmp_path / "hostile.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(path)
        server.listen()
        server.settimeout(DEADLINE_S)
        follower = Follower(path)
        follower.on_change(heard)
        follower.start()
        try:
            peer, _ = server.accept()
            peer.sendall(b'{"format": 3}\n' + b"[" * 5000 + b"\n\xff\xfe\n")
            until(lambda: "is no presentation" in seen_by(follower))
            wild = {"format": "tracedbg-follow", "version": 1, "elapsed": 1e300, "step": -5, "planned_to": -1e300}
            wild |= {"heading": "\x1b]0;own\x07", "question": {"text": "q", "choices": ["a", "b"], "votes": [-1], "right": 77}}
            peer.sendall(json.dumps(wild).encode() + b"\n")
            until(lambda: "\\x1b]0;own" in seen_by(follower))
            assert seen_by(follower).replace("\n", "").isprintable()
            peer.close()
            until(lambda: "lost" in seen_by(follower))
            peer, _ = server.accept()
            peer.sendall(json.dumps({"format": "tracedbg-follow", "version": 1, **STATE}).encode() + b"\n")
            until(lambda: "Say this. \\x1b[31m" in seen_by(follower))
            peer.sendall(b'{"format":"tracedbg-follow","version":1,"over":true}\n')
            until(lambda: follower.over)
            assert follower.ended
            peer.close()
        finally:
            follower.close()
