"""Commands that look at the stack: backtrace, frame, up, down, info frame, info locals, info args.

Command thread.  Handlers return what they found and print nothing.  While the symbols are in use nothing is asked of the tracer:
registers are fetched first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from tracedbg.kernel.regs import Registers
from tracedbg.lang.params import Count, Number
from tracedbg.lang.paramtypes import NameType
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import BadArgument, NotFound, TracedbgError
from tracedbg.model.text import Shown, visible
from tracedbg.symbols.values import Frame, Variable

from .drawing import INDENT, frame_line, shows_address, source_line, variable_line

if TYPE_CHECKING:
    from tracedbg.session.session import Session

table = CommandTable("stack", "Looking at the stack")

_HOW_MANY = NameType("[full] [N|-N]", "'full', and how many frames: N innermost, -N outermost", "", r"full|-?\d+|-full")
NO_DEBUG_INFORMATION = "No symbol table info available."
"""gdb's words for a frame whose code was compiled without -g."""


# --- what stands where --------------------------------------------------------------------------------------------------------
def stopped_registers(session: Session) -> Registers:
    """The general registers of the thread in focus, fetched before any lock is taken.

    Raises:
        NotNow: there is no process, or it runs.
    """
    return session.program.registers()


def frames_of(session: Session, regs: Registers, limit: int | None = None) -> list[Frame]:
    """The frames of a stopped thread, the innermost first; only that one, without a name, where there are no symbols.

    Args:
        session: whose program it is.
        regs: the thread's registers.
        limit: at most so many.
    """
    places = session.program.places
    with places.lock:
        if not places.has_live:
            return [Frame(0, regs.pc, None, "", interrupted=True)]
        places.sync()
        return places.live().backtrace(regs.words, limit)


def selected_frame(session: Session, regs: Registers) -> Frame:
    """The frame in focus; its number falls back to 0 where the stack has become shorter."""
    places, program = session.program.places, session.program
    with places.lock:
        if not places.has_live:
            program.level = 0
            return Frame(0, regs.pc, None, "", interrupted=True)
        places.sync()
        if program.level:
            try:
                return places.live().frame(regs.words, program.level)
            except NotFound:
                program.level = 0
        return places.live().top(regs.words)


def frame_registers(session: Session, regs: Registers, level: int) -> dict[str, int]:
    """The registers of a frame by name; those that unwinding cannot know are absent."""
    from tracedbg.kernel.regs import NAMES

    if level == 0:
        return dict(zip(NAMES, regs.words, strict=True))
    with session.program.places.lock:
        return session.program.places.live().frame_regs(regs.words, level)


# --- answers ------------------------------------------------------------------------------------------------------------------
class FrameShown(msgspec.Struct, frozen=True):
    """One frame and its line of source.

    Args:
        frame: which.
        source: number and text of its line, None if the file is not here.
        address: its pc is worth showing (it is not the first address of a line).
        note: what to know about the source.
    """

    frame: Frame
    source: tuple[int, str] | None = None
    address: bool = True
    note: str = ""

    def lines(self, width: int) -> list[Shown]:
        """As gdb answers `frame`."""
        out = [frame_line(self.frame, address=self.address)]
        if self.source is not None:
            out.append(source_line(*self.source))
        elif self.frame.file:
            out.append(visible(f"{self.frame.line:<8}in {self.frame.file_name or self.frame.file}"))
        return [*out, *([visible(self.note)] if self.note else [])]


class Backtrace(msgspec.Struct, frozen=True):
    """The stack, the innermost frame first.

    Args:
        frames: those that were asked for.
        addresses: for each, whether its pc is worth showing.
        locals: with `full`, the local variables of each; None for a frame without debug information.
        more: there are further frames outside.
        note: what is missing, and why.
    """

    frames: tuple[Frame, ...]
    addresses: tuple[bool, ...]
    locals: tuple[tuple[Variable, ...] | None, ...] = ()
    more: bool = False
    note: str = ""

    def lines(self, width: int) -> list[Shown]:
        """As gdb answers `backtrace`."""
        out: list[Shown] = []
        for at, frame in enumerate(self.frames):
            out.append(frame_line(frame, address=self.addresses[at]))
            if self.locals:
                own = self.locals[at]
                out += [variable_line(each, INDENT) for each in own or ()]
                if not own:
                    out.append(Shown(INDENT + (NO_DEBUG_INFORMATION if own is None else "No locals.")))
        if self.more:
            out.append(Shown("(More stack frames follow...)"))
        return [*out, *([visible(self.note)] if self.note else [])]


class Variables(msgspec.Struct, frozen=True):
    """Local variables or arguments of a frame.

    Args:
        variables: in the order in which gdb shows them.
        arguments: they are the arguments.
        known: there is debug information for the frame.
    """

    variables: tuple[Variable, ...]
    arguments: bool = False
    known: bool = True

    def lines(self, width: int) -> list[Shown]:
        """``name = value``, one a line."""
        if not self.known:
            return [Shown(NO_DEBUG_INFORMATION)]
        if not self.variables:
            return [Shown("No arguments." if self.arguments else "No locals.")]
        return [variable_line(each) for each in self.variables]


class FrameInfo(msgspec.Struct, frozen=True):
    """What is known about one frame.

    Args:
        frame: which.
        caller: the frame outside it, None for the outermost.
        callee: the frame inside it, None for the innermost.
    """

    frame: Frame
    caller: Frame | None
    callee: Frame | None

    def lines(self, width: int) -> list[Shown]:
        """As gdb answers `info frame`, without what only a full DWARF reader knows (where each register was saved)."""
        frame = self.frame
        cfa = f"{frame.cfa:#x}" if frame.cfa is not None else "an unknown address"
        where = f" in {frame.function}" if frame.function else ""
        where += f" ({frame.file_name or frame.file}:{frame.line})" if frame.file else ""
        saved = f"; saved rip = {self.caller.pc:#x}" if self.caller is not None and not frame.inlined else ""
        out = [f"Stack level {frame.level}, frame at {cfa}:", f" rip = {frame.pc:#x}{where}{saved}"]
        if frame.inlined and self.caller is not None:
            out.append(f" inlined into frame {self.caller.level}")
        elif self.caller is not None and self.caller.cfa is not None:
            out.append(f" called by frame at {self.caller.cfa:#x}")
        else:
            out.append(" outermost frame: unwinding finds no caller" if self.caller is None else " caller unknown")
        if self.callee is not None and self.callee.cfa is not None:
            out.append(f" caller of frame at {self.callee.cfa:#x}")
        if frame.kind == "signal":
            out.append(" the kernel built this frame to call a signal handler (sigreturn(2))")
        if frame.kind == "guessed":
            out.append(" guessed: its code has no call frame information, so the stack was searched for a return address")
        if frame.file:
            out.append(f" args: {', '.join(f'{each.name}={each.text}' for each in frame.args) or 'none'}")
        else:
            out.append(f" {NO_DEBUG_INFORMATION}")
        if frame.cfa is not None:
            # A call pushes the return address, and the CFA is the stack pointer before it (System V ABI for x86-64, 3.2.2).
            out += [f" Previous frame's sp is {frame.cfa:#x}", " Saved registers:", f"  rip at {frame.cfa - 8:#x}"]
        return [visible(line) for line in out]


# --- backtrace ----------------------------------------------------------------------------------------------------------------
@table.add("backtrace", "bt", "where")
def backtrace(session: Session, *how: Annotated[str, _HOW_MANY, "full, N or -N"]) -> Backtrace:
    """Show the stack: which function called which.

    With N only the N innermost frames, with -N the N outermost; `full` adds the local variables of each.

    In the kernel: one PTRACE_GETREGS by the tracer thread.  The stack itself is read from /proc/PID/mem and unwound by the
    call frame information of the program (DWARF 5, 6.4): the kernel knows nothing of functions.

    Example: bt
      bt 3
      bt -1
      backtrace full
    """
    full, count = False, None
    for word in how:
        if word.lstrip("-") == "full":
            full = True
        elif count is None:
            count = int(word)
        else:
            raise BadArgument(f"'{word}' is one number too many", "usage: backtrace [full] [N|-N]")
    regs = stopped_registers(session)
    more = False
    if count is not None and count >= 0:
        frames = frames_of(session, regs, count + 1)
        more, frames = len(frames) > count, frames[:count]
        shown = frames
    else:
        frames = frames_of(session, regs)
        shown = frames[count:] if count else frames
    mid = session.program.places.mid_line(frames[0]) if frames else False
    addresses = tuple(shows_address(frames, frame.level, mid_line=mid) for frame in shown)
    own = tuple(_variables(session, regs, frame, arguments=False) for frame in shown) if full else ()
    return Backtrace(tuple(shown), addresses, own, more, _missing(session))


def _missing(session: Session) -> str:
    """Why there is only one frame, where there are no symbols at all."""
    places = session.program.places
    if places.has_live:
        return ""
    try:
        places.live()
    except TracedbgError as error:
        return f"only the innermost frame is known: {error}"
    return ""


def _variables(session: Session, regs: Registers, frame: Frame, *, arguments: bool) -> tuple[Variable, ...] | None:
    """None where there is no debug information."""
    if not frame.file or frame.kind == "signal":
        return None
    with session.program.places.lock:
        return tuple(session.program.places.live().variables(regs.words, frame.level, arguments=arguments))


# --- choosing a frame ---------------------------------------------------------------------------------------------------------
def select_level(session: Session, level: int) -> FrameShown:
    """Put the focus on a frame and show it.

    Raises:
        NotFound: there is no such frame; the focus stays where it is.
        NotNow: the program is not stopped.
    """
    regs = stopped_registers(session)
    frames = frames_of(session, regs, level + 1)
    if not 0 <= level < len(frames):
        raise NotFound(f"No frame at level {level}", "backtrace lists the frames")
    session.program.level = level
    return show_frame(session, frames)


def show_frame(session: Session, frames: list[Frame]) -> FrameShown:
    """The last of `frames`, which begin with the innermost one, with its source; `list` goes on from it."""
    places = session.program.places
    frame = frames[-1]
    mid = places.mid_line(frames[0])
    note = places.sources.warning(frame.file, frame.module) if frame.file and frame.module else ""
    source = places.source_line(frame)
    return FrameShown(frame, source, shows_address(frames, len(frames) - 1, mid_line=mid), f"warning: {note}" if note else "")


@table.add("frame", "f")
def frame(session: Session, level: Annotated[Number | None, "0 is the innermost"] = None) -> FrameShown:
    """Select a frame, or show the selected one.

    Names in `print`, `info locals` and `list` then mean those of that function.

    In the kernel: nothing but PTRACE_GETREGS; the thread itself does not move.

    Example: frame 1
    """
    return select_level(session, session.program.level if level is None else level)


def _move(session: Session, by: int) -> FrameShown:
    """Move the focus outwards (positive) or inwards, as far as there are frames."""
    program = session.program
    regs = stopped_registers(session)
    if by < 0 and program.level == 0:
        raise NotFound("Bottom (innermost) frame selected; you can't go down", "up goes to the caller")
    target = max(0, program.level + by)
    frames = frames_of(session, regs, target + 1)
    if len(frames) - 1 <= program.level < target:
        raise NotFound("Initial frame selected; you can't go up", "down goes back inwards")
    program.level = min(target, len(frames) - 1)
    return show_frame(session, frames)


@table.add("up", repeats=True)
def up(session: Session, count: Annotated[Count, "how many frames"] = 1) -> FrameShown:
    """Select the frame that called the selected one.

    In the kernel: nothing but PTRACE_GETREGS; the registers of the caller are worked out from the stack.

    Example: up
    """
    return _move(session, count)


@table.add("down", "dow", repeats=True)
def down(session: Session, count: Annotated[Count, "how many frames"] = 1) -> FrameShown:
    """Select the frame that the selected one called.

    In the kernel: nothing but PTRACE_GETREGS.

    Example: down
    """
    return _move(session, -count)


# --- looking into the frame ---------------------------------------------------------------------------------------------------
table.group("info", "i", about="Show facts about the program and the session.")


@table.add("info frame", "info f")
def info_frame(session: Session) -> FrameInfo:
    """Show where the selected frame is on the stack, and who called it.

    In the kernel: nothing but PTRACE_GETREGS.  "frame at" is the canonical frame address: the stack pointer before the call.

    Example: info frame
    """
    regs = stopped_registers(session)
    chosen = selected_frame(session, regs)
    frames = frames_of(session, regs, chosen.level + 2)
    callee = frames[chosen.level - 1] if chosen.level else None
    caller = frames[chosen.level + 1] if len(frames) > chosen.level + 1 else None
    return FrameInfo(frames[chosen.level] if len(frames) > chosen.level else chosen, caller, callee)


@table.add("info locals", "info lo")
def info_locals(session: Session) -> Variables:
    """Show the local variables of the selected frame, those of the innermost block first.

    In the kernel: PTRACE_GETREGS; the values are read from /proc/PID/mem at the places that the debug information names.

    Example: info locals
    """
    regs = stopped_registers(session)
    found = _variables(session, regs, selected_frame(session, regs), arguments=False)
    return Variables(found or (), known=found is not None)


@table.add("info args", "info ar")
def info_args(session: Session) -> Variables:
    """Show the arguments of the selected frame.

    In the kernel: PTRACE_GETREGS, and reads of /proc/PID/mem.

    Example: info args
    """
    regs = stopped_registers(session)
    found = _variables(session, regs, selected_frame(session, regs), arguments=True)
    return Variables(found or (), arguments=True, known=found is not None)
