"""Whose a file is that was made through sudo: the person's who typed it, not root's.

Any thread.  It must not be used for a file that was there before, unless it is replaced by another.
"""

from __future__ import annotations

import os
from collections.abc import Mapping


def caller(environ: Mapping[str, str] = os.environ) -> int:
    """The user who called sudo (sudo(8): ``SUDO_UID``), -1 if we are not root through sudo.

    Args:
        environ: ours.
    """
    uid = environ.get("SUDO_UID", "")
    return int(uid) if os.geteuid() == 0 and uid.isascii() and uid.isdecimal() and len(uid) < 11 else -1


def hand_back(fd: int, folder: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Give a file that was just made to whoever called sudo, where it stands in a folder of theirs.

    Args:
        fd: of the new file, open.
        folder: where it was made, empty for the working directory.
        environ: ours.

    Returns:
        Whether it was given.
    """
    uid = caller(environ)
    try:
        # In a folder of anybody else (/tmp, root's home) it stays ours: who may reach it there is not the caller's affair.
        about = os.stat(folder or ".")
        if uid <= 0 or about.st_uid != uid:
            return False
        os.fchown(fd, uid, about.st_gid)
    except OSError:
        return False
    return True
