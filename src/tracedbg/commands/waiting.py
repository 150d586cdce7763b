"""Commands around waiting: who waits in which style, and who is asleep in a wait call right now.

Handlers run at once, also while a program runs; they make no request and no wait call, they look and arrange.
"""

from __future__ import annotations

import time
from typing import Annotated

import msgspec

from tracedbg.kernel import procfs
from tracedbg.kernel.wait import WALL
from tracedbg.lab.bench import check_name
from tracedbg.lang.params import NewName, Pid, WaitOptions
from tracedbg.lang.paramtypes import ChoiceType
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import BadArgument
from tracedbg.model.names import WAIT_OPTIONS, wait_options_text
from tracedbg.model.text import Shown, visible
from tracedbg.session.session import Session
from tracedbg.tracer.waiter import Style, Waiter

from .answers import Said, said

table = CommandTable("waiting", "Waiting: who collects the program's stops")
table.group("waiter", about="threads that wait for the program on behalf of the tracer")
table.group("info", "i", "inf", about="facts about the program and about tracedbg")

STYLES = ("any", "pid", "nothread", "peek", "waitid")
"""Ways to wait, as `waiter add --style` names them."""

_NOTHREAD = WAIT_OPTIONS["__WNOTHREAD"]
_FOR_WAIT4 = _NOTHREAD | WALL | WAIT_OPTIONS["__WCLONE"] | WAIT_OPTIONS["WNOHANG"] | WAIT_OPTIONS["WUNTRACED"] | WAIT_OPTIONS["WCONTINUED"]
"""All that wait4 knows; other bits make it fail with EINVAL (kernel/exit.c, kernel_wait4)."""


class WaiterList(msgspec.Struct, frozen=True):
    """The waiters: name, tid, style, what each does, and how many statuses it has taken."""

    rows: tuple[tuple[str, int, str, str, int], ...]

    def lines(self, width: int) -> list[Shown]:
        """A line for each."""
        if not self.rows:
            return [Shown("There is no waiter; run, attach and waiter add make one.")]
        wide = max(len(row[0]) for row in self.rows)
        return [visible(f"{name:<{wide}}  tid {tid}  {style}: {doing}, {taken} taken") for name, tid, style, doing, taken in self.rows]


@table.add("waiter add", while_busy="now")
def waiter_add(
    session: Session,
    name: Annotated[NewName, "its lane"] | None = None,
    *,
    style: Annotated[str, ChoiceType("STYLE", *STYLES), "any, pid, nothread, peek or waitid"] = "any",
    pid: Pid | None = None,
    options: WaitOptions | None = None,
) -> Said:
    """Make one more thread that waits for the program.

    `any` waits for every child, `pid` for one task only, `nothread` only for children of its own thread (it never gets one),
    `peek` looks with WNOWAIT first and takes what it saw, `waitid` uses waitid instead of wait4. Whoever gets a status hands it to
    the tracer; if several sleep, exactly one wins. There is always one waiter that hears of everything.

    In the kernel: wait calls of all threads of a process sleep on one queue (`signal->wait_chldexit`); a stop wakes all whose
    selector fits, the first to look takes the status, the others go back to sleep.

    Example: waiter add watcher --style peek
    """
    chosen = _style(style, pid, options)
    session.waiters.ensure()
    taken = session.actors.names()
    if name is None:
        name = next(each for each in (f"waiter{number}" for number in range(2, len(taken) + 3)) if each not in taken)
    check_name(name)
    if name in taken:
        raise BadArgument(f"there is a thread {name} already", "choose another name")
    made = session.waiters.add(name, chosen)
    return said(f"waiter {made.name}, tid {made.tid}: {chosen.text()}")


def _style(style: str, pid: int | None, options: int | None) -> Style:
    if (style == "pid") != (pid is not None) and style in ("any", "pid", "nothread"):
        raise BadArgument("--style pid and --pid N belong together", "waiter add --style pid --pid $tracee")
    bits = WALL if options is None else options
    if style == "nothread":
        bits |= _NOTHREAD
    call = "waitid" if style == "waitid" else "wait4"
    allowed = _FOR_WAIT4 if call == "wait4" else _FOR_WAIT4 | WAIT_OPTIONS["WEXITED"]
    if bits & ~allowed:
        wrong = wait_options_text(bits & ~allowed, waitid=True)
        raise BadArgument(f"a waiter cannot use {wrong}", "--style peek looks without taking; wait4 knows " + wait_options_text(_FOR_WAIT4))
    return Style(call, -1 if pid is None else pid, bits, style == "peek")


@table.add("waiter remove", while_busy="now")
def waiter_remove(session: Session, name: Annotated[NewName, "a waiter"]) -> Said:
    """End a waiter; a status that it has taken is handed to the tracer first.

    In the kernel: a signal ends its wait (EINTR), it leaves the queue, and its task exits.

    Example: waiter remove waiter2
    """
    session.waiters.remove(name)
    return said(f"waiter {name} has ended")


@table.add("waiter list", "info waiters", while_busy="now")
def waiter_list(session: Session) -> WaiterList:
    """List the waiters and their styles.

    In the kernel: `info waitqueue` asks it who sleeps; this list is tracedbg's own knowledge.

    Example: waiter list
    """
    return WaiterList(tuple((each.name, each.tid, each.style.text(), _doing(each), each.taken) for each in session.waiters.all))


def _doing(waiter: Waiter) -> str:
    if waiter.busy:
        return f"in {waiter.busy}"
    return "waits" if waiter.armed else "idle"


# --- the queue ----------------------------------------------------------------------------------------------------------------
class Sleeper(msgspec.Struct, frozen=True):
    """One thread of ours in a wait call.

    Args:
        name: its lane.
        tid: its number.
        call: with arguments, as the kernel shows them; empty if it was not seen asleep.
        wchan: the kernel function it sleeps in.
        evidence: the sighting in words.
        since: seconds since it made the call, -1 if unknown.
        woken: how often it was woken since it was first seen asleep, and found nothing each time; -1 if unknown.
    """

    name: str
    tid: int
    call: str
    wchan: str = ""
    evidence: str = ""
    since: float = -1.0
    woken: int = -1


class WaitQueue(msgspec.Struct, frozen=True):
    """Who is in a wait call, each fact with its source."""

    pid: int
    sleepers: tuple[Sleeper, ...]

    def lines(self, width: int) -> list[Shown]:
        """Two or three lines for each: what it does, and how we know."""
        count = len(self.sleepers)
        if not count:
            return [visible(f"No thread of process {self.pid} is in a wait call (/proc/{self.pid}/task/*/syscall, wchan).")]
        out = [visible(f"{count} thread{'s' * (count != 1)} of process {self.pid} in a wait call; they share one queue:")]
        for each in self.sleepers:
            out += self._told(each)
        return out

    def _told(self, each: Sleeper) -> list[Shown]:
        base = f"/proc/{self.pid}/task/{each.tid}"
        since = f" since {each.since:.3f} s" if each.since >= 0 else ""
        if not each.call:
            return [visible(f"{each.name} (tid {each.tid}): called it{since}, not seen asleep [the thread's own word]")]
        out = [
            visible(f"{each.name} (tid {each.tid}): asleep in {each.call}{since}"),
            visible(f"    call and arguments [{base}/syscall], {each.wchan} [{base}/wchan], state S [{base}/status]"),
        ]
        if each.woken >= 0:
            text = {0: "not woken since", 1: "woken once, in vain"}.get(each.woken, f"woken {each.woken} times, each time in vain")
            out.append(visible(f"    {text} [{base}/status, voluntary_ctxt_switches]" + ("; since: its own word" if since else "")))
        return out


@table.add("info waitqueue", "info wq", while_busy="now")
def info_waitqueue(session: Session) -> WaitQueue:
    """Show which threads of tracedbg sleep in a wait call, with which arguments, since when, and how often woken in vain.

    In the kernel: a process has one queue for wait calls, `signal->wait_chldexit`. It cannot be read itself, but /proc shows
    for each thread the system call it is in with its arguments, the function it sleeps in (`do_wait`), and how often it gave up
    the processor: a thread that was woken, found nothing for itself and slept again has done so once more.

    Example: info waitqueue
    """
    names = {session.actors.tid(name): name for name in session.actors.names()}
    watched = session.witness.sleepers()
    found = []
    for tid in procfs.threads(session.pid):
        seen, sight = watched.get(int(tid)), procfs.asleep_in_wait(tid)
        name = names.get(int(tid)) or (seen.lane if seen is not None else str(procfs.comm(tid)))
        since = time.monotonic() - seen.since if seen is not None else -1.0
        if sight is not None:
            woken = sight.voluntary_switches - seen.switches if seen is not None and seen.asleep_at else -1
            found.append(Sleeper(name, int(tid), sight.call, sight.wchan, sight.evidence, since, woken))
        elif seen is not None and not seen.over:
            found.append(Sleeper(name, int(tid), "", since=since))
    return WaitQueue(session.pid, tuple(found))
