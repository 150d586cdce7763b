"""`look`: facts about any task, read in /proc or, for registers, asked of the tracer; and waiting until a fact is so.

Command thread, or the control thread while another command runs.  Looking must change nothing about the task that is looked at.
"""

from __future__ import annotations

import threading
import time
from typing import Annotated

import msgspec

from tracedbg.kernel import look as facts
from tracedbg.kernel import procfs
from tracedbg.kernel.regs import Registers
from tracedbg.lang.params import Fields, Text
from tracedbg.model.errors import BadArgument, Failed, NotFound, NotNow
from tracedbg.model.events import Looked, Record
from tracedbg.model.ids import Source
from tracedbg.model.text import Shown, visible
from tracedbg.render.lines import line_of
from tracedbg.session.session import Session
from tracedbg.tracer import ops

_ASK_S = 2.0
"""How long `look` waits for registers; the tracer may be asleep in a wait that somebody typed."""
PATIENCE_S = 5.0
"""How long `look` waits for a fact to be so."""
_AGAIN_S = 0.0005, 0.01
"""The first and the longest pause between two looks; the kernel tells nobody of most of these facts."""


class LookAnswer(msgspec.Struct, frozen=True):
    """Facts about one task.

    Args:
        lane: whose.
        text: the canonical lines, one for each source of knowledge.
    """

    lane: str
    text: tuple[Shown, ...]

    def lines(self, width: int) -> list[Shown]:
        """Them, the lane in front."""
        return [visible(f"{self.lane}  {line}") for line in self.text]


def look(
    session: Session,
    who: Annotated[Text, "a thread or puppet by its name, or the number of any process or thread"],
    fields: Annotated[Fields, "facts, FACT=VALUE to wait for, or $REGISTER of a stopped tracee"] = (),
) -> LookAnswer:
    """Read facts about a thread or process in /proc, or registers of a stopped tracee.

    Facts are state, wchan, syscall, TracerPid, PPid, Tgid, Uid, Gid, Threads, pgrp, session, exit_signal, children, switches, SigPnd,
    ShdPnd, SigBlk, SigIgn, SigCgt, comm and flags; a task that does not exist any more has the value `gone` everywhere. `state=t` waits
    until the fact is so, for 5 s at most; `state=Z|gone` until one of several is, and a value may be a variable.

    In the kernel: reading /proc asks nothing of the task itself; registers need PTRACE_GETREGS by the tracer thread.

    Example: look $tracee state TracerPid $rip
    """
    tid, lane = whom(session, who)
    wanted = {name: _values(session, value) for name, sign, value in (field.partition("=") for field in fields) if sign}
    fields = tuple(field.partition("=")[0] for field in fields)
    if wanted:
        _wait_for(session, who, tid, wanted)
    registers = [field[1:] for field in fields if field.startswith("$")]
    plain = [field for field in fields if not field.startswith("$")]
    found: list[tuple[Source, list[tuple[str, str]]]] = []
    if plain or not fields:
        found.append((Source.PROC, [(name, str(value)) for name, value in facts.look(tid, plain)]))
    if registers:
        values = _registers(session, tid, lane)
        found.append((Source.USER, [(name, hex(values[name])) for name in registers]))
    lines = []
    for source, pairs in found:
        event = Looked(who, tuple(pairs))
        seq = session.log.publish(event, lane=lane, tid=tid, source=source)
        line = line_of(Record(seq, 0, lane, tid, source, event))
        assert line is not None, "facts have a line"
        lines.append(line)
    return LookAnswer(lane, tuple(lines))


def _values(session: Session, text: str) -> tuple[str, ...]:
    """What a fact may be, variables replaced."""
    values = []
    for each in text.split("|"):
        value = session.variable(each[1:]) if each.startswith("$") else each
        if value is None:
            raise NotFound(f"{each} is not set", "$tracee is set by 'run' and 'launch', $NAME is the number of that thread or puppet")
        values.append(value)
    return tuple(values)


def _wait_for(session: Session, who: str, tid: int, wanted: dict[str, tuple[str, ...]]) -> None:
    """Look again and again until each fact has a value, or a word of it, that will do."""
    deadline = time.monotonic() + PATIENCE_S
    pause, longest = _AGAIN_S
    never = threading.Event()
    session.given_up, session.expecting = False, True
    try:
        while True:
            now = facts.look(tid, wanted)
            if all(value in wanted[name] or set(value.split()) & set(wanted[name]) for name, value in now):
                return
            if session.given_up or session.quitting:
                raise Failed(f"looking at {who} was given up", f"look {who} shows what it does now")
            if time.monotonic() > deadline:
                seen = ", ".join(f"{name} {value}" for name, value in now)
                aim = ", ".join(f"{name} {'|'.join(values)}" for name, values in wanted.items())
                raise Failed(f"{who} has not come to {aim} in {PATIENCE_S:g} s: it has {seen}", "see what it waits for: look " + who)
            never.wait(pause)
            pause = min(pause * 1.5, longest)
    finally:
        session.expecting = False


def whom(session: Session, who: str) -> tuple[int, str]:
    """The tid and the lane of what a user named."""
    if not who.isdecimal():
        tid = session.thread_tid(who)
        if tid is None:
            names = ", ".join(session.actors.names())
            if who in session.puppets.names():
                raise NotFound(f"the number of {who} is not known yet: it has not begun to run", "look again when it does")
            raise NotFound(f"there is no thread {who}", f"there are {names}; or give the number of a process or thread")
        return (0 if session.puppets.replaced(who) else tid), who
    tid = int(who)
    if not 0 < tid <= 1 << 22:
        raise BadArgument(f"{who} cannot be a pid", "pids are 1 to 4194304")
    for name in session.actors.names():
        if session.actors.tid(name) == tid and not session.puppets.replaced(name):
            return tid, name
    traced = session.tracer.view.owner(tid) is not None or session.tracer.view.inferior(tid) is not None
    return tid, "tracee" if traced or session.variable("tracee") == who else who


def _registers(session: Session, tid: int, lane: str) -> Registers:
    if procfs.tracer_pid(tid) != session.tracer.tid:
        raise NotNow(f"{tid} is not traced by the tracer thread", "registers are read of a stopped tracee: look $tracee $rip")
    try:
        return session.tracer.post(ops.registers, tid).result(_ASK_S)
    except TimeoutError:
        raise NotNow("the tracer thread does not answer: it is asleep in a call", "info waitqueue shows in which; Ctrl-C ends it") from None
