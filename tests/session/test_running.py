"""Running to the end, breakpoints and their counts, stepping by instruction and by line, on real programs."""

from __future__ import annotations

import os
import signal

import pytest

from tests.programs import build, line_of
from tests.session.driver import HERE, Driver, ended, exit_code, hit, symbol, worker
from tracedbg.model.stops import BreakpointHit, SignalDelivery, StepDone

STEPS = 40
KINDS = {
    "PIE": ("-g", "-O0", "-pie", "-fPIE"),
    "fixed addresses": ("-g", "-O0", "-no-pie"),
    "static": ("-g", "-O0", "-static"),
    "optimised": ("-g", "-O2"),
}


def test_a_program_runs_to_its_end(debugger: Driver) -> None:
    debugger.file(str(build("hello")))
    assert exit_code(debugger.run()) == 0
    assert "hello 3 of 3\nthis went to stderr\n" in debugger.output()
    assert not debugger.program.alive


def test_a_program_that_dies_of_a_signal(debugger: Driver) -> None:
    debugger.file(worker())
    stopped = debugger.run("segv")
    assert stopped.report.stop == SignalDelivery(signal.SIGSEGV, 1, address=8)
    status = ended(debugger.cont())
    assert status.signal == signal.SIGSEGV


@pytest.mark.parametrize("kind", KINDS)
def test_breakpoint_set_before_the_start_is_hit_at_every_call(debugger: Driver, kind: str) -> None:
    debugger.file(worker(*KINDS[kind]))
    debugger.break_("marked")
    stopped = debugger.run("calls", "4")
    for expected in range(1, 5):
        assert hit(stopped) == (1,)
        assert stopped.frame is not None
        assert stopped.frame.function == "marked"
        assert debugger.hits() == expected
        stopped = debugger.cont()
    assert exit_code(stopped) == 0
    assert "4 calls" in debugger.output()
    assert debugger.hits() == 4


def test_breakpoint_set_at_main_moves_with_the_program(debugger: Driver) -> None:
    debugger.file(worker("-g", "-O0", "-pie", "-fPIE"))
    before = debugger.break_("marked")
    assert debugger.run("calls", "2", until="main").frame is not None
    after = debugger.breakpoint(before.number)
    assert after is not None
    assert after.addresses != before.addresses
    second = debugger.break_("main")
    assert hit(debugger.cont()) == (before.number,)
    assert debugger.hits(second.number) == 0


def test_stripped_program_stops_at_addresses(debugger: Driver) -> None:
    address = symbol(worker("-g", "-O0", "-no-pie"), "marked")
    debugger.file(worker("-g", "-O0", "-no-pie", "-s"))
    debugger.break_(f"*{address:#x}")
    stopped = debugger.run("calls", "2")
    assert stopped.report.stop == BreakpointHit(address, (1,))
    assert debugger.pc == address
    assert hit(debugger.cont()) == (1,)
    assert exit_code(debugger.cont()) == 0


def test_temporary_ignored_disabled_deleted(debugger: Driver) -> None:
    debugger.file(worker())
    temporary = debugger.break_("marked", temporary=True)
    stopped = debugger.run("calls", "9")
    assert hit(stopped) == (temporary.number,)
    assert stopped.temporary
    assert debugger.breakpoint(temporary.number) is None
    # Stopped at the very place: this one counts from the next call on.
    kept = debugger.break_("marked")
    debugger.ignore(kept.number, 2)
    assert hit(debugger.cont()) == (kept.number,)
    assert debugger.hits(kept.number) == 3
    debugger.enable(kept.number, on=False)
    other = debugger.break_("marked")
    debugger.ignore(other.number, 1)
    assert hit(debugger.cont()) == (other.number,)
    assert debugger.hits(kept.number) == 3
    debugger.enable(kept.number, on=True)
    assert hit(debugger.cont()) == (kept.number, other.number)
    debugger.delete(other.number)
    debugger.delete(kept.number)
    assert exit_code(debugger.cont()) == 0
    assert "9 calls" in debugger.output()


def test_breakpoint_deleted_and_made_again_while_standing_on_it(debugger: Driver) -> None:
    debugger.file(worker())
    first = debugger.break_("marked")
    debugger.run("calls", "3")
    debugger.delete(first.number)
    second = debugger.break_("marked")
    stopped = debugger.cont()
    assert hit(stopped) == (second.number,)
    assert debugger.hits(second.number) == 1


def test_many_ignored_hits_are_all_counted(debugger: Driver) -> None:
    debugger.file(worker())
    debugger.break_("marked")
    debugger.ignore(1, 1 << 30)
    assert exit_code(debugger.run("calls", "300")) == 0
    assert debugger.hits() == 300
    assert "300 calls" in debugger.output()


def test_second_run_keeps_the_breakpoints(debugger: Driver) -> None:
    debugger.file(worker())
    debugger.break_("marked")
    first = debugger.run("calls", "2")
    old = first.report.pid
    second = debugger.run("calls", "2")
    assert hit(second) == (1,)
    assert second.report.pid != old
    assert not os.path.exists(f"/proc/{old}")
    assert debugger.hits() == 2


# --- instructions ---------------------------------------------------------------------------------------------------------------
def test_a_counted_stepi_ends_where_single_ones_do(debugger: Driver) -> None:
    debugger.file(worker("-g", "-O0", "-no-pie"))
    debugger.run(until="entry")
    for _ in range(60):
        assert debugger.stepi().report.stop == StepDone()
    one_by_one = debugger.program.registers()
    debugger.run(until="entry")
    debugger.stepi(60)
    assert debugger.program.registers().words == one_by_one.words


def test_stepi_over_a_breakpoint_executes_the_programs_instruction(debugger: Driver) -> None:
    debugger.file(worker())
    debugger.run("calls", "2", until="main")
    debugger.break_("marked")
    debugger.cont()
    at = debugger.pc
    reference = debugger.session.program.memory().read(at, 16)
    assert 0xCC not in reference[:1]
    assert debugger.stepi().report.stop == StepDone()
    assert debugger.pc != at
    number = 2
    assert debugger.hits(number) == 1
    # A breakpoint in the way of a counted loop ends it.
    again = debugger.stepi(100_000)
    assert hit(again) == (number,)
    assert debugger.pc == at
    assert debugger.hits(number) == 2


def test_nexti_runs_a_call_to_its_return(debugger: Driver) -> None:
    debugger.file(worker())
    debugger.break_("marked")
    debugger.run("calls", "3")
    for _ in range(60):
        stopped = debugger.nexti()
        assert stopped.report.ended is None
        if stopped.frame is not None and stopped.frame.function == "main":
            break
    # In main now; a whole round of the loop, over the call: the breakpoint in the callee still counts.
    stopped = debugger.nexti(50)
    assert hit(stopped) == (1,)
    debugger.delete(1)
    stopped = debugger.finish()
    assert stopped.frame is not None
    assert stopped.frame.function == "main"
    assert exit_code(debugger.nexti(1_000_000)) == 0


def test_stepi_to_the_end_of_the_program(debugger: Driver) -> None:
    debugger.file(worker("-g", "-O0", "-static"))
    debugger.run(until="main")
    assert exit_code(debugger.stepi(1 << 30)) == 0


# --- lines ----------------------------------------------------------------------------------------------------------------------
def test_next_step_finish_in_a_recursion(debugger: Driver) -> None:
    debugger.file(str(build("fact")))
    debugger.break_("fact")
    stopped = debugger.run("5")
    first = line_of("fact", "long below")
    for depth in range(1, 5):
        assert hit(stopped) == (1,)
        assert stopped.frame is not None
        assert stopped.frame.line == first
        if depth < 4:
            stopped = debugger.cont()
    debugger.delete(1)
    # n is 2 here: next goes over the inner call, not into it, and stays in this activation.
    lines = []
    for _ in range(3):
        stopped = debugger.next()
        assert stopped.frame is not None
        lines.append(stopped.frame.line)
    assert lines == [first + 1, first + 2, first + 3]
    cfa = stopped.frame.cfa
    stopped = debugger.next()
    assert stopped.frame is not None
    assert (stopped.frame.function, stopped.frame.cfa) == ("fact", cfa)
    stopped = debugger.finish()
    assert stopped.note == "Value returned is 2"
    stopped = debugger.finish()
    assert stopped.note == "Value returned is 6"


def test_step_goes_into_a_function_and_next_over_it(debugger: Driver) -> None:
    debugger.file(str(build("fact")))
    debugger.run("3", until="main")
    stopped = debugger.step(2)
    assert stopped.frame is not None
    assert stopped.frame.function == "fact"
    stopped = debugger.finish()
    assert stopped.note == "Value returned is 6"
    stopped = debugger.next()
    assert stopped.frame is not None
    assert stopped.frame.function == "main"
    assert exit_code(debugger.next(100)) == 0
    assert "3! = 6" in debugger.output()


def test_next_over_a_line_that_loops(debugger: Driver) -> None:
    debugger.file(worker())
    debugger.break_("busy_line")
    debugger.run("busy", "100000")
    assert debugger.next().frame is not None
    stopped = debugger.next()
    assert stopped.frame is not None
    assert stopped.frame.line == _after_loop()


def _after_loop() -> int:
    text = (HERE / "worker.c").read_text().splitlines()
    return next(number for number, line in enumerate(text, 1) if "after the loop" in line)


def test_breakpoint_inside_what_next_goes_over_is_reported(debugger: Driver) -> None:
    debugger.file(str(build("fact")))
    debugger.run("3", until="main")
    debugger.next()
    number = debugger.break_("fact").number
    assert hit(debugger.next()) == (number,)
    assert hit(debugger.finish()) == (number,)


# --- signals ----------------------------------------------------------------------------------------------------------------------
def test_signals_while_passing_a_breakpoint_are_neither_lost_nor_do_they_count_twice(debugger: Driver) -> None:
    debugger.file(worker())
    debugger.break_("marked")
    debugger.ignore(1, 1 << 30)
    assert exit_code(debugger.run("ticking", "400")) == 0
    assert "400 calls" in debugger.output()
    assert debugger.hits() == 400


def test_queued_signals_all_arrive_over_breakpoints(debugger: Driver) -> None:
    debugger.file(worker())
    debugger.handle(34, stop=False, show=False, deliver=True)
    debugger.break_("marked")
    debugger.ignore(1, 1 << 30)
    assert exit_code(debugger.run("queued", "100")) == 0
    assert "100 signals, 100 calls" in debugger.output()
    assert debugger.hits() == 100


def test_a_signal_sent_while_stopped_at_a_breakpoint_is_delivered(debugger: Driver) -> None:
    debugger.file(worker())
    debugger.handle(signal.SIGALRM, stop=True)
    debugger.break_("marked")
    stopped = debugger.run("calls", "3")
    os.kill(stopped.report.pid, signal.SIGUSR1)
    stopped = debugger.cont()
    assert stopped.report.stop == SignalDelivery(signal.SIGUSR1, 0, sender=os.getpid())
    # Suppressed: its default would end the program.
    assert hit(debugger.cont(0)) == (1,)
    assert debugger.hits() == 2


def test_next_through_signals_stays_in_its_line(debugger: Driver) -> None:
    debugger.file(worker())
    debugger.break_("busy_line")
    debugger.run("busy-ticking", "3000000")
    debugger.delete(1)
    for _ in range(2):
        stopped = debugger.next()
        assert stopped.frame is not None
        assert stopped.frame.function == "busy_line", stopped
    assert stopped.frame is not None
    assert exit_code(debugger.cont()) == 0


def test_single_steps_of_a_line_do_not_stop_in_a_signal_handler(debugger: Driver) -> None:
    debugger.file(str(build("signals")))
    debugger.handle(signal.SIGUSR1, signal.SIGUSR2, stop=False, show=False)
    debugger.run(until="main")
    while True:
        stopped = debugger.next()
        if stopped.report.ended is not None:
            break
        if stopped.frame is not None and stopped.frame.function:
            assert stopped.frame.function in ("main", "__libc_start_call_main", "__libc_start_main"), stopped.frame
    assert exit_code(stopped) == 0
    assert f"caught {int(signal.SIGUSR1)}" in debugger.output()


def test_counted_steps_through_ignored_signals_end_where_single_ones_do(debugger: Driver) -> None:
    program = worker("-g", "-O0", "-no-pie")
    debugger.file(program)
    debugger.handle(34, stop=False, show=False, deliver=True)
    places = []
    for counted in (False, True):
        stopped = debugger.run("queued", "3", until="main")
        debugger.break_("handle")
        debugger.cont()
        if counted:
            debugger.stepi(STEPS)
        else:
            for _ in range(STEPS):
                stopped = debugger.stepi()
                assert stopped.report.stop == StepDone()
        places.append(debugger.program.registers().pc)
    assert places[0] == places[1]
