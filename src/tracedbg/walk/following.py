"""The speaker's side of a presentation: notes, times, votes and answers, as a lectern tells them.

`Follower.frame` and `press` belong to the UI thread, the thread `follower` reads.  What it reads is as foreign as any file: sizes are
limited, and text reaches the screen through `visible` and `markdown_lines`.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable

import msgspec

from tracedbg.model.text import Shown, visible
from tracedbg.render.markdown import markdown_lines
from tracedbg.render.styles import StyledLine
from tracedbg.session.show import Frame

from .lectern import FORMAT, VERSION
from .slide_drawing import pages, wrapped

_LONGEST_LINE = 1 << 20
_AGAIN_S = 1.0
"""How soon a connection that was lost is tried again."""
_MEASURE = 100


class _Question(msgspec.Struct):
    text: str = ""
    choices: list[str] = []
    votes: list[int] = []
    right: int | None = None
    shown: bool = False


class State(msgspec.Struct):
    """What a lectern tells: see `Presentation.state`; seconds are those that have passed."""

    format: str
    version: int
    over: bool = False
    title: str = ""
    step: int = 0
    of: int = 0
    heading: str = ""
    next: str = ""
    slide: str = ""
    at: int = 0
    slides: int = 0
    coming: str = ""
    label: str = ""
    said: str = ""
    blank: bool = False
    elapsed: float = 0.0
    here: float = 0.0
    planned: float = 0.0
    planned_all: float = 0.0
    planned_to: float = 0.0
    notes: list[str] = []
    more: list[str] = []
    question: _Question | None = None


class Follower:
    """What somebody who follows sees.

    Args:
        path: of the socket.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._changed: Callable[[], None] = lambda: None
        self._page = 0
        # Replaced whole by the reader.
        self._state: tuple[State, float] | None = None
        self._trouble = "connecting"
        self._ended = False
        self.over = False
        self._wake_out, self._wake_in = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._read, name="follower", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def close(self) -> None:
        """End the reader."""
        os.write(self._wake_in, b"\0")
        self._thread.join(2)
        for descriptor in (self._wake_in, self._wake_out):
            os.close(descriptor)

    @property
    def ended(self) -> bool:
        """The presentation itself has said that it is over."""
        return self._ended

    # --- session.show.Show ----------------------------------------------------------------------------------------------------
    def on_change(self, callback: Callable[[], None]) -> None:
        """Keep whom to tell that there is news."""
        self._changed = callback

    def press(self, action: str) -> None:
        """Only pages are turned here, and the screen is left."""
        if action == "leave":
            self.over = True
        elif action in ("next", "back"):
            self._page = max(self._page + (1 if action == "next" else -1), 0)

    def frame(self, columns: int, rows: int) -> Frame:
        """Notes and all else."""
        width = min(columns - 2, _MEASURE)
        if self._state is None:
            return Frame((Shown("follow"), Shown("")), ((("plain", visible(self._trouble)),),), (Shown("q leaves"), Shown("")), width)
        state, since = self._state
        passed = time.monotonic() - since
        shown = pages(self._lines(state, passed, width), max(rows - 3, 1))
        self._page = min(self._page, len(shown) - 1)
        clock = f"{_clock(state.elapsed + passed)} of {_clock(state.planned_all)}"
        turn = f"{self._page + 1}/{len(shown)} " if len(shown) > 1 else ""
        left = self._trouble or ("the screen is blank" if state.blank else state.said) or f"{state.label}: {state.title}"
        head = f"{state.step}/{state.of}  {state.heading}"
        return Frame((visible(head), visible(clock)), tuple(shown[self._page]), (visible(left), Shown(f"{turn}q leaves")), width)

    def _lines(self, state: State, passed: float, width: int) -> list[StyledLine]:
        here, planned = state.here + passed, state.planned
        late = state.elapsed + passed - state.planned_to
        style = "warn" if here > planned else "plain"
        lines: list[StyledLine] = [
            ((style, Shown(f"this step {_clock(here)} of {_clock(planned)}")), ("hint", Shown(f"  {_lag(late)}"))),
            *wrapped((("plain", visible(f"shows {state.slide} {state.at}/{state.slides}, then {state.coming}")),), width),
            *wrapped((("plain", visible(f"next: {state.next or 'the end'}")),), width),
            (),
        ]
        if state.question is not None:
            lines += [*_question(state.question, width), ()]
        if not state.notes:
            lines.append((("hint", Shown("(no notes for this step)")),))
        for note in state.notes:
            lines += [*markdown_lines(note, width + 1, colour=True, indent=0), ()]
        for extra in state.more:
            lines += [(("hint", Shown("In reserve:")),), *markdown_lines(extra, width + 1, colour=True, indent=0), ()]
        return lines

    # --- the reader -----------------------------------------------------------------------------------------------------------
    def _read(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_out, selectors.EVENT_READ)
            while True:
                self._one_connection(selector)
                if self._ended:
                    self.over = True
                self._changed()
                # Woken early only to end.
                if self._ended or selector.select(_AGAIN_S):
                    return

    def _one_connection(self, selector: selectors.BaseSelector) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
            try:
                connection.connect(self._path)
            except OSError as error:
                self._trouble = f"nobody presents at {self._path}: {error.strerror}; it is tried again"
                return
            selector.register(connection, selectors.EVENT_READ)
            try:
                self._hear(selector, connection)
            finally:
                with contextlib.suppress(KeyError):
                    selector.unregister(connection)

    def _hear(self, selector: selectors.BaseSelector, connection: socket.socket) -> None:
        held = b""
        while not self._ended:
            ready = [key.fileobj for key, _ in selector.select()]
            if self._wake_out in ready:
                return
            try:
                data = connection.recv(65536)
            except OSError:
                data = b""
            held += data
            if not data or len(held) > _LONGEST_LINE:
                self._trouble = "the connection is lost; it is tried again"
                return
            *lines, held = held.split(b"\n")
            # Only the newest counts; that it is over must not be missed.
            for line in lines[-2:]:
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            state = msgspec.json.decode(line, type=State)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._trouble = "what comes from there is no presentation of tracedbg"
        else:
            if state.format != FORMAT or state.version > VERSION:
                self._trouble = "what comes from there is not of this version of tracedbg"
            elif state.over:
                self._ended = True
            else:
                self._state, self._trouble = (state, time.monotonic()), ""
        self._changed()


def _question(question: _Question, width: int) -> list[StyledLine]:
    known = "the right one is marked" if question.right is not None and question.right >= 0 else "nobody knows yet which is right"
    seen = "the class sees the votes" if question.shown else "votes are hidden"
    lines = [*markdown_lines(question.text, width + 1, colour=True, indent=0)]
    for number, choice in enumerate(question.choices):
        right = number == question.right
        votes = question.votes[number] if number < len(question.votes) else 0
        mark = "►" if right else " "
        text = visible(f"{mark} {number + 1} {choice.replace('`', '')}")
        lines += wrapped((("good" if right else "plain", text), ("strong", Shown(f"  [{votes}]"))), width, 4)
    total = sum(votes for votes in question.votes if votes > 0)
    return [*lines, *wrapped((("hint", visible(f"{total} votes; {seen}; {known}")),), width)]


def _clock(seconds: float) -> str:
    whole = max(int(seconds), 0) if seconds < 1e7 else 0  # a lectern may tell anything
    return f"{whole // 60}:{whole % 60:02}"


def _lag(seconds: float) -> str:
    """How far behind the plan it is, counted from the planned end of this step."""
    return f"{_clock(seconds)} behind the plan" if seconds > 0 else f"{_clock(-seconds)} left until this step should end"
