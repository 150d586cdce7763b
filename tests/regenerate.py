"""What is made from the code: pages of docs (commands, events, lessons and rules, a diagram), and the forms of a sample recording.

    python -m tests.regenerate

writes them; `tests/laws/test_docs.py` compares them.  Main thread; imports the product, starts nothing.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

from tests import sources
from tests.exports.sample import goldens
from tests.schema import schema_page
from tracedbg.commands.table import all_commands
from tracedbg.lang.reference import reference
from tracedbg.model import events as ev
from tracedbg.model.ids import Role, Source
from tracedbg.render.lines import line_of
from tracedbg.replay.commands import all_commands as replay_commands
from tracedbg.tracer.lifecycle import TABLE
from tracedbg.walk import course, shipped
from tracedbg.walk.catalogue import CHAPTERS, RULES
from tracedbg.walk.outline import outline
from tracedbg.walk.reading import read as _read

read = functools.cache(_read)  # each lesson is asked for several times
DOCS = Path(__file__).resolve().parents[1] / "docs"
GOLDEN = Path(__file__).resolve().parent / "exports" / "golden"

# A record of each kind, as it could stand in a log: the payload, its lane, and its tid where the line depends on it.
EXAMPLES: dict[type[ev.Event], tuple[ev.Event, str, int]] = {
    type(event): (event, lane, tid)
    for event, lane, tid in (
        (ev.SessionStarted("0.1.0", "6.18.5", "3.11.7"), "repl", 70),
        (ev.SessionEnded(True), "repl", 70),
        (ev.RecordingFull("size limit reached"), "log", 0),
        (ev.Note("process 4300 (fork of 4242) was let go, breakpoints removed"), "tracee", 4300),
        (ev.Warned("addresses stay random: personality was refused (Operation not permitted), as in many containers"), "repl", 70),
        (ev.LaneOpened("w1", Role.BENCH, 70), "w1", 79),
        (ev.LaneClosed("w1"), "w1", 79),
        (ev.ThreadAsleep("wait4", "do_wait", "/proc/70/task/79/syscall"), "w1", 79),
        (ev.ThreadWoken(2, 1), "w2", 80),
        (ev.PolicyChanged("waiters", "a tracee runs"), "tracer", 77),
        (ev.LineEntered("continue", "keyboard"), "repl", 70),
        (ev.CommandFinished(True, ("Breakpoint 1 at 0x1154: file fact.c, line 9.",)), "repl", 70),
        (ev.ExpectJudged("expect w1 ptrace = -1 ESRCH", True, 41, 0), "repl", 70),
        (ev.StepReached(1, "a-stop-anyone-can-collect", "A stop anyone can collect"), "repl", 70),
        (ev.TextTold("rule", "**Rule** `tracer.any-thread-waits`: every thread may wait.", "tracer.any-thread-waits"), "repl", 70),
        (ev.PredictionAsked("What comes back?", (ev.ChoiceOffered("ESRCH", "for `w1` there is no such tracee"),)), "repl", 70),
        (ev.PredictionAnswered(0), "repl", 70),
        (ev.PredictionRevealed(41, 0, 0), "repl", 70),
        (ev.BlockLeftOut("tracefs", "not mounted"), "repl", 70),
        (ev.StateKept(4242, "main () at fact.c:9", "fact.c", 9, (), (("rip", "0x401136"),), ("#0  main () at fact.c:9",)), "tracee", 4242),
        (ev.RequestQueued("tracer", "cont"), "repl", 70),
        (ev.RequestStarted("cont"), "tracer", 77),
        (ev.RequestDone("cont", True), "tracer", 77),
        (ev.PlanWaits("cont", "news of any thread"), "tracer", 77),
        (ev.PlanWent("cont", "4242 stopped SIGTRAP", 4242), "tracer", 77),
        (ev.RequestHeld("ptrace(PTRACE_CONT, 4242, 0, 0)", "let the program run"), "tracer", 77),
        (ev.RequestFreed("ptrace(PTRACE_CONT, 4242, 0, 0)"), "tracer", 77),
        (ev.CallEntered("wait4", (-1, "__WALL"), "take one status and hand it to the tracer"), "waiter", 78),
        (ev.CallReturned("wait4", (-1, "__WALL"), 4242, status=0x57F), "waiter", 78),
        (ev.SignalTaken(17, 5, 4242), "p1", 81),
        (ev.LoopBegan("stepi 100000"), "tracer", 77),
        (ev.LoopDone("stepi 100000", {"ptrace(PTRACE_SINGLESTEP)": 100000, "wait4": 100000}), "tracer", 77),
        (ev.RuleBroken("law 1", "ptrace(PTRACE_CONT, 4242, 0, 0)"), "w1", 79),
        (ev.Looked("4242", (("state", "t"), ("TracerPid", "77"))), "tracee", 4242),
        (ev.StatusReported(4242, 0x57F, "waiter"), "tracer", 77),
        (ev.TraceeBorn(4242, "clone"), "tracee", 4250),
        (ev.TraceeStopped(0x57F, "breakpoint 1", 4242), "tracee", 4242),
        (ev.TraceePaused(0x57F, "step", 4242), "tracee", 4242),
        (ev.TraceeResumed("continue", 10, 4242), "tracee", 4242),
        (ev.TraceeGone(0x0, "ended", 4242), "tracee", 4242),
        (ev.LateNews(4250, 0x0), "tracer", 77),
        (ev.ProgramStopped("breakpoint 1", 4242), "tracee", 4242),
        (ev.ProgramOutput("5! = 120\r\n"), "tracee", 4242),
        (ev.ProgramInput("yes\n"), "tracee", 4242),
        (ev.SiteChanged("planted", 0x555555555154), "tracer", 77),
        (ev.KernelWoke("w1", "4242", 1), "kernel", 4242),
        (ev.KernelStack(("ptrace_stop", "do_notify_parent_cldstop", "__wake_up_sync_key", "try_to_wake_up")), "kernel", 4242),
        (ev.KernelSignal(17, 77, "ignored", "4242", "CLD_TRAPPED", True, "tracer"), "kernel", 4242),
        (ev.KernelTold("sys_exit_wait4", "return", ("w1", "wait4", "=", "4242")), "kernel", 79),
        (ev.KernelLost(1, 120), "kernel", 0),
    )
}


def _type(text: object) -> str:
    # A field's annotation as it is written in the source (the module has postponed annotations).
    return str(text).replace("|", "\\|")


def _event(kind: type[ev.Event]) -> str:
    event, lane, tid = EXAMPLES[kind]
    about = " ".join((kind.__doc__ or "").split())
    line = line_of(ev.Record(1, 0, lane, tid, Source.USER, event))
    parts = [f"### `{kind.__struct_config__.tag}` ({kind.__name__})\n", f"{about} Made from detail `{kind.detail.name.lower()}` on.\n"]
    if kind.__struct_fields__:
        rows = [f"| `{name}` | `{_type(kind.__annotations__[name])}` |" for name in kind.__struct_fields__]
        parts.append("\n".join(["| field | type |", "| --- | --- |", *rows]) + "\n")
    parts.append(f"```text\n{lane:<8} | {line}\n```\n")
    return "\n".join(parts)


def events_page() -> str:
    """docs/EVENTS.md: every kind of event with its fields and its line."""
    levels = [f"| `{level.name.lower()}` | {meaning} |" for level, meaning in zip(ev.Detail, LEVELS, strict=True)]
    head = [
        "# Events\n",
        "This page is made from `src/tracedbg/model/events.py` and `src/tracedbg/render/lines.py` by `python -m tests.regenerate`.\n",
        "An event is a payload; the record around it says when, on which lane and how we know ([RECORDING.md](RECORDING.md) has",
        "the form on disk). Each kind has one canonical line. Words may be added at the end of a line, never inserted or renamed:",
        "`expect` and `then` match these words.\n",
        "How much is made is a level; what nobody asks for is not built:\n",
        "| level | what it adds |\n| --- | --- |",
        "\n".join(levels) + "\n",
        "Where the knowledge comes from is one word too, and stands in every record: `user` (measured by the calling thread,",
        "right around the call), `proc` (read in /proc), `tracefs` (the kernel's own trace, see `kernel on`) or",
        "`inferred` (concluded from other facts).\n",
    ]
    return "\n".join(head) + "\n" + "\n".join(_event(kind) for kind in ev.EVENT_TYPES)


LEVELS = (
    "answers and the program's output only",
    "what happened to the program",
    "every ptrace, wait and fork, who slept, who was woken",
    "requests on the tracer's desk, statuses handed over, waiters armed",
)


def reference_page() -> str:
    """docs/REFERENCE.md: every command."""
    return reference(all_commands())


def link_to(path: Path) -> str:
    """A link from docs to a lesson, by its title."""
    return f"[{read(path).title}](../{path.relative_to(DOCS.parent).as_posix()})"


def shown_by_lessons() -> dict[str, list[str]]:
    """For each rule that is shown, links to the lessons that show it, in their order."""
    shown: dict[str, list[str]] = {}
    for path in shipped.lessons():
        for rule in dict.fromkeys(rule for step in read(path).steps for rule in step.rules):
            shown.setdefault(rule, []).append(link_to(path))
    return shown


def lessons_page() -> str:
    """docs/LESSONS.md: every lesson by its question, and where each rule is shown."""
    shown = shown_by_lessons()
    rows = []
    for title, paths in course.grouped(shipped.lessons()):
        rows.append(f"### {title}\n")
        for path in paths:
            level = course.level_of(outline(path))
            rows.append(f"- {link_to(path)}" + (f" ({level})" if level != "core" else ""))
        rows.append("")
    parts = [
        "# Lessons\n",
        "This page is made from `src/tracedbg/walkthroughs/` and `src/tracedbg/walk/catalogue.py` by `python -m tests.regenerate`.\n",
        "Each lesson is a page to read here, and better at the prompt: `tracedbg learn` lists them, `tracedbg learn NAME` plays one, and",
        "`tracedbg check` plays all and says which rules hold on your kernel.\n",
        "Every lesson ships the recording of a play, for machines that cannot trace: `tracedbg replay NAME` plays that, and",
        "`tracedbg export --site DIR` makes a web site of all of them ([RECORDING.md](RECORDING.md) tells more).\n",
        "The order is that of a course. Those marked deep or expert can wait.\n",
        "\n".join(rows),
        "## Where each rule is shown\n",
    ]
    for chapter, title in CHAPTERS.items():
        parts.append(f"### {title}\n")
        parts.append("| rule | what it says | lesson |\n| --- | --- | --- |")
        found = [rule for rule in RULES.values() if rule.id.partition(".")[0] == chapter]
        parts.append("\n".join(f"| `{rule.id}` | {rule.says} | {', '.join(shown.get(rule.id, ['none yet']))} |" for rule in found) + "\n")
    return "\n".join(parts)


def _shown_at(shown: dict[str, list[str]], rules: str, page: str, note: str = "") -> str:
    """Where something is shown: each lesson once, behind it its rules; then pages and remarks."""
    at: dict[str, list[str]] = {}
    for rule in rules.split():
        # The tour shows a little of everything; a lesson of its own tells more.
        lessons = sorted(shown.get(rule, ["no lesson yet"]), key=lambda link: "/01-tour" in link)
        at.setdefault(lessons[0], []).append(f"`{rule}`")
    found = [f"{link}: {', '.join(named)}" for link, named in at.items()]
    if page:
        found.append(f"[{read_title(DOCS / 'mechanisms' / page)}](mechanisms/{page})")
    return "; ".join([*found, *([note] if note else [])])


def read_title(path: Path) -> str:
    """The first heading of a page."""
    return path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")


def sources_page() -> str:
    """docs/sources.md: where each mechanism of older texts is shown, and what in them is out of date."""
    shown = shown_by_lessons()
    named: set[str] = set()
    parts = [
        "# What older texts say, and where to see it\n",
        "This page is made from `tests/sources.py` by `python -m tests.regenerate`; the lessons are found by the rules that they show.\n",
        "Much that one can read about ptrace and wait describes a kernel of long ago. tracedbg began with five such texts:\n",
        "\n".join(f"* {text}" for text in sources.TEXTS) + "\n",
        "Each mechanism that they name is shown by a lesson, or, where no program can observe it, drawn on a page of its own.\n",
        "## Where each mechanism is shown\n",
    ]
    for subject, rows in sources.COVERAGE.items():
        parts += [f"### {subject}\n", "| mechanism | shown in |\n| --- | --- |"]
        parts.append("\n".join(f"| {row.what} | {_shown_at(shown, row.rules, row.page, row.note)} |" for row in rows) + "\n")
        named |= {rule for row in rows for rule in row.rules.split()}
    parts += ["## Where old sources are out of date\n", "| where | it says | today | shown in |\n| --- | --- | --- | --- |"]
    parts.append(
        "\n".join(f"| {row.where} | {row.says} | {row.today} | {_shown_at(shown, row.rules, row.page)} |" for row in sources.OUTDATED)
        + "\n"
    )
    named |= {rule for row in sources.OUTDATED for rule in row.rules.split()}
    rest = [rule for rule in RULES if rule not in named]
    parts += [
        "## Rules that the texts do not mention\n",
        "They come from the manual pages, from the kernel's source and its self-tests, and from suites that test these calls.\n",
        "| rule | what it says | shown in |\n| --- | --- | --- |",
        "\n".join(f"| `{rule}` | {RULES[rule].says} | {', '.join(shown.get(rule, ['no lesson yet']))} |" for rule in rest) + "\n",
    ]
    return "\n".join(parts)


def lifecycle_diagram() -> str:
    """The states of a tracee and what leads from one to another; what changes nothing is left out."""
    lines = ["stateDiagram-v2", "    [*] --> running: born"]
    for (state, happening), after in TABLE.items():
        if after is not state:
            lines.append(f"    {state.value} --> {after.value}: {happening.name.lower()}")
    return "\n".join(lines)


_DIAGRAM = re.compile(r"(```mermaid\n).*?(\n```)", re.DOTALL)


def with_diagram(page: str) -> str:
    """The page with its one mermaid block replaced by the diagram of the table."""
    replaced, count = _DIAGRAM.subn(lambda found: found[1] + lifecycle_diagram() + found[2], page)
    assert count == 1, f"{count} mermaid blocks"
    return replaced


_REPLAY = """\
# Playing a recording again

    tracedbg replay FILE [--speed X] [--idle SECONDS] [--from PLACE] [--paused] [--no-questions] [--log LEVEL] [--verify]

plays what `tracedbg record` or `--events` has written, at a prompt like the live one, with the same keys (F1 help, F2 split, F3 hold).
Nothing that was recorded is run, except with `--verify`, which plays nothing and runs the lines of the recording instead
([RECORDING.md](RECORDING.md)): there is no program, no ptrace request and no thread that could make one. So it works where tracing is
refused, and without the libraries for debug information.

* Time runs as it did, `--speed` times as fast; no pause is longer than `--idle` (2 s). Space on an empty line, or Ctrl-C, pauses.
* Predictions are asked again before their answer is shown; Enter alone skips one. What was guessed when it was recorded is told behind it.
* An ordinary terminal cannot take lines back: a jump says where it leads (`back at 412, 1.234 s, in 3: ...`) and shows the lines
  before that place once more. The split (F2) is drawn anew, with the source or the registers as they were.
* Registers, source and frames are those of the last stop at which they were kept; the answer says which, and since when the program runs
  again. Who is in a wait call, what each thread does and which tracee runs follows from the events up to that place.
* Where nobody sits at the terminal, or with `--speed 0`, all of it is printed at once. Commands on standard input make a script: one a
  line, the first that fails ends it with status 1 (`tracedbg --keep-going replay FILE` goes on).
* Kinds of events and fields of later versions are shown as unknown or ignored; a line that is no event is an error that names it; a
  recording without its end is played up to there, and that is said.

The code: `replay/tape.py` (marks), `replay/deck.py` (time and place), `replay/drawing.py`, `replay/state.py`
and `exports/situation.py` (what could be seen), `replay/host.py` (the thread).

Commands may be shortened as at the live prompt, Enter repeats those for which that makes sense. `help NAME` tells more.
"""


def replay_page() -> str:
    """docs/REPLAY.md: how a recording is played, and each command of the replay in one line."""
    out = [_REPLAY]
    table = replay_commands()
    for family, title in table.families.items():
        rows = [row for row in table.rows if row.family == family]
        out.append(f"\n## {title}\n\n| command | also | what it does |\n| --- | --- | --- |\n")
        for row in rows:
            also = ", ".join(f"`{alias}`" for alias in row.aliases)
            out.append(f"| `{row.usage.replace('|', chr(92) + '|')}` | {also} | {row.help.summary} |\n")
    return "".join(out)


@functools.cache
def pages() -> dict[Path, str]:
    """Every made page with its text as it should be."""
    internals = DOCS / "INTERNALS.md"
    return {
        DOCS / "REFERENCE.md": reference_page(),
        DOCS / "EVENTS.md": events_page(),
        DOCS / "recording.schema.json": schema_page(),
        DOCS / "REPLAY.md": replay_page(),
        DOCS / "LESSONS.md": lessons_page(),
        DOCS / "sources.md": sources_page(),
        internals: with_diagram(internals.read_text(encoding="utf-8")),
        **{GOLDEN / name: text for name, text in goldens().items()},
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
