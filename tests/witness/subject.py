"""A small tracer that logs its own calls, to try the witness on.

Run as a program: ``subject.py LOG``.  It knows nothing of the product.  Its thread `tracer` forks a child that asks to be
traced; the main thread and `w1` wait; the calls are chosen so that each kind of result is there: a value, an errno, a
status word, a restart after a signal, an interruption, a counted loop.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)
WALL, SA_RESTART = 0x40000000, 0x10000000
CONT, SINGLESTEP, GETREGS = 7, 9, 12
NAMES = {CONT: "PTRACE_CONT", SINGLESTEP: "PTRACE_SINGLESTEP", GETREGS: "PTRACE_GETREGS"}
regs = ctypes.create_string_buffer(27 * 8)


class SigAction(ctypes.Structure):
    _fields_ = [
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ulong * 16),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    ]


class Log:
    def __init__(self, path: str) -> None:
        self.file = Path(path).open("w")  # noqa: SIM115  # closed at the end of main
        self.lock = threading.Lock()
        self.seq = 0

    def write(self, ev: str, **fields: object) -> int:
        with self.lock:
            self.seq += 1
            head = {"seq": self.seq, "t": time.monotonic_ns(), "tid": threading.get_native_id(), "ev": ev, "src": "user"}
            self.file.write(json.dumps({**head, **fields}) + "\n")
            return self.seq

    def announced(self, name: str, args: list[object], call: Callable[[], tuple[int, int]]) -> tuple[int, int]:
        of = self.write("sys.enter", name=name, args=args)
        ret, status = call()
        more: dict[str, object] = {}
        if ret < 0:
            more["errno"] = errno.errorcode[ctypes.get_errno()]
        elif ret > 0:
            more["status"] = status
        self.write("sys.exit", of=of, name=name, ret=ret, **more)
        return ret, status


def ptrace(log: Log, request: int, pid: int, addr: int = 0, data: int = 0) -> int:
    def call() -> tuple[int, int]:
        return libc.syscall(101, *(ctypes.c_long(word) for word in (request, pid, addr, data))), 0

    return log.announced("ptrace", [NAMES[request], pid, addr, data], call)[0]


def wait4(log: Log, pid: int) -> tuple[int, int]:
    def call() -> tuple[int, int]:
        status = ctypes.c_int()
        ret = libc.syscall(61, ctypes.c_long(pid), ctypes.byref(status), ctypes.c_long(WALL), None)
        return ret, status.value

    return log.announced("wait4", [pid, "__WALL"], call)


def handle(flags: int) -> None:
    action = SigAction(handler=ctypes.cast(libc.abs, ctypes.c_void_p).value, flags=flags)
    assert libc.sigaction(signal.SIGURG, ctypes.byref(action), None) == 0


def switches(tid: int) -> int:
    text = Path(f"/proc/self/task/{tid}/status").read_text()
    return int(text.split("voluntary_ctxt_switches:\t")[1].split()[0])


def until_asleep(tid: int, more_than: int = -1) -> int:
    never = threading.Event()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        state = Path(f"/proc/self/task/{tid}/stat").read_text().rpartition(") ")[2][0]
        inside = Path(f"/proc/self/task/{tid}/syscall").read_text().startswith("61 ")
        now = switches(tid)
        if state == "S" and inside and now > more_than:
            return now
        never.wait(0.001)
    raise TimeoutError


class Worker(threading.Thread):
    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.inbox: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.answers: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.start()

    def run(self) -> None:
        while work := self.inbox.get():
            self.answers.put(work())

    def ask(self, work: object) -> object:
        self.inbox.put(work)
        return self.answers.get(timeout=30)


def child() -> None:
    if libc.ptrace(0, 0, None, None) < 0:
        os._exit(99)
    os.kill(os.getpid(), signal.SIGSTOP)
    for _ in range(100):
        os.getpid()
    os._exit(7)


def fork() -> int:
    pid = os.fork()
    if pid == 0:
        child()
    return pid


def loop(log: Log, pid: int, times: int) -> None:
    of = log.write("loop.begin", name="stepi")
    status = ctypes.c_int()
    for _ in range(times):
        libc.syscall(101, ctypes.c_long(SINGLESTEP), ctypes.c_long(pid), ctypes.c_long(0), ctypes.c_long(0))
        libc.syscall(61, ctypes.c_long(pid), ctypes.byref(status), ctypes.c_long(WALL), None)
    log.write("loop.done", of=of, name="stepi", counts={"ptrace(PTRACE_SINGLESTEP)": times, "wait4": times})


def main() -> None:
    log = Log(sys.argv[1])
    tracer, w1 = Worker("tracer"), Worker("w1")
    pid = tracer.ask(fork)
    assert wait4(log, pid) == (pid, 0x137F)
    assert w1.ask(lambda: ptrace(log, CONT, pid)) == -1  # the wrong thread: ESRCH
    assert tracer.ask(lambda: ptrace(log, GETREGS, pid, 0, ctypes.addressof(regs))) == 0

    tracer.ask(lambda: loop(log, pid, 200))

    w1.inbox.put(lambda: wait4(log, pid))
    until_asleep(w1.native_id)
    handle(0)
    signal.pthread_kill(w1.ident, signal.SIGURG)
    assert w1.answers.get(timeout=30)[0] == -1  # EINTR

    handle(SA_RESTART)
    w1.inbox.put(lambda: wait4(log, pid))
    before = until_asleep(w1.native_id)
    signal.pthread_kill(w1.ident, signal.SIGURG)
    until_asleep(w1.native_id, before)  # restarted by the kernel: still one call to user space
    assert tracer.ask(lambda: ptrace(log, CONT, pid)) == 0
    assert w1.answers.get(timeout=30) == (pid, 0x0700)
    assert wait4(log, pid)[0] == -1  # ECHILD
    for worker in (tracer, w1):
        worker.inbox.put(None)
        worker.join()
    log.file.close()


main()
