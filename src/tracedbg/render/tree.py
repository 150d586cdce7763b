"""The records of one command as a tree: what was asked of the tracer, which requests, waits and stops that became.

Pure; any thread.  Every node is a record or two of the log, in the log's order; nothing is added that no record says.  How repeats
are folded and how it looks is for `treelines`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from tracedbg.model import events as ev
from tracedbg.model.text import Shown, visible

from .lines import WAIT_CALLS, call_text, line_of, result_text
from .treerules import rule_of_call, rule_of_event

Kind = Literal["command", "work", "wait", "call", "loop", "stop", "fact", "held"]

_STOPS: Final = (ev.TraceePaused, ev.TraceeStopped)
_FACTS: Final = (
    ev.TraceeBorn, ev.TraceeGone, ev.TraceeResumed, ev.LateNews, ev.ProgramStopped, ev.SiteChanged, ev.RuleBroken, ev.Warned,
)  # fmt: skip


class Node(msgspec.Struct):
    """One thing that happened.

    Args:
        kind: ``work`` is an op or a plan on the tracer's desk, ``wait`` a plan that must hear from a tracee, ``call`` a system call,
            ``loop`` calls that were only counted, ``stop`` what a status meant, ``held`` a pause of `explain --step`.
        lane: the thread that did it.
        text: the words of the log.
        purpose: what it was for; empty where the log does not say.
        began: nanoseconds since the log began.
        took: nanoseconds that it lasted, -1 where it has no end.
        rule: the rule of the kernel that it shows, empty for none.
        request: of a call, its name, for a request that of the request: what is counted.
        call: a call's name and arguments as the log has them; empty for other nodes.
        result: of a call, what it answered.
        notes: what else was seen of it.
        times: how often it came, folded (see `treelines`); the children are those of one time.
        children: what happened inside.
    """

    kind: Kind
    lane: str
    text: Shown
    purpose: str = ""
    began: int = 0
    took: int = -1
    rule: str = ""
    request: str = ""
    result: str = ""
    notes: tuple[str, ...] = ()
    times: int = 1
    children: list[Node] = []

    def counted(self) -> Counter[tuple[str, str]]:
        """How many calls of each kind each lane made, here and below, counted loops included."""
        total: Counter[tuple[str, str]] = Counter()
        if self.request:
            total[self.lane, self.request] += 1
        for child in self.children:
            for key, count in child.counted().items():
                total[key] += count * child.times
        return total


def tree_of(records: Iterable[ev.Record], command: str, lane: str) -> Node:
    """The tree of a command.

    Args:
        records: all from its beginning to its end, with the details of the desk.
        command: the line.
        lane: of the thread that ran it.
    """
    builder = _Builder(command, lane)
    for record in records:
        builder.take(record)
    return builder.done()


class _Builder:
    """Appends at the right edge only, so that the order of the nodes, top down, is the order of the log."""

    def __init__(self, command: str, lane: str) -> None:
        self._root = Node("command", lane, visible(command))
        self._first = self._last = -1
        # Of what was put on the desk: its record and what stands for it in the tree.
        self._queued: dict[int, ev.Record] = {}
        self._work: dict[int, Node] = {}
        # Calls that have begun: their record, and what a witness saw of them.
        self._calls: dict[int, ev.Record] = {}
        self._seen: dict[int, list[str]] = {}
        # Where the tracer is at: what it does, and what a plan waits for meanwhile.
        self._inside: Node | None = None
        self._waiting: Node | None = None
        self._loop: Node | None = None
        self._told_by = 0, Node("fact", lane, Shown(""))
        # While the tracer is held: the pause, and where it was at.
        self._paused: Node | None = None
        self._left: tuple[Node | None, Node | None] = None, None

    def done(self) -> Node:
        """The whole; calls that have not returned stand at its end."""
        for record in self._calls.values():
            event = record.event
            if isinstance(event, ev.CallEntered) and event.name in WAIT_CALLS:
                text = visible(f"{call_text(event.name, event.args)} has not returned")
                notes = tuple(self._seen.get(record.seq, ()))
                self._root.children.append(Node("fact", record.lane, text, event.purpose, record.t, notes=notes, children=[]))
        self._root.began = max(self._first, 0)
        self._root.took = max(self._last - self._first, 0)
        return self._root

    def take(self, record: ev.Record) -> None:
        """Enter one record."""
        if self._first < 0:
            self._first = record.t
        self._last = max(self._last, record.t)
        event = record.event
        if isinstance(event, (ev.CallEntered, ev.CallReturned)):
            self._call(record, event)
        elif isinstance(event, ev.ThreadAsleep):
            self._seen.setdefault(record.of, []).append(f"seen asleep in {event.call if event.wchan == '0' else event.wchan}")
        elif isinstance(event, ev.ThreadWoken) and event.in_vain:
            self._seen.setdefault(record.of, []).append(f"woken {event.woken}, in vain {event.in_vain}")
        elif isinstance(event, (ev.RequestQueued, ev.RequestStarted, ev.RequestDone, ev.PlanWaits, ev.PlanWent)):
            self._desk(record, event)
        elif isinstance(event, ev.StatusReported):
            self._told(record)
        elif isinstance(event, (ev.LoopBegan, ev.LoopDone)):
            self._counted(record, event)
        elif isinstance(event, _STOPS):
            # A plan that is over says once more, to the user, where its last stop has led: that is no stop of its own.
            again = self._loop is None and self._inside is not None and self._inside.kind == "work"
            self._add(self._plain("fact" if again else "stop", record))
        elif isinstance(event, _FACTS):
            self._add(self._plain("fact", record))
        elif isinstance(event, (ev.RequestHeld, ev.RequestFreed)):
            self._held(record, event)
        if self._inside is not None and self._inside.kind == "work":
            self._inside.took = record.t - self._inside.began

    # --- where ----------------------------------------------------------------------------------------------------------------
    def _add(self, node: Node) -> Node:
        (self._loop or self._inside or self._waiting or self._root).children.append(node)
        return node

    def _plain(self, kind: Kind, record: ev.Record) -> Node:
        event = record.event
        assert not isinstance(event, ev.UnknownEvent), "made in this process"
        return Node(kind, record.lane, line_of(record) or Shown(""), began=record.t, rule=rule_of_event(event), children=[])

    # --- the desk -------------------------------------------------------------------------------------------------------------
    def _desk(self, record: ev.Record, event: ev.Event) -> None:
        if isinstance(event, ev.RequestQueued):
            self._queued[record.seq] = record
        elif isinstance(event, ev.RequestStarted):
            self._inside = self._waiting = None
            self._inside = self._work[record.of] = self._begun(record, event.text)
        elif isinstance(event, ev.RequestDone):
            self._ended(record)
            self._inside = self._paused
        elif isinstance(event, ev.PlanWaits):
            self._waiting = Node("wait", record.lane, visible(f"waits for {event.what}"), began=record.t, children=[])
            self._add(self._waiting)
            self._inside = None
        elif isinstance(event, ev.PlanWent):
            self._went(record, event)

    def _begun(self, record: ev.Record, name: str) -> Node:
        queued = self._queued.get(record.of)
        asked = queued.event if queued is not None else None
        about = asked.about if isinstance(asked, ev.RequestQueued) else ""
        by = queued.lane if queued is not None else ""
        node = Node("work", record.lane, visible(name), about, record.t, children=[])
        node.notes = (f"asked by {by}",) if by and by != self._root.lane else ()
        (self._paused or self._root).children.append(node)
        return node

    def _ended(self, record: ev.Record) -> None:
        node = self._work.get(record.of)
        if node is not None:
            node.took = record.t - node.began

    def _went(self, record: ev.Record, event: ev.PlanWent) -> None:
        """A plan goes on: below itself, or anew where something else has been taken up since."""
        if self._waiting is not None:
            self._waiting.took = record.t - self._waiting.began
        node = self._work.get(record.of)
        if node is None or self._root.children[-1] is not node:
            node = self._work[record.of] = self._begun(record, f"{event.plan} goes on")
        self._inside, self._waiting = node, None

    # --- calls ----------------------------------------------------------------------------------------------------------------
    def _call(self, record: ev.Record, event: ev.CallEntered | ev.CallReturned) -> None:
        if isinstance(event, ev.CallEntered):
            self._calls[record.seq] = record
            return
        entered = self._calls.pop(record.of, None)
        purpose = entered.event.purpose if entered is not None and isinstance(entered.event, ev.CallEntered) else ""
        began = entered.t if entered is not None else record.t
        took = record.t - entered.t if entered is not None else -1
        seen = tuple(self._seen.pop(record.of, ()))
        text = visible(f"{_short(event)} = {result_text(event)}")
        request = str(event.args[0]) if event.name == "ptrace" else event.name
        rule = rule_of_call(event, record.lane, purpose, seen)
        node = Node("call", record.lane, text, purpose, began, took, rule, request, result_text(event), seen, children=[])
        self._told_by = record.seq, self._add(node)

    def _told(self, record: ev.Record) -> None:
        """A status has reached the tracer: what it does about it stands below the call that took it."""
        seq, node = self._told_by
        place = self._inside or self._waiting or self._root
        if seq != record.of or not place.children or place.children[-1] is not node:
            self._inside = None
            node = self._add(self._plain("fact", record))
        self._inside = node

    def _counted(self, record: ev.Record, event: ev.LoopBegan | ev.LoopDone) -> None:
        if isinstance(event, ev.LoopBegan):
            self._loop = self._add(Node("loop", record.lane, visible(f"loop {event.name}, inline"), began=record.t, children=[]))
            return
        if self._loop is None:
            return
        loop, self._loop = self._loop, None
        loop.took = record.t - loop.began
        for call, count in event.counts.items():
            request = call.removeprefix("ptrace(").removesuffix(")")
            loop.children.append(Node("call", record.lane, visible(request), began=record.t, request=request, times=count, children=[]))

    # --- pauses ---------------------------------------------------------------------------------------------------------------
    def _held(self, record: ev.Record, event: ev.RequestHeld | ev.RequestFreed) -> None:
        """What happens while the tracer is held stands inside; behind it goes on what was held."""
        if isinstance(event, ev.RequestHeld):
            self._left = self._inside, self._waiting
            text = visible(f"paused before {event.call}")
            self._paused = self._inside = self._add(Node("held", record.lane, text, began=record.t, children=[]))
        elif self._paused is not None:
            self._paused.took = record.t - self._paused.began
            self._paused = None
            self._inside, self._waiting = self._left


def _short(event: ev.CallReturned) -> str:
    """A request without what every request has: ``PTRACE_CONT 4242``; any other call as it is written."""
    if event.name != "ptrace":
        return event.name if event.name == "fork" else str(call_text(event.name, event.args))
    request, tid, addr, data = (*map(str, event.args), "0", "0", "0")[:4]
    more = [each for each in (addr, data) if each != "0" and not each.startswith("&")]
    return " ".join((request, tid, *more))
