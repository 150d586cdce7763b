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


@dataclass(slots=True)
class _Piece:
    """The part of one trace that may be used: up to the first real frame without call frame information."""

    trace: drgn.StackTrace
    frames: list[tuple[int, drgn.StackFrame, int]]
    last: drgn.StackFrame | None
    real: int
    cut: bool


def _piece(core: ProcessCore, trace: drgn.StackTrace, guessed: bool) -> _Piece:
    piece = _Piece(trace, [], None, 0, False)
    for index, frame in enumerate(trace):
        pc = _pc(frame)
        if pc is None:
            break  # drgn ends a trace with a frame of unknown pc
        piece.frames.append((index, frame, pc))
        if frame.is_inline:
            continue
        piece.last = frame
        piece.real += 1
        exact = frame.interrupted and not (guessed and piece.real == 1)
        if not core.has_cfi(pc - (not exact), frame.function_name):
            piece.cut = True
            break
    return piece


def activations(
    core: ProcessCore, regs: Sequence[int], trace: drgn.StackTrace | None = None
) -> Iterator[Activation]:
    """The frames of a thread, the innermost first.

    Args:
        core: of the process.
        regs: the 27 words of ``user_regs_struct``.
        trace: the first piece, if it has been made already (`ProcessCore.innermost`).
    """
    words: Sequence[int] = regs
    origin: Literal["given", "guessed", "continued"] = "given"
    trace = core.trace(words) if trace is None else trace
    for _ in range(_MOST_PIECES):
        piece = _piece(core, trace, origin == "guessed")
        if piece.last is None:
            return
        after: Sequence[int] | None = None
        if piece.cut:
            callee = words if piece.real == 1 else _registers_of(piece.last, regs)
            symbol = core.symbol_at(callee[RIP])
            after = guess_caller(core.read, callee, symbol[1] if symbol else None, core.executable)
        elif piece.real >= _TRACE_LIMIT:
            after = _registers_of(piece.last, regs)
        following = core.trace(after) if after is not None else None
        first_group = True
        for index, frame, pc in piece.frames:
            # A continued trace begins with the frame that the trace before ended with.
            if not (first_group and origin == "continued"):
                cfa = _sp(trace, index)
                if frame is piece.last or (piece.frames[-1][1].is_inline and cfa is None):
                    cfa = _cfa_of_last(piece, after, following, cfa)
                guess = first_group and origin == "guessed"
                yield Activation(
                    frame, pc, cfa, frame.interrupted and not guess,
                    "guessed" if guess else "signal" if _is_signal_frame(trace, index) else "normal",
                    tuple(regs) if first_group and origin == "given" else None,
                )
            first_group = first_group and frame.is_inline
        if after is None or following is None:
            return
        origin = "guessed" if piece.cut else "continued"
        words, trace = after, following


def _cfa_of_last(
    piece: _Piece, after: Sequence[int] | None, following: drgn.StackTrace | None, cfa: int | None
) -> int | None:
    """The CFA of the frame at which a piece ends: its caller stands in the next piece."""
    if piece.cut:
        return after[RSP] if after is not None else None
    return _sp(following, 0) if following is not None else cfa


def backtrace(core: ProcessCore, regs: Sequence[int], main: int | None) -> Iterator[Activation]:
    """The frames that a user wants to see: up to ``main``, without unknown ones at the outer end.

    Args:
        core: of the process.
        regs: the 27 words of ``user_regs_struct``.
        main: first address of the program's ``main``; the C library's frames outside it are left out, as gdb does.
    """
    unknown: list[Activation] = []
    for activation in activations(core, regs):
        symbol = core.symbol_at(activation.code)
        if symbol is None and activation.kind != "signal" and not activation.frame.function_name and not activation.given:
            unknown.append(activation)
            continue
        yield from unknown
        unknown.clear()
        yield activation
        if main is not None and symbol is not None and symbol[1] == main and not activation.frame.is_inline:
            return


def source_of(core: ProcessCore, activation: Activation) -> tuple[str, int]:
    """File and line of a frame; ``("", 0)`` when unknown."""
    if activation.kind == "guessed" and not activation.frame.is_inline:
        # drgn took this return address for an exact one, and it may already belong to the next line.
        scopes = core.scopes(activation.code)
        return (scopes[-1][1], scopes[-1][2]) if scopes else ("", 0)
    try:
        source = activation.frame.source()
    except (LookupError, ValueError):
        return "", 0
    return str(source.filename), int(source.line)
