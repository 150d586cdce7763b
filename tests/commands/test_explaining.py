"""`explain --step` by its own rules: what can be done at a pause, what cannot, and that every way out of it is one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.commands.console import until
from tests.programs import build
from tracedbg.commands.runner import Runner
from tracedbg.commands.table import all_commands
from tracedbg.kernel import procfs
from tracedbg.lang.complete import complete
from tracedbg.model.events import CallEntered, CommandFinished
from tracedbg.session.session import Session

pytestmark = [pytest.mark.needs("ptrace", "cc", "x86-64"), pytest.mark.slow]


class Prompt:
    """Runs lines as a script does, and hears their answers."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.runner = Runner(session, all_commands(), lambda: 120)

    def __call__(self, line: str, *, ok: bool = True) -> str:
        before = self.session.log.last
        done = self.runner.run_line(line, "script")
        found = [record.event for record in self.session.log.since(before) if isinstance(record.event, CommandFinished)]
        answer = found[-1]
        assert done is ok, answer
        return "\n".join((*answer.lines, answer.error))

    def on_to(self, request: str) -> str:
        """Go on to the pause before a request."""
        answer = ""
        for _ in range(20):
            held = self.session.held
            assert held is not None, answer
            if request in held.call:
                return answer
            answer = self("go")
        raise AssertionError(answer)


@contextmanager
def prompt(*lines: str) -> Iterator[Prompt]:
    with Session() as session:
        session.view.on = False
        at = Prompt(session)
        for line in lines:
            at(line)
        yield at


def test_a_pause() -> None:
    """One continue over a breakpoint, looked at from all sides."""
    with prompt(f"file {build('fact')}", "break fact", "run", "thread w1", "explain --step continue") as at:
        assert at.session.held is not None
        assert at.session.held.call.startswith("ptrace(PTRACE_GETREGS")
        assert "fact" in at("info registers rip")
        assert "<fact" in at("x/i $pc")
        assert "No thread of process" in at("info waitqueue")
        for refused in ("continue", "stepi", "break main", "set $rax = 1", "kill", "detach", "explain next"):
            assert "go" in at(refused, ok=False)
        assert "one instruction with the byte lifted" in at.on_to("PTRACE_SINGLESTEP")
        before = at.session.log.last
        assert at("on w1").splitlines()[0].endswith("= -1 ESRCH (No such process)")
        assert at.session.held is not None
        assert "tracer: cont waits for the end of the step" in at("go")
        assert "no thread w9" in at("on w9", ok=False)
        answer = at("go --end")
        assert "Breakpoint 1, fact (n=4)" in answer
        assert "paused before ptrace(PTRACE_SINGLESTEP" in answer
        assert "-1 ESRCH (No such process) [" in answer
        assert "tracer.wrong-thread: tracedbg learn" in answer
        # Nothing else was asked of the kernel by the pause: the step itself was made once, by the tracer.
        steps = [r for r in at.session.log.since(before) if isinstance(r.event, CallEntered) and r.event.args[:1] == ("PTRACE_SINGLESTEP",)]
        assert [record.lane for record in steps] == ["w1", "tracer"]
        assert "no command is held" in at("go", ok=False)
        # All is as it was: the next command runs without a pause, and every request of the session has said what for.
        assert "Breakpoint 1, fact (n=3)" in at("continue")
        calls = [r.event for r in at.session.log.since(0) if isinstance(r.event, CallEntered) and r.lane == "tracer"]
        asked = [event for event in calls if event.name == "ptrace"]
        assert asked
        assert [event for event in asked if not event.purpose] == []


def test_a_counted_loop_is_held_once_and_a_failure_has_its_tree() -> None:
    with prompt(f"file {build('fact')}", "break fact", "run", "delete", "explain --step stepi 20") as at:
        at.on_to("loop stepi 20")
        assert "many requests" in at("go on w1", ok=False)
        answer = at("go --end")
        assert "20 times PTRACE_SINGLESTEP" in answer
        offered = [choice.text for choice in complete(all_commands(), at.runner.context, "explain --step wai")]
        assert sorted(offered[:3]) == ["waiter add", "waiter list", "waiter remove"]
        assert "continue" in [choice.text for choice in complete(all_commands(), at.runner.context, "explain co")]
        assert "explain" in at("explain explain next", ok=False)
        assert "prompt" in at("explain --step fg", ok=False)
        failed = at("explain advance nowhere_to_be_found", ok=False)
        assert "advance nowhere_to_be_found: " in failed


def test_an_interrupt_at_a_pause_ends_the_pauses_and_the_run() -> None:
    with prompt("file /bin/sleep", "starti 1000", "explain --step continue") as at:
        at.on_to("PTRACE_CONT")
        assert at.session.interrupt()
        assert at.session.held is None
        answer = at("go")
        assert "Program interrupted." in answer
        assert "PTRACE_INTERRUPT" in answer or "SIGSTOP" in answer


@pytest.mark.parametrize("request_", ["PTRACE_GETREGS", "PTRACE_CONT", "PTRACE_GETSIGINFO"])
def test_a_session_that_ends_at_a_pause_leaves_nothing(request_: str) -> None:
    with prompt(f"file {build('fact')}", "break fact", "run", "explain --step continue") as at:
        at.on_to(request_)
        pid = at.session.program.pid
    until(lambda: procfs.state(pid) == "", f"the end of {pid}")


def test_a_program_that_is_killed_at_a_pause() -> None:
    """The request answers ESRCH, the end is told: as without a pause."""
    import os
    import signal

    with prompt(f"file {build('fact')}", "break fact", "run", "explain --step continue") as at:
        at.on_to("PTRACE_SINGLESTEP")
        os.kill(at.session.program.pid, signal.SIGKILL)
        answer = at("go --end")
        assert "terminated with signal SIGKILL" in answer
        assert "killed SIGKILL" in answer
