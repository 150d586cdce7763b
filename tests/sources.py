"""What older texts say of tracing, waiting and dying: which rule shows each mechanism, and what is no longer so.

Data only; `tests/regenerate.py` makes docs/sources.md of it and finds the lessons of the rules.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mechanism:
    """A mechanism that the texts name.

    Args:
        what: in Markdown.
        rules: ids, separated by blanks; those that show it.
        page: a page of docs/mechanisms, for what no program can observe.
        note: what else there is to say.
    """

    what: str
    rules: str = ""
    page: str = ""
    note: str = ""


@dataclass(frozen=True)
class Outdated:
    """A statement that was right once, or never.

    Args:
        where: what kind of text says so.
        says: the statement.
        today: what is so on a kernel of today.
        rules: ids that show it.
        page: a page of docs/mechanisms.
    """

    where: str
    says: str
    today: str
    rules: str = ""
    page: str = ""


TEXTS = (
    "an article on `PTRACE_TRACEME` and the wait queue, with code of a recent kernel",
    "a walk through `wait4` in a kernel of the early 2.6 series",
    "a tutorial on the wait family, with the code of a kernel after 4.7",
    "a commentary on `do_wait` and its helpers, line by line, in an early 2.6 kernel",
    "notes on how a process exits, in kernel 4.14",
)

M = Mechanism
COVERAGE: dict[str, tuple[Mechanism, ...]] = {
    "Who traces": (
        M(
            "`ptrace_traceme()`, `ptrace_link()`, the pointer `parent`",
            "tracer.forking-thread tracer.late-bind tracer.direct-parent-only tracer.exclusive",
        ),
        M("the test for an exiting parent in `ptrace_traceme()`", "tracer.exiting-parent"),
        M("the tracer's credentials, stored when the link is made", "perm.setuid-exec"),
        M("requests belong to the tracer thread", "tracer.wrong-thread tracer.needs-stop tracer.memory-any-thread"),
        M(
            "starting a program and tracing it on one thread: debuggers in Go",
            "tracer.forking-thread tracer.thread-exit-detaches tracer.vfork-deadlock",
            note="a thread that ends, or is another one next time, loses the tracee",
        ),
        M("`parent` beside `real_parent`", "tracer.parent-unchanged wait.tracer-first"),
        M("attaching, and its race with a signal (`PT_ATTACHED` once)", "tracer.attach-signal-race tracer.attach-seize"),
        M("`__ptrace_unlink()`, and whom it tells", "wait.tracer-first tracer.detach"),
    ),
    "The call of wait": (
        M("`wait4`: which options it takes", "args.wait"),
        M("`struct wait_opts`", "args.wait", page="wait-opts.md"),
        M("`waitid`: `P_ALL`, `P_PID`, `P_PGID`, and what it refuses", "args.wait wait.pgid"),
        M("wait, waitpid, wait3 of the C library; POSIX and BSD", "wait.blocked-view"),
        M("pid above 0, 0, -1, below -1; the kinds of pid", "wait.pgid wait.pgid-at-call wait.not-mine"),
        M("`find_get_pid()`, `find_vpid()`, pid namespaces", "orphan.adopters signal.targets", page="pids.md"),
        M("`get_pid()` and `put_pid()`, `container_of()`", "pidfd.poll", page="pids.md", note="a pidfd is a held pid that one can see"),
        M(
            "`do_wait()`: the entry in the queue, the search, the sleep, once more",
            "wait.blocked-view tracer.any-thread-waits order.scan wake.one-winner",
            page="do-wait.md",
        ),
        M("what is left to wait for: `flag`, today `notask_error`", "wait.nohang-echild args.wait"),
        M("`WNOHANG`", "wait.nohang-echild"),
        M("`WUNTRACED`", "stop.jobctl-latest wait.trace-stop-needs-no-flag"),
        M("`WCONTINUED`, `wait_task_continued()`, 0xffff", "stop.jobctl-latest stop.wcontinued-steals status.words"),
        M("`WEXITED`, `WSTOPPED`", "wait.trace-stop-needs-no-flag args.wait"),
        M("`WNOWAIT`", "wait.wnowait stop.is-a-state"),
        M("`__WNOTHREAD` and the loop over threads", "wait.nothread wake.nothread-missed order.scan"),
        M("`__WALL`, `__WCLONE`", "wait.clone-families wait.not-mine"),
        M("the result: siginfo, and zeros where there is none", "args.waitid-buffer"),
        M("`put_user()` that fails", "wait.bad-pointer"),
        M("`-ERESTARTSYS`, `signal_pending()`", "interrupt.eintr interrupt.erestartsys"),
        M("a security module that denies a wait", "perm.lsm"),
        M("`prevent_tail_call()`, REGPARM", page="prevent-tail-call.md"),
        M("`tasklist_lock`, read and written", "wait.one-reaper", page="do-wait.md", note="seen by its effect only: one reaper"),
    ),
    "The queue": (
        M("one `wait_chldexit` for the threads of a process", "tracer.any-thread-waits wake.one-winner wake.order-lifo"),
        M(
            "`do_notify_parent_cldstop()`, `__wake_up_parent()`, `__wake_up_sync_key()`",
            "wake.eligible-only wake.reporting-queue wake.signal-independent wake.group-stop-missed",
        ),
        M("a waiter sleeps in `TASK_INTERRUPTIBLE`", "wait.blocked-view interrupt.eintr"),
        M("`schedule()`, and leaving the queue", "wait.blocked-view wake.stranded-waiter", page="do-wait.md"),
    ),
    "What the search finds": (
        M("`eligible_child()`", "wait.pgid wait.clone-families wait.not-mine wake.eligible-only"),
        M("`process_group()`", "wait.pgid"),
        M("`thread_group_leader()`, `delay_group_leader()`", "exit.leader-zombie exit.unreaped-thread"),
        M("threads that report to nobody (`exit_signal` -1)", "exit.unreaped-thread wait.clone-families"),
        M(
            "`TASK_TRACED` and `TASK_STOPPED`, `my_ptrace_child()` once",
            "wait.real-parent-view stop.group-vs-signal wait.trace-stop-needs-no-flag",
        ),
        M("the list `ptrace_children`, which is gone", "wait.real-parent-view wake.reporting-queue"),
        M("`wait_task_stopped()`: a code that is taken once, 0x7f", "stop.is-a-state stop.group-needs-all status.words"),
        M("moving a child to the end of the list", "order.no-rotation"),
        M("`wait_task_zombie()`: one thread changes the state", "wait.one-reaper"),
        M("`EXIT_ZOMBIE`, `EXIT_DEAD`", "wait.one-reaper exit.zombie-anatomy"),
        M("`EXIT_TRACE`, `ptrace_reparented()`", "wait.tracer-first tracer.split-roles"),
        M("`CLD_TRAPPED`, `CLD_STOPPED`, `CLD_EXITED` and the others", "status.sicodes status.core-bit"),
        M("`WIFEXITED()` and its family", "status.words status.sicodes"),
        M("the core-dump bit 0x80", "status.core-bit"),
        M("`group_exit_code` beside `exit_code`", "exit.last-thread-code exit.call-forms"),
        M("child times, faults and switches; two kinds of rusage", "rusage.only-reaped rusage.tracer-not-charged"),
        M(
            "`get_task_struct()` and `put_task_struct()`",
            "exit.zombie-anatomy",
            page="task-life.md",
            note="as root a late `sched_process_free` hints at it",
        ),
        M("`release_task()`", "exit.zombie-anatomy exit.unreaped-thread", page="task-life.md"),
    ),
    "Dying": (
        M("fork and its three results; defunct", "exit.zombie-anatomy"),
        M("exit and exit_group; `exit`, `_exit`, `atexit`", "exit.call-forms"),
        M("`do_group_exit()`, `SIGNAL_GROUP_EXIT`, `zap_other_threads()`", "exit.call-forms exit.last-thread-code"),
        M(
            "where a thread notices that it is to die",
            "exit.call-forms",
            note="in a call and while it computes; an exception ends the same way",
        ),
        M("`do_exit()` step by step", "exit.eof-is-not-death event.exit exit.zombie-anatomy", page="do-exit.md"),
        M("`PTRACE_EVENT_EXIT`", "event.exit event.exit-unkillable"),
        M(
            "`exit_notify()`, `do_task_dead()`, `finish_task_switch()`",
            "orphan.sibling-thread orphan.pgrp-hangup exit.zombie-anatomy",
            page="task-life.md",
        ),
        M("a zombie, or none: SIGCHLD ignored, `SA_NOCLDWAIT`", "sigchld.ignored sigchld.ignored-but-traced sigchld.inherited"),
        M("who adopts: a thread, a subreaper, init", "orphan.sibling-thread orphan.adopters"),
    ),
    "Signals": (
        M("kill, tkill, tgkill", "signal.targets"),
        M("`check_kill_permission()`", "signal.targets perm.credentials"),
        M("`__send_signal()`: ignored, private or shared, once or queued, limits", "signal.queues signal.limit"),
        M("`prepare_signal()`: what stop and continue do when sent", "signal.cont-stop stop.signal-delivery event.exit-unkillable"),
        M("`complete_signal()`: which thread", "wake.signal-independent exit.call-forms"),
        M("SIGSTOP and SIGCONT as changes of state", "stop.jobctl-latest signal.cont-stop"),
        M("strace's view of wait4 and SIGCHLD", "event.syscall sigchld.coalesce interrupt.erestartsys"),
        M("`signalfd_notify()`", note="no lesson: a descriptor of signalfd(2) turns readable where the signal is blocked"),
    ),
}
"""By subject."""

old = Outdated
OUTDATED: tuple[Outdated, ...] = (
    old(
        "several texts",
        "A change of state wakes every thread in the queue",
        "Those that it can concern: each entry has a callback that compares the selector and `__WNOTHREAD`.",
        "wake.eligible-only wake.coarse-filter wake.order-lifo",
    ),
    old(
        "a commentary on `do_wait`",
        "The queue belongs to the task",
        "One for all threads of a process, in `signal_struct`. That is what makes waiting on any thread cheap.",
        "tracer.any-thread-waits wake.one-winner",
    ),
    old(
        "an article on `PTRACE_TRACEME`",
        "The thread that calls TRACEME becomes the tracer",
        "It becomes the tracee. The tracer is its `real_parent` at that moment, which can be another thread than the one that forked.",
        "tracer.forking-thread tracer.late-bind tracer.direct-parent-only",
    ),
    old(
        "a commentary on `do_wait`",
        "`real_parent` may be the debugger, `parent` made the child",
        "The other way round.",
        "tracer.parent-unchanged",
    ),
    old(
        "texts on 2.6",
        "`my_ptrace_child()`, `PT_PTRACED` and `PT_ATTACHED` decide whose tracee it is",
        "The list on which a task is found decides. That it was stopped when it was attached is hidden behind `JOBCTL_TRAPPING`.",
        "wait.real-parent-view tracer.attach-signal-race",
    ),
    old(
        "texts on 2.6",
        "A traced child moves to the list `ptrace_children`",
        "It stays on its parent's list, and the tracer has a list more. The parent sees job control and, after the tracer, the death.",
        "wait.real-parent-view wait.tracer-first wake.reporting-queue",
    ),
    old(
        "a commentary on `do_wait`",
        "A reported child moves to the end of the list, against starvation",
        "Nothing moves it: the oldest comes first, always.",
        "order.no-rotation order.scan",
    ),
    old(
        "a commentary on `do_wait`",
        "`__WNOTHREAD` limits the search to the own thread group",
        "To the calling thread's own children and tracees.",
        "wait.nothread",
    ),
    old(
        "a tutorial on the wait family",
        "The `__W` flags came with 4.7, to wait for threads",
        "They are as old as 2.4. 4.7 gave them to waitid, and `__WALL` to tracees. No flag makes threads of another process waitable.",
        "wait.not-mine wait.clone-families",
    ),
    old(
        "a commentary on `do_wait`",
        "`exit_signal == -1` finds detached threads",
        "Threads are on no list of children any more; -1 marks those that lead no group.",
        "wait.clone-families",
    ),
    old("a commentary on `do_wait`", "A wait for pid 0 looks up its group in each round", "Once, at the call.", "wait.pgid-at-call"),
    old(
        "a commentary on `do_wait`",
        "If the status cannot be copied the zombie is put back",
        "The child is gone, and its status is lost.",
        "wait.bad-pointer",
    ),
    old(
        "texts on 2.6 and 4.14",
        "Without a group exit the leader's code is that of the process",
        "Since 6.0 the exit of the last thread is a group exit, and its code counts.",
        "exit.last-thread-code",
    ),
    old(
        "a commentary on `do_wait`",
        "For a tracer's reap the zombie is dead for a moment, and a zombie again",
        "It has a state for that, `EXIT_TRACE`, so that the parent's wait finds no gap.",
        "wait.tracer-first wait.one-reaper",
    ),
    old("texts on 2.6", "`security_task_wait()` may deny a wait", "Removed in 2017: no module has a say in waiting.", "perm.lsm"),
    old(
        "a commentary on `do_wait`",
        "`-EAGAIN` starts the search again",
        "There are no such retries. EAGAIN reaches programs, from a non-blocking pidfd.",
        "pidfd.poll stop.is-a-state",
    ),
    old(
        "a commentary on `do_wait`",
        "A negative stop state means continued",
        "Flags in `signal->flags`: `SIGNAL_STOP_STOPPED`, `SIGNAL_STOP_CONTINUED`.",
        "stop.jobctl-latest stop.wcontinued-steals",
    ),
    old(
        "a commentary on `do_wait`",
        "waitid knows three kinds of number, no `__W` flags, and refuses group 0",
        "The flags since 4.7, `P_PIDFD` and group 0 since 5.4, non-blocking pidfds since 5.10.",
        "args.wait pidfd.poll",
    ),
    old(
        "texts on 2.6",
        "waitid clears siginfo for `WNOHANG` only",
        "Zeros come whenever nothing is reported, with an error too.",
        "args.waitid-buffer",
    ),
    old(
        "a walk through `wait4`, a tutorial",
        "Any negative pid names a group",
        "The most negative number has no positive one: ESRCH.",
        "args.wait",
    ),
    old(
        "texts on 2.6 and 4.14",
        "Child times are added under siglock",
        "Under `stats_lock`. The sums are the same, and nobody can see the lock.",
        "rusage.only-reaped",
    ),
    old(
        "notes on exit",
        "wait4 is obsolete",
        "As a function to call. As a system call it is what wait, waitpid and wait3 become.",
        "wait.blocked-view",
    ),
    old("notes on exit", "tkill is abolished", "It is there, without the check that tgkill makes.", "signal.targets"),
    old(
        "notes on exit",
        "An orphan goes to any thread of its process",
        "To the first that lives, the leader if it does; and this happens when a thread ends, not only a process.",
        "orphan.sibling-thread orphan.adopters orphan.pdeathsig-thread",
    ),
    old(
        "notes on exit",
        "`do_exit()` begins with a hook for profiles, address limits, a check for recursion",
        "Gone, or moved to `make_task_dead()`. `synchronize_group_exit()` comes first, and a dying group takes no signals.",
        "event.exit event.exit-unkillable",
        "do-exit.md",
    ),
    old(
        "notes on exit",
        "`__send_signal()` takes a flag for the group, and `SEND_SIG_FORCED`",
        "`__send_signal_locked()` takes a kind of pid; the other is gone, and SIGKILL carries no siginfo.",
        "signal.queues signal.limit",
    ),
    old(
        "a tutorial on the wait family",
        "Numbers of processes are in one hash table",
        "Since 4.15 each pid namespace has a tree of its own.",
        "orphan.adopters",
        "pids.md",
    ),
    old(
        "texts on 2.6",
        "`prevent_tail_call()` guards each system call",
        "It was renamed in 2008, and since 4.17 the arguments come another way; on x86-64 there is nothing left to guard.",
        page="prevent-tail-call.md",
    ),
    old(
        "ptrace(2), BUGS",
        "The real parent is not told of group-stops",
        "It is, when all threads have stopped.",
        "wait.real-parent-view stop.group-needs-all",
    ),
    old(
        "ptrace(2)",
        "If the tracer dies in a delivery stop the signal is injected",
        "Only if the stop had not been collected.",
        "tracer.exit-signal-fate",
    ),
    old(
        "ptrace(2)",
        "If the tracer dies its tracees are released",
        "The end of the tracer's thread is enough.",
        "tracer.thread-exit-detaches tracer.exitkill",
    ),
    old(
        "ptrace(2), exit event",
        "SIGKILL there may one day kill at once",
        "Since 6.0 a SIGKILL sent in that stop is thrown away.",
        "event.exit event.exit-unkillable",
    ),
    old("wait(2), BUGS", "waitid with a null pointer returns the pid", "It returns 0.", "args.waitid-buffer"),
)
"""In the order in which a reader of old texts meets them."""
