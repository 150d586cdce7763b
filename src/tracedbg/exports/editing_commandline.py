"""`tracedbg trim` and `tracedbg note`: a recording is edited without touching its JSON.

Main thread of a process that traces nothing.  The result is written beside its place and renamed: a failure leaves what was there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tracedbg.eventlog.recordings import Recording
from tracedbg.model.errors import BadArgument
from tracedbg.model.text import visible
from tracedbg.render.progress import Progress

from .commandline import read
from .editing import entitle, remark, remarks, trim, written
from .saving import save

_HEADER = ("title", "author", "licence")


def main(name: str, argv: Sequence[str]) -> int:
    """Run one; the exit status.

    Args:
        name: ``trim`` or ``note``.
        argv: what followed it.

    Raises:
        UserError: the file cannot be read or written, or what was asked for is not in it.
    """
    return (_trim if name == "trim" else _note)(argv)


def _trim(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="tracedbg trim",
        description="Keep a part of a recording. What goes on across a cut is kept; the time that is cut out is closed.",
        epilog="PLACE is the number of a record, or the slug of a section: the file shows both ('seq', and 'slug' of a 'step').",
    )
    parser.add_argument("file", metavar="FILE", help="a recording")
    parser.add_argument("--from", dest="first", default="", metavar="PLACE", help="begin here")
    parser.add_argument("--to", dest="last", default="", metavar="PLACE", help="end here, this included")
    parser.add_argument(
        "--drop-section", action="append", default=[], metavar="SLUG", help="leave a section out; may be given several times"
    )
    parser.add_argument("--redact", action="store_true", help="replace addresses and paths")
    _add_output(parser)
    given = parser.parse_args(argv)
    if not (given.first or given.last or given.drop_section or given.redact):
        raise BadArgument("nothing is to be cut", "give --from, --to, --drop-section or --redact")
    recording = read(given.file)
    if given.first or given.last or given.drop_section:
        recording = trim(recording, given.first, given.last, given.drop_section)
    if given.redact:
        from .redacting import redact

        recording = redact(recording)
    _save(recording, given.output)
    return 0


def _note(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="tracedbg note",
        description="Add a note to a recording, replace or remove one, or change its header; without any of that, list the notes.",
    )
    parser.add_argument("file", metavar="FILE", help="a recording")
    parser.add_argument("text", nargs="*", metavar="TEXT", help="Markdown; it stands behind the record, in place of a note that is there")
    parser.add_argument("--at", type=int, default=None, metavar="SEQ", help="number of the record that the note is about")
    parser.add_argument("--remove", action="store_true", help="take the note there away")
    for name in _HEADER:
        parser.add_argument(f"--{name}", default=None, metavar="TEXT", help=f"the {name} of the recording; empty takes it away")
    _add_output(parser)
    given = parser.parse_intermixed_args(argv)
    text = " ".join(given.text).strip()
    fields = {name: getattr(given, name) for name in _HEADER}
    edits = bool(text) or given.remove or given.at is not None or any(value is not None for value in fields.values())
    if edits and ((given.at is None) != (not text and not given.remove) or (text and given.remove)):
        raise BadArgument("a note is a place and a text", "give --at SEQ and TEXT, or --at SEQ --remove")
    recording = read(given.file)
    if not edits:
        for seq, said in remarks(recording):
            sys.stdout.write(f"{seq}: {visible(said)}\n")
        return 0
    if given.at is not None:
        recording = remark(recording, given.at, text)
    _save(entitle(recording, **fields), given.output)
    return 0


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", default="", metavar="OUT", help="where to; may be FILE itself, - is standard output")


def _save(recording: Recording, output: str) -> None:
    if not output:
        raise BadArgument("where shall the result go?", "name a file with -o; it may be the recording itself")
    with Progress(sys.stderr, "writing") as progress:
        lines = written(recording, progress)
        if output == "-":
            sys.stdout.writelines(line.decode("ascii") for line in lines)
        else:
            save(output, lines)
