"""What /proc shows, read from real threads and processes."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kernel_pkg.actors import gone_pid, target, until
from tracedbg.kernel import look, procfs, raw
from tracedbg.model.errors import BadArgument
from tracedbg.model.names import WAIT_OPTIONS
from tracedbg.model.text import Shown

WALL = WAIT_OPTIONS["__WALL"]
WEXITED = WAIT_OPTIONS["WEXITED"]


def test_threads_asleep_in_each_wait_call_are_seen() -> None:
    """wait.blocked-view: waitpid(3) is wait4 in disguise, and /proc shows who asked for what."""
    waits = [
        (lambda pid: raw.wait4(pid, WALL), "wait4", "wait4({pid}, __WALL)"),
        (lambda pid: raw.waitid(1, pid, WEXITED), "waitid", "waitid(P_PID, {pid}, WEXITED)"),
        (lambda pid: os.waitpid(pid, 0), "wait4", "wait4({pid}, 0)"),
        (lambda pid: os.waitid(os.P_PID, pid, os.WEXITED), "waitid", "waitid(P_PID, {pid}, WEXITED)"),
    ]
    for wait, name, call in waits:
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        sleeper = threading.Thread(target=wait, args=(child.pid,))
        sleeper.start()
        tid = sleeper.native_id
        assert tid is not None
        seen = until(lambda tid=tid: procfs.asleep_in_wait(tid))
        assert seen.name == name
        assert seen.call == call.format(pid=child.pid)
        assert seen.voluntary_switches >= 1
        assert "state S" in seen.evidence
        fields = dict(look.look(tid, ("state", "syscall", "PPid", "Threads")))
        assert fields["state"] == "S"
        assert fields["syscall"].split() == [*str(61 if name == "wait4" else 247).split(), *seen.call.split()]
        assert int(fields["Threads"]) >= 2
        assert child.stdin is not None
        child.stdin.close()
        sleeper.join()
        assert procfs.asleep_in_wait(tid) is None
        child.wait()  # finds the status taken, and knows then that the child is gone


def test_wait_for_any_child_is_shown_with_its_sign() -> None:
    code = "pid = os.fork()\nif pid == 0: signal.pause()\nthreading.Thread(target=os.waitpid, args=(-1, 0x40000000), daemon=True).start()"
    with target(code) as process:
        leader, waiter = until(lambda: t if len(t := procfs.threads(process.pid)) == 2 else None)
        assert leader == process.pid
        assert procfs.tgid(waiter) == process.pid
        assert until(lambda: procfs.asleep_in_wait(waiter)).call == "wait4(-1, __WALL)"
        assert procfs.asleep_in_wait(leader) is None  # it sleeps too, but in a read
        (child,) = procfs.children(process.pid, leader) or ()
        os.kill(child, signal.SIGKILL)
        until(lambda: waiter not in procfs.threads(process.pid))


def test_a_sleeper_that_does_not_wait_is_not_taken_for_a_waiter() -> None:
    with target() as process:
        call = until(lambda: c if isinstance(c := procfs.current_syscall(process.pid), procfs.CurrentSyscall) else None)
        assert call.number == 0  # read
        assert call.args[0] == 0  # standard input
        assert any(line.start <= call.pc < line.end and "x" in line.perms for line in procfs.maps(process.pid))
        assert any(line.start <= call.sp < line.end and line.path == "[stack]" for line in procfs.maps(process.pid))
        assert procfs.asleep_in_wait(process.pid) is None


@pytest.mark.parametrize("name", [b") R 0 (", b"a\nTracerPid:\t7", b"\x1b]0;own\x07", b"\xff\xfe) Z", b"))))) (((((", b"sp ace", b""])
def test_a_hostile_thread_name_fools_no_reader(name: bytes) -> None:
    with target(f"assert libc.prctl(15, {name!r}, 0, 0, 0) == 0") as process:
        pid = process.pid
        until(lambda: procfs.state(pid) == "S")
        assert procfs.comm_bytes(pid) == name[:15]
        shown = procfs.comm(pid)
        assert isinstance(shown, Shown)
        assert shown.isprintable()
        assert procfs.ppid(pid) == os.getpid()
        assert procfs.tracer_pid(pid) == 0
        assert procfs.tgid(pid) == pid
        ((_, value),) = look.look(pid, ("comm",))
        assert value.isprintable()
        assert value == name.decode() if name.isalnum() else value.startswith('"')


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=20).filter(lambda name: b"\0" not in name))
def test_any_thread_name_is_read_back(name: bytes) -> None:
    tid = threading.get_native_id()
    path = Path(f"/proc/self/task/{tid}/comm")
    former = path.read_bytes()[:-1]
    try:
        path.write_bytes(name or b"\0")
        assert procfs.comm_bytes(tid) == name[:15]
        assert procfs.state(tid) == "R"
        assert procfs.tgid(tid) == os.getpid()
    finally:
        path.write_bytes(former)


def test_vanished_targets_are_an_answer() -> None:
    pid = gone_pid()
    assert procfs.state(pid) == ""
    assert procfs.ppid(pid) is procfs.tgid(pid) is procfs.switches(pid) is procfs.task_flags(pid) is None
    assert procfs.start_time(pid) is procfs.exe(pid) is procfs.current_syscall(pid) is procfs.signal_sets(pid) is None
    assert procfs.children(pid, pid) is procfs.asleep_in_wait(pid) is procfs.comm_bytes(pid) is None
    assert procfs.status_fields(pid) == {}
    assert procfs.tracer_pid(pid) == 0
    assert procfs.threads(pid) == procfs.maps(pid) == []
    assert procfs.comm(pid) == procfs.wchan(pid) == ""
    assert procfs.cmdline(pid) == ()
    assert look.look(pid, look.FIELDS) == [(name, "gone") for name in look.FIELDS]


def test_a_zombie_is_still_there_but_empty() -> None:
    child = subprocess.Popen(["/bin/true"])
    until(lambda: procfs.state(child.pid) == "Z")
    assert procfs.maps(child.pid) == []
    assert procfs.cmdline(child.pid) == ()
    assert procfs.exe(child.pid) is None
    assert procfs.comm(child.pid) == "true"
    assert dict(look.look(child.pid, ("state", "PPid"))) == {"state": "Z", "PPid": str(os.getpid())}
    child.wait()


def test_running_out_of_descriptors_is_not_somebody_s_death() -> None:
    import resource

    former = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, former[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            procfs.state(os.getpid())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, former)


def test_identity_arguments_and_program() -> None:
    with target() as one, target() as two:
        assert procfs.start_time(one.pid) == procfs.start_time(one.pid)
        assert (procfs.start_time(one.pid) or 0) <= (procfs.start_time(two.pid) or 0)
        arguments = procfs.cmdline(one.pid)
        assert arguments[1] == b"-c"
        assert len(arguments) == 3
        assert procfs.exe(one.pid) == os.path.realpath(os.fsdecode(arguments[0]))
        assert {one.pid, two.pid} <= set(procfs.children(os.getpid(), threading.get_native_id()) or ())


def test_empty_arguments_are_kept() -> None:
    child = subprocess.Popen(["cat", "", "-", ""], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert until(lambda: procfs.cmdline(child.pid)) == (b"cat", b"", b"-", b"")
    child.kill()
    child.communicate()


def test_signal_sets_by_number() -> None:
    code = (
        "signal.signal(signal.SIGUSR2, signal.SIG_IGN)\nsignal.signal(signal.SIGTERM, lambda *_: None)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, 64})\nos.kill(os.getpid(), 64)\n"
        "signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)"
    )
    with target(code) as process:
        sets = procfs.signal_sets(process.pid)
        assert sets is not None
        assert sets.pending == {signal.SIGUSR1}
        assert sets.shared_pending == {64}
        assert sets.blocked == {signal.SIGUSR1, 64}
        assert signal.SIGUSR2 in sets.ignored
        assert signal.SIGTERM in sets.caught
        ((_, pending), (_, shared)) = look.look(process.pid, ("SigPnd", "ShdPnd"))
        assert pending.split()[1:] == ["SIGUSR1"]
        assert shared.split()[0] == "8000000000000000"


def test_maps_with_odd_file_names(tmp_path: Path) -> None:
    odd = tmp_path / "a b\tc\r\udcff\x1b[31m  d "
    odd.write_bytes(bytes(8192))
    with odd.open("r+b") as file, mmap.mmap(file.fileno(), 8192, offset=0) as memory:
        (line,) = [line for line in procfs.maps(os.getpid()) if line.path.startswith(str(tmp_path))]
        assert line.path == str(odd)
        assert line.end - line.start == len(memory)
        assert line.perms == "rw-s"
        assert line.inode == odd.stat().st_ino
    assert procfs.maps(os.getpid()) == sorted(procfs.maps(os.getpid()), key=lambda line: line.start)


@pytest.mark.needs("ordinary-user")
def test_what_another_user_s_process_hides() -> None:
    fields = dict(look.look(1, ("state", "syscall", "PPid")))
    assert fields["syscall"] == "hidden"
    assert fields["PPid"] == "0"
    assert fields["state"] in set("SRDI")
    assert procfs.wchan(1) == "0"
    assert procfs.asleep_in_wait(1) is None  # wchan 0 alone is no evidence
    assert procfs.exe(1) is None
    assert procfs.maps(1) == []


def test_unknown_field_names_the_known_ones() -> None:
    with pytest.raises(BadArgument) as caught:
        look.look(os.getpid(), ("state", "sta\x1bte"))
    assert "TracerPid" in caught.value.todo
    assert "\\x1b" in caught.value.what
    assert [name for name, _ in look.look(os.getpid())] == list(look.DEFAULT_FIELDS)
    assert set(dict(look.look(os.getpid(), look.FIELDS)).values()).isdisjoint({"gone", "hidden", ""})
