"""The real prompt: keys, completion, repeats, sizes, hostile output, terminals that cannot be redrawn."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.programs import build

from .harness import PROMPT
from .real import TRACEDBG, Real, tracedbg

pytestmark = [pytest.mark.slow, pytest.mark.needs("cc", "ptrace")]
HERE = Path(__file__).parent
F1, F2, F3 = "\x1bOP", "\x1bOQ", "\x1bOR"
UP, RIGHT = "\x1b[A", "\x1b[C"


def offers(screen: Real, text: str, *wanted: str) -> None:
    """Type half a line, see the menu below it offer these, and clear the line."""

    def menu() -> str:
        lines = screen.lines()
        last = max(y for y, line in enumerate(lines) if line.startswith(PROMPT.rstrip()))
        return "\n".join(lines[last + 1 : -1])

    screen.type(text)
    screen.until(lambda: (screen.prompt_line() or "").startswith(text.rstrip()) and all(word in menu() for word in wanted))
    screen.type("\x03")
    screen.ready()


def test_keys_and_completion(tmp_path: Path) -> None:
    with tracedbg(tmp_path, build("fact"), cols=100, rows=40) as screen:
        screen.type("\x03")
        screen.until("nothing is running")
        # Completion knows the program's functions before it runs, and finds them in the middle of a word.
        screen.type("break fac\t\n")
        screen.until("Breakpoint 1 at")
        offers(screen, "break fac", "fact")
        screen.say("run", "Breakpoint 1, fact (n=5)")
        screen.ready()
        offers(screen, "print $r", "$rax", "$rbx")
        offers(screen, "on ", "tracer", "waiter")
        offers(screen, "run --", "--tty")
        offers(screen, "info br", "breakpoints")
        # Enter on an empty line repeats, with the next part where there is one.
        screen.say("stepi", "stopped SIGTRAP step")
        screen.ready()
        screen.type("\n")
        screen.until(lambda: screen.text.count("stopped SIGTRAP step") == 2)
        screen.say("list 1,4", "#include <stdlib.h>")
        screen.ready()
        screen.type("\n")
        screen.until("10   =>")
        screen.say("x/2xw $sp", "0x7ff")
        screen.ready()
        screen.type("\n")
        screen.until(lambda: len(re.findall(r"^0x7ff[0-9a-f]+.*:\s+0x", screen.text, re.MULTILINE)) >= 2)
        # Help on the word under the cursor, the split, the held flow: the half-typed line stays.
        screen.type("finish" + F1)
        screen.until("Run until the selected")
        screen.until(lambda: screen.prompt_line() == "finish")
        screen.type(F2)
        screen.until(lambda: screen.emulator.in_alternate and screen.prompt_line() == "finish")
        screen.until(lambda: any("=>" in line for line in screen.lines()))
        screen.type(F2)
        screen.until(lambda: not screen.emulator.in_alternate and screen.prompt_line() == "finish")
        screen.type(F3 + "\x03")
        screen.until("HELD, 0 lines wait")
        screen.type("stepi\n")
        screen.until(lambda: re.search(r"HELD, [1-9]\d* lines wait", screen.toolbar()))
        screen.type(F3)
        screen.until(lambda: screen.text.count("stopped SIGTRAP step") == 3)
        # History by prefix, the suggestion with the right arrow.
        screen.type("x" + UP)
        screen.until(lambda: screen.prompt_line() == "x/2xw $sp")
        screen.type("\x03")
        screen.ready()
        screen.type("info bre" + "\x03")
        screen.ready()
        screen.say("kill", "killed]")
        screen.until(lambda: "program: none" in screen.toolbar())


@pytest.mark.parametrize(("cols", "rows", "color"), [(40, 12, True), (200, 50, False)])
def test_sizes_and_hostile_output(tmp_path: Path, cols: int, rows: int, color: bool) -> None:
    """At any size, with and without colours: what the program wrote is text, the prompt stays usable, nothing reaches the terminal."""
    env = {} if color else {"NO_COLOR": "1"}
    with tracedbg(tmp_path, build("terminal"), "hostile", cols=cols, rows=rows, env=dict(env)) as screen:
        screen.type("run\n")
        screen.until(lambda: "abcdefEND" in screen.text.replace("\n", "") or "END (no" in screen.text.replace("\n", ""))
        screen.type("echo unharmed\n")
        screen.until(lambda: "\nunharmed\n" in screen.text)
        flat = screen.text.replace("\n", "")
        assert "\\x1b]0;owned\\x07" in flat
        assert "\\u202ecba" in flat
        assert "\\x9b2J" in flat
        assert bool(re.search(r"\d\.\d{6} +tracee", flat)) == (cols >= 60), "there is no room for times on a narrow screen"
        raw = screen.raw.decode("utf-8")
        ours = re.compile(r"\x1b\[[0-9;]*[mABCDHJK]|\x1b\[\?(?:7|12|25|2004|1)[hl]|\r|\n|\x08")
        rest = ours.sub("", raw)
        assert rest.isprintable(), [char for char in rest if not char.isprintable()][:10]
        if not color:
            assert not re.search(r"\x1b\[[0-9;]*\b(3[0-7]|9[0-7])[0-9;]*m", raw)
        screen.type("quit\n")
        assert screen.wait() == 0


def test_a_terminal_that_cannot_be_redrawn(tmp_path: Path) -> None:
    with Real([*TRACEDBG, str(build("loop"))], 80, 24, {"TERM": "dumb", "XDG_STATE_HOME": str(tmp_path)}) as screen:
        screen.ready()
        screen.type("break tick\nrun\n")
        screen.until("Breakpoint 1, tick ()")
        screen.type("delete\ncontinue\n")
        screen.until(lambda: screen.text.count("running continue") == 2)  # the first one is of `run`
        screen.type("\x03")
        screen.until("Program received signal SIGINT")
        screen.type("bt\n")
        screen.until("#1 ")
        screen.type("quit\n")
        assert screen.wait() == 0
        assert b"\x1b" not in screen.raw


def test_ctrl_z_with_a_program(tmp_path: Path) -> None:
    """The shell gets its terminal back while the program runs on; after fg everything is as before."""
    shell = [sys.executable, str(HERE / "job_shell.py"), *TRACEDBG, str(build("loop"))]
    with Real(shell, 100, 30, {"XDG_STATE_HOME": str(tmp_path)}) as screen:
        screen.ready()
        screen.say("run", "| looping")
        screen.type("interr")
        screen.until(lambda: screen.prompt_line() == "interr")
        screen.type("\x1a")
        screen.until("shell: stopped by SIGTSTP, echo on, canonical on")
        screen.type("fg\n")
        screen.until(lambda: screen.prompt_line() == "interr")
        screen.type("upt\n")
        screen.until("Program interrupted.")
        screen.say("stepi", "stopped SIGTRAP step")
        screen.type("quit\n")
        assert screen.wait() == 0
