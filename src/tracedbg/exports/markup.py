"""The one place where text becomes part of a page or a picture: made visible, then escaped.

Pure, any thread.  Nothing else in the timelines may put foreign text between tags.
"""

from __future__ import annotations

import html

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tracedbg.model.text import visible

# Raw HTML stays text; no entities, which could bring back characters that `visible` took out; no links: a page leads nowhere by itself.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").disable(
    ["link", "image", "autolink", "html_inline", "html_block", "entity", "reference"]
)  # fmt: skip
_HEADINGS = ("heading_open", "heading_close")


def text(foreign: str) -> str:
    """One line of foreign text, harmless between tags and in a quoted attribute."""
    return html.escape(visible(foreign))


def lines(foreign: str) -> str:
    """Several lines of foreign text, for a ``pre``."""
    return "\n".join(text(line) for line in foreign.expandtabs(4).split("\n"))


def prose(foreign: str) -> str:
    """Foreign Markdown as paragraphs, lists and code; a heading in it is a paragraph, so that the order of headings is the page's."""
    source = "\n".join(str(visible(line)) for line in foreign.expandtabs(4).split("\n"))
    tokens = _MARKDOWN.parse(source)
    for token in tokens:
        _tame(token)
    return str(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))


def _tame(token: Token) -> None:
    if token.type in _HEADINGS:
        token.tag = "p"
    if token.type in ("th_open", "td_open"):
        token.attrs = {}  # alignment would be a style attribute, which the page's policy refuses
    if token.type in ("fence", "code_block"):
        token.info = ""
        token.type = "code_block"


def inline(foreign: str) -> str:
    """Foreign Markdown of one paragraph, without the paragraph."""
    return prose(" ".join(foreign.split())).strip().removeprefix("<p>").removesuffix("</p>")


def milliseconds(ns: int) -> str:
    """A moment, for the column of times."""
    return f"{ns / 1e6:,.3f}"


def duration(ns: int) -> str:
    """A length of time for people."""
    if ns < 1_000_000:
        return f"{ns / 1000:.0f} \u00b5s"
    return f"{ns / 1e6:.1f} ms" if ns < 1_000_000_000 else f"{ns / 1e9:.1f} s"
