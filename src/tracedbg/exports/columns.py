"""Which lanes a section of a timeline shows, and in which order: threads of tracedbg, its wait queue, then tracees and parents.

Pure, any thread.  A lane that takes no part in a section has no column there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tracedbg.model.events import LaneOpened
from tracedbg.model.ids import Role

from .rows import Column, Row
from .story import Happened

MOST_COLUMNS = 9
"""More are too narrow to read on paper."""

_ORDER = {Role.REPL: 0, Role.TRACER: 1, Role.WAITER: 2, Role.BENCH: 3}


def columns(rows: Sequence[Row], threads: Mapping[str, tuple[LaneOpened, int]], own: int) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """The columns of a section, and the names of the lanes for which there was no room.

    Args:
        rows: of the section.
        threads: all lanes of the recording by name, with the number of each task.
        own: the process of tracedbg.
    """
    weight: dict[str, int] = {}
    for row in rows:
        for arrow in row.arrows:
            for key in (arrow.start, arrow.end):
                if key:
                    weight[key] = weight.get(key, 0) + 3
        for queue, sleepers in row.look.queues.items():
            for key in (queue, *(lane for lane, _ in sleepers)):
                weight[key] = weight.get(key, 0) + 1
        for key, letter in row.look.tasks.items():
            if letter != "X":  # of one that is dead, only the end is news
                weight[key] = weight.get(key, 0) + 1
        if row.text and row.lane:
            weight[row.lane] = weight.get(row.lane, 0) + 1
    tasks = {key for row in rows for key in row.look.tasks}
    seen = [key for key in weight if key.startswith("q:") or key in threads or key in tasks]
    chosen = set(sorted(seen, key=lambda key: (-weight[key], key))[:MOST_COLUMNS])
    first = {key: number for number, key in enumerate([*threads, *sorted(tasks)])}

    def place(key: str) -> tuple[int, int, int]:
        if key == "q:tracedbg":
            return 4, 0, 0
        owner = key.removeprefix("q:")
        opened = threads.get(owner)
        mine = opened is not None and opened[0].pid == own and owner not in tasks
        rank = _ORDER.get(opened[0].role, 3) if mine and opened is not None else 5 if owner in tasks else 6
        return rank, first.get(owner, 0), 1 if key == owner else 0

    numbers: dict[str, dict[int, None]] = {}
    for row in rows:
        if isinstance(row.item, Happened) and row.lane in tasks and row.item.record.tid:
            numbers.setdefault(row.lane, {})[row.item.record.tid] = None
    shown = tuple(_column(key, threads, numbers.get(key, {}) if key in tasks else None, own) for key in sorted(chosen, key=place))
    return shown, tuple(sorted(key.removeprefix("q:") for key in seen if key not in chosen))


def _column(key: str, threads: Mapping[str, tuple[LaneOpened, int]], numbers: Collection[int] | None, own: int) -> Column:
    """A column; `numbers` are those of the tracees that stand on it, None for no tracee."""
    if key.startswith("q:"):
        return Column(key, "queue", "wait queue", f"of {key[2:]}")
    opened, tid = threads.get(key, (None, 0))
    if numbers is not None:
        about = f"process {tid}" if tid else " ".join(map(str, numbers)) if len(numbers) < 3 else f"{len(numbers)} tasks"
        return Column(key, "task", key, about)
    if opened is None or opened.role is Role.REPL:
        return Column(key, "thread", "you" if key == "repl" else key, "at the prompt" if key == "repl" else "")
    return Column(key, "thread", key, f"thread {tid}" if opened.pid == own else f"process {opened.pid}")
