"""Machine code as text, and the one question about it that stepping asks: is this a call?

Any thread.  capstone is imported at the first `disassemble`; `call_length` needs no library and is quick enough for every step.
The bytes are given by the caller, with breakpoints already hidden.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tracedbg.model.errors import NotHere
from tracedbg.model.text import visible

_PREFIXES = frozenset((0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3))
"""Legacy prefixes (Intel SDM volume 2, 2.1.1); gcc writes some of them before calls (``notrack``, ``bnd``, ``data16``)."""

_decoders: dict[str, Any] = {}
_NO_SUFFIX = {"callq": "call", "retq": "ret", "jmpq": "jmp", "pushq": "push", "popq": "pop", "leaveq": "leave"}
_RIP_ATT = re.compile(r"(-?(?:0x)?[0-9a-f]+)?\(%rip\)")
_RIP_INTEL = re.compile(r"\[rip(?: ([+-]) ((?:0x)?[0-9a-f]+))?\]")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction.

    Attributes:
        address: of its first byte.
        size: in bytes.
        bytes_: the bytes.
        text: mnemonic and operands; targets are followed by their name, as in ``call 0x401126 <fact>``.
        is_call: a call instruction; a system call is none.
        is_return: returns from a function or an interrupt.
        target: where a direct jump or call goes; None for all others.
    """

    address: int
    size: int
    bytes_: bytes
    text: str
    is_call: bool = False
    is_return: bool = False
    target: int | None = None


def call_length(code: bytes) -> int:
    """The length of the call instruction at the start of `code`; 0 when there is none.

    Args:
        code: 15 bytes (the longest instruction) or fewer at the end of a mapping.

    Note:
        E8 is a near call with a 32-bit displacement; FF /2 and FF /3 are indirect calls (Intel SDM volume 2, CALL).
    """
    at = 0
    while at < len(code) and code[at] in _PREFIXES:
        at += 1
    if at < len(code) and code[at] & 0xF0 == 0x40:  # REX, which must stand last
        at += 1
    if at >= len(code):
        return 0
    if code[at] == 0xE8:
        return at + 5 if at + 5 <= len(code) else 0
    if code[at] != 0xFF or at + 1 >= len(code):
        return 0
    modrm = code[at + 1]
    mode, operation, base = modrm >> 6, modrm >> 3 & 7, modrm & 7
    if operation not in (2, 3):
        return 0
    length = at + 2
    if mode != 3 and base == 4:  # a SIB byte follows
        if length >= len(code):
            return 0
        base = code[length] & 7
        length += 1
    displacement = {0: 4 if base == 5 else 0, 1: 1, 2: 4, 3: 0}[mode]
    length += displacement
    return length if length <= len(code) else 0


def _decoder(flavor: Literal["att", "intel"]) -> Any:
    """A capstone decoder for one syntax, made once."""
    if flavor not in _decoders:
        try:
            import capstone  # 81 ms: only when someone disassembles
        except ImportError as error:
            raise NotHere("capstone, which disassembles, is not installed", "install it with `pip install capstone`") from error
        decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        decoder.syntax = capstone.CS_OPT_SYNTAX_ATT if flavor == "att" else capstone.CS_OPT_SYNTAX_INTEL
        decoder.skipdata = False
        _decoders[flavor] = decoder
    return _decoders[flavor]


def disassemble(
    code: bytes,
    address: int,
    *,
    count: int | None = None,
    flavor: Literal["att", "intel"] = "att",
    name: Callable[[int], str] | None = None,
) -> list[Instruction]:
    """Decode instructions one after the other.

    Args:
        code: the bytes, breakpoints hidden.
        address: of the first byte.
        count: how many instructions at most; None for as many as there are bytes.
        flavor: AT&T syntax as gdb's default, or Intel.
        name: gives ``function+offset`` for an address, or an empty text; called for jump and call targets and for data
            addressed relative to rip.

    Returns:
        The instructions; a byte that begins none becomes ``(bad)`` of size 1, as in gdb.  An instruction that `code` cuts short
        is not returned.

    Raises:
        NotHere: capstone is not installed.
    """
    decoder = _decoder(flavor)
    found: list[Instruction] = []
    at = 0
    while at < len(code) and (count is None or len(found) < count):
        before = at
        left = 0 if count is None else count - len(found)
        for start, size, mnemonic, operands in decoder.disasm_lite(code[at:], address + at, left):
            raw = code[start - address : start - address + size]
            found.append(_instruction(start, raw, mnemonic, operands, name))
            at = start - address + size
        if at >= len(code) or (count is not None and len(found) >= count):
            break
        if at == before or at < len(code):
            if len(code) - at < 15 and found:  # possibly the front part of a longer instruction
                break
            found.append(Instruction(address + at, 1, code[at : at + 1], "(bad)"))
            at += 1
    return found


def _instruction(start: int, raw: bytes, mnemonic: str, operands: str, name: Callable[[int], str] | None) -> Instruction:
    direct = _direct_target(start, raw)
    # GNU tools write no suffix where there is no choice of size.
    mnemonic = " ".join(_NO_SUFFIX.get(word, word) for word in mnemonic.split())
    text = f"{mnemonic} {operands}".rstrip()
    if direct is not None and name and (label := name(direct)):
        text += f" <{label}>"
    data = _rip_target(operands, start + len(raw))
    if data is not None:
        label = name(data) if name else ""
        text += f"        # {data:#x}" + (f" <{label}>" if label else "")
    words = mnemonic.split()
    returns = any(word.startswith(("ret", "iret", "lret", "sysret", "sysexit")) for word in words)
    return Instruction(start, len(raw), raw, visible(text), call_length(raw) == len(raw), returns, direct)


def _direct_target(start: int, raw: bytes) -> int | None:
    """Where a relative call, jump or loop goes (Intel SDM volume 2: opcodes E8, E9, EB, 70-7F, 0F 80-8F, E0-E3)."""
    at = 0
    while at < len(raw) and (raw[at] in _PREFIXES or raw[at] & 0xF0 == 0x40):
        at += 1
    rest = raw[at:]
    near = len(rest) == 5 and rest[0] in (0xE8, 0xE9)
    short = len(rest) == 2 and (rest[0] == 0xEB or 0x70 <= rest[0] <= 0x7F or 0xE0 <= rest[0] <= 0xE3)
    conditional = len(rest) == 6 and rest[0] == 0x0F and rest[1] & 0xF0 == 0x80
    if not (near or short or conditional):
        return None
    distance = rest[2:] if conditional else rest[1:]
    return (start + len(raw) + int.from_bytes(distance, "little", signed=True)) & (1 << 64) - 1


def _rip_target(operands: str, after: int) -> int | None:
    """The address that an operand relative to rip means; rip is already at the next instruction."""
    if match := _RIP_ATT.search(operands):
        distance = int(match[1], 0) if match[1] else 0
    elif match := _RIP_INTEL.search(operands):
        distance = int(match[2], 0) * (-1 if match[1] == "-" else 1) if match[2] else 0
    else:
        return None
    return (after + distance) & (1 << 64) - 1
