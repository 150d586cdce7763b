"""Short pieces of work on the tracer thread: launch, look, change.  None of them waits for a tracee.

Each takes the right and the book first, so that no other thread can call it; `Tracer.call` brings both.
"""

from __future__ import annotations

from collections.abc import Callable

from tracedbg.kernel import procfs
from tracedbg.kernel.memory import Memory
from tracedbg.kernel.ptrace import Ptrace
from tracedbg.kernel.regs import Registers
from tracedbg.kernel.spawn import SpawnSpec, fork_exec
from tracedbg.kernel.wait import WaitDoor, Waited
from tracedbg.model.errors import Failed, NotNow
from tracedbg.model.events import CallEntered, CallReturned, Detail, TraceeBorn, TraceeGone, TraceeResumed
from tracedbg.model.ids import Pid, Tid
from tracedbg.model.names import PTRACE_REQUESTS, errno_name
from tracedbg.model.views import BookView, BreakpointView, InferiorView

from .allstop import ask_one
from .book import Book, Inferior, Tracee
from .breakpoints import apply, lift_all, unwant
from .gate import looks
from .lifecycle import Happening
from .signals import SignalRow

_R = PTRACE_REQUESTS
_RESUMING = {_R[f"PTRACE_{name}"]: name for name in ("CONT", "SINGLESTEP", "SYSCALL", "LISTEN", "SYSEMU", "SINGLEBLOCK")}
_SETTING = (_R["PTRACE_SETOPTIONS"], _R["PTRACE_SEIZE"])


def launch(pt: Ptrace, book: Book, spec: SpawnSpec) -> InferiorView:
    """Fork, TRACEME and exec on this thread, which thereby becomes the tracer.  Collects nothing.

    Raises:
        Failed: no process could be made.
    """
    pt.here()
    log = pt.log
    entered = log.publish(CallEntered("fork", ())) if log.wants(Detail.CALLS) else 0
    try:
        spawned = fork_exec(spec)
    except OSError as error:
        log.publish(CallReturned("fork", (), -1, errno_name(error.errno or 0)), of=entered)
        raise Failed(f"no process could be made: {error.strerror}", "end some processes and try again") from error
    log.publish(CallReturned("fork", (), spawned.pid), of=entered)
    inferior = Inferior(spawned.pid, launched=spec.trace, path=spec.path, spawned=spawned)
    inferior.adopt(Tid(spawned.pid), seized=False)
    old = book.inferior(spawned.pid)
    if old is not None:
        book.forget(old.pid)  # the number of a process that is long gone has come round again
    book.add(inferior)
    log.publish(TraceeBorn(spawned.pid, "launched"), lane="tracee", tid=spawned.pid)
    return inferior.view()


def start_trouble(pt: Ptrace, book: Book, pid: int) -> list[tuple[str, int, bool]]:
    """What a launched child reported before its exec: `(stage, errno, fatal)`."""
    inferior = book.inferior(pid)
    return [] if inferior is None or inferior.spawned is None else inferior.spawned.trouble()


def forget(pt: Ptrace, book: Book, pid: int) -> None:
    """Close the page of a process that has ended or was let go."""
    book.forget(Pid(pid))


@looks
def view(pt: Ptrace, book: Book) -> BookView:
    """Everything, frozen, as of now."""
    return book.view()


# --- asking to stop -----------------------------------------------------------------------------------------------------------
def interrupt(pt: Ptrace, book: Book, pid: int) -> bool:
    """Ask a running program to stop; the plan that runs it reports the stop.  False when no thread of it runs."""
    inferior = book.inferior(pid)
    if inferior is None:
        return False
    # Also where none can be asked now: the plan looks at this whenever it lets threads run again.
    inferior.interrupt_asked = bool(inferior.running())
    return ask_one(pt, inferior)


# --- looking and changing -----------------------------------------------------------------------------------------------------
def stopped_tracee(book: Book, tid: int) -> tuple[Inferior, Tracee]:
    """The thread with this number, stopped.

    Raises:
        NotNow: it is not traced, or runs.
    """
    tracee = book.tracee(tid)
    if tracee is None:
        raise NotNow(f"thread {tid} is not traced", "run or attach first")
    if not tracee.stopped:
        raise NotNow(f"thread {tid} is running", "interrupt stops it")
    return book.inferiors[tracee.pid], tracee


@looks
def registers(pt: Ptrace, book: Book, tid: int) -> Registers:
    """PTRACE_GETREGS of a stopped thread."""
    _, tracee = stopped_tracee(book, tid)
    return pt.getregs(tracee.tid, to="know where it stands")


@looks
def fp_registers(pt: Ptrace, book: Book, tid: int) -> bytes:
    """PTRACE_GETFPREGS of a stopped thread: the FXSAVE area."""
    _, tracee = stopped_tracee(book, tid)
    return pt.getfpregs(tracee.tid, to="know its floating-point registers")


def set_register(pt: Ptrace, book: Book, tid: int, name: str, value: int) -> Registers:
    """Change one register (or a part of one) of a stopped thread."""
    _, tracee = stopped_tracee(book, tid)
    changed = pt.getregs(tracee.tid, to="keep the other registers").replace(name, value)
    pt.setregs(tracee.tid, changed, to=f"change {name}")
    return changed


@looks
def memory(pt: Ptrace, book: Book, pid: int) -> Memory:
    """The address space of a process; any thread may read it, breakpoint bytes are hidden.

    Raises:
        NotNow: it is not traced.
    """
    inferior = book.inferior(pid)
    if inferior is None or inferior.ended is not None:
        raise NotNow("the program is not being run", "start it with run")
    return inferior.open_memory()


def write_memory(pt: Ptrace, book: Book, pid: int, address: int, data: bytes) -> None:
    """Write, keeping planted breakpoints planted: their saved bytes change instead."""
    inferior = book.inferior(pid)
    if inferior is None or inferior.ended is not None:
        raise NotNow("the program is not being run", "start it with run")
    space = inferior.open_memory()
    out = bytearray(data)
    for site in inferior.sites.values():
        if not site.planted:
            continue
        saved = bytearray(site.saved)
        for offset in range(len(saved)):
            at = site.address + offset - address
            if 0 <= at < len(out):
                saved[offset] = out[at]
                out[at] = space.read_raw(site.address + offset, 1)[0]
        site.saved = bytes(saved)
    space.write(address, bytes(out))
    space.set_patches({at: site.saved for at, site in inferior.sites.items() if site.planted})


# --- breakpoints --------------------------------------------------------------------------------------------------------------
def add_breakpoint(pt: Ptrace, book: Book, pid: int, spec: str, where: str, addresses: tuple[int, ...], temporary: bool) -> BreakpointView:
    """Make a breakpoint and plant it if the process `pid` is there; nothing is kept if an address is refused."""
    made = book.breakpoints.add(spec, where, addresses, temporary=temporary)
    inferior = book.inferior(pid)
    if inferior is not None and inferior.ended is None:
        try:
            apply(pt, inferior, made)
        except BaseException:
            made.enabled = False
            apply(pt, inferior, made)
            del book.breakpoints.all[made.number]
            raise
    return made.view()


def place_breakpoint(pt: Ptrace, book: Book, pid: int, number: int, where: str, addresses: tuple[int, ...]) -> BreakpointView:
    """Tell where a breakpoint is in this image, and plant it (pid 0: nothing runs)."""
    found = book.breakpoints.get(number)
    found.where, found.addresses = where, addresses
    inferior = book.inferior(pid)
    if inferior is not None and inferior.ended is None:
        apply(pt, inferior, found)
    return found.view()


def enable_breakpoint(pt: Ptrace, book: Book, number: int, on: bool) -> BreakpointView:
    """Switch one on or off, in every process."""
    found = book.breakpoints.get(number)
    found.enabled = on
    for inferior in book.inferiors.values():
        if inferior.ended is None and (inferior.memory is not None or inferior.sites):
            apply(pt, inferior, found)
    return found.view()


def delete_breakpoint(pt: Ptrace, book: Book, number: int) -> BreakpointView:
    """Take one away, in every process."""
    found = book.breakpoints.get(number)
    for inferior in book.inferiors.values():
        for address in list(inferior.sites):
            if number in inferior.sites[address].users:
                unwant(pt, inferior, address, number)
    del book.breakpoints.all[number]
    return found.view()


def ignore_breakpoint(pt: Ptrace, book: Book, number: int, count: int) -> BreakpointView:
    """Only count the next `count` hits."""
    found = book.breakpoints.get(number)
    found.ignore = max(0, count)
    return found.view()


@looks
def breakpoints(pt: Ptrace, book: Book) -> tuple[BreakpointView, ...]:
    """All of the user's breakpoints."""
    return tuple(found.view() for found in book.breakpoints.all.values())


def lift_breakpoints(pt: Ptrace, book: Book, pid: int) -> None:
    """Put the program's own bytes back everywhere."""
    inferior = book.inferior(pid)
    if inferior is not None and inferior.ended is None:
        lift_all(pt, inferior)


# --- signals ------------------------------------------------------------------------------------------------------------------
@looks
def signal_rows(pt: Ptrace, book: Book) -> tuple[SignalRow, ...]:
    """How each signal is treated."""
    return book.signals.rows()


def handle_signals(
    pt: Ptrace, book: Book, numbers: tuple[int, ...], stop: bool | None, show: bool | None, deliver: bool | None
) -> tuple[SignalRow, ...]:
    """Change how some are treated; the changed rows."""
    book.signals.change(numbers, stop=stop, show=show, deliver=deliver)
    return tuple(book.signals[number] for number in numbers)


# --- what a user types on the tracer ------------------------------------------------------------------------------------------
def raw(
    pt: Ptrace, book: Book, request: int, tid: int, addr: int, data: int, out: str = "", note: Callable[[], str] | None = None
) -> tuple[int, int]:
    """Any request, as typed; the book follows what it did.

    Args:
        out: how the log shows `data` when it is a buffer of ours.
        note: what to say of that buffer when the request has succeeded.

    Returns:
        `(result, errno)`: the kernel's answer is the answer, not an error of ours.
    """
    ret, errno = pt.raw(request, tid, addr, data, out, note, to="do as was typed")
    if ret == -1 and errno:
        return ret, errno
    tracee = book.tracee(tid)
    if tracee is None:
        if request in (_R["PTRACE_ATTACH"], _R["PTRACE_SEIZE"]):
            _attached(pt, book, tid, seized=request == _R["PTRACE_SEIZE"], options=data)
        return ret, errno
    inferior = book.inferiors[tracee.pid]
    if request in _RESUMING:
        tracee.stepping = request == _R["PTRACE_SINGLESTEP"]
        tracee.deliver = 0
        tracee.happens(Happening.RESUME)
        pt.log.publish(TraceeResumed(_RESUMING[request].lower(), data, inferior.pid), lane="tracee", tid=tid)
    elif request in _SETTING:
        inferior.options = data
    elif request == _R["PTRACE_DETACH"]:
        tracee.happens(Happening.REPLACED)
        inferior.tracees.pop(tracee.tid, None)
        pt.log.publish(TraceeGone(-1, "detached", inferior.pid), lane="tracee", tid=tid)
        if not inferior.tracees:
            book.forget(inferior.pid)
    elif request == _R["PTRACE_INTERRUPT"]:
        tracee.stop_asked = True
    return ret, errno


def _attached(pt: Ptrace, book: Book, tid: int, *, seized: bool, options: int) -> None:
    pid = procfs.tgid(tid) or Pid(tid)
    inferior = book.inferior(pid)
    if inferior is None or inferior.ended is not None:
        inferior = Inferior(pid, launched=False)
        book.add(inferior)
    tracee = inferior.adopt(Tid(tid), seized=seized)
    inferior.options = options if seized else 0
    tracee.ledger = 0 if seized else 1
    tracee.stop_asked = not seized
    pt.log.publish(TraceeBorn(pid, "attached"), lane="tracee", tid=tid)


def wait_here(pt: Ptrace, book: Book, door: WaitDoor, call: str, args: tuple[int, ...]) -> Waited:
    """A wait that a user typed on the tracer thread: it sleeps here, and nothing else is served, until it returns or is poked."""
    pt.here()
    return door.waitid(args[0], args[1], args[2]) if call == "waitid" else door.wait4(args[0], args[1], name=call)
