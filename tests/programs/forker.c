/* Forks a child that calls a function of ours and ends with status 3; the parent waits for it. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int in_child(int x)
{
    return x + 1;                       /* a breakpoint here is in the child's memory too */
}

int main(void)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(in_child(2));
    if (waitpid(child, &status, 0) != child)
        return 1;
    printf("child ended with %d\n", WEXITSTATUS(status));
    return WEXITSTATUS(status) == 3 ? 0 : 1;
}
