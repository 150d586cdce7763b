"""Where things are: debug information of the program's file or of its running image, and source text.

Command thread, or whoever holds `lock` (completion does).  While holding the lock, never ask the tracer anything: registers and memory
are fetched before.
"""

from __future__ import annotations

import threading

from tracedbg.kernel.memory import Memory
from tracedbg.kernel.regs import Registers
from tracedbg.model.errors import NotFound, NotHere, NotNow, TracedbgError
from tracedbg.symbols.engine import LiveSymbols, StaticSymbols, Symbols, try_live
from tracedbg.symbols.source import SourceText
from tracedbg.symbols.values import Frame


class Places:
    """Debug information and source text of one program."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.sources = SourceText()
        # Command thread: where `list` and a bare line number refer to.
        self.list_at: tuple[str, int] | None = None
        # What `list` showed last: file, first and last line, and `list_at` as it left it (another one means: begin anew there).
        self.listed: tuple[str, int, int, tuple[str, int]] | None = None
        # Where `x` goes on: address, count, letter, size.
        self.examined: tuple[int, int, str, str] = (0, 1, "x", "w")
        # Under the lock.
        self._static: Symbols | None = None
        self._live: LiveSymbols | None = None
        self._problem = ""
        self.path = ""

    def choose(self, path: str) -> None:
        """Another file from now on."""
        with self.lock:
            self.path, self._static = path, None
            self.list_at = None

    def new_image(self, pid: int, memory: Memory) -> None:
        """A process's image is in place."""
        with self.lock:
            self._close()
            self._live, self._problem = try_live(pid, memory.read)

    def no_image(self) -> None:
        """The process is gone."""
        with self.lock:
            self._close()

    def _close(self) -> None:
        if self._live is not None:
            self._live.close()  # not left to the garbage collector: it holds descriptors
            self._live = None

    def close(self) -> None:
        """Give up everything that keeps files open."""
        with self.lock:
            self._close()
            self._static = None

    @property
    def has_live(self) -> bool:
        """Whether the running image's debug information is at hand."""
        return self._live is not None

    def live(self) -> LiveSymbols:
        """Debug information of the running image.  Hold `lock` while using it.

        Raises:
            NotHere: it cannot be read here, with the reason.
        """
        if self._live is None:
            raise NotHere(self._problem or "there is no debug information for this process", "addresses and registers still work")
        return self._live

    def symbols(self) -> Symbols:
        """Debug information of the running image, else of the file.  Hold `lock` while using it.

        Raises:
            NotNow: no program chosen.
            NotHere: a library that reads debug information is missing.
        """
        if self._live is not None:
            return self._live
        if self._static is None:
            if not self.path:
                raise NotNow("no program is chosen", "name one: file PROGRAM")
            self._static = StaticSymbols(self.path)
        return self._static

    def sync(self) -> None:
        """Libraries may have come or gone since the last stop.  Hold `lock`."""
        if self._live is not None:
            self._live.sync()

    def locate(self, spec: str, pc: int | None) -> tuple[str, tuple[int, ...]]:
        """The addresses of a location and a description of the first.

        Raises:
            NotFound: there is no such place.
            NotHere: debug information cannot be read here.
        """
        if spec.startswith("*"):
            try:
                address = int(spec[1:].strip(), 0)
            except ValueError:
                pass  # an expression: the symbols know
            else:
                return f"{address:#x}", (address,)
        with self.lock:
            self.sync()
            # A bare line means the file that was listed last, at first that of main.
            file, line = self.list_at or self._main_place()
            found = self.symbols().locate(spec, default_file=file, default_line=line, pc=pc)
        if not found:
            raise NotFound(f"there is no place {spec}", "info functions lists what can be named")
        first = found[0]
        where = first.function or f"{first.address:#x}"
        if first.file:
            with self.lock:
                where += f" at {self.symbols().file_name(first.file)}:{first.line}"
        return where, tuple(place.address for place in found)

    def _main_place(self) -> tuple[str, int]:
        try:
            return self.symbols().default_list_place()
        except TracedbgError:
            return "", 0

    def top(self, regs: Registers) -> Frame:
        """The innermost frame; the address only where there is no debug information."""
        with self.lock:
            if self._live is None:
                return Frame(0, regs.pc, None, "", interrupted=True)
            self.sync()
            return self._live.top(regs.words)

    def source_line(self, frame: Frame | None) -> tuple[int, str] | None:
        """A frame's line of source, if its file is there; `list` goes on from it."""
        if frame is None or not frame.file or not frame.line:
            return None
        self.list_at = (frame.file, frame.line)
        try:
            lines = self.sources.lines(frame.file, frame.line, frame.line)
        except TracedbgError:
            return None
        return (frame.line, lines[0][1]) if lines else None

    def mid_line(self, frame: Frame) -> bool:
        """Whether a frame's pc is inside the code of its line, not at its start."""
        with self.lock:
            row = self._live.row(frame.pc) if self._live is not None else None
        return row is not None and frame.pc != row.low
