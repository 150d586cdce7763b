"""What is known of puppets: processes, their tasks, and the calls they are in; and how a task is told something.

Values that change under the lock of `lab.puppets`; no thread of their own.  Nothing here reads or waits.
"""

from __future__ import annotations

import os
import signal
import socket

from tracedbg.kernel import procfs
from tracedbg.model.callnames import CALL_NUMBERS, CLONE_FLAGS
from tracedbg.model.errors import BadArgument
from tracedbg.model.events import CallReturned
from tracedbg.tracer.reply import Reply

from . import machine
from .launching import End, Lifeline
from .orders import Order, Place
from .typed import Typed
from .wire import channel, packet

_VM, _FILES, _THREAD = (CLONE_FLAGS[f"CLONE_{what}"] for what in ("VM", "FILES", "THREAD"))
_VFORK = CLONE_FLAGS["CLONE_VFORK"]


class Space:
    """A puppet's address space: how many of its slots are in use.  A child by fork has a copy, one by vfork the same."""

    def __init__(self, used: int = 0) -> None:
        self.used = used

    def copy(self) -> Space:
        """What fork does."""
        return Space(self.used)


class Pending:
    """A call that a task was told to make.

    Args:
        call: as typed.
        child: the task that it is to make.
        silent: ours; nobody hears of it.
    """

    def __init__(self, call: Typed, child: Task | None = None, *, silent: bool = False) -> None:
        self.call, self.child, self.silent = call, child, silent
        self.entered = 0
        self.reply: Reply[CallReturned] = Reply()


class Process:
    """A puppet.

    Args:
        name: of its first task.
        pid: 0 as long as it is not known.
    """

    def __init__(self, name: str, pid: int, *, space: Space | None = None, slots: int = 0) -> None:
        self.name, self.pid = name, pid
        self.space = space if space is not None else Space(slots)
        self.tasks: list[Task] = []
        self.channels: dict[int, Task] = {}
        self.pidfd = -1
        self.dead = False
        self.elsewhere = False
        """It lives in a pid namespace of its own: numbers that it says are not ours."""

    def watch(self) -> None:
        """Hold on to the process itself: its number may be another's one day."""
        try:
            self.pidfd = os.pidfd_open(self.pid)
        except OSError:
            self.dead = True  # already collected by its parent

    def kill(self) -> None:
        """SIGKILL to it and to what has come from it."""
        for pid in _descendants(self.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass  # gone meanwhile
        if self.pidfd >= 0 and not self.dead:
            try:
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            except ProcessLookupError:
                pass  # a zombie that was collected

    def close(self) -> None:
        """Let go of it."""
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1


class Task:
    """One thread of a puppet: it has a name, a channel and a slot of the puppet's memory.

    Args:
        name: its lane.
        process: the puppet.
        channel: our end.
        slot: an address.
        theirs: the other end until it is on its way.
    """

    def __init__(self, name: str, process: Process, channel: socket.socket, slot: int, theirs: socket.socket | None = None) -> None:
        self.name, self.process, self.channel, self.slot, self.theirs = name, process, channel, slot, theirs
        self.tid = 0
        self.began: int | None = None
        self.greeted = False
        self.gone = ""
        self.current: Pending | None = None
        self.held: tuple[Pending, Order] | None = None
        self.sent = self.preamble = 0
        self.settled = False
        self.orders: dict[int, Pending] = {}
        self.inherited: dict[int, Task] = {}
        self.shares_files = False
        self.lifeline: End | None = None

    def send(self, pending: Pending, order: Order) -> None:
        """Tell it to make a call.

        Raises:
            OSError: its channel is closed.
            BadArgument: the order is too long.
        """
        if not self.greeted:
            # What it needs to be a puppet comes first: without it an exec, for one, would not be noticed.
            self.held = (pending, order)
            return
        child = pending.child
        self.sent += 1
        message = packet(self.sent, order, self.slot, child.slot if child else 0)
        self.orders[self.sent] = pending
        flags = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
        if child is None or child.theirs is None:
            self.channel.send(message, flags)
            return
        fds = [child.theirs.fileno()] + ([child.lifeline.fd] if child.lifeline is not None else [])
        socket.send_fds(self.channel, [message], fds, flags)
        child.theirs.close()
        child.theirs = None

    def number_here(self, said: int, sender: int) -> int:
        """Its number as we know it, 0 if it is gone already.

        Args:
            said: its own answer to gettid.
            sender: its process, as the kernel has told us.
        """
        if self.process.tasks[0] is self:
            self.process.elsewhere = said != sender
            return sender
        return procfs.thread_named(sender, said) if self.process.elsewhere else said

    def tell(self, name: str, *args: int | Place, data: bytes = b"") -> None:
        """Tell it to make a call of ours that nobody hears of: what a puppet needs to be one."""
        try:
            self.send(Pending(Typed(name), silent=True), Order(CALL_NUMBERS[name], args, data))
        except OSError:
            pass  # dead or dying: its pidfd tells

    def close(self) -> None:
        """Close what is ours of it."""
        self.channel.close()
        if self.theirs is not None:
            self.theirs.close()
        if self.lifeline is not None:
            self.lifeline.close()


def _flags_of(call: Typed) -> int:
    """The clone flags of a call that makes a task."""
    if call.name == "vfork":
        return _VM | _VFORK
    return call.numbers[0] if call.numbers else 0


def new_name(task: Task, call: Typed) -> str:
    """The name of the task that a call makes: a thread has its puppet's name in front."""
    return f"{task.process.name}.{call.birth}" if _flags_of(call) & _THREAD else call.birth


def conceived(task: Task, call: Typed, lifeline: Lifeline) -> Task:
    """The task that a call is to make.

    Raises:
        BadArgument: the puppet's memory has no slot left.
    """
    flags = _flags_of(call)
    thread = bool(flags & _THREAD)
    if flags & _VM:
        space = task.process.space
        if space.used >= machine.SLOTS:
            raise BadArgument(f"a puppet has room for {machine.SLOTS} tasks", "make another puppet")
        where, space.used = machine.slot(space.used), space.used + 1
    else:
        space, where = task.process.space.copy(), task.slot
    name = new_name(task, call)
    process = task.process if thread else Process(name, 0, space=space)
    ours, theirs = channel()
    child = Task(name, process, ours, where, theirs)
    child.shares_files = bool(flags & _FILES)
    child.inherited = {} if child.shares_files else dict(task.process.channels)
    if not thread:
        child.lifeline = lifeline.open()
    return child


def for_birth(order: Order, child: Task | None) -> Order:
    """Give a new task that shares its memory a stack of its own."""
    if child is None or order.number != CALL_NUMBERS["clone"]:
        return order
    flags, _, *rest = order.args
    shares = isinstance(flags, int) and flags & _VM
    return Order(order.number, (flags, child.slot + machine.SLOT_SIZE, *rest)) if shares else order


def execed(task: Task) -> bool:
    """Whether a dead task had come to its new program: exec gives it the program's name, which a zombie keeps.

    Who was collected already cannot be asked any more; programs that end within a millisecond are the usual reason.
    """
    name = procfs.comm_bytes(task.process.pid)
    assert task.current is not None, "asked of a call that has not answered"
    return name is None or name == task.current.call.texts[0].rpartition(b"/")[2][:15]


def _descendants(pid: int) -> list[int]:
    """Processes that have come from a process, as /proc shows them now."""
    found: list[int] = []
    for tid in procfs.threads(pid):
        for child in procfs.children(pid, tid) or ():
            found += [child, *_descendants(child)]
    return found
