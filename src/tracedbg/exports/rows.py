"""What a timeline is made of: rows, the arrows on them, what is so at each, and the columns of a section.

Pure values, any thread.  Text in them is as it was recorded.
"""

from __future__ import annotations

import msgspec

from tracedbg.model import events as ev

from .story import Item, Section


class Arrow(msgspec.Struct, frozen=True):
    """Who acts upon whom.

    Args:
        kind: ``command``, ``request``, ``refused``, ``report``, ``wake`` or ``sleep``.
        start: key of a column.
        end: likewise.
        label: a word or two.
    """

    kind: str
    start: str
    end: str
    label: str = ""


class Look(msgspec.Struct, frozen=True):
    """What is so at a row, after it.

    Args:
        queues: key of a queue -> its sleepers in the order of their coming: lane, and whether it was seen asleep.
        tasks: key of a column -> state letter, as /proc/PID/stat has it; ``?`` until something was told of it.
        calls: lanes inside a call that has not returned.
    """

    queues: dict[str, tuple[tuple[str, bool], ...]]
    tasks: dict[str, str]
    calls: tuple[str, ...]

    def words(self) -> str:
        """In one line."""
        states = {"R": "running", "t": "stopped", "X": "dead", "?": "traced, nothing told yet"}
        parts = [f"{name} {states[letter]}" for name, letter in self.tasks.items()]
        for key, sleepers in self.queues.items():
            if sleepers:
                parts.append(f"queue of {key[2:]}: {', '.join(lane for lane, _ in sleepers)}")
        return " \u00b7 ".join(parts) or "nobody waits, nothing is traced"


class Row(msgspec.Struct):
    """One row.

    Args:
        seq: of its record: its address.
        t: nanoseconds.
        item: what it shows.
        lane: whose it is.
        text: the line, where the item is an event.
        look: what is so after it.
        arrows: what is drawn.
        took: nanoseconds that its call took, 0 if it is no call or a long one.
        gap: nanoseconds of silence before it, 0 for few.
        expected: the lesson's expectation that this row met.
        kept: what could be looked at here.
        folded: how many rows like those before it stand for this one, 0 for an ordinary row.
    """

    seq: int
    t: int
    item: Item
    lane: str
    text: str
    look: Look
    arrows: tuple[Arrow, ...] = ()
    took: int = 0
    gap: int = 0
    expected: str = ""
    kept: ev.StateKept | None = None
    folded: int = 0


class Column(msgspec.Struct, frozen=True):
    """A lane of the picture: ``thread``, ``queue`` or ``task``; `about` stands below its name."""

    key: str
    kind: str
    name: str
    about: str


class Part(msgspec.Struct, frozen=True):
    """A section with its rows, and the columns that take part in it; `others` are the names of those for which there is no room."""

    section: Section
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    others: tuple[str, ...] = ()
