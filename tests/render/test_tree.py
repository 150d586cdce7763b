"""A command's tree from records alone: what stands below what, what is counted, and how it looks folded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tracedbg.model import events as ev
from tracedbg.model.ids import Source
from tracedbg.render.tree import Node, tree_of
from tracedbg.render.treelines import folded, tree_lines
from tracedbg.render.treerules import NAMES
from tracedbg.session.shelf import lessons_on
from tracedbg.walk import shipped
from tracedbg.walk.catalogue import RULES
from tracedbg.walk.reading import read


class Tape:
    """Records as a log would number them, a microsecond apart."""

    def __init__(self) -> None:
        self.records: list[ev.Record] = []

    def put(self, lane: str, event: ev.Event, of: int = 0) -> int:
        seq = len(self.records) + 1
        self.records.append(ev.Record(seq, seq * 1000, lane, 42, Source.USER, event, of))
        return seq

    def call(self, lane: str, name: str, *args: str | int, ret: int = 0, to: str = "", **more: int | str) -> int:
        entered = self.put(lane, ev.CallEntered(name, args, to))
        return self.put(lane, ev.CallReturned(name, args, ret, **more), entered)  # type: ignore[arg-type]

    def step(self, queued: int) -> None:
        """One step of a plan: the request, a waiter's status, what the tracer asks about it."""
        self.call("tracer", "ptrace", "PTRACE_SINGLESTEP", 42, 0, 0, to="execute one instruction")
        self.put("tracer", ev.PlanWaits("plan", "the end of the step"), queued)
        took = self.call("waiter", "wait4", -1, "__WALL", ret=42, status=0x57F)
        self.put("tracer", ev.StatusReported(42, 0x57F, "waiter"), took)
        self.call("tracer", "ptrace", "PTRACE_GETSIGINFO", 42, 0, "&siginfo", to="learn what this SIGTRAP is")
        self.put("tracee", ev.TraceePaused(0x57F, "step", 42))
        self.put("tracer", ev.PlanWent("plan", "42 stopped SIGTRAP", 42), queued)


def shape(node: Node) -> list[object]:
    """Texts, each with those below it."""
    return [str(node.text), [shape(child) for child in node.children]] if node.children else [str(node.text)]


def plan(times: int) -> Tape:
    tape = Tape()
    queued = tape.put("repl", ev.RequestQueued("tracer", "plan", "Do it."))
    tape.put("tracer", ev.RequestStarted("plan"), queued)
    for _ in range(times):
        tape.step(queued)
    tape.put("tracee", ev.TraceeStopped(0x57F, "step", 42))
    return tape


def test_what_a_waiter_took_stands_above_what_the_tracer_did_about_it() -> None:
    tree = tree_of(plan(1).records, "stepi", "repl")
    got = ["wait4(-1, __WALL) = 42 stopped SIGTRAP status 0x57f", [["PTRACE_GETSIGINFO 42 = 0"], ["paused SIGTRAP step"]]]
    assert shape(tree) == [
        "stepi",
        [["plan", [["PTRACE_SINGLESTEP 42 = 0"], ["waits for the end of the step", [got]], ["stopped SIGTRAP step"]]]],
    ]
    assert tree.children[0].purpose == "Do it."


@given(st.integers(1, 40))
def test_repeats_are_folded_and_counted(times: int) -> None:
    tree = tree_of(plan(times).records, "stepi", "repl")
    small = folded(tree)
    assert small.counted() == tree.counted()
    assert tree.counted()["tracer", "PTRACE_SINGLESTEP"] == tree.counted()["waiter", "wait4"] == times
    lines = [str(line) for line in tree_lines(tree, 80, lambda _rule: ())]
    assert max(map(len, lines)) <= 80
    assert len(lines) < 20
    assert lines[0].startswith(f"stepi: tracer {2 * times} requests; waiter {times} wait")


def test_a_counted_loop_is_one_node() -> None:
    tape = Tape()
    tape.put("tracer", ev.LoopBegan("stepi 100"))
    tape.put("tracer", ev.LoopDone("stepi 100", {"ptrace(PTRACE_SINGLESTEP)": 100, "wait4": 100}))
    tree = tree_of(tape.records, "stepi 100", "repl")
    assert shape(tree) == ["stepi 100", [["loop stepi 100, inline", [["PTRACE_SINGLESTEP"], ["wait4"]]]]]
    assert tree.counted() == {("tracer", "PTRACE_SINGLESTEP"): 100, ("tracer", "wait4"): 100}


def test_what_comes_in_between_gets_its_place_and_a_plan_goes_on_behind_it() -> None:
    """The order of the nodes is the order of the log, so a plan that goes on after other work stands there once more."""
    tape = plan(0)
    tape.put("tracer", ev.PlanWaits("plan", "news of any thread"), 1)
    asked = tape.put("control", ev.RequestQueued("tracer", "interrupt"))
    tape.put("tracer", ev.RequestStarted("interrupt"), asked)
    tape.call("tracer", "ptrace", "PTRACE_INTERRUPT", 42, 0, 0, to="interrupt the program")
    tape.put("tracer", ev.RequestDone("interrupt", True), asked)
    tape.put("tracer", ev.PlanWent("plan", "42 stopped SIGTRAP", 42), 1)
    tape.call("w1", "ptrace", "PTRACE_CONT", 42, 0, 0, ret=-1, errno="ESRCH")
    tree = tree_of(tape.records, "continue", "repl")
    assert [str(node.text) for node in tree.children] == ["plan", "interrupt", "plan goes on"]
    assert tree.children[1].notes == ("asked by control",)
    assert tree.children[2].children[0].rule == "tracer.wrong-thread"


def test_a_wait_that_has_not_returned_is_told() -> None:
    tape = Tape()
    entered = tape.put("w1", ev.CallEntered("wait4", (-1, "__WALL")))
    tape.put("w1", ev.ThreadAsleep("wait4", "do_wait", "state S"), entered)
    [node] = tree_of(tape.records, "on w1 wait4 -1 __WALL &", "repl").children
    assert (str(node.text), node.notes) == ("wait4(-1, __WALL) has not returned", ("seen asleep in do_wait",))


def test_rules_and_lessons_are_those_of_the_course() -> None:
    """The names that trees give are rules of the catalogue, and the pages found for a rule are those that the parser finds."""
    assert set(RULES) >= NAMES
    shown: dict[str, list[str]] = {}
    for path in shipped.lessons():
        for rule in dict.fromkeys(rule for step in read(path).steps for rule in step.rules):
            shown.setdefault(rule, []).append(shipped.name_of(path))
    assert {rule: [name for name, _ in lessons_on(rule)] for rule in shown} == shown
