"""Names of the kernel's functions, for the addresses of a stack.

Built on the command thread (reading takes some tenths of a second), used by the reader of the trace; never changed in between.
It must not be needed for anything but names: where the kernel hides its addresses, stacks are shown as numbers.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect_right
from collections.abc import Iterable

_KALLSYMS = "/proc/kallsyms"
_CODE = (b" t", b" T", b" w", b" W")
_ENDS = (b"", b"\n", b"\t", b".")
# address, type and name of what is code; for a module's function a tab and [module] follow.
_FUNCTION = re.compile(rb"^([0-9a-f]{16}) [tTwW] ([^\s]+)", re.MULTILINE)


def _symbols() -> bytes:
    # Megabytes, of which the kernel hands out a page at a time: joined once, not grown.
    with open(_KALLSYMS, "rb") as opened:
        return opened.read()


class KernelSymbols:
    """The text symbols of /proc/kallsyms.

    Args:
        data: the file; read unless given.  To whom addresses are not shown (kernel.kptr_restrict), all of them are 0.

    Raises:
        OSError: the file cannot be read.
    """

    def __init__(self, data: bytes | None = None) -> None:
        data = _symbols() if data is None else data
        # Addresses all have the same number of digits, so they sort as text: a hundred thousand conversions less.
        found = sorted({address: name for address, name in _FUNCTION.findall(data) if address.strip(b"0")}.items())
        self._starts = [address for address, _ in found]
        self._names = [name for _, name in found]

    def __len__(self) -> int:
        return len(self._starts)

    def name(self, address: int) -> str:
        """The function that holds an address; the address itself, in hexadecimal, where none is known."""
        place = bisect_right(self._starts, b"%016x" % address) - 1
        return self._names[place].decode("ascii", "backslashreplace") if place >= 0 else hex(address)


@functools.cache
def kernel_symbols() -> KernelSymbols:
    """Those of the running kernel, read once.

    Raises:
        OSError: the file cannot be read.
    """
    return KernelSymbols()


def functions_there(names: Iterable[str], data: bytes | None = None) -> dict[str, bool]:
    """Which of these functions the running kernel has; names are shown to everybody, addresses need not be.

    Args:
        names: as in the kernel's source.  A compiler that has made a variant appends to them (``do_wait.isra.0``), and one that has
            merged a function into its callers leaves no name.
        data: the file; read unless given.

    Raises:
        OSError: the file cannot be read.
    """
    data = _symbols() if data is None else data
    return {name: _listed(name.encode("utf-8", "surrogateescape"), data) for name in names}


def _listed(name: bytes, data: bytes) -> bool:
    # bytes.find takes milliseconds for these megabytes; a regular expression that begins with an address takes tenths of a second.
    word = b" " + name
    at = data.find(word)
    while at >= 0:
        if data[at - 2 : at] in _CODE and data[at + len(word) : at + len(word) + 1] in _ENDS:
            return True
        at = data.find(word, at + 1)
    return False
