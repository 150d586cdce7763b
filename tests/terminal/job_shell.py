"""The least of a shell with job control: runs one job, tells when it stopped and in which state the terminal is, ``fg`` goes on."""

from __future__ import annotations

import os
import signal
import sys
import termios


def tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.signal(signal.SIGTTIN, signal.SIG_IGN)
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    defaults = [signal.SIGTTOU, signal.SIGTTIN, signal.SIGTSTP]
    job = os.posix_spawn(sys.argv[1], sys.argv[1:], dict(os.environ), setpgroup=0, setsigdef=defaults)
    os.tcsetpgrp(0, job)
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        os.tcsetpgrp(0, os.getpgrp())
        if not os.WIFSTOPPED(status):
            code = os.waitstatus_to_exitcode(status)
            tell(f"shell: ended with {code}")
            return code
        modes = termios.tcgetattr(0)[3]
        echo = "on" if modes & termios.ECHO else "off"
        canonical = "on" if modes & termios.ICANON else "off"
        by = signal.Signals(os.WSTOPSIG(status)).name
        tell(f"shell: stopped by {by}, echo {echo}, canonical {canonical}")
        while sys.stdin.readline().strip() != "fg":
            pass
        os.tcsetpgrp(0, job)
        os.killpg(job, signal.SIGCONT)


if __name__ == "__main__":
    sys.exit(main())
