"""Characters that make trouble, for property tests.

Drawing from all of Unicode makes Hypothesis build a table of it first, which costs every fresh clone seconds; this list has one or more
of each category and every special case that was ever a bug somewhere, and so finds trouble sooner.
"""

from __future__ import annotations

from hypothesis import strategies as st

ASCII = "".join(map(chr, range(128)))
ODD = (
    "\x80\x85\x90\x9b\x9d\xa0\xad"  # C1 controls, no-break space, soft hyphen
    "\xe9\xdf\u0130\u0131\u01c5\u0301\u0345\u0e33\u1100\uac00\ud7a3"  # letters whose case or composition is special; Hangul
    "\u0660\u00b2\u2160\u2044\u20ac\u2030"  # digits and numbers of other kinds, currency
    "\u200b\u200d\u200e\u2028\u2029\u202a\u202e\u2066\u2069\ufeff"  # zero width, separators, bidi
    "\u3000\u6f22\uff21\uff76\ufe0f\u20e3"  # wide, half-width, variation selector, keycap
    "\ue000\ufdd0\ufffd\uffff\u0378"  # private use, non-characters, replacement, unassigned
    "\U00010400\U0001f600\U0001f1e9\U000e0041\U000f0000\U0010ffff"  # beyond the first plane: letter, emoji, flag, tag, private use, last
)
SURROGATES = "\ud800\udc80\udcff\udfff"

VALID = st.sampled_from(ASCII + ODD)
"""Any character that UTF-8 can carry."""
ANY = st.sampled_from(ASCII + ODD + SURROGATES)
"""Lone surrogates too, which stand for undecodable bytes of file names."""


def text(max_size: int | None = None, min_size: int = 0) -> st.SearchStrategy[str]:
    """Text of any such characters."""
    return st.text(ANY, min_size=min_size, max_size=max_size)
