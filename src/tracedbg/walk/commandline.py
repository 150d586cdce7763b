"""The sub-commands of the command line that play walkthroughs: their options, and what they call.

Main thread of a process that holds no tracer.  Each front end is imported only when it is chosen.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

NAMES = ("test", "lint", "litmus", "check", "doctor")
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
    from .shipped import find

    parser = _parser("test", "Play walkthroughs as tests: no questions, no pauses.", _STATUS)
    parser.add_argument("files", nargs="+", metavar="FILE", help="a walkthrough, or the name of a lesson that ships")
    parser.add_argument("--without", action="append", default=[], metavar="NEED", help="pretend that a capability is missing")
    parser.add_argument("--strict", action="store_true", help="a skip is a failure")
    parser.add_argument("-k", "--step", default="", metavar="SLUG", help="play up to this step and report it alone")
    parser.add_argument("--go-on", action="store_true", help="play on after a failure")
    given = parser.parse_args(argv)
    files = [str(find(name)) for name in given.files]
    return testing.run_tests(files, sys.stdout, without=given.without, strict=given.strict, step=given.step, go_on=given.go_on)


def _lint(argv: Sequence[str]) -> int:
    from . import testing, timing
    from .reading import read
    from .shipped import find

    parser = _parser("lint", "Read walkthroughs and say what is wrong with them; nothing is run unless asked.", _STATUS)
    parser.add_argument("files", nargs="+", metavar="FILE", help="a walkthrough, or the name of a lesson that ships")
    parser.add_argument("--timing", action="store_true", help="how many minutes each step takes, read alone and before a class")
    parser.add_argument("--play", action="store_true", help="with --timing: play the page and add how long its blocks take here")
    given = parser.parse_args(argv)
    files = [str(find(name)) for name in given.files]
    status = testing.lint(files, sys.stdout)
    if given.timing and status == testing.PASSED:
        timing.tell([read(name) for name in files], sys.stdout, play=given.play)
    return status


def _doctor(argv: Sequence[str]) -> int:
    from . import doctor

    parser = _parser("doctor", "Say what this machine allows: each thing with its reason and its remedy.", "exit status: always 0")
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    return doctor.run(sys.stdout, as_json=parser.parse_args(argv).json)


def _litmus(argv: Sequence[str]) -> int:
    from . import litmus
    from .reading import read
    from .shipped import find

    parser = _parser("litmus", "Play a walkthrough many times: what it promises beside what was seen.", _STATUS)
    parser.add_argument("file", metavar="FILE[:STEP]", help="a walkthrough or the name of a lesson, and one of its steps")
    parser.add_argument("--runs", type=_positive, default=litmus.RUNS, metavar="N", help=f"how often (default {litmus.RUNS})")
    given = parser.parse_args(argv)
    name, _, step = (given.file, "", "") if os.path.exists(given.file) else given.file.partition(":")
    return litmus.litmus(read(find(name)), step, given.runs, sys.stdout)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of runs")
    return number


def _check(argv: Sequence[str]) -> int:
    import shutil

    from . import checking, conformance
    from .shipped import lessons

    about = "Say which rules of tracing, waiting and waking hold on the kernel that runs, with evidence."
    parser = _parser("check", about, "exit status: 0 unless a rule differs, then 1; 2 wrong usage")
    parser.add_argument("rules", nargs="*", metavar="RULE|CHAPTER", help="a rule or a chapter; all unless told")
    parser.add_argument("--without", action="append", default=[], metavar="NEED", help="pretend that a capability is missing")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for programs, with all evidence")
    form.add_argument("--markdown", action="store_true", help="as a table for a page")
    given = parser.parse_args(argv)
    progress = sys.stderr if sys.stderr.isatty() else None
    report = checking.check(lessons(), given.rules, without=given.without, progress=progress)
    if given.json:
        sys.stdout.write(conformance.as_json(report).decode("ascii"))
    elif given.markdown:
        sys.stdout.writelines(f"{line}\n" for line in conformance.as_markdown(report))
    else:
        width = shutil.get_terminal_size((100, 24)).columns
        sys.stdout.writelines(f"{line}\n" for line in conformance.as_lines(report, width, full=bool(given.rules)))
    return report.status


_MAINS: dict[str, Callable[[Sequence[str]], int]] = {
    "test": _test,
    "lint": _lint,
    "litmus": _litmus,
    "check": _check,
    "doctor": _doctor,
}
