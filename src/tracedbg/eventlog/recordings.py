"""Reads the log of another session back from its file.

Any thread.  A recording is foreign: sizes are limited, nothing in it is run, and what does not fit is told with its line.  It must not
be trusted to be in order or true, and its text reaches people through `visible` like any other.
"""

from __future__ import annotations

import binascii
import io
import itertools
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

import msgspec

from tracedbg.model.errors import BadArgument, NotFound, UserError
from tracedbg.model.events import Record, RecordingFull, SessionEnded
from tracedbg.model.text import visible

from .codec import decode, decode_many, read_header

MOST_BYTES = 512 << 20
"""Twice what a writer stops at: a file that was put together by hand may be longer, one without an end may not."""

MOST_RECORDS = 1_000_000
LONGEST_LINE = 4 << 20
_AT_ONCE = 256
"""Lines that are held and parsed together."""


_HELD = re.compile(rb'<script type="application/gzip" id="recording">([A-Za-z0-9+/=]*)</script>')


class Damaged(UserError):
    """A recording that cannot be read: the file, the line, what is wrong there."""

    def __init__(self, path: str, line: int, what: str) -> None:
        super().__init__(f"{visible(path)}:{line}: {what}", "head -n LINES keeps what stands before that line")
        self.line = line


class Recording(msgspec.Struct, frozen=True):
    """A log that was read back.

    Args:
        path: as it was named.
        header: the first line: title, host and whatever else a writer put there.
        records: by time; what different threads wrote may stand in the file a little out of order.
        note: what the reader should be told: the end is missing, or the last line broke off.  Empty if all is well.
    """

    path: str
    header: dict[str, Any]
    records: tuple[Record, ...]
    note: str = ""

    @property
    def title(self) -> str:
        """What it is called; the file's name where the writer gave no title."""
        title = self.header.get("title")
        return title if isinstance(title, str) and title else os.path.basename(self.path)

    def text(self, name: str) -> str:
        """A field of the header as text, empty if it is not there."""
        value = self.header.get(name)
        return value if isinstance(value, str) else ""


def load(path: str, progress: Callable[[int, int], None] | None = None) -> Recording:
    """Read a whole recording.

    Args:
        path: of the file, or of a page that ``export --to html`` has made: it holds its recording.
        progress: told now and then how many bytes of how many are read.

    Returns:
        Its records, sorted by (t, seq).

    Raises:
        NotFound: there is no such file, or it may not be read.
        BadArgument: it is no regular file, or too large.
        UserError: it is no recording, or one of a newer format.
        Damaged: a line in the middle is no event.
    """
    records: list[Record] = []
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        lines = _unwrapped(_lines(file, path), path)
        _, first, _ = next(lines, (1, b"", True))
        header, note = read_header(first), ""
        while chunk := list(itertools.islice(lines, _AT_ONCE)):
            number, _, whole = chunk[-1]
            if not whole:
                note = f"line {number} broke off in the middle and is left out"
                del chunk[-1]
            records += _records(chunk, path)
            if len(records) > MOST_RECORDS:
                raise Damaged(path, number, f"more than {MOST_RECORDS:,} events")
            if progress is not None:
                progress(file.tell(), size)
    if not note and records and isinstance(records[-1].event, RecordingFull):
        note = "the recording has no end: it had become as large as it may be"
    elif not note and not (records and isinstance(records[-1].event, SessionEnded)):
        note = "the recording has no end: it was cut off"
    records.sort(key=lambda record: (record.t, record.seq))
    return Recording(path, header, tuple(records), note)


def _records(chunk: list[tuple[int, bytes, bool]], path: str) -> list[Record]:
    try:
        return decode_many([line for _, line, _ in chunk])
    except msgspec.DecodeError:
        return [_record(line, path, number) for number, line, _ in chunk]


def _record(line: bytes, path: str, number: int) -> Record:
    try:
        return decode(line)
    except msgspec.DecodeError as error:
        raise Damaged(path, number, f"this line is no event: {visible(str(error))[:200]}") from None


def _opened(path: str) -> IO[bytes]:
    try:
        # Without O_NONBLOCK the opening of a FIFO would wait for its writer.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise NotFound(f"{visible(path)} cannot be read: {error.strerror}", "name a file written by --events or record") from None
    about = os.fstat(fd)
    if not stat.S_ISREG(about.st_mode) or about.st_size > MOST_BYTES:
        os.close(fd)
        what = f"is larger than {MOST_BYTES >> 20} MiB" if stat.S_ISREG(about.st_mode) else "is no ordinary file"
        raise BadArgument(f"{visible(path)} {what}", "name a file written by --events or record")
    return os.fdopen(fd, "rb")


def _unwrapped(lines: Iterator[tuple[int, bytes, bool]], path: str) -> Iterator[tuple[int, bytes, bool]]:
    """The lines of a recording; of a page that holds one (gzip in base64, in an element of its own), those inside of it."""
    first = next(lines, (1, b"", True))
    if not first[1].lstrip().lower().startswith(b"<!doctype html"):
        yield from itertools.chain([first], lines)
        return
    held = next((found for _, line, _ in lines if (found := _HELD.search(line))), None)
    if held is None:
        raise BadArgument(f"the page {visible(path)} holds no recording", "name a page that tracedbg export --to html has written")
    try:
        unpacking = zlib.decompressobj(wbits=31)
        data = unpacking.decompress(binascii.a2b_base64(held[1]), MOST_BYTES)
    except (zlib.error, binascii.Error) as error:
        raise BadArgument(f"the recording in the page {visible(path)} is damaged: {visible(str(error))}", "make the page again") from None
    if unpacking.unconsumed_tail:
        raise BadArgument(f"the recording in the page {visible(path)} is larger than {MOST_BYTES >> 20} MiB", "name a smaller one")
    yield from _lines(io.BytesIO(data), path)


def _lines(file: IO[bytes], path: str) -> Iterator[tuple[int, bytes, bool]]:
    """Number, bytes and whether it ends with a newline, for each line; at most a bounded number of bytes are held."""
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise Damaged(path, number, f"a line of more than {LONGEST_LINE >> 20} MiB")
        yield number, line, line.endswith(b"\n")
