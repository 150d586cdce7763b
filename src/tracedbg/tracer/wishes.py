"""The user's breakpoints: what `break` made, whether a program runs or not.

Tracer thread only; others get views.  They outlive the program and its restarts; where they are planted is `breakpoints`' business.
"""

from __future__ import annotations

from collections.abc import Iterable

from tracedbg.model.errors import NotFound
from tracedbg.model.views import BreakpointView


class Breakpoint:
    """What `break` made.

    Args:
        number: as answered to the user.
        spec: what the user wrote.
        temporary: gone after its first hit.
    """

    def __init__(self, number: int, spec: str, *, temporary: bool) -> None:
        self.number, self.spec, self.temporary = number, spec, temporary
        self.where = ""
        self.enabled = True
        self.hits = 0
        self.ignore = 0
        self.addresses: tuple[int, ...] = ()

    def view(self) -> BreakpointView:
        """A frozen copy."""
        return BreakpointView(self.number, self.spec, self.addresses, self.where, self.enabled, self.temporary, self.hits, self.ignore)


class BreakpointTable:
    """The user's breakpoints by number; they outlive the program and its restarts."""

    def __init__(self) -> None:
        self._next = 1
        self.all: dict[int, Breakpoint] = {}

    def add(self, spec: str, where: str, addresses: tuple[int, ...], *, temporary: bool) -> Breakpoint:
        """Make one, not yet planted."""
        made = Breakpoint(self._next, spec, temporary=temporary)
        made.where, made.addresses = where, addresses
        self.all[made.number] = made
        self._next += 1
        return made

    def get(self, number: int) -> Breakpoint:
        """One by its number.

        Raises:
            NotFound: there is none.
        """
        try:
            return self.all[number]
        except KeyError:
            raise NotFound(f"no breakpoint number {number}", "info breakpoints lists them") from None

    def among(self, users: Iterable[int]) -> list[Breakpoint]:
        """The enabled ones of these numbers; other users of a site are plans."""
        return [self.all[user] for user in sorted(users) if user in self.all and self.all[user].enabled]
