"""Disassembly against capstone's own details, and the byte test for calls."""

from __future__ import annotations

import random

import capstone
import pytest

from tests.programs import build
from tracedbg.symbols.disassembly import call_length, disassemble
from tracedbg.symbols.elf import ElfFile


@pytest.fixture(scope="module")
def text() -> tuple[bytes, int]:
    """The machine code of a static program: a whole C library."""
    elf = ElfFile(str(build("fact", "-g", "-static")))
    return elf.data(".text"), elf.sections[".text"].address


@pytest.mark.slow
def test_call_length_agrees_with_capstone(text: tuple[bytes, int]) -> None:
    code, address = text
    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    calls = others = 0
    for start, size, mnemonic, _ in decoder.disasm_lite(code[:200_000], address):
        raw = code[start - address : start - address + 15]
        is_call = mnemonic.split()[-1] == "call"
        assert call_length(raw) == (size if is_call else 0), raw.hex()
        calls += is_call
        others += not is_call
    assert calls > 500
    assert others > 5_000


@pytest.mark.parametrize(
    ("code", "length"),
    [
        ("e800000000", 5),
        ("ffd0", 2),
        ("41ffd4", 3),
        ("ff1500000000", 6),
        ("ff542408", 4),
        ("ff9424d0000000", 7),
        ("ff14c500000000", 7),
        ("3effd0", 3),
        ("f2ff1500000000", 7),
        ("67e800000000", 6),
        ("0f05", 0),
        ("ffe0", 0),
        ("c3", 0),
        ("e8", 0),
        ("ff", 0),
        ("", 0),
        ("4867e800000000", 0),
        ("ff14", 0),
        ("cc", 0),
        ("cd80", 0),
    ],
)
def test_call_length_of_one(code: str, length: int) -> None:
    assert call_length(bytes.fromhex(code)) == length


def test_any_bytes_are_disassembled(text: tuple[bytes, int]) -> None:
    seed = random.randrange(1 << 32)
    source = random.Random(seed)
    for _ in range(50):
        code = source.randbytes(200)
        found = disassemble(code, 0x1000)
        at = 0x1000
        for each in found:
            assert each.address == at, seed
            assert each.bytes_ == code[at - 0x1000 : at - 0x1000 + each.size], seed
            assert each.text.isprintable(), seed
            at += each.size
        assert at - 0x1000 > 200 - 15, seed


def test_names_and_targets() -> None:
    code = bytes.fromhex("e8fb0f0000 75fe 8b0500100000 ffd0 c3 06" + "90" * 20)
    names = {0x2000: "fact", 0x200D: "counter"}
    found = disassemble(code, 0x1000, count=6, name=lambda address: names.get(address, ""))
    assert [each.text for each in found] == [
        "call 0x2000 <fact>",
        "jne 0x1005",
        "movl 0x1000(%rip), %eax        # 0x200d <counter>",
        "call *%rax",
        "ret",
        "(bad)",
    ]
    assert [each.is_call for each in found] == [True, False, False, True, False, False]
    assert [each.is_return for each in found] == [False, False, False, False, True, False]
    assert [each.target for each in found] == [0x2000, 0x1005, None, None, None, None]
    intel = disassemble(code, 0x1000, flavor="intel", count=3, name=lambda address: names.get(address, ""))
    assert [each.text for each in intel] == [
        "call 0x2000 <fact>",
        "jne 0x1005",
        "mov eax, dword ptr [rip + 0x1000]        # 0x200d <counter>",
    ]
    assert disassemble(code, 0x1000, count=0) == []
    # An instruction that is cut short at the end is left out when something stands before it.
    assert [each.text for each in disassemble(b"\x90\x48\x8b", 0)] == ["nop"]
