"""Rows of names: ``w1..w1000`` stands for a thousand of them.

Pure.  Used where names of threads are typed, so that a crowd on one wait queue is one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tracedbg.model.errors import BadArgument

MOST = 10_000
"""Names that one row may stand for: a typing error must not make a million threads."""

_ROW = re.compile(r"([A-Za-z](?:[A-Za-z0-9_-]*[A-Za-z_-])?)(\d{1,9})\.\.(?:\1)?(\d{1,9})")


def expanded(names: Iterable[str]) -> tuple[str, ...]:
    """The names, rows spelled out in order; anything else as it stands.

    Raises:
        BadArgument: a row that runs backwards or is too long.
    """
    out: list[str] = []
    for name in names:
        row = _ROW.fullmatch(name)
        if row is None:
            out.append(name)
            continue
        first, last = int(row[2]), int(row[3])
        if not first <= last < first + MOST:
            raise BadArgument(f"'{name}' is no row of names", f"write it upwards, {MOST:,} names at most: {row[1]}1..{row[1]}5")
        out += [f"{row[1]}{number}" for number in range(first, last + 1)]
    return tuple(out)
