"""What the terminal needs from the rest of the program.

Pure types, any thread.  The terminal knows no command, no tracer and no session: it knows a `Host`.  Must not import
prompt_toolkit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from tracedbg.model.text import Shown


class Candidate(Protocol):
    """One way to go on with a half-typed line."""

    @property
    def text(self) -> str:
        """What is put into the line."""
        ...

    @property
    def start(self) -> int:
        """Where it goes: 0 at the cursor, -3 to replace the three characters before it."""
        ...

    @property
    def display(self) -> str:
        """What the menu shows; empty for `text`."""
        ...

    @property
    def meta(self) -> str:
        """A few words beside it; may be empty."""
        ...


class Host(Protocol):
    """The side that runs commands.

    Except for `complete` (any thread), `quit` and `idle` (which wait), every method is called on the UI thread, some once a
    frame, and must not block.
    """

    def submit(self, line: str) -> None:
        """Take an accepted line; an empty one asks for the last command again.

        Never blocks: the line runs on the command thread, or at once where the command is allowed while another one runs.  The
        terminal has put the line into the log already.  May be called again before the line before it has ended.
        """
        ...

    def echoes(self, line: str) -> bool:
        """Whether an accepted line is shown in the flow, behind the prompt at which it was typed."""
        ...

    def interrupt(self) -> str:
        """Ctrl-C on an empty line: stop waiting, or interrupt the program; one line to show, or nothing."""
        ...

    def request_quit(self) -> str | None:
        """Ctrl-D on an empty line: None to leave now, or a question that is answered with y or n."""
        ...

    def quit(self) -> None:
        """Orderly end.  Called once, on the UI thread, when the terminal is in order again; may take its time."""
        ...

    def idle(self, seconds: float) -> bool:
        """Wait at most `seconds` for the moment when no command runs; tell whether it came.  Used by the plain loop only."""
        ...

    def ended(self) -> bool:
        """Whether the host has asked to leave (the command ``quit``).  Used by the plain loop only; see ``Terminal.leave``."""
        ...

    def complete(self, text: str) -> Sequence[Candidate]:
        """Ways to go on after `text`, the line up to the cursor.

        Called on a helper thread while one types, on the UI thread for Tab: it may look things up, but must not wait for a lock
        that is held for long.  A `TracedbgError` counts as no candidates.
        """
        ...

    def validate(self, text: str) -> str | None:
        """What is wrong with a half-typed line, in a few words; None if nothing is."""
        ...

    def toolbar(self) -> Sequence[tuple[str, str]]:
        """(key, text) fields in order of worth; those that find no room are left out from the right."""
        ...

    def prompt(self) -> str:
        """The prompt with its trailing blank."""
        ...

    def context(self) -> Sequence[Shown]:
        """Lines for the side pane of the split: source around the program counter, or registers."""
        ...

    def on_change(self, callback: Callable[[bool], None]) -> None:
        """Keep `callback` and call it, on any thread and as often as you like, when prompt, toolbar or context changed.

        It is given True when a command has ended, so that nothing follows soon, and False in the middle of something.
        """
        ...
