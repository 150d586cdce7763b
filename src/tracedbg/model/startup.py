"""What a program is started with.

Pure values, any thread.
"""

from __future__ import annotations

import msgspec


class ProgramArgs(msgspec.Struct, frozen=True):
    """What ``run`` was given.

    Args:
        argv: the arguments, without the program.
        stdin: path after ``<``, empty if none; `stdout` after ``>``, `stderr` after ``2>``.
        append: ``>>`` instead of ``>``.
        both: ``&>`` or ``2>&1``: errors go where the output goes.
    """

    argv: tuple[str, ...] = ()
    stdin: str = ""
    stdout: str = ""
    stderr: str = ""
    append: bool = False
    both: bool = False
