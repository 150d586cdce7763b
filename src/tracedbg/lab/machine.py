"""The program that every puppet runs: a few dozen machine instructions that obey one call at a time.

Pure, any thread; built when first asked for.  A puppet is no interpreter on purpose: a child made by a raw clone would inherit its
locks as they are at that instant and could hang for ever.  These instructions take no lock, use no stack of their own and call no
library, so they may go on in any child, also one that shares our memory (vfork).  `tests/lab` disassembles each line below.
"""

from __future__ import annotations

import functools
import struct

CHANNEL = 3
"""Descriptor on which a puppet that was just started finds its channel; the lifeline is the one after it."""

# Each task of a puppet owns a slot in the program's zeroed memory: what it receives and sends below, its stack above.
SLOTS, SLOT_SIZE, FIRST_SLOT = 256, 0x4000, 0x600000
CODE = 0x400000
CONTROL, PACKET, DATA, END = 0x80, 0x100, 0x160, 0xF80
"""Offsets in a slot: ancillary data, the packet, the room for what a call points at, and where that ends."""
DATA_SIZE = END - DATA
REPLY_SIZE = END - CONTROL
SIGINFO_SIZE = 128
"""A packet of this size is no reply but the siginfo of a signal whose handler has just run."""

# A packet, both ways: id, call number, six arguments, the new task's slot, the result, signals handled, the task's own channel.
HEADER = struct.Struct("<q q 6Q Q q i 4x i 4x")
FUNCTION = -1
"""As the call number: not a system call; the first argument is the address of a function to call."""

# r12 is the task's channel and r13 its slot; a system call changes rax, rcx and r11 only.
_LISTING: tuple[tuple[str, str, str], ...] = (
    ("start", "41 bc 03 00 00 00", "mov r12d, 3"),
    ("", "41 bd 00 00 60 00", "mov r13d, 0x600000"),
    # A task begins here, the first one and each that a call makes: a msghdr with one iovec for what it will receive.
    ("task", "49 8d 45 40", "lea rax, [r13 + 0x40]"),
    ("", "49 89 45 10", "mov qword ptr [r13 + 0x10], rax"),
    ("", "49 c7 45 18 01 00 00 00", "mov qword ptr [r13 + 0x18], 1"),
    ("", "49 8d 85 80 00 00 00", "lea rax, [r13 + 0x80]"),
    ("", "49 89 45 20", "mov qword ptr [r13 + 0x20], rax"),
    ("", "49 8d 85 00 01 00 00", "lea rax, [r13 + 0x100]"),
    ("", "49 89 45 40", "mov qword ptr [r13 + 0x40], rax"),
    ("", "49 c7 45 48 80 0e 00 00", "mov qword ptr [r13 + 0x48], 0xe80"),
    # Its first word: which descriptor it listens on, and gettid().
    ("", "45 89 a5 58 01 00 00", "mov dword ptr [r13 + 0x158], r12d"),
    ("", "b8 ba 00 00 00", "mov eax, 0xba"),
    ("", "0f 05", "syscall"),
    ("result", "49 89 85 48 01 00 00", "mov qword ptr [r13 + 0x148], rax"),
    # sendto(channel, slot + 0x80, 0xf00, MSG_NOSIGNAL, 0, 0), again if a signal came first.
    ("reply", "44 89 e7", "mov edi, r12d"),
    ("", "49 8d b5 80 00 00 00", "lea rsi, [r13 + 0x80]"),
    ("", "ba 00 0f 00 00", "mov edx, 0xf00"),
    ("", "41 ba 00 40 00 00", "mov r10d, 0x4000"),
    ("", "45 31 c0", "xor r8d, r8d"),
    ("", "45 31 c9", "xor r9d, r9d"),
    ("", "b8 2c 00 00 00", "mov eax, 0x2c"),
    ("", "0f 05", "syscall"),
    ("", "48 83 f8 fc", "cmp rax, -4"),
    ("", "74 d8", "je reply"),
    # recvmsg(channel, slot, 0): asleep here, a puppet is idle.  The other end closed is the order to end.
    ("wait", "49 c7 45 28 40 00 00 00", "mov qword ptr [r13 + 0x28], 0x40"),
    ("", "44 89 e7", "mov edi, r12d"),
    ("", "4c 89 ee", "mov rsi, r13"),
    ("", "31 d2", "xor edx, edx"),
    ("", "b8 2f 00 00 00", "mov eax, 0x2f"),
    ("", "0f 05", "syscall"),
    ("", "48 83 f8 fc", "cmp rax, -4"),
    ("", "74 e3", "je wait"),
    ("", "48 85 c0", "test rax, rax"),
    ("", "7e 6a", "jle gone"),
    # Slot and channel of a task that the call may make: in registers, where the new task finds them whoever writes memory.
    ("", "4d 8b b5 40 01 00 00", "mov r14, qword ptr [r13 + 0x140]"),
    ("", "45 8b bd 90 00 00 00", "mov r15d, dword ptr [r13 + 0x90]"),
    ("", "49 8b bd 10 01 00 00", "mov rdi, qword ptr [r13 + 0x110]"),
    ("", "49 8b b5 18 01 00 00", "mov rsi, qword ptr [r13 + 0x118]"),
    ("", "49 8b 95 20 01 00 00", "mov rdx, qword ptr [r13 + 0x120]"),
    ("", "4d 8b 95 28 01 00 00", "mov r10, qword ptr [r13 + 0x128]"),
    ("", "4d 8b 85 30 01 00 00", "mov r8, qword ptr [r13 + 0x130]"),
    ("", "4d 8b 8d 38 01 00 00", "mov r9, qword ptr [r13 + 0x138]"),
    ("", "49 8b 85 08 01 00 00", "mov rax, qword ptr [r13 + 0x108]"),
    ("", "48 85 c0", "test rax, rax"),
    ("", "78 1f", "js function"),
    ("", "0f 05", "syscall"),
    ("", "48 85 c0", "test rax, rax"),
    ("", "0f 85 60 ff ff ff", "jne result"),
    ("", "4d 85 f6", "test r14, r14"),
    ("", "0f 84 57 ff ff ff", "je result"),
    # fork, vfork or clone has returned 0: this is the new task.
    ("", "45 89 fc", "mov r12d, r15d"),
    ("", "4d 89 f5", "mov r13, r14"),
    ("", "e9 10 ff ff ff", "jmp task"),
    ("function", "ff d7", "call rdi"),
    ("", "e9 45 ff ff ff", "jmp result"),
    # The call exit_group with status 0.
    ("gone", "31 ff", "xor edi, edi"),
    ("", "b8 e7 00 00 00", "mov eax, 0xe7"),
    ("", "0f 05", "syscall"),
    # A signal handler (SA_SIGINFO): sendto(channel, siginfo, 128, MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0).  The kernel leaves r12 and
    # r13 as they are in the interrupted task, so the message comes on the channel of the very thread that ran the handler.
    ("handler", "41 83 85 50 01 00 00 01", "add dword ptr [r13 + 0x150], 1"),
    ("", "44 89 e7", "mov edi, r12d"),
    ("", "ba 80 00 00 00", "mov edx, 0x80"),
    ("", "41 ba 40 40 00 00", "mov r10d, 0x4040"),
    ("", "45 31 c0", "xor r8d, r8d"),
    ("", "45 31 c9", "xor r9d, r9d"),
    ("", "b8 2c 00 00 00", "mov eax, 0x2c"),
    ("", "0f 05", "syscall"),
    ("", "c3", "ret"),
    # rt_sigreturn(): where a handler returns to.
    ("restorer", "b8 0f 00 00 00", "mov eax, 0xf"),
    ("", "0f 05", "syscall"),
    # A function: compute until a handler has run, then answer as a system call would, with -EINTR.
    ("spin", "41 8b 9d 50 01 00 00", "mov ebx, dword ptr [r13 + 0x150]"),
    ("again", "f3 90", "pause"),
    ("", "41 3b 9d 50 01 00 00", "cmp ebx, dword ptr [r13 + 0x150]"),
    ("", "74 f5", "je again"),
    ("", "48 c7 c0 fc ff ff ff", "mov rax, -4"),
    ("", "c3", "ret"),
    # A function: a breakpoint of its own.
    ("trap", "cc", "int3"),
    ("", "31 c0", "xor eax, eax"),
    ("", "c3", "ret"),
    # A function: read a descriptor to its end of file, then wait4(pid, 0, WNOHANG, 0); the answer is that of the last call.  Orders
    # that come one by one are a thousand times too slow for what lies between the two.
    ("eofwait", "89 f3", "mov ebx, esi"),
    ("", "89 d5", "mov ebp, edx"),
    ("drain", "89 df", "mov edi, ebx"),
    ("", "49 8d b5 60 01 00 00", "lea rsi, [r13 + 0x160]"),
    ("", "ba 20 0e 00 00", "mov edx, 0xe20"),
    ("", "31 c0", "xor eax, eax"),
    ("", "0f 05", "syscall"),
    ("", "48 85 c0", "test rax, rax"),
    ("", "7f e9", "jg drain"),
    ("", "7c 13", "jl failed"),
    ("", "89 ef", "mov edi, ebp"),
    ("", "31 f6", "xor esi, esi"),
    ("", "ba 01 00 00 00", "mov edx, 1"),
    ("", "45 31 d2", "xor r10d, r10d"),
    ("", "b8 3d 00 00 00", "mov eax, 0x3d"),
    ("", "0f 05", "syscall"),
    ("failed", "c3", "ret"),
)


def listing() -> list[tuple[int, str, bytes, str]]:
    """The program line by line: address, label (mostly empty), bytes, and what they mean."""
    out, address = [], CODE + _HEADERS
    for label, code, text in _LISTING:
        data = bytes.fromhex(code)
        out.append((address, label, data, text))
        address += len(data)
    return out


@functools.cache
def address(label: str) -> int:
    """Where a labelled line is in a puppet's memory."""
    return next(at for at, name, _, _ in listing() if name == label)


def slot(number: int) -> int:
    """The address of a task's slot."""
    return FIRST_SLOT + number * SLOT_SIZE


_EHDR = struct.Struct("<16s HHI QQQ I HHHHHH")
_PHDR = struct.Struct("<II QQQ QQQ")
_HEADERS = _EHDR.size + 3 * _PHDR.size


@functools.cache
def image() -> bytes:
    """The whole program as an ELF file: two segments, code that cannot be written and memory that cannot be run (elf(5))."""
    code = b"".join(data for _, _, data, _ in listing())
    size = _HEADERS + len(code)
    ident = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)  # 64 bits, little endian, version 1
    executable, x86_64 = 2, 62
    load, stack, read, write, run = 1, 0x6474E551, 4, 2, 1
    header = _EHDR.pack(ident, executable, x86_64, 1, address("start"), _EHDR.size, 0, 0, _EHDR.size, _PHDR.size, 3, 0, 0, 0)
    segments = (
        _PHDR.pack(load, read | run, 0, CODE, CODE, size, size, 0x1000),
        _PHDR.pack(load, read | write, 0, FIRST_SLOT, FIRST_SLOT, 0, SLOTS * SLOT_SIZE, 0x1000),
        _PHDR.pack(stack, read | write, 0, 0, 0, 0, 0, 16),
    )
    return header + b"".join(segments) + code
