"""Puppets: processes that obey one call at a time, and the thread that hears their answers.

Orders are sent by whoever gives them (command thread), answers are read by the thread `puppets`; both hold one lock while they look at
the tasks.  Nothing here waits for a puppet without a limit: one that is stopped, asleep or dead does not answer.  Source of the two nets
under them: unix(7) (a closed channel is the order to end), fcntl(2) F_SETSIG (the lifeline), pidfd_open(2).
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

from tracedbg.eventlog.log import EventLog
from tracedbg.kernel import procfs
from tracedbg.kernel.witness import Witness
from tracedbg.model.callnames import CALL_NUMBERS, PRCTLS
from tracedbg.model.errors import BadArgument, Failed, NotFound, NotNow
from tracedbg.model.events import CallEntered, CallReturned, LaneClosed, LaneOpened, Warned
from tracedbg.model.ids import Role
from tracedbg.tracer.reply import Reply

from . import machine
from .answers import Answers
from .failing import with_facts
from .launching import PUPPET, Lifeline, Program, reap
from .listening import Listener
from .orders import Place, answer_of, order_of
from .tasks import Pending, Process, Task, conceived, execed, for_birth, new_name
from .typed import BLOCKING, LAST, Typed
from .wire import Heard, channel, heard, received

_FREE_S = 0.05
"""How long an order waits for a task that has just answered another one."""
_BORN_S = 2.0
"""How long a new puppet may take to say its first word."""
_LOOK_S = 0.002
"""How often a task that was told to exit is looked at until it is dead: the kernel tells nobody of a thread's end."""
_END_S = 5.0
"""How long all of them together may take to die."""


class Puppets:
    """All puppets of a session.

    Args:
        log: where their calls are announced, each in the lane of its task.
        witness: looks at those that sleep.
        named: told the name and the number of each new task; on the thread `puppets`.
    """

    def __init__(self, log: EventLog, witness: Witness, named: Callable[[str, int], None]) -> None:
        # Set once (the last three by the first puppet).
        self._log, self._witness, self._named = log, witness, named
        self._program: Program | None = None
        self._lifeline: Lifeline | None = None
        self._listener: Listener
        # Under the lock.
        self._changed = threading.Condition(threading.RLock())
        self.answers = Answers(self._changed)
        self._tasks: dict[str, Task] = {}
        self._ever: list[Task] = []
        self._processes: list[Process] = []
        self._leaving: list[Task] = []

    # --- names ----------------------------------------------------------------------------------------------------------------
    def names(self) -> tuple[str, ...]:
        """Every task that can be addressed, oldest first; any thread."""
        return tuple(self._tasks)

    def tid(self, name: str) -> int | None:
        """The kernel's number of a task, None if there is none of that name or it is not known yet; any thread."""
        return self._tasks[name].tid or None if name in self._tasks else None

    def get(self, name: str) -> Task:
        """A task by its name.

        Raises:
            NotFound: there is none.
        """
        found = self._tasks.get(name)
        if found is None:
            raise NotFound(f"there is no puppet {name}", f"puppet {name} makes it")
        return found

    def replaced(self, name: str) -> bool:
        """The number of this task belongs to another one now, since it is dead and was collected; False for other names."""
        found = self._tasks.get(name)
        return found is not None and found.began is not None and procfs.start_time(found.tid) not in (None, found.began)

    def check_free(self, name: str) -> None:
        """Raise `BadArgument` if a living puppet has this name; the name of a dead one is free."""
        found = self._tasks.get(name)
        if found is not None and not found.gone:
            raise BadArgument(f"there is a puppet {name} already", "choose another name")

    # --- birth ----------------------------------------------------------------------------------------------------------------
    def add(self, name: str) -> int:
        """Fork a puppet on the calling thread, which is its parent; its pid.  It is ready when this returns.

        Raises:
            BadArgument: the name is taken.
            Failed: no process could be made, or it did not begin.
        """
        self.check_free(name)
        program, lifeline = self._begin()
        ours, theirs = channel()
        with lifeline.end() as end:
            try:
                pid = program.spawn(theirs.fileno(), end.fd)
            except OSError as error:
                ours.close()
                raise Failed(f"no process could be made: {error.strerror}", "end some processes and try again") from error
            finally:
                theirs.close()
            end.own(pid)
        with self._changed:
            process = Process(name, pid, slots=1)
            task = Task(name, process, ours, machine.slot(0))
            self._enter(task)
            self._known(task, pid)
            if not self._changed.wait_for(lambda: task.settled or task.gone, _BORN_S) or task.gone:
                raise Failed(f"the puppet {name} did not begin", program.trouble() or "see the log")
        return pid

    def _begin(self) -> tuple[Program, Lifeline]:
        with self._changed:
            if self._program is None or self._lifeline is None:
                self._program, self._lifeline = Program(), Lifeline()
                self._listener = Listener(self._log, self._changed, self._look_at_leaving)
                self._listener.start()
            return self._program, self._lifeline

    def _enter(self, task: Task) -> None:
        self._tasks[task.name] = task
        self._ever.append(task)
        task.process.tasks.append(task)
        self._listener.listen(task.channel.fileno(), lambda: self._hear(task))

    def _known(self, task: Task, tid: int) -> None:
        """The kernel's number of a new task has come to light."""
        if task.tid or not tid:
            return
        task.tid, task.began = tid, procfs.start_time(tid)
        process = task.process
        if not process.pid:
            process.pid = tid
        if process.tasks[0] is task:
            process.watch()
            if process.pidfd >= 0:
                self._processes.append(process)
                self._listener.listen(process.pidfd, lambda: self._died(process))
            if task.lifeline is not None:
                task.lifeline.own(tid)
                task.lifeline.close()
        self._log.publish(LaneOpened(task.name, Role.PUPPET, process.pid), lane=task.name, tid=tid)
        self._named(task.name, tid)
        self._changed.notify_all()

    # --- orders ---------------------------------------------------------------------------------------------------------------
    def order(self, name: str, call: Typed) -> Reply[CallReturned]:
        """Tell a task to make a call; the reply comes when it has returned.

        Raises:
            NotFound: there is no such puppet.
            NotNow: it is dead, runs another program, or has not finished its last call.
            BadArgument: the name of the new task is taken; the call does not fit into a message.
        """
        task = self.get(name)
        with self._changed:
            self._changed.wait_for(lambda: task.gone or task.current is None, _FREE_S)
            if task.gone:
                raise NotNow(f"{name} {task.gone}", "make another puppet")
            if task.current is not None:
                raise NotNow(f"{name} is still in {task.current.call.name}", "let it end, or send it a signal, or use another puppet")
            child = self._conceive(task, call)
            pending, order = Pending(call, child), for_birth(order_of(call), child)
            pending.entered = self._log.publish(CallEntered(call.name, call.shown), lane=name, tid=task.tid)
            if call.name in BLOCKING:
                in_call = None if call.waits else (CALL_NUMBERS[call.name], call.name)
                self._witness.watch(task.tid, name, pending.entered, in_call)
            task.current = pending
            try:
                task.send(pending, order)
            except BaseException as error:
                task.current = None
                self._witness.release(task.tid)
                if child is not None:
                    self._forget(child)
                if not isinstance(error, OSError):
                    raise
                raise NotNow(f"{name} cannot be told anything: {error.strerror}", "make another puppet") from error
            if call.name in LAST or call.name == "execve":
                self._leaving.append(task)
                self._listener.stir()
        return pending.reply

    def _conceive(self, task: Task, call: Typed) -> Task | None:
        """Enter the task that a call is to make before it exists: it may speak before the call returns."""
        if not call.birth:
            return None
        assert self._lifeline is not None, "there is a puppet"
        self.check_free(new_name(task, call))
        child = conceived(task, call, self._lifeline)
        self._enter(child)
        return child

    # --- who waits for an answer ----------------------------------------------------------------------------------------------
    def wait_born(self, parent: str, call: Typed, seconds: float = 0.5) -> None:
        """Wait until a new task is ready for orders; a stopped tracee, it or its parent, is not before it is continued."""
        name = new_name(self.get(parent), call)
        deadline = time.monotonic() + seconds
        with self._changed:
            while (task := self._tasks.get(name)) is not None and not (task.settled or task.gone):
                stopped = procfs.state(task.tid or self.get(parent).tid) in ("t", "T")
                if stopped or (not self._changed.wait(min(0.01, max(0.0, deadline - time.monotonic()))) and time.monotonic() > deadline):
                    return

    # --- the thread: answers --------------------------------------------------------------------------------------------------
    def _hear(self, task: Task) -> None:
        """Read all that a task has said."""
        while (message := received(task.channel)) is not None:
            data, sender = message
            if not data:
                self._silent(task)
                return
            said = heard(data)
            if isinstance(said, Heard):
                self._answered(task, said, sender)
            else:
                self._log.publish(said, lane=task.name, tid=task.tid)

    def _answered(self, task: Task, said: Heard, sender: int) -> None:
        if not task.greeted:
            self._greeted(task, said.result, said.own, sender)
            return
        pending = task.orders.pop(said.number, None)
        if pending is None or pending.silent:
            if said.number == task.preamble:
                task.settled = True
                self._changed.notify_all()
            return
        child = pending.child
        if child is not None:
            if said.result > 0:
                if not task.process.elsewhere:
                    self._known(child, said.result)
                for fd in () if child.shares_files else said.passed:
                    task.tell("close", fd)  # they were meant for the child
            else:
                self._forget(child)
        self._finish(task, with_facts(answer_of(pending.call, said.result, said.data), pending.call, task.tid))

    def _greeted(self, task: Task, tid: int, own: int, sender: int) -> None:
        """The first word of a task: give it its name, and close what it need not hold."""
        task.greeted = True
        self._known(task, task.number_here(tid, sender))
        process = task.process
        if not task.shares_files:
            # A channel that others hold too does not close when its owner dies or execs.
            for fd in task.inherited:
                task.tell("close", fd)
            process.channels = {}
        process.channels[own] = task
        close_on_exec, set_flags = 1, 2  # FD_CLOEXEC, F_SETFD
        task.tell("fcntl", own, set_flags, close_on_exec)
        task.tell("prctl", PRCTLS["PR_SET_NAME"], Place(0), data=task.name.encode()[:15] + b"\0")
        if process.tasks[0] is task:
            # Where Yama restricts tracing to descendants, puppets may trace each other all the same; elsewhere this is EINVAL.
            task.tell("prctl", PRCTLS["PR_SET_PTRACER"], -1)
            if process.elsewhere and tid == 1:
                # Deaf to the lifeline: init of a pid namespace gets SIGKILL only if it is forced (kernel/signal.c, sig_task_ignored),
                # as the one for the death of a parent outside is.
                task.tell("prctl", PRCTLS["PR_SET_PDEATHSIG"], signal.SIGKILL)
        task.preamble = task.sent
        if task.held is not None:
            try:
                task.send(*task.held)
            except OSError:
                pass  # dead or dying: its pidfd tells
            task.held = None
        self._changed.notify_all()

    def _finish(self, task: Task, answer: CallReturned) -> None:
        pending = task.current
        assert pending is not None, "an answer to a call that is made"
        self._witness.release(task.tid)
        self._log.publish(answer, lane=task.name, tid=task.tid, of=pending.entered)
        task.current = None
        self._changed.notify_all()
        pending.reply.set(answer)

    # --- the thread: ends -----------------------------------------------------------------------------------------------------
    def _silent(self, task: Task) -> None:
        """A channel has closed: its process has died, as its pidfd tells, or runs another program now."""
        self._listener.deaf(task.channel.fileno())
        if procfs.state(task.process.pid) not in ("Z", "X", ""):
            self._became(task)

    def _became(self, task: Task) -> None:
        """The puppet runs another program: all of its tasks are gone but one, which obeys nobody."""
        pending = task.current
        if pending is None or pending.call.name != "execve":
            return
        path = pending.call.texts[0].decode("utf-8", "backslashreplace")
        for each in task.process.tasks:
            self._depart(each, f"runs {path} now, which obeys nobody")
        self._finish(task, CallReturned("execve", pending.call.shown, 0))

    def _died(self, process: Process) -> None:
        process.dead = True
        self._listener.deaf(process.pidfd)
        for task in list(process.tasks):
            self._hear(task)
            self._listener.deaf(task.channel.fileno())
            self._depart(task, "is dead")
            task.gone = "is dead"
        self._processes.remove(process)
        self._changed.notify_all()

    def _depart(self, task: Task, why: str) -> None:
        """A task obeys no more."""
        pending = task.current
        if task in self._leaving:
            self._leaving.remove(task)
        if not task.gone:
            task.gone = why
            self._log.publish(LaneClosed(task.name), lane=task.name, tid=task.tid)
        if pending is None or (pending.call.name == "execve" and why != "is dead"):
            return
        if pending.call.name in LAST or (pending.call.name == "execve" and execed(task)):
            self._finish(task, CallReturned(pending.call.name, pending.call.shown, 0))
            return
        task.current = None
        self._witness.release(task.tid)
        if pending.child is not None and not pending.child.tid:
            self._forget(pending.child)
        self._changed.notify_all()
        pending.reply.fail(NotNow(f"{task.name} {why} and has not finished {pending.call.name}", "make another puppet"))

    def _forget(self, task: Task) -> None:
        """A task that was to be made was not."""
        self._listener.deaf(task.channel.fileno())
        task.close()
        task.gone = "was not made"
        task.process.tasks.remove(task)
        self._ever.remove(task)
        self._tasks.pop(task.name, None)

    def _look_at_leaving(self) -> float | None:
        """See which of those that were told to exit are dead, or to exec have; how soon to look again."""
        for task in list(self._leaving):
            if task.current is None:
                self._leaving.remove(task)  # an execve that failed
            elif task.current.call.name == "execve":
                # Its channel closes by then, but not for us if a child that is stopped has still to close its copy.
                if procfs.exe(task.process.pid) not in (None, PUPPET):
                    self._became(task)
            elif procfs.state(task.tid) in ("Z", "X", ""):
                self._hear(task)
                self._depart(task, "has exited")
        return _LOOK_S if self._leaving else None

    # --- end ------------------------------------------------------------------------------------------------------------------
    def kill(self) -> None:
        """Send SIGKILL to all, and to every process that came from them; any thread, does not wait."""
        self.answers.give_up()
        with self._changed:
            for process in self._processes:
                process.kill()

    def close(self) -> None:
        """Collect all of them; after the threads that trace or wait for them have ended.  Main thread."""
        if self._program is None or self._lifeline is None:
            return
        self.kill()
        with self._changed:
            if not self._changed.wait_for(lambda: not self._processes, _END_S):
                left = ", ".join(process.name for process in self._processes)
                self._log.publish(Warned(f"{left} cannot be ended: whoever traces it must let it go"))
            ever, self._ever, self._tasks = self._ever, [], {}
        self._listener.close()
        processes = {id(task.process): task.process for task in ever}.values()
        reap([process.pid for process in processes])
        for task in ever:
            task.close()
        for process in processes:
            process.close()
        self._lifeline.close()
        self._program.close()
