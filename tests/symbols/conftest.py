"""For every test of this area: debug information is really freed at its end."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _freed() -> Iterator[None]:
    """drgn's types refer to their program in circles, so the files it has open are closed by the garbage collector only."""
    yield
    gc.collect()
