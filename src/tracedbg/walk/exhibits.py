"""What a gallery shows of each recording: its places, questions and rules, and the files that are made of it.

Pure but for the exports, which are pure too; any thread.  A recording may come from anywhere: its text is foreign.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tracedbg.eventlog.recordings import Recording
from tracedbg.exports.forms import FORMS, made
from tracedbg.exports.story import Command, Happened, Question, Section, Told, tell

from .catalogue import Level
from .course import level_of, part_of
from .outline import outline
from .shipped import RECORDINGS, lessons

OTHERS = "Other recordings"
"""The part of recordings that were given."""

PAGES, FILES = "lessons", "files"
"""Folders of a site: timelines; what is made of them to take away."""

DOWNLOADS = (
    # form, label, ending
    ("handout", "handout", ".handout.html"),
    ("cast", "terminal recording", ".cast"),
    ("perfetto", "trace for Perfetto", ".trace.json"),
)
TEXT = "text"
"""Stands for `as_text` among the forms."""

_ROW = re.compile(r' id="r(\d{1,9})"')
_WORD = re.compile(r"[a-z0-9_$+-]{2,}")


class Place(msgspec.Struct, frozen=True):
    """A section of a recording.

    Args:
        number: as the story has it.
        heading: foreign text, empty for what comes before the first step.
        row: seq of its first record that a page has a row for; 0 for none.
        words: all that is told, typed and asked in it, for a search.
    """

    number: int
    heading: str
    row: int
    words: str


class Asked(msgspec.Struct, frozen=True):
    """A question: its record, and its text (Markdown)."""

    seq: int
    text: str


class Ruled(msgspec.Struct, frozen=True):
    """Where a rule is shown: its id, the heading of the section, the seq where that begins, and of the event that shows it (0 for none)."""

    rule: str
    heading: str
    place: int
    shown: int


class Exhibit(msgspec.Struct, frozen=True):
    """One recording in a gallery.

    Args:
        name: of its files, without an ending: letters, digits, ``.``, ``_`` and ``-``.
        title: foreign text.
        part: of the course.
        level: how deep it goes.
        minutes: from its beginning to its end.
        kernel: where it was recorded; foreign text, may be empty.
        licence: foreign text, may be empty.
        places: its sections.
        questions: in order.
        rules: in order.
        rows: seqs that its timeline has an address for, ascending.
    """

    name: str
    title: str
    part: str
    level: Level
    minutes: int
    kernel: str
    licence: str
    places: tuple[Place, ...]
    questions: tuple[Asked, ...]
    rules: tuple[Ruled, ...]
    rows: tuple[int, ...]

    @property
    def page(self) -> str:
        """Its timeline, from the site's root."""
        return f"{PAGES}/{self.name}.html"

    def at(self, seq: int) -> str:
        """The address of a record in the timeline, from the site's root: its row, or the last one before it."""
        row = bisect.bisect_right(self.rows, seq) - 1 if seq else -1
        return f"{self.page}#r{self.rows[row]}" if row >= 0 else self.page


def shipped_recordings() -> list[tuple[Path, Path]]:
    """Every lesson that has a recording, in order: the page, and the recording."""
    both = [(page, RECORDINGS / f"{page.stem}.jsonl") for page in lessons()]
    return [(page, recording) for page, recording in both if recording.is_file()]


def exhibit(name: str, recording: Recording, page: str, lesson: Path | None = None) -> Exhibit:
    """What a gallery says of a recording.

    Args:
        name: of its files.
        recording: by time.
        page: its timeline, HTML.
        lesson: its page, where it is the recording of a lesson that ships.
    """
    story = tell(recording)
    host = recording.header.get("host")
    kernel = host.get("kernel") if isinstance(host, dict) else ""
    sections = story.sections
    return Exhibit(
        name,
        recording.title,
        part_of(lesson) if lesson else OTHERS,
        level_of(outline(lesson)) if lesson else "core",
        max(1, round(story.end / 60e9)),
        kernel if isinstance(kernel, str) else "",
        recording.text("licence"),
        tuple(Place(section.number, section.heading if section.number else "", _first(section), _words(section)) for section in sections),
        tuple(Asked(item.seq, item.text) for section in sections for item in section.items if isinstance(item, Question)),
        tuple(each for section in sections for each in _rules(section)),
        tuple(sorted(int(row) for row in _ROW.findall(page))),
    )


def _first(section: Section) -> int:
    return next((_seq(item) for item in section.items if _seq(item)), 0)


def _seq(item: object) -> int:
    if isinstance(item, Command | Question):
        return item.seq
    return item.record.seq if isinstance(item, Happened) else 0


def _rules(section: Section) -> Iterator[Ruled]:
    asked = [item.by for item in section.items if isinstance(item, Question) and item.by]
    met = [item.met for item in section.items if isinstance(item, Command) and item.met]
    shown = next(iter([*asked, *met]), 0)
    for item in section.items:
        if isinstance(item, Told) and item.kind == "rule":
            for rule in item.summary.split(", "):
                yield Ruled(rule, section.heading, _first(section), shown)


def _words(section: Section) -> str:
    """Each word once, in the order of the text."""
    found: dict[str, None] = {}
    for item in section.items:
        texts: tuple[str, ...] = ()
        if isinstance(item, Told):
            texts = (item.text, item.summary)
        elif isinstance(item, Command):
            texts = (item.text,)
        elif isinstance(item, Question):
            texts = (item.text, *(text for choice in item.choices for text in (choice.pattern, choice.reason)))
        for text in texts:
            found.update(dict.fromkeys(_WORD.findall(text.lower())))
    return " ".join(found)


def downloads(name: str) -> list[tuple[str, str, str]]:
    """What there is to take away of a recording: form (or `TEXT`), label, path from the site's root."""
    forms = [(form, label, f"{FILES}/{name}{ending}") for form, label, ending in DOWNLOADS if form in FORMS]
    return [(TEXT, "text to read", f"{FILES}/{name}.text.html"), *forms]


def timeline(recording: Recording) -> str:
    """The page of a recording in a site: its timeline, with a way back to the front page."""
    from tracedbg.exports.page import page

    return page(recording, "../index.html")


def as_text(recording: Recording) -> str:
    """The same to read, without the picture."""
    from .gallery_transcript import page

    return page(recording, (Path(__file__).parent / "gallery.css").read_text(encoding="utf-8"), "../index.html")


def to_take_away(name: str, recording: Recording) -> Iterator[tuple[str, str | bytes]]:
    """Path and content of what is made of a recording besides its timeline."""
    for form, _, path in downloads(name):
        content = as_text(recording) if form == TEXT else made(form, recording)
        assert isinstance(content, str | bytes), form
        yield path, content
