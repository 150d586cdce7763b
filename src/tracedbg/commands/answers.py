"""Answers that several families share, and how a stop is told.

Pure values with a `lines` method; the runner draws them.  Formats follow gdb's, which people's eyes know.
"""

from __future__ import annotations

import signal
from typing import Protocol

import msgspec

from tracedbg.model.names import signal_name
from tracedbg.model.stops import BreakpointHit, ExecStop, GroupStop, Interrupted, SignalDelivery, ThreadEnded
from tracedbg.model.text import Shown, visible
from tracedbg.model.views import Report
from tracedbg.model.waitstatus import StatusKind, WaitStatus
from tracedbg.session.stopped import Stopped
from tracedbg.symbols.values import Frame

from .drawing import frame_line, source_line


class Answer(Protocol):
    """What handlers return: a value that can say itself in lines."""

    def lines(self, width: int) -> list[Shown]:
        """The lines for a terminal of this width."""


class Said(msgspec.Struct, frozen=True):
    """A few plain lines."""

    text: tuple[str, ...]

    def lines(self, width: int) -> list[Shown]:
        """Them."""
        return [visible(line) for line in self.text]


def said(*text: str) -> Said:
    """A `Said` of these lines."""
    return Said(text)


class StopTold(msgspec.Struct, frozen=True):
    """Where the program stands after it was let run.

    Args:
        stopped: the place.
        first: a line about how it was let run.
    """

    stopped: Stopped
    first: str = ""

    def lines(self, width: int) -> list[Shown]:
        """Why it stopped, the frame if it is a new one, its line, and a returned value."""
        out = [visible(self.first)] if self.first else []
        out += _why(self.stopped.report)
        frame, source = self.stopped.frame, self.stopped.source
        if frame is not None:
            out += self._place(frame, source, bool(out))
        if self.stopped.note:
            out.append(visible(self.stopped.note))
        return out

    def _place(self, frame: Frame, source: tuple[int, str] | None, told: bool) -> list[Shown]:
        stopped = self.stopped
        out: list[Shown] = []
        if stopped.moved_thread:
            out.append(visible(f"[Switching to thread {stopped.report.tid}]"))
        hit = isinstance(stopped.report.stop, BreakpointHit)
        if stopped.new_frame or told or source is None:
            text = str(frame_line(frame, number=False, address=stopped.mid_line))
            if hit and isinstance(stopped.report.stop, BreakpointHit) and stopped.report.stop.ids:
                numbers = " and ".join(str(number) for number in stopped.report.stop.ids)
                text = f"{'Temporary breakpoint' if stopped.temporary else 'Breakpoint'} {numbers}, {text}"
            out.append(visible(text))
        if source is not None:
            prefix = f"{frame.pc:#018x}      " if stopped.mid_line and not (stopped.new_frame or told) else ""
            out.append(Shown(prefix + source_line(*source)))
        return out


def _why(report: Report) -> list[Shown]:
    stop = report.stop
    if stop is None:
        return [_end(report.pid, report.ended)]
    if isinstance(stop, SignalDelivery):
        text = signal.strsignal(stop.signal) if stop.signal < 32 else "Real-time event"
        sender = f" from process {stop.sender}" if stop.sender else ""
        at = f" at address {stop.address:#x}" if stop.address else ""
        return [Shown(""), visible(f"Program received signal {signal_name(stop.signal)}, {text}{sender}{at}.")]
    if isinstance(stop, BreakpointHit):
        return [Shown("")] if stop.ids else []
    if isinstance(stop, Interrupted):
        return [Shown(""), Shown("Program interrupted.")]
    if isinstance(stop, ExecStop):
        return []
    if isinstance(stop, ThreadEnded):
        return [visible(f"[The thread in focus has ended; thread {report.tid} is in focus now]")]
    if isinstance(stop, GroupStop):
        return [Shown(""), visible(f"The program is stopped by {signal_name(stop.signal)} (group-stop).")]
    return []


def _end(pid: int, ended: WaitStatus | None) -> Shown:
    if ended is None:
        return visible(f"[Process {pid} is gone]")
    if ended.kind is StatusKind.EXITED:
        how = "exited normally" if ended.exit_code == 0 else f"exited with code {ended.exit_code:02o}"
        return visible(f"[Inferior 1 (process {pid}) {how}]")
    dumped = ", core dumped" if ended.dumped else ""
    text = signal.strsignal(ended.signal) or "unknown signal"
    return visible(f"Program terminated with signal {signal_name(ended.signal)}, {text}{dumped}. The program no longer exists.")
