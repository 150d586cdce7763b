"""Live processes: load bias, the first instruction, libraries that come and go, processes that are gone, missing libraries."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.programs import build, line_of
from tests.symbols.tracee import Tracee
from tracedbg.model.errors import TracedbgError, TraceeGone
from tracedbg.symbols.engine import LiveSymbols, StaticSymbols, try_live
from tracedbg.symbols.values import RIP


@pytest.mark.parametrize(
    "flags", [("-g", "-pie"), ("-g", "-no-pie"), ("-g", "-static"), ("-g", "-static-pie"), ("-s", "-pie")], ids=" ".join
)
def test_load_bias_joins_file_and_process(flags: tuple[str, ...]) -> None:
    program = build("fact", *flags)
    static = StaticSymbols(str(program))
    with Tracee(program) as tracee:
        symbols = LiveSymbols(tracee.pid, tracee.read)
        assert symbols.entry_point() == static.entry_point() + symbols.load_bias
        assert (symbols.load_bias == 0) == ("pie" not in "".join(flags) or "-no-pie" in flags)
        if tracee.regs()[RIP] != symbols.entry_point():  # a static program stands there already
            tracee.run_to(symbols.entry_point())
        if "-s" not in flags:
            for name in ("main", "fact", "_start"):
                assert symbols.address_of(name) == static.address_of(name) + symbols.load_bias
            ours, theirs = symbols.locate("fact"), static.locate("fact")
            assert [each.address for each in ours] == [each.address + symbols.load_bias for each in theirs]
            assert [each.line for each in ours] == [each.line for each in theirs]
            row, same = symbols.row(ours[0].address), static.row(theirs[0].address)
            assert row is not None
            assert same is not None
            assert (row.low, row.high, row.line) == (same.low + symbols.load_bias, same.high + symbols.load_bias, same.line)
            rows = symbols.statement_addresses(ours[0].address)
            low, high = symbols.function_range(ours[0].address) or (0, 0)
            assert len(rows) > 4
            assert all(low <= each.low < each.high <= high for each in rows)
            assert symbols.default_list_place() == static.default_list_place()


def test_library_functions_appear_when_the_library_is_loaded() -> None:
    with Tracee(build("hello")) as tracee:
        symbols = LiveSymbols(tracee.pid, tracee.read)
        # Before ld.so has run there is only the stub.
        assert [each.function for each in symbols.locate("printf")] == ["printf@plt"]
        assert symbols.place(tracee.regs()[RIP]).module.rpartition("/")[2].startswith("ld-linux")
        regs = tracee.run_to(symbols.locate("main")[0].address)
        assert symbols.sync()
        assert not symbols.sync()
        (place,) = symbols.locate("printf")
        assert "libc" in symbols.place(place.address).module
        regs = tracee.run_to(place.address)
        frames = symbols.backtrace(regs)
        assert frames[-1].function == "main"
        assert frames[0].file == ""


def test_own_library_is_loaded_unloaded_and_loaded_again() -> None:
    library = build("answer", "-g", "-shared", "-fPIC")
    with Tracee(build("loader", "-g"), [str(library)]) as tracee:
        symbols = LiveSymbols(tracee.pid, tracee.read)
        for number in ("1", "2"):
            tracee.run_to(symbols.locate("loaded")[0].address)
            assert symbols.sync()
            # It carries its own debug information, so it is the user's, and has lines and variables.
            line = line_of("answer.c", "inside the library")
            (place,) = symbols.locate(f"answer.c:{line}")
            regs = tracee.run_to(place.address)
            frames = symbols.backtrace(regs)
            assert (frames[0].function, frames[0].line) == ("answer", line)
            assert frames[0].args[0].text == number
            assert frames[1].function == "main"
            assert symbols.print_name(regs, 0, "result").text == f"4{number}"
            tracee.run_to(symbols.locate("unloaded")[0].address)
            assert symbols.sync()
            assert symbols.place(place.address).symbol == ""
            with pytest.raises(TracedbgError):
                symbols.locate("answer")


def test_breakpoint_bytes_are_the_readers_business() -> None:
    with Tracee(build("fact")) as tracee:
        symbols = LiveSymbols(tracee.pid, tracee.read)
        entry = symbols.address_of("fact")
        wanted = symbols.after_prologue(entry)
        tracee.hidden[entry] = tracee.read(entry, 1)
        tracee.write(entry, b"\xcc")
        assert symbols.after_prologue(entry) == wanted


def test_close_closes_all_files() -> None:
    before = set(os.listdir("/proc/self/fd"))
    with Tracee(build("structs")) as tracee:
        symbols = LiveSymbols(tracee.pid, tracee.read)
        regs = tracee.run_to(symbols.locate("look")[0].address)
        symbols.sync()
        assert symbols.print_name(regs, 0, "*node").text
        assert symbols.variables(regs, 0, arguments=True)
        assert len(os.listdir("/proc/self/fd")) > len(before) + 2
        symbols.close()
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_process_that_is_gone() -> None:
    with Tracee(build("fact")) as tracee:
        symbols = LiveSymbols(tracee.pid, tracee.read)
        regs = tracee.run_to(symbols.locate("fact")[0].address)
        while tracee.alive:
            tracee.cont()
        with pytest.raises(TraceeGone):
            symbols.sync()
        with pytest.raises(TraceeGone):
            LiveSymbols(tracee.pid, tracee.read)
        assert try_live(tracee.pid, tracee.read)[0] is None
        # What is known already may still be asked; it does not raise anything strange.
        assert symbols.top(regs).function == "fact"
        assert symbols.address_of("main")


def test_importing_is_cheap_and_works_without_the_libraries() -> None:
    code = """
import sys
for name in ("drgn", "capstone", "elftools"):
    sys.modules[name] = None
from tracedbg.model.errors import NotHere
from tracedbg.symbols.engine import StaticSymbols
from tracedbg.symbols import disassembly, elf, source, values
for attempt in (lambda: StaticSymbols(sys.executable), lambda: disassembly.disassemble(b"\\x90", 0)):
    try:
        attempt()
    except NotHere as error:
        assert "pip install" in error.todo, error
    else:
        raise AssertionError("no error")
assert disassembly.call_length(bytes.fromhex("e800000000")) == 5
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    code = "import sys; import tracedbg.symbols.engine; print([n for n in ('drgn', 'capstone', 'elftools') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False)
    assert done.stdout == "[]\n", done.stderr
