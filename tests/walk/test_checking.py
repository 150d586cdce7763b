"""`check`, `litmus`, the catalogue, and what ships: verdicts and how they are shown."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.walk.pages import EXAMPLES, command, page, step
from tracedbg.model.errors import NotFound
from tracedbg.walk import checking, conformance, shipped
from tracedbg.walk.catalogue import CHAPTERS, RULES
from tracedbg.walk.checking import Conformance, Host, Row, check, row_of
from tracedbg.walk.document import Document
from tracedbg.walk.keeper import Played
from tracedbg.walk.moments import Failure, Lack, Seen, StepResult
from tracedbg.walk.reading import parse

HOST = Host("6.18.0", "x86_64", 2, 0, "0.1.0")
ESRCH = Seen(9, "expect w1 ptrace = -1 ESRCH", "w1", "ptrace(PTRACE_CONT, 7, 0, 0) = -1 ESRCH (No such process)")
WRONG = Failure(
    9, "expect w1 ptrace = 0", ("  waited 5.0 s; closest event: 3 of 4 words", "    w1  ptrace(PTRACE_CONT, 7, 0, 0) = -1 ESRCH")
)


def lesson(*rules: str, path: str = "10-x.md") -> Document:
    """A page with a step for each rule."""
    steps = [
        step("on repl getpid", "expect repl getpid", name=f"S{n}", above=f"**Rule** `{rule}`: so.\n\n") for n, rule in enumerate(rules)
    ]
    return parse(page(*steps), path)


def played(document: Document, *outcomes: str, lacks: tuple[Lack, ...] = ()) -> Played:
    """How it went, told rather than played."""
    results = [
        StepResult(
            each.slug,
            each.line,
            each.rules,
            outcome,  # type: ignore[arg-type]
            (ESRCH,) if outcome == "passed" else (),
            (WRONG,) if outcome == "failed" else (),
            (Lack("tracefs", "it is not mounted", "mount it", 9),) if outcome == "skipped" else (),
        )
        for each, outcome in zip(document.steps, outcomes, strict=False)
    ]
    return Played(document, tuple(results), lacks)


# --- verdicts (pure) ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("rule", "outcomes", "verdict"),
    [
        ("tracer.wrong-thread", ["passed"], "holds"),
        ("tracer.wrong-thread", ["failed"], "differs"),
        ("tracer.wrong-thread", ["skipped"], "not here"),
        ("wake.nothread-missed", ["failed"], "varies"),
        ("wake.nothread-missed", ["passed"], "holds"),
        ("tracer.exiting-parent", ["failed"], "differs"),
        # Shown twice: it holds only if it holds in both.
        ("tracer.wrong-thread", ["passed", "passed"], "holds"),
        ("tracer.wrong-thread", ["passed", "failed"], "differs"),
        ("tracer.wrong-thread", ["failed", "skipped"], "differs"),
        ("tracer.wrong-thread", ["passed", "skipped"], "not here"),
        ("tracer.wrong-thread", [], "not shown"),
    ],
)
def test_the_verdict_on_a_rule(rule: str, outcomes: list[str], verdict: str) -> None:
    row = row_of(rule, [played(lesson(rule, path=f"1{n}-x.md"), outcome) for n, outcome in enumerate(outcomes)])
    assert (row.verdict, row.says, row.level) == (verdict, RULES[rule].says, RULES[rule].level)
    assert [shown.path for shown in row.shown] == [f"1{n}-x.md" for n in range(len(outcomes))]


def test_two_steps_of_one_lesson_count_each() -> None:
    document = lesson("order.scan", "order.no-rotation", "order.scan")
    one = played(document, "passed", "failed", "passed")
    assert row_of("order.scan", [one]).verdict == "holds"
    assert row_of("order.no-rotation", [one]).verdict == "differs"
    two = played(document, "passed", "passed", "failed")
    assert row_of("order.scan", [two]).verdict == "differs"


def test_a_lesson_that_lacks_something_says_what() -> None:
    lack = Lack("root", "the user id is 1000", "run tracedbg as root")
    row = row_of("order.scan", [played(lesson("order.scan"), lacks=(lack,))])
    assert (row.verdict, row.shown[0].lacks) == ("not here", (lack,))


def test_a_step_that_was_not_reached_differs_with_the_reason() -> None:
    document = lesson("order.scan", "order.no-rotation")
    row = row_of("order.no-rotation", [played(document, "failed")])
    assert (row.verdict, row.shown[0].failures) == ("differs", (WRONG,))


def test_a_rule_that_is_not_in_the_catalogue_has_a_row_too() -> None:
    row = row_of("exit.late", [played(lesson("exit.late"), "passed")])
    assert (row.verdict, row.level, row.says) == ("holds", "", "so.")


def test_choosing_rules() -> None:
    known = list(RULES)
    assert checking.wanted_rules([], known) == known
    assert checking.wanted_rules(["order", "tracer.exitkill"], known) == ["tracer.exitkill", "order.scan", "order.no-rotation"]
    with pytest.raises(NotFound, match=r"there is no rule or chapter 'wakes'; chapters are tracer, wait, wake, order"):
        checking.wanted_rules(["wakes"], known)


# --- how it is shown (pure) ---------------------------------------------------------------------------------------------------
def report(*rows: Row) -> Conformance:
    return Conformance(HOST, rows, 12.34)


ROWS = (
    row_of("tracer.wrong-thread", [played(lesson("tracer.wrong-thread"), "passed")]),
    row_of("tracer.exclusive", [played(lesson("tracer.exclusive"), "failed")]),
    row_of("wake.order-lifo", [played(lesson("wake.order-lifo"), "skipped")]),
    row_of("wake.nothread-missed", [played(lesson("wake.nothread-missed"), "failed")]),
    row_of("order.scan", []),
)


def test_lines_for_people() -> None:
    lines = list(conformance.as_lines(report(*ROWS), 200))
    assert lines[0] == "Linux 6.18.0, x86_64, 2 CPUs, uid 0, tracedbg 0.1.0"
    assert lines[1:6] == [
        "",
        "tracer: The tracer is a thread",
        "  holds     tracer.wrong-thread",
        f"            {RULES['tracer.wrong-thread'].says}",
        "            | w1  ptrace(PTRACE_CONT, 7, 0, 0) = -1 ESRCH (No such process)",
    ]
    text = "\n".join(lines)
    assert "  DIFFERS   tracer.exclusive\n" in text
    assert "            - 10-x.md:9: expect w1 ptrace = 0\n            -   waited 5.0 s; closest event: 3 of 4 words\n" in text
    assert "            - needs tracefs: it is not mounted; mount it\n" in text
    assert "  varies    wake.nothread-missed\n" in text
    assert "            - no lesson shows it" in text
    assert lines[-1] == "1 hold, 1 differ, 1 not here, 1 vary, 1 not shown; Linux 6.18.0; 12.3 s"
    statements = [line for line in conformance.as_lines(report(*ROWS), 60) if re.match(r" {12}[^-| ]", line)]
    assert len(statements) > len(ROWS)
    assert max(map(len, statements)) <= 60


def test_json_is_ascii_and_holds_everything() -> None:
    data = conformance.as_json(report(*ROWS))
    assert data.isascii()
    found = json.loads(data)
    assert (found["format"], found["version"], found["host"]["kernel"]) == ("tracedbg-check", 1, "6.18.0")
    assert found["counts"] == {"holds": 1, "differs": 1, "not here": 1, "varies": 1, "not shown": 1}
    assert [row["verdict"] for row in found["rows"]] == ["holds", "differs", "not here", "varies", "not shown"]
    assert found["rows"][0]["shown"][0]["evidence"][0]["text"] == ESRCH.text
    assert found["rows"][1]["shown"][0]["failures"][0]["line"] == 9


def test_markdown_is_a_table_and_what_differs() -> None:
    lines = list(conformance.as_markdown(report(*ROWS)))
    assert lines[0] == "# Rules of tracing and waiting on Linux 6.18.0"
    row = next(line for line in lines if line.startswith("| `tracer.wrong-thread` |"))
    assert row.endswith("| holds | `w1: ptrace(PTRACE_CONT, 7, 0, 0) = -1 ESRCH (No such process)` |")
    assert "## `tracer.exclusive` differs" in lines
    assert "10-x.md:9: expect w1 ptrace = 0" in lines


@pytest.mark.parametrize(("rows", "status"), [(ROWS[:1], 0), (ROWS[2:], 0), (ROWS, 1)])
def test_only_a_difference_makes_the_status(rows: tuple[Row, ...], status: int) -> None:
    assert report(*rows).status == status


# --- the catalogue and what ships ---------------------------------------------------------------------------------------------
def test_the_catalogue() -> None:
    counted = Counter(rule.chapter for rule in RULES.values())
    first = {"tracer": 21, "wait": 13, "wake": 9, "order": 2}
    stops = {"status": 3, "stop": 8}
    dying = {"exit": 6, "orphan": 4, "sigchld": 4}
    signals_and_rights = {"signal": 4, "interrupt": 2, "rusage": 2, "args": 3, "perm": 3, "pidfd": 1}
    assert counted.items() >= {**first, **stops, **dying, **signals_and_rights}.items()
    assert list(dict.fromkeys(rule.chapter for rule in RULES.values())) == list(CHAPTERS)
    assert all(rule.says and not rule.says.endswith(".") and rule.says.isascii() for rule in RULES.values())
    may_vary = {rule.id for rule in RULES.values() if rule.may_vary}
    assert may_vary >= {"wake.nothread-missed", "wake.group-stop-missed", "exit.last-thread-code", "exit.eof-is-not-death"}
    assert all(rule.level != "core" for rule in RULES.values() if rule.may_vary)


def test_finding_a_lesson(tmp_path: Path) -> None:
    for name in ("00-tour.md", "12-one-stop.md", "notes.md"):
        (tmp_path / name).write_text("x")
    assert [path.name for path in shipped.lessons(tmp_path)] == ["00-tour.md", "12-one-stop.md"]
    for name in ("one-stop", "12-one-stop", "12"):
        assert shipped.find(name, tmp_path).name == "12-one-stop.md"
    assert shipped.find("./tour", tmp_path) == Path("./tour")
    assert shipped.find("x/y.md", tmp_path) == Path("x/y.md")
    with pytest.raises(NotFound, match="there is no lesson 'stop'; lessons are tour, one-stop"):
        shipped.find("stop", tmp_path)
    # Nothing is picked up from the working directory: a bare word is a shipped lesson or nothing.
    with pytest.raises(NotFound):
        shipped.find("notes", tmp_path)


def test_what_a_foreign_page_would_run() -> None:
    text = "# T\n\n```c tracee=x cflags=-pthread\nint main(void) { return 0; } // \x1b[2J\n```\n\n" + step(
        "thread w1", "launch ./x", "on w1 gettid", "on w1 fork p2", "r", "expect w1 gettid"
    )
    assert shipped.what_it_runs(parse(text, "x.md")) == [
        "x.md:3: compiles ./x (cc -pthread):",
        "    int main(void) { return 0; } // \\x1b[2J",
        "x.md:11: launch ./x",
        "x.md:13: on w1 fork p2",
        "x.md:14: r",
    ]
    assert not shipped.is_shipped(EXAMPLES[0])
    assert shipped.is_shipped(shipped.HOME / "00-tour.md")


# --- on this kernel -----------------------------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.needs("ptrace", "cc")
def test_the_examples_as_lessons(tmp_path: Path) -> None:
    false = tmp_path / "12-false.md"
    false.write_text(EXAMPLES[0].read_text().replace("stopped SIGTRAP", "stopped SIGSTOP within 0.2s"))
    found = check([*EXAMPLES, false], ["tracer.any-thread-waits", "tracer.wrong-thread", "wake.one-winner", "order"])
    rows = {row.rule: row for row in found.rows}
    assert {rule: row.verdict for rule, row in rows.items()} == {
        "tracer.any-thread-waits": "differs",
        "tracer.wrong-thread": "holds",
        "wake.one-winner": "holds",
        "order.scan": "not shown",
        "order.no-rotation": "not shown",
    }
    one, two = rows["tracer.any-thread-waits"].shown
    assert (one.verdict, two.verdict) == ("holds", "differs")
    assert (two.failures[0].line, two.failures[0].asked) == (23, "expect w1 wait4 = $tracee stopped SIGSTOP within 0.2s")
    key = rows["tracer.wrong-thread"].key
    assert key is not None
    assert key.text.endswith("= -1 ESRCH (No such process)")
    assert found.status == 1
    assert checking.host() == found.host
    assert found.host.kernel in next(conformance.as_lines(found, 80))


@pytest.mark.slow
@pytest.mark.needs("ptrace")
def test_litmus_counts(tmp_path: Path) -> None:
    path = tmp_path / "10-x.md"
    predict = "**Predict:** who?\n\n- `gettid` - one\n- `getppid` - other\n\n"
    text = page(
        step("thread w1 w2", name="Make"),
        step("on w1,w2 gettid", "expect <who:w1|w2> gettid = <tid:tid>", "expect repl never within 0.1s", name="Count", above=predict),
    )
    path.write_text(text.replace("## Count\n\n", "## Count\n\n**Rule** `wake.one-winner`: one wins.\n\n"))
    status, lines = command("litmus", f"{path}:count", "--runs", "4")
    assert status == 1
    assert lines[0].startswith(f"{path}: 4 runs on Linux ")
    assert "  promised by wake.one-winner: one wins." in lines
    assert "    4 of 4  expect <who:w1|w2> gettid = <tid:tid>" in lines
    assert "    0 of 4  expect repl never within 0.1s" in lines
    who = next(line for line in lines if line.startswith("    $who: "))
    assert sum(int(number) for number in re.findall(r"w[12] (\d+)", who)) == 4
    assert any(re.fullmatch(r"    \$tid: \d different values, such as \d+", line) for line in lines)
    assert "       4  gettid" in lines
    assert "       0  getppid" in lines
    assert any(line.startswith("  failed in 4 runs; the first time so:") for line in lines)
    with pytest.raises(NotFound, match=r"there is no step .counts. in .*; steps are make, count"):
        command("litmus", f"{path}:counts")


def test_a_bar_leaves_nothing_on_the_screen() -> None:
    out = io.StringIO()
    bar = checking._Bar(out, 2)
    bar.step()
    bar.clear()
    assert re.search(r"\[#{15} {15}\] 1 of 2 lessons", out.getvalue())
    assert out.getvalue().endswith("\r")
    assert out.getvalue().split("\r")[-2].strip() == ""
