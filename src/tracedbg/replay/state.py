"""What could be looked at, at any place of a recording: what was kept at the last stop, and what follows from the events.

Pure, any thread.  It says which of the two it tells, and never guesses: what was neither kept nor told is not known.
"""

from __future__ import annotations

from collections.abc import Sequence

from tracedbg.exports.situation import Snapshots, Under
from tracedbg.model.events import ThreadAsleep
from tracedbg.model.text import Shown, visible

from .tape import Kept, Tape, seconds

_MOST = 200
"""Lines of one answer."""

_LONGEST = 1_000
"""Characters of one line."""


class States:
    """Looks at one tape.

    Args:
        tape: it.
    """

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._snapshots = Snapshots(tape.records)

    # --- kept -----------------------------------------------------------------------------------------------------------------
    def _kept(self, position: int, what: str) -> tuple[Kept | None, list[Shown]]:
        """The state that was kept last, and a line that says how old it is."""
        kept = self._tape.kept_at(position)
        if kept is None:
            why = "nothing of the kind was kept up to here" if self._tape.kept else "this recording keeps no states"
            return None, [short(f"{why}, so the {what} cannot be told; record keeps them at stops")]
        since = self._tape.resumed_since(kept, position)
        ran = f"; it runs since {since.seq}" if since is not None else ""
        return kept, [short(f"{what} as kept at {kept.seq}, when process {kept.state.pid} {_stood(kept)}{ran}:")]

    def registers(self, position: int, names: Sequence[str] = ()) -> list[Shown]:
        """The registers, or those of them that are named (a ``$`` before the name is allowed)."""
        kept, out = self._kept(position, "registers")
        if kept is None:
            return out
        wanted = {name.removeprefix("$").lower() for name in names}
        chosen = [(name, value) for name, value in kept.state.registers if not wanted or name.lower() in wanted]
        if not chosen:
            return [*out, Shown("none of these" if kept.state.registers else "none were kept")]
        return out + [short(f"{name:<15}{value}") for name, value in chosen[:_MOST]]

    def backtrace(self, position: int) -> list[Shown]:
        """The frames."""
        kept, out = self._kept(position, "frames")
        if kept is None:
            return out
        return out + ([short(frame) for frame in kept.state.frames[:_MOST]] or [Shown("none were kept")])

    def source(self, position: int) -> list[Shown]:
        """The lines around the program counter, the current one marked."""
        kept, out = self._kept(position, "source")
        if kept is None:
            return out
        state = kept.state
        if not state.source:
            return [*out, Shown("none was kept")]
        head = [short(f"{state.file}:{state.line}")] if state.file else []
        return out + head + _listing(kept)

    def threads(self, position: int) -> list[Shown]:
        """The threads: as they were kept while the program still stands there, and as far as the events told otherwise."""
        kept = self._tape.kept_at(position)
        if kept is not None and kept.state.threads and self._tape.resumed_since(kept, position) is None:
            return self._kept(position, "threads")[1] + [short(thread) for thread in kept.state.threads[:_MOST]]
        out = [Shown("threads, as far as the events told up to here:")]
        tasks = [(tid, task) for tid, task in self._snapshots.at(position).tasks.items() if not task.ended]
        if not tasks:
            return [Shown("nothing is traced here")]
        for tid, task in tasks[:_MOST]:
            of = f" of process {task.pid}" if task.pid not in (0, tid) else ""
            out.append(short(f"{tid}{of}: {task.words}, told at {task.seq}"))
        return out

    # --- told -----------------------------------------------------------------------------------------------------------------
    def waitqueue(self, position: int) -> list[Shown]:
        """Who is in a wait call, on whose queue, and how it is known that it sleeps."""
        now = self._snapshots.at(position)
        out: list[Shown] = []
        for lane, under in list(now.calls.items())[:_MOST]:
            if under.waits:
                process = now.processes.get(lane, 0)
                whose = f"process {process}: " if process else ""
                out.append(
                    short(f"{whose}{lane}  {under.text}, entered at {under.entered.seq} ({seconds(under.entered.t)}), {_asleep(under)}")
                )
        if out:
            return [Shown("wait queues, as far as the events told up to here:"), *out]
        # Where a part was taken out, the beginning of a call may be missing that is still under way.
        kept = self._tape.kept_at(position)
        if kept is not None and kept.state.queue and self._tape.resumed_since(kept, position) is None:
            return self._kept(position, "wait queue")[1] + [short(f"{lane}  {call}") for lane, call in kept.state.queue[:_MOST]]
        return [Shown("nobody is in a wait call here")]

    def lanes(self, position: int) -> list[Shown]:
        """What each thread is inside of."""
        now = self._snapshots.at(position)
        names = list(dict.fromkeys([*now.processes, *now.calls]))[:_MOST]
        out = []
        for lane in names:
            under = now.calls.get(lane)
            doing = f"{under.text}, entered at {under.entered.seq}" if under is not None else "in no call"
            out.append(short(f"{lane:<8} {doing}"))
        return out or [Shown("no thread has been told of here")]

    def sleepers(self, position: int) -> list[str]:
        """The lanes that were seen asleep in a wait call and have not returned."""
        calls = self._snapshots.at(position).calls
        return [lane for lane, under in calls.items() if under.waits and under.asleep is not None]

    def side(self, position: int, rows: int) -> list[Shown]:
        """For the pane of the split: source if there is some, registers otherwise, and what is known without them."""
        kept = self._tape.kept_at(position)
        if kept is None:
            return self.threads(position)
        since = self._tape.resumed_since(kept, position)
        out = [short(f"at {kept.seq}: {_stood(kept)}" if since is None else f"at {kept.seq}, runs since {since.seq}: {_stood(kept)}")]
        if kept.state.source:
            lines = _listing(kept)
            current = next((number for number, line in enumerate(lines) if line.startswith("=>")), 0)
            # The current line stays in sight, however few rows there are.
            return [*out, *lines[max(0, current - rows // 2) :]]
        if kept.state.registers:
            return out + [short(f"{name:<9}{value}") for name, value in kept.state.registers[:_MOST]]
        return self.threads(position)


def _stood(kept: Kept) -> str:
    """Where nobody read registers, the place is not known."""
    return f"stood at {kept.state.where}" if kept.state.where else "stood still"


def _asleep(under: Under) -> str:
    seen = under.asleep
    if seen is None or not isinstance(seen.event, ThreadAsleep):
        return "not seen asleep so far"
    return f"seen asleep in {seen.event.wchan or '?'} at {seen.seq} [{seen.source.value}]"


def short(text: str) -> Shown:
    """A foreign line, not longer than anybody reads."""
    return visible(text[:_LONGEST])


def _listing(kept: Kept) -> list[Shown]:
    state = kept.state
    return [short(f"{'=>' if number == state.line else '  '} {number:>5}  {text.expandtabs(4)}") for number, text in state.source[:_MOST]]
