"""Breakpoint sites: patched bytes in a process.

Tracer thread only.  A `Breakpoint` is what the user asked for; a `Site` is one patched address, shared by all who want it.  Bytes are
written through /proc/PID/mem, which copies a read-only page first; reads of memory hide them (`Memory.set_patches`).
"""

from __future__ import annotations

import itertools

from tracedbg.kernel.memory import Memory
from tracedbg.kernel.ptrace import Ptrace
from tracedbg.kernel.regs import CPU
from tracedbg.model.errors import MemoryRefused, TraceeGone
from tracedbg.model.events import SiteChanged

from .book import Book, Inferior, Site
from .wishes import Breakpoint

TRAP = CPU.trap
_internal = itertools.count(-1, -1)


def internal_user() -> int:
    """A number for a plan that wants a site for itself."""
    return next(_internal)


# --- sites --------------------------------------------------------------------------------------------------------------------
def want(pt: Ptrace, inferior: Inferior, address: int, user: int) -> Site:
    """Plant a byte at `address` on behalf of `user`, or share the one that is there.

    Raises:
        MemoryRefused: nothing is mapped there.
        TraceeGone: the process is gone.
    """
    site = inferior.sites.get(address)
    if site is None:
        saved = inferior.open_memory().read_raw(address, len(TRAP))
        site = inferior.sites[address] = Site(address, saved)
    site.users.add(user)
    try:
        plant(pt, inferior, site)
    except MemoryRefused:
        site.users.discard(user)
        if not site.users:
            del inferior.sites[address]
        raise
    return site


def unwant(pt: Ptrace, inferior: Inferior, address: int, user: int) -> None:
    """`user` needs the site no more; the last one takes it away.  A process that is gone needs no repair."""
    site = inferior.sites.get(address)
    if site is None:
        return
    site.users.discard(user)
    if not site.users:
        try:
            lift(pt, inferior, site)
        except TraceeGone:
            pass
        inferior.sites.pop(address, None)


def plant(pt: Ptrace, inferior: Inferior, site: Site) -> None:
    """Write the trap over the program's byte, unless another process would run into it."""
    if not site.planted and not inferior.sharers:
        pt.here()
        memory = inferior.open_memory()
        memory.write(site.address, TRAP)
        site.planted = True
        _tell(pt, inferior, memory, "planted", site.address)


def lift(pt: Ptrace, inferior: Inferior, site: Site) -> None:
    """Put the program's byte back."""
    if site.planted:
        pt.here()
        memory = inferior.open_memory()
        memory.write(site.address, site.saved)
        site.planted = False
        _tell(pt, inferior, memory, "lifted", site.address)


def lift_all(pt: Ptrace, inferior: Inferior) -> None:
    """Put every byte back; the sites stay wanted."""
    for site in inferior.sites.values():
        lift(pt, inferior, site)


def plant_all(pt: Ptrace, inferior: Inferior) -> None:
    """Plant every site that is wanted."""
    for site in inferior.sites.values():
        plant(pt, inferior, site)


def _tell(pt: Ptrace, inferior: Inferior, memory: Memory, action: str, address: int) -> None:
    memory.set_patches({at: site.saved for at, site in inferior.sites.items() if site.planted})
    pt.log.publish(SiteChanged(action, address))


def heal_copy(inferior: Inferior, child: int) -> None:
    """Put the program's bytes back in a forked child's copy of the memory.  The child is stopped and ours to write.

    Raises:
        TraceeGone: it has been killed.
        OSError: its memory cannot be opened.
    """
    planted = [site for site in inferior.sites.values() if site.planted]
    if not planted:
        return
    memory = Memory(child)
    try:
        for site in planted:
            memory.write(site.address, site.saved)
    finally:
        memory.close()


# --- the user's breakpoints on a process ------------------------------------------------------------------------------------------
def apply(pt: Ptrace, inferior: Inferior, breakpoint_: Breakpoint) -> None:
    """Plant or lift one breakpoint's sites as its state says.

    Raises:
        MemoryRefused: an address that is not mapped.
    """
    for site in list(inferior.sites.values()):
        if breakpoint_.number in site.users and (not breakpoint_.enabled or site.address not in breakpoint_.addresses):
            unwant(pt, inferior, site.address, breakpoint_.number)
    if breakpoint_.enabled:
        for address in breakpoint_.addresses:
            want(pt, inferior, address, breakpoint_.number)


def count_hit(pt: Ptrace, book: Book, inferior: Inferior, address: int) -> tuple[int, ...]:
    """Count a hit for each breakpoint there; the numbers of those that ask to stop."""
    numbers = []
    site = inferior.sites.get(address)
    for found in book.breakpoints.among(site.users if site is not None else ()):
        found.hits += 1
        if found.ignore > 0:
            found.ignore -= 1
            continue
        numbers.append(found.number)
        if found.temporary:
            for at in found.addresses:
                unwant(pt, inferior, at, found.number)
            book.breakpoints.all.pop(found.number, None)
    return tuple(numbers)
