"""Batch mode: the frames that gdb shows, exit statuses, one clear line for each bad input, and what a log on disk holds."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli import ENVIRONMENT, batch, command, inside, tracedbg
from tests.programs import build

pytestmark = [pytest.mark.needs("ptrace"), pytest.mark.slow]


# --- the same as gdb ----------------------------------------------------------------------------------------------------------
def gdb(*commands: str, program: Path) -> str:
    """What gdb prints for the same commands."""
    words = [word for each in commands for word in ("-ex", each)]
    done = subprocess.run(
        ["gdb", "-q", "-nx", "-batch", "-iex", "set debuginfod enabled off", *words, str(program)],
        input="", capture_output=True, text=True, timeout=50, check=False, env=ENVIRONMENT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def told(text: str) -> list[str]:
    """The lines of a session without what the two debuggers may say differently.

    Addresses of the stack differ with the environment; gdb writes the path of a source file as it was compiled and keeps a
    history of values.
    """
    lines = []
    for line in text.replace("\t", "        ").splitlines():
        line = re.sub(r"0x7ff[0-9a-f]{9}", "STACK", line)
        line = re.sub(r"(?<= )(at|file) \S*/", r"\1 ", line)
        line = re.sub(r"\$\d+ = ", "", line)
        line = re.sub(r"^(\d+) +", r"\1 ", line)
        line = re.sub(r"process \d+", "process N", line)
        if line.strip() and not line.startswith(("[Thread debugging", "Using host libthread_db", "Run till exit", "warning: ")):
            lines.append(line.rstrip())
    return lines


def program_output(lines: list[str]) -> tuple[list[str], list[str]]:
    """Lines of the debugger, lines of the program."""
    ours = [line.removeprefix("tracee   | ") for line in lines if line.startswith("tracee   | ") and " = " in line]
    return [line for line in lines if not line.startswith("tracee   | ")], ours


@pytest.mark.needs("cc", "gdb", "drgn")
def test_the_session_that_everybody_begins_with() -> None:
    program = build("fact")
    commands = ["break fact", "run", "bt", "info locals", "next", "finish", "continue"]
    done = batch(*commands, program=program, options=("--log", "quiet"))
    assert (done.returncode, done.stderr) == (0, "")
    lines, _ = program_output(told(done.stdout))
    assert lines == told(gdb(*commands, program=program))


@pytest.mark.needs("cc", "gdb", "drgn")
@pytest.mark.parametrize("flags", [("-g", "-O0"), ("-g", "-O0", "-no-pie"), ("-g", "-O0", "-static")], ids=" ".join)
def test_function_file_line_arguments_and_locals_of_each_frame(flags: tuple[str, ...]) -> None:
    program = build("fact", *flags)
    commands = ["break fact.c:14", "run", "bt", "delete"]
    for number in range(6):
        commands += [f"frame {number}", "info args", "info locals"]
    commands += ["frame 0", "finish", "finish", "bt", "info locals", "continue"]
    done = batch(*commands, program=program, options=("--log", "quiet"))
    assert (done.returncode, done.stderr) == (0, "")
    lines, output = program_output(told(done.stdout))
    expected = told(gdb(*commands, program=program))
    assert sum(line.startswith("#") for line in lines) == 6 + 6 + 1 + 4
    # The program's own line comes through a terminal of its own here; gdb shares its standard output.
    assert lines + output == [line for line in expected if line not in output] + output
    assert lines[-1] == "[Inferior 1 (process N) exited normally]"


@pytest.mark.needs("cc", "gdb", "drgn")
def test_continue_with_a_count_ignores_hits_of_this_breakpoint_only() -> None:
    program = build("fact")
    commands = ["break fact", "run", "continue 3", "print n", "delete", "break 14", "continue", "continue 2", "print n", "continue"]
    done = batch(*commands, program=program, options=("--log", "quiet"))
    assert (done.returncode, done.stderr) == (0, "")
    lines, _ = program_output(told(done.stdout))
    # gdb says it only at a terminal.
    ignoring = [line for line in lines if line.startswith("Will ignore")]
    assert ignoring == [f"Will ignore next {count} crossings of breakpoint {number}.  Continuing." for count, number in ((2, 1), (1, 2))]
    assert [line for line in lines if line not in ignoring] == told(gdb(*commands, program=program))


# --- exit statuses ------------------------------------------------------------------------------------------------------------
def test_statuses_and_scripts(tmp_path: Path) -> None:
    script = tmp_path / "three.tdbg"
    script.write_text("# a comment\necho one\n\nnosuch command\necho two\n")
    for done in (
        inside("--batch", "-x", str(script)),
        tracedbg(stdin=script.read_text()),
        inside("--batch", "-x", "-", stdin=script.read_text()),
    ):
        assert done.returncode == 1
        assert "\none\n" in done.stdout
        assert 'Undefined command: "nosuch"' in done.stdout
        assert "two" not in done.stdout
    on = inside("--batch", "--keep-going", "-x", str(script))
    assert on.returncode == 1
    assert on.stdout.endswith("\ntwo\n")
    assert inside("--batch", "-ex", "echo fine").returncode == 0
    assert inside("--batch", "-ex", "quit", "-ex", "nosuch").returncode == 0


def test_options_keep_their_order(tmp_path: Path) -> None:
    script = tmp_path / "second.tdbg"
    script.write_text("echo second\n")
    done = inside("--batch", "-ex", "echo first", "-x", str(script), "-ex", "echo third")
    assert done.returncode == 0
    assert [line for line in done.stdout.splitlines() if not line.startswith("tracedbg>")] == ["first", "second", "third"]


def test_arguments_of_the_program(tmp_path: Path) -> None:
    for words in (
        ["/bin/echo", "--batch", "-p", "two words"],
        ["--args", "/bin/echo", "--batch", "-p", "two words"],
        ["--", "/bin/echo", "--batch", "-p", "two words"],
    ):
        done = inside("--batch", "--log", "quiet", "-ex", "run", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "tracee   | --batch -p two words\n" in done.stdout


@pytest.mark.parametrize("name", ["tour", "learn"])
def test_a_program_of_a_sub_commands_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy("/bin/true", tmp_path / name)
    done = inside("--batch", "-ex", "run", f"./{name}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "exited normally" in done.stdout


def test_ended_by_a_signal() -> None:
    """SIGTERM and Ctrl-C end a script in order; the status is that of a shell: 128 and the signal."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        process = subprocess.Popen(
            command("--batch", "--log", "calls", "-ex", "run", "/bin/cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
        )  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            if "running continue" in line:
                break
        process.send_signal(number)
        rest, errors = process.communicate(timeout=30)
        assert (process.returncode, errors) == (128 + number, ""), rest
        assert "killed SIGKILL" in rest


def test_a_reader_that_goes_away_is_no_failure_of_ours() -> None:
    process = subprocess.Popen(
        command("--batch", "-ex", "run", "-ex", "help", "/bin/true"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=ENVIRONMENT,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) == 0


# --- bad input ----------------------------------------------------------------------------------------------------------------
def elf32(machine: int) -> bytes:
    """A 32-bit ELF program by hand: one segment that makes exit(0)."""
    code = b"\xb8\x01\x00\x00\x00\x31\xdb\xcd\x80"
    size = 84 + len(code)
    head = struct.pack("<HHIIIIIHHHHHH", 2, machine, 1, 0x8048054, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    return b"\x7fELF\x01\x01\x01" + bytes(9) + head + struct.pack("<8I", 1, 0, 0x8048000, 0x8048000, size, size, 5, 0x1000) + code


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "elf32").write_bytes(elf32(3))
    (tmp_path / "arm32").write_bytes(elf32(0x28))
    (tmp_path / "cut").write_bytes(elf32(3)[:20])
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("hello\n")
    (tmp_path / "esc").write_bytes(b"\x1b[31m\x07\xff\n")
    shutil.copy("/bin/true", tmp_path / "closed")
    for name in ("elf32", "arm32", "cut", "empty", "text", "esc"):
        (tmp_path / name).chmod(0o755)
    (tmp_path / "closed").chmod(0o644)
    return tmp_path


BAD_PROGRAMS = {
    "nosuch": "there is no file",
    "folder": "is a directory",
    "elf32": "is a 32-bit program",
    "arm32": "32-bit",
    "cut": "",
    "empty": "empty",
    "text": "is not an ELF program",
    "esc": "is not an ELF program",
    "closed": "not executable",
    "no\x1b[31msuch": "there is no file",
}


def assert_clear(line: str, words: str) -> None:
    """One line that says what happened and what to do, and that no byte of a file can turn into something else."""
    assert words in line
    assert line.isprintable()
    assert "Traceback" not in line
    assert "internal error" not in line
    assert "Error(" not in line
    assert "; " in line, f"{line!r} says what happened, not what to do"


@pytest.mark.parametrize("name", ["nosuch", "elf32", "text"])
def test_a_program_on_the_command_line_that_cannot_be_debugged(files: Path, name: str) -> None:
    done = inside("--batch", "-ex", "run", str(files / name))
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert_clear(line, BAD_PROGRAMS[name])


def answers(*commands: str, program: str = "") -> list[list[str]]:
    """The lines that each of these commands answers, in one session that goes on after failures; all must fail."""
    words = [word for each in commands for word in ("-ex", each, "-ex", "echo ----")]
    done = inside("--batch", "--keep-going", "--log", "quiet", *words, *([program] if program else []))
    assert (done.returncode, done.stderr) == (1, "")
    parts = done.stdout.split("----\n")
    assert len(parts) == len(commands) + 1
    assert parts[-1] == ""
    return [part.splitlines() for part in parts[:-1]]


def test_programs_that_cannot_be_debugged(files: Path) -> None:
    for (name, words), lines in zip(BAD_PROGRAMS.items(), answers(*(f"file {files / name}" for name in BAD_PROGRAMS)), strict=True):
        assert len(lines) == 1, (name, lines)
        assert_clear(lines[0], words)


WITHOUT_A_PROCESS = {
    "nosuch": "Undefined command",
    "info": "needs a sub-command",
    "break nosuch": "nosuch",
    "break nosuch.c:1": "line information",
    "delete 7": "no breakpoint number 7",
    "continue": "the program is not being run",
    "bt": "the program is not being run",
    "stepi": "the program is not being run",
    "kill": "the program is not being run",
    "detach": "the program is not being run",
    "attach 4194303": "there is no process",
    "attach 0": "0",
    "attach x": "x",
    "run < nosuch.txt": "nosuch.txt",
    "run > /nosuch/file": "/nosuch/file",
    "on w9 gettid": "there is no thread w9",
    "look w9": "there is no thread w9",
    "expect tracer $nosuch": "$nosuch is not set",
    "thread tracer": "tracer",
    "set cwd /nosuch": "/nosuch",
}
WITH_A_STOPPED_PROCESS = {
    "break *0x10": "cannot read memory at 0x10",
    "x/4xb 0x10": "0x10",
    "x/4xb 0xffffffffffffffff": "",
    "print nosuch": "nosuch",
    "print 1 +": "",
    "frame 99": "",
    "set $nosuch = 1": "nosuch",
    "set $rip = nosuch": "nosuch",
    "thread 99": "99",
    "finish nosuch": "",
    "signal SIGNOSUCH": "SIGNOSUCH",
    "info line nosuch": "nosuch",
    "list nosuch": "nosuch",
    "file /bin/true": "is being debugged",
}


@pytest.mark.parametrize("stopped", [False, True], ids=["without a process", "with a stopped process"])
def test_bad_commands(stopped: bool) -> None:
    """Each answers one clear line, and nothing is left (the check after each test looks for processes)."""
    wanted = WITH_A_STOPPED_PROCESS if stopped else WITHOUT_A_PROCESS
    told = answers(*(["starti"] if stopped else []), *wanted, program="/bin/true")[stopped:]
    for (command_line, words), lines in zip(wanted.items(), told, strict=True):
        # Where the grammar can point at a place, the line and a caret come before.
        assert len(lines) == 1 or (len(lines) == 3 and lines[1].strip() == "^"), (command_line, lines)
        assert_clear(lines[-1], words)


def test_a_program_that_runs_must_be_stopped_first() -> None:
    """`launch` leaves the program to whoever collects its stop; until then, for all that is known, it runs."""
    launch, *rest = answers("launch /bin/true", "stepi", "finish", "info registers", "x/i $pc")
    assert launch[0].startswith("process ")
    for lines in rest:
        (line,) = lines
        assert_clear(line, "")
        assert re.search("is not stopped|is running", line), line


def test_an_expectation_that_is_not_met() -> None:
    (lines,) = answers("expect w1 nothing within 0.1s")
    assert any("waited 0.1 s" in line for line in lines)


def test_a_program_whose_interpreter_is_missing(tmp_path: Path) -> None:
    """The file itself is there: what execve would answer, ENOENT, would point at the wrong one."""
    data = bytearray(Path("/bin/true").read_bytes())
    at = data.find(b"/ld-linux") if b"/ld-linux" in data else data.find(b"/ld-musl")
    if at < 0:
        pytest.skip("/bin/true is static here")
    data[at : at + 4] = b"/xx-"
    program = tmp_path / "lost"
    program.write_bytes(data)
    program.chmod(0o755)
    done = inside("--batch", "-ex", "run", str(program))
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert_clear(line, "does not exist here")


@pytest.mark.parametrize(
    "words",
    [["--nosuch"], ["-p", "x"], ["-x", "/nosuch/script"], ["--events", "/nosuch/file", "-ex", "help"], ["--log", "loud"], ["-p", "12x"]],
    ids=" ".join,
)
def test_wrong_usage(words: list[str]) -> None:
    done = inside("--batch", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("tracedbg: ")
    assert "Traceback" not in done.stderr


# --- a light start ------------------------------------------------------------------------------------------------------------
def imported(*args: str) -> set[str]:
    """The modules that a run imports."""
    done = subprocess.run(
        command(*args, options=["-X", "importtime"]), input="", capture_output=True, text=True, timeout=50, check=False, env=ENVIRONMENT
    )
    assert done.returncode == 0, done.stdout
    return {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


def test_batch_mode_imports_no_prompt() -> None:
    seen = {name.split(".")[0] for name in imported("--batch", "-ex", "launch /bin/true", "-ex", "log last 3")}
    assert "tracedbg" in seen
    assert not seen & {"prompt_toolkit", "rich", "drgn", "capstone", "elftools", "pygments", "asyncio"}


@pytest.mark.needs("drgn")
def test_a_program_without_debug_information_in_view_imports_no_prompt() -> None:
    seen = {name.split(".")[0] for name in imported("--batch", "-ex", "run", "/bin/true")}
    assert not seen & {"prompt_toolkit", "rich", "asyncio"}


# --- the log on disk ----------------------------------------------------------------------------------------------------------
def read_log(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    data = path.read_bytes()
    assert data.isascii()
    assert data.endswith(b"\n")
    head, *events = [json.loads(line) for line in data.splitlines()]
    return head, events


@pytest.fixture(scope="module")
def session_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "session.jsonl"
    commands = [
        "starti",
        "look $tracee TracerPid",
        "thread w1",
        "on w1 ptrace PTRACE_CONT $tracee",
        "look $tracee state TracerPid",
        "stepi",
        "continue",
    ]
    done = batch(*commands, program="/bin/true", options=("--events", str(path)))
    assert done.returncode == 0, done.stdout + done.stderr
    return path


def test_a_log_is_flat_ascii_json_in_order(session_log: Path) -> None:
    assert session_log.stat().st_mode & 0o777 == 0o600
    head, events = read_log(session_log)
    assert (head["format"], head["version"], head["clock"]) == ("tracedbg-recording", 1, "monotonic")
    assert [event["seq"] for event in events] == list(range(events[0]["seq"], events[0]["seq"] + len(events)))
    assert events[0]["ev"] == "lane.open"
    assert events[1]["ev"] == "session.start"
    assert [event["ev"] for event in events if event["ev"] == "end"] == ["end"]
    for event in events:
        assert {"seq", "t", "lane", "tid", "ev", "src"} <= set(event)
        assert event["src"] in ("user", "proc", "inferred")
        assert event.get("of", 0) < event["seq"]


def test_all_requests_come_from_the_thread_that_is_the_tracer(session_log: Path) -> None:
    """One tid makes every request of the debugger, /proc shows it as TracerPid, and another takes the statuses."""
    _, events = read_log(session_log)
    broken = {event["seq"] + 1 for event in events if event["ev"] == "rule.broken"}
    requests = [event for event in events if event["ev"] == "sys.enter" and event["name"] == "ptrace" and event["seq"] not in broken]
    assert len(requests) > 5
    (tracer,) = {event["tid"] for event in requests}
    shown = [dict(event["fields"])["TracerPid"] for event in events if event["ev"] == "look"]
    assert shown == [str(tracer)] * 2
    waits = [event for event in events if event["ev"] == "sys.exit" and event["name"] == "wait4" and event["ret"] > 0]
    assert len(waits) == 3
    assert tracer not in {event["tid"] for event in waits}
    assert {event["lane"] for event in waits} == {"waiter"}
    # Who takes a status owes it to the tracer: each was handed over, by the name of its taker.
    reported = [(event["target"], event["status"], event["taken_by"]) for event in events if event["ev"] == "status"]
    assert reported == [(event["ret"], event["status"], event["lane"]) for event in waits]


def test_the_wrong_thread_is_refused_by_the_kernel(session_log: Path) -> None:
    _, events = read_log(session_log)
    (refused,) = [event for event in events if event["lane"] == "w1" and event["ev"] == "sys.exit"]
    assert (refused["ret"], refused["errno"]) == (-1, "ESRCH")
    assert dict([event for event in events if event["ev"] == "look"][-1]["fields"])["state"] == "t"


def test_a_log_survives_sigkill(tmp_path: Path) -> None:
    """What was written is whole lines, and the program that was launched is gone too (PTRACE_O_EXITKILL)."""
    path = tmp_path / "killed.jsonl"
    process = subprocess.Popen(
        command("--batch", "--events", str(path), "-ex", "run", "/bin/cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if "running continue" in line:
            break
    process.kill()
    process.communicate(timeout=20)
    _, events = read_log(path)
    assert events[-1]["ev"] != "end"
    (child,) = [event["tid"] for event in events if event["ev"] == "tracee.born"]
    # It is our child now, if anybody's (the test run adopts orphans), or has been reaped.
    try:
        pid, status = os.waitpid(child, 0)
    except ChildProcessError:
        assert not Path(f"/proc/{child}").exists()
    else:
        assert (pid, os.WTERMSIG(status)) == (child, signal.SIGKILL)
