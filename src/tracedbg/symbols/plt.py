"""Names for the stubs of the procedure linkage table: ``printf@plt``.

Any thread; reads one ELF file, once.  No symbol table names these stubs, yet ``call printf`` goes through one, and before the
program has started they are the only place where ``break printf`` can stand.
"""

from __future__ import annotations

import struct

from .elf import SHT_DYNSYM, ElfFile

_SHT_RELA = 4
_PREFIXES = (b"\xf3\x0f\x1e\xfa\xf2\xff\x25", b"\xf3\x0f\x1e\xfa\xff\x25", b"\xf2\xff\x25", b"\xff\x25")
"""``jmp *displacement(%rip)``, with and without ``endbr64`` and ``bnd``: how every stub leaves for its function."""


def plt_symbols(elf: ElfFile) -> dict[int, tuple[str, int]]:
    """The stubs of a file.

    Returns:
        For the address of each stub (as in the file): ``name@plt`` and the size of the stub.
    """
    try:
        slots = _slots(elf)
    except (struct.error, IndexError, ValueError):
        return {}
    found: dict[int, tuple[str, int]] = {}
    for name in (".plt.sec", ".plt.got", ".plt"):
        section = elf.sections.get(name)
        if section is None:
            continue
        code = elf.data(name)
        size = 8 if name == ".plt.got" and len(code) % 16 else 16
        for at in range(0, len(code) - 5, size):
            stub = code[at : at + size]
            prefix = next((prefix for prefix in _PREFIXES if stub.startswith(prefix)), None)
            if prefix is None or len(stub) < len(prefix) + 4:
                continue
            after = section.address + at + len(prefix) + 4
            slot = after + int.from_bytes(stub[len(prefix) : len(prefix) + 4], "little", signed=True)
            if slot in slots:
                found[section.address + at] = (f"{slots[slot]}@plt", size)
    return found


def _slots(elf: ElfFile) -> dict[int, str]:
    """Slots of the global offset table and the names of the symbols that the loader puts there."""
    dynsym = next((section for section in elf.sections.values() if section.type == SHT_DYNSYM), None)
    if dynsym is None:
        return {}
    symbols, strings = elf.data(dynsym.name), elf.data(".dynstr")
    slots: dict[int, str] = {}
    for section in elf.sections.values():
        if section.type != _SHT_RELA:
            continue
        data = elf.data(section.name)
        for slot, info, _ in struct.iter_unpack("<QQq", data[: len(data) // 24 * 24]):
            if number := info >> 32:
                (name,) = struct.unpack_from("<I", symbols, 24 * number)
                slots[slot] = strings[name : strings.index(0, name)].decode("utf-8", "backslashreplace")
    return slots
