"""From records to lines for a screen, and the plain screen of batch mode.

`Lines.of` is pure but for its memory of the last line; `PlainScreen` writes on a thread of its own, so that a slow pipe never holds up
the thread that publishes.  No escape sequences here: a line is pieces of (style name, text).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Protocol, TextIO

from tracedbg.model.events import (
    CallReturned,
    CommandFinished,
    Detail,
    LineEntered,
    Looked,
    ProgramOutput,
    ProgramStopped,
    Record,
    Warned,
    unpack,
)
from tracedbg.model.text import Shown, visible
from tracedbg.render.lines import line_of

PROMPT = Shown("tracedbg> ")
Piece = tuple[str, Shown]
Pieces = tuple[Piece, ...]

_LANE_WIDTH = 8


class View(Protocol):
    """Which part of a log is shown: the live one's is `session.logview.LogView`."""

    @property
    def detail(self) -> Detail:
        """The level up to which events are shown."""

    def wants(self, record: Record) -> bool:
        """Whether a record is shown."""


class Lines:
    """Draws records.

    Args:
        view: which of them are shown.
        times: with a column of seconds since the start.
        echo: show lines that came from a script as if they had been typed.
    """

    def __init__(self, view: View, *, times: bool, echo: bool) -> None:
        self.view, self.times, self.echo = view, times, echo
        # The last call's line, and how often it came again since it was shown.
        self._last = ("", "")
        self._again = 0
        # Of a page that is played: its assertions, which whoever plays it shows when they are met; and its replayed steps.
        self._assertion = 0
        self.muted = False

    def of(self, record: Record) -> list[Pieces]:
        """The lines of one record; none if it is not to be shown, or if it repeats the call before it."""
        lines = self._fresh(record)
        if not lines:
            return []
        call = (record.lane, lines[0][-1][1]) if isinstance(record.event, CallReturned) else ("", "")
        if call[0] and call == self._last:
            # A stop is looked at from several sides, each with the same request: one line and their number say as much.
            self._again += 1
            return []
        self._last, again = call, self._again
        self._again = 0
        return [self._repeated(again), *lines] if again else lines

    def _repeated(self, again: int) -> Pieces:
        text = Shown(f"{'':{_LANE_WIDTH}} | ... {again} more of these")
        return (("time", Shown(" " * 13)), ("hint", text)) if self.times else (("hint", text),)

    def _fresh(self, record: Record) -> list[Pieces]:
        event = record.event
        if self.muted or self._asserts(record):
            return []
        if isinstance(event, LineEntered):
            if event.origin == "keyboard" or not self.echo:
                return []
            return [(("prompt", PROMPT), ("input", visible(event.text)))]
        if isinstance(event, CommandFinished):
            lines: list[Pieces] = [(("answer", visible(line)),) for line in event.lines]
            if event.error:
                lines.append((("error", visible(event.error)),))
            return lines
        if isinstance(event, ProgramOutput):
            return self._output(record, event)
        # What an answer says anyway is not said twice.
        if not self.view.wants(record) or (isinstance(event, (ProgramStopped, Looked)) and self.view.detail < Detail.DESK):
            return []
        text = line_of(record)
        if text is None:
            return []
        return [self._line(record, text, _style(event))]

    def _asserts(self, record: Record) -> bool:
        """It is an assertion of a page, or its answer: shown before it is met, it would give a prediction's answer away."""
        event = record.event
        if isinstance(event, LineEntered) and event.origin == "walkthrough" and event.text.split(None, 1)[0] in ("expect", "then"):
            self._assertion = record.seq
            return True
        return isinstance(event, CommandFinished) and 0 < self._assertion == record.of

    def _output(self, record: Record, event: ProgramOutput) -> list[Pieces]:
        text = unpack(event.data)
        body = visible(text.removesuffix(b"\n").removesuffix(b"\r"))
        pieces = self._line(record, body, "plain")
        if event.partial:
            pieces = (*pieces, ("hint", Shown("(no newline yet)" if body.endswith(" ") else " (no newline yet)")))
        elif not text.endswith(b"\n"):
            pieces = (*pieces, ("hint", Shown(" (the line goes on)")))
        return [pieces]

    def _line(self, record: Record, text: Shown, style: str) -> Pieces:
        lane = visible(record.lane)
        pieces: list[Piece] = []
        if self.times:
            pieces.append(("time", Shown(f"{record.t / 1e9:12.6f} ")))
        pieces.append((f"lane.{_role(record.lane)}", Shown(f"{lane:<{_LANE_WIDTH}}")))
        pieces.append(("hint", Shown(" | ")))
        pieces.append((style, text))
        return tuple(pieces)


_LOOKS = ("PTRACE_GET", "PTRACE_PEEK")


def _style(event: object) -> str:
    """A line's style: requests that only look are dimmed, so that those that change something stand out."""
    if isinstance(event, CallReturned) and event.name == "ptrace" and str(event.args[0]).startswith(_LOOKS):
        return "plain" if event.errno else "hint"
    return "warn" if isinstance(event, Warned) else "plain"


def _role(lane: str) -> str:
    """A style for a lane by its name alone: a log that is read back knows no threads."""
    if lane in ("repl", "tracer", "tracee", "kernel"):
        return lane
    if lane in ("output", "control", "witness", "log"):
        return "screen"
    return "waiter" if lane.startswith("waiter") else "bench"


class PlainScreen:
    """A sink that writes plain lines to a stream.

    Args:
        lines: how records are drawn.
        out: where to; closed by nobody here.
        paint: makes the text of a line; without it lines are plain.
    """

    def __init__(self, lines: Lines, out: TextIO, paint: Callable[[Pieces], str] | None = None) -> None:
        self.lines = lines
        self._out = out
        self._paint = paint or (lambda pieces: "".join(text for _, text in pieces))
        self._records: queue.SimpleQueue[Record | Pieces | threading.Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="screen", daemon=True)
        self._thread.start()
        self.broken = False

    @property
    def detail(self) -> Detail:
        """What the view asks for."""
        return self.lines.view.detail

    def take(self, record: Record) -> None:
        """Enqueue it (publishing thread, under the log's lock)."""
        self._records.put(record)

    def say(self, line: Pieces) -> None:
        """Write a line that is no record, in its turn; any thread."""
        self._records.put(line)

    def flush(self) -> None:
        """Return when everything up to now has been written."""
        done = threading.Event()
        self._records.put(done)
        done.wait()

    def close(self) -> None:
        """Write the rest and end the thread."""
        self._records.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._records.get()) is not None:
            if isinstance(item, threading.Event):
                self._flush()
                item.set()
                continue
            if isinstance(item, tuple):
                self._write(self._paint(item) + "\n")
            else:
                self._draw(item)
            if self._records.empty():
                self._flush()

    def _draw(self, record: Record) -> None:
        try:
            for pieces in self.lines.of(record):
                self._write(self._paint(pieces) + "\n")
        except Exception as error:  # a record that cannot be drawn must not silence the ones after it, nor block who waits for them
            self._write(f"record {record.seq} cannot be drawn: {visible(repr(error))}; please report this\n")

    def _write(self, text: str) -> None:
        if not self.broken:
            try:
                self._out.write(text)
            except (BrokenPipeError, ValueError):
                self.broken = True  # the reader has gone; the log goes on

    def _flush(self) -> None:
        if not self.broken:
            try:
                self._out.flush()
            except (BrokenPipeError, ValueError):
                self.broken = True
