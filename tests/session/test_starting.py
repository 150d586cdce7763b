"""Starting a program: what it inherits, where its output goes, what can go wrong; and its memory and registers afterwards."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import build
from tests.session.driver import Driver, exit_code, hit, worker
from tracedbg.kernel import terminal
from tracedbg.model.errors import TracedbgError
from tracedbg.model.startup import ProgramArgs
from tracedbg.tracer import ops


def _state(debugger: Driver, *argv: str) -> list[str]:
    assert exit_code(debugger.run("state", *argv)) == 0
    return debugger.output().splitlines()


def test_the_program_begins_with_a_clean_slate(debugger: Driver, tmp_path: Path) -> None:
    debugger.file(worker())
    debugger.session.settings.cwd = str(tmp_path)
    debugger.session.settings.environment = {"ADDED": "by us"}
    debugger.session.settings.unset = {"HOME"}
    lines = _state(debugger, "one", "two words", "ünïcode", "")
    assert not [line for line in lines if line.startswith(("blocked", "disposition"))]
    # What tracedbg itself was given by its parent is passed on, as a shell does; nothing of its own.
    given = {name for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}") and os.get_inheritable(int(name))}
    assert {line.split()[1] for line in lines if line.startswith("descriptor")} <= given
    assert f"cwd {tmp_path}" in lines
    assert "session 1 group 1 foreground 1" in lines
    assert [line[9:] for line in lines if line.startswith("argument ")] == ["one", "two words", "ünïcode", ""]
    assert "env ADDED=by us" in lines
    assert not [line for line in lines if line.startswith("env HOME=")]
    assert "to stderr" in lines


def test_our_own_mask_and_dispositions_are_not_inherited(tmp_path: Path) -> None:
    """Started with SIGPIPE, SIGINT and SIGTSTP ignored and SIGUSR1 and SIGALRM blocked, as from some shells and daemons."""

    def spoil() -> None:
        for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTSTP, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGALRM, signal.SIGTERM, signal.SIGCHLD})

    done = subprocess.run(
        [sys.executable, "-m", "tracedbg", "--batch", "--log", "quiet", "-ex", "run", worker(), "state"],
        capture_output=True, text=True, timeout=60, check=False, preexec_fn=spoil,  # no threads there
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "session 1 group 1 foreground 1" in done.stdout
    assert not re.search(r"(blocked|disposition) \d", done.stdout)


def test_addresses_are_the_same_at_each_start_unless_asked(debugger: Driver) -> None:
    debugger.file(worker("-g", "-O0", "-pie", "-fPIE"))

    def last_stack() -> set[str]:
        return {line for line in debugger.output().splitlines() if line.startswith("stack ")}

    for _ in range(2):
        _state(debugger)
    assert len(last_stack()) == 1
    debugger.session.settings.disable_randomization = False
    for _ in range(2):  # the stack has some 20 random bits: equal by chance once in a million runs
        _state(debugger)
    assert len(last_stack()) > 1


def test_redirections(debugger: Driver, tmp_path: Path) -> None:
    out, both = tmp_path / "out", tmp_path / "both"
    debugger.file(worker())
    debugger.session.settings.cwd = str(tmp_path)
    assert exit_code(debugger.run(args=ProgramArgs(("state",), "", "out"))) == 0
    assert "session 1" in out.read_text()
    assert "to stderr" in debugger.output()
    assert exit_code(debugger.run(args=ProgramArgs(("state",), "/dev/null", str(both), both=True))) == 0
    assert "to stderr" in both.read_text()
    size = both.stat().st_size
    assert exit_code(debugger.run(args=ProgramArgs(("calls",), "", str(both), append=True))) == 0
    assert both.stat().st_size == size + len("3 calls\n")
    (tmp_path / "in").write_text("x")
    assert exit_code(debugger.run(args=ProgramArgs(("read",), "in"))) == 0
    assert "read 1 errno 0" in debugger.output()


def test_missing_redirection_starts_nothing(debugger: Driver, tmp_path: Path) -> None:
    debugger.file(worker())
    with pytest.raises(TracedbgError, match="no file"):
        debugger.run(args=ProgramArgs(("calls",), str(tmp_path / "missing")))
    with pytest.raises(TracedbgError, match="cannot be opened"):
        debugger.run(args=ProgramArgs(("calls",), "", str(tmp_path)))
    assert not debugger.program.alive


def test_another_terminal(debugger: Driver) -> None:
    debugger.file(worker())
    pty = terminal.open_pty(24, 80)
    try:
        assert exit_code(debugger.run("state", tty=os.ttyname(pty.slave_fd))) == 0
        said = os.read(pty.master_fd, 65536).decode()
        assert "session 1 group 1 foreground 1" in said
    finally:
        pty.close_slave()
        pty.close()
    with pytest.raises(TracedbgError, match="is no terminal"):
        debugger.run("state", tty="/dev/null")
    assert not debugger.program.alive


# --- what cannot be started -------------------------------------------------------------------------------------------------------
def _file(path: Path, content: bytes, mode: int = 0o755) -> str:
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


def _elf(machine: int, bits: int) -> bytes:
    head = bytearray(Path(worker()).read_bytes())
    head[4] = bits
    head[18:20] = machine.to_bytes(2, "little")
    return bytes(head)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("missing", "no (such )?file|does not exist|there is no"),
        ("directory", "directory"),
        ("not executable", "execut"),
        ("text", "format|not a program|not an ELF|neither"),
        ("empty", "format|not a program|empty|neither"),
        ("32-bit", "32-bit|32 bit"),
        ("foreign", "aarch64|AArch64|arm64"),
        ("no interpreter", "interpreter"),
    ],
)
def test_refused_with_one_clear_line(debugger: Driver, tmp_path: Path, what: str, says: str) -> None:
    path = {
        "missing": lambda: str(tmp_path / "missing"),
        "directory": lambda: str(tmp_path),
        "not executable": lambda: _file(tmp_path / "plain", Path(worker()).read_bytes(), 0o644),
        "text": lambda: _file(tmp_path / "text", b"just words\n"),
        "empty": lambda: _file(tmp_path / "empty", b""),
        "32-bit": lambda: _file(tmp_path / "old", _elf(3, 1)),
        "foreign": lambda: _file(tmp_path / "arm", _elf(183, 2)),
        "no interpreter": lambda: _file(tmp_path / "script", b"#!/nowhere/at/all\n"),
    }[what]()
    with pytest.raises(TracedbgError) as raised:  # noqa: PT012  # `file` sees most of it, the kernel the rest
        debugger.file(path)
        debugger.run()
    text = str(raised.value)
    assert re.search(says, text), text
    assert "\n" not in text
    assert raised.value.todo
    assert not debugger.program.alive
    # Nothing of it remains in the way of the next program.
    debugger.file(worker())
    assert exit_code(debugger.run("calls", "1")) == 0


def test_a_file_that_changes_between_file_and_run(debugger: Driver, tmp_path: Path) -> None:
    path = _file(tmp_path / "copy", Path(worker()).read_bytes())
    debugger.file(path)
    os.chmod(path, stat.S_IRUSR)
    with pytest.raises(TracedbgError, match=r"execut|ermission"):
        debugger.run()
    os.chmod(path, 0o755)
    assert exit_code(debugger.run("calls", "1")) == 0


# --- memory and registers ---------------------------------------------------------------------------------------------------------
def test_memory_hides_planted_bytes(debugger: Driver) -> None:
    debugger.file(worker("-g", "-O0", "-no-pie"))
    debugger.run("calls", "3", until="main")
    clean = debugger.program.memory().read(debugger.program.locate("marked")[1][0] - 4, 32)
    number = debugger.break_("marked").number
    address = debugger.program.locate("marked")[1][0]
    memory = debugger.program.memory()
    assert memory.read_raw(address, 1) == b"\xcc"
    for low in range(-4, 2):
        for size in (1, 2, 8, 16):
            assert memory.read(address + low, size) == clean[4 + low : 4 + low + size]
    # Written over a breakpoint: the program's byte changes, the planted one stays, and is put back changed.
    debugger.session.tracer.call(ops.write_memory, debugger.program.pid, address - 1, clean[3:4] + b"\x90\x90")
    assert memory.read(address - 1, 3) == clean[3:4] + b"\x90\x90"
    assert memory.read_raw(address, 1) == b"\xcc"
    debugger.delete(number)
    assert memory.read_raw(address, 2) == b"\x90\x90"
    debugger.session.tracer.call(ops.write_memory, debugger.program.pid, address, clean[4:6])
    assert memory.read_raw(address - 4, 32) == clean
    assert exit_code(debugger.cont()) == 0
    assert "3 calls" in debugger.output()


def test_registers_can_be_changed(debugger: Driver) -> None:
    debugger.file(str(build("fact")))
    debugger.run("5", until="main")
    debugger.break_("fact")
    stopped = debugger.cont()
    assert hit(stopped) == (2,)
    tid = stopped.report.tid
    before = debugger.program.registers()
    changed = debugger.session.tracer.call(ops.set_register, tid, "rbx", 0x1234567890)
    assert changed.words != before.words
    assert debugger.program.registers().words == changed.words
    debugger.session.tracer.call(ops.set_register, tid, "eax", 7)
    assert debugger.session.tracer.call(ops.registers, tid).words != changed.words
