"""Which rule of the kernel a call or a stop in a tree shows: names only, of the rules that the lessons are about.

Pure; any thread.  It looks at the record alone; where none of the rules fits, there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tracedbg.model import events as ev
from tracedbg.model.waitstatus import WaitStatus

from .lines import WAIT_CALLS

_REQUESTS: Final = {
    "PTRACE_ATTACH": "tracer.attach-seize",
    "PTRACE_SEIZE": "tracer.attach-seize",
    "PTRACE_INTERRUPT": "tracer.attach-seize",
    "PTRACE_DETACH": "tracer.detach",
    "PTRACE_TRACEME": "tracer.forking-thread",
    "PTRACE_LISTEN": "stop.sigcont-powerless",
}
_BIRTHS: Final = {"clone": "event.fork", "fork": "event.fork", "vfork": "event.vfork"}
_CALLS: Final = {"fork": "tracer.forking-thread", "tgkill": "signal.targets"}

NAMES: Final = frozenset(
    {*_REQUESTS.values(), *_CALLS.values(), *_BIRTHS.values()}
    | {
        "event.trap-causes",
        "interrupt.eintr",
        "stop.group-vs-signal",
        "stop.signal-delivery",
        "tracer.any-thread-waits",
        "tracer.exitkill",
        "tracer.memory-any-thread",
        "tracer.needs-stop",
        "tracer.tracee-gone",
        "tracer.wrong-thread",
        "wait.blocked-view",
        "wait.nohang-echild",
        "wait.tracer-first",
        "wait.wnowait",
        "wake.one-winner",
    }
)
"""Every name that this module can give."""


def rule_of_call(event: ev.CallReturned, lane: str, purpose: str, seen: Sequence[str]) -> str:
    """The rule that a call shows.

    Args:
        event: the call with its answer.
        lane: of the thread that made it.
        purpose: what for.
        seen: what a witness saw of it while it lasted.
    """
    if event.name == "ptrace":
        return _rule_of_request(event, lane, purpose)
    if event.name not in WAIT_CALLS:
        return _CALLS.get(event.name, "")
    if event.errno:
        return {"EINTR": "interrupt.eintr", "ECHILD": "wait.nohang-echild"}.get(event.errno, "")
    if any("in vain" in each for each in seen):
        return "wake.one-winner"
    if "WNOWAIT" in str(event.args[2:]):
        return "wait.wnowait"
    if event.status is not None and WaitStatus(event.status).is_end:
        return "wait.tracer-first"
    if any("asleep" in each for each in seen):
        return "wait.blocked-view"
    return "tracer.any-thread-waits" if lane != "tracer" else ""


def _rule_of_request(event: ev.CallReturned, lane: str, purpose: str) -> str:
    request = str(event.args[0])
    if event.errno == "ESRCH":
        return "tracer.tracee-gone" if lane == "tracer" else "tracer.wrong-thread"
    if request == "PTRACE_SETOPTIONS" and "EXITKILL" in str(event.args[-1]):
        return "tracer.exitkill"
    if request == "PTRACE_GETSIGINFO" and purpose:
        return "event.trap-causes" if "SIGTRAP" in purpose else "stop.group-vs-signal"
    return _REQUESTS.get(request, "tracer.needs-stop")


def rule_of_event(event: ev.Event) -> str:
    """The rule that a stop, or a byte in the program's memory, shows."""
    if isinstance(event, ev.SiteChanged):
        return "tracer.memory-any-thread"
    if isinstance(event, ev.TraceeBorn):
        return _BIRTHS.get(event.how, "")
    if isinstance(event, (ev.TraceePaused, ev.TraceeStopped)) and event.meaning.startswith("SIG"):
        return "stop.signal-delivery"
    return ""
