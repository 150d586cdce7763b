"""A lesson on a projector and its notes in a second terminal: the real program on two ptys, by the keys of a clicker."""

from __future__ import annotations

import os
import signal
import stat
import termios
import time
from pathlib import Path

import pytest

from tracedbg.model.text import Shown
from tracedbg.render.styles import NAMES
from tracedbg.session.show import Frame
from tracedbg.ui.slideshow import DARK, LIGHT, screen

from .real import TRACEDBG, Real

DEADLINE_S = 30.0
ON, BACK = b"\x1b[6~", b"\x1b[5~"  # PageDown, PageUp
PAGE = """# Who may wait

Before the first step.

<details><summary>Notes</summary>

A secret for the speaker.

</details>

## Far away

```tracedbg
thread w1
expect not w1 asleep within 0.2s
```

## Nobody is there

**Predict:** `w1` waits, and there is no child. What comes back?

- `= 0` - nothing yet
- `= -1 ECHILD` - there is nobody to wait for

```tracedbg
on w1 wait4 -1 __WALL
expect w1 wait4 = -1 ECHILD
```

<details><summary>Why?</summary>

It found no child.

</details>

<details><summary>Notes</summary>

Wait until all hands are up.

</details>
"""


class Projected(Real):
    """A screen of either side."""

    def see(self, wanted: str) -> None:
        """Wait until it stands on the screen (rows joined, so that it may be broken anywhere)."""
        self.until(lambda: wanted in self.shown, DEADLINE_S)

    @property
    def shown(self) -> str:
        return " ".join(" ".join(self.lines()).split())

    def turn(self, key: bytes) -> None:
        """Press a key of the clicker and wait for another slide or page: their numbers stand in the last row, which is drawn last."""
        before = self.lines()[-1]
        self.send(key)
        self.until(lambda: self.lines()[-1] not in (before, ""), DEADLINE_S)

    def on_to(self, wanted: str) -> None:
        """Press the clicker until something is seen."""
        for _ in range(30):
            if wanted in self.shown:
                return
            self.turn(ON)
            self.until(lambda: "it runs" not in self.lines()[-1], DEADLINE_S)
        raise AssertionError(f"no {wanted!r} up to {self.shown}")


@pytest.mark.slow
@pytest.mark.needs("ptrace")
@pytest.mark.parametrize(("cols", "rows", "light"), [(40, 12, "--light"), (120, 40, "--dark")])
def test_a_presentation_and_who_follows(tmp_path: Path, cols: int, rows: int, light: str) -> None:
    path = tmp_path / "10-mine.md"
    path.write_text(PAGE)
    env: dict[str, str | None] = {"XDG_RUNTIME_DIR": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    words = ["present", str(path), "--trust", light]
    with Projected([*TRACEDBG, *words], cols, rows, env) as desk:
        modes = desk.modes()
        desk.see("Who may wait")
        assert desk.emulator.in_alternate
        (socket,) = (tmp_path / "tracedbg").glob("present-*.sock")
        assert stat.S_IMODE(os.stat(socket).st_mode) == 0o600
        with Projected([*TRACEDBG, "follow"], cols, rows, env) as speaker:
            speaker.see("A secret for the speaker.")
            desk.on_to("What comes back?")
            speaker.see("What comes back?")
            speaker.send(ON)  # the notes may stand on the next page of a small screen
            speaker.see("Wait until all hands are up.")
            speaker.send(BACK)
            desk.type("2++1")
            desk.see("4 votes")
            assert "█" not in desk.shown
            speaker.see("[3]")
            speaker.see("nobody knows yet" if cols > 100 else "1/")
            desk.type("p")
            desk.see("███")
            if cols > 100:  # on a small screen that is on the next page
                speaker.see("the class sees the votes")
            # A clicker's key for a blank screen, and back.
            desk.type("b")
            desk.until(lambda: not desk.shown, DEADLINE_S)
            speaker.see("the screen is blank")
            desk.type("b")
            desk.see("4 votes")
            desk.on_to("┃ = -1 ECHILD")
            desk.on_to("It found no child.")
            # A step back: what was logged.
            for _ in range(30):
                if "ok expect w1 wait4 = -1 ECHILD" in desk.shown:
                    break
                desk.turn(BACK)
            else:
                raise AssertionError(desk.shown)
            # Played anew: the begin is there at once, and what comes before is played meanwhile.
            began = time.monotonic()
            desk.type("r")
            desk.see("2 of 2")
            assert time.monotonic() - began < 1.0
            desk.on_to("ok expect w1 wait4 = -1 ECHILD")
            raw = desk.raw
            assert b"secret" not in raw, "notes are never projected"
            assert b"hands are up" not in raw
            desk.type("q")
            desk.see("Leave? (y or n)")
            desk.type("n")
            desk.until(lambda: "Leave?" not in desk.shown, DEADLINE_S)
            desk.type("qy")
            assert desk.wait(DEADLINE_S) == 0
            assert speaker.wait(DEADLINE_S) == 0
            assert "The presentation is over." in speaker.text
        assert not socket.exists()
        desk.feed()
        assert desk.modes() == modes
        assert modes & termios.ECHO
        assert not desk.emulator.in_alternate


@pytest.mark.slow
@pytest.mark.needs("ptrace")
def test_the_terminal_is_in_order_after_a_signal(tmp_path: Path) -> None:
    """SIGTERM in the middle of a block that never ends: the alternate screen is left, echo is back, the socket is gone."""
    path = tmp_path / "10-mine.md"
    path.write_text("# Mine\n\n## One\n\n```tracedbg\nexpect tracer nothing within 100s\n```\n")
    env: dict[str, str | None] = {"XDG_RUNTIME_DIR": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    words = ["present", str(path), "--trust", "--step", "one", "--socket", os.path.relpath(tmp_path / "mine.sock")]
    with Projected([*TRACEDBG, *words], 60, 20, env) as desk:
        desk.see("1 of 1")
        assert (tmp_path / "mine.sock").is_socket(), "not below the folder in which the lesson plays"
        modes = desk.modes()
        assert not modes & termios.ECHO
        desk.send(ON)
        desk.see("Now we run")
        desk.send(ON)
        desk.see("it runs")
        os.kill(desk.pid, signal.SIGTERM)
        assert desk.wait(DEADLINE_S) == 0
        assert desk.modes() & termios.ECHO
        desk.feed()
        assert not desk.emulator.in_alternate
        assert not (tmp_path / "mine.sock").exists()


def _luminance(colour: str) -> float:
    """WCAG 2.1, relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("colours", "back"), [(DARK, "#000000"), (LIGHT, "#ffffff")])
def test_everything_stands_out(colours: dict[str, str], back: str) -> None:
    """Each style has a colour of its own table, and the contrast that WCAG asks for at its highest level (7 to 1)."""
    assert set(colours) == NAMES
    for name, colour in colours.items():
        bright, dark = sorted((_luminance(colour), _luminance(back)), reverse=True)
        assert (bright + 0.05) / (dark + 0.05) >= 7, name


def test_a_frame_fills_the_screen_and_no_more() -> None:
    body = tuple((("plain", Shown("x" * 50)),) for _ in range(30))
    frame = Frame((Shown("a head that is longer than this"), Shown("RIGHT")), body, (Shown(""), Shown("")), 38)
    rows = ["".join(fragment[1] for fragment in line) for line in screen(frame, 40, 12)]
    assert len(rows) == 12
    assert all(len(row) <= 40 for row in rows)
    assert rows[0].endswith("RIGHT")
    assert screen(Frame(frame.head, body[:1], frame.foot, 38, centred=True), 40, 12)[5]
