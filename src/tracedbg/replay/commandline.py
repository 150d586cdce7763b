"""`tracedbg replay`: its options, and a replay that nobody steers: a script, a pipe, everything at once.

Main thread of a process that traces nothing; needs no ptrace, no debug information and no program.  Must not know the prompt: whoever
has one gets a host.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TextIO

import msgspec

from tracedbg.eventlog.recordings import load
from tracedbg.model.errors import TracedbgError
from tracedbg.model.events import Detail
from tracedbg.render.progress import Progress
from tracedbg.render.styles import StyledLine, paint

from .commands import factor_of
from .deck import IDLE_S, Deck, Put
from .drawing import Drawing
from .host import PROMPT, Console, ReplayHost
from .looking import LEVELS
from .state import States
from .tape import Tape, seconds

_EPILOG = """\
At a terminal the recording is played at a prompt like the live one: Space or Ctrl-C pauses, help lists the commands, F2 shows the
source beside the log. Otherwise all of it is printed at once, or, where commands come on standard input, what they ask for: one
command a line, the first that fails ends it with status 1."""


class Asked(msgspec.Struct, frozen=True):
    """What was asked for.

    Args:
        path: of the recording.
        speed: None where it was not said.
        idle: longest pause, seconds.
        start: a place, empty for the beginning.
        paused: wait for a command first.
        questions: ask predictions again.
        detail: of the log.
        verify: do not play it, run its lines and compare: whoever asked does that, no replay runs anything.
    """

    path: str
    speed: float | None
    idle: float
    start: str
    paused: bool
    questions: bool
    detail: Detail
    verify: bool = False


def asked(words: Sequence[str], found: Callable[[str], str] = str) -> Asked:
    """Read the words behind ``replay``.

    Args:
        words: as they were typed.
        found: the path of the recording that a name means.

    Raises:
        UserError: a number is none.
        SystemExit: argparse's, for wrong usage and ``--help``.
    """
    parser = argparse.ArgumentParser(
        prog="tracedbg replay",
        description="Play a recording: nothing in it is run, and no program is needed (but with --verify).",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="a recording: what --record and tracedbg record write; or the name of a lesson")
    parser.add_argument("--speed", metavar="X", help="how many times as fast as it was (1 at a terminal); 0 prints all at once")
    parser.add_argument("--idle", metavar="SECONDS", default=str(IDLE_S), help="the longest pause that is played, 2 unless told")
    parser.add_argument("--from", dest="start", metavar="PLACE", default="", help="begin at a record, a time (1.5s) or a section")
    parser.add_argument("--paused", action="store_true", help="do not play by itself, wait for a command")
    parser.add_argument("--no-questions", action="store_true", help="do not ask the predictions again")
    parser.add_argument("--log", choices=LEVELS, default="calls", help="how much of the log is shown")
    parser.add_argument(
        "--verify", action="store_true", help="instead, run its lines here with your rights and show what differs; status 1"
    )
    given = parser.parse_args(words)
    return Asked(
        found(given.file),
        None if given.speed is None else factor_of(given.speed, "speed"),
        factor_of(given.idle, "pause"),
        given.start,
        given.paused,
        not given.no_questions,
        LEVELS[given.log],
        given.verify,
    )


def _deck(asked: Asked, put: Put, columns: Callable[[], int], *, colour: bool, times: bool, speed: float, questions: bool) -> Deck:
    """Load a recording and stand where it begins.

    Raises:
        UserError: it cannot be read, or has no such place.
    """
    with Progress(sys.stderr, f"reading {os.path.basename(asked.path)}") as progress:
        tape = Tape(load(asked.path, progress))
    drawing = Drawing(tape, columns, colour=colour, times=times and not tape.sections)
    drawing.view.detail = asked.detail
    deck = Deck(tape, States(tape), drawing, put, speed=speed, idle=asked.idle, questions=questions, columns=columns)
    if asked.start:
        deck.position = tape.place(asked.start.split(), 0)
    return deck


def host(asked: Asked, put: Put, columns: Callable[[], int], *, colour: bool) -> ReplayHost:
    """For a prompt: loaded, and ready to be started.

    Args:
        asked: for what.
        put: shows a line.
        columns: of the screen now.
        colour: styles can be seen.

    Raises:
        UserError: the recording cannot be read, or has no such place.
    """
    speed = 1.0 if asked.speed is None else asked.speed
    deck = _deck(asked, put, columns, colour=colour, times=True, speed=speed, questions=asked.questions)
    tape = deck.tape
    length = seconds(tape.time(len(tape)) - tape.time(0))
    deck.say("note", f"{tape.recording.title}: a recording, {len(tape):,} events in {length}; Space pauses, help explains")
    if tape.recording.note:
        deck.say("warn", tape.recording.note)
    if deck.position:
        deck.go(deck.position)
    if not asked.paused and deck.position < len(tape) and deck.question is None:
        deck.play()
    return ReplayHost(Console(deck))


def play_plain(asked: Asked, script: Iterable[str], out: TextIO, columns: int, *, colour: bool, keep_going: bool) -> int:
    """Print a recording, or what a script asks of it; the exit status.

    Args:
        asked: for what.
        script: commands; without any, all of it is played.
        out: where to.
        columns: to draw for.
        colour: with escape sequences for colours.
        keep_going: go on after a failed command.

    Raises:
        UserError: the recording cannot be read, or has no such place.
        BrokenPipeError: the reader has gone.
    """
    encoding = out.encoding or "ascii"

    def put(line: StyledLine, keep: bool) -> None:
        text = paint(line, colour=colour, columns=columns) + "\n"
        out.write(text.encode(encoding, "backslashreplace").decode(encoding))

    deck = _deck(asked, put, lambda: columns, colour=colour, times=False, speed=asked.speed or 0.0, questions=False)
    lines = [line for line in script if line.strip()]
    if not lines:
        _play(deck, out)
        return 0
    console, status = Console(deck), 0
    for line in lines:
        deck.say("input", PROMPT + line)
        well = console.run(line)
        if deck.playing:
            _run_out(deck, out)
        if not well:
            status = 1
            if not keep_going:
                break
        if deck.quitting:
            break
    return status


def _play(deck: Deck, out: TextIO) -> None:
    try:
        deck.play()
    except TracedbgError as error:  # an empty recording, or --from end
        deck.say("note", str(error))
    _run_out(deck, out)


def _run_out(deck: Deck, out: TextIO) -> None:
    """Let time run until it stands still; Ctrl-C ends it as any other program."""
    never = threading.Event()
    while (due := deck.advance(time.monotonic())) is not None:
        left = due - time.monotonic()
        if left > 0:
            out.flush()
            never.wait(left)
