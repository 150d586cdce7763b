"""`tracedbg learn` and `tracedbg tour`: which lesson, from which step, at a terminal or without.

Main thread.  Compilers and probes run before the session is made, because afterwards a waiter on -1 would collect their statuses.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

import msgspec

from tracedbg.kernel.reap import Reaper
from tracedbg.model.errors import NotFound, NotHere
from tracedbg.model.text import Shown, visible
from tracedbg.session.lesson import Lesson as LessonPort
from tracedbg.session.lesson import Stage
from tracedbg.session.recorder import Wanted
from tracedbg.session.session import Session

from . import compiling, learning_text
from .capabilities import Capabilities
from .course import listed
from .document import Document, WrongFile
from .learning import Lesson
from .learning_progress import Mark, Progress, digest_to, progress_path
from .moments import Lack
from .reading import read
from .recorded import RecordedPage, bundled
from .recorded_lesson import RecordedLesson
from .shipped import find, is_shipped, lessons, name_of, what_it_runs
from .testing import FAILED, PASSED, WRONG, failure_lines

TOUR = "tour"
"""The first lesson."""

Maker = Callable[[Session, Stage], LessonPort]


class Front(msgspec.Struct, frozen=True):
    """What a command line offers a lesson.

    Args:
        interactive: somebody sits at a terminal.
        terminal: plays a lesson there, with a prompt, until the person leaves.
        alone: plays one without a prompt; takes what makes it and the pace, 0 for no pauses; an exit status.
        out: for words before and after.
        paced: pause for reading although nobody sits there, as a recording does.
        record: keep the session in this file.
    """

    interactive: bool
    terminal: Callable[[Maker], object]
    alone: Callable[[Maker, float], int]
    out: TextIO
    paced: bool = False
    record: Wanted | None = None


class Recorded(msgspec.Struct, frozen=True):
    """What `tracedbg record` was asked for.

    Args:
        words: for ``learn``.
        wanted: the recording.
    """

    words: tuple[str, ...]
    wanted: Wanted


def recorded(argv: Sequence[str]) -> Recorded:
    """Read the command line of `tracedbg record`.

    Args:
        argv: what followed it.

    Raises:
        UserError: there is no such lesson, or the file is none.
    """
    parser = argparse.ArgumentParser(
        prog="tracedbg record",
        description="Play a lesson by itself and keep all of it: what it tells and asks, and what the kernel did.",
        epilog="tracedbg export FILE --to FORM turns the recording into something else.",
    )
    parser.add_argument("lesson", metavar="LESSON", help="the name of a lesson, or a walkthrough's path")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the recording; mode 0600, an existing file is replaced")
    parser.add_argument("--title", default="", help="instead of the page's own")
    parser.add_argument("--author", default="", help="who made it; nobody unless told")
    parser.add_argument("--licence", default="", help="under which it may be passed on")
    parser.add_argument("--speed", type=_speed, default=1.0, metavar="X", help="read X times as fast as 200 words a minute")
    parser.add_argument("--trust", action="store_true", help="a walkthrough from elsewhere may run its programs")
    given = parser.parse_args(argv)
    about = {"title": given.title, "author": given.author, "licence": given.licence}
    words = (given.lesson, "--auto", "--speed", str(given.speed), *(["--trust"] if given.trust else []))
    return Recorded(words, Wanted(os.path.abspath(given.output), {name: text for name, text in about.items() if text}, force=True))


def main(name: str, argv: Sequence[str], front: Front) -> int:
    """Run the sub-command; the exit status.

    Args:
        name: ``learn`` or ``tour``.
        argv: what followed it.
        front: how to play.

    Raises:
        UserError: a lesson or a step that is not there.
        NotHere: it cannot be played on this machine; says what is missing and the remedy.
    """
    given = _parser(name).parse_args([TOUR, *argv] if name == "tour" else argv)
    progress = Progress(progress_path(os.environ))
    if not given.lesson:
        front.out.writelines(f"{line}\n" for line in listed(progress, max(shutil.get_terminal_size((100, 24)).columns, 60)))
        return PASSED
    try:
        document = read(find(given.lesson))
    except WrongFile as error:
        sys.stderr.writelines(f"{line}\n" for line in error.lines)
        return WRONG
    if given.step and document.step(given.step) is None:
        known = ", ".join(step.slug for step in document.steps)
        raise NotFound(f"there is no step '{given.step}'", f"steps are {known}")
    if not (is_shipped(document.path) or given.trust or _trusted(document, front)):
        return FAILED
    if given.restart:
        progress.forget(document)
    where = os.getcwd()
    with contextlib.ExitStack() as stack:
        try:
            lacks = stack.enter_context(prepared(document))
        except NotHere as refused:
            page = bundled(document) if not front.paced else None
            if page is None:
                raise
            return _play_recording(page, refused, given, front)
        return _play(document, lacks, progress, given, front, where)


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"tracedbg {name}",
        description="The first lesson: what a debugger is to the kernel."
        if name == "tour"
        else "Play a lesson; without a name, list them.",
        epilog="Enter goes on, Ctrl-D leaves; the next time it comes back to where you were. "
        "Where this machine refuses what a lesson needs, its recording is shown, labelled as one, after saying what refuses it; "
        "the exit status is 0 then too.",
    )
    if name == "tour":
        parser.add_argument("lesson", help=argparse.SUPPRESS)
        parser.usage = "tracedbg tour [--auto] [--step SLUG] [--restart] [--speed X]"
    else:
        parser.add_argument("lesson", nargs="?", default="", metavar="LESSON", help="the name of a lesson, or a walkthrough's path")
    parser.add_argument("--auto", action="store_true", help="ask nothing, pause for reading only")
    parser.add_argument("--step", default="", metavar="SLUG", help="begin at this step; those before it are played without pauses")
    parser.add_argument("--restart", action="store_true", help="forget how far you were")
    parser.add_argument("--speed", type=_speed, default=1.0, metavar="X", help="with --auto: read X times as fast")
    parser.add_argument("--trust", action="store_true", help="do not ask before a walkthrough from elsewhere runs its programs")
    return parser


def _speed(text: str) -> float:
    number = float(text)
    if not 0 < number <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is not a speed: 2 is twice as fast")
    return number


# --- before the session -------------------------------------------------------------------------------------------------------
def _trusted(document: Document, front: Front) -> bool:
    """Show what a foreign page would run, and ask."""
    out = front.out
    out.write(f"{visible(document.path)} does not come with tracedbg. It runs programs with your rights:\n\n")
    out.writelines(f"  {line}\n" for line in what_it_runs(document) or [Shown("(nothing but system calls of its own threads)")])
    if not front.interactive:
        out.write("\nNothing was run: nobody is here to say yes; --trust plays it.\n")
        return False
    out.write("\nPlay it? (y or n) ")
    out.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


@contextlib.contextmanager
def prepared(document: Document) -> Iterator[dict[str, Lack]]:
    """What this machine lacks; meanwhile the working directory is a folder with the page's programs."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory(prefix="tracedbg-") as folder:
        with Reaper() as reaper:
            lacks = Capabilities(reaper).lacks(document.all_needs)
            missing = [lacks[need] for need in document.needs if need in lacks]
            if missing:
                first = missing[0]
                name = learning_text.called(document)
                raise NotHere(visible(f"the {name} needs {first.need}, and here it is refused: {first.reason}"), first.remedy)
            failures = compiling.compile_all(document, folder, reaper)
        if failures:
            lines = [line for failure in failures for line in failure_lines(document.path, failure)]
            raise NotHere("a program of the page cannot be compiled:\n" + "\n".join(lines))
        os.chdir(folder)
        try:
            yield lacks
        finally:
            os.chdir(before)


# --- the session --------------------------------------------------------------------------------------------------------------
def _of_lesson(wanted: Wanted, document: Document, lacks: dict[str, Lack]) -> Wanted:
    """What the first line of a lesson's recording tells: which page it was, and what the machine had of what the page needs."""
    with open(document.path, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    name = name_of(Path(document.path)) if is_shipped(document.path) else os.path.basename(document.path)
    about: dict[str, object] = {
        "title": document.title,
        "walkthrough": {"name": name, "sha256": digest},
        "caps": [need for need in document.all_needs if need not in lacks],
    }
    return msgspec.structs.replace(wanted, about={**about, **wanted.about})


def _play(document: Document, lacks: dict[str, Lack], progress: Progress, given: argparse.Namespace, front: Front, where: str) -> int:
    alone = given.auto or not front.interactive
    first, mark, told = _first(document, progress.mark(document), given.step, alone=alone)
    made: list[Lesson] = []

    def make(session: Session, stage: Stage) -> LessonPort:
        session.folder = where
        if front.record is not None:
            session.recorder.start(_of_lesson(front.record, document, lacks))
        for line in told:
            stage.tell(learning_text.line(("warn", line)))
        lesson = Lesson(
            document,
            session,
            stage,
            lacks,
            mark=mark,
            first=first,
            note=lambda new: progress.note(document, new),
            coda=_coda(document, alone=alone),
            alone=alone,
        )
        made.append(lesson)
        return lesson

    if alone:
        return front.alone(make, given.speed if front.interactive or front.paced else 0.0)
    front.terminal(make)
    lesson = made[0]
    if lesson.failed:
        return FAILED
    if not lesson.over:
        front.out.write(f"tracedbg learn {learning_text.called(document)} comes back to where you were.\n")
    if progress.trouble:
        front.out.write(f"Your progress is not kept: {visible(progress.trouble)}.\n")
    return PASSED


def _play_recording(page: RecordedPage, refused: NotHere, given: argparse.Namespace, front: Front) -> int:
    """Play the recording of a lesson that this machine refuses, after saying what refuses it and the remedy."""
    alone = given.auto or not front.interactive
    step = page.document.step(given.step) if given.step else None
    first = page.document.steps.index(step) + 1 if step is not None else 1
    said = f"{refused}"
    if not front.interactive:
        sys.stderr.write(f"tracedbg: {visible(said)}\n")

    def make(session: Session, stage: Stage) -> LessonPort:
        if front.interactive:
            stage.tell(learning_text.line(("error", said)))
        stage.tell(
            learning_text.line(("warn", f"So this is a {page.label}: nothing of it runs here. Its questions are for you all the same."))
        )
        coda = f"This was a {page.label}. To play it on this machine: {refused.todo or 'tracedbg doctor says what is missing'}"
        return RecordedLesson(page, session, stage, first=first, coda=coda, alone=alone)

    if alone:
        return front.alone(make, given.speed if front.interactive else 0.0)
    front.terminal(make)
    return PASSED


def _first(document: Document, mark: Mark, step: str, *, alone: bool) -> tuple[int, Mark, list[str]]:
    """The number of the step to stop at first, the mark that still holds, and what to say about it."""
    slugs = [each.slug for each in document.steps]
    if step:
        return slugs.index(step) + 1, mark, []
    if alone or not mark.step:
        return 1, mark, []
    if mark.step not in slugs or digest_to(document, mark.step) != mark.digest:
        return 1, Mark(), ["This page has changed since you played it, so it starts over."]
    if mark.done or mark.step == slugs[-1]:
        return 1, Mark(), ["You have played this lesson to its end; it starts over."]
    return slugs.index(mark.step) + 2, mark, []


def _coda(document: Document, *, alone: bool) -> str:
    """What to do next, Markdown."""
    names = [name_of(path) for path in lessons()]
    name = learning_text.called(document)
    following = names[names.index(name) + 1] if name in names[:-1] else ""
    next_one = f"**Next:** {read(find(following)).title} `tracedbg learn {following}`" if following else ""
    yours = "" if alone else "The prompt is yours, and everything that the lesson made is still there; `quit` leaves."
    return "\n\n".join(filter(None, [next_one or "`tracedbg learn` lists all lessons.", yours]))
