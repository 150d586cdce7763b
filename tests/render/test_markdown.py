"""Markdown for a terminal: what is shown, what is not, and that nothing in it reaches the terminal unseen."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracedbg.render.markdown import MEASURE, markdown_lines


def plain(text: str, columns: int = 80, *, colour: bool = False) -> list[str]:
    return ["".join(piece for _, piece in line) for line in markdown_lines(text, columns, colour=colour)]


def test_prose_is_wrapped_and_styled() -> None:
    (line,) = markdown_lines("call `wait4` *x*", 80, colour=True)
    assert line == (("plain", "  "), ("plain", "call "), ("code", "wait4"), ("plain", " "), ("emphasis", "x"))
    assert all(len(line) <= 40 for line in plain("word " * 50, 41))
    assert max(map(len, plain("word " * 100, 400))) <= MEASURE


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[words](https://a.b/c)", "  words (https://a.b/c)"),
        ("<https://a.b/c>", "  https://a.b/c"),
        ("![a picture](x.png)", "  [picture: a picture]"),
        ("before <b>bold</b> after", "  before bold after"),
        ("`code`", "  `code`"),
        ("- one\n- two", "   • one"),
        ("a\x1b[31mb", "  a\\x1b[31mb"),
        ("a\u202eb", "  a\\u202eb"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert plain(text)[0] == shown


def test_a_list_hangs() -> None:
    first, second, *_ = plain("1. " + "word " * 20, 60)
    assert first.startswith("   1 word")
    assert second.startswith("     word")


def test_code_keeps_its_lines() -> None:
    assert plain("```c\nint  x;\n\tint y;\n```") == ["    int  x;", "        int y;"]


def test_html_blocks_are_not_shown() -> None:
    assert plain("<script>\nalert(1)\n</script>\n\nwords") == ["  words"]


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab `*_[]()<>!#-|\n\t&;\x1b\x9b\u202e1.~\\\"'é漢"), max_size=80), st.integers(10, 120))
def test_nothing_reaches_the_terminal_unseen(text: str, columns: int) -> None:
    for line in plain(text, columns):
        assert line.isprintable(), repr(line)
        assert not any(unicodedata.category(char) in ("Cc", "Cf") for char in line)
