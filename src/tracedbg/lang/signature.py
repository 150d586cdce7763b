"""What a handler's signature and docstring say about its command.

Pure, any thread.  Must not be asked at import, only when a row is first used: a hundred signatures are felt at start-up.  The code
object says all that is needed, so `inspect.signature` and its objects are left alone.
"""

from __future__ import annotations

import textwrap
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from .grammar import quote_word
from .paramtypes import ParamType

Kind = Literal["word", "words", "each", "tail", "format", "option", "flag", "given"]
REQUIRED: Any = msgspec.UNSET
"""Default of a parameter that has none."""

_GIVEN = ("actors", "background", "line")
"""Keyword-only parameters that come from the line itself, not from its words."""


class Param(msgspec.Struct, frozen=True):
    """One argument of a command.

    Args:
        name: of the parameter.
        type: how it is parsed, completed and shown; None for ``given``.
        help: what it is for.
        kind: one ``word``; all further ``words`` as one value; ``each`` further word a value; the ``tail`` as typed; the
            ``format`` after the slash; an ``option`` (``--name VALUE`` or ``name=VALUE``) or ``flag`` (``--name``); ``given``
            by the line (`actors`, `background`, `line`).
        default: value when it is left out, `REQUIRED` if it must be there.
    """

    name: str
    type: ParamType[Any] | None
    help: str = ""
    kind: Kind = "word"
    default: Any = REQUIRED

    @property
    def option_name(self) -> str:
        """``--tty`` for an option called `tty`."""
        return "--" + self.name.rstrip("_").replace("_", "-")

    @property
    def usage(self) -> str:
        """The argument in a usage line, the blank before it included."""
        if self.type is None:
            return f" [{self.option_name}]" if self.kind == "flag" else ""
        shown = self.type.name
        if self.kind == "format":
            return f"[{shown}]" if self.default is not REQUIRED else shown
        if self.kind == "option":
            shown = f"{self.option_name} {shown}"
        elif self.kind == "each" or self.kind == "words":
            shown += "..."
        return f" {shown}" if self.default is REQUIRED and self.kind != "each" else f" [{shown}]"

    def show(self, value: object) -> str:
        """Return `value` as it could be typed."""
        assert self.type is not None, f"{self.name} is not typed by anyone"
        text = self.type.show(value)
        return quote_word(text) if self.kind in ("word", "each", "option") else text


class Help(msgspec.Struct, frozen=True):
    """A docstring in parts.

    Args:
        summary: its first line.
        text: further paragraphs, each one line.
        kernel: the paragraph that begins with ``In the kernel:``, without these words.
        examples: the lines of paragraphs that begin with ``Example:``.
    """

    summary: str
    text: tuple[str, ...] = ()
    kernel: str = ""
    examples: tuple[str, ...] = ()


_FOR_READERS_OF_CODE = ("Args:", "Returns:", "Raises:", "Yields:")


def read_help(handler: Callable[..., object]) -> Help:
    """Return the parts of a handler's docstring.

    Raises:
        ValueError: it has none: a command without help is a mistake of ours.
    """
    doc = handler.__doc__
    if not doc or not doc.strip():
        raise ValueError(f"{handler.__qualname__} has no docstring, so its command has no help")
    first, _, rest = doc.strip().partition("\n")
    text: list[str] = []
    kernel, examples = "", []
    for paragraph in textwrap.dedent(rest).strip().split("\n\n"):
        lines = [line.rstrip() for line in paragraph.strip("\n").splitlines()]
        joined = " ".join(line.strip() for line in lines)
        if joined.startswith("In the kernel:"):
            kernel = joined.removeprefix("In the kernel:").strip()
        elif joined.startswith(("Example:", "Examples:")):
            lines[0] = lines[0].strip().partition(":")[2]
            examples += [line.strip() for line in lines if line.strip()]
        elif joined and not joined.startswith(_FOR_READERS_OF_CODE):
            text.append(joined)
    return Help(first.strip(), tuple(text), kernel, tuple(examples))


def read_params(handler: Callable[..., object]) -> tuple[Param, ...]:
    """Return the parameters of a handler after the session, in the order in which their words are taken.

    Raises:
        TypeError: a parameter names no `ParamType`, or one that takes the rest of the line is not the last.
    """
    code = handler.__code__
    names = code.co_varnames
    positional, keyword = code.co_argcount, code.co_kwonlyargcount
    defaults = handler.__defaults__ or ()
    required = positional - len(defaults)
    params: list[Param] = []
    for index in range(1, positional):
        default = defaults[index - required] if index >= required else REQUIRED
        params.append(_param(handler, names[index], default, "word"))
    keyword_defaults = handler.__kwdefaults__ or {}
    only = names[positional : positional + keyword]
    params += [_param(handler, name, keyword_defaults.get(name, REQUIRED), "option") for name in only]
    if code.co_flags & 0x04:  # CO_VARARGS: `*ids` takes each further word (inspect module, code flags)
        params.append(_param(handler, names[positional + keyword], (), "each"))
    greedy = [param for param in params if param.kind in ("words", "each", "tail")]
    places = [param for param in params if param.kind in ("word", "words", "each", "tail")]
    if len(greedy) > 1 or (greedy and places[-1] is not greedy[0]):
        raise TypeError(f"{handler.__qualname__}: {greedy[0].name} takes the rest of the line, so it must be the last word")
    return tuple(params)


def _param(handler: Callable[..., object], name: str, default: object, kind: Kind) -> Param:
    if kind == "option" and name in _GIVEN:
        return Param(name, None, "", "given", default)
    annotation = handler.__annotations__.get(name)
    if isinstance(annotation, str):
        # `from __future__ import annotations` leaves our own source text here; typing.get_type_hints would evaluate it just so, but
        # all at once, the session's type included, which handlers may import for the type checker only.
        annotation = eval(annotation, handler.__globals__)
    kind_of, text = _annotated(annotation)
    if kind == "option" and kind_of is None and _bare(annotation) is bool:
        return Param(name, None, text, "flag", default)
    if kind_of is None:
        raise TypeError(f"{handler.__qualname__}: parameter {name} needs Annotated[KIND, 'help'] with a kind of lang.params")
    if kind == "word":
        kind = kind_of.takes
    return Param(name, kind_of, text, kind, default)


def _annotated(annotation: object) -> tuple[ParamType[Any] | None, str]:
    """Return the kind and the help of ``Annotated[Kind, "help"]``, also inside ``… | None``."""
    origin = get_origin(annotation)
    kind: ParamType[Any] | None = None
    text = ""
    if origin is Annotated:
        base, *notes = get_args(annotation)
        kind = next((note for note in notes if isinstance(note, ParamType)), None)
        text = next((note for note in notes if isinstance(note, str)), "")
        if kind is None:
            kind = _annotated(base)[0]
    elif origin in (Union, types.UnionType):
        found = [_annotated(one) for one in get_args(annotation)]
        return next((one for one in found if one[0]), (None, ""))
    return kind, text


def _bare(annotation: object) -> object:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
