/* A program that uses its terminal; the argument says how: ask, password, keys, size, hostile, flood, catch. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static void show_size(int number)
{
    struct winsize size;
    char text[64];
    (void)number;
    ioctl(0, TIOCGWINSZ, &size);
    int length = snprintf(text, sizeof text, "size %dx%d\n", size.ws_col, size.ws_row);
    if (write(1, text, length) < 0)
        _exit(3);
}

static void caught(int number)
{
    (void)number;
    static const char text[] = "caught SIGINT\n";
    if (write(1, text, sizeof text - 1) < 0)
        _exit(3);
}

static void modes(int on, tcflag_t flags)
{
    struct termios now;
    tcgetattr(0, &now);
    now.c_lflag = on ? now.c_lflag | flags : now.c_lflag & ~flags;
    tcsetattr(0, TCSANOW, &now);
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "ask";
    char line[200], key;

    if (!strcmp(how, "ask")) {
        printf("your name? ");
        fflush(stdout);
        while (fgets(line, sizeof line, stdin)) {
            line[strcspn(line, "\n")] = 0;
            printf("hello <%s>\nyour name? ", line);
            fflush(stdout);
        }
        puts("no more input");
    } else if (!strcmp(how, "password")) {
        modes(0, ECHO);
        printf("Password: ");
        fflush(stdout);
        if (!fgets(line, sizeof line, stdin))
            return 1;
        modes(1, ECHO);
        printf("\n%zu characters\n", strcspn(line, "\n"));
    } else if (!strcmp(how, "keys")) {
        /* like a full-screen program: the alternate screen, the mouse, single keys; it cleans up nothing */
        modes(0, ICANON | ECHO | ISIG);
        printf("\033[?1049h\033[?1000h\033[?25l\033[2J\033[HFULL SCREEN\r\n");
        fflush(stdout);
        while (read(0, &key, 1) == 1 && key != 'q') {
            printf("key %02x\r\n", key & 0xff);
            fflush(stdout);
            if (key == 's')
                raise(SIGUSR1);
        }
    } else if (!strcmp(how, "size")) {
        signal(SIGWINCH, show_size);
        show_size(0);
        for (;;)
            pause();
    } else if (!strcmp(how, "catch")) {
        signal(SIGINT, caught);
        puts("ready");
        fflush(stdout);
        for (;;)
            pause();
    } else if (!strcmp(how, "hostile")) {
        fputs("title \033]0;owned\007 clear \033[2J\033[H color \033[31m c1 \233" "2J bidi \342\200\256cba back\b\b\rover\n", stdout);
        fputs("report \033[6n\033[c\033]52;c;aGk=\007 \303\050 done\n", stdout);
        for (int i = 0; i < 20000; i++)
            putchar('a' + i % 26);
        fputs("END", stdout);
        fflush(stdout);
        for (;;)
            pause();
    } else if (!strcmp(how, "flood")) {
        static unsigned char block[65536];
        long blocks = argc > 2 ? atol(argv[2]) * 16 : 16;
        for (size_t i = 0; i < sizeof block; i++)
            block[i] = i % 37 ? (unsigned char)(i * 7) : '\n';
        while (blocks--)
            if (fwrite(block, 1, sizeof block, stdout) != sizeof block)
                return 1;
        puts("\nflood over");
    }
    return 0;
}
