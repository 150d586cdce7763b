"""`test` and `lint`: what passes, what fails and how that is told, what is skipped, and what an interrupt leaves."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.cli import ENVIRONMENT, SOURCE
from tests.cli import command as command_line
from tests.walk.pages import EXAMPLES, SLEEPER, command, marked, page, step
from tracedbg.kernel import procfs

pytestmark = [pytest.mark.needs("ptrace"), pytest.mark.slow]


# --- the examples of the format page ------------------------------------------------------------------------------------------
@pytest.mark.needs("cc")
def test_both_examples_pass() -> None:
    status, lines = command("test", *EXAMPLES)
    assert status == 0, lines
    assert lines[-1] == "6 passed, 0 failed, 0 skipped"
    assert re.fullmatch(rf"{re.escape(str(EXAMPLES[0]))}: 3 passed, \d+\.\d s", lines[0])


# --- failures and how they are told -------------------------------------------------------------------------------------------
def test_an_expectation_that_is_not_met(tmp_path: Path) -> None:
    wrong = tmp_path / "30-wrong-thread.md"
    wrong.write_text(EXAMPLES[0].read_text().replace("expect w1 ptrace = -1 ESRCH", "expect w1 ptrace = -1 EPERM within 0.2s"))
    status, lines = command("test", wrong)
    assert status == 1
    text = "\n".join(lines)
    tracee = re.search(r"PTRACE_CONT, (\d+)", text)
    assert tracee is not None
    event = f"    w1  ptrace(PTRACE_CONT, {tracee[1]}, 0, 0) = -1 ESRCH (No such process)"
    assert lines[1:] == [
        f"{wrong}:41: expect w1 ptrace = -1 EPERM within 0.2s",
        "  waited 0.2 s; closest event: 4 of 5 words",
        event,
        "  everything since the block began:",
        event,
        "  not run after the failure: both-at-work",
        "1 passed, 1 failed, 0 skipped",
    ]
    assert re.fullmatch(rf"{re.escape(str(wrong))}: 1 passed, 1 failed, \d+\.\d s", lines[0])


# --- needs --------------------------------------------------------------------------------------------------------------------
def test_a_missing_need_of_the_page_skips_it_all(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    path.write_text(page(step("expect w1 never", name="One"), step("expect w1 never", name="Two"), front="needs: [arch=z80, ptrace]"))
    status, lines = command("test", path)
    assert (status, lines[-1]) == (0, "0 passed, 0 failed, 2 skipped")
    assert lines[0] == f"{path}: skipped"
    assert lines[1] == f"  needs arch=z80: this machine is {os.uname().machine}; use a machine with z80"
    status, lines = command("test", "--strict", path)
    assert (status, lines[-1]) == (1, "0 passed, 2 failed, 0 skipped")


def test_a_missing_need_of_a_block_skips_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    optional = step("on repl getpid", "expect repl getpid = 1", name="Two", info=" needs=smp")
    path.write_text(page(step("on repl getpid", "expect repl getpid", name="One"), optional))
    status, lines = command("test", "--without", "smp", path)
    assert (status, lines[-1]) == (0, "1 passed, 0 failed, 1 skipped"), lines
    assert f"  {path}:12: skipped; needs smp: it was asked to be taken for missing; leave --without smp away" in lines


def test_a_need_that_does_not_exist(tmp_path: Path) -> None:
    from tracedbg.model.errors import BadArgument

    path = tmp_path / "x.md"
    path.write_text(page(step("on repl getpid")))
    with pytest.raises(BadArgument, match="'luck' is no need; needs are ptrace, cc, root"):
        command("test", "--without", "luck", path)


# --- choosing -----------------------------------------------------------------------------------------------------------------
def test_one_step_is_reported_and_those_before_it_are_played(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    path.write_text(
        page(step("thread w1", name="One"), step("on w1 gettid", "expect w1 gettid", name="Two"), step("expect w1 x", name="Three"))
    )
    status, lines = command("test", "-k", "two", path)
    assert (status, lines[-1]) == (0, "1 passed, 0 failed, 0 skipped"), lines


def test_a_wrong_file_is_status_2_and_nothing_runs(tmp_path: Path) -> None:
    good, bad = tmp_path / "10-good.md", tmp_path / "11-bad.md"
    good.write_text(page(step("on repl getpid")))
    bad.write_text("# T\n\n## S\n\n```tracedbg\nexpect\n```\n")
    for name in ("test", "lint"):
        status, lines = command(name, good, bad)
        assert status == 2
        assert lines[0].startswith(f"{bad}:6:7: a pattern needs a lane")
        assert not any("passed" in line for line in lines)


def test_lint_says_what_it_read_and_checks_the_name(tmp_path: Path) -> None:
    path = tmp_path / "10-good-name.md"
    path.write_text(page(step("on repl getpid")))
    assert command("lint", path) == (0, [f"{path}: 1 steps, 1 blocks"])
    other = path.rename(tmp_path / "Other.md")
    assert command("lint", other) == (2, [f"{other}:0:0: this is no name for a walkthrough; call it NN-short-name.md"])


# --- what is left -------------------------------------------------------------------------------------------------------------
@pytest.mark.needs("cc")
def test_an_interrupt_ends_what_plays(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    path.write_text(page(step("thread w1", "launch ./sleeper", "on w1 wait4 -1 __WALL", "on w1 wait4 -1 __WALL"), intro=SLEEPER))
    folder = tmp_path / "folders"
    folder.mkdir()
    environment = {**ENVIRONMENT, "TMPDIR": str(folder)}
    for number, status in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        process = subprocess.Popen(
            command_line("test", str(path)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
        )
        token = f"TRACEDBG_PLAY={process.pid}-"
        _until(lambda token=token: any(procfs.comm(pid) == "sleeper" for pid in marked(token)))
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == status, (out, err)
        _until(lambda token=token: not list(marked(token)))
    assert not list(folder.iterdir()), "working directories are removed, by the player if the runner was killed"


def _until(fact: object) -> None:
    assert callable(fact)
    never, deadline = threading.Event(), time.monotonic() + 60
    while not fact():
        assert time.monotonic() < deadline, "it has not come"
        never.wait(0.01)


def test_files_play_side_by_side_and_are_told_of_in_order(tmp_path: Path) -> None:
    paths = []
    for number, seconds in enumerate((0.6, 0.1, 0.1)):
        paths.append(tmp_path / f"1{number}-x.md")
        paths[-1].write_text(page(step(f"expect not repl x within {seconds}s")))
    status, lines = command("test", *paths)
    assert (status, lines[-1]) == (0, "3 passed, 0 failed, 0 skipped")
    assert [line.split(":")[0] for line in lines[:-1]] == [str(path) for path in paths]


def test_nothing_but_tracedbg_is_loaded_that_a_player_does_not_need() -> None:
    """Start-up is most of what a short page costs."""
    names = ("prompt_toolkit", "rich", "drgn", "markdown_it")
    code = f"import tracedbg.walk.worker, sys; print([name for name in {names} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30, env={**ENVIRONMENT, "PYTHONPATH": SOURCE}
    )
    assert done.stdout == "[]\n"
