"""The stack of a stopped thread, frame by frame.

Any thread, under the session's lock.  drgn unwinds by call frame information; where there is none, the caller is searched for
(`cfi.guess_caller`) and drgn goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from .cfi import guess_caller
from .library import drgn
from .process import ProcessCore
from .values import RIP, RSP, USER_REGS

SIGNAL_FRAME = "<signal handler called>"
_MOST_PIECES = 200
_TRACE_LIMIT = 1024
"""Real frames after which drgn ends a trace."""


@dataclass(frozen=True, slots=True)
class Activation:
    """One frame with drgn's view of it.

    Attributes:
        frame: where names and variables are looked up.
        pc: where it executes or will go on.
        cfa: canonical frame address, None when unknown.
        interrupted: `pc` is exact; otherwise it is a return address, and the call stands before it.
        kind: as in `Frame`.
        given: the thread's registers, for the innermost real frame only.
    """

    frame: drgn.StackFrame
    pc: int
    cfa: int | None
    interrupted: bool
    kind: Literal["normal", "signal", "guessed"]
    given: tuple[int, ...] | None

    @property
    def code(self) -> int:
        """An address inside the instruction that is executing: for a return address, inside the call."""
        return self.pc if self.interrupted else self.pc - 1

    def registers(self) -> dict[str, int]:
        """The registers that are known, by the names of `USER_REGS`."""
        if self.given is not None:
            return dict(zip(USER_REGS, self.given, strict=False))
        known = {("eflags" if name == "rflags" else name): value for name, value in self.frame.registers().items()}
        known["rip"] = self.pc
        return {name: known[name] for name in USER_REGS if name in known}


def _pc(frame: drgn.StackFrame) -> int | None:
    try:
        return int(frame.pc)
    except LookupError:
        return None


def _sp(trace: drgn.StackTrace, index: int) -> int | None:
    """The stack pointer of the next real frame, which is the CFA of this one; drgn does not give the CFA itself."""
    while index < len(trace) and trace[index].is_inline:
        index += 1
    try:
        return int(trace[index + 1].sp)
    except (IndexError, LookupError):
        return None


def _is_signal_frame(trace: drgn.StackTrace, index: int) -> bool:
    """The frame below was interrupted and not called: the kernel built this one (arch/x86/kernel/signal.c)."""
    return index + 1 < len(trace) and trace[index + 1].interrupted and not trace[index].is_inline


def _registers_of(frame: drgn.StackFrame, regs: Sequence[int]) -> list[int]:
    """The words that unwinding can know of a frame; those it cannot are 0."""
    known = frame.registers()
    words = list(regs)
    for index, name in enumerate(USER_REGS[:21]):
        words[index] = known.get(name, 0)
    words[RIP] = frame.pc
    return words


def _inside_call(words: Sequence[int]) -> list[int]:
    """The same registers with rip inside the call instruction.

    drgn takes the rip it is given as exact.  A return address may already belong to the next line, or to the next function.
    """
    moved = list(words)
    moved[RIP] -= 1
    return moved


def _usable(core: ProcessCore, trace: drgn.StackTrace) -> tuple[int, bool, int]:
    """How many frames of a trace may be used, whether the last of them has no call frame information, and how many are real."""
    count = real = 0
    for frame in trace:
        pc = _pc(frame)
        if pc is None:
            break  # drgn ends a trace with a frame of unknown pc
        count += 1
        if not frame.is_inline:
            real += 1
            if not core.has_cfi(pc - (not frame.interrupted), frame.function_name):
                return count, True, real
    return count, False, real


def activations(core: ProcessCore, regs: Sequence[int], trace: drgn.StackTrace | None = None) -> Iterator[Activation]:
    """The frames of a thread, the innermost first.

    Args:
        core: of the process.
        regs: the 27 words of ``user_regs_struct``.
        trace: the first piece, if it has been made already (`ProcessCore.innermost`).
    """
    words: Sequence[int] = regs
    origin: Literal["given", "guessed", "continued"] = "given"
    in_call = False  # rip of the current piece was moved into the call instruction
    trace = core.trace(words) if trace is None else trace
    for _ in range(_MOST_PIECES):
        count, cut, real = _usable(core, trace)
        if not count:
            return
        last = trace[count - 1]
        after: list[int] | None = None
        if cut:
            callee = words if real == 1 else _registers_of(last, regs)
            symbol = core.symbol_at(callee[RIP])
            after = guess_caller(core.read, callee, symbol[1] if symbol else None, core.executable)
        elif real >= _TRACE_LIMIT:
            # drgn knows the CFA of this last frame, and with it its variables, only if it may unwind it: in the next piece.
            after = _registers_of(last, regs)
            count -= 1
            while count and trace[count - 1].is_inline:
                count -= 1
        first_group = True
        for index in range(count):
            frame = trace[index]
            moved = first_group and in_call
            cfa = _sp(trace, index)
            if cut and (index == count - 1 or all(trace[at].is_inline for at in range(index, count - 1))):
                cfa = after[RSP] if after is not None else None
            is_signal = _is_signal_frame(trace, index) and not (cut and index == count - 1)
            yield Activation(
                frame,
                frame.pc + moved,
                cfa,
                frame.interrupted and not moved,
                "guessed" if first_group and origin == "guessed" else "signal" if is_signal else "normal",
                tuple(regs) if first_group and origin == "given" else None,
            )
            first_group = first_group and frame.is_inline
        if after is None:
            return
        origin = "guessed" if cut else "continued"
        in_call = cut or not last.interrupted
        words = _inside_call(after) if in_call else after
        trace = core.trace(words)


def backtrace(core: ProcessCore, regs: Sequence[int], main: int | None) -> Iterator[Activation]:
    """The frames that a user wants to see: up to ``main``, without those at the outer end that are in no program or library.

    Args:
        core: of the process.
        regs: the 27 words of ``user_regs_struct``.
        main: first address of the program's ``main``; the C library's frames outside it are left out, as gdb does.
    """
    unknown: list[Activation] = []
    for activation in activations(core, regs):
        symbol = core.symbol_at(activation.code)
        # Code without a name is a frame like any other (a stripped library); what is in no file at all may be an unwinder's guess.
        nowhere = core.image_at(activation.code) is None and not activation.frame.function_name
        if symbol is None and nowhere and activation.kind != "signal" and not activation.given:
            unknown.append(activation)
            continue
        yield from unknown
        unknown.clear()
        yield activation
        if main is not None and symbol is not None and symbol[1] == main and not activation.frame.is_inline:
            return


def source_of(core: ProcessCore, activation: Activation) -> tuple[str, int]:
    """File and line of a frame; ``("", 0)`` when unknown."""
    try:
        source = activation.frame.source()
    except (LookupError, ValueError):
        return "", 0
    if activation.interrupted:
        # At an exact address several rows may begin, and drgn takes the first of them; agree with `Core.row`, as gdb does.
        place = core.place(activation.pc)
        scopes = core.scopes(activation.pc)
        if scopes and scopes[0][1:] == (source.filename, source.line) and place.line:
            return place.file, place.line
    return str(source.filename), int(source.line)
