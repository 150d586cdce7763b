"""Pages played in processes of their own: compiled programs, evidence, the time limit, and that nothing is left.

One keeper serves the module, and only one may be in a process: front ends, which make their own, are tested in `test_playing`.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.walk.pages import EXAMPLES, SLEEPER, C, kept, marked, page, step
from tracedbg.kernel import procfs
from tracedbg.walk.keeper import Keeper
from tracedbg.walk.reading import parse, read

pytestmark = [pytest.mark.needs("ptrace"), pytest.mark.slow]

LAUNCH = ("thread w1", "launch /bin/true", "on w1 wait4 -1 __WALL")


@pytest.mark.long
@pytest.mark.needs("cc")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_each_example_passes_fifty_times_in_a_row(path: Path, keeper: Keeper) -> None:
    for _ in range(50):
        played = keeper.play(read(path))
        assert [result.outcome for result in played.steps] == ["passed"] * 3, played.failures
        assert played.left == 0


@pytest.mark.needs("cc")
def test_the_kernel_decides_predictions_and_evidence_is_kept(keeper: Keeper) -> None:
    first, second = (keeper.play(read(path)) for path in EXAMPLES)
    judged = first.steps[1].judged[0]
    assert (judged.line, judged.lane, judged.right, judged.guess) == (32, "w1", 2, None)
    assert judged.text.endswith("= -1 ESRCH (No such process)")
    assert first.steps[1].rules == ("tracer.wrong-thread",)
    seen = first.steps[0].seen[0]
    assert (seen.line, seen.asked, seen.lane) == (23, "expect w1 wait4 = $tracee stopped SIGTRAP", "w1")
    assert re.fullmatch(r"wait4\(-1, __WALL\) = \d+ stopped SIGTRAP status 0x57f", seen.text)
    # A question for thinking only has the event, and no right choice.
    assert second.steps[1].judged[0].right == -1
    assert dict(second.steps[1].seen[0].captured)["first"] in ("w1", "w2")
    assert second.steps[1].seen[1].lane == ""


@pytest.mark.needs("cc")
def test_programs_are_compiled_before_and_found_in_the_working_directory(keeper: Keeper) -> None:
    thread = "static void *f(void *p) { return p; }"
    seven = f"#include <pthread.h>\n{thread}\nint main(void) {{ pthread_t t; pthread_create(&t, 0, f, 0); return 7; }}"
    intro = C.format(name="seven", flags=" cflags=-pthread cflags=-Wall", code=seven)
    intro += C.format(name="two", flags="", code="int main(void) { return 2; }")
    rest = ("on w1 wait4 $tracee", "on tracer ptrace PTRACE_CONT $tracee", "on w1 wait4 $tracee")
    steps = [
        step("thread w1", "launch ./seven", *rest, "expect w1 wait4 = $tracee exited 7", name="Seven"),
        step("launch ./two", *rest, "expect w1 wait4 = $tracee exited 2", name="Two"),
    ]
    played = kept(keeper, page(*steps, intro=intro))
    assert [result.outcome for result in played.steps] == ["passed", "passed"], played.failures


@pytest.mark.needs("cc")
def test_a_program_that_cannot_be_compiled(keeper: Keeper) -> None:
    played = kept(keeper, page(step("thread w1", name="Step"), intro=C.format(name="bad", flags="", code="int main(void)\n{ return x; }")))
    (failure,) = played.failures
    assert (failure.line, failure.asked) == (3, "```c tracee=bad")
    assert any(re.match(r"  x\.md:5:10: error: .*x.*", line) for line in failure.told), failure.told
    assert any(line.startswith("  x.md: In function") for line in failure.told)
    assert not any("bad.c" in line for line in failure.told)
    assert played.not_run == ("step",)


def test_a_line_that_waits_for_ever_ends_with_the_time_limit(keeper: Keeper) -> None:
    text = page(step(*LAUNCH, "on w1 wait4 -1 __WALL"), front="timeout: 1")
    began = time.monotonic()
    played = kept(keeper, text)
    assert time.monotonic() - began < 30
    (failure,) = played.failures
    assert (failure.line, failure.asked) == (12, "on w1 wait4 -1 __WALL")
    assert failure.told[0].startswith("  the time limit of 1 s is over; a line that may wait longer ends with &")
    assert played.left == 0


@pytest.mark.needs("cc")
def test_a_player_that_is_killed_leaves_nothing_and_is_told_of(keeper: Keeper) -> None:
    lines = (
        "thread w1",
        "launch ./sleeper",
        "on w1 wait4 -1 __WALL",
        "on tracer ptrace PTRACE_DETACH $tracee",
        "on w1 wait4 $tracee __WALL",
    )
    document = parse(page(step(*lines), intro=SLEEPER), "x.md")
    killer = threading.Thread(target=_kill_player_when, args=("sleeper", 2))
    killer.start()
    played = keeper.play(document)
    killer.join()
    (failure,) = played.failures
    assert failure.told[0] == "  the process that played it killed SIGKILL"
    assert failure.asked == "on w1 wait4 $tracee __WALL"
    assert (played.steps[0].slug, played.steps[0].outcome) == ("step", "failed")
    assert played.left == 2, "the program and its child, which the player could not end"


def _kill_player_when(name: str, count: int) -> None:
    """Wait until `count` processes called `name` sleep, then kill the process that plays."""
    never, deadline = threading.Event(), time.monotonic() + 60
    while time.monotonic() < deadline:
        pids = [pid for pid in marked("TRACEDBG_PLAY=") if procfs.comm(pid) == name and procfs.state(pid) == "S"]
        if len(pids) >= count:
            player = {procfs.ppid(pid) for pid in pids} - set(pids)
            os.kill(player.pop() or 0, signal.SIGKILL)
            return
        never.wait(0.01)
