"""A lesson at the prompt of the real tracedbg: Enter, numbers, commands in between, leaving and coming back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .harness import PROMPT
from .real import TRACEDBG, Real

pytestmark = [pytest.mark.slow, pytest.mark.needs("ptrace")]

DEADLINE_S = 30.0


class Pupil(Real):
    """Somebody who plays a lesson."""

    def see(self, wanted: str) -> None:
        """Wait for words."""
        self.until(lambda: wanted in self.text, DEADLINE_S)

    def enter(self, wanted: str) -> None:
        """Press Enter and wait for words that were not there before."""
        count = self.text.count(wanted)
        self.type("\n")
        self.until(lambda: self.text.count(wanted) > count, DEADLINE_S)


def pupil(state: Path, *words: str, cols: int = 80, rows: int = 24, **env: str) -> Pupil:
    return Pupil([*TRACEDBG, *words], cols, rows, {"XDG_STATE_HOME": str(state), **env})


def test_the_tour(tmp_path: Path) -> None:
    """A question is answered, another command comes between, and the next time the finished step is played unseen."""
    with pupil(tmp_path, "tour") as screen:
        screen.see("Enter begins.")
        assert "What is a debugger, to the kernel?" in screen.text
        screen.enter("Enter runs this.")
        assert "> launch /bin/true" in screen.text
        screen.say("info waitqueue", "No thread of process", DEADLINE_S)
        screen.enter("Your guess: a number from 1 to 3.")
        assert "expect tracee look" not in screen.text
        screen.until(lambda: any(line.startswith("your guess, 1-3>") for line in screen.lines()), DEADLINE_S)
        screen.type("2\n")
        screen.see("What happened:")
        screen.see("Why? Enter tells.")
        assert "your guess, 1-3> 2" in screen.text
        assert "ok expect tracee look TracerPid $thread PPid $process" in screen.text
        assert f"{PROMPT}\n{PROMPT}" not in screen.text, "Enter alone leaves no trace"
        screen.type("\x03")
        screen.see("nothing is running")
        screen.enter("Enter goes on, to step 2 of 8.")
        assert "It is a thread's number." in screen.text
        screen.type("\x04")
        assert screen.wait() == 0
        assert "tracedbg learn tour comes back to where you were." in screen.text
    with pupil(tmp_path, "learn", "tour", NO_COLOR="1") as screen:
        screen.see("Your guess: a number from 1 to 2.")
        assert "Step 1 is played again now" in screen.text
        assert "2/8  Who may hear of it" in screen.text
        assert "1/8" not in screen.text
        assert "`wait4`" in screen.text, "code keeps its backticks where no colour can stand for them"
        screen.type("quit\n")
        assert screen.wait() == 0


def page(folder: Path, *lines: str) -> str:
    path = folder / "10-mine.md"
    path.write_text("# Mine\n\n## One\n\n```tracedbg\n" + "\n".join(lines) + "\n```\n")
    return str(path)


@pytest.mark.parametrize(("answer", "status", "then"), [("n\n", 1, ""), ("y\n", 0, "Enter begins.")])
def test_a_foreign_page_is_asked_about(tmp_path: Path, answer: str, status: int, then: str) -> None:
    path = page(tmp_path, "thread w1", "launch /bin/true")
    with pupil(tmp_path, "learn", path, cols=150) as screen:
        screen.see("Play it? (y or n)")
        assert f"{path}:7: launch /bin/true" in screen.text
        screen.type(answer)
        if then:
            screen.see(then)
            screen.type("\x04")
        assert screen.wait() == status


def test_a_wait_that_never_ends(tmp_path: Path) -> None:
    """Ctrl-C ends it; the lesson says that it cannot go on, and the prompt is usable."""
    path = page(tmp_path, "expect tracer nothing within 100s")
    with pupil(tmp_path, "learn", path, "--trust", cols=100) as screen:
        screen.see("Enter begins.")
        screen.enter("Enter runs this.")
        screen.type("\n")
        playing: Callable[[], Any] = lambda: "it plays" in screen.toolbar()  # noqa: E731
        screen.until(playing, DEADLINE_S)
        screen.type("\x03")
        screen.see("the lesson cannot go on")
        screen.say("echo usable", "usable", DEADLINE_S)
        screen.type("\x04")
        assert screen.wait() == 1


def test_a_terminal_that_cannot_be_redrawn(tmp_path: Path) -> None:
    with pupil(tmp_path, "learn", page(tmp_path, "thread w1"), "--trust", TERM="dumb") as screen:
        screen.see("Enter begins.")
        screen.enter("Enter runs this.")
        screen.enter("That was: Mine")
        screen.type("quit\n")
        assert screen.wait() == 0
