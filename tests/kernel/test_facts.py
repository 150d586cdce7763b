"""What the kernel does, as the tracer relies on it: one fact a test, named after the fact.

Sources are ptrace(2), wait(2) and the kernel functions named in each docstring.  A test that fails here says on which kernel
we stand, before any test of the product can say anything.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.kernel import actors as raw
from tests.kernel.actors import Actor, Started, until

pytestmark = pytest.mark.needs("ptrace", "cc", "x86-64")

Make = Callable[[], Actor]
Start = Callable[[Actor, str], Started]
STOPPED = 0x137F  # stopped by SIGSTOP (19)


def at_first_stop(tracer: Actor, start: Start, mode: str = "traceme") -> int:
    """The pid of a program that asked to be traced and stopped itself; its report is taken."""
    pid = start(tracer, mode).pid
    assert tracer.do(raw.wait4, pid) == (pid, STOPPED)
    return pid


# --- the tracer is a thread ---------------------------------------------------------------------------------------------------
def test_wrong_thread_gets_esrch(actor: Make, start: Start) -> None:
    """A request from another thread of the same process: ESRCH, and nothing happens (`ptrace_check_attach`)."""
    tracer, other = actor(), actor()
    pid = at_first_stop(tracer, start)
    options = [(raw.CONT, 0), (raw.SETOPTIONS, raw.O_EXITKILL), (raw.INTERRUPT, 0), (raw.DETACH, 0), (raw.KILL, 0)]
    for request, data in options:
        assert other.do(raw.ptrace, request, pid, 0, data) == -errno.ESRCH
    registers = ctypes.create_string_buffer(27 * 8)
    assert other.do(raw.ptrace, raw.GETREGS, pid, 0, ctypes.addressof(registers)) == -errno.ESRCH
    assert raw.state(pid) == "t"
    assert tracer.do(raw.ptrace, raw.GETREGS, pid, 0, ctypes.addressof(registers)) == 0


def test_tracer_pid_is_the_thread(actor: Make, start: Start) -> None:
    """TRACEME binds to the thread that forked: TracerPid is its tid, PPid the process (`ptrace_traceme`)."""
    tracer = actor()
    pid = at_first_stop(tracer, start)
    assert tracer.tid != os.getpid()
    assert raw.tracer_of(pid) == tracer.tid
    assert int(raw.field(pid, "PPid")) == os.getpid()


def test_running_tracee_answers_esrch(actor: Make, start: Start) -> None:
    """The same errno for the right thread when the tracee is not stopped: ESRCH has two meanings."""
    tracer = actor()
    program = start(tracer, "idle")
    assert program.line() == ["ready"]
    assert tracer.do(raw.ptrace, raw.SEIZE, program.pid) == 0
    assert tracer.do(raw.ptrace, raw.CONT, program.pid) == -errno.ESRCH


def test_tracer_thread_end_releases(actor: Make, start: Start) -> None:
    """Without EXITKILL the end of the tracer thread lets a stopped tracee run on (`exit_ptrace`)."""
    tracer = actor()
    pid = at_first_stop(tracer, start)
    tracer.end()
    assert raw.wait4(pid) == (pid, 42 << 8)  # it was never continued


def test_exitkill_with_the_tracer_thread(actor: Make, start: Start) -> None:
    """PTRACE_O_EXITKILL is tied to the thread, too: its end kills the tracee though the process lives on."""
    tracer = actor()
    pid = at_first_stop(tracer, start)
    assert tracer.do(raw.ptrace, raw.SETOPTIONS, pid, 0, raw.O_EXITKILL) == 0
    tracer.end()
    assert raw.wait4(pid) == (pid, signal.SIGKILL)


def test_tracee_gone_between_two_requests(actor: Make, start: Start) -> None:
    """SIGKILL needs nobody's leave: the next request answers ESRCH, and the status tells the rest."""
    tracer = actor()
    pid = at_first_stop(tracer, start)
    os.kill(pid, signal.SIGKILL)
    until(lambda: raw.state(pid) == "Z")
    assert tracer.do(raw.ptrace, raw.CONT, pid) == -errno.ESRCH
    assert tracer.do(raw.wait4, pid) == (pid, signal.SIGKILL)


def test_death_replaces_a_stop_that_nobody_took(actor: Make, start: Start) -> None:
    """A stop that was not collected before SIGKILL is never reported."""
    tracer = actor()
    pid = start(tracer, "traceme").pid
    until(lambda: raw.state(pid) == "t")
    os.kill(pid, signal.SIGKILL)
    until(lambda: raw.state(pid) == "Z")
    assert raw.wait4(pid) == (pid, signal.SIGKILL)
    assert raw.wait4(pid)[0] == -errno.ECHILD


# --- who may wait -------------------------------------------------------------------------------------------------------------
def test_any_thread_waits(actor: Make, start: Start) -> None:
    """Stops and death go to whichever thread of the process asks (`do_wait` walks the children of every thread)."""
    tracer, waiter = actor(), actor()
    pid = start(tracer, "traceme").pid
    assert waiter.do(raw.wait4, pid) == (pid, STOPPED)
    assert tracer.do(raw.ptrace, raw.CONT, pid) == 0
    assert raw.wait4(pid) == (pid, 42 << 8)


def test_one_of_three_sleepers_wins_and_the_losers_were_woken(actor: Make, start: Start) -> None:
    """All eligible sleepers wake, exactly one takes the status, the others sleep again (`__wake_up_parent`)."""
    tracer, sleepers = actor(), [actor() for _ in range(3)]
    pid = at_first_stop(tracer, start)
    waits = {each: each.begin(raw.wait4, pid) for each in sleepers}
    for each in sleepers:
        until(lambda each=each: raw.asleep_in(each.tid, raw.SYS_WAIT4))
    before = {each: raw.switches(each.tid) for each in sleepers}

    assert tracer.do(raw.ptrace, raw.SINGLESTEP, pid) == 0
    until(lambda: any(wait.done() for wait in waits.values()))
    losers = [each for each in sleepers if not waits[each].done()]
    # A loser has gone to sleep once more than before: it was woken and found nothing.
    for each in losers:
        until(lambda each=each: raw.switches(each.tid) > before[each] and raw.asleep_in(each.tid, raw.SYS_WAIT4))
    assert [wait.done() for wait in waits.values()].count(True) == 1
    assert [wait.result() for wait in waits.values() if wait.done()] == [(pid, 0x057F)]

    os.kill(pid, signal.SIGKILL)
    answers = sorted(waits[each].result(timeout=20) for each in losers)
    assert answers == [(-errno.ECHILD, 0), (pid, signal.SIGKILL)]


def test_sleeper_for_another_pid_is_not_woken(actor: Make, start: Start) -> None:
    """A waiter whose selector does not match sleeps on (`child_wait_callback`); the positive control comes first."""
    tracer, fitting, other = actor(), actor(), actor()
    pid, elsewhere = at_first_stop(tracer, start), at_first_stop(tracer, start)
    mine, theirs = fitting.begin(raw.wait4, pid), other.begin(raw.wait4, elsewhere)
    for each in (fitting, other):
        until(lambda each=each: raw.asleep_in(each.tid, raw.SYS_WAIT4))
    before = raw.switches(other.tid)
    assert tracer.do(raw.ptrace, raw.SINGLESTEP, pid) == 0
    assert mine.result(timeout=20) == (pid, 0x057F)
    assert raw.switches(other.tid) == before
    assert tracer.do(raw.ptrace, raw.SINGLESTEP, elsewhere) == 0
    assert theirs.result(timeout=20) == (elsewhere, 0x057F)


def test_wnowait_leaves_the_status(actor: Make, start: Start) -> None:
    """WNOWAIT looks and takes nothing, from any thread; wait4 does not know it (EINVAL)."""
    tracer, other = actor(), actor()
    pid = start(tracer, "traceme").pid
    look = raw.WSTOPPED | raw.WEXITED | raw.WNOWAIT
    for each in (tracer, other, tracer):
        assert each.do(raw.waitid, pid, look) == (0, 4, signal.SIGSTOP)  # CLD_TRAPPED
    assert raw.wait4(pid, raw.WALL | raw.WNOWAIT)[0] == -errno.EINVAL
    assert raw.wait4(pid) == (pid, STOPPED)
    assert raw.wait4(pid, raw.WALL | raw.WNOHANG) == (0, 0)


@pytest.fixture
def poke() -> Iterator[None]:
    """SIGURG is handled below Python by libc's `abs`, without SA_RESTART; the former handler comes back afterwards."""

    class SigAction(ctypes.Structure):
        _fields_ = [
            ("handler", ctypes.c_void_p),
            ("mask", ctypes.c_ulong * 16),
            ("flags", ctypes.c_int),
            ("restorer", ctypes.c_void_p),
        ]

    new, old = SigAction(handler=ctypes.cast(raw.libc.abs, ctypes.c_void_p).value), SigAction()
    assert raw.libc.sigaction(signal.SIGURG, ctypes.byref(new), ctypes.byref(old)) == 0
    yield
    assert raw.libc.sigaction(signal.SIGURG, ctypes.byref(old), None) == 0


@pytest.mark.usefixtures("poke")
def test_a_blocked_wait_can_be_poked(actor: Make, start: Start) -> None:
    """A C handler without SA_RESTART ends a wait made through ctypes with EINTR; the status is still there for the next."""
    tracer, waiter = actor(), actor()
    pid = at_first_stop(tracer, start)
    wait = waiter.begin(raw.wait4, pid)
    until(lambda: raw.asleep_in(waiter.tid, raw.SYS_WAIT4))
    signal.pthread_kill(waiter.ident, signal.SIGURG)
    assert wait.result(timeout=20) == (-errno.EINTR, 0)
    assert tracer.do(raw.ptrace, raw.CONT, pid) == 0
    assert waiter.do(raw.wait4, pid) == (pid, 42 << 8)


@pytest.mark.usefixtures("poke")
def test_pythons_own_wait_cannot_be_poked(actor: Make, start: Start) -> None:
    """`os.waitpid` goes back to sleep after EINTR (PEP 475); that is why the product does not use it."""
    tracer, waiter = actor(), actor()
    pid = at_first_stop(tracer, start)
    wait = waiter.begin(os.waitpid, pid, raw.WALL)
    before = until(lambda: raw.asleep_in(waiter.tid, raw.SYS_WAIT4) and raw.switches(waiter.tid))
    signal.pthread_kill(waiter.ident, signal.SIGURG)
    until(lambda: raw.switches(waiter.tid) > before and raw.asleep_in(waiter.tid, raw.SYS_WAIT4))
    assert not wait.done()
    assert tracer.do(raw.ptrace, raw.CONT, pid) == 0
    assert wait.result(timeout=20) == (pid, 42 << 8)


# --- stopping -----------------------------------------------------------------------------------------------------------------
def test_interrupt_wants_a_seized_tracee(actor: Make, start: Start) -> None:
    """INTERRUPT and LISTEN on a tracee that was not seized: EIO."""
    tracer = actor()
    pid = at_first_stop(tracer, start)
    assert tracer.do(raw.ptrace, raw.INTERRUPT, pid) == -errno.EIO
    assert tracer.do(raw.ptrace, raw.LISTEN, pid) == -errno.EIO


def test_seize_does_not_stop_and_interrupt_does(actor: Make, start: Start) -> None:
    """SEIZE leaves it running; INTERRUPT's stop is event 128 with SIGTRAP: 0x80057f (`do_jobctl_trap`)."""
    tracer = actor()
    program = start(tracer, "idle")
    assert program.line() == ["ready"]
    assert tracer.do(raw.ptrace, raw.SEIZE, program.pid) == 0
    until(lambda: raw.state(program.pid) == "S")
    assert raw.wait4(program.pid, raw.WALL | raw.WNOHANG) == (0, 0)
    assert tracer.do(raw.ptrace, raw.INTERRUPT, program.pid) == 0
    assert raw.wait4(program.pid) == (program.pid, 0x80057F)
    assert tracer.do(raw.signal_info, program.pid) == (0, 0x8005)


def test_attach_stops_with_sigstop(actor: Make, start: Start) -> None:
    """ATTACH sends SIGSTOP; its stop is a signal-delivery-stop."""
    tracer = actor()
    program = start(tracer, "idle")
    assert program.line() == ["ready"]
    assert tracer.do(raw.ptrace, raw.ATTACH, program.pid) == 0
    assert raw.wait4(program.pid) == (program.pid, STOPPED)
    assert tracer.do(raw.signal_info, program.pid)[0] == 0


def test_own_sigstop_is_swallowed_by_not_injecting_it(actor: Make, start: Start) -> None:
    """To stop a TRACEME tracee: SIGSTOP to its tid.  CONT with signal 0 swallows it, and no job-control stop follows."""
    tracer = actor()
    program = start(tracer, "idle")
    assert program.line() == ["ready"]
    pid = program.pid
    assert tracer.do(raw.ptrace, raw.ATTACH, pid) == 0
    assert raw.wait4(pid) == (pid, STOPPED)
    assert tracer.do(raw.ptrace, raw.CONT, pid) == 0
    until(lambda: raw.state(pid) == "S")
    for _ in range(2):  # signals sent twice before the stop count once: the ledger must not expect two
        signal_sent = raw.libc.syscall(ctypes.c_long(234), ctypes.c_long(pid), ctypes.c_long(pid), ctypes.c_long(signal.SIGSTOP))
        assert signal_sent == 0
    assert raw.wait4(pid) == (pid, STOPPED)
    first = tracer.do(raw.ptrace, raw.CONT, pid)
    assert first == 0
    # Either the second was merged with the first (still pending when sent), or it reports once more; nothing stays stopped.
    until(lambda: raw.state(pid) in "St")
    while raw.wait4(pid, raw.WALL | raw.WNOHANG)[0] == pid:
        assert tracer.do(raw.ptrace, raw.CONT, pid) == 0
    until(lambda: raw.state(pid) == "S")
    assert tracer.do(raw.ptrace, raw.CONT, pid) == -errno.ESRCH


def test_signal_is_delivered_only_if_injected(actor: Make, start: Start) -> None:
    """A signal-delivery-stop: CONT with the number delivers, CONT with 0 does not."""
    for inject, status in ((0, 42 << 8), (signal.SIGTERM, 1 << 8)):
        tracer = actor()
        pid = at_first_stop(tracer, start, "term")
        os.kill(pid, signal.SIGTERM)
        assert tracer.do(raw.ptrace, raw.CONT, pid) == 0
        assert raw.wait4(pid) == (pid, signal.SIGTERM << 8 | 0x7F)
        assert tracer.do(raw.ptrace, raw.CONT, pid, 0, inject) == 0
        assert raw.wait4(pid) == (pid, status)


def test_group_stop_has_no_siginfo(actor: Make, start: Start) -> None:
    """Delivery stop and group-stop of a TRACEME tracee have the same word; GETSIGINFO tells them apart: EINVAL."""
    tracer = actor()
    pid = at_first_stop(tracer, start)
    assert tracer.do(raw.signal_info, pid)[0] == 0
    assert tracer.do(raw.ptrace, raw.CONT, pid, 0, signal.SIGSTOP) == 0
    assert raw.wait4(pid) == (pid, STOPPED)
    assert tracer.do(raw.signal_info, pid)[0] == -errno.EINVAL
    assert tracer.do(raw.ptrace, raw.CONT, pid) == 0
    assert raw.wait4(pid) == (pid, 42 << 8)


def test_group_stop_of_a_seized_tracee_is_an_event(actor: Make, start: Start) -> None:
    """0x80137f; LISTEN keeps the stop (`t`, no status, requests ESRCH) until SIGCONT ends it with 0x80057f."""
    tracer = actor()
    program = start(tracer, "idle")
    assert program.line() == ["ready"]
    pid = program.pid
    assert tracer.do(raw.ptrace, raw.SEIZE, pid) == 0
    os.kill(pid, signal.SIGSTOP)
    assert raw.wait4(pid) == (pid, STOPPED)
    assert tracer.do(raw.ptrace, raw.CONT, pid, 0, signal.SIGSTOP) == 0
    assert raw.wait4(pid) == (pid, 0x80137F)
    assert tracer.do(raw.ptrace, raw.LISTEN, pid) == 0
    assert raw.state(pid) == "t"
    assert raw.wait4(pid, raw.WALL | raw.WNOHANG) == (0, 0)
    assert tracer.do(raw.ptrace, raw.CONT, pid) == -errno.ESRCH
    os.kill(pid, signal.SIGCONT)
    assert raw.wait4(pid) == (pid, 0x80057F)


# --- exec and exit ------------------------------------------------------------------------------------------------------------
def test_exec_of_another_thread_comes_from_the_leader(actor: Make, start: Start) -> None:
    """The executing thread takes over the process id; its old tid is the message and ends without a report (`de_thread`)."""
    tracer = actor()
    program = start(tracer, "exec")
    pid, second = map(int, program.line())
    assert pid == program.pid
    assert second != pid
    for tid in (pid, second):
        assert tracer.do(raw.ptrace, raw.SEIZE, tid, 0, raw.O_TRACEEXEC) == 0
    program.tell()
    assert raw.wait4(pid) == (pid, 0x4057F)
    assert tracer.do(raw.event_message, pid) == second
    assert raw.wait4(second)[0] == -errno.ECHILD
    assert tracer.do(raw.ptrace, raw.CONT, second) == -errno.ESRCH
    assert tracer.do(raw.ptrace, raw.CONT, pid) == 0
    assert raw.wait4(pid) == (pid, 0)


def test_leader_that_ended_first_is_a_zombie_without_a_report(actor: Make, start: Start) -> None:
    """An ended leader is a zombie, but not reported before the last thread ends (`delay_group_leader`)."""
    tracer = actor()
    program = start(tracer, "leader")
    pid, second = map(int, program.line())
    until(lambda: raw.state(pid) == "Z")
    assert raw.wait4(pid, raw.WALL | raw.WNOHANG) == (0, 0)
    assert tracer.do(raw.ptrace, raw.SEIZE, pid) == -errno.EPERM  # a zombie has no tracer
    assert tracer.do(raw.ptrace, raw.SEIZE, second) == 0  # the living thread can be traced
    os.kill(pid, signal.SIGKILL)
    assert raw.wait4(second) == (second, signal.SIGKILL)
    assert raw.wait4(pid) == (pid, signal.SIGKILL)


def test_exit_event_ignores_sigkill(actor: Make, start: Start) -> None:
    """In PTRACE_EVENT_EXIT a tracee does not die of SIGKILL: it must be continued (so never wait for it blindly)."""
    tracer = actor()
    pid = at_first_stop(tracer, start)
    assert tracer.do(raw.ptrace, raw.SETOPTIONS, pid, 0, raw.O_TRACEEXIT) == 0
    assert tracer.do(raw.ptrace, raw.CONT, pid) == 0
    assert raw.wait4(pid) == (pid, 0x6057F)
    os.kill(pid, signal.SIGKILL)
    assert tracer.do(raw.event_message, pid) == 42 << 8  # still stopped there, and a request is answered
    assert raw.state(pid) == "t"
    assert tracer.do(raw.ptrace, raw.CONT, pid) == 0
    # Since 6.0 the status stays what it was at exit; before, SIGKILL replaced it.
    assert raw.wait4(pid) in ((pid, 42 << 8), (pid, signal.SIGKILL))


# --- the interpreter ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("door", "limit_ms", "answer"), [(ctypes.CDLL, 20_000, 1), (ctypes.PyDLL, 200, 0)])
def test_two_doors_of_ctypes(actor: Make, door: type[ctypes.CDLL], limit_ms: int, answer: int) -> None:
    """A call through CDLL lets other threads run meanwhile; through PyDLL it keeps the interpreter lock.

    A thread polls a pipe, with a limit.  The main thread writes as soon as it has seen the other asleep in poll: with the
    lock kept it cannot run before the poll has ended with 0.
    """
    sleeper = actor()
    read_end, write_end = os.pipe()

    class PollFd(ctypes.Structure):
        _fields_ = [("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short)]

    wanted = PollFd(read_end, 1, 0)  # POLLIN
    poll = sleeper.begin(door(None).poll, ctypes.byref(wanted), 1, limit_ms)
    while not poll.done():
        if raw.asleep_in(sleeper.tid, 7):
            os.write(write_end, b"x")
            break
    assert poll.result(timeout=20) == answer
    os.close(read_end)
    os.close(write_end)


def test_requests_work_through_both_doors(actor: Make, start: Start) -> None:
    """The kernel cannot tell the doors apart: the same request, thread and answer."""
    tracer = actor()
    pid = at_first_stop(tracer, start)
    for library in (ctypes.CDLL(None, use_errno=True), ctypes.PyDLL(None, use_errno=True)):
        call = library.ptrace
        call.restype = ctypes.c_long
        call.argtypes = (ctypes.c_long,) * 4
        assert tracer.do(call, raw.SINGLESTEP, pid, 0, 0) == 0
        assert raw.wait4(pid) == (pid, 0x057F)
        assert call(raw.SINGLESTEP, pid, 0, 0) == -1
        assert ctypes.get_errno() == errno.ESRCH
