"""Makes the recordings that ship with the lessons: `src/tracedbg/recordings/NN-name.jsonl`.

    python -m tests.record_lessons [--all | NAME ...]

Without names it records each lesson whose page has changed.  As root, with tracefs and a C compiler, on a quiet machine: what a lesson
lacks here would be missing for everybody.  Each is played in a process of its own.  The play is fast; the time that a reader takes is
put in afterwards, at the places where the player paused.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tracedbg import cli
from tracedbg.session.lesson import Lesson
from tracedbg.walk import learning_alone, shipped

SPEED = 500.0
"""Of the play.  Not without any pause: what falls asleep in the background is seen asleep before the next block, as with a reader."""

LICENCE = "GPL-2.0-or-later"
PYTHON, FOLDER = "/usr/bin/python3", "/tmp/tracedbg-lesson"
"""Written for the interpreter and the folder of this play, whose names would tell of one machine."""

_PLACE = re.compile(rb'\{"seq":(\d+),"t":(\d+),')
_FOLDER = re.compile(rb"/tmp/tracedbg-[a-z0-9_]{8}\b")


class _Noting:
    """A lesson that notes where the player pauses, and for how long a reader would."""

    def __init__(self, lesson: Lesson, last: Callable[[], int], pauses: list[tuple[int, float]]) -> None:
        self._lesson, self._last, self._pauses = lesson, last, pauses

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lesson, name)

    @property
    def words(self) -> int:
        words = self._lesson.words
        self._pauses.append((self._last(), learning_alone.reading_seconds(words, 1.0)))
        return words


def play(page: Path, out: Path) -> int:
    """Record one lesson in this process; the exit status of the play."""
    pauses: list[tuple[int, float]] = []
    original = learning_alone.play_alone

    def alone(make: Any, *args: Any, **more: Any) -> int:
        def noting(session: Any, stage: Any) -> Any:
            return _Noting(make(session, stage), lambda: int(session.log.last), pauses)

        return original(noting, *args, **more)

    learning_alone.play_alone = alone
    status = cli.main(["record", str(page), "-o", str(out), "--speed", str(SPEED), "--licence", LICENCE, "--trust"])
    out.write_bytes(anywhere(paced(out.read_bytes(), pauses), page))
    return status


def paced(recording: bytes, pauses: list[tuple[int, float]]) -> bytes:
    """With a reader's pauses: what was logged after record number N comes so many seconds later."""
    shifts, lines, shift = sorted(pauses), [], 0
    for line in recording.splitlines(keepends=True):
        place = _PLACE.match(line)
        if place is not None:
            while shifts and int(place[1]) > shifts[0][0]:
                shift += int(shifts.pop(0)[1] * 1e9)
            line = b'{"seq":%b,"t":%d,' % (place[1], int(place[2]) + shift) + line[place.end() :]
        lines.append(line)
    return b"".join(lines)


def anywhere(recording: bytes, page: Path) -> bytes:
    """Without the names of this machine, and with that of the page in its header."""
    first, _, rest = recording.partition(b"\n")
    header = json.loads(first)
    header["walkthrough"] = {"name": shipped.name_of(page), "sha256": digest(page)}
    header["pauses"] = "put in afterwards: 200 words a minute"
    rest = _FOLDER.sub(FOLDER.encode(), rest)
    for python in {sys.executable, os.path.realpath(sys.executable)}:
        rest = rest.replace(python.encode(), PYTHON.encode())
    return json.dumps(header, separators=(",", ":")).encode("ascii") + b"\n" + rest


def digest(page: Path) -> str:
    """SHA-256 of a page, as its recording names it."""
    return hashlib.sha256(page.read_bytes()).hexdigest()


def is_current(page: Path) -> bool:
    """The recording that ships was made of this page."""
    path = shipped.recording_of(shipped.name_of(page))
    if path is None:
        return False
    with path.open("rb") as file:
        return bool(json.loads(file.readline()).get("walkthrough", {}).get("sha256") == digest(page))


def main(argv: list[str]) -> int:
    """Record what was named, or what is out of date; 1 if a lesson failed, which then keeps its old recording."""
    parser = argparse.ArgumentParser(prog="python -m tests.record_lessons", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="lessons; those whose page has changed unless told")
    parser.add_argument("--all", action="store_true", help="all lessons")
    parser.add_argument("--one", nargs=2, metavar=("PAGE", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.one:
        return play(Path(given.one[0]), Path(given.one[1]))
    if given.names:
        pages = [shipped.find(name) for name in given.names]
    else:
        pages = [page for page in shipped.lessons() if given.all or not is_current(page)]
    shipped.RECORDINGS.mkdir(exist_ok=True)
    bad = 0
    for page in pages:
        bad += not _record(page)
    return bool(bad)


def _record(page: Path) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.jsonl"
        command = [sys.executable, "-m", "tests.record_lessons", "--one", str(page), str(made)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
        said = "recorded"
        if done.returncode:
            said = f"failed:\n{done.stdout[-800:]}{done.stderr[-800:]}"
        elif left := re.findall(rb'"ev":"block.skip".*', made.read_bytes()):
            said = f"failed: blocks were left out: {left}"
        else:
            # In one step, so that a half-written file never stands there.
            beside = shipped.RECORDINGS / f"{page.stem}.new"
            beside.write_bytes(made.read_bytes())
            beside.chmod(0o644)
            beside.replace(shipped.RECORDINGS / f"{page.stem}.jsonl")
            said = f"{made.stat().st_size:,} bytes"
    sys.stderr.write(f"{page.stem}: {said}\n")
    return not said.startswith("failed")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
