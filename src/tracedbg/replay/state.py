"""What could be looked at, at any place of a recording: what was kept at the last stop, and what follows from the events.

Pure, any thread.  It says which of the two it tells, and never guesses: what was neither kept nor told is not known.
"""

from __future__ import annotations

from collections.abc import Sequence

from tracedbg.model.text import Shown, visible

from .tape import Kept, Tape

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

    # --- kept -----------------------------------------------------------------------------------------------------------------
    def _kept(self, position: int, what: str) -> tuple[Kept | None, list[Shown]]:
        """The state that was kept last, and a line that says how old it is."""
        kept = self._tape.kept_at(position)
        if kept is None:
            why = "nothing of the kind was kept up to here" if self._tape.kept else "this recording keeps no states"
            return None, [short(f"{why}, so the {what} cannot be told; record keeps them at stops")]
        since = self._tape.resumed_since(kept, position)
        ran = f"; it runs since {since.seq}" if since is not None else ""
        return kept, [short(f"{what} as kept at {kept.seq}, when process {kept.state.pid} stood at {kept.state.where or '?'}{ran}:")]

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
        """The threads."""
        kept, out = self._kept(position, "threads")
        if kept is None:
            return out
        return out + ([short(thread) for thread in kept.state.threads[:_MOST]] or [Shown("none were kept")])

    def waitqueue(self, position: int) -> list[Shown]:
        """Who slept on the wait queue of tracedbg."""
        kept, out = self._kept(position, "wait queue")
        if kept is None:
            return out
        return out + ([short(f"{lane:<8} {call}") for lane, call in kept.state.queue[:_MOST]] or [Shown("nobody slept")])

    def side(self, position: int, rows: int) -> list[Shown]:
        """For the pane of the split: source if there is some, registers otherwise, and what is known without them."""
        kept, out = self._kept(position, "state")
        if kept is not None and kept.state.source:
            lines = _listing(kept)
            current = next((number for number, line in enumerate(lines) if line.startswith("=>")), 0)
            # The current line stays in sight, however few rows there are.
            return [*out, *lines[max(0, current - rows // 2) :]]
        if kept is not None and kept.state.registers:
            return out + [short(f"{name:<9}{value}") for name, value in kept.state.registers[:_MOST]]
        return self.threads(position)


def short(text: str) -> Shown:
    """A foreign line, not longer than anybody reads."""
    return visible(text[:_LONGEST])


def _listing(kept: Kept) -> list[Shown]:
    state = kept.state
    return [short(f"{'=>' if number == state.line else '  '} {number:>5}  {text.expandtabs(4)}") for number, text in state.source[:_MOST]]
