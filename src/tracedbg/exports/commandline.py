"""`tracedbg export`: a recording as something else.

Main thread of a process that traces nothing; no exporter needs ptrace, drgn or a terminal.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from tracedbg.eventlog.recordings import Recording, load
from tracedbg.model.errors import BadArgument
from tracedbg.model.text import visible


def _markdown(recording: Recording) -> str:
    from .story import tell
    from .transcript import transcript

    return transcript(tell(recording))


def _cast(recording: Recording, version: int = 2) -> str:
    from .cast import cast
    from .story import tell

    return cast(tell(recording), version)


def _perfetto(recording: Recording) -> str:
    from .perfetto import perfetto

    return perfetto(recording)


def _walkthrough(recording: Recording) -> str:
    from .walkthrough import walkthrough

    return walkthrough(recording)


FORMS: dict[str, tuple[Callable[[Recording], str], str]] = {
    "markdown": (_markdown, "a page: text, questions, commands and the log"),
    "cast": (_cast, "an asciicast, version 2: for asciinema and its players, a marker for each section"),
    "cast-v3": (lambda recording: _cast(recording, 3), "the same, version 3"),
    "walkthrough": (_walkthrough, "of a session of your own: the skeleton of a lesson, with expectations that pass"),
    "perfetto": (_perfetto, "a Chrome trace: a lane for each thread, for https://ui.perfetto.dev"),
}
"""What there is, and for what."""


def main(argv: Sequence[str]) -> int:
    """Run it; the exit status.

    Args:
        argv: what followed ``export``.

    Raises:
        UserError: the file is no recording, is damaged, or the output cannot be written.
    """
    forms = "\n".join(f"  {name:<11} {about}" for name, (_, about) in FORMS.items())
    parser = argparse.ArgumentParser(
        prog="tracedbg export",
        description="Write a recording as something else; it is read only, nothing in it is run.",
        epilog=f"forms:\n{forms}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="a recording: what --events and tracedbg record write")
    parser.add_argument("--to", required=True, choices=FORMS, metavar="FORM", help="which form")
    parser.add_argument("-o", "--output", default="", metavar="OUT", help="where to; standard output unless told")
    given = parser.parse_args(argv)
    recording = load(given.file)
    if recording.note:
        sys.stderr.write(f"tracedbg: {recording.note}\n")
    text = FORMS[given.to][0](recording)
    if given.output in ("", "-"):
        sys.stdout.write(text)
    else:
        _write(given.output, text)
    return 0


def _write(path: str, text: str) -> None:
    """A new file, or the old one's contents replaced, readable by its owner: a recording may hold what a program printed."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise BadArgument(f"{visible(path)} cannot be written: {error.strerror}", "name another file with -o") from None
