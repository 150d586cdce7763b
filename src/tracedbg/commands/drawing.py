"""How places, source lines, values and memory look as lines of text, in gdb's notation.

Pure, any thread.  It draws what it is given and looks nothing up; everything that comes from a program has passed `visible`.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Sequence

from tracedbg.model.text import Shown, visible
from tracedbg.symbols.values import Frame, Variable

INDENT = "        "
"""gdb indents the locals of `backtrace full` by eight columns."""


def location(frame: Frame) -> Shown:
    """Where a frame is, without its number: ``fact (n=3) at fact.c:8``, ``puts () from /lib/libc.so.6``."""
    if frame.kind == "signal":
        return Shown(frame.function)
    args = ", ".join(f"{each.name}={each.text}" for each in frame.args)
    text = f"{frame.function or '??'} ({args})"
    if frame.file:
        text += f" at {frame.file_name or frame.file}:{frame.line}"
    elif is_library(frame.module):
        text += f" from {frame.module}"
    return visible(text)


def is_library(module: str) -> bool:
    """Whether a module is a shared library by its name: of the program itself the user knows where it is."""
    name = os.path.basename(module)
    return name.endswith(".so") or ".so." in name


def frame_line(frame: Frame, *, number: bool = True, address: bool = True) -> Shown:
    """One frame: ``#1  0x0000555555555171 in fact (n=3) at fact.c:8``.

    Args:
        frame: what to draw.
        number: begin with its level.
        address: show its pc, as gdb does unless it is the first address of a line.
    """
    text = f"#{frame.level:<3}" if number else ""
    if frame.kind != "signal" and (address or not frame.file):
        text += f"0x{frame.pc:016x} in "
    text += location(frame)
    if frame.kind == "guessed":
        text += "  (guessed: no call frame information)"
    return visible(text)


def shows_address(frames: Sequence[Frame], index: int, *, mid_line: bool) -> bool:
    """Whether gdb would show the pc of a frame (``frame_show_address`` in its stack.c).

    Args:
        frames: the frames from the innermost on, at least up to `index`.
        index: which one.
        mid_line: the innermost pc is not the first address of its line.
    """
    if index and frames[index - 1].inlined:
        return False  # it "calls" code of its own: there is no return address
    return bool(index) or mid_line


def source_line(number: int, text: str, *, marked: bool | None = None) -> Shown:
    """A line of source behind its number, the text in column 8 as after gdb's tab.

    Args:
        number: 1-based.
        text: the line.
        marked: whether an arrow points to it; None where no line of the listing is marked.
    """
    head = f"{number}" if not marked else f"{number:<5}=>"
    return visible(f"{head:<8}{text}".rstrip())


def variable_line(variable: Variable, indent: str = "") -> Shown:
    """``name = value``."""
    return visible(f"{indent}{variable.name} = {variable.text}")


def columns(rows: Iterable[Sequence[str]], gap: str = "  ") -> list[Shown]:
    """Rows of cells, each column as wide as its widest cell; the last one as it is."""
    table = [list(row) for row in rows]
    if not table:
        return []
    widths = [max(len(row[at]) for row in table if at < len(row)) for at in range(max(map(len, table)))]
    return [visible(gap.join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()) for row in table]


def tabbed(text: str) -> Shown:
    """A line with tabs as gdb prints it, which a terminal would expand to every eighth column."""
    return visible(text.expandtabs().rstrip())


def plural(count: int, word: str) -> str:
    """``1 line``, ``2 lines``."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def wrapped(text: str, width: int, first: str = "", others: str = "  ") -> list[Shown]:
    """A sentence in lines of at most `width` columns (60 at least), with these indents."""
    lines = textwrap.wrap(visible(text), max(width, 60), initial_indent=first, subsequent_indent=others, break_on_hyphens=False)
    return [Shown(line) for line in lines]
