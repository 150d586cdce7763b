"""The one place where text becomes part of a page or a picture: made visible, then escaped; and what a page is allowed to do.

Pure, any thread.  Nothing else that makes pages may put foreign text between tags.
"""

from __future__ import annotations

import base64
import hashlib
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


def policy(style: str, script: str = "") -> str:
    """The element that lets a page use its own style and script, and nothing else: no network, no form, no other script.

    Args:
        style: CSS of the page, as it stands between its tags.
        script: likewise, empty for a page without one.
    """
    allowed = f"default-src 'none'; style-src '{_digest(style)}'" + (f"; script-src '{_digest(script)}'" if script else "")
    content = html.escape(f"{allowed}; base-uri 'none'; form-action 'none'")
    return f'<meta http-equiv="Content-Security-Policy" content="{content}">'


def _digest(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode("utf-8")).digest()).decode("ascii")
