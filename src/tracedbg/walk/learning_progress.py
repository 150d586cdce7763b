"""How far somebody has come in each lesson: one small file below the user's state directory.

Any thread, one at a time.  It never stops a lesson: a file that cannot be read counts as empty, one that cannot be written is said once.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from .document import Document
from .shipped import is_shipped, name_of


class Mark(msgspec.Struct, frozen=True):
    """How far one lesson was played.

    Args:
        step: slug of the last finished step, empty for none.
        digest: of the page's text up to the end of that step.
        guesses: for each finished step, the choices that were made (numbers from 0 on in file order; None where none was).
        done: it was played to its end.
    """

    step: str = ""
    digest: str = ""
    guesses: dict[str, tuple[int | None, ...]] = {}
    done: bool = False


class _File(msgspec.Struct, frozen=True):
    lessons: dict[str, Mark] = {}
    format: int = 1


def progress_path(environ: Mapping[str, str]) -> Path | None:
    """Where it belongs: ``$XDG_STATE_HOME/tracedbg/lessons.json`` or ``~/.local/state/tracedbg/lessons.json``.

    A relative ``XDG_STATE_HOME`` is ignored, as the XDG base directory specification demands.
    """
    for variable, below in (("XDG_STATE_HOME", ""), ("HOME", ".local/state")):
        if environ.get(variable, "").startswith("/"):
            return Path(environ[variable], below, "tracedbg", "lessons.json")
    return None


class Page(Protocol):
    """A lesson, or its outline."""

    @property
    def path(self) -> str:
        """Its file."""


def key_of(document: Page) -> str:
    """A lesson's name in the file: that of one of ours, or the place of a foreign one."""
    path = Path(document.path).resolve()
    return name_of(path) if is_shipped(path) else str(path)


def digest_to(document: Document, slug: str) -> str:
    """A hash of the text from the beginning to the end of a step."""
    after = [step.line for step in document.steps if step.line > _line(document, slug)]
    lines = document.text.splitlines(keepends=True)
    text = "".join(lines[: after[0] - 1] if after else lines)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _line(document: Document, slug: str) -> int:
    step = document.step(slug)
    return step.line if step is not None else 0


class Progress:
    """The file.

    Args:
        path: None keeps everything in memory.

    Attributes:
        trouble: why it is not written; empty while it is.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.trouble = "" if path is not None else "there is no home directory"
        self._lessons = self._read()

    def _read(self) -> dict[str, Mark]:
        if self._path is None:
            return {}
        try:
            return dict(msgspec.json.decode(self._path.read_bytes(), type=_File).lessons)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):  # not there yet, damaged, or of a later version
            return {}

    def mark(self, document: Page) -> Mark:
        """How far this lesson was played."""
        return self._lessons.get(key_of(document), Mark())

    def note(self, document: Document, mark: Mark) -> None:
        """Write down how far it was played."""
        self._lessons = {**self._read(), key_of(document): mark}
        self._write()

    def forget(self, document: Document) -> None:
        """As if it had never been played."""
        self._lessons = {key: mark for key, mark in self._read().items() if key != key_of(document)}
        self._write()

    def _write(self) -> None:
        if self._path is None:
            return
        data = msgspec.json.format(msgspec.json.encode(_File(self._lessons)), indent=1)
        folder = self._path.parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.stat().st_uid != os.geteuid():
                # Under sudo with the user's HOME: a file made by root there could not be written by its owner later.
                self.trouble = f"{folder} belongs to uid {folder.stat().st_uid}"
                return
            fd, name = tempfile.mkstemp(prefix=".lessons-", dir=folder)
            try:
                with os.fdopen(fd, "wb") as file:
                    file.write(data + b"\n")
                os.replace(name, self._path)  # whole or not at all, also beside another tracedbg
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(name)
                raise
        except OSError as error:
            self.trouble = f"{self._path} cannot be written: {error.strerror}"
