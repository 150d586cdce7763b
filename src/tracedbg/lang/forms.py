"""Arguments with an inner form: ``1 3-5``, ``/NFU``, ``LOCATION if CONDITION``, a program's arguments with ``<`` and ``>``.

Pure, any thread.  Must not look anything up: whether a location exists is the symbols' business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from tracedbg.model.errors import BadArgument
from tracedbg.model.startup import ProgramArgs

from .paramtypes import Choice, Context, ParamType, PathType, Takes, number


class IdListType(ParamType[tuple[int, ...]]):
    """Numbers and ranges: ``1 3-5``."""

    takes: Takes = "words"
    most = 10_000

    def __init__(self, name: str, about: str, kind: str) -> None:
        super().__init__(name, about)
        self.kind = kind

    def parse(self, text: str) -> tuple[int, ...]:
        """Return the numbers in the order typed, each once."""
        ids: dict[int, None] = {}
        for word in text.replace(",", " ").split():
            low, dash, high = word.partition("-")
            first, last = number(low), number(high) if dash else number(low)
            if first is None or last is None or not 0 < first <= last:
                raise self.bad(word, "write numbers and ranges: 1 3-5")
            if last - first >= self.most or len(ids) >= self.most:
                raise self.bad(word, "the range is too long")
            ids.update(dict.fromkeys(range(first, last + 1)))
        return tuple(ids)

    def show(self, value: tuple[int, ...]) -> str:
        """Return the numbers."""
        return " ".join(map(str, value))

    def complete(self, context: Context, prefix: str) -> Iterable[Choice]:
        """Return the numbers that exist."""
        return [Choice(name) for name in context.names(self.kind, prefix)]


class SizeType(ParamType[int]):
    """A number of bytes, with K, M or G behind it for powers of 1024."""

    _units = {"": 0, "K": 10, "M": 20, "G": 30}

    def parse(self, text: str) -> int:
        """Return the number of bytes."""
        unit = text[-1:].upper() if text[-1:].upper() in self._units else ""
        value = number(text.removesuffix(text[-1:]) if unit else text)
        if value is None or value < 0 or value << self._units[unit] >= 1 << 63:
            raise self.bad(text)
        return value << self._units[unit]


class WordsType(ParamType[tuple[str, ...]]):
    """All further words, each completed from names of one kind."""

    takes: Takes = "words"

    def __init__(self, name: str, about: str, kind: str, *, variables: bool = True) -> None:
        super().__init__(name, about)
        self.kind, self.variables = kind, variables

    def parse(self, text: str) -> tuple[str, ...]:
        """Return the words."""
        return tuple(text.split())

    def show(self, value: tuple[str, ...]) -> str:
        """Return the words."""
        return " ".join(value)

    def complete(self, context: Context, prefix: str) -> Iterable[Choice]:
        """Return the names of that kind."""
        return [Choice(name) for name in context.names(self.kind, prefix)]


class Format(msgspec.Struct, frozen=True):
    """What stands after a slash, as in ``x/8xg``.

    Args:
        count: how many units; negative reads backwards; None if not told.
        letter: x d u o t a c f s i z, empty if not told.
        size: b h w g, empty if not told.
    """

    count: int | None = None
    letter: str = ""
    size: str = ""


class FormatType(ParamType[Format]):
    """gdb's NFU: a count, a letter, a size, in any order after the count."""

    takes: Takes = "format"
    letters = "xduotacfsiz"
    sizes = "bhwg"

    def parse(self, text: str) -> Format:
        """Return the format; of two letters of one sort the last wins, as in gdb."""
        found = re.fullmatch(r"(-?\d{1,9})?([a-z]*)", text)
        if not found:
            raise self.bad(text, "write /NFU: a count, one of x d u o t a c f s i z, and one of b h w g")
        letter = size = ""
        for char in found[2]:
            if char in self.letters:
                letter = char
            elif char in self.sizes:
                size = char
            else:
                raise self.bad(text, f"'{char}' is neither a format (x d u o t a c f s i z) nor a size (b h w g)")
        return Format(int(found[1]) if found[1] else None, letter, size)

    def show(self, value: Format) -> str:
        """Return count, letter and size."""
        return f"{'' if value.count is None else value.count}{value.letter}{value.size}"


class FlagLettersType(ParamType[str]):
    """Single letters after a slash, as in ``disassemble /rs``."""

    takes: Takes = "format"

    def __init__(self, name: str, letters: str, about: str = "") -> None:
        super().__init__(name, about or "one or more of " + " ".join(letters))
        self.letters = letters

    def parse(self, text: str) -> str:
        """Return the letters, each once, in their usual order."""
        if not text or not set(text) <= set(self.letters):
            raise self.bad(text)
        return "".join(letter for letter in self.letters if letter in text)


class Location(msgspec.Struct, frozen=True):
    """Where a breakpoint shall be, not yet looked up.

    Args:
        text: ``FUNCTION``, ``FILE:LINE``, ``LINE``, ``*ADDRESS``, ``+N``, ``-N``; empty for the current line.
        condition: the C expression after ``if``, empty if none.
        thread: the number after ``thread``, None if none.
    """

    text: str
    condition: str = ""
    thread: int | None = None


_IF = re.compile(r"(?:^|\s)if(?=[\s(])\s*(.*)$", re.DOTALL)
_THREAD = re.compile(r"(?:^|\s)thread\s+(\d+)\s*$")


class LocationType(ParamType[Location]):
    """The rest of the line as ``LOCATION [thread N] [if CONDITION]``."""

    takes: Takes = "tail"
    variables = False
    tail_word = re.compile(r"[^\s*]*$")

    def parse(self, text: str) -> Location:
        """Return the parts; the location itself may be empty (the current line)."""
        condition, thread = "", None
        found = _IF.search(text)
        if found:
            text, condition = text[: found.start()], found[1].strip()
            if not condition:
                raise BadArgument("the condition after 'if' is missing", "for example: break fact if n == 1")
        found = _THREAD.search(text)
        if found:
            text, thread = text[: found.start()], int(found[1])
        text = text.strip()
        if text == "if" or text.endswith(" if"):
            raise BadArgument("the condition after 'if' is missing", "for example: break fact if n == 1")
        return Location(text, condition, thread)

    def show(self, value: Location) -> str:
        """Return the parts in their order."""
        parts = [value.text, "" if value.thread is None else f"thread {value.thread}"]
        parts.append(f"if {value.condition}" if value.condition else "")
        return " ".join(part for part in parts if part)

    def complete(self, context: Context, prefix: str) -> Iterable[Choice]:
        """Return functions and source files."""
        return [Choice(name, kind) for kind in ("symbol", "source") for name in context.names(kind, prefix)]


_REDIRECTIONS = ("2>", "&>", ">>", "<", ">")


class ProgramArgsType(ParamType[ProgramArgs]):
    """A program's arguments with a shell's quotes and redirections, but no shell: nothing is expanded."""

    takes: Takes = "tail"
    variables = False
    filters = True

    def parse(self, text: str) -> ProgramArgs:
        """Return arguments and redirections."""
        argv: list[str] = []
        paths: dict[str, str] = {}
        words = _shell_words(text)
        for word, plain in words:
            sign = next((sign for sign in _REDIRECTIONS if plain.startswith(sign)), "")
            if not sign:
                argv.append(word)
                continue
            path = word[len(sign) :] or next(words, ("", ""))[0]
            if not path:
                raise BadArgument(f"{sign} has no file after it", "for example: run < input.txt > output.txt")
            paths["&>" if sign + path == "2>&1" else sign] = path
        merged = paths.pop("&>", "")
        if merged == "&1":  # "2>&1": errors join whatever the output is
            merged = ""
            both = True
        else:
            both = bool(merged)
        outputs = [path for path in (merged, paths.get(">>", ""), paths.get(">", "")) if path]
        if len(outputs) > 1:
            raise BadArgument("the output is sent to two files", "use one of > >> &>")
        if both and "2>" in paths:
            raise BadArgument("errors are sent to two places", "use one of 2> and 2>&1")
        return ProgramArgs(tuple(argv), paths.get("<", ""), "".join(outputs), paths.get("2>", ""), append=">>" in paths, both=both)

    def show(self, value: ProgramArgs) -> str:
        """Return the arguments in single quotes where they need any."""
        parts = [_shell_quote(word) for word in value.argv]
        for mark, path in (("<", value.stdin), (">>" if value.append else ">", value.stdout), ("2>", value.stderr)):
            if path:
                parts.append(f"{mark} {_shell_quote(path)}")
        if value.both:
            parts.append("2>&1")
        return " ".join(parts)

    def complete(self, context: Context, prefix: str) -> Iterable[Choice]:
        """Return paths."""
        return PathType(self.name).complete(context, prefix)


_SHELL = re.compile(r"""\\(.)|'([^']*)'|"((?:\\.|[^"\\])*)"|([^\s'"\\])""", re.DOTALL)


def _shell_words(text: str) -> Iterator[tuple[str, str]]:
    """Yield each word, and the same with what was quoted blanked out: a quoted ``<`` is no redirection (sh(1), quoting)."""
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        word = plain = ""
        while place < len(text) and not text[place].isspace():
            found = _SHELL.match(text, place)
            if not found:
                raise BadArgument(f"{text[place]} has no end in '{text}'", "close the quote, or write a backslash before it")
            if found[4] is not None:
                word += found[4]
                plain += found[4]
            else:
                quoted = next(group for group in found.groups() if group is not None)
                word += re.sub(r'\\(["\\$`])', r"\1", quoted) if found[3] is not None else quoted
                plain += "\0" * max(1, len(quoted))
            place = found.end()
        yield word, plain


def _shell_quote(text: str) -> str:
    if re.fullmatch(r"[\w@%+=:,./-]+", text, re.ASCII):
        return text
    return "'" + text.replace("'", "'\"'\"'") + "'"
