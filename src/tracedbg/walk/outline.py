"""What a list of lessons needs of each page: its title, the names of its steps, and the rules that it shows.

Any thread; reads files only.  It looks at headings and rules alone, which takes a tenth of the time of reading the page: for a list of all
lessons that is the difference between at once and seconds.  It finds no mistakes: that is the work of `reading`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
from markdown_it import MarkdownIt

from .pieces import pieces_of, plain_text, slug_of

_RULE = re.compile(r"\*\*Rules?:?\*\*:?\s+(`[\w.-]+`(?:\s*,\s*`[\w.-]+`)*)")


class Outline(msgspec.Struct, frozen=True):
    """A page seen from afar.

    Args:
        path: the file.
        title: of the first heading, plain text.
        slugs: names of the steps, in file order.
        rules: ids of the rules that it shows, in file order.
    """

    path: str
    title: str
    slugs: tuple[str, ...]
    rules: tuple[str, ...]


def outline(path: Path) -> Outline:
    """The outline of a page that is a walkthrough.

    Raises:
        OSError: it cannot be read.
    """
    told = list(_telling(path.read_text(encoding="utf-8")))
    headings = [piece for piece in pieces_of(MarkdownIt("commonmark").parse("\n\n".join(told))) if piece.kind == "heading_open"]
    titles = [(piece.first.tag, plain_text(piece.inline).strip()) for piece in headings]
    title = next((text for tag, text in titles if tag == "h1"), "")
    rules = [rule for line in told if (found := _RULE.match(line)) for rule in re.findall(r"[\w.-]+", found[1])]
    return Outline(str(path), title, tuple(slug_of(text) for tag, text in titles if tag == "h2"), tuple(rules))


def _telling(text: str) -> Iterator[str]:
    """Lines that begin a heading or a rule, at the top level of the page."""
    fence = hidden = False
    for line in text.splitlines():
        if line.startswith("```"):
            fence = not fence
        elif not fence and line.startswith(("<details", "</details")):
            hidden = line.startswith("<details")
        elif not fence and not hidden and line.startswith(("# ", "## ", "**Rule")):
            yield line
