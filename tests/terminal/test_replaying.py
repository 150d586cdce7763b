"""A recording at the prompt of the real tracedbg: played, paused, gone back on, asked; on machines that can do nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import ENVIRONMENT, SOURCE
from tests.exports.sample import as_file
from tests.kernel_pkg.test_refusals import SECCOMP
from tests.replay.tapes import lesson

from .harness import Screen, prompt_line
from .real import TRACEDBG

pytestmark = pytest.mark.slow

PROMPT = "replay> "
DEADLINE_S = 20.0


class Viewer(Screen):
    """Somebody who looks at a recording."""

    def see(self, wanted: str) -> None:
        """Wait for words."""
        self.until(lambda: wanted in self.text, DEADLINE_S)

    def ready(self) -> None:
        """Wait for an empty prompt."""
        self.until(lambda: prompt_line(self.lines(), PROMPT) == "", DEADLINE_S)

    def say(self, line: str, wanted: str) -> None:
        """Type a line and wait for words that were not there before."""
        count = self.text.count(wanted)
        self.type(line + "\n")
        self.until(lambda: self.text.count(wanted) > count, DEADLINE_S)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "one.jsonl"
    path.write_bytes(as_file(lesson()))
    return path


def test_at_a_terminal(file: Path) -> None:
    """Played up to the question, which is asked again; by stops, back, the split drawn anew, and left."""
    with Viewer([*TRACEDBG, "replay", str(file), "--idle", "0.05"], 80, 24, {"XDG_STATE_HOME": str(file.parent)}) as screen:
        screen.until(lambda: any(line.startswith("your guess, 1-2>") for line in screen.lines()), DEADLINE_S)
        assert "What do you think? What?" in screen.text
        assert "What happened" not in screen.text
        screen.say("2", "As you predicted")
        screen.see("the end: 37 events")
        assert "recorded guess: 1" in screen.text
        screen.say("reverse-continue", "back at 34")
        screen.say("", "back at 28")
        screen.say("info registers rip", "0x400003")
        screen.type("seek 12\n")
        screen.see("at 12, ")
        screen.type("\x1bOQ")  # F2
        screen.until(lambda: screen.emulator.in_alternate, DEADLINE_S)
        screen.say("seek 28", "forward to 28")
        screen.until(lambda: any(line.startswith("=>     3  int line3;") for line in screen.lines()), DEADLINE_S)
        screen.until(lambda: any("stopped SIGTRAP" in line for line in screen.lines()), DEADLINE_S)
        screen.say("rc", "back at the beginning")
        screen.until(lambda: not any("stopped SIGTRAP" in line for line in screen.lines()), DEADLINE_S)
        screen.type("\x1bOQ")
        screen.until(lambda: not screen.emulator.in_alternate, DEADLINE_S)
        screen.ready()
        screen.type("quit\n")
        assert screen.wait() == 0


def test_on_a_small_terminal(file: Path) -> None:
    with Viewer([*TRACEDBG, "replay", str(file), "--from", "10"], 40, 12, {"XDG_STATE_HOME": str(file.parent)}) as screen:
        screen.until(lambda: any(line.startswith("your guess, 1-2>") for line in screen.lines()), DEADLINE_S)
        screen.say("1", "You had predicted")
        screen.say("seek 34", " 34, 9.000 s")
        screen.type("\x1bOQ")
        screen.until(lambda: any(line.startswith("=>     5  int line5;") for line in screen.lines()), DEADLINE_S)
        screen.until(lambda: any("stopped SIGTRAP" in line for line in screen.lines()), DEADLINE_S)
        screen.type("quit\n")
        assert screen.wait() == 0


def test_space_and_ctrl_c(file: Path) -> None:
    with Viewer(
        [*TRACEDBG, "replay", str(file), "--no-questions", "--idle", "100"], 100, 30, {"XDG_STATE_HOME": str(file.parent)}
    ) as screen:
        screen.see("playing x1")
        screen.see("What do you think?")  # now five seconds pass
        screen.ready()
        screen.type(" ")
        screen.see("paused at ")
        screen.type(" ")
        screen.until(lambda: screen.text.count("playing x1") == 1, DEADLINE_S)
        screen.type("\x03")
        screen.until(lambda: screen.text.count("paused at ") == 2, DEADLINE_S)
        screen.say("info stops", "breakpoint")
        screen.type("\x04")
        assert screen.wait() == 0


NOTHING = (
    "import sys\nfor name in ('drgn', 'capstone', 'elftools', 'ptrace'): sys.modules[name] = None\n"
    f"import ctypes, errno, struct\nsys.path.insert(0, {SOURCE!r})\nfrom tracedbg.kernel import raw\n"
    f"libc = ctypes.CDLL(None, use_errno=True)\n{SECCOMP}"
)


def test_on_a_machine_that_cannot_trace(file: Path) -> None:
    """Without ptrace, without its library, without debug information: a script on standard input, and everything at once."""
    code = f"{NOTHING}\nfrom tracedbg.cli import main\nstatus = main(sys.argv[1:])\nimport threading\n"
    code += "assert threading.active_count() == 1\nassert 'tracedbg.tracer.thread' not in sys.modules\nsys.exit(status)"

    def run(stdin: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-c", code, "replay", str(file)]
        return subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=50, check=False, env=ENVIRONMENT)

    done = run("continue\ninfo registers\nreverse-continue\nseek nowhere\nwhere\n")
    assert (done.returncode, done.stderr) == (1, "")
    assert "replay> continue\n" in done.stdout
    assert "0x400003" in done.stdout
    assert done.stdout.endswith("there is no section nowhere; info sections lists them\n"), "the first failure ends a script"
    assert "\x1b" not in done.stdout
    done = run("")
    assert (done.returncode, done.stderr) == (0, "")
    assert "What happened:" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("the end: 37 events")
    assert not os.path.exists(file.parent / "tracedbg"), "no history without a prompt"
