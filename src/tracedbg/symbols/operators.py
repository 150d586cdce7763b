"""C's operators with two operands, applied to objects of the program: ``n * 3``, ``$sp + 8``, ``p == q``.

Any thread, under the session's lock.  drgn brings C's conversions and pointer arithmetic; here are the order of the operators
and the few cases that it leaves out.  Nothing is written.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping

from tracedbg.model.errors import BadArgument

from .formatter import plain
from .library import drgn

_Kind = drgn.TypeKind

PRECEDENCE: Mapping[str, int] = {
    "||": 1, "&&": 2, "|": 3, "^": 4, "&": 5, "==": 6, "!=": 6, "<": 7, ">": 7, "<=": 7, ">=": 7,
    "<<": 8, ">>": 8, "+": 9, "-": 9, "*": 10, "/": 10, "%": 10,
}  # fmt: skip
"""How tightly each operator binds (ISO C, 6.5.5 to 6.5.14); all of them group from the left."""

_COMPARISONS: Mapping[str, Callable[[drgn.Object, drgn.Object], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge,
}  # fmt: skip
_ARITHMETIC: Mapping[str, Callable[[drgn.Object, drgn.Object], drgn.Object]] = {
    "|": operator.or_, "^": operator.xor, "&": operator.and_, "<<": operator.lshift, ">>": operator.rshift,
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "%": operator.mod,
}  # fmt: skip


def apply(sign: str, left: drgn.Object, right: drgn.Object) -> drgn.Object:
    """The value of ``left sign right``.

    Raises:
        BadArgument: the operator makes no sense with these types, or divides by zero.
    """
    left, right = _decayed(left), _decayed(right)
    program = left.prog_
    try:
        if sign in ("&&", "||"):
            truth = (bool(left) and bool(right)) if sign == "&&" else (bool(left) or bool(right))
            return drgn.Object(program, "int", int(truth))
        if sign in _COMPARISONS:
            return drgn.Object(program, "int", int(bool(_COMPARISONS[sign](left, right))))
        if _is_code_pointer(left) and sign in "+-":
            # A function has no size in C; GNU C, gdb and the reader of `main+4` count bytes.
            step = int(right) if sign == "+" else -int(right)
            return drgn.Object(program, left.type_, (int(left) + step) & (1 << 64) - 1)
        return _ARITHMETIC[sign](left, right)
    except ZeroDivisionError as error:
        raise BadArgument("division by zero", "divide by something else") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise BadArgument(f"{sign} makes no sense there: {error}", "it works on numbers and pointers") from error


def _decayed(value: drgn.Object) -> drgn.Object:
    """A function stands for its address (ISO C, 6.3.2.1); drgn does the same for arrays by itself."""
    if plain(value.type_).kind == _Kind.FUNCTION:
        return value.address_of_()
    if plain(value.type_).kind == _Kind.VOID and value.address_ is not None:
        # A symbol without a type, as in a program compiled without -g: its address is all that is known.
        program = value.prog_
        return drgn.Object(program, program.pointer_type(program.void_type()), value.address_)
    return value


def _is_code_pointer(value: drgn.Object) -> bool:
    type_ = plain(value.type_)
    return bool(type_.kind == _Kind.POINTER and plain(type_.type).kind == _Kind.FUNCTION)
