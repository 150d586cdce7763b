"""Tests marked `alone` measure time: no other worker of a parallel run may run a test meanwhile.

Runs on the main thread of each worker.  It must not be held across tests; two locked files in the folder that the workers share.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def admission(folder: Path, alone: bool) -> Iterator[None]:
    """Hold this for one test: as many as there are workers at a time, or one alone.

    Whoever wants in goes through the door, one at a time.  The one who wants to be alone stays in the door until all others have
    left; without a door they could pass the room on among themselves for ever, since flock(2) keeps no order.
    """
    door = os.open(folder / "door", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    room = os.open(folder / "room", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield
    finally:
        os.close(room)
        os.close(door)
