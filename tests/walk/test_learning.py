"""A lesson as somebody plays it: pauses, predictions, explanations, progress; the screen is a list of lines here."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.walk.pages import page, step
from tracedbg.commands.runner import Runner
from tracedbg.commands.table import all_commands
from tracedbg.model.errors import BadArgument, NotFound, NotHere, NotNow
from tracedbg.model.events import Detail
from tracedbg.session.session import Session
from tracedbg.walk import learning_start
from tracedbg.walk.learning import Lesson
from tracedbg.walk.learning_alone import reading_seconds
from tracedbg.walk.learning_progress import Mark, Progress, digest_to, progress_path
from tracedbg.walk.reading import parse
from tracedbg.walk.shipped import lessons, name_of

PREDICT = """**Rule** `wait.not-mine`: nobody waits for a stranger.

**Predict:** what comes back?

- `= -1 EPERM` - it is forbidden
- `= -1 ECHILD` - there is no child
- `= -1 EINVAL` - it is nonsense

"""
WHY = "<details><summary>Why?</summary>\n\nBecause `w1` has no child.\n\n</details>\n\n"
MORE = "<details><summary>In the kernel</summary>\n\nSee `do_wait`.\n\n</details>\n\n"
HINTS = "<details><summary>Hint</summary>\n\nThe first.\n\n</details>\n\n<details><summary>Hint</summary>\n\nThe second.\n\n</details>\n\n"
NOTES = "<details><summary>Notes</summary>\n\nSay this to the class.\n\n</details>\n\n"
ONE = step("thread w1", name="One", above="Some prose.\n\n")
TWO = step("on w1 wait4 -1 __WALL", "expect w1 wait4 = -1 ECHILD", name="Two", above=HINTS + PREDICT) + WHY + MORE + NOTES
THREE = step("on w1 gettid", "expect w1 gettid = <tid>", name="Three")
PAGE = page(ONE, TWO, THREE, intro="Hello.\n\n")


class Stage:
    """Keeps what is told, and whether the log was muted then."""

    colour = False

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.muted = False

    def tell(self, line: Any) -> None:
        self.lines.append("".join(text for _, text in line))

    def mute(self, on: bool) -> None:
        self.muted = on

    def columns(self) -> int:
        return 80

    def take(self) -> str:
        lines, self.lines = self.lines, []
        return "\n".join(lines)


class Play:
    def __init__(self, session: Session, text: str, **more: Any) -> None:
        self.session, self.stage, self.marks = session, Stage(), list[Mark]()
        self.document = parse(text, "x.md")
        given: dict[str, Any] = {"mark": Mark(), "first": 1, "note": self.marks.append, "coda": "", **more}
        self.lesson = Lesson(self.document, session, self.stage, {}, **given)
        session.lesson = self.lesson
        self.runner = Runner(session, all_commands())

    def type(self, line: str) -> str:
        """What a line typed at the prompt shows."""
        meaning = self.lesson.meaning(line)
        assert meaning is not None
        assert self.runner.run_line(meaning, "keyboard"), self.session.last_error
        return self.stage.take()

    def on(self) -> str:
        self.lesson.go_on()
        return self.stage.take()


@contextmanager
def playing(text: str = PAGE, **more: Any) -> Iterator[Play]:
    with Session(detail=Detail.CALLS) as session:
        yield Play(session, text, **more)


def number_of(shown: str, choice: str) -> str:
    """The number before a choice, as it is shown: they are shuffled."""
    return next(line.split()[0] for line in shown.splitlines() if f"`{choice}`" in line)


def test_one_step_at_a_time() -> None:
    with playing() as it:
        shown = it.on()
        assert "Title" in shown
        assert "Hello." in shown
        assert "Some prose" not in shown
        shown = it.on()
        assert "1/3  One" in shown
        assert "> thread w1" in shown
        assert it.lesson.where == "1/3, Enter runs it"
        assert not it.session.bench.names()
        it.on()
        assert list(it.session.bench.names()) == ["w1"]
        assert it.marks[-1].step == "one"


def test_a_prediction() -> None:
    with playing() as it:
        for _ in range(3):
            it.on()
        asked = it.on()
        assert "What do you think? What comes back?" in asked
        assert "> on w1 wait4 -1 __WALL" in asked
        assert "expect" not in asked, "an expectation would give the answer away"
        assert "nobody waits" not in asked, "and so would the rule"
        assert it.lesson.prompt == "your guess, 1-3> "
        shown = it.type(number_of(asked, "= -1 EPERM"))
        assert "What happened:\n    w1  wait4(-1, __WALL) = -1 ECHILD" in shown
        assert "You had predicted: `= -1 EPERM` - it is forbidden" in shown
        assert "Which rule explains the difference?" in shown
        assert "ok expect w1 wait4 = -1 ECHILD" in shown
        assert "no child" not in shown
        assert it.lesson.where == "2/3, Enter: why?"
        shown = it.type("why?")
        assert "Because `w1` has no child." in shown
        assert shown.index("Because") < shown.index("Rule wait.not-mine")
        assert it.marks[-1].guesses["two"] == (0,)


@pytest.mark.parametrize(("guess", "said", "kept"), [("= -1 ECHILD", "As you predicted", 1), ("", "What happened", None)])
def test_a_right_guess_and_none(guess: str, said: str, kept: int | None) -> None:
    with playing() as it:
        for _ in range(3):
            it.on()
        asked = it.on()
        shown = it.type(number_of(asked, guess)) if guess else it.on()
        assert said in shown
        assert "You had" not in shown
        it.on()
        assert it.marks[-1].guesses["two"] == (kept,)


def test_the_choices_are_shuffled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracedbg.walk.learning.random.shuffle", list.reverse)
    with playing() as it:
        for _ in range(3):
            it.on()
        asked = it.on()
        assert number_of(asked, "= -1 EINVAL") == "1"
        assert "You had predicted: `= -1 EINVAL`" in it.type("1")


def test_commands_of_ones_own_count_for_nothing() -> None:
    """The window of a block begins with it: what the learner did in between does not meet its expectations."""
    text = page(step("thread w1", name="One"), step("expect w1 gettid = <tid> within 0.1s", name="Two"))
    with playing(text) as it:
        for _ in range(3):
            it.on()
        it.type("on w1 gettid")
        it.on()
        shown = it.on()
        assert it.lesson.failed
        assert "x.md:" in shown
        assert "the lesson cannot go on" in shown
        assert "tracedbg learn x.md --step two" in shown
        assert not it.marks[-1].done
        assert it.lesson.meaning("") == "", "the prompt is like any other again"
        with pytest.raises(NotNow, match="the lesson is over"):
            it.lesson.go_on()


def test_hints_and_more() -> None:
    with playing() as it:
        with pytest.raises(NotFound):
            it.lesson.hint()
        for _ in range(4):
            it.on()
        assert "The first." in "".join(it.lesson.hint())
        assert "The second." in "".join(it.lesson.hint())
        with pytest.raises(NotFound, match="no further hint"):
            it.lesson.hint()
        with pytest.raises(NotFound):
            it.lesson.more()
        it.on()
        assert "more tells: In the kernel" in it.on()
        assert "See `do_wait`." in "".join(it.lesson.more())
        with pytest.raises(NotFound):
            it.lesson.more()
        it.lesson.again()
        assert "Because" in (shown := it.stage.take())
        assert "to the class" not in shown, "notes are for whoever presents the page"


def test_wrong_answers_and_words() -> None:
    with playing() as it:
        with pytest.raises(NotNow, match="no question waits"):
            it.lesson.guess(1)
        for _ in range(4):
            it.on()
        with pytest.raises(BadArgument, match="there is no choice 4"):
            it.lesson.guess(4)
        assert it.lesson.meaning("2") == "lesson guess 2"
        assert it.lesson.meaning("on w1 gettid") == "on w1 gettid"
        assert it.lesson.meaning("") == "lesson next"
        assert it.lesson.meaning("") is None, "a key held a moment too long turns one page"


def test_a_lesson_comes_back_to_where_one_was() -> None:
    """Finished steps are played unseen and without pauses, and what was guessed in them is kept."""
    with playing(first=3, mark=Mark("two", "", {"one": (), "two": (2,)})) as it:
        shown = it.on()
        assert "Steps 1 to 2 are played again now" in shown
        assert "3/3  Three" in shown
        assert "Some prose" not in shown
        assert not it.stage.muted
        assert list(it.session.bench.names()) == ["w1"]
        assert it.marks[-1].guesses["two"] == (2,)
        assert "That was: Title" in it.on()
        assert it.marks[-1].done


def test_a_failure_in_a_replayed_step_is_shown() -> None:
    text = page(step("on nobody gettid", name="One"), step("thread w1", name="Two"))
    with playing(text, first=2) as it:
        shown = it.on()
        assert "While the step 'One' was replayed: x.md:6: on nobody gettid" in shown
        assert it.lesson.failed
        assert not it.stage.muted


def test_a_question_for_thinking_only() -> None:
    above = "**Predict:** how many?\n\n- none\n- all\n\n"
    with playing(page(step("thread w1", "on w1 gettid", "expect w1 gettid = <tid>", name="One", above=above))) as it:
        asked = it.on() + it.on()
        number = next(line.split()[0] for line in asked.splitlines() if line.endswith("none"))
        assert "You had said: none" in it.type(number)


# --- progress -----------------------------------------------------------------------------------------------------------------
def test_progress_is_kept(tmp_path: Path) -> None:
    document, path = parse(PAGE, "x.md"), tmp_path / "state" / "lessons.json"
    mark = Mark("one", digest_to(document, "one"), {"one": (None, 2)})
    Progress(path).note(document, mark)
    assert Progress(path).mark(document) == mark
    assert json.loads(path.read_bytes())["format"] == 1
    other = parse(PAGE, "y.md")
    Progress(path).note(other, Mark("two"))
    assert Progress(path).mark(document) == mark
    Progress(path).forget(document)
    assert Progress(path).mark(document) == Mark()
    assert Progress(path).mark(other).step == "two"
    assert [each.name for each in path.parent.iterdir()] == ["lessons.json"]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"lessons": 3}', b"\xff\xfe"])
def test_a_damaged_file_counts_as_empty(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "lessons.json"
    path.write_bytes(damage)
    assert Progress(path).mark(parse(PAGE, "x.md")) == Mark()


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    progress = Progress(tmp_path / "file" / "lessons.json")
    progress.note(parse(PAGE, "x.md"), Mark("one"))
    assert "cannot be written" in progress.trouble
    assert progress_path({"HOME": "here", "XDG_STATE_HOME": "there"}) is None
    assert progress_path({"HOME": "/h"}) == Path("/h/.local/state/tracedbg/lessons.json")


def test_where_to_begin() -> None:
    document = parse(PAGE, "x.md")

    def first(mark: Mark, step: str = "", *, alone: bool = False, text: str = PAGE) -> tuple[int, list[str]]:
        number, _, told = learning_start._first(parse(text, "x.md"), mark, step, alone=alone)
        return number, told

    mark = Mark("one", digest_to(document, "one"))
    assert first(Mark()) == (1, [])
    assert first(mark) == (2, [])
    assert first(mark, alone=True) == (1, [])
    assert first(mark, "three") == (3, [])
    # A change behind that step does not matter, one before its end does.
    assert first(mark, text=PAGE.replace("gettid", "getpid")) == (2, [])
    number, told = first(mark, text=PAGE.replace("Some prose", "Other prose"))
    assert number == 1
    assert "changed" in told[0]
    number, told = first(Mark("three", digest_to(document, "three"), done=True))
    assert number == 1
    assert "to its end" in told[0]


# --- the command --------------------------------------------------------------------------------------------------------------
def learn(*words: str, interactive: bool = False, played: list[Any] | None = None) -> tuple[int, str]:
    out = io.StringIO()

    def alone(make: Any, speed: float) -> int:
        assert played is not None, "it must not be played"
        played.append((make, speed, os.getcwd()))
        return 0

    front = learning_start.Front(interactive, lambda make: None, alone, out)
    return learning_start.main("learn", list(words), front), out.getvalue()


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_the_list() -> None:
    status, shown = learn()
    assert status == 0
    for path in lessons():
        assert f" {name_of(path)} " in shown
    assert "What is a debugger, to the kernel?" in shown


def test_a_foreign_page_is_shown_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / "10-foreign.md"
    path.write_text(page(step("launch /bin/true \x1b[31m", name="One")))
    status, shown = learn(str(path))
    assert status == 1
    assert f"{path}:6: launch /bin/true \\x1b[31m" in shown
    assert "--trust" in shown


def test_a_trusted_page_plays_in_a_folder_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "10-foreign.md"
    path.write_text(page(step("thread w1", name="One")))
    played: list[Any] = []
    before = os.getcwd()
    assert learn(str(path), "--trust", "--auto", "--speed", "4", interactive=True, played=played)[0] == 0
    ((_, speed, folder),) = played
    assert speed == 4
    assert folder not in (before, str(tmp_path))
    assert os.getcwd() == before
    assert not os.path.exists(folder)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no lesson 'nothing'"):
        learn("nothing")
    with pytest.raises(NotFound, match="no step 'nowhere'"):
        learn("tour", "--step", "nowhere")
    path = tmp_path / "10-needy.md"
    path.write_text(page(step("thread w1"), front="needs: [kernel>=99.9]"))
    with pytest.raises(NotHere, match=r"needs kernel>=99\.9"):
        learn(str(path), "--trust")


def test_pauses_for_reading() -> None:
    assert reading_seconds(100, 0) == 0
    assert reading_seconds(1, 1) == 1
    assert reading_seconds(10, 1) == 3
    assert reading_seconds(1000, 2) == 4
