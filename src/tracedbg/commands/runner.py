"""Running lines: one at a time on the command thread, those that may at once on the control thread.

`run_line` belongs to the thread that calls it (the main thread in batch mode).  `CommandThreads` gives the prompt two threads, so
that it stays usable while a command waits.  Lines and answers become events; nothing is printed here.
"""

from __future__ import annotations

import math
import os
import re
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
from .keeping import Keeper
from .names import offered

_ON = re.compile(r"\s*on\s+(\S+)\s*")
_AHEAD_S = 0.1
"""A line typed ahead of a command that has only just begun gives it this long before it passes it."""
_SHORT_S = 0.25
"""A command that waits longer than this is not a short one, such as a single step: what cannot pass it is refused."""


class Context:
    """What the language may ask of a session: names and variables."""

    def __init__(self, session: Session, table: CommandTable | None = None) -> None:
        self._session, self._table = session, table

    def __getattr__(self, name: str) -> object:
        """Rows of the table are asked whether they make sense now, and ask the session about its program, waiters, bench ..."""
        return getattr(self._session, name)

    def variable(self, name: str) -> str | None:
        """The value of `$name`."""
        return self._session.variable(name)

    def names(self, kind: str, prefix: str) -> Iterable[str]:
        """Names worth offering in a completion."""
        if kind == "command":
            return [row.name for row in self._table.rows if row.available(self)] if self._table is not None else ()
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
        self.context = Context(session, table)
        # Command thread: what Enter repeats, and the last line's answer, None if it had none or failed.
        self._repeat: str | None = None
        self.answer: object = None
        self._keeper = Keeper(session)
        session.prepare = self.call_of

    def call_of(self, text: str) -> Call | None:
        """Parse and bind a line; None for a blank one or a comment.

        Raises:
            UserError: the line is wrong.
        """
        if self._session.held is not None and (given := _ON.fullmatch(text)):
            text = f"go on {given[1]}"  # at a pause of `explain --step` there is a call already
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
        try:
            return self._run(text, origin)
        finally:
            self._keeper.keep()

    def _run(self, text: str, origin: str) -> bool:
        log = self._session.log
        self.answer = None
        entered = log.publish(LineEntered(text, origin))
        try:
            self._session.check()
            call = self.call_of(text)
            if call is None:
                return True
            self._session.begins(call.name)
            answer = self.answer = call.run(self._session)
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
        at: `time.monotonic` from which on it may, or from which on it is refused.
        name: its command's.
    """

    text: str
    passes: bool
    at: float
    name: str = ""


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

        A line typed ahead of a short command waits its turn.  While the program runs on, or a wait sleeps on, a command that could only
        wait as long says so instead; those that may run at once do.
        """
        passes, name = False, ""  # Enter alone repeats what only the command thread knows
        if text.strip():
            try:
                call = self._runner.call_of(text)
            except TracedbgError:
                passes = True  # it will say what is wrong with it, at once
            else:
                passes = call is None or call.while_busy == "now"
                name = call.name if call is not None else ""
        with self._turn:
            waits = bool(self._running) and self._session.waits
            delay = (0.0 if waits else _AHEAD_S) if passes else (_SHORT_S if waits else math.inf)
            self._lines.append(_Typed(text, passes, time.monotonic() + delay, name))
            self._turn.notify_all()

    def _refuse(self, line: _Typed) -> None:
        if not line.text.strip():
            return  # Enter on an empty line while something runs asks for nothing
        running = self._running or "another command"
        error = NotNow(f"'{line.name}' must wait: '{running}' is running", "Ctrl-C or interrupt ends that")
        self._session.last_error = (line.text, error)
        entered = self._session.log.publish(LineEntered(line.text, "keyboard"), lane="repl")
        self._session.log.publish(CommandFinished(False, (), str(error)), lane="repl", of=entered)

    def submit_in_order(self, text: str) -> None:
        """Take a line of a script: it waits its turn, whatever it is."""
        with self._turn:
            self._lines.append(_Typed(text, False, math.inf))
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

    def _next(self) -> _Typed | None:
        """The command thread's next line; None at the end."""
        with self._turn:
            self._turn.wait_for(lambda: self._lines or self._closing)
            if self._closing:
                return None
            line = self._lines.popleft()
            self._running = line.text or "the last command"
            self._at_work += 1
            return line

    def _next_passing(self) -> _Typed | None:
        """The control thread's next line: the first whose time has come although a command runs."""
        with self._turn:
            while not self._closing:
                now, wait = time.monotonic(), None
                found = min(self._lines, key=lambda line: line.at, default=None) if self._running else None
                if found is not None and found.at < math.inf:
                    if found.at <= now and (found.passes or self._session.waits):
                        self._lines.remove(found)
                        self._at_work += 1
                        return found
                    wait = max(found.at - now, 0.01)
                self._turn.wait(wait)
        return None

    def _serve(self, take: Callable[[], _Typed | None], lane: str) -> None:
        threads.name_here(threading.current_thread().name)
        with self._session.log.lane(lane, Role.REPL, os.getpid()):
            while (line := take()) is not None:
                try:
                    if lane == "control" and not line.passes:
                        self._refuse(line)
                    else:
                        self._runner.run_line(line.text, "keyboard")
                finally:
                    with self._turn:
                        self._at_work -= 1
                        if lane == "repl":
                            self._running = ""
                        self._turn.notify_all()
                    self._changed()
