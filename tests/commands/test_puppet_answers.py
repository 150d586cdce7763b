"""What a puppet's calls bring back besides a number: times used, every field of a result, pending signals, ids, a Landlock domain."""

from __future__ import annotations

import os

import pytest

from tests.commands.console import console
from tracedbg.model.errors import BadArgument

pytestmark = pytest.mark.needs("ptrace")


def test_waits_tell_what_a_child_has_used_and_every_field_that_they_store():
    with console() as it:
        it.script("""
            puppet p
            on p fork c
            on c sigaction SIGPROF handler
            on c setitimer ITIMER_PROF 60
            on c spin
            expect c setitimer(ITIMER_PROF, 60 ms) = 0
            expect c signal SIGPROF
            expect c spin = -1 EINTR
            on c getrusage RUSAGE_SELF
            expect c getrusage(RUSAGE_SELF) = 0 cpu 0.1|0.2 s user <n> ms system <n> ms
            on p waitid P_ALL 0 WEXITED|WNOHANG filled
            expect p waitid infop filled with 0x77 = 0 si_signo 0 si_errno 0 si_code 0 si_pid 0 si_uid 0 si_status 0
            on c exit_group 3
            look c state=Z
            on p getrusage RUSAGE_CHILDREN
            expect p getrusage(RUSAGE_CHILDREN) = 0 cpu 0.0 s user 0 ms system 0 ms
            on p waitid P_PID $c WEXITED|WNOWAIT rusage
            expect p waitid(P_PID, $c, WEXITED|WNOWAIT, &rusage) = 0 CLD_EXITED pid $c si_status 3 cpu 0.1|0.2 s
            on p waitid P_PID $c WEXITED|WNOWAIT filled
            expect p waitid = 0 si_signo 17 si_code 1 si_pid $c si_status 3
            on p wait4 $c 0 rusage
            expect p wait4($c, 0, &rusage) = $c exited 3 status 0x300 cpu 0.1|0.2 s
            on p waitid P_PID $c WEXITED filled
            expect p waitid = -1 ECHILD si_signo 0 si_pid 0
            on p fork d
            on d exit_group 3
            look d state=Z
            on p waitid P_PID $d WEXITED 0x8
            expect p waitid(P_PID, $d, WEXITED, infop 0x8) = -1 EFAULT
            on p fork e
            on e exit_group 3
            look e state=Z
            on p waitid P_PID $e WEXITED null
            expect p waitid(P_PID, $e, WEXITED, infop NULL) = 0 stored nowhere
            on p wait4 -2147483648
            expect p wait4(-2147483648, 0) = -1 ESRCH
            thread w1
        """)
        with pytest.raises(BadArgument, match="never hear of it"):
            it.do("on w1 waitid P_ALL 0 WEXITED null")


def test_pending_signals_ids_and_wrong_targets():
    with console() as it:
        it.script("""
            puppet p
            on p fork c
            on c sigprocmask SIG_BLOCK SIGUSR1
            on p kill $c SIGUSR1
            on p tgkill $c $c SIGUSR1
            on p ptrace SEIZE $c
            on p ptrace INTERRUPT $c
            on p wait4 $c
            on p ptrace PEEKSIGINFO $c
            expect p ptrace(PTRACE_PEEKSIGINFO, $c, off 0 flags 0 nr <n>, &siginfo) = 1 SIGUSR1 SI_TKILL from $p
            on p ptrace PEEKSIGINFO $c 1 8
            expect p ptrace flags PTRACE_PEEKSIGINFO_SHARED nr 8 = 1 SIGUSR1 SI_USER from $p
            on p tkill -1 SIGUSR1
            expect p tkill(-1, SIGUSR1) = -1 EINVAL
            on p tgkill 0 $c SIGUSR1
            expect p tgkill(0, $c, SIGUSR1) = -1 EINVAL
            on p pidfd_open $c PIDFD_NONBLOCK
            expect p pidfd_open($c, PIDFD_NONBLOCK) = <fd:n>
            thread w1
        """)
        uid = " ".join(map(str, (*os.getresuid(), os.geteuid())))
        assert it.said("look c Uid") == [f"c  look Uid {uid}"]
        for line, words in (("on w1 ptrace PEEKSIGINFO $c", "only a puppet has room"), ("on p ptrace PEEKSIGINFO $c 0 99", "at most 28")):
            with pytest.raises(BadArgument, match=words):
                it.do(line)


def test_the_siginfo_of_sigchld_tells_what_the_child_did():
    with console() as it:
        it.script("""
            puppet p
            on p sigprocmask SIG_BLOCK SIGCHLD
            on p fork c
            on p kill $c SIGSTOP
            on p sigtimedwait SIGCHLD
            expect p sigtimedwait = 17 SIGCHLD CLD_STOPPED from $c si_code 0x5 si_status SIGSTOP
            on p kill $c SIGCONT
            on p sigtimedwait SIGCHLD
            expect p sigtimedwait = 17 SIGCHLD CLD_CONTINUED from $c si_code 0x6 si_status SIGCONT
            on p ptrace SEIZE $c
            on p ptrace INTERRUPT $c
            on p sigtimedwait SIGCHLD
            expect p sigtimedwait = 17 SIGCHLD CLD_STOPPED from $c si_code 0x5 si_status 0
            on p ptrace CONT $c
            on c exit_group 263
            on p sigtimedwait SIGCHLD
            expect p sigtimedwait = 17 SIGCHLD CLD_EXITED from $c si_code 0x1 si_status 7
        """)


@pytest.mark.needs("landlock")
def test_a_puppet_enters_a_landlock_domain():
    with console() as it:
        it.script("""
            puppet p
            on p fork c
            on p prctl PR_SET_NO_NEW_PRIVS 1
            on p landlock_create_ruleset LANDLOCK_ACCESS_FS_MAKE_BLOCK
            expect p landlock_create_ruleset(LANDLOCK_ACCESS_FS_MAKE_BLOCK) = <rules:n>
            on p landlock_restrict_self $rules
            expect p landlock_restrict_self($rules, 0) = 0
            on p ptrace SEIZE $c
            expect p ptrace(PTRACE_SEIZE, $c) = -1 EPERM
        """)


def test_a_system_call_stop_tells_which_one_it_is_and_takes_another_result():
    recent = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2]) >= (6, 16)
    changed = ("0 op 2 exit rval 4242", "4242") if recent else ("-1 EIO", "$p")
    with console() as it:
        for tracer in ("dbg", "tracer"):
            it.script(f"""
                puppet dbg
                on {tracer} fork p
                on {tracer} ptrace SEIZE $p 0 TRACESYSGOOD
                on {tracer} ptrace INTERRUPT $p
                on {tracer} wait4 $p __WALL
                on {tracer} ptrace GET_SYSCALL_INFO $p
                expect {tracer} PTRACE_GET_SYSCALL_INFO op 0
                on p getpid &
                on {tracer} ptrace SYSCALL $p
                on {tracer} wait4 $p __WALL
                on {tracer} ptrace SYSCALL $p
                on {tracer} wait4 $p __WALL
                on {tracer} ptrace SYSCALL $p
                on {tracer} wait4 $p __WALL
                on {tracer} ptrace GET_SYSCALL_INFO $p
                expect {tracer} PTRACE_GET_SYSCALL_INFO op 1 entry nr 39 args 0x0 0x0
                on {tracer} ptrace SET_SYSCALL_INFO $p 0 4242
                expect {tracer} PTRACE_SET_SYSCALL_INFO = -1 {"EINVAL" if recent else "EIO"}
                on {tracer} ptrace SYSCALL $p
                on {tracer} wait4 $p __WALL
                on {tracer} ptrace GET_SYSCALL_INFO $p
                expect {tracer} PTRACE_GET_SYSCALL_INFO op 2 exit rval $p
                on {tracer} ptrace SET_SYSCALL_INFO $p 0 4242
                expect {tracer} PTRACE_SET_SYSCALL_INFO $p &info = {changed[0]}
                on {tracer} ptrace CONT $p
                expect p getpid = {changed[1]}
                on p exit_group
                on {tracer} wait4 $p __WALL
                on dbg exit_group
                on repl wait4 $dbg
            """)
