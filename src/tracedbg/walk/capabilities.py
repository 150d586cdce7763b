"""What this machine lacks of what a page needs.

Whatever thread of a process that holds no tracer: whether a seccomp filter refuses ptrace can only be tried, with a child.
"""

from __future__ import annotations

import select
from collections.abc import Collection, Iterable

from tracedbg.kernel import needs, refusals
from tracedbg.kernel.needs import Need
from tracedbg.kernel.reap import Reaper
from tracedbg.kernel.spawn import SpawnSpec
from tracedbg.model.errors import BadArgument

from .moments import Lack

_TRY = "/bin/true"
_TRY_S = 5.0


class Capabilities:
    """Probes, each once.

    Args:
        reaper: for the one probe that needs a child.
        without: names that are to be taken for missing.

    Raises:
        BadArgument: such a name is not on the list.
    """

    def __init__(self, reaper: Reaper, without: Collection[str] = ()) -> None:
        for name in without:
            if not needs.known(name):
                raise BadArgument(f"'{name}' is no need", f"needs are {needs.NAMES_TEXT}")
        self._reaper, self._without = reaper, frozenset(without)
        self._known: dict[str, Need] = {}

    def lacks(self, names: Iterable[str]) -> dict[str, Lack]:
        """Those of `names` that are missing here, with reason and remedy."""
        found = {name: self._probe(name) for name in names}
        return {name: Lack(name, need.reason, need.remedy) for name, need in found.items() if not need.ok}

    def need(self, name: str) -> Need:
        """The answer about one name, whether it is there or not."""
        return self._probe(name)

    def _probe(self, name: str) -> Need:
        if name in self._without:
            return Need(False, "it was asked to be taken for missing", f"leave --without {name} away")
        if name not in self._known:
            need = needs.probe(name)
            if need.ok and name in ("ptrace", "seize"):
                need = self._tried(need)
            self._known[name] = need
        return self._known[name]

    def _tried(self, need: Need) -> Need:
        """A child asks PTRACE_TRACEME: a seccomp filter cannot be read back (seccomp(2)), so only trying tells."""
        child = self._reaper.spawn(SpawnSpec(_TRY, (_TRY,), {}, stdio=_nowhere(), trace=True, randomize=True))
        try:
            # What was refused stands in the pipe by its exec, which closes it.
            select.select([child.pipe], [], [], _TRY_S)
            refused = [errno for stage, errno, fatal in child.trouble() if fatal and stage == "traceme"]
        finally:
            self._reaper.end(child)
            child.close()
        if not refused:
            return need
        error = refusals.explain_exec("traceme", refused[0], _TRY)
        return Need(False, error.what, error.todo)


def _nowhere() -> tuple[int, int, int]:
    return (0, 1, 2)
