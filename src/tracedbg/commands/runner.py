"""Running lines: one at a time on the command thread, those that may at once on the control thread.

`run_line` belongs to the thread that calls it (the main thread in batch mode).  `CommandThreads` gives the prompt two threads, so
that it stays usable while a command waits.  Lines and answers become events; nothing is printed here.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from tracedbg.kernel import threads
from tracedbg.lang.grammar import Line, parse
from tracedbg.lang.run import Call, prepare
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import BadSyntax, InternalError, NotNow, TracedbgError
from tracedbg.model.events import CommandFinished, LineEntered
from tracedbg.model.ids import Role
from tracedbg.session.session import Session

from .answers import Answer
from .names import offered

_AHEAD_S = 0.1
"""A line typed ahead of a command that has only just begun gives it this long before it passes it."""


class Context:
    """What the language may ask of a session: names and variables."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __getattr__(self, name: str) -> object:
        """Rows of the table are asked whether they make sense now, and ask the session about its program, waiters, bench ..."""
        return getattr(self._session, name)

    def variable(self, name: str) -> str | None:
        """The value of `$name`."""
        return self._session.variable(name)

    def names(self, kind: str, prefix: str) -> Iterable[str]:
        """Names worth offering in a completion."""
        return offered(self._session, kind, prefix)


class Runner:
    """Runs lines against a session.

    Args:
        session: what they act on.
        table: the language.
        width: columns to draw answers for; asked anew for each answer.
    """

    def __init__(self, session: Session, table: CommandTable, width: Callable[[], int] = lambda: 80) -> None:
        self._session, self._table, self._width = session, table, width
        self.context = Context(session)
        # Command thread: what Enter repeats.
        self._repeat: str | None = None

    def call_of(self, text: str) -> Call | None:
        """Parse and bind a line; None for a blank one or a comment.

        Raises:
            UserError: the line is wrong.
        """
        line: Line = parse(text)
        return prepare(self._table, self.context, line) if line else None

    def run_line(self, text: str, origin: str) -> bool:
        """Run one line to its end; False if it failed.

        Args:
            text: as typed; an empty one at the keyboard repeats the last command that can be repeated.
            origin: ``keyboard``, ``script`` or ``walkthrough``.
        """
        if not text.strip() and origin == "keyboard":
            if self._repeat is None:
                return True
            text = self._repeat
        log = self._session.log
        entered = log.publish(LineEntered(text, origin))
        try:
            self._session.check()
            call = self.call_of(text)
            if call is None:
                return True
            self._session.begins(call.name)
            answer = call.run(self._session)
        except TracedbgError as error:
            self._failed(text, entered, error)
            return False
        except Exception as error:  # a defect of ours must not take the session with it
            self._failed(text, entered, InternalError(f"internal error: {error!r}", "please report this with the log"), error)
            return False
        finally:
            self._session.settled()
        if origin == "keyboard":
            self._repeat = call.repeat_line
        lines = self._drawn(answer)
        log.publish(CommandFinished(True, tuple(str(line) for line in lines)), of=entered)
        return True

    def _drawn(self, answer: object) -> list[str]:
        if answer is None:
            return []
        drawn: Answer = answer  # type: ignore[assignment]  # every handler returns one; a law test checks the annotations
        return [str(line) for line in drawn.lines(self._width())]

    def _failed(self, text: str, entered: int, error: TracedbgError, cause: BaseException | None = None) -> None:
        self._repeat = None
        self._session.last_error = (text, error)
        lines = [str(line) for line in getattr(error, "details", ())]  # what an expectation saw instead
        if isinstance(error, BadSyntax) and error.column:
            lines = [text, " " * error.column + "^"]
        if cause is not None:
            import traceback

            trace = "".join(traceback.format_exception(cause))
            lines += trace.rstrip().splitlines()
        self._session.log.publish(CommandFinished(False, tuple(lines), str(error)), of=entered)


class _Typed(msgspec.Struct):
    """A line that waits for its turn.

    Args:
        text: as typed.
        passes: it may run while another command does.
        at: `time.monotonic` from which on it may.
    """

    text: str
    passes: bool
    at: float


class CommandThreads:
    """The command thread and the control thread of a prompt.

    Lines run in the order in which they were typed, on the command thread.  While a command waits (for the program, or in a wait
    call) the control thread takes those that may run meanwhile; the others are refused by the name of what runs.

    Args:
        session: what the lines act on.
        runner: what runs the lines.
        changed: called after each line, on the thread that ran it.
    """

    def __init__(self, session: Session, runner: Runner, changed: Callable[[], None]) -> None:
        self._session, self._runner, self._changed = session, runner, changed
        # Under the condition's lock.
        self._turn = threading.Condition()
        self._lines: deque[_Typed] = deque()
        self._at_work = 0
        self._closing = False
        # Written by the command thread, read by any: replaced whole.
        self._running = ""
        self._threads = [
            threading.Thread(target=self._serve, args=(self._next, "repl"), name="command", daemon=True),
            threading.Thread(target=self._serve, args=(self._next_passing, "control"), name="control", daemon=True),
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    @property
    def running(self) -> str:
        """The line that runs on the command thread, empty if none; any thread."""
        return self._running

    def submit(self, text: str) -> None:
        """Take a line; any thread, never blocks.

        A line typed ahead of a short command waits its turn.  While the program runs, or a wait sleeps, a command that could only
        wait as long says so instead; those that may run at once do.
        """
        passes, name = True, ""
        if text.strip():
            try:
                call = self._runner.call_of(text)
            except TracedbgError:
                pass  # it will say what is wrong with it, at once
            else:
                passes = call is None or call.while_busy == "now"
                name = call.name if call is not None else ""
        else:
            passes = False  # Enter repeats what only the command thread knows
        with self._turn:
            running = self._running
            waits = bool(running) and self._session.waits
            if not waits or passes:
                self._lines.append(_Typed(text, passes, time.monotonic() + (0 if waits else _AHEAD_S)))
                self._turn.notify_all()
                return
        self._refuse(text, name, running)

    def _refuse(self, text: str, name: str, running: str) -> None:
        if not text.strip():
            return  # Enter on an empty line while something runs asks for nothing
        error = NotNow(f"'{name}' must wait: '{running}' is running", "Ctrl-C or interrupt ends that")
        self._session.last_error = (text, error)
        entered = self._session.log.publish(LineEntered(text, "keyboard"), lane="repl")
        self._session.log.publish(CommandFinished(False, (), str(error)), lane="repl", of=entered)

    def submit_in_order(self, text: str) -> None:
        """Take a line of a script: it waits its turn, whatever it is."""
        with self._turn:
            self._lines.append(_Typed(text, False, 0))
            self._turn.notify_all()

    def wait_idle(self, seconds: float) -> bool:
        """Wait until no line runs or waits; False when the time is over first."""
        with self._turn:
            return self._turn.wait_for(lambda: not self._lines and not self._at_work, seconds)

    def close(self) -> None:
        """End both threads; a command that waits must have been interrupted before.  Lines that have not begun are dropped."""
        with self._turn:
            self._closing = True
            self._lines.clear()
            self._turn.notify_all()
        for thread in self._threads:
            thread.join(5)

    def _next(self) -> str | None:
        """The command thread's next line; None at the end."""
        with self._turn:
            self._turn.wait_for(lambda: self._lines or self._closing)
            if self._closing:
                return None
            line = self._lines.popleft().text
            self._running = line or "the last command"
            self._at_work += 1
            return line

    def _next_passing(self) -> str | None:
        """The control thread's next line: the first that may pass the running command and has given it time to end."""
        with self._turn:
            while not self._closing:
                now, wait = time.monotonic(), None
                found = next((line for line in self._lines if line.passes), None) if self._running else None
                if found is not None:
                    if found.at <= now:
                        self._lines.remove(found)
                        self._at_work += 1
                        return found.text
                    wait = found.at - now
                self._turn.wait(wait)
        return None

    def _serve(self, take: Callable[[], str | None], lane: str) -> None:
        threads.name_here(threading.current_thread().name)
        with self._session.log.lane(lane, Role.REPL, os.getpid()):
            while (text := take()) is not None:
                try:
                    self._runner.run_line(text, "keyboard")
                finally:
                    with self._turn:
                        self._at_work -= 1
                        if lane == "repl":
                            self._running = ""
                        self._turn.notify_all()
                    self._changed()
