"""The kernel's tracing file system: where it is mounted, and private instances in it.

Any thread.  An instance has its own ring buffer, clock, filters and switches, so nothing that others trace is touched.  It must not
mount anything, nor go to a directory where the kernel itself would mount on a visit (debugfs): the mount table tells.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from tracedbg.model.ids import Pid

from . import procfs

REMEDY = "sudo mount -t tracefs tracefs /sys/kernel/tracing"
"""What to type where it is not mounted."""

_NAME = re.compile(r"tracedbg-(\d+)-(\d+)(?:-\d+)?")
_OCTAL = re.compile(rb"\\([0-7]{3})")
# The first pid namespace has this inode number on every kernel (include/linux/proc_ns.h, PROC_PID_INIT_INO).
_FIRST_PID_NS = "pid:[4026531836]"
_CHUNK = 4000
"""A write to a trace file is taken up to a page (kernel/trace/trace.c, trace_get_user)."""


def root() -> str:
    """Where tracefs is mounted in our mount namespace, empty if nowhere; the usual place first."""
    data = procfs.read_file("/proc/self/mounts") or b""
    found = []
    for line in data.splitlines():
        words = line.split(b" ")
        if len(words) > 2 and words[2] == b"tracefs":
            found.append(os.fsdecode(_OCTAL.sub(lambda octal: bytes([int(octal[1], 8) & 0xFF]), words[1])))
    return min(found, key=lambda path: (path != "/sys/kernel/tracing", len(path)), default="")


def numbers_are_ours() -> bool:
    """Whether the kernel's own task numbers, which a trace shows, are those that we see: not so in a container's pid namespace."""
    try:
        return os.readlink("/proc/self/ns/pid") == _FIRST_PID_NS
    except OSError:
        return True  # a kernel without pid namespaces


def instance_name(pid: int, number: int = 0) -> str:
    """The name of an instance of ours: number and start time name a process for ever, so a living one's is never removed."""
    return f"tracedbg-{pid}-{procfs.start_time(pid) or 0}" + (f"-{number}" if number else "")


def stale(names: Iterable[str]) -> list[str]:
    """Those instances whose tracedbg is gone: no process of that number, or one that began at another time."""
    found = []
    for name in names:
        match = _NAME.fullmatch(name)
        if match is not None and procfs.start_time(int(match[1])) != int(match[2]):
            found.append(name)
    return found


def sweep(where: str) -> list[str]:
    """Remove what killed tracedbgs have left; what was removed.

    Args:
        where: the mount point.
    """
    folder = f"{where}/instances"
    try:
        names = os.listdir(folder)
    except OSError:
        return []  # not root: nothing could be removed either
    removed = []
    for name in stale(names) if numbers_are_ours() else ():
        try:
            os.rmdir(f"{folder}/{name}")
        except OSError:
            continue  # somebody reads it at this moment (EBUSY), or has removed it before us
        removed.append(name)
    return removed


class Instance:
    """One private trace; made and removed on the command thread, read by the reader.

    Args:
        where: the mount point.
        name: of the instance.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, where: str, name: str) -> None:
        self.root, self.name = where, name
        self.path = f"{where}/instances/{name}"
        os.mkdir(self.path)

    @classmethod
    def make(cls, where: str, pid: Pid | int) -> Instance:
        """An instance of this process; one that has several gets a number behind the name.

        Raises:
            OSError: not root, or no memory for its ring buffers.
        """
        number = 0
        while True:
            try:
                return cls(where, instance_name(pid, number))
            except FileExistsError:
                number += 1

    def has(self, file: str) -> bool:
        """Whether this kernel offers a file."""
        return os.path.exists(f"{self.path}/{file}")

    def read(self, file: str) -> str:
        """A file's text."""
        with open(f"{self.path}/{file}", encoding="utf-8", errors="backslashreplace") as opened:
            return opened.read()

    def write(self, file: str, text: str) -> None:
        """Set a file: the kernel acts on each write by itself, so it is one.

        Raises:
            OSError: the kernel did not accept it.
        """
        self._put(file, os.O_WRONLY | os.O_TRUNC, text)

    def add(self, file: str, text: str) -> None:
        """Append to a file that holds a list."""
        self._put(file, os.O_WRONLY | os.O_APPEND, text)

    def add_tasks(self, tids: Iterable[int]) -> None:
        """Trace these tasks too."""
        line = ""
        for tid in tids:
            if len(line) > _CHUNK - 16:
                self.add("set_event_pid", line + "\n")
                line = ""
            line += f" {tid}"
        if line:
            self.add("set_event_pid", line + "\n")

    def _put(self, file: str, flags: int, text: str) -> None:
        path = f"{self.path}/{file}"
        fd = os.open(path, flags | os.O_CLOEXEC)
        try:
            data = text.encode("ascii")
            while data:
                data = data[os.write(fd, data) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from error
        finally:
            os.close(fd)

    def open_pipes(self) -> dict[int, int]:
        """Open each processor's ring buffer for reading without blocking: descriptors by processor."""
        pipes: dict[int, int] = {}
        try:
            for name in os.listdir(f"{self.path}/per_cpu"):
                path = f"{self.path}/per_cpu/{name}/trace_pipe_raw"
                pipes[int(name.removeprefix("cpu"))] = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            for fd in pipes.values():
                os.close(fd)
            raise
        return pipes

    def remove(self) -> None:
        """Remove it, with all its switches; its pipes must be closed before.

        Raises:
            OSError: somebody else still reads it.
        """
        os.rmdir(self.path)
