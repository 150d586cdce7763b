"""Running lines: one at a time on the command thread, those that may at once on the control thread.

`run_line` belongs to the thread that calls it (the main thread in batch mode).  `CommandThreads` gives the prompt two threads, so that
it stays usable while a command waits.  Lines and answers become events; nothing is printed here.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable

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


class Context:
    """What the language may ask of a session: names and variables."""

    def __init__(self, session: Session) -> None:
        self._session = session

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
        lines: list[str] = []
        if isinstance(error, BadSyntax) and error.column:
            lines = [text, " " * error.column + "^"]
        if cause is not None:
            import traceback

            trace = "".join(traceback.format_exception(cause))
            lines += trace.rstrip().splitlines()
        self._session.log.publish(CommandFinished(False, tuple(lines), str(error)), of=entered)


class CommandThreads:
    """The command thread and the control thread of a prompt.

    Args:
        runner: what runs the lines.
        changed: called after each line, on the thread that ran it.
    """

    def __init__(self, session: Session, runner: Runner, changed: Callable[[], None]) -> None:
        self._session, self._runner, self._changed = session, runner, changed
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._controls: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._idle = threading.Condition()
        self._pending = 0
        self._running = ""
        self._threads = [
            threading.Thread(target=self._serve, args=(self._lines, "repl", True), name="command", daemon=True),
            threading.Thread(target=self._serve, args=(self._controls, "control", False), name="control", daemon=True),
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
        if not (self._running or self._pending):
            self._later(self._lines, text)
            return
        try:
            call = self._runner.call_of(text)
        except TracedbgError:
            self._later(self._controls, text)  # it will say what is wrong with it, at once
            return
        if call is None or call.while_busy == "now":
            self._later(self._controls, text)
        elif not self._session.waits:
            self._later(self._lines, text)
        else:
            error = NotNow(f"'{call.name}' must wait: '{self._running or 'another command'}' is running", "Ctrl-C or interrupt ends that")
            entered = self._session.log.publish(LineEntered(text, "keyboard"), lane="repl")
            self._session.log.publish(CommandFinished(False, (), str(error)), lane="repl", of=entered)

    def submit_in_order(self, text: str) -> None:
        """Take a line of a script: it waits its turn."""
        self._later(self._lines, text)

    def _later(self, where: queue.SimpleQueue[str | None], text: str) -> None:
        with self._idle:
            self._pending += 1
        where.put(text)

    def wait_idle(self, seconds: float) -> bool:
        """Wait until no line runs; False when the time is over first."""
        with self._idle:
            return self._idle.wait_for(lambda: self._pending == 0, seconds)

    def close(self) -> None:
        """End both threads; a command that waits must have been interrupted before."""
        for where in (self._lines, self._controls):
            where.put(None)
        for thread in self._threads:
            thread.join(5)

    def _serve(self, lines: queue.SimpleQueue[str | None], lane: str, main: bool) -> None:
        threads.name_here(threading.current_thread().name)
        with self._session.log.lane(lane, Role.REPL, os.getpid()):
            while (text := lines.get()) is not None:
                if main:
                    self._running = text or "the last command"
                try:
                    self._runner.run_line(text, "keyboard")
                finally:
                    if main:
                        self._running = ""
                    with self._idle:
                        self._pending -= 1
                        self._idle.notify_all()
                    self._changed()
