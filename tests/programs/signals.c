/* Sends itself SIGUSR1 (caught, on an alternate stack), then SIGUSR2 (ignored); "segv" as argument ends in a SIGSEGV. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t caught;
static char stack[65536];

static void deep(int number)
{
    caught = number;                    /* inside the handler */
}

static void handler(int number)
{
    deep(number);
}

static void crash(int *where)
{
    *where = 1;                         /* SIGSEGV when where is a null pointer */
}

int main(int argc, char **argv)
{
    stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
    sigaltstack(&alternate, 0);
    sigaction(SIGUSR1, &action, 0);
    signal(SIGUSR2, SIG_IGN);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR2);
    printf("caught %d\n", (int)caught);
    fflush(stdout);
    if (argc > 1 && strcmp(argv[1], "segv") == 0)
        crash(0);
    return caught == SIGUSR1 ? 0 : 1;
}
