"""Waiters: who takes a status, what the wait queue shows, and that none is lost when waiters come and go."""

from __future__ import annotations

import os
import re

import pytest

from tests.commands.console import asleep, console, until
from tests.programs import build
from tracedbg.kernel import procfs
from tracedbg.model.errors import BadArgument, NotNow, UserError
from tracedbg.model.events import LoopBegan
from tracedbg.model.stops import Interrupted

pytestmark = pytest.mark.needs("ptrace")


def _stop(it, call):
    """End a `continue` and return why it stopped."""
    assert it.session.interrupt() != ""
    return call.result().stopped.report


def test_info_waitqueue_answers_while_the_program_runs_and_every_fact_is_from_proc():
    with console() as it:
        it.do(f"file {build('loop')}")
        it.do("starti")
        assert it.do("info waitqueue").sleepers == ()
        (nobody,) = it.said("info waitqueue")
        assert nobody.startswith(f"No thread of process {os.getpid()} is in a wait call")
        it.do("thread w1")
        it.do("on w1 waitid P_PID $tracee WSTOPPED &")
        call = it.later("continue")
        (waiter,) = it.session.waiters.all
        it.wait_for("waiter", "asleep do_wait", since=it.session.block_start)
        until(lambda: asleep(waiter.tid), "the waiter asleep")
        until(lambda: asleep(it.session.bench.tid("w1") or 0), "w1 asleep")
        found = {each.name: each for each in it.do("info waitqueue").sleepers}
        assert set(found) == {"waiter", "w1"}
        assert found["waiter"].call == "wait4(-1, __WALL)"
        assert found["w1"].call == f"waitid(P_PID, {it.tracee}, WSTOPPED)"
        for each in found.values():
            assert each.wchan in ("do_wait", "0")
            assert each.since > 0
            assert each.tid in procfs.threads(os.getpid())
        text = "\n".join(it.said("info waitqueue"))
        for source in ("syscall", "wchan", "stat", "status"):
            assert f"/proc/{os.getpid()}/task/{waiter.tid}/{source}" in text
        assert it.session.bench.get("w1").busy
        report = _stop(it, call)
        assert isinstance(report.stop, Interrupted)
        it.do("thread end w1")


def test_woken_in_vain_is_counted_in_the_queue():
    with console() as it:
        it.script(f"""
            thread w1 w2
            launch {build("loop")}
            on tracer wait4 $tracee __WALL
            on tracer ptrace PTRACE_CONT $tracee
            on w1 wait4 -1 __WALL &
            expect w1 asleep do_wait
        """)
        # Both selectors fit, so the stop wakes both, and one of them finds nothing.
        for _ in range(3):
            now = it.session.log.last
            it.script("""
                on w2 wait4 $tracee __WALL &
                expect w2 asleep do_wait
                on tracer kill $tracee SIGUSR1
                expect <winner:w1|w2> wait4 = $tracee stopped SIGUSR1
            """)
            loser = "w2" if it.session.variables["winner"] == "w1" else "w1"
            it.wait_for(loser, "woken", since=now)
            tid = it.session.thread_tid(loser) or 0
            until(lambda tid=tid: asleep(tid), "the loser asleep again")
            queue = {each.name: each for each in it.do("info waitqueue").sleepers}
            assert queue[loser].woken >= 1
            assert it.session.variables["winner"] not in queue
            assert "in vain" in "\n".join(it.said("info waitqueue"))
            it.do("on tracer ptrace PTRACE_CONT $tracee")
            it.session.bench.end(loser)
            it.do(f"thread {loser}")
            it.do("on w1 wait4 -1 __WALL &")
            until(lambda: asleep(it.session.bench.tid("w1") or 0), "w1 asleep")


def test_styles_wait_as_they_say():
    with console() as it:
        it.do(f"file {build('loop')}")
        it.do("starti")
        pid = it.tracee
        styles = {
            "pid": (f"--style pid --pid {pid}", f"wait4({pid}, __WALL)"),
            "waitid": ("--style waitid", "waitid(P_ALL, 0, WSTOPPED|WEXITED|__WALL)"),
            "peek": ("--style peek", "waitid(P_ALL, 0, WSTOPPED|WEXITED|WNOWAIT|__WALL)"),
            "nothread": ("--style nothread", ""),
        }
        for name, (options, _) in styles.items():
            it.do(f"waiter add {name} {options}")
        call = it.later("continue")
        for name, (_, shown) in styles.items():
            tid = it.session.thread_tid(name) or 0
            if shown:
                until(lambda tid=tid: asleep(tid), f"{name} asleep")
                sight = procfs.asleep_in_wait(tid)
                assert sight is not None
                assert sight.call == shown
            else:  # it has no children of its own: the kernel says so at once
                it.wait_for(name, "= -1 ECHILD")
        listed = it.said("waiter list")
        assert any(line.startswith("nothread") and "idle" in line for line in listed), listed
        _stop(it, call)
        assert sum(waiter.taken for waiter in it.session.waiters.all) >= 2
        assert not any(waiter.armed for waiter in it.session.waiters.all)


@pytest.mark.parametrize("style", ["any", "pid", "peek", "waitid"])
def test_each_style_brings_every_stop_to_the_tracer(style):
    with console() as it:
        it.do(f"file {build('loop')}")
        it.do("starti")
        pid = f" --pid {it.tracee}" if style == "pid" else ""
        it.do(f"waiter add other --style {style}{pid}")
        for _ in range(10):
            it.do("stepi")
        for _ in range(3):
            call = it.later("continue")
            until(lambda: it.session.program.busy, "it runs")
            assert isinstance(_stop(it, call).stop, Interrupted)
        takers = {re.search(r"taken-by (\S+)", line)[1] for line in it.events("tracer") if "taken-by" in line}
        assert takers <= {"waiter", "other"}
        it.do("kill")


def test_waiters_come_and_go_while_the_program_runs():
    with console() as it:
        it.do(f"file {build('loop')}")
        it.do("starti")
        call = _running(it)
        with pytest.raises(NotNow, match="last waiter"):
            it.do("waiter remove waiter")
        for number in range(2, 12):
            (said,) = it.said("waiter add")
            assert said.startswith(f"waiter waiter{number}")
        for waiter in it.session.waiters.all:
            until(lambda waiter=waiter: asleep(waiter.tid), "a new one asleep")
        assert len(it.do("info waitqueue").sleepers) == 11
        it.do("waiter remove waiter")
        for number in range(3, 12):
            it.do(f"waiter remove waiter{number}")
        assert [row[0] for row in it.do("waiter list").rows] == ["waiter2"]
        assert isinstance(_stop(it, call).stop, Interrupted)
        assert it.events("tracer")[-1] != ""
        (taker,) = {line.rsplit(" ", 1)[1] for line in it.events("tracer") if "stopped" in line and "taken-by" in line} - {"waiter"}
        assert taker == "waiter2"


@pytest.mark.parametrize("rounds", [10, pytest.param(50, marks=pytest.mark.long)])
def test_many_stops_while_waiters_come_and_go(rounds):
    """A waiter that is removed may just have taken the status that everybody waits for."""
    with console() as it:
        it.do(f"file {build('loop')}")
        it.do("starti")
        for _ in range(rounds):
            call = _running(it)
            it.do("waiter add extra")
            it.session.interrupt()
            it.do("waiter remove extra")
            assert isinstance(call.result().stopped.report.stop, Interrupted)


def test_default_names_leave_out_what_is_taken():
    with console() as it:
        it.do("thread waiter2")
        assert it.said("waiter add")[0].startswith("waiter waiter3")
        assert [waiter.name for waiter in it.session.waiters.all] == ["waiter", "waiter3"]
        it.do("waiter remove waiter")
        it.do("waiter remove waiter3")
        assert it.said("waiter list") == ["There is no waiter; run, attach and waiter add make one."]


def test_a_debugger_command_gets_a_waiter_that_hears_everything():
    with console() as it:
        it.do("waiter add deaf --style nothread")
        it.do("waiter remove waiter")
        it.do("file /bin/true")
        report = it.do("run").stopped.report
        assert report.ended is not None
        assert [waiter.name for waiter in it.session.waiters.all] == ["deaf", "waiter"]


def test_typed_call_on_a_waiter_keeps_its_place_in_the_policy():
    with console() as it:
        it.do(f"file {build('loop')}")
        it.do("starti")
        it.do("on waiter wait4 $tracee __WALL &")
        it.wait_for("waiter", "asleep do_wait")
        call = it.later("continue")
        until(lambda: it.session.program.busy, "it runs")
        assert isinstance(_stop(it, call).stop, Interrupted)
        # It took the first stop by the typed call; now it waits by policy again.
        assert isinstance(_stop(it, _running(it)).stop, Interrupted)
        assert it.said("on waiter getpid") == [f"waiter  getpid() = {os.getpid()}"]


def _running(it):
    call = it.later("continue")
    until(lambda: it.session.program.busy, "it runs")
    return call


def test_a_call_on_a_waiter_that_waits_is_refused():
    with console() as it:
        it.do(f"file {build('loop')}")
        it.do("starti")
        call = _running(it)
        it.wait_for("waiter", "asleep do_wait")
        with pytest.raises(NotNow, match="waiter is in wait4"):
            it.do("on waiter getpid")
        _stop(it, call)


def test_counted_steps_go_one_by_one_beside_a_typed_wait():
    with console() as it:
        it.do(f"file {build('loop')}")
        it.do("starti")
        it.do("thread w1")
        it.do("on w1 wait4 -1 __WALL &")
        until(lambda: asleep(it.session.bench.tid("w1") or 0), "w1 asleep")
        since = it.session.log.last
        it.do("stepi 5")
        assert not any(isinstance(record.event, LoopBegan) for record in it.session.log.since(since))
        it.do("thread end w1")
        it.do("stepi 1000")


@pytest.mark.parametrize(
    "line",
    [
        "waiter add repl",
        "waiter add tracer",
        "waiter add w1",
        "waiter add x --style pid",
        "waiter add x --pid 5",
        "waiter add x --options WNOWAIT",
        "waiter add x --style waitid --options WNOWAIT",
        "waiter add x --options WEXITED",
        "waiter add x --style lazy",
        "waiter add x y",
        "waiter remove nobody",
        "waiter",
    ],
)
def test_bad_lines_are_refused(line):
    with console() as it:
        it.do("thread w1")
        with pytest.raises(UserError) as found:
            it.do(line)
        assert found.value.todo
    assert issubclass(BadArgument, UserError)
