"""Places for breakpoints as gdb spells them: ``FUNCTION``, ``FILE:LINE``, ``LINE``, ``+N``, ``*ADDRESS``, ``FILE:FUNCTION``.

Any thread, under the session's lock.  It only looks things up; a word that means nothing is answered with what exists instead.
"""

from __future__ import annotations

import difflib
import os
import re

from tracedbg.model.errors import BadArgument, NotFound
from tracedbg.model.text import visible

from .core import Core
from .inlined import inlined_instances, worth_searching
from .values import Location

_ADDRESS = re.compile(
    r"(?:(?P<number>0[xX][0-9a-fA-F]+|\d+)|(?P<name>[^+\s]+?))"
    r"\s*(?:(?P<sign>[+-])\s*(?P<offset>0[xX][0-9a-fA-F]+|\d+))?"
)
_ENDBR64 = b"\xf3\x0f\x1e\xfa"
_PUSH_RBP = b"\x55"
_MOVES_RSP_TO_RBP = (b"\x48\x89\xe5", b"\x48\x8b\xec")


def _close(word: str, names: list[str]) -> str:
    """What to try instead, as a clause; empty when nothing is similar."""
    near = difflib.get_close_matches(word, names, 3, 0.6)
    return f"did you mean {' or '.join(near)}?" if near else ""


def address_of(core: Core, text: str) -> int:
    """The address that ``main``, ``main+4`` or ``0x401126`` means.

    Raises:
        NotFound: no such symbol.
        BadArgument: the text is none of these.
    """
    match = _ADDRESS.fullmatch(text.strip().removeprefix("&"))
    if match is None:
        raise BadArgument(f"{text!r} is no address", "write 0x..., or SYMBOL, or SYMBOL+NUMBER")
    if match["number"]:
        start = int(match["number"], 0 if match["number"][:2] in ("0x", "0X") else 10)
    else:
        name = match["name"]
        symbols = core.symbols_named(name)
        starts = [symbol.address for symbol in symbols] or core.functions_named(name)
        if not starts:
            raise _no_symbol(core, name)
        start = starts[0]
    offset = int(match["offset"], 0 if match["offset"][:2] in ("0x", "0X") else 10) if match["offset"] else 0
    address = start - offset if match["sign"] == "-" else start + offset
    if not 0 <= address < 1 << 64:
        raise BadArgument(f"{text} is beyond the last address", "addresses have 64 bits")
    return address


def _no_symbol(core: Core, name: str) -> NotFound:
    names = core.function_names()
    if not names:
        return NotFound(
            f"there is no symbol {name}, and the program has no symbol table (it is stripped)",
            "use an address as in `break *0x401000`, or compile without -s",
        )
    todo = _close(name, names) or "if it is in a library, start the program first; `info functions` lists what exists"
    return NotFound(f"there is no function {name} here", todo)


def _location(core: Core, address: int) -> Location:
    place = core.place(address)
    return Location(address, place.function, place.file, place.line)


def _behind_frame_setup(core: Core, entry: int) -> int:
    """For a function without lines: behind ``push %rbp; mov %rsp,%rbp``, where gdb puts such breakpoints too."""
    code = core.read_code(entry, 16)
    skipped = len(_ENDBR64) if code.startswith(_ENDBR64) else 0
    if code[skipped : skipped + 1] != _PUSH_RBP:
        return entry
    if code[skipped + 1 : skipped + 4] in _MOVES_RSP_TO_RBP:
        return entry + skipped + 4
    return entry + skipped + 1


def entry_for_break(core: Core, start: int) -> int:
    """Where a breakpoint on the function that begins at `start` goes."""
    symbol = core.symbol_at(start)
    if symbol is not None and symbol[0].endswith("@plt"):
        return start
    after = core.after_prologue(start)
    return after if after is not None else _behind_frame_setup(core, start)


def _functions(core: Core, name: str, file: str = "") -> list[Location]:
    """All places for a function: its code, and where it was inlined (in large programs only if it has no code of its own)."""
    starts = core.functions_named(name)
    if file:
        starts = [start for start in starts if _in_file(core, start, file)]
    entries = [entry_for_break(core, start) for start in starts]
    if starts and (name == "main" or not worth_searching(core)):
        return [_location(core, entry) for entry in entries]
    addresses = inlined_instances(core, name)
    addresses = [*entries, *(address for address in addresses if address not in entries)]
    if file:
        addresses = [address for address in addresses if _in_file(core, address, file)]
    return [_location(core, address) for address in addresses]


def _in_file(core: Core, address: int, file: str) -> bool:
    return any(path == file or path.endswith("/" + file) for _, path, _ in core.scopes(address)[:1])


def _lines(core: Core, file: str, line: int) -> list[Location]:
    """Places for a line: one for each function, or inlined copy of one, that has code for it."""
    if line < 1:
        raise BadArgument(f"line {line} is before the first line of {file}", "lines count from 1")
    tables = [image for image in core.images if image.lines.units]
    if not tables:
        raise NotFound("the program has no line information", "compile it with `cc -g`, or use a function's name or *ADDRESS")
    best = 0
    hits: list[int] = []
    known = False
    for image in tables:
        known = known or bool(image.lines.matching_files(file))
        found, addresses = image.lines.find(file, line)
        if not found or (best and found > best):
            continue
        if found != best:
            best, hits = found, []
        hits += [address + image.debug_bias for address, _ in addresses]
    if not known:
        files = core.source_files()
        near = _close(os.path.basename(file), sorted({os.path.basename(path) for path in files}))
        raise NotFound(f"no source file {file} has line information", near or "`info sources` lists the files that have")
    if not hits:
        last = max(image.lines.last_line(file) for image in tables)
        raise NotFound(f"no code belongs to line {line} of {file} or to a later one", f"its last line with code is {last}")
    return _one_for_each_function(core, sorted(hits))


def _one_for_each_function(core: Core, addresses: list[int]) -> list[Location]:
    seen: set[object] = set()
    found = []
    for address in addresses:
        key = core.activation_key(address)
        if key in seen:
            continue
        seen.add(key)
        symbol = core.symbol_at(address)
        start = symbol[1] if symbol else None
        found.append(_location(core, entry_for_break(core, address) if address == start else address))
    return found


def locate(core: Core, spec: str, default_file: str, default_line: int, pc: int | None) -> list[Location]:
    """Places for a breakpoint; arguments and errors as for `engine.Symbols.locate`."""
    spec = spec.strip()
    if not spec:
        if pc is None:
            raise BadArgument("a place is missing", "name a function, FILE:LINE, LINE or *ADDRESS")
        return [_location(core, pc)]
    if spec.startswith("*"):
        return [_location(core, address_of(core, spec[1:]))]
    if re.fullmatch(r"[+-]?\s*\d+", spec):
        return _line_of_default(core, spec, default_file, default_line)
    file, colon, rest = spec.rpartition(":")
    if colon and not file.endswith(":"):  # C++ names contain two colons
        file, rest = file.strip().strip("\"'"), rest.strip()
        if rest.isascii() and rest.isdigit():
            return _lines(core, file, int(rest))
        found = _functions(core, rest, file)
        if not found:
            raise NotFound(f"there is no function {rest} in {file}", _close(rest, core.function_names()))
        return found
    found = _functions(core, spec)
    if not found:
        raise _no_symbol(core, visible(spec))
    return found


def _line_of_default(core: Core, spec: str, default_file: str, default_line: int) -> list[Location]:
    if not default_file:
        raise NotFound("there is no current source file that the line could be in", "write FILE:LINE")
    number = int(spec.replace(" ", ""))
    if spec[0] in "+-":
        if not default_line:
            raise NotFound("there is no current line to count from", "write FILE:LINE")
        number += default_line
    return _lines(core, default_file, number)
