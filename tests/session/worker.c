/* One program with many modes, for sessions: what it does is named by its first argument; "ready" is printed where a test waits. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
volatile long counter;
volatile sig_atomic_t caught;
static volatile int forever = 1;

__attribute__((noinline)) int marked(int x)
{
    counter++;                          /* breakpoints go here */
    return x + 1;
}

__attribute__((noinline)) long busy_line(long n)
{
    long i = 0;
    for (; i < n; i++) counter += i & 1;
    return i;                           /* after the loop */
}

static void ready(void)
{
    puts("ready");
    fflush(stdout);
}

/* --- are our code bytes as they are in the file? --- */
static unsigned long file_offset;

static int find(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    unsigned long address = (unsigned long)data;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        unsigned long low = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_LOAD && address >= low && address < low + segment->p_filesz) {
            file_offset = address - low + segment->p_offset;
            return 1;
        }
    }
    return 0;
}

static int intact(void)
{
    unsigned char bytes[32];
    int fd = open("/proc/self/exe", O_RDONLY);
    if (!dl_iterate_phdr(find, (void *)marked) || pread(fd, bytes, sizeof bytes, file_offset) != sizeof bytes)
        return 0;
    close(fd);
    return memcmp(bytes, (const void *)marked, sizeof bytes) == 0;
}

/* --- signals --- */
static void count(int number)
{
    (void)number;
    caught++;
}

static void handle(int number)
{
    struct sigaction action = { .sa_handler = count, .sa_flags = SA_RESTART };
    sigaction(number, &action, 0);
}

static void tick(long microseconds)
{
    struct itimerval every = { { 0, microseconds }, { 0, microseconds } };
    handle(SIGALRM);
    setitimer(ITIMER_REAL, &every, 0);
}

/* --- threads --- */
static void *spin(void *unused)
{
    (void)unused;
    while (forever) {
        counter++;
        counter--;
    }
    return 0;
}

static void *rest(void *unused)
{
    (void)unused;
    for (;;) pause();
    return 0;
}

static void *nothing(void *unused)
{
    return unused;
}

static char **again;

static void *executes(void *unused)
{
    (void)unused;
    execv("/proc/self/exe", again);
    exit(126);
}

static pthread_t leader;

static void *outlives(void *unused)
{
    (void)unused;
    pthread_join(leader, 0);
    ready();
    while (forever) marked(1);
    exit(0);
}

__attribute__((noinline)) void ends_here(void)
{
    pthread_exit(0);
}

static void *short_life(void *unused)
{
    (void)unused;
    marked(7);
    ends_here();
    return 0;
}

static int wait_for(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, __WALL) != child)
        if (errno != EINTR) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int shares(void *unused)
{
    (void)unused;
    return intact() && marked(2) == 3 ? 11 : 12;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    int amount = argc > 2 ? atoi(argv[2]) : 3;
    setvbuf(stdout, 0, _IOLBF, 0);
    if (!strcmp(mode, "calls")) {                       /* N calls of marked */
        for (int i = 0; i < amount; i++) marked(i);
        printf("%ld calls\n", counter);
    } else if (!strcmp(mode, "ticking")) {              /* N calls of marked with a timer running, then N signals seen */
        tick(5000);
        for (int i = 0; i < amount; i++) marked(i);
        while (caught < 3) { }
        printf("%ld calls\n", counter);
    } else if (!strcmp(mode, "queued")) {               /* N real-time signals to ourselves around calls of marked */
        handle(SIGRTMIN);
        for (int i = 0; i < amount; i++) {
            sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i });
            marked(i);
        }
        printf("%d signals, %ld calls\n", (int)caught, counter);
    } else if (!strcmp(mode, "busy")) {                 /* one long line */
        ready();
        busy_line(amount ? amount : 1L << 40);
        puts("done");
    } else if (!strcmp(mode, "busy-ticking")) {
        tick(5000);
        busy_line(amount);
        puts("done");
    } else if (!strcmp(mode, "pause")) {
        handle(SIGUSR1);
        ready();
        while (forever) pause();
    } else if (!strcmp(mode, "read")) {                 /* a read that must not be disturbed */
        char byte;
        ready();
        int got = read(0, &byte, 1);
        printf("read %d errno %d\n", got, got < 0 ? errno : 0);
    } else if (!strcmp(mode, "spin")) {                 /* N threads that count */
        pthread_t thread;
        for (int i = 0; i < amount; i++) pthread_create(&thread, 0, i % 2 ? rest : spin, 0);
        ready();
        while (forever) pause();
    } else if (!strcmp(mode, "churn")) {                /* threads come and go all the time */
        ready();
        while (forever) {
            pthread_t thread;
            if (!pthread_create(&thread, 0, nothing, 0)) pthread_join(thread, 0);
        }
    } else if (!strcmp(mode, "short")) {                /* a thread that ends while it is stepped */
        pthread_t thread;
        pthread_create(&thread, 0, short_life, 0);
        pthread_join(thread, 0);
        puts("joined");
    } else if (!strcmp(mode, "one")) {                  /* a thread that returns at once */
        pthread_t thread;
        pthread_create(&thread, 0, nothing, 0);
        pthread_join(thread, 0);
    } else if (!strcmp(mode, "leader")) {               /* the leader ends first, another thread runs on */
        pthread_t thread;
        leader = pthread_self();
        pthread_create(&thread, 0, outlives, 0);
        pthread_exit(0);
    } else if (!strcmp(mode, "fork")) {
        for (int i = 0; i < amount; i++) {
            pid_t child = fork();
            if (child == 0) _exit(intact() && marked(2) == 3 ? 11 : 12);
            int status = wait_for(child);
            if (status != 11) { printf("child ended with %d\n", status); return 1; }
            marked(1);
        }
        puts("children well");
    } else if (!strcmp(mode, "vfork")) {
        for (int i = 0; i < amount; i++) {
            pid_t child = vfork();
            if (child == 0) _exit(intact() && marked(2) == 3 ? 11 : 12);
            int status = wait_for(child);
            if (status != 11) { printf("child ended with %d\n", status); return 1; }
            marked(1);
        }
        puts("children well");
    } else if (!strcmp(mode, "spawn")) {
        for (int i = 0; i < amount; i++) {
            pid_t child;
            char *command[] = { "worker", "calls", "1", 0 };
            if (posix_spawn(&child, "/proc/self/exe", 0, 0, command, environ)) return 1;
            if (wait_for(child) != 0) return 1;
            marked(1);
        }
        puts("children well");
    } else if (!strcmp(mode, "exec")) {                 /* becomes itself, N times */
        char number[12];
        marked(amount);
        if (amount > 0) {
            snprintf(number, sizeof number, "%d", amount - 1);
            char *command[] = { "worker", "exec", number, 0 };
            execv("/proc/self/exe", command);
        }
        puts("last image");
    } else if (!strcmp(mode, "exec-thread")) {          /* a thread that is not the leader calls exec while others run */
        pthread_t thread;
        char *command[] = { "worker", "calls", "2", 0 };
        again = command;
        marked(0);
        for (int i = 0; i < amount; i++) pthread_create(&thread, 0, spin, 0);
        pthread_create(&thread, 0, executes, 0);
        for (;;) pause();
    } else if (!strcmp(mode, "raw")) {                  /* raw NAME: one system call between two labels */
        const char *name = argv[2];
        long result = -1;
        long number = 0, first = 0, second = 0, third = 0;
        char *command[] = { "worker", "calls", "2", 0 };
        if (!strcmp(name, "fork")) number = SYS_fork;
        else if (!strcmp(name, "vfork")) number = SYS_vfork;
        else if (!strcmp(name, "getpid")) number = SYS_getpid;
        else if (!strcmp(name, "pause")) number = SYS_pause;
        else if (!strcmp(name, "exec")) {
            number = SYS_execve;
            first = (long)"/proc/self/exe", second = (long)command, third = (long)environ;
        }
        if (number == SYS_pause) ready();
        if (number) {
            /* In main itself: a child of vfork must not return from the frame that made it. */
            __asm__ volatile(".globl at_syscall\nat_syscall: syscall\n.globl after_syscall\nafter_syscall: nop"
                             : "=a"(result) : "a"(number), "D"(first), "S"(second), "d"(third) : "rcx", "r11", "memory");
        } else if (!strcmp(name, "thread")) {
            /* A thread without a stack of its own would share ours: it gets one, and ends at once in the trampoline below. */
            static char stack[65536] __attribute__((aligned(16)));
            long *top = (long *)(stack + sizeof stack - 256);
            __asm__ volatile(".globl at_clone\nat_clone: syscall\n.globl after_clone\nafter_clone: test %%rax, %%rax\njnz 1f\n"
                             "mov $60, %%eax\nxor %%edi, %%edi\nsyscall\n1:"
                             : "=a"(result)
                             : "a"(SYS_clone), "D"(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM),
                               "S"(top) : "rcx", "r11", "memory", "cc");
        }
        if (result == 0 && (!strcmp(name, "fork") || !strcmp(name, "vfork"))) _exit(intact() ? 11 : 12);
        if (!strcmp(name, "fork") || !strcmp(name, "vfork")) result = wait_for((pid_t)result);
        marked(1);
        printf("raw %s %s\n", name, result < 0 ? "failed" : "went well");
        return result == 11 || strlen(name) > 5 || !strcmp(name, "exec") ? 0 : 3;
    } else if (!strcmp(mode, "share")) {                /* a child process in our memory, which is no thread */
        static char stack[65536] __attribute__((aligned(16)));
        marked(0);
        pid_t child = clone(shares, stack + sizeof stack, CLONE_VM | SIGCHLD, 0);
        int status = wait_for(child);
        handle(SIGUSR1);
        raise(SIGUSR1);
        marked(1);
        return status == 11 ? 0 : 1;
    } else if (!strcmp(mode, "state")) {                /* what a program inherits */
        sigset_t mask;
        char directory[4096];
        sigprocmask(SIG_BLOCK, 0, &mask);
        for (int i = 1; i < 65; i++) {
            struct sigaction action;
            if (sigismember(&mask, i) == 1) printf("blocked %d\n", i);
            if (sigaction(i, 0, &action) == 0 && action.sa_handler != SIG_DFL) printf("disposition %d\n", i);
        }
        printf("cwd %s\n", getcwd(directory, sizeof directory));
        printf("session %d group %d foreground %d\n", getsid(0) == getpid(), getpgrp() == getpid(), tcgetpgrp(0) == getpid());
        for (int fd = 0; fd < 1024; fd++)
            if (fcntl(fd, F_GETFD) != -1 && fd > 2) printf("descriptor %d\n", fd);
        for (int i = 2; i < argc; i++) printf("argument %s\n", argv[i]);
        for (int i = 0; environ[i]; i++) printf("env %s\n", environ[i]);
        printf("stack %p\n", (void *)&mask);
        fprintf(stderr, "to stderr\n");
    } else if (!strcmp(mode, "segv")) {
        *(volatile int *)8 = 1;
    } else {
        marked(0);
    }
    return 0;
}
