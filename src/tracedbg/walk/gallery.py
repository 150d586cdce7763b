"""`tracedbg export --site DIR`: all lessons with their recorded timelines, as files for any web host.

Main thread of a process that traces nothing.  All of it is made beside DIR and then put in place; what somebody else put into DIR is
never touched.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from tracedbg import __version__
from tracedbg.eventlog.recordings import load
from tracedbg.exports.editing import written
from tracedbg.exports.redacting import redact
from tracedbg.model.errors import BadArgument
from tracedbg.model.text import visible
from tracedbg.render.progress import Progress

from .exhibits import FILES, Exhibit, exhibit, shipped_recordings, timeline, to_take_away
from .gallery_page import front_page

FRONT = "index.html"
LISTING = ".tracedbg-site.json"
"""Names the files that a former run made: these it may replace and remove."""

_UNFINISHED = ".tracedbg-site-"
"""Begins the name of a folder in which a site is being made."""

TITLE = "How a debugger works, seen from the kernel"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}")
_PATH = re.compile(rf"(?:[a-z]+/)?{_NAME.pattern}")
_MOST_LISTING = 4 << 20


def main(argv: Sequence[str], out: TextIO) -> int:
    """Run it; the exit status.

    Args:
        argv: what followed ``export``.
        out: for the report.

    Raises:
        UserError: DIR belongs to something else or cannot be written, or a file is no recording.
    """
    parser = argparse.ArgumentParser(
        prog="tracedbg export",
        description="Make a web site of all lessons with their recorded timelines: for any host, or to open from the disk.",
        epilog="A directory that holds a former site is brought up to date; other files in it stay.",
    )
    parser.add_argument("--site", required=True, metavar="DIR", help="where to; made if it is not there")
    parser.add_argument("--title", default=TITLE, metavar="T", help="of the site")
    parser.add_argument("--redact", action="store_true", help="replace addresses and paths in your own")
    parser.add_argument("files", nargs="*", metavar="FILE", help="recordings of your own, shown behind the lessons")
    given = parser.parse_args(argv)
    began = time.monotonic()
    site = os.path.realpath(given.site)
    former = _former(site)
    # On the same file system as its place: beside it, or, where DIR is there already and may be a mount point, in it.
    new = not os.path.isdir(site)
    try:
        os.makedirs(os.path.dirname(site), exist_ok=True)
        beside = tempfile.mkdtemp(prefix=_UNFINISHED, dir=os.path.dirname(site) if new else site)
    except OSError as error:
        raise BadArgument(f"{visible(given.site)} cannot be made: {error.strerror}", "name another directory") from None
    try:
        sizes, lessons = _build(Path(beside), given.title, given.files, redacted=given.redact)
        if new:
            os.rename(beside, site)
        else:
            _put(Path(beside), Path(site), former, [*sizes, LISTING])
    except OSError as error:
        raise BadArgument(f"{visible(given.site)} cannot be written: {error.strerror}", "name another directory") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    seconds = time.monotonic() - began
    out.write(f"{lessons} recordings, {len(sizes)} files, {sum(sizes.values()) / 1e6:.1f} MB in {seconds:.1f} s: ")
    out.write(f"{visible(os.path.join(given.site, FRONT))}\n")
    return 0


# --- making -------------------------------------------------------------------------------------------------------------------
def _build(folder: Path, title: str, files: Sequence[str], *, redacted: bool) -> tuple[dict[str, int], int]:
    """Write a whole site into an empty folder: its files with their sizes, and how many recordings it shows."""
    sources: list[tuple[str, str, Path | None]] = [(page.stem, str(recording), page) for page, recording in shipped_recordings()]
    sources += [(name, path, None) for name, path in _named(files, {name for name, _, _ in sources})]
    sizes: dict[str, int] = {}
    shown: list[Exhibit] = []
    with Progress(sys.stderr, "making the site") as progress:
        for number, (name, path, lesson) in enumerate(sources):
            progress(number, len(sources))
            recording = load(path)
            if recording.note:
                sys.stderr.write(f"tracedbg: {visible(path)}: {recording.note}\n")
            if redacted and lesson is None:
                recording = redact(recording)
            page = timeline(recording)
            one = exhibit(name, recording, page, lesson)
            shown.append(one)
            made = [(one.page, page), *to_take_away(name, recording), (f"{FILES}/{name}.jsonl", b"".join(written(recording)))]
            if lesson is not None:
                made.append((f"{FILES}/{name}.md", lesson.read_bytes()))
            for where, content in made:
                sizes[where] = _write(folder / where, content)
        sizes[FRONT] = _write(folder / FRONT, front_page(title, shown, __version__, sizes))
    _write(folder / LISTING, json.dumps({"made-by": "tracedbg", "files": [*sizes, LISTING]}, indent=0) + "\n")
    folder.chmod(0o777 & ~_umask())
    return sizes, len(shown)


def _named(files: Sequence[str], taken: set[str]) -> Iterator[tuple[str, str]]:
    """A name of its own for each file that was given."""
    for path in files:
        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", os.path.basename(path).split(".", 1)[0]).strip("-") or "recording"
        name, number = plain[:60], 2
        while name in taken:
            name, number = f"{plain[:60]}-{number}", number + 1
        taken.add(name)
        yield name, path


def _write(path: Path, content: str | bytes) -> int:
    path.parent.mkdir(exist_ok=True)
    data = content.encode("utf-8") if isinstance(content, str) else content
    path.write_bytes(data)
    return len(data)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


# --- putting in place ---------------------------------------------------------------------------------------------------------
def _former(site: str) -> tuple[str, ...]:
    """The files of a former site in that directory; none if it is empty or not there.

    Raises:
        BadArgument: something else is there.
    """
    if not os.path.lexists(site):
        return ()
    if not os.path.isdir(site):
        raise BadArgument(f"{visible(site)} is no directory", "name another one")
    if all(name.startswith(_UNFINISHED) for name in os.listdir(site)):  # a run that was killed leaves one
        return ()
    try:
        with open(os.path.join(site, LISTING), "rb") as file:
            listing = json.loads(file.read(_MOST_LISTING))
        files = listing["files"]
        if isinstance(files, list) and all(each == LISTING or _PATH.fullmatch(each) for each in files):
            return tuple(files)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise BadArgument(f"{visible(site)} is not empty, and holds no site that tracedbg made", "name a new or an empty directory")


def _put(beside: Path, site: Path, former: Sequence[str], files: Sequence[str]) -> None:
    """One file after the other, the front page last, and then what is no longer needed goes."""
    for name in sorted(files, key=lambda name: (name == FRONT, name)):
        target = site / name
        if target.parent.is_symlink():
            raise BadArgument(f"{visible(str(target.parent))} is a link", "remove it, or name another directory")
        target.parent.mkdir(exist_ok=True)
        os.replace(beside / name, target)
    for name in set(former) - set(files):
        old = site / name
        if not old.parent.is_symlink():
            with contextlib.suppress(OSError):
                old.unlink()
