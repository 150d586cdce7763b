"""The terminal's host for a replay, with the one thread on which the replay lives.

`submit` and what only reads are for the terminal's thread, as `ui.host.Host` says; lines are run, and time passes, on the thread
``replay``.  It knows no terminal and no session, and starts nothing else.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from tracedbg.lang.complete import Candidate, complete, validate
from tracedbg.lang.grammar import parse
from tracedbg.lang.run import prepare
from tracedbg.model.errors import BadArgument, TracedbgError, UnknownCommand
from tracedbg.model.text import Shown, visible
from tracedbg.render.styles import StyledLine

from .commands import Context, all_commands
from .deck import Deck
from .tape import seconds

PROMPT = "replay> "
_NARROW = 60
_SIDE_ROWS = (4, 12)
"""What the split's pane has at least, in a narrow terminal and in others: so far from its top the current line is still seen."""


class Console:
    """Runs lines on a deck; on the thread that owns the deck.

    Args:
        deck: it.
    """

    def __init__(self, deck: Deck) -> None:
        self.deck = deck
        self.context = Context(deck)
        self._repeat = ""

    def run(self, text: str) -> bool:
        """Run a line; whether it went well.  An empty one runs the last command again, or skips the question that waits."""
        deck = self.deck
        asked = deck.question
        text = text.strip()
        if asked is not None and (not text or (text.isascii() and text.isdecimal() and len(text) < 10)):
            text = f"guess {text}"
        if not text:
            if deck.playing or not self._repeat:
                return True
            text = self._repeat
        try:
            self._run(text)
        except TracedbgError as error:
            deck.say("error", str(error))
            return False
        return True

    def _run(self, text: str) -> None:
        line = parse(text)
        if not line:
            return
        if line.actors:
            raise BadArgument("nothing runs in a replay, so no thread can be asked to call", "help lists what can be looked at")
        try:
            call = prepare(all_commands(), self.context, line)
        except UnknownCommand as error:
            raise UnknownCommand(f"{error.what} (in a replay nothing runs)", error.todo) from None
        told = call.run(self.deck)
        self._repeat = call.repeat_line or ""
        if isinstance(told, list):
            self.deck.show([(("answer", visible(each)),) for each in told], keep=True)


class ReplayHost:
    """What `ui.app.Terminal` talks to.

    Args:
        console: runs lines.
        clock: seconds that only grow.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._deck, self._clock = console, console.deck, clock
        self._callbacks: list[Callable[[bool], None]] = []
        self.leave: Callable[[], None] = lambda: None
        self.failure: Exception | None = None
        """A defect of ours that ended the replay."""
        self._thread = threading.Thread(target=self._live, name="replay", daemon=True)
        # Under the condition:
        self._news = threading.Condition()
        self._lines: deque[str] = deque()
        self._busy = False
        self._closing = False

    def start(self) -> None:
        """Begin to live."""
        self._thread.start()

    # --- the replay's thread --------------------------------------------------------------------------------------------------
    def _live(self) -> None:
        try:
            self._serve()
        except Exception as error:  # a defect: nobody would be told, and the prompt would answer no more
            self._deck.quitting = True
            with self._news:
                self.failure = error
                self._news.notify_all()
            self.leave()

    def _serve(self) -> None:
        due: float | None = self._clock()
        while True:
            with self._news:
                while not (self._lines or self._closing):
                    left = None if due is None else due - self._clock()
                    if left is not None and left <= 0:
                        break
                    self._busy = False
                    self._news.notify_all()
                    self._news.wait(left)
                if self._closing:
                    return
                line = self._lines.popleft() if self._lines else None
                self._busy = True
            was = self._deck.playing
            if line is not None:
                self._console.run(line)
            due = self._deck.advance(self._clock())
            self._changed(complete=line is not None or was != self._deck.playing)
            if self._deck.quitting:
                self.leave()

    def _changed(self, *, complete: bool) -> None:
        for callback in self._callbacks:
            callback(complete)

    # --- ui.host.Host ---------------------------------------------------------------------------------------------------------
    def submit(self, line: str) -> None:
        """Take an accepted line; while it is played, Enter alone is nothing."""
        with self._news:
            self._lines.append(line)
            self._news.notify_all()

    def echoes(self, line: str) -> bool:
        """Enter alone leaves a trace only where it repeats a command."""
        return bool(line.strip()) or not self._deck.playing

    def interrupt(self) -> str:
        """Ctrl-C: time stands still."""
        if self._deck.playing:
            self.submit("pause")
            return ""
        return "nothing is played; play goes on, quit leaves"

    def space(self) -> bool:
        """Space on an empty line: play or pause."""
        if self._deck.question is not None:
            return False
        self.submit("pause" if self._deck.playing else "play")
        return True

    def request_quit(self) -> str | None:
        """Ctrl-D: nothing could be lost."""
        return None

    def quit(self) -> None:
        """Orderly end."""
        with self._news:
            self._closing = True
            self._news.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def idle(self, seconds: float) -> bool:
        """Wait until nothing runs and nothing is played."""
        with self._news:
            return self._news.wait_for(lambda: self.failure is not None or not (self._lines or self._busy or self._deck.playing), seconds)

    def ended(self) -> bool:
        """The command `quit` was given."""
        return self._deck.quitting

    def complete(self, text: str) -> Sequence[Candidate]:
        """Ways to go on."""
        return [one for one in complete(all_commands(), self._console.context, text) if one.text != "on"]

    def validate(self, text: str) -> str | None:
        """What is wrong with a half-typed line; a number at a question is an answer."""
        if self._deck.question is not None and text.strip().isdecimal():
            return None
        return validate(all_commands(), self._console.context, text)

    def toolbar(self) -> Sequence[tuple[str, str]]:
        """Time, place, section, who sleeps."""
        deck = self._deck
        position = deck.position
        last = deck.tape.last(position)
        how = f"playing x{deck.speed:g}" if deck.playing else "asks" if deck.question is not None else "paused"
        fields = [("replay", how), ("at", f"{last.seq if last is not None else 0} {seconds(deck.tape.time(position))}")]
        section = deck.tape.section(position)
        if section is not None and section.number:
            fields.append(("section", f"{section.number}/{deck.tape.sections[-1].number}"))
        return [*fields, ("queue", " ".join(deck.states.sleepers(position)) or "empty")]

    def prompt(self) -> str:
        """The prompt; a question has one of its own."""
        question = self._deck.question
        return PROMPT if question is None else f"your guess, 1-{question.choices}> " if question.choices else "your guess> "

    def context(self) -> Sequence[Shown]:
        """Source or registers as they were, for the split."""
        return self._deck.states.side(self._deck.position, _SIDE_ROWS[self._deck.columns() >= _NARROW])

    def on_change(self, callback: Callable[[bool], None]) -> None:
        """Keep a callback for changes of prompt, toolbar or context."""
        self._callbacks.append(callback)

    def newest(self, count: int) -> Sequence[StyledLine]:
        """What a screen that can be redrawn shows: after a jump the lines that lead to that place, whatever was shown before."""
        return list(self._deck.ring)[-count:]
