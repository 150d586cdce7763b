"""The line about long work: on a terminal only, never wider than it, erased at the end."""

from __future__ import annotations

import contextlib
import io

from tracedbg.render import progress
from tracedbg.render.progress import Progress


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nothing_is_written_where_nobody_watches():
    stream = io.StringIO()
    with Progress(stream, "reading", at_once=True) as line:
        line(1, 2)
    assert not stream.getvalue()


def test_short_work_shows_nothing_and_long_work_leaves_nothing(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    stream = _Terminal()
    with Progress(stream, "reading") as line:
        line(1, 2)
    assert not stream.getvalue()
    monkeypatch.setattr(progress, "_QUIET_S", 0.0)
    monkeypatch.setattr(progress, "_PAUSE_S", 0.0)
    with contextlib.suppress(KeyboardInterrupt), Progress(stream, "reading \x1b]0;own\x07" + "x" * 100) as line:
        line(41, 100)
        line(7000, 0)
        raise KeyboardInterrupt
    _, first, second, last = stream.getvalue().split("\r\x1b[K")
    assert first.startswith(r"reading \x1b]0;own\x07xx")
    assert first.endswith(" 41 %")
    assert second.endswith(" 7,000")
    assert (len(first), len(second), last) == (39, 39, "")


def test_a_terminal_that_goes_away_does_not_end_the_work():
    class Gone(_Terminal):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    with Progress(Gone(), "reading", at_once=True) as line:
        line(1, 2)
