"""Commands about where and for what the program stops.

Handlers run on the command thread and print nothing.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from tracedbg.lang.params import HERE, BreakpointIds, Count, LocationSpec, Number, Words
from tracedbg.lang.paramtypes import ChoiceType
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import BadArgument, NotHere
from tracedbg.model.names import SIGNALS
from tracedbg.model.text import Shown, visible
from tracedbg.model.views import BreakpointView
from tracedbg.session.session import Session
from tracedbg.tracer import ops
from tracedbg.tracer.signals import SignalRow

from .answers import Said, said

table = CommandTable("stopping", "Breakpoints and signals")
table.group("info", "i", "inf", about="facts about the program and about tracedbg")


class BreakpointMade(msgspec.Struct, frozen=True):
    """A new breakpoint."""

    view: BreakpointView

    def lines(self, width: int) -> list[Shown]:
        """One line, as gdb's."""
        view = self.view
        kind = "Temporary breakpoint" if view.temporary else "Breakpoint"
        if len(view.addresses) > 1:
            return [visible(f"{kind} {view.number} at {view.addresses[0]:#x}: {view.spec}. ({len(view.addresses)} locations)")]
        place = view.where.partition(" at ")[2]
        file, _, line = place.rpartition(":")
        tail = f": file {file}, line {line}." if file else ""
        return [visible(f"{kind} {view.number} at {view.addresses[0]:#x}{tail}")]


class BreakpointList(msgspec.Struct, frozen=True):
    """All breakpoints."""

    views: tuple[BreakpointView, ...]

    def lines(self, width: int) -> list[Shown]:
        """A table, as gdb's."""
        if not self.views:
            return [Shown("No breakpoints.")]
        out = [Shown("Num     Type           Disp Enb Address            What")]
        for view in self.views:
            address = f"{view.addresses[0]:#018x}" if len(view.addresses) == 1 else "<MULTIPLE>" if view.addresses else "<PENDING>"
            head = f"{view.number:<7} breakpoint     {'del' if view.temporary else 'keep':<4} {'y' if view.enabled else 'n':<3} "
            name, _, place = view.where.partition(" at ")
            what = f"in {name} at {place}" if place else view.where or view.spec
            out.append(visible(f"{head}{address:<18} {what}"))
            if view.hits:
                out.append(visible(f"        breakpoint already hit {view.hits} time{'s' if view.hits != 1 else ''}"))
            if view.ignore:
                out.append(visible(f"        ignore next {view.ignore} hits"))
            if len(view.addresses) > 1:
                out += [visible(f"{view.number}.{place_no:<5} {'':<21}{'y' if view.enabled else 'n':<3} {address:#018x}")
                        for place_no, address in enumerate(view.addresses, 1)]  # fmt: skip
        return out


def _break(session: Session, location: LocationSpec, *, temporary: bool) -> BreakpointMade:
    if location.condition:
        raise NotHere("conditions are not evaluated yet", "ignore ID COUNT skips a number of hits")
    if location.thread is not None:
        raise NotHere("breakpoints for one thread are not there yet", "set it for all threads")
    spec = location.text
    program = session.program
    if not spec:
        pc = program.registers().pc
        spec = f"*{pc:#x}"
    elif program.list_at and (spec.isdigit() or spec[0] in "+-"):
        # A bare line means the current file now; it must mean the same one at the next start.
        file, line = program.list_at
        number = line + int(spec) if spec[0] in "+-" else int(spec)
        spec = f"{file}:{number}"
    where, addresses = program.locate(spec)
    pid = program.pid if program.alive else 0
    return BreakpointMade(session.tracer.call(ops.add_breakpoint, pid, spec, where, addresses, temporary))


@table.add("break", "b", "br", "brea")
def break_(session: Session, location: Annotated[LocationSpec, "where; nothing means here"] = HERE) -> BreakpointMade:
    """Stop the program before it executes a place.

    FUNCTION stops behind the function's prologue, FILE:LINE and LINE at that line, *ADDRESS at an address. Set before the program
    runs, it moves with the program's load address.

    In the kernel: one byte of the program is replaced by int3 (0xcc), written through /proc/PID/mem; executing it raises SIGTRAP
    with pc one behind. Reads of memory show the program's own byte.

    Example: break fact.c:12
    """
    return _break(session, location, temporary=False)


@table.add("tbreak", "tb", "tbr")
def tbreak(session: Session, location: Annotated[LocationSpec, "where; nothing means here"] = HERE) -> BreakpointMade:
    """Set a breakpoint that is gone after its first stop.

    Example: tbreak main
    """
    return _break(session, location, temporary=True)


@table.add("info breakpoints", "info b", "info break")
def info_breakpoints(session: Session) -> BreakpointList:
    """List the breakpoints with their places and hit counts.

    Example: info breakpoints
    """
    return BreakpointList(session.program.breakpoints())


def _numbers(session: Session, ids: tuple[int, ...]) -> tuple[int, ...]:
    return ids or tuple(view.number for view in session.program.breakpoints())


@table.add("delete", "d", "del")
def delete(session: Session, ids: Annotated[BreakpointIds, "numbers or ranges; nothing means all"] = ()) -> Said:
    """Take breakpoints away.

    Example: delete 1 3-5
    """
    numbers = _numbers(session, ids)
    for number in numbers:
        session.tracer.call(ops.delete_breakpoint, number)
    return Said(())


table.group("delete", about="take breakpoints away")


@table.add("delete breakpoints")
def delete_breakpoints(session: Session, ids: Annotated[BreakpointIds, "numbers or ranges; nothing means all"] = ()) -> Said:
    """Take breakpoints away.

    Example: delete breakpoints 2
    """
    return delete(session, ids)


@table.add("clear")
def clear(session: Session, location: Annotated[LocationSpec, "where; nothing means here"] = HERE) -> Said:
    """Take away the breakpoints of a place.

    Example: clear fact
    """
    if location.text:
        _, addresses = session.program.locate(location.text)
    else:
        addresses = (session.program.registers().pc,)
    gone = [view for view in session.program.breakpoints() if set(view.addresses) & set(addresses)]
    if not gone:
        raise BadArgument("there is no breakpoint at that place", "info breakpoints lists them")
    for view in gone:
        session.tracer.call(ops.delete_breakpoint, view.number)
    return said(f"Deleted breakpoint{'s' if len(gone) > 1 else ''} {' '.join(str(view.number) for view in gone)}")


@table.add("enable", "en")
def enable(session: Session, ids: Annotated[BreakpointIds, "numbers or ranges; nothing means all"] = ()) -> Said:
    """Switch breakpoints on.

    Example: enable 2
    """
    for number in _numbers(session, ids):
        session.tracer.call(ops.enable_breakpoint, number, True)
    return Said(())


@table.add("disable", "disa")
def disable(session: Session, ids: Annotated[BreakpointIds, "numbers or ranges; nothing means all"] = ()) -> Said:
    """Switch breakpoints off; they stay in the list.

    In the kernel: the program's own byte is put back.

    Example: disable 2
    """
    for number in _numbers(session, ids):
        session.tracer.call(ops.enable_breakpoint, number, False)
    return Said(())


@table.add("ignore")
def ignore(session: Session, number: Annotated[Number, "a breakpoint"], count: Annotated[Count, "how many hits"]) -> Said:
    """Only count the next COUNT hits of a breakpoint.

    Example: ignore 1 10
    """
    view = session.tracer.call(ops.ignore_breakpoint, number, count)
    return said(f"Will ignore next {view.ignore} crossings of breakpoint {view.number}.")


# --- signals ------------------------------------------------------------------------------------------------------------------
class SignalList(msgspec.Struct, frozen=True):
    """How signals are treated."""

    rows: tuple[SignalRow, ...]

    def lines(self, width: int) -> list[Shown]:
        """A table, as gdb's."""
        import signal

        out = [Shown("Signal        Stop      Print   Pass to program Description")]
        for row in self.rows:
            text = signal.strsignal(row.number) or "" if row.number < 32 else f"Real-time event {row.number}"
            yes = ["Yes" if flag else "No" for flag in (row.stop, row.show, row.deliver)]
            out.append(visible(f"{row.name:<13} {yes[0]:<9} {yes[1]:<7} {yes[2]:<15} {text}"))
        return out


def _signal_numbers(names: tuple[str, ...]) -> tuple[int, ...]:
    numbers: list[int] = []
    for name in names:
        upper = name.upper()
        full = upper if upper.startswith("SIG") else f"SIG{upper}"
        if name == "all":
            numbers += [number for number in range(1, 65) if number not in (2, 5, 9, 19)]
        elif full in SIGNALS:
            numbers.append(SIGNALS[full])
        elif name.isdigit() and 1 <= int(name) <= 64:
            numbers.append(int(name))
        else:
            raise BadArgument(f"'{name}' is no signal", "info signals lists them")
    return tuple(numbers)


@table.add("info signals", "info signal", "info handle", while_busy="refuse")
def info_signals(session: Session, signals: Annotated[Words, "names or numbers; nothing means all"] = ()) -> SignalList:
    """Show what happens at each signal: stop, print, pass to the program.

    In the kernel: every signal but SIGKILL stops a tracee before it is delivered; the tracer decides whether it is.

    Example: info signals SIGINT
    """
    rows = session.tracer.call(ops.signal_rows)
    if signals:
        wanted = _signal_numbers(signals)
        rows = tuple(row for row in rows if row.number in wanted)
    return SignalList(rows)


_ACTIONS = ("stop", "nostop", "print", "noprint", "pass", "nopass", "ignore", "noignore")
_ACTION = ChoiceType("ACTION", *_ACTIONS)


@table.add("handle")
def handle(session: Session, words: Annotated[Words, "signals (or all), then stop, nostop, print, noprint, pass, nopass"]) -> SignalList:
    """Choose what happens at signals.

    Example: handle SIGUSR1 nostop noprint pass
    """
    names = tuple(word for word in words if word not in _ACTIONS)
    actions = [word for word in words if word in _ACTIONS]
    if not names or not actions:
        raise BadArgument("handle needs signals and actions", "for example: handle SIGUSR1 nostop pass")
    stop = show = deliver = None
    for action in actions:
        on = not action.startswith("no")
        base = action.removeprefix("no")
        if base == "stop":
            stop = on
        elif base == "print":
            show = on
        elif base == "pass":
            deliver = on
        else:
            deliver = not on
    return SignalList(session.tracer.call(ops.handle_signals, _signal_numbers(names), stop, show, deliver))
