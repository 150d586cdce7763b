"""Attaching and detaching: every state a process can be in, both ways, and what is left of it afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.session.conftest import Outsider
from tests.session.driver import Driver, exit_code, field, hit, state, threads, tracers, until, worker
from tracedbg.model.errors import NotFound, NotNow, NotPermitted
from tracedbg.model.stops import Interrupted, SignalDelivery

Start = Callable[..., Outsider]
MODES = ["seize", "attach"]


def _pending_stops(pid: int) -> int:
    bit = 1 << (signal.SIGSTOP - 1)
    return sum(bool(int(field(tid, name), 16) & bit) for tid in threads(pid) for name in ("SigPnd", "ShdPnd"))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", [("pause",), ("spin", "3"), ("busy", "0"), ("leader",)])
def test_attach_and_detach_leave_a_process_as_it_was(debugger: Driver, outsider: Start, mode: str, what: tuple[str, ...]) -> None:
    process = outsider(worker(), *what)
    pid = process.pid
    until(lambda: what[0] == "busy" or what[0] == "leader" or state(pid) == "S")
    before = state(pid), threads(pid)
    debugger.session.settings.attach_mode = mode
    for _ in range(2):
        debugger.attach(pid)
        assert tracers(pid) - {0} == {debugger.session.tracer.tid}
        view = debugger.program.view
        assert view is not None
        assert view.stopped
        assert sorted(tracee.tid for tracee in view.tracees) == before[1] or what == ("leader",)
        if what[0] == "busy":
            debugger.stepi()
        debugger.detach()
        assert tracers(pid) == {0}
        assert _pending_stops(pid) == 0
        assert threads(pid) == before[1]
        until(lambda: state(pid) in (before[0], "R" if before[0] == "S" else before[0]))
        assert "T" not in {state(tid) for tid in threads(pid)}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", [("pause",), ("spin", "3")])
def test_stopped_process_is_stopped_again_after_detach(debugger: Driver, outsider: Start, mode: str, what: tuple[str, ...]) -> None:
    process = outsider(worker(), *what)
    pid = process.pid
    os.kill(pid, signal.SIGSTOP)
    until(lambda: {state(tid) for tid in threads(pid)} == {"T"})
    debugger.session.settings.attach_mode = mode
    debugger.attach(pid)
    assert {state(tid) for tid in threads(pid)} == {"t"}
    debugger.program.registers()
    debugger.detach()
    until(lambda: {state(tid) for tid in threads(pid)} == {"T"})
    assert tracers(pid) == {0}
    os.kill(pid, signal.SIGCONT)
    until(lambda: "T" not in {state(tid) for tid in threads(pid)})
    assert _pending_stops(pid) == 0


@pytest.mark.parametrize("mode", MODES)
def test_a_read_is_not_disturbed(debugger: Driver, outsider: Start, mode: str) -> None:
    process = outsider(worker(), "read")
    until(lambda: state(process.pid) == "S")
    debugger.session.settings.attach_mode = mode
    debugger.attach(process.pid)
    debugger.detach()
    assert process.tell("x") == "read 1 errno 0\n"


@pytest.mark.parametrize("mode", MODES)
def test_breakpoints_in_an_attached_process(debugger: Driver, outsider: Start, mode: str) -> None:
    process = outsider(worker(), "leader")  # its other thread calls `marked` without end
    debugger.session.settings.attach_mode = mode
    debugger.attach(process.pid)
    debugger.break_("marked")
    for expected in range(1, 4):
        assert hit(debugger.cont()) == (1,)
        assert debugger.hits() == expected
    debugger.detach()
    assert tracers(process.pid) == {0}
    # It would die at our byte if that were still there.
    before = debugger.log.last
    debugger.attach(process.pid)
    debugger.delete(1)
    stopped = debugger.interrupted(debugger.cont)
    assert isinstance(stopped.report.stop, Interrupted)
    assert debugger.log.last > before


@pytest.mark.parametrize("mode", MODES)
def test_threads_born_while_attaching_are_all_ours(debugger: Driver, outsider: Start, mode: str) -> None:
    process = outsider(worker(), "churn")
    debugger.session.settings.attach_mode = mode
    for _ in range(2):
        debugger.attach(process.pid)
        assert {state(tid) for tid in threads(process.pid)} <= {"t", "Z", "X", ""}
        assert tracers(process.pid) == {debugger.session.tracer.tid}
        debugger.detach()
        assert "T" not in {state(tid) for tid in threads(process.pid)}
    assert process.process.poll() is None


@pytest.mark.parametrize("mode", MODES)
def test_interrupt_and_signals_of_an_attached_process(debugger: Driver, outsider: Start, mode: str) -> None:
    process = outsider(worker(), "pause")
    debugger.session.settings.attach_mode = mode
    debugger.attach(process.pid)
    for _ in range(3):
        stopped = debugger.interrupted(debugger.cont)
        assert isinstance(stopped.report.stop, Interrupted)
    os.kill(process.pid, signal.SIGUSR1)
    stopped = debugger.cont()
    assert stopped.report.stop == SignalDelivery(signal.SIGUSR1, 0, sender=os.getpid())
    # What it was owed goes with the detach: its handler runs, and it lives.
    debugger.detach()
    until(lambda: state(process.pid) == "S")
    assert process.process.poll() is None


def test_group_stop_of_a_seized_process_lasts_until_sigcont(debugger: Driver, outsider: Start) -> None:
    process = outsider(worker(), "spin", "3")
    pid = process.pid
    debugger.handle(signal.SIGSTOP, signal.SIGCONT, stop=False)
    debugger.attach(pid)

    def stop_it() -> bool:
        os.kill(pid, signal.SIGSTOP)
        until(lambda: len(debugger.requests("PTRACE_LISTEN")) >= 4)
        os.kill(pid, signal.SIGCONT)
        until(lambda: any(state(tid) == "R" for tid in threads(pid)))
        return True

    stopped = debugger.interrupted(debugger.cont, stop_it)
    assert isinstance(stopped.report.stop, Interrupted)
    debugger.detach()
    until(lambda: "T" not in {state(tid) for tid in threads(pid)})


def test_interrupt_during_a_group_stop(debugger: Driver, outsider: Start) -> None:
    process = outsider(worker(), "spin", "2")
    pid = process.pid
    debugger.handle(signal.SIGSTOP, stop=False)
    debugger.attach(pid)

    def listening() -> bool:
        os.kill(pid, signal.SIGSTOP)
        until(lambda: len(debugger.requests("PTRACE_LISTEN")) >= 3)
        return True

    stopped = debugger.interrupted(debugger.cont, listening)
    assert stopped.report.ended is None
    debugger.detach()
    # The stop is the process's own: it stays.
    until(lambda: {state(tid) for tid in threads(pid)} == {"T"})


def test_attached_process_that_ends(debugger: Driver, outsider: Start) -> None:
    process = outsider(worker(), "read")
    debugger.attach(process.pid)
    assert process.process.stdin is not None
    process.process.stdin.write("x")
    process.process.stdin.flush()
    assert exit_code(debugger.cont()) == 0
    assert state(process.pid) == ""


def test_kill_of_an_attached_process(debugger: Driver, outsider: Start) -> None:
    process = outsider(worker(), "spin", "3")
    debugger.attach(process.pid)
    assert debugger.kill() == process.pid
    assert state(process.pid) == ""


# --- refusals ---------------------------------------------------------------------------------------------------------------------
def test_no_such_process(debugger: Driver) -> None:
    with pytest.raises(NotFound, match="no process"):
        debugger.attach((1 << 22) - 3)
    assert debugger.program.view is None


def test_zombie(debugger: Driver) -> None:
    child = subprocess.Popen(["/bin/true"])
    until(lambda: state(child.pid) == "Z")
    try:
        with pytest.raises((NotFound, NotPermitted)):
            debugger.attach(child.pid)
        assert not debugger.session.tracer.view.inferiors
    finally:
        child.wait()


@pytest.mark.parametrize("mode", MODES)
def test_already_traced_by_somebody_else(debugger: Driver, outsider: Start, mode: str) -> None:
    process = outsider(worker(), "spin", "2")
    held = threads(process.pid)[-1]
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(held)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdin is not None
    try:
        assert holder.stdout.readline() == "held\n"
        debugger.session.settings.attach_mode = mode
        with pytest.raises(NotPermitted, match=str(holder.pid)):
            debugger.attach(process.pid)
        # Only one thread was refused: those that were ours for a moment are let go again.
        others = [tid for tid in threads(process.pid) if tid != held]
        assert {field(tid, "TracerPid") for tid in others} == {"0"}
        assert not debugger.session.tracer.view.inferiors
        assert "T" not in {state(tid) for tid in others}
    finally:
        holder.stdin.close()
        holder.wait(20)
        holder.stdout.close()
    debugger.attach(process.pid)
    debugger.detach()


_HOLDER = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
assert libc.ptrace(0x4206, int(sys.argv[1]), 0, 0) == 0, ctypes.get_errno()
print("held", flush=True)
sys.stdin.read()
"""


def test_our_own_process_and_a_second_attach(debugger: Driver, outsider: Start) -> None:
    with pytest.raises((NotPermitted, NotNow, NotFound)):
        debugger.attach(os.getpid())
    process = outsider(worker(), "pause")
    debugger.attach(process.pid)
    with pytest.raises(NotNow):
        debugger.attach(process.pid)
    assert debugger.program.view is not None
    debugger.detach()


@pytest.mark.needs("ordinary-user")
def test_somebody_elses_process(debugger: Driver) -> None:
    with pytest.raises(NotPermitted):
        debugger.attach(1)
    assert not debugger.session.tracer.view.inferiors


def test_session_that_ends_lets_an_attached_process_go(outsider: Start) -> None:
    from tracedbg.session.session import Session

    process = outsider(worker(), "spin", "3")
    with Session() as session:
        driver = Driver(session)
        driver.attach(process.pid)
        driver.break_("marked")
    assert tracers(process.pid) == {0}
    assert "T" not in {state(tid) for tid in threads(process.pid)}
    assert process.process.poll() is None


def test_launched_program_can_be_let_go(debugger: Driver) -> None:
    debugger.file(worker())
    stopped = debugger.run("calls", "2", until="main")
    pid = stopped.report.pid
    debugger.detach()
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGHUP)
