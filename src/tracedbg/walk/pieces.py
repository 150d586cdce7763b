"""The constructs at the top level of a Markdown page, and the words in them.

Pure, any thread.  It knows Markdown, and nothing of what a walkthrough makes of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from markdown_it.token import Token


class Piece:
    """One construct at the top level: its tokens, and the lines that it takes (0-based, end excluded)."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens, self.first = tokens, tokens[0]
        self.begin, self.end = self.first.map or (0, 0)

    @property
    def kind(self) -> str:
        """Its first token's type."""
        return self.first.type

    @property
    def inline(self) -> Token | None:
        """The first run of text in it."""
        return next((token for token in self.tokens if token.type == "inline"), None)


def pieces_of(tokens: Sequence[Token]) -> list[Piece]:
    """Cut the tokens of a page at its top level."""
    found: list[Piece] = []
    begin = 0
    for place, token in enumerate(tokens):
        if token.level == 0 and token.nesting <= 0:
            found.append(Piece(tokens[begin : place + 1]))
            begin = place + 1
    return found


def plain_text(inline: Token | None) -> str:
    """The words of a heading, without marks."""
    children = inline.children or [] if inline is not None else []
    return "".join(
        child.content if child.type in ("text", "code_inline") else " " if child.type == "softbreak" else "" for child in children
    )


def slug_of(title: str) -> str:
    """The anchor that code hosts make of a heading: lower case, punctuation gone, blanks as dashes."""
    kept = "".join(char for char in title.lower().strip() if char.isalnum() or char in " -_")
    return kept.replace(" ", "-")


def lead(inline: Token | None) -> str:
    """The bold words with which a paragraph begins."""
    children = [child for child in (inline.children or []) if child.type != "text" or child.content] if inline is not None else []
    bold = len(children) > 2 and children[0].type == "strong_open" and children[2].type == "strong_close"
    return children[1].content.strip() if bold else ""
