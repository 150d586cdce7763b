"""What this package answers with: places, frames, variables, rows of a line table.

Pure values, any thread.  They hold text that has passed `visible`, and never a live object of a library, so that they may be
kept after the program has run on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

USER_REGS = (
    "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi",
    "orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs",
)  # fmt: skip
"""Names of the 27 words of ``struct user_regs_struct`` (sys/user.h) as PTRACE_GETREGS delivers them."""

RBP, RBX, RAX, RDX, RIP, RSP, FS_BASE = 4, 5, 10, 12, 16, 19, 21
"""Places of some registers in that order."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is known about one code or data address; texts are empty and numbers 0 where nothing is known.

    Attributes:
        address: the address asked for.
        symbol: the ELF symbol that contains it, ``printf@plt`` for a stub of the procedure linkage table.
        offset: bytes from the start of that symbol.
        function: the function of the source that it belongs to; where code was inlined, the innermost one.
        file: source file as the compiler recorded it, made absolute with the directory of the compilation.
        line: 1-based line in it.
        module: path of the program or library.
    """

    address: int
    symbol: str = ""
    offset: int = 0
    function: str = ""
    file: str = ""
    line: int = 0
    module: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    """A named value.

    Attributes:
        name: as in the source, or the expression that was asked for.
        type_name: its type in C.
        text: the value as gdb prints it; ``<optimized out>`` where the compiler kept none.
    """

    name: str
    type_name: str
    text: str


@dataclass(frozen=True, slots=True)
class Frame:
    """One function on the stack.

    Attributes:
        level: 0 is the innermost.
        pc: where it executes, or will go on after the call it is in.
        cfa: canonical frame address (DWARF 5, 6.4): the stack pointer of the caller before the call; None when unknown.
        function: name, ``<signal handler called>``, or empty when nothing is known about the code.
        args: arguments in the order of the declaration.
        file: source file, empty when unknown.
        line: 1-based, 0 when unknown.
        module: path of the program or library.
        inlined: its code was inlined into the next frame, with which it shares registers.
        interrupted: it was interrupted at `pc` (by a signal, or by the debugger); otherwise it is in a call.
        kind: ``signal`` for the frame that the kernel built to call a signal handler, ``guessed`` for a caller found by
            searching the stack because the code has no call frame information, else ``normal``.
        file_name: `file` as the compiler was told it, which is what gdb shows.
    """

    level: int
    pc: int
    cfa: int | None
    function: str
    args: tuple[Variable, ...] = ()
    file: str = ""
    line: int = 0
    module: str = ""
    inlined: bool = False
    interrupted: bool = False
    kind: Literal["normal", "signal", "guessed"] = "normal"
    file_name: str = ""


@dataclass(frozen=True, slots=True)
class Location:
    """A place for a breakpoint.

    Attributes:
        address: of the instruction to patch.
        function: the function it is in, empty when unknown.
        file: source file, empty when unknown.
        line: the line that `address` really belongs to, which may follow the line asked for; 0 when unknown.
    """

    address: int
    function: str = ""
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a line table with the range of addresses that it covers.

    Attributes:
        low: first address.
        high: first address after it.
        file: source file.
        line: 1-based; 0 when the compiler says that the code belongs to no line.
        is_stmt: the compiler recommends `low` for a breakpoint (DWARF 5, 6.2.2).
    """

    low: int
    high: int
    file: str
    line: int
    is_stmt: bool
