"""From text to a walkthrough: what a page holds, and every way in which one can be wrong, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests import odd
from tracedbg.walk.document import Block, Details, Prediction, Problem, Prose, Rules, TraceeSource, WrongFile
from tracedbg.walk.pieces import slug_of
from tracedbg.walk.reading import parse, read

HERE = Path(__file__).parent
EXAMPLES = [HERE / "10-whose-tracee.md", HERE / "11-one-stop.md"]

HEAD = "# Title\n\n## Step\n\n"
BLOCK = "```tracedbg\nthread w1\nexpect w1 x\n```\n"


def test_the_first_example_is_read_whole() -> None:
    page = read(EXAMPLES[0])
    assert (page.title, page.needs, page.timeout) == ("ptrace belongs to a thread, wait4 to the process", ("ptrace",), 60.0)
    assert [step.slug for step in page.steps] == [
        "a-stop-anyone-can-collect",
        "a-command-only-the-tracer-may-give",
        "both-at-work",
        "try-it-yourself",
    ]
    first, second, *_ = page.steps
    assert [type(part) for part in second.parts] == [Rules, Prediction, Block, Details]
    assert second.rules == ("tracer.wrong-thread",)
    assert first.blocks[0].line == 19
    begin = first.blocks[0].lines[0]
    assert (begin.line, begin.text) == (20, "thread w1")
    prediction = second.parts[1]
    assert isinstance(prediction, Prediction)
    assert prediction.question.startswith("`w1` has just learned")
    assert [(choice.pattern, choice.line) for choice in prediction.choices] == [("= 0", 35), ("EPERM", 36), ("ESRCH", 37)]
    assert prediction.choices[0].reason == "it knows the tracee, so it may command it"
    why = second.parts[3]
    assert isinstance(why, Details)
    assert (why.summary, why.kind) == ("Why?", "why")
    assert why.text.startswith("The kernel compares")
    assert why.text.endswith("it is still stopped.")
    rule = first.parts[0]
    assert isinstance(rule, Rules)
    assert rule.statement.startswith("although only one thread")


def test_a_compiled_tracee_needs_a_compiler() -> None:
    page = read(EXAMPLES[1])
    assert page.needs == ("ptrace", "cc")
    (nap,) = page.tracees
    assert (nap.name, nap.line, nap.cflags) == ("nap", 9, ())
    assert nap.source.startswith("#include <signal.h>\n")
    assert isinstance(page.intro[0], Prose)
    assert isinstance(page.intro[1], TraceeSource)
    thinking = page.steps[1].parts[0]
    assert isinstance(thinking, Prediction)
    assert not thinking.judged
    assert [choice.reason for choice in thinking.choices] == ["none of them", "exactly one", "both"]


def test_lines_in_lists_and_quotes_are_prose() -> None:
    page = parse(HEAD + BLOCK + "\n> ```tracedbg\n> nonsense here\n> ```\n\n- ```c tracee=x\n  y\n  ```\n\n    indented\n", "x.md")
    assert [type(part) for part in page.steps[0].parts] == [Block, Prose]
    assert not page.tracees


def test_front_matter() -> None:
    page = parse("---\nneeds: [ptrace, yama<=1, kernel>=5.3, arch=x86_64]\ntimeout: 2.5\nformat: 1\n---\n" + HEAD + BLOCK, "x.md")
    assert page.needs == ("ptrace", "yama<=1", "kernel>=5.3", "arch=x86_64")
    assert page.timeout == 2.5
    assert page.steps[0].line == 8
    assert parse("---\nneeds: ptrace\n---\n" + HEAD + BLOCK, "x.md").needs == ("ptrace",)
    assert parse("---\nneeds: []\n---\n" + HEAD + BLOCK, "x.md").needs == ()


def test_options_of_blocks() -> None:
    text = "# T\n\n```c tracee=a cflags=-pthread cflags=-O2\nint main;\n```\n\n## S\n\n"
    text += "```tracedbg needs=tracefs,root\nthread w1 # made\n\n# only a comment\n```\n"
    page = parse(text, "x.md")
    assert page.tracees[0].cflags == ("-pthread", "-O2")
    block = page.steps[0].blocks[0]
    assert block.needs == ("tracefs", "root")
    assert [(line.line, line.text) for line in block.lines] == [(10, "thread w1 # made")]
    assert page.all_needs == ("cc", "tracefs", "root")


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("A stop anyone can collect", "a-stop-anyone-can-collect"),
        ("`wait4`: who's first?", "wait4-whos-first"),
        ("Two  words - and_more", "two--words---and_more"),
    ],
)
def test_slugs_are_those_of_code_hosts(title: str, slug: str) -> None:
    assert slug_of(title.replace("`", "")) == slug


def step(text: str) -> str:
    """A page with one step; `text` begins on line 5."""
    return HEAD + text


PREDICT = "**Predict:** what?\n\n- `= 0` - yes\n- `= 1` - no\n\n"

WRONG = {
    # front matter
    "unknown key": ("---\nneed: [cc]\n---\n" + HEAD + BLOCK, "2:1: unknown key need; keys are needs, timeout and format"),
    "no end": ("---\nneeds: [cc]\n", "1:1: the front matter has no end"),
    "no pair": ("---\n- a\n---\n" + HEAD + BLOCK, "2:1: this is no line of front matter"),
    "unknown need": ("---\nneeds: [cc, magic]\n---\n" + HEAD + BLOCK, "2:8: unknown need 'magic'; needs are ptrace, cc, root,"),
    "empty need": ("---\nneeds: [cc, ]\n---\n" + HEAD + BLOCK, "2:8: a need without a name"),
    "bad time": ("---\ntimeout: soon\n---\n" + HEAD + BLOCK, "2:10: 'soon' is no time limit"),
    "zero time": ("---\ntimeout: 0\n---\n" + HEAD + BLOCK, "2:10: '0' is no time limit"),
    "newer": ("---\nformat: 2\n---\n" + HEAD + BLOCK, "2:9: this page has format 2, newer than 1"),
    "no version": ("---\nformat: x\n---\n" + HEAD + BLOCK, "2:9: 'x' is no version of the format"),
    "twice": ("---\ntimeout: 1\ntimeout: 2\n---\n" + HEAD + BLOCK, "3:1: timeout stands twice"),
    # headings
    "no title": ("## Step\n\n" + BLOCK, "1:1: a step before the title"),
    "empty page": ("", "1:1: the page has no title"),
    "no step": ("# Title\n\nWords.\n", "1:1: the page has no step"),
    "second title": (step(BLOCK) + "\n# Again\n", "10:1: a second title"),
    "same step": (step(BLOCK) + "\n## step!\n", "10:1: a second step called 'step'; the first is on line 3"),
    "nameless step": (step(BLOCK) + "\n## ...\n", "10:1: a step without a name"),
    # blocks
    "option": (step("```tracedbg need=cc\nthread w1\n```\n"), "5:13: a tracedbg block has no option 'need=cc'"),
    "block need": (step("```tracedbg needs=luck\nthread w1\n```\n"), "5:19: unknown need 'luck'"),
    "case": (step("```TraceDBG\nthread w1\n```\n"), "5:4: 'TraceDBG' is no kind of block; write ```tracedbg"),
    "open block": (step("```tracedbg\nthread w1\n"), "5:1: the block has no end; close it with ```"),
    "empty block": (step("```tracedbg\n# nothing\n```\n"), "5:1: an empty block"),
    "block above": ("# Title\n\n" + BLOCK + "\n## Step\n", "3:1: a block outside of a step"),
    "tracee option": (step("```c tracee=x std=c99\nint main;\n```\n"), "5:15: a c block has no option 'std=c99'"),
    "tracee flag": (step("```c tracee=x cflags=pthread\nint main;\n```\n"), "5:15: a c block has no option 'cflags=pthread'"),
    "tracee name": (step("```c tracee=../x\nint main;\n```\n"), "5:6: '../x' cannot name a program"),
    "tracee nameless": (step("```c cflags=-g\nint main;\n```\n"), "5:1: a c block with options needs a name"),
    "tracee twice": (
        step("```c tracee=x\nint main;\n```\n\n```c tracee=x\nint main;\n```\n"),
        "9:1: a second program called x; the first is on line 5",
    ),
    # lines
    "unknown command": (step("```tracedbg\nbrek main\n```\n"), '6:1: Undefined command: "brek"; perhaps break'),
    "no lane": (step("```tracedbg\nexpect w1\n```\n"), "6:10: a pattern needs a lane and at least one word"),
    "bad shape": (step("```tracedbg\nexpect w1 = <pit>\n```\n"), "6:13: <pit> is no shape"),
    "bad time of a line": (step("```tracedbg\nexpect w1 x within soon\n```\n"), "6:20: 'soon' is not a time"),
    "quote": (step('```tracedbg\necho "open\n```\n'), "6:6: a double quote has no end"),
    "background": (step("```tracedbg\nexpect w1 x &\n```\n"), "6:12: expect cannot run in the background"),
    "quit": (step("```tracedbg\nquit\n```\n"), "6:1: 'quit' has no place in a walkthrough"),
    "indented": (step("  ```tracedbg\n  expect w1\n  ```\n"), "6:12: a pattern needs a lane"),
    # predictions
    "no choices": (step("**Predict:** what?\n\nWords.\n\n" + BLOCK), "5:1: a prediction without choices"),
    "one choice": (step("**Predict:** what?\n\n- `= 0` yes\n\n" + BLOCK), "7:1: a prediction with one choice"),
    "no block": (step(PREDICT), "5:1: a prediction without a block"),
    "block elsewhere": (step(PREDICT + "## Next\n\n" + BLOCK), "5:1: a prediction without a block"),
    "nothing asked": (step(PREDICT + "```tracedbg\nthread w1\n```\n"), "5:1: no expectation answers it: the block on line 10 has none"),
    "asked not": (step(PREDICT + "```tracedbg\nexpect not w1 x\n```\n"), "5:1: 'expect not w1 x' cannot answer it: it matches no event"),
    "same choices": (step(PREDICT.replace("= 1", "= 0") + BLOCK), "8:1: `= 0` is also the choice on line 7"),
    "choice sets": (step(PREDICT.replace("= 1", "<x:pid>") + BLOCK), "8:1: the choice sets $x"),
    "choice shape": (step(PREDICT.replace("= 1", "<pit>") + BLOCK), "8:1: <pit> is no shape"),
    "long choice": (step("**Predict:** what?\n\n- a\n\n  b\n- c\n\n" + BLOCK), "7:1: a choice is one paragraph"),
    "other spelling": (
        step("**Prediction:** what?\n\n- a\n- b\n\n" + BLOCK),
        "5:1: **Prediction:** begins no prediction; write **Predict:**",
    ),
    "asked above": ("# T\n\n" + PREDICT + "## Step\n\n" + BLOCK, "3:1: a prediction outside of a step"),
    # rules
    "no rule": (step("**Rule:** x\n\n" + BLOCK), "5:1: this is no rule; write **Rule** `id`: statement"),
    "no id": (step("**Rule** x.y: z\n\n" + BLOCK), "5:1: this is no rule"),
    "bad id": (step("**Rule** `Wake`: z\n\n" + BLOCK), "5:11: 'Wake' is no name of a rule"),
    "no statement": (step("**Rule** `a.b`:\n\n" + BLOCK), "5:1: a rule without a statement"),
    "not shown": (step("**Rule** `a.b`: c\n\n```tracedbg\nthread w1\n```\n"), "5:1: nothing in this step shows the rule"),
    "rule above": ("# T\n\n**Rule** `a.b`: c\n\n## Step\n\n" + BLOCK, "3:1: a rule outside of a step"),
    # HTML
    "inline": (step(BLOCK + "\nSome <b>bold</b>.\n"), "10:6: raw HTML: <b>"),
    "comment": (step(BLOCK + "\n<!-- hidden -->\n"), "10:1: raw HTML: <!-- hidden -->"),
    "in a list": (step(BLOCK + "\n- a <br> b\n"), "10:5: raw HTML: <br>"),
    "in a choice": (step(PREDICT.replace("yes", "<i>yes</i>") + BLOCK), "7:11: raw HTML: <i>"),
    "open details": (step(BLOCK + "\n<details><summary>Why?</summary>\n\nx\n"), "10:1: <details> without its end"),
    "stray end": (step(BLOCK + "\n</details>\n"), "10:1: </details> without its beginning"),
    "no summary": (step(BLOCK + "\n<details>\n\nx\n\n</details>\n"), "10:1: this is not how <details> begins"),
    "nested": (
        step(BLOCK + "\n<details><summary>A</summary>\n\n<details><summary>B</summary>\n\nx\n\n</details>\n"),
        "12:1: <details> inside <details>",
    ),
    "empty details": (step(BLOCK + "\n<details><summary>A</summary>\n\n</details>\n"), "10:1: an empty <details>"),
    "hidden block": (step(BLOCK + "\n<details><summary>A</summary>\n\n" + BLOCK + "\n</details>\n"), "12:1: a hidden block"),
    "hidden step": (step(BLOCK + "\n<details><summary>A</summary>\n\n## B\n\n</details>\n"), "12:1: a step inside <details>"),
    "html inside": (step(BLOCK + "\n<details><summary>A</summary>\n\n<hr>\n\n</details>\n"), "12:1: raw HTML: <hr>"),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_wrong_page_says_where_and_what(name: str) -> None:
    text, expected = WRONG[name]
    with pytest.raises(WrongFile) as found:
        parse(text, "x.md")
    assert any(str(line).startswith(f"x.md:{expected}") for line in found.value.lines), "\n".join(found.value.lines)
    assert str(found.value) == found.value.lines[0]


def test_all_problems_come_at_once_in_order() -> None:
    with pytest.raises(WrongFile) as found:
        parse("---\nx: y\n---\n# T <b>\n\n```tracedbg\nexpect\n```\n", "x.md")
    places = [tuple(map(int, str(line).split(":")[1:3])) for line in found.value.lines]
    assert places == sorted(places)
    assert len(places) == 5


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(WrongFile, match="cannot be read: No such file"):
        read(tmp_path / "none.md")
    binary = tmp_path / "b.md"
    binary.write_bytes(b"# T\nab\xff\n")
    with pytest.raises(WrongFile) as found:
        read(binary)
    assert str(found.value).endswith(":2:3: this is not UTF-8; save the file as UTF-8")
    large = tmp_path / "l.md"
    large.write_bytes(b"x" * ((1 << 20) + 1))
    with pytest.raises(WrongFile, match="too large"):
        read(large)


def test_control_characters_in_messages_are_visible() -> None:
    with pytest.raises(WrongFile) as found:
        parse("# T\n\n## S\n\n```tracedbg\n\x1b[31mred\n```\n", "x\x1b.md")
    assert all(line.isprintable() for line in found.value.lines)
    assert "\\x1b" in str(found.value)


# --- fuzz ---------------------------------------------------------------------------------------------------------------------
_LINES = st.sampled_from(
    [
        "---", "needs: [ptrace]", "timeout: 5", "# Title", "## Step", "## Other", "Words `code` <b>.", "**Rule** `a.b`: c",
        "**Predict:** what?", "- `= 0` - why", "- other", "1. `<pid>`", "```tracedbg", "```tracedbg needs=cc", "```c tracee=x cflags=-g",
        "```", "~~~", "    ", "", "expect w1 x", "then not * y within 1s", "thread w1", "on w1 wait4 -1 &", "</details>", "> quote",
        "<details><summary>Why?</summary>", "on", '"', "expect <a:b|c> /x(/", "===", "[a]: b", "\t- x", "![i](j)", "&amp;", "\\", "\x00",
        "\u2028", "**Rule**", "`", "****",
    ]
)  # fmt: skip


def _document_or_problems(text: str) -> None:
    problems: tuple[Problem, ...] | None = None
    page = None
    try:
        page = parse(text, "f.md")
    except WrongFile as error:
        problems = error.problems
    if page is None:
        assert problems
        assert all(problem.line >= 0 and problem.column >= 0 and problem.what for problem in problems)
        assert all(problem.line <= text.count("\n") + text.count("\r") + 1 for problem in problems)
        return
    assert page.title is not None
    assert page.steps
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for block in page.blocks():
        for line in block.lines:
            assert line.text.strip() in lines[line.line - 1].replace("\x00", "\ufffd")


@given(st.lists(_LINES, max_size=40))
@example(["# T", "## S", "```tracedbg", "thread w1", "```"])
def test_any_lines_give_a_page_or_problems(lines: list[str]) -> None:
    _document_or_problems("\n".join(lines))


@given(odd.text(max_size=300))
def test_any_text_gives_a_page_or_problems(text: str) -> None:
    _document_or_problems(text)


@given(st.data())
def test_a_damaged_page_gives_a_page_or_problems(data: st.DataObject) -> None:
    text = EXAMPLES[data.draw(st.integers(0, 1))].read_text()
    for _ in range(data.draw(st.integers(1, 4))):
        at, size = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 40))
        text = text[:at] + data.draw(odd.text(max_size=5)) + text[at + size :]
    _document_or_problems(text)
