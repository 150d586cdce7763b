"""`explain --step` at a terminal of 80 columns and 24 rows: pauses, a look around, ESRCH from another thread, and on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs import build

from .real import tracedbg

pytestmark = [pytest.mark.slow, pytest.mark.needs("cc", "ptrace", "x86-64")]


def test_a_continue_by_steps(tmp_path: Path) -> None:
    with tracedbg(tmp_path, build("fact"), cols=80, rows=24) as screen:
        screen.say("log off", "The live log is off")
        screen.say("break fact", "Breakpoint 1 at")
        screen.say("run", "Breakpoint 1, fact (n=5)")
        screen.say("thread w1", "thread w1, tid")
        screen.type("explain --step continue\n")
        for number, request in enumerate(("PTRACE_GETREGS", "PTRACE_GETREGS", "PTRACE_SINGLESTEP"), 1):
            screen.until(lambda number=number: screen.prompt_line(f"pause {number}>") == "")
            pause = screen.text.rpartition("just came")[2]
            assert f"will make ptrace({request}, " in pause
            assert "asleep     nobody is in a wait call" in pause
            assert all(len(line) <= 80 for line in screen.lines())
            if number < 3:
                screen.type("\n")
        assert "to execute one instruction with the byte lifted" in screen.text
        # The program stands still, whatever is asked meanwhile; the prompt answers, and tells what has to wait.
        screen.type("info waitqueue\n")
        screen.until("No thread of process")
        screen.type("continue\n")
        screen.until("the tracer is held before ptrace(PTRACE_SINGLESTEP")
        screen.type("on w1\n")
        screen.until("w1  ptrace(PTRACE_SINGLESTEP")
        screen.until("= -1 ESRCH (No such process)")
        screen.type("\n")
        screen.until(lambda: screen.prompt_line("pause 4>") == "")
        screen.until("waiter: wait4(-1, __WALL) =")
        screen.type("go --end\n")
        screen.until("Breakpoint 1, fact (n=4)")
        screen.until("tracer.wrong-thread: tracedbg learn")
        screen.ready()
        # Ctrl-C at a pause: no more pauses, and the program stands still at the end.
        screen.say("explain --step continue", "pause 1")
        screen.until(lambda: screen.prompt_line("pause 1>") == "")
        screen.type("\x03")
        screen.until("asked the program to stop")
        screen.until(lambda: screen.text.count("continue: tracer ") == 2)
        screen.ready()
        # A session that ends at a pause leaves nothing.
        screen.say("explain --step stepi", "will make")
        pid = screen.inferior()
        screen.type("quit\n")
        assert screen.wait() == 0
        screen.until_dead(pid)
