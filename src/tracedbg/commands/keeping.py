"""Keeps in a recording what could be looked at when the program stood still: registers, source, backtrace, threads, wait queue.

Command thread, after the answer of the line was told.  It must make no request and ask the tracer nothing: registers are those that the
stop itself was told with, the stack is read through /proc/PID/mem, and all else in /proc.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tracedbg.kernel import procfs
from tracedbg.kernel.regs import ORDER, Registers
from tracedbg.model.errors import TracedbgError
from tracedbg.model.events import ProgramStopped, StateKept, TraceeStopped
from tracedbg.model.ids import Source
from tracedbg.model.text import visible
from tracedbg.model.views import InferiorView
from tracedbg.session.session import Session
from tracedbg.symbols.values import Frame

from .drawing import frame_line, shows_address
from .looking import Backtrace, frames_of
from .looking_threads import ThreadList, thread_row

_FRAMES, _THREADS, _SLEEPERS = 64, 64, 64
"""The most that is kept of each."""
_AROUND = 5
"""Lines of source before and after the current one."""
_WIDTH = 200


class Keeper:
    """Knows what was kept of the session last."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._stop = 0
        self._stood: Registers | None = None

    def keep(self) -> None:
        """Keep the state, if somebody records and a program has come to a stop since the last time."""
        session = self._session
        file = session.recorder.file
        if file is None:
            return
        # Now, while nobody waits: otherwise what the line did would be written by another thread, while the next line runs.
        file.write()
        stop, stood = file.stop, session.program.stood
        fresh = stood is not None and stood is not self._stood
        if stop is not None and (stop.seq > self._stop or fresh) and session.held is None:
            self._stop, self._stood = stop.seq, stood
            event = stop.event
            pid = event.pid if isinstance(event, (ProgramStopped, TraceeStopped)) else session.program.pid
            view = session.tracer.view.inferior(pid)
            if view is not None and view.ended is None and view.stopped and view.tracees:
                regs = stood if fresh and pid == session.program.pid else None
                tid = session.program.tid if regs is not None else stop.tid
                session.log.hand(file, _state(session, view, tid, regs), lane="tracee", tid=tid, source=Source.PROC, of=stop.seq)
                file.write()


def _state(session: Session, view: InferiorView, tid: int, regs: Registers | None) -> StateKept:
    """What can be known of a stopped process without asking its tracer."""
    state = StateKept(view.pid)
    frames: list[Frame] = []
    if regs is not None:
        state = msgspec.structs.replace(state, registers=tuple((name, f"{regs[name]:#x}") for name in ORDER))
        try:
            frames = frames_of(session, regs, _FRAMES + 1)
        except TracedbgError:
            pass  # killed at this moment: what is known already is kept
    if frames:
        state = _placed(session, state, frames)
    return msgspec.structs.replace(state, threads=_threads(session, view, tid, frames), queue=_queue(session))


def _placed(session: Session, state: StateKept, frames: list[Frame]) -> StateKept:
    """With the place, the source around it and the stack."""
    places, top = session.program.places, frames[0]
    mid = places.mid_line(top)
    shown = frames[:_FRAMES]
    addresses = tuple(shows_address(frames, frame.level, mid_line=mid) for frame in shown)
    stack = Backtrace(tuple(shown), addresses, more=len(frames) > _FRAMES).lines(_WIDTH)
    source: Sequence[tuple[int, str]] = ()
    if top.file and top.line:
        try:
            source = places.sources.lines(top.file, max(1, top.line - _AROUND), top.line + _AROUND)
        except TracedbgError:
            pass  # the file is not here
    return msgspec.structs.replace(
        state,
        where=str(frame_line(top, number=False, address=mid)),
        file=str(visible(top.file_name or top.file)),
        line=top.line if top.file else 0,
        source=tuple((number, str(visible(text))) for number, text in source),
        frames=tuple(str(line) for line in stack),
    )


def _threads(session: Session, view: InferiorView, tid: int, frames: list[Frame]) -> tuple[str, ...]:
    """Lines of `info threads`; the place of a thread that was not looked at is not known."""
    top = frames[0] if frames else None
    shows = top is not None and shows_address(frames, 0, mid_line=session.program.places.mid_line(top))
    rows = [
        thread_row(tracee, top if tracee.tid == tid else None, address=shows, current=tracee.tid == tid)
        for tracee in view.tracees[:_THREADS]
    ]
    return tuple(str(line) for line in ThreadList(tuple(rows)).lines(_WIDTH))


def _queue(session: Session) -> tuple[tuple[str, str], ...]:
    """Lane and call of each thread of ours that is asleep in a wait call."""
    watched = [each for each in session.witness.sleepers().values() if each.in_call is None and each.asleep_at][:_SLEEPERS]
    if not watched:
        return ()
    own = set(map(int, procfs.threads(session.pid)))  # a puppet sleeps on the queue of its own process
    seen = [(each.lane, procfs.asleep_in_wait(each.tid)) for each in watched if each.tid in own]
    return tuple((str(visible(lane)), str(visible(sight.call))) for lane, sight in seen if sight is not None)
