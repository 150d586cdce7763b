"""Stepping by source line, out of functions, and by counted instructions.

Command thread.  Debug information stays here; the tracer thread only gets addresses: step while the pc is in this range, run to that
address.  The first instruction always goes through a waiter, the path that is taught; a search goes on inline and says so.
"""

from __future__ import annotations

from collections.abc import Callable

from tracedbg.kernel.memory import Memory
from tracedbg.kernel.regs import Registers
from tracedbg.model.errors import NotNow, TracedbgError
from tracedbg.model.stops import Arrived, Interrupted, StepDone
from tracedbg.model.views import Report
from tracedbg.symbols.disassembly import call_length, disassemble
from tracedbg.symbols.values import Frame, Row
from tracedbg.tracer import edges, loops, ops, running
from tracedbg.tracer.thread import Tracer
from tracedbg.tracer.waiter import Waiters

from .program import Program
from .stopped import Stopped

_SEARCH = 64
"""Instructions to single-step within one line before breakpoints on the other lines take over: a loop on one line may be long."""
_RESTORER = bytes.fromhex("48c7c00f0000000f05")
"""``mov $15, %rax; syscall``: rt_sigreturn, to which every signal handler returns (the C library's `__restore_rt`)."""
_STUB = 8
"""Instructions that a stub of the procedure linkage table may take."""


class Where:
    """Place of the focused thread, and what the line table says of it."""

    def __init__(self, program: Program) -> None:
        regs = program.registers()
        self.pc, self.sp = regs.pc, regs.sp
        self.row: Row | None = None
        self.cfa: int | None = None
        self.chain: tuple[str, ...] = ()
        self.function: tuple[int, int] | None = None
        if program.has_live:
            with program.lock:
                live = program.live()
                self.row = live.row(regs.pc)
                self.cfa = live.cfa(regs.words)
                self.chain = live.inline_chain(regs.pc)
                self.function = live.function_range(regs.pc)


class Stepper:
    """Everything that moves the program a little.

    Args:
        tracer: for ops.
        waiters: parked during inline loops.
        program: what is moved.
    """

    def __init__(self, tracer: Tracer, waiters: Waiters, program: Program) -> None:
        self._tracer, self._waiters, self._program = tracer, waiters, program

    # --- instructions ---------------------------------------------------------------------------------------------------------
    def instructions(self, count: int) -> Stopped:
        """`stepi`: one through a waiter, many in an inline loop."""
        program = self._program
        tid = program.need_stopped()
        if count == 1:
            return program.proceed(running.step_instruction, tid)
        return program.move(lambda: program.arrive(self._loop(tid, count, f"stepi {count}")))

    def over_instructions(self, count: int) -> Stopped:
        """`nexti`: as `stepi`, but a call is run to its return."""
        return self._program.move(lambda: self._repeat(count, self._over_one))

    def _repeat(self, count: int, piece: Callable[[], Report]) -> Stopped:
        program = self._program
        report = Report(program.need_process(), program.need_stopped(), StepDone())
        for _ in range(count):
            report = piece()
            if not _plain(report):
                break
        return program.arrive(report)

    def _over_one(self) -> Report:
        program = self._program
        tid = program.need_stopped()
        regs, memory = program.registers(), program.memory()
        length = _call_length(memory, regs)
        report = program.ask(running.step_instruction, tid)
        if length and _plain(report):
            at_return = program.registers().sp
            report = program.ask(running.run_to, tid, (regs.pc + length,), at_return)
        return report

    def _loop(self, tid: int, limit: int, name: str, low: int = 0, high: int = 0, pause: frozenset[int] = frozenset()) -> Report:
        """An inline loop, and what it takes to end it in order.

        Returns:
            A report; StepDone when the loop did what it was asked to.
        """
        if self._waiters.strangers():
            return self._one_by_one(tid, limit, low, high, pause)
        program = self._program
        pid, done = program.need_process(), 0
        while not program.moves.stop_wanted:
            seat = self._tracer.seat
            end = self._tracer.call(loops.step_loop, self._waiters, seat, tid, limit - done, name, low, high, pause, done > 0)
            if end.report is not None and (end.report.ended is not None or end.report.stop is not None):
                return end.report
            if end.unfinished or end.report is not None:
                return program.ask_now(edges.halt, tid)
            if end.interrupted:
                break
            if not (end.event or end.at_call):
                return Report(pid, tid, StepDone())
            # The system call may sleep until another thread acts: the plan lets the others run if it does.
            report = program.ask_now(running.finish_step if end.event else running.step_instruction, tid)
            done += end.steps + 1
            # Within a range of addresses the caller looks where it stands.
            if not _plain(report) or high or done >= limit:
                return report
        return Report(pid, tid, Interrupted())

    def _one_by_one(self, tid: int, limit: int, low: int, high: int, pause: frozenset[int]) -> Report:
        """As `_loop`, through waiters: a thread that sleeps in a typed wait may take any of these stops, and hands it over."""
        program = self._program
        report = Report(program.pid, tid, StepDone())
        for _ in range(limit):
            report = program.ask(running.step_instruction, tid)
            pc = program.registers().pc if _plain(report) else -1
            if not _plain(report) or pc in pause or (high and not low <= pc < high):
                break
        return report

    # --- lines ----------------------------------------------------------------------------------------------------------------
    def lines(self, count: int, *, over: bool) -> Stopped:
        """`step` and `next`: to the start of another line, `count` times."""
        return self._program.move(lambda: self._repeat(count, lambda: self._line(over)))

    def _line(self, over: bool) -> Report:
        program = self._program
        tid = program.need_stopped()
        start = Where(program)
        if start.row is None:
            # No line to step to, as gdb does: leave the function; without even a frame, one instruction.
            return self._leave(tid) if start.cfa is not None else program.ask(running.step_instruction, tid)
        low, high, line = start.row.low, start.row.high, (start.row.file, start.row.line)
        here, first, steps = start, True, 0
        while True:
            if steps > _SEARCH:
                # The line loops: breakpoints on every other statement of the function, and on its return.
                return self._run_off_line(tid, start, line)
            report, stepped_in = self._advance(tid, here, low, high, over, first)
            first, steps = False, steps + 1
            if stepped_in or not _plain(report):
                return report
            here = Where(program)
            back = None if low <= here.pc < high else _interrupted_at(program.memory(), here.sp)
            if back is not None:
                # A signal has come and its handler has begun: let it run, and go on where it came.
                report = program.ask(running.run_to, tid, (back[0],), back[1] - 1)
                if not _plain(report):
                    return report
                here = Where(program)
            if start.cfa is not None and here.sp >= start.cfa:
                # Returned.  In the middle of the caller's line: finish that line, as gdb does.
                if here.row is None or (here.pc == here.row.low and here.row.is_stmt):
                    return report
                start, low, high, line = here, here.row.low, here.row.high, (here.row.file, here.row.line)
                continue
            if low <= here.pc < high:
                continue
            if here.row is None:
                if here.function == start.function:
                    low, high = here.pc, here.pc + 1
                    continue
                report = self._leave(tid)  # a jump into code without lines: back out of it
                if not _plain(report):
                    return report
                here = Where(program)
                if here.row is None:
                    return report
            if (here.row.file, here.row.line) == line or not here.row.is_stmt or here.pc != here.row.low:
                low, high = here.row.low, here.row.high
                continue
            if over and len(here.chain) > len(start.chain) and here.chain[: len(start.chain)] == start.chain:
                low, high = here.row.low, here.row.high  # inside an inlined callee of this line
                continue
            return report

    def _advance(self, tid: int, here: Where, low: int, high: int, over: bool, first: bool) -> tuple[Report, bool]:
        """One move: an instruction, a search up to the next call, or a call run to its return (True: stepped into one)."""
        program = self._program
        memory = program.memory()
        regs = program.registers()
        length = _call_length(memory, regs)
        if not length:
            if first:
                return program.ask(running.step_instruction, tid), False
            pause = _calls(memory, low, high)
            return self._loop(tid, _SEARCH, "search for the end of the line", low, high, pause), False
        report = program.ask(running.step_instruction, tid) if first else self._loop(tid, 1, "step into a call")
        if not _plain(report):
            return report, False
        at_return = program.registers().sp
        if not over:
            target, report = self._entry(tid, report)
            if not _plain(report):
                return report, False
            if target is not None:
                if program.registers().pc != target:
                    report = program.ask(running.run_to, tid, (target,), 0)
                return report, True
        return program.ask(running.run_to, tid, (here.pc + length,), at_return), False

    def _entry(self, tid: int, report: Report) -> tuple[int | None, Report]:
        """Where to stop in a function that was just called: behind its prologue if it has lines, None to pass it by."""
        program = self._program
        if not program.has_live:
            return None, report
        for _ in range(_STUB):
            pc = program.registers().pc
            with program.lock:
                live = program.live()
                place = live.place(pc)
                if not place.symbol.endswith("@plt"):
                    return live.after_prologue(pc) if place.line else None, report
            report = self._loop(tid, 1, "step through a stub")
            if not _plain(report):
                return None, report
        return None, report

    def _run_off_line(self, tid: int, start: Where, line: tuple[str, int]) -> Report:
        """Let the program run until the function is at another line, or has returned."""
        program = self._program
        regs = program.registers()
        with program.lock:
            live = program.live()
            rows = live.statement_addresses(regs.pc)
            back = live.caller_pc(regs.words)
        targets = {row.low for row in rows if row.is_stmt and row.line and (row.file, row.line) != line}
        if back is not None:
            targets.add(back)
        while True:
            report = program.ask(running.run_to, tid, tuple(sorted(targets)), 0)
            if not _plain(report):
                return report
            here = Where(program)
            if here.cfa == start.cfa or (here.pc == back and start.cfa is not None and here.sp >= start.cfa):
                return report  # else: a deeper activation of the same function

    # --- out of a function ----------------------------------------------------------------------------------------------------
    def _leave(self, tid: int) -> Report:
        """Run to the return address of the innermost frame."""
        program = self._program
        regs = program.registers()
        with program.lock:
            live = program.live()
            back, cfa = live.caller_pc(regs.words), live.cfa(regs.words)
        if back is None or cfa is None:
            return program.ask(running.step_instruction, tid)
        return program.ask(running.run_to, tid, (back,), cfa - 1)

    def finish(self) -> Stopped:
        """Run until the selected frame has returned, and tell what it returned.

        Raises:
            NotNow: it is the outermost frame.
        """
        return self._program.move(self._finish)

    def _finish(self) -> Stopped:
        program = self._program
        tid = program.need_stopped()
        regs = program.registers()
        with program.lock:
            frames = program.live().backtrace(regs.words, program.level + 64)
        at = program.level
        while at < len(frames) and frames[at].inlined:
            at += 1
        if at + 1 >= len(frames) or frames[at].cfa is None:
            raise NotNow('"finish" is not meaningful in the outermost frame', "continue runs the program to its end")
        frame, caller = frames[at], frames[at + 1]
        level = program.level
        report = program.ask(running.run_to, tid, (caller.pc,), (frame.cfa or 0) - 1)
        note = self._returned(frame) if _plain(report) and level == 0 else ""
        return program.arrive(report, note)

    def _returned(self, frame: Frame) -> str:
        """``Value returned is 24``, or nothing for a void function or an unknown type."""
        program = self._program
        tid = program.need_stopped()
        regs, floats = program.registers(), self._tracer.call(ops.fp_registers, tid)
        try:
            with program.lock:
                value = program.live().return_value(regs.words, frame.pc, floats)
        except TracedbgError as error:
            return f"Value returned is unknown: {error.what}"
        return f"Value returned is {value.text}" if value is not None else ""

    def until(self, spec: str) -> Stopped:
        """`advance`: run to a place, or until the current frame has returned."""
        program = self._program
        tid = program.need_stopped()
        _, addresses = program.locate(spec)
        regs = program.registers()
        with program.lock:
            back = program.live().caller_pc(regs.words) if program.has_live else None
        targets = (*addresses, back) if back is not None else addresses
        return program.proceed(running.run_to, tid, targets, 0)


def _plain(report: Report) -> bool:
    """Whether a step did just what it was for; anything else is what the user must hear of."""
    return isinstance(report.stop, (StepDone, Arrived))


def _call_length(memory: Memory, regs: Registers) -> int:
    """Bytes of the call instruction at pc, 0 if there is another one."""
    try:
        code = memory.read(regs.pc, 16)
    except TracedbgError:
        code = memory.read(regs.pc, 1)  # the last bytes of a mapping
    return call_length(code)


def _interrupted_at(memory: Memory, sp: int) -> tuple[int, int] | None:
    """Where the program was when a signal came, if it stands at a handler's first instruction: pc and stack pointer, else None.

    The kernel has pushed a `struct rt_sigframe` (arch/x86/include/asm/sigframe.h): the address of the restorer, then a `struct
    ucontext` whose registers begin at 40, r8 first.
    """
    try:
        restorer = int.from_bytes(memory.read(sp, 8), "little")
        if memory.read(restorer, len(_RESTORER)) != _RESTORER:
            return None
        words = memory.read(sp + 8 + 40 + 15 * 8, 16)
    except TracedbgError:
        return None
    return int.from_bytes(words[8:], "little"), int.from_bytes(words[:8], "little")


def _calls(memory: Memory, low: int, high: int) -> frozenset[int]:
    """Addresses of the call instructions of a line's code."""
    code = memory.read(low, high - low)
    return frozenset(found.address for found in disassemble(code, low) if found.is_call)
