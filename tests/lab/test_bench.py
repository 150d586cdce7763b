"""Bench threads without a session: names, one call at a time, an end in any state, and the forbidden door."""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading

import msgspec
import pytest

from tests.commands.console import until
from tracedbg.eventlog.log import EventLog
from tracedbg.kernel import procfs
from tracedbg.kernel.poke import PokeHandler
from tracedbg.kernel.wait import WALL, WaitDoor
from tracedbg.kernel.witness import Witness
from tracedbg.lab import forbidden
from tracedbg.lab.bench import Bench
from tracedbg.lab.calls import NAMES, here, ptrace_call, simple_call
from tracedbg.model.errors import BadArgument, NotFound, NotNow
from tracedbg.model.events import CallEntered, CallReturned, Detail, LaneClosed, LaneOpened, RuleBroken, ThreadAsleep
from tracedbg.model.ids import Role
from tracedbg.model.names import PTRACE_REQUESTS

EINTR = 4


@pytest.fixture
def bench():
    PokeHandler.acquire()
    log = EventLog(detail=Detail.DESK)
    witness = Witness(log, os.getpid())
    witness.start()
    bench = Bench(log, WaitDoor(log, witness))
    yield bench
    bench.close()
    witness.close()
    PokeHandler.release()


@pytest.fixture
def child():
    """A child that never ends by itself, so that a wait for it sleeps."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        yield process.pid


def _log(bench):
    return bench._log


def test_a_thread_has_its_lane_its_number_and_its_name_in_the_kernel(bench):
    made = bench.add("w1")
    assert made.tid in procfs.threads(os.getpid())
    assert procfs.comm(made.tid) == "w1"
    assert bench.names() == ("w1",)
    assert bench.tid("w1") == made.tid
    assert bench.get("w1") is made
    assert made.run(threading.get_native_id).result(5) == made.tid
    (opened,) = [record for record in _log(bench).since(0) if isinstance(record.event, LaneOpened) and record.lane == "w1"]
    assert opened.event == LaneOpened("w1", Role.BENCH, os.getpid())
    bench.end("w1")
    until(lambda: made.tid not in procfs.threads(os.getpid()), "the task is gone")
    assert bench.tid("w1") is None
    assert any(isinstance(record.event, LaneClosed) and record.lane == "w1" for record in _log(bench).since(0))
    with pytest.raises(NotFound):
        bench.get("w1")


@pytest.mark.parametrize("name", ["", "1", "a b", "tracer", "repl", "tracee", "all", "x" * 16, "ä", "$x", "-a"])
def test_names_that_no_lane_can_have(bench, name):
    with pytest.raises(BadArgument):
        bench.add(name)


def test_a_name_is_unique_over_all_lanes(bench):
    bench.add("w1")
    for taken in ((), ("w2",)):
        with pytest.raises(BadArgument, match="already"):
            bench.add("w2" if taken else "w1", taken)


def test_one_call_at_a_time_and_an_error_belongs_to_the_asker(bench):
    made = bench.add("w1")
    gate = threading.Event()
    reply = made.run(lambda: gate.wait(10), "a long call")
    assert made.busy == "a long call"
    with pytest.raises(NotNow, match="w1 is still in a long call"):
        made.run(lambda: None)
    gate.set()
    assert reply.result(5) is True
    with pytest.raises(ZeroDivisionError):
        made.run(lambda: 1 / 0).result(5)
    assert made.busy == ""
    assert made.run(lambda: 5).result(5) == 5


def test_a_thread_asleep_in_a_wait_call_can_be_ended(bench, child):
    door, log = bench._door, _log(bench)
    made = bench.add("w1")
    reply = made.run(lambda: door.wait4(child, WALL))
    assert log.until(lambda record: isinstance(record.event, ThreadAsleep) and record.lane == "w1", 5) is not None
    bench.end("w1")
    assert reply.result(5).errno == EINTR
    until(lambda: made.tid not in procfs.threads(os.getpid()), "the task is gone")


def test_foreground_calls_are_kicked_even_before_they_begin(bench, child):
    door = bench._door
    made = bench.add("w1")
    for _ in range(50):
        with bench.foreground([made.seat]):
            assert bench.waited_for
            ready = threading.Event()

            def work(ready=ready):
                ready.wait(5)
                return door.wait4(child, WALL)

            reply = made.run(work)
            ready.set()
            assert bench.kick_foreground()
            assert reply.result(5).errno == EINTR
        assert not bench.kick_foreground()
        assert made.run(lambda: door.wait4(child, WALL | 1)).result(5).ret == 0


def test_closing_with_work_still_in_the_inbox_answers_it(bench, child):
    door = bench._door
    made = bench.add("w1")
    reply = made.run(lambda: door.wait4(child, WALL))
    bench.close()
    assert reply.result(5).errno == EINTR


@pytest.mark.needs("ptrace")
def test_the_forbidden_door_announces_and_never_raises(child):
    log = EventLog(detail=Detail.DESK)
    cont = PTRACE_REQUESTS["PTRACE_CONT"]
    assert forbidden.ptrace(log, cont, child, 0, 0) == (-1, 3, "")
    broken, entered, returned = log.since(0)
    args = ("PTRACE_CONT", child, 0, 0)
    assert broken.event == RuleBroken("law 1", f"ptrace(PTRACE_CONT, {child}, 0, 0)")
    assert entered.event == CallEntered("ptrace", args)
    assert isinstance(returned.event, CallReturned)
    assert msgspec.structs.replace(returned.event, facts=()) == CallReturned("ptrace", args, -1, "ESRCH")
    assert {"target.tracer": "0", "target.tid": str(child)}.items() <= dict(returned.event.facts).items()
    assert returned.of == 2
    assert forbidden.ptrace(log, 0x7FFF, child, 0, 0)[0] == -1


@pytest.mark.needs("ptrace")
def test_a_thread_that_attached_by_itself_is_obeyed_and_lets_go_when_it_ends(bench, child):
    """To the kernel the tracer is the task that attached: here it is w1, so w1 is obeyed."""
    log, door = _log(bench), bench._door
    made = bench.add("w1")

    def ask(request, addr=0, data=0):
        return made.run(lambda: here(ptrace_call(PTRACE_REQUESTS[f"PTRACE_{request}"], child, addr, data), log, door)).result(5)

    assert ask("SEIZE").ret == 0
    assert procfs.tracer_pid(child) == made.tid
    assert ask("INTERRUPT").ret == 0
    assert made.run(lambda: here(simple_call("wait4", (child, WALL)), log, door)).result(5).status == 0x80057F
    assert ask("GETREGS").ret == 0
    bench.end("w1")
    until(lambda: procfs.tracer_pid(child) == 0, "the kernel has let the child go")


def test_buffers_that_the_kernel_writes_to_are_ours():
    for name in ("GETREGS", "GETREGSET", "GETSIGINFO", "GETEVENTMSG", "GETFPREGS", "GETSIGMASK"):
        call = ptrace_call(PTRACE_REQUESTS[f"PTRACE_{name}"], 1, 0, 0)
        address = call.numbers[3]
        assert address
        assert str(call.shown[3]).startswith("&")
        ctypes.string_at(address, 64)  # it is memory of this process


def test_every_call_has_arguments_that_can_be_read():
    from tracedbg.commands.benching import read_call

    words = {"wait4": ["-1", "__WALL"], "waitid": ["P_PID", "1", "WEXITED"], "ptrace": ["CONT", "1"], "kill": ["1", "0"],
             "tgkill": ["1", "1", "0"], "waitpid": ["-1"], "tkill": ["1", "0"], "process_vm_readv": ["1", "0x1000"]}  # fmt: skip
    for name in NAMES:
        assert read_call(name, words.get(name, [])).name == name
