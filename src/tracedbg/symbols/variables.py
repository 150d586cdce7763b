"""Arguments and local variables of a frame, and the values that functions return.

Any thread, under the session's lock.  It reads registers and memory that are given to it and changes nothing.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Sequence

from tracedbg.model.text import visible

from .formatter import AGGREGATES, Formatter, long_double, plain
from .library import drgn
from .process import ProcessCore
from .unwind import Activation
from .values import RAX, RDX, Variable

_Kind = drgn.TypeKind
_ROWS = 500
"""Rows of one function that are looked at to tell its blocks apart: 0.02 ms each, once."""


def formatter_for(core: ProcessCore) -> Formatter:
    """A formatter that names addresses in the images of a process."""

    def name(address: int) -> str:
        symbol = core.symbol_at(address)
        if symbol is None:
            return ""
        return symbol[0] if address == symbol[1] else f"{symbol[0]}+{address - symbol[1]}"

    return Formatter(name)


def _parameter_names(core: ProcessCore, activation: Activation) -> list[str]:
    function = activation.frame.function_name
    if not function:
        return []
    try:
        file: str | None = activation.frame.source().filename
    except LookupError:
        file = None
    for where in (file, None):  # in a header that was included, the frame's file may not be the function's
        try:
            type_ = core.program.function(function, where).type_
        except (LookupError, ValueError, drgn.BadDataError):
            continue
        return [parameter.name for parameter in type_.parameters if parameter.name]
    return []


def _code_of_each(core: ProcessCore, activation: Activation) -> dict[tuple[str, int], int]:
    """How many bytes of the frame's function each of its variables can be seen in; empty for inlined functions.

    drgn gives the names of all blocks around a place without the blocks.  An inner block covers less code than an outer one.
    The key is a name and a number: 2 for the second block, inside the first, that has a variable of this name.
    """
    if activation.frame.is_inline:
        return {}
    bounds = core.function_range(activation.code)
    start = bounds[0] if bounds else 0
    if start not in core.visible_code:
        sizes: dict[tuple[str, int], int] = {}
        for row, _ in core.rows(activation.code)[:_ROWS]:
            if row.high == row.low:
                continue
            try:
                # drgn takes these addresses for return addresses, and looks at the byte before.
                names = core.program.stack_trace_from_pcs([row.low + 1])[-1].locals()
            except (LookupError, ValueError, drgn.BadDataError):
                continue
            for name, often in Counter(names).items():
                for depth in range(1, often + 1):
                    sizes[name, depth] = sizes.get((name, depth), 0) + row.high - row.low
        core.visible_code[start] = sizes
    return core.visible_code[start]


def variables(core: ProcessCore, activation: Activation, *, arguments: bool, scalars_only: bool = False) -> list[Variable]:
    """The arguments or the other variables of a frame.

    Args:
        core: of the process.
        activation: the frame.
        arguments: the arguments in the order of the declaration; otherwise the variables of all blocks around the place of
            execution, the innermost block first.  Of several with one name only the innermost can be seen.
        scalars_only: show structures, unions and arrays as ``...``, as in a backtrace.
    """
    formatter = formatter_for(core)
    try:
        often = Counter(activation.frame.locals())
    except (LookupError, ValueError, drgn.BadDataError):
        return []
    names = list(often)  # in the order of declaration
    parameters = _parameter_names(core, activation)
    others = [name for name in names if name not in parameters]
    if not arguments and len(others) > 1:
        sizes = _code_of_each(core, activation)
        others.sort(key=lambda name: sizes.get((name, often[name]), 0))  # a stable sort: the order of declaration stays within a block
    wanted = [name for name in parameters if name in names] if arguments else others
    found = []
    for name in wanted:
        try:
            value = activation.frame[name]
            if value.type_.kind == _Kind.FUNCTION:
                continue  # the declaration of a function inside a function is no variable
            hidden = scalars_only and plain(value.type_).kind in AGGREGATES
            text = "..." if hidden else formatter.text(value)
            found.append(Variable(visible(name), visible(value.type_.type_name()), visible(text)))
        except (LookupError, ValueError, NotImplementedError, drgn.BadDataError, drgn.FaultError) as error:
            found.append(Variable(visible(name), "", visible(f"<not readable: {error}>")))
    return found


def _leaves(type_: drgn.Type, offset: int = 0) -> Iterator[tuple[int, int, bool]]:
    """The scalars that a type consists of: offset, size, whether it is a floating-point number."""
    type_ = plain(type_)
    if type_.kind in (_Kind.STRUCT, _Kind.UNION, _Kind.CLASS):
        for member in type_.members or ():
            yield from _leaves(member.type, offset + member.bit_offset // 8)
    elif type_.kind == _Kind.ARRAY:
        for index in range(type_.length or 0):
            yield from _leaves(type_.type, offset + index * drgn.sizeof(type_.type))
    else:
        yield offset, drgn.sizeof(type_), type_.kind == _Kind.FLOAT


def returned(core: ProcessCore, type_: drgn.Type, regs: Sequence[int], fp_regs: bytes | None) -> drgn.Object | None:
    """The value of a function that has just returned (System V ABI for x86-64, 3.2.3).

    Args:
        core: of the process.
        type_: what the function returns.
        regs: the 27 words of ``user_regs_struct`` right after the return.
        fp_regs: ``struct user_fpregs_struct`` (FXSAVE layout), for values that come in xmm0 and xmm1.

    Returns:
        The value; None for void, and where `fp_regs` is needed but was not given.
    """
    behind = plain(type_)
    if behind.kind == _Kind.VOID:
        return None
    size = drgn.sizeof(type_)
    leaves = list(_leaves(type_)) if size <= 16 else []
    in_memory = size > 16 or any(at % min(length, 16) for at, length, _ in leaves)
    if in_memory or any(is_float and length == 16 for _, length, is_float in leaves):
        return drgn.Object(core.program, type_, address=regs[RAX])
    integers = [struct.pack("<Q", regs[RAX]), struct.pack("<Q", regs[RDX])]
    floats = [fp_regs[160:168], fp_regs[176:184]] if fp_regs else []
    data = b""
    for word in range((size + 7) // 8):
        kinds = [is_float for at, length, is_float in leaves if at < 8 * word + 8 and at + length > 8 * word]
        if kinds and all(kinds):
            if not floats:
                return None
            data += floats.pop(0)
        else:
            data += integers.pop(0)
    return drgn.Object.from_bytes_(core.program, type_, data[:size])


def returned_variable(core: ProcessCore, function_pc: int, regs: Sequence[int], fp_regs: bytes | None) -> Variable | None:
    """The returned value as text; arguments and result as for `engine.LiveSymbols.return_value`."""
    scopes = core.scopes(function_pc)
    if not scopes:
        return None
    name, file, _ = scopes[-1]
    for where in (file, None):
        try:
            type_ = core.program.function(name, where).type_.type
            if plain(type_).kind == _Kind.FLOAT and drgn.sizeof(type_) == 16:
                # drgn has no values of this format.  A long double comes in st0, the first of the x87 registers.
                text = long_double(fp_regs[32:42]) if fp_regs else None
                return Variable("Value returned", visible(type_.type_name()), visible(text)) if text else None
            value = returned(core, type_, regs, fp_regs)
        except (LookupError, ValueError, TypeError, drgn.BadDataError):
            continue
        if value is None:
            return None
        return Variable("Value returned", visible(type_.type_name()), formatter_for(core).text(value, top=True))
    return None
