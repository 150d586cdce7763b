"""What is kept of a failure: the facts of the target and of the caller, and a structure made of them again."""

from __future__ import annotations

import os
import threading

import pytest

from tests.commands.console import console
from tracedbg.kernel import attachable, credentials, facts
from tracedbg.model.callnames import as_made
from tracedbg.model.events import CallReturned


def test_target_and_rights_come_back_as_they_were() -> None:
    kept = dict(facts.at_failure("ptrace", (0x4206, os.getpid(), 0, 0), 1))
    assert facts.target_of(kept) == attachable.target(os.getpid())
    assert facts.rights_of(kept) == credentials.our_rights()
    assert (kept["numbers"], kept["caller"]) == (f"16902 {os.getpid()} 0 0", str(threading.get_native_id()))
    assert facts.target_of({}) is None


def test_whatever_is_asked_about_nothing_is_raised() -> None:
    for name in ("ptrace", "wait4", "waitid", "kill", "tgkill", "read", "process_vm_readv", "setpgid", "fork", "prctl", "nosuch"):
        for numbers in ((), (0,), (4194303, 4194303, 0, 0), (-1, -1, -1, -1), (1 << 63, 3, 4, 5)):
            for errno in (1, 3, 10, 14):
                assert dict(facts.at_failure(name, numbers, errno))["caller"] == str(threading.get_native_id())


@pytest.mark.needs("ptrace")
def test_a_call_keeps_them_when_it_fails_and_only_then() -> None:
    with console() as it:
        it.script("""
            thread w1
            puppet p1
            on p1 fork c1
            on w1 wait4 $c1
            on p1 wait4 $c1 WNOHANG
            on p1 syscall 61 $p1 0 0 0
            on p1 ptrace CONT $c1
            on tracer ptrace SEIZE $p1
            on tracer ptrace CONT $p1
        """)
        told = [(record.lane, record.event) for record in it.session.log.since(0) if isinstance(record.event, CallReturned)]
        assert all(bool(event.facts) == bool(event.errno) for _, event in told)
        failed = {(lane, event.name): dict(event.facts) for lane, event in told if event.errno}
        child, parent = it.session.variables["c1"], it.session.variables["p1"]
        assert failed["w1", "wait4"]["target.parent"] == parent
        assert failed["p1", "syscall"]["numbers"] == f"{parent} 0"
        words = failed["p1", "syscall"][f"child.{child}"].split()
        assert (words[:2], words[3]) == (["of", parent], "17"), words  # its state is that of a task that may still be at its first steps
        assert failed["p1", "ptrace"]["target.tracer"] == "0"
        assert failed["tracer", "ptrace"]["target.tracer"] == str(it.session.tracer.tid)


def test_a_call_by_its_number_is_that_call() -> None:
    assert as_made("syscall", (61, -1, 0, 8, 0)) == ("wait4", (-1, 8))
    assert as_made("syscall", (247, 1, 5, 0, 4, 0)) == ("waitid", (1, 5, 4))
    assert as_made("syscall", (62, 5, 9)) == ("kill", (5, 9))
    assert as_made("syscall", (999,)) == ("syscall", (999,))
    assert as_made("wait4", (-1, 0)) == ("wait4", (-1, 0))
