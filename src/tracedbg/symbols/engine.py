"""The face of this package: `StaticSymbols` for a file, `LiveSymbols` for a process.

Any thread, one at a time (the session's lock); never ask the tracer anything while holding that lock.  Importing this module is
cheap: drgn is imported when one of the classes is made.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from tracedbg.model.errors import BadArgument, NotFound, TracedbgError
from tracedbg.model.text import visible

from .values import Frame, Location, Place, Row, Variable

if TYPE_CHECKING:
    from .core import Core
    from .expressions import Evaluator
    from .process import ProcessCore
    from .typed import Value
    from .unwind import Activation


class Symbols:
    """What files and processes have in common; not made directly.

    Addresses are run-time addresses in `LiveSymbols` and addresses as in the file in `StaticSymbols`.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._names: tuple[int, list[str], list[str]] | None = None

    def close(self) -> None:
        """Free the debug information; no other method may be called afterwards.

        drgn's types refer to their program in circles, so without this the files it has open (among them /proc/PID/mem) stay
        open until the garbage collector happens to run.
        """
        self.__dict__.pop("_core", None)
        gc.collect()

    def locate(self, spec: str, *, default_file: str = "", default_line: int = 0, pc: int | None = None) -> list[Location]:
        """Places for a breakpoint.

        Args:
            spec: ``FUNCTION``, ``FILE:LINE``, ``LINE``, ``+N``, ``-N``, ``*ADDRESS`` (a number, ``SYMBOL`` or ``SYMBOL+N``),
                ``FILE:FUNCTION``, or nothing for `pc`.  A function means the place behind its prologue.
            default_file: the file that a bare line is in.
            default_line: what ``+N`` and ``-N`` count from.
            pc: where the thread stands.

        Returns:
            At least one place; several for inlined code and for names that several libraries define.

        Raises:
            NotFound: nothing has that name, or no code belongs to the line; `todo` says what exists instead.
            BadArgument: `spec` is no location.
        """
        from .locations import locate

        return locate(self._core, spec, default_file, default_line, pc)

    def address_of(self, name: str) -> int:
        """The address of ``main``, ``main+4`` or ``0x401126``.

        Raises:
            NotFound: no such symbol.
            BadArgument: the text is no address.
        """
        from .locations import address_of

        return address_of(self._core, name)

    def after_prologue(self, entry: int) -> int | None:
        """Where a breakpoint on the function that begins at `entry` goes; None when it has no line information."""
        return self._core.after_prologue(entry)

    def place(self, address: int) -> Place:
        """Symbol, function, file and line of an address; empty parts where nothing is known."""
        return self._core.place(address)

    def row(self, address: int) -> Row | None:
        """The row of the line table that covers an address, None without line information."""
        return self._core.row(address)

    def function_range(self, address: int) -> tuple[int, int] | None:
        """First address, and first address after, of the function around an address; None when unknown."""
        return self._core.function_range(address)

    def statement_addresses(self, address: int) -> list[Row]:
        """The statement rows of the function around an address: where stepping by breakpoints has to place them."""
        return [row for row, _ in self._core.rows(address) if row.is_stmt and row.line]

    def inline_chain(self, address: int) -> tuple[str, ...]:
        """Names of the functions at an address, the outermost (the one with code of its own) first."""
        return tuple(visible(name) for name, _, _ in reversed(self._core.scopes(address)))

    def default_list_place(self) -> tuple[str, int]:
        """File and line of ``main``; ``("", 0)`` when there is no such function with lines."""
        starts = self._core.functions_named("main")
        place = self._core.place(starts[0]) if starts else None
        return (place.file, place.line) if place is not None and place.line else ("", 0)

    def entry_point(self) -> int:
        """Address of the program's first instruction.

        Raises:
            NotFound: the file cannot be read any more.
        """
        main = self._core.main
        if main is None or main.elf is None:
            raise NotFound("the program's file cannot be read", "name it with `file PROGRAM`")
        return int(main.elf.entry) + main.bias

    def _lists(self) -> tuple[int, list[str], list[str]]:
        if self._names is None or self._names[0] != self._core.generation:
            self._names = (self._core.generation, self._core.function_names(), self._core.source_files())
        return self._names

    def functions(self, pattern: str = "") -> list[str]:
        """Names of the program's functions that contain `pattern`, sorted; kept, so that completion may ask often."""
        return [name for name in self._lists()[1] if pattern in name]

    def source_files(self, pattern: str = "") -> list[str]:
        """Paths of the source files that contain `pattern`; kept as well."""
        return [name for name in self._lists()[2] if pattern in name]

    def file_name(self, path: str) -> str:
        """A source file as the compiler was told it (``fact.c``), which gdb shows; `path` is as places and frames have it."""
        return visible(self._core.recorded_name(path)) if path else ""

    def objects(self) -> list[str]:
        """Names of the program's variables that have a fixed place, sorted."""
        return self._core.object_names()

    def section(self, address: int) -> str:
        """The section that an address is in, as ``.text``; empty when unknown."""
        return self._core.section_at(address)

    def code(self, address: int, count: int) -> bytes:
        """At most `count` bytes of machine code, breakpoints hidden; fewer where the memory ends."""
        return self._core.read_code(address, count)

    def type_definition(self, name: str) -> tuple[str, tuple[str, ...]] | None:
        """The name of a type and the type written out line by line (``struct node``, ``size_t``); None if there is no such type."""
        from .typed import type_named

        return type_named(self._core.program, name)

    def has_lines(self) -> bool:
        """The program itself was compiled with line information."""
        main = self._core.main
        return main is not None and bool(main.lines.units)


class StaticSymbols(Symbols):
    """A program that is not running.

    Args:
        path: of the file.

    Raises:
        NotHere: drgn is not installed.
        BadArgument: the file cannot be read as a program; `check_program` gives better reasons.
    """

    def __init__(self, path: str) -> None:
        from .core import open_file

        try:
            super().__init__(open_file(path))
        except (OSError, ValueError) as error:
            raise BadArgument(f"{path} cannot be read as a program: {error}", "name a 64-bit ELF program") from error
        self.path = path


class LiveSymbols(Symbols):
    """The image of a live process; a new one is needed after exec and after each start.

    Args:
        pid: the process, stopped.
        read: ``read(address, count)`` gives exactly that memory without our breakpoints; raises any `TracedbgError` or
            `OSError` where there is none.  Called from inside any method.

    Raises:
        NotHere: drgn is not installed.
        TraceeGone: the process is gone.
        NotPermitted: /proc refuses to show it.
        Failed: its debug information cannot be read for another reason.
    """

    _core: ProcessCore

    def __init__(self, pid: int, read: Callable[[int, int], bytes]) -> None:
        from .process import ProcessCore

        self.pid = pid
        self._read = read
        super().__init__(ProcessCore(pid, read))

    @property
    def load_bias(self) -> int:
        """Run-time address minus address in the file of the program itself; 0 for a program that is not PIE."""
        return self._core.load_bias

    def sync(self) -> bool:
        """Take note of libraries that were loaded or unloaded since the last time: call it after stops.

        Returns:
            True if anything changed, so that pending breakpoints should be looked up again.

        Raises:
            TraceeGone: the process is gone.
        """
        from .process import ProcessCore

        try:
            return self._core.sync()
        except (ValueError, OSError):
            # drgn refuses a library at an address where it still sees another one; begin anew.  If the process is gone, this
            # says so.
            self._core = ProcessCore(self.pid, self._read)
            return True

    def _main_start(self) -> int | None:
        main = self._core.main
        starts = self._core.functions_named("main")
        return starts[0] if starts and main is not None and main.contains(starts[0]) else None

    def _activations(self, regs: Sequence[int]) -> Iterator[Activation]:
        from .unwind import backtrace

        return backtrace(self._core, regs, self._main_start())

    def _activation(self, regs: Sequence[int], level: int) -> Activation:
        found = next(islice(self._activations(regs), level, None), None) if level >= 0 else None
        if found is None:
            raise NotFound(f"there is no frame {level}", "`backtrace` lists the frames")
        return found

    def _innermost(self, regs: Sequence[int]) -> Iterator[Activation]:
        from .unwind import activations

        return activations(self._core, regs, self._core.innermost(regs))

    def _frame(self, level: int, activation: Activation, with_arguments: bool = True) -> Frame:
        from .unwind import SIGNAL_FRAME, source_of
        from .variables import variables

        symbol = self._core.symbol_at(activation.code)
        image = self._core.image_at(activation.pc)
        name = activation.frame.function_name or (symbol[0] if symbol else "")
        file, line = source_of(self._core, activation)
        arguments: Sequence[Variable] = ()
        if with_arguments and activation.kind != "signal":
            arguments = variables(self._core, activation, arguments=True, scalars_only=True)
        return Frame(
            level, activation.pc, activation.cfa, SIGNAL_FRAME if activation.kind == "signal" else visible(name),
            tuple(arguments), visible(file), line, visible((image.path or image.module.name) if image else ""),
            activation.frame.is_inline, activation.interrupted, activation.kind, self.file_name(visible(file)),
        )  # fmt: skip

    def backtrace(self, regs: Sequence[int], limit: int | None = None) -> list[Frame]:
        """The stack of a stopped thread, the innermost frame first, up to ``main``.

        Args:
            regs: the 27 words of its ``user_regs_struct``.
            limit: at most so many frames.
        """
        return [self._frame(level, each) for level, each in enumerate(islice(self._activations(regs), limit))]

    def frame(self, regs: Sequence[int], level: int) -> Frame:
        """One frame of the stack.

        Raises:
            NotFound: there are fewer frames.
        """
        return self._frame(level, self._activation(regs, level))

    def top(self, regs: Sequence[int]) -> Frame:
        """The innermost frame; the cost does not grow with the stack."""
        found = next(self._innermost(regs), None)
        if found is None:
            return Frame(0, regs[16], None, "", interrupted=True)
        return self._frame(0, found)

    def frame_regs(self, regs: Sequence[int], level: int) -> dict[str, int]:
        """The registers of a frame by name (`values.USER_REGS`); those that unwinding cannot know are absent.

        Raises:
            NotFound: there are fewer frames.
        """
        if level == 0:
            from .values import USER_REGS

            return dict(zip(USER_REGS, regs, strict=True))
        return self._activation(regs, level).registers()

    def cfa(self, regs: Sequence[int]) -> int | None:
        """Canonical frame address of the innermost function: its caller's stack pointer before the call; None when unknown."""
        found = next((each for each in self._innermost(regs) if not each.frame.is_inline), None)
        return None if found is None else found.cfa

    def caller_pc(self, regs: Sequence[int]) -> int | None:
        """The return address of the innermost function that has code of its own; None when unknown."""
        frames = self._innermost(regs)
        for each in frames:
            if not each.frame.is_inline:
                break
        caller = next(frames, None)
        return None if caller is None else caller.pc

    def variables(self, regs: Sequence[int], level: int, *, arguments: bool) -> list[Variable]:
        """The arguments, or the local variables with those of the innermost block first.

        Args:
            regs: the 27 words of the thread's ``user_regs_struct``.
            level: number of the frame.
            arguments: the arguments; otherwise all other variables.

        Raises:
            NotFound: there are fewer frames.
        """
        from .variables import variables

        return variables(self._core, self._activation(regs, level), arguments=arguments)

    def _evaluator(self, regs: Sequence[int], level: int) -> Evaluator:
        from .expressions import Evaluator

        return Evaluator(self._core, regs, self._activation(regs, level))

    def print_name(self, regs: Sequence[int], level: int, name: str) -> Variable:
        """The value of a small expression in a frame; see `expressions` for the forms.

        Raises:
            NotFound: no such frame, name or member.
            BadSyntax, BadArgument: not an expression of these forms, or one that makes no sense.
        """
        return self._evaluator(regs, level).show(name)

    def value(self, regs: Sequence[int], level: int, text: str, letter: str = "") -> Value:
        """The value of an expression with its type, number and address.

        Args:
            regs: the 27 words of the thread's ``user_regs_struct``.
            level: number of the frame.
            text: the expression.
            letter: one of gdb's output formats (x d u o t z a c f s); empty for that of the type.

        Raises:
            NotFound, BadSyntax, BadArgument: as for `print_name`.
        """
        from .typed import LetterFormatter, typed
        from .variables import formatter_for

        value = self._evaluator(regs, level).value(text)
        core = self._core
        made = formatter_for(core)
        return typed(value, LetterFormatter(made.symbol, letter) if letter else made)

    def assign(self, regs: Sequence[int], level: int, name: str, text: str) -> tuple[int, bytes]:
        """What must be written where, so that a variable gets a value; the caller writes it.

        Raises:
            NotNow: the variable is in a register, or was optimised out.
            NotFound, BadSyntax, BadArgument: as for `print_name`, or the value does not fit.
        """
        return self._evaluator(regs, level).assign(name, text)

    def return_value(self, regs: Sequence[int], function_pc: int, fp_regs: bytes | None = None) -> Variable | None:
        """The value of a function that has just returned.

        Args:
            regs: the 27 words right after the return.
            function_pc: an address in the function that returned.
            fp_regs: the thread's ``user_fpregs_struct`` (512 bytes, PTRACE_GETFPREGS); without it there are no floating-point
                values.

        Returns:
            The value with its type, named ``Value returned``; None for ``void`` and for functions without debug information.
        """
        from .variables import returned_variable

        return returned_variable(self._core, function_pc, regs, fp_regs)


def try_live(pid: int, read: Callable[[int, int], bytes]) -> tuple[LiveSymbols | None, str]:
    """`LiveSymbols`, or None and the reason in one line: debugging goes on without symbols."""
    try:
        return LiveSymbols(pid, read), ""
    except TracedbgError as error:
        return None, str(error)
