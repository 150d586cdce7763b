/* A shared library with one function: compile with -shared -fPIC. */
int answer(int round)
{
    int result = 40 + round;
    return result;                      /* inside the library */
}
