"""The only fork.

Runs on the thread that shall be the parent: the tracer for a program, since TRACEME makes the forking *thread* the tracer, and any
thread of ours for a puppet.  The child side makes a dozen calls that were bound
before, then exec; what fails travels back through a close-on-exec pipe as a stage and an errno.  It must not log, print or take a
lock in the child.  Source: ptrace(2) PTRACE_TRACEME, fork(2), setsid(2), tty_ioctl(4) TIOCSCTTY.
"""

from __future__ import annotations

import errno as _errno
import fcntl
import os
import signal
import termios
import warnings
from collections.abc import Mapping, Sequence

import msgspec

from tracedbg.model.ids import Pid

from . import raw

STAGES = ("setsid", "terminal", "redirect", "directory", "signals", "personality", "traceme", "exec")
"""Where a child can fail, in order; a stage travels as its place in this list."""
_FATAL = 0x80
EXIT_FAILED = 127
"""Exit status of a child that did not get to its program."""


class SpawnSpec(msgspec.Struct, frozen=True):
    """What to start and how.

    Args:
        path: the program's file.
        argv: its arguments, the name first.
        env: its whole environment.
        terminal: descriptor of the slave side of its pty, becomes the controlling terminal; -1 for none.
        stdio: descriptors for 0, 1 and 2; -1 takes the terminal.
        cwd: working directory, empty for ours.
        randomize: leave address space randomisation as it is.
        trace: PTRACE_TRACEME before exec.
        keep: descriptors that become 3, 4 ... of the program.
    """

    path: str
    argv: Sequence[str]
    env: Mapping[str, str]
    terminal: int = -1
    stdio: tuple[int, int, int] = (-1, -1, -1)
    cwd: str = ""
    randomize: bool = False
    trace: bool = True
    keep: tuple[int, ...] = ()


class Spawned(msgspec.Struct):
    """A child and the pipe that tells what went wrong before its exec.

    Args:
        pid: of the child.
        pipe: read end, non-blocking; -1 once read to its end.
        told: what it has told up to now.
    """

    pid: Pid
    pipe: int
    told: list[tuple[str, int, bool]] = []

    def trouble(self) -> list[tuple[str, int, bool]]:
        """What the child reported so far: `(stage, errno, fatal)`; never blocks.

        A signal may stop the traced child before its exec, so nobody may wait here for the end of the pipe.
        """
        if self.pipe >= 0:
            try:
                data = os.read(self.pipe, 64)
            except BlockingIOError:
                return self.told
            for at in range(0, len(data) - 1, 2):
                stage = data[at] & ~_FATAL
                self.told.append((STAGES[stage], data[at + 1], bool(data[at] & _FATAL)))
            if not data:
                self._shut()
        return self.told

    def close(self) -> None:
        """Close the pipe; what the child has written stays known, also when it has ended meanwhile."""
        self.trouble()
        self._shut()

    def _shut(self) -> None:
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1


def fork_exec(spec: SpawnSpec) -> Spawned:
    """Fork on the calling thread; the child becomes `spec`'s program.

    Raises:
        OSError: no pipe or no process could be made.
    """
    read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    argv = [os.fsencode(word) for word in spec.argv]
    env = {os.fsencode(name): os.fsencode(value) for name, value in spec.env.items()}
    path = os.fsencode(spec.path)
    try:
        with warnings.catch_warnings():
            # Python 3.12 warns that forking with threads may deadlock in the child.  Ours takes no lock before exec, and the fork
            # has to happen on this thread: it is what makes this thread the tracer.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()  # noqa: TID251  (law 2's one exception)
    except OSError:
        os.close(read_end)
        os.close(write_end)
        raise
    if pid == 0:
        _child(spec, path, argv, env, write_end)
    os.close(write_end)
    return Spawned(Pid(pid), read_end)


def fork_adopted() -> int:
    """Fork without exec, so that the nearest subreaper becomes the parent at once (prctl(2), PR_SET_CHILD_SUBREAPER).

    For a process with one thread that traces nothing: a copy of an interpreter with threads would have their locks and not them.

    Returns:
        0 in the new process, its pid in this one.
    """
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    between = os.fork()  # noqa: TID251  (law 2's one exception)
    if between == 0:
        pid = os.fork()  # noqa: TID251
        if pid == 0:
            os.close(read_end)
            os.close(write_end)
            return 0
        os.write(write_end, pid.to_bytes(4, "little"))
        os._exit(0)
    os.close(write_end)
    pid = int.from_bytes(os.read(read_end, 4), "little")
    os.close(read_end)
    raw.wait4(between, 0)  # when it has ended, its child has its new parent
    return pid


def _kept(keep: tuple[int, ...], report: int) -> int:
    """Move descriptors to 3, 4 ... in the child; the pipe's new number."""
    if not keep:
        return report
    # Out of the way first: one of them, or the pipe, may have the number that another is to get.
    away = 3 + len(keep)
    report = fcntl.fcntl(report, fcntl.F_DUPFD_CLOEXEC, away)
    for number, source in enumerate([fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, away) for each in keep], 3):
        os.dup2(source, number)
    return report


def _child(spec: SpawnSpec, path: bytes, argv: list[bytes], env: dict[bytes, bytes], report: int) -> None:
    """Everything between fork and exec; never returns."""
    stage = 0
    try:
        os.setsid()
        stage = 1
        if spec.terminal >= 0:
            fcntl.ioctl(spec.terminal, termios.TIOCSCTTY, 0)
        stage = 2
        for number, wanted in enumerate(spec.stdio):
            source = wanted if wanted >= 0 else spec.terminal
            if source >= 0:
                os.dup2(source, number)  # inheritable by default; the originals are close-on-exec
        report = _kept(spec.keep, report)
        stage = 3
        if spec.cwd:
            os.chdir(spec.cwd)
        stage = 4
        raw.child_default_signals()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        stage = 5
        if not spec.randomize:
            refused = raw.child_no_randomization()
            if refused:  # seccomp in a container: a notice, the program runs all the same
                os.write(report, bytes((stage, refused)))
        stage = 6
        if spec.trace:
            refused = raw.child_traceme()
            if refused:
                raise OSError(refused, "traceme")
        stage = 7
        os.execve(path, argv, env)
    except OSError as error:
        os.write(report, bytes((stage | _FATAL, error.errno or _errno.EINVAL)))
    except BaseException:  # nothing of the parent's Python may go on running here
        os.write(report, bytes((stage | _FATAL, _errno.EINVAL)))
    finally:
        os._exit(EXIT_FAILED)
