"""What a user can set.

Command thread.  Plain values; what they mean is the business of whoever reads them.
"""

from __future__ import annotations

import msgspec

from tracedbg.model.startup import ProgramArgs


class Settings(msgspec.Struct):
    """Everything that `set` changes and `show` shows.

    Args:
        disable_randomization: give the program the same addresses at each start.
        attach_mode: ``seize`` (SEIZE and INTERRUPT) or ``attach`` (ATTACH and SIGSTOP).
        args: the program's arguments and redirections.
        cwd: its working directory, empty for ours.
        inferior_tty: a terminal to run it on, empty for a pty of our own.
        listsize: lines that `list` shows.
        disassembly_flavor: ``att`` or ``intel``.
        confirm: ask before what cannot be undone (at a terminal only).
        print_elements: how many elements of an array are printed.
    """

    disable_randomization: bool = True
    attach_mode: str = "seize"
    args: ProgramArgs = ProgramArgs()
    cwd: str = ""
    inferior_tty: str = ""
    listsize: int = 10
    disassembly_flavor: str = "att"
    confirm: bool = True
    print_elements: int = 200
    environment: dict[str, str] = msgspec.field(default_factory=dict)
    unset: set[str] = msgspec.field(default_factory=set)
