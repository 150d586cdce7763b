"""Source text: finding the file that the compiler read, and lines of it.

Runs on the thread that shows source.  It reads files and nothing else; a file is read again when its time stamp changes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from tracedbg.model.errors import NotFound
from tracedbg.model.text import Shown, visible


@dataclass(frozen=True, slots=True)
class _Text:
    """A file as read: its lines and the facts that tell whether it has changed."""

    stamp: tuple[int, int, int]
    lines: tuple[str, ...]


class SourceText:
    """Source files by the name that the debug information gives them.

    Args:
        directories: where to look for files that are not at their recorded path, first by as much of the recorded path as
            exists below them, then by the bare file name.
        compile_directory: what relative names are relative to (DW_AT_comp_dir); empty for the current directory.
    """

    def __init__(self, directories: Sequence[str] = (), compile_directory: str = "") -> None:
        self.directories = tuple(directories)
        self.compile_directory = compile_directory
        self._texts: dict[str, _Text] = {}

    def find(self, path: str) -> str:
        """Return the name under which the file can be read.

        Raises:
            NotFound: it is nowhere.
        """
        candidates = [os.path.join(self.compile_directory, path)]
        parts = [part for part in path.split("/") if part not in ("", ".", "..")]
        for directory in self.directories:
            candidates += [os.path.join(directory, *parts[skip:]) for skip in range(len(parts))]
        for candidate in candidates:
            # A FIFO or terminal under that name would block the reader.
            try:
                if stat.S_ISREG(os.stat(candidate).st_mode):
                    return candidate
            except (OSError, ValueError):
                continue
        raise NotFound(f"the source file {path} is not here", "copy it there, or name the directory it is in with `directory DIR`")

    def _read(self, path: str) -> _Text:
        name = self.find(path)
        try:
            with open(name, "rb") as file:
                facts = os.fstat(file.fileno())
                stamp = (facts.st_mtime_ns, facts.st_size, facts.st_ino)
                known = self._texts.get(name)
                if known is not None and known.stamp == stamp:
                    return known
                data = file.read()
        except OSError as error:
            raise NotFound(f"the source file {name} cannot be read: {error.strerror}", "check its permissions") from error
        text = data.decode("utf-8", "backslashreplace")
        # Not str.splitlines(): it also cuts at form feeds, which compilers do not count as lines.
        lines = text.replace("\r\n", "\n").split("\n")
        if lines and not lines[-1]:
            lines.pop()
        self._texts[name] = _Text(stamp, tuple(lines))
        return self._texts[name]

    def count(self, path: str) -> int:
        """The number of lines of a file.

        Raises:
            NotFound: the file cannot be read.
        """
        return len(self._read(path).lines)

    def lines(self, path: str, first: int, last: int) -> list[tuple[int, Shown]]:
        """Lines `first` to `last`, both included and 1-based, as far as the file has them.

        Tabs are expanded to every eighth column, since they would not pass `visible`.

        Raises:
            NotFound: the file cannot be read, or it ends before `first`.
        """
        lines = self._read(path).lines
        first = max(first, 1)
        if first > len(lines):
            raise NotFound(f"line {first} is out of range: {path} has {len(lines)} lines", "list an earlier line")
        return [(number, visible(lines[number - 1].expandtabs())) for number in range(first, min(last, len(lines)) + 1)]

    def warning(self, path: str, binary: str) -> str:
        """One clause when the source file is newer than the program made from it; empty when it is not, or nobody knows."""
        try:
            newer = os.stat(self.find(path)).st_mtime_ns > os.stat(binary).st_mtime_ns
        except (OSError, NotFound):
            return ""
        return visible(f"{path} is newer than {binary}: lines may be wrong until it is compiled again") if newer else ""
