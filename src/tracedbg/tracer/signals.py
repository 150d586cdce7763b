"""What to do with each signal: stop, print, pass.

The table belongs to the tracer thread, which decides by it at every signal-delivery-stop; rows are frozen.  Defaults as gdb's.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable

import msgspec

from tracedbg.model.names import signal_name


class SignalRow(msgspec.Struct, frozen=True):
    """One signal's treatment.

    Args:
        stop: stop the program and tell the user.
        show: say that it came (implied by stop).
        deliver: give it to the program when it goes on.
    """

    number: int
    stop: bool
    show: bool
    deliver: bool

    @property
    def name(self) -> str:
        """Its usual name."""
        return signal_name(self.number)


# Signals of everyday work: a debugger that stopped at each would be in the way.  32 and 33 are glibc's own (cancellation, setuid).
_QUIET = {signal.SIGALRM, signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGIO, signal.SIGVTALRM, signal.SIGPROF, 32, 33}
# Used by the debugger's user and by the debugger: the program is not to see them.
_OURS = {signal.SIGINT, signal.SIGTRAP}


class SignalTable:
    """A row for each signal."""

    def __init__(self) -> None:
        self._rows = {number: SignalRow(number, number not in _QUIET, number not in _QUIET, number not in _OURS) for number in range(1, 65)}

    def __getitem__(self, number: int) -> SignalRow:
        """The row of a signal."""
        return self._rows[number]

    def change(self, numbers: Iterable[int], *, stop: bool | None, show: bool | None, deliver: bool | None) -> None:
        """Change some columns; stop implies print, noprint implies nostop, as in gdb."""
        for number in numbers:
            row = self._rows[number]
            new_show = row.show if show is None else show
            new_stop = row.stop if stop is None else stop
            if stop:
                new_show = True
            if show is False:
                new_stop = False
            self._rows[number] = SignalRow(number, new_stop, new_show, row.deliver if deliver is None else deliver)

    def rows(self) -> tuple[SignalRow, ...]:
        """All rows in the order of their numbers."""
        return tuple(self._rows.values())
