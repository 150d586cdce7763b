"""The lines typed before, in a file of the user's own.

UI thread only.  Reads and writes one file below the user's state directory, mode 0600, never the current directory; without such a
place the history lives in memory.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from prompt_toolkit.history import History

from tracedbg.model.text import visible

MAX_LINES = 1000
MAX_BYTES = 256 * 1024


def history_path(environ: Mapping[str, str]) -> Path | None:
    """Where the history belongs: ``$XDG_STATE_HOME/tracedbg/history`` or ``~/.local/state/tracedbg/history``.

    A relative ``XDG_STATE_HOME`` is ignored, as the XDG base directory specification demands.
    """
    state = environ.get("XDG_STATE_HOME", "")
    if state.startswith("/"):
        return Path(state) / "tracedbg" / "history"
    home = environ.get("HOME", "")
    if home.startswith("/"):
        return Path(home) / ".local" / "state" / "tracedbg" / "history"
    return None


class LineHistory(History):
    """One accepted line per line of the file; the newest thousand are kept.

    Args:
        path: the file, or None for memory only.

    Attributes:
        refused: why the file is not used; empty when it is.
    """

    def __init__(self, path: Path | None) -> None:
        super().__init__()
        self._path = path
        self.refused = "" if path is not None else "no home directory"
        if path is not None:
            self._prepare(path)

    def _prepare(self, path: Path) -> None:
        """Make the directory; give up the file where it is not ours alone."""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = path.parent.stat().st_uid
            if owner != os.geteuid():
                # Under sudo with the user's HOME: a file made by root there could not be written by its owner later.
                self._refuse(f"{path.parent} belongs to uid {owner}")
                return
            descriptor = self._open(os.O_RDONLY | os.O_CREAT)
            try:
                size = os.fstat(descriptor).st_size
            finally:
                os.close(descriptor)
            if size > MAX_BYTES:
                self._trim()
        except OSError as error:
            self._refuse(f"{path}: {error.strerror}")

    def _refuse(self, why: str) -> None:
        self.refused = str(visible(why))
        self._path = None

    def _open(self, flags: int) -> int:
        """The file's descriptor.  O_NOFOLLOW and the check on the open file: a link or a pipe in its place is refused."""
        assert self._path is not None
        descriptor = os.open(self._path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        try:
            info = os.fstat(descriptor)
            if not stat.S_ISREG(info.st_mode):
                raise OSError(0, "is not a regular file")
            if info.st_uid != os.geteuid():
                raise OSError(0, f"belongs to uid {info.st_uid}")
            if stat.S_IMODE(info.st_mode) & 0o077:
                os.fchmod(descriptor, 0o600)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def _read(self) -> list[str]:
        """The newest lines, oldest first."""
        with open(self._open(os.O_RDONLY), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                file.seek(size - MAX_BYTES)
                file.readline()  # its beginning is cut off
            data = file.read()
        # What the file holds may come from anywhere, and goes to the screen with one press of Up.
        lines = [str(visible(line)) for line in data.split(b"\n") if line]
        return lines[-MAX_LINES:]

    def _trim(self) -> None:
        """Rewrite the file with its newest lines, so that a reader sees the old file or the new one."""
        assert self._path is not None
        lines = self._read()
        fresh = self._path.with_name(f"history.{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write("".join(line + "\n" for line in lines[-MAX_LINES // 2 :]).encode("utf-8", "backslashreplace"))
        fresh.replace(self._path)

    def load_history_strings(self) -> Iterable[str]:
        """Newest first, as the base class asks."""
        if self._path is None:
            return []
        try:
            return reversed(self._read())
        except OSError as error:
            self._refuse(f"{self._path}: {error.strerror}")
            return []

    def store_string(self, string: str) -> None:
        """Append one line with one write, so that two sessions never mix within a line."""
        if self._path is None:
            return
        data = str(visible(string.replace("\n", " "))).encode("utf-8", "backslashreplace") + b"\n"
        try:
            descriptor = self._open(os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            try:
                os.write(descriptor, data)
            finally:
                os.close(descriptor)
        except OSError as error:
            self._refuse(f"{self._path}: {error.strerror}")
