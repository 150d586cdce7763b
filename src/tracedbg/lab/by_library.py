"""A debugger written with python-ptrace's own classes, as an object of study: two threads, one of which is not the tracer.

A program of its own (``python -m tracedbg.lab.by_library``), which a lesson launches and watches; the process that plays the lesson never
imports it.  It must be traced with PTRACE_O_TRACESECCOMP: its requests stop it by a seccomp filter, and are ENOSYS without a tracer.
"""

from __future__ import annotations

import ctypes
import queue
import signal
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

from tracedbg.model.callnames import CALL_NUMBERS

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38  # include/uapi/linux/prctl.h
_MODE_FILTER, _RET_TRACE, _RET_ALLOW = 2, 0x7FF00000, 0x7FFF0000  # include/uapi/linux/seccomp.h
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K of linux/bpf_common.h
_NUMBER, _FIRST_ARGUMENT = 0, 16
"""Where ``struct seccomp_data`` has the number of the call and the low half of its first argument."""
_TRACEME = 0


class _Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint)]


class _Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction))]


def stop_at_requests() -> None:
    """From now on each ptrace call of this thread, and of those that it starts, is a PTRACE_EVENT_SECCOMP stop for who traces it.

    TRACEME passes.  Source: seccomp(2), SECCOMP_RET_TRACE; an ordinary user may do so after PR_SET_NO_NEW_PRIVS.

    Raises:
        OSError: this kernel has no seccomp filters.
    """
    program = (
        (_LOAD_WORD, 0, 0, _NUMBER),
        (_JUMP_IF_EQUAL, 0, 3, CALL_NUMBERS["ptrace"]),
        (_LOAD_WORD, 0, 0, _FIRST_ARGUMENT),
        (_JUMP_IF_EQUAL, 1, 0, _TRACEME),
        (_RETURN, 0, 0, _RET_TRACE),
        (_RETURN, 0, 0, _RET_ALLOW),
    )
    instructions = (_Instruction * len(program))(*(_Instruction(*each) for each in program))
    libc = ctypes.CDLL(None, use_errno=True)
    for call in (
        (_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(_Filter(len(program), instructions)), 0, 0),
    ):
        if libc.prctl(*call):
            raise OSError(ctypes.get_errno(), "prctl")


def say(text: str) -> None:
    """A line of output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


Job = Callable[[Any, str], None]
"""Takes an object and the name of who does it."""


class Helper(threading.Thread):
    """The thread that is not the tracer: it does one thing after the other, as a thread of a pool does."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._jobs: queue.SimpleQueue[tuple[Job, Any]] = queue.SimpleQueue()
        self._done = threading.Semaphore(0)

    def run(self) -> None:
        """The thread."""
        while True:
            job, what = self._jobs.get()
            job(what, "helper")
            del what  # or this thread would keep it alive
            self._done.release()

    def do(self, job: Job, what: Any) -> None:
        """Have it do something with an object, and wait until it is done."""
        self._jobs.put((job, what))
        self._done.acquire()


def started() -> Any:
    """A program under python-ptrace, stopped at its exec: the library forks on this thread, so this thread is the tracer."""
    from ptrace.debugger import PtraceDebugger
    from ptrace.debugger.child import createChild

    pid = createChild(["/bin/true"], no_stdout=True, close_fds=False)
    return PtraceDebugger().addProcess(pid, is_attached=True)


def step(process: Any, who: str) -> None:
    """One request by the library, and what it makes of the answer."""
    from ptrace import PtraceError

    try:
        process.singleStep()
        say(f"{who}: stepped")
    except PtraceError as error:
        say(f"{who}: {error}")


def wait(process: Any, who: str) -> None:
    """One wait by the library."""
    say(f"{who}: {process.waitSignals(signal.SIGTRAP)}")


class Grave:
    """Tells when an object is gone, without ever holding it.

    From Python 3.12 on garbage is collected between two steps of a thread, and an object for which the thread has just asked a weak
    reference is none.
    """

    def __init__(self, what: Any) -> None:
        self.filled = False
        self._watch = weakref.ref(what, self._fill)

    def _fill(self, _watch: object) -> None:
        self.filled = True


def make_lists(until: Grave, who: str) -> None:
    """Work that has nothing to do with tracing, until the interpreter has collected garbage on the way."""
    lists: list[list[None]] = []
    while not until.filled:
        lists.append([])
    say(f"{who}: the object is gone")


def main() -> None:
    """The four scenes of the lesson; between them stand requests, at which the lesson takes over."""
    # A signal would stop this program once more, and at moments that nobody chooses: SIGCHLD comes from each child.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    objects = [started(), started()]
    stop_at_requests()
    helper = Helper()
    helper.start()
    helper.do(step, objects[0])
    step(objects[0], "main")
    helper.do(wait, objects[0])
    helper.do(make_lists, Grave(objects.pop(0)))
    make_lists(Grave(objects.pop(0)), "main")


if __name__ == "__main__":
    main()
