"""`why` names the right cause: each cause of each errno is induced with real processes, and the diagnosis is compared."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.commands.console import Console, console
from tracedbg.commands.runner import Runner
from tracedbg.commands.table import all_commands
from tracedbg.commands.why import Explained
from tracedbg.kernel import credentials
from tracedbg.model.errors import NotNow
from tracedbg.session.diagnosing import failure_of
from tracedbg.session.shelf import lessons_on
from tracedbg.walk.catalogue import RULES

pytestmark = [pytest.mark.slow, pytest.mark.needs("ptrace")]

# A line fails where it ends in `=> ERRNO CAUSE`; the others set the scene.  `root:` and `user:` begin lines for one of them only.
NO_SUCH = """
    thread w1
    puppet p1 p2
    on p1 fork c
    on p1 thread t2
    on p1 ptrace SEIZE $c
    on p1 ptrace INTERRUPT $c
    on p1 wait4 $c __WALL
    on w1 ptrace CONT $c => ESRCH wrong-thread
    on p1.t2 ptrace CONT $c => ESRCH wrong-thread
    on p1 ptrace CONT $c
    look c state=S
    on p1 ptrace DETACH $c => ESRCH not-stopped
    on p1 ptrace GETREGS $p2 => ESRCH never-traced
    on p1 kill $c SIGSTOP
    on p1 wait4 $c __WALL
    on p1 ptrace CONT $c 0 SIGSTOP
    on p1 wait4 $c __WALL
    on p1 ptrace LISTEN $c
    on p1 ptrace CONT $c => ESRCH listening
    on p1 kill $c SIGCONT
    on p1 wait4 $c __WALL
    on p1 ptrace DETACH $c
    on p1 ptrace CONT $c => ESRCH let-go
    on p1 ptrace SEIZE $c
    on p1 kill $c SIGKILL
    look c state=Z
    on p1 ptrace CONT $c => ESRCH dead
    on p1 wait4 $c
    on p1 ptrace CONT $c => ESRCH gone
    on w1 ptrace SEIZE $c => ESRCH gone
    on p1 kill $c SIGTERM => ESRCH gone
    on p1 tkill $c SIGTERM => ESRCH gone
    on p1 kill -$c SIGTERM => ESRCH empty-group
    on p1 tgkill $p2 $p1.t2 SIGUSR1 => ESRCH wrong-process
    on p1 process_vm_readv $c 0x400000 => ESRCH gone
    on p1 syscall 61 -2147483648 0 0 0 => ESRCH int-min
    on p1 setpgid $p2 0 => ESRCH not-my-child
    on p1 pidfd_open $c => ESRCH gone
    on p2 thread t2
    on p1 ptrace SEIZE $p2
    on p1 ptrace GETREGS $p2.t2 => ESRCH sibling-only
"""

NOT_PERMITTED = """
    thread w1
    puppet p1 p2 u g d q
    on p1 thread t2
    on p1.t2 ptrace SEIZE $p1 => EPERM own-thread
    on w1 ptrace SEIZE $tracer => EPERM own-thread
    on p1 ptrace SEIZE $p2
    on w1 ptrace ATTACH $p2 => EPERM traced
    on p2 ptrace TRACEME => EPERM traced
    on p1 fork z
    on z exit_group 3
    look z state=Z
    on w1 ptrace SEIZE $z => EPERM zombie
    on p1 setsid => EPERM group-leader
    on p1 setpgid 0 0 => EPERM session-leader
    on p1 fork e
    on e setpgid 0 $u => EPERM other-session
    on e exec /bin/sleep 100
    look e comm=sleep
    on p1 setpgid $e 0 => EACCES has-execed
    root: on g setgid 65534
    root: on u setuid 65534
    root: on g setuid 65534
    root: on d setuid 65534
    root: on u ptrace SEIZE $p1 => EPERM uid
    root: on u ptrace SEIZE $g => EPERM gid
    root: on u ptrace SEIZE $d => EPERM undumpable
    root: on u process_vm_readv $d 0x400000 => EPERM undumpable
    root: on u kill $p1 SIGTERM => EPERM uid
    root: on u setuid 0 => EPERM credentials
    root: on u setrlimit RLIMIT_NPROC 0
    root: on u fork uc => EAGAIN process-limit
    user: on w1 ptrace SEIZE 1 => EPERM uid
    user: on d prctl PR_SET_DUMPABLE 0
    user: on w1 ptrace SEIZE $d => EPERM undumpable
    user: on p1 kill 1 SIGURG => EPERM uid
    user: on p1 setuid 0 => EPERM credentials
    user: on u setrlimit RLIMIT_NPROC 0
    user: on u fork uc => EAGAIN process-limit
"""

NO_CHILD = """
    thread w1
    puppet k p1
    on k wait4 -1 => ECHILD no-children
    on k wait4 $p1 => ECHILD not-my-child
    on k wait4 $k => ECHILD own-thread
    on k fork kc
    on kc thread t2
    on k wait4 $kc.t2 __WALL => ECHILD thread
    on k thread t2
    on k.t2 wait4 -1 __WNOTHREAD => ECHILD nothread
    on k.t2 wait4 $kc __WNOTHREAD|__WALL => ECHILD nothread
    on k wait4 -1 __WCLONE => ECHILD clone-family
    on k clone kk 0
    on k wait4 $kk => ECHILD clone-family
    on k wait4 -$p1 => ECHILD wrong-group
    on kc exit_group 0
    look kc state=Z
    on k waitid P_PID $kc WSTOPPED|WNOHANG => ECHILD zombie-unasked
    on k.t2 wait4 $kc
    on k wait4 $kc => ECHILD already-collected
    on k wait4 4194303 => ECHILD no-such-process
    puppet s n
    on s sigaction SIGCHLD SIG_IGN
    on s fork sc
    on sc exit_group 0
    look sc state=gone
    on s wait4 $sc => ECHILD sigchld-ignored
    on s wait4 -1 => ECHILD sigchld-ignored
    on n sigaction SIGCHLD handler SA_NOCLDWAIT
    on n fork nc
    on nc exit_group 0
    look nc state=gone
    on n wait4 $nc => ECHILD sigchld-ignored
    on p1 fork gc
    on tracer ptrace SEIZE $gc
    on tracer ptrace INTERRUPT $gc
    on tracer wait4 $gc __WALL
    on tracer ptrace DETACH $gc
    on w1 wait4 $gc => ECHILD let-go
    on k pidfd_open $gc
    expect k pidfd_open = <fd:n>
    on k waitid P_PIDFD $fd WEXITED => ECHILD not-my-child
    on k wait4 -1 WNOWAIT => EINVAL bad-option
    on k wait4 -1 0x10 => EINVAL bad-option
    on k waitid P_ALL 0 WNOHANG => EINVAL no-event
    on k waitid P_ALL 0 WEXITED|0x10 => EINVAL bad-option
    on k waitid P_PID 0 WEXITED => EINVAL bad-id
    on k waitid 9 0 WEXITED => EINVAL bad-idtype
    on k waitid P_PIDFD 99 WEXITED => EBADF bad-descriptor
    on p1 fork f
    on f exit_group 1
    look f state=Z
    on p1 wait4 $f 0 8 => EFAULT bad-pointer
    on p1 wait4 $f => ECHILD no-such-process
    on p1 pidfd_open $gc 0x800
    expect p1 pidfd_open = <fd2:n>
    on p1 waitid P_PIDFD $fd2 WEXITED => EAGAIN nonblocking-pidfd
    on k sigaction SIGUSR1 handler
    on k wait4 $kk __WALL &
    expect k asleep
    on p1 kill $k SIGUSR1
    expect k wait4 = -1 EINTR => EINTR signal
"""

ARGUMENTS = """
    puppet p1 q
    on p1 fork x
    on p1 fork y
    on p1 ptrace SEIZE $y 8 => EIO seize-address
    on p1 ptrace SEIZE $y 0 0x1000 => EIO seize-options
    on p1 ptrace SEIZE $x
    on p1 kill $x SIGUSR1
    on p1 wait4 $x __WALL
    on p1 ptrace LISTEN $x => EIO listen-elsewhere
    on p1 ptrace PEEKDATA $x 8 => EIO bad-address
    on p1 ptrace POKEDATA $x 8 1 => EIO bad-address
    on p1 syscall 101 7 $x 0 99 => EIO bad-signal
    on p1 ptrace 999 $x => EIO bad-request
    on p1 ptrace PEEKUSER $x 3 => EIO unaligned
    on p1 ptrace PEEKUSER $x 9000 => EIO beyond-user
    on p1 ptrace SETOPTIONS $x 0 0x1000 => EINVAL bad-option
    on p1 ptrace GETREGSET $x 99 => EINVAL bad-regset
    on p1 ptrace GETSIGMASK $x 4 => EINVAL bad-size
    on p1 syscall 101 12 $x 0 8 => EFAULT bad-pointer
    on p1 process_vm_readv $x 8 => EFAULT bad-address
    on p1 ptrace ATTACH $y
    on p1 wait4 $y __WALL
    on p1 ptrace INTERRUPT $y => EIO not-seized
    on p1 ptrace LISTEN $y => EIO not-seized
    on p1 ptrace CONT $y 0 SIGSTOP
    on p1 wait4 $y __WALL
    on p1 ptrace GETSIGINFO $y => EINVAL group-stop
    on p1 syscall 62 $q 99 => EINVAL bad-signal
    on p1 syscall 200 0 10 => EINVAL bad-target
    on p1 clone v CLONE_SIGHAND|SIGCHLD => EINVAL flags
    on p1 sigaction SIGKILL handler => EINVAL bad-signal
    on p1 sigtimedwait SIGUSR2 1 => EAGAIN timeout
    on q setrlimit RLIMIT_SIGPENDING 0
    on q sigprocmask SIG_BLOCK SIGRTMIN+3
    on q sigqueueinfo $q SIGRTMIN+3 5 => EAGAIN signal-limit
    on p1 read 99 => EBADF bad-descriptor
    on p1 exec /bin/nothing => ENOENT exec
"""


def rows(text: str) -> list[tuple[str, str, str]]:
    mine, other = ("root: ", "user: ") if os.geteuid() == 0 else ("user: ", "root: ")
    found = []
    for line in text.strip().splitlines():
        each = line.strip()
        if not each.startswith(other):
            call, _, told = each.removeprefix(mine).partition(" => ")
            errno, _, cause = told.partition(" ")
            found.append((call, errno, cause))
    return found


def play(it: Console, text: str) -> int:
    """Run the lines; after each one that fails `why` must know it and name the cause.  How many failed."""
    count, wrong = 0, []
    for line, errno, cause in rows(text):
        it.do(line)
        if not errno:
            continue
        count += 1
        answer = it.do("why")
        assert isinstance(answer, Explained), line
        failed = [found for record in it.session.log.since(0) if (found := failure_of(record)) is not None]
        assert len(failed) == count, f"{line} did not fail, or something else did: {[each.text for each in failed[count - 1 :]]}"
        if (failed[-1].errno, answer.diagnosis.cause) != (errno, cause):
            wrong.append((line, cause, answer))
        wrong += [(line, what, answer) for what in flaws(answer)]
    assert not wrong, "\n".join(map(str, wrong))
    return count


def flaws(answer: Explained) -> list[str]:
    """What a diagnosis must have, and this one has not."""
    shown = [str(each) for each in answer.lines(80)]
    rule = answer.diagnosis.rule
    lessons = [name for name, _ in lessons_on(rule)[:1]]
    checks = {
        "evidence": bool(answer.diagnosis.evidence),
        "a line that says why": any(line.startswith("why: ") for line in shown),
        "a rule of the catalogue": rule in ("", *RULES),
        "the rule's lesson": all(any(f"tracedbg learn {name}" in line for line in shown) for name in lessons),
        "80 columns": all(len(line) <= 80 for line in shown),
    }
    return [name for name, good in checks.items() if not good]


@pytest.mark.parametrize("text", [NO_SUCH, NO_CHILD, ARGUMENTS], ids=["no-such", "no-child", "arguments"])
def test_each_cause_is_named(text: str) -> None:
    with console() as it:
        assert play(it, text) >= 18


def test_each_cause_of_a_lack_of_rights_is_named() -> None:
    if credentials.yama_scope():
        pytest.skip("Yama refuses before the cause under test is reached")
    with console() as it:
        assert play(it, NOT_PERMITTED) >= 12


def asked(it: Console, line: str) -> Explained:
    answer = it.do(line)
    found = answer.answers[0] if hasattr(answer, "answers") else answer
    assert not [flaw for flaw in flaws(found) if flaw != "evidence"], found
    return found


STANDING = """
    thread w1
    puppet p1 p2
    why not stopped p1 => untraced
    why stopped p1 => running
    on tracer fork c
    on tracer ptrace SEIZE $c
    why not stopped c => never-asked
    on tracer ptrace INTERRUPT $c
    look c state=t
    why stopped c => uncollected
    on tracer wait4 $c __WALL
    why stopped c => ptrace-stop
    why not stopped c => ptrace-stop
    on tracer ptrace CONT $c
    look c state=S
    why not stopped c => resumed
    on p1 kill $c SIGSTOP
    on tracer wait4 $c __WALL
    on tracer ptrace CONT $c 0 SIGSTOP
    on tracer wait4 $c __WALL
    on tracer ptrace LISTEN $c
    why stopped c => listening
    on p1 kill $c SIGCONT
    on tracer wait4 $c __WALL
    on tracer ptrace DETACH $c
    why not stopped c => let-go
    on p1 kill $p2 SIGSTOP
    look p2 state=T
    why stopped p2 => job-control
    on p1 kill $p2 SIGCONT
    look p2 state=S
    on p2 sigprocmask SIG_BLOCK SIGUSR1
    on p1 kill $p2 SIGUSR1
    why not stopped p2 => blocked-signal
    on p1 fork z
    on z exit_group 0
    look z state=Z
    why stopped z => zombie
    on p1 wait4 $z
    why stopped z => gone
    on p2 fork v
    on p1 ptrace SEIZE $p2
    on p2 clone vf CLONE_VM|CLONE_VFORK|SIGCHLD &
    look p2 state=D
    on p1 ptrace INTERRUPT $p2
    why not stopped p2 => uninterruptible
"""

WAITING = """
    thread w1
    puppet p1 p2
    why waiting p1 => not-waiting
    on p1 fork a
    on p1 thread t2
    on p1.t2 wait4 -1 &
    expect p1.t2 asleep
    why waiting p1.t2 => waiting
    on p1 fork b
    on tracer ptrace SEIZE $a
    on p1 thread t3
    on p1.t3 wait4 $a WUNTRACED &
    expect p1.t3 asleep
    why waiting p1.t3 => told-elsewhere
    on w1 wait4 $a __WALL &
    expect w1 asleep
    why waiting w1 => waiting
    on tracer ptrace INTERRUPT $a
    expect w1 wait4 = $a stopped
    on w1 wait4 $a __WALL &
    expect w1 asleep
    why waiting w1 => all-stopped
    on tracer ptrace DETACH $a
    look a TracerPid=0
    why waiting w1 => stranded
    on p2 fork m
    on p2 thread t2
    on p2.t2 ptrace SEIZE $m
    on p2 wait4 $m __WNOTHREAD &
    expect p2 asleep
    why waiting p2 => nothread-missed
    user: puppet h
    user: on h prctl PR_SET_DUMPABLE 0
    user: why waiting h => hidden
"""


@pytest.mark.parametrize("text", [STANDING, WAITING], ids=["standing", "waiting"])
def test_why_it_stands_runs_or_waits(text: str) -> None:
    with console() as it:
        if text is WAITING and it.do("why waiting").answers:
            pytest.fail("nobody waits yet")
        told = [(line, cause, asked(it, line).diagnosis.cause) for line, cause in said(it, text)]
        assert [each for each in told if each[1] != each[2]] == []


def said(it: Console, text: str) -> Iterator[tuple[str, str]]:
    """The questions with the right answers; what stands between them is done on the way."""
    for call, cause, _ in rows(text):
        if cause:
            yield call, cause
        else:
            it.do(call)


def test_why_of_a_program_and_of_nothing() -> None:
    with console() as it:
        assert it.said("why") == ["No command has failed yet. No call has either."]
        with pytest.raises(NotNow, match="no program to ask about"):
            it.do("why stopped")
        it.script("""
            launch /bin/true
            on repl wait4 $tracee __WALL
        """)
        assert asked(it, "why stopped").diagnosis.cause == "ptrace-stop"
        it.do("on tracer ptrace PEEKDATA $tracee 8")
        assert it.do("why").diagnosis.cause == "bad-address"


def test_a_command_that_failed_is_explained_by_the_call_inside_it() -> None:
    with console() as it:
        runner = Runner(it.session, all_commands())
        assert not runner.run_line(f"attach {os.getpid()}", "script")
        assert runner.run_line("why", "script")
        assert isinstance(runner.answer, Explained)
        assert runner.answer.head.startswith(f"attach {os.getpid()}: tracer  ptrace(PTRACE_SEIZE, ")
        assert runner.answer.diagnosis.cause == "own-thread"
        # No call is behind this one: the error speaks for itself.
        assert not runner.run_line("nosuchcommand", "script")
        assert runner.run_line("why", "script")
        assert next(str(line) for line in runner.answer.lines(80)).startswith("nosuchcommand: Undefined command")
        # What fails later is the newer failure.
        it.do("on repl wait4 4194303")
        assert runner.run_line("why", "script")
        assert isinstance(runner.answer, Explained)
        assert runner.answer.diagnosis.cause == "no-such-process"
