"""The parts of an ELF file that a debugger reads itself: header, segments, sections.

Any thread; `struct` only, so that `check_program` is quick enough to run before every launch.  It reads files and nothing else.
Layouts are those of elf(5).
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from dataclasses import dataclass
from typing import Literal

from tracedbg.model.errors import BadArgument, NotFound

ET_REL, ET_EXEC, ET_DYN, ET_CORE = 1, 2, 3, 4
EM_X86_64 = 62
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_TLS, PT_GNU_EH_FRAME = 1, 2, 3, 7, 0x6474E550
SHT_NOBITS, SHT_DYNSYM = 8, 11
SHF_COMPRESSED = 0x800
_ELFCOMPRESS_ZLIB = 1

_MACHINES = {
    2: "SPARC",
    3: "Intel 80386",
    8: "MIPS",
    20: "PowerPC",
    21: "64-bit PowerPC",
    22: "S/390",
    40: "ARM",
    62: "x86-64",
    183: "AArch64",
    243: "RISC-V",
    258: "LoongArch",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """One program header: what the kernel maps."""

    type: int
    flags: int
    offset: int
    address: int
    file_size: int
    memory_size: int
    align: int


@dataclass(frozen=True, slots=True)
class Section:
    """One section header: what linkers and debuggers look for."""

    name: str
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int


def parse_segments(data: bytes) -> list[Segment]:
    """Decode a table of ``Elf64_Phdr``, from a file or from memory."""
    return [
        Segment(kind, flags, offset, address, in_file, in_memory, align)
        for kind, flags, offset, address, _, in_file, in_memory, align in struct.iter_unpack("<IIQQQQQQ", data)
    ]


class ElfFile:
    """An open 64-bit little-endian ELF file.

    Args:
        path: the file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no such file, or its tables are damaged.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        with open(path, "rb") as file:
            head = file.read(64)
            if len(head) < 64 or head[:6] != b"\x7fELF\x02\x01":
                msg = f"{path} is not a 64-bit little-endian ELF file"
                raise ValueError(msg)
            (self.type, self.machine, _, self.entry, phoff, shoff, _, _, phsize, phnum, shsize, shnum, names) = struct.unpack_from(
                "<HHIQQQIHHHHHH", head, 16
            )
            self.segments: list[Segment] = []
            self.sections: dict[str, Section] = {}
            try:
                if phnum and phsize == 56:
                    file.seek(phoff)
                    self.segments = parse_segments(file.read(56 * phnum))
                if shnum and shsize == 64:
                    self._read_sections(file.fileno(), shoff, shnum, names)
            except (struct.error, IndexError) as error:
                msg = f"the tables of {path} are damaged"
                raise ValueError(msg) from error

    def _read_sections(self, fd: int, offset: int, count: int, names: int) -> None:
        table = os.pread(fd, 64 * count, offset)
        headers = list(struct.iter_unpack("<IIQQQQIIQQ", table[: len(table) // 64 * 64]))
        if names >= len(headers):
            return
        strings = os.pread(fd, headers[names][5], headers[names][4])
        for name, kind, flags, address, at, size, link, *_ in headers:
            text = strings[name : strings.find(b"\0", name)].decode("utf-8", "backslashreplace")
            self.sections.setdefault(text, Section(text, kind, flags, address, at, size, link))

    def data(self, name: str) -> bytes:
        """The contents of a section, decompressed; empty when there is no such section or no way to decompress it."""
        section = self.sections.get(name)
        if section is None or section.type == SHT_NOBITS:
            return b""
        with open(self.path, "rb") as file:
            data = os.pread(file.fileno(), section.size, section.offset)
        if not section.flags & SHF_COMPRESSED:
            return data
        if len(data) < 24 or struct.unpack_from("<I", data)[0] != _ELFCOMPRESS_ZLIB:
            return b""  # zstd: Python learned it in 3.14 only
        try:
            return zlib.decompress(data[24:])
        except zlib.error:
            return b""

    def read(self, address: int, count: int) -> bytes:
        """At most `count` bytes that the file holds for `address` (an address as in the file)."""
        for segment in self.segments:
            skip = address - segment.address
            if segment.type == PT_LOAD and 0 <= skip < segment.file_size:
                with open(self.path, "rb") as file:
                    return os.pread(file.fileno(), min(count, segment.file_size - skip), segment.offset + skip)
        return b""

    def segment(self, kind: int) -> Segment | None:
        """The first segment of a type."""
        return next((segment for segment in self.segments if segment.type == kind), None)


@dataclass(frozen=True, slots=True)
class ProgramFile:
    """What kind of program a file is.

    Attributes:
        path: as given.
        kind: ``script`` starts with ``#!``: the kernel runs its interpreter instead (execve(2)).
        machine: what it runs on.
        pie: position independent: the kernel chooses where it is mapped.
        static: no dynamic loader takes part.
        interpreter: the dynamic loader (PT_INTERP), or the script's interpreter; empty when there is none.
        entry: address of the first instruction, as in the file.
        symbols: it has a symbol table (``.symtab``).
        lines: it has a line table (``.debug_line``).
    """

    path: str
    kind: Literal["elf", "script"]
    machine: str = ""
    pie: bool = False
    static: bool = False
    interpreter: str = ""
    entry: int = 0
    symbols: bool = False
    lines: bool = False


def check_program(path: str) -> ProgramFile:
    """Say what kind of program a file is, or why it cannot be debugged.

    Args:
        path: of the file; PATH is not searched.

    Raises:
        NotFound: no such file, or the loader it names is missing.
        BadArgument: it is something else than a program for this machine.
    """
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            head = file.read(256) if stat.S_ISREG(mode) else b""
    except IsADirectoryError:
        raise BadArgument(f"{path} is a directory", "name the program in it") from None
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}", "check the spelling; the path is taken from the current directory") from None
    except OSError as error:
        raise BadArgument(f"{path} cannot be read: {error.strerror}", "check its permissions") from error
    if not stat.S_ISREG(mode):
        raise BadArgument(f"{path} is not a regular file", "name a program")
    if not head:
        raise BadArgument(f"{path} is empty", "compile it again, or name another program")
    if head[:2] == b"#!":
        return _check_script(path, head)
    if head[:4] != b"\x7fELF":
        raise BadArgument(f"{path} is not an ELF program: it begins with {head[:4]!r}", "name a compiled program")
    return _check_elf(path, head)


def _executable(path: str) -> None:
    # execve(2) wants the x bit even from root.
    if not os.access(path, os.X_OK):
        raise BadArgument(f"{path} is not executable", f"allow it with `chmod +x {path}`")


def _check_script(path: str, head: bytes) -> ProgramFile:
    words = head[2:].split(b"\n", 1)[0].split()
    if not words:
        raise BadArgument(f"{path} is a script whose first line names no interpreter", "write one after the #!")
    interpreter = os.fsdecode(words[0])
    if not os.path.exists(interpreter):
        raise NotFound(f"{path} is a script for {interpreter}, which does not exist here", "install that interpreter")
    _executable(path)
    return ProgramFile(path, "script", interpreter=interpreter)


def _check_elf(path: str, head: bytes) -> ProgramFile:
    if len(head) < 20:
        raise BadArgument(f"{path} is cut short: an ELF header has 64 bytes", "compile or copy it again")
    machine_number = struct.unpack_from("<H" if head[5] == 1 else ">H", head, 18)[0]
    machine = _MACHINES.get(machine_number, f"machine number {machine_number}")
    if head[4] == 1:
        raise BadArgument(
            f"{path} is a 32-bit program ({machine})", "tracedbg debugs 64-bit x86 programs: compile it without -m32 or -mx32"
        )
    if head[5] != 1 or machine_number != EM_X86_64:
        raise BadArgument(f"{path} is a program for {machine}", "tracedbg debugs x86-64 programs on x86-64 machines")
    try:
        elf = ElfFile(path)
    except (OSError, ValueError) as error:
        raise BadArgument(f"{path} is damaged: {error}", "compile or copy it again") from error
    if elf.type not in (ET_EXEC, ET_DYN):
        kinds = {ET_REL: "an object file", ET_CORE: "a core file"}
        raise BadArgument(f"{path} is {kinds.get(elf.type, f'an ELF file of type {elf.type}')}, not a program", "link it first")
    if not any(segment.type == PT_LOAD for segment in elf.segments):
        raise BadArgument(f"{path} has nothing to load (a separate debug file?)", "name the program itself")
    interp = elf.segment(PT_INTERP)
    loader = os.fsdecode(elf.read(interp.address, interp.file_size).rstrip(b"\0")) if interp else ""
    if not loader and elf.type == ET_DYN and elf.entry == 0:
        raise BadArgument(f"{path} is a shared library, not a program", "name a program that uses it")
    _executable(path)
    if loader and not os.path.exists(loader):
        raise NotFound(f"{path} needs the loader {loader}, which does not exist here", "install the C library it was linked with")
    return ProgramFile(
        path,
        "elf",
        machine,
        elf.type == ET_DYN,
        not loader,
        loader,
        elf.entry,
        ".symtab" in elf.sections,
        ".debug_line" in elf.sections,
    )
