"""info threads, thread N, thread apply, and facts about the process; also while it runs."""

from __future__ import annotations

import os
import threading

import pytest

from tests.commands.looking_tools import Looker, stopped_at
from tests.programs import build
from tracedbg.kernel import procfs
from tracedbg.lang.forms import ProgramArgs
from tracedbg.model.errors import NotFound, NotNow
from tracedbg.model.views import TraceeState
from tracedbg.session.session import Session
from tracedbg.tracer import ops, running

pytestmark = pytest.mark.needs("ptrace", "cc", "x86-64", "drgn")


def test_threads_are_listed_and_selected() -> None:
    with stopped_at(build("threads"), "work") as at:
        program = at.session.program
        rows = at.do("info threads").rows
        assert [row.tid for row in rows] == procfs.threads(program.pid)
        assert all(row.kernel_state == "t" and row.state is TraceeState.STOPPED for row in rows)
        (current,) = [row for row in rows if row.current]
        assert current.frame.function == "work"
        assert current.why == "breakpoint 1"
        assert sum(line.startswith("*") for line in at.say("info threads")) == 1
        shown = at.do("thread 1")
        assert (shown.number, shown.tid, program.tid) == (1, program.pid, program.pid)
        assert at.do("bt").frames[-1].function == "main"
        assert at.do("thread").text[0].startswith("[Current thread is 1 ")
        with pytest.raises(NotFound):
            at.do("thread 99")
        assert program.tid == program.pid


def test_the_stacks_of_all_threads_leave_the_focus_alone() -> None:
    with stopped_at(build("threads"), "work") as at:
        program = at.session.program
        at.do("up")
        before = program.tid, program.level
        stacks = at.do("thread apply all bt").threads
        assert [each[0] for each in stacks] == [4, 3, 2, 1]
        assert {each[1] for each in stacks} == set(procfs.threads(program.pid))
        assert stacks[-1][3].frames[-1].function == "main"
        assert all("body" in [frame.function for frame in each[3].frames] for each in stacks[:-1])
        assert [each[0] for each in at.do("thread apply 2 1 bt 1").threads] == [2, 1]
        assert (program.tid, program.level) == before


def test_threads_answer_while_the_program_runs() -> None:
    with Session() as session:
        program = session.program
        program.file(str(build("loop")))
        program.run(ProgramArgs(), "main")
        at = Looker(session)
        done: list[object] = []
        command = threading.Thread(target=lambda: done.append(program.proceed(running.cont, program.tid)))
        command.start()
        try:
            seen = session.log.until(lambda record: program.busy, 10)
            assert seen is not None
            rows = at.do("info threads").rows
            assert [(row.tid, row.frame, row.state) for row in rows] == [(program.pid, None, TraceeState.RUNNING)]
            assert rows[0].kernel_state in ("R", "S")
            assert "(running)" in at.say("info threads")[1]
            assert at.say("info proc")[0] == f"process {program.pid}"
            with pytest.raises(NotNow):
                at.do("bt")
        finally:
            session.tracer.call(ops.interrupt, program.pid)
            command.join(10)
        assert not command.is_alive()
        assert done
        assert at.do("info threads").rows[0].kernel_state == "t"


def test_facts_about_the_process() -> None:
    with stopped_at(build("fact"), "fact") as at:
        program = at.session.program
        said = at.say("info proc")
        assert f"exe = '{program.path}'" in said
        assert f"TracerPid = {at.session.tracer.tid}" in said
        assert f"cwd = '{os.getcwd()}'" in said
        maps = at.do("info proc mappings").mappings
        assert any(each.path == program.path and "x" in each.perms for each in maps)
        libraries = at.do("info sharedlibrary").rows
        assert any("libc" in path for _, _, path in libraries)
        low, high, _ = libraries[0]
        assert low < high
        assert f"Program stopped at {program.registers().pc:#x}: breakpoint 1." in at.say("info program")
        assert at.say("info inferiors")[1].startswith("* 1")
        entry = next(line for line in at.say("info files") if line.startswith("Entry"))
        assert f"{maps[0].start:#x}"[:10] in entry


def test_a_program_that_is_gone_is_said() -> None:
    with stopped_at(build("fact"), "fact") as at:
        at.session.program.kill()
        facts = ("info threads", "info proc", "info proc mappings", "info sharedlibrary", "info program")
        for line in (*facts, "thread 1", "thread apply all bt", "bt"):
            with pytest.raises(NotNow):
                at.do(line)
        assert at.say("info inferiors")[1].split()[:3] == ["*", "1", "<null>"]
