"""Stacks of stopped processes: against a shadow stack at every instruction, and against gdb."""

from __future__ import annotations

import itertools
import re
import signal

import pytest

from tests.programs import build, line_of
from tests.symbols.gdb import ask
from tests.symbols.tracee import Tracee
from tracedbg.symbols.disassembly import call_length
from tracedbg.symbols.engine import LiveSymbols
from tracedbg.symbols.values import RIP, RSP


def shadow_run(tracee: Tracee, symbols: LiveSymbols, start: int, stops: int) -> tuple[int, list[str]]:
    """Single-step from `start` and compare return address and CFA with what calls and returns say.

    Returns the number of compared stops, and a description of each difference.
    """
    regs = tracee.run_to(start)
    symbols.sync()
    # (return address, CFA) of the active calls; the one that led to `start` is known from its first instruction.
    stack = [(int.from_bytes(tracee.read(regs[RSP], 8), "little"), regs[RSP] + 8)]
    compared, wrong = 0, []
    for _ in range(stops):
        pc = regs[RIP]
        if call_length(tracee.read(pc, 15)):
            tracee.step()
            regs = tracee.regs()
            stack.append((pc + call_length(tracee.read(pc, 15)), regs[RSP] + 8))
        else:
            if tracee.step() != signal.SIGTRAP:
                break
            regs = tracee.regs()
            if regs[RIP] == stack[-1][0] and regs[RSP] == stack[-1][1]:
                stack.pop()
                if not stack:
                    break
        compared += 1
        found = symbols.caller_pc(regs), symbols.cfa(regs)
        if found != stack[-1]:
            place = symbols.place(regs[RIP])
            wrong.append(f"{regs[RIP]:#x} {place.symbol}+{place.offset}: {found} instead of {stack[-1]}")
    return compared, wrong


@pytest.mark.slow
@pytest.mark.parametrize("stops", [100, pytest.param(1000, marks=pytest.mark.long)])
@pytest.mark.parametrize("flags", [("-g", "-O0"), ("-g", "-O2", "-static"), ("-O2", "-static-pie")], ids=" ".join)
@pytest.mark.parametrize("name", ["fact", "nocfi"])
def test_every_instruction_has_the_right_caller(name: str, flags: tuple[str, ...], stops: int) -> None:
    with Tracee(build(name, *flags)) as tracee:
        symbols = LiveSymbols(tracee.pid, tracee.read)
        start = symbols.address_of("main")
        compared, wrong = shadow_run(tracee, symbols, start, stops)
    assert compared > 40
    # Assembly without call frame information is a guess; it must be right while the stack is as its call left it.
    allowed = compared // 100 if name == "nocfi" else 0
    assert len(wrong) <= allowed, wrong[:10]


@pytest.mark.parametrize("flags", [("-g", "-O0"), ("-g", "-O2"), ("-g", "-static")], ids=" ".join)
def test_recursion_is_the_same_as_in_gdb(flags: tuple[str, ...]) -> None:
    program = build("fact", *flags)
    with Tracee(program, ["6"]) as tracee:
        symbols = LiveSymbols(tracee.pid, tracee.read)
        spot = min(each.address for each in symbols.locate("fact"))
        regs = tracee.run_to(spot)
        symbols.sync()
        regs = tracee.run_to(spot)
        bias = symbols.load_bias
        frames = symbols.backtrace(regs)
        answers = ask(program, ["set args 6", "starti", f"tbreak *{spot:#x}", "continue", f"tbreak *{spot:#x}", "continue", "bt"])
    assert frames[-1].function == "main"
    ours = [(f.function, f.line, "".join(f"{a.name}={a.text}" for a in f.args)) for f in frames]
    theirs = [(m[1], int(m[3]), m[2]) for m in re.finditer(r"^#\d+ .*?(\w+) \((.*?)\) at \S+?:(\d+)$", answers[-1], re.MULTILINE)]
    theirs = [(name, line, re.sub(r"argc=\d+, argv=0x", "argc, argv", args)) for name, line, args in theirs]
    assert [each[:2] for each in ours] == [each[:2] for each in theirs], (answers[-1], bias)
    shown = [each for each in theirs if each[0] == "fact" and "optimized" not in each[2] and "entry" not in each[2]]
    assert [each for each in ours if each[0] == "fact" and "optimized" not in each[2]] == shown


def test_frames_of_a_recursion() -> None:
    line = line_of("fact.c", "return product;")
    with Tracee(build("fact"), ["4"]) as tracee:
        symbols = LiveSymbols(tracee.pid, tracee.read)
        regs = tracee.run_to(symbols.locate(f"fact.c:{line}")[0].address)
        frames = symbols.backtrace(regs)
        assert [f.function for f in frames] == ["fact"] * 4 + ["main"]
        assert [f.level for f in frames] == [0, 1, 2, 3, 4]
        assert [f.args[0].text for f in frames[:4]] == ["1", "2", "3", "4"]
        assert frames[0].line == line
        assert all(f.line == line_of("fact.c", "below = fact(n - 1)") for f in frames[1:4])
        assert frames[0].interrupted
        assert not frames[1].interrupted
        assert symbols.top(regs) == frames[0]
        assert symbols.frame(regs, 2) == frames[2]
        assert symbols.backtrace(regs, 2) == frames[:2]
        assert symbols.caller_pc(regs) == frames[1].pc
        assert symbols.cfa(regs) == frames[0].cfa
        # The frame that called sees its own stack pointer just above the return address.
        assert symbols.frame_regs(regs, 1)["rsp"] == frames[0].cfa
        assert symbols.frame_regs(regs, 1)["rip"] == frames[1].pc
        assert "rax" not in symbols.frame_regs(regs, 1)
        assert symbols.frame_regs(regs, 0)["rax"] == regs[10]


def test_signal_handler_on_its_own_stack() -> None:
    with Tracee(build("signals")) as tracee:
        symbols = LiveSymbols(tracee.pid, tracee.read)
        regs = tracee.run_to(symbols.locate("deep")[0].address)
        symbols.sync()
        frames = symbols.backtrace(regs)
    names = [f.function for f in frames]
    assert names[:3] == ["deep", "handler", "<signal handler called>"]
    assert names[-1] == "main"
    assert frames[2].kind == "signal"
    assert frames[3].interrupted  # it was interrupted, and did not call
    assert frames[0].args[0].text == str(int(signal.SIGUSR1))


def test_assembly_without_cfi_keeps_its_caller() -> None:
    with Tracee(build("nocfi")) as tracee:
        symbols = LiveSymbols(tracee.pid, tracee.read)
        regs = tracee.run_to(symbols.address_of("bare_leaf"))
        symbols.sync()
        frames = symbols.backtrace(regs)
        assert [f.function for f in frames] == ["bare_leaf", "use", "main"]
        assert frames[1].kind == "guessed"
        assert frames[1].line == line_of("nocfi.c", "long y = bare_leaf(x);")
        regs = tracee.run_to(symbols.locate("from_assembly")[0].address)
        assert [f.function for f in symbols.backtrace(regs)] == ["from_assembly", "bare_caller", "use", "main"]


def test_deep_recursion_goes_past_one_trace() -> None:
    with Tracee(build("fact"), ["3000"]) as tracee:
        symbols = LiveSymbols(tracee.pid, tracee.read)
        line = line_of("fact.c", "return product;")
        regs = tracee.run_to(symbols.locate(f"fact.c:{line}")[0].address)
        frames = symbols.backtrace(regs)
        assert [f.function for f in frames] == ["fact"] * 3000 + ["main"]
        assert [f.args[0].text for f in frames[1020:1030]] == [str(n) for n in range(1021, 1031)]
        cfas = [frame.cfa or 0 for frame in frames]
        assert all(low < high for low, high in itertools.pairwise(cfas))
        assert len(symbols.backtrace(regs, 5)) == 5


def test_inlined_frames() -> None:
    with Tracee(build("inline", "-g", "-O2")) as tracee:
        symbols = LiveSymbols(tracee.pid, tracee.read)
        regs = tracee.run_to(max(each.address for each in symbols.locate("square")))
        frames = symbols.backtrace(regs)
        assert [f.function for f in frames] == ["square", "both", "outer", "main"]
        assert [f.inlined for f in frames] == [True, True, False, False]
        assert len({f.cfa for f in frames[:3]}) == 1
        assert symbols.inline_chain(regs[RIP]) == ("outer", "both", "square")
        assert symbols.caller_pc(regs) == frames[3].pc
        assert symbols.frame_regs(regs, 1)["rsp"] == regs[RSP]


def test_stripped_program_and_jump_into_nowhere() -> None:
    with Tracee(build("fact", "-s", "-no-pie")) as tracee:
        symbols = LiveSymbols(tracee.pid, tracee.read)
        regs = tracee.run_to(symbols.entry_point())
        symbols.sync()
        frames = symbols.backtrace(regs)
        assert frames[0].function == ""
        assert frames[0].pc == symbols.entry_point()
        assert symbols.variables(regs, 0, arguments=False) == []
        lost = list(regs)
        lost[RIP] = 0
        assert symbols.backtrace(lost)[0].pc == 0
        assert symbols.top(lost).function == ""
        lost[RSP] = 8
        assert symbols.cfa(lost) is None
        assert symbols.caller_pc(lost) is None
        assert symbols.place(0).symbol == ""
        assert symbols.place((1 << 64) - 1).module == ""
