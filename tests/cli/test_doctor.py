"""`tracedbg doctor`: what it says is so, fits a terminal, and is no failure whatever it finds."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests import hostneeds
from tracedbg.kernel import needs
from tracedbg.walk.doctor import Examination, Finding, tell


def doctor(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tracedbg", "doctor", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env={**os.environ, **env})


@pytest.mark.slow
def test_each_need_is_told_by_the_name_that_walkthroughs_use() -> None:
    done = doctor("--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert {"tracedbg", "kernel", "machine", "python", "findings"} == set(found)
    assert found["kernel"] == os.uname().release
    by_name = {each["name"]: each for each in found["findings"]}
    wanted = [each["name"] for each in found["findings"] if each["group"] == "What lessons may need"]
    assert all(needs.known(name) for name in wanted)
    assert {name.partition("<")[0].partition(">")[0].partition("=")[0] for name in wanted} == {
        name.partition("<")[0].partition(">")[0].partition("=")[0] for name in needs.NAMES
    }
    for each in found["findings"]:
        assert each["reason"], each
        # What is missing has a remedy.
        assert each["ok"] is not False or each["remedy"], each
    # It agrees with what the tests found out for themselves, by trying.
    assert by_name["ptrace"]["ok"] == (not hostneeds.missing("ptrace"))
    assert by_name["cc"]["ok"] == (not hostneeds.missing("cc"))
    assert by_name["root"]["ok"] == (os.geteuid() == 0)
    assert by_name["children"]["ok"] == (not hostneeds.missing("proc-children"))
    assert by_name["drgn"]["ok"] == (not hostneeds.missing("drgn"))
    assert by_name["tty"]["ok"] is False
    second = Path("/proc/2/comm")
    assert by_name["kthread"]["ok"] == (second.exists() and second.read_text() == "kthreadd\n")


@pytest.mark.slow
def test_piped_it_is_plain_text_of_eighty_columns() -> None:
    done = doctor()
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("tracedbg ")
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in done.stdout
    assert any(line.startswith("  yes ") for line in lines)
    assert "Not here: tty" in done.stdout or "Not here: tracefs, tty" in done.stdout


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.slow
def test_at_a_terminal_colour_is_only_beside_the_word(plain: bool) -> None:
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "60"}
    env.pop("NO_COLOR", None)
    if plain:
        env["NO_COLOR"] = "1"
    with subprocess.Popen([sys.executable, "-m", "tracedbg", "doctor"], stdin=theirs, stdout=theirs, env=env) as running:
        os.close(theirs)
        text = b""
        while True:
            try:
                more = os.read(ours, 4096)
            except OSError:  # EIO: the last writer is gone
                break
            if not more:
                break
            text += more
        assert running.wait(30) == 0
    os.close(ours)
    assert (b"\x1b[32myes\x1b[0m" in text) == (not plain)
    assert (b"\x1b" in text) == (not plain)
    shown = text.decode().replace("\x1b[32m", "").replace("\x1b[31m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")
    assert max(len(line) for line in shown.splitlines()) <= 60
    assert "  yes tty" in shown


def test_wrong_words_are_a_usage_error() -> None:
    done = doctor("--no-such-option")
    assert done.returncode == 2
    assert "usage: tracedbg doctor" in done.stderr


@pytest.mark.parametrize("width", [10, 40, 80, 200])
def test_a_remedy_can_be_copied_and_nothing_foreign_comes_through(width: int) -> None:
    remedy = "sudo mount -t tracefs tracefs /sys/kernel/tracing"
    finding = Finding("Needs", "tracefs", False, "a reason of many words " * 5, remedy)
    lines = tell(Examination("1", "6.18\x1b[2J", "x86_64", "3.11", (finding,)), width, colour=False)
    assert max(map(len, lines)) <= max(width, 40)
    assert "\x1b" not in "".join(lines)
    start = next(place for place, line in enumerate(lines) if "-> " in line)
    told = " ".join(line.replace("-> ", "").strip() for line in lines[start : lines.index("", start)])
    assert told == remedy
    assert "Not here: tracefs." in " ".join(lines)
