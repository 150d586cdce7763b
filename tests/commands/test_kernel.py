"""The kernel as witness, live: who woke whom, in which order and by which functions, in the kernel's own words."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.console import FAMILIES, Console, console, until
from tracedbg.commands import kernel_
from tracedbg.eventlog.sinks import CallbackSink
from tracedbg.kernel import procfs, tracefs
from tracedbg.kernel.tracing_symbols import functions_there
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import NotHere, NotNow
from tracedbg.model.events import KernelStack, KernelWoke, Record
from tracedbg.model.ids import Source

pytestmark = pytest.mark.needs("ptrace")


@pytest.fixture
def lab() -> Iterator[Console]:
    with console() as made:
        made.table = CommandTable.merged(family.table for family in (*FAMILIES, kernel_))
        yield made


def instances() -> list[str]:
    return [name for name in os.listdir(f"{tracefs.root()}/instances") if name.startswith(f"tracedbg-{os.getpid()}-")]


def sleeper(lab: Console, *names: str) -> int:
    """A program that has stopped itself after its exec, for whom the named threads then wait by the given selectors."""
    lab.script(f"""
        thread {" ".join(names)}
        launch /bin/true
        on tracer wait4 $tracee __WALL
        expect tracer wait4 = $tracee stopped SIGTRAP
    """)
    return lab.tracee


def woken(lab: Console, by: int) -> list[str]:
    """Who was woken in the context of a task, in the kernel's order."""
    records = [record for record, _ in lab.records() if isinstance(record.event, KernelWoke) and record.tid == by]
    return [record.event.who for record in sorted(records, key=lambda each: each.t) if isinstance(record.event, KernelWoke)]


@pytest.fixture
def another_child() -> Iterator[int]:
    """A child of this process that lives until the session has ended."""
    with subprocess.Popen([sys.executable, "-S", "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as made:
        yield made.pid


@pytest.mark.slow
@pytest.mark.needs("tracefs")
def test_exactly_the_eligible_waiters_are_woken_in_the_childs_context(another_child: int, lab: Console) -> None:
    lab.do("kernel on")
    child = sleeper(lab, "w1", "w2", "w3")
    lab.script(f"""
        on w1 wait4 -1 __WALL &
        expect w1 asleep
        on w2 wait4 {child} __WALL &
        expect w2 asleep
        on w3 wait4 {another_child} __WALL &
        expect w3 asleep
        on tracer ptrace PTRACE_CONT {child}
        expect w1|w2 wait4 = {child} exited 0
        expect kernel woke w1 in {child}
        expect kernel woke w2 in {child}
        expect kernel exit {child}
    """)
    lab.do("kernel off")  # whatever the kernel has told is in the log now
    assert sorted(name for name in woken(lab, child) if name != "tracer") == ["w1", "w2"]
    # /proc alone says the same: the third one was not even woken in vain.
    assert procfs.asleep_in_wait(lab.session.bench.tid("w3") or 0) is not None
    seen = lab.session.witness.sleepers()[lab.session.bench.tid("w3") or 0]
    sight = procfs.asleep_in_wait(seen.tid)
    assert sight is not None
    assert sight.voluntary_switches == seen.switches
    told = [record for record, text in lab.records() if record.lane == "kernel" and text.startswith(("woke", "signal", "exit"))]
    assert {record.source for record in told} == {Source.TRACEFS}


@pytest.mark.slow
@pytest.mark.needs("tracefs")
def test_a_stop_shows_its_chain_from_ptrace_stop_to_the_wake_up(lab: Console) -> None:
    lab.do("kernel on stack")
    lab.script("""
        thread w1 w2
        launch /bin/sh -c 'kill -USR1 $$'
        on tracer wait4 $tracee __WALL
        on w1 wait4 -1 __WALL &
        expect w1 asleep
        on w2 wait4 $tracee __WALL &
        expect w2 asleep
        on tracer ptrace PTRACE_CONT $tracee
        expect w1|w2 wait4 = $tracee stopped SIGUSR1
        expect kernel woke w1 in $tracee
        expect kernel woke w2 in $tracee
        expect kernel stack ptrace_stop do_notify_parent_cldstop __wake_up_sync_key try_to_wake_up
        expect kernel signal SIGCHLD to <tid> ignored in $tracee
        expect kernel off-cpu $tracee state t
    """)
    # Each chain belongs to a wake-up of the same task.
    records = {record.seq: record for record, _ in lab.records()}
    chains = [record for record in records.values() if isinstance(record.event, KernelStack)]
    assert chains
    for record in chains:
        assert isinstance(records[record.of].event, KernelWoke)
        assert records[record.of].tid == record.tid
    lab.do("on tracer ptrace PTRACE_CONT $tracee 0 SIGUSR1")


@pytest.mark.slow
@pytest.mark.needs("tracefs")
def test_five_sleepers_are_woken_in_reverse_order(lab: Console) -> None:
    lab.do("kernel on")
    names = [f"w{number}" for number in range(1, 6)]
    child = sleeper(lab, *names)
    for name in names:
        lab.do(f"on {name} wait4 -1 __WALL &")
        lab.do(f"expect {name} asleep")
    lab.do("on tracer ptrace PTRACE_CONT $tracee")
    for name in names:
        lab.do(f"expect kernel woke {name} in {child}")
    assert [name for name in woken(lab, child) if name in names] == names[::-1]


@pytest.mark.slow
@pytest.mark.needs("tracefs")
def test_calls_and_the_life_of_a_task_are_told_with_the_kernels_times(lab: Console) -> None:
    lab.do("kernel on")
    lab.script("""
        thread w1
        launch /bin/true
        on tracer wait4 $tracee __WALL
        on w1 ptrace PTRACE_CONT $tracee
    """)
    child = lab.tracee
    lab.script(f"""
        expect kernel fork {child} by tracer
        expect kernel enter {child} ptrace PTRACE_TRACEME
        expect kernel exec {child} "/bin/true"
        expect kernel enter tracer wait4 {child} __WALL
        expect kernel return tracer wait4 = {child}
        expect kernel enter w1 ptrace PTRACE_CONT {child}
        expect kernel return w1 ptrace = -3 ESRCH
    """)
    # The thread itself and the kernel tell of one call: the kernel's part lies between the thread's two records.
    records = lab.records()
    ours = next(record for record, text in records if record.lane == "w1" and text.startswith("ptrace(PTRACE_CONT"))
    began = next(record for record in lab.session.log.since(0) if record.seq == ours.of)
    inside = [record.t for record, text in records if record.lane == "kernel" and ("enter w1 ptrace" in text or "return w1 ptrace" in text)]
    assert len(inside) == 2
    assert began.t <= inside[0] <= inside[1] <= ours.t


@pytest.mark.slow
@pytest.mark.needs("tracefs")
def test_a_task_that_is_attached_is_followed_from_before_the_attach(lab: Console) -> None:
    lab.do("kernel on")
    code = "import sys; print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as target:
        try:
            assert target.stdout is not None
            assert target.stdout.readline() == b"ready\n"
            until(lambda: procfs.state(target.pid) == "S", "the target is asleep in its read")
            lab.script(f"""
                on tracer ptrace PTRACE_SEIZE {target.pid}
                on tracer ptrace PTRACE_INTERRUPT {target.pid}
                on tracer wait4 {target.pid} __WALL
                expect kernel woke {target.pid} in tracer
                expect kernel signal SIGCHLD to <tid> ignored in {target.pid} process named tracer
                expect kernel off-cpu {target.pid} state t
                on tracer ptrace PTRACE_DETACH {target.pid}
            """)
        finally:
            target.kill()  # it may still be stopped


@pytest.mark.slow
@pytest.mark.needs("tracefs")
def test_a_private_instance_that_is_gone_afterwards(lab: Console) -> None:
    before = Path(f"{tracefs.root()}/set_event").read_text()
    assert lab.said("kernel on")[0].startswith("The kernel tells what it does: lane kernel, instance")
    assert len(instances()) == 1
    assert Path(f"{tracefs.root()}/instances/{instances()[0]}/trace_clock").read_text().count("[mono]") == 1
    with pytest.raises(NotNow):
        lab.do("kernel on")
    assert "tracepoints: sched_waking" in "\n".join(lab.said("info kernel"))
    assert Path(f"{tracefs.root()}/set_event").read_text() == before  # what others trace is not touched
    assert "off and its instance removed" in lab.said("kernel off")[0]
    assert instances() == []
    with pytest.raises(NotNow):
        lab.do("kernel off")
    assert lab.said("info kernel") == ["The kernel's trace is off; kernel on begins it."]
    lab.do("kernel on")  # and again; this one is removed with the session


@pytest.mark.slow
@pytest.mark.needs("tracefs")
def test_the_session_removes_it_and_the_next_one_removes_what_a_killed_one_left() -> None:
    code = (
        "import signal, os\n"
        "from tracedbg.session.session import Session\n"
        "with Session() as session:\n"
        "    session.kernel.on(stack=False)\n"
        "    print(session.kernel.facts().where, flush=True)\n"
        "    os.read(0, 1)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        where = victim.stdout.readline().strip()
        assert os.path.isdir(where)
        with console():
            assert os.path.isdir(where), "a living tracedbg's instance was removed"
        victim.send_signal(signal.SIGKILL)
    with console() as made:
        assert not os.path.exists(where)
        assert any(f"{os.path.basename(where)} of a tracedbg that was killed" in text for _, text in made.records())
    until(lambda: instances() == [], "no instance of ours")


@pytest.mark.slow
@pytest.mark.needs("tracefs")
def test_a_flood_is_survived_and_threads_of_ours_are_no_flood(lab: Console) -> None:
    lab.do("kernel on")
    lab.do("thread " + " ".join(f"t{number}" for number in range(40)))
    lab.script("launch /bin/true\non tracer wait4 $tracee __WALL")
    since = lab.session.kernel.facts().read
    for _ in range(200):
        lab.do("on t1,t2,t3,t4 ptrace PTRACE_CONT 1")
    assert lab.do("kernel off").facts.failed == ""
    texts = [text for record, text in lab.records() if record.lane == "kernel"]
    assert sum("return t1 ptrace = -3" in text for text in texts) == 200
    by_others = [text for text in texts if re.match(r"woke t\d", text)]
    assert not by_others, "a wake-up among our own threads was told"
    assert since > 0


def test_without_the_means_one_line_says_what_to_do(lab: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracefs, "root", lambda: "")
    with pytest.raises(NotHere) as caught:
        lab.do("kernel on")
    assert "not mounted" in caught.value.what
    assert "mount -t tracefs tracefs /sys/kernel/tracing" in caught.value.todo
    assert not lab.session.kernel.is_on
    (line,) = lab.said("info kernel")
    assert "cannot be on" in line
    assert "mount -t tracefs" in line
    lab.do("thread w1")  # nothing else is different
    assert "w1" in lab.session.actors.names()


@pytest.mark.slow
@pytest.mark.needs("tracefs")
def test_counted_loops_are_not_spelled_out_by_the_kernel_either(lab: Console) -> None:
    lab.script("file /bin/true\nstarti\nkernel on\nstepi 500")
    lab.do("expect kernel note: the kernel's trace goes on")
    during = [text for record, text in lab.records() if record.lane == "kernel"]
    assert "note: the kernel's trace pauses while the calls of loop stepi 500 are counted" in during
    assert len(during) < 400, "500 steps are 500 stops"
    lab.do("continue")
    lab.do("expect kernel exit <pid> last-thread")


@pytest.mark.long
@pytest.mark.needs("tracefs")
def test_what_the_kernel_tells_is_in_the_log_within_a_moment(lab: Console) -> None:
    """The reader is woken at the first event: what matters to `expect` is that the delay is far below its patience."""
    delays: list[int] = []

    def arrived(record: Record) -> None:
        if record.source is Source.TRACEFS:
            delays.append(time.monotonic_ns() - began - record.t)

    began = time.monotonic_ns() - lab.session.log.now()
    sink = CallbackSink(arrived)
    lab.session.log.attach(sink)
    lab.do("kernel on")
    for _ in range(50):
        lab.script("launch /bin/true\non tracer wait4 $tracee __WALL\non tracer ptrace PTRACE_CONT $tracee\non tracer wait4 $tracee __WALL")
    lab.do("kernel off")
    delays.sort()
    assert len(delays) > 500
    assert min(delays) > -2_000_000, "the clocks of the trace and of the log are one"
    assert delays[len(delays) // 2] < 100_000_000, f"median {delays[len(delays) // 2] / 1e6:.1f} ms"


def test_the_kernel_has_functions_by_name_and_lacks_others(lab):
    assert lab.said("kernel has do_exit no_such_function_ever") == ["kernel  has do_exit", "kernel  lacks no_such_function_ever"]
    lab.script("""
        expect kernel has do_exit
        expect kernel lacks no_such_function_ever
    """)


def test_a_name_is_found_whole_or_as_a_variant_of_the_compiler():
    data = b"0000000000000000 T do_wait_intr\n0000000000000000 t do_wait.isra.0\n0000000000000000 D data\n0000000000000000 t of\t[module]\n"
    found = functions_there(("do_wait", "do_wait_intr", "wait_intr", "data", "of", "do_wai."), data)
    assert found == {"do_wait": True, "do_wait_intr": True, "wait_intr": False, "data": False, "of": True, "do_wai.": False}
