"""A person at a terminal: a pty, a reader, and an emulator that knows what the screen shows.

`Screen` starts a program on a fresh pty, reads what it writes on a thread of its own (with the time of arrival), and feeds it to
pyte when asked.  Waiting is always for a state, with a deadline that exists to fail.
"""

from __future__ import annotations

import copy
import fcntl
import os
import select
import signal
import struct
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import pyte

PROMPT = "tracedbg> "


class Emulator(pyte.Screen):
    """pyte's screen with the lines that scrolled off the top, and with the alternate screen, which pyte leaves out."""

    def __init__(self, columns: int, lines: int) -> None:
        self.scrolled: list[str] = []
        self._saved: tuple[Any, Any] | None = None
        super().__init__(columns, lines)

    def row(self, number: int) -> str:
        line = self.buffer[number]
        return "".join(line[x].data for x in range(self.columns)).rstrip()

    def index(self) -> None:
        if self.cursor.y == self.lines - 1 and self.margins is None and self._saved is None:
            self.scrolled.append(self.row(0))
        super().index()

    def set_mode(self, *modes: int, **kwargs: Any) -> None:
        super().set_mode(*modes, **kwargs)
        if kwargs.get("private") and 1049 in modes and self._saved is None:
            self._saved = (copy.deepcopy(self.buffer), copy.copy(self.cursor))
            self.erase_in_display(2)

    def reset_mode(self, *modes: int, **kwargs: Any) -> None:
        super().reset_mode(*modes, **kwargs)
        if kwargs.get("private") and 1049 in modes and self._saved is not None:
            self.buffer, self.cursor = self._saved
            self._saved = None
            self.dirty.update(range(self.lines))

    @property
    def in_alternate(self) -> bool:
        return self._saved is not None


class Screen:
    """A program on a terminal.

    Args:
        argv: the program, an absolute path first.
        cols: width of the terminal.
        rows: its height.
        env: added to a small fixed environment; None as a value removes a name.
        rate: bytes a second that the terminal takes; None for as many as come.
    """

    def __init__(
        self,
        argv: Sequence[str],
        cols: int = 100,
        rows: int = 30,
        env: Mapping[str, str | None] | None = None,
        rate: int | None = None,
    ) -> None:
        self.emulator = Emulator(cols, rows)
        self._stream = pyte.ByteStream(self.emulator)
        self.emulator.write_process_input = lambda data: self.send(data.encode())  # answers ESC[6n
        self.chunks: list[tuple[float, bytes]] = []
        self._fed = 0
        self._changed = threading.Condition()
        self._at_end = False
        self._rate = rate
        self._stop = threading.Event()
        self.status: int | None = None
        self.master, slave = os.openpty()
        name = os.ttyname(slave)
        self._size(cols, rows)
        environ = {
            key: value
            for key, value in os.environ.items()
            if key in ("PATH", "HOME", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "TMPDIR")
        }
        environ |= {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONWARNINGS": "error"}
        for key, value in (env or {}).items():
            if value is None:
                environ.pop(key, None)
            else:
                environ[key] = value
        # setsid comes first, so that opening the terminal makes it the controlling one: SIGWINCH and job control as in real life.
        actions: list[Any] = [
            (os.POSIX_SPAWN_OPEN, 0, name, os.O_RDWR, 0),
            (os.POSIX_SPAWN_DUP2, 0, 1),
            (os.POSIX_SPAWN_DUP2, 0, 2),
        ]
        self.pid = os.posix_spawn(argv[0], list(argv), environ, file_actions=actions, setsid=True)
        self._pidfd = os.pidfd_open(self.pid)
        self._slave = slave  # kept until the program has gone, so that its last bytes can be read
        self._enough = os.eventfd(0, os.EFD_CLOEXEC)  # readable when the reader is to end
        self._reader = threading.Thread(target=self._read, name="terminal reader", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # --- the reader -------------------------------------------------------------------------------------------------
    def _read(self) -> None:
        portion = 65536 if self._rate is None else max(256, self._rate // 100)
        while not self._stop.is_set():
            ready, _, _ = select.select([self.master, self._pidfd, self._enough], [], [])
            if self.master in ready:
                try:
                    data = os.read(self.master, portion)
                except OSError:
                    data = b""
                if data:
                    with self._changed:
                        self.chunks.append((time.monotonic(), data))
                        self._changed.notify_all()
                    if self._rate is not None:
                        self._stop.wait(len(data) / self._rate)
                    continue
            # Only the program's end is left: everything it wrote has been read.
            break
        with self._changed:
            self._at_end = True
            self._changed.notify_all()

    # --- what a person does -----------------------------------------------------------------------------------------
    def send(self, data: bytes) -> None:
        """Bytes as they come from a keyboard."""
        os.write(self.master, data)

    def type(self, text: str) -> None:
        """Characters and control characters; a newline is the Enter key."""
        self.send(text.replace("\n", "\r").encode())

    def resize(self, cols: int, rows: int) -> None:
        """Change the window's size; the kernel tells the program with SIGWINCH."""
        self.feed()
        self.emulator.resize(rows, cols)
        self._size(cols, rows)

    def _size(self, cols: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    # --- what a person sees -----------------------------------------------------------------------------------------
    def feed(self) -> None:
        """Bring the emulator up to date."""
        with self._changed:
            fresh = self.chunks[self._fed :]
            self._fed = len(self.chunks)
        for _, data in fresh:
            self._stream.feed(data)

    def replay(self, each: Callable[[float, Emulator], None]) -> None:
        """Feed what was not fed yet, calling `each` with the time of arrival after every chunk."""
        with self._changed:
            fresh = self.chunks[self._fed :]
            self._fed = len(self.chunks)
        for when, data in fresh:
            self._stream.feed(data)
            each(when, self.emulator)

    def lines(self) -> list[str]:
        """The rows on the screen, trailing blanks removed."""
        self.feed()
        return [self.emulator.row(y) for y in range(self.emulator.lines)]

    @property
    def history(self) -> list[str]:
        """Everything from the first row on: what scrolled off the top, then the screen."""
        screen = self.lines()
        return self.emulator.scrolled + screen

    @property
    def text(self) -> str:
        """`history` as one text."""
        return "\n".join(self.history)

    @property
    def raw(self) -> bytes:
        """Every byte that the program wrote so far."""
        with self._changed:
            return b"".join(data for _, data in self.chunks)

    def prompt_line(self, prompt: str = PROMPT) -> str | None:
        """What stands behind the last prompt on the screen; None without a prompt."""
        return prompt_line(self.lines(), prompt)

    def until(self, wanted: str | Callable[[], Any], deadline: float = 8.0) -> Any:
        """Wait until a text is in `history`, or a function returns something true; returns that."""
        end = time.monotonic() + deadline
        while True:
            with self._changed:
                seen = len(self.chunks)
                at_end = self._at_end
            self.feed()
            found = (wanted in self.text) if isinstance(wanted, str) else wanted()
            if found:
                return found
            left = end - time.monotonic()
            if left <= 0 or at_end:
                why = "the program ended" if at_end else f"{deadline} s passed"
                raise AssertionError(f"{why} without {wanted!r}; the screen:\n" + "\n".join(self.history[-80:]))
            with self._changed:
                if len(self.chunks) == seen and not self._at_end:
                    # The wait ends with the next output.  A function may also look at something else than the screen (a file, the
                    # terminal's modes): for those it looks again after a moment.
                    self._changed.wait(min(left, 0.05))

    def until_bytes(self, wanted: bytes, deadline: float = 30.0) -> None:
        """Wait for bytes in the output, without the work of emulating what came before them."""
        end = time.monotonic() + deadline
        read, tail = 0, b""
        with self._changed:
            while True:
                fresh = b"".join(data for _, data in self.chunks[read:])
                read = len(self.chunks)
                if wanted in tail + fresh:
                    return
                tail = (tail + fresh)[-500:]
                left = end - time.monotonic()
                if left <= 0 or self._at_end:
                    raise AssertionError(f"no {wanted!r} in the output, which ends with {tail!r}")
                self._changed.wait(left)

    def until_chunks(self, since: int, wanted: Callable[[list[tuple[float, bytes]]], float], deadline: float = 8.0) -> float:
        """Wait until `wanted` finds its moment in the chunks from number `since` on; nothing is emulated, so nothing else is timed."""
        end = time.monotonic() + deadline
        with self._changed:
            while not (found := wanted(self.chunks[since:])):
                left = end - time.monotonic()
                if left <= 0 or self._at_end:
                    raise AssertionError(f"not seen in {b''.join(data for _, data in self.chunks[since:])!r}")
                self._changed.wait(left)
        return found

    def modes(self) -> int:
        """The terminal's local modes now (``ECHO``, ``ICANON``, ...), see termios(3)."""
        return int(termios.tcgetattr(self._slave)[3])

    def hang_up(self) -> None:
        """Close the terminal's window."""
        self._stop.set()
        # While the reader sleeps in select it holds the master, and what is held is not closed: the terminal would stay.
        os.eventfd_write(self._enough, 1)
        self._reader.join()
        os.close(self._slave)
        self._slave = -1
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, self.master)  # the number stays ours until the end
        os.close(null)

    def wait(self, deadline: float = 10.0) -> int:
        """Wait for the program's end; its exit status, negative for a signal."""
        if self.status is None:
            ready, _, _ = select.select([self._pidfd], [], [], deadline)
            if not ready:
                raise AssertionError(f"the program did not end within {deadline} s; the screen:\n" + "\n".join(self.lines()))
            _, status = os.waitpid(self.pid, 0)
            self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def close(self) -> None:
        """End the program if it has not ended, and give everything back."""
        if self.status is None:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.status = -signal.SIGKILL
        self._stop.set()
        self._reader.join(5)
        for descriptor in (self._slave, self.master, self._pidfd, self._enough):
            if descriptor >= 0:
                os.close(descriptor)


def prompt_line(lines: Sequence[str], prompt: str = PROMPT) -> str | None:
    """What stands behind the last prompt in `lines` (trailing blanks are not told apart from none)."""
    for line in reversed(lines):
        if line.startswith(prompt.rstrip()):
            return line[len(prompt) :]
    return None
