"""The program's own terminal as a person meets it: output in its lane, input, the keyboard handed over, other terminals, redirections."""

from __future__ import annotations

import os
import pty
import signal
import termios
from pathlib import Path

import pytest

from tests.programs import build

from .real import tracedbg

pytestmark = [pytest.mark.slow, pytest.mark.needs("cc", "ptrace")]


def test_output_input_and_the_keyboard(tmp_path: Path) -> None:
    """One program after the other in one session: a question, a password, single keys on the full screen, another program."""
    with tracedbg(tmp_path, build("terminal"), "ask") as screen:
        # An unfinished line is shown and marked, and never mixes with the line that is being typed.
        screen.say("log quiet", "The live log shows")
        screen.say("run", "| your name? (no newline yet)")
        screen.type("input half")
        screen.until(lambda: screen.prompt_line() == "input half")
        screen.type(" typed\n")
        screen.until("| hello <half typed>")
        # The next question may stand before it in the same line, if it had not been shown as unfinished yet.
        screen.say('input "in quotes\\n"', "hello <in quotes>")
        screen.say("fg", "the keyboard goes to the program")
        screen.type("myself\r")
        screen.until("hello <myself>")
        assert "myself\n" in screen.text, "in the foreground the program's terminal echoes"
        screen.type("\x1d")
        screen.ready()
        assert not screen.modes() & termios.ECHO
        screen.say("input ^D", "no more input")
        screen.until("exited normally")

        screen.say("run password", "| Password: (no newline yet)")
        screen.say("fg", "the keyboard goes to the program")
        screen.type("secret\r")
        screen.until("exited normally")
        screen.ready()
        assert "6 characters" in screen.text
        assert "secret" not in screen.text, "a password is not echoed"

        screen.say("run keys", "FULL SCREEN")
        screen.say("fg", "the keyboard goes to the program")
        screen.type("a\x03\x1a")
        screen.until("key 1a")
        assert "key 03" in screen.text, "a program in raw mode gets Ctrl-C and Ctrl-Z as bytes"
        screen.type("s")
        screen.until("Program received signal SIGUSR1")
        screen.ready()
        screen.type("signal 0\n")
        screen.until(lambda: "running" in screen.toolbar())
        screen.say("fg", "the keyboard goes to the program")
        screen.type("q")
        screen.until(lambda: "exited normally" in screen.after("fg"))
        screen.ready()
        assert not screen.emulator.in_alternate
        screen.say("echo still here", "still here")


def test_another_terminal_and_files(tmp_path: Path) -> None:
    """`run --tty` puts the program on a second pty; `<` and `>` on files."""
    (tmp_path / "in").write_text("file\n")
    master, slave = pty.openpty()
    try:
        with tracedbg(tmp_path, build("terminal")) as screen:
            screen.say("log quiet", "The live log shows")
            screen.say(f"run --tty {os.ttyname(slave)} size", "")
            assert os.read(master, 100).startswith(b"size ")
            screen.say("input x", "the program has no terminal of ours")
            screen.say("fg", "the program has no terminal of ours")
            screen.say("interrupt", "Program interrupted")
            screen.say("kill", "killed]")
            screen.type(f"set cwd {tmp_path}\n")
            screen.say("run ask < in > out", "exited normally")
            assert (tmp_path / "out").read_text() == "your name? hello <file>\nyour name? no more input\n"
            screen.say("run --tty /dev/null size", "is no terminal")
            screen.say("run < /nowhere", "there is no file /nowhere")
            # The size of the program's window follows ours.
            screen.say("run size", "| size 100x40")
            screen.resize(90, 30)
            screen.until("| size 90x30")
            screen.say("fg", "the keyboard goes to the program")
            screen.resize(120, 35)
            screen.until("size 120x35")
            # Asked to end while the program has the keyboard.
            os.kill(screen.pid, signal.SIGTERM)
            assert screen.wait() == 0
            assert screen.modes() & termios.ECHO
    finally:
        os.close(master)
        os.close(slave)
