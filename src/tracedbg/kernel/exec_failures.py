"""Why execve(2) refused a program: the errno together with what the file itself shows.

Any thread; reads the first bytes of the file and of its directory entries.  It must not run anything, and it must not trust the
file: every number in it may be wrong.
"""

from __future__ import annotations

import errno as _e
import os
import platform
import stat
import struct
from typing import Final

from tracedbg.model.names import errno_name, errno_text

# e_machine of elf(5): the ones a person is likely to meet.
_MACHINES: Final = {
    0x02: "SPARC",
    0x03: "32-bit x86",
    0x08: "MIPS",
    0x14: "PowerPC",
    0x15: "64-bit PowerPC",
    0x16: "IBM S/390",
    0x28: "32-bit ARM",
    0x3E: "x86-64",
    0xB7: "64-bit ARM",
    0xF3: "RISC-V",
    0x102: "LoongArch",
}
_PT_INTERP: Final = 3

_FIXED: Final[dict[int, tuple[str, str]]] = {
    _e.E2BIG: ("its arguments and environment are longer than the kernel allows", "shorten them, or raise the stack limit"),
    _e.ELIBBAD: ("the program interpreter that it names is no valid ELF file", "look at it with readelf -l"),
    _e.EISDIR: ("the program interpreter that it names is a directory", "look at it with readelf -l"),
    _e.EINVAL: ("the ELF file names more than one program interpreter", "look at it with readelf -l"),
    _e.ELOOP: ("too many symbolic links, or interpreters that name each other", "follow the links with ls -l"),
    _e.ENAMETOOLONG: ("the path is too long", ""),
    _e.ENOTDIR: ("a part of the path is not a directory", ""),
    _e.ETXTBSY: ("somebody has the file open for writing", "wait until that is finished (a compiler, a copy)"),
    _e.ENOMEM: ("the kernel has not enough memory for it", ""),
    _e.EAGAIN: ("the limit of processes of this user is reached", "raise it with ulimit -u"),
    _e.EMFILE: ("too many files are open", "raise the limit with ulimit -n"),
    _e.EIO: ("its file could not be read", ""),
    _e.EPERM: ("a security rule or a mount option forbids running it", ""),
}


def cause(errno: int, path: str) -> tuple[str, str]:
    """Say why a file could not be executed.

    Args:
        errno: of execve(2).
        path: the file, as it was given to execve.

    Returns:
        The cause as a clause, and what to do (may be empty).  Both may hold foreign text.
    """
    if errno == _e.ENOENT:
        return _missing(path)
    if errno == _e.EACCES:
        return _forbidden(path)
    if errno == _e.ENOEXEC:
        return _wrong_format(path)
    return _FIXED.get(errno, (f"{errno_text(errno)} ({errno_name(errno)})", ""))


def _head(path: str, size: int = 4096) -> bytes | None:
    """The first bytes of a regular file; None if it cannot be read.  A FIFO must not be opened: that could block for ever."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            return os.read(fd, size) if stat.S_ISREG(os.fstat(fd).st_mode) else None
        finally:
            os.close(fd)
    except OSError:
        return None  # whatever forbids reading, execve has told it already


def _script_interpreter(head: bytes) -> bytes | None:
    """The interpreter in a first line that begins with ``#!`` (fs/binfmt_script.c): blanks around it are dropped."""
    if not head.startswith(b"#!"):
        return None
    words = head[2:].split(b"\n", 1)[0].replace(b"\t", b" ").strip(b" ").split(b" ", 1)
    return words[0] or None


def _elf_interpreter(path: str, head: bytes) -> bytes | None:
    """The path in PT_INTERP of an ELF file in this machine's byte order (elf(5)); None if there is none."""
    if not head.startswith(b"\x7fELF") or len(head) < 64:
        return None
    wide = head[4] == 2
    try:
        if wide:
            (offset,), (size, count) = struct.unpack_from("<Q", head, 32), struct.unpack_from("<HH", head, 54)
        else:
            (offset,), (size, count) = struct.unpack_from("<I", head, 28), struct.unpack_from("<HH", head, 42)
        with open(path, "rb") as file:
            file.seek(offset)
            table = file.read(min(size * count, 65536))
            for at in range(0, len(table) - (32 if not wide else 56) + 1, size or len(table)):
                if struct.unpack_from("<I", table, at)[0] != _PT_INTERP:
                    continue
                if wide:
                    start, length = struct.unpack_from("<Q", table, at + 8)[0], struct.unpack_from("<Q", table, at + 32)[0]
                else:
                    start, length = struct.unpack_from("<I", table, at + 4)[0], struct.unpack_from("<I", table, at + 16)[0]
                file.seek(start)
                return file.read(min(length, 4096)).split(b"\0", 1)[0]
    except (OSError, struct.error, OverflowError, ValueError):
        return None  # a damaged file names no interpreter that anybody could look for
    return None


def interpreter(path: str) -> str | None:
    """The program that the kernel runs for this file: the script's ``#!`` or the ELF file's loader; None if it names none."""
    head = _head(path)
    if head is None:
        return None
    found = _script_interpreter(head) or _elf_interpreter(path, head)
    return os.fsdecode(found) if found else None


def _missing(path: str) -> tuple[str, str]:
    if not os.path.lexists(path):
        return "there is no such file", "check the path" if "/" in path else "name a file with its path, such as ./prog"
    if not os.path.exists(path):
        return "it is a symbolic link to nothing", "check where the link leads"
    needed = interpreter(path)
    if needed is None:
        return "a file that it needs to start is missing", ""
    if needed.endswith("\r"):
        return "its first line ends with a carriage return, which belongs to the interpreter's name", "save it with Unix line ends"
    return f"the file is there, but its interpreter '{needed}' is not", "install it, or build the program for this system"


def _forbidden(path: str) -> tuple[str, str]:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return "a directory on the way to it is closed to this user", "check the permissions along the path"
    if stat.S_ISDIR(mode):
        return "it is a directory", "name the program inside it"
    if not stat.S_ISREG(mode):
        return "it is not a regular file", ""
    # Root may do anything to a file but run one that has no execute bit at all (capabilities(7), CAP_DAC_OVERRIDE).
    if not os.access(path, os.X_OK) and not _noexec(path):
        return "it is not executable for this user", f"chmod +x '{path}', if it is a program"
    if _noexec(path):
        return "it lies on a file system that is mounted noexec", "copy it to another place"
    needed = interpreter(path)
    if needed is not None and not os.access(needed, os.X_OK):
        return f"its interpreter '{needed}' is not executable", f"chmod +x '{needed}', if it is a program"
    return "a security rule forbids running it", ""


def _noexec(path: str) -> bool:
    try:
        return bool(os.statvfs(path).f_flag & os.ST_NOEXEC)
    except OSError:
        return False  # gone meanwhile


def _wrong_format(path: str) -> tuple[str, str]:
    head = _head(path)
    if head is None:
        return "the kernel does not know its format", ""
    if not head:
        return "the file is empty", ""
    if not head.startswith(b"\x7fELF"):
        return "it is no ELF file and no script (a script begins with #! and its interpreter)", "start the interpreter with it"
    if len(head) < 20:
        return "it is the beginning of an ELF file and nothing more", "build it again"
    big = head[5] == 2  # EI_DATA: 1 is little-endian
    kind, machine = struct.unpack_from(">HH" if big else "<HH", head, 16)
    name = _MACHINES.get(machine, f"machine {machine:#x}")
    if name.replace("-", "_") != platform.machine() and not (name == "64-bit ARM" and platform.machine() == "aarch64"):
        return f"it is a program for {name}, and this machine is {platform.machine()}", "build it for this machine"
    if kind not in (2, 3):
        return "it is an ELF file but no program (an object file or a core dump)", "link it first"
    return "its ELF header is damaged", "build it again"
