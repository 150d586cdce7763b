"""A recorded lesson: the same pauses, questions and words as live, labelled, and shown where this machine refuses what a lesson needs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from tests.exports import sample
from tests.walk.pages import step
from tests.walk.test_learning import PAGE, Stage, number_of
from tracedbg.commands.runner import Runner
from tracedbg.commands.table import all_commands
from tracedbg.eventlog.recordings import load
from tracedbg.model import events as ev
from tracedbg.model.errors import NotHere, NotNow
from tracedbg.model.events import Detail
from tracedbg.session.session import Session
from tracedbg.walk import learning_start, shipped
from tracedbg.walk.document import Details, Prediction
from tracedbg.walk.moments import Lack
from tracedbg.walk.player import Player
from tracedbg.walk.reading import parse
from tracedbg.walk.recorded import RecordedPage, page_of
from tracedbg.walk.recorded_lesson import RecordedLesson

SKIPPED = step("kernel on", name="Not here", info=" needs=tracefs")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the tests about learning, played and recorded once."""
    path = tmp_path_factory.mktemp("recorded") / "01-tour.jsonl"
    with Session(events=str(path), detail=Detail.CALLS) as session:
        lacks = {"tracefs": Lack("tracefs", "it is not mounted", "mount it")}
        play = Player(parse(PAGE + SKIPPED, "x.md"), session, Runner(session, all_commands()), lacks).play()
        assert list(play)
    return path


@pytest.fixture
def recorded(recording: Path) -> RecordedPage:
    return page_of(load(str(recording)))


def test_a_recording_as_a_page(recorded: RecordedPage) -> None:
    """Its steps, texts, questions and blocks are those of the page that was played, what decided included."""
    live = parse(PAGE + SKIPPED, "x.md")
    made = recorded.document
    assert made.title == live.title
    assert [(each.title, each.slug) for each in made.steps] == [(each.title, each.slug) for each in live.steps]
    for ours, theirs in zip(made.steps, live.steps, strict=True):
        # A rule of a step that predicts is told at its end.
        assert sorted(type(part).__name__ for part in ours.parts) == sorted(type(part).__name__ for part in theirs.parts)
        assert ours.rules == theirs.rules
    two, _, left_out = made.steps[1:]
    (asked,) = [part for part in two.parts if isinstance(part, Prediction)]
    assert [choice.pattern for choice in asked.choices] == ["= -1 EPERM", "= -1 ECHILD", "= -1 EINVAL"]
    judged = recorded.runs[two.blocks[0].line].judged[asked.line]
    assert (judged.right, judged.lane) == (1, "w1")
    assert "ECHILD" in judged.text
    assert recorded.runs[left_out.blocks[0].line].lack == Lack("tracefs", "it is not mounted", "", left_out.blocks[0].line)
    assert "notes" in {part.kind for part in two.parts if isinstance(part, Details)}
    assert str(recorded.label).startswith("recording")


class Shown:
    """A recorded lesson on a stage that keeps lines."""

    def __init__(self, session: Session, page: RecordedPage, first: int = 1) -> None:
        self.stage = Stage()
        self.lesson = RecordedLesson(page, session, self.stage, first=first, coda="Live: do this.", alone=False)

    def on(self, guess: int | None = None) -> str:
        if guess is None:
            self.lesson.go_on()
        else:
            self.lesson.guess(guess)
        return self.stage.take()


def test_it_plays_as_live(recorded: RecordedPage) -> None:
    with Session() as session:
        it = Shown(session, recorded)
        assert "Hello." in (first := it.on())
        assert "nothing of this runs now]" in first
        assert it.lesson.where.startswith("recording")
        assert "> thread w1" in it.on()
        assert "2/4  Two" in it.on() + it.on()
        assert it.lesson.prompt == "your guess, 1-3> "
        it.lesson.again()
        asked = it.stage.take()
        assert "ECHILD" not in asked.partition("What do you think?")[0], "the answer comes after the guess"
        shown = it.on(int(number_of(asked, "= -1 EPERM")))
        assert "w1       | wait4(-1, __WALL) = -1 ECHILD" in shown
        assert "ok expect w1 wait4 = -1 ECHILD" in shown
        assert "You had predicted: `= -1 EPERM`" in shown, "not what was guessed when it was recorded"
        assert "Because `w1` has no child." in it.on()
        rest = ""
        while not it.lesson.over:
            rest += it.on()
        assert "it needs tracefs: it is not mounted" in rest
        assert "Live: do this." in rest
        assert "to the class" not in rest
        assert not session.bench.names(), "nothing of it was run"
        with pytest.raises(NotNow):
            it.lesson.go_on()


def test_it_begins_at_a_step(recorded: RecordedPage) -> None:
    with Session() as session:
        shown = Shown(session, recorded, first=3).on()
    assert "3/4  Three" in shown
    assert "Some prose" not in shown
    assert "w1       |" not in shown, "what was before is not shown"


# --- where the machine refuses ------------------------------------------------------------------------------------------------
@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    """ptrace is refused, as far as the probes say."""
    lack = {"ptrace": Lack("ptrace", "a filter refuses it", "allow it")}
    monkeypatch.setattr(learning_start.Capabilities, "lacks", lambda self, needs: lack)


def tour(*words: str) -> list[str]:
    """Everything that the tour shows where nobody sits at a terminal."""
    shown: list[str] = []

    def alone(make: Any, speed: float) -> int:
        with Session() as session:
            stage = Stage()
            lesson = make(session, stage)
            while not lesson.over:
                lesson.go_on()
            shown.append(stage.take())
        return 0

    front = learning_start.Front(False, lambda make: None, alone, io.StringIO())
    assert learning_start.main("tour", list(words), front) == 0
    return shown


def test_the_bundled_recording_takes_over(
    recording: Path, refusing: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """First what refuses, and the remedy; then the recording, which says that it is one."""
    monkeypatch.setattr(shipped, "RECORDINGS", recording.parent)
    (shown,) = tour()
    assert "the tour needs ptrace, and here it is refused: a filter refuses it; allow it" in capsys.readouterr().err
    assert shown.startswith("  So this is a recording")
    assert "That was: Title" in shown
    assert "To play it on this machine: allow it" in shown


def test_without_a_recording_it_is_an_error(refusing: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "RECORDINGS", tmp_path)
    with pytest.raises(NotHere, match="a filter refuses it; allow it"):
        tour()


EVIL = "\x1b]0;own\x07 \u202e [link](file:///etc/passwd) <script> \x9b2J `` \ud800"


def test_a_hostile_recording_stays_text() -> None:
    """Titles, names, answers, choices: nothing of a file from elsewhere reaches the screen as it is; numbers out of range do no harm."""
    events = (
        (0, "repl", ev.StepReached(0, "", EVIL), 0),
        (1, "repl", ev.TextTold("program", EVIL, EVIL), 0),
        (2, "repl", ev.StepReached(1, EVIL, EVIL), 0),
        (3, "repl", ev.TextTold("rule", EVIL, EVIL), 0),
        (4, "repl", ev.PredictionAsked(EVIL, (ev.ChoiceOffered(EVIL, EVIL), ev.ChoiceOffered("", EVIL))), 0),
        (5, "repl", ev.LineEntered(EVIL, "walkthrough"), 0),
        (6, EVIL, ev.CallReturned(EVIL, (EVIL,), -1, EVIL), 0),
        (7, "repl", ev.CommandFinished(False, (EVIL,), EVIL), 6),
        (8, "repl", ev.PredictionRevealed(7, 99, 99), 5),
        (9, "repl", ev.TextTold("why", EVIL, EVIL), 0),
        (10, "repl", ev.TextTold(EVIL, EVIL, EVIL), 0),
        (11, "repl", ev.BlockLeftOut(EVIL, EVIL), 0),
        (12, "repl", ev.PredictionRevealed(7, -7, -7), 99),
    )
    page = page_of(sample.recording(events, EVIL))
    with Session() as session:
        it = Shown(session, page)
        shown = ""
        while not it.lesson.over:
            shown += it.on()
    assert "What do you think?" in shown
    assert all(char.isprintable() or char == "\n" for char in shown), [char for char in shown if not char.isprintable()]
