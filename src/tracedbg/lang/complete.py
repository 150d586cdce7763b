"""What could stand at the cursor, and what is wrong with a line: for the prompt.

Runs on the prompt's thread at every key, so it must be quick, and it must not run anything: names come from the `Context`,
directories from the disk.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from tracedbg.model.errors import UserError
from tracedbg.model.text import visible

from .grammar import Cursor, Word, cursor, parse, quote_word
from .paramtypes import Choice, Context, ParamType
from .run import prepare
from .signature import Param
from .table import Command, CommandTable, Node

LIMIT = 300
"""Candidates at most: nobody reads more, and a program has a hundred thousand symbols."""


class Candidate(NamedTuple):
    """One completion.

    Args:
        text: what to insert.
        start: where, relative to the cursor: 0 or negative.
        display: what to show in the menu; safe for a terminal.
        meta: a few words beside it; safe for a terminal.
    """

    text: str
    start: int
    display: str
    meta: str


def complete(table: CommandTable, context: Context, text: str) -> list[Candidate]:
    """Return what could stand at the end of `text`: first what begins with the word there, then what contains it.

    Args:
        table: the merged table.
        context: the session: asked for names, and handed to each row's `enabled`.
        text: the line up to the cursor.
    """
    here = cursor(text)
    if here.comment:
        return []
    if here.before and here.before[0].text == "on" and not here.before[0].quoted:
        return _on_actor(table, context, text, here)
    if not here.before:
        choices = [*_names(table.root, context, here.word), Choice("on", "run a call on a thread or puppet")]
        return [] if here.quoted or "/" in here.word else _fitting(choices, here.word, here.start - len(text))
    return _command(table, context, text, here, list(here.before))


def validate(table: CommandTable, context: Context, text: str) -> str | None:
    """Return what is wrong with a whole line as one line of text, None if nothing.  Cheap; runs nothing."""
    try:
        line = parse(text)
        if line:
            prepare(table, context, line)
    except UserError as error:
        return str(error)
    return None


def _command(table: CommandTable, context: Context, text: str, here: Cursor, before: list[Word]) -> list[Candidate]:
    names: list[str] = []
    for word in before:
        if word.quoted:
            break
        names.append(word.text.split("/")[0] if not names else word.text)
    if not names:
        return []
    try:
        found = table.match(names)
    except UserError:
        return []
    rest = before[found.used :]
    out: list[Candidate] = []
    if not rest and found.node.children and not here.quoted:
        out = _fitting(_names(found.node, context, here.word), here.word, here.start - len(text))
    if found.node.row:
        out += _argument(found.node.row, context, text, here, rest)
    return out


def _names(node: Node, context: Context, prefix: str) -> Iterable[Choice]:
    """Yield the words that may follow `node`, without those that make no sense now."""
    for name, child in node.children.items():
        rows = list(child.rows())
        if not any(row.available(context) for row in rows):
            continue
        yield Choice(name, child.row.help.summary if child.row else child.about or ", ".join(row.name for row in rows[:4]))
    # Short forms are known to those who type them, and a menu full of them hides the names.
    for alias, child in node.aliases.items():
        own = child.path.rpartition(" ")[2]
        new = prefix and alias.startswith(prefix) and not own.startswith(prefix)
        if new and any(row.available(context) for row in child.rows()):
            yield Choice(alias, child.path)


def _on_actor(table: CommandTable, context: Context, text: str, here: Cursor) -> list[Candidate]:
    words = list(here.before[1:])
    used = 1
    while used < len(words) and (words[used - 1].text.endswith(",") or words[used].text.startswith(",")):
        used += 1
    if not words or (used == len(words) and (words[-1].text.endswith(",") or here.word.startswith(","))):
        done, comma, prefix = here.word.rpartition(",")
        taken = {name for word in [*words, Word(done)] for name in word.text.split(",")}
        choices = [Choice(name) for name in context.names("actor", prefix) if name not in taken]
        return _fitting(choices, prefix, here.start + len(done + comma) - len(text))
    words = words[used:]
    call = table.actor_call_row
    calls = call.calls if call else {}
    if not words:
        rows = [Choice(row.name.split()[0], row.help.summary) for row in table.rows if row.actor_ok and row.available(context)]
        known = dict.fromkeys([*calls, *context.names("call", here.word)])
        return _fitting([*rows, *(Choice(name, "system call") for name in known)], here.word, here.start - len(text))
    found = table.exact([word.text for word in words])
    if found and found[0].actor_ok:
        return _command(table, context, text, here, words)
    kinds = calls.get(words[0].text, ())
    if len(words) <= len(kinds):
        return _values(kinds[len(words) - 1], context, here.word, here.start - len(text))
    return []


def _argument(row: Command, context: Context, text: str, here: Cursor, rest: list[Word]) -> list[Candidate]:
    """Return candidates for the argument under the cursor, after the finished words `rest`."""
    params = row.params
    options = {param.option_name: param for param in params if param.kind in ("option", "flag")}
    if any(param.kind == "format" for param in params):
        while rest and rest[0].text.startswith("/") and not rest[0].quoted:
            rest = rest[1:]
    places = [param for param in params if param.kind in ("word", "words", "each", "tail")]
    tail_start = here.start
    waiting: Param | None = None
    taken = 0
    for word in rest:
        if waiting:
            waiting = None
            continue
        option = None if word.quoted else options.get(word.text)
        if option:
            waiting = option if option.kind == "option" else None
            continue
        place = places[min(taken, len(places) - 1)] if places else None
        if place and place.kind == "tail" and tail_start == here.start:
            tail_start = word.start
        taken += 1
    if waiting and waiting.type:
        return _values(waiting.type, context, here.word, here.start - len(text))
    out: list[Candidate] = []
    if here.word.startswith("-") and not here.quoted:
        choices = [Choice(name, param.help) for name, param in options.items() if not any(word.text == name for word in rest)]
        out = _fitting(choices, here.word, here.start - len(text))
    place = next(iter(places[taken:]), places[-1] if places and places[-1].kind != "word" else None)
    if place is None or place.type is None:
        return out
    if place.kind == "tail":
        # Inside an expression the name to complete is a part of the word: "fact(n" asks for n.
        found = place.type.tail_word.search(text[tail_start:])
        prefix = found[0] if found else ""
        return out + _values(place.type, context, prefix, -len(prefix), quote=False)
    return out + _values(place.type, context, here.word, here.start - len(text))


def _values(kind: ParamType[Any], context: Context, prefix: str, start: int, *, quote: bool = True) -> list[Candidate]:
    choices = list(kind.complete(context, prefix))
    if kind.variables and prefix.startswith("$"):
        choices = [Choice("$" + name.removeprefix("$"), "variable") for name in context.names("variable", prefix[1:])]
        return _fitting(choices, prefix, start, quote=False)
    if kind.filters:
        choices.sort(key=lambda choice: (not choice.text.startswith(prefix), choice.text))
        return [_candidate(choice, start, quote) for choice in choices[:LIMIT]]
    return _fitting(choices, prefix, start, quote=quote)


def _fitting(choices: Iterable[Choice], prefix: str, start: int, *, quote: bool = True) -> list[Candidate]:
    begins: list[Candidate] = []
    contains: list[Candidate] = []
    seen: set[str] = set()
    lower = prefix.lower()
    for choice in choices:
        if choice.text in seen:
            continue
        if choice.text.startswith(prefix):
            seen.add(choice.text)
            begins.append(_candidate(choice, start, quote))
        elif lower in choice.text.lower():
            seen.add(choice.text)
            contains.append(_candidate(choice, start, quote))
    return (begins + contains)[:LIMIT]


def _candidate(choice: Choice, start: int, quote: bool) -> Candidate:
    # A name may come from a program or a directory: what is shown is made visible, what is inserted is quoted where it must be.
    text = quote_word(choice.text) if quote and not choice.text.startswith("$") else choice.text
    return Candidate(text, start, visible(choice.text), visible(choice.meta))
