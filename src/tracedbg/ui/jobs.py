"""Ctrl-Z: the whole job stops, with the terminal as the shell left it.

UI thread (all other threads stop with it); between two applications only.  Must not draw.
"""

from __future__ import annotations

import os
import signal
import termios
from typing import Any


def suspend_job(descriptor: int, *, found: list[Any], ours: list[Any]) -> bool:
    """Stop our process group and return when somebody has continued it.

    Args:
        descriptor: the terminal.
        found: its modes as they were found at the start.
        ours: the modes to set again afterwards, since the shell may have changed them.

    Returns:
        False, with nothing done, where nobody could continue us.
    """
    if not _job_control():
        return False
    termios.tcsetattr(descriptor, termios.TCSADRAIN, found)
    # The group, as the terminal would: tracedbg may stand in a pipeline.  The program has a session of its own.
    os.killpg(0, signal.SIGTSTP)
    # Here again after SIGCONT.
    termios.tcsetattr(descriptor, termios.TCSADRAIN, ours)
    return True


def _job_control() -> bool:
    """Whether our parent could continue us.

    The kernel ignores SIGTSTP in an orphaned process group (setpgid(2); `is_current_pgrp_orphaned` in kernel/exit.c): one whose
    members' parents all stand in the same group or in another session.
    """
    try:
        parent = os.getppid()
        return os.getsid(parent) == os.getsid(0) and os.getpgid(parent) != os.getpgrp()
    except ProcessLookupError:
        return False
