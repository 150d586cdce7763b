"""Which part of the log is shown.

Any thread: fields are replaced whole.  The log itself keeps everything that is made; this is only about looking.
"""

from __future__ import annotations

from tracedbg.eventlog.log import EventLog
from tracedbg.model.events import Detail, Record


class LogView:
    """The lanes and the level of detail of the live log.

    Args:
        log: told what is asked for, so that what nobody asks for is not made.
    """

    def __init__(self, log: EventLog, detail: Detail) -> None:
        self._log = log
        self.detail = detail
        self.on = True
        self.lanes: frozenset[str] | None = None

    def set_detail(self, detail: Detail) -> None:
        """Show events up to this level, and have them made; those of `calls` always are, since expectations need them."""
        self.detail = detail
        self._log.set_detail(max(detail, Detail.CALLS))

    def wants(self, record: Record) -> bool:
        """Whether a record is shown in the live log."""
        return self.on and self.shows(record)

    def shows(self, record: Record) -> bool:
        """Whether a record is of a lane and a level that were chosen, be the live log on or off."""
        if record.event.detail > self.detail:
            return False
        return self.lanes is None or record.lane in self.lanes
