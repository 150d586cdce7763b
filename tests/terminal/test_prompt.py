"""The prompt as a person meets it: keys, history, menu, sizes, colours, leaving."""

from __future__ import annotations

import os
import re
import signal
import stat
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .fake_host import HOSTILE
from .harness import PROMPT, Screen

HERE = Path(__file__).parent
HOST = [sys.executable, str(HERE / "fake_host.py")]
F1, F2, F3 = "\x1bOP", "\x1bOQ", "\x1bOR"
UP, DOWN, RIGHT = "\x1b[A", "\x1b[B", "\x1b[C"

Start = Callable[..., Screen]

pytestmark = pytest.mark.slow


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the host at a terminal; its history lives in the test's directory."""
    screens: list[Screen] = []

    def begin(*options: str, cols: int = 80, rows: int = 24, env: dict[str, str | None] | None = None, rate: int | None = None) -> Screen:
        screen = Screen([*HOST, *options], cols, rows, {"XDG_STATE_HOME": str(tmp_path), **(env or {})}, rate)
        screens.append(screen)
        screen.until(lambda: screen.prompt_line() == "")
        return screen

    yield begin
    for screen in screens:
        screen.close()


def line_is(screen: Screen, text: str) -> None:
    screen.until(lambda: screen.prompt_line() == text)


def say(screen: Screen, text: str) -> None:
    screen.type(f"say {text}\n")
    screen.until(f"said <{text}>")
    line_is(screen, "")


@pytest.mark.parametrize(("cols", "rows"), [(40, 12), (80, 24), (200, 50)])
def test_sizes(start: Start, cols: int, rows: int) -> None:
    screen = start(cols=cols, rows=rows)
    assert any("tracer: idle" in line for line in screen.lines())
    assert ("F3 hold" in screen.text) == (cols >= 80), "fields are dropped from the right where they find no room"
    for number in range(rows):
        say(screen, str(number))
    screen.type("br")
    screen.until("breakpoint")
    screen.type("\x03")
    line_is(screen, "")
    assert [line for line in screen.history if line.startswith("said")] == [f"said <{n}>" for n in range(rows)]
    long = "say " + "x" * (cols * 2)
    screen.type(long)
    screen.until(lambda: "".join(screen.lines()).count("x") == cols * 2)
    screen.type("\n")
    screen.until(lambda: screen.text.replace("\n", "").count(f"said <{'x' * (cols * 2)}>") == 1)
    screen.type("\x04")
    assert screen.wait() == 0


def test_resizing_keeps_the_line(start: Start) -> None:
    screen = start()
    say(screen, "before")
    screen.type("say half")
    line_is(screen, "say half")
    screen.resize(50, 15)
    screen.type("-typed")
    line_is(screen, "say half-typed")
    screen.resize(120, 40)
    screen.type("\n")
    screen.until("said <half-typed>")


def test_no_color_has_no_colours_and_the_same_words(start: Start) -> None:
    with_colours, without = start(), start(env={"NO_COLOR": "1"})
    seen = []
    for screen in (with_colours, without):
        screen.type("nonsense\n")
        screen.until("no command")
        screen.type("br")
        screen.until("breakpoint")
        screen.type("\x03\x04")
        assert screen.wait() == 0
        screen.until("goodbye")
        seen.append([line for line in screen.history if line])
    assert seen[0] == seen[1]
    colours = re.compile(rb"\x1b\[[0-9;]*\b(3[0-7]|4[0-7]|9[0-7]|10[0-7]|38|48)[0-9;]*m")
    assert colours.search(with_colours.raw)
    assert not colours.search(without.raw)


def test_history_is_private_and_comes_back(start: Start, tmp_path: Path) -> None:
    first = start()
    for text in ("one", "two"):
        say(first, text)
    first.type("wait\n")
    first.type("\x03")
    first.until("the wait is over")
    first.type("\x04")
    assert first.wait() == 0
    file = tmp_path / "tracedbg" / "history"
    assert file.read_text() == "say one\nsay two\nwait\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    second = start()
    second.type("sa")
    line_is(second, "say two")  # the suggestion stands behind the cursor
    second.type(UP)
    line_is(second, "say two")
    second.type(UP)
    line_is(second, "say one")
    second.type(DOWN + "\x03")
    line_is(second, "")
    second.type("\x12ne")
    second.until("I-search backward: ne")
    line_is(second, "say one")
    second.type("\n\n")
    second.until("said <one>")


def test_a_suggestion_is_taken_with_the_right_arrow(start: Start) -> None:
    screen = start()
    say(screen, "something long")
    screen.type("say so")
    line_is(screen, "say something long")
    screen.type(RIGHT + "\n")
    screen.until(lambda: screen.text.count("said <something long>") == 2)


def test_completion_menu_fuzzy_and_tab(start: Start) -> None:
    screen = start()
    screen.type("f")
    screen.until(lambda: all(word in screen.text for word in ("flood", "frame", "fg")))
    screen.type("\x03")
    line_is(screen, "")
    screen.type("bkpt")
    screen.until(lambda: any(line.strip().startswith("breakpoint") for line in screen.lines()))
    screen.type("\t")
    line_is(screen, "breakpoint")
    screen.type(" fac\t")
    line_is(screen, "breakpoint factorial")
    screen.type("\x03")
    line_is(screen, "")
    # A symbol with an escape sequence in its name: shown and inserted as text.
    screen.type("breakpoint fib")
    screen.until("fib\\x1b[31m")


def test_a_doubtful_line_is_told_before_enter(start: Start) -> None:
    screen = start(cols=100)
    screen.type("xyzzy")
    screen.until("! unknown command")
    screen.type("\n")
    screen.until("no command 'xyzzy'")
    line_is(screen, "")


def test_enter_on_an_empty_line_repeats(start: Start) -> None:
    screen = start()
    say(screen, "again")
    screen.type("\n")
    screen.until(lambda: screen.text.count("said <again>") == 2)


def test_the_prompt_changes_while_it_is_shown(start: Start) -> None:
    screen = start()
    screen.type("predict\n")
    screen.until(lambda: screen.prompt_line("predict [1-3]> ") == "")


def test_ctrl_c_clears_then_stops_then_hints(start: Start) -> None:
    screen = start()
    screen.type("say half")
    line_is(screen, "say half")
    screen.type("\x03")
    line_is(screen, "")
    screen.type("\x03")
    screen.until("nothing runs; Ctrl-D leaves")
    screen.type("wait\n")
    screen.until(f"{PROMPT}wait")
    screen.type("say usable meanwhile\n")
    screen.until("said <usable meanwhile>")
    screen.type("\x03")
    screen.until("stopped waiting")
    screen.until("the wait is over")


def test_sigint_from_outside_is_ctrl_c(start: Start) -> None:
    screen = start()
    screen.type("wait\n")
    screen.until(f"{PROMPT}wait")
    os.kill(screen.pid, signal.SIGINT)
    screen.until("the wait is over")
    screen.type("\x04")
    assert screen.wait() == 0


def test_ctrl_d_deletes_or_leaves(start: Start) -> None:
    screen = start()
    before = screen.modes()
    assert not before & termios.ECHO, "raw while the prompt is there"
    screen.type("sayy x\x01" + RIGHT * 3 + "\x04")
    line_is(screen, "say x")
    screen.type("\n")
    screen.until("said <x>")
    screen.type("\x04")
    assert screen.wait() == 0
    screen.until("goodbye")
    assert screen.modes() & termios.ECHO
    assert screen.modes() & termios.ICANON
    assert screen.prompt_line() != "", "the last prompt is wiped away"


def test_leaving_something_attached_is_asked_about(start: Start) -> None:
    screen = start("--attached")
    screen.type("\x04")
    screen.until("process 4242 would be let go; leave? (y or n)")
    screen.type("n")
    line_is(screen, "")
    say(screen, "still here")
    screen.type("\x04")
    screen.until(lambda: screen.text.count("(y or n)") == 2)
    screen.type("y")
    assert screen.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_asked_to_end_by_a_signal(start: Start, number: signal.Signals) -> None:
    screen = start()
    os.kill(screen.pid, number)
    assert screen.wait() == 0
    screen.until("goodbye")
    assert screen.modes() & termios.ECHO


def test_a_terminal_that_goes_away_ends_the_session(start: Start) -> None:
    screen = start()
    screen.hang_up()
    assert screen.wait() == 0


def test_ctrl_z_and_back(tmp_path: Path) -> None:
    """A little shell with job control starts the host, sees it stop, looks at the terminal's modes, and brings it back."""
    shell = [sys.executable, str(HERE / "job_shell.py"), *HOST]
    with Screen(shell, 80, 24, {"XDG_STATE_HOME": str(tmp_path)}) as screen:
        line_is(screen, "")
        screen.type("say half")
        line_is(screen, "say half")
        screen.type("\x1a")
        screen.until("shell: stopped by SIGTSTP, echo on, canonical on")
        screen.type("fg\n")
        line_is(screen, "say half")
        assert not screen.modes() & termios.ECHO
        screen.type("-typed\n")
        screen.until("said <half-typed>")
        screen.type("\x1a")
        screen.until(lambda: screen.text.count("shell: stopped by SIGTSTP") == 2)
        screen.type("fg\n")
        line_is(screen, "")
        screen.type("\x04")
        assert screen.wait() == 0
        screen.until("shell: ended with 0")


def test_ctrl_z_without_a_shell_says_so(start: Start) -> None:
    screen = start()
    screen.type("\x1a")
    screen.until("Ctrl-Z: no shell of this terminal could bring tracedbg back")
    say(screen, "goes on")


def test_f1_asks_for_help_on_the_word_and_keeps_the_line(start: Start) -> None:
    screen = start()
    screen.type("say half" + F1)
    screen.until(f"{PROMPT}help say")
    line_is(screen, "say half")


def test_ctrl_l_clears_the_screen(start: Start) -> None:
    screen = start()
    for number in range(5):
        say(screen, str(number))
    screen.type("say half\x0c")
    screen.until(lambda: screen.lines()[0] == f"{PROMPT}say half")


def test_pasted_lines_wait_for_enter_and_hide_nothing(start: Start) -> None:
    screen = start()
    screen.type("\x1b[200~say one\rsay tw\u202eo\r\x1b[201~")
    screen.until("say tw\\u202eo")
    assert "said" not in screen.text
    screen.type("\n")
    screen.until("said <tw\\u202eo>")
    assert "said <one>" in screen.text


# --- split and hold ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("cols", "rows"), [(40, 12), (80, 24), (200, 50)])
def test_the_split_and_back_with_a_half_typed_line(start: Start, cols: int, rows: int) -> None:
    screen = start(cols=cols, rows=rows)
    say(screen, "before")
    screen.type("say half")
    line_is(screen, "say half")
    screen.type(F2)
    screen.until(lambda: screen.emulator.in_alternate and screen.prompt_line() == "say half")
    screen.until("-> 12 {")
    lines = screen.lines()
    assert "said <before>" in "\n".join(lines), "the log so far is there"
    assert "tracer: idle" in lines[-1], "the toolbar is the last row"
    if cols < 80:
        assert any(line.endswith("…") for line in lines), "what is cut says so"
    screen.type("-typed\n")
    screen.until("said <half-typed>")
    screen.type("say other")
    line_is(screen, "say other")
    screen.type(F2)
    screen.until(lambda: not screen.emulator.in_alternate)
    line_is(screen, "say other")
    screen.until("said <half-typed>")
    screen.type("\n")
    screen.until("said <other>")
    said = [line for line in screen.history if line.startswith("said")]
    assert said == ["said <before>", "said <half-typed>", "said <other>"], "the ordinary screen tells what the split showed"


def test_the_split_refuses_a_narrow_terminal(start: Start) -> None:
    screen = start(cols=39, rows=12)
    screen.type(F2)
    screen.until(lambda: "the split needs 40 columns, this terminal has 39" in screen.text.replace("\n", ""))
    assert not screen.emulator.in_alternate


def test_the_split_closes_when_the_terminal_shrinks(start: Start) -> None:
    screen = start()
    screen.type("say half" + F2)
    screen.until(lambda: screen.emulator.in_alternate and screen.prompt_line() == "say half")
    screen.resize(39, 12)
    screen.until(lambda: not screen.emulator.in_alternate)
    told = "this terminal has 39"
    screen.until(lambda: told in screen.text.replace("\n", ""))
    line_is(screen, "say half")
    screen.type("\x15say after\n")
    screen.until("said <after>")
    assert screen.text.replace("\n", "").count(told) == 1


def test_hold_freezes_counts_and_lets_go(start: Start) -> None:
    screen = start()
    screen.type(F3)
    screen.until("HELD, 0 lines wait (F3)")
    screen.type("burst 150\n")
    screen.until("HELD, 151 lines wait (F3)")
    assert "burst 0" not in screen.text
    screen.type(F3)
    screen.until("burst 149")
    assert [line for line in screen.history if line.startswith("burst")] == [f"burst {n}" for n in range(150)]


def test_a_burst_shows_both_ends_and_says_how_many_lines_it_left_out(start: Start) -> None:
    screen = start()
    screen.type(F3 + "burst 1000\n")
    screen.until("HELD, 1001 lines wait (F3)")
    screen.type(F3)
    screen.until("burst 999")
    shown = [int(line.split()[1]) for line in screen.history if line.startswith("burst")]
    missing = sum(int(number) for number in re.findall(r"\.\.\. (\d+) lines not shown here", screen.text))
    assert len(shown) + missing == 1000
    assert shown[:50] == list(range(50))
    assert shown[-50:] == list(range(950, 1000))


def test_an_answer_is_never_left_out(start: Start) -> None:
    screen = start()
    screen.type("answer 700\n")
    screen.until("answer 699")
    assert [line for line in screen.history if line.startswith("answer")] == [f"answer {n}" for n in range(700)]


# --- hostile text, slow and broken terminals ----------------------------------------------------------------------------------
def test_hostile_text_stays_text(start: Start) -> None:
    screen = start(cols=120, rows=40)
    begin = len(screen.raw)
    screen.type("hostile\n")
    screen.until("shift\\x0eout")
    said = screen.raw[begin:].decode("utf-8")
    # What may reach the terminal: printable text, line ends, and the sequences that we and prompt_toolkit use to draw.
    ours = re.compile(r"\x1b\[[0-9;]*[mABCDHJK]|\x1b\[\?(?:7|12|25|2004|1)[hl]|\r|\n|\x08|\x1b\[[0-9]*;?[0-9]*H")
    rest = ours.sub("", said)
    assert rest.isprintable(), [char for char in rest if not char.isprintable()]
    for text in HOSTILE:
        shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
        assert screen.text.count(shown) == 2
    say(screen, "unharmed")


def test_a_slow_terminal_does_not_keep_the_keys_waiting(start: Start) -> None:
    """150 kB a second, as over a slow line, and ten thousand lines a second: the cap goes down, the keys and the end stay quick."""
    screen = start(rate=150_000)
    screen.type("flood 10000 3\n")
    screen.until_bytes(b"ptrace(PTRACE_CONT", 10)
    screen.type("say hello\n")
    screen.until_bytes(b"said <hello>", 5)
    screen.type("\x04")
    assert screen.wait(5) == 0
    screen.until("goodbye")


def test_a_defect_puts_the_terminal_in_order_and_is_told(start: Start) -> None:
    screen = start()
    screen.type("crash\n")
    assert screen.wait() == 1
    screen.until("InternalError")
    assert screen.modes() & termios.ECHO


# --- fg -----------------------------------------------------------------------------------------------------------------------
def test_fg_until_the_escape_key(start: Start) -> None:
    screen = start()
    screen.type("say half")
    line_is(screen, "say half")
    screen.type("\x03fg\n")
    screen.until("the keyboard goes to the program")
    screen.resize(90, 24)
    screen.type("x\x03\x1a")
    screen.until("program read")
    screen.until(lambda: re.sub(r"program read |\s", "", screen.text.partition("comes back")[2]) == "78031a")
    screen.type("\x1dsay behind\n")
    screen.until("back from fg: key")
    screen.until("said <behind>")
    screen.resize(70, 24)
    screen.type("sizes 3\n")
    screen.until("sizes [(80, 24), (90, 24), (70, 24)]")
    assert not screen.modes() & termios.ECHO


def test_fg_until_the_program_stops_and_all_is_reset(start: Start) -> None:
    screen = start()
    screen.type("fg\n")
    screen.until("the keyboard goes to the program")
    screen.type("a")
    screen.until(lambda: screen.emulator.in_alternate)
    screen.type("s")
    screen.until("back from fg: stop")
    line_is(screen, "")
    assert not screen.emulator.in_alternate
    after = screen.raw.partition(b"in the alternate screen")[2]
    for sequence in (b"\x1b[?1049l", b"\x1b[?1000l", b"\x1b[?25h", b"\x1b[r"):
        assert sequence in after
    say(screen, "as before")
    screen.type("\x04")
    assert screen.wait() == 0


# --- a dumb terminal -----------------------------------------------------------------------------------------------------------
def test_a_dumb_terminal_gets_plain_lines(tmp_path: Path) -> None:
    with Screen([*HOST, "--attached"], 80, 24, {"TERM": "dumb", "XDG_STATE_HOME": str(tmp_path)}) as screen:
        screen.until(lambda: screen.prompt_line() == "")
        screen.type("say hello\n")
        screen.until("said <hello>")
        screen.type("hostile\n")
        screen.until("shift\\x0eout")
        screen.type("wait\n")
        screen.until(f"{PROMPT}wait")
        screen.type("\x03")
        screen.until("the wait is over")
        screen.until(lambda: screen.prompt_line() == "")
        screen.type("\x04")
        screen.until("leave? (y or n)")
        screen.type("n\n")
        screen.until(lambda: screen.prompt_line() == "")
        screen.type("\x03")
        screen.until("nothing runs")
        screen.type("quit\n")
        assert screen.wait() == 0
        screen.until("goodbye")
        assert b"\x1b" not in screen.raw
