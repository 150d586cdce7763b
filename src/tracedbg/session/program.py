"""The program being debugged, as the command thread sees it.

Command thread only, but for the fields that say so.  It asks the tracer thread for everything that needs a request, and owns the debug
information behind one lock: never ask the tracer anything while holding it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from tracedbg.kernel import procfs, refusals
from tracedbg.kernel.memory import Memory
from tracedbg.kernel.regs import Registers
from tracedbg.model.errors import NotNow, TracedbgError, TraceeGone
from tracedbg.model.events import Warned
from tracedbg.model.startup import ProgramArgs
from tracedbg.model.stops import BreakpointHit, ExecStop, Interrupted
from tracedbg.model.views import BreakpointView, InferiorView, Report, TraceeState
from tracedbg.symbols.elf import check_program
from tracedbg.symbols.engine import LiveSymbols, Symbols
from tracedbg.symbols.source import SourceText
from tracedbg.tracer import attaching, edges, ops, running
from tracedbg.tracer.plans import Plan
from tracedbg.tracer.thread import Tracer
from tracedbg.tracer.waiter import Waiters

from .burial import Burial
from .moves import Moves
from .output import GRACE_S, ProgramTerminal
from .places import Places
from .settings import Settings
from .startup import open_files, resolve, spawn_spec
from .stopped import Stopped


class Program:
    """One program: its file, its process, the thread and frame in focus.

    Args:
        tracer: the handle of the tracer thread.
        waiters: made ready before anything runs under the usual policy.
        terminal: the program's own terminal.
        settings: what the user has set.
        environment: a snapshot from before tracedbg set anything for itself.
    """

    def __init__(
        self, tracer: Tracer, waiters: Waiters, terminal: ProgramTerminal, settings: Settings, environment: dict[str, str]
    ) -> None:
        # Set once.
        self._tracer, self.terminal, self.settings, self._environment = tracer, terminal, settings, environment
        self.places = Places()
        self.moves = Moves(tracer, waiters)
        self._burial = Burial(tracer, waiters, self.moves)
        # Command thread.
        self.level = 0
        self.last: Report | None = None
        # The registers of the thread in focus as they were at the last stop; None before the first.
        self.stood: Registers | None = None
        self._frame_key: tuple[str, int | None] | None = None
        # Read by other threads: replaced whole.
        self.pid = 0
        self.tid = 0
        self.breakpoints_seen: tuple[BreakpointView, ...] = ()
        self._memory: Memory | None = None

    # --- facts ----------------------------------------------------------------------------------------------------------------
    @property
    def view(self) -> InferiorView | None:
        """The process as the tracer saw it last; any thread."""
        found = self._tracer.view.inferior(self.pid) if self.pid else None
        return found if found is not None and found.ended is None and found.tracees else None

    @property
    def alive(self) -> bool:
        """There is a process; any thread."""
        return self.view is not None

    @property
    def busy(self) -> bool:
        """It runs; any thread."""
        view = self.view
        return view is not None and not view.stopped

    def need_process(self) -> int:
        """The pid.

        Raises:
            NotNow: nothing is being run.
        """
        if not self.alive:
            self._gone()
            raise NotNow("the program is not being run", "start it with run, or attach" if self.path else "name one with file, then run")
        return self.pid

    def need_stopped(self) -> int:
        """The tid in focus, stopped.

        Raises:
            NotNow: nothing is being run, or it runs.
        """
        self.need_process()
        view = self.view
        tracee = view.tracee(self.tid) if view is not None else None
        if tracee is None and view is not None and view.tracees:
            self.tid = view.tracees[0].tid
            tracee = view.tracees[0]
        if tracee is None or tracee.state is not TraceeState.STOPPED:
            raise NotNow(f"thread {self.tid} is not stopped", "interrupt stops the program")
        return self.tid

    def _living(self) -> int:
        """A thread whose files in /proc tell of the program: its leader, unless that has ended before its threads."""
        tids = [tracee.tid for tracee in self.view.tracees if tracee.state is TraceeState.STOPPED] if self.view else []
        return self.pid if self.pid in tids or not tids else tids[0]

    def _gone(self) -> None:
        """The process is no more: forget what belonged to it."""
        if self.pid:
            pid, self.pid, self.tid = self.pid, 0, 0
            self._tracer.call(ops.forget, pid)
            self._memory = None
            self.places.no_image()

    # --- the file -------------------------------------------------------------------------------------------------------------
    def file(self, path: str) -> str:
        """Choose the program to debug; its absolute path.

        Raises:
            NotFound, BadArgument: missing, not executable, for another CPU ...
        """
        found = resolve(path)
        check_program(found)
        self.places.choose(found)
        return found

    @property
    def path(self) -> str:
        """The program's file, empty if none is chosen."""
        return self.places.path

    # What `places` offers, by the names that handlers use most.
    @property
    def lock(self) -> threading.RLock:
        """Hold it while using debug information; never ask the tracer anything meanwhile."""
        return self.places.lock

    @property
    def sources(self) -> SourceText:
        """Source text."""
        return self.places.sources

    @property
    def list_at(self) -> tuple[str, int] | None:
        """File and line that `list` refers to."""
        return self.places.list_at

    @list_at.setter
    def list_at(self, place: tuple[str, int] | None) -> None:
        self.places.list_at = place

    def symbols(self) -> Symbols:
        """See `Places.symbols`."""
        return self.places.symbols()

    def live(self) -> LiveSymbols:
        """See `Places.live`."""
        return self.places.live()

    @property
    def has_live(self) -> bool:
        """See `Places.has_live`."""
        return self.places.has_live

    def memory(self) -> Memory:
        """The process's address space; breakpoint bytes are hidden from reads.

        Raises:
            NotNow: nothing is being run.
        """
        pid = self.need_process()
        if self._memory is None:
            self._memory = self._tracer.call(ops.memory, pid)
        return self._memory

    def registers(self) -> Registers:
        """General registers of the thread in focus.

        Raises:
            NotNow: it is not stopped.
        """
        return self._tracer.call(ops.registers, self.need_stopped())

    # --- starting -------------------------------------------------------------------------------------------------------------
    def launch(self, words: ProgramArgs | None = None, tty: str = "") -> InferiorView:
        """Fork, trace and exec on the tracer thread; collect nothing, apply no policy.

        Args:
            words: arguments and redirections; None for those of the settings.
            tty: a terminal to run it on instead of a pty of ours.

        Raises:
            NotNow: no program chosen.
            Failed: no process could be made.
        """
        if not self.path:
            raise NotNow("no program is chosen", "name one: file PROGRAM")
        check_program(self.path)
        wanted = self.settings.args if words is None else words
        tty = tty or self.settings.inferior_tty
        files = open_files(wanted, self.settings.cwd)
        pty = None
        try:
            if tty:
                terminal_fd = files.open_tty(tty)
            else:
                pty = self.terminal.open()
                terminal_fd = pty.slave_fd
            spec = spawn_spec(self.path, wanted.argv, self._environment, self.settings, files, terminal_fd)
            view = self._tracer.call(ops.launch, spec)
        except BaseException:
            if pty is not None:
                pty.close_slave()
            raise
        finally:
            files.close()
        self._adopt(view.pid)
        return view

    def _adopt(self, pid: int) -> None:
        self.pid = self.tid = pid
        self.level, self.last, self._frame_key = 0, None, None
        self._memory = None
        self.places.no_image()
        self.terminal.watch(pid, self._burial.died)

    def run(self, words: ProgramArgs | None = None, until: str = "", tty: str = "") -> Stopped:
        """Start the program under the usual policies.

        Args:
            words: arguments and redirections, which become the settings' ones; None for those set before.
            until: ``entry`` (first instruction), ``main`` or empty (a breakpoint or the end).
            tty: a terminal to run it on instead of a pty of ours.
        """
        if words is not None:
            self.settings.args = words
        if self.alive:
            self.kill()
        return self.move(lambda: self._run(until, tty))

    def _run(self, until: str, tty: str) -> Stopped:
        view = self.launch(None, tty)
        report = self.moves.wait_for(edges.first_stop, view.pid)
        self._trouble(report)
        if report.ended is not None:  # killed before its exec: news
            return self.arrive(report)
        self.new_image()
        if until == "entry":
            return self.arrive(report)
        if until == "main":
            where, addresses = self.locate("main")
            self._tracer.call(ops.add_breakpoint, view.pid, "main", where, addresses, True)
        return self.proceed(running.cont, self.tid)

    def _trouble(self, report: Report) -> None:
        """Tell what went wrong between fork and exec."""
        for stage, errno, fatal in self._tracer.call(ops.start_trouble, report.pid):
            if not fatal:
                self._tracer.log.publish(Warned(f"addresses stay random: personality was refused ({os.strerror(errno)})"))
                continue
            self._gone()
            raise refusals.explain_exec(stage, errno, self.path)

    def take_over(self, pid: int) -> Stopped:
        """Bring the usual policies to a process that was launched without them."""
        report = self.moves.wait_for(edges.first_stop, pid)
        self._trouble(report)
        return self.move(lambda: self._in_place(report))

    def _in_place(self, report: Report) -> Stopped:
        if report.ended is None:
            self.new_image()
        return self.arrive(report)

    # --- attach, detach, kill -------------------------------------------------------------------------------------------------
    def attach(self, pid: int) -> Stopped:
        """Take hold of every thread of a running process and stop it.

        Raises:
            NotPermitted: refused, with the cause that was found.
            NotFound: there is no such process.
        """
        if self.alive:
            raise NotNow(f"process {self.pid} is being debugged", "detach or kill it first")
        self._tracer.call(attaching.open_page, pid)
        report = self.moves.wait_for(attaching.attach, pid, self.settings.attach_mode == "seize")
        self._adopt(pid)
        file = procfs.exe(self._living())
        if not self.path and file is not None:  # None for another user's process: symbols will say what is missing
            self.places.choose(file)
        return self.move(lambda: self._in_place(report))

    def detach(self) -> int:
        """Let the process go on without us; how many threads were let go."""
        pid = self.need_process()
        count = self.moves.wait_for(attaching.detach, pid)
        self._gone()
        return count

    def kill(self) -> int:
        """End the process; its pid."""
        pid = self.need_process()
        self.moves.wait_for(attaching.kill, pid)
        self.terminal.drain()
        self._gone()
        return pid

    # --- running --------------------------------------------------------------------------------------------------------------
    def move(self, command: Callable[[], Stopped]) -> Stopped:
        """Run a command that moves the program; one that was killed meanwhile is no error: its end is the answer."""
        with self.moves.one():
            buried = self._burial.begun
            try:
                return command()
            except (TraceeGone, NotNow) as error:
                if isinstance(error, NotNow) and self._burial.begun is buried:
                    raise
                end = self._burial.end(self.pid)
                if end is None:
                    raise
                return self.arrive(end)

    def ask(self, plan: Callable[..., Plan[Report]], tid: int, *args: object) -> Report:
        """Run one plan to its report.  An exec on the way brings a new image, after which the program goes on."""
        if self.moves.stop_wanted:
            return Report(self.need_process(), tid, Interrupted())
        return self.ask_now(plan, tid, *args)

    def ask_now(self, plan: Callable[..., Plan[Report]], tid: int, *args: object) -> Report:
        """As `ask`, also while an interrupt wants the command to end: for what ends a piece in order."""
        pid = self.need_process()
        report = self.moves.wait_for(plan, pid, tid, *args)
        while isinstance(report.stop, ExecStop):
            self.new_image()
            report = self.moves.wait_for(running.cont, pid, report.tid)
        return report

    def proceed(self, plan: Callable[..., Plan[Report]], tid: int, *args: object) -> Stopped:
        """Run one plan and say where the program stands afterwards."""
        return self.move(lambda: self.arrive(self.ask(plan, tid, *args)))

    def arrive(self, report: Report, note: str = "") -> Stopped:
        """Put the focus on a report and describe the place."""
        began = time.monotonic()
        moved = bool(self.last) and report.tid != self.tid
        self.last = report
        if report.ended is not None or report.stop is None:
            self.terminal.drain()
            self.terminal.flush()
            self._gone()
            self.stood = self._frame_key = None
            return Stopped(report, note=note)
        self.tid, self.level = report.tid, 0
        self.stood = self.registers()
        frame = self.places.top(self.stood)
        key = (frame.function, frame.cfa)
        fresh, self._frame_key = key != self._frame_key or not frame.function, key
        source = self.places.source_line(frame)
        ids = report.stop.ids if isinstance(report.stop, BreakpointHit) else ()
        temporary = bool(ids) and not {view.number for view in self.breakpoints()}.intersection(ids)
        mid_line = self.places.mid_line(frame)
        # What the program wrote before this stop belongs before its answer; the time spent on the frame counts as waiting for it.
        self.terminal.drain(max(0.0, GRACE_S - (time.monotonic() - began)))
        return Stopped(report, frame, source, fresh, note, moved, mid_line, temporary)

    def new_image(self) -> None:
        """A new program is in place: new symbols, and breakpoints at their places in it."""
        self._memory = None
        self.places.new_image(self._living(), self.memory())
        for found in self._tracer.call(ops.breakpoints):
            try:
                where, addresses = self.locate(found.spec)
                self._tracer.call(ops.place_breakpoint, self.pid, found.number, where, addresses)
            except TracedbgError as error:
                self._tracer.call(ops.place_breakpoint, self.pid, found.number, "not in this image", ())
                self._tracer.log.publish(Warned(f"breakpoint {found.number} ({found.spec}) has no place in this image: {error.what}"))

    # --- places ---------------------------------------------------------------------------------------------------------------
    def locate(self, spec: str) -> tuple[str, tuple[int, ...]]:
        """The addresses of a location and a description of the first; see `Places.locate`."""
        pc = self.registers().pc if self.alive and not self.busy else None
        return self.places.locate(spec, pc)

    def breakpoints(self) -> tuple[BreakpointView, ...]:
        """The user's breakpoints."""
        self.breakpoints_seen = self._tracer.call(ops.breakpoints)
        return self.breakpoints_seen
