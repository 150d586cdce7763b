"""Compares what an outside witness saw with what a tracer logged about itself.

Pure but for reading two files; any thread.  It must not import the product: request numbers, option bits and the meaning
of log lines are written down here a second time, so that one mistake cannot hide in both.

Per thread: every witnessed ptrace, wait4 and waitid call is in the log, in the same order, with the same result, and the
log holds no call that was not witnessed.  Calls inside a counted loop (`loop.begin` to `loop.done`) are compared by count.
"""

from __future__ import annotations

import errno
import json
import re
import signal
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# include/uapi/linux/ptrace.h and arch/x86/include/uapi/asm/ptrace-abi.h
REQUESTS = {
    0: "PTRACE_TRACEME", 1: "PTRACE_PEEKTEXT", 2: "PTRACE_PEEKDATA", 3: "PTRACE_PEEKUSER", 4: "PTRACE_POKETEXT",
    5: "PTRACE_POKEDATA", 6: "PTRACE_POKEUSER", 7: "PTRACE_CONT", 8: "PTRACE_KILL", 9: "PTRACE_SINGLESTEP",
    12: "PTRACE_GETREGS", 13: "PTRACE_SETREGS", 14: "PTRACE_GETFPREGS", 15: "PTRACE_SETFPREGS", 16: "PTRACE_ATTACH",
    17: "PTRACE_DETACH", 24: "PTRACE_SYSCALL", 30: "PTRACE_ARCH_PRCTL", 31: "PTRACE_SYSEMU",
    32: "PTRACE_SYSEMU_SINGLESTEP", 33: "PTRACE_SINGLEBLOCK", 0x4200: "PTRACE_SETOPTIONS", 0x4201: "PTRACE_GETEVENTMSG",
    0x4202: "PTRACE_GETSIGINFO", 0x4203: "PTRACE_SETSIGINFO", 0x4204: "PTRACE_GETREGSET", 0x4205: "PTRACE_SETREGSET",
    0x4206: "PTRACE_SEIZE", 0x4207: "PTRACE_INTERRUPT", 0x4208: "PTRACE_LISTEN", 0x4209: "PTRACE_PEEKSIGINFO",
    0x420A: "PTRACE_GETSIGMASK", 0x420B: "PTRACE_SETSIGMASK", 0x420C: "PTRACE_SECCOMP_GET_FILTER",
    0x420E: "PTRACE_GET_SYSCALL_INFO", 0x420F: "PTRACE_GET_RSEQ_CONFIGURATION",
}  # fmt: skip
# Requests whose addr and data are plain values; in the others they are pointers into the caller's memory.
BY_VALUE = {
    "PTRACE_CONT", "PTRACE_SINGLESTEP", "PTRACE_SYSCALL", "PTRACE_DETACH", "PTRACE_KILL", "PTRACE_ATTACH", "PTRACE_SEIZE",
    "PTRACE_INTERRUPT", "PTRACE_LISTEN", "PTRACE_SETOPTIONS", "PTRACE_POKETEXT", "PTRACE_POKEDATA", "PTRACE_POKEUSER",
}  # fmt: skip
WAIT_BITS = {
    "WNOHANG": 1, "WUNTRACED": 2, "WSTOPPED": 2, "WEXITED": 4, "WCONTINUED": 8, "WNOWAIT": 0x01000000,
    "__WNOTHREAD": 0x20000000, "__WALL": 0x40000000, "__WCLONE": 0x80000000,
}  # fmt: skip
OPTION_BITS = {
    "TRACESYSGOOD": 1, "TRACEFORK": 2, "TRACEVFORK": 4, "TRACECLONE": 8, "TRACEEXEC": 0x10, "TRACEVFORKDONE": 0x20,
    "TRACEEXIT": 0x40, "TRACESECCOMP": 0x80, "EXITKILL": 0x100000, "SUSPEND_SECCOMP": 0x200000,
}  # fmt: skip
ID_TYPES = {"P_ALL": 0, "P_PID": 1, "P_PGID": 2, "P_PIDFD": 3}


@dataclass(frozen=True)
class Call:
    """One system call of one thread, in terms that both sides can be brought to.

    `what` is the part that must be equal besides the result: name and value arguments; None where the log said nothing.
    """

    name: str
    what: tuple[Any, ...]
    ret: int | str | None
    extra: tuple[Any, ...] = ()
    line: int = 0

    @property
    def key(self) -> str:
        """As loops count it: ``wait4``, ``ptrace(PTRACE_CONT)``."""
        return f"ptrace({self.what[0]})" if self.name == "ptrace" else self.name

    def __str__(self) -> str:
        inner = ", ".join(str(each) for each in self.what)
        return f"{self.name}({inner}) = {self.ret}" + (f" {self.extra}" if self.extra else "")


@dataclass
class Loop:
    """Calls that the log only counted, and those inside the interval that it did spell out."""

    counts: Counter[str]
    inside: list[Call] = field(default_factory=list)
    line: int = 0


@dataclass
class Witnessed:
    """What the witness wrote: calls by tid in order, all tids of the process, the program's status."""

    calls: dict[int, list[Call]]
    tids: set[int]
    status: int | None


def _lines(path: Path) -> list[tuple[int, dict[str, Any]]]:
    return [(number, json.loads(line)) for number, line in enumerate(path.read_bytes().splitlines(), 1) if line.strip()]


def _result(ret: int | None) -> int | str | None:
    """A value, or the errno's name."""
    if ret is None or ret >= 0:
        return ret
    return errno.errorcode.get(-ret, str(ret))


def _signed(number: int) -> int:
    return number - (1 << 32) if number >= 1 << 31 else number


def read_witness(path: Path) -> Witnessed:
    """Read the file that `witness.c` wrote."""
    calls: dict[int, list[Call]] = defaultdict(list)
    tids: set[int] = set()
    status = None
    for number, line in _lines(path):
        if line["w"] == "end":
            status = line["status"]
        if "tid" in line:
            tids.add(line["tid"])
        if line["w"] != "call":
            continue
        args, name, ret = line["args"], line["name"], _result(line["ret"])
        what: tuple[Any, ...]
        extra: tuple[Any, ...] = ()
        if name == "ptrace":
            request = REQUESTS.get(args[0], str(args[0]))
            what = (request, args[1], args[2], args[3]) if request in BY_VALUE else (request, args[1], None, None)
        elif name == "wait4":
            what = (args[0], args[2] & 0xFFFFFFFF)
            extra = (line["status"] & 0xFFFFFFFF,) if "status" in line else ()
        else:
            what = (args[0], args[1], args[3] & 0xFFFFFFFF)
            # An empty siginfo (WNOHANG and nothing there) names no pid and says nothing.
            extra = tuple(line["info"][1:]) if "info" in line and line["info"][2] else ()
        calls[line["tid"]].append(Call(name, what, ret, extra, number))
    return Witnessed(dict(calls), tids, status)


def _number(word: str | int, bits: dict[str, int], prefix: str = "") -> int | None:
    """A number from a log's argument: itself, digits, a signal's name, names of bits joined by `|`; None if unknown."""
    if isinstance(word, int):
        return word
    total = 0
    for part in word.split("|"):
        name = part.strip().removeprefix(prefix)
        if name in bits:
            total |= bits[name]
        elif re.fullmatch(r"SIG[A-Z0-9]+", name) and name in signal.Signals.__members__:
            total |= signal.Signals[name]
        else:
            try:
                total |= int(name, 0)
            except ValueError:
                return None
    return total


def _logged_call(enter: dict[str, Any], leave: dict[str, Any] | None, number: int) -> Call:
    name, args = enter["name"], enter["args"]
    what: tuple[Any, ...]
    if name == "ptrace":
        request = REQUESTS.get(args[0], str(args[0])) if isinstance(args[0], int) else args[0]
        values: list[int | None] = [None, None]
        if request in BY_VALUE:
            values = [*(_number(arg, OPTION_BITS, "PTRACE_O_") for arg in args[2:4]), None, None][:2]
        what = (request, args[1], *(value if value is None else value & (1 << 64) - 1 for value in values))
    elif name == "wait4":
        options = _number(args[-1], WAIT_BITS)
        what = (args[0], None if options is None else options & 0xFFFFFFFF)
    else:
        options = _number(args[2], WAIT_BITS)
        what = (_number(args[0], ID_TYPES), args[1], None if options is None else options & 0xFFFFFFFF)
    if leave is None:
        return Call(name, what, None, (), number)
    ret: int | str = leave["errno"] if leave.get("ret") == -1 and leave.get("errno") else leave["ret"]
    extra: tuple[Any, ...] = ()
    if name == "wait4" and leave.get("status") is not None:
        extra = (leave["status"] & 0xFFFFFFFF,)
    elif name == "waitid" and leave.get("info"):
        info = leave["info"]
        extra = (info["code"], info["pid"], info["status"])
    return Call(name, what, ret, extra, number)


def read_log(path: Path) -> dict[int, list[Call | Loop]]:
    """Read a file that `--events` wrote: for each tid its calls and counted loops, in the order of their beginnings."""
    lines = [(number, line) for number, line in _lines(path) if "ev" in line]
    leaves = {line["of"]: line for _, line in lines if line["ev"] == "sys.exit" and "of" in line}
    items: dict[int, list[Call | Loop]] = defaultdict(list)
    open_loops: dict[int, Loop] = {}
    for number, line in lines:
        kind, tid = line["ev"], line.get("tid", 0)
        if kind == "sys.enter" and line["name"] in ("ptrace", "wait4", "waitid") and line.get("src", "user") == "user":
            call = _logged_call(line, leaves.get(line["seq"]), number)
            if tid in open_loops:
                open_loops[tid].inside.append(call)
            else:
                items[tid].append(call)
        elif kind == "loop.begin":
            open_loops[tid] = Loop(Counter(), line=number)
            items[tid].append(open_loops[tid])
        elif kind == "loop.done":
            loop = open_loops.pop(tid)
            for name, count in line["counts"].items():
                request = re.match(r"ptrace\((\w+)", name)
                loop.counts[f"ptrace({request[1]})" if request else re.split(r"\W", name)[0]] += count
    return dict(items)


def _differs(seen: Call, ours: Call) -> bool:
    if seen.name != ours.name:
        return True
    # None on our side: the log does not say; that is allowed for arguments, never for the request, the pid or the result.
    pairs = zip(seen.what, ours.what, strict=True)
    if any(theirs != mine and not (mine is None and place > 0) for place, (theirs, mine) in enumerate(pairs)):
        return True
    peek = str(seen.what[0]).startswith("PTRACE_PEEK") and isinstance(seen.ret, int) and isinstance(ours.ret, int)
    if seen.ret != ours.ret and not peek:  # the raw call answers 0, libc's wrapper answers with the word
        return True
    return bool(seen.extra) and seen.extra != ours.extra


def _compare_thread(tid: int, seen: list[Call], ours: list[Call | Loop]) -> list[str]:
    at = 0
    for item in ours:
        if isinstance(item, Loop):
            size = item.counts.total() + len(item.inside)
            window = Counter(call.key for call in seen[at : at + size])
            window.subtract(call.key for call in item.inside)
            wrong = {key: (window[key], item.counts[key]) for key in {*window, *item.counts} if window[key] != item.counts[key]}
            if wrong:
                return [f"tid {tid}: counted loop at line {item.line} of the log: witnessed and counted differ: {wrong}"]
            at += size
        elif at >= len(seen):
            return [f"tid {tid}: the log has, at line {item.line}, {item}; the witness saw no further call of this thread"]
        elif _differs(seen[at], item):
            return [f"tid {tid}: witnessed (line {seen[at].line}) {seen[at]}, but the log has (line {item.line}) {item}"]
        else:
            at += 1
    if at < len(seen):
        rest = f" and {len(seen) - at - 1} more" if len(seen) - at > 1 else ""
        return [f"tid {tid}: witnessed (line {seen[at].line}) {seen[at]}{rest}, not in the log"]
    return []


def differences(witnessed: Witnessed, logged: dict[int, list[Call | Loop]]) -> list[str]:
    """One line for each thread whose calls differ, at its first difference; none when the log tells the truth."""
    found = []
    for tid in sorted({*witnessed.calls, *logged}):
        if tid not in witnessed.tids:
            found.append(f"tid {tid}: in the log, but no thread that the witness knows")
            continue
        found.extend(_compare_thread(tid, witnessed.calls.get(tid, []), logged.get(tid, [])))
    return found
