"""Memory of a tracee through /proc/PID/mem.

Any thread may read and write here: unlike a ptrace request this asks for access rights when the file is opened, not for being the
tracer (rule `tracer.memory-any-thread`).  Planted breakpoint bytes are hidden from every read.  Source: proc(5), fs/proc/base.c
`mem_rw`.
"""

from __future__ import annotations

import errno as _errno
import os
from collections.abc import Mapping

from tracedbg.model.errors import MemoryRefused, TraceeGone

_TOP = 1 << 64
_CHUNK = 1 << 20


class Memory:
    """One address space.

    Args:
        pid: any task of it.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, pid: int) -> None:
        # Set once; the descriptor keeps the address space that was there at this moment, also after an exec.
        self.pid = pid
        self._fd = os.open(f"/proc/{pid}/mem", os.O_RDWR | os.O_CLOEXEC)
        # Replaced whole by the tracer thread, read by any thread.
        self._patches: Mapping[int, bytes] = {}

    def close(self) -> None:
        """Give the descriptor back; later reads are refused."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @property
    def descriptor(self) -> int:
        """The open file, for a loop that cannot afford a method call; its reads show breakpoint bytes."""
        return self._fd

    def set_patches(self, patches: Mapping[int, bytes]) -> None:
        """Tell which bytes are ours: address to original bytes.  Tracer thread."""
        self._patches = dict(patches)

    def read(self, address: int, count: int) -> bytes:
        """`count` bytes as the program would see them without a debugger.

        Raises:
            MemoryRefused: some byte is not readable; `address` of the error is the first such byte.
            TraceeGone: the process is gone.
        """
        data = self.read_raw(address, count)
        patched = [at for at in self._patches if address - 16 < at < address + count]
        if patched:
            whole = bytearray(data)
            for at in patched:
                original = self._patches[at]
                for offset, byte in enumerate(original):
                    if address <= at + offset < address + count:
                        whole[at + offset - address] = byte
            data = bytes(whole)
        return data

    def read_raw(self, address: int, count: int) -> bytes:
        """`count` bytes as they stand, breakpoint bytes included.

        Raises:
            MemoryRefused: some byte is not readable.
            TraceeGone: the process is gone.
        """
        if not 0 <= address < _TOP or count < 0:
            raise MemoryRefused(f"no such address: {address:#x}", "addresses are 0 to 0xffffffffffffffff", address=address)
        parts: list[bytes] = []
        done = 0
        while done < count:
            at = address + done
            try:
                # Offsets above 2**63 are negative for pread(2); the kernel's own half, never readable here.
                part = os.pread(self._fd, min(count - done, _CHUNK), at) if at < 1 << 63 else None
            except OSError as error:
                raise self._refused("read", at, error.errno or 0) from error
            if part is None:
                raise self._refused("read", at, _errno.EIO)
            if not part:
                raise self._refused("read", at, 0)
            parts.append(part)
            done += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def write(self, address: int, data: bytes) -> None:
        """Write as a debugger does: read-only pages of a private mapping are copied first (FOLL_FORCE).

        Raises:
            MemoryRefused: some byte is not writable.
            TraceeGone: the process is gone.
        """
        done = 0
        while done < len(data):
            at = address + done
            try:
                if not 0 <= at < 1 << 63:
                    raise OSError(_errno.EIO, "beyond user space")
                count = os.pwrite(self._fd, data[done:], at)
            except OSError as error:
                raise self._refused("write", at, error.errno or 0) from error
            if count == 0:
                raise self._refused("write", at, 0)
            done += count

    def _refused(self, verb: str, address: int, errno: int) -> MemoryRefused | TraceeGone:
        if self._fd < 0 or errno in (0, _errno.ESRCH, _errno.EBADF):
            # The address space is gone: mm_users is zero, mem_rw answers 0.
            return TraceeGone(f"process {self.pid} has no memory any more", "it has ended; its status will tell", tid=self.pid, errno=errno)
        return MemoryRefused(
            f"cannot {verb} memory at {address:#x}", "info proc mappings shows what is mapped", address=address, errno=errno
        )
