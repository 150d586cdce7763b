"""Commands of the kernel's own trace: who woke whom, in the kernel's words.

Handlers run at once, also while another command runs; they switch and look, and make no request.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from tracedbg.kernel import needs
from tracedbg.kernel.tracing_reader import LANE
from tracedbg.kernel.tracing_symbols import functions_there
from tracedbg.lang.params import Words
from tracedbg.lang.paramtypes import ChoiceType
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import NotHere
from tracedbg.model.events import KernelTold
from tracedbg.model.ids import Source
from tracedbg.model.text import Shown, visible
from tracedbg.session.kernelwitness import WitnessFacts
from tracedbg.session.session import Session

table = CommandTable("kernel", "The kernel as witness")
table.group("kernel", about="the kernel's own trace: who woke whom, in whose context, in which order")
table.group("info", "i", "inf", about="facts about the program and about tracedbg")


class Switched(msgspec.Struct, frozen=True):
    """The trace was switched on or off."""

    on: bool
    facts: WitnessFacts

    def lines(self, width: int) -> list[Shown]:
        """One line."""
        facts = self.facts
        if self.on:
            chain = ", with the call chain of each wake-up" if facts.stack else ""
            return [visible(f"The kernel tells what it does{chain}: lane kernel, instance {facts.where}")]
        return [visible(f"The kernel's trace is off and its instance removed: {_counts(facts)}.")]


class KernelInfo(msgspec.Struct, frozen=True):
    """How the trace stands.

    Args:
        facts: about the trace.
        missing: why it could not be switched on, empty where it could.
        remedy: what to do about that.
    """

    facts: WitnessFacts
    missing: str = ""
    remedy: str = ""

    def lines(self, width: int) -> list[Shown]:
        """On or off, what is traced, and how much was read."""
        facts = self.facts
        if not facts.where:
            if self.missing:
                return [visible(f"The kernel's trace is off and cannot be on: {self.missing}; {self.remedy}")]
            return [Shown("The kernel's trace is off; kernel on begins it.")]
        out = [
            visible(f"The kernel's trace is on: {facts.where}"),
            visible(f"  {facts.tasks} tasks: the threads of tracedbg, its children and tracees, and whatever these make"),
            visible(f"  {_counts(facts)}" + ("; wake-ups with their call chain" if facts.stack else "")),
            visible(f"  tracepoints: {', '.join(point.rpartition('/')[2] for point in facts.points)}"),
        ]
        if facts.absent:
            out.append(visible(f"  not in this kernel: {', '.join(point.rpartition('/')[2] for point in facts.absent)}"))
        if facts.failed:
            out.append(visible(f"  reading has ended: {facts.failed}"))
        return out


def _counts(facts: WitnessFacts) -> str:
    lost = f", {facts.lost} lost" if facts.lost else ""
    return f"{facts.read} events read, {facts.told} told{lost}"


@table.add("kernel on", while_busy="now")
def kernel_on(
    session: Session, stack: Annotated[str, ChoiceType("stack", "stack"), "with the kernel's call chain at each wake-up"] = ""
) -> Switched:
    """Let the kernel itself tell who woke whom, in whose context and in which order, on lane `kernel`.

    Told are wake-ups of tracees, puppets and threads that have a lane, signals as they are generated and delivered, fork, exec
    and exit, and ptrace, wait4 and waitid as the kernel saw them. The times are the kernel's. Root and a mounted tracefs are
    needed; tracedbg mounts nothing by itself.

    In the kernel: a private trace instance below /sys/kernel/tracing/instances with the monotonic clock; set_event_pid with
    event-fork names the tasks, so that a child is traced from its first instruction on. `stack` sets a stacktrace trigger on
    sched_waking. Wake-ups among the threads of tracedbg, and those by interrupts, are filtered out.

    Example: kernel on stack
    """
    session.kernel.on(stack=bool(stack))
    return Switched(True, session.kernel.facts())


@table.add("kernel off", while_busy="now")
def kernel_off(session: Session) -> Switched:
    """End the kernel's trace; what it has told until now is read first.

    In the kernel: the ring buffers are emptied and the instance is removed.

    Example: kernel off
    """
    return Switched(False, session.kernel.off())


class Functions(msgspec.Struct, frozen=True):
    """Functions that were looked for in the running kernel, and whether they are there."""

    found: dict[str, bool]

    def lines(self, width: int) -> list[Shown]:
        """One line for each."""
        return [visible(f"kernel  {'has' if there else 'lacks'} {name}") for name, there in self.found.items()]


@table.add("kernel has")
def kernel_has(session: Session, names: Annotated[Words, "functions of the kernel, such as do_wait"]) -> Functions:
    """Tell whether the running kernel has functions of these names: a text about the kernel, compared with yours.

    A function that the compiler has merged into all its callers has no name of its own: that a name is missing says something only
    of functions that others must find, such as those of security modules and system calls.

    In the kernel: /proc/kallsyms lists every function; the names are for everybody, the addresses for root.

    Example: kernel has do_wait __wake_up_parent
    """
    try:
        found = functions_there(names)
    except OSError as error:
        raise NotHere(f"the kernel does not list its functions: {error.strerror}", "a kernel with CONFIG_KALLSYMS, and /proc") from error
    for name, there in found.items():
        session.log.publish(KernelTold("kallsyms", "has" if there else "lacks", (name,)), lane=LANE, tid=0, source=Source.PROC)
    return Functions(found)


@table.add("info kernel", while_busy="now")
def info_kernel(session: Session) -> KernelInfo:
    """Show whether the kernel's trace is on, what it traces, and how much was read and lost.

    In the kernel: reading set_event_pid of the instance.

    Example: info kernel
    """
    facts = session.kernel.facts()
    if facts.where:
        return KernelInfo(facts)
    need = needs.tracefs_allowed()
    return KernelInfo(facts) if need.ok else KernelInfo(facts, need.reason, need.remedy)
