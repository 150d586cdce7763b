"""How each kind of argument is parsed, completed and shown.

Pure, any thread; completion reads names from a `Context` and directories from the disk, nothing else.  Must not make requests or
look anything up in a program: that an address exists or a thread is stopped is the handler's business.

For every kind, ``parse(show(value)) == value``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

from tracedbg.model import names
from tracedbg.model.errors import BadArgument

T = TypeVar("T")
Takes = Literal["word", "words", "tail", "format"]


class Context(Protocol):
    """What the language may ask of a session: names, never actions.  Any thread; must answer at once."""

    def variable(self, name: str) -> str | None:
        """Return the value of ``$name`` (``tracee``, or what an expectation captured), None if it is not set."""
        ...

    def names(self, kind: str, prefix: str) -> Iterable[str]:
        """Return names that are worth offering; all of them will do, `prefix` only helps where there are many.

        Args:
            kind: actor, call, thread, breakpoint, symbol, source, lane, fact, command; register and variable without ``$``.
            prefix: what was typed so far.
        """
        ...


class Choice(NamedTuple):
    """One candidate of a completion: its text and a few words on it."""

    text: str
    meta: str = ""


class ParamType(Generic[T]):
    """A kind of argument.

    Args:
        name: in usage lines, in capitals.
        takes: one ``word``; all further ``words`` (joined by a blank); the ``tail`` of the line exactly as typed; or the
            ``format`` after the verb's slash.
        variables: ``$name`` is replaced by its value first; False where ``$`` means something else (registers, expressions).
        filters: `complete` returns only what fits already (not all that begins with the prefix fits, and the reverse).
        tail_word: for a tail, what of the typed text is the name to complete.
        about: what is accepted, for help.
    """

    takes: Takes = "word"
    variables = True
    filters = False
    tail_word = re.compile(r"\S*$")
    about = ""

    def __init__(self, name: str, about: str = "") -> None:
        self.name = name
        self.about = about or self.about

    def parse(self, text: str) -> T:
        """Return the value of `text`.

        Raises:
            BadArgument: it is none.
        """
        raise NotImplementedError

    def show(self, value: T) -> str:
        """Return text that `parse` turns into `value` again."""
        return str(value)

    def complete(self, context: Context, prefix: str) -> Iterable[Choice]:
        """Return candidates for a word that begins with `prefix` (whoever asks filters)."""
        return ()

    def bad(self, text: str, todo: str = "") -> BadArgument:
        """Return the error for `text`."""
        return BadArgument(f"'{text}' is not {self.about or 'a ' + self.name}", todo)


_NUMBER = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))")


def number(text: str) -> int | None:
    """Return the value of a C integer constant (decimal, 0x, octal with a leading 0, signed), None if it is none."""
    # Nothing here needs more than 64 bits, and int() itself refuses 4301 digits with an error of its own.
    found = _NUMBER.fullmatch(text) if len(text) <= 40 else None
    if not found:
        return None
    sign, hexadecimal, octal, decimal = found.groups()
    value = int(hexadecimal, 16) if hexadecimal else int(octal, 8) if octal else int(decimal)
    return -value if sign == "-" else value


class NumberType(ParamType[int]):
    """An integer in C's spelling, between two bounds."""

    def __init__(self, name: str, about: str, low: int | None = None, high: int | None = None) -> None:
        super().__init__(name, about)
        self.low, self.high = low, high

    def parse(self, text: str) -> int:
        """Return the number."""
        value = number(text)
        if value is None:
            raise self.bad(text, "numbers are written 10, 0x1f, 017 or -1")
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise self.bad(text)
        return value


class NamedType(ParamType[int]):
    """A number that has names, such as a ptrace request.

    Args:
        table: name to number.
        prefixes: may be left out when typing: ``CONT`` for ``PTRACE_CONT``.
    """

    def __init__(self, name: str, about: str, table: Mapping[str, int], *prefixes: str) -> None:
        super().__init__(name, about)
        self.table, self.prefixes = table, prefixes

    def parse(self, text: str) -> int:
        """Return the number of a name or a number."""
        value = number(text)
        if value is not None and value >= 0:
            return value
        for prefix in ("", *self.prefixes):
            value = self.table.get(prefix + text.upper(), self.table.get(prefix + text))
            if value is not None:
                return value
        raise self.bad(text, _closest(text.upper(), self.table, *self.prefixes))

    def show(self, value: int) -> str:
        """Return the first name of the number."""
        return next((name for name, known in self.table.items() if known == value), hex(value))

    def complete(self, context: Context, prefix: str) -> Iterable[Choice]:
        """Return all names."""
        return [Choice(name, hex(value)) for name, value in self.table.items()]


class SignalType(NamedType):
    """A signal, with or without SIG, in either case."""

    def parse(self, text: str) -> int:
        """Return the signal's number."""
        value = super().parse(text)
        if value > max(self.table.values()):
            raise self.bad(text, "signals are 1 to 64, and 0 for none")
        return value

    def show(self, value: int) -> str:
        """Return the usual name."""
        return names.signal_name(value) if value else "0"

    def complete(self, context: Context, prefix: str) -> Iterable[Choice]:
        """Return all names with their numbers."""
        return [Choice(name, str(value)) for name, value in self.table.items()]


class FlagsType(ParamType[int]):
    """Bits by name, joined by ``|``."""

    def __init__(self, name: str, about: str, table: Mapping[str, int], *prefixes: str) -> None:
        super().__init__(name, about)
        self.one = NamedType(name, about, table, *prefixes)

    def parse(self, text: str) -> int:
        """Return all bits together."""
        value = 0
        for part in text.split("|"):
            value |= self.one.parse(part)
        return value

    def show(self, value: int) -> str:
        """Return the names; bits without a name are one hexadecimal number."""
        return names.flags_text(value, self.one.table)

    def complete(self, context: Context, prefix: str) -> Iterable[Choice]:
        """Return the names for the part after the last bar, without those that stand before it."""
        done, bar, _ = prefix.rpartition("|")
        had = done.split("|")
        return [Choice(done + bar + name, meta) for name, meta in self.one.complete(context, prefix) if name not in had]


class ChoiceType(ParamType[str]):
    """One of a few words; a prefix of only one will do."""

    def __init__(self, name: str, *choices: str) -> None:
        super().__init__(name, "one of " + " ".join(choices))
        self.choices = choices

    def parse(self, text: str) -> str:
        """Return the choice in full."""
        found = [choice for choice in self.choices if choice.startswith(text)] if text else []
        if text in self.choices:
            return text
        if len(found) == 1:
            return found[0]
        raise self.bad(text)

    def complete(self, context: Context, prefix: str) -> Iterable[Choice]:
        """Return the choices."""
        return [Choice(choice) for choice in self.choices]


class OnOffType(ParamType[bool]):
    """A switch."""

    _words: Mapping[str, bool] = {"on": True, "1": True, "yes": True, "off": False, "0": False, "no": False}

    def parse(self, text: str) -> bool:
        """Return True for on."""
        if text not in self._words:
            raise self.bad(text)
        return self._words[text]

    def show(self, value: bool) -> str:
        """Return ``on`` or ``off``."""
        return "on" if value else "off"

    def complete(self, context: Context, prefix: str) -> Iterable[Choice]:
        """Return both."""
        return [Choice("on"), Choice("off")]


class NameType(ParamType[str]):
    """A word of a certain form, completed from what exists.

    Args:
        kind: what `Context.names` is asked for.
        form: regular expression for the whole word.
    """

    def __init__(self, name: str, about: str, kind: str, form: str = r"\S+", *, variables: bool = True) -> None:
        super().__init__(name, about)
        self.kind, self.form, self.variables = kind, re.compile(form), variables

    def parse(self, text: str) -> str:
        """Return the word."""
        if not self.form.fullmatch(text):
            raise self.bad(text)
        return text

    def complete(self, context: Context, prefix: str) -> Iterable[Choice]:
        """Return the names of that kind."""
        return [Choice(name) for name in context.names(self.kind, prefix)]


class RegisterType(NameType):
    """A register, with or without ``$``; the value has none."""

    def parse(self, text: str) -> str:
        """Return the register's name."""
        return super().parse(text).removeprefix("$")

    def complete(self, context: Context, prefix: str) -> Iterable[Choice]:
        """Return the registers, spelled as the user began."""
        sign = "$" if prefix.startswith("$") else ""
        return [Choice(sign + name.removeprefix("$")) for name in context.names(self.kind, prefix.removeprefix("$"))]


class PathType(ParamType[str]):
    """A path; ``~`` is the home directory."""

    filters = True
    most = 200
    """Candidates of one directory: a listing of 100,000 names would make typing slow."""

    def __init__(self, name: str, about: str = "a path", keep: Callable[[os.DirEntry[str]], bool] | None = None) -> None:
        super().__init__(name, about)
        self.keep = keep

    def parse(self, text: str) -> str:
        """Return the path with ``~`` resolved; a ``~`` that nobody resolves is a file's name, and gets ``./`` before it."""
        if not text or "\0" in text:
            raise self.bad(text)
        path = os.path.expanduser(text)
        return "./" + path if path.startswith("~") else path

    def complete(self, context: Context, prefix: str) -> Iterable[Choice]:
        """Return the directory's entries, directories with a slash, hidden ones only when asked for by a dot."""
        folder, begin = os.path.split(prefix)
        try:
            entries = os.scandir(os.path.expanduser(folder) or ".")
        except OSError:
            return []
        with entries:
            return list(self._entries(entries, folder, begin))

    def _entries(self, entries: Iterable[os.DirEntry[str]], folder: str, begin: str) -> Iterator[Choice]:
        found = 0
        for entry in entries:
            if begin not in entry.name or entry.name.startswith(".") != begin.startswith("."):
                continue
            try:
                directory = entry.is_dir()
                keep = directory or self.keep is None or self.keep(entry)
            except OSError:
                continue
            if keep:
                found += 1
                yield Choice(os.path.join(folder, entry.name) + "/" * directory, "directory" if directory else "")
            if found == self.most:
                return


class TextType(ParamType[str]):
    """One word, or quoted text, as it is."""

    def parse(self, text: str) -> str:
        """Return the text."""
        return text


class TailType(ParamType[str]):
    """The rest of the line as typed: an expression, a pattern, a command.

    Args:
        kinds: what `Context.names` is asked for.
        tail_word: which end of the typed text is the name to complete.
    """

    takes: Takes = "tail"
    variables = False

    def __init__(self, name: str, about: str, *kinds: str, tail_word: str = r"\S*$") -> None:
        super().__init__(name, about)
        self.kinds, self.tail_word = kinds, re.compile(tail_word)

    def parse(self, text: str) -> str:
        """Return the text without blanks around it."""
        if not text.strip():
            raise BadArgument(f"{self.name} is missing")
        return text.strip()

    def complete(self, context: Context, prefix: str) -> Iterable[Choice]:
        """Return the names of those kinds for the last word."""
        out: list[Choice] = []
        for kind in self.kinds:
            sign = "$" if kind in ("register", "variable") else ""
            out += [Choice(sign + name.removeprefix(sign), kind) for name in context.names(kind, prefix.removeprefix("$"))]
        return out


def _closest(text: str, table: Iterable[str], *prefixes: str) -> str:
    import difflib  # late: needed only for an error

    known = list(table)
    found = difflib.get_close_matches(text, known, 3) or difflib.get_close_matches((prefixes or ("",))[0] + text, known, 3)
    return "perhaps " + " or ".join(found) if found else "press Tab for the list"
