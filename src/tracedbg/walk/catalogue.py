"""The rules that the lessons show: names, chapters and what each says in a sentence.

Pure data, any thread.  Lessons name rules by id; a report on a kernel has a row for each rule here, shown by a lesson or not.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["core", "deep", "expert"]
Risk = Literal["none", "environment", "version", "statistical"]


class Rule(msgspec.Struct, frozen=True):
    """One statement about the kernel.

    Args:
        id: ``chapter.short-name``.
        level: core for a first course, deep for the rest of it, expert for surprises.
        says: the statement.
        risk: ``version`` if other kernels may rightly differ, ``statistical`` if it is decided by counting, ``environment`` if the
            machine's settings decide.
    """

    id: str
    level: Level
    says: str
    risk: Risk = "none"

    @property
    def chapter(self) -> str:
        """Its chapter's name."""
        return self.id.partition(".")[0]

    @property
    def may_vary(self) -> bool:
        """A kernel that behaves otherwise is not wrong."""
        return self.risk in ("version", "statistical")


CHAPTERS = {
    "tracer": "The tracer is a thread",
    "wait": "Who may wait, and for what",
    "wake": "One queue: who is woken, who wins",
    "order": "Which child is reported first",
    "status": "What the status word says",
    "stop": "Ptrace-stops and job control",
    "event": "Events: fork, exec, exit, system calls",
    "exit": "Dying, and what is left",
    "orphan": "Orphans and adoption",
    "sigchld": "SIGCHLD and automatic reaping",
    "signal": "Sending and queueing signals",
    "interrupt": "Waiting and signals",
    "rusage": "Who pays for a dead child",
    "args": "Arguments and errors",
    "perm": "Permission",
    "pidfd": "A modern side door",
}
"""Titles by name, in order."""

_TRACER = (
    Rule("tracer.wrong-thread", "core", "ptrace requests of any thread but the tracer fail with ESRCH, as if there were no such task"),
    Rule("tracer.any-thread-waits", "core", "every thread of the tracer's process may collect the stops and the end of a tracee"),
    Rule("tracer.forking-thread", "core", "after TRACEME the tracer is the thread that forked: TracerPid shows its tid, PPid the process"),
    Rule("tracer.late-bind", "deep", "TRACEME looks for the tracer when it runs: a thread that took over the child becomes it"),
    Rule("tracer.exiting-parent", "expert", "TRACEME says 0 and does nothing while the parent is exiting", "environment"),
    Rule("tracer.direct-parent-only", "deep", "TRACEME makes the direct parent the tracer, so a wrapper in between takes the tracee"),
    Rule("tracer.exclusive", "core", "a task has one tracer at most; own threads, zombies and kernel threads can have none: EPERM"),
    Rule("tracer.per-thread-attach", "core", "an attach takes one thread; its siblings run on untraced"),
    Rule("tracer.needs-stop", "core", "a request on a tracee that runs fails with ESRCH, as on a stranger's tracee"),
    Rule("tracer.thread-exit-detaches", "core", "when the tracer thread ends, its tracees are let go and run, though its process lives on"),
    Rule("tracer.exitkill", "core", "with PTRACE_O_EXITKILL the end of the tracer thread kills its tracees"),
    Rule(
        "tracer.exit-signal-fate",
        "expert",
        "a signal that a tracee stops for is lost with its tracer if the stop had been collected, else delivered",
    ),
    Rule(
        "tracer.exec-keeps-links", "expert", "a tracer thread that execs keeps its tracees; those of the threads that exec ends are let go"
    ),
    Rule("tracer.parent-unchanged", "core", "tracing leaves parent and children lists as they were; it only redirects reports"),
    Rule("tracer.memory-any-thread", "core", "any thread may use /proc/PID/mem and process_vm_readv; PEEK and POKE are the tracer's alone"),
    Rule("tracer.split-roles", "expert", "one thread may fork a child and another trace it: both wait for it, one commands, it dies once"),
    Rule(
        "tracer.attach-seize",
        "core",
        "ATTACH stops its target with SIGSTOP, SEIZE does not stop it, and INTERRUPT stops it without a signal",
    ),
    Rule("tracer.attach-signal-race", "deep", "the first stop after ATTACH may be another signal, or a job-control stop that was in force"),
    Rule("tracer.detach", "deep", "DETACH lets the tracee go on with a signal of choice; a group-stop in force takes hold again"),
    Rule(
        "tracer.vfork-deadlock",
        "expert",
        "a tracer thread that vforks a child which stops before its exec waits for it, and it for the tracer",
    ),
    Rule(
        "tracer.tracee-gone",
        "core",
        "SIGKILL takes a tracee out of its stop at any time: requests then say ESRCH, and waiting tells of its death",
    ),
)
_WAIT = (
    Rule("wait.blocked-view", "core", "/proc shows who is blocked in a wait: state S, do_wait, call 61 or 247; waitpid is wait4"),
    Rule("wait.nothread", "core", "__WNOTHREAD narrows a wait to the calling thread's own children and tracees; without any it is ECHILD"),
    Rule("wait.nohang-echild", "core", "with WNOHANG a wait answers a pid, 0 for nothing yet, or ECHILD for nothing ever"),
    Rule("wait.not-mine", "core", "only children and tracees can be waited for; threads of a child only where they are traced"),
    Rule(
        "wait.clone-families",
        "core",
        "children without SIGCHLD as exit signal show to __WCLONE only, __WALL sees all; exec makes them ordinary",
    ),
    Rule("wait.pgid", "core", "negative pids choose a process group, 0 one's own, -1 all; a group without own children is ECHILD"),
    Rule("wait.pgid-at-call", "deep", "a wait for pid 0 keeps the group of the moment of the call"),
    Rule("wait.wnowait", "core", "WNOWAIT shows the same first match again and again and takes nothing"),
    Rule("wait.one-reaper", "core", "of all threads that race for a zombie exactly one gets it"),
    Rule("wait.trace-stop-needs-no-flag", "core", "stops of one's own tracees come whatever was asked for, without WUNTRACED too"),
    Rule("wait.real-parent-view", "core", "the parent of a child that another process traces hears of job control only, and never ECHILD"),
    Rule("wait.tracer-first", "core", "a death is told to the tracer first, and to the parent when the tracer took it or has gone"),
    Rule("wait.bad-pointer", "expert", "wait4 with a bad status pointer fails with EFAULT and reaps all the same"),
)
_WAKE = (
    Rule("wake.eligible-only", "core", "an event wakes the blocked waiters whose selector fits, and no others"),
    Rule("wake.one-winner", "core", "all eligible waiters wake, one takes the report, the rest sleep on or get ECHILD"),
    Rule("wake.order-lifo", "expert", "who came last to the queue is woken first, which does not make it the winner"),
    Rule("wake.coarse-filter", "deep", "the filter of a wake-up knows selectors only: waiters that cannot use the event wake in vain"),
    Rule(
        "wake.reporting-queue", "deep", "events go to the tracer's queue: the real parent's waiters sleep through stops and even the death"
    ),
    Rule("wake.stranded-waiter", "expert", "nobody wakes a waiter whose target can no longer report, though a new call would say ECHILD"),
    Rule(
        "wake.nothread-missed",
        "expert",
        "a forker waiting with __WNOTHREAD sleeps through stops that a sibling's SEIZE brings it",
        "version",
    ),
    Rule(
        "wake.group-stop-missed",
        "expert",
        "a group-stop completed by a thread that the parent's process traces may wake no waiter of the leader",
        "version",
    ),
    Rule(
        "wake.signal-independent",
        "core",
        "waiters wake with SIGCHLD ignored or blocked too; the signal goes to one thread, the wake-up to all",
    ),
)
_ORDER = (
    Rule(
        "order.scan",
        "core",
        "wait(-1) reports the child that is longest on the list, strangers attached last first, own lists before siblings'",
    ),
    Rule("order.no-rotation", "deep", "a child that keeps stopping keeps its place before younger ones"),
)
_STATUS = (
    Rule("status.words", "core", "the low seven bits of a status word tell its kind; an exit status keeps its low eight bits only"),
    Rule(
        "status.core-bit",
        "deep",
        "death by a core-dumping signal says so (0x80, CLD_DUMPED) only where a core was written",
        "environment",
    ),
    Rule("status.sicodes", "core", "wait4, waitid and SIGCHLD tell one event in three ways, and a tracer's si_code is not a parent's"),
)
_STOP = (
    Rule("stop.is-a-state", "core", "a stop is a state with one report: taken once, any time later, and lost if the tracee goes on before"),
    Rule("stop.jobctl-latest", "core", "of job-control stops and continues the latest state is kept, not the history"),
    Rule(
        "stop.group-vs-signal",
        "core",
        "a stop signal is met twice: at its delivery, and if injected as a group-stop, where LISTEN may wait",
    ),
    Rule("stop.sigcont-powerless", "core", "SIGCONT does not lift a ptrace-stop; it is the tracee's next delivery when the tracer lets go"),
    Rule("stop.every-thread", "deep", "a stop signal injected into one thread stops all, and each traced thread reports for itself"),
    Rule("stop.group-needs-all", "deep", "a process counts as stopped when its last thread has stopped, whatever its leader shows"),
    Rule(
        "stop.signal-delivery", "core", "every signal but SIGKILL stops a tracee first, an ignored one too, and the tracer decides over it"
    ),
    Rule("stop.wcontinued-steals", "expert", "a continuation is told once: a tracer that asks for it takes it from the parent"),
)
_EVENT = (
    Rule("event.fork", "core", "with the fork and clone options new tasks are born traced, with the same options, and begin with a stop"),
    Rule("event.vfork", "deep", "a vfork parent sits in the kernel until the child execs or exits, and cannot be stopped meanwhile"),
    Rule("event.exec-forms", "core", "an exec is told as a SIGTRAP to plain tracers, as an event on request, and not at all after SEIZE"),
    Rule(
        "event.exec-tid",
        "core",
        "a thread that execs takes over the process id: its old tid vanishes without a death, and is the event's message",
    ),
    Rule("event.exec-waits", "expert", "an exec waits until the threads that it killed are collected by their tracer; attaching waits too"),
    Rule("event.exit", "core", "with the exit option a dying tracee stops once more, even after SIGKILL; the message is its status"),
    Rule(
        "event.exit-unkillable",
        "expert",
        "SIGKILL does nothing to a process in its exit event: only its tracer lets it end, with its own status",
        "version",
    ),
    Rule(
        "event.syscall", "core", "PTRACE_SYSCALL stops before and after each call; only SYSGOOD sets these stops apart from other SIGTRAPs"
    ),
    Rule(
        "event.trap-causes",
        "deep",
        "GETSIGINFO tells the causes of SIGTRAP apart; after an int3 the instruction pointer is one past it",
    ),
)
_EXIT = (
    Rule("exit.call-forms", "core", "exit ends a thread, exit_group the process; the first group exit fixes the code for all threads"),
    Rule("exit.leader-zombie", "core", "a leader that has exited is a zombie that nobody can reap until its last thread is gone"),
    Rule("exit.last-thread-code", "expert", "if all threads exit one by one, the process ends with the code of the last one", "version"),
    Rule("exit.unreaped-thread", "core", "a process is not reported dead before the tracers of its threads have collected them"),
    Rule("exit.zombie-anatomy", "core", "a zombie keeps number, name, parent and status only; signals to it succeed and do nothing"),
    Rule("exit.eof-is-not-death", "deep", "a child's files close before it can be waited for, so end of file is no death", "statistical"),
)
_ORPHAN = (
    Rule("orphan.sibling-thread", "core", "the child of a thread that ends goes to another thread of the process, the leader if it lives"),
    Rule("orphan.adopters", "core", "the child of a process that dies goes to the nearest subreaper above, else to init of its namespace"),
    Rule("orphan.pdeathsig-thread", "deep", "the parent-death signal comes when the forking thread ends, though the parent lives on"),
    Rule("orphan.pgrp-hangup", "deep", "a stopped process group that a parent's death leaves orphaned gets SIGHUP and SIGCONT"),
)
_SIGCHLD = (
    Rule("sigchld.ignored", "core", "with SIGCHLD ignored, or SA_NOCLDWAIT, deaths leave no zombie and wait ends with ECHILD at the last"),
    Rule("sigchld.ignored-but-traced", "deep", "a tracee stays a zombie until its tracer waits, whatever becomes of SIGCHLD"),
    Rule("sigchld.inherited", "deep", "an ignored SIGCHLD survives exec, so a new program may find that wait says ECHILD"),
    Rule("sigchld.coalesce", "core", "several deaths make one pending SIGCHLD that tells of one child: loop over wait with WNOHANG"),
)

_SIGNAL = (
    Rule(
        "signal.queues",
        "core",
        "a classic signal is queued once per thread and once per process, a real-time one every time; the thread's own come first",
    ),
    Rule("signal.targets", "core", "kill means the process even by a thread's number, tgkill one thread; a fatal signal ends them all"),
    Rule(
        "signal.limit", "deep", "with the limit of pending signals used up sigqueue says EAGAIN, kill succeeds and loses the sender's name"
    ),
    Rule(
        "signal.cont-stop", "core", "SIGCONT acts when it is sent, blocked or ignored; other signals wait until a stopped process goes on"
    ),
)
_INTERRUPT = (
    Rule("interrupt.eintr", "core", "a handled signal ends a blocked wait with EINTR, or restarts it; a status that is there wins over it"),
    Rule("interrupt.erestartsys", "expert", "behind EINTR is -512, which only a tracer sees; so attaching to a waiter disturbs nothing"),
)
_RUSAGE = (
    Rule("rusage.only-reaped", "core", "a child's time is added to its parent's account by the wait that collects it, else never"),
    Rule("rusage.tracer-not-charged", "deep", "a tracer that collects somebody else's child is charged nothing; the parent is, later"),
)
_ARGS = (
    Rule("args.wait", "core", "wait4 refuses WEXITED and waitid demands an event; a zombie asked for stops only is ECHILD"),
    Rule(
        "args.waitid-buffer",
        "expert",
        "waitid stores zeros whenever it reports nothing, errors too; without a place to store it still reaps",
    ),
    Rule("args.ptrace", "deep", "wrong options are EINVAL to SETOPTIONS, and EIO to SEIZE, as are wrong numbers and wrong moments"),
)
_PERM = (
    Rule(
        "perm.credentials", "deep", "attaching needs equal ids and a dumpable target, or CAP_SYS_PTRACE; memory is checked again each time"
    ),
    Rule(
        "perm.setuid-exec",
        "deep",
        "a set-user-id program gets no privilege under an ordinary user's tracer, but under root's",
        "environment",
    ),
    Rule("perm.lsm", "expert", "security modules can refuse tracing, Landlock for one, and no longer waiting", "environment"),
)
_PIDFD = (
    Rule("pidfd.poll", "deep", "a pidfd can be polled for death by whoever holds it; reaping through it stays the parent's privilege"),
)

RULES = {
    rule.id: rule
    for rule in (
        *_TRACER,
        *_WAIT,
        *_WAKE,
        *_ORDER,
        *_STATUS,
        *_STOP,
        *_EVENT,
        *_EXIT,
        *_ORPHAN,
        *_SIGCHLD,
        *_SIGNAL,
        *_INTERRUPT,
        *_RUSAGE,
        *_ARGS,
        *_PERM,
        *_PIDFD,
    )
}
"""All of them by id, in order."""
