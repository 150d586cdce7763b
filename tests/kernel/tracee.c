/*
 * A program to be traced, for the tests of kernel facts.  `tracee MODE`:
 *
 *   traceme      asks to be traced by its parent, stops itself, and ends with status 42
 *   term         the same, but counts SIGTERM: ends with 1 if one was delivered, else 42
 *   idle         says "ready" and sleeps until killed
 *   exec         two threads; says both tids; at a byte on stdin the second one executes /bin/true
 *   leader       the first thread ends; the second says both tids when that has happened, and sleeps
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_t first;
static volatile sig_atomic_t terms;

static void count(int sig)
{
    (void)sig;
    terms++;
}

static void say_tids(void)
{
    printf("%d %ld\n", getpid(), syscall(SYS_gettid));
    fflush(stdout);
}

static void *exec_second(void *unused)
{
    char byte;
    (void)unused;
    say_tids();
    if (read(0, &byte, 1) == 1)
        execl("/bin/true", "true", (char *)0);
    _exit(99);
}

static void *outlive_first(void *unused)
{
    (void)unused;
    pthread_join(first, 0);     /* returns when the first thread's task has ended */
    say_tids();
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    pthread_t second;

    if (!strcmp(mode, "traceme") || !strcmp(mode, "term")) {
        signal(SIGTERM, count);
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
            return 99;
        raise(SIGSTOP);
        return terms ? 1 : 42;
    }
    if (!strcmp(mode, "idle")) {
        puts("ready");
        fflush(stdout);
        for (;;)
            pause();
    }
    first = pthread_self();
    if (!strcmp(mode, "exec")) {
        pthread_create(&second, 0, exec_second, 0);
        for (;;)
            pause();
    }
    if (!strcmp(mode, "leader")) {
        pthread_create(&second, 0, outlive_first, 0);
        pthread_exit(0);
    }
    return 98;
}
