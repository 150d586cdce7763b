"""Experiments on tracing, waiting and waking as a user would type them, each a list of lines with what the kernel is to answer.

Plain text by the name of the rule that it shows.  A and B of the rule's wording are threads of tracedbg (`a`, `b`) where the rule is
about threads of one process, else puppets.  No line asserts what the kernel does not promise.
"""

from __future__ import annotations

STOPPED = """
    thread a b
    on a fork c
    on c ptrace TRACEME
    on c kill $c SIGSTOP &
    look c state=t
"""
"""A child of thread a, traced by it, in its first stop, which nobody has collected."""

TRACER: dict[str, str] = {
    "tracer.wrong-thread": STOPPED
    + """
    on b wait4 $c
    expect b wait4 = $c stopped SIGSTOP status 0x137f
    on b ptrace CONT $c
    on b ptrace GETREGS $c
    on b ptrace PEEKUSER $c
    on b ptrace SETOPTIONS $c
    on b ptrace INTERRUPT $c
    on b ptrace KILL $c
    on b ptrace DETACH $c
    expect b ptrace(PTRACE_CONT = -1 ESRCH
    expect b ptrace(PTRACE_GETREGS = -1 ESRCH
    expect b ptrace(PTRACE_PEEKUSER = -1 ESRCH
    expect b ptrace(PTRACE_SETOPTIONS = -1 ESRCH
    expect b ptrace(PTRACE_INTERRUPT = -1 ESRCH
    expect b ptrace(PTRACE_KILL = -1 ESRCH
    expect b ptrace(PTRACE_DETACH = -1 ESRCH
    look c state=t TracerPid=$a
    on a ptrace CONT $c
    expect a ptrace = 0
    """,
    "tracer.any-thread-waits": STOPPED
    + """
    on b wait4 $c
    expect b wait4 = $c stopped SIGSTOP
    on a ptrace CONT $c
    expect c kill = 0
    on c exit_group 7
    on b wait4 $c
    expect b wait4 = $c exited 7 status 0x700
    """,
    "tracer.forking-thread": STOPPED
    + """
    look c TracerPid=$a PPid=$tracedbg
    look a children=$c
    look b children=none
    """,
    "tracer.late-bind": """
    puppet p
    on p thread a
    on p thread b
    on p.a fork c
    look p.a children=$c
    on p.a exit
    look p.a state=gone
    look p children=$c
    on c ptrace TRACEME
    on c kill $c SIGSTOP &
    look c state=t TracerPid=$p
    on p.b ptrace CONT $c
    expect p.b ptrace = -1 ESRCH
    on p ptrace CONT $c
    expect p ptrace = 0
    """,
    "tracer.exiting-parent": """
    puppet p
    on p mmap 128M
    expect p mmap = <area:addr>
    on p madvise $area 128M MADV_NOHUGEPAGE
    on p madvise $area 128M MADV_DONTFORK
    on p madvise $area 128M MADV_POPULATE_WRITE
    on p fork c
    on p exit_group 0 &
    look p flags=PF_EXITING
    on c ptrace TRACEME
    expect c ptrace = 0
    look c TracerPid=0 PPid=$p
    """,
    "tracer.direct-parent-only": """
    puppet p
    on p fork m
    on m fork g
    on g ptrace TRACEME
    on g kill $g SIGSTOP &
    look g state=t TracerPid=$m
    on p ptrace ATTACH $g
    expect p ptrace = -1 EPERM
    on p ptrace CONT $g
    expect p ptrace = -1 ESRCH
    on p wait4 $g WNOHANG
    expect p wait4 = -1 ECHILD
    on p kill $m SIGKILL
    look g state=T TracerPid=0
    """,
    "tracer.exclusive": """
    puppet p q
    on p thread b
    on p fork c
    on p ptrace ATTACH $c
    look c state=t
    on p ptrace ATTACH $c
    on p.b ptrace ATTACH $c
    on q ptrace ATTACH $c
    on q ptrace SEIZE $c
    on q ptrace CONT $c
    expect p ptrace(PTRACE_ATTACH = -1 EPERM
    expect p.b ptrace(PTRACE_ATTACH = -1 EPERM
    expect q ptrace(PTRACE_ATTACH = -1 EPERM
    expect q ptrace(PTRACE_SEIZE = -1 EPERM
    expect q ptrace(PTRACE_CONT = -1 ESRCH
    on p wait4 $c
    on p ptrace DETACH $c
    on p ptrace DETACH $c
    expect p ptrace(PTRACE_DETACH = 0
    expect p ptrace(PTRACE_DETACH = -1 ESRCH
    on p fork d
    on d ptrace TRACEME
    expect d ptrace = 0
    on d ptrace TRACEME
    expect d ptrace = -1 EPERM
    on p fork z
    on z exit_group 0
    look z state=Z
    on p ptrace ATTACH $p.b
    expect p ptrace(PTRACE_ATTACH, $p.b = -1 EPERM
    on p ptrace ATTACH $p
    expect p ptrace(PTRACE_ATTACH, $p = -1 EPERM
    on p ptrace ATTACH $z
    expect p ptrace(PTRACE_ATTACH, $z = -1 EPERM
    on p ptrace ATTACH 4194303
    expect p ptrace(PTRACE_ATTACH, 4194303 = -1 ESRCH
    """,
    "tracer.per-thread-attach": """
    puppet p c
    on c thread t
    on c.t spin &
    on p ptrace ATTACH $c
    look c state=t TracerPid=$p
    look c.t state=R TracerPid=0
    on p ptrace CONT $c.t
    expect p ptrace = -1 ESRCH
    on p wait4 $c
    expect p wait4 = $c stopped SIGSTOP
    on p ptrace CONT $c 0 SIGSTOP
    look c.t state=T TracerPid=0
    """,
    "tracer.needs-stop": """
    puppet p
    on p fork c
    on c ptrace TRACEME
    on c kill $c SIGSTOP &
    on p wait4 $c
    on p ptrace CONT $c
    look c state=S
    on p ptrace CONT $c
    on p ptrace GETREGS $c
    on p ptrace PEEKDATA $c 0x400000
    on p ptrace SETOPTIONS $c
    on p ptrace DETACH $c
    on p ptrace LISTEN $c
    expect p ptrace(PTRACE_CONT = -1 ESRCH
    expect p ptrace(PTRACE_GETREGS = -1 ESRCH
    expect p ptrace(PTRACE_PEEKDATA = -1 ESRCH
    expect p ptrace(PTRACE_SETOPTIONS = -1 ESRCH
    expect p ptrace(PTRACE_DETACH = -1 ESRCH
    expect p ptrace(PTRACE_LISTEN = -1 ESRCH
    on p ptrace INTERRUPT $c
    expect p ptrace = -1 EIO
    on p ptrace KILL $c
    expect p ptrace = 0
    on p wait4 $c
    expect p wait4 = $c killed SIGKILL status 0x9
    """,
    "tracer.thread-exit-detaches": STOPPED
    + """
    on b wait4 $c
    look c TracerPid=$a
    thread end a
    look $a state=gone
    look c TracerPid=0
    expect c kill = 0
    on c exit_group 42
    on b wait4 $c
    expect b wait4 = $c exited 42 status 0x2a00
    """,
    "tracer.exitkill": STOPPED
    + """
    on a wait4 $c
    on a ptrace SETOPTIONS $c 0 EXITKILL
    expect a ptrace = 0
    thread end a
    on b wait4 $c
    expect b wait4 = $c killed SIGKILL status 0x9
    puppet t u x y
    on t ptrace SEIZE $x 0 EXITKILL
    on u ptrace SEIZE $y
    look y TracerPid=$u
    on b kill $t SIGKILL
    on b kill $u SIGKILL
    on b wait4 $x
    expect b wait4 = $x killed SIGKILL
    look y TracerPid=0 state=S
    """,
    "tracer.exit-signal-fate": """
    thread a b a2 a3 a4 a5
    on a fork c1
    on a2 fork c2
    on a3 fork c3
    on a4 fork c4
    on a5 fork c5
    on c1,c2,c3,c4,c5 ptrace TRACEME
    on c1 kill $c1 SIGUSR1 &
    on a wait4 $c1
    expect a wait4 = $c1 stopped SIGUSR1
    thread end a
    expect c1 kill = 0
    on c1 exit_group 42
    on b wait4 $c1
    expect b wait4 = $c1 exited 42 status 0x2a00
    on c2 kill $c2 SIGUSR1 &
    look c2 state=t
    thread end a2
    on b wait4 $c2
    expect b wait4 = $c2 killed SIGUSR1 status 0xa
    on c3 kill $c3 SIGUSR1 &
    on a3 waitid P_PID $c3 WSTOPPED|WNOWAIT
    expect a3 waitid = 0 CLD_TRAPPED pid $c3 si_status SIGUSR1
    thread end a3
    on b wait4 $c3
    expect b wait4 = $c3 killed SIGUSR1
    on c4 kill $c4 SIGSTOP &
    look c4 state=t
    thread end a4
    look c4 state=T TracerPid=0
    on c5 kill $c5 SIGSTOP &
    on a5 wait4 $c5
    on a5 ptrace CONT $c5 0 SIGSTOP
    on a5 wait4 $c5
    on a5 ptrace GETSIGINFO $c5
    expect a5 ptrace = -1 EINVAL
    thread end a5
    look c5 state=T TracerPid=0
    """,
    "tracer.exec-keeps-links": """
    puppet l u pa pb pc
    on l thread b
    on l ptrace ATTACH $pa
    on l.b ptrace ATTACH $pb
    on u ptrace ATTACH $pc
    look pa state=t TracerPid=$l
    look pb state=t TracerPid=$l.b
    look pc state=t TracerPid=$u
    on l.b exec /bin/sleep 100
    expect l.b execve = 0
    look l comm=sleep
    look pa TracerPid=0
    look pb state=t TracerPid=$l
    on u exec /bin/sleep 100
    look u comm=sleep
    look pc state=t TracerPid=$u
    on repl kill $u SIGKILL
    look pc TracerPid=0
    """,
    "tracer.parent-unchanged": """
    puppet p t
    on p fork c
    on t ptrace SEIZE $c
    look c TracerPid=$t PPid=$p
    on c getppid
    expect c getppid = $p
    on p prctl PR_SET_CHILD_SUBREAPER 1
    on p fork m
    on m fork g
    on t ptrace SEIZE $g
    look g TracerPid=$t PPid=$m
    on p kill $m SIGKILL
    look g TracerPid=$t PPid=$p
    on p kill $g SIGKILL
    look g state=Z
    on p wait4 $g WNOHANG
    expect p wait4 = 0
    on p kill $t SIGKILL
    on p wait4 $g
    expect p wait4 = $g killed SIGKILL
    """,
    "tracer.memory-any-thread": """
    puppet p
    on p thread b
    on p fork c
    on c ptrace TRACEME
    on c kill $c SIGSTOP &
    on p wait4 $c
    on p.b ptrace PEEKDATA $c 0x602000
    expect p.b ptrace = -1 ESRCH
    on p.b open /proc/$c/mem O_RDWR
    expect p.b open = <mem:n>
    on p.b pread $mem 1 0x602000
    expect p.b pread = 1 0x0
    on p.b pwrite $mem "A" 0x602000
    expect p.b pwrite = 1
    on p.b pread $mem 1 0x602000
    expect p.b pread = 1 0x41
    on p.b process_vm_readv $c 0x602000 1
    expect p.b process_vm_readv = 1 0x41
    on p ptrace PEEKDATA $c 0x602000
    expect p ptrace = 0x41
    """,
    "tracer.split-roles": """
    thread a b d
    on a fork c
    on b ptrace SEIZE $c
    on b ptrace INTERRUPT $c
    look c state=t TracerPid=$b PPid=$tracedbg
    on a ptrace CONT $c
    expect a ptrace = -1 ESRCH
    on d wait4 $c
    expect d wait4 = $c stopped SIGTRAP PTRACE_EVENT_STOP
    on b ptrace CONT $c
    expect b ptrace = 0
    on b kill $c SIGKILL
    on d wait4 $c
    expect d wait4 = $c killed SIGKILL status 0x9
    on a wait4 $c
    expect a wait4 = -1 ECHILD
    """,
    "tracer.attach-seize": """
    puppet p
    on p fork c
    on p thread b
    look c state=S
    on p ptrace SEIZE $c
    on p wait4 $c WNOHANG
    expect p wait4 = 0
    look c state=S
    on p ptrace INTERRUPT $c
    on p wait4 $c
    expect p wait4 = $c stopped SIGTRAP PTRACE_EVENT_STOP status 0x80057f
    on p ptrace GETSIGINFO $c
    expect p ptrace = 0 SIGTRAP si_code 0x8005
    on p ptrace CONT $c
    on c kill $c SIGUSR1 &
    on p wait4 $c
    expect p wait4 = $c stopped SIGUSR1
    on p ptrace INTERRUPT $c
    on p ptrace CONT $c
    on p wait4 $c
    expect p wait4 = $c stopped status 0x80057f
    on p.b ptrace INTERRUPT $c
    expect p.b ptrace = -1 ESRCH
    on p fork d
    on p ptrace ATTACH $d
    on p wait4 $d
    expect p wait4 = $d stopped SIGSTOP status 0x137f
    on p ptrace INTERRUPT $d
    expect p ptrace = -1 EIO
    """,
    "tracer.attach-signal-race": """
    puppet p
    on p fork c
    on p kill $c SIGSTOP
    look c state=T
    on p tgkill $c $c SIGUSR1
    on p ptrace ATTACH $c
    on p wait4 $c
    expect p wait4 = $c stopped SIGSTOP status 0x137f
    on p ptrace GETSIGINFO $c
    expect p ptrace = -1 EINVAL
    on p ptrace CONT $c
    on p wait4 $c
    expect p wait4 = $c stopped SIGUSR1 status 0xa7f
    on p ptrace CONT $c
    on p wait4 $c
    expect p wait4 = $c stopped SIGSTOP status 0x137f
    on p ptrace GETSIGINFO $c
    expect p ptrace = 0 SIGSTOP SI_KERNEL si_code 0x80
    """,
    "tracer.detach": """
    puppet p
    on p fork c
    on p ptrace ATTACH $c
    on p wait4 $c
    on p ptrace DETACH $c
    look c state=S TracerPid=0
    on p ptrace ATTACH $c
    on p wait4 $c
    on p ptrace DETACH $c 0 SIGSTOP
    look c state=T TracerPid=0
    on p wait4 $c WUNTRACED
    expect p wait4 = $c stopped SIGSTOP status 0x137f
    on p ptrace ATTACH $c
    on p wait4 $c
    on p ptrace CONT $c
    on p wait4 $c
    expect p wait4 = $c stopped SIGSTOP
    on p ptrace CONT $c
    look c state=S
    on p kill $c SIGUSR1
    on p wait4 $c
    expect p wait4 = $c stopped SIGUSR1
    on p ptrace DETACH $c
    look c state=T TracerPid=0
    """,
    "tracer.vfork-deadlock": """
    puppet p
    on p thread b
    on p clone v CLONE_VFORK|SIGCHLD &
    on v ptrace TRACEME
    on v kill $v SIGSTOP &
    look v state=t TracerPid=$p
    look p state=D
    on p.b wait4 $v
    expect p.b wait4 = $v stopped SIGSTOP status 0x137f
    on p.b ptrace CONT $v
    expect p.b ptrace = -1 ESRCH
    on p.b kill $v SIGKILL
    expect p clone = $v
    on p wait4 $v
    expect p wait4 = $v killed SIGKILL status 0x9
    on p clone w CLONE_VFORK|SIGCHLD &
    on w ptrace TRACEME
    on w exec /bin/true
    expect p clone = $w
    on p wait4 $w
    expect p wait4 = $w stopped SIGTRAP status 0x57f
    """,
    "tracer.tracee-gone": STOPPED
    + """
    on b kill $c SIGKILL
    look c state=Z
    on a ptrace CONT $c
    expect a ptrace = -1 ESRCH
    on b wait4 $c
    expect b wait4 = $c killed SIGKILL status 0x9
    on b wait4 $c
    expect b wait4 = -1 ECHILD
    """,
}

WAIT: dict[str, str] = {
    "wait.blocked-view": """
    puppet c
    thread a b d
    on a wait4 $c &
    on b waitid P_PID $c WEXITED &
    on d waitpid $c &
    expect a asleep do_wait
    expect b asleep do_wait
    expect d asleep do_wait
    look a state=S wchan=do_wait syscall=61
    look b state=S wchan=do_wait syscall=247
    look d state=S wchan=do_wait syscall=61
    """,
    "wait.nothread": """
    thread a b
    on a fork c
    on c ptrace TRACEME
    on c kill $c SIGSTOP &
    look c state=t
    on b wait4 -1 __WNOTHREAD
    expect b wait4 = -1 ECHILD
    on b wait4 $c __WNOTHREAD
    expect b wait4 = -1 ECHILD
    on b wait4 $c WNOHANG
    expect b wait4 = $c stopped SIGSTOP
    on a ptrace CONT $c
    on b fork d
    on d ptrace TRACEME
    on c kill $c SIGUSR1 &
    on d kill $d SIGUSR1 &
    look c state=t
    look d state=t
    on b wait4 -1 __WNOTHREAD
    expect b wait4 = $d stopped SIGUSR1
    on b wait4 -1 __WNOTHREAD|WNOHANG
    expect b wait4 = 0
    on b wait4 -1
    expect b wait4 = $c stopped SIGUSR1
    on b ptrace CONT $c
    expect b ptrace = -1 ESRCH
    on a wait4 $c WNOHANG
    expect a wait4 = 0
    on a ptrace CONT $c
    expect a ptrace = 0
    """,
    "wait.nohang-echild": """
    puppet p
    on p wait4 -1 WNOHANG
    expect p wait4 = -1 ECHILD
    on p fork c
    look c state=S
    on p wait4 -1 WNOHANG
    expect p wait4(-1, WNOHANG) = 0
    on p kill $c SIGKILL
    look c state=Z
    on p wait4 -1 WNOHANG
    expect p wait4 = $c killed SIGKILL status 0x9
    on p wait4 -1 WNOHANG
    expect p wait4 = -1 ECHILD
    """,
    "wait.not-mine": """
    puppet p q
    on p fork c
    on c thread t
    on c fork g
    on p thread b
    on p wait4 1 WNOHANG
    expect p wait4 = -1 ECHILD
    on p wait4 $p WNOHANG
    expect p wait4 = -1 ECHILD
    on p wait4 $p.b WNOHANG|__WALL
    expect p wait4 = -1 ECHILD
    on p wait4 $g WNOHANG|__WALL
    expect p wait4 = -1 ECHILD
    on p wait4 $c.t WNOHANG|__WALL
    expect p wait4 = -1 ECHILD
    on q wait4 $c WNOHANG
    expect q wait4 = -1 ECHILD
    on p ptrace SEIZE $c.t
    on p wait4 $c.t WNOHANG
    expect p wait4 = 0
    on p wait4 $c.t WNOHANG|__WCLONE
    expect p wait4($c.t, __WCLONE|WNOHANG) = 0
    on c.t exit 5
    look c.t state=Z
    on p wait4 $c.t WNOHANG|__WCLONE
    expect p wait4 = $c.t exited 5 status 0x500
    look c state=S
    """,
    "wait.clone-families": """
    puppet p
    on p clone c0 0
    on p wait4 -1 WNOHANG
    expect p wait4 = -1 ECHILD
    on p wait4 -1 WNOHANG|__WCLONE
    expect p wait4(-1, __WCLONE|WNOHANG) = 0
    on p wait4 -1 WNOHANG|__WALL
    expect p wait4(-1, __WALL|WNOHANG) = 0
    on p clone c1 SIGUSR1
    on p sigaction SIGUSR1 SIG_IGN
    on p clone c2 SIGCHLD
    on c2 thread t
    look c0 exit_signal=0
    look c1 exit_signal=SIGUSR1
    look c2 exit_signal=SIGCHLD
    look c2.t exit_signal=-1
    on c1 exit_group 1
    on c2 exit_group 2
    look c1 state=Z
    look c2.t state=gone
    look c2 state=Z
    on p wait4 -1 WNOHANG
    expect p wait4 = $c2 exited 2
    on p wait4 -1 WNOHANG|__WCLONE
    expect p wait4 = $c1 exited 1
    on c0 exec /bin/sleep 100
    look c0 comm=sleep exit_signal=SIGCHLD
    on p wait4 -1 WNOHANG
    expect p wait4(-1, WNOHANG) = 0
    on p wait4 -1 WNOHANG|__WCLONE
    expect p wait4(-1, __WCLONE|WNOHANG) = -1 ECHILD
    """,
    "wait.pgid": """
    puppet p
    on p fork c
    on p fork d
    on c setpgid 0 0
    look c pgrp=$c
    look d pgrp=$p
    on p kill $c SIGKILL
    look c state=Z
    on p wait4 0 WNOHANG
    expect p wait4(0, WNOHANG) = 0
    on p wait4 -$c WNOHANG
    expect p wait4 = $c killed SIGKILL
    on p wait4 -$c WNOHANG
    expect p wait4 = -1 ECHILD
    on p waitid P_PGID $p WEXITED|WNOHANG
    expect p waitid = 0 empty
    on p kill $d SIGKILL
    look d state=Z
    on p wait4 0 WNOHANG
    expect p wait4 = $d killed SIGKILL
    on p wait4 -4194000 WNOHANG
    expect p wait4 = -1 ECHILD
    """,
    "wait.pgid-at-call": """
    puppet s
    on s fork h
    on h thread b
    on h fork p
    on h fork q
    on q setpgid 0 0
    on h.b wait4 0 &
    expect h.b asleep do_wait
    on h setpgid 0 $q
    look h pgrp=$q
    on q exit_group 1
    look q state=Z
    on h wait4 0 WNOHANG
    expect h wait4 = $q exited 1
    look h.b state=S wchan=do_wait
    on p exit_group 2
    expect h.b wait4 = $p exited 2
    """,
    "wait.wnowait": """
    puppet p
    on p fork c
    on p fork d
    on p thread b
    on c exit_group 5
    on d exit_group 6
    look c state=Z
    look d state=Z
    on p waitid P_PID $c WEXITED|WNOWAIT
    expect p waitid = 0 CLD_EXITED pid $c si_status 5
    on p waitid P_ALL 0 WEXITED|WNOWAIT
    expect p waitid = 0 CLD_EXITED pid $c si_status 5
    on p waitid P_ALL 0 WEXITED|WNOWAIT
    expect p waitid = 0 CLD_EXITED pid $c si_status 5
    on p kill $c 0
    expect p kill = 0
    on p wait4 $c
    expect p wait4 = $c exited 5 status 0x500
    on p wait4 $c
    expect p wait4 = -1 ECHILD
    on p kill $c 0
    expect p kill = -1 ESRCH
    on p wait4 $d WNOWAIT
    expect p wait4 = -1 EINVAL
    on p fork e
    on p,p.b waitid P_PID $e WEXITED|WNOWAIT &
    expect p asleep do_wait
    expect p.b asleep do_wait
    on e exit_group 7
    expect p waitid = 0 CLD_EXITED pid $e
    expect p.b waitid = 0 CLD_EXITED pid $e
    """,
    "wait.one-reaper": """
    thread w1 w2 w3 w4 w5 w6
    puppet c
    on c exit_group 0
    look c state=Z
    on w1,w2,w3,w4,w5,w6 wait4 $c WNOHANG
    expect w1|w2|w3|w4|w5|w6 wait4 = $c exited 0
    expect w1|w2|w3|w4|w5|w6 wait4 = -1 ECHILD
    expect w1|w2|w3|w4|w5|w6 wait4 = -1 ECHILD
    expect w1|w2|w3|w4|w5|w6 wait4 = -1 ECHILD
    expect w1|w2|w3|w4|w5|w6 wait4 = -1 ECHILD
    expect w1|w2|w3|w4|w5|w6 wait4 = -1 ECHILD
    """,
    "wait.trace-stop-needs-no-flag": """
    puppet p
    on p fork c
    on c ptrace TRACEME
    on c kill $c SIGSTOP &
    look c state=t
    on p waitid P_PID $c WEXITED|WNOWAIT
    expect p waitid = 0 CLD_TRAPPED pid $c
    on p waitid P_PID $c WCONTINUED|WNOWAIT
    expect p waitid = 0 CLD_TRAPPED pid $c
    on p wait4 $c
    expect p wait4 = $c stopped SIGSTOP status 0x137f
    on p fork d
    on p kill $d SIGSTOP
    look d state=T
    on p wait4 $d WNOHANG
    expect p wait4($d, WNOHANG) = 0
    on p waitid P_PID $d WEXITED|WNOHANG
    expect p waitid = 0 empty
    on p wait4 $d WUNTRACED
    expect p wait4 = $d stopped SIGSTOP status 0x137f
    """,
    "wait.real-parent-view": """
    puppet p t
    on p fork c
    on t ptrace SEIZE $c
    on p kill $c SIGUSR1
    look c state=t
    on p wait4 $c WNOHANG|WUNTRACED
    expect p wait4 = 0
    on t wait4 $c
    on t ptrace CONT $c
    on p kill $c SIGSTOP
    on t wait4 $c
    expect t wait4 = $c stopped SIGSTOP status 0x137f
    on p wait4 $c WNOHANG|WUNTRACED
    expect p wait4 = 0
    on t ptrace CONT $c 0 SIGSTOP
    on t wait4 $c
    expect t wait4 = $c stopped SIGSTOP PTRACE_EVENT_STOP status 0x80137f
    on p waitid P_PID $c WSTOPPED|WNOHANG
    expect p waitid = 0 CLD_STOPPED pid $c si_status SIGSTOP
    on t ptrace CONT $c
    look c state=S
    on p waitid P_PID $c WSTOPPED|WCONTINUED|WNOHANG
    expect p waitid = 0 empty
    on p kill $t SIGKILL
    look c state=T TracerPid=0
    """,
    "wait.tracer-first": """
    puppet p t
    on p fork c
    on p fork d
    on p thread b
    on t ptrace SEIZE $c
    on t ptrace SEIZE $d
    on p kill $c SIGKILL
    look c state=Z
    on p wait4 $c WNOHANG
    expect p wait4 = 0
    on p.b wait4 $c &
    expect p.b asleep do_wait
    on t wait4 $c
    expect t wait4 = $c killed SIGKILL
    expect p.b wait4 = $c killed SIGKILL
    on p kill $d SIGKILL
    look d state=Z
    on p wait4 $d WNOHANG
    expect p wait4 = 0
    on p kill $t SIGKILL
    on p wait4 $d
    expect p wait4 = $d killed SIGKILL
    """,
    "wait.bad-pointer": """
    puppet p
    on p fork c
    on c exit_group 3
    look c state=Z
    on p wait4 $c 0 0x8
    expect p wait4($c, status 0x8 = -1 EFAULT
    on p wait4 $c
    expect p wait4 = -1 ECHILD
    """,
}

_FIVE_WAITERS = """
    thread w1 w2 w3 w4 w5
    puppet other
    on w5 fork own
    on w1 fork c
    on c ptrace TRACEME
    on w1 wait4 -1 __WALL &
    expect w1 asleep do_wait
    on w2 wait4 $c __WALL &
    expect w2 asleep do_wait
    on w3 wait4 $other __WALL &
    expect w3 asleep do_wait
    on w4 wait4 -$other __WALL &
    expect w4 asleep do_wait
    on w5 wait4 -1 __WALL|__WNOTHREAD &
    expect w5 asleep do_wait
"""

WAKE: dict[str, str] = {
    "wake.eligible-only": _FIVE_WAITERS
    + """
    look w3 switches
    expect w3 look switches voluntary <n3:n>
    look w4 switches
    expect w4 look switches voluntary <n4:n>
    look w5 switches
    expect w5 look switches voluntary <n5:n>
    on c kill $c SIGSTOP &
    expect w1|w2 wait4 = $c stopped SIGSTOP
    expect w1|w2 woken 1 in-vain 1
    look w3 switches
    expect w3 look switches voluntary $n3 involuntary
    look w4 switches
    expect w4 look switches voluntary $n4 involuntary
    look w5 switches
    expect w5 look switches voluntary $n5 involuntary
    """,
    "wake.eligible-only (a thread's stop)": """
    puppet t
    on t thread b
    on t thread d
    on t fork c
    on c thread u
    on t ptrace SEIZE $c
    on t ptrace SEIZE $c.u
    on t.b wait4 $c __WALL &
    expect t.b asleep do_wait
    on t.d wait4 $c.u __WALL &
    expect t.d asleep do_wait
    look t.b switches
    expect t.b look switches voluntary <n:n>
    on t ptrace INTERRUPT $c.u
    expect t.d wait4 = $c.u stopped status 0x80057f
    look t.b state=S wchan=do_wait switches
    expect t.b look switches voluntary $n involuntary
    on t kill $c SIGKILL
    on t wait4 $c.u __WALL
    expect t wait4 = $c.u killed SIGKILL
    expect t.b wait4 = $c killed SIGKILL
    """,
    "wake.one-winner": """
    puppet p
    on p thread a
    on p thread b
    on p thread d
    on p thread e
    on p fork c
    on p ptrace SEIZE $c
    on p.a,p.b,p.d,p.e wait4 -1 &
    expect p.a asleep do_wait
    expect p.b asleep do_wait
    expect p.d asleep do_wait
    expect p.e asleep do_wait
    on p ptrace INTERRUPT $c
    expect <first:p.a|p.b|p.d|p.e> wait4 = $c stopped
    expect p.a|p.b|p.d|p.e woken 1 in-vain 1
    expect p.a|p.b|p.d|p.e woken 1 in-vain 1
    expect p.a|p.b|p.d|p.e woken 1 in-vain 1
    on p ptrace CONT $c
    on p kill $c SIGKILL
    expect p.a|p.b|p.d|p.e wait4 = $c killed SIGKILL status 0x9
    expect p.a|p.b|p.d|p.e wait4 = -1 ECHILD
    expect p.a|p.b|p.d|p.e wait4 = -1 ECHILD
    """,
    "wake.coarse-filter": """
    puppet p
    on p thread b
    on p clone k 0
    on p fork c
    on p.b wait4 -1 __WCLONE &
    expect p.b asleep do_wait
    on c exit_group 1
    look c state=Z
    expect p.b woken 1 in-vain 1
    look p.b state=S wchan=do_wait
    on p fork d
    on p thread e
    on p.e wait4 $d &
    expect p.e asleep do_wait
    on p kill $d SIGSTOP
    look d state=T
    expect p.e woken 1 in-vain 1
    on p kill $d SIGCONT
    look d state=S
    expect p.e woken 2 in-vain 2
    look p.e state=S wchan=do_wait
    """,
    "wake.reporting-queue": """
    puppet p t
    on p thread b
    on p fork c
    on p.b wait4 $c &
    expect p.b asleep do_wait
    look p.b switches
    expect p.b look switches voluntary <n:n>
    on t ptrace SEIZE $c
    on p kill $c SIGUSR1
    look c state=t
    look p.b switches
    expect p.b look switches voluntary $n involuntary
    on t ptrace CONT $c
    on p kill $c SIGKILL
    look c state=Z
    look p.b state=S switches
    expect p.b look switches voluntary $n involuntary
    on t wait4 $c
    expect t wait4 = $c killed SIGKILL
    expect p.b wait4 = $c killed SIGKILL
    """,
    "wake.stranded-waiter": """
    puppet p t
    on p fork c
    on t thread b
    on t ptrace SEIZE $c
    on t ptrace INTERRUPT $c
    on t wait4 $c
    on t sigaction SIGUSR1 handler SA_RESTART
    on t.b wait4 $c &
    expect t.b asleep do_wait
    on t ptrace DETACH $c
    look c TracerPid=0
    on t wait4 $c WNOHANG
    expect t wait4 = -1 ECHILD
    on p kill $c SIGKILL
    look c state=Z
    look t.b state=S wchan=do_wait
    on t tgkill $t $t.b SIGUSR1
    expect t.b signal SIGUSR1
    expect t.b wait4 = -1 ECHILD
    """,
    "wake.stranded-waiter (the tracer ends)": """
    puppet p t
    on p fork c
    on t thread a
    on t thread b
    on t.a ptrace SEIZE $c
    on t sigaction SIGUSR1 handler
    on t.b wait4 $c &
    expect t.b asleep do_wait
    on t.a exit
    look c TracerPid=0
    on t wait4 $c WNOHANG
    expect t wait4 = -1 ECHILD
    look t.b state=S wchan=do_wait
    on t tgkill $t $t.b SIGUSR1
    expect t.b wait4 = -1 ECHILD
    """,
    "wake.stranded-waiter (a group is left)": """
    puppet s
    on s fork t
    on t thread b
    on t fork c
    on c setpgid 0 0
    on t sigaction SIGUSR1 handler SA_RESTART
    on t.b wait4 -$c &
    expect t.b asleep do_wait
    on c setpgid 0 $s
    look c pgrp=$s
    look t.b state=S wchan=do_wait
    on t wait4 -$c WNOHANG
    expect t wait4 = -1 ECHILD
    on t tgkill $t $t.b SIGUSR1
    expect t.b wait4 = -1 ECHILD
    """,
    "wake.nothread-missed": """
    puppet t
    on t thread a
    on t thread b
    on t thread d
    on t.a fork c
    on t.b ptrace SEIZE $c
    on t sigaction SIGUSR1 handler SA_RESTART
    on t.a wait4 -1 __WNOTHREAD|__WALL &
    expect t.a asleep do_wait
    look t.a switches
    expect t.a look switches voluntary <n:n>
    on t.b ptrace INTERRUPT $c
    look c state=t
    on t.b waitid P_PID $c WSTOPPED|WNOWAIT
    expect t.b waitid = 0 CLD_TRAPPED pid $c
    on t.d wait4 -1 __WNOTHREAD|__WALL
    expect t.d wait4 = -1 ECHILD
    look t.a state=S switches
    expect t.a look switches voluntary $n involuntary
    """,
    "wake.group-stop-missed": """
    puppet t
    on t thread b
    on t fork c
    on c thread u
    on t ptrace SEIZE $c.u
    on t ptrace INTERRUPT $c.u
    on t wait4 $c.u __WALL
    on t sigaction SIGUSR1 handler SA_RESTART
    on t.b wait4 $c WUNTRACED &
    expect t.b asleep do_wait
    on t kill $c SIGSTOP
    look c state=T
    on t ptrace CONT $c.u
    on t wait4 $c.u __WALL
    expect t wait4 = $c.u stopped SIGSTOP PTRACE_EVENT_STOP
    on t waitid P_PID $c WSTOPPED|WNOWAIT
    expect t waitid = 0 CLD_STOPPED pid $c
    on t tgkill $t $t.b SIGUSR1
    expect t.b wait4 = $c stopped SIGSTOP status 0x137f
    """,
    "wake.signal-independent": """
    puppet p
    on p thread b
    on p fork c
    on p sigaction SIGCHLD SIG_IGN
    on p.b wait4 $c WUNTRACED &
    expect p.b asleep do_wait
    on p kill $c SIGSTOP
    expect p.b wait4 = $c stopped SIGSTOP
    on p sigaction SIGCHLD handler SA_NOCLDSTOP|SA_RESTART
    on p kill $c SIGCONT
    look c state=S
    on p.b wait4 $c WUNTRACED &
    expect p.b asleep do_wait
    on p kill $c SIGSTOP
    expect p.b wait4 = $c stopped SIGSTOP
    expect not p|p.b signal within 0.1s
    on p kill $c SIGKILL
    expect p|p.b signal SIGCHLD CLD_KILLED from $c
    """,
    "wake.signal-independent (takers and waiters)": """
    puppet p
    on p sigprocmask SIG_BLOCK SIGCHLD
    on p thread s1
    on p thread s2
    on p thread s3
    on p thread w1
    on p thread w2
    on p thread w3
    on p fork c
    on p.s1,p.s2,p.s3 sigtimedwait SIGCHLD &
    on p.w1,p.w2,p.w3 wait4 -1 WUNTRACED &
    expect p.s1 asleep
    expect p.s2 asleep
    expect p.s3 asleep
    expect p.w1 asleep do_wait
    expect p.w2 asleep do_wait
    expect p.w3 asleep do_wait
    on p kill $c SIGSTOP
    expect <taker:p.s1|p.s2|p.s3> sigtimedwait = 17 SIGCHLD CLD_STOPPED from $c
    expect <winner:p.w1|p.w2|p.w3> wait4 = $c stopped SIGSTOP
    expect p.w1|p.w2|p.w3 woken 1 in-vain 1
    expect p.w1|p.w2|p.w3 woken 1 in-vain 1
    """,
}

ORDER: dict[str, str] = {
    "order.scan (children)": """
    puppet p
    on p fork c0
    on p fork c1
    on p fork c2
    on p fork c3
    on p kill $c2 SIGKILL
    look c2 state=Z
    on p kill $c0 SIGKILL
    look c0 state=Z
    on p kill $c3 SIGKILL
    look c3 state=Z
    on p kill $c1 SIGKILL
    look c1 state=Z
    on p wait4 -1
    expect p wait4 = $c0 killed
    on p wait4 -1
    expect p wait4 = $c1 killed
    on p wait4 -1
    expect p wait4 = $c2 killed
    on p wait4 -1
    expect p wait4 = $c3 killed
    """,
    "order.scan (attached)": """
    puppet t g0 g1 g2
    on t ptrace ATTACH $g0
    on t ptrace ATTACH $g1
    on t ptrace ATTACH $g2
    look g0 state=t
    look g1 state=t
    look g2 state=t
    on t wait4 -1
    expect t wait4 = $g2 stopped
    on t wait4 -1
    expect t wait4 = $g1 stopped
    on t wait4 -1
    expect t wait4 = $g0 stopped
    on t kill $g0 SIGKILL
    on t kill $g1 SIGKILL
    on t kill $g2 SIGKILL
    look g0 state=Z
    look g1 state=Z
    look g2 state=Z
    on t wait4 -1
    expect t wait4 = $g2 killed
    on t wait4 -1
    expect t wait4 = $g1 killed
    on t wait4 -1
    expect t wait4 = $g0 killed
    """,
    "order.scan (threads)": """
    puppet a
    on a thread b
    on a thread c
    on a fork xa
    on a.b fork xb
    on a.c fork xc
    on xa,xb,xc exit_group 0
    look xa state=Z
    look xb state=Z
    look xc state=Z
    on a.b wait4 -1
    expect a.b wait4 = $xb exited
    on a.b wait4 -1
    expect a.b wait4 = $xc exited
    on a.b wait4 -1
    expect a.b wait4 = $xa exited
    """,
    "order.no-rotation": """
    puppet t
    on t fork g1
    on t fork g2
    on g1 ptrace TRACEME
    on g2 ptrace TRACEME
    on g1 kill $g1 SIGUSR1 &
    look g1 state=t
    on g2 kill $g2 SIGUSR1 &
    look g2 state=t
    """
    + """
    on t wait4 -1
    expect t wait4 = $g1 stopped SIGUSR1
    on t ptrace CONT $g1
    on g1 kill $g1 SIGUSR1 &
    look g1 state=t
    """
    * 4,
}
