"""Several threads, threads that end, forked children, exec: on real programs."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from tests.programs import build, line_of
from tests.session.driver import Driver, ended, exit_code, hit, state, symbol, tail, threads, until, worker
from tracedbg.model.events import Warned
from tracedbg.model.stops import Born, Interrupted, SignalDelivery, StepDone, ThreadEnded
from tracedbg.model.views import TraceeState

FIXED = ("-g", "-O0", "-no-pie")


def _all_stopped(debugger: Driver) -> None:
    view = debugger.program.view
    assert view is not None
    assert view.stopped, view
    for tracee in view.tracees:
        if tracee.state is TraceeState.STOPPED:
            assert state(tracee.tid) == "t", tracee


# --- threads ----------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("count", [3, 12])
def test_no_hit_of_any_thread_is_lost_or_counted_twice(debugger: Driver, count: int) -> None:
    debugger.file(str(build("threads")))
    debugger.break_(f"threads.c:{line_of('threads', 'each thread passes here')}")
    stopped = debugger.run(str(count))
    seen = []
    while stopped.report.ended is None:
        assert hit(stopped) == (1,)
        _all_stopped(debugger)
        seen.append(stopped.report.tid)
        stopped = debugger.cont()
    assert exit_code(stopped) == 0
    assert debugger.hits() == count
    assert len(set(seen)) == count, seen
    assert f"{count} threads" in debugger.output()


def test_ignored_hits_of_many_threads_are_counted(debugger: Driver) -> None:
    debugger.file(str(build("threads")))
    debugger.break_(f"threads.c:{line_of('threads', 'each thread passes here')}")
    debugger.ignore(1, 1 << 20)
    assert exit_code(debugger.run("40")) == 0
    assert debugger.hits() == 40


def test_stepping_one_thread_while_others_wait(debugger: Driver) -> None:
    debugger.file(worker())
    debugger.break_("spin")
    stopped = debugger.run("spin", "3")
    debugger.delete(1)
    tid = stopped.report.tid
    for _ in range(3):
        stopped = debugger.next()
        assert (stopped.report.tid, stopped.report.stop) == (tid, StepDone())
        _all_stopped(debugger)
    for _ in range(5):
        assert debugger.stepi().report.tid == tid
    debugger.stepi(200)
    _all_stopped(debugger)


def test_thread_that_ends_while_it_is_stepped(debugger: Driver) -> None:
    debugger.file(worker())
    debugger.break_("ends_here")
    stopped = debugger.run("short")
    leader = stopped.report.pid
    assert stopped.report.tid != leader
    # Leaving the last function of a thread: the focus goes to a thread that is still there, or the program goes on to its end.
    for _ in range(20):
        stopped = debugger.next()
        if stopped.report.ended is not None or stopped.report.tid == leader:
            break
    if stopped.report.ended is None:
        assert isinstance(stopped.report.stop, ThreadEnded), stopped
        _all_stopped(debugger)
        stopped = debugger.cont()
    assert exit_code(stopped) == 0
    assert "joined" in debugger.output()


def test_counted_steps_to_the_end_of_a_thread(debugger: Driver) -> None:
    debugger.file(worker())
    debugger.break_("nothing")
    stopped = debugger.run("one")
    leader = stopped.report.pid
    debugger.delete(1)
    stopped = debugger.stepi(10_000_000)
    assert stopped.report.stop == ThreadEnded(), stopped
    assert stopped.report.tid == leader
    assert exit_code(debugger.cont()) == 0


def test_counted_steps_through_a_wait_for_another_thread(debugger: Driver) -> None:
    """The stepped thread sleeps in pthread_join until the other one, stopped like all during an inline loop, has ended."""
    debugger.file(worker())
    debugger.break_("main")
    debugger.run("short")
    debugger.delete(1)
    assert exit_code(debugger.stepi(10_000_000)) == 0
    assert "joined" in debugger.output()


def test_leader_that_ends_first(debugger: Driver) -> None:
    debugger.file(str(build("leader_exit")))
    debugger.break_("after_leader")
    stopped = debugger.run()
    assert hit(stopped) == (1,)
    assert stopped.report.tid != stopped.report.pid
    assert exit_code(debugger.cont()) == 7


def test_interrupt_reaches_a_thread_that_outlives_its_leader(debugger: Driver) -> None:
    debugger.file(worker())
    stopped = debugger.interrupted(lambda: debugger.run("leader"), lambda: "ready" in debugger.output())
    assert isinstance(stopped.report.stop, Interrupted)
    pid = stopped.report.pid
    assert state(pid) == "Z"
    assert stopped.report.tid != pid
    debugger.break_("marked")
    assert hit(debugger.cont()) == (1,)
    debugger.kill()
    assert state(pid) == ""


def test_threads_that_come_and_go_are_all_stopped(debugger: Driver) -> None:
    debugger.file(worker())
    stopped = debugger.interrupted(lambda: debugger.run("churn"), lambda: "ready" in debugger.output())
    for _ in range(8):
        assert isinstance(stopped.report.stop, Interrupted)
        view = debugger.program.view
        assert view is not None
        assert sorted(tracee.tid for tracee in view.tracees) == threads(stopped.report.pid)
        _all_stopped(debugger)
        stopped = debugger.interrupted(debugger.cont)


# --- interrupts -------------------------------------------------------------------------------------------------------------------
def test_interrupt_during_continue(debugger: Driver) -> None:
    debugger.file(worker())
    stopped = debugger.interrupted(lambda: debugger.run("busy", "0"), lambda: "ready" in debugger.output())
    assert stopped.report.stop == Interrupted()
    for _ in range(10):
        stopped = debugger.interrupted(debugger.cont)
        assert stopped.report.stop == Interrupted()
    # The program has not seen a thing.
    assert "SIGSTOP" not in debugger.output()


def test_interrupt_during_a_long_stepi(debugger: Driver) -> None:
    debugger.file(worker())
    debugger.break_("busy_line")
    debugger.run("busy", "0")
    debugger.delete(1)
    before = debugger.log.last
    for _ in range(12):
        stopped = debugger.interrupted(lambda: debugger.stepi(100_000_000))
        assert stopped.report.stop == Interrupted(), tail(debugger.log)
        assert stopped.report.ended is None
    assert debugger.log.last > before
    assert debugger.stepi().report.stop == StepDone()


def test_interrupt_during_next_over_a_long_line(debugger: Driver) -> None:
    debugger.file(worker())
    debugger.break_("busy_line")
    debugger.run("busy", "0")
    debugger.next()
    for _ in range(4):
        stopped = debugger.interrupted(debugger.next)
        assert stopped.report.stop == Interrupted()
        assert stopped.frame is not None
        assert stopped.frame.function == "busy_line"


def test_interrupt_between_the_pieces_of_a_command(debugger: Driver) -> None:
    debugger.file(worker())
    debugger.break_("busy_line")
    debugger.run("busy", "0")
    debugger.delete(1)
    for turn in range(12):
        enough = debugger.log.last + 300 + turn  # in the middle, at ever other places
        move = debugger.nexti if turn < 8 else debugger.step
        stopped = debugger.interrupted(lambda: move(1_000_000), lambda: debugger.log.last > enough)  # noqa: B023  # called at once
        assert stopped.report.stop == Interrupted()


@pytest.mark.parametrize("count", [1, 5])
def test_interrupt_during_a_step_that_sleeps_in_the_kernel(debugger: Driver, count: int) -> None:
    program = worker(*FIXED)
    debugger.file(program)
    at, behind = symbol(program, "at_syscall"), symbol(program, "after_syscall")
    debugger.break_(f"*{at:#x}")
    stopped = debugger.run("raw", "pause")
    pid = stopped.report.pid
    stopped = debugger.interrupted(lambda: debugger.stepi(count), lambda: state(pid) == "S")
    assert stopped.report.stop == Interrupted()
    assert debugger.pc in (at, behind)
    # Interrupted calls begin again: the program still sleeps in pause, and notices nothing.
    debugger.delete(1)
    stopped = debugger.interrupted(debugger.cont, lambda: state(pid) == "S")
    assert stopped.report.stop == Interrupted()


def test_interrupt_without_anything_that_runs_says_so(debugger: Driver) -> None:
    assert debugger.session.interrupt() == ""
    debugger.file(worker())
    debugger.run("calls", until="main")
    assert debugger.session.interrupt() == ""
    assert debugger.stepi().report.stop == StepDone()
    assert exit_code(debugger.cont()) == 0


# --- children ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("how", ["fork", "vfork", "spawn"])
def test_children_run_without_our_bytes_and_parents_with_them(debugger: Driver, how: str) -> None:
    debugger.file(worker())
    debugger.break_("marked")
    stopped = debugger.run(how, "3")
    for _ in range(3):
        assert hit(stopped) == (1,), debugger.output()
        stopped = debugger.cont()
    assert exit_code(stopped) == 0
    assert "children well" in debugger.output()
    assert debugger.hits() == 3


def test_fork_event_needs_no_stop(debugger: Driver) -> None:
    debugger.file(str(build("forker")))
    debugger.break_("in_child")
    assert exit_code(debugger.run()) == 0
    assert debugger.hits() == 0
    assert "child ended with 3" in debugger.output()


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("call", ["fork", "vfork", "getpid"])
def test_step_over_a_call_that_makes_a_process(debugger: Driver, call: str, counted: bool) -> None:
    program = worker(*FIXED)
    debugger.file(program)
    debugger.break_("marked")
    number = debugger.break_(f"*{symbol(program, 'at_syscall'):#x}").number
    assert hit(debugger.run("raw", call)) == (number,)
    stopped = debugger.stepi(2 if counted else 1)
    assert stopped.report.stop == StepDone()
    behind = symbol(program, "after_syscall")
    assert debugger.pc == (behind + 1 if counted else behind)
    view = debugger.program.view
    assert view is not None
    assert len(view.tracees) == 1
    assert hit(debugger.cont()) == (1,)
    assert exit_code(debugger.cont()) == 0, debugger.output()


def test_child_made_by_the_last_step_is_let_go_at_detach(debugger: Driver) -> None:
    program = worker(*FIXED)
    debugger.file(program)
    debugger.break_("marked")
    debugger.break_(f"*{symbol(program, 'at_syscall'):#x}")
    stopped = debugger.run("raw", "fork")
    pid = stopped.report.pid
    debugger.stepi()
    debugger.detach()
    # Both are on their own; the child checks its bytes, the parent its child, and we are only their subreaper.
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize("count", [1, 2])
def test_step_over_a_call_that_makes_a_thread(debugger: Driver, count: int) -> None:
    program = worker(*FIXED)
    debugger.file(program)
    debugger.break_(f"*{symbol(program, 'at_clone'):#x}")
    stopped = debugger.run("raw", "thread")
    pid = stopped.report.pid
    assert debugger.stepi(count).report.stop == StepDone()
    _all_stopped(debugger)
    view = debugger.program.view
    assert view is not None
    assert len(view.tracees) == 2
    assert [tracee.stop for tracee in view.tracees if tracee.tid != pid] == [Born()]
    assert exit_code(debugger.cont()) == 0


def test_child_that_uses_the_memory_of_the_program(debugger: Driver) -> None:
    """Clone with CLONE_VM: a byte in the parent's memory is one in the child's, which nobody traces."""
    debugger.file(worker())
    debugger.break_("marked")
    debugger.handle(signal.SIGUSR1, stop=True)
    assert hit(debugger.run("share")) == (1,)
    stopped = debugger.cont()
    assert isinstance(stopped.report.stop, SignalDelivery), stopped
    assert any(isinstance(record.event, Warned) and "uses the program's memory" in record.event.text for record in debugger.log.since(0))
    assert hit(debugger.cont()) == (1,)
    assert exit_code(debugger.cont()) == 0, "the child ran into a byte of ours"


# --- exec -------------------------------------------------------------------------------------------------------------------------
def test_breakpoints_are_placed_again_in_every_image(debugger: Driver) -> None:
    debugger.file(worker("-g", "-O0", "-pie", "-fPIE"))
    debugger.break_("marked")
    stopped = debugger.run("exec", "3")
    pid = stopped.report.pid
    for _ in range(4):
        assert hit(stopped) == (1,)
        assert stopped.report.pid == pid
        stopped = debugger.cont()
    assert exit_code(stopped) == 0
    assert "last image" in debugger.output()
    assert debugger.hits() == 4


def test_exec_by_a_thread_that_is_not_the_leader(debugger: Driver) -> None:
    debugger.file(worker())
    debugger.break_("marked")
    stopped = debugger.run("exec-thread", "4")
    pid = stopped.report.pid
    assert hit(stopped) == (1,)
    for _ in range(2):
        stopped = debugger.cont()
        assert hit(stopped) == (1,)
        assert (stopped.report.pid, stopped.report.tid) == (pid, pid)
        assert threads(pid) == [pid]
    assert exit_code(debugger.cont()) == 0
    assert debugger.hits() == 3


@pytest.mark.parametrize("count", [1, 3])
def test_step_over_exec(debugger: Driver, count: int) -> None:
    program = worker(*FIXED)
    debugger.file(program)
    debugger.break_(f"*{symbol(program, 'at_syscall'):#x}")
    debugger.break_("marked")
    debugger.run("raw", "exec")
    stopped = debugger.stepi(count)
    # The old instruction has no successor: the new image runs on to its first breakpoint.
    assert hit(stopped) == (2,)
    assert hit(debugger.cont()) == (2,)
    assert exit_code(debugger.cont()) == 0


# --- stop signals -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGTSTP])
def test_stop_signal_from_outside_reaches_a_launched_program(debugger: Driver, number: signal.Signals) -> None:
    debugger.file(worker())
    debugger.break_("marked")
    stopped = debugger.run("calls", "2")
    os.kill(stopped.report.pid, number)
    stopped = debugger.cont()
    assert isinstance(stopped.report.stop, SignalDelivery)
    assert stopped.report.stop.signal == number
    stopped = debugger.cont()
    # Delivered: a group-stop, which a tracee of TRACEME cannot stay in; it runs on.
    assert hit(stopped) == (1,)
    assert exit_code(debugger.cont()) == 0


def test_signal_that_kills_while_it_runs_is_the_answer(debugger: Driver) -> None:
    debugger.file(worker())

    def killed_when_ready() -> bool:
        if "ready" in debugger.output():
            os.kill(debugger.program.pid, signal.SIGKILL)
            return True
        return False

    thread = threading.Thread(target=lambda: until(killed_when_ready))
    thread.start()
    stopped = debugger.run("busy", "0")
    thread.join()
    assert ended(stopped).signal == signal.SIGKILL
