"""Pages for tests: written to a file, played, and what came of it."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

from tracedbg.commands.runner import Runner
from tracedbg.commands.table import all_commands
from tracedbg.kernel import procfs
from tracedbg.session.session import Session
from tracedbg.walk.commandline import main
from tracedbg.walk.keeper import Keeper, Played
from tracedbg.walk.moments import Failure, Lack
from tracedbg.walk.player import Player
from tracedbg.walk.reading import parse

HERE = Path(__file__).parent
EXAMPLES = [HERE / "10-whose-tracee.md", HERE / "11-one-stop.md"]

C = "```c tracee={name}{flags}\n{code}\n```\n\n"
SLEEPER = C.format(
    name="sleeper",
    flags="",
    code="#include <signal.h>\n#include <unistd.h>\nint main(void) { signal(SIGHUP, SIG_IGN); fork(); for (;;) pause(); }",
)
"""A program that its terminal's end does not end, with a child that nobody traces."""


def step(*lines: str, name: str = "Step", info: str = "", above: str = "") -> str:
    """A step with one block."""
    return f"## {name}\n\n{above}```tracedbg{info}\n" + "\n".join(lines) + "\n```\n\n"


def page(*steps: str, front: str = "", intro: str = "") -> str:
    """A page; with no front matter and no intro its first step begins on line 3, and that step's first line of a block on line 6."""
    return (f"---\n{front}\n---\n" if front else "") + "# Title\n\n" + intro + "".join(steps)


def kept(keeper: Keeper, text: str) -> Played:
    """Play a page as front ends do: compiled, in a process of its own."""
    return keeper.play(parse(text, "x.md"))


def play(text: str, *, go_on: bool = False, until: str = "", lacks: tuple[str, ...] = ()) -> Player:
    """Play a page in this process, which is quicker: its results."""
    missing = {name: Lack(name, "it is missing", "get it") for name in lacks}
    with Session() as session:
        session.view.on = False
        player = Player(parse(text, "x.md"), session, Runner(session, all_commands()), missing, go_on=go_on, until=until)
        for _moment in player.play():
            pass
    return player


def failures(player: Player) -> list[Failure]:
    """All of them, in order."""
    return [failure for result in player.results for failure in result.failures]


def command(name: str, *args: str | Path) -> tuple[int, list[str]]:
    """Run a sub-command in this process: its status and its lines."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = main(name, [str(arg) for arg in args])
    return status, out.getvalue().splitlines()


def marked(token: str) -> Iterator[int]:
    """The living processes that have `token` in their environment."""
    for name in os.listdir("/proc"):
        if name.isdecimal() and token.encode() in (procfs.read_file(f"/proc/{name}/environ") or b""):
            yield int(name)
