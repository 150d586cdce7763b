"""Nothing foreign reaches a terminal but printable characters."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from tracedbg.model.text import quoted, visible


def test_no_character_of_unicode_gets_through_unprintable() -> None:
    for code in range(sys.maxunicode + 1):
        shown = visible(chr(code))
        assert shown.isprintable(), hex(code)
        assert shown.encode("utf-8")
        assert shown == chr(code) or shown.isascii(), hex(code)


@given(st.binary())
def test_any_bytes_are_shown(data: bytes) -> None:
    assert visible(data).isprintable()
    text = quoted(data)
    assert text.isprintable()
    assert text[0] == text[-1] == '"'


def test_an_attack_shows_as_what_it_is() -> None:
    assert visible("\x1b]0;own\x07") == r"\x1b]0;own\x07"
    assert visible("a\u202eb") == r"a\u202eb"
    assert visible(b"\xff\n") == r"\xff\n"
    assert quoted(b'say "hi"\n') == r'"say \"hi\"\n"'
