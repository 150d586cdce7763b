"""`tracedbg export`: a recording as something else.

Main thread of a process that traces nothing; no exporter needs ptrace, drgn or a terminal.  The forms are rows of `forms.FORMS`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from tracedbg.eventlog.recordings import Recording, load
from tracedbg.model.errors import BadArgument
from tracedbg.model.text import visible
from tracedbg.render.progress import Progress

from .forms import FORMS, OPTIONS, Form, Kind, Made, Options
from .saving import as_bytes, save, save_all

_MANY = 20_000
"""Events that take a form longer than somebody likes to wait without a word."""


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, FORMS))
    forms = "\n".join(f"  {name:<{width}}  {form.about}" + _taken(form) for name, form in FORMS.items())
    parser = argparse.ArgumentParser(
        prog="tracedbg export",
        description="Write a recording as something else; it is read only, nothing in it is run.",
        epilog=f"forms:\n{forms}\n\ntracedbg export --site DIR makes a web site of all lessons (--site DIR --help tells more).",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="a recording: what --record and tracedbg record write; or the name of a lesson")
    parser.add_argument("--to", default="", metavar="FORM", help="which form; without it the ending of OUT decides")
    parser.add_argument(
        "-o", "--output", default="", metavar="OUT", help="where to: a file, which is replaced, or a directory; else standard output"
    )
    parser.add_argument("--redact", action="store_true", help="replace addresses and paths, the same one by the same word")
    for name, option in OPTIONS.items():
        parser.add_argument(f"--{name}", default=None, metavar=option.metavar, type=int if option.most else str, help=option.about)
    return parser


def _taken(form: Form) -> str:
    return f" ({', '.join(f'--{name}' for name in form.takes)})" if form.takes else ""


def main(argv: Sequence[str], found: Callable[[str], str] = str) -> int:
    """Run it; the exit status.

    Args:
        argv: what followed ``export``.
        found: the path of the recording that a name means.

    Raises:
        UserError: the file is no recording, is damaged, or the output cannot be written.
    """
    given = _parser().parse_args(argv)
    given.file = found(given.file)
    output = "" if given.output == "-" else given.output
    name = given.to or _form_of(output)
    form = FORMS.get(name)
    if form is None:
        raise BadArgument(f"there is no form {visible(name)}", f"the forms are {', '.join(FORMS)}")
    options = _options(name, form, given)
    _check_output(given.file, output, name, form, one=bool(options.section))
    recording = read(given.file)
    if given.redact:
        from .redacting import redact

        recording = redact(recording)
    with Progress(sys.stderr, f"writing {name}", at_once=len(recording.records) > _MANY):
        out = form.make(recording, options)
    _deliver(out, output, one=bool(options.section))
    return 0


def read(path: str) -> Recording:
    """A recording, with a line on the terminal while that takes long, and what is missing told on standard error.

    Raises:
        UserError: it cannot be read.
    """
    with Progress(sys.stderr, f"reading {os.path.basename(path)}") as progress:
        recording = load(path, progress)
    if recording.note:
        sys.stderr.write(f"tracedbg: {recording.note}\n")
    return recording


def _form_of(output: str) -> str:
    """The form that an output's name asks for."""
    for name, form in FORMS.items():
        if output.endswith(form.suffix):
            return name
    raise BadArgument("which form is wanted?", f"add --to and one of {', '.join(FORMS)}")


def _options(name: str, form: Form, given: argparse.Namespace) -> Options:
    told: dict[str, int | str] = {}
    for key, option in OPTIONS.items():
        value = getattr(given, key)
        if value is None:
            continue
        if key not in form.takes:
            raise BadArgument(f"the form {name} has no --{key}", f"those that have it: {_those_with(key) or 'none'}")
        if option.most and not option.least <= value <= option.most:
            raise BadArgument(f"--{key} {value} is not between {option.least} and {option.most}", f"give --{key} such a number")
        told[key] = value
    return Options(**told)  # type: ignore[arg-type]  # argparse has made each an int or a str, as its row says


def _those_with(key: str) -> str:
    return ", ".join(name for name, form in FORMS.items() if key in form.takes)


def _check_output(file: str, output: str, name: str, form: Form, one: bool) -> None:
    """Before the work, what would make it useless."""
    if form.kind in (Kind.FILES, Kind.PICTURES) and not output and not one:
        raise BadArgument(f"the form {name} makes several files", "name a directory with -o, or one section with --section")
    if form.kind in (Kind.BYTES, Kind.PICTURES) and not output and sys.stdout.isatty():
        raise BadArgument(f"the form {name} is no text, a terminal cannot show it", "name a file with -o")
    if output and os.path.exists(output) and os.path.exists(file) and os.path.samefile(file, output):
        raise BadArgument(f"{visible(output)} is the recording itself", "name another file with -o")


def _deliver(out: Made, output: str, one: bool) -> None:
    if not isinstance(out, str | bytes):
        if not output and len(out) != 1:
            raise BadArgument(f"that are {len(out)} files", "name a directory with -o")
        if not one or os.path.isdir(output) or len(out) != 1:
            save_all(output, out)
            return
        (out,) = out.values()
    if output:
        save(output, [as_bytes(out)])
    elif isinstance(out, str):
        sys.stdout.write(out)
    else:
        sys.stdout.buffer.write(out)
