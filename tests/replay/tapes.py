"""Recordings to be played: the small one of the exports, with stops and kept states, and long ones made of steps."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.exports.sample import EVENTS, TIDS
from tracedbg.eventlog.recordings import Recording
from tracedbg.model import events as ev
from tracedbg.model.ids import Role, Source
from tracedbg.render.styles import StyledLine
from tracedbg.replay.deck import Deck
from tracedbg.replay.drawing import Drawing
from tracedbg.replay.host import Console
from tracedbg.replay.state import States
from tracedbg.replay.tape import Tape

PID = 4242
_STOP = 0x57F


def made(events: Sequence[tuple[int, str, ev.Event | ev.UnknownEvent, int]], title: str = "made") -> Recording:
    """A recording of (microseconds, lane, event, of), numbered from 1 on."""
    tids = {**TIDS, "tracee": PID, "waiter": 78}
    records = tuple(
        ev.Record(seq, t * 1000, lane, tids.get(lane, 0), Source.USER, event, of) for seq, (t, lane, event, of) in enumerate(events, 1)
    )
    return Recording("made.jsonl", {"title": title}, records)


def lesson() -> Recording:
    """A lesson with a question, behind it a program with two stops, each with its state, and an end."""
    tail: list[tuple[int, str, ev.Event, int]] = []
    last = len(EVENTS) - 1
    for number, (start, line) in enumerate(((6_000_000, 3), (9_000_000, 5))):
        stop = last + 6 * number + 4
        tail += [
            (start, "tracee", ev.TraceeResumed("continue", 0, PID), 0),
            (start + 10, "waiter", ev.CallEntered("wait4", (-1, "__WALL")), 0),
            (start + 900, "waiter", ev.CallReturned("wait4", (-1, "__WALL"), PID, "", _STOP), stop - 2),
            (start + 950, "tracee", ev.TraceeStopped(_STOP, "breakpoint", PID), 0),
            (start + 960, "tracee", ev.ProgramStopped("breakpoint", PID), 0),
            (start + 990, "repl", kept(line), stop + 1),
        ]
    end = (9_900_000, "repl", ev.SessionEnded(True), 0)
    return made((*EVENTS[:-1], *tail, end), "One stop")


def kept(line: int) -> ev.StateKept:
    """The state at a line of a small program."""
    source = tuple((number, f"int line{number};") for number in range(1, 8))
    registers = (("rip", hex(0x400000 + line)), ("rsp", "0x7ffe0000"))
    return ev.StateKept(
        PID, f"main at small.c:{line}", "small.c", line, source, registers, (f"#0  main () at small.c:{line}",), (f"* 1  {PID} main",), ()
    )


def steps(count: int) -> Recording:
    """About `count` events of single steps, a state kept at every tenth stop."""
    events: list[tuple[int, str, ev.Event, int]] = [
        (0, "tracer", ev.LaneOpened("tracer", Role.TRACER, 70), 0),
        (0, "waiter", ev.LaneOpened("waiter", Role.WAITER, 70), 0),
        (1, "tracee", ev.TraceeBorn(PID, "launched"), 0),
    ]
    step = ("ptrace", ("PTRACE_SINGLESTEP", PID, 0, 0))
    wait = ("wait4", (-1, "__WALL"))
    while len(events) < count:
        t, seq = len(events) * 20, len(events)
        events += [
            (t, "repl", ev.LineEntered("stepi", "keyboard"), 0),
            (t + 1, "tracer", ev.CallEntered(*step), 0),
            (t + 2, "tracer", ev.CallReturned(*step, 0), seq + 2),
            (t + 3, "tracee", ev.TraceeResumed("step", 0, PID), 0),
            (t + 4, "waiter", ev.CallEntered(*wait), 0),
            (t + 5, "waiter", ev.CallReturned(*wait, PID, "", _STOP), seq + 5),
            (t + 6, "tracee", ev.TraceeStopped(_STOP, "step", PID), 0),
        ]
        if seq % 10 == 3:
            events.append((t + 7, "repl", kept(seq), seq + 7))
        events.append((t + 8, "repl", ev.CommandFinished(True, (f"0x{seq:x} in main",)), seq + 1))
    return made(events, "steps")


def shuffled(count: int, random_: random.Random) -> Recording:
    """Whatever a hand may have put together: kinds in any order, ends without beginnings, times that stand still."""
    kinds: list[ev.Event | ev.UnknownEvent] = [event for _, _, event, _ in EVENTS]
    kinds += [record.event for record in steps(60).records]
    kinds += [ev.UnknownEvent({"ev": "later", "colour": "blue"}), ev.TraceeGone(0, "exited 0", PID), ev.ThreadWoken(3, 2)]
    lanes = ("repl", "tracer", "waiter", "w1", "tracee", "strange")
    t, events = 0, []
    for seq in range(1, count + 1):
        t += random_.choice((0, 0, 5, 1000, 3_000_000))
        events.append((t, random_.choice(lanes), random_.choice(kinds), random_.randrange(seq)))
    return made(events, "shuffled")


class Player:
    """A deck at which nobody sits: what was shown, as text."""

    def __init__(self, recording: Recording, *, questions: bool = False, speed: float = 0.0) -> None:
        self.shown: list[str] = []
        tape = Tape(recording)
        drawing = Drawing(tape, lambda: 80, colour=False, times=False)
        self.deck = Deck(tape, States(tape), drawing, self._put, questions=questions, speed=speed)
        self.console = Console(self.deck)
        self.now = 100.0

    def _put(self, line: StyledLine, keep: bool) -> None:
        self.shown.append("".join(text for _, text in line))

    def run(self, line: str) -> list[str]:
        """Run a line and let time run until it stands still; what was shown."""
        self.shown.clear()
        self.well = self.console.run(line)
        while (due := self.deck.advance(self.now)) is not None:
            self.now = max(self.now, due)
        return list(self.shown)
