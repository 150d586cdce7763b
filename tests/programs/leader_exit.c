/* The thread group's leader ends first (pthread_exit); the other thread lives on and ends the process with status 7. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_t leader;

static void after_leader(void)
{
    printf("the leader is gone\n");
    fflush(stdout);
}

static void *body(void *argument)
{
    (void)argument;
    pthread_join(leader, 0);            /* a fact, not a delay: returns when the leader has ended */
    after_leader();
    exit(7);
}

int main(void)
{
    pthread_t other;
    leader = pthread_self();
    pthread_create(&other, 0, body, 0);
    pthread_exit(0);
}
