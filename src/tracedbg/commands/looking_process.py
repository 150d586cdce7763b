"""Commands about the process: info proc, info program, info inferiors, info sharedlibrary, info files.

Command thread; `info proc` and `info inferiors` also answer while a command runs.  They read /proc and the tracer's last view.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from tracedbg.kernel import procfs
from tracedbg.kernel.regs import Registers
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import NotNow
from tracedbg.model.text import Shown, visible
from tracedbg.model.views import InferiorView, TraceeState
from tracedbg.tracer import ops

from .answers import Said
from .drawing import columns, plural

if TYPE_CHECKING:
    from tracedbg.session.session import Session

table = CommandTable("process", "The process")


class Mappings(msgspec.Struct, frozen=True):
    """The memory map of a process."""

    pid: int
    mappings: tuple[procfs.Mapping, ...]

    def lines(self, width: int) -> list[Shown]:
        """A table as gdb's `info proc mappings`."""
        rows: list[tuple[str, ...]] = [
            ("Start Addr".rjust(18), "End Addr".rjust(18), "Size".rjust(10), "Offset".rjust(10), "Perms", "objfile")
        ]
        for each in self.mappings:
            size = each.end - each.start
            rows.append((f"{each.start:#18x}", f"{each.end:#18x}", f"{size:#10x}", f"{each.offset:#10x}", each.perms, each.path))
        return [visible(f"process {self.pid}"), *columns(rows)]


@table.add("info proc mappings")
def info_mappings(session: Session) -> Mappings:
    """Show what is mapped into the program's address space.

    In the kernel: /proc/PID/maps.

    Example: info proc mappings
    """
    pid = session.program.need_process()
    found = tuple(procfs.maps(pid))
    if not found:
        raise NotNow(f"process {pid} has no memory that may be seen", "it is ending, or belongs to somebody else")
    return Mappings(pid, found)


@table.add("info proc", while_busy="now")
def info_proc(session: Session) -> Said:
    """Show the program's process: command line, directory, file, state.

    In the kernel: /proc/PID/cmdline, cwd, exe and status.

    Example: info proc
    """
    view = session.program.view
    if view is None:
        raise NotNow("the program is not being run", "start it with run, or attach to a process")
    pid = view.pid
    words = b" ".join(procfs.cmdline(pid))
    try:
        cwd = os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        cwd = "(not to be seen)"
    fields = procfs.status_fields(pid)
    return Said(
        (
            f"process {pid}",
            f"cmdline = '{visible(words)}'",
            f"cwd = '{cwd}'",
            f"exe = '{procfs.exe(pid) or '(not to be seen)'}'",
            f"state = {fields.get('State', 'gone')}",
            f"parent = {fields.get('PPid', '?')}",
            f"threads = {fields.get('Threads', '?')}",
            f"TracerPid = {fields.get('TracerPid', '?')}",
        )
    )


@table.add("info program")
def info_program(session: Session) -> Said:
    """Show what the program is doing, and why it stopped.

    In the kernel: nothing.

    Example: info program
    """
    session.program.need_process()
    view = session.program.view
    assert view is not None, "need_process has just seen it"
    how = "launched by tracedbg: it dies with it" if view.launched else "attached: it lives on when tracedbg ends"
    out = [f"Process {view.pid}, {how}.", f"It has {plural(len(view.tracees), 'thread')}."]
    tracee = view.tracee(session.program.tid)
    if tracee is not None and tracee.state is TraceeState.STOPPED:
        regs: Registers = session.tracer.call(ops.registers, tracee.tid)
        why = f": {tracee.stop.text()}" if tracee.stop is not None else ""
        out.append(f"Program stopped at {regs.pc:#x}{why}.")
    else:
        out.append("It is running.")
    return Said(tuple(out))


@table.add("info inferiors", while_busy="now")
def info_inferiors(session: Session) -> Said:
    """List the processes that are traced.

    In the kernel: nothing; this is what the tracer thread has written down.

    Example: info inferiors
    """
    rows: list[tuple[str, ...]] = [("  Num", "Description", "State", "Executable")]
    views = [each for each in session.tracer.view.inferiors if each.ended is None]
    for number, each in enumerate(views, 1):
        mark = "*" if each.pid == session.program.pid else " "
        rows.append((f"{mark} {number}", f"process {each.pid}", _state_of(each), procfs.exe(each.pid) or ""))
    if not views:
        rows.append(("* 1", "<null>", "", session.program.path))
    return Said(tuple(columns(rows)))


def _state_of(view: InferiorView) -> str:
    return f"{'stopped' if view.stopped else 'running'}, {plural(len(view.tracees), 'thread')}"


class Libraries(msgspec.Struct, frozen=True):
    """Shared libraries: first address, first address after, and path of the code of each."""

    rows: tuple[tuple[int, int, str], ...]

    def lines(self, width: int) -> list[Shown]:
        """A table like gdb's."""
        if not self.rows:
            return [Shown("No shared libraries loaded at this time.")]
        cells = [(f"0x{low:016x}", f"0x{high:016x}", path) for low, high, path in self.rows]
        return columns([("From", "To", "Shared Object Library"), *cells])


@table.add("info sharedlibrary", "info dll")
def info_sharedlibrary(session: Session) -> Libraries:
    """List the shared libraries of the program, with the addresses of their code.

    In the kernel: /proc/PID/maps. The kernel maps the program and its loader; the loader maps the others.

    Example: info sharedlibrary
    """
    pid = session.program.need_process()
    own = procfs.exe(pid)
    found: dict[str, tuple[int, int]] = {}
    for each in procfs.maps(pid):
        if "x" in each.perms and each.path.startswith("/") and each.path != own:
            low, high = found.get(each.path, (each.start, each.end))
            found[each.path] = (min(low, each.start), max(high, each.end))
    return Libraries(tuple((low, high, path) for path, (low, high) in found.items()))


@table.add("info files", "info target")
def info_files(session: Session) -> Said:
    """Show which program is debugged, where it begins, and what is known of it.

    In the kernel: nothing.

    Example: info files
    """
    program = session.program
    if not program.path:
        raise NotNow("no program is chosen", "name one: file PROGRAM")
    out = [f'Symbols from "{program.path}".']
    with program.places.lock:
        symbols = program.places.symbols()
        out.append(f"Entry point: {symbols.entry_point():#x}" + ("" if program.alive else " (as in the file)"))
        if not symbols.has_lines():
            out.append("(no debugging symbols: compile with -g to see lines and variables)")
    if program.alive:
        out.append(f"Process {program.pid} runs it.")
    return Said(tuple(out))
