"""The register table of a CPU: names, offsets, get and set.

Pure given a buffer; any thread.  x86-64 first; another CPU is another `Cpu` value.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence

import msgspec

from tracedbg.model.errors import NotFound

from .pyptrace import UserRegs
from .raw import MACHINE

NAMES: tuple[str, ...] = tuple(field[0] for field in UserRegs._fields_)
"""In the order of `struct user_regs_struct`, for x86-64: r15 first, gs last."""
SIZE = ctypes.sizeof(UserRegs)
_WORDS = struct.Struct(f"={len(NAMES)}Q") if 8 * len(NAMES) == SIZE else None
_MASK = (1 << 64) - 1


class Cpu(msgspec.Struct, frozen=True):
    """What the debugger must know of a CPU besides its registers' names.

    Args:
        pc: name of the program counter.
        sp: name of the stack pointer.
        flags: name of the flags register.
        trap: bytes of the breakpoint instruction.
        trap_advance: how far pc stands behind the trap when it is reported.
        calls: bytes of the instructions that enter the kernel, all of one length.
    """

    pc: str
    sp: str
    flags: str
    trap: bytes
    trap_advance: int
    calls: frozenset[bytes]


CPUS = {
    "x86_64": Cpu("rip", "rsp", "eflags", b"\xcc", 1, frozenset({b"\x0f\x05", b"\xcd\x80"})),  # syscall, int $0x80
    "aarch64": Cpu("pc", "sp", "pstate", b"\x00\x00\x20\xd4", 0, frozenset({b"\x01\x00\x00\xd4"})),  # svc #0
}
CPU = CPUS.get(MACHINE, CPUS["x86_64"])
"""The one we run on."""
_SHOWN = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip",
          "eflags", "cs", "ss", "ds", "es", "fs", "gs", "fs_base", "gs_base")  # fmt: skip
ORDER: tuple[str, ...] = tuple(name for name in _SHOWN if name in NAMES) or NAMES
"""The order of `info registers`, as gdb's."""

_FLAG_BITS = ((0, "CF"), (2, "PF"), (4, "AF"), (6, "ZF"), (7, "SF"), (8, "TF"), (9, "IF"), (10, "DF"), (11, "OF"))
_HALVES = {"a": "ax", "b": "bx", "c": "cx", "d": "dx"}


def _alias(name: str) -> tuple[str, int] | None:
    """Name of the 64-bit register and mask for a part of it that starts at bit 0: eax, ax, al, r8d, $pc, $sp."""
    fixed = {"pc": "rip", "sp": "rsp", "fp": "rbp", "rflags": "eflags"}
    if name in fixed:
        return fixed[name], _MASK
    if name[:1] == "e" and "r" + name[1:] in NAMES:
        return "r" + name[1:], 0xFFFFFFFF
    if "r" + name in NAMES:
        return "r" + name, 0xFFFF
    if len(name) == 2 and name[1] == "l" and name[0] in _HALVES:
        return "r" + _HALVES[name[0]], 0xFF
    if name[:1] == "r" and name[-1:] in "dwb" and name[:-1] in NAMES:
        return name[:-1], {"d": 0xFFFFFFFF, "w": 0xFFFF, "b": 0xFF}[name[-1]]
    return None


class Registers(msgspec.Struct, frozen=True):
    """The general registers of one stopped tracee: a value, changed by making another.

    Args:
        words: in the order of `NAMES`.
    """

    words: tuple[int, ...]

    @staticmethod
    def from_bytes(data: bytes) -> Registers:
        """From `struct user_regs_struct`."""
        if _WORDS is None:
            raise NotFound("this CPU has no register table yet", "add a row to kernel/regs.py")
        return Registers(_WORDS.unpack(data))

    def to_bytes(self) -> bytes:
        """The inverse."""
        assert _WORDS is not None
        return _WORDS.pack(*self.words)

    def __getitem__(self, name: str) -> int:
        """Value of a register or a part of one.

        Raises:
            NotFound: this CPU has no such register.
        """
        name = name.lstrip("$")
        if name in NAMES:
            return self.words[NAMES.index(name)]
        part = _alias(name)
        if part is None:
            raise NotFound(f"no register ${name}", "info registers lists them")
        return self.words[NAMES.index(part[0])] & part[1]

    def replace(self, name: str, value: int) -> Registers:
        """The same registers with one changed; writing a 32-bit part clears the upper half, as the CPU does.

        Raises:
            NotFound: this CPU has no such register.
        """
        name = name.lstrip("$")
        words = list(self.words)
        if name in NAMES:
            words[NAMES.index(name)] = value & _MASK
            return Registers(tuple(words))
        part = _alias(name)
        if part is None:
            raise NotFound(f"no register ${name}", "info registers lists them")
        at, mask = NAMES.index(part[0]), part[1]
        keep = 0 if mask in (_MASK, 0xFFFFFFFF) else words[at] & ~mask
        words[at] = keep | (value & mask)
        return Registers(tuple(words))

    @property
    def pc(self) -> int:
        """The program counter."""
        return self["rip"]

    @property
    def sp(self) -> int:
        """The stack pointer."""
        return self["rsp"]


def flags_words(value: int) -> str:
    """The set bits of eflags by name, as gdb shows them: ``[ ZF PF IF ]``."""
    return "[ " + "".join(name + " " for bit, name in _FLAG_BITS if value >> bit & 1) + "]"


def completion_names() -> Sequence[str]:
    """Names worth offering after a dollar sign."""
    return (*ORDER, "pc", "sp")
