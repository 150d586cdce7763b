"""Where a function was inlined: for breakpoints on functions that have no code of their own.

Any thread, under the session's lock.  drgn cannot list inlined copies, so the debugging information entries are walked with
pyelftools: slow (10 microseconds an entry), therefore only when a name has no symbol, and only in units that mention it.
"""

from __future__ import annotations

from typing import Any

from tracedbg.model.errors import NotHere

from .core import Core, Image
from .library import elffile
from .lineprogram import uleb

_INLINED_SUBROUTINE, _IMPLICIT_CONST = 0x1D, 0x21
_SMALL = 1 << 20
"""Size of ``.debug_info`` up to which a search is quick enough to be made for every function: some 0.3 seconds."""


def worth_searching(core: Core) -> bool:
    """The program is small, and its compiler inlined something: without optimisation no entry can describe a copy."""
    elf = core.main.elf if core.main is not None else None
    section = elf.sections.get(".debug_info") if elf is not None else None
    if elf is None or section is None or section.size > _SMALL:
        return False
    return _has_inlined_copies(elf.data(".debug_abbrev"))


def _has_inlined_copies(data: bytes) -> bool:
    """Some abbreviation (DWARF 5, 7.5.3) is for DW_TAG_inlined_subroutine."""
    at = 0
    try:
        while at < len(data):
            code, at = uleb(data, at)
            if code == 0:
                continue
            tag, at = uleb(data, at)
            if tag == _INLINED_SUBROUTINE:
                return True
            at += 1  # has children
            attribute = form = 1
            while attribute or form:
                attribute, at = uleb(data, at)
                form, at = uleb(data, at)
                if form == _IMPLICIT_CONST:
                    _, at = uleb(data, at)
    except IndexError:
        pass  # damaged: nothing was found so far
    return False


def inlined_instances(core: Core, name: str) -> list[int]:
    """The first addresses of all inlined copies of a function, sorted; empty when there are none, or without pyelftools."""
    found: set[int] = set()
    for image in core.images:
        if image.lines.units and name.isprintable():
            try:
                found |= _in_image(image, name.encode())
            except NotHere:
                return []
            except Exception:
                continue  # pyelftools raises errors of many kinds for damaged files: no copies there
    return sorted(found)


def _in_image(image: Image, name: bytes) -> set[int]:
    with open(image.debug_path, "rb") as file:
        elf = elffile()(file)
        if not elf.has_dwarf_info():
            return set()
        dwarf = elf.get_dwarf_info()
        offsets = _string_offsets(dwarf, name)
        info = dwarf.debug_info_sec.stream.getvalue()
        found: set[int] = set()
        for unit in dwarf.iter_CUs():
            end = unit.cu_offset + unit["unit_length"] + unit.structs.initial_length_field_size()
            body = info[unit.cu_offset : end]
            if name + b"\0" in body or any(offset in body for offset in offsets):
                found |= _in_unit(dwarf, unit, name)
        return {address + image.debug_bias for address in found}


def _string_offsets(dwarf: Any, name: bytes) -> list[bytes]:
    """How ``.debug_info`` may refer to a name: by its offset in ``.debug_str``."""
    if dwarf.debug_str_sec is None:
        return []
    strings = dwarf.debug_str_sec.stream.getvalue()
    offsets = []
    at = strings.find(name + b"\0")
    while at >= 0:
        offsets.append(at.to_bytes(4, "little"))
        at = strings.find(name + b"\0", at + 1)
    return offsets


def _in_unit(dwarf: Any, unit: Any, name: bytes) -> set[int]:
    origins: set[int] = set()
    copies: list[Any] = []
    for entry in unit.iter_DIEs():
        if entry.tag == "DW_TAG_subprogram" and "DW_AT_inline" in entry.attributes:
            given = entry.attributes.get("DW_AT_name")
            if given is not None and given.value == name:
                origins.add(entry.offset)
        elif entry.tag == "DW_TAG_inlined_subroutine":
            copies.append(entry)
    found = set()
    for entry in copies:
        origin = entry.attributes.get("DW_AT_abstract_origin")
        if origin is None:
            continue
        at = origin.value + (0 if origin.form == "DW_FORM_ref_addr" else unit.cu_offset)
        if at in origins and (address := _first_address(dwarf, unit, entry)):
            found.add(address)
    return found


def _first_address(dwarf: Any, unit: Any, entry: Any) -> int:
    """DW_AT_entry_pc (an address, or an offset from the lowest one), else the lowest address; 0 when the copy has no code."""
    attributes = entry.attributes
    low = 0
    if "DW_AT_low_pc" in attributes:
        low = attributes["DW_AT_low_pc"].value
    elif "DW_AT_ranges" in attributes:
        base = unit.get_top_DIE().attributes.get("DW_AT_low_pc")
        start = base.value if base is not None else 0
        for each in dwarf.range_lists().get_range_list_at_offset(attributes["DW_AT_ranges"].value, unit):
            if hasattr(each, "base_address"):
                start = each.base_address
            else:
                begin = each.begin_offset + (0 if getattr(each, "is_absolute", False) else start)
                low = min(low, begin) if low else begin
    entry_pc = attributes.get("DW_AT_entry_pc")
    if entry_pc is not None:
        return int(entry_pc.value if entry_pc.form.startswith("DW_FORM_addr") else low + entry_pc.value)
    return int(low)
