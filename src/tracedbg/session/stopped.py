"""Where the program stands: what every command that let it run answers.

A pure value, any thread.
"""

from __future__ import annotations

import msgspec

from tracedbg.model.views import Report
from tracedbg.symbols.values import Frame


class Stopped(msgspec.Struct, frozen=True):
    """Where the program stands now; the answer of every command that let it run.

    Args:
        report: why it stopped or ended.
        frame: the innermost frame; None when it has ended or nothing is known.
        source: that frame's line.
        new_frame: the frame is another one than before, so that it is worth naming.
        note: one more line, such as a returned value.
        moved_thread: another thread than before is in focus.
        temporary: the breakpoint that was hit is gone with this hit.
        mid_line: pc is not at the start of the line's code.
    """

    report: Report
    frame: Frame | None = None
    source: tuple[int, str] | None = None
    new_frame: bool = True
    note: str = ""
    moved_thread: bool = False
    mid_line: bool = False
    temporary: bool = False
