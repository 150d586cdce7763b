"""What reads the log as it grows.

`take` runs on the publishing thread under the log's lock: it must only enqueue or write, never publish, wait or make a request.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Protocol

from tracedbg.model.events import Detail, Record, SessionEnded

from .codec import encode, header
from .ownership import hand_back

FILE_LIMIT = 256 << 20
"""Bytes after which a recording ends with a last line that says so."""


class Sink(Protocol):
    """A reader of the log."""

    @property
    def detail(self) -> Detail:
        """The level it asks for; may change, then call `EventLog.refresh`."""

    def take(self, record: Record) -> None:
        """One record, in order."""


class CallbackSink:
    """Hands each record to a function."""

    def __init__(self, take: Callable[[Record], None], detail: Detail = Detail.CALLS) -> None:
        self.detail = detail
        self._take = take

    def take(self, record: Record) -> None:
        """Pass it on."""
        self._take(record)


class FileSink:
    """Writes JSON lines while things happen: one unbuffered write an event, so that a killed tracedbg leaves whole lines.

    Args:
        path: created with mode 0600, appended to never: an existing file is replaced.
        meta: fields of the header line besides format and version.
        limit: bytes.
        home: whose name is kept out: this directory is written as ``~``.

    Raises:
        OSError: the file cannot be made.
    """

    detail = Detail.DESK

    def __init__(self, path: str, meta: dict[str, object], limit: int = FILE_LIMIT, home: str = "") -> None:
        new = not os.path.exists(path)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if new:
            hand_back(self._fd, os.path.dirname(path))
        self._left = limit
        # As JSON has it; of a home in / nothing could be told apart.
        self._home = json.dumps(home)[1:-1].encode() if len(home) > 1 and home.startswith("/") else b""
        self._write(header(meta))

    def _write(self, line: bytes) -> None:
        while line:
            line = line[os.write(self._fd, line) :]

    def take(self, record: Record) -> None:
        """Write one line."""
        if self._fd < 0 or self._left <= 0:
            return
        line = encode(record)
        if self._home and self._home in line:
            line = line.replace(self._home + b"/", b"~/").replace(self._home + b'"', b'~"')
        self._left -= len(line)
        if self._left <= 0 and not isinstance(record.event, SessionEnded):
            line = b'{"seq":%d,"t":%d,"lane":"log","tid":0,"ev":"limit","text":"size limit reached","src":"user"}\n' % (
                record.seq,
                record.t,
            )
        self._write(line)

    def close(self) -> None:
        """Close the file; later records are ignored."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
