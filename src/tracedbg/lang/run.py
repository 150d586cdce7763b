"""From a line to a handler's result: find the row, bind typed arguments, call.

Runs on the command thread (or where a row may run at once); `prepare` is pure.  This module must not publish events or catch
errors: who runs commands hears about them through a `CallObserver`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol, final

from tracedbg.model.errors import BadArgument, BadSyntax, NotFound, UnknownCommand
from tracedbg.render.patterns import moved

from .grammar import Line, Word, parse
from .paramtypes import Context, ParamType
from .ranges import expanded
from .signature import REQUIRED, Param
from .table import ActorCall, Command, CommandTable, WhileBusy

_VARIABLE = re.compile(r"(-?)\$([A-Za-z_]\w*(?:\.\w+)?)")
_MOVED = re.compile(rf"{_VARIABLE.pattern}([+-]\d+)?")
_OPTION = re.compile(r"--([A-Za-z][\w-]*)(?:=(.*))?", re.DOTALL)


class CallObserver(Protocol):
    """Who wants to know when a call begins and ends; on the thread that runs it."""

    def started(self, call: Call) -> None:
        """Hear that the handler is about to be called."""

    def finished(self, call: Call, result: object) -> None:
        """Hear its result."""

    def failed(self, call: Call, error: BaseException) -> None:
        """Hear what it raised; the error goes on to the caller."""


@final
class Call:
    """A line that is ready to run.

    Args:
        line: as parsed.
        row: its command; None for a system call on an actor.
        target: the row or the actor call itself.
        args: positional arguments after the session.
        kwargs: keyword arguments.
    """

    __slots__ = ("args", "kwargs", "line", "row", "target")

    def __init__(self, line: Line, target: Command | ActorCall, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self.line, self.target, self.args, self.kwargs = line, target, args, kwargs
        self.row = target if isinstance(target, Command) else None

    @property
    def name(self) -> str:
        """Full name of the command, or the call's verb."""
        return self.row.name if self.row else self.line.verb

    @property
    def while_busy(self) -> WhileBusy:
        """Whether it may run while another command does."""
        return self.target.while_busy

    @property
    def repeat_line(self) -> str | None:
        """The line that Enter shall run next, None if nothing."""
        return self.row.repeat_line(self.line.text) if self.row else None

    def run(self, session: object, observer: CallObserver | None = None) -> object:
        """Call the handler and return its result; whatever it raises goes on to the caller."""
        if observer is None:
            return self.target.handler(session, *self.args, **self.kwargs)
        observer.started(self)
        try:
            result = self.target.handler(session, *self.args, **self.kwargs)
        except BaseException as error:
            observer.failed(self, error)
            raise
        observer.finished(self, result)
        return result


def prepare(table: CommandTable, context: Context, line: Line | str) -> Call:
    """Find the row of a line and bind its arguments.  Nothing is run.

    Args:
        table: the merged table.
        context: gives values to ``$name`` (the session does).
        line: not blank: ask ``bool(line)`` first.

    Raises:
        BadSyntax: the grammar does not allow it.
        UnknownCommand: no row; AmbiguousCommand: several.
        BadArgument: a word is not what its place asks for, is missing, or is too much; `todo` has the usage.
        NotFound: a ``$name`` has no value.
    """
    if isinstance(line, str):
        line = parse(line)
    if not line:
        raise BadSyntax("the line is empty", "type a command; 'help' lists them")
    if line.actors:
        return _for_actor(table, context, line)
    row, used = table.command(_names(line))
    return _bind(row, used, context, line)


def substituted(text: str, context: Context) -> str:
    """Return the value of ``$name``, ``-$name`` or ``$name+1``, other text as it is.

    Raises:
        NotFound: the variable is not set.
        BadArgument: something is to be added to what is no number.
    """
    found = _MOVED.fullmatch(text)
    if not found:
        return text
    value = context.variable(found[2])
    if value is None:
        raise NotFound(
            f"${found[2]} is not set",
            "$tracee is set by 'run' and 'launch', $NAME by 'thread NAME' and 'puppet NAME', other names by <name:...> in an 'expect'",
        )
    return found[1] + (moved(value, found[3]) if found[3] else value)


def _filled(text: str, context: Context) -> str:
    """`substituted`, and variables inside a word too: ``/proc/$p1/mem``."""
    if _MOVED.fullmatch(text) or "$" not in text:
        return substituted(text, context)
    return _VARIABLE.sub(lambda found: substituted(found[0], context), text)


def _names(line: Line) -> list[str]:
    """The words that may name a command: up to the first quoted one."""
    names = [line.verb]
    for word in line.words:
        if word.quoted:
            break
        names.append(word.text)
    return names


def _for_actor(table: CommandTable, context: Context, line: Line) -> Call:
    actors = expanded(substituted(name, context) for name in line.actors)
    found = table.exact(_names(line))
    if found and found[0].actor_ok:
        return _bind(*found, context, line, actors)
    call = table.actor_call_row
    if call is None:
        raise UnknownCommand(f"'{line.verb}' cannot be addressed to {', '.join(actors)}", "write it without 'on'")
    if line.suffix is not None:
        raise BadSyntax(f"a call takes no /{line.suffix}", "write the arguments as words", column=line.verb_start)
    words = tuple(word.text if word.quoted else _filled(word.text, context) for word in line.words)
    return Call(line, call, (actors, line.verb, words, line.background), {})


def _bind(row: Command, used: int, context: Context, line: Line, actors: tuple[str, ...] = ()) -> Call:
    binder = _Binder(row, context, line, list(line.words[used - 1 :]))
    kwargs = binder.options()
    args = binder.places()
    given = {"actors": actors, "background": line.background, "line": line}
    kwargs |= {param.name: given[param.name] for param in row.params if param.kind == "given"}
    if line.background and "background" not in kwargs:
        raise BadArgument(f"'{row.name}' cannot run in the background", "leave the & away")
    return Call(line, row, args, kwargs)


@final
class _Binder:
    """Takes the words of one line away, one argument after the other."""

    def __init__(self, row: Command, context: Context, line: Line, words: list[Word]) -> None:
        self.row, self.context, self.line, self.words = row, context, line, words
        self.usage = f"usage: {row.usage}"
        self.format = self._format_text()

    def _format_text(self) -> str | None:
        """Take what stands after slashes: of the verb, and of leading words (``disassemble /r /s main``)."""
        takes = any(param.kind == "format" for param in self.row.params)
        if not takes:
            if self.line.suffix is not None:
                raise BadArgument(f"'{self.row.name}' takes no /{self.line.suffix}", self.usage)
            return None
        text = self.line.suffix
        while self.words and not self.words[0].quoted and self.words[0].text.startswith("/"):
            text = (text or "") + self.words.pop(0).text[1:]
        return text

    def options(self) -> dict[str, Any]:
        """Take ``--name VALUE``, ``--name=VALUE``, ``name=VALUE`` and ``--name``.

        A command that hands the rest of its line on (to a program, to the expression language) has its options before it,
        with dashes, and what is no option of ours belongs to the rest.
        """
        known = {param.name.rstrip("_").replace("_", "-"): param for param in self.row.params if param.kind in ("option", "flag")}
        values = {param.name: param.default for param in known.values()}
        if known:
            self._take_options(known, values)
        for param in known.values():
            if values[param.name] is REQUIRED:
                raise BadArgument(f"{param.option_name} is missing", self.usage)
        return values

    def _take_options(self, known: Mapping[str, Param], values: dict[str, Any]) -> None:
        before_rest = any(param.kind in ("tail", "each", "words") for param in self.row.params)
        place = 0
        while place < len(self.words):
            word = self.words[place]
            if not word.quoted and word.text == "--":
                del self.words[place]
                return
            found = None if word.quoted else _OPTION.fullmatch(word.text)
            name, value = (found[1], found[2]) if found else ("", None)
            if not found and not word.quoted and not before_rest and "=" in word.text:
                name, _, value = word.text.partition("=")
            param = known.get(name)
            if param is None:
                if found and not before_rest:
                    known_names = " ".join(one.option_name for one in known.values())
                    raise BadArgument(f"'{self.row.name}' has no option {word.text}", f"it has {known_names}")
                if before_rest:
                    return
                place += 1
                continue
            del self.words[place]
            values[param.name] = self._option_value(param, value, place)

    def _option_value(self, param: Param, value: str | None, place: int) -> object:
        if param.kind == "flag":
            if value is not None:
                raise BadArgument(f"{param.option_name} takes no value", self.usage)
            return True
        if value is not None:
            # --name="a b": the quotes are inside the word, so the grammar left them alone.
            value = parse("x " + value).words[0].text if value.startswith('"') else value
            return self._parsed(param, Word(value))
        if place >= len(self.words):
            raise BadArgument(f"{param.option_name} needs a value", self.usage)
        return self._parsed(param, self.words.pop(place))

    def places(self) -> tuple[Any, ...]:
        """Take the arguments that have their place."""
        args: list[Any] = []
        for param in self.row.params:
            if param.kind == "format":
                args.append(self._value(param, Word(self.format, quoted=True) if self.format is not None else None))
            elif param.kind == "word":
                args.append(self._value(param, self.words.pop(0) if self.words else None))
            elif param.kind == "tail":
                text = self.line.text[self.words[0].start : self.line.end] if self.words else ""
                self.words.clear()
                args.append(self._value(param, Word(text, quoted=True) if text else None))
            elif param.kind == "words":
                texts = [self._text(param, word) for word in self.words]
                self.words.clear()
                args.append(self._value(param, Word(" ".join(texts), quoted=True) if texts else None))
            elif param.kind == "each":
                args += [self._parsed(param, word) for word in self.words]
                self.words.clear()
        if self.words:
            raise BadArgument(f"'{self.words[0].text}' is more than '{self.row.name}' takes", self.usage)
        return tuple(args)

    def _value(self, param: Param, word: Word | None) -> object:
        if word is not None:
            return self._parsed(param, word)
        if param.default is REQUIRED:
            assert param.type is not None, "only options come without a kind"
            about = param.help or param.type.about
            raise BadArgument(f"'{self.row.name}' needs {param.type.name}{': ' + about if about else ''}", self.usage)
        return param.default

    def _text(self, param: Param, word: Word) -> str:
        assert param.type is not None, "only options come without a kind"
        return word.text if word.quoted or not param.type.variables else substituted(word.text, self.context)

    def _parsed(self, param: Param, word: Word) -> object:
        kind: ParamType[Any] | None = param.type
        assert kind is not None, "only options come without a kind"
        try:
            return kind.parse(self._text(param, word))
        except BadArgument as error:
            if error.todo:
                raise
            raise BadArgument(error.what, self.usage) from None
