"""What a class thinks before it sees: votes for the choices of each question.

UI thread, but for `leader`, which the thread that plays asks.  It knows no answers.
"""

from __future__ import annotations

from .document import Prediction


class Polls:
    """The votes of one presentation, by section and question."""

    def __init__(self) -> None:
        self._votes: dict[tuple[int, int], tuple[int, ...]] = {}
        self._open: set[tuple[int, int]] = set()
        self._last = 0

    def votes(self, section: int, asked: Prediction) -> tuple[int, ...]:
        """For each choice, how many."""
        return self._votes.get((section, asked.line), (0,) * len(asked.choices))

    def vote(self, section: int, asked: Prediction, choice: int, times: int = 1) -> bool:
        """Count votes, or take them back; False if there is no such choice."""
        if not 0 <= choice < len(asked.choices):
            return False
        votes = list(self.votes(section, asked))
        votes[choice] = max(votes[choice] + times, 0)
        self._votes[section, asked.line] = tuple(votes)
        self._last = choice
        return True

    def again(self, section: int, asked: Prediction, times: int) -> None:
        """The same for the choice that was voted for last."""
        self.vote(section, asked, self._last, times)

    def toggle(self, section: int, asked: Prediction) -> None:
        """Show the votes, or hide them again."""
        self._open ^= {(section, asked.line)}

    def shown(self, section: int, asked: Prediction) -> bool:
        """The class may see them."""
        return (section, asked.line) in self._open

    def forget(self, section: int) -> None:
        """A section begins anew."""
        self._votes = {key: votes for key, votes in self._votes.items() if key[0] != section}
        self._open = {key for key in self._open if key[0] != section}

    def leader(self, line: int) -> int | None:
        """The choice that has most votes in the question of that line; None without votes.  Any thread."""
        votes = next((votes for (_, asked), votes in list(self._votes.items()) if asked == line), ())
        return votes.index(max(votes)) if any(votes) else None
