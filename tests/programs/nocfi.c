/* Functions written in assembly without call frame information: unwinders have to guess here.
   bare_leaf sets up no frame, bare_caller moves the stack pointer and calls back into C. */
#include <stdio.h>

__asm__(
    ".text\n"
    ".globl bare_leaf\n"
    ".type bare_leaf, @function\n"
    "bare_leaf:\n"
    "    lea 1(%rdi), %rax\n"
    "    nop\n"
    "    ret\n"
    ".size bare_leaf, .-bare_leaf\n"
    ".globl bare_caller\n"
    ".type bare_caller, @function\n"
    "bare_caller:\n"
    "    push %rbx\n"
    "    sub $32, %rsp\n"
    "    call from_assembly\n"
    "    add $32, %rsp\n"
    "    pop %rbx\n"
    "    ret\n"
    ".size bare_caller, .-bare_caller\n");

long bare_leaf(long x);
long bare_caller(long x);

long from_assembly(long x)
{
    return x * 3;                       /* called by assembly */
}

__attribute__((noinline)) long use(long x)
{
    long y = bare_leaf(x);
    long z = bare_caller(y);
    return y + z;
}

int main(void)
{
    printf("%ld\n", use(4));
    return 0;
}
