"""The walkthroughs that come with tracedbg, their recordings, and what a foreign one would run.

Any thread; reads files only.  Nothing is ever looked for in the working directory: a file from elsewhere is named by its path.
"""

from __future__ import annotations

import re
from pathlib import Path

from tracedbg.lang.grammar import parse as parse_line
from tracedbg.model.errors import NotFound, UserError
from tracedbg.model.text import Shown, visible

from .document import Document

HOME = Path(__file__).resolve().parent.parent / "walkthroughs"
RECORDINGS = HOME.parent / "recordings"
_NUMBER = re.compile(r"^\d+-")
_STARTS = frozenset({"launch", "run", "start", "starti", "attach", "file", "puppet"})
_CALLS_THAT_START = frozenset({"fork", "vfork", "clone", "clone3", "exec", "execve", "execveat", "puppet"})
"""Commands, and calls of actors, that bring programs or processes to life or take hold of them."""


def lessons(home: Path = HOME) -> list[Path]:
    """The files of a folder of walkthroughs, by number."""
    return sorted(home.glob("[0-9][0-9]-*.md"))


def name_of(path: Path) -> str:
    """What a lesson is called: its file's name without number and ending."""
    return _NUMBER.sub("", path.stem)


def find(name: str, home: Path = HOME) -> Path:
    """The file that a person means by a lesson's name or by a path.

    Raises:
        NotFound: neither.
    """
    for path in lessons(home):
        if name in (name_of(path), path.stem, path.stem.split("-", 1)[0]):
            return path
    # A bare word is the name of a lesson; a file is named with its ending or its folder.
    if "/" in name or name.endswith(".md"):
        return Path(name)
    known = ", ".join(name_of(path) for path in lessons(home))
    raise NotFound(f"there is no lesson '{name}'", f"lessons are {known or 'not installed'}; a file is named by its path")


def recording_of(name: str) -> Path | None:
    """The recording of a lesson that ships, by its name or number; None if there is no such lesson, or it has none."""
    for path in lessons():
        if name in (name_of(path), path.stem, path.stem.split("-", 1)[0]):
            recording = RECORDINGS / f"{path.stem}.jsonl"
            return recording if recording.is_file() else None
    return None


def is_shipped(path: str | Path) -> bool:
    """It lies in the folder that came with tracedbg, links followed."""
    return Path(path).resolve().parent == HOME


def what_it_runs(document: Document) -> list[Shown]:
    """What to show a person before a foreign page runs: the lines that start something, and the C programs, in file order."""
    found: list[tuple[int, list[Shown]]] = []
    for tracee in document.tracees:
        flags = "".join(f" {flag}" for flag in tracee.cflags)
        head = visible(f"{document.path}:{tracee.line}: compiles ./{tracee.name} (cc{flags}):")
        found.append((tracee.line, [head, *(visible(f"    {line}") for line in tracee.source.rstrip("\n").split("\n"))]))
    lines = (line for block in document.blocks() for line in block.lines if _starts(line.text))
    found += [(line.line, [visible(f"{document.path}:{line.line}: {line.text.strip()}")]) for line in lines]
    return [line for _, lines in sorted(found, key=lambda each: each[0]) for line in lines]


def _starts(text: str) -> bool:
    from tracedbg.commands.table import all_commands  # a recording is found without all that commands need

    try:
        line = parse_line(text)
        if line.actors:
            return line.verb in _CALLS_THAT_START
        return all_commands().command([line.verb, *(word.text for word in line.words)])[0].name in _STARTS
    except UserError:  # a page is checked when it is read; what is not understood here is shown rather than hidden
        return True
