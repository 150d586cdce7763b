"""Importing the three libraries that only this package uses: drgn, pyelftools, capstone.

Any thread.  It must not be imported before debug information is really wanted: drgn alone takes 24 ms to import.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from tracedbg.model.errors import NotHere

_REMEDY = "install it with `pip install {0}`; everything except source-level debugging works without it"

# drgn would load plugins of every installed distribution at the first set_pid: 135 ms and foreign code in a debugger.
os.environ.setdefault("DRGN_DISABLE_PLUGINS", "*")
# drgn indexes with OpenMP.  Helper threads would make a later fork() of ours warn (Python 3.12), and gain nothing on two cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

try:
    import drgn
except ImportError as error:
    raise NotHere("drgn, which reads debug information, is not installed", _REMEDY.format("drgn")) from error

logging.getLogger("drgn").setLevel(logging.CRITICAL)  # its warnings would tear the screen

__all__ = ["drgn", "elffile"]


def elffile() -> Any:
    """The class ``elftools.elf.elffile.ELFFile``.

    Raises:
        NotHere: pyelftools is not installed.
    """
    try:
        from elftools.elf.elffile import ELFFile
    except ImportError as error:
        raise NotHere("pyelftools, which finds inlined functions, is not installed", _REMEDY.format("pyelftools")) from error
    return ELFFile
