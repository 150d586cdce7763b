/* A long loop: the argument is the number of rounds (default: for ever), so that a test can interrupt it. */
#include <stdio.h>
#include <stdlib.h>

volatile unsigned long rounds;

static void tick(void)
{
    rounds++;                           /* once in every round */
}

int main(int argc, char **argv)
{
    unsigned long limit = argc > 1 ? strtoul(argv[1], 0, 0) : 0;
    puts("looping");
    fflush(stdout);
    while (limit == 0 || rounds < limit)
        tick();
    printf("%lu rounds\n", rounds);
    return 0;
}
