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
    "x/4xw $sp", "x/8xb $sp", "x/3dw $rbp-24", "x/3ug $sp+8", "x/2tb &calls", "x/4ob &calls", "x/2zh &calls", "x/3cb main", "x/2ag $rbp",
    "x/2fg $sp", "x/2xw &calls", "x/2xw main", "x/2xg main+4", "x", "x/s (char *)main + 100000000", "x/2dw &calls", "x/-2xw $sp+8",
]  # fmt: skip
_PRINTED = [
    "p n", "p/x n", "p/o n", "p/t n", "p/z n", "p/c 65", "p/d -1", "p/u -1", "p/x -1", "p $sp", "p $sp+8", "p $rip", "p $eflags", "p $eax",
    "p &calls", "p calls", "p n+1", "p n*3-1", "p 7/2", "p -7/2", "p n==5", "p n>5 || n==5", "p (char)65", "p *&n", "p (long)n << 40", "p !n",
    "p ~n", "p 'A'", "p calls = 7", "p calls", "p/x (short)-1",
]  # fmt: skip
_STRUCTS = [
    "p *node", "p/x *node", "p box", "p grid", "p/x grid", "p many", "p/d text", "p letter", "p/x letter", "p colour", "p/d colour", "p bits",
    "p word", "p real", "p ratio*2", "p node->name", "p *node->next", "p node->next->where.x", "p grid[1][2]", "p *grid@2", "p global_node.tag",
    "p &grid[1]", "p nowhere", "p null", "p function", "p blank", "p sizeof(int)", "whatis *node", "whatis grid", "whatis node->where",
    "ptype struct point", "ptype node->where", "ptype int", "ptype box_t", "whatis box", "x/s node->name", "x/2s greeting", "x/2dw grid",
    "x/3dw many", "x/2c text", "p table[1]+table[2]", "p table+1", "p *(table+1)", "p per_thread",
]  # fmt: skip
_NOT_YET = {"p *grid@2", "p sizeof(int)", "x/s (char *)main + 100000000"}
"""gdb can, we say what we cannot."""


@pytest.mark.needs("gdb")
@pytest.mark.parametrize(("program", "place", "commands"), [("fact", "fact", _EXAMINED), ("fact", "fact", _PRINTED), ("structs", "", _STRUCTS)])
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
