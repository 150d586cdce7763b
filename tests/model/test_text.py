"""Nothing foreign reaches a terminal but printable characters."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracedbg.model.text import quoted, visible


def test_no_character_of_unicode_gets_through_unprintable() -> None:
    # One character of each category and block at least; `long` looks at all of them.
    _shown_as_it_should_be([*range(0x3000), *range(0x3000, sys.maxunicode + 1, 61), *range(0xD7F0, 0xE010), *range(0xE0000, 0xE0200)])


@pytest.mark.long
def test_no_character_at_all_gets_through_unprintable() -> None:
    _shown_as_it_should_be(range(sys.maxunicode + 1))


def _shown_as_it_should_be(codes: Iterable[int]) -> None:
    for code in codes:
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
