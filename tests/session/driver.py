"""What the session tests drive a program with: one `Session`, commands as methods, deadlines that end a hang.

Main thread of a test run.  It uses the session as command handlers do; nothing sleeps, everything waits for a record of the log or a
fact in /proc.  `laws` is the reusable check over a log: who made requests, and that every status taken was handed over.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tests.programs import build
from tracedbg.eventlog.log import EventLog
from tracedbg.model.events import (
    CallEntered,
    CallReturned,
    LaneOpened,
    LoopBegan,
    LoopDone,
    ProgramOutput,
    Record,
    RuleBroken,
    StatusReported,
    TraceeResumed,
    unpack,
)
from tracedbg.model.ids import Role
from tracedbg.model.startup import ProgramArgs
from tracedbg.model.stops import AnyStop, BreakpointHit
from tracedbg.model.views import BreakpointView
from tracedbg.model.waitstatus import WaitStatus
from tracedbg.session.session import Session
from tracedbg.session.stepping import Stepper
from tracedbg.session.stopped import Stopped
from tracedbg.tracer import ops, running

T = TypeVar("T")
HERE = Path(__file__).resolve().parent
DEADLINE_S = 20.0


def worker(*flags: str) -> str:
    """The compiled worker.c."""
    return str(build(str(HERE / "worker.c"), *flags))


def symbol(program: str, name: str) -> int:
    """The address of a symbol of a program with fixed addresses, as nm shows it."""
    listing = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout
    return next(int(line.split()[0], 16) for line in listing.splitlines() if line.endswith(f" {name}"))


def until(fact: Callable[[], T], deadline: float = DEADLINE_S) -> T:
    """Look until `fact()` is true, with growing pauses; fails after `deadline` seconds."""
    end, pause, never = time.monotonic() + deadline, 0.0002, threading.Event()
    while not (value := fact()):
        assert time.monotonic() < end, "the fact did not come about"
        never.wait(pause)
        pause = min(pause * 1.5, 0.02)
    return value


def state(tid: int) -> str:
    """The state letter of any task, empty when it is gone."""
    try:
        return Path(f"/proc/{tid}/stat").read_text(errors="replace").rpartition(") ")[2][:1]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def field(tid: int, name: str) -> str:
    """A line of /proc/TID/status."""
    lines = Path(f"/proc/{tid}/status").read_text(errors="replace").splitlines()
    return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(name + ":"))


def tracers(pid: int) -> set[int]:
    """TracerPid of all threads of a process; a thread that ends while we look has none."""
    found = set()
    for tid in threads(pid):
        try:
            found.add(int(field(tid, "TracerPid")))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def threads(pid: int) -> list[int]:
    """The tids of a process."""
    return sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))


class Driver:
    """A session and short words for what tests do with it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.program = session.program
        self.log: EventLog = session.log
        self.stepper = Stepper(session.tracer, session.waiters, session.program)

    # --- starting -------------------------------------------------------------------------------------------------------------
    def file(self, path: str) -> None:
        """Choose the program."""
        self.program.file(path)

    def run(self, *argv: str, until: str = "", tty: str = "", args: ProgramArgs | None = None) -> Stopped:
        """`run`, `start` (until="main"), `starti` (until="entry")."""
        with self.deadline():
            return self.program.run(args or ProgramArgs(argv), until, tty)

    def attach(self, pid: int) -> Stopped:
        """`attach`."""
        with self.deadline():
            return self.program.attach(pid)

    def detach(self) -> int:
        """`detach`."""
        with self.deadline():
            return self.program.detach()

    def kill(self) -> int:
        """`kill`."""
        with self.deadline():
            return self.program.kill()

    # --- moving ---------------------------------------------------------------------------------------------------------------
    def cont(self, number: int | None = None) -> Stopped:
        """`continue`, or `signal NUMBER`."""
        with self.deadline():
            return self.program.proceed(running.cont, self.program.need_stopped(), number)

    def stepi(self, count: int = 1) -> Stopped:
        """`stepi`."""
        with self.deadline():
            return self.stepper.instructions(count)

    def nexti(self, count: int = 1) -> Stopped:
        """`nexti`."""
        with self.deadline():
            return self.stepper.over_instructions(count)

    def step(self, count: int = 1) -> Stopped:
        """`step`."""
        with self.deadline():
            return self.stepper.lines(count, over=False)

    def next(self, count: int = 1) -> Stopped:
        """`next`."""
        with self.deadline():
            return self.stepper.lines(count, over=True)

    def finish(self) -> Stopped:
        """`finish`."""
        with self.deadline():
            return self.stepper.finish()

    def interrupted(self, move: Callable[[], Stopped], when: Callable[[], object] | None = None) -> Stopped:
        """Make a move on this thread and interrupt it from another one as soon as `when` holds (default: it runs)."""
        since = self.log.last
        done = threading.Event()
        problem: list[BaseException] = []

        def watch() -> None:
            try:
                if when is None:
                    self.log.until(runs, DEADLINE_S, since=since)
                else:
                    until(when)
                # Until it ends: an interrupt between two pieces of a command must work as well, but only one is sent at a time.
                self.session.interrupt()
                assert done.wait(DEADLINE_S / 2), "the interrupt was lost"
            except BaseException as error:
                problem.append(error)

        thread = threading.Thread(target=watch, name="interrupter")
        thread.start()
        try:
            return move()
        finally:
            done.set()
            thread.join()
            if problem:
                raise problem[0]

    # --- breakpoints ----------------------------------------------------------------------------------------------------------
    def break_(self, spec: str, *, temporary: bool = False) -> BreakpointView:
        """`break`, `tbreak`."""
        where, addresses = self.program.locate(spec)
        pid = self.program.pid if self.program.alive else 0
        return self.session.tracer.call(ops.add_breakpoint, pid, spec, where, addresses, temporary)

    def breakpoint(self, number: int) -> BreakpointView | None:
        """One of them as it stands, None when it is gone."""
        return next((view for view in self.program.breakpoints() if view.number == number), None)

    def hits(self, number: int = 1) -> int:
        """How often one was hit."""
        found = self.breakpoint(number)
        assert found is not None
        return found.hits

    def ignore(self, number: int, count: int) -> None:
        """`ignore`."""
        self.session.tracer.call(ops.ignore_breakpoint, number, count)

    def enable(self, number: int, on: bool) -> None:
        """`enable`, `disable`."""
        self.session.tracer.call(ops.enable_breakpoint, number, on)

    def delete(self, number: int) -> None:
        """`delete`."""
        self.session.tracer.call(ops.delete_breakpoint, number)

    def handle(self, *numbers: int, stop: bool | None = None, show: bool | None = None, deliver: bool | None = None) -> None:
        """`handle`."""
        self.session.tracer.call(ops.handle_signals, numbers, stop, show, deliver)

    # --- looking --------------------------------------------------------------------------------------------------------------
    @property
    def pc(self) -> int:
        """Of the thread in focus."""
        return self.program.registers().pc

    def output(self) -> str:
        """All that the program has written to its terminal."""
        self.session.terminal.drain()
        self.session.terminal.flush()
        parts = [unpack(record.event.data) for record in self.log.since(0) if isinstance(record.event, ProgramOutput)]
        return b"".join(parts).decode().replace("\r\n", "\n")

    def said(self, text: str, since: int = 0) -> None:
        """Wait until the program has written a line with `text`."""
        wanted = text.encode()
        found = self.log.until(
            lambda record: isinstance(record.event, ProgramOutput) and wanted in unpack(record.event.data), DEADLINE_S, since=since
        )
        assert found is not None, f"the program did not say {text!r}: {self.output()!r}"

    def requests(self, name: str, since: int = 0) -> list[Record]:
        """The records of returned ptrace requests of one kind."""
        return [
            record for record in self.log.since(since)
            if isinstance(record.event, CallReturned) and record.event.name == "ptrace" and record.event.args[0] == name
        ]  # fmt: skip

    @contextmanager
    def deadline(self, seconds: float = DEADLINE_S) -> Iterator[None]:
        """A plan that hangs is cancelled, and the test fails with the end of the log."""

        def late() -> None:
            fired.append(1)
            self.session.abandon()
            self.session.quitting = False

        fired: list[int] = []
        timer = threading.Timer(seconds, late)
        timer.daemon = True
        timer.start()
        try:
            yield
        except BaseException:
            if fired:
                raise AssertionError(f"no answer in {seconds} s; the log ends with\n{tail(self.log)}") from None
            raise
        finally:
            timer.cancel()
            timer.join()


def runs(record: Record) -> bool:
    """The program was let run, or a counted loop began."""
    return isinstance(record.event, (TraceeResumed, LoopBegan))


def tail(log: EventLog, count: int = 60) -> str:
    """The last records, one a line."""
    return "\n".join(f"{record.seq} {record.lane}({record.tid}) {record.event}" for record in log.since(log.last - count))


def ended(stopped: Stopped) -> WaitStatus:
    """The status of a program that must have ended."""
    assert stopped.report.ended is not None, stopped
    return stopped.report.ended


def exit_code(stopped: Stopped) -> int:
    """The exit code of a program that must have exited."""
    status = ended(stopped)
    assert status.kind.value == "exited", status.text()
    return status.exit_code


def hit(stopped: Stopped) -> tuple[int, ...]:
    """The numbers of the breakpoints that were hit."""
    stop: AnyStop | None = stopped.report.stop
    assert isinstance(stop, BreakpointHit), stopped
    return stop.ids


# --- laws over a log ------------------------------------------------------------------------------------------------------------
def broken_laws(records: list[Record]) -> list[str]:
    """Laws 1 and 3 read off a log, one line for each breach.

    Law 1: every ptrace request outside the lab was made by one thread.  Law 3: every status of a tracee that a call took was handed to
    the tracer, once, in the taker's order, and it was said who took it.
    """
    found: list[str] = []
    lab = {record.tid for record in records if isinstance(record.event, LaneOpened) and record.event.role is Role.BENCH}
    lab |= {record.tid for record in records if isinstance(record.event, RuleBroken)}
    tracers = {record.tid for record in records if isinstance(record.event, CallEntered) and record.event.name == "ptrace"} - lab
    if len(tracers) > 1:
        found.append(f"ptrace requests were made by the threads {sorted(tracers)}")
    counted: list[tuple[int, int]] = []
    begun: dict[int, int] = {}
    for record in records:
        if isinstance(record.event, LoopBegan):
            begun[record.tid] = record.seq
        elif isinstance(record.event, LoopDone):
            counted.append((begun.pop(record.tid, 0), record.seq))
    owed: dict[int, tuple[int, int, str]] = {}
    for record in records:
        event = record.event
        if isinstance(event, CallReturned) and event.name in ("wait4", "waitid"):
            options = str(event.args[-1])
            if "WNOWAIT" in options or event.ret < 0:
                continue
            if event.name == "wait4" and event.ret > 0:
                owed[record.seq] = (event.ret, event.status or 0, record.lane)
            elif event.name == "waitid" and event.info is not None and event.info.pid:
                owed[record.seq] = (event.info.pid, -1, record.lane)
        elif isinstance(event, StatusReported):
            if record.of == 0:
                if not any(low < record.seq < high for low, high in counted):
                    found.append(f"record {record.seq}: a status of {event.target} was reported that no call took")
                continue
            debt = owed.pop(record.of, None)
            if debt is None:
                found.append(f"record {record.seq}: a status of {event.target} was reported twice, or never taken")
            elif debt[0] != event.target or debt[1] not in (-1, event.status) or debt[2] != event.taken_by:
                found.append(f"record {record.seq}: taken was {debt}, reported {event}")
    found += [f"record {seq}: {debt} was taken and never reported" for seq, debt in owed.items()]
    return found


def check_laws(session: Session) -> None:
    """Raise unless the laws hold in the log of a session that is closed."""
    records = session.log.since(0)
    assert records, "an empty log proves nothing"
    assert records[0].seq == 1, "the beginning of the log is no longer in memory"
    found = broken_laws(records)
    requests = {record.tid for record in records if isinstance(record.event, CallEntered) and record.event.name == "ptrace"}
    if session.tracer.tid not in requests and requests:
        found.append(f"the tracer thread is {session.tracer.tid}, requests came from {requests}")
    assert not found, "\n".join(found)
