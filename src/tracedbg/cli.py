"""The command line: arguments, exit statuses, and which front end serves.

Main thread.  Start-up is what everybody waits for, so each front end is imported only when it is chosen; batch mode never imports
prompt_toolkit.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracedbg import __version__
from tracedbg.model.errors import TracedbgError, UserError
from tracedbg.model.events import Detail
from tracedbg.model.text import visible

if TYPE_CHECKING:
    from tracedbg.session.recorder import Wanted

_LEARN = ("tour", "learn", "record")
_PRESENT = ("present", "follow")
_SUBCOMMANDS = (*_LEARN, *_PRESENT, "replay", "export", "trim", "note", "test", "lint", "litmus", "check", "doctor")
_EPILOG = """\
tracedbg tour            the first lesson, ten minutes: what a debugger is to the kernel
tracedbg learn [LESSON]  play a lesson; without a name, list them by the question that they answer
tracedbg record LESSON   play it and keep all of it (-o FILE); export FILE --to FORM makes a page, a cast, a trace of it
tracedbg replay FILE     play a recording again, forward and back, without the program and without tracing
tracedbg trim FILE       keep a part of a recording; note FILE --at SEQ TEXT adds a remark to it
tracedbg present LESSON  show it to a class on a projector; follow, in a second terminal, has notes, times and votes
tracedbg test FILE...    play walkthroughs as tests; lint FILE... only reads them; litmus FILE counts over many runs
tracedbg check           which rules of tracing and waiting hold on this kernel, with evidence
tracedbg doctor          what this machine allows, with reasons and remedies; --json
exit status: 0 all went well, 1 a command failed, 2 wrong usage, 3 a defect of tracedbg, 128+N ended by signal N
A program that is called like a sub-command is ./tour."""


class _Todo(argparse.Action):
    """Keep -ex and -x in the order in which they were given."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, option: str | None = None) -> None:
        namespace.todo = [*namespace.todo, (self.dest, str(values))]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tracedbg",
        usage="tracedbg [options] [PROGRAM [ARG ...]]\n       tracedbg [options] -p PID",
        description="The debugger that shows how debuggers work.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-p", "--pid", type=int, metavar="PID", help="attach to this process")
    parser.add_argument("-ex", dest="ex", action=_Todo, metavar="CMD", help="run a command; may be given several times")
    parser.add_argument("-x", dest="x", action=_Todo, metavar="FILE", help="run the commands of a file (- is standard input)")
    parser.add_argument("--batch", action="store_true", help="leave after -ex and -x; stop at the first failed command")
    parser.add_argument("--keep-going", action="store_true", help="in scripts, go on after a failed command")
    parser.add_argument("--events", default="", metavar="FILE", help="write every event to FILE as JSON lines, while it happens")
    parser.add_argument("--record", default="", metavar="FILE", help="keep the session in a new FILE: the log, and the state at each stop")
    for name in ("title", "author", "licence"):
        parser.add_argument(f"--{name}", default="", help="of the recording that --record makes")
    parser.add_argument("--tty", default="", metavar="DEV", help="run the program on this terminal")
    parser.add_argument("--log", choices=[level.name.lower() for level in Detail], help="how much of the live log is shown")
    parser.add_argument("--args", action="store_true", help="what follows is the program and its arguments (the default)")
    parser.add_argument("--version", action="version", version=f"tracedbg {__version__}")
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="PROGRAM [ARG ...]", help="the program to debug")
    parser.set_defaults(todo=[])
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run tracedbg; the exit status."""
    options = _parser().parse_args(argv)
    try:
        if options.program and options.program[0] == "--":
            options.program = options.program[1:]
        if options.program and options.program[0] in _SUBCOMMANDS and not options.args:
            return _walk(options)
        return _debug(options)
    except UserError as error:
        _complain(str(error))
        return 2
    except TracedbgError as error:
        _complain(str(error))
        return 1


def _walk(options: argparse.Namespace) -> int:
    """A sub-command about walkthroughs, each with options of its own."""
    name, *words = options.program
    try:
        if name in _LEARN:
            return _learn(options, name, words)
        if name == "replay":
            return _replay(options, words)
        if name in _PRESENT:
            return _present(name, words)
        if name == "export":
            status = _export(words)
        elif name in ("trim", "note"):
            from tracedbg.exports import editing_commandline as editing

            status = editing.main(name, words)
        else:
            from tracedbg.walk import commandline

            status = commandline.main(name, words)
        sys.stdout.flush()  # here, where a reader that has gone is no defect
        return status
    except KeyboardInterrupt:
        _complain("interrupted")
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader of our output has gone: as in `_batch`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


def _export(words: Sequence[str]) -> int:
    if any(word.partition("=")[0] == "--site" for word in words):
        from tracedbg.walk import gallery  # it knows the lessons; exporters know nothing of them

        return gallery.main(words, sys.stdout)
    from tracedbg.exports import commandline

    return commandline.main(words, _recording)


def _recording(name: str) -> str:
    """The recording that somebody means: a file, or that of a lesson that ships."""
    if "/" in name or os.path.lexists(name):
        return name
    from tracedbg.walk.shipped import recording_of

    return str(recording_of(name) or name)


def _learn(options: argparse.Namespace, name: str, words: Sequence[str]) -> int:
    """Play a lesson: the page and its player are joined here with a prompt, or with plain output."""
    from tracedbg.render.styles import paint, wants_colour
    from tracedbg.walk import learning_alone, learning_start

    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    detail = _detail(options, Detail.CALLS)
    paced = name == "record"
    record = _wanted(options)
    if paced:
        asked = learning_start.recorded(words)
        name, words, record = "learn", asked.words, asked.wanted

    def at_a_terminal(make: learning_start.Maker) -> int:
        from tracedbg.ui.hosting import run_interactive

        return run_interactive(options.events, detail, [], [], "", make)

    def alone(make: learning_start.Maker, speed: float) -> int:
        width = _width()
        painted = (lambda line: paint(line, colour=True, columns=width)) if interactive and wants_colour(os.environ) else None
        return learning_alone.play_alone(make, speed, events=options.events, detail=detail, columns=width, paint=painted)

    return learning_start.main(name, words, learning_start.Front(interactive, at_a_terminal, alone, sys.stdout, paced, record))


def _wanted(options: argparse.Namespace) -> Wanted | None:
    """The recording that `--record` asks for."""
    if not options.record:
        return None
    from tracedbg.session.recorder import Wanted

    about: dict[str, object] = {name: text for name in ("title", "author", "licence") if (text := getattr(options, name))}
    return Wanted(os.path.abspath(options.record), about)


def _replay(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Play a recording: the replay and the prompt are joined here.  Neither needs ptrace, nor debug information."""
    from tracedbg.render.styles import wants_colour
    from tracedbg.replay import commandline

    asked = commandline.asked(words, _recording)
    if asked.verify:
        from tracedbg.walk import verifying

        return verifying.main(asked.path, sys.stdout)
    at_a_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    colour = sys.stdout.isatty() and wants_colour(os.environ)
    if not at_a_terminal or asked.speed == 0:
        script = [] if sys.stdin.isatty() else sys.stdin.read().splitlines()
        status = commandline.play_plain(asked, script, sys.stdout, _width(), colour=colour, keep_going=options.keep_going)
        sys.stdout.flush()
        return status
    from tracedbg.ui.plain import is_dumb, run_plain
    from tracedbg.ui.pump import Pump

    pump = Pump()
    host = commandline.host(asked, lambda line, keep: pump.put(line, keep=keep), _width, colour=colour)
    host.start()
    if is_dumb(os.environ):
        run_plain(host, pump)
    else:
        from tracedbg.ui.app import Terminal

        terminal = Terminal(host, pump, newest=host.newest, space=host.space)
        host.leave = terminal.leave
        terminal.run()
    if host.failure is not None:
        _complain(f"the replay failed: {visible(repr(host.failure))}; please report this")
        return 3
    return 0


def _present(name: str, words: Sequence[str]) -> int:
    """Show a lesson to a class, or the notes beside it: what is shown and the screen are joined here."""
    from tracedbg.session.show import Show
    from tracedbg.walk import presenting_start

    def screen(show: Show, light: bool, tick: float) -> None:
        from tracedbg.ui.slideshow import Slideshow

        Slideshow(show, light=light, tick=tick).run()

    front = presenting_start.Front(sys.stdin.isatty() and sys.stdout.isatty(), screen)
    return (presenting_start.present if name == "present" else presenting_start.follow)(words, front)


def _complain(text: str) -> None:
    sys.stderr.write(f"tracedbg: {text}\n")


def _lines(options: argparse.Namespace) -> list[tuple[str, bool]]:
    """What to run before anything else: `(line, echo it)`."""
    from tracedbg.commands.batch import script_lines

    found: list[tuple[str, bool]] = []
    if options.pid is not None:
        found.append((f"attach {options.pid}", False))
    for kind, text in options.todo:
        found += [(text, False)] if kind == "ex" else [(line, True) for line in script_lines(text)]
    return found


def _debug(options: argparse.Namespace) -> int:
    interactive = not options.batch and sys.stdin.isatty() and sys.stdout.isatty()
    lines = _lines(options)
    if interactive:
        from tracedbg.ui.hosting import run_interactive

        return run_interactive(options.events, _detail(options, Detail.CALLS), options.program, lines, options.tty, record=_wanted(options))
    if not options.batch and not sys.stdin.isatty():
        lines += [(line, True) for line in sys.stdin.read().splitlines()]
    return _batch(options, lines, _detail(options, Detail.NEWS if options.batch else Detail.CALLS))


def _detail(options: argparse.Namespace, default: Detail) -> Detail:
    return Detail[options.log.upper()] if options.log else default


def _batch(options: argparse.Namespace, lines: list[tuple[str, bool]], detail: Detail) -> int:
    """Run a script without a prompt."""
    from tracedbg.commands.batch import OK, Interrupts, run_script
    from tracedbg.commands.runner import Runner
    from tracedbg.commands.screen import Lines, PlainScreen
    from tracedbg.commands.table import all_commands
    from tracedbg.session.session import Session

    wanted = _wanted(options)
    with Session(events=options.events, detail=detail) as session:
        session.view.set_detail(detail)
        drawer = Lines(session.view, times=False, echo=False)
        screen = PlainScreen(drawer, sys.stdout)
        session.log.attach(screen)
        width = _width()
        runner = Runner(session, all_commands(), lambda: width)
        try:
            with Interrupts(session) as interrupts:
                session.choose(options.program, options.tty)
                if wanted is not None:
                    session.recorder.start(wanted)
                status = OK
                for text, echo in lines:
                    drawer.echo = echo
                    status = run_script(session, runner, [text], screen, interrupts, keep_going=options.keep_going) or status
                    if (status and not options.keep_going) or session.quitting or interrupts.ending:
                        break
        finally:
            session.close()
            session.log.detach(screen)
            screen.close()
    if screen.broken:
        # The reader of our output has gone: say nothing more, and keep the interpreter from complaining at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


def _width() -> int:
    import shutil

    return shutil.get_terminal_size((100, 24)).columns
