"""The whole language: the tables of all families in one visible list.

Built once, on first use; read only afterwards, from any thread.
"""

from __future__ import annotations

import functools

from tracedbg.lang.table import CommandTable

from . import (
    benching,
    decoding,
    expecting,
    explaining,
    helping,
    kernel_,
    lessons,
    logging_,
    looking,
    looking_code,
    looking_memory,
    looking_process,
    looking_source,
    looking_symbols,
    looking_threads,
    looking_values,
    recording,
    running,
    settings,
    stopping,
    typing_,
    waiting,
    why,
)

FAMILIES = (
    running,
    stopping,
    looking,
    looking_source,
    looking_values,
    looking_memory,
    looking_code,
    looking_symbols,
    looking_threads,
    looking_process,
    waiting,
    benching,
    kernel_,
    logging_,
    recording,
    explaining,
    decoding,
    expecting,
    lessons,
    typing_,
    settings,
    why,
    helping,
)
"""In the order of `help` and of the reference page."""


@functools.cache
def all_commands() -> CommandTable:
    """Every row.

    Raises:
        ValueError: two rows have one name (at the first use, so in every test).
    """
    whole = CommandTable.merged(family.table for family in FAMILIES)
    helping.explain(whole)
    return whole
