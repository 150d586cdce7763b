"""One keeper for the tests of a module: the process that makes players is loaded once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.walk.pages import page, step
from tracedbg.walk.keeper import Keeper
from tracedbg.walk.reading import parse


@pytest.fixture(scope="module")
def keeper() -> Iterator[Keeper]:
    with Keeper() as made:
        # The process that makes players is there before the first test looks for what it leaves behind.
        made.play(parse(page(step("on repl getpid")), "x.md"))
        yield made
