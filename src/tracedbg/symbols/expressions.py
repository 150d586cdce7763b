"""C expressions: ``name``, ``*p``, ``&x``, ``a.b``, ``p->b``, ``a[3]``, ``$rip``, ``(long *)p``, ``n * 3`` and their combinations.

Any thread, under the session's lock.  It reads and never writes: for an assignment it says which bytes belong where.  Calls,
assignments inside expressions and ``? :`` are not part of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tracedbg.model.errors import BadArgument, BadSyntax, NotFound, NotNow
from tracedbg.model.text import visible

from .formatter import OPTIMIZED_OUT, plain
from .library import drgn
from .operators import PRECEDENCE, apply
from .process import ProcessCore
from .unwind import Activation
from .values import FS_BASE, Variable
from .variables import formatter_for

_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-z_]\w*)|(?P<number>0[xX][0-9a-fA-F]+|\d+)|\$(?P<register>\w+)|(?P<char>'(?:\\.|[^\\'])')"
    r"|(?P<sign>->|<<|>>|<=|>=|==|!=|&&|\|\||[.\[\](){}*&+/%|^~!<>-]))"
)
_TYPE = re.compile(r"\(\s*([A-Za-z_]\w*(?:\s+[A-Za-z_]\w*)*[\s*]*)\)|\{\s*([A-Za-z_]\w*(?:\s+[A-Za-z_]\w*)*[\s*]*)\}")
_ALIASES = {"pc": "rip", "sp": "rsp", "fp": "rbp"}
_CHARACTER = re.compile(r"'(\\[0abfnrtv\\'\"]|[^\\'])'")
_ESCAPED = {"0": 0, "a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_Kind = drgn.TypeKind
_FORMS = "names, numbers, $REGISTER, * & . -> [ ], casts and the operators of C can be evaluated"


class Evaluator:
    """Evaluates expressions in one frame.

    Args:
        core: of the process.
        regs: the thread's 27 words of ``user_regs_struct``.
        activation: the frame.
    """

    def __init__(self, core: ProcessCore, regs: Sequence[int], activation: Activation) -> None:
        self._core = core
        self._regs = regs
        self._activation = activation
        self._tokens: list[tuple[str, str, int]] = []
        self._at = 0
        self._text = ""

    def value(self, text: str) -> drgn.Object:
        """The object that an expression means.

        Raises:
            NotFound: a name or member does not exist.
            BadSyntax, BadArgument: the text is no such expression, or makes no sense with these types.
        """
        self._tokens, self._at = [], 0
        at = 0
        self._text = text = text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise BadSyntax(f"{text[at:].lstrip()[:1]!r} cannot be evaluated here", _FORMS, column=at)
            kind = match.lastgroup or ""
            self._tokens.append((kind, match[kind], match.start(kind)))
            at = match.end()
        self._tokens.append(("end", "", at))
        try:
            found = self._binary(0)
            if self._peek()[0] != "end":
                raise BadSyntax(f"{text[self._peek()[2] :]!r} is left over", _FORMS, column=self._peek()[2])
        except drgn.FaultError as error:
            raise BadArgument(f"there is no memory at {error.address:#x}", "check the pointer") from error
        except drgn.ObjectAbsentError as error:
            raise BadArgument(f"{text} has no value here: {OPTIMIZED_OUT}", "compile with -O0 or -Og to keep it") from error
        except RecursionError as error:
            raise BadSyntax("the expression is nested too deeply", _FORMS) from error
        return found

    def _peek(self) -> tuple[str, str, int]:
        return self._tokens[self._at]

    def _next(self) -> tuple[str, str, int]:
        token = self._tokens[self._at]
        self._at += token[0] != "end"
        return token

    def _accept(self, sign: str) -> bool:
        if self._peek()[:2] == ("sign", sign):
            self._at += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._accept(sign):
            raise BadSyntax(f"{sign!r} is missing", _FORMS, column=self._peek()[2])

    def _binary(self, loosest: int) -> drgn.Object:
        """Operands joined by operators that bind more tightly than `loosest` (precedence climbing)."""
        left = self._unary()
        while True:
            kind, sign, _ = self._peek()
            level = PRECEDENCE.get(sign, 0) if kind == "sign" else 0
            if level <= loosest:
                return left
            self._at += 1
            left = apply(sign, left, self._binary(level))

    def _type_here(self) -> drgn.Type | None:
        """The type in parentheses or braces that stands here, which is then taken: a cast, or gdb's ``{TYPE} ADDRESS``."""
        match = _TYPE.match(self._text, self._peek()[2])
        if match is None:
            return None
        try:
            found = self._core.program.type((match[1] or match[2]).strip())
        except (LookupError, ValueError, SyntaxError):
            return None  # a variable in parentheses
        while self._peek()[0] != "end" and self._peek()[2] < match.end():
            self._at += 1
        return found

    def _cast(self, type_: drgn.Type) -> drgn.Object:
        value = self._unary()
        try:
            if plain(value.type_).kind == _Kind.VOID and value.address_ is not None:
                return drgn.Object(self._core.program, type_, address=value.address_)  # now its type is known
            if plain(value.type_).kind == _Kind.FUNCTION:
                value = drgn.Object(self._core.program, "unsigned long", value.address_)
            elif plain(value.type_).kind == _Kind.ARRAY:
                value = value + 0  # it decays into a pointer to its first element
            return drgn.cast(type_, value)
        except (TypeError, ValueError) as error:
            raise BadArgument(f"that cannot be cast to {type_.type_name()}: {error}", "cast numbers and pointers") from error

    def _unary(self) -> drgn.Object:
        sign = self._peek()[1] if self._peek()[0] == "sign" else ""
        if sign in ("(", "{") and (type_ := self._type_here()) is not None:
            if sign == "(":
                return self._cast(type_)
            where = apply("+", self._unary(), drgn.Object(self._core.program, "int", 0))
            return drgn.Object(self._core.program, type_, address=int(where))
        if self._accept("*"):
            return _dereferenced(self._unary())
        if self._accept("+"):
            return self._unary()
        if self._accept("!"):
            return drgn.Object(self._core.program, "int", int(not self._unary()))
        if self._accept("~"):
            try:
                return ~self._unary()
            except TypeError as error:
                raise BadArgument(f"~ makes no sense there: {error}", "it works on integers") from error
        if self._accept("-"):
            try:
                return -self._unary()
            except TypeError as error:
                raise BadArgument(f"- makes no sense there: {error}") from error
        if self._accept("&"):
            value = self._unary()
            if value.address_ is None:
                raise BadArgument("it has no address: it is in a register, or is no variable", "print its value instead")
            if value.bit_field_size_ is not None:
                raise BadArgument("a bit-field has no address", "take the address of the structure")
            return value.address_of_()
        return self._postfix(self._primary())

    def _postfix(self, value: drgn.Object) -> drgn.Object:
        while True:
            if self._accept("["):
                index = self._binary(0)
                self._expect("]")
                value = _element(value, index)
            elif self._accept(".") or self._accept("->"):
                kind, name, column = self._next()
                if kind != "name":
                    raise BadSyntax("the name of a member is missing", _FORMS, column=column)
                try:
                    value = value.member_(name)
                except (LookupError, TypeError, AttributeError) as error:
                    type_name = value.type_.type_name()
                    raise NotFound(f"{type_name} has no member {name}", f"its members: {_members(value)}") from error
            else:
                return value

    def _primary(self) -> drgn.Object:
        kind, text, column = self._next()
        if kind == "name":
            return self._lookup(text)
        if kind == "register":
            return self._register(text)
        if kind == "number":
            number = int(text, 0 if text[:2] in ("0x", "0X") else 10)
            return drgn.Object(self._core.program, "int" if number < 1 << 31 else "unsigned long", number)
        if kind == "char":
            return drgn.Object(self._core.program, "char", _character(text))
        if (kind, text) == ("sign", "("):
            value = self._binary(0)
            self._expect(")")
            return value
        raise BadSyntax("an expression is missing" if kind == "end" else f"{text!r} begins no expression", _FORMS, column=column)

    def _lookup(self, name: str) -> drgn.Object:
        program = self._core.program
        value: drgn.Object | None = None
        try:
            value = self._activation.frame[name]
        except (LookupError, ValueError, drgn.BadDataError):
            try:
                value = program[name]
            except (LookupError, ValueError, drgn.BadDataError):
                pass
        if value is not None and not value.absent_:
            return value
        if value is not None:
            return self._from_symbol(name, value.type_) or value
        symbols = self._core.symbols_named(name)
        if not symbols:
            names = ", ".join(self._activation.frame.locals()[:10])
            raise NotFound(f"there is no symbol {name} in this frame", f"variables here: {names}" if names else "see `info locals`")
        # An ELF symbol without DWARF has an address and no type; `&name` and casts work, its value is unknown.
        if symbols[0].kind in (drgn.SymbolKind.FUNC, drgn.SymbolKind.IFUNC):
            return drgn.Object(program, program.function_type(program.void_type(), (), True), address=symbols[0].address)
        return drgn.Object(program, program.void_type(), address=symbols[0].address)

    def _from_symbol(self, name: str, type_: drgn.Type) -> drgn.Object | None:
        """An object whose place drgn does not understand: a function in parts, or a variable of each thread."""
        program, main = self._core.program, self._core.main
        for symbol in program.symbols(name):
            if symbol.kind == drgn.SymbolKind.TLS and main is not None and main.elf is not None:
                # System V ABI, "ELF Handling For Thread-Local Storage", variant II: the program's block ends at fs_base.
                segment = next((each for each in main.elf.segments if each.type == 7), None)
                if segment is not None:
                    align = max(segment.align, 1)
                    block = self._regs[FS_BASE] - (segment.memory_size + align - 1) // align * align
                    return drgn.Object(program, type_, address=block + symbol.address - main.bias)
            elif symbol.kind in (drgn.SymbolKind.FUNC, drgn.SymbolKind.OBJECT) and type_.kind == _Kind.FUNCTION:
                return drgn.Object(program, type_, address=symbol.address)
        return None

    def _register(self, name: str) -> drgn.Object:
        known = self._activation.registers()
        full = _ALIASES.get(name, name)
        program = self._core.program
        if full in known:
            if full in ("rip", "rsp", "rbp"):
                return drgn.Object(program, program.pointer_type(program.void_type()), known[full])
            return drgn.Object(program, "long", known[full] - (known[full] >> 63 << 64))
        wide = "r" + name[1:] if name.startswith("e") else name.removesuffix("d")
        if wide in known and wide != name:
            low = known[wide] & 0xFFFFFFFF
            return drgn.Object(program, "int", low - (low >> 31 << 32))
        if name in ("rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "eflags", "orig_rax"):
            raise NotFound(f"the value of ${name} in this frame is not known: the called function may have changed it", "select frame 0")
        raise NotFound(f"there is no register ${name} here", "see `info registers`")

    def show(self, text: str) -> Variable:
        """The value of an expression as `print` shows it; errors as for `value`."""
        if re.fullmatch(r"\s*\$(rip|pc)\s*", text):
            address = int(self._register("rip"))
            pointed = formatter_for(self._core).text(self._register("rip"))
            return Variable(visible(text.strip()), "void (*)()", visible(f"(void (*)()) {pointed or hex(address)}"))
        value = self.value(text)
        if value.type_.kind == _Kind.VOID:
            raise NotFound(
                f"{text.strip()} has no type: its part of the program was compiled without -g", f"print &{text.strip()} or x/ it"
            )
        shown = formatter_for(self._core).text(value, top=True)
        return Variable(visible(text.strip()), visible(value.type_.type_name()), visible(shown))

    def assign(self, target: str, text: str) -> tuple[int, bytes]:
        """What to write where, so that a variable gets a value.

        Args:
            target: an expression that means a variable in memory.
            text: an integer, floating-point number, character, or name of an enumerator.

        Returns:
            Address and bytes.

        Raises:
            NotNow: the variable is in a register or was optimised out.
            BadArgument: the type or the value does not allow it.
            NotFound, BadSyntax: as for `value`.
        """
        value = self.value(target)
        if value.absent_:
            raise NotNow(f"{target} was optimised out here, so there is nothing to change", "compile with -O0 or -Og")
        if value.address_ is None:
            raise NotNow(f"{target} is in a register here, not in memory", "set the register itself: `set $REGISTER = VALUE`")
        type_ = plain(value.type_)
        if type_.kind not in (_Kind.INT, _Kind.BOOL, _Kind.FLOAT, _Kind.ENUM, _Kind.POINTER):
            raise BadArgument(f"{target} is a {value.type_.type_name()}, and only single numbers can be set", "set its parts")
        number = self._number(text.strip(), type_)
        size = drgn.sizeof(value.type_)
        if type_.kind == _Kind.FLOAT:
            if size == 16:
                raise BadArgument(f"{target} is a long double, which cannot be set", "write its ten bytes to memory")
            return int(value.address_), bytes(drgn.Object(self._core.program, value.type_, float(number)).to_bytes_())
        whole = int(number)
        bits = value.bit_field_size_
        width = bits if bits is not None else 8 * size
        if not -(1 << width - 1) <= whole < 1 << width:
            raise BadArgument(f"{whole} does not fit into the {width} bits of {target}", "choose a smaller number")
        if bits is None:
            return int(value.address_), (whole & (1 << width) - 1).to_bytes(size, "little")
        shift = value.bit_offset_
        count = (shift + bits + 7) // 8
        old = int.from_bytes(self._core.read(int(value.address_), count), "little")
        mask = (1 << bits) - 1
        return int(value.address_), (old & ~(mask << shift) | (whole & mask) << shift).to_bytes(count, "little")

    def _number(self, text: str, type_: drgn.Type) -> int | float:
        if _CHARACTER.fullmatch(text):
            return _character(text)
        if type_.kind == _Kind.BOOL and text in ("true", "false"):
            return int(text == "true")
        try:
            return int(text, 0)
        except ValueError:
            pass
        try:
            number = float(text)
        except ValueError:
            pass
        else:
            if type_.kind == _Kind.FLOAT:
                return number
            if number != number or number in (float("inf"), -float("inf")):
                raise BadArgument(f"{text} is no integer", "write an integer")
            return int(number)  # C truncates
        if type_.kind == _Kind.ENUM:
            for each in type_.enumerators or ():
                if each.name == text:
                    return int(each.value)
        try:
            value = self.value(text)
            return float(value) if plain(value.type_).kind == _Kind.FLOAT else int(value)
        except (TypeError, ValueError) as error:
            raise BadArgument(f"{text} is no number", "write an integer, a floating-point number or a 'c'") from error


def _character(text: str) -> int:
    """The value of a character constant, its quotes included."""
    char = text[1:-1]
    code = ord(char) if len(char) == 1 else _ESCAPED.get(char[1], ord(char[1]))
    return code - 256 if 127 < code < 256 else code


def _dereferenced(value: drgn.Object) -> drgn.Object:
    type_ = plain(value.type_)
    if type_.kind == _Kind.FUNCTION:
        return value
    if type_.kind not in (_Kind.POINTER, _Kind.ARRAY):
        raise BadArgument(f"a {value.type_.type_name()} is no pointer", "only pointers and arrays can be followed")
    if plain(type_.type).kind == _Kind.VOID:
        raise BadArgument("a void * says nothing about what it points to", "look at the memory with x/")
    if plain(type_.type).kind == _Kind.FUNCTION:
        return drgn.Object(value.prog_, type_.type, address=int(value))
    return value[0]


def _element(value: drgn.Object, index: drgn.Object) -> drgn.Object:
    if plain(value.type_).kind not in (_Kind.POINTER, _Kind.ARRAY):
        raise BadArgument(f"a {value.type_.type_name()} has no elements", "only arrays and pointers have")
    try:
        return value[int(index)]
    except (TypeError, OverflowError, ValueError) as error:
        raise BadArgument(f"that index makes no sense: {error}", "use an integer") from error


def _members(value: drgn.Object) -> str:
    type_ = plain(value.type_)
    if type_.kind == _Kind.POINTER:
        type_ = plain(type_.type)
    if type_.kind not in (_Kind.STRUCT, _Kind.UNION, _Kind.CLASS):
        return "none, it is no structure"
    return ", ".join(member.name or "(unnamed)" for member in list(type_.members or ())[:12])
