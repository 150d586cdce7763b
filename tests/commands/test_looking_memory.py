"""print, x, set, info registers, disassemble: the same words as gdb, and what they do to the program."""

from __future__ import annotations

import re

import pytest

from tests.commands.looking_tools import Looker, from_gdb, normal, stopped_at
from tests.programs import build, line_of
from tracedbg.model.errors import BadArgument, MemoryRefused, NotFound, NotNow, TracedbgError
from tracedbg.session.session import Session

pytestmark = pytest.mark.needs("ptrace", "cc", "x86-64", "drgn")

_EXAMINED = [
    "x/4xw $sp", "x/8xb $sp", "x/3dw $rbp-24", "x/3ug $sp+8", "x/2tb &calls", "x/4ob &calls", "x/2zh &calls", "x/3cb main",
    "x/2ag $rbp", "x/2fg $sp", "x/2xw &calls", "x/2xw main", "x/2xg main+4", "x", "x/s (char *)main + 100000000",
    "x/2dw &calls", "x/-2xw $sp+8",
]  # fmt: skip
_PRINTED = [
    "p n", "p/x n", "p/o n", "p/t n", "p/z n", "p/c 65", "p/d -1", "p/u -1", "p/x -1", "p $sp", "p $sp+8", "p $rip",
    "p $eflags", "p $eax", "p &calls", "p calls", "p n+1", "p n*3-1", "p 7/2", "p -7/2", "p n==5", "p n>5 || n==5",
    "p (char)65", "p *&n", "p (long)n << 40", "p !n", "p ~n", "p 'A'", "p calls = 7", "p calls", "p/x (short)-1",
]  # fmt: skip
_STRUCTS = [
    "p *node", "p/x *node", "p box", "p grid", "p/x grid", "p many", "p/d text", "p letter", "p/x letter", "p colour",
    "p/d colour", "p bits", "p word", "p real", "p ratio*2", "p/x real", "p/d ratio", "p/c ratio", "p/x precise", "p precise",
    "p/f count", "p/s text", "p node->name", "p *node->next", "p node->next->where.x", "p grid[1][2]", "p *grid@2",
    "p global_node.tag", "p &grid[1]", "p nowhere", "p null", "p function", "p blank", "p sizeof(int)", "whatis *node",
    "whatis grid", "whatis node->where", "ptype struct point", "ptype node->where", "ptype int", "ptype box_t", "whatis box",
    "x/s node->name", "x/2s greeting", "x/2dw grid", "x/3dw many", "x/2c text", "p table[1]+table[2]", "p table+1",
    "p *(table+1)", "p per_thread",
]  # fmt: skip
_NOT_YET = {"p *grid@2", "p sizeof(int)", "x/s (char *)main + 100000000"}
"""gdb can, we say what we cannot."""


@pytest.mark.needs("gdb")
@pytest.mark.parametrize(
    ("program", "place", "commands"), [("fact", "fact", _EXAMINED), ("fact", "fact", _PRINTED), ("structs", "", _STRUCTS)]
)
def test_values_and_memory_as_gdb_shows_them(program: str, place: str, commands: list[str]) -> None:
    binary = build(program)
    place = place or f"structs.c:{line_of('structs', 'stop here')}"
    theirs = from_gdb(binary, place, commands)
    different = []
    with stopped_at(binary, place) as at:
        for command, wanted in zip(commands, theirs, strict=True):
            if command in _NOT_YET:
                with pytest.raises(TracedbgError):
                    at.do(command)
                continue
            try:
                got = normal(at.say(command))
            except TracedbgError as error:
                got = [str(error)]
            if got != wanted:
                different.append((command, got, wanted))
    assert not different


def test_values_are_typed_and_numbered() -> None:
    with stopped_at(build("fact"), "fact") as at:
        first, second = at.do("print n"), at.do("print/x n + 1")
        assert (first.number, first.value, first.type_name, first.text) == (1, 5, "int", "5")
        assert (second.number, second.text) == (2, "0x6")
        assert at.do("print $1 * $2").value == 30
        assert at.do("print $2").text == "6"
        with pytest.raises(NotFound):
            at.do("print $99")


_SENSELESS = [
    "p nosuch", "p n +", "p (n", "p n n", "p 1/0", "p $nosuch", "p *n", "p n.x", "p", "p/4 n", "x/xw nosuch", "x/xw n.x",
    "x/0x $sp", "x/999999999x $sp", "x/-2s $sp", "set var n", "set var n = nosuch", "set var 5 = 5", "set $nosuch = 1",
    "set {int} $sp = 99999999999", "info registers nosuch", "disassemble 0", "disassemble main,+0",
    "disassemble main,main", "whatis struct nosuch", "ptype nosuch", "info symbol 0", "info line nosuch.c:1",
    "list nosuch", "list 900", "list 5,2", "info address nosuch", "info functions (",
]  # fmt: skip


def test_what_makes_no_sense_is_one_clear_line() -> None:
    with stopped_at(build("fact"), "fact") as at:
        for line in _SENSELESS:
            with pytest.raises(TracedbgError) as caught:
                at.do(line)
            assert str(caught.value).isprintable(), line
            assert at.do("p n").value == 5, f"the session goes on after {line}"


def test_reading_where_nothing_is_mapped() -> None:
    with stopped_at(build("fact"), "fact") as at:
        with pytest.raises(MemoryRefused, match="Cannot access memory at address 0x0"):
            at.do("x/4xw 0")
        end = next(each.end for each in at.do("info proc mappings").mappings if each.path == "[stack]")
        seen = at.do(f"x/8xg {end - 16}")
        assert len(seen.cells) == 2
        assert seen.note == f"Cannot access memory at address {end:#x}"


def test_breakpoints_never_show_in_memory_or_code() -> None:
    with stopped_at(build("fact"), "fact") as at:
        pc = at.session.program.registers().pc
        assert at.session.program.memory().read_raw(pc, 1) == b"\xcc"
        assert at.do("x/1xb $pc").cells[0].data != b"\xcc"
        assert "int3" not in "\n".join(at.say("disassemble"))
        assert [line for line in at.say("disassemble") if line.startswith("=>")] == [
            line for line in at.say("disassemble") if f"{pc:#018x}" in line
        ]


def test_changing_variables_changes_what_the_program_does() -> None:
    with stopped_at(build("fact"), "fact") as at:
        at.do("set var n = 1")
        assert at.do("info args").variables[0].text == "1"
        changed = at.do("set {int} &calls = 40")
        assert changed.after == (40).to_bytes(4, "little")
        at.do("set {byte} &calls = -1")
        assert at.do("p calls").value == 255
        at.go_on()
        assert at.session.program.last is not None
        assert at.session.program.last.ended is not None, "with n = 1 there is no second call"


def test_a_variable_of_a_caller_is_changed_there() -> None:
    with stopped_at(build("fact"), "fact", times=2) as at:
        at.do("up")
        at.do("set var below = 1234")
        assert at.do("p below").value == 1234
        at.do("down")
        assert at.do("p below").value != 1234
        at.do("up")
        with pytest.raises(NotNow, match="innermost"):
            at.do("set $rax = 1")


def test_registers_are_read_and_written() -> None:
    with stopped_at(build("fact"), "fact") as at:
        at.do("set $rbx = 0x1122334455667788")
        assert [row.value for row in at.do("info registers rbx ebx bx bl").rows] == [
            0x1122334455667788,
            0x55667788,
            0x7788,
            0x88,
        ]
        at.do("set $ebx = 1")
        assert at.do("info registers rbx").rows[0].value == 1
        at.do("set $rip = main")
        assert re.search(r"<main>$", at.say("info registers rip")[0])
        at.do("set var $rcx = -1")
        assert at.do("p $rcx").text == "-1"


@pytest.mark.needs("gdb")
def test_registers_as_gdb_shows_them() -> None:
    binary = build("fact")
    names = "rax rdi rsi rip eflags cs ss ds es fs gs"
    theirs = from_gdb(binary, "fact", [f"info registers {names}", "info registers rsp"])
    with stopped_at(binary, "fact") as at:
        assert normal(at.say(f"info registers {names}"))[0] == theirs[0][0]
        shown = {line.split()[0]: line.split() for line in normal(at.say(f"info registers {names}"))}
        wanted = {line.split()[0]: line.split() for line in theirs[0]}
        for name in ("rax", "rdi", "rip", "cs", "ss"):
            assert shown[name] == wanted[name]
        assert normal(at.say("info registers rsp")) == theirs[1]
        at.do("bt")
        at.do("frame 1")
        rows = {row.name: row.value for row in at.do("info registers").rows}
        assert rows["rax"] is None, "the caller's rax is not saved by anyone"
        assert rows["rip"] == at.do("bt").frames[1].pc


@pytest.mark.needs("gdb")
def test_machine_code_as_gdb_shows_it() -> None:
    binary = build("fact")
    commands = ["disassemble", "disassemble /r", "disassemble /s main", "disassemble fact,+20", "x/6i $pc", "x/3i main"]
    theirs = from_gdb(binary, "fact", commands)
    with stopped_at(binary, "fact") as at:
        for command, wanted in zip(commands, theirs, strict=True):
            assert normal(at.say(command)) == wanted, command


def test_without_debug_information_symbols_and_casts_remain() -> None:
    with stopped_at(build("structs", "-O0"), "look") as at:
        with pytest.raises(NotFound, match="unknown type"):
            at.do("p global_int")
        assert at.do("p (int)global_int").value == 42
        assert at.do("p *(int *)&global_int").value == 42
        assert at.do("x/dw &global_int").cells[0].text == "42"
        assert at.do("x/i look").cells[0].label == "look"
    with stopped_at(build("fact", "-O0", "-s"), "printf@plt") as at:
        assert at.do("p $sp + 8").value == at.session.program.registers().sp + 8
        assert at.do("x/2xg $sp").cells[0].address == at.session.program.registers().sp
        with pytest.raises(NotFound):
            at.do("disassemble 1")


def test_before_the_program_runs() -> None:
    with Session() as session:
        session.program.file(str(build("fact")))
        at = Looker(session)
        assert at.do("p 6 + 7").value == 13
        for line in ("p n", "p $rip", "x/xw $sp", "info registers", "set var n = 1", "info threads", "info proc", "bt", "info locals"):
            with pytest.raises(NotNow):
                at.do(line)
        code = at.do("disassemble main").code
        assert code[0].instruction.text.startswith(("push", "endbr64"))
        assert at.do("x/2i main").cells[0].label == "main"
        assert at.do("list fact").text
        assert at.do("info functions ^fact$").places[0][0] == "fact"


def test_strings_of_the_program_are_shown_visibly() -> None:
    with stopped_at(build("structs"), f"structs.c:{line_of('structs', 'stop here')}") as at:
        at.do("set {byte} node->tag = 27")
        assert at.do("p node->tag").text.startswith('"\\033')
        assert at.do("x/s node->tag").cells[0].text.startswith('"\\033')
        with pytest.raises(BadArgument):
            at.do("p/4x node")
