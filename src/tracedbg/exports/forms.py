"""The forms that a recording can be exported to, one row each: a new form is a function and a row of `FORMS`.

Any thread.  A form is a pure function of the recording; what it needs is imported when it is made.  It must not trust the recording, open
other files, or reach for a network.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from tracedbg.eventlog.recordings import Recording
from tracedbg.model.errors import NotFound
from tracedbg.model.text import visible

Made = str | bytes | Mapping[str, str | bytes]
"""What a form makes: text, bytes, or several files by their names."""


class Kind(enum.Enum):
    """Where it can be written to."""

    TEXT = "text"
    """Anywhere."""
    BYTES = "bytes"
    """Not to a terminal."""
    FILES = "files"
    """Into a directory; with ``--section`` it is one file."""
    PICTURES = "pictures"
    """Like files, and no text."""


class Options(msgspec.Struct, frozen=True):
    """What may be told about a form; `Form.takes` names the fields that mean something to it.

    Args:
        columns: of the terminal that is imitated.
        rows: of it.
        section: slug or number of the only section that is wanted, empty for all.
        theme: ``light`` or ``dark``, empty for light.
    """

    columns: int = 100
    rows: int = 30
    section: str = ""
    theme: str = ""


class Option(NamedTuple):
    """How a field of `Options` is given on the command line.

    Args:
        metavar: its value in the help.
        about: what it is for.
        least: smallest value of a number.
        most: greatest; 0 for a field that is text.
    """

    metavar: str
    about: str
    least: int = 0
    most: int = 0


OPTIONS: dict[str, Option] = {
    "columns": Option("N", "width of the terminal", 20, 500),
    "rows": Option("N", "height of the terminal", 5, 200),
    "section": Option("SECTION", "only this one, by its number or slug"),
    "theme": Option("THEME", "light or dark"),
}


class Form(NamedTuple):
    """One form.

    Args:
        make: pure; gets the recording and the options.
        about: one line of help.
        suffix: of its files; an output that ends so asks for the first form with it.
        kind: text, bytes or several files.
        takes: fields of `Options`.
    """

    make: Callable[[Recording, Options], Made]
    about: str
    suffix: str
    kind: Kind = Kind.TEXT
    takes: tuple[str, ...] = ()


def _markdown(recording: Recording, _options: Options) -> str:
    from .story import tell
    from .transcript import transcript

    return transcript(tell(recording))


def _cast(version: int) -> Callable[[Recording, Options], str]:
    def make(recording: Recording, options: Options) -> str:
        from .cast import cast
        from .story import tell

        return cast(tell(recording), version, options.columns, options.rows)

    return make


def _perfetto(recording: Recording, _options: Options) -> str:
    from .perfetto import perfetto

    return perfetto(recording)


def _handout(recording: Recording, _options: Options) -> str:
    from .handout import handout

    return handout(recording)


def _walkthrough(recording: Recording, _options: Options) -> str:
    from .walkthrough import walkthrough

    return walkthrough(recording)


def _html(recording: Recording, _options: Options) -> str:
    from .page import page

    return page(recording)


def _fragment(recording: Recording, _options: Options) -> str:
    from .page import fragment

    return fragment(recording)


def _svg(recording: Recording, options: Options) -> Mapping[str, str]:
    return {f"{name}.svg": picture for name, picture in _drawings(recording, options.section).items()}


def _png(recording: Recording, options: Options) -> Mapping[str, bytes]:
    from .pictures import pictures

    return pictures(_drawings(recording, options.section), options.theme)


def _drawings(recording: Recording, wanted: str) -> Mapping[str, str]:
    from .svg import sections

    pictures = dict(sections(recording))
    if not wanted:
        return pictures
    kept = {name: picture for name, picture in pictures.items() if wanted in (name.split("-", 1)[1], str(int(name.split("-")[0])))}
    if not kept:
        raise NotFound(f"there is no picture of a section {visible(wanted)}", f"sections with events are {', '.join(pictures) or 'none'}")
    return kept


_TERMINAL = ("columns", "rows")

FORMS: dict[str, Form] = {
    "html": Form(_html, "a timeline to step through: one page that needs nothing else", ".html"),
    "fragment": Form(_fragment, "the same to put into a page of your own: no script, no ids", ".html"),
    "svg": Form(_svg, "a picture of each section", ".svg", Kind.FILES, takes=("section",)),
    "png": Form(_png, "slides, 16:9, of each section: needs the extra `pictures`", ".png", Kind.PICTURES, takes=("section", "theme")),
    "markdown": Form(_markdown, "a page: text, questions, commands and the log", ".md"),
    "cast": Form(_cast(2), "an asciicast, version 2: for asciinema and its players, a marker for each section", ".cast", takes=_TERMINAL),
    "cast-v3": Form(_cast(3), "the same, version 3", ".cast", takes=_TERMINAL),
    "walkthrough": Form(_walkthrough, "of a session of your own: the skeleton of a lesson, with expectations that pass", ".md"),
    "handout": Form(_handout, "of a lesson: its questions on paper, the answers on the last page; HTML, to be printed", ".html"),
    "perfetto": Form(_perfetto, "a Chrome trace: a lane for each thread, for https://ui.perfetto.dev", ".json"),
}
"""What there is, and for what."""

LESSONS_HAVE_IT = frozenset({"walkthrough"})
"""Forms that are refused for the recording of a lesson."""


def made(name: str, recording: Recording, options: Options | None = None) -> Made:
    """One form of a recording.

    Args:
        name: of the form.
        recording: by time.
        options: as told; all defaults otherwise.
    """
    return FORMS[name].make(recording, options or Options())


def text_of(name: str, recording: Recording) -> str:
    """One form of a recording, all of it as one text: several files stand one behind the other under their names; bytes are not text."""
    out = made(name, recording)
    if isinstance(out, str):
        return out
    if isinstance(out, bytes):
        raise TypeError(f"{name} is no text")
    return "".join(f"== {file}\n{text}" for file, text in out.items() if isinstance(text, str))
