"""Files of a program that is about to start: its terminal, its redirections, its own path.

Command thread.  It starts nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from tracedbg.kernel.spawn import SpawnSpec
from tracedbg.model.errors import BadArgument, NotFound
from tracedbg.model.startup import ProgramArgs
from tracedbg.model.text import visible

from .settings import Settings


class StartFiles:
    """Open descriptors for a program's 0, 1 and 2; -1 where its terminal is meant.  All close-on-exec in this process."""

    def __init__(self) -> None:
        self.stdin = self.stdout = self.stderr = -1
        self._tty = -1

    def open_tty(self, path: str) -> int:
        """Open a terminal that the user named.

        Raises:
            BadArgument: it cannot be opened, or is no terminal.
        """
        try:
            self._tty = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as error:
            raise BadArgument(f"terminal {path} cannot be opened: {error.strerror}", "the command tty prints a terminal's name") from error
        if not os.isatty(self._tty):
            raise BadArgument(f"{path} is no terminal", "the command tty prints a terminal's name")
        return self._tty

    def close(self) -> None:
        """Close what was opened."""
        for fd in (self.stdin, self.stdout, self.stderr, self._tty):
            if fd >= 0:
                os.close(fd)
        self.stdin = self.stdout = self.stderr = self._tty = -1


def open_files(wanted: ProgramArgs, cwd: str) -> StartFiles:
    """Open the files of a redirection, relative to the program's working directory.

    Raises:
        NotFound: the input does not exist.
        BadArgument: a file cannot be opened.
    """
    files = StartFiles()
    writing = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if wanted.append else os.O_TRUNC)
    try:
        if wanted.stdin:
            files.stdin = _open(wanted.stdin, cwd, os.O_RDONLY)
        if wanted.stdout:
            files.stdout = _open(wanted.stdout, cwd, writing)
        if wanted.stderr:
            files.stderr = _open(wanted.stderr, cwd, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        elif wanted.both and files.stdout >= 0:
            files.stderr = os.dup(files.stdout)
    except BaseException:
        files.close()
        raise
    return files


def _open(path: str, cwd: str, flags: int) -> int:
    try:
        return os.open(os.path.join(cwd, os.path.expanduser(path)), flags | os.O_CLOEXEC | os.O_NOCTTY, 0o666)
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {visible(path)}", "name an existing file to read from") from error
    except OSError as error:
        raise BadArgument(f"{visible(path)} cannot be opened: {error.strerror}", "name another file") from error


def spawn_spec(
    path: str, argv: tuple[str, ...], environment: Mapping[str, str], settings: Settings, files: StartFiles, terminal_fd: int
) -> SpawnSpec:
    """What to start, by the settings.

    Args:
        path: the program's file.
        argv: its arguments, without the name.
        environment: before the changes that the settings ask for.
        settings: environment, directory, randomisation.
        files: redirections.
        terminal_fd: the program's terminal.
    """
    env = {**environment, "TERM": "dumb", **settings.environment}
    for name in settings.unset:
        env.pop(name, None)
    stdio = (files.stdin, files.stdout, files.stderr)
    return SpawnSpec(path, [path, *argv], env, terminal_fd, stdio, settings.cwd, not settings.disable_randomization)


def resolve(path: str) -> str:
    """The absolute path of a program: a path as it is, a bare name in the working directory first, then in PATH.

    A name that is found nowhere comes back as a path here, so that checking it says that it is missing.
    """
    path = os.path.expanduser(path)
    here = os.path.abspath(path)
    if "/" in path or os.path.exists(here):
        return here
    for directory in os.environ.get("PATH", os.defpath).split(os.pathsep):
        candidate = os.path.join(directory, path)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return os.path.abspath(candidate)
    return here
