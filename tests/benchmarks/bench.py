"""How fast: tracedbg beside gdb and a bare C loop, interleaved, on one CPU.  Prints ratios; asserts nothing.

    python -m tests.benchmarks.bench [--rounds 5] [--steps 100000] [--seconds 2] [--keys 100] [--free]

Absolute times drift by a fifth on shared machines, so only the ratios of one run count.  Debugger and program run on the
same CPU (`--free` leaves that to the scheduler), because where they run decides more than the language does.  A start-up
is measured without work and subtracted from the run with work.
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import select
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.programs import build

HERE = Path(__file__).resolve().parent
PROMPT = b"tracedbg>"
SOURCE_LINE = re.compile(rb"(?:\n|\x1b\[[0-9;?]*[A-Za-z])(?:0x[0-9a-f]{16} +)?\d+ {3,}\S")


def timed(command: list[str]) -> float:
    """Seconds of one run; its output must not matter, its status must be 0."""
    began = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return seconds


def batch(debugger: list[str], commands: list[str], program: Path) -> list[str]:
    """A command line of either debugger: both take -ex."""
    return [*debugger, *(word for each in commands for word in ("-ex", each)), str(program)]


def prompt_ready(command: list[str]) -> float:
    """Seconds from the start until the prompt stands on a terminal of its own; then quit."""
    began = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execvp(command[0], command)
    seen, asked = b"", 0
    try:
        while PROMPT not in seen:
            if not select.select([terminal], [], [], 30)[0]:
                raise SystemExit(f"no prompt within 30 s: {seen[-500:]!r}")
            seen += os.read(terminal, 65536)
            while seen.count(b"\x1b[6n") > asked:  # where is the cursor?  A terminal answers, so this one does
                asked += 1
                os.write(terminal, b"\x1b[1;1R")
        seconds = time.perf_counter() - began
        os.write(terminal, b"quit\r")
        try:
            while os.read(terminal, 65536):
                pass
        except OSError:  # EIO: the other side is closed
            pass
    finally:
        os.close(terminal)
        try:
            os.kill(pid, signal.SIGHUP)
        except ProcessLookupError:
            pass
        os.waitpid(pid, 0)
    return seconds


def interleaved(rounds: int, works: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """All of them in turn, `rounds` times, so that a slow minute of the machine hits each alike."""
    results: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(rounds + 1):
        for name, work in works.items():
            seconds = work()
            if turn:  # the first turn fills caches
                results[name].append(seconds)
    return results


def show(title: str, unit: str, scale: float, results: dict[str, list[float]], base: str, *, goal: str) -> None:
    """A table: median, spread, ratio to `base`."""
    say(f"\n{title}    goal: {goal}")
    reference = statistics.median(results[base])
    for name, values in results.items():
        middle = statistics.median(values)
        low, high = min(values) * scale, max(values) * scale
        say(f"  {name:<28}{middle * scale:10.2f} {unit}  [{low:.2f} .. {high:.2f}]   {middle / reference:6.2f} x {base}")


def say(text: str) -> None:
    """One line of the report."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def steps(options: argparse.Namespace, ours: list[str], gdb: list[str] | None, program: Path) -> None:
    """`stepi N`, per step."""
    limits = build(str(HERE / "limits.c"), "-O2")

    def bare(count: int) -> float:
        done = subprocess.run([limits, str(count), program], capture_output=True, text=True, timeout=300, check=True)
        return float(done.stdout) / 1e9

    # Where a debug exception or a switch of tasks leaves the virtual machine a step costs 150 µs instead of 5.
    per_step = bare(2000)
    count = max(2000, min(options.steps, int(options.seconds / per_step)))
    if count < options.steps:
        say(f"a bare step costs {per_step * 1e6:.0f} µs here: {count} steps instead of {options.steps} (--seconds)")

    def loop_of(debugger: list[str]) -> Callable[[], float]:
        few = batch(debugger, ["starti", "stepi 100", "kill"], program)
        many = batch(debugger, ["starti", f"stepi {count + 100}", "kill"], program)
        return lambda: (timed(many) - timed(few)) / count

    works: dict[str, Callable[[], float]] = {"C loop": lambda: bare(count), "tracedbg": loop_of(ours)}
    if gdb:
        works["gdb"] = loop_of(gdb)
    results = interleaved(options.rounds, works)
    show(f"stepi {count}, per step", "µs", 1e6, results, "C loop", goal="at least 3x faster than gdb, at most 1.6x C")
    if gdb:
        middle = {name: statistics.median(values) for name, values in results.items()}
        say(f"  tracedbg is {middle['gdb'] / middle['tracedbg']:.2f} times as fast as gdb")
        say(f"  the bare C loop is {middle['gdb'] / middle['C loop']:.2f} times as fast as gdb: no debugger can do better here")


def recordings(options: argparse.Namespace, ours: list[str], program: Path) -> None:
    """What a recording costs: in a counted loop, whose steps are no events, and of one interactive step."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.jsonl"
        # Where a step leaves the virtual machine it costs 150 µs; the ratio is the same with fewer.
        count = options.steps // 10

        def run(debugger: list[str], *commands: str) -> float:
            path.unlink(missing_ok=True)
            return timed(batch(debugger, ["starti", *commands, "kill"], program))

        def loop_of(debugger: list[str]) -> Callable[[], float]:
            return lambda: (run(debugger, f"stepi {count + 100}") - run(debugger, "stepi 100")) / count

        works = {"tracedbg": loop_of(ours), "tracedbg, recorded": loop_of([*ours, "--record", str(path)])}
        results = interleaved(options.rounds, works)
        show(f"stepi {count}, per step", "µs", 1e6, results, "tracedbg", goal="recorded at most 1.15x")
    answered(options, program)


def answered(options: argparse.Namespace, program: Path) -> None:
    """From the line `stepi` until its answer is in the log, in one session that is recorded now and then."""
    import tempfile

    from tracedbg.commands.runner import Runner
    from tracedbg.commands.table import all_commands
    from tracedbg.model.events import CommandFinished, LineEntered
    from tracedbg.session.recorder import Wanted
    from tracedbg.session.session import Session

    times: dict[bool, list[float]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as folder, Session() as session:
        runner = Runner(session, all_commands())
        for line in (f"file {program}", "starti"):
            runner.run_line(line, "script")
        for turn in range(20):
            if turn % 2:
                session.recorder.start(Wanted(f"{folder}/{turn}.jsonl"))
            before = session.log.last
            for _ in range(max(10, options.keys // 10)):
                runner.run_line("stepi", "keyboard")
            records = session.log.since(before)
            lines = {record.seq: record.t for record in records if isinstance(record.event, LineEntered)}
            ends = [record for record in records if isinstance(record.event, CommandFinished) and record.of in lines]
            times[bool(turn % 2)] += [(record.t - lines[record.of]) / 1e9 for record in ends[5:]]
            if turn % 2:
                session.recorder.stop()
    say("\none interactive stepi, line to answer    goal: recorded at most 15 µs more")
    spread("tracedbg", times[False])
    spread("tracedbg, recorded", times[True])
    quarter = {recorded: sorted(each)[len(each) // 4] for recorded, each in times.items()}
    say(f"  a recording costs {(quarter[True] - quarter[False]) * 1e6:.0f} µs at the first quartile")


def starts(options: argparse.Namespace, ours: list[str], gdb: list[str] | None, program: Path) -> None:
    """Time to do nothing, to stop at main once, and to show a prompt."""
    works: dict[str, Callable[[], float]] = {"tracedbg batch, quit": lambda: timed(batch(ours, ["quit"], program))}
    interactive = [sys.executable, "-m", "tracedbg", str(program)]
    works["tracedbg prompt ready"] = lambda: prompt_ready(interactive)
    work = ["break main", "run", "bt", "kill"]
    works["tracedbg main, bt"] = lambda: timed(batch(ours, work, program))
    base = "tracedbg batch, quit"
    if gdb:
        base = "gdb batch, quit"
        works[base] = lambda: timed(batch(gdb, [], program))
        works["gdb main, bt"] = lambda: timed(batch(gdb, work, program))
    results = interleaved(options.rounds, works)
    show("start-up", "ms", 1e3, results, base, goal="prompt ready within 5.5x gdb; main and bt at most 0.9x gdb's")


def key_to_stop(options: argparse.Namespace, gdb: list[str] | None, program: Path) -> None:
    """One interactive `stepi` through a waiter: from the Enter key until the terminal shows the stop and a prompt below it.

    Beside it what the machine needs at least: the echo of a typed word at the same prompt (a frame, without any command), and gdb's own
    `stepi` until its prompt is back.
    """
    import tempfile

    from tests.terminal.real import tracedbg

    seconds: list[float] = []
    echoes: list[float] = []
    os.sched_setaffinity(0, range(os.cpu_count() or 1))  # two processes that wait for each other: no reason to share a CPU
    with tempfile.TemporaryDirectory() as state, tracedbg(Path(state), program, cols=100, rows=30) as screen:
        screen.say("break tick", "Breakpoint 1")
        screen.say("run", "Breakpoint 1, tick")
        screen.ready()
        screen.type("delete\n")
        for _ in range(options.keys + 5):
            screen.until(lambda: screen.prompt_line() == "")
            before, began = len(screen.chunks), time.monotonic()
            screen.type("stepi")
            echoes.append(screen.until_chunks(before, first_chunk) - began)
            screen.until(lambda: screen.prompt_line() == "stepi")
            before = len(screen.chunks)
            began = time.monotonic()
            screen.type("\n")
            seconds.append(screen.until_chunks(before, stop_painted) - began)
        screen.type("quit\n")
        screen.wait()
    say("\none interactive stepi, key to painted stop    goal: 95th percentile at most 15 ms")
    spread("tracedbg", seconds[5:])
    spread("the echo of a word at its prompt", echoes[5:])
    if gdb is not None:
        spread("gdb, until its prompt is back", gdb_keys(options.keys, gdb, program))


def gdb_keys(count: int, gdb: list[str], program: Path) -> list[float]:
    """The same `stepi` at gdb's prompt, on a terminal."""
    from tests.terminal.harness import Screen

    seconds: list[float] = []
    path = shutil.which(gdb[0]) or gdb[0]
    with Screen([path, *(word for word in gdb[1:] if word != "--batch"), "-q", str(program)], 100, 30, {"TERM": "dumb"}) as screen:
        screen.until_chunks(0, lambda chunks: chunks[-1][0] if b"".join(data for _, data in chunks).endswith(b"(gdb) ") else 0.0, 30)
        for line in ("set confirm off", "break tick", "run", "delete"):
            before = len(screen.chunks)
            screen.type(f"{line}\n")
            screen.until_chunks(before, gdb_prompt)
        for _ in range(count):
            before = len(screen.chunks)
            began = time.monotonic()
            screen.type("stepi\n")
            seconds.append(screen.until_chunks(before, gdb_prompt) - began)
        screen.type("quit\n")
        screen.wait()
    return seconds


def gdb_prompt(chunks: list[tuple[float, bytes]]) -> float:
    """When gdb's prompt came back after the echo of the command."""
    seen = b""
    for when, data in chunks:
        seen += data
        if b"\n" in seen and seen.endswith(b"(gdb) "):
            return when
    return 0.0


def first_chunk(chunks: list[tuple[float, bytes]]) -> float:
    """When the first output came."""
    return chunks[0][0] if chunks else 0.0


def spread(name: str, seconds: list[float]) -> None:
    """One line: how long it took, in the middle and at worst."""
    ordered = sorted(seconds)
    middle, late = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    text = f"median {middle * 1e3:.1f} ms  [{ordered[0] * 1e3:.1f} .. {ordered[-1] * 1e3:.1f}]   95th percentile {late * 1e3:.1f} ms"
    say(f"  {name:<34}{text}")


def stop_painted(chunks: list[tuple[float, bytes]]) -> float:
    """When the chunk came that completed the stop: its event, its line of source, the prompt below; 0 if it has not yet."""
    seen = b""
    for when, data in chunks:
        seen += data
        _, stop, below = seen.partition(b"stopped SIGTRAP step")
        answer, prompt, _ = below.rpartition(PROMPT)
        if stop and prompt and SOURCE_LINE.search(answer):
            return when
    return 0.0


def main() -> None:
    """Run them all."""
    parser = argparse.ArgumentParser(description="tracedbg beside gdb and a bare C loop")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=2.0, help="fewer steps where the C loop alone would take longer")
    parser.add_argument("--keys", type=int, default=100, help="interactive steps")
    parser.add_argument("--free", action="store_true", help="do not pin to one CPU")
    options = parser.parse_args()
    if not options.free:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # inherited by everything that is started
    program = build("loop")
    ours = [sys.executable, "-m", "tracedbg", "--batch"]
    # No init files, no questions, and no downloads of debug information.
    gdb = ["gdb", "-nx", "--batch", "-iex", "set debuginfod enabled off"] if shutil.which("gdb") else None
    say(f"pinned: {not options.free}, rounds: {options.rounds}, gdb: {'yes' if gdb else 'not here'}")
    steps(options, ours, gdb, program)
    starts(options, ours, gdb, program)
    key_to_stop(options, gdb, program)
    recordings(options, ours, program)


if __name__ == "__main__":
    main()
