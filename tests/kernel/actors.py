"""Threads that make one raw call at a time, and readers of /proc: what the tests of kernel facts are written with.

Each `Actor` is a thread of its own, so that a test can say which thread makes which call.  Nothing here interprets: calls
give `(result, errno)`, states are the letters of proc_pid_stat(5).  Nothing sleeps: `until` looks at a fact until it holds.
"""

from __future__ import annotations

import ctypes
import errno
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from tests.programs import build

T = TypeVar("T")
HERE = Path(__file__).resolve().parent
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

CONT, KILL, SINGLESTEP, GETREGS, ATTACH, DETACH, SYSCALL = 7, 8, 9, 12, 16, 17, 24
SETOPTIONS, GETEVENTMSG, GETSIGINFO, SEIZE, INTERRUPT, LISTEN = 0x4200, 0x4201, 0x4202, 0x4206, 0x4207, 0x4208
PEEKUSER = 3
O_TRACEEXEC, O_TRACEEXIT, O_EXITKILL = 0x10, 0x40, 0x100000
WNOHANG, WUNTRACED, WEXITED, WSTOPPED, WNOWAIT, WALL = 1, 2, 4, 2, 0x01000000, 0x40000000
P_PID = 1
SYS_PTRACE, SYS_WAIT4, SYS_WAITID = 101, 61, 247


def ptrace(request: int, tid: int, addr: int = 0, data: int = 0) -> int:
    """The raw call: its value, or minus the errno.  `data` of PEEK and GET requests is a pointer."""
    ctypes.set_errno(0)
    result = libc.syscall(*(ctypes.c_long(word) for word in (SYS_PTRACE, request, tid, addr, data)))
    return result if result >= 0 else -ctypes.get_errno()


def wait4(pid: int, options: int = WALL) -> tuple[int, int]:
    """The raw call: pid, 0 or minus the errno; and the status word."""
    status = ctypes.c_int(0)
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(SYS_WAIT4), ctypes.c_long(pid), ctypes.byref(status), ctypes.c_long(options), ctypes.c_long(0))
    return (result, status.value) if result >= 0 else (-ctypes.get_errno(), 0)


def waitid(pid: int, options: int) -> tuple[int, int, int]:
    """waitid(P_PID, pid): minus the errno or 0; `si_code`, `si_status`."""
    info = (ctypes.c_int * 32)()
    ctypes.set_errno(0)
    result = libc.syscall(
        ctypes.c_long(SYS_WAITID), ctypes.c_long(P_PID), ctypes.c_long(pid), info, ctypes.c_long(options), ctypes.c_long(0)
    )
    return (-ctypes.get_errno() if result < 0 else 0, info[2], info[6])


def signal_info(tid: int) -> tuple[int, int]:
    """PTRACE_GETSIGINFO: its result and `si_code`."""
    info = (ctypes.c_int * 32)()
    return ptrace(GETSIGINFO, tid, 0, ctypes.addressof(info)), info[2]


def event_message(tid: int) -> int:
    """PTRACE_GETEVENTMSG: the message."""
    message = ctypes.c_ulong(0)
    assert ptrace(GETEVENTMSG, tid, 0, ctypes.addressof(message)) == 0
    return message.value


class Actor:
    """A thread that does what it is asked; `.tid` is its kernel task."""

    def __init__(self) -> None:
        self._inbox: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._thread.native_id is not None
        self.tid = self._thread.native_id
        assert self._thread.ident is not None
        self.ident = self._thread.ident

    def _run(self) -> None:
        while (work := self._inbox.get()) is not None:
            future, function = work
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)

    def begin(self, function: Callable[..., T], *args: Any) -> Future[T]:
        """Ask, and do not wait for the answer."""
        future: Future[T] = Future()
        self._inbox.put((future, lambda: function(*args)))
        return future

    def do(self, function: Callable[..., T], *args: Any) -> T:
        """Ask, and return the answer."""
        return self.begin(function, *args).result(timeout=20)

    def end(self) -> None:
        """End the thread; returns when its kernel task is gone (a joined thread's task may live a moment longer)."""
        self._inbox.put(None)
        self._thread.join()
        until(lambda: not os.path.exists(f"/proc/self/task/{self.tid}"))


def until(fact: Callable[[], T], deadline: float = 20.0) -> T:
    """Look until `fact()` is true, with growing pauses; fails after `deadline` seconds."""
    end, pause, never = time.monotonic() + deadline, 0.0002, threading.Event()
    while not (value := fact()):
        assert time.monotonic() < end, "the fact did not come about"
        never.wait(pause)
        pause = min(pause * 1.5, 0.05)
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


def tracer_of(tid: int) -> int:
    """TracerPid, which is a thread's number."""
    return int(field(tid, "TracerPid"))


def switches(tid: int) -> int:
    """How often the task has gone to sleep."""
    return int(field(tid, "voluntary_ctxt_switches"))


def asleep_in(tid: int, number: int) -> bool:
    """The task sleeps inside this system call: seen from outside, without privilege."""
    try:
        return state(tid) == "S" and Path(f"/proc/self/task/{tid}/syscall").read_text().split()[0] == str(number)
    except FileNotFoundError:
        return False


class Started:
    """A run of `tracee.c`, made by the calling thread: that thread becomes the tracer if the program asks to be traced."""

    def __init__(self, mode: str) -> None:
        program = build(str(HERE / "tracee.c"))
        # posix_spawn and vfork keep the calling thread as the real parent, as fork does (copy_process, kernel/fork.c).
        self.process = subprocess.Popen([program, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self.process.pid

    def line(self) -> list[str]:
        """The next line that it says, as words."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().split()

    def tell(self) -> None:
        """Write the byte that it waits for."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"x")
        self.process.stdin.flush()

    def gone(self) -> None:
        """Kill it if it is still there, and reap it, whoever traces it."""
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        # Threads of a traced group report one by one, the leader last; ECHILD means that all is reaped.
        while wait4(self.pid)[0] != -errno.ECHILD:
            pass
        self.process.returncode = 0  # reaped by hand: Popen must not look for it
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
