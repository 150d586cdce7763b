"""The commands `record`, `record start` and `record stop`: keep the session from here on.

Handlers run at once, also while another command runs; they write a file and change nothing in the session.
"""

from __future__ import annotations

import datetime as dt
import os
from typing import Annotated

import msgspec

from tracedbg.lang.params import Path, Text
from tracedbg.lang.table import CommandTable
from tracedbg.model.text import Shown, visible
from tracedbg.session.recorder import Wanted, Written
from tracedbg.session.session import Session

from .drawing import wrapped

table = CommandTable("record", "Recording the session")

_STORED = (
    "A recording keeps, from its beginning on: the lines that you enter and their answers, every event of the log at all levels, what the "
    "program prints and what you type for it, and at each stop its registers, source lines, backtrace, threads and the wait queue; in its "
    "first line the kernel's version, the number of processors, the size of the terminal."
)
_LEFT_OUT = (
    "It does not keep single keys, the environment, memory that was not shown, or the names of host and user; your home directory is "
    "written as ~. The file is readable by you alone. Look through it before you pass it on: programs print what they like."
)


class RecordingState(msgspec.Struct, frozen=True):
    """How the recording stands.

    Args:
        written: None if there is none.
        ended: it has just been ended.
        began: it has just begun.
    """

    written: Written | None
    began: bool = False
    ended: bool = False

    def lines(self, width: int) -> list[Shown]:
        """What is being written and how much of it; asked for, also what is stored."""
        written = self.written
        if written is not None and self.began:
            return [visible(f"Recording to {written.path}; record stop ends it, record says what is stored.")]
        if written is not None and self.ended:
            return [visible(f"The recording {written.path} is complete: {_much(written)}.")]
        first = "Nothing is recorded; record start FILE begins."
        if written is not None:
            first = f"Recording to {written.path}: {_much(written)}, since {written.seconds:.0f} s; record stop ends it."
        return [visible(first), *wrapped(_STORED, width, others=""), *wrapped(_LEFT_OUT, width, others="")]


def _much(written: Written) -> str:
    size = f"{written.size / 1e6:.1f} MB" if written.size >= 1_000_000 else f"{(written.size + 999) // 1000} kB"
    return f"{written.events:,} events, {size}"


@table.add("record", while_busy="now")
def record(session: Session) -> RecordingState:
    """Say whether the session is being recorded, how much was written, and what a recording stores.

    Example: record
    """
    return RecordingState(session.recorder.written)


@table.add("record start", while_busy="now")
def record_start(
    session: Session,
    file: Annotated[Path | None, "a new file; one named by the date if none is named"] = None,
    *,
    force: Annotated[bool, "replace a recording that is there"] = False,
    title: Annotated[Text | None, "what it is called"] = None,
    author: Annotated[Text | None, "who made it; nobody unless told"] = None,
    licence: Annotated[Text | None, "under which it may be passed on"] = None,
) -> RecordingState:
    """Keep the session in a file from here on, until `record stop` or the end.

    It can begin at any time, also while the program runs: what is there already (threads, sleepers, tracees, the step of a lesson) is
    written first. `tracedbg --record FILE` begins with the session. A file that exists is not replaced. Afterwards `tracedbg replay
    FILE` shows it again without the program, and `tracedbg export FILE --to FORM` makes a page or a trace of it.

    In the kernel: nothing but writes; no request is made for it.

    Example: record start stops.jsonl
      record start --title "Who takes a stop?" stops.jsonl
    """
    path = file or dt.datetime.now(dt.UTC).strftime("tracedbg-%Y%m%d-%H%M%S.jsonl")
    told = {"title": title, "author": author, "licence": licence}
    about: dict[str, object] = {name: text for name, text in told.items() if text}
    where = os.path.abspath(os.path.join(session.folder, os.path.expanduser(path)))
    session.recorder.start(Wanted(where, about, force))
    return RecordingState(session.recorder.written, began=True)


@table.add("record stop", while_busy="now")
def record_stop(session: Session) -> RecordingState:
    """End the recording in order; the session goes on.

    Example: record stop
    """
    return RecordingState(session.recorder.stop(), ended=True)
