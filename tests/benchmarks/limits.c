/*
 * limits N PROGRAM [ARG ...]: the least that N single steps can cost on this machine.
 *
 * fork, TRACEME, exec, then N times PTRACE_SINGLESTEP and wait4, and nothing else: what any debugger's loop contains.
 * Prints nanoseconds per step, one number.  Status 1 with a message if the program ends before N steps.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static int fail(const char *what)
{
    fprintf(stderr, "limits: %s: %s\n", what, strerror(errno));
    return 1;
}

int main(int argc, char **argv)
{
    long steps = argc > 2 ? strtol(argv[1], NULL, 10) : 0;
    int status;
    double began;
    pid_t pid;

    if (steps <= 0) {
        fputs("usage: limits N PROGRAM [ARG ...]\n", stderr);
        return 2;
    }
    pid = fork();
    if (pid < 0)
        return fail("fork");
    if (pid == 0) {
        personality(ADDR_NO_RANDOMIZE);     /* as debuggers do, so that all step through the same instructions */
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
        return fail(argv[2]);
    if (ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_EXITKILL) < 0)
        return fail("SETOPTIONS");
    began = now();
    for (long i = 0; i < steps; i++) {
        if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) < 0)
            return fail("SINGLESTEP");
        if (wait4(pid, &status, __WALL, NULL) != pid)
            return fail("wait4");
        if (!WIFSTOPPED(status)) {
            fprintf(stderr, "limits: the program ended after %ld steps\n", i);
            return 1;
        }
    }
    printf("%.1f\n", (now() - began) / steps);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return 0;
}
