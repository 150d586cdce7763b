/* Loads the shared library named by its argument, calls its function `answer`, unloads it, and does so again. */
#include <dlfcn.h>
#include <stdio.h>

static void loaded(int round) { (void)round; }
static void unloaded(int round) { (void)round; }

int main(int argc, char **argv)
{
    for (int round = 1; round <= 2; round++) {
        void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : 0;
        int (*answer)(int) = library ? (int (*)(int))dlsym(library, "answer") : 0;
        if (!answer)
            return 1;
        loaded(round);
        printf("%d\n", answer(round));
        dlclose(library);
        unloaded(round);
    }
    return 0;
}
