/* Prints a few lines and reads none: the smallest program with output. */
#include <stdio.h>

int main(int argc, char **argv)
{
    for (int i = 1; i <= 3; i++)
        printf("hello %d of 3\n", i);
    for (int i = 1; i < argc; i++)
        printf("argument %d is %s\n", i, argv[i]);
    fputs("this went to stderr\n", stderr);
    return 0;
}
