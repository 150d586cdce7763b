"""A tiny tracer for tests of this area: one stopped process, its registers and its memory.

Runs on one thread, which is the tracer.  It is not the product's tracer on purpose: these tests must not depend on it.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tracedbg.symbols.values import RIP, RSP

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
TRACEME, CONT, KILL, SINGLESTEP, GETREGS, SETREGS, GETFPREGS, SETOPTIONS = 0, 7, 8, 9, 12, 13, 14, 0x4200
_EXITKILL = 0x100000
_ADDR_NO_RANDOMIZE = 0x0040000


class Tracee:
    """A program that stands at its first instruction, and is killed at the end of the ``with`` block.

    Args:
        program: what to execute.
        args: its arguments.
    """

    def __init__(self, program: Path | str, args: Sequence[str] = ()) -> None:
        self.program = str(program)
        self.alive = True
        # Opened before the fork: the child may do no more than a few plain calls.
        null = os.open(os.devnull, os.O_RDWR)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                for fd in (0, 1, 2):
                    os.dup2(null, fd)
                _libc.personality(_ADDR_NO_RANDOMIZE)
                _libc.ptrace(TRACEME, 0, None, None)
                os.execv(self.program, [self.program, *args])
            finally:
                os._exit(127)
        os.close(null)
        assert self.wait() == signal.SIGTRAP
        self._ptrace(SETOPTIONS, 0, _EXITKILL)
        self.mem = os.open(f"/proc/{self.pid}/mem", os.O_RDWR)
        self.hidden: dict[int, bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
            while self.alive:
                self.wait()
        os.close(self.mem)

    def _ptrace(self, request: int, address: object = None, data: object = None) -> int:
        result = _libc.ptrace(request, self.pid, address, data)
        if result < 0:
            raise OSError(ctypes.get_errno(), f"ptrace({request}, {self.pid})")
        return int(result)

    def wait(self) -> int:
        """The signal it stopped with; 0 when it has ended."""
        _, status = os.waitpid(self.pid, 0)
        if os.WIFSTOPPED(status):
            return os.WSTOPSIG(status)
        self.alive = False
        return 0

    def regs(self) -> list[int]:
        buffer = (ctypes.c_ulonglong * 27)()
        self._ptrace(GETREGS, None, ctypes.addressof(buffer))
        return list(buffer)

    def set_regs(self, regs: Sequence[int]) -> None:
        buffer = (ctypes.c_ulonglong * 27)(*regs)
        self._ptrace(SETREGS, None, ctypes.addressof(buffer))

    def fp_regs(self) -> bytes:
        buffer = ctypes.create_string_buffer(512)
        self._ptrace(GETFPREGS, None, ctypes.addressof(buffer))
        return buffer.raw

    def read(self, address: int, count: int) -> bytes:
        """Memory with the breakpoints hidden; fewer bytes, or OSError, where there is none."""
        data = bytearray(os.pread(self.mem, count, address))
        for at, byte in self.hidden.items():
            if address <= at < address + len(data):
                data[at - address : at - address + 1] = byte
        return bytes(data)

    def write(self, address: int, data: bytes) -> None:
        assert os.pwrite(self.mem, data, address) == len(data)

    def step(self) -> int:
        self._ptrace(SINGLESTEP)
        return self.wait()

    def cont(self, signal_: int = 0) -> int:
        self._ptrace(CONT, None, signal_)
        return self.wait()

    def run_to(self, address: int, *, above: int = 0) -> list[int]:
        """Run until the instruction at `address` is next, with a stack pointer greater than `above`; its registers."""
        while True:
            if self.regs()[RIP] == address:
                self.step()
            saved = os.pread(self.mem, 1, address)
            self.hidden[address] = saved
            self.write(address, b"\xcc")
            try:
                stopped = self.cont()
                while stopped not in (0, signal.SIGTRAP):
                    stopped = self.cont(stopped)
                assert stopped, f"{self.program} ended before {address:#x}"
            finally:
                del self.hidden[address]
                if self.alive:
                    self.write(address, saved)
            regs = self.regs()
            assert regs[RIP] == address + 1, hex(regs[RIP])
            regs[RIP] = address
            self.set_regs(regs)
            if regs[RSP] > above:
                return regs
