/* For -O2: small functions that exist only where they were inlined, and a loop on one line. */
#include <stdio.h>

volatile int source = 3;

static inline __attribute__((always_inline)) int square(int x)
{
    int product = x * source;
    source = product & 15;              /* inlined twice */
    return product;
}

static inline __attribute__((always_inline)) int both(int a, int b)
{
    return square(a) + square(b);
}

__attribute__((noinline)) int outer(int a)
{
    int sum = both(a, a + 1);
    source = sum & 7;
    return sum;
}

__attribute__((noinline)) int one_line(int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++) sum += i * source;
    return sum;
}

int main(void)
{
    printf("%d %d\n", outer(source), one_line(1000));
    return 0;
}
