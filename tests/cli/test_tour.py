"""The tour: every claim is checked, it works piped and at a terminal, and where ptrace is refused it says what refuses it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import ENVIRONMENT, SOURCE, command, tracedbg
from tests.exports import sample
from tests.kernel_pkg.test_refusals import SECCOMP
from tracedbg.commands.runner import Runner
from tracedbg.commands.table import all_commands
from tracedbg.session.session import Session
from tracedbg.walk.reading import read
from tracedbg.walk.shipped import find

PAGE = find("tour")
CLAIMS = [line for block in read(PAGE).blocks() for line in block.lines if line.asserts]

pytestmark = [pytest.mark.needs("ptrace"), pytest.mark.slow]


def piped(*args: str, code: str = "") -> subprocess.CompletedProcess[str]:
    """Run tracedbg with all three standard streams piped; `code` runs in its interpreter first."""
    whole = f"{code}\nimport sys\nfrom tracedbg.cli import main\nsys.exit(main({list(args)!r}))"
    return subprocess.run([sys.executable, "-c", whole], input="", capture_output=True, text=True, timeout=50, check=False, env=ENVIRONMENT)


def test_piped() -> None:
    """No questions, no pauses, no colours; what the kernel did stands where the prediction was."""
    done = tracedbg("tour")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.count("\nok ") == len(CLAIMS) > 15
    assert "\x1b" not in done.stdout
    assert done.stdout.count("What do you think?") == done.stdout.count("What happened:") == 5
    assert (
        done.stdout.index("What do you think?") < done.stdout.index("tracedbg> look $tracee state=t") < done.stdout.index("What happened:")
    )
    assert "tracedbg> expect" not in done.stdout


def test_by_itself_at_a_terminal() -> None:
    """The same with pauses for reading."""
    master, slave = pty.openpty()
    try:
        argv = command("tour", "--auto", "--speed", "100")
        process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env=ENVIRONMENT, start_new_session=True)
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
    assert seen.count(b"\nok ") == len(CLAIMS)
    assert b"That was:" in seen


@pytest.mark.parametrize(
    ("claim", "wrong"),
    [
        ("expect w1 ptrace PTRACE_CONT = -1 ESRCH", "expect w1 ptrace PTRACE_CONT = 0 within 0.2s"),
        ("expect c1 kill = 0", "expect c1 killed SIGKILL within 0.2s"),
    ],
)
def test_a_wrong_claim_fails(tmp_path: Path, claim: str, wrong: str) -> None:
    """The tour can fail: with a claim that is not what the kernel does, its status is 1, and it says at which line."""
    assert claim in [line.text for line in CLAIMS]
    page = tmp_path / "01-wrong.md"
    page.write_text(PAGE.read_text().replace(f"\n{claim}\n", f"\n{wrong}\n"))
    number = page.read_text().splitlines().index(wrong) + 1
    done = tracedbg("learn", str(page), "--trust")
    assert done.returncode == 1
    assert f"{page}:{number}: {wrong}" in done.stdout
    assert "waited 0.2 s" in done.stdout
    assert f"tracedbg learn {page} --step" in done.stdout


def test_without_the_libraries_for_debug_information() -> None:
    """drgn, capstone and pyelftools are needed for source-level debugging only."""
    done = piped("tour", code="import sys\nfor name in ('drgn', 'capstone', 'elftools'): sys.modules[name] = None")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\nok ") == len(CLAIMS)


NO_PTRACE = (
    f"import ctypes, errno, struct, sys\nsys.path.insert(0, {SOURCE!r})\nfrom tracedbg.kernel import raw\n"
    f"libc = ctypes.CDLL(None, use_errno=True)\n{SECCOMP}"
)


def recordings(folder: Path) -> str:
    """Code that looks for the lessons' recordings in another folder."""
    return f"\nfrom pathlib import Path\nfrom tracedbg.walk import shipped\nshipped.RECORDINGS = Path({str(folder)!r})\n"


def test_where_ptrace_is_refused(tmp_path: Path) -> None:
    """A container whose seccomp filter answers EPERM: the first command says what refuses it and what to do, then shows a recording."""
    (tmp_path / "01-tour.jsonl").write_bytes(sample.as_file(sample.recording()))
    done = piped("tour", code=NO_PTRACE + recordings(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("  So this is a recording")
    assert "What happened:\n    tracer  ptrace(PTRACE_CONT, 4242, 0, 0) = -1 ESRCH" in done.stdout
    assert len(done.stderr.splitlines()) == 1
    assert "the tour needs ptrace" in done.stderr
    assert "a seccomp filter" in done.stderr
    assert "--cap-add=SYS_PTRACE" in done.stderr


def test_run_where_ptrace_is_refused() -> None:
    """The child that could not be traced has ended by then; what it said before is not lost."""
    done = piped("--batch", "--log", "quiet", "-ex", "run", "/bin/true", code=NO_PTRACE)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("the program cannot be traced: a seccomp filter"), done.stdout


def test_where_the_system_refuses_ptrace(tmp_path: Path) -> None:
    """What /proc shows decides before anything is tried: here as if Yama's ptrace_scope were 3, and without a recording."""
    code = "from tracedbg.kernel import credentials\ncredentials.yama_scope = lambda: 3" + recordings(tmp_path)
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
