"""Candidates of the host as prompt_toolkit wants them.

While one types it runs on a helper thread, so that a long list of names does not keep the keys waiting; for Tab on
the UI thread.  Knows no command.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from tracedbg.model.errors import TracedbgError
from tracedbg.model.text import visible

from .host import Candidate, Host

MOST = 200
"""Candidates shown; a program has more symbols than a menu has use for."""

_LAST_WORD = re.compile(r"[^\s/]*$")


def fuzzy_rank(pattern: str, text: str) -> tuple[int, int] | None:
    """How well the characters of `pattern` are found in `text` in their order: (span, start), smaller is better; None if not."""
    low, start, at = text.lower(), -1, 0
    for char in pattern.lower():
        found = low.find(char, at)
        if found < 0:
            return None
        if start < 0:
            start = found
        at = found + 1
    return (at - start, start)


class HostCompleter(Completer):
    """What the host offers for the line; where it offers nothing, what it offers without the last word, matched fuzzily."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Candidates for the text before the cursor."""
        text = document.text_before_cursor
        if not text.strip() and not complete_event.completion_requested:
            return []  # an empty line offers nothing by itself, or the menu would cover the log after each Enter
        try:
            exact = self._host.complete(text)
            if exact:
                return [self._shown(one, one.start) for one in exact[:MOST]]
            return list(self._fuzzy(text))
        except TracedbgError:
            # A line that cannot be understood so far has no candidates; Enter will say what is wrong with it.
            return []

    def _fuzzy(self, text: str) -> Iterator[Completion]:
        match = _LAST_WORD.search(text)
        word = match[0] if match else ""
        if not word:
            return
        ranked: list[tuple[tuple[int, int], str, Candidate]] = []
        for one in self._host.complete(text[: len(text) - len(word)]):
            rank = fuzzy_rank(word, one.text)
            if rank is not None and one.start == 0:
                ranked.append((rank, one.text, one))
        ranked.sort(key=lambda row: row[:2])
        for _, _, one in ranked[:MOST]:
            yield self._shown(one, -len(word))

    @staticmethod
    def _shown(one: Candidate, start: int) -> Completion:
        """A row of the menu.  Symbols and file names are the program's text: they pass `visible`."""
        return Completion(
            str(visible(one.text)),
            start_position=start,
            display=str(visible(one.display or one.text)),
            display_meta=str(visible(one.meta)),
        )
