"""The tour: every claim is checked, it works piped and at a terminal, and where ptrace is refused it says what refuses it."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from tests.cli import ENVIRONMENT, SOURCE, command, tracedbg
from tests.kernel_pkg.test_refusals import SECCOMP
from tracedbg.commands.runner import Runner
from tracedbg.commands.table import all_commands
from tracedbg.session.session import Session

SCRIPT = files("tracedbg").joinpath("programs/tour.tdbg").read_text(encoding="utf-8")
CLAIMS = [line for line in SCRIPT.splitlines() if line.startswith(("expect", "then"))]

pytestmark = [pytest.mark.needs("ptrace"), pytest.mark.slow]


def piped(*args: str, code: str = "") -> subprocess.CompletedProcess[str]:
    """Run tracedbg with all three standard streams piped; `code` runs in its interpreter first."""
    whole = f"{code}\nimport sys\nfrom tracedbg.cli import main\nsys.exit(main({list(args)!r}))"
    return subprocess.run([sys.executable, "-c", whole], input="", capture_output=True, text=True, timeout=50, check=False, env=ENVIRONMENT)


def test_piped() -> None:
    done = tracedbg("tour")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\nmet: ") == len(CLAIMS) > 15
    assert "\x1b" not in done.stdout
    # The sentences of the tour are shown once, with the names that were captured filled in.
    assert re.search(r"^Who wins is not promised, .* this time (w1|w2) took the status", done.stdout, re.MULTILINE)
    assert "tracedbg> echo" not in done.stdout


def test_at_a_terminal() -> None:
    master, slave = pty.openpty()
    try:
        process = subprocess.Popen(command("tour"), stdin=slave, stdout=slave, stderr=slave, env=ENVIRONMENT, start_new_session=True)
        os.close(slave)
        seen = b""
        while select.select([master], [], [], 40)[0]:
            try:
                data = os.read(master, 65536)
            except OSError:  # EIO: no process has the terminal open any more
                break
            seen += data
        assert process.wait(20) == 0, seen.decode()
    finally:
        os.close(master)
    assert seen.count(b"\nmet: ") == len(CLAIMS)
    assert b"That was the tour." in seen


@pytest.mark.parametrize(
    ("claim", "wrong"),
    [
        ("expect w1 ptrace PTRACE_CONT $tracee = -1 ESRCH", "expect w1 ptrace PTRACE_CONT $tracee = 0 within 0.2s"),
        ("expect tracee look rip $pc", "expect tracee look rip 0x1 within 0.2s"),
        ("expect $loser wait4 = $tracee exited 0", "expect $winner wait4 = $tracee exited 0 within 0.2s"),
    ],
)
def test_a_wrong_claim_fails(tmp_path: Path, claim: str, wrong: str) -> None:
    """The tour can fail: with a claim that is not what the kernel does, its status is 1, at that line."""
    assert claim in CLAIMS
    script = tmp_path / "wrong.tdbg"
    script.write_text(SCRIPT.replace(claim, wrong))
    done = tracedbg("--batch", "-x", str(script))
    assert done.returncode == 1
    last = [line for line in done.stdout.splitlines() if line.startswith("tracedbg> ")][-1]
    assert last == f"tracedbg> {wrong}"
    assert "waited 0.2 s" in done.stdout


def test_without_the_libraries_for_debug_information() -> None:
    """drgn, capstone and pyelftools are needed for source-level debugging only."""
    done = piped("tour", code="import sys\nfor name in ('drgn', 'capstone', 'elftools'): sys.modules[name] = None")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\nmet: ") == len(CLAIMS)


NO_PTRACE = (
    f"import ctypes, errno, struct, sys\nsys.path.insert(0, {SOURCE!r})\nfrom tracedbg.kernel import raw\n"
    f"libc = ctypes.CDLL(None, use_errno=True)\n{SECCOMP}"
)


def test_where_ptrace_is_refused() -> None:
    """A container whose seccomp filter answers EPERM: the first command says what refuses it and what to do."""
    done = piped("tour", code=NO_PTRACE)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "the tour needs ptrace" in done.stderr
    assert "a seccomp filter" in done.stderr
    assert "--cap-add=SYS_PTRACE" in done.stderr


def test_run_where_ptrace_is_refused() -> None:
    """The child that could not be traced has ended by then; what it said before is not lost."""
    done = piped("--batch", "--log", "quiet", "-ex", "run", "/bin/true", code=NO_PTRACE)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("the program cannot be traced: a seccomp filter"), done.stdout


def test_where_the_system_refuses_ptrace() -> None:
    """What /proc shows decides before anything is tried: here as if Yama's ptrace_scope were 3."""
    code = "from tracedbg.kernel import needs\nneeds.yama_scope = lambda: 3"
    done = piped("tour", code=code)
    assert (done.returncode, done.stdout) == (1, "")
    assert "ptrace_scope is 3" in done.stderr
    assert "sysctl" in done.stderr


def test_a_thread_may_be_asked_again_once_its_answer_was_seen() -> None:
    """The tour asks the winner again right after an expectation about its call: no refusal because it is not idle yet."""
    with Session() as session:
        runner = Runner(session, all_commands())
        assert runner.run_line("thread w1", "script")
        for _ in range(100):
            for line in ("on w1 wait4 -1 __WALL &", "expect w1 wait4 = -1 ECHILD", "on w1 gettid", "expect w1 gettid = <tid>"):
                assert runner.run_line(line, "script"), session.last_error
