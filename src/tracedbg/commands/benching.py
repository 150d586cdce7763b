"""Commands of the bench: threads and puppets for experiments, calls on any of them.

Handlers run on the command thread; they print nothing.  What a call answers is the kernel's word: a refusal is an answer here, not an
error.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from tracedbg.lang.callforms import KINDS
from tracedbg.lang.params import NO_ARGUMENTS, Actor, Program, ProgramArguments, Words
from tracedbg.lang.ranges import expanded
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import BadArgument
from tracedbg.model.events import CallReturned, Detail, Record
from tracedbg.model.ids import Source
from tracedbg.model.startup import ProgramArgs
from tracedbg.model.text import Shown, visible
from tracedbg.render.lines import line_of
from tracedbg.session.session import Session

from .answers import Answer, Said, said
from .benching_calls import read_call, with_calls
from .benching_look import look

table = CommandTable("bench", "Threads and puppets for experiments, and raw calls on them")
table.add("look", while_busy="now")(look)
table.group("thread", about="select a thread of the program by its number, or make threads of ours by name", strict=True)

_CROWD = 20
"""So many new threads are told one by one."""


# --- threads ------------------------------------------------------------------------------------------------------------------
@table.add("thread")
def thread(session: Session, names: Annotated[Words, "a number to select, or names to make"] = ()) -> Answer:
    """Select a thread of the program by its number, or make threads of tracedbg by name.

    A thread that is made stands idle until `on NAME CALL` tells it to make a system call. `w1..w1000` stands for a thousand names,
    here and in `on w1..w1000 CALL`.

    In the kernel: clone with CLONE_THREAD: a task of tracedbg's own process, which shares its children but traces none of them.

    Example: thread w1 w2
    """
    if not names or names[0].isdecimal():
        if len(names) > 1:
            raise BadArgument("one thread is selected at a time", "thread NUMBER")
        from .looking_threads import select_thread  # late: only a number leads there

        chosen: Answer = select_thread(session, int(names[0]) if names else None)
        return chosen
    names = expanded(names)
    if len(set(names)) < len(names):
        raise BadArgument("a name stands twice", "each thread has a name of its own")
    for name in names:
        session.actors.check_new(name)
    made = [session.bench.add(name) for name in names]
    session.variables.update((each.name, str(each.tid)) for each in made)
    if len(made) > _CROWD:
        return said(f"{len(made)} threads, {made[0].name} to {made[-1].name}, tids {made[0].tid} to {made[-1].tid}")
    return said(*(f"thread {each.name}, tid {each.tid}" for each in made))


@table.add("puppet")
def puppet(session: Session, names: Annotated[Words, "names to make; without any, the puppets there are"] = ()) -> Said:
    """Make processes that obey one call at a time, or list those there are.

    `on NAME CALL` tells a puppet what to do; `$NAME` is its pid in lines and patterns. A puppet can be told to make more: `on p1 fork
    c1` is a child of p1, `on p1 thread t2` a thread, addressed as p1.t2. Made by `puppet p1` it is a child of tracedbg that nobody
    traces, in a session of its own; `on w1 fork p1` makes it a child of that very thread. All of them end with tracedbg.

    In the kernel: fork and execve of a program of some eighty instructions, which reads its orders from a socket. It contains no
    interpreter and no library, so that nothing but the calls told is made: idle it sleeps in recvmsg, and sendto brings the answer.

    Example: puppet p1 p2
    """
    if not names:
        return said(*_puppets(session))
    if len(set(names)) < len(names):
        raise BadArgument("a name stands twice", "each puppet has a name of its own")
    for name in names:
        session.actors.check_new(name)
    return said(*(f"puppet {name}, pid {session.puppets.add(name)}; ${name} is its pid" for name in names))


def _puppets(session: Session) -> list[str]:
    tasks = [session.puppets.get(name) for name in session.puppets.names()]
    lines = []
    for task in tasks:
        doing = task.gone or (f"is in {task.current.call.name}" if task.current is not None else "is idle")
        lines.append(f"{task.name}, {'pid' if task.tid == task.process.pid else 'tid'} {task.tid or '?'}: {doing}")
    return lines or ["no puppets; puppet NAME makes one"]


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


@table.actor_call(KINDS)
@with_calls
def on(session: Session, actors: tuple[str, ...], verb: str, words: tuple[str, ...], background: bool) -> CallAnswers:
    """Make a system call on a thread of tracedbg or on a puppet, exactly as typed.

    Threads are `tracer`, `repl` (the thread that runs commands), each waiter by its name, and what `thread NAME` made; puppets are made
    by `puppet NAME`. With `&` at the end the command does not wait for the answer, which then comes in the log; a puppet that does not
    answer is waited for 5 s. Several names, as in `on w1,w2 CALL`, begin at the same moment. `$NAME` is the number of that thread or
    puppet, `$p1.t2` of a puppet's thread.

    In the kernel: the call is made by that very task, so that its answer depends on who asks: ptrace requests of any but the
    tracer's task end with ESRCH, while every task of the process may wait.

    Example: on w1 wait4 -1 __WALL &
    """
    call = read_call(verb, words)
    text = " ".join((verb, *words))
    answers = session.actors.call(actors, call, text, background=background)
    return CallAnswers(tuple(told(session, name, event) for name, event in answers))


def told(session: Session, name: str, event: CallReturned) -> CallAnswer:
    """The answer of one thread's call, as a line."""
    tid = session.actors.tid(name) or 0
    record = Record(0, session.log.now(), name, tid, Source.USER, event)
    text = line_of(record)
    assert text is not None, "a call that returned has a line"
    return CallAnswer(name, text, session.view.wants(record) and session.log.wants(Detail.CALLS))


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
