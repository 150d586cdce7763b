"""What numbers of ptrace, wait and signals mean, in words: the tables behind `decode`.

Pure tables for Linux (asm-generic numbers), any thread.  The numbers that the debugger itself uses are in `names`; here are their
meanings, and those that it never uses.  Source: ptrace(2), wait(2), signal(7), sigaction(2), include/uapi/asm-generic/siginfo.h.
"""

from __future__ import annotations

import errno as _errno
from collections.abc import Mapping

from .names import PTRACE_REQUESTS

# --- ptrace -------------------------------------------------------------------------------------------------------------------
_MORE_REQUESTS: Mapping[str, int] = {
    "PTRACE_GETFPXREGS": 18,
    "PTRACE_SETFPXREGS": 19,
    "PTRACE_OLDSETOPTIONS": 21,
    "PTRACE_GET_THREAD_AREA": 25,
    "PTRACE_SET_THREAD_AREA": 26,
    "PTRACE_ARCH_PRCTL": 30,
    "PTRACE_SECCOMP_GET_FILTER": 0x420C,
    "PTRACE_SECCOMP_GET_METADATA": 0x420D,
    "PTRACE_GET_RSEQ_CONFIGURATION": 0x420F,
    "PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG": 0x4210,
    "PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG": 0x4211,
}
ALL_REQUESTS: Mapping[str, int] = {**PTRACE_REQUESTS, **_MORE_REQUESTS}
"""Every request of x86-64, those that tracedbg never makes included."""

REQUEST_WORDS: Mapping[str, str] = {
    "PTRACE_TRACEME": "the caller becomes a tracee of its parent: of the thread that is its real parent at that moment",
    "PTRACE_PEEKTEXT": "read a word of memory at addr; the same as PEEKDATA on Linux",
    "PTRACE_PEEKDATA": "read a word of memory at addr; the system call stores it through data, the C library returns it",
    "PTRACE_PEEKUSER": "read a word of the USER area (registers, debug registers) at offset addr",
    "PTRACE_POKETEXT": "write the word data at addr; the same as POKEDATA on Linux",
    "PTRACE_POKEDATA": "write the word data at addr, into pages that the program itself may not write too",
    "PTRACE_POKEUSER": "write the word data into the USER area at offset addr",
    "PTRACE_CONT": "let the tracee run; data is a signal to deliver, 0 for none",
    "PTRACE_KILL": "obsolete: CONT with SIGKILL; kill(2) works in any state",
    "PTRACE_SINGLESTEP": "let it execute one instruction; data is a signal to deliver",
    "PTRACE_GETREGS": "read the general registers into *data",
    "PTRACE_SETREGS": "write them from *data",
    "PTRACE_GETFPREGS": "read the floating-point registers into *data",
    "PTRACE_SETFPREGS": "write them from *data",
    "PTRACE_ATTACH": "become the tracer of a thread and stop it with a SIGSTOP",
    "PTRACE_DETACH": "let go of a stopped tracee; data is a signal to deliver",
    "PTRACE_GETFPXREGS": "i386 only: read the extended floating-point registers",
    "PTRACE_SETFPXREGS": "i386 only: write them",
    "PTRACE_SYSCALL": "let it run up to the next entry to or exit from a system call; data is a signal to deliver",
    "PTRACE_OLDSETOPTIONS": "SETOPTIONS by its number from the days of 2.4",
    "PTRACE_GET_THREAD_AREA": "read an entry of the thread-local descriptor table",
    "PTRACE_SET_THREAD_AREA": "write one",
    "PTRACE_ARCH_PRCTL": "arch_prctl(2) on the tracee's behalf: FS and GS bases",
    "PTRACE_SYSEMU": "as SYSCALL, but the call is not executed: for emulators",
    "PTRACE_SYSEMU_SINGLESTEP": "as SINGLESTEP, and a system call is not executed",
    "PTRACE_SINGLEBLOCK": "let it run up to the next branch that is taken",
    "PTRACE_SETOPTIONS": "replace the options; data is a set of PTRACE_O_ bits",
    "PTRACE_GETEVENTMSG": "read the number that belongs to the last event: new tid, former tid, exit status",
    "PTRACE_GETSIGINFO": "read the siginfo of the stop; EINVAL tells a group-stop of an attached tracee",
    "PTRACE_SETSIGINFO": "change it before the signal is delivered",
    "PTRACE_GETREGSET": "read the register set addr (NT_PRSTATUS is 1) into the iovec at data",
    "PTRACE_SETREGSET": "write it",
    "PTRACE_SEIZE": "become the tracer of a thread without stopping it; data is a set of PTRACE_O_ bits",
    "PTRACE_INTERRUPT": "stop a seized tracee without a signal",
    "PTRACE_LISTEN": "leave a seized tracee in its group-stop, and let it hear SIGCONT",
    "PTRACE_PEEKSIGINFO": "read pending signals without taking them",
    "PTRACE_GETSIGMASK": "read the mask of blocked signals; addr is its size, 8",
    "PTRACE_SETSIGMASK": "replace it",
    "PTRACE_SECCOMP_GET_FILTER": "read a seccomp filter of the tracee (CAP_SYS_ADMIN)",
    "PTRACE_SECCOMP_GET_METADATA": "read what a seccomp filter was installed with (CAP_SYS_ADMIN)",
    "PTRACE_GET_SYSCALL_INFO": "say whether a system call stop is entry or exit, with number, arguments and result",
    "PTRACE_GET_RSEQ_CONFIGURATION": "read where the tracee's restartable-sequence area is",
    "PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG": "change system call user dispatch",
    "PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG": "read it",
    "PTRACE_SET_SYSCALL_INFO": "change number, arguments or result of the call (Linux 6.16)",
}

ATTACHING_REQUESTS = frozenset({"PTRACE_TRACEME", "PTRACE_ATTACH", "PTRACE_SEIZE"})
RUNNING_REQUESTS = frozenset({"PTRACE_INTERRUPT", "PTRACE_KILL"})
"""Requests that a running tracee accepts; of all others it must be in a ptrace-stop (kernel/ptrace.c, ptrace_check_attach)."""

OPTION_WORDS: Mapping[str, str] = {
    "PTRACE_O_TRACESYSGOOD": "system call stops show as SIGTRAP|0x80",
    "PTRACE_O_TRACEFORK": "stop at fork, and trace the child",
    "PTRACE_O_TRACEVFORK": "stop at vfork, and trace the child",
    "PTRACE_O_TRACECLONE": "stop at clone, and trace the new thread",
    "PTRACE_O_TRACEEXEC": "an event-stop at execve instead of a SIGTRAP",
    "PTRACE_O_TRACEVFORKDONE": "stop when a vfork child has released the memory",
    "PTRACE_O_TRACEEXIT": "stop on the way out, registers still readable",
    "PTRACE_O_TRACESECCOMP": "stop where a seccomp filter says SECCOMP_RET_TRACE",
    "PTRACE_O_EXITKILL": "kill the tracee when its tracer thread ends",
    "PTRACE_O_SUSPEND_SECCOMP": "switch the tracee's seccomp filters off (CAP_SYS_ADMIN)",
}

EVENT_WORDS: Mapping[str, tuple[str, str, str]] = {
    "PTRACE_EVENT_FORK": ("fork has made a child, which is traced too", "PTRACE_O_TRACEFORK", "the child's pid"),
    "PTRACE_EVENT_VFORK": ("vfork has made a child, which is traced too", "PTRACE_O_TRACEVFORK", "the child's pid"),
    "PTRACE_EVENT_CLONE": ("clone has made a task, which is traced too", "PTRACE_O_TRACECLONE", "the new tid"),
    "PTRACE_EVENT_EXEC": ("a new program is in place, none of it has run", "PTRACE_O_TRACEEXEC", "the tid that called execve"),
    "PTRACE_EVENT_VFORK_DONE": ("the vfork child has released the memory", "PTRACE_O_TRACEVFORKDONE", "the child's pid"),
    "PTRACE_EVENT_EXIT": ("the thread is on its way out", "PTRACE_O_TRACEEXIT", "its wait status to be"),
    "PTRACE_EVENT_SECCOMP": ("a seccomp filter asked for the tracer", "PTRACE_O_TRACESECCOMP", "the filter's number"),
    "PTRACE_EVENT_STOP": (
        "a stop without a signal of its own: PTRACE_INTERRUPT, a group-stop or its end, the first stop of an auto-attached child",
        "PTRACE_SEIZE, no option",
        "nothing of use",
    ),
}
"""By name: what has happened, what asks for it, what PTRACE_GETEVENTMSG tells."""

# --- waiting ------------------------------------------------------------------------------------------------------------------
WAIT_OPTION_WORDS: Mapping[str, tuple[str, str]] = {
    "WNOHANG": ("return 0 at once when there is no news", "wait4, waitid"),
    "WUNTRACED": ("report job-control stops of children too", "wait4"),
    "WSTOPPED": ("report stops (the same bit as WUNTRACED)", "waitid"),
    "WEXITED": ("report ends", "waitid"),
    "WCONTINUED": ("report that a stopped child was continued", "wait4, waitid"),
    "WNOWAIT": ("look without taking: the status stays for others", "waitid"),
    "__WNOTHREAD": ("only children and tracees of the calling thread", "wait4, waitid"),
    "__WALL": ("children of both families, whatever their exit signal", "wait4, waitid"),
    "__WCLONE": ("only children whose exit signal is not SIGCHLD", "wait4, waitid"),
}
"""By name: what it asks for, and the calls that know it (kernel/exit.c, kernel_wait4 and kernel_waitid)."""

# --- signals ------------------------------------------------------------------------------------------------------------------
_TERMINATES = "terminates the process"
_DUMPS = "terminates the process with a core dump"
_STOPS = "stops the process"
_IGNORED = "is ignored"
SIGNAL_WORDS: Mapping[str, tuple[str, str]] = {
    "SIGHUP": (_TERMINATES, "the terminal hung up, or an orphaned stopped group"),
    "SIGINT": (_TERMINATES, "Ctrl-C at the terminal"),
    "SIGQUIT": (_DUMPS, "Ctrl-\\ at the terminal"),
    "SIGILL": (_DUMPS, "an illegal instruction"),
    "SIGTRAP": (_DUMPS, "breakpoint, single step, exec of a tracee, ptrace events"),
    "SIGABRT": (_DUMPS, "abort()"),
    "SIGBUS": (_DUMPS, "an address that has no memory behind it"),
    "SIGFPE": (_DUMPS, "an arithmetic error"),
    "SIGKILL": (_TERMINATES, "cannot be caught, blocked or ignored, and no tracer sees it"),
    "SIGUSR1": (_TERMINATES, "for the program's own use"),
    "SIGSEGV": (_DUMPS, "an address that is not mapped, or not so"),
    "SIGUSR2": (_TERMINATES, "for the program's own use"),
    "SIGPIPE": (_TERMINATES, "a write that nobody can read"),
    "SIGALRM": (_TERMINATES, "alarm() or setitimer()"),
    "SIGTERM": (_TERMINATES, "a request to end"),
    "SIGSTKFLT": (_TERMINATES, "never sent by the kernel"),
    "SIGCHLD": (_IGNORED, "a child has ended, stopped or continued"),
    "SIGCONT": (_IGNORED, "continues a stopped process, whatever its handler"),
    "SIGSTOP": (_STOPS, "cannot be caught, blocked or ignored; a tracer sees it"),
    "SIGTSTP": (_STOPS, "Ctrl-Z at the terminal"),
    "SIGTTIN": (_STOPS, "a background process reads from its terminal"),
    "SIGTTOU": (_STOPS, "a background process writes to its terminal"),
    "SIGURG": (_IGNORED, "urgent data on a socket"),
    "SIGXCPU": (_DUMPS, "RLIMIT_CPU is used up"),
    "SIGXFSZ": (_DUMPS, "a file grew beyond RLIMIT_FSIZE"),
    "SIGVTALRM": (_TERMINATES, "setitimer(ITIMER_VIRTUAL)"),
    "SIGPROF": (_TERMINATES, "setitimer(ITIMER_PROF)"),
    "SIGWINCH": (_IGNORED, "the terminal changed its size"),
    "SIGIO": (_TERMINATES, "input or output has become possible"),
    "SIGPWR": (_TERMINATES, "power fails"),
    "SIGSYS": (_DUMPS, "a system call that is not allowed"),
}
"""By name: what it does where the program says nothing, and who sends it (signal(7))."""

STOP_SIGNALS = frozenset({19, 20, 21, 22})

# --- siginfo ------------------------------------------------------------------------------------------------------------------
COMMON_CODES: Mapping[str, tuple[int, str]] = {
    "SI_USER": (0, "sent by kill(2): si_pid and si_uid name the sender"),
    "SI_KERNEL": (0x80, "sent by the kernel; after PTRACE_ATTACH its SIGSTOP too"),
    "SI_QUEUE": (-1, "sent by sigqueue(3), with si_value"),
    "SI_TIMER": (-2, "a POSIX timer expired"),
    "SI_MESGQ": (-3, "a POSIX message queue got a message"),
    "SI_ASYNCIO": (-4, "an asynchronous read or write is complete"),
    "SI_SIGIO": (-5, "a queued SIGIO"),
    "SI_TKILL": (-6, "sent by tkill or tgkill: si_pid and si_uid name the sender"),
    "SI_DETHREAD": (-7, "execve ends the other threads"),
    "SI_ASYNCNL": (-60, "an asynchronous name look-up is complete"),
}
"""Codes that any signal can have; 0 and below come from a process, the positive ones from the kernel."""

SIGNAL_CODES: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "SIGILL": {
        "ILL_ILLOPC": (1, "illegal opcode"),
        "ILL_ILLOPN": (2, "illegal operand"),
        "ILL_ILLADR": (3, "illegal addressing mode"),
        "ILL_ILLTRP": (4, "illegal trap"),
        "ILL_PRVOPC": (5, "privileged opcode"),
        "ILL_PRVREG": (6, "privileged register"),
        "ILL_COPROC": (7, "coprocessor error"),
        "ILL_BADSTK": (8, "internal stack error"),
        "ILL_BADIADDR": (9, "an instruction address that is not implemented"),
    },
    "SIGFPE": {
        "FPE_INTDIV": (1, "an integer was divided by zero"),
        "FPE_INTOVF": (2, "integer overflow"),
        "FPE_FLTDIV": (3, "floating-point division by zero"),
        "FPE_FLTOVF": (4, "floating-point overflow"),
        "FPE_FLTUND": (5, "floating-point underflow"),
        "FPE_FLTRES": (6, "floating-point result not exact"),
        "FPE_FLTINV": (7, "floating-point operation not valid"),
        "FPE_FLTSUB": (8, "subscript out of range"),
        "FPE_FLTUNK": (14, "a floating-point exception that was not diagnosed"),
        "FPE_CONDTRAP": (15, "trap on condition"),
    },
    "SIGSEGV": {
        "SEGV_MAPERR": (1, "nothing is mapped at si_addr"),
        "SEGV_ACCERR": (2, "what is mapped at si_addr does not allow this access"),
        "SEGV_BNDERR": (3, "a bounds check failed"),
        "SEGV_PKUERR": (4, "a protection key forbids it"),
        "SEGV_CPERR": (10, "a shadow stack does not agree with a return"),
    },
    "SIGBUS": {
        "BUS_ADRALN": (1, "the address is not aligned"),
        "BUS_ADRERR": (2, "there is no memory behind si_addr: mostly beyond the end of a mapped file"),
        "BUS_OBJERR": (3, "an error of the hardware behind it"),
        "BUS_MCEERR_AR": (4, "a memory error was consumed: action required"),
        "BUS_MCEERR_AO": (5, "a memory error was found: action optional"),
    },
    "SIGTRAP": {
        "TRAP_BRKPT": (1, "breakpoint; on x86 also one step that ended in a system call"),
        "TRAP_TRACE": (2, "one instruction was executed"),
        "TRAP_BRANCH": (3, "a branch was taken"),
        "TRAP_HWBKPT": (4, "a hardware breakpoint or watchpoint"),
        "TRAP_UNK": (5, "a trap that was not diagnosed"),
        "TRAP_PERF": (6, "a perf event"),
    },
    "SIGCHLD": {
        "CLD_EXITED": (1, "a child has exited: si_status is its code"),
        "CLD_KILLED": (2, "a child was killed: si_status is the signal"),
        "CLD_DUMPED": (3, "a child was killed and dumped core: si_status is the signal"),
        "CLD_TRAPPED": (4, "a tracee has stopped: si_status is the status word shifted down by 8"),
        "CLD_STOPPED": (5, "a child was stopped by job control: si_status is the signal"),
        "CLD_CONTINUED": (6, "a stopped child was continued: si_status is SIGCONT"),
    },
    "SIGIO": {
        "POLL_IN": (1, "data can be read"),
        "POLL_OUT": (2, "data can be written"),
        "POLL_MSG": (3, "a message can be read"),
        "POLL_ERR": (4, "an error"),
        "POLL_PRI": (5, "urgent data can be read"),
        "POLL_HUP": (6, "the other side hung up"),
    },
    "SIGSYS": {
        "SYS_SECCOMP": (1, "a seccomp filter trapped si_syscall"),
        "SYS_USER_DISPATCH": (2, "system call user dispatch caught it"),
    },
}
"""Positive codes by signal: what they mean differs from one signal to the next."""

# --- errno --------------------------------------------------------------------------------------------------------------------
RESTARTS: Mapping[str, tuple[int, str]] = {
    "ERESTARTSYS": (512, "begin again if the handler has SA_RESTART, else EINTR"),
    "ERESTARTNOINTR": (513, "begin again always"),
    "ERESTARTNOHAND": (514, "begin again if no handler runs, else EINTR"),
    "ERESTART_RESTARTBLOCK": (516, "begin again by restart_syscall(2), which knows the time that is left"),
}
"""Codes inside the kernel that a program never sees; a tracer does, in rax at the exit from an interrupted system call."""

ERRNOS: Mapping[str, int] = {
    **{name: value for name, value in vars(_errno).items() if name.startswith("E") and isinstance(value, int)},
    **{name: number for name, (number, _) in RESTARTS.items()},
}

ERRNO_WORDS: Mapping[str, str] = {
    "EPERM": "ptrace: no right to attach, or the task has a tracer, is a kernel thread, a zombie, or of the caller's own process",
    "ESRCH": "ptrace: no such task, or it is not this thread's tracee, or it is not in a ptrace-stop; kill: nobody has that number",
    "EINTR": "wait: a handler has run before there was news, and it has no SA_RESTART",
    "EIO": "ptrace: an address without memory, an unknown request, INTERRUPT or LISTEN without SEIZE, a bad signal number",
    "ECHILD": "wait: nothing that this call could ever report; with WNOHANG, 0 would mean 'not yet'",
    "EAGAIN": "fork: a limit on processes; sigqueue: a limit on queued signals; waitid of a non-blocking pidfd: not yet",
    "EACCES": "setpgid: the child has called execve already; a file in /proc that is not ours to open",
    "EFAULT": "an address of the caller's own is bad; after wait4 the child is reaped all the same",
    "EBUSY": "ptrace: the debug registers are in use (old i386 kernels)",
    "EINVAL": "an option bit that the call does not know, or GETSIGINFO in a group-stop",
    "ENOSYS": "no such system call; a tracer sees it in rax at the entry to every call",
}
"""What the common ones mean here; `why` finds out which of its causes it was."""
