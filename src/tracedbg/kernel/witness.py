"""Looks at threads of ours, and of puppets, from outside while they are inside a wait call.

One thread of its own.  A call that lasts more than a millisecond is looked up in /proc until it is seen asleep; from then on its
context-switch counters tell how often it was woken.  It makes no call on tracees and never touches the threads it watches.
"""

from __future__ import annotations

import threading
import time

from tracedbg.eventlog.log import EventLog
from tracedbg.model.events import ThreadAsleep, ThreadWoken
from tracedbg.model.ids import Role, Source

from . import procfs, raw

_FIRST_LOOK_S = 0.001
_SLOWEST_LOOK_S = 1.0
_SHARE_S = 0.01
"""A look costs about 0.3 ms.  In a crowd the slowest pace is this for each thread watched, so that all looks together stay near 3 % of a
processor; whoever takes a status asks for fresh looks anyway."""
_SETTLE_S = 1.0
"""For so long after the first such sight a thread in state S without a wait channel is taken to be on its way in, not asleep yet: it has
set its state and has not left its run queue (get_wchan, kernel/sched/core.c), which takes as long as others keep the processor."""
_SETTLING_LOOK_S = 0.02
_NEVER = float("inf")


class Watched:
    """One call under observation; owned by the witness but for `over`, which the caller sets."""

    __slots__ = ("asleep_at", "call", "in_call", "in_vain", "lane", "look_at", "over", "pause", "seq", "settling", "since", "switches",
                 "tid", "wchan", "woken")  # fmt: skip

    def __init__(self, tid: int, lane: str, seq: int, in_call: tuple[int, str] | None = None) -> None:
        self.tid, self.lane, self.seq, self.in_call = tid, lane, seq, in_call
        self.since = time.monotonic()
        self.settling = 0.0
        self.look_at = self.since + _FIRST_LOOK_S
        self.pause = _FIRST_LOOK_S
        self.over = False
        self.asleep_at = 0.0
        self.switches = 0
        self.woken = 0
        self.in_vain = 0
        self.call = ""
        self.wchan = ""


class Witness:
    """The thread that sees others sleep.

    Args:
        log: where sightings go, as source `proc`.
        pid: of this process, for the lane.
    """

    def __init__(self, log: EventLog, pid: int) -> None:
        self._log, self._pid = log, pid
        # Under the lock.
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._watched: dict[int, Watched] = {}
        self._next_look = _NEVER
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="witness", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self) -> None:
        """End the thread and join it."""
        with self._lock:
            self._closing = True
            self._work.notify()
        if self._thread.is_alive():
            self._thread.join()

    # --- called by the waiting threads ----------------------------------------------------------------------------------------
    def watch(self, tid: int, lane: str, seq: int, in_call: tuple[int, str] | None = None) -> None:
        """A thread is about to enter a call that may sleep.

        Args:
            tid: the thread, of this process or a puppet's.
            lane: where sightings go.
            seq: of the call's `CallEntered`.
            in_call: number and name of the call, where it is no wait call.
        """
        with self._lock:
            watched = Watched(tid, lane, seq, in_call)
            self._watched[tid] = watched
            # No wake-up of the witness for each call of microseconds: only if it would otherwise look too late.
            if self._next_look > watched.look_at + _FIRST_LOOK_S:
                self._next_look = watched.look_at
                self._work.notify()

    def release(self, tid: int) -> None:
        """The call has returned."""
        with self._lock:
            watched = self._watched.pop(tid, None)
            if watched is not None:
                watched.over = True

    def sleepers(self) -> dict[int, Watched]:
        """The calls under observation now, by tid."""
        with self._lock:
            return dict(self._watched)

    def look_again(self) -> None:
        """A status was taken somewhere: see soon whether others were woken in vain."""
        with self._lock:
            now = time.monotonic()
            for watched in self._watched.values():
                watched.pause = _FIRST_LOOK_S
                watched.look_at = min(watched.look_at, now + _FIRST_LOOK_S)
            if self._watched:
                self._work.notify()

    # --- the thread -----------------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        raw.set_thread_name("witness")
        with self._log.lane("witness", Role.SCREEN, self._pid):
            while True:
                with self._lock:
                    if self._closing:
                        return
                    due = [watched for watched in self._watched.values() if watched.look_at <= time.monotonic()]
                    if not due:
                        self._next_look = min((watched.look_at for watched in self._watched.values()), default=_NEVER)
                        if self._next_look == _NEVER:
                            self._work.wait()
                        else:
                            self._work.wait(max(0.0005, self._next_look - time.monotonic()))
                        continue
                for watched in due:
                    self._look(watched)

    def _look(self, watched: Watched) -> None:
        watched.look_at = time.monotonic() + watched.pause
        watched.pause = min(watched.pause * 2, max(_SLOWEST_LOOK_S, len(self._watched) * _SHARE_S))
        known = watched.in_call
        sleep = procfs.asleep_in_wait(watched.tid) if known is None else asleep_in_call(watched.tid, *known)
        if sleep is None or watched.over:
            watched.settling = 0.0
            return
        if sleep.wchan == "0":
            watched.settling = watched.settling or time.monotonic()
            if time.monotonic() - watched.settling < _SETTLE_S:
                watched.pause = min(watched.pause, _SETTLING_LOOK_S)
                watched.look_at = time.monotonic() + watched.pause
                return
        if not watched.asleep_at:
            watched.asleep_at = time.monotonic()
            watched.switches = sleep.voluntary_switches
            watched.call, watched.wchan = sleep.name, sleep.wchan
            event = ThreadAsleep(sleep.name, sleep.wchan, sleep.evidence)
            self._log.publish(event, lane=watched.lane, tid=watched.tid, source=Source.PROC, of=watched.seq)
            watched.pause = _FIRST_LOOK_S
        elif sleep.voluntary_switches > watched.switches + watched.in_vain:
            # It is asleep again in the same call although it was switched in meanwhile: woken, found nothing, slept on.
            watched.in_vain = watched.woken = sleep.voluntary_switches - watched.switches
            event2 = ThreadWoken(watched.woken, watched.in_vain)
            self._log.publish(event2, lane=watched.lane, tid=watched.tid, source=Source.PROC, of=watched.seq)


def asleep_in_call(tid: int, number: int, name: str) -> procfs.WaitSleep | None:
    """Say whether a thread is asleep in one certain system call now; None if it is not, or cannot be seen to be.

    Args:
        tid: the thread.
        number: of the system call.
        name: of the call, for the answer.
    """
    if procfs.state(tid) != "S":
        return None
    before, call = procfs.switches(tid), procfs.current_syscall(tid)
    where = procfs.wchan(tid)
    if before is None or call is None or call == "running" or call.number != number:
        return None
    after = procfs.switches(tid)
    if after is None or after[0] != before[0] or procfs.state(tid) != "S":
        return None
    return procfs.WaitSleep(name, call.args, where, before[0], f"state S, wchan {where}, system call {number} ({name})")
