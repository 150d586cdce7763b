"""The terminal's host: a session with its command and control threads.

Made on the main thread; its methods run where `host.Host` says.  The only module of this floor that knows the session.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tracedbg.commands.runner import CommandThreads, Runner
from tracedbg.commands.screen import Lines
from tracedbg.commands.table import all_commands
from tracedbg.eventlog.sinks import CallbackSink
from tracedbg.kernel import terminal as tty
from tracedbg.lang.complete import complete, validate
from tracedbg.model.errors import TracedbgError
from tracedbg.model.events import (
    CommandFinished,
    Detail,
    LineEntered,
    ProgramStopped,
    Record,
    ThreadAsleep,
    ThreadWoken,
    TraceeGone,
    TraceeResumed,
    TraceeStopped,
)
from tracedbg.model.text import Shown, visible
from tracedbg.render.styles import StyledLine, wants_colour
from tracedbg.session.lesson import Lesson, Stage
from tracedbg.session.recorder import Wanted
from tracedbg.session.session import Session

from .host import Candidate
from .pump import Pump

if TYPE_CHECKING:
    from .foreground import Foreground

_MOVES = (ProgramStopped, ThreadAsleep, ThreadWoken, TraceeGone, TraceeResumed, TraceeStopped)
"""Events after which the toolbar says something else."""


class SessionHost:
    """What `ui.app.Terminal` talks to.

    Args:
        session: open.
        pump: where lines go.
        width: columns of the terminal now.
        times: the log has a column of seconds.
    """

    def __init__(self, session: Session, pump: Pump, width: Callable[[], int], *, times: bool = True) -> None:
        self.session, self._pump, self.columns = session, pump, width
        self._runner = Runner(session, all_commands(), width)
        self._threads = CommandThreads(session, self._runner, self._changed)
        self._lines = Lines(session.view, times=times, echo=True)
        self._callbacks: list[Callable[[bool], None]] = []
        self.leave: Callable[[], None] = lambda: None
        self._left = False

    @property
    def detail(self) -> Detail:
        """What the view asks for; the host is a sink of the log."""
        return self.session.view.detail

    def start(self) -> None:
        """Begin to take lines and to show the log."""
        self.session.log.attach(self)
        self._threads.start()

    # --- the log --------------------------------------------------------------------------------------------------------------
    def take(self, record: Record) -> None:
        """A sink's part: draw and enqueue (publishing thread, under the log's lock)."""
        keep = isinstance(record.event, (CommandFinished, LineEntered))
        lines = self._lines.of(record)
        for pieces in lines:
            self._pump.put(pieces, keep=keep)
        if not lines and isinstance(record.event, _MOVES):
            # What is drawn brings the toolbar up to date as well; not so with `log off`, or for a lane that is not shown.
            self._tell_change(complete=False)

    def say(self, style: str, text: str) -> None:
        """One line of our own."""
        line: StyledLine = ((style, visible(text)),)
        self._pump.put(line, keep=True)

    # --- session.lesson.Stage -------------------------------------------------------------------------------------------------
    @property
    def colour(self) -> bool:
        """Styles can be seen."""
        return wants_colour(os.environ)

    def tell(self, line: StyledLine) -> None:
        """One line of a lesson."""
        self._pump.put(line, keep=True)

    def mute(self, on: bool) -> None:
        """Show nothing of the log and of answers, or show them again."""
        self._lines.muted = on

    # --- Host -----------------------------------------------------------------------------------------------------------------
    def echoes(self, line: str) -> bool:
        """Enter alone leaves no trace in a lesson: it only turns the page."""
        return bool(line.strip()) or self._lesson is None

    def submit(self, line: str) -> None:
        """Take an accepted line; in a lesson Enter alone goes on and a number answers its question; at a pause Enter alone goes on."""
        lesson = self._lesson
        if not line.strip() and self.session.held is not None:
            line = "go"
        meaning = line if lesson is None else lesson.meaning(line)
        if meaning is not None:
            self._threads.submit(meaning)

    @property
    def _lesson(self) -> Lesson | None:
        lesson = self.session.lesson
        return None if lesson is None or lesson.over else lesson

    def submit_in_order(self, line: str) -> None:
        """Take a line that waits its turn: what the command line asked for."""
        self._threads.submit_in_order(line)

    def interrupt(self) -> str:
        """Ctrl-C on an empty line; between the blocks of a lesson it must not reach the program, whose stop the page has plans for."""
        if self._lesson is not None and not self._threads.running:
            return "nothing is running; Enter goes on with the lesson, Ctrl-D leaves it"
        held = self.session.held is not None
        done = self.session.interrupt(gently=True)
        if held and not self._threads.running:
            self._threads.submit("go --end")  # somebody has to hear how the command ends
        return done or "nothing is running; quit leaves tracedbg"

    def request_quit(self) -> str | None:
        """Ctrl-D on an empty line: ask only if an attached process would be let go."""
        view = self.session.program.view
        if view is not None and not view.launched:
            return f"process {view.pid} was attached: let it go and quit?"
        return None

    def quit(self) -> None:
        """Orderly end."""
        self.session.abandon()
        self._threads.close()
        self.session.close()
        self.session.log.detach(self)

    def idle(self, seconds: float) -> bool:
        """Wait until no command runs."""
        return self._threads.wait_idle(seconds)

    def ended(self) -> bool:
        """The command `quit` was given."""
        return self.session.quitting

    def complete(self, text: str) -> Sequence[Candidate]:
        """Ways to go on."""
        return complete(all_commands(), self._runner.context, text)

    def validate(self, text: str) -> str | None:
        """What is wrong with a half-typed line; a number at a lesson's question is an answer."""
        if text.strip().isdecimal() and self._lesson is not None and self._lesson.prompt:
            return None
        if self.session.held is not None and text.split()[:1] == ["on"] and len(text.split()) <= 2:
            return None  # the call is there already
        return validate(all_commands(), self._runner.context, text)

    def toolbar(self) -> Sequence[tuple[str, str]]:
        """Tracer, queue, program, desk."""
        session = self.session
        seat = session.tracer.seat
        tracer = "waits" if seat.inside else session.tracer.doing or "idle"
        sleepers = sorted(watched.lane for watched in session.witness.sleepers().values() if watched.asleep_at)
        view = session.program.view
        program = "none" if view is None else f"{view.pid} {session.busy_text}"
        fields = [("program", program), ("tracer", tracer), ("queue", " ".join(sleepers) or "empty")]
        if self._lesson is not None:
            fields.insert(0, ("lesson", self._lesson.where))
        if self._threads.running:
            fields.append(("command", self._threads.running))
        fields.append(("desk", str(session.tracer.desk_length)))
        return fields

    def prompt(self) -> str:
        """The prompt; a lesson's question has one of its own, and so has a pause."""
        held = self.session.held
        if held is not None and not self._threads.running:
            return f"pause {held.number}> "
        return (self._lesson.prompt if self._lesson is not None else "") or "tracedbg> "

    def context(self) -> Sequence[Shown]:
        """Source around the program counter, for the split."""
        place = self.session.program.list_at
        if place is None:
            return [Shown("no source yet: start shows main")]
        file, line = place
        try:
            lines = self.session.program.sources.lines(file, max(1, line - 12), line + 30)
        except TracedbgError as error:
            return [visible(str(error))]
        return [Shown(f"{'=>' if number == line else '  '} {number:>5}  {text}") for number, text in lines]

    def on_change(self, callback: Callable[[bool], None]) -> None:
        """Keep a callback for changes of prompt, toolbar or context."""
        self._callbacks.append(callback)

    def _tell_change(self, *, complete: bool) -> None:
        for callback in self._callbacks:
            callback(complete)

    def _changed(self) -> None:
        self._tell_change(complete=True)
        if self.session.quitting and not self._left:
            self._left = True
            self.leave()


def run_interactive(
    events: str,
    detail: Detail,
    program: list[str],
    lines: list[tuple[str, bool]],
    tty: str = "",
    lesson: Callable[[Session, Stage], Lesson] | None = None,
    record: Wanted | None = None,
) -> int:
    """Serve a terminal until the person leaves; the exit status.

    Args:
        events: file for JSON lines, empty for none.
        detail: of the live log.
        program: with its arguments, from the command line.
        lines: to run first, `(line, echo it)`.
        tty: a terminal to run the program on.
        lesson: makes what is to be played.
        record: keep the session in this file.
    """
    from .plain import is_dumb

    with Session(events=events, detail=detail) as session:
        session.choose(program, tty)
        if record is not None:
            session.recorder.start(record)
        pump = Pump()
        # In a lesson the order is what counts, and its text begins where the log does.
        host = SessionHost(session, pump, _columns, times=lesson is None)
        host.start()
        if lesson is not None:
            session.lesson = lesson(session, host)
            host.submit_in_order("lesson next")
        elif program:
            host.say("note", f"{os.path.basename(session.program.path)}: run starts it, break FUNCTION stops it, help explains")
        else:
            host.say("note", "tracedbg: file PROGRAM chooses one, help explains, tracedbg learn lists lessons")
        for text, _ in lines:
            host.say("input", f"tracedbg> {text}")
            host.submit_in_order(text)
        if is_dumb(os.environ):
            from .plain import run_plain

            run_plain(host, pump)
        else:
            from .app import Terminal

            terminal = Terminal(host, pump)
            host.leave = terminal.leave
            session.keyboard = lambda during: _lend_keyboard(session, terminal, during)
            terminal.on_resize = lambda columns, rows: _resize(session, columns, rows)
            terminal.run()
        failed = session.failure is not None
    return 3 if failed else 0


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except OSError:
        return 80


def _resize(session: Session, columns: int, rows: int) -> None:
    """The program's terminal follows ours."""
    session.terminal.size = (rows, columns)
    pty = session.terminal.pty
    if pty is not None:
        try:
            tty.set_window_size(pty, rows, columns)
        except (TracedbgError, OSError):
            pass  # it has just been closed


def _lend_keyboard(session: Session, terminal: Foreground, during: Callable[[], object] | None) -> object:
    """See `Session.keyboard`."""
    from .foreground import run_foreground

    stop = threading.Event()

    def register(shown: Callable[[bytes], None]) -> Callable[[], None]:
        session.terminal.divert(shown)
        return lambda: session.terminal.divert(None)

    def write(data: bytes) -> None:
        session.terminal.send(data, show=False)

    def stay() -> None:
        pty = session.terminal.pty
        if pty is None:
            return
        tty.set_foreground_modes(pty, on=True, echo=not session.terminal.asks_for_a_secret)
        try:
            run_foreground(terminal, write, register, stop)
        finally:
            if session.terminal.pty is pty:
                tty.set_foreground_modes(pty, on=False)

    if during is None:
        watch = CallbackSink(lambda record: stop.set() if isinstance(record.event, ProgramStopped) else None, Detail.QUIET)
        session.log.attach(watch)
        try:
            if session.program.busy:  # asked with the watch in place: a stop is seen by one or the other
                stay()
        finally:
            session.log.detach(watch)
        return None
    staying = threading.Thread(target=stay, name="foreground", daemon=True)
    staying.start()
    try:
        return during()
    finally:
        session.terminal.drain()
        stop.set()
        staying.join()
