r"""Foreign bytes become display text here and nowhere else.

Runs on any thread.  Everything that tracedbg did not write itself (output and memory of a program, file names, arguments,
symbol names, texts in /proc) passes `visible` before it reaches a terminal, a file or a page.
"""

from __future__ import annotations

import re
from typing import final


@final
class Shown(str):
    """Text that is safe to put on a terminal: printable characters only.

    Made by `visible`, by `shown` from parts, or from a literal in our own source.  Functions that draw take `Shown`, so that a
    type checker sees every place where foreign text would slip through.
    """

    __slots__ = ()


_ODD = re.compile(r"[^\x20-\x7e]")


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if char.isprintable():
        return char
    return char.encode("unicode_escape").decode("ascii")


def visible(text: str | bytes) -> Shown:
    r"""Return `text` with every character that is not printable written as its escape: ``\x1b``, ``\u202e``, ``\n``.

    `str.isprintable` is false for C0 and C1 controls, DEL, bidirectional and zero-width format characters, lone surrogates and
    line separators, so none of them can reach a terminal.  Bytes are decoded as UTF-8; bytes that are not show as ``\xNN``.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    elif text.isascii() and text.isprintable():
        return Shown(text)
    return Shown(_ODD.sub(_escape, text))


def quoted(data: bytes) -> Shown:
    r"""Return bytes as a C-like string literal, for example ``"hello\n"``: one word in an event line."""
    text = data.decode("utf-8", "backslashreplace")
    out = []
    for char in text:
        if char in '"\\':
            out.append("\\" + char)
        else:
            out.append(visible(char))
    return Shown('"' + "".join(out) + '"')
