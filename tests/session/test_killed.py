"""SIGKILL at any moment: the end is news, never an error, and nothing of the program or of a session stays behind.

The stations are places of the kernel's story: before exec, in the exec stop, in a step, in the exit event; and random ones, whose seed is
printed.  The same file is run by root and by an ordinary user.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.session.conftest import Outsider
from tests.session.driver import Driver, check_laws, ended, state, threads, tracers, until, worker
from tracedbg.kernel import procfs
from tracedbg.model.errors import Failed, KernelRefused, NotFound, NotNow, TracedbgError
from tracedbg.model.events import Detail, Note
from tracedbg.model.names import PTRACE_OPTIONS, PTRACE_REQUESTS
from tracedbg.model.startup import ProgramArgs
from tracedbg.model.stops import ExitEvent
from tracedbg.session.session import Session
from tracedbg.session.stopped import Stopped
from tracedbg.tracer import attaching, edges, ops, running

Start = Callable[..., Outsider]
STATIC = ("-g", "-O1", "-static")
GONE = (NotNow, NotFound, KernelRefused, Failed)


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def _children() -> set[int]:
    found: set[int] = set()
    for tid in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError):
            found.update(int(word) for word in Path(f"/proc/self/task/{tid}/children").read_text().split())
    return found


def _reaped() -> set[int]:
    """Our children; orphans that came to us when a program was killed, and have ended since, are collected first."""
    for pid in _children():
        if state(pid) == "Z":
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
    return _children()


@contextlib.contextmanager
def _nothing_grows() -> Iterator[None]:
    """Descriptors, threads and children are as many as before."""
    before = _descriptors(), len(os.listdir("/proc/self/task")), _children()
    yield
    until(lambda: len(os.listdir("/proc/self/task")) <= before[1])
    try:
        until(lambda: _reaped() <= before[2])
    except AssertionError:
        left = {pid: (state(pid), sorted(tracers(pid)), procfs.exe(pid)) for pid in _reaped() - before[2]}
        raise AssertionError(f"left behind: {left}") from None
    until(lambda: _descriptors() <= before[0])


def _dies(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _over(debugger: Driver, pid: int) -> None:
    """Whatever was in progress: the process is gone, the session knows, and says so in one plain word."""
    until(lambda: state(pid) == "")
    until(lambda: not debugger.program.alive)
    with pytest.raises(NotNow, match="not being run"):
        debugger.program.need_stopped()


# --- launches ---------------------------------------------------------------------------------------------------------------------
def _before_exec(debugger: Driver) -> None:
    """Killed by a signal that was on its way before the exec: from a thread that sees the child appear."""
    before = _children()
    seen: list[int] = []

    def killer() -> None:
        fresh: set[int] = set()

        def appeared() -> bool:
            fresh.update(_children() - before)
            return bool(fresh)

        until(appeared)
        seen.extend(fresh)
        _dies(seen[0])

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        stopped = debugger.run("calls", "1")
    finally:
        thread.join()
    assert ended(stopped).signal == signal.SIGKILL or ended(stopped).exit_code == 0
    _over(debugger, seen[0])


def _in_the_exec_stop(debugger: Driver) -> None:
    pid = debugger.run("calls", "1", until="entry").report.pid
    _dies(pid)
    _over(debugger, pid)


def _launched_and_not_collected(debugger: Driver) -> None:
    """Nobody has taken the exec stop yet: `launch`, then the kill, then whoever is sent to collect."""
    pid = debugger.program.launch(ProgramArgs(("calls", "1"))).pid
    until(lambda: state(pid) == "t")
    _dies(pid)
    report = debugger.program.moves.wait_for(edges.first_stop, pid)
    assert report.ended is not None
    assert report.ended.signal == signal.SIGKILL
    _over(debugger, pid)


def _in_a_step(debugger: Driver) -> None:
    pid = debugger.run("busy", "0", until="entry").report.pid
    thread = threading.Thread(target=lambda: (until(lambda: debugger.session.tracer.seat.inside), _dies(pid)))
    thread.start()
    stopped = debugger.stepi(1 << 40)
    thread.join()
    assert ended(stopped).signal == signal.SIGKILL
    _over(debugger, pid)


def _in_a_step_of_a_leader_with_threads(debugger: Driver) -> None:
    """The leader's end is told only after those of its threads, while the inline loop waits for the leader alone."""
    number = debugger.break_("spin").number
    pid = debugger.run("spin", "3").report.pid
    debugger.delete(number)
    debugger.program.tid = pid
    thread = threading.Thread(target=lambda: (until(lambda: debugger.session.tracer.seat.inside), _dies(pid)))
    thread.start()
    stopped = debugger.stepi(1 << 40)
    thread.join()
    assert ended(stopped).signal == signal.SIGKILL
    _over(debugger, pid)


def _while_it_runs(debugger: Driver) -> None:
    thread = threading.Thread(target=lambda: (debugger.said("ready", since), _dies(debugger.program.pid)))
    since = debugger.log.last
    thread.start()
    stopped = debugger.run("busy", "0")
    thread.join()
    assert ended(stopped).signal == signal.SIGKILL
    _over(debugger, stopped.report.pid)


def _in_the_exit_event(debugger: Driver) -> None:
    """SIGKILL does nothing to a task that is in its exit event: only a request moves it."""
    pid = debugger.run("calls", "1", until="entry").report.pid
    wanted = PTRACE_OPTIONS["PTRACE_O_TRACEEXIT"] | PTRACE_OPTIONS["PTRACE_O_EXITKILL"]
    assert debugger.session.tracer.call(ops.raw, PTRACE_REQUESTS["PTRACE_SETOPTIONS"], pid, 0, wanted) == (0, 0)
    assert debugger.session.tracer.call(ops.raw, PTRACE_REQUESTS["PTRACE_CONT"], pid, 0, 0) == (0, 0)
    taken = debugger.session.door.wait4(pid, 0x40000000)
    assert taken.ret == pid
    view = debugger.session.tracer.call(ops.view).inferior(pid)
    assert view is not None
    assert isinstance(view.tracees[0].stop, ExitEvent), view
    _dies(pid)
    assert state(pid) in ("t", "Z")
    debugger.kill()
    _over(debugger, pid)


LAUNCHES = [
    _before_exec, _in_the_exec_stop, _launched_and_not_collected, _in_a_step, _in_a_step_of_a_leader_with_threads, _while_it_runs,
    _in_the_exit_event,
]  # fmt: skip


def _at_random(debugger: Driver, dice: random.Random) -> None:
    """Some commands, and a kill from another thread at a random record of the log."""
    pid = debugger.run("ticking" if dice.random() < 0.3 else "fork", "50", until="entry").report.pid
    limit = debugger.log.last + dice.randrange(1, 120)
    thread = threading.Thread(target=lambda: (until(lambda: debugger.log.last >= limit or not debugger.program.alive), _dies(pid)))
    thread.start()
    moves: list[Callable[[], Stopped]] = [
        debugger.stepi, lambda: debugger.stepi(dice.randrange(2, 3000)), debugger.nexti, debugger.next, debugger.cont,
        lambda: debugger.interrupted(debugger.cont, lambda: True),
    ]  # fmt: skip
    try:
        with contextlib.suppress(NotNow, NotFound, KernelRefused):
            debugger.break_("marked")
        for _ in range(10_000):
            stopped = dice.choice(moves)()
            if stopped.report.ended is not None:
                break
    except (NotNow, NotFound):
        assert state(pid) in ("", "Z"), "refused although it lives"
    finally:
        thread.join()
    for view in debugger.program.breakpoints():
        debugger.delete(view.number)
    _over(debugger, pid)


def _launches(rounds: int, seed: int, *, anywhere: bool) -> None:
    dice = random.Random(seed)
    print(f"seed {seed}")  # noqa: T201  # shown with a failure
    program = worker(*STATIC)
    with Session(detail=Detail.DESK) as session:
        debugger = Driver(session)
        debugger.file(program)
        # The first ones make what stays: waiters, the reader, debug information of the file.
        debugger.delete(debugger.break_("marked").number)
        LAUNCHES[1](debugger)
        with _nothing_grows():
            for at in range(rounds):
                if anywhere and at % 2:
                    _at_random(debugger, dice)
                else:
                    LAUNCHES[(at // 2 if anywhere else at) % len(LAUNCHES)](debugger)
        assert session.failure is None
    check_laws(session)


def test_launches_in_a_row_with_a_kill_at_each_station() -> None:
    with _nothing_grows():
        _launches(len(LAUNCHES), random.SystemRandom().randrange(1 << 32), anywhere=False)


@pytest.mark.long
def test_two_hundred_launches_in_a_row() -> None:
    with _nothing_grows():
        _launches(200, random.SystemRandom().randrange(1 << 32), anywhere=True)


# --- attaches ---------------------------------------------------------------------------------------------------------------------
def _attaches(rounds: int, seed: int, start: Start) -> None:
    dice = random.Random(seed)
    print(f"seed {seed}")  # noqa: T201  # shown with a failure
    program = worker(*STATIC)
    with Session(detail=Detail.DESK) as session:
        debugger = Driver(session)
        debugger.attach(start(program, "pause").pid)  # the first one makes what stays: waiters, the reader, loaded libraries
        debugger.detach()
        with _nothing_grows():
            for at in range(rounds):
                process = start(program, *dice.choice([("pause",), ("busy", "0"), ("spin", "3"), ("churn",)]))
                session.settings.attach_mode = dice.choice(["seize", "attach"])
                killer = None
                if at % 4 == 0:  # at any moment
                    limit = debugger.log.last + dice.randrange(0, 60)
                    killer = _killer(debugger, process.pid, limit)
                try:
                    debugger.attach(process.pid)
                    if at % 4 == 1:
                        _dies(process.pid)
                        _over(debugger, process.pid)
                    elif at % 4 == 2:
                        debugger.detach()
                        assert tracers(process.pid) == {0}
                        assert "T" not in {state(tid) for tid in threads(process.pid)}
                    elif at % 4 == 3:
                        debugger.kill()
                        assert state(process.pid) == ""
                    else:
                        while debugger.program.alive:
                            if debugger.stepi(dice.randrange(2, 200)).report.ended is not None:
                                break
                except (*GONE, FileNotFoundError, ProcessLookupError):
                    assert killer is not None, "refused although nobody killed it"
                finally:
                    if killer is not None:
                        _ripen(debugger, limit)
                        killer.join()
                        until(lambda: state(process.pid) in ("", "Z"))  # noqa: B023
                process.end()
                until(lambda: not debugger.program.alive)
        assert session.failure is None
    check_laws(session)


def _killer(debugger: Driver, pid: int, limit: int) -> threading.Thread:
    """A thread that kills a process at a record of the log, or where the process sleeps while it is stepped and nothing else happens."""
    traced = debugger.session.tracer.tid

    def kill() -> None:
        until(lambda: debugger.log.last >= limit or (state(pid) == "S" and tracers(pid) == {traced}))
        _dies(pid)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def _ripen(debugger: Driver, limit: int) -> None:
    """Let the log reach a record's number, so that a killer that waits for it can end."""
    while debugger.log.last < limit:
        debugger.log.publish(Note("waiting for the killer"))


def test_attaches_in_a_row_with_a_kill_at_each_station(outsider: Start) -> None:
    _attaches(8, random.SystemRandom().randrange(1 << 32), outsider)


@pytest.mark.long
def test_two_hundred_attaches_in_a_row(outsider: Start) -> None:
    _attaches(200, random.SystemRandom().randrange(1 << 32), outsider)


# --- the end of a session, and of tracedbg itself ---------------------------------------------------------------------------------
def test_stopped_program_that_is_killed_is_noticed_without_a_command(debugger: Driver) -> None:
    debugger.file(worker())
    pid = debugger.run("calls", "1", until="main").report.pid
    _dies(pid)
    _over(debugger, pid)
    assert any("was killed while it was stopped" in str(record.event) for record in debugger.log.since(0))


def test_command_that_is_overtaken_by_the_burial_of_its_program(debugger: Driver) -> None:
    """The program was killed under a command; its end is being taken in when the command wants to ask for something more."""
    debugger.file(worker())
    program = debugger.program
    pid = debugger.run("calls", "1", until="entry").report.pid

    def command() -> Stopped:
        _dies(pid)
        until(lambda: program._burial.begun is not None)
        return program.arrive(program.ask_now(edges.halt, pid))

    assert ended(program.move(command)).signal == signal.SIGKILL
    _over(debugger, pid)


def test_threads_that_die_before_they_are_let_go_are_collected(debugger: Driver, outsider: Start) -> None:
    """Until their tracer has collected them, their process cannot be collected by its parent."""
    process = outsider(worker(*STATIC), "spin", "3")
    tracer = debugger.session.tracer
    tracer.call(attaching.open_page, process.pid)
    debugger.program.moves.wait_for(attaching.attach, process.pid, True)
    _dies(process.pid)
    tracer.call(ops.forget, process.pid)
    until(lambda: state(process.pid) == "")  # its parent is this process: the waiter that collects the threads may take it as well
    until(lambda: not tracer.call(lambda _, book: book.owed))


def test_child_that_its_killed_parent_could_not_announce_is_let_go(debugger: Driver) -> None:
    """The event of the fork never reaches the tracer, as when SIGKILL comes between the child's birth and the event."""
    debugger.file(worker(*STATIC))
    tracer = debugger.session.tracer
    pid = debugger.run("fork", "1", until="main").report.pid
    assert tracer.call(ops.raw, PTRACE_REQUESTS["PTRACE_CONT"], pid, 0, 0) == (0, 0)
    assert os.waitpid(pid, 0x40000000)[1] >> 8 == signal.SIGTRAP | 1 << 8  # PTRACE_EVENT_FORK, taken past the session
    (child,) = set(procfs.traced_by(tracer.tid)) - {pid}
    debugger.kill()
    until(lambda: tracers(child) <= {0} or state(child) in ("", "Z"))
    until(lambda: state(child) in ("", "Z"))  # it runs to its end


def test_session_closes_while_a_program_runs() -> None:
    with _nothing_grows():
        with Session(detail=Detail.DESK) as session:
            debugger = Driver(session)
            debugger.file(worker())
            debugger.run("busy", "0", until="main")
            pid = debugger.program.pid
            reply = session.tracer.start(running.cont, pid, pid, pid)
            debugger.said("ready")
        assert reply.finished
        with pytest.raises(TracedbgError, match="ending"):
            reply.result()
        assert state(pid) == ""
    check_laws(session)


def test_session_closes_while_a_bench_thread_sleeps_in_wait4() -> None:
    with _nothing_grows():
        with Session(detail=Detail.DESK) as session:
            debugger = Driver(session)
            debugger.file(worker())
            pid = debugger.run("calls", "1", until="main").report.pid
            thread = session.bench.add("w1")
            waited = thread.run(lambda: session.door.wait4(pid, 0x40000000), "wait4")
            until(lambda: state(thread.tid) == "S" and session.door.seat(thread.tid).inside)
        assert waited.result(5).errno == 4
        assert state(pid) == ""
    check_laws(session)


_VICTIM = """
import os, sys
from tracedbg.session.session import Session
from tests.session.driver import Driver
with Session() as session:
    debugger = Driver(session)
    if sys.argv[1] == "launch":
        debugger.file(sys.argv[2])
        debugger.run("busy", "0", until=sys.argv[3])
        print(debugger.program.pid, flush=True)
    else:
        debugger.attach(int(sys.argv[2]))
        print(debugger.program.pid, flush=True)
        if sys.argv[3] == "run":
            debugger.cont()
    if sys.argv[3] == "main":
        debugger.cont()
    sys.stdin.read()
"""


def _victim(*argv: str) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", _VICTIM, *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def _kill_and_collect(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(20)
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        stream.close()


@pytest.mark.parametrize("until_", ["entry", "main"])
def test_sigkill_to_tracedbg_ends_what_it_launched(until_: str) -> None:
    process, pid = _victim("launch", worker(*STATIC), until_)
    assert state(pid) in ("t", "R")
    _kill_and_collect(process)
    # The test run is the subreaper of what its children leave: a zombie of ours is dead, and the fixture collects it.
    until(lambda: state(pid) in ("", "Z"))


@pytest.mark.parametrize("how", ["stopped", "run"])
def test_sigkill_to_tracedbg_leaves_an_attached_program_running(outsider: Start, how: str) -> None:
    target = outsider(worker(*STATIC), "spin", "3")
    process, pid = _victim("attach", str(target.pid), how)
    assert pid == target.pid
    if how == "run":
        until(lambda: state(pid) == "S")
    _kill_and_collect(process)
    until(lambda: tracers(pid) == {0})
    until(lambda: any(state(tid) == "R" for tid in threads(pid)))
    assert {state(tid) for tid in threads(pid)} <= {"R", "S"}
    assert target.process.poll() is None
