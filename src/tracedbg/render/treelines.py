"""A command's tree as lines: repeats folded, times and threads in columns, and a list of the rules that it shows.

Pure; any thread.  Folding drops nothing but repetitions and tells how many; what differs in a word stays a node of its own.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import Final

from tracedbg.model.text import Shown, visible

from .lines import WAIT_CALLS
from .tree import Node

_LONGEST: Final = 12
"""How many different nodes a pattern that repeats may have: one more thread in an all-stop is two or three."""
_TIME: Final = 8

Lessons = Callable[[str], Sequence[tuple[str, str]]]
"""The lessons that show a rule: name and question."""


# --- folding ------------------------------------------------------------------------------------------------------------------
def folded(node: Node) -> Node:
    """A copy of the tree in which runs of equal nodes, or of equal groups of nodes, stand once with their number."""
    children = [folded(child) for child in node.children]
    keys = [_key(child) for child in children]
    out: list[Node] = []
    at = 0
    while at < len(children):
        size, times = _run(keys, at)
        if times == 1:
            out.append(children[at])
            at += 1
            continue
        parts = [_merged(children[at + place : at + size * times : size]) for place in range(size)]
        if size == 1:
            parts[0].times *= times
            out.append(parts[0])
        else:
            took = sum(max(part.took, 0) for part in parts)
            out.append(Node("fact", "", Shown("these:"), began=parts[0].began, took=took, times=times, children=parts))
        at += size * times
    return _copy(node, children=out)


def _copy(node: Node, *, children: list[Node]) -> Node:
    return Node(
        node.kind, node.lane, node.text, node.purpose, node.began, node.took, node.rule, node.request, node.result, node.notes,
        node.times, children,
    )  # fmt: skip


def _key(node: Node) -> tuple[object, ...]:
    """What must be equal: all but times, and what happened to be seen in /proc."""
    return (node.kind, node.lane, node.text, node.purpose, node.times, *map(_key, node.children))


def _run(keys: Sequence[tuple[object, ...]], at: int) -> tuple[int, int]:
    """Size and number of the groups that repeat from here on, the ones that cover most; ``(1, 1)`` if none does."""
    best = (1, 1)
    for size in range(1, min(_LONGEST, (len(keys) - at) // 2) + 1):
        times = 1
        while keys[at + size * times : at + size * (times + 1)] == keys[at : at + size]:
            times += 1
        if times > 1 and size * times > best[0] * best[1]:
            best = (size, times)
    return best


def _merged(nodes: Sequence[Node]) -> Node:
    """Equal nodes as one: durations added, sightings put together."""
    took = sum(node.took for node in nodes if node.took > 0) if any(node.took >= 0 for node in nodes) else -1
    made = _copy(nodes[0], children=[_merged(each) for each in zip(*(node.children for node in nodes), strict=True)])
    made.took, made.notes = took, tuple(dict.fromkeys(note for node in nodes for note in node.notes))
    return made


# --- drawing ------------------------------------------------------------------------------------------------------------------
def tree_lines(root: Node, width: int, lessons: Lessons) -> list[Shown]:
    """The lines of a tree.

    Args:
        root: as `tree_of` makes it.
        width: columns.
        lessons: where a rule is shown.
    """
    tree = folded(root)
    lanes = _Drawing(max(40, width))
    lanes.wide = max((len(node.lane) for node in _all(tree)), default=0)
    out = wrapped(_summary(root), lanes.width, "", "    ")
    for child in tree.children:
        out += lanes.node(child, 0)
    return out + lanes.legend(lessons)


def _all(node: Node) -> list[Node]:
    return [node, *(each for child in node.children for each in _all(child))]


def _summary(root: Node) -> str:
    """``next: tracer 9 requests, waiter 2 waits, 2 stops; 1.93 ms``."""
    counted = root.counted()
    parts = []
    for lane in dict.fromkeys(lane for lane, _ in counted):
        requests = sum(count for (who, what), count in counted.items() if who == lane and what.startswith("PTRACE_"))
        waits = sum(count for (who, what), count in counted.items() if who == lane and what in WAIT_CALLS)
        others = sum(count for (who, what), count in counted.items() if who == lane) - requests - waits
        words = [_plural(requests, "request"), _plural(waits, "wait"), _plural(others, "other call")]
        parts.append(f"{lane} {', '.join(word for word in words if word)}")
    stops = sum(node.kind == "stop" for node in _all(root))
    paused = sum(node.took for node in _all(root) if node.kind == "held")
    parts += [_plural(stops, "stop")] if stops else []
    time = duration(root.took - paused) + (f", paused {duration(paused)}" if paused else "")
    return f"{root.text}: {'; '.join(parts) or 'nothing was asked of the kernel'}; {time}"


def _plural(count: int, word: str) -> str:
    return "" if not count else f"1 {word}" if count == 1 else f"{count} {word}s"


def duration(ns: int) -> str:
    """``12 us``, ``1.93 ms``, ``2.05 s``; empty where it is not known."""
    if ns < 0:
        return ""
    if ns < 1_000_000:
        return f"{ns / 1000:.0f} us"
    return f"{ns / 1e6:.2f} ms" if ns < 1_000_000_000 else f"{ns / 1e9:.2f} s"


class _Drawing:
    """Draws nodes and numbers the rules that they show."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.wide = 0
        self._rules: dict[str, int] = {}

    def node(self, node: Node, depth: int) -> list[Shown]:
        """A node's line, what it was for behind it or below it, and what happened inside."""
        indent = "  " * depth
        head = f"{duration(node.took):>{_TIME}}  {node.lane:<{self.wide}}  {indent}"
        text = f"{node.times} times {node.text}" if node.times > 1 else str(node.text)
        mark = f" [{self._rules.setdefault(node.rule, len(self._rules) + 1)}]" if node.rule else ""
        more = "; ".join(([self._purpose(node)] if node.purpose else []) + list(node.notes))
        rest = " " * (len(head) + 4)
        if more and len(head) + len(text) + len(mark) + len(more) + 3 <= self.width:
            out = [visible(f"{head}{text}{mark} - {more}")]
        else:
            out = wrapped(text + mark, self.width, head, rest)
            out += wrapped(more, self.width, rest, rest) if more else []
        for child in node.children:
            out += self.node(child, depth + 1)
        return out

    def _purpose(self, node: Node) -> str:
        return f"to {node.purpose}" if node.kind in ("call", "fact") else node.purpose.rstrip(".")

    def legend(self, lessons: Lessons) -> list[Shown]:
        """Where the numbered rules are shown."""
        out: list[Shown] = []
        for rule, number in self._rules.items():
            found = lessons(rule)
            where = f"tracedbg learn {found[0][0]} ({found[0][1]})" if found else "no lesson yet"
            out += wrapped(f"{rule}: {where}", self.width, f"[{number}] ", "    ")
        return out


def wrapped(text: str, width: int, first: str, rest: str) -> list[Shown]:
    """A text in lines of `width` columns, behind `first` in the first line and `rest` in the others."""
    lines = textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False, break_long_words=False, drop_whitespace=True
    )
    return [visible(line) for line in lines] or [visible(first.rstrip())]
