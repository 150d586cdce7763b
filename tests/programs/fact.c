/* A recursive factorial with arguments and local variables. */
#include <stdio.h>
#include <stdlib.h>

int calls;

long fact(int n)
{
    long below = 1;
    calls++;
    if (n > 1)
        below = fact(n - 1);
    long product = n * below;
    return product;                     /* the last statement */
}

int main(int argc, char **argv)
{
    int number = argc > 1 ? atoi(argv[1]) : 5;
    long result = fact(number);
    printf("%d! = %ld\n", number, result);
    return 0;
}
