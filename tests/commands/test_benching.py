"""Calls on named threads: the kernel's own answers, and what they leave unchanged."""

from __future__ import annotations

import os
import re

import pytest

from tests.commands.console import asleep, console, until
from tests.programs import build
from tracedbg.kernel import procfs
from tracedbg.model.errors import BadArgument, BadSyntax, NotFound, NotNow, UnknownCommand
from tracedbg.model.events import RuleBroken
from tracedbg.render.lines import line_of

pytestmark = pytest.mark.needs("ptrace")


def test_request_from_another_thread_is_esrch_and_changes_nothing():
    with console() as it:
        it.script("""
            thread w1
            launch /bin/true
            on w1 wait4 -1 __WALL
        """)
        tid, tracer = it.tracee, it.session.tracer.tid
        before = it.said("look $tracee state TracerPid $rip")
        assert f"tracee  look state t TracerPid {tracer}" in before
        rip = re.search(r"rip (0x[0-9a-f]+)", " ".join(before))
        assert rip is not None
        for request in ("PTRACE_CONT", "SINGLESTEP", "GETREGS", "SETREGS", "PTRACE_DETACH", "PEEKUSER", "17"):
            (answer,) = it.said(f"on w1 ptrace {request} $tracee")
            assert answer.endswith("= -1 ESRCH (No such process)"), answer
        assert it.said("look $tracee state TracerPid $rip") == before
        assert procfs.state(tid) == "t"
        assert procfs.tracer_pid(tid) == tracer
        broken = [record for record in it.session.log.since(0) if isinstance(record.event, RuleBroken)]
        assert not broken, "the broken law is told at the level desk only"
        assert it.said("on tracer ptrace PTRACE_CONT $tracee") == [f"tracer  ptrace(PTRACE_CONT, {tid}, 0, 0) = 0"]
        it.do("on w1 wait4 -1 __WALL")
        it.do("expect w1 wait4 = $tracee exited 0")


def test_broken_law_is_told_at_desk_level_by_the_thread_that_broke_it():
    with console() as it:
        it.do("log --detail desk")
        it.script("""
            thread w1
            launch /bin/true
            on w1 ptrace CONT $tracee
        """)
        (record,) = [record for record in it.session.log.since(0) if isinstance(record.event, RuleBroken)]
        assert record.lane == "w1"
        assert record.tid == it.session.bench.tid("w1")


def test_the_book_follows_requests_typed_on_the_tracer():
    with console() as it:
        it.script("""
            launch /bin/true
            on tracer wait4 $tracee __WALL
            expect tracer wait4 = $tracee stopped SIGTRAP
            on tracer ptrace SETOPTIONS $tracee 0 TRACEEXIT|EXITKILL
            on tracer ptrace GETREGS $tracee
            on tracer ptrace GETREGSET $tracee 1
            on tracer ptrace GETSIGINFO $tracee
            on tracer ptrace SINGLESTEP $tracee
            expect tracee running singlestep
            on tracer waitid P_PID $tracee WSTOPPED
            expect tracer waitid = 0 CLD_TRAPPED pid $tracee si_status SIGTRAP
            then tracee stopped SIGTRAP step
            on tracer ptrace PTRACE_CONT $tracee
            on tracer wait4 -1 __WALL
            expect tracer wait4 = $tracee stopped SIGTRAP PTRACE_EVENT_EXIT status 0x6057f
            on tracer ptrace GETEVENTMSG $tracee
            on tracer ptrace PTRACE_CONT $tracee
            on tracer wait4 -1 __WALL
            expect tracer wait4 = $tracee exited 0 status 0x0
            on tracer wait4 -1 __WALL
            expect tracer wait4 = -1 ECHILD
        """)
        answers = [line for line in it.events("tracer") if line.startswith("ptrace(PTRACE_GET")]
        assert len(answers) >= 4
        assert all(" = 0" in line for line in answers), answers
        assert it.session.program.view is None


def test_status_taken_by_another_thread_is_handed_to_the_tracer():
    with console() as it:
        it.script("""
            thread w1
            launch /bin/true
            on w1 wait4 -1 __WALL
            expect w1 wait4 = $tracee stopped SIGTRAP
            then tracer told $tracee stopped SIGTRAP taken-by w1
            then tracee stopped SIGTRAP
        """)
        view = it.session.program.view
        assert view is not None
        assert view.stopped


def test_several_sleepers_have_one_winner_and_the_others_sleep_on():
    names = ["w1", "w2", "w3"]
    with console() as it:
        it.script(f"""
            thread {" ".join(names)}
            launch {build("loop")} 1
            on tracer wait4 $tracee __WALL
            on w1,w2,w3 wait4 -1 __WALL &
        """)
        tids = {name: it.session.bench.tid(name) or 0 for name in names}
        for name in names:
            it.wait_for(name, "asleep")
        it.do("on tracer kill $tracee SIGUSR1")
        it.do("on tracer ptrace PTRACE_CONT $tracee")
        won = it.do("expect <winner:w1|w2|w3> wait4 = $tracee stopped SIGUSR1")
        winner = dict(won.captured)["winner"]
        it.do("expect not w1|w2|w3 wait4 = within 0.2s")
        losers = [name for name in names if name != winner]
        assert all(asleep(tids[name]) for name in losers)
        for name in losers:
            assert re.fullmatch(r"woken \d+ in-vain \d+", line_of(it.wait_for(name, "woken")) or "")
        it.do("on $winner ptrace PTRACE_CONT $tracee")
        it.do("then $winner ptrace = -1 ESRCH")
        it.do("on tracer kill $tracee SIGKILL")
        it.do("expect w1|w2|w3 wait4 = $tracee killed SIGKILL")
        for name in losers:  # no child is left: whoever sleeps on learns it
            it.wait_for(name, "wait4(-1, __WALL) = ")


def test_one_call_on_all_kinds_of_threads_and_the_numbers_are_the_kernels():
    with console() as it:
        it.do("thread w1")
        it.do("waiter add")
        answers = it.do("on tracer,repl,waiter,waiter2,w1 gettid").answers
        tids = {answer.actor: int(answer.text.rsplit(" ", 1)[1]) for answer in answers}
        assert tids == {name: it.session.actors.tid(name) for name in it.session.actors.names()}
        assert len(set(tids.values())) == 5
        assert set(tids.values()) <= {int(tid) for tid in procfs.threads(os.getpid())}
        assert it.said("on w1 getpid") == [f"w1  getpid() = {os.getpid()}"]
        assert it.said("on repl getppid") == [f"repl  getppid() = {os.getppid()}"]


def test_barrier_lets_all_begin_before_any_has_to_end():
    with console() as it:
        it.do("thread w1 w2 w3 w4")
        answers = it.do("on w1,w2,w3,w4,tracer,repl wait4 -1 __WALL|WNOHANG").answers
        assert [answer.actor for answer in answers] == ["w1", "w2", "w3", "w4", "tracer", "repl"]


def test_foreground_waits_are_ended_by_an_interrupt():
    program = build("loop")
    for actor in ("w1", "tracer", "repl", "waiter"):
        with console() as it:
            it.script(f"""
                thread w1
                waiter add
                launch {program}
                on tracer wait4 $tracee __WALL
                on tracer ptrace PTRACE_CONT $tracee
            """)
            now = it.session.log.last
            call = it.later(f"on {actor} wait4 $tracee __WALL")
            it.wait_for("command" if actor == "repl" else actor, "asleep do_wait", since=now)
            assert it.session.interrupt() != ""
            (answer,) = call.result().answers
            assert answer.text.endswith("= -1 EINTR (Interrupted system call)")
            # The thread can wait again: the refusal ended with the command.
            it.do(f"on {actor} wait4 $tracee __WALL|WNOHANG")
            it.do(f"on {actor} kill $tracee SIGKILL")
            (answer,) = it.do(f"on {actor} wait4 $tracee __WALL").answers
            assert "killed SIGKILL" in answer.text


def test_a_wait_in_the_background_is_not_ended_by_an_interrupt_but_with_its_thread():
    with console() as it:
        it.script(f"""
            thread w1
            launch {build("loop")}
            on tracer wait4 $tracee __WALL
            on tracer ptrace PTRACE_CONT $tracee
            on w1 wait4 $tracee __WALL &
            expect w1 asleep do_wait
        """)
        tid = it.session.bench.tid("w1") or 0
        assert it.session.interrupt() == "asked the program to stop"
        it.do("expect w1 wait4 = $tracee stopped SIGSTOP")
        it.do("on tracer ptrace PTRACE_CONT $tracee")
        it.do("on w1 wait4 $tracee __WALL &")
        until(lambda: asleep(tid), "w1 asleep")
        with pytest.raises(NotNow, match="w1 is still in wait4"):
            it.do("on w1 getpid")
        it.do("thread end w1")
        assert any(line.endswith("= -1 EINTR (Interrupted system call)") for line in it.events("w1"))
        until(lambda: procfs.state(tid) == "", "its task is gone")


def test_session_ends_while_threads_sleep_in_wait_calls():
    with console() as it:
        it.script(f"""
            thread w1 w2
            launch {build("loop")}
            on tracer wait4 $tracee __WALL
            on tracer ptrace PTRACE_CONT $tracee
            on w1,w2 wait4 -1 __WALL &
            on tracer wait4 999999 __WALL
            expect tracer wait4 = -1 ECHILD
            expect w1 asleep
            expect w2 asleep
            on tracer wait4 -1 __WALL &
            expect tracer asleep
        """)
        pid = it.tracee
    assert procfs.state(pid) in ("", "Z")


def test_two_lessons_of_the_format_page():
    with console() as it:
        it.script("""
            thread w1
            launch /bin/true
            on w1 wait4 -1 __WALL
            expect w1 wait4 = $tracee stopped SIGTRAP
            on w1 ptrace PTRACE_CONT $tracee
            expect w1 ptrace = -1 ESRCH
            on w1 wait4 -1 __WALL &
            expect w1 asleep do_wait
            on tracer ptrace PTRACE_CONT $tracee
            expect tracer ptrace = 0
            expect w1 wait4 = $tracee exited 0
        """)


@pytest.mark.parametrize("rounds", [10, pytest.param(50, marks=pytest.mark.long)])
def test_the_race_of_two_waiters(tmp_path, rounds):
    source = tmp_path / "nap.c"
    source.write_text("#include <signal.h>\n#include <unistd.h>\nint main(void) { usleep(10000); raise(SIGUSR1); return 0; }\n")
    program = build(str(source))
    winners = set()
    with console() as it:
        it.do("thread w1 w2")
        for _ in range(rounds):
            it.script(f"""
                launch {program}
                on tracer wait4 $tracee __WALL
                expect tracer wait4 = $tracee stopped SIGTRAP
                on w1 wait4 -1 __WALL &
                on w2 wait4 -1 __WALL &
                expect w1 asleep
                expect w2 asleep
                on tracer ptrace PTRACE_CONT $tracee
                expect <first:w1|w2> wait4 = $tracee stopped SIGUSR1
                expect not w1|w2 wait4 within 0.02s
                on $first ptrace PTRACE_CONT $tracee
                then $first ptrace = -1 ESRCH
                on tracer ptrace PTRACE_CONT $tracee
                expect tracer ptrace = 0
                then w1|w2 wait4 = $tracee exited 0
            """)
            winners.add(it.session.variables["first"])
    assert winners <= {"w1", "w2"}


@pytest.mark.parametrize("rounds", [10, pytest.param(50, marks=pytest.mark.long)])
def test_start_and_end_of_a_wait_many_times(rounds):
    """A poke may land before the call, in it, or after it: none is lost, none ends a later call."""
    with console() as it:
        it.script(f"""
            thread w1
            launch {build("loop")}
            on tracer wait4 $tracee __WALL
            on tracer ptrace PTRACE_CONT $tracee
        """)
        for _ in range(rounds):
            call = it.later("on w1 wait4 $tracee __WALL")
            until(lambda: it.session.bench.waited_for, "the command waits")
            it.session.interrupt()
            (answer,) = call.result().answers
            assert "EINTR" in answer.text
            (answer,) = it.do("on w1 wait4 $tracee __WALL|WNOHANG").answers
            assert answer.text.endswith("= 0")


def test_look_tells_its_source_and_goes_to_the_lane_of_the_one_looked_at():
    with console() as it:
        it.do("thread w1")
        it.script("""
            launch /bin/true
            on w1 wait4 -1 __WALL
        """)
        assert it.said("look w1 comm state") == ["w1  look comm w1 state S"]
        assert it.said("look tracer Threads") == [f"tracer  look Threads {len(procfs.threads(os.getpid()))}"]
        (line,) = it.said(f"look {it.session.tracer.tid} comm")
        assert line == "tracer  look comm tracer"
        it.do("look $tracee PPid $rsp")
        sources = [(record.source.value, text) for record, text in it.records() if text.startswith("look") and record.lane == "tracee"]
        assert [source for source, _ in sources] == ["proc", "user"]
        assert sources[0][1] == f"look PPid {os.getpid()}"
        assert it.said("look 1 PPid") == ["1  look PPid 0"]


def test_look_at_registers_says_why_not():
    with console() as it:
        with pytest.raises(NotNow, match="not traced"):
            it.do("look repl $rip")
        it.script(f"""
            launch {build("loop")}
            on tracer wait4 $tracee __WALL
            on tracer ptrace PTRACE_CONT $tracee
        """)
        with pytest.raises(NotNow, match="running"):
            it.do("look $tracee $rip")


def test_registers_of_a_puppet_that_the_tracer_traces():
    with console() as it:
        it.script("""
            puppet p1
            on tracer ptrace PTRACE_SEIZE $p1
            on p1 trap &
            on tracer wait4 $p1 __WALL
            expect tracer wait4 = $p1 stopped SIGTRAP
            look p1 $rip
            expect p1 look rip <past:addr>
            on tracer process_vm_readv $p1 $past-1 1
            expect tracer process_vm_readv $past-1 1 = 1 0xcc
        """)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("on nobody getpid", NotFound),
        ("on w1 fly", UnknownCommand),
        ("on w1 wait4", BadArgument),
        ("on w1 wait4 x", BadArgument),
        ("on w1 wait4 -1 __WALLS", BadArgument),
        ("on w1 getpid 1", BadArgument),
        ("on w1 ptrace PTRACE_CONT", BadArgument),
        ("on w1 ptrace PTRACE_TRACEME 0", BadArgument),
        ("on w1 ptrace PTRACE_GETREGS 1 0 4096", BadArgument),
        ("on w1 ptrace PTRACE_PEEKTEXT 1 0 4096", BadArgument),
        ("on w1 ptrace PTRACE_POKETEXT 1 0 0x10000000000000000", BadArgument),
        ("on w1 ptrace PTRACE_CONT 1 0 SIGNOPE", BadArgument),
        ("on w1 ptrace 7 4294967296", BadArgument),
        ("on w1,w1 getpid", BadArgument),
        ("on repl getpid &", BadArgument),
        ("on w1 kill -1 SIGKILL", BadArgument),
        ("on w1 kill 0 SIGKILL", BadArgument),
        ("on w1 wait4 -1 $unset", NotFound),
        ("on w1", BadSyntax),
        ("thread w1", BadArgument),
        ("thread tracer", BadArgument),
        ("thread waiter", BadArgument),
        ("thread 1a", BadArgument),
        ("thread x x", BadArgument),
        ("thread abcdefghijklmnop", BadArgument),
        ("thread end w9", NotFound),
        ("look nobody", NotFound),
        ("look 0", BadArgument),
        ("look 99999999", BadArgument),
        ("look repl nofield", BadArgument),
        ("launch /no/such/program", NotFound),
    ],
)
def test_bad_lines_are_refused_in_one_line_with_something_to_do(line, error):
    with console() as it:
        it.do("waiter add")
        it.do("thread w1")
        with pytest.raises(error) as found:
            it.do(line)
        assert "\n" not in str(found.value)
        assert found.value.todo, str(found.value)
        assert it.said("on w1 getpid") == [f"w1  getpid() = {os.getpid()}"]


def test_self_inflicted_signal_is_refused():
    with console() as it:
        it.do("thread w1")
        for line in (f"on w1 kill {os.getpid()} SIGTERM", f"on w1 tgkill {os.getpid()} {os.getpid()} SIGTERM"):
            with pytest.raises(BadArgument, match="tracedbg itself"):
                it.do(line)
        assert it.said(f"on w1 kill {os.getpid()} 0") == [f"w1  kill({os.getpid()}, 0) = 0"]


def test_the_toolbar_tells_a_stop_that_nobody_has_collected_from_a_running_program():
    with console() as it:
        it.script("launch /bin/true\nlook $tracee state=t")
        assert it.session.busy_text == "stop not collected"
        it.do("on tracer wait4 $tracee __WALL")
        assert it.session.busy_text == "stopped"
