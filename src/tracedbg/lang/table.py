"""The command table: one row a command, made from one plain function.

Tables are built at import and read only afterwards, so any thread may use them.  Building must stay cheap (a hundred rows at every
start): a row reads its function's signature and docstring when it is first needed, not before.  This module knows no command.

    table = CommandTable("running", "Starting and running the program")

    @table.add("continue", "c", "fg", repeats=True)
    def continue_(session: Session, count: Annotated[Count, "pass this many stops"] = 1) -> Resumed:
        '''Let the stopped program run on.

        In the kernel: PTRACE_CONT by the tracer thread.
        '''
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar, final

from tracedbg.model.errors import AmbiguousCommand, UnknownCommand
from tracedbg.model.text import visible

from .paramtypes import ParamType
from .signature import Help, Param, read_help, read_params

# A handler's arguments are its own business: the table binds them by the signature, and the type checker sees the function itself,
# which `add` returns unchanged.  The session's type is named by the handlers, above this floor.
Handler = Callable[..., object]
Enabled = Callable[[Any], bool]
RepeatAs = Callable[[str], str] | str | None
F = TypeVar("F", bound=Handler)
WhileBusy = Literal["now", "refuse"]


@final
class Command:
    """One row.

    Set once, at import:
        name: full name, several words for a sub-command (``info breakpoints``).
        aliases: other names that are never ambiguous.
        handler: ``handler(session, …)``.
        family: group for help and the reference page.
        while_busy: ``now`` runs at once, also while another command runs; ``refuse`` waits its turn.
        repeats: Enter on an empty line runs it again.
        repeat_as: what Enter runs instead: a line, or a function from the line that was typed (``list``, ``x`` go on from where
            they ended).
        enabled: whether it makes sense now, asked by completion only; the handler itself says why not.
        actor_ok: ``on NAME`` may address it; the handler has a keyword-only parameter `actors`.
    """

    __slots__ = ("_help", "_params", "actor_ok", "aliases", "enabled", "family", "handler", "name", "repeat_as", "repeats",
                 "while_busy")  # fmt: skip

    def __init__(
        self, name: str, aliases: tuple[str, ...], handler: Handler, family: str, while_busy: WhileBusy,
        repeats: bool, repeat_as: RepeatAs, enabled: Enabled | None, actor_ok: bool,
    ) -> None:  # fmt: skip
        self.name, self.aliases, self.handler, self.family = name, aliases, handler, family
        self.while_busy, self.repeats, self.repeat_as = while_busy, repeats, repeat_as
        self.enabled, self.actor_ok = enabled, actor_ok
        self._params: tuple[Param, ...] | None = None
        self._help: Help | None = None

    @property
    def params(self) -> tuple[Param, ...]:
        """Its arguments, read from the signature."""
        if self._params is None:
            self._params = read_params(self.handler)
        return self._params

    @property
    def help(self) -> Help:
        """Its docstring in parts."""
        if self._help is None:
            self._help = read_help(self.handler)
        return self._help

    @property
    def usage(self) -> str:
        """One line: the name and its arguments, those in brackets optional; options come before what takes the rest."""
        order = {"format": 0, "option": 1, "flag": 1}
        params = sorted(self.params, key=lambda param: order.get(param.kind, 2))
        return "".join([self.name, *(param.usage for param in params)])

    def available(self, session: object) -> bool:
        """Say whether it makes sense now."""
        return self.enabled is None or self.enabled(session)

    def repeat_line(self, text: str) -> str | None:
        """Return the line that Enter shall run after `text`, None if nothing."""
        if not self.repeats:
            return None
        if callable(self.repeat_as):
            return self.repeat_as(text)
        return text if self.repeat_as is None else self.repeat_as

    def __repr__(self) -> str:
        return f"Command({self.name!r})"


@final
class ActorCall:
    """What runs ``on NAME VERB …`` where VERB is no command for an actor: a system call.

    Args:
        handler: ``handler(session, actors, verb, words, background)``; `words` are texts, variables replaced.
        calls: arguments of known calls, for completion only.
        while_busy: as for `Command`.
    """

    __slots__ = ("calls", "handler", "while_busy")

    def __init__(self, handler: Handler, calls: Mapping[str, Sequence[ParamType[Any]]], while_busy: WhileBusy = "refuse") -> None:
        self.handler, self.calls, self.while_busy = handler, calls, while_busy

    @property
    def help(self) -> Help:
        """Its docstring in parts: what ``help on`` says."""
        return read_help(self.handler)


@final
class Node:
    """A word of the table's tree of names: ``info`` has the children ``breakpoints``, ``registers`` ….

    Args:
        path: the full name up to here.
        about: what the group is, where it has no command of its own.
        strict: its sub-commands cannot be abbreviated, because it takes names that the user makes up (``thread w1``).
    """

    __slots__ = ("about", "aliases", "children", "path", "row", "strict")

    def __init__(self, path: str) -> None:
        self.path, self.about, self.strict = path, "", False
        self.row: Command | None = None
        self.children: dict[str, Node] = {}
        self.aliases: dict[str, Node] = {}

    def find(self, word: str) -> Node | None:
        """Return the child of that name, alias or unambiguous prefix; None if there is none.

        Raises:
            AmbiguousCommand: a prefix of several.
        """
        exact = self.children.get(word) or self.aliases.get(word)
        if exact or self.strict or not word:
            return exact
        # Two names of one command (gdb's "where" and "wh") are not ambiguous, so look at what they lead to.
        named = {**self.aliases, **self.children}
        found = {id(node): (name, node) for name, node in named.items() if name.startswith(word)}
        if len(found) > 1:
            choices = tuple(sorted(name for name, _ in found.values()))
            kind = f"{self.path} command" if self.path else "command"
            raise AmbiguousCommand(f'Ambiguous {kind} "{visible(word)}": {", ".join(choices)}', "type more of it", choices=choices)
        return next(iter(found.values()))[1] if found else None

    def rows(self) -> Iterator[Command]:
        """Yield this node's command and those below it, by name."""
        if self.row:
            yield self.row
        for name in sorted(self.children):
            yield from self.children[name].rows()


@final
class Match:
    """Where the words of a line led.

    Args:
        node: the last node reached.
        used: how many words it took, the verb counted.
    """

    __slots__ = ("node", "used")

    def __init__(self, node: Node, used: int) -> None:
        self.node, self.used = node, used


@final
class CommandTable:
    """Rows of one family, or, merged, of the whole language.

    Args:
        family: short name, for ``help FAMILY``.
        title: heading of the family.
    """

    def __init__(self, family: str = "", title: str = "") -> None:
        self.family = family
        self.families: dict[str, str] = {family: title or family} if family else {}
        self.rows: list[Command] = []
        self.groups: list[tuple[tuple[str, ...], str, bool]] = []
        self.actor_call_row: ActorCall | None = None
        self.root = Node("")

    def add(
        self, name: str, *aliases: str, while_busy: WhileBusy = "refuse", repeats: bool = False, repeat_as: RepeatAs = None,
        enabled: Enabled | None = None, actor_ok: bool = False,
    ) -> Callable[[F], F]:  # fmt: skip
        """Make a row of the decorated function, which stays as it is.  See `Command` for the arguments.

        Raises:
            ValueError: a name is in the table already.
        """

        def decorate(handler: F) -> F:
            row = Command(name, aliases, handler, self.family, while_busy, repeats or repeat_as is not None, repeat_as,
                          enabled, actor_ok)  # fmt: skip
            self._insert(row)
            return handler

        return decorate

    def group(self, name: str, *aliases: str, about: str = "", strict: bool = False) -> None:
        """Say what a name that only leads to sub-commands is (``info``), and its aliases; any table may repeat it."""
        entry = ((name, *aliases), about, strict)
        self.groups.append(entry)
        self._insert_group(*entry)

    def actor_call(self, calls: Mapping[str, Sequence[ParamType[Any]]] | None = None, while_busy: WhileBusy = "refuse") -> Callable[[F], F]:
        """Register the decorated function as the one that runs system calls on actors (`ActorCall`)."""

        def decorate(handler: F) -> F:
            if self.actor_call_row:
                raise ValueError("the table has an actor call already")
            self.actor_call_row = ActorCall(handler, calls or {}, while_busy)
            return handler

        return decorate

    @staticmethod
    def merged(tables: Iterable[CommandTable]) -> CommandTable:
        """Return one table with the rows of all, in the order given.

        Raises:
            ValueError: two rows have one name.
        """
        whole = CommandTable()
        for table in tables:
            whole.families |= table.families
            for row in table.rows:
                whole._insert(row)
            for names, about, strict in table.groups:
                whole.groups.append((names, about, strict))
                whole._insert_group(names, about, strict)
            if table.actor_call_row:
                if whole.actor_call_row:
                    raise ValueError("two tables have an actor call")
                whole.actor_call_row = table.actor_call_row
        return whole

    def match(self, words: Sequence[str]) -> Match:
        """Follow `words` as far as they name something.

        Raises:
            UnknownCommand: the first word names nothing; `todo` has the closest names.
            AmbiguousCommand: a prefix of several names.
        """
        node = self.root.find(words[0])
        if node is None:
            raise self._unknown(words[0], self.root)
        used = 1
        while used < len(words) and (node.children or node.aliases):
            # "set v = 3" assigns to v: what is assigned to is never the name of a sub-command.
            if node.row and words[used + 1 : used + 2] and words[used + 1].startswith("="):
                break
            below = node.find(words[used])
            if below is None:
                break
            node, used = below, used + 1
        return Match(node, used)

    def command(self, words: Sequence[str]) -> tuple[Command, int]:
        """Return the row that `words` name and how many of them its name took.

        Raises:
            UnknownCommand: they name nothing, or only a group.
            AmbiguousCommand: a prefix of several names.
        """
        found = self.match(words)
        if found.node.row:
            return found.node.row, found.used
        if found.used < len(words):
            raise self._unknown(words[found.used], found.node)
        names = [row.name for row in found.node.rows()]
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise UnknownCommand(f'"{found.node.path}" needs a sub-command', f"one of {shown}; try: help {found.node.path}")

    def exact(self, words: Sequence[str]) -> tuple[Command, int] | None:
        """Return the row whose name or alias is written in full in `words`, and how many of them it took; None if none is."""
        node, best = self.root, None
        for used, word in enumerate(words, 1):
            below = node.children.get(word) or node.aliases.get(word)
            if below is None:
                break
            node = below
            if node.row:
                best = (node.row, used)
        return best

    def _unknown(self, word: str, node: Node) -> UnknownCommand:
        import difflib  # late: only for an error

        known = [*node.children, *node.aliases]
        close = difflib.get_close_matches(word, known, 3, 0.6)
        full = [f"{node.path} {name}".strip() for name in close]
        where = f"help {node.path}".strip()
        todo = f"perhaps {' or '.join(full)}; '{where}' lists them" if full else f"'{where}' lists them"
        return UnknownCommand(f'Undefined {node.path + " " if node.path else ""}command: "{visible(word)}"', todo)

    def _walk(self, names: Sequence[str]) -> Node:
        """Return the node of a name, made where it is missing."""
        node = self.root
        for word in names:
            if word in node.aliases:
                node = node.aliases[word]
            else:
                node = node.children.setdefault(word, Node(f"{node.path} {word}".strip()))
        return node

    def _insert(self, row: Command) -> None:
        node = self._walk(row.name.split())
        if node.row:
            raise ValueError(f"two commands are called '{row.name}'")
        node.row = row
        self.rows.append(row)
        for alias in row.aliases:
            self._alias(alias, node)

    def _insert_group(self, names: tuple[str, ...], about: str, strict: bool) -> None:
        node = self._walk(names[0].split())
        node.about = about or node.about
        node.strict = strict or node.strict
        for alias in names[1:]:
            self._alias(alias, node)

    def _alias(self, alias: str, node: Node) -> None:
        *path, last = alias.split()
        parent = self._walk(path)
        if parent.children.get(last, node) is not node or parent.aliases.get(last, node) is not node:
            raise ValueError(f"'{alias}' is the name of another command, and cannot be another name of '{node.path}'")
        parent.aliases[last] = node
