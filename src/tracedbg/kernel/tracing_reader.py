"""Reads a private trace of the kernel as it grows and puts it into the log, on lane `kernel`.

One thread of its own.  It makes no call on tracees; it sleeps in poll on the ring buffers of all processors and is ended through an
eventfd.  Times are the kernel's own: the trace clock `mono` is the clock of the log.
"""

from __future__ import annotations

import os
import queue
import select
import threading
import time
from collections.abc import Callable, Mapping

from tracedbg.eventlog.log import EventLog
from tracedbg.model.events import KernelLost, KernelStack, KernelWoke, LaneClosed, LaneOpened, Note, Warned
from tracedbg.model.ids import Role, Source

from . import raw
from .tracing_ring import read_page
from .tracing_words import Teller

LANE = "kernel"

_PAGES = 64
"""Pages read of one processor before the others have their turn."""
_REFILTER_S = 0.2
"""The kernel's filters are renewed at most so often: each renewal waits for a grace period of RCU."""


class TraceReader:
    """The thread that reads.

    Args:
        log: where events go, source `tracefs`.
        pipes: descriptors of trace_pipe_raw by processor, non-blocking; closed by `close`.
        page: bytes of a page of the ring buffer, and where its events begin.
        teller: makes the words.
        refilter: called on this thread when threads of ours are missing in the kernel's filters.
    """

    def __init__(
        self, log: EventLog, pipes: Mapping[int, int], page: tuple[int, int], teller: Teller, refilter: Callable[[], object]
    ) -> None:
        # Set once.
        self._log, self._pipes, self._teller, self._refilter = log, dict(pipes), teller, refilter
        self._size, self._data_at = page
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="kernelwitness", daemon=True)
        self._notes: queue.SimpleQueue[str] = queue.SimpleQueue()
        # Set by `close`.
        self._ending = False
        # Written by the thread, read by any.
        self.read = self.told = self.lost = 0
        self.failed = ""
        # The thread's.
        self._refiltered = 0.0
        self._last: dict[int, tuple[int, int]] = {}

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def note(self, text: str) -> None:
        """Have a remark put into the log, on this lane and behind what was read; any thread, under the log's lock, too."""
        self._notes.put(text)
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Read what is there, end the thread, close the pipes.  Recording must have been switched off before, or it may not end."""
        self._ending = True
        os.eventfd_write(self._wake, 1)
        if self._thread.is_alive():
            self._thread.join()
        for fd in (*self._pipes.values(), self._wake):
            os.close(fd)

    # --- the thread -----------------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        raw.set_thread_name("kernelwitness")
        # Not a lane of this thread: what it publishes are the kernel's words, each with the tid of the task that was current.
        self._log.publish(LaneOpened(LANE, Role.KERNEL, os.getpid()), lane=LANE, tid=0)
        try:
            self._loop()
        except OSError as error:
            self.failed = error.strerror or str(error)
            self._log.publish(Warned(f"the kernel's trace cannot be read any more: {self.failed}"), lane=LANE, tid=0)
        self._log.publish(LaneClosed(LANE), lane=LANE, tid=0)

    def _loop(self) -> None:
        # With buffer_percent at 0 the kernel wakes a poll at the first event; it does so from an interrupt that the processor sends
        # to itself, since a wake-up in the middle of the scheduler could not take its locks (kernel/trace/ring_buffer.c, rb_wakeups).
        poll = select.poll()
        for fd in (*self._pipes.values(), self._wake):
            poll.register(fd, select.POLLIN)
        ending = False
        while not ending:
            if self._wake in {fd for fd, _ in poll.poll()}:
                os.eventfd_read(self._wake)
            ending = self._ending  # before the last look
            while self._round():
                pass
            while not self._notes.empty():
                self._log.publish(Note(self._notes.get()), lane=LANE, tid=0)

    def _round(self) -> bool:
        """Read each processor's pages once, put the events in order, tell them; False when nothing was there."""
        found: list[tuple[int, int, bytes]] = []
        something = False
        for cpu, fd in self._pipes.items():
            for _ in range(_PAGES):
                try:
                    data = os.read(fd, self._size)
                except BlockingIOError:
                    break
                if not data:
                    break
                something = True
                page = read_page(data, self._data_at)
                if page.missed:
                    self.lost += page.lost
                    self._log.publish(KernelLost(cpu, page.lost), lane=LANE, tid=0, source=Source.TRACEFS)
                found += [(moment, cpu, event) for moment, event in page.events]
        if found:
            # Each buffer is in order; between processors the times decide.
            found.sort(key=lambda each: each[0])
            self._tell(found)
        return something

    def _tell(self, found: list[tuple[int, int, bytes]]) -> None:
        self._teller.refresh()
        self.read += len(found)
        for moment, cpu, data in found:
            event = self._teller.tell(data)
            by = self._teller.emitter(data)
            of = 0
            if isinstance(event, KernelStack):
                # The trigger writes it behind its wake-up, on the same processor, for the same task.
                task, of = self._last.pop(cpu, (0, 0))
                if not of or task != by:
                    continue
            else:
                self._last.pop(cpu, None)
            if event is None:
                continue
            seq = self._log.publish(event, lane=LANE, tid=by, source=Source.TRACEFS, of=of, at=self._log.at(moment))
            self.told += 1
            if isinstance(event, KernelWoke):
                self._last[cpu] = by, seq
        now = time.monotonic()
        if self._teller.noise and now - self._refiltered > _REFILTER_S:
            self._teller.noise, self._refiltered = False, now
            self._refilter()
