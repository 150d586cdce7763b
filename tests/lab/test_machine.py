"""The puppets' program: each line of the listing means what it says, and the whole is a program that Linux runs."""

from __future__ import annotations

import struct

import pytest

from tracedbg.lab import machine

capstone = pytest.importorskip("capstone")


def test_each_line_disassembles_to_its_text():
    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    labels = {label: address for address, label, _, _ in machine.listing() if label}
    for address, label, code, text in machine.listing():
        found = list(decoder.disasm(code, address))
        assert len(found) == 1, (label, text)
        *words, last = text.split()
        target = labels.get(last)
        # A jump is written with the label that it leads to.
        expected = " ".join([*words, hex(target)]) if target is not None and words else text
        shown = f"{found[0].mnemonic} {found[0].op_str}".strip().replace("0xfffffffffffffffc", "-4")
        assert shown == expected, (hex(address), label)


def test_the_offsets_in_the_code_are_those_of_the_layout():
    text = [line for _, _, _, line in machine.listing()]
    header = machine.HEADER
    fields = {"number": 8, "first argument": 16, "slot": 64, "result": 72, "handled": 80, "own channel": 88}
    assert header.size == machine.DATA - machine.PACKET == fields["own channel"] + 8
    assert f"mov rax, qword ptr [r13 + {machine.PACKET + fields['number']:#x}]" in text
    assert f"mov rdi, qword ptr [r13 + {machine.PACKET + fields['first argument']:#x}]" in text
    assert f"mov r14, qword ptr [r13 + {machine.PACKET + fields['slot']:#x}]" in text
    assert f"mov qword ptr [r13 + {machine.PACKET + fields['result']:#x}], rax" in text
    assert f"add dword ptr [r13 + {machine.PACKET + fields['handled']:#x}], 1" in text
    assert f"mov dword ptr [r13 + {machine.PACKET + fields['own channel']:#x}], r12d" in text
    assert f"lea rsi, [r13 + {machine.CONTROL:#x}]" in text
    assert f"mov edx, {machine.REPLY_SIZE:#x}" in text
    assert f"mov r13d, {machine.FIRST_SLOT:#x}" in text
    assert f"mov r12d, {machine.CHANNEL}" in text
    assert machine.REPLY_SIZE != machine.SIGINFO_SIZE


def test_the_image_is_a_small_program_without_an_interpreter():
    image = machine.image()
    assert image[:4] == b"\x7fELF"
    assert len(image) < 1024
    (entry,) = struct.unpack_from("<Q", image, 24)
    assert image[entry - machine.CODE :].startswith(bytes.fromhex("41 bc 03 00 00 00"))
    kinds = [struct.unpack_from("<I", image, 64 + 56 * index)[0] for index in range(struct.unpack_from("<H", image, 56)[0])]
    assert 3 not in kinds, "PT_INTERP would bring the C library's loader into every puppet"
