"""The sub-commands of the command line that play walkthroughs: their options, and what they call.

Main thread of a process that holds no tracer.  Each front end is imported only when it is chosen.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

NAMES = ("test", "lint")
"""The sub-commands."""


def main(name: str, argv: Sequence[str]) -> int:
    """Run one sub-command; the exit status.

    Args:
        name: one of `NAMES`.
        argv: what followed it.

    Raises:
        UserError: something that was named is not there.
    """
    return _MAINS[name](argv)


def _parser(name: str, about: str, epilog: str = "") -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=f"tracedbg {name}", description=about, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )


_STATUS = "exit status: 0 all passed or skipped, 1 something failed, 2 a file is no walkthrough (said with line and column)"


def _test(argv: Sequence[str]) -> int:
    from . import testing

    parser = _parser("test", "Play walkthroughs as tests: no questions, no pauses.", _STATUS)
    parser.add_argument("files", nargs="+", metavar="FILE", help="a walkthrough")
    parser.add_argument("--without", action="append", default=[], metavar="NEED", help="pretend that a capability is missing")
    parser.add_argument("--strict", action="store_true", help="a skip is a failure")
    parser.add_argument("-k", "--step", default="", metavar="SLUG", help="play up to this step and report it alone")
    parser.add_argument("--go-on", action="store_true", help="play on after a failure")
    given = parser.parse_args(argv)
    return testing.run_tests(given.files, sys.stdout, without=given.without, strict=given.strict, step=given.step, go_on=given.go_on)


def _lint(argv: Sequence[str]) -> int:
    from . import testing

    parser = _parser("lint", "Read walkthroughs and say what is wrong with them; nothing is run.", _STATUS)
    parser.add_argument("files", nargs="+", metavar="FILE", help="a walkthrough")
    return testing.lint(parser.parse_args(argv).files, sys.stdout)


_MAINS: dict[str, Callable[[Sequence[str]], int]] = {"test": _test, "lint": _lint}
