"""Commands about values: print, ptype, whatis, set variable; and how other commands understand an address.

Command thread.  Handlers print nothing.  Registers are fetched from the tracer before the lock of the symbols is taken.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import msgspec

from tracedbg.kernel.regs import Registers, flags_words
from tracedbg.lang.params import NO_FORMAT, Expression, FormatSpec
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import BadArgument, BadSyntax, NotFound, NotHere, NotNow, TracedbgError
from tracedbg.model.text import Shown, visible
from tracedbg.symbols.notation import number_text
from tracedbg.tracer import ops

from .looking import stopped_registers

if TYPE_CHECKING:
    from tracedbg.session.session import Session
    from tracedbg.symbols.typed import Value

table = CommandTable("values", "Looking at values and changing them")

_ASSIGNMENT = re.compile(r"(?P<target>.*?[^=!<>])=(?!=)(?P<value>.*)", re.DOTALL)
_HISTORY = re.compile(r"\$(\d+)\b")
_TERM = re.compile(r"\s*(?:(?P<number>0[xX][0-9a-fA-F]+|\d+)|\$(?P<register>[A-Za-z]\w*))\s*")
_SIZED = re.compile(r"\{\s*(byte|char|short|int|long)\s*\}\s*(.+)", re.DOTALL)
_SIZES = {"byte": 1, "char": 1, "short": 2, "int": 4, "long": 8}
_MASK = (1 << 64) - 1


# --- numbers and addresses ----------------------------------------------------------------------------------------------------
def named(session: Session, address: int) -> str:
    """``main`` or ``main+4`` for an address; empty where nothing is known, or nothing can be known here."""
    with session.program.places.lock:
        try:
            place = session.program.places.symbols().place(address)
        except TracedbgError:
            return ""
    if not place.symbol:
        return ""
    return f"{place.symbol}+{place.offset}" if place.offset else place.symbol


def number_of(session: Session, text: str) -> int:
    """The number that an expression means: an integer, a pointer, or the address of a function or an array.

    Without debug information numbers, symbols and ``$REGISTER`` still work, and sums of these.

    Args:
        session: whose program it is.
        text: as typed.

    Raises:
        BadArgument: it is a structure, or another thing without a number.
        NotFound, BadSyntax: as for the expression.
        NotNow: it needs a register or a variable, and the program is not stopped.
    """
    program, places = session.program, session.program.places
    text = _with_history(session, text)
    regs = stopped_registers(session) if program.alive else None
    # Registers of an outer frame are known to the symbols only.
    simple = _sum(text, regs if not program.level else None)
    if simple is not None:
        return simple
    if regs is None or not places.has_live:
        return _symbol_address(session, text, regs)
    try:
        with places.lock:
            places.sync()
            value = places.live().value(regs.words, program.level, text)
    except (BadSyntax, NotFound) as error:
        # A name that is no name in C, such as printf@plt.
        try:
            return _symbol_address(session, text, regs)
        except TracedbgError:
            raise error from None
    if value.number is None:
        raise BadArgument(f"'{text}' is a {value.type_name}, and no number", f"its address is &({text})")
    return value.number & _MASK


def _symbol_address(session: Session, text: str, regs: Registers | None) -> int:
    if "$" in text and regs is None:
        raise NotNow("registers have values only while the program is stopped", "start it with run")
    with session.program.places.lock:
        return session.program.places.symbols().address_of(text.strip())


def _sum(text: str, regs: Registers | None) -> int | None:
    """A sum or difference of numbers and registers of frame 0; None for anything else.  It needs no debug information."""
    text = text.strip()
    total, sign, at = 0, 1, 0
    if text.startswith("-"):
        sign, at = -1, 1
    while True:
        match = _TERM.match(text, at)
        if match is None or (match["register"] and regs is None):
            return None
        number, register = match["number"], match["register"]
        if number:
            term = int(number, 0 if number[:2] in ("0x", "0X") else 10)
        elif regs is None:
            return None
        else:
            try:
                term = regs[register]
            except NotFound:
                return None
        total += sign * term
        at = match.end()
        if at == len(text):
            return total & _MASK
        if text[at] not in "+-":
            return None
        sign = 1 if text[at] == "+" else -1
        at += 1


def _with_history(session: Session, text: str) -> str:
    """``$3`` replaced by what `print` answered as number 3, if that was a number."""

    def earlier(match: re.Match[str]) -> str:
        found = session.variables.get(match[1])
        if found is None:
            raise NotFound(f"there is no value ${match[1]} yet", "print makes them")
        return f"({found})" if re.fullmatch(r"-?(0x)?[0-9a-f]+", found) else found

    return _HISTORY.sub(earlier, text)


# --- print --------------------------------------------------------------------------------------------------------------------
class Printed(msgspec.Struct, frozen=True):
    """A value.

    Args:
        number: under which it can be used again, as ``$1``.
        text: the value.
        type_name: its type in C, empty where there is none.
        value: the number, where it is one.
    """

    number: int
    text: str
    type_name: str = ""
    value: int | None = None

    def lines(self, width: int) -> list[Shown]:
        """``$1 = 5``."""
        return [visible(f"${self.number} = {self.text}")]


@table.add("print", "p", "inspect")
def print_(
    session: Session,
    fmt: Annotated[FormatSpec, "x d u o t z a c f s"] = NO_FORMAT,
    expression: Annotated[Expression, "what to evaluate, or VARIABLE = VALUE"] = "",
) -> Printed:
    """Evaluate an expression in the selected frame and show its value.

    Names, numbers, $REGISTER, casts and the operators of C work; VARIABLE = VALUE changes it first. $1, $2 ... are earlier
    answers.

    In the kernel: PTRACE_GETREGS by the tracer thread; memory is read through /proc/PID/mem.

    Example: print n * 2
      print/x $sp + 8
      print *node
      print node->next
    """
    if not expression:
        raise BadArgument("an expression is missing", "usage: print [/FORMAT] EXPRESSION")
    if fmt.count is not None or fmt.size:
        raise BadArgument("print takes one letter after the slash, without a count or a size", "x/NFU looks at memory")
    if re.fullmatch(r"\$\d+", expression) and not fmt.letter:
        earlier = session.variables.get(expression[1:])
        if earlier is not None:
            return _remember(session, earlier)
    assignment = _ASSIGNMENT.fullmatch(expression)
    if assignment:
        set_variable(session, expression)
        expression = assignment["target"].strip()
    return _evaluated(session, expression, fmt.letter)


def _evaluated(session: Session, expression: str, letter: str) -> Printed:
    program, places = session.program, session.program.places
    name = expression.strip().removeprefix("$")
    if expression.strip().startswith("$") and session.variable(name) is not None:
        return _remember(session, session.variable(name) or "")
    text = _with_history(session, expression)
    regs = stopped_registers(session) if program.alive else None
    if regs is None or not places.has_live:
        return _simple(session, text, regs, letter)
    register = re.fullmatch(r"\s*\$(\w+)\s*", text)
    if register and register[1] == "eflags" and not letter and program.level == 0:
        return _remember(session, flags_words(regs["eflags"]), "i386_eflags", regs["eflags"])
    with places.lock:
        places.sync()
        live = places.live()
        if register and register[1] in ("rip", "pc") and not letter:
            shown = live.print_name(regs.words, program.level, text)  # gdb shows it as a pointer to a function
            return _remember(session, shown.text, shown.type_name, live.value(regs.words, program.level, text).number)
        value: Value = live.value(regs.words, program.level, text, letter)
    if value.type_name == "void":
        raise NotFound(
            f"'{text}' has unknown type: its part of the program was compiled without -g",
            f"cast it to its type: print *(int *)&{text}, or look at the memory: x/4xw &{text}",
        )
    return _remember(session, value.text, value.type_name, value.number)


def _simple(session: Session, text: str, regs: Registers | None, letter: str) -> Printed:
    """Numbers, registers and symbols, where there is no process or no debug information."""
    number = _sum(text, regs)
    if number is None:
        if regs is None and re.search(r"[A-Za-z_]", text.replace("0x", "")):
            with session.program.places.lock:
                try:
                    number = session.program.places.symbols().address_of(text)
                except TracedbgError:
                    raise NotNow("variables have values only while the program runs", "start it with run or start") from None
            return _remember(session, f"{number:#x} <{text.strip()}>", "", number)
        number = number_of(session, text)
    signed = number - (1 << 64) if number >> 63 else number
    return _remember(session, number_text(signed, letter or "d", 8, lambda at: named(session, at)), "long", number)


def _remember(session: Session, text: str, type_name: str = "", value: int | None = None) -> Printed:
    """Give an answer its number."""
    number = 1 + max((int(name) for name in session.variables if name.isdigit()), default=0)
    session.variables[str(number)] = text if value is None else str(value)
    return Printed(number, visible(text), type_name, value)


# --- types --------------------------------------------------------------------------------------------------------------------
class TypeShown(msgspec.Struct, frozen=True):
    """A type, as its name or written out."""

    text: tuple[str, ...]

    def lines(self, width: int) -> list[Shown]:
        """``type = int``."""
        return [visible(line) for line in (f"type = {self.text[0]}", *self.text[1:])]


def _type_of(session: Session, text: str) -> tuple[str, tuple[str, ...]]:
    """Name and definition of the type of an expression, or of the type that `text` names."""
    places, program = session.program.places, session.program
    regs = stopped_registers(session) if program.alive else None
    with places.lock:
        problem: TracedbgError | None = None
        if regs is not None and places.has_live:
            try:
                value = places.live().value(regs.words, program.level, text)
            except (NotFound, BadSyntax) as error:
                problem = error
            else:
                return value.type_name, value.definition
        found = places.symbols().type_definition(text)
    if found is None:
        raise problem or NotFound(f"there is no type {text}", "while the program is stopped, names of variables work too")
    return found


@table.add("whatis")
def whatis(session: Session, expression: Annotated[Expression, "an expression or a type"]) -> TypeShown:
    """Show the type of an expression by its name.

    In the kernel: nothing but PTRACE_GETREGS; types come from the debug information.

    Example: whatis node->next
    """
    return TypeShown((_type_of(session, expression)[0],))


@table.add("ptype", "pt")
def ptype(session: Session, expression: Annotated[Expression, "an expression or a type"]) -> TypeShown:
    """Show the type of an expression written out, with all members of a structure.

    In the kernel: nothing but PTRACE_GETREGS; types come from the debug information.

    Example: ptype struct node
    """
    return TypeShown(_type_of(session, expression)[1])


# --- changing values ----------------------------------------------------------------------------------------------------------
class Changed(msgspec.Struct, frozen=True):
    """A register or some bytes of memory have another value now.

    Args:
        register: its name, empty for memory.
        address: of the bytes, 0 for a register.
        before: the old value or bytes.
        after: the new one.
    """

    register: str
    address: int
    before: bytes
    after: bytes

    def lines(self, width: int) -> list[Shown]:
        """Nothing, as gdb: the change was asked for."""
        return []


@table.add("set variable", "set var")
def set_variable(session: Session, assignment: Annotated[Expression, "VARIABLE = VALUE"]) -> Changed:
    """Change a variable, a register, or some bytes of memory.

    {byte}, {short}, {int} or {long} before an address says how many bytes are meant.

    In the kernel: PTRACE_SETREGS for a register; memory is written through /proc/PID/mem. Planted breakpoints stay planted.

    Example: set var n = 10
      set var $rax = 0
      set {int} $sp = 5
    """
    match = _ASSIGNMENT.fullmatch(assignment)
    if not match or not match["value"].strip() or not match["target"].strip():
        raise BadSyntax("an assignment is written NAME = VALUE", "for example: set var n = 10", column=0)
    target, text = match["target"].strip(), match["value"].strip()
    session.program.need_stopped()
    if target.startswith("$"):
        return _set_register(session, target[1:], text)
    sized = _SIZED.fullmatch(target)
    if sized:
        size = _SIZES[sized[1]]
        number = number_of(session, text)
        data = number.to_bytes(8, "little")
        if data[size:] not in (bytes(8 - size), b"\xff" * (8 - size)):
            raise BadArgument(f"{text} does not fit into {size} bytes", "choose another size or number")
        return _write(session, number_of(session, sized[2]), data[:size])
    regs = stopped_registers(session)
    places = session.program.places
    if not places.has_live:
        raise NotHere("variables are not known without debug information", f"write memory: set {{int}} ADDRESS = {text}")
    with places.lock:
        places.sync()
        address, data = places.live().assign(regs.words, session.program.level, target, _with_history(session, text))
    return _write(session, address, data)


@table.add("set")
def set_(session: Session, assignment: Annotated[Expression, "VARIABLE = VALUE"]) -> Changed:
    """Change a variable, register or memory, like `set var`; the other `set` commands change settings.

    In the kernel: PTRACE_SETREGS, or a write to /proc/PID/mem.

    Example: set $rip = main
    """
    if not _ASSIGNMENT.fullmatch(assignment):
        raise BadArgument(f"there is no setting '{assignment.split()[0]}'", "help set lists them; NAME = VALUE changes a variable")
    return set_variable(session, assignment)


def _set_register(session: Session, name: str, text: str) -> Changed:
    program = session.program
    regs = program.registers()
    before = regs[name]
    if program.level:
        raise NotNow(f"frame {program.level} is selected, and only the innermost one has registers to set", "frame 0, then again")
    changed = session.tracer.call(ops.set_register, program.tid, name, number_of(session, text))
    return Changed(name, 0, before.to_bytes(8, "little"), changed[name].to_bytes(8, "little"))


def _write(session: Session, address: int, data: bytes) -> Changed:
    before = session.program.memory().read(address, len(data))
    session.tracer.call(ops.write_memory, session.program.need_process(), address, data)
    return Changed("", address, before, data)
