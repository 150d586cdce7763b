"""From the kernel's trace events to events of the log.

One object for one trace, used on its reader's thread only (`names` is asked there, too).  It must not infer: an event that another
one would imply is not made up, and what is left out is left out whole (the threads of tracedbg waking each other).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence

from tracedbg.model.events import Event, KernelSignal, KernelStack, KernelTold, KernelWoke
from tracedbg.model.names import CLD_NAMES, WAITID_TYPES, errno_name, signal_name, wait_options_text
from tracedbg.model.text import quoted

from . import procfs
from .ptrace import shown_args
from .tracing_ring import Format, kind_of
from .tracing_symbols import KernelSymbols

POINTS = (
    "sched/sched_waking",
    "sched/sched_switch",
    "sched/sched_process_fork",
    "sched/sched_process_exec",
    "sched/sched_process_exit",
    "sched/sched_process_free",
    "sched/sched_process_wait",
    "signal/signal_generate",
    "signal/signal_deliver",
    *(f"syscalls/sys_{edge}_{call}" for call in ("ptrace", "wait4", "waitid") for edge in ("enter", "exit")),
)
"""The tracepoints that are switched on, as folders below `events`."""
STACK = "ftrace/kernel_stack"
"""The record that a stacktrace trigger writes behind the event that pulled it."""

_NAMES_S = 0.02
_TRACING = ("__traceiter_", "trace_event_", "do_trace_event_")
_IN_INTERRUPT = 0x08 | 0x10  # as in tracing_filter
_PF_KTHREAD = 0x00200000  # include/linux/sched.h
_RESULTS = ("delivered", "ignored", "already-pending", "overflow", "information-lost")
"""TRACE_SIGNAL_DELIVERED and so on (include/trace/events/signal.h)."""
_CODES = {0: "SI_USER", 0x80: "SI_KERNEL", -1: "SI_QUEUE", -2: "SI_TIMER", -3: "SI_MESGQ", -4: "SI_ASYNCIO", -5: "SI_SIGIO", -6: "SI_TKILL"}
_TRAPS = {1: "TRAP_BRKPT", 2: "TRAP_TRACE", 3: "TRAP_BRANCH", 4: "TRAP_HWBKPT"}
_STATES = {0x01: "S", 0x02: "D", 0x04: "T", 0x08: "t", 0x10: "X", 0x20: "Z", 0x40: "P", 0x80: "I"}
"""Bits of `prev_state` and the letters of proc_pid_stat(5) (fs/proc/array.c, task_state_array)."""
# What a call returns inside the kernel when a signal ends it; no program ever sees these (include/linux/errno.h).
_RESTARTS = {512: "ERESTARTSYS", 513: "ERESTARTNOINTR", 514: "ERESTARTNOHAND", 516: "ERESTART_RESTARTBLOCK"}
_ID_TYPES = {number: name for name, number in WAITID_TYPES.items()}


class Teller:
    """Says trace events in the words of the log.

    Args:
        formats: of the tracepoints, by number.
        names: the lanes of threads and puppets.
        tid_of: the number of one of them.
        symbols: for stacks.
    """

    def __init__(
        self,
        formats: Mapping[int, Format],
        names: Callable[[], Sequence[str]],
        tid_of: Callable[[str], int | None],
        symbols: KernelSymbols,
    ) -> None:
        # Set once.
        self._formats, self._names, self._tid_of, self._symbols = formats, names, tid_of, symbols
        self._pid = os.getpid()
        self._handlers: dict[str, Callable[[Format, bytes, int], Event | None]] = {
            "sched_waking": self._waking,
            "sched_switch": self._switch,
            "sched_process_fork": self._fork,
            "sched_process_exec": self._exec,
            "sched_process_exit": self._exit,
            "sched_process_free": self._free,
            "sched_process_wait": self._wait,
            "signal_generate": self._generate,
            "signal_deliver": self._deliver,
            "sys_enter_ptrace": self._enter_ptrace,
            "sys_enter_wait4": self._enter_wait4,
            "sys_enter_waitid": self._enter_waitid,
            "sys_exit_ptrace": self._leave,
            "sys_exit_wait4": self._leave,
            "sys_exit_waitid": self._leave,
            "kernel_stack": self._stack,
        }
        # The reader's.
        self._lanes: dict[int, str] = {}
        self._seen_names: Sequence[str] = ()
        self._look_again = 0.0
        self._ours: set[int] = set()
        self._others: set[int] = set()
        self._workers: set[int] = set()
        self.noise = False
        """A wake-up among our own threads came through: the kernel's filters do not know all of them yet."""

    # --- who is who -----------------------------------------------------------------------------------------------------------
    def refresh(self) -> None:
        """Learn the lanes' names as they are now; names of threads that have ended stay known."""
        names = self._names()
        # A name can also be given anew, to another thread: that is looked for more seldom.
        if names == self._seen_names and time.monotonic() < self._look_again:
            return
        self._seen_names, self._look_again = names, time.monotonic() + _NAMES_S
        self._lanes.update({tid: name for name in names if (tid := self._tid_of(name)) is not None})

    def ours(self) -> set[int]:
        """The threads of this process as they are now; from now on these count as ours."""
        self._ours = set(procfs.threads(self._pid))
        return self._ours

    def follow(self, tid: int) -> None:
        """A task is traced from now on that is none of ours; any thread."""
        self._others.add(tid)

    def _mine(self, tid: int) -> bool:
        if tid in self._others:
            return False
        if tid in self._ours:
            return True
        if os.path.exists(f"/proc/{self._pid}/task/{tid}"):
            self._ours.add(tid)
            return True
        return False

    def _is_worker(self, tid: int) -> bool:
        """Whether a task is a thread of the kernel itself."""
        if tid in self._workers:
            return True
        if tid in self._others or tid in self._ours or not (procfs.task_flags(tid) or 0) & _PF_KTHREAD:
            return False
        self._workers.add(tid)
        return True

    def _who(self, tid: int) -> str:
        return self._lanes.get(tid) or str(tid)

    def _told_of(self, tid: int) -> bool:
        """It has a lane of its own, or is none of our threads."""
        return tid in self._lanes or not self._mine(tid)

    # --- one event ------------------------------------------------------------------------------------------------------------
    def emitter(self, data: bytes) -> int:
        """The task in whose context the event was made (`common_pid`, which every format has at the same place)."""
        form = self._formats.get(kind_of(data))
        return form.number(data, "common_pid") if form is not None else 0

    def tell(self, data: bytes) -> Event | None:
        """The log's event for one trace event, None for what is left out."""
        form = self._formats.get(kind_of(data))
        if form is None:
            return None
        return self._handlers[form.name](form, data, form.number(data, "common_pid"))

    def _waking(self, form: Format, data: bytes, by: int) -> Event | None:
        if form.number(data, "common_flags") & _IN_INTERRUPT:
            return None  # a timer or a device woke it; the current task has nothing to do with it
        woken = form.number(data, "pid")
        if self._mine(by) and self._mine(woken):
            self.noise = True
            return None
        if woken not in self._lanes and woken not in self._others:
            return None  # a worker of the kernel, or a thread of ours that no lane shows
        if not self._told_of(by) or (self._mine(woken) and self._is_worker(by)):
            # Housekeeping: threads without a lane carry the letters to and from puppets; the kernel's own threads end a grace
            # period that a thread of ours waited for.
            return None
        return KernelWoke(self._who(woken), self._who(by), form.number(data, "target_cpu"))

    def _stack(self, form: Format, data: bytes, _by: int) -> Event | None:
        names = [self._symbols.name(each) for each in form.words(data, "caller", form.number(data, "size"))]
        # Innermost first, and innermost of all is the tracing itself: that is the reporter and not the story.
        first = next((place for place, name in enumerate(names) if not name.startswith(_TRACING)), len(names))
        return KernelStack(tuple(reversed(names[first:])))

    def _switch(self, form: Format, data: bytes, by: int) -> Event | None:
        left = form.number(data, "prev_pid")
        if left not in self._others:
            return None  # a stranger that made room for one of ours
        state = form.number(data, "prev_state")
        letter = next((letter for bit, letter in _STATES.items() if state & bit), "R")
        return KernelTold(form.name, "off-cpu", (self._who(left), "state", letter))

    def _fork(self, form: Format, data: bytes, by: int) -> Event | None:
        child, parent = form.number(data, "child_pid"), form.number(data, "parent_pid")
        if not self._mine(child):
            self.follow(child)
        return KernelTold(form.name, "fork", (str(child), "by", self._who(parent)))

    def _exec(self, form: Format, data: bytes, by: int) -> Event | None:
        pid, before = form.number(data, "pid"), form.number(data, "old_pid")
        was = ("was", str(before)) if before != pid else ()
        return KernelTold(form.name, "exec", (self._who(pid), str(quoted(form.text(data, "filename"))), *was))

    def _exit(self, form: Format, data: bytes, by: int) -> Event | None:
        if not self._told_of(by):
            return None
        last = ("last-thread",) if form.number(data, "group_dead") else ()
        return KernelTold(form.name, "exit", (self._who(by), *last))

    def _free(self, form: Format, data: bytes, by: int) -> Event | None:
        pid = form.number(data, "pid")
        if pid not in self._lanes and pid not in self._others:
            return None
        return KernelTold(form.name, "free", (self._who(pid),))

    def _wait(self, form: Format, data: bytes, by: int) -> Event | None:
        if not self._told_of(by):
            return None
        target = form.number(data, "pid")
        return KernelTold(form.name, "do_wait", (self._who(by), "for", str(target) if target else "any"))

    def _generate(self, form: Format, data: bytes, by: int) -> Event | None:
        number, to, result = form.number(data, "sig"), form.number(data, "pid"), form.number(data, "result")
        code = _code(number, form.number(data, "code"))
        words = _RESULTS[result] if 0 <= result < len(_RESULTS) else str(result)
        return KernelSignal(number, to, words, self._who(by), code, bool(form.number(data, "group")), self._lanes.get(to, ""))

    def _deliver(self, form: Format, data: bytes, by: int) -> Event | None:
        handler = form.number(data, "sa_handler")
        how = ("default",) if handler == 0 else ("ignored",) if handler == 1 else ("handler", hex(handler))
        return KernelTold(form.name, "deliver", (signal_name(form.number(data, "sig")), "in", self._who(by), *how))

    # --- calls ----------------------------------------------------------------------------------------------------------------
    def _enter_ptrace(self, form: Format, data: bytes, by: int) -> Event | None:
        request, tid = form.number(data, "request"), _int32(form.number(data, "pid"))
        return self._enter(form, by, "ptrace", shown_args(request, tid, form.number(data, "addr"), form.number(data, "data")))

    def _enter_wait4(self, form: Format, data: bytes, by: int) -> Event | None:
        return self._enter(form, by, "wait4", (_int32(form.number(data, "upid")), wait_options_text(form.number(data, "options"))))

    def _enter_waitid(self, form: Format, data: bytes, by: int) -> Event | None:
        kind = form.number(data, "which")
        options = wait_options_text(form.number(data, "options"), waitid=True)
        return self._enter(form, by, "waitid", (_ID_TYPES.get(kind, kind), _int32(form.number(data, "upid")), options))

    def _enter(self, form: Format, by: int, call: str, args: tuple[str | int, ...]) -> Event | None:
        if not self._told_of(by):
            return None
        return KernelTold(form.name, "enter", (self._who(by), f"{call}({', '.join(map(str, args))})"))

    def _leave(self, form: Format, data: bytes, by: int) -> Event | None:
        if not self._told_of(by):
            return None
        ret = form.number(data, "ret")
        name = _RESTARTS.get(-ret) or errno_name(-ret) if -4095 <= ret < 0 else ""
        return KernelTold(
            form.name, "return", (self._who(by), form.name.removeprefix("sys_exit_"), "=", str(ret), *((name,) if name else ()))
        )


def _int32(value: int) -> int:
    """The C `int` in a register of 64 bits."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value & 0x80000000 else value


def _code(number: int, code: int) -> str:
    """`si_code` by name: what it means depends on the signal unless it is one of the general ones (sigaction(2))."""
    special = {17: CLD_NAMES, 5: _TRAPS}.get(number, {})
    return _CODES.get(code) or special.get(code) or str(code)
