"""Puppets at the prompt: they obey one call at a time, have children and threads of their own, and end with the session."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.commands.console import console, until
from tracedbg.commands.benching import read_call
from tracedbg.commands.names import offered
from tracedbg.commands.runner import Context
from tracedbg.kernel import procfs
from tracedbg.lab.calls import NAMES
from tracedbg.lab.orders import order_of
from tracedbg.lab.typed import MAKERS
from tracedbg.lang.callforms import FORMS
from tracedbg.lang.complete import complete
from tracedbg.lang.reference import help_lines
from tracedbg.model.errors import BadArgument, Failed, NotFound, NotNow, UnknownCommand

pytestmark = pytest.mark.needs("ptrace")


def test_a_puppet_is_an_untraced_child_that_obeys():
    with console() as it:
        (said,) = it.said("puppet p1")
        pid = int(it.session.variables["p1"])
        assert said == f"puppet p1, pid {pid}; $p1 is its pid"
        assert it.said("on p1 getpid") == [f"p1  getpid() = {pid}"]
        assert it.said("on p1 getppid") == [f"p1  getppid() = {os.getpid()}"]
        it.do("look p1 state=S comm=p1 TracerPid=0 PPid=$tracedbg pgrp=$p1 session=$p1 exit_signal=SIGCHLD Threads=1")
        assert it.said("puppet") == [f"p1, pid {pid}: is idle"]
        assert it.session.actors.names()[-1] == "p1"
        assert it.said("on repl wait4 -1 WNOHANG") == ["repl  wait4(-1, WNOHANG) = 0"]
        it.do("on p1 exit_group 7")
        it.do("look p1 state=Z")
        assert it.said("on repl wait4 $p1") == [f"repl  wait4({pid}, 0) = {pid} exited 7 status 0x700"]
        it.do("look p1 state=gone")
        with pytest.raises(NotNow, match="p1 is dead"):
            it.do("on p1 getpid")
        it.do("puppet p1")  # the name of a dead one is free
        assert int(it.session.variables["p1"]) != pid


def test_children_belong_to_the_very_task_that_forked_them():
    with console() as it:
        it.script("""
            thread w1
            on w1 fork c1
            on tracer fork c2
            puppet c3
            on c3 fork c4
            on c3 thread t2
            on c3.t2 fork c5
            look w1 children=$c1
            look $tracer children=$c2
            look c3 children=$c4
            look c3.t2 children=$c5
            look c4 PPid=$c3
            look c5 PPid=$c3
            on c5 getppid
            expect c5 getppid = $c3
            on c3 wait4 -1 __WNOTHREAD|WNOHANG
            expect c3 wait4 = 0
            on c5 exit_group 1
            look c5 state=Z
            on c3 wait4 -1 __WNOTHREAD|WNOHANG
            expect c3 wait4 = 0
            on c3.t2 wait4 -1 __WNOTHREAD|WNOHANG
            expect c3.t2 wait4 = $c5 exited 1
        """)
        assert procfs.comm(int(it.session.variables["c3.t2"])) == "c3.t2"


def test_a_puppet_that_waits_is_seen_asleep_and_woken():
    with console() as it:
        it.script("""
            puppet p1
            on p1 fork c1
            on p1 fork c2
            on p1 wait4 $c1 &
            expect p1 asleep do_wait
            on c2 exit_group 0
            look c2 state=Z
            expect not p1 woken within 0.1s
            on c1 exit_group 3
            expect p1 wait4 = $c1 exited 3
            on p1 pause &
            expect p1 asleep
        """)
        with pytest.raises(NotNow, match="p1 is still in pause"):
            it.do("on p1 getpid")


def test_threads_of_a_puppet_end_alone_or_all_together():
    with console() as it:
        it.script("""
            puppet p1
            on p1 thread t2
            on p1 thread t3
            on p1.t2 exit 3
            expect p1.t2 exit(3) = ?
            look p1.t2 state=gone
            look p1 Threads=2
            on p1 exit 4
            look p1 state=Z
            on p1.t3 getpid
            expect p1.t3 getpid = $p1
            on repl wait4 $p1 WNOHANG
            expect repl wait4 = 0
            on p1.t3 exit_group 9
            on repl wait4 $p1
            expect repl wait4 = $p1 exited 9
        """)


def test_a_raw_clone_chooses_the_signal_that_tells_the_parent():
    with console() as it:
        it.script("""
            puppet p1
            on p1 sigaction SIGUSR1 handler SA_RESTART
            on p1 clone c1 SIGUSR1
            on p1 clone c2 0
            on p1 wait4 -1 WNOHANG
            expect p1 wait4 = -1 ECHILD
            on p1 wait4 -1 WNOHANG|__WCLONE
            expect p1 wait4(-1, __WCLONE|WNOHANG) = 0
            look c1 exit_signal=SIGUSR1
            look c2 exit_signal=0
            on c1 exit_group 5
            expect p1 signal SIGUSR1 CLD_EXITED from $c1
            on p1 wait4 -1 __WALL
            expect p1 wait4 = $c1 exited 5
            on c2 exec /bin/sleep 100
            expect c2 execve = 0
            look c2 comm=sleep exit_signal=SIGCHLD
            on p1 wait4 -1 WNOHANG
            expect p1 wait4(-1, WNOHANG) = 0
            on p1 kill $c2 SIGKILL
            on p1 wait4 -1
            expect p1 wait4 = $c2 killed SIGKILL
        """)
        with pytest.raises(NotNow, match="c2 is dead"):
            it.do("on c2 getpid")


def test_a_vfork_child_obeys_while_its_parent_is_suspended():
    with console() as it:
        it.script("""
            puppet p1
            on p1 thread t2
            on p1 clone v1 CLONE_VM|CLONE_VFORK|SIGCHLD &
            look p1 state=D
            on v1 ptrace TRACEME
            look v1 TracerPid=$p1
            on v1 kill $v1 SIGSTOP &
            look v1 state=t
            on p1.t2 wait4 $v1
            expect p1.t2 wait4 = $v1 stopped SIGSTOP status 0x137f
            on p1.t2 ptrace CONT $v1
            expect p1.t2 ptrace = -1 ESRCH
            on p1.t2 kill $v1 SIGKILL
            expect p1 clone = $v1
            on p1 wait4 -1
            expect p1 wait4 = $v1 killed SIGKILL status 0x9
        """)


def test_an_exec_is_told_however_soon_the_program_ends():
    with console() as it:
        it.script("""
            puppet p1
            on p1 fork c1
            on c1 exec /bin/true
            expect c1 execve("/bin/true" = 0
            on p1 wait4 $c1
            expect p1 wait4 = $c1 exited 0
            on p1 fork c2
            on p1 wait4 $c2 &
            expect p1 asleep do_wait
            on c2 exec /bin/true
            expect c2 execve("/bin/true" = 0
            expect p1 wait4 = $c2 exited 0
            on p1 exec /bin/nothing
            expect p1 execve = -1 ENOENT
            on p1 exec /bin/sleep 100
            expect p1 execve("/bin/sleep", ["/bin/sleep" = 0
        """)


def test_a_birth_that_a_tracer_holds_up_is_not_waited_for():
    with console() as it:
        it.script("""
            puppet dbg
            on dbg fork p
            on dbg ptrace SEIZE $p 0 TRACEFORK
            on p fork c &
            on dbg wait4 $p __WALL
            expect dbg wait4 = $p stopped SIGTRAP PTRACE_EVENT_FORK
        """)
        began = time.monotonic()
        it.session.puppets.wait_born("p", read_call("fork", ["c"]), seconds=60)  # p stands in its event: c's number is not known
        assert time.monotonic() - began < 30
        it.script("""
            on dbg wait4 -1 __WALL
            expect dbg wait4 = <c:pid> stopped SIGTRAP PTRACE_EVENT_STOP
            on dbg ptrace CONT $p
            on dbg ptrace CONT $c
            expect p fork = $c
            on c getppid
            expect c getppid = $p
        """)


def test_an_answer_that_does_not_come_is_given_up_and_comes_later():
    with console() as it:
        it.do("puppet p1")
        later = it.later("on p1 pause")
        it.wait_for("p1", "asleep")
        assert it.session.interrupt() == "the puppet's answer was not waited for any longer"
        with pytest.raises(NotNow, match="not waited for any longer"):
            later.result()
        os.kill(int(it.session.variables["p1"]), signal.SIGSTOP)
        it.do("look p1 state=T")
        assert it.said("puppet")[0].endswith("is in pause")


def test_wrong_names_calls_and_arguments_are_told():
    with console() as it:
        it.script("""
            thread w1
            puppet p1
        """)
        for line, error, words in (
            ("puppet w1", BadArgument, "there is a thread w1 already"),
            ("puppet p1", BadArgument, "there is a puppet p1 already"),
            ("puppet 1a", BadArgument, "cannot name a thread"),
            ("thread p1", BadArgument, "there is a puppet p1 already"),
            ("puppet a a", BadArgument, "stands twice"),
            ("on p1 fork w1", BadArgument, "there is a thread w1 already"),
            ("on p1,w1 fork c", BadArgument, "several cannot make"),
            ("on w1 thread t2", BadArgument, "let a puppet do it"),
            ("on w1 exit 3", BadArgument, "only a puppet makes it"),
            ("on w1 ptrace TRACEME", BadArgument, "make tracedbg itself the tracee"),
            ("on p1 kill -1 SIGKILL", BadArgument, "would hit tracedbg itself"),
            ("on p1 kill $tracedbg SIGTERM", BadArgument, "would hit tracedbg itself"),
            ("on p1 waitpid -1", BadArgument, "a function of the C library"),
            ("on p1 frobnicate", UnknownCommand, "no call"),
            ("on p1 wait4", BadArgument, "wait4 takes 1 to 3 arguments"),
            ("on p2 getpid", NotFound, "there is no thread p2"),
            ("look p2", NotFound, "there is no thread p2"),
            (f"on p1 write 1 {'x' * 4000}", BadArgument, "too long for one message"),
        ):
            with pytest.raises(error, match=re.escape(words)):
                it.do(line)
        assert it.said("puppet") == [f"p1, pid {it.session.variables['p1']}: is idle"]


def test_a_fact_that_does_not_come_is_told_with_what_it_is(monkeypatch):
    monkeypatch.setattr("tracedbg.commands.benching_look.PATIENCE_S", 0.1)
    with console() as it:
        it.do("puppet p1")
        with pytest.raises(Failed, match=r"p1 has not come to state t in 0\.1 s: it has state S"):
            it.do("look p1 state=t")
        with pytest.raises(NotFound, match=r"\$nobody is not set"):
            it.do("look p1 TracerPid=$nobody")


def test_everything_ends_with_the_session():
    with console() as it:
        it.script("""
            thread w1
            puppet p1 p2 p3
            on p1 thread t2
            on p1 fork c1
            on c1 fork g1
            on g1 exec /bin/sleep 100
            on p1 vfork v1 &
            on p2 kill $p2 SIGSTOP &
            on w1 ptrace SEIZE $p3 0 PTRACE_O_TRACEEXIT
            on p3 exit_group 3 &
            look p3 state=t
            on tracer fork c2
            on tracer ptrace SEIZE $c2 0 PTRACE_O_TRACEEXIT
            on c2 exit_group 3 &
            look c2 state=t
            on p1.t2 ptrace SEIZE $c1 0 PTRACE_O_TRACEEXIT
            on c1 exit_group 3 &
            look c1 state=t
        """)
        pids = [int(it.session.variables[name]) for name in ("p1", "p2", "p3", "c1", "c2", "g1", "v1")]
    for pid in pids:
        until(lambda pid=pid: procfs.state(pid) in ("", "Z", "X"), f"{pid} is dead")
    assert not [text for _, text in it.records() if text.startswith("warning")]


_KILLED = '''
import os, signal
from tests.commands.console import console
with console() as it:
    it.script("""
        puppet p1 p2 p3
        on p1 fork c1
        on c1 fork g1
        on p1 thread t2
        on p1.t2 wait4 -1 &
        expect p1.t2 asleep do_wait
        on p2 kill $p2 SIGSTOP &
        look p2 state=T
        on p3 ptrace SEIZE $g1
        on p3 ptrace INTERRUPT $g1
        look g1 state=t
        on c1 exec /bin/sleep 100
        on p3 spin &
    """)
    print(*(it.session.variables[name] for name in ("p1", "p2", "p3", "c1", "g1")), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
'''


_KILLED_NAMESPACE = (
    _KILLED.partition("puppet p1 p2 p3")[0]
    + '''
        puppet p
        on p clone init CLONE_NEWPID|SIGCHLD
        on init fork c
        on c pause &
        on init pause &
        expect init asleep
    """)
    print(*(it.session.variables[name] for name in ("p", "init", "c")), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
'''
)


@pytest.mark.parametrize(
    ("script", "many"),
    [pytest.param(_KILLED, 5, id="plain"), pytest.param(_KILLED_NAMESPACE, 3, marks=pytest.mark.needs("root"), id="in-a-pid-namespace")],
)
def test_a_killed_tracedbg_leaves_no_puppet(script, many):
    """Stopped, traced, asleep in a wait, computing, or another program by now: the kernel ends each of them."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    pids = [int(word) for word in done.stdout.split()]
    assert len(pids) == many
    for pid in pids:
        until(lambda pid=pid: procfs.state(pid) in ("", "Z", "X"), f"{pid} is dead")


def test_reading_to_the_end_and_looking_for_a_death_is_one_order():
    with console() as it:
        it.script("""
            puppet p
            on p pipe2
            expect p pipe2 = 0 read <r:n> write <w:n>
            on p fork c
            on p close $w
            on c write $w abc
            on p eofwait $r $c &
            look p state=S syscall=0
            on c exit_group 3
            expect p eofwait = 0|$c
            on p eofwait 99 $c
            expect p eofwait = -1 EBADF
        """)


@pytest.mark.needs("root")
def test_in_a_pid_namespace_puppets_are_known_by_their_numbers_outside():
    """Inside, the first one is 1: nobody must take that for the number of the machine's own init."""
    with console() as it:
        it.script("""
            puppet p
            on p clone init CLONE_NEWPID|SIGCHLD
            on init getpid
            expect init getpid = 1
            on init thread t
            on init fork c
            expect init fork = 3
            on c thread t
            on c.t gettid
            expect c.t gettid = 4
            look init PPid=$p Tgid=$init
            look init.t Tgid=$init comm=init.t
            look c PPid=$init
            look c.t Tgid=$c comm=c.t
            on c getppid
            expect c getppid = 1
            on c kill -1 SIGKILL  # everybody there, but process 1 and the caller
            expect c kill(-1, SIGKILL) = -1 ESRCH
            on p kill $init SIGKILL
            on p wait4 $init
            expect p wait4 = $init killed SIGKILL
            look c state=gone
        """)
        numbers = [int(it.session.variables[name]) for name in ("init", "init.t", "c", "c.t")]
        assert min(numbers) > 4


def test_help_and_completion_know_every_call():
    with console() as it:
        it.do("puppet p1")
        text = " ".join(" ".join(map(str, help_lines(it.table, ["on"], 200))).split())
        assert [form.name for form in FORMS.values() if form.usage not in text] == []
        assert set(NAMES) | {"fork"} == {name for name, form in FORMS.items() if form.ours}
        assert set(MAKERS) <= set(FORMS)
        context = Context(it.session)

        def offers(line):
            return {one.text for one in complete(it.table, context, line)}

        assert offers("on p1") == {"p1"}
        assert offers("on p1 sigq") == {"sigqueueinfo", "tgsigqueueinfo"}
        assert "SIG_IGN" in offers("on p1 sigaction SIGCHLD ")
        assert "CLONE_VFORK" in offers("on p1 clone c CLONE_VF")
        assert "$p1" in offers("on p1 wait4 $p")
        assert "p1" in offered(it.session, "lane", "")


def test_each_call_says_how_it_is_written():
    for name, form in FORMS.items():
        for words in ([], ["?"] * form.needed, ["0"] * (len(form.kinds) + 1)):
            try:
                call = read_call(name, words)
            except BadArgument as error:
                said = error.todo
            else:
                said = "no error"
                assert len(words) >= form.needed, (name, words)
                order_of(call)
                assert call.shown is not None
            assert said, (name, words)
