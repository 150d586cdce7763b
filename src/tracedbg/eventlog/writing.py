"""Writes a recording while things happen: the publishing threads only put records aside, others write them a moment later.

`take` runs on the publishing thread under the log's lock.  The writing is done by a thread of its own ten times a second, and by whoever
calls `write` because it has time now.  Nobody may publish or wait for the log's lock while writing.
"""

from __future__ import annotations

import json
import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Mapping

from tracedbg.model.errors import BadArgument
from tracedbg.model.events import Detail, LoopDone, ProgramStopped, Record, RecordingFull, TraceeStopped
from tracedbg.model.ids import Source
from tracedbg.model.text import visible

from .codec import encode, header
from .ownership import caller, hand_back

FILE_LIMIT = 256 << 20
"""Bytes after which a recording ends with a last line that says so."""

PACE_S = 0.1
"""What happens within this time may be written together: a tracedbg that is killed loses no more than that."""

_MOST_PENDING = 20_000
"""Records put aside; more than these are written by whoever publishes, so that memory stays bounded."""

_STOPS = (ProgramStopped, TraceeStopped, LoopDone)
"""Records after which a program may stand still."""


def open_file(path: str, *, force: bool) -> int:
    """Open a new file for a recording, readable by its owner only; its descriptor.

    A link is not followed where something is there already: it could lead into a file that nobody meant (open(2), O_EXCL, O_NOFOLLOW).

    Args:
        path: of the file.
        force: replace what is there, if it is a file of ours; an empty one is replaced anyway.

    Raises:
        BadArgument: something is there, or the file cannot be made.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    name = visible(path)
    try:
        fd = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
        hand_back(fd, os.path.dirname(path))
        return fd
    except FileExistsError:
        pass
    except OSError as error:
        raise BadArgument(f"the file {name} cannot be written: {error.strerror}", "name another file") from error
    try:
        # Without O_NONBLOCK the opening of a FIFO would wait for its reader.
        fd = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise BadArgument(f"{name} exists and cannot be replaced: {error.strerror}", "name another file") from error
    about = os.fstat(fd)
    ours = stat.S_ISREG(about.st_mode) and about.st_uid in (os.geteuid(), caller())
    if not ours or (about.st_size and not force):
        os.close(fd)
        if not ours:
            raise BadArgument(f"{name} exists and is no file of yours", "name another file")
        raise BadArgument(f"{name} exists", "name another file or remove it; the command record start --force replaces it")
    os.ftruncate(fd, 0)
    os.fchmod(fd, 0o600)
    return fd


class RecordingFile:
    """A sink that keeps everything in a file.

    Args:
        path: of the file.
        meta: fields of the header line besides format and version.
        over: called once, on a thread that holds no lock, with a sentence when nothing more can be written.
        since: the time of the log from which times are counted, in nanoseconds.
        limit: bytes; `FILE_LIMIT` unless given.
        home: whose name is kept out: this directory is written as ``~``.
        force: see `open_file`.

    Raises:
        BadArgument: the file cannot be made.
    """

    detail = Detail.DESK

    def __init__(
        self,
        path: str,
        meta: Mapping[str, object],
        over: Callable[[str], None],
        *,
        since: int = 0,
        limit: int | None = None,
        home: str = "",
        force: bool = False,
    ) -> None:
        # Set once.
        self.path, self._over, self._since = path, over, since
        self._fd = open_file(path, force=force)
        # As JSON has it; of a home in / nothing could be told apart.
        self._home = json.dumps(home)[1:-1].encode() if len(home) > 1 and home.startswith("/") else b""
        # Publishing threads put in, whoever writes takes out; both are single steps of the interpreter.
        self._pending: deque[Record] = deque()
        # Under the lock of whoever writes.
        self._writing = threading.Lock()
        self._left = FILE_LIMIT if limit is None else limit
        self._why_over = ""
        self._told = False
        # Read by any: the last record of those that were written after which a program may stand still.
        self.stop: Record | None = None
        self.events = 0
        self.bytes = 0
        self.closed = False
        self._put(header(dict(meta)))
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="recorder", daemon=True)
        self._thread.start()

    def take(self, record: Record) -> None:
        """Put a record aside (publishing thread, under the log's lock)."""
        self._pending.append(record)
        if len(self._pending) > _MOST_PENDING:
            self._write_all()

    def write(self) -> None:
        """Write what was put aside; any thread that holds no lock of the log."""
        self._write_all()
        with self._writing:
            tell, self._told = self._why_over if not self._told else "", self._told or bool(self._why_over)
        if tell:
            self._over(tell)

    def close(self) -> None:
        """Write the rest and close the file; it must not be attached any more.  Any thread, once."""
        self._closing.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        self._write_all()
        with self._writing:
            self.closed = True
            os.close(self._fd)

    def _serve(self) -> None:
        while not self._closing.wait(PACE_S):
            if self._pending:
                self.write()

    def _write_all(self) -> None:
        with self._writing:
            while not self.closed and (count := len(self._pending)):
                lines = [line for line in (self._line(self._pending.popleft()) for _ in range(count)) if line]
                self._put(b"".join(lines), len(lines))

    def _line(self, record: Record) -> bytes:
        """A record as it is written; nothing once the file is full."""
        if isinstance(record.event, _STOPS):
            self.stop = record
        if self._why_over:
            return b""
        line = encode(record, self._since)
        if self._home and self._home in line:
            line = line.replace(self._home + b"/", b"~/").replace(self._home + b'"', b'~"')
        self._left -= len(line)
        if self._left < 0:
            self._why_over = f"the recording {visible(self.path)} is as large as it may be and ends here"
            line = encode(Record(record.seq, record.t, "log", 0, Source.USER, RecordingFull("size limit reached")), self._since)
        return line

    def _put(self, data: bytes, events: int = 0) -> None:
        try:
            while data:
                done = os.write(self._fd, data)
                self.bytes += done
                data = data[done:]
            self.events += events
        except OSError as error:  # the disk is full: what is there stays readable but for a last line that broke off
            self._why_over = f"the recording {visible(self.path)} ends here: {error.strerror}"
