"""Commands about source text: list, info source.

Command thread.  Handlers print nothing; text of files passes `visible` when it is read.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Annotated

import msgspec

from tracedbg.lang.params import Count
from tracedbg.lang.paramtypes import TailType
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import BadArgument, NotFound, TracedbgError
from tracedbg.model.text import Shown, visible

from .answers import Said, said
from .drawing import source_line
from .looking import selected_frame, stopped_registers

if TYPE_CHECKING:
    from tracedbg.session.session import Session

table = CommandTable("source", "Source text")

_WHERE = TailType("[LOCATION | FIRST,LAST | -]", "a line, FILE:LINE or function; two with a comma; - goes back", "symbol", "source")


# --- list ---------------------------------------------------------------------------------------------------------------------
class Listing(msgspec.Struct, frozen=True):
    """Lines of source.

    Args:
        file: as the debug information names it.
        text: number and text of each line.
        current: the line at which the selected frame stands, 0 if it is not in this file.
        note: what to know about the file.
    """

    file: str
    text: tuple[tuple[int, str], ...]
    current: int = 0
    note: str = ""

    def lines(self, width: int) -> list[Shown]:
        """Number and text; an arrow marks the current line."""
        out = [visible(self.note)] if self.note else []
        return out + [source_line(number, text, marked=number == self.current) for number, text in self.text]


@table.add("list", "l", repeat_as="list")
def list_(session: Session, where: Annotated[str, _WHERE, "nothing goes on after the last lines"] = "") -> Listing:
    """Show lines of source text, ten at a time.

    Around a line or function, or from FIRST to LAST; nothing shows the lines around the current one, then those that follow;
    "-" those before.

    In the kernel: nothing. The names of the files come from the debug information, the text from the files.

    Example: list fact
      list 10,20
      list -
    """
    places = session.program.places
    size = session.settings.listsize
    shown = places.listed if places.listed is not None and places.listed[3] is places.list_at else None
    if where == "-":
        file, first, last = _before(session, shown, size)
    elif where:
        file, first, last = _asked(session, where, size)
    elif shown is not None:
        file, first, last = shown[0], shown[2] + 1, shown[2] + size
    else:
        file, line = _here(session)
        first = max(1, line - size // 2)
        last = first + size - 1
    try:
        text = places.sources.lines(file, first, last)
    except NotFound:
        if shown is not None and not where and places.sources.count(file) < first:
            raise NotFound(
                f"Line number {first} out of range; {file} has {places.sources.count(file)} lines", "list 1 begins anew, list - goes back"
            ) from None
        raise
    if places.list_at is None or places.list_at[0] != file:
        places.list_at = (file, text[0][0])
    places.listed = (file, text[0][0], text[-1][0], places.list_at)
    note = places.sources.warning(file, session.program.path) if session.program.path else ""
    return Listing(file, tuple(text), _current_line(session, file), f"warning: {note}" if note else "")


def _here(session: Session) -> tuple[str, int]:
    """The line that was reached or chosen last, else the one around `main`.

    Raises:
        NotFound: there are no lines.
    """
    places = session.program.places
    if places.list_at is not None:
        return places.list_at
    with places.lock:
        file, line = places.symbols().default_list_place()
    if not file:
        raise NotFound("the program has no line information", "compile it with -g; disassemble works without")
    places.list_at = (file, line)
    return file, line


def _before(session: Session, shown: tuple[str, int, int, tuple[str, int]] | None, size: int) -> tuple[str, int, int]:
    file, line = _here(session)
    first = shown[1] if shown is not None else max(1, line - size // 2)
    if shown is not None:
        file = shown[0]
    if first <= 1:
        raise NotFound(f"Already at the start of {file}", "list goes forward again")
    return file, max(1, first - size), first - 1


def _asked(session: Session, where: str, size: int) -> tuple[str, int, int]:
    """File, first and last line of ``LINE``, ``FUNCTION``, ``FIRST,LAST``, ``FIRST,`` and ``,LAST``."""
    start, comma, end = (part.strip() for part in where.partition(","))
    if not comma:
        file, line = line_of(session, start)
        first = max(1, line - size // 2)
        return file, first, first + size - 1
    if start:
        file, first = line_of(session, start)
        if not end:
            return file, first, first + size - 1
        last = first + int(end[1:]) if re.fullmatch(r"\+\d+", end) else line_of(session, end, file)[1]
    else:
        file, last = line_of(session, end)
        first = max(1, last - size + 1)
    if last < first:
        raise BadArgument(f"Second line {last} comes before the first, {first}", "write FIRST,LAST")
    return file, first, last


def line_of(session: Session, spec: str, file: str = "") -> tuple[str, int]:
    """File and line of a location, which need not have code.

    Args:
        session: whose program it is.
        spec: ``LINE``, ``+N``, ``-N``, ``FILE:LINE``, ``FUNCTION`` or ``*ADDRESS``.
        file: what a bare line refers to; the current file if empty.

    Raises:
        NotFound: there is no such place.
    """
    places = session.program.places
    if re.fullmatch(r"[+-]?\d+", spec):
        here = (file, 0) if file and spec.isdigit() else _here(session)
        return here[0], max(1, int(spec) + (here[1] if spec[0] in "+-" else 0))
    name, _, number = spec.rpartition(":")
    with places.lock:
        symbols = places.symbols()
        if name and number.isdigit():
            found = [path for path in symbols.source_files() if path == name or path.endswith(f"/{name}")]
            if not found:
                raise NotFound(f"there is no source file {name}", "list FUNCTION finds the file by itself")
            return found[0], max(1, int(number))
        if spec.startswith("*") or name:
            location = symbols.locate(spec)[0]
            place = symbols.place(location.address)
        else:
            place = symbols.place(symbols.address_of(spec))
    if not place.line:
        raise NotFound(f"there is no line information for {spec}", "it was compiled without -g; disassemble works without")
    return place.file, place.line


def _current_line(session: Session, file: str) -> int:
    """The line at which the selected frame stands, if it is in `file`; 0 otherwise."""
    if not session.program.alive or session.program.busy:
        return 0
    try:
        frame = selected_frame(session, stopped_registers(session))
    except TracedbgError:
        return 0  # it is ending at this moment: the text is still worth showing
    return frame.line if frame.file == file else 0


@table.add("set listsize")
def set_listsize(session: Session, count: Annotated[Count, "how many lines"]) -> Said:
    """Choose how many lines `list` shows.

    Example: set listsize 20
    """
    session.settings.listsize = count
    return said()


@table.add("info source")
def info_source(session: Session) -> Said:
    """Show which source file is current, and where it was found.

    In the kernel: nothing.

    Example: info source
    """
    places = session.program.places
    file, _ = _here(session)
    with places.lock:
        name = places.symbols().file_name(file)
    out = [f"Current source file is {name}"]
    if name != file and file.endswith(name):
        out.append(f"Compilation directory is {file[: -len(name)].rstrip('/')}")
    try:
        out += [f"Located in {os.path.abspath(places.sources.find(file))}", f"Contains {places.sources.count(file)} lines."]
    except NotFound as error:
        out.append(str(error))
    note = places.sources.warning(file, session.program.path) if session.program.path else ""
    return Said((*out, *([f"warning: {note}"] if note else [])))
