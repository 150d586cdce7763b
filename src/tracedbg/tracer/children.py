"""Forked children of the program, which are not debugged: they are let go, with our traces removed.

Tracer thread.  A child is traced from its birth (PTRACE_O_TRACEFORK and its like) and can be let go at its first stop only.  Source:
ptrace(2); kernel/fork.c `copy_process`, which makes the child before its parent reports the event.
"""

from __future__ import annotations

from tracedbg.kernel import procfs
from tracedbg.kernel.ptrace import Ptrace
from tracedbg.model.errors import KernelRefused, TraceeGone
from tracedbg.model.events import Note
from tracedbg.model.ids import Source, Tid
from tracedbg.model.names import PTRACE_OPTIONS

from .book import Book, Inferior
from .breakpoints import heal_copy

_AT_BIRTH = PTRACE_OPTIONS["PTRACE_O_TRACEFORK"] | PTRACE_OPTIONS["PTRACE_O_TRACEVFORK"] | PTRACE_OPTIONS["PTRACE_O_TRACECLONE"]


def let_go(pt: Ptrace, book: Book, inferior: Inferior, child: Tid, how: str, *, heal: bool) -> None:
    """Let a child run on untraced, now if its first stop is here, else as soon as that comes.

    Args:
        inferior: its parent.
        child: the child.
        how: ``fork``, ``vfork`` or ``clone``.
        heal: put the program's bytes back in its memory; not where it shares that with a parent that lives.
    """

    def release() -> None:
        try:
            if heal:
                heal_copy(inferior, int(child))
        except (TraceeGone, OSError):
            pass  # killed meanwhile: nothing to repair
        try:
            pt.detach(child, to="let the child run on untraced")
        except KernelRefused:
            return
        text = f"process {child} ({how} of {inferior.pid}) was let go, breakpoints removed"
        pt.log.publish(Note(text), lane="tracee", tid=int(child), source=Source.USER)

    if book.early.pop(child, None) is not None:
        release()
    else:
        book.letting_go[child] = (inferior.pid, release)


def let_go_unannounced(pt: Ptrace, book: Book, inferior: Inferior) -> None:
    """After a sudden end: a child may have been made whose event the parent did not live to report.

    It is ours all the same and would stay in its first stop for ever.  Nobody else tells of it, so all processes are looked at.
    """
    if not inferior.options & _AT_BIRTH:
        return
    known = {int(pid) for pid in book.inferiors} | {int(tid) for tid in book.letting_go}
    for pid in procfs.traced_by(pt.log.here().tid):
        if pid not in known:
            let_go(pt, book, inferior, Tid(pid), "child", heal=True)
