"""backtrace, frame, up, down, info locals, info args, info frame: the same words as gdb, and typed values."""

from __future__ import annotations

import pytest

from tests.commands.looking_tools import Looker, from_gdb, normal, stopped_at
from tests.programs import build, line_of
from tracedbg.model.errors import BadArgument, NotFound, NotNow
from tracedbg.session.session import Session

pytestmark = pytest.mark.needs("ptrace", "cc", "x86-64", "drgn")


def test_backtrace_gives_typed_frames() -> None:
    with stopped_at(build("fact"), "fact", times=3) as at:
        stack = at.do("backtrace")
        assert [(each.level, each.function, each.line) for each in stack.frames] == [
            (0, "fact", line_of("fact", "long below = 1")),
            (1, "fact", line_of("fact", "below = fact")),
            (2, "fact", line_of("fact", "below = fact")),
            (3, "main", line_of("fact", "result = fact")),
        ]
        assert [each.args[0].text for each in stack.frames[:3]] == ["3", "4", "5"]
        assert stack.addresses == (False, True, True, True)
        assert not stack.more
        assert [each.level for each in at.do("bt 2").frames] == [0, 1]
        assert at.do("bt 2").more
        assert not at.do("bt 4").more
        assert [each.level for each in at.do("bt -1").frames] == [3]
        assert at.do("bt -9").frames == stack.frames
        assert at.do("bt full 1").locals[0][0].name == "below"
        assert at.do("bt 0").frames == ()
        with pytest.raises(BadArgument):
            at.do("bt 1 2")


@pytest.mark.needs("gdb")
@pytest.mark.parametrize(
    ("program", "flags", "place", "times"),
    [
        ("fact", (), "fact", 3),
        ("fact", ("-g", "-O0", "-static"), "fact", 2),
        ("fact", ("-g", "-O0", "-no-pie"), "fact", 2),
        ("structs", (), "structs.c:71", 1),
        ("structs", ("-O0",), "look", 1),
        ("inline", ("-g", "-O2"), "inline.c:9", 1),
        ("threads", (), "work", 1),
    ],
)
def test_the_stack_as_gdb_shows_it(program: str, flags: tuple[str, ...], place: str, times: int) -> None:
    binary = build(program, *flags)
    if place == "structs.c:71":
        place = f"structs.c:{line_of('structs', 'stop here')}"
    commands = ["bt", "info locals", "info args", "up", "info locals", "info args", "down"]
    theirs = from_gdb(binary, place, commands, times)
    with stopped_at(binary, place, times=times) as at:
        ours = [normal(at.say(command)) for command in commands]
    assert len(ours[0]) == len(theirs[0])
    if program == "structs" and not flags:
        # Of two variables with one name only that of the inner block is known to us; gdb shows both.
        assert theirs[1].count("outer = 1") == 1
        theirs[1].remove("outer = 1")
    if program == "threads":  # which thread comes first is not decided
        for answer in (*theirs, *ours):
            answer[:] = [line.replace("number=2", "number=1").replace("number=3", "number=1") for line in answer]
            answer[:] = [line.replace("argument=0x2", "argument=0x1").replace("argument=0x3", "argument=0x1") for line in answer]
            # gdb finds the C library's names in a debug file of its own; the frames are the same.
            answer[:] = [line for line in answer if not any(word in line for word in ("clone", "start_thread", "libc.so"))]
            answer[:] = [line.replace("number = 2", "number = 1").replace("number = 3", "number = 1") for line in answer]
            answer[:] = [line for line in answer if not line.startswith(("sum =", "argument ="))]
    assert list(zip(commands, ours, strict=True)) == list(zip(commands, theirs, strict=True))


def test_moving_between_frames() -> None:
    with stopped_at(build("fact"), "fact", times=3) as at:
        program = at.session.program
        with pytest.raises(NotFound, match="can't go down"):
            at.do("down")
        shown = at.do("up 2")
        assert (shown.frame.level, program.level) == (2, 2)
        assert shown.source == (line_of("fact", "below = fact"), "        below = fact(n - 1);")
        assert at.do("info args").variables[0].text == "5"
        assert at.do("down").frame.level == 1
        assert at.do("up 99").frame.function == "main"
        with pytest.raises(NotFound, match="can't go up"):
            at.do("up")
        assert at.do("frame").frame.level == 3
        with pytest.raises(NotFound, match="level 4"):
            at.do("frame 4")
        assert program.level == 3
        assert at.do("frame 0").frame.level == 0
        at.do("up")
        at.go_on()
        assert program.level == 0, "each stop begins at the innermost frame"


def test_info_frame_agrees_with_the_stack() -> None:
    with stopped_at(build("fact"), "fact", times=2) as at:
        stack = at.do("bt").frames
        at.do("up")
        info = at.do("info frame")
        assert (info.frame.cfa, info.callee.cfa, info.caller.cfa) == (stack[1].cfa, stack[0].cfa, stack[2].cfa)
        text = "\n".join(info.lines(80))
        assert f"Stack level 1, frame at {stack[1].cfa:#x}:" in text
        assert f"saved rip = {stack[2].pc:#x}" in text
        # The return address stands right below the canonical frame address.
        saved = at.session.program.memory().read(stack[1].cfa - 8, 8)
        assert int.from_bytes(saved, "little") == stack[2].pc


def test_no_process_and_no_debug_information_are_said() -> None:
    with Session() as session:
        session.program.file(str(build("fact")))
        with pytest.raises(NotNow):
            Looker(session).do("bt")
    with stopped_at(build("structs", "-O0", "-s"), "printf@plt") as at:
        assert at.say("info locals") == ["No symbol table info available."]
        assert all(line.startswith("#") for line in at.say("bt"))
