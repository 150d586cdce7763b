"""`tracedbg present` and `tracedbg follow`: which lesson, live or recorded, and who may look on.

Main thread.  As for `learn`, compilers and probes run before any session is made.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Sequence

import msgspec

from tracedbg.model.errors import NotFound, NotHere
from tracedbg.model.text import visible
from tracedbg.session.show import Show

from . import learning_start, lectern, live_play
from .following import Follower
from .live_play import LivePlay
from .moments import Lack
from .presenting import KEYS, Presentation
from .reading import read
from .recorded import bundled, read_page
from .shipped import find, is_shipped
from .testing import PASSED

_KEYS_TEXT = "keys:\n" + "\n".join(f"  {keys:<28}{what}" for keys, what in KEYS)


class Front(msgspec.Struct, frozen=True):
    """What a command line offers.

    Args:
        interactive: somebody sits at a terminal.
        screen: shows something full-screen until it is left: what, dark on light, seconds between redraws for a clock (0 for none).
    """

    interactive: bool
    screen: Callable[[Show, bool, float], None]


def _present_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tracedbg present",
        description="Show a lesson to a class, one thing at a time, in large letters if the terminal's are; it is played live.",
        epilog=f"{_KEYS_TEXT}\nIn a second terminal, tracedbg follow shows notes, times, votes and answers.\n"
        "If the live play fails or this machine refuses it, the lesson's recording goes on, labelled as one.\n"
        "exit status: 0 it was shown, 1 it could not be, 2 wrong usage",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("lesson", metavar="LESSON", help="the name of a lesson, or a walkthrough's path")
    theme = parser.add_mutually_exclusive_group()
    theme.add_argument("--light", action="store_true", help="dark letters on white")
    theme.add_argument("--dark", action="store_true", help="light letters on black (the default)")
    parser.add_argument("--step", default="", metavar="SLUG", help="begin with this step")
    parser.add_argument("--socket", default="", metavar="PATH", help="where follow connects; one of our own unless told")
    parser.add_argument("--recording", default="", metavar="FILE", help="goes on if the live play fails; the one that ships unless told")
    parser.add_argument("--recorded", action="store_true", help="show the recording from the beginning, run nothing")
    parser.add_argument("--limit", type=float, default=live_play.LIMIT_S, metavar="S", help="seconds that one block may take (default 25)")
    parser.add_argument("--trust", action="store_true", help="a walkthrough from elsewhere may run its programs")
    return parser


def present(argv: Sequence[str], front: Front) -> int:
    """Run `tracedbg present`; the exit status.

    Args:
        argv: what followed it.
        front: the screen.

    Raises:
        UserError: a lesson, step or recording that is not there.
        NotHere: no terminal, or neither live nor recorded is possible.
    """
    given = _present_parser().parse_args(argv)
    document = read(find(given.lesson))
    page = read_page(given.recording) if given.recording else bundled(document)
    if given.recorded and page is None:
        raise NotFound("there is no recording of this lesson", "name one with --recording; tracedbg record makes it")
    if given.step and document.step(given.step) is None:
        raise NotFound(f"there is no step '{given.step}'", f"steps are {', '.join(step.slug for step in document.steps)}")
    if not front.interactive:
        raise NotHere("presenting needs a terminal", "tracedbg learn plays a lesson without one")
    if not (is_shipped(document.path) or given.trust or given.recorded):
        raise NotHere(f"{visible(document.path)} does not come with tracedbg and runs programs with your rights", "--trust lets it")
    first = document.steps.index(step) + 1 if (step := document.step(given.step)) is not None else 0
    # The lesson's programs lie in a folder of their own, which becomes the working directory.
    socket = os.path.abspath(given.socket) if given.socket else ""
    with contextlib.ExitStack() as stack:
        refused = ""
        lacks: dict[str, Lack] = {}
        if given.recorded:
            refused = "Nothing is to be run: --recorded was given."
        else:
            try:
                lacks = stack.enter_context(learning_start.prepared(document))
            except NotHere as error:
                if page is None:
                    raise
                refused = str(error)
        desk = lectern.Lectern(socket, os.environ)
        stack.callback(desk.close)
        shown = page.document if page is not None and refused else document
        show = Presentation(shown, lacks, page, refused=refused, tell=desk.tell)
        if not refused:
            live = LivePlay(document, lacks, show.polls.leader, limit=given.limit)
            stack.callback(live.close)
            show.play(live)
        if first:
            show.go_to(min(first, len(shown.steps)))
        front.screen(show, given.light, 0.0)
    return PASSED


def follow(argv: Sequence[str], front: Front) -> int:
    """Run `tracedbg follow`; the exit status.

    Raises:
        NotFound: nobody presents.
        NotHere: no terminal.
    """
    parser = argparse.ArgumentParser(
        prog="tracedbg follow",
        description="Show notes, times, votes and answers of a presentation that runs in another terminal; it only looks on.",
        epilog="keys: space and PageDown, PageUp turn pages, t light or dark, q leaves",
    )
    parser.add_argument("socket", nargs="?", default="", metavar="SOCKET", help="of tracedbg present; the newest unless told")
    parser.add_argument("--light", action="store_true", help="dark letters on white")
    given = parser.parse_args(argv)
    path = given.socket or lectern.newest(os.environ)
    if not path:
        raise NotFound("nobody presents anything here", "tracedbg present LESSON, in another terminal, begins")
    if not front.interactive:
        raise NotHere("following needs a terminal", "run it in one")
    follower = Follower(path)
    follower.start()
    try:
        front.screen(follower, given.light, 1.0)
    finally:
        follower.close()
    if follower.ended:
        sys.stdout.write("The presentation is over.\n")
    return PASSED
