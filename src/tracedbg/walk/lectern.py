"""Tells those who follow a presentation where it is: a Unix socket that only its owner may open, JSON lines, one way.

The thread `lectern` serves; `tell` is for any thread and never waits.  What a follower sends is thrown away unread, and one that does not
read misses states: a presentation depends on nobody who looks on.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import stat
import struct
import threading
import time
from collections.abc import Mapping
from typing import Any

from tracedbg.model.errors import BadArgument
from tracedbg.model.text import visible

FORMAT = "tracedbg-follow"
VERSION = 1
MOST = 16
"""Followers at a time."""
_LONGEST_PATH = 107
"""unix(7): sun_path has 108 bytes."""
_PEERCRED = struct.Struct("3i")


def folder(environ: Mapping[str, str]) -> str:
    """Where sockets are: below ``XDG_RUNTIME_DIR``, or below the state directory where there is none; made with mode 0700.

    Raises:
        BadArgument: it cannot be made, or belongs to somebody else.
    """
    places = (("XDG_RUNTIME_DIR", "tracedbg"), ("XDG_STATE_HOME", "tracedbg/run"), ("HOME", ".local/state/tracedbg/run"))
    path = next((os.path.join(environ[name], below) for name, below in places if environ.get(name, "").startswith("/")), "")
    if not path:
        raise BadArgument("there is no place for a socket: neither XDG_RUNTIME_DIR nor HOME is set", "name one with --socket")
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        about = os.stat(path)
        if about.st_uid == os.geteuid() and about.st_mode & 0o077:
            os.chmod(path, 0o700)
    except OSError as error:
        raise BadArgument(f"{visible(path)} cannot be made: {error.strerror}", "name a socket with --socket") from None
    if about.st_uid != os.geteuid():
        raise BadArgument(f"{visible(path)} belongs to uid {about.st_uid}", "name a socket with --socket")
    return path


def newest(environ: Mapping[str, str]) -> str:
    """The socket of the presentation that began last; empty if there is none."""
    path = folder(environ)
    found = [entry for entry in os.scandir(path) if entry.name.startswith("present-") and entry.name.endswith(".sock")]
    living = [entry for entry in found if os.path.exists(f"/proc/{entry.name[8:-5]}")]
    return max(living, key=lambda entry: entry.stat().st_ctime).path if living else ""


class Lectern:
    """The socket.

    Args:
        path: of it; one of our own unless given.
        environ: for the place of our own.

    Raises:
        BadArgument: it cannot be made there.
    """

    def __init__(self, path: str, environ: Mapping[str, str]) -> None:
        self.path = os.path.abspath(path) if path else os.path.join(folder(environ), f"present-{os.getpid()}.sock")
        self._socket = self._made()
        self._wake_out, self._wake_in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        # Under the lock.
        self._lock = threading.Lock()
        self._state = b""
        self._closing = False
        # The thread.
        self._followers: dict[socket.socket, bytes] = {}
        self._had: dict[socket.socket, bytes] = {}
        self._thread = threading.Thread(target=self._serve, name="lectern", daemon=True)
        self._thread.start()

    def _made(self) -> socket.socket:
        if len(os.fsencode(self.path)) > _LONGEST_PATH:
            raise BadArgument(f"{visible(self.path)} is too long for a socket", "name a shorter one with --socket")
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            # Bound under another name, so that it never stands there with rights for others, nor beside one that somebody listens on.
            fresh = f"{self.path}.{os.getpid()}"[-_LONGEST_PATH:]
            with contextlib.suppress(FileNotFoundError):
                if not self._is_ours(self.path):
                    raise BadArgument(f"{visible(self.path)} is there already", "name another one with --socket")
            made.bind(fresh)
            os.chmod(fresh, 0o600)
            made.listen(MOST)
            os.rename(fresh, self.path)
        except OSError as error:
            made.close()
            raise BadArgument(f"the socket {visible(self.path)} cannot be made: {error.strerror}", "name another with --socket") from None
        except BadArgument:
            made.close()
            raise
        return made

    @staticmethod
    def _is_ours(path: str) -> bool:
        """It is a socket of ours at which nobody listens any more; raises FileNotFoundError if nothing is there."""
        about = os.stat(path)
        if not stat.S_ISSOCK(about.st_mode) or about.st_uid != os.geteuid():
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            return probe.connect_ex(path) != 0

    # --- any thread -----------------------------------------------------------------------------------------------------------
    def tell(self, state: dict[str, Any]) -> None:
        """Let those who follow know where it is now."""
        # A follower has a clock of its own, which need not agree with ours: moments travel as how long ago they were.
        now = time.monotonic()
        fields = {key: value for key, value in state.items() if key not in ("began", "reached")}
        fields |= {"elapsed": now - state["began"], "here": now - state["reached"]} if "began" in state else {}
        line = json.dumps({"format": FORMAT, "version": VERSION, **fields}, separators=(",", ":")).encode("ascii") + b"\n"
        with self._lock:
            self._state = line
        self._wake()

    def close(self) -> None:
        """Say that it is over, to everybody who reads, and end."""
        self.tell({"over": True})
        with self._lock:
            self._closing = True
        self._wake()
        self._thread.join(2)
        with contextlib.suppress(OSError):
            os.unlink(self.path)
        for descriptor in (self._wake_in, self._wake_out):
            os.close(descriptor)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it is woken already
            os.write(self._wake_in, b"\0")

    # --- the thread -----------------------------------------------------------------------------------------------------------
    def _serve(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._socket, selectors.EVENT_READ)
        selector.register(self._wake_out, selectors.EVENT_READ)
        try:
            while not self._closing:
                for key, events in selector.select():
                    if key.fileobj is self._socket:
                        self._accept(selector)
                    elif key.fileobj == self._wake_out:
                        with contextlib.suppress(BlockingIOError):
                            os.read(self._wake_out, 4096)
                    elif isinstance(key.fileobj, socket.socket) and events & selectors.EVENT_READ:
                        self._hear(selector, key.fileobj)
                self._say(selector)
        finally:
            selector.close()
            for follower in [*self._followers, self._socket]:
                follower.close()

    def _accept(self, selector: selectors.BaseSelector) -> None:
        with contextlib.suppress(OSError):
            follower, _ = self._socket.accept()
            follower.setblocking(False)
            _, uid, _ = _PEERCRED.unpack(follower.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size))
            if len(self._followers) >= MOST or uid not in (os.geteuid(), 0):
                follower.close()
                return
            self._followers[follower] = b""
            selector.register(follower, selectors.EVENT_READ)

    def _hear(self, selector: selectors.BaseSelector, follower: socket.socket) -> None:
        """What a follower sends means nothing; that it has gone does."""
        try:
            gone = not follower.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            gone = True
        if gone:
            self._drop(selector, follower)

    def _drop(self, selector: selectors.BaseSelector, follower: socket.socket) -> None:
        self._followers.pop(follower, None)
        self._had.pop(follower, None)
        with contextlib.suppress(KeyError, ValueError):
            selector.unregister(follower)
        follower.close()

    def _say(self, selector: selectors.BaseSelector) -> None:
        """Send to each what it can take: the rest of a line, then the newest state; what lies between is left out."""
        with self._lock:
            state = self._state
        for follower in list(self._followers):
            left = self._followers[follower]
            if not left and state is not self._had.get(follower):
                left, self._had[follower] = state, state
            try:
                while left and (sent := follower.send(left)):
                    left = left[sent:]
                    if not left and state is not self._had.get(follower):
                        left, self._had[follower] = state, state
            except BlockingIOError:
                pass
            except OSError:
                self._drop(selector, follower)
                continue
            self._followers[follower] = left
            selector.modify(follower, selectors.EVENT_READ | (selectors.EVENT_WRITE if left else 0))
