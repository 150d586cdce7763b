"""The whole language: the tables of all families in one visible list.

Built once, on first use; read only afterwards, from any thread.
"""

from __future__ import annotations

import functools

from tracedbg.lang.table import CommandTable

from . import helping, looking, running, stopping


@functools.cache
def all_commands() -> CommandTable:
    """Every row.

    Raises:
        ValueError: two rows have one name (at the first use, so in every test).
    """
    families = (running, stopping, looking, helping)
    return CommandTable.merged(family.table for family in families)
