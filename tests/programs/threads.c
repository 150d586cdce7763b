/* A few threads that work at the same time and meet at a barrier; the argument is how many (3). */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_barrier_t barrier;
static long done[64];

static void work(long number)
{
    long sum = 0;
    for (long i = 0; i < 1000; i++)
        sum += i * number;
    done[number] = sum;                 /* each thread passes here */
}

static void *body(void *argument)
{
    long number = (long)argument;
    pthread_barrier_wait(&barrier);     /* all of them exist now */
    work(number);
    return 0;
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 3;
    pthread_t threads[64];
    if (count < 1 || count > 63)
        return 2;
    pthread_barrier_init(&barrier, 0, count + 1);
    for (long i = 1; i <= count; i++)
        pthread_create(&threads[i], 0, body, (void *)i);
    pthread_barrier_wait(&barrier);
    for (int i = 1; i <= count; i++)
        pthread_join(threads[i], 0);
    printf("%d threads, the last made %ld\n", count, done[count]);
    return 0;
}
