/*
 * witness: follows the threads of ONE process and writes down every ptrace, wait4 and waitid call that they make.
 *
 *     witness LOG -- PROGRAM [ARG ...]      starts PROGRAM and follows it from its exec on
 *     witness LOG -p PID                    follows all threads of a running process
 *
 * It is meant for programs that are tracers themselves.  PTRACE_O_TRACECLONE makes new threads ours; PTRACE_O_TRACEFORK
 * and TRACEVFORK are left out on purpose: a forked child that were ours could not become the program's own tracee
 * (PTRACE_TRACEME answers EPERM to a task that has a tracer; that is what happens under strace -f).
 *
 * One JSON line for each call, written when it has returned to user space, in that order:
 *   {"w":"call","t0":NS,"t1":NS,"tid":T,"name":"wait4","args":[..],"ret":R,"status":WORD}
 * `ret` is what user space sees: a value, or minus the errno.  `status` stands there when wait4 returned a pid and its
 * status pointer is not null; for waitid "info":[si_signo,si_code,si_pid,si_status].  A call that did not return (its
 * thread ended in it) has "ret":null.  Times are CLOCK_MONOTONIC.  Other lines: {"w":"start"|"thread"|"gone"|"exec"|"end"}.
 *
 * A call interrupted by a signal shows -ERESTARTSYS (-512) at its syscall-exit-stop (ptrace(2), "Syscall-stops").  What
 * user space sees is decided later, in handle_signal() of arch/x86/kernel/signal.c: without a handler the call is entered again
 * with the same registers; with a handler and SA_RESTART it is entered again after rt_sigreturn; with a handler and no
 * SA_RESTART rt_sigreturn restores rax = -EINTR.  Since a tracee also stops for signals that it ignores, restarts are more
 * frequent here than in an unwatched run; one call that was restarted is written once.
 *
 * Exit status: that of the program (128 + signal for a death by signal), 125 for trouble of our own.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TROUBLE 125
#define OPTIONS (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)

/* Kernel-internal results, include/linux/errno.h; user space never sees them. */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

enum phase {
    IDLE,               /* in no call that we write down */
    INSIDE,             /* between entry and exit of one */
    UNDECIDED,          /* it showed an ERESTART result: restarted or interrupted, the next stops tell */
};

struct thread {
    pid_t tid;
    enum phase phase;
    long number;
    uint64_t args[6];
    uint64_t ip, sp;    /* at entry: a restart has the same */
    uint64_t t0, t1;
    int handler_ran;    /* rt_sigreturn was entered while UNDECIDED */
    struct thread *next;
};

#define BUCKETS 1024
static struct thread *table[BUCKETS];
static int alive;
static FILE *out;
static pid_t program;
static int exit_status = TROUBLE;
static unsigned long calls;

static void die(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("witness: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    if (out)
        fflush(out);
    exit(TROUBLE);
}

static uint64_t now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static struct thread *find(pid_t tid)
{
    struct thread *t = table[tid % BUCKETS];
    while (t && t->tid != tid)
        t = t->next;
    return t;
}

static struct thread *add(pid_t tid)
{
    struct thread *t = find(tid);
    if (t)
        return t;
    t = calloc(1, sizeof *t);
    if (!t)
        die("out of memory");
    t->tid = tid;
    t->next = table[tid % BUCKETS];
    table[tid % BUCKETS] = t;
    alive++;
    fprintf(out, "{\"w\":\"thread\",\"t0\":%" PRIu64 ",\"tid\":%d}\n", now(), tid);
    return t;
}

static const char *name_of(long number)
{
    switch (number) {
    case SYS_ptrace: return "ptrace";
    case SYS_wait4: return "wait4";
    case SYS_waitid: return "waitid";
    default: return NULL;
    }
}

/* Memory of the program.  The calling thread is stopped, but the page may be gone: then nothing is claimed. */
static int peek(pid_t tid, uint64_t address, void *to, size_t size)
{
    struct iovec local = {to, size}, remote = {(void *)address, size};
    return address && process_vm_readv(tid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

static void write_call(struct thread *t, int returned, int64_t result)
{
    int count = t->number == SYS_waitid ? 5 : 4;
    fprintf(out, "{\"w\":\"call\",\"t0\":%" PRIu64 ",\"t1\":%" PRIu64 ",\"tid\":%d,\"name\":\"%s\",\"args\":[",
            t->t0, t->t1, t->tid, name_of(t->number));
    for (int i = 0; i < count; i++) {
        /* The pid of wait4 and ptrace and the options are ints: the upper half of the register means nothing. */
        int is_int = t->number == SYS_ptrace ? i == 1 : t->number == SYS_wait4 ? i == 0 || i == 2 : i == 0 || i == 1 || i == 3;
        if (is_int)
            fprintf(out, "%s%d", i ? "," : "", (int)t->args[i]);
        else
            fprintf(out, "%s%" PRIu64, i ? "," : "", t->args[i]);
    }
    if (returned)
        fprintf(out, "],\"ret\":%" PRId64, result);
    else
        fputs("],\"ret\":null", out);
    if (returned && t->number == SYS_wait4 && result > 0) {
        int word;
        if (peek(t->tid, t->args[1], &word, sizeof word))
            fprintf(out, ",\"status\":%d", word);
    }
    if (returned && t->number == SYS_waitid && result == 0) {
        siginfo_t info;
        if (peek(t->tid, t->args[2], &info, sizeof info))
            fprintf(out, ",\"info\":[%d,%d,%d,%d]", info.si_signo, info.si_code, info.si_pid, info.si_status);
    }
    fputs("}\n", out);
    t->phase = IDLE;
    calls++;
}

static void forget(struct thread *t)
{
    struct thread **link = &table[t->tid % BUCKETS];
    if (t->phase != IDLE) {
        t->t1 = now();
        write_call(t, 0, 0);
    }
    fprintf(out, "{\"w\":\"gone\",\"t0\":%" PRIu64 ",\"tid\":%d}\n", now(), t->tid);
    while (*link != t)
        link = &(*link)->next;
    *link = t->next;
    free(t);
    alive--;
}

static void entered(struct thread *t, const struct __ptrace_syscall_info *info)
{
    long number = (long)info->entry.nr;
    if (t->phase == UNDECIDED) {
        int same = number == t->number && info->instruction_pointer == t->ip && info->stack_pointer == t->sp
                   && !memcmp(t->args, info->entry.args, sizeof t->args);
        if (number == SYS_rt_sigreturn) {
            t->handler_ran = 1;
            return;
        }
        if (same && !t->handler_ran) {  /* no handler: the kernel wound the registers back */
            t->phase = INSIDE;
            return;
        }
        if (!name_of(number))
            return;                     /* a call of the handler itself */
        /* A handler left by longjmp, or one that waits: we do not know what became of the first call, and say so. */
    }
    if (!name_of(number))
        return;
    if (t->phase != IDLE) {
        t->t1 = now();
        write_call(t, 0, 0);
    }
    t->phase = INSIDE;
    t->number = number;
    memcpy(t->args, info->entry.args, sizeof t->args);
    t->ip = info->instruction_pointer;
    t->sp = info->stack_pointer;
    t->t0 = now();
    t->handler_ran = 0;
}

static void left(struct thread *t, const struct __ptrace_syscall_info *info)
{
    int64_t result = info->exit.rval;
    if (t->phase == INSIDE) {
        t->t1 = now();
        if (result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK)
            t->phase = UNDECIDED;
        else
            write_call(t, 1, result);
    } else if (t->phase == UNDECIDED && t->handler_ran) {
        /* End of rt_sigreturn: rax holds what the interrupted code will see, or the call's number for a restart. */
        if (info->instruction_pointer == t->ip && result == -EINTR) {
            t->t1 = now();
            write_call(t, 1, -EINTR);
        } else if (info->instruction_pointer + 2 == t->ip) {
            t->handler_ran = 0;         /* rip stands at the syscall instruction again: its entry comes next */
        } else if (info->instruction_pointer != t->ip) {
            t->handler_ran = 0;         /* a nested handler returned into the outer one: go on looking */
        }
    }
}

static void syscall_stop(struct thread *t)
{
    struct __ptrace_syscall_info info;   /* glibc's name for the kernel's struct ptrace_syscall_info */
    if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, sizeof info, &info) <= 0)
        return;                         /* killed meanwhile: its death follows */
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
        entered(t, &info);
    else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
        left(t, &info);
}

static void resume(pid_t tid, int request, int sig)
{
    if (ptrace(request, tid, 0, (long)sig) < 0 && errno != ESRCH)
        die("request %d for %d: %s", request, tid, strerror(errno));
}

static void took_over_by_exec(pid_t leader)
{
    unsigned long old = 0;
    struct thread *t;
    ptrace(PTRACE_GETEVENTMSG, leader, 0, &old);
    fprintf(out, "{\"w\":\"exec\",\"t0\":%" PRIu64 ",\"tid\":%d,\"old\":%lu}\n", now(), leader, old);
    /* A thread that execs takes the leader's number; its old number ends without a report (ptrace(2), "execve(2)"). */
    if ((pid_t)old != leader && (t = find((pid_t)old)))
        forget(t);
    t = add(leader);
    if (t->phase != IDLE) {
        t->t1 = now();
        write_call(t, 0, 0);
    }
}

static void stopped(pid_t tid, int status)
{
    int sig = WSTOPSIG(status), event = status >> 16;
    struct thread *t = find(tid);

    if (!t)                             /* a new thread may report before its maker's clone event */
        t = add(tid);
    if (sig == (SIGTRAP | 0x80)) {
        syscall_stop(t);
        resume(tid, PTRACE_SYSCALL, 0);
    } else if (event == PTRACE_EVENT_STOP) {
        /* Group-stop of a seized tracee: LISTEN keeps the job-control stop in force, as it would be without us. */
        int group = sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
        resume(tid, group ? PTRACE_LISTEN : PTRACE_SYSCALL, 0);
    } else if (event == PTRACE_EVENT_CLONE) {
        unsigned long new = 0;
        if (ptrace(PTRACE_GETEVENTMSG, tid, 0, &new) == 0 && new)
            add((pid_t)new);
        resume(tid, PTRACE_SYSCALL, 0);
    } else if (event == PTRACE_EVENT_EXEC) {
        took_over_by_exec(tid);
        resume(tid, PTRACE_SYSCALL, 0);
    } else if (event) {
        resume(tid, PTRACE_SYSCALL, 0);
    } else {
        resume(tid, PTRACE_SYSCALL, sig);   /* signal-delivery-stop: pass it on, whatever it is */
    }
}

static void follow(void)
{
    while (alive) {
        int status;
        pid_t tid = waitpid(-1, &status, __WALL);
        if (tid < 0) {
            if (errno == EINTR)
                continue;
            break;                      /* ECHILD: the rest was released by somebody else */
        }
        if (WIFSTOPPED(status)) {
            stopped(tid, status);
        } else if (WIFEXITED(status) || WIFSIGNALED(status)) {
            struct thread *t = find(tid);
            if (tid == program)
                exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            if (t)
                forget(t);
        }
    }
    fprintf(out, "{\"w\":\"end\",\"t0\":%" PRIu64 ",\"calls\":%lu,\"status\":%d}\n", now(), calls, exit_status);
}

static void launch(char **command)
{
    int go[2];
    char byte;
    if (pipe(go) < 0)
        die("pipe: %s", strerror(errno));
    program = fork();
    if (program < 0)
        die("fork: %s", strerror(errno));
    if (program == 0) {
        close(go[1]);
        if (read(go[0], &byte, 1) != 1)     /* until we are seized; the witness's death ends it too */
            _exit(TROUBLE);
        close(go[0]);
        execvp(command[0], command);
        fprintf(stderr, "witness: %s: %s\n", command[0], strerror(errno));
        _exit(127);
    }
    close(go[0]);
    /* EXITKILL for what we started: a killed witness leaves no program without its witness. */
    if (ptrace(PTRACE_SEIZE, program, 0, OPTIONS | PTRACE_O_EXITKILL) < 0)
        die("SEIZE %d: %s", program, strerror(errno));
    add(program);
    if (ptrace(PTRACE_INTERRUPT, program, 0, 0) < 0)    /* its first stop makes it go on with PTRACE_SYSCALL */
        die("INTERRUPT %d: %s", program, strerror(errno));
    if (write(go[1], "x", 1) != 1)
        die("write: %s", strerror(errno));
    close(go[1]);
}

static void attach(pid_t pid)
{
    char path[64];
    int found;
    program = pid;
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    do {                                /* threads may be born meanwhile; those of a seized thread come by themselves */
        struct dirent *entry;
        DIR *tasks = opendir(path);
        if (!tasks)
            die("no process %d", pid);
        found = 0;
        while ((entry = readdir(tasks))) {
            pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
            if (tid <= 0 || find(tid))
                continue;
            if (ptrace(PTRACE_SEIZE, tid, 0, OPTIONS) < 0) {
                if (errno == ESRCH || (errno == EPERM && alive))    /* ended, or auto-attached a moment ago */
                    continue;
                die("SEIZE %d: %s", tid, strerror(errno));
            }
            add(tid);
            ptrace(PTRACE_INTERRUPT, tid, 0, 0);
            found = 1;
        }
        closedir(tasks);
    } while (found);
}

int main(int argc, char **argv)
{
    if (argc < 4 || (strcmp(argv[2], "--") && strcmp(argv[2], "-p"))) {
        fputs("usage: witness LOG -- PROGRAM [ARG ...]\n       witness LOG -p PID\n", stderr);
        return TROUBLE;
    }
    out = fopen(argv[1], "we");
    if (!out)
        die("%s: %s", argv[1], strerror(errno));
    setvbuf(out, NULL, _IOFBF, 1 << 20);
    if (argv[2][1] == '-')
        launch(argv + 3);
    else
        attach((pid_t)strtol(argv[3], NULL, 10));
    /* Keys typed at a terminal are for the program; we end when it ends. */
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    fprintf(out, "{\"w\":\"start\",\"t0\":%" PRIu64 ",\"pid\":%d}\n", now(), program);
    if (argv[2][1] == 'p') {            /* "following" can be waited for */
        fflush(out);
    }
    follow();
    if (fclose(out))
        die("%s: %s", argv[1], strerror(errno));
    return exit_status;
}
