"""Commands of the bench: threads for experiments, calls on any thread of ours, facts about any task.

Handlers run on the command thread (`look` on the control thread too); they print nothing.  What a call answers is the kernel's
word: a refusal is an answer here, not an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from tracedbg.kernel import look as facts
from tracedbg.kernel import procfs
from tracedbg.kernel.regs import Registers
from tracedbg.lab import calls
from tracedbg.lab.calls import Typed
from tracedbg.lang import params
from tracedbg.lang.params import CALLS, NO_ARGUMENTS, Actor, Fields, Program, ProgramArguments, Text, Words
from tracedbg.lang.paramtypes import ParamType
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import BadArgument, NotFound, NotNow, UnknownCommand
from tracedbg.model.events import CallReturned, Detail, Looked, Record
from tracedbg.model.ids import Source
from tracedbg.model.startup import ProgramArgs
from tracedbg.model.text import Shown, visible
from tracedbg.render.lines import line_of
from tracedbg.session.session import Session
from tracedbg.tracer import ops

from .answers import Answer, Said, said

table = CommandTable("bench", "Threads for experiments, and raw calls on them")
table.group("thread", about="select a thread of the program by its number, or make threads of ours by name", strict=True)

_ASK_S = 2.0
"""How long `look` waits for registers; the tracer may be asleep in a wait that somebody typed."""


# --- threads ------------------------------------------------------------------------------------------------------------------
@table.add("thread")
def thread(session: Session, names: Annotated[Words, "a number to select, or names to make"] = ()) -> Answer:
    """Select a thread of the program by its number, or make threads of tracedbg by name.

    A thread that is made stands idle until `on NAME CALL` tells it to make a system call.

    In the kernel: clone with CLONE_THREAD: a task of tracedbg's own process, which shares its children but traces none of them.

    Example: thread w1 w2
    """
    if not names or names[0].isdecimal():
        if len(names) > 1:
            raise BadArgument("one thread is selected at a time", "thread NUMBER")
        from .looking_threads import select_thread  # late: only a number leads there

        chosen: Answer = select_thread(session, int(names[0]) if names else None)
        return chosen
    if len(set(names)) < len(names):
        raise BadArgument("a name stands twice", "each thread has a name of its own")
    made = [session.bench.add(name, session.actors.names()) for name in names]
    return said(*(f"thread {each.name}, tid {each.tid}" for each in made))


@table.add("thread end")
def thread_end(session: Session, name: Annotated[Actor, "a thread that 'thread NAME' made"]) -> Said:
    """End a thread of the bench, out of a call that sleeps too.

    In the kernel: a signal ends its wait (EINTR), then the task exits; what it traced itself is detached by the kernel.

    Example: thread end w1
    """
    session.bench.end(name)
    return said(f"thread {name} has ended")


# --- calls --------------------------------------------------------------------------------------------------------------------
class CallAnswer(msgspec.Struct, frozen=True):
    """What one thread's call returned.

    Args:
        actor: its name.
        text: the canonical line.
        in_log: the live log shows that very line.
    """

    actor: str
    text: Shown
    in_log: bool = False

    def lines(self, width: int) -> list[Shown]:
        """The line, unless the log has shown it."""
        return [] if self.in_log else [visible(f"{self.actor}  {self.text}")]


class CallAnswers(msgspec.Struct, frozen=True):
    """What a call returned on each thread that made it."""

    answers: tuple[CallAnswer, ...]

    def lines(self, width: int) -> list[Shown]:
        """A line for each thread."""
        return [line for answer in self.answers for line in answer.lines(width)]


@table.actor_call(CALLS)
def on(session: Session, actors: tuple[str, ...], verb: str, words: tuple[str, ...], background: bool) -> CallAnswers:
    """Make a system call on a thread of tracedbg, exactly as typed.

    Threads are `tracer`, `repl` (the thread that runs commands), each waiter by its name, and what `thread NAME` made. The calls
    are `wait4 PID [OPTIONS]`, `waitid IDTYPE ID [OPTIONS]`, `ptrace REQUEST PID [ADDR [DATA]]`, `kill`, `tgkill`, `gettid`,
    `getpid` and `getppid`. With `&` at the end the command does not wait for the answer, which then comes in the log. Several
    names, as in `on w1,w2 CALL`, begin at the same moment.

    In the kernel: the call is made by that very task, so that its answer depends on who asks: ptrace requests of any but the
    tracer's task end with ESRCH, while every task of the process may wait.

    Example: on w1 wait4 -1 __WALL &
    """
    call = read_call(verb, words)
    text = " ".join((verb, *words))
    answers = session.actors.call(actors, call, text, background=background)
    return CallAnswers(tuple(_answer(session, name, event) for name, event in answers))


def _answer(session: Session, name: str, event: CallReturned) -> CallAnswer:
    tid = session.actors.tid(name) or 0
    record = Record(0, session.log.now(), name, tid, Source.USER, event)
    text = line_of(record)
    assert text is not None, "a call that returned has a line"
    return CallAnswer(name, text, session.view.wants(record) and session.log.wants(Detail.CALLS))


def read_call(verb: str, words: Sequence[str]) -> Typed:
    """Read a call and its arguments as typed.

    Raises:
        UnknownCommand: no such call.
        BadArgument: a word is not what its place asks for, is missing, or is too much.
    """
    if verb not in calls.NAMES:
        raise UnknownCommand(f"'{verb}' is no call that a thread can be told to make", f"calls are {', '.join(calls.NAMES)}")
    if verb == "ptrace":
        return _read_ptrace(words)
    kinds, needed = _ARGUMENTS[verb]
    if not needed <= len(words) <= len(kinds):
        raise BadArgument(f"{verb} takes {_amount(needed, len(kinds))}, not {len(words)}", _usage(verb))
    numbers = [kind.parse(word) for kind, word in zip(kinds, words, strict=False)]
    numbers += [0] * (len(kinds) - len(numbers))
    return calls.simple_call(verb, numbers)


_ARGUMENTS: dict[str, tuple[tuple[ParamType[int], ...], int]] = {
    "wait4": ((params.WAIT_PID, params.WAIT_OPTIONS), 1),
    "waitid": ((params.WAITID_TYPE, params.NUMBER, params.WAIT_OPTIONS), 2),
    "kill": ((params.WAIT_PID, params.SIGNAL), 2),
    "tgkill": ((params.PID, params.PID, params.SIGNAL), 3),
    "gettid": ((), 0),
    "getpid": ((), 0),
    "getppid": ((), 0),
}
"""The arguments of each call, and how many of them must be there."""


def _read_ptrace(words: Sequence[str]) -> Typed:
    if not 2 <= len(words) <= 4:
        raise BadArgument(f"ptrace takes 2 to 4 arguments, not {len(words)}", _usage("ptrace"))
    request = params.REQUEST.parse(words[0])
    tid = params.NUMBER.parse(words[1])
    if not -(1 << 31) <= tid < 1 << 31:
        raise BadArgument(f"{words[1]} cannot be a pid", _usage("ptrace"))
    addr = params.NUMBER.parse(words[2]) if len(words) > 2 else 0
    data = 0
    if len(words) > 3:
        kind: ParamType[int] = params.NUMBER
        if request in calls.SIGNAL_REQUESTS:
            kind = params.SIGNAL
        elif request in calls.OPTION_REQUESTS:
            kind = params.PTRACE_OPTIONS
        data = kind.parse(words[3])
    return calls.ptrace_call(request, tid, addr, data)


def _usage(verb: str) -> str:
    usages = {
        "wait4": "wait4 PID [OPTIONS], for example wait4 -1 __WALL",
        "waitid": "waitid IDTYPE ID [OPTIONS], for example waitid P_PID $tracee WSTOPPED",
        "ptrace": "ptrace REQUEST PID [ADDR [DATA]], for example ptrace PTRACE_CONT $tracee",
        "kill": "kill PID SIGNAL",
        "tgkill": "tgkill PID TID SIGNAL",
    }
    return f"usage: on NAME {usages.get(verb, verb)}"


def _amount(low: int, high: int) -> str:
    if high == 0:
        return "no arguments"
    return f"{low} to {high} arguments" if low != high else f"{low} argument" + "s" * (low != 1)


# --- looking ------------------------------------------------------------------------------------------------------------------
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


@table.add("look", while_busy="now")
def look(
    session: Session,
    who: Annotated[Text, "a thread of tracedbg by its name, or the number of any process or thread"],
    fields: Annotated[Fields, "facts, or $REGISTER of a stopped tracee"] = (),
) -> LookAnswer:
    """Read facts about a thread or process in /proc, or registers of a stopped tracee.

    Facts are state, wchan, syscall, TracerPid, PPid, Threads, children, switches, SigPnd, ShdPnd, SigBlk, SigIgn, SigCgt, comm and
    flags.

    In the kernel: reading /proc asks nothing of the task itself; registers need PTRACE_GETREGS by the tracer thread.

    Example: look $tracee state TracerPid $rip
    """
    tid, lane = _whom(session, who)
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


def _whom(session: Session, who: str) -> tuple[int, str]:
    """The tid and the lane of what a user named."""
    if not who.isdecimal():
        tid = session.thread_tid(who)
        if tid is None:
            names = ", ".join(session.actors.names())
            raise NotFound(f"there is no thread {who}", f"there are {names}; or give the number of a process or thread")
        return tid, who
    tid = int(who)
    if not 0 < tid <= 1 << 22:
        raise BadArgument(f"{who} cannot be a pid", "pids are 1 to 4194304")
    for name in session.actors.names():
        if session.actors.tid(name) == tid:
            return tid, name
    traced = session.tracer.view.owner(tid) is not None or session.tracer.view.inferior(tid) is not None
    return tid, "tracee" if traced or session.variable("tracee") == who else who


def _registers(session: Session, tid: int, lane: str) -> Registers:
    if lane in session.actors.names() or procfs.tracer_pid(tid) != session.tracer.tid:
        raise NotNow(f"{tid} is not traced by the tracer thread", "registers are read of a stopped tracee: look $tracee $rip")
    try:
        return session.tracer.post(ops.registers, tid).result(_ASK_S)
    except TimeoutError:
        raise NotNow("the tracer thread does not answer: it is asleep in a call", "info waitqueue shows in which; Ctrl-C ends it") from None


# --- launching ----------------------------------------------------------------------------------------------------------------
class Launched(msgspec.Struct, frozen=True):
    """A program that was started without any policy."""

    pid: int
    path: str

    def lines(self, width: int) -> list[Shown]:
        """One line."""
        return [visible(f"process {self.pid} ({self.path}): traced, its exec stop waits for whoever collects it; $tracee = {self.pid}")]


@table.add("launch")
def launch(
    session: Session,
    program: Annotated[Program, "the program's file; a bare name is looked up in PATH"],
    args: Annotated[ProgramArguments, "arguments and redirections"] = NO_ARGUMENTS,
) -> Launched:
    """Start a program under the tracer and leave everything else to you: no waiter, no policy.

    `run` is the same with a waiter that collects the stops and a debugger that acts on them.

    In the kernel: fork on the tracer thread; the child asks PTRACE_TRACEME and execs, and stops with SIGTRAP when the new image is
    in place. That status waits until some thread calls wait4 or waitid.

    Example: launch /bin/true
    """
    path = session.program.file(program)
    given: ProgramArgs = args
    view = session.program.launch(given)
    session.variables["tracee"] = str(view.pid)
    return Launched(view.pid, path)
