"""The composition: builds the parts, owns their lives, leaves nothing behind.

A context manager.  Made and closed on one thread (the main one); its parts say themselves on which thread they run.
"""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from tracedbg import __version__
from tracedbg.eventlog.log import EventLog
from tracedbg.eventlog.sinks import FileSink
from tracedbg.kernel import procfs
from tracedbg.kernel.poke import PokeHandler
from tracedbg.kernel.wait import WaitDoor
from tracedbg.kernel.witness import Witness
from tracedbg.lab.bench import Bench
from tracedbg.lab.puppets import Puppets
from tracedbg.model.errors import BadArgument, InternalError, NotNow, TracedbgError
from tracedbg.model.events import Detail, Note, SessionEnded, SessionStarted, Warned
from tracedbg.model.ids import Role
from tracedbg.model.startup import ProgramArgs
from tracedbg.model.text import visible
from tracedbg.tracer import attaching, ops
from tracedbg.tracer.gate import Held
from tracedbg.tracer.thread import Tracer
from tracedbg.tracer.waiter import Waiters

from .actors import Actors
from .bystep import ByStep
from .kernelwitness import KernelWitness
from .lesson import Lesson
from .logview import LogView
from .output import ProgramTerminal
from .program import Program
from .recorder import Recorder, host
from .settings import Settings

_END_S = 10.0
"""Seconds that an orderly end may take before it goes on without the tracees' consent (EXITKILL does the rest)."""


class Runnable(Protocol):
    """A line that is ready to run, as `lang.run.Call` is one."""

    @property
    def name(self) -> str:
        """Its command's."""

    def run(self, session: object) -> object:
        """Run it, on the calling thread; its answer."""


class Session:
    """One sitting with tracedbg.

    Args:
        events: a file for JSON lines, empty for none.
        detail: what the log keeps in memory.
        environment: the program's environment; a snapshot of ours unless given.
    """

    def __init__(
        self,
        *,
        events: str = "",
        detail: Detail = Detail.CALLS,
        environment: dict[str, str] | None = None,
    ) -> None:
        # Set once.  The snapshot comes first: libraries that are loaded later set variables for themselves.
        env = dict(os.environ) if environment is None else environment
        self.pid = os.getpid()
        self.log = EventLog(detail=detail)
        self._file = self._open_file(events) if events else None
        # Where names of recordings begin, empty for the working directory: a lesson plays in a folder that is removed.
        self.folder = ""
        self.view = LogView(self.log, detail)
        self.settings = Settings()
        self.witness = Witness(self.log, self.pid)
        self.door = WaitDoor(self.log, self.witness)
        self.waiters = Waiters(self.door)
        self.tracer = Tracer(self.log, self.door, self.waiters, self._broken)
        self.door.hand_over = self.tracer.report
        self.recorder = Recorder(self.log, self.witness, lambda: self.tracer.view)
        self.bench = Bench(self.log, self.door)
        self.puppets = Puppets(self.log, self.witness, self._named)
        self.actors = Actors(self.log, self.door, self.tracer, self.waiters, self.bench, self.puppets)
        self.kernel = KernelWitness(self.log, self.pid, self.actors.names, self.actors.tid, self._traced)
        self.terminal = ProgramTerminal(self.log)
        self.program = Program(self.tracer, self.waiters, self.terminal, self.settings, env)
        self.recorder.chosen = self._chosen
        # Command thread.
        self.variables: dict[str, str] = {}
        self.block_start = 0
        self.matched_at = 0
        self.matched: set[int] = set()
        self._block_open = False
        self.last_error: tuple[str, TracedbgError] | None = None
        # Set once by a front end that has a keyboard to hand over.
        # Called on the thread of the command `fg`: lends the keyboard while a function lets the program run (its value comes back), or
        # with None until the running program's next stop; Ctrl-] takes the keyboard back earlier.
        self.keyboard: Callable[[Callable[[], object] | None], object] | None = None
        # Set once by whoever runs lines: what a line asks for, None for a blank one.
        self.prepare: Callable[[str], Runnable | None] | None = None
        # Command thread: what `explain --step` runs, until it is over and told.
        self.by_step: ByStep | None = None
        # Set once by whoever plays a lesson in this session.
        self.lesson: Lesson | None = None
        # Any thread; replaced whole.
        self.failure: BaseException | None = None
        self.expecting = False
        self.given_up = False
        self.quitting = False
        self._closed = False
        self._interrupts = 0
        self._asserted = True

    def _open_file(self, path: str) -> FileSink:
        meta: dict[str, object] = {"title": "", "host": host()}
        try:
            sink = FileSink(path, meta, home=os.environ.get("HOME", ""))
        except OSError as error:
            raise BadArgument(f"the file {visible(path)} cannot be written: {error.strerror}", "name another file") from error
        self.log.attach(sink)
        return sink

    # --- life -----------------------------------------------------------------------------------------------------------------
    def __enter__(self) -> Self:
        PokeHandler.acquire()
        # A thread that computes (rendering, symbols) would otherwise hold the tracer up for 5 ms at each stop.
        self._switch_interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-4)
        self._lane = self.log.lane("repl", Role.REPL, self.pid)
        self._lane.__enter__()
        self.log.publish(SessionStarted(__version__, platform.release(), platform.python_version()))
        self.kernel.sweep()
        self.witness.start()
        self.tracer.start_thread()
        self.variables |= {"tracedbg": str(self.pid), "tracer": str(self.tracer.tid), "python": sys.executable}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End in order: waits poked, what was launched killed, what was attached let go, threads joined.  Once; main thread."""
        if self._closed:
            return
        self._closed = True
        self.quitting = True
        self.puppets.kill()
        self.bench.close()
        self.tracer.seat.kick()
        self.tracer.seat.welcome()
        if self.by_step is not None:
            self.by_step.let_go()
        if self.failure is None:
            self._let_all_go()
        if self.by_step is not None and self.by_step.close():
            self.log.publish(Warned(f"the session ended while '{self.by_step.line}' was being explained"))
        self.waiters.close()
        self.tracer.close()
        # Only now: a tracee in its exit event ignores SIGKILL until its tracer has let it go, or has ended.
        self.puppets.close()
        self.terminal.close()
        self.program.places.close()
        self.kernel.close()
        self.witness.close()
        if self.recorder.file is not None:
            self.recorder.stop(self.failure is None)
        self.log.publish(SessionEnded(self.failure is None))
        if self._file is not None:
            self.log.detach(self._file)
            self._file.close()
        self._lane.__exit__(None, None, None)
        sys.setswitchinterval(self._switch_interval)
        PokeHandler.release()

    def _let_all_go(self) -> None:
        """Kill what we launched, detach what we attached; collect every end."""
        for inferior in self.tracer.call(ops.view).inferiors:
            if inferior.ended is not None or not inferior.tracees:
                continue
            self.waiters.ensure()
            self.tracer.cancel(inferior.pid, "tracedbg is ending")
            plan = attaching.kill if inferior.launched else attaching.detach
            try:
                self.tracer.start(plan, inferior.pid, inferior.pid).result(_END_S)
            except (TracedbgError, TimeoutError) as error:
                if not isinstance(error, NotNow):
                    self.log.publish(Warned(f"process {inferior.pid} could not be ended in order: {error}"))

    def _named(self, name: str, tid: int) -> None:
        """A thread or puppet has its number: lines may speak of it as `$name`; any thread."""
        self.variables[name] = str(tid)

    def _broken(self, error: BaseException) -> None:
        """The tracer's loop failed (tracer thread): a defect of ours, everything else is ended by `close`."""
        self.failure = error

    def check(self) -> None:
        """Raise if the session is broken.

        Raises:
            InternalError: the tracer thread has failed.
        """
        if self.failure is not None:
            raise InternalError(f"the tracer thread failed: {self.failure!r}", "leave with quit; the log tells what happened before")

    def choose(self, words: Sequence[str], tty: str = "") -> None:
        """What a command line names: a program, its arguments, and the terminal to run it on.

        Raises:
            NotFound, BadArgument: the file is missing, not executable, for another CPU ...
        """
        self.settings.inferior_tty = tty
        if words:
            self.program.file(words[0])
            self.settings.args = ProgramArgs(tuple(words[1:]))

    def _chosen(self) -> tuple[str, ...]:
        """Lines that would choose the program and its arguments; none while there is a process, which no line could bring back."""
        program, args = self.program, self.settings.args.argv
        if program.alive or not program.path:
            return ()
        return (f"file {shlex.quote(program.path)}", *([f"set args {shlex.join(args)}"] if args else []))

    @property
    def held(self) -> Held | None:
        """The pause of `explain --step`, if the tracer is held; any thread."""
        by_step = self.by_step
        return None if by_step is None else by_step.held

    # --- interrupting ---------------------------------------------------------------------------------------------------------
    @property
    def busy_text(self) -> str:
        """What is going on, for a toolbar; any thread."""
        view = self.program.view
        if view is None:
            return "no program"
        if view.stopped:
            return "stopped"
        # The tracer knows a stop once somebody has collected it; the kernel knows it before.
        return "stop not collected" if procfs.state(view.pid) == "t" else "running"

    @property
    def waits(self) -> bool:
        """A command waits for something that may take for ever: the program, or a wait that somebody typed; any thread."""
        return (
            self.program.busy
            or self.program.moves.under_way
            or self.tracer.seat.inside
            or self.bench.waited_for
            or self.puppets.answers.awaited
        )

    def interrupt(self, *, gently: bool = False) -> str:
        """Stop what is going on; any thread, never blocks for long.

        Args:
            gently: as Ctrl-C does: type 0x03 into the program's terminal first, so that it sees SIGINT as in a shell; a second
                one asks the kernel.

        Returns:
            One line that says what was done, empty if nothing was going on.
        """
        if self.bench.kick_foreground():
            return "the call that was waited for was ended"
        if self.puppets.answers.give_up():
            return "the puppet's answer was not waited for any longer"
        if self._give_up():
            return "the expectation was given up"
        if self.held is not None and self.by_step is not None:
            self.by_step.let_go()
        if not (self.program.moves.under_way or self.program.busy):
            seat = self.tracer.seat
            if seat.inside:
                seat.kick()
                seat.welcome()
                return "the tracer's wait was ended"
            return ""
        if self.program.busy:
            self._interrupts += 1
            view = self.program.view
            if gently and view is not None and view.launched and self._interrupts == 1 and self.terminal.pty is not None:
                self.terminal.send(b"\x03", show=False)
                return "SIGINT was typed into the program's terminal; Ctrl-C again stops it through ptrace"
        if not self.program.moves.stop(self.program.pid):
            self.tracer.post(ops.interrupt, self.program.pid)
        return "asked the program to stop"

    def _give_up(self) -> bool:
        """End the wait of an `expect`; False if none waits."""
        if not self.expecting:
            return False
        self.given_up = True
        # The one who waits looks at each record: this one wakes it.
        self.log.publish(Note("the expectation was given up"))
        return True

    def abandon(self) -> None:
        """End whatever a command waits for, for good: the session is about to end; any thread."""
        self.quitting = True
        if self.by_step is not None:
            self.by_step.let_go()
        seat = self.tracer.seat
        seat.kick()
        seat.welcome()
        self.bench.kick_foreground()
        self.puppets.answers.give_up()
        self._give_up()
        # Not asked of the view: a plan that has just begun is on the desk already and not yet in the view.
        if self.program.pid:
            self.tracer.cancel(self.program.pid, "tracedbg is ending")

    def begins(self, name: str) -> None:
        """A command is about to run: after an `expect` or `then` the first other one begins a new block."""
        asserting = name in ("expect", "then")
        if self._asserted and not asserting and not self._block_open:
            self._new_window()
        self._asserted = asserting

    def _new_window(self) -> None:
        self.block_start, self.matched_at, self.matched = self.log.last, 0, set()

    def open_block(self) -> None:
        """A block of a walkthrough begins: until `close_block` all its lines look at one window."""
        self._new_window()
        self._block_open = True

    def close_block(self) -> None:
        """The block is over: the next command begins a new window."""
        self._block_open, self._asserted = False, True

    def settled(self) -> None:
        """A command has ended: the next Ctrl-C is a first one again."""
        self._interrupts = 0

    # --- names ----------------------------------------------------------------------------------------------------------------
    def thread_tid(self, name: str) -> int | None:
        """The tid of a thread of ours by its lane's name; any thread."""
        return self.actors.tid(name)

    def _traced(self) -> list[int]:
        """Every task that the tracer traces; any thread."""
        return [tracee.tid for inferior in self.tracer.view.inferiors for tracee in inferior.tracees]

    def variable(self, name: str) -> str | None:
        """The value of `$name`: what `run`, `launch` and `expect` set, and `$tracee`."""
        return self.variables.get(name)
