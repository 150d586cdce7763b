"""Puts what was made into a file, so that a failure on the way leaves what stood there before.

Main thread.  Files are made with mode 0600: a recording may hold what a program printed.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterable, Mapping

from tracedbg.eventlog.ownership import hand_back
from tracedbg.model.errors import BadArgument
from tracedbg.model.text import visible

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,120}")


def save(path: str, parts: Iterable[bytes]) -> None:
    """Make or replace a file: written beside it, synced, and renamed, so there is never half of one.

    What is no ordinary file (a FIFO, a terminal) is written to as it is; a link is followed; a file that was there keeps its mode.

    Args:
        path: of the file.
        parts: its bytes, piece by piece.

    Raises:
        BadArgument: it cannot be written.
    """
    try:
        mode = stat.S_IFREG | 0o600
        with contextlib.suppress(FileNotFoundError):
            mode = os.stat(path).st_mode
        if stat.S_ISREG(mode):
            _beside(os.path.realpath(path), parts, stat.S_IMODE(mode))
        else:
            with open(path, "wb") as file:
                file.writelines(parts)
    except OSError as error:
        raise BadArgument(f"{visible(path)} cannot be written: {error.strerror}", "name another file with -o") from None


def _beside(path: str, parts: Iterable[bytes], mode: int) -> None:
    beside = os.path.join(os.path.dirname(path), f".{os.path.basename(path)[:200]}.{os.getpid()}.new")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fchmod(file.fileno(), mode)
            hand_back(file.fileno(), os.path.dirname(path))
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise


def save_all(folder: str, files: Mapping[str, str | bytes]) -> None:
    """Several files into a directory, which is made if it is not there; other files in it are left alone.

    Args:
        folder: the directory.
        files: name to content; each name a plain one.

    Raises:
        BadArgument: it cannot be made or written.
    """
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        raise BadArgument(f"{visible(folder)} cannot be made: {error.strerror}", "name another directory with -o") from None
    for name, content in files.items():
        if not _PLAIN_NAME.fullmatch(name):
            raise BadArgument(f"{visible(name)} is no name for a file", "ask for one section with --section")
        save(os.path.join(folder, name), [as_bytes(content)])


def as_bytes(content: str | bytes) -> bytes:
    """As it stands in a file."""
    return content.encode("utf-8") if isinstance(content, str) else content
