"""`explain` shows what the outside witness saw: the same calls per thread, in the same order, counted loops by their counts.

The tree is taken from what is printed, with what it has folded laid out again.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs import build
from tests.session.driver import worker
from tests.witness.compare import Call, Witnessed, differences, read_log, read_witness
from tests.witness.compare import Loop as CountedLoop

pytestmark = [pytest.mark.needs("ptrace", "cc", "x86-64"), pytest.mark.slow]

HERE = Path(__file__).resolve().parent
_NODE = re.compile(r"^(?P<took>.{8})  (?P<lane>[a-z]\w*) +(?P<indent>(?:  )*)(?=\S)(?:(?P<times>\d+) times )?(?P<text>.*)$")
_GROUP = re.compile(r"^(?P<took>.{8})   +(?P<indent>(?:  )*)(?P<times>\d+) times (?P<text>these:)$")
_CALL = re.compile(r"^(?:(?P<request>PTRACE_\w+)(?: (?P<tid>\d+).*?)?|(?P<name>wait4|waitid)(?:\(.*?\))?)(?: = (?P<ret>-1 \w+|\d+).*)?$")

Seen = tuple[str, str | None, str | None]
"""A call as the tree has it: request or name, the tracee of a request, result; None where a counted loop does not say."""


def nodes(lines: list[str], lanes: int) -> list[tuple[int, int, str, str]]:
    """(depth, times, lane, text) of each node; `lanes` is the column where the tree begins."""
    found = []
    for line in lines:
        head, text = line[:lanes], line[lanes:]
        if not head[10:].strip() and " times these:" not in text:
            continue  # the rest of the line before
        depth = (len(text) - len(text.lstrip())) // 2
        times, _, rest = text.strip().partition(" times ")
        many = int(times) if rest and times.isdecimal() else 1
        found.append((depth, many, head[10:].strip(), (rest if many > 1 else text.strip())))
    return found


def laid_out(found: list[tuple[int, int, str, str]]) -> Iterator[tuple[str, str]]:
    """(lane, text) of each node in order, what was folded as often as it came."""
    at = 0
    while at < len(found):
        depth, times, lane, text = found[at]
        end = at + 1
        while end < len(found) and found[end][0] > depth:
            end += 1
        for _ in range(times):
            yield lane, text
            yield from laid_out(found[at + 1 : end])
        at = end


def calls_of(lines: list[str]) -> dict[str, list[Seen]]:
    """The calls of a printed tree by lane."""
    wide = max(len(line[10:].split("  ")[0]) for line in lines if re.match(r"^.{8}  [a-z]\w*  ", line))
    out: dict[str, list[Seen]] = {}
    for lane, text in laid_out(nodes(lines, 10 + wide + 2)):
        plain = re.sub(r" \[\d+\]( - .*)?$| - .*$", "", text)
        call = _CALL.match(plain)
        if call is not None:
            out.setdefault(lane, []).append((call["request"] or call["name"], call["tid"], call["ret"]))
    return out


def printed(output: str) -> list[list[str]]:
    """The trees of a session's output, each without its first line and its list of rules."""
    trees: list[list[str]] = []
    inside = False
    for line in output.splitlines():
        if re.match(r"^(\w+ ?[\w.]*): .*; [\d.]+ (us|ms|s)$", line):
            trees.append([])
            inside = True
        elif inside and re.match(r"^(\[\d+\] .*|\S.*)?$", line) and not line.startswith(" ") and not re.match(r"^[\d.]+ (us|ms|s)", line):
            inside = False
        elif inside:
            trees[-1].append(line)
    return trees


def same(seen: Call, ours: Seen) -> bool:
    what, tid, ret = ours
    name = str(seen.what[0]) if seen.name == "ptrace" else seen.name
    target = str(seen.what[1]) if seen.name == "ptrace" else None
    result = f"-1 {seen.ret}" if isinstance(seen.ret, str) else str(seen.ret)
    return what == name and tid in (None, target) and ret in (None, result)


def compare(output: str, log: Path, witnessed: Witnessed) -> Counter[str]:
    """Assert that every tree holds what was witnessed between its line and its answer, no more and no less; what it holds."""
    records = [json.loads(line) for line in log.read_bytes().splitlines() if b'"ev"' in line]
    lines = [record for record in records if record["ev"] == "line" and record["text"].startswith("explain ")]
    trees = printed(output)
    assert len(trees) == len(lines), output
    logged = read_log(log)
    place = {
        number: record["seq"]
        for number, record in enumerate((json.loads(line) for line in log.read_bytes().splitlines()), 1)
        if "seq" in record
    }
    total: Counter[str] = Counter()
    for line, tree in zip(lines, trees, strict=True):
        begin = line["seq"]
        end = next(record["seq"] for record in records if record["ev"] == "answer" and record.get("of") == begin)
        told = calls_of(tree)
        tids = {record["lane"]: record["tid"] for record in records if record["ev"] == "lane.open" and record.get("tid")}
        for lane, tid in tids.items():
            before = inside = 0
            for item in logged.get(tid, []):
                size = item.counts.total() + len(item.inside) if isinstance(item, CountedLoop) else 1
                seq = place[item.line]
                before += size * (seq < begin)
                inside += size * (begin < seq < end)
            theirs, ours = witnessed.calls.get(tid, [])[before : before + inside], told.get(lane, [])
            assert len(theirs) == len(ours), (line["text"], lane, [str(each) for each in theirs], ours)
            counted = [each for each in ours if each[2] is None]
            plain = [each for each in ours if each[2] is not None]
            if counted:  # the loop's own order is not told: its calls by count, all others in order
                assert Counter(each[0] for each in ours) == Counter(each.key.removeprefix("ptrace(").rstrip(")") for each in theirs)
            else:
                assert all(map(same, theirs, plain)), (line["text"], lane, [str(each) for each in theirs], ours)
            total.update(each[0] for each in ours)
    return total


def explained(folder: Path, commands: list[str], *arguments: str | Path) -> Counter[str]:
    """Run one batch session under the witness and compare all that it explains."""
    seen, log = folder / "seen.jsonl", folder / "log.jsonl"
    line: list[str | Path] = [
        build(str(HERE / "witness.c"), "-O2"),
        seen,
        "--",
        sys.executable,
        "-m",
        "tracedbg",
        "--batch",
        "--log",
        "quiet",
    ]
    line += ["--events", log]
    for command in commands:
        line += ["-ex", command]
    done = subprocess.run(
        [*map(str, line), *map(str, arguments)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=55, check=False, env=os.environ | {"COLUMNS": "400"},
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    witnessed = read_witness(seen)
    assert not differences(witnessed, read_log(log))
    return compare(done.stdout, log, witnessed)


def test_a_continue_over_a_breakpoint_and_steps(tmp_path: Path) -> None:
    """What a debugger does all day, in one session; `stepi 50` is one node with its counts."""
    moves = ("continue", "nexti", "next", "finish", "delete", "stepi 50", "step 2")
    commands = ["break fact", "run", *(f"explain {each}" for each in moves)]
    total = explained(tmp_path, commands, build("fact"))
    assert total["PTRACE_CONT"] >= 2
    assert total["PTRACE_SINGLESTEP"] > 50
    assert total["wait4"] > 50


def test_attach_and_stop_all(tmp_path: Path) -> None:
    """Every thread taken hold of and stopped; several threads that run into a breakpoint, stopped by an all-stop."""
    process = subprocess.Popen([worker(), "spin", "3"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        total = explained(tmp_path, [f"explain attach {process.pid}", "explain info threads", "explain detach"])
        assert total["PTRACE_SEIZE"] == total["PTRACE_INTERRUPT"] == total["PTRACE_DETACH"] == 4
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=20)
    total = explained(tmp_path, ["break work", "explain run", "explain continue", "delete", "explain continue"], build("threads"))
    assert total["PTRACE_GETEVENTMSG"] >= 3
