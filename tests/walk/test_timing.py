"""Minutes of a page: what is counted, what is not, and what playing adds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.walk.pages import command, page, step
from tracedbg.walk.reading import parse
from tracedbg.walk.timing import measured, table, times_of

ASK = "**Predict:** what comes?\n\n- `= 0` - yes\n- `= -1` - no\n\n"
WHY = "<details><summary>Why?</summary>\n\n" + "word " * 120 + "\n\n</details>\n\n"
NOTES = "<details><summary>Notes</summary>\n\n" + "word " * 500 + "\n\n</details>\n\n"
HINT = NOTES.replace("Notes", "Hint")
ONE = step(
    "thread w1",
    "on w1 gettid",
    "expect w1 gettid = <tid>",
    "expect not w1 gettid within 0.3s",
    name="One",
    above=ASK.replace("= -1", "= 1"),
)
TEXT = page(
    step("thread w1", "on w1 gettid", "expect w1 gettid = <tid>", name="One"), "## Two\n\n" + "word " * 120 + "\n\n" + WHY + NOTES + HINT
)


def test_what_is_counted() -> None:
    """Prose and explanations are said; notes and hints are not; a question and a block have a time of their own."""
    title, one, two = times_of(parse(TEXT, "x.md"))
    assert (title.heading, title.words, title.presented) == ("Title", 1, 1 / 120)
    assert (one.blocks, one.predictions, one.notes) == (1, 0, False)
    assert (two.words, two.blocks, two.notes) == (241, 0, True)
    assert two.presented == pytest.approx(241 / 120)
    assert two.alone == pytest.approx(241 / 200)
    asked = times_of(parse(page(ONE), "x.md"))[1]
    assert asked.predictions == 1
    assert asked.presented > one.presented + 2


def test_the_table(tmp_path: Path) -> None:
    path = tmp_path / "10-mine.md"
    path.write_text(TEXT)
    status, lines = command("lint", "--timing", path)
    assert status == 0
    assert lines[0] == f"{path}: 2 steps, 1 blocks"
    assert [line.split()[5] for line in lines[3:6]] == ["missing", "missing", "yes"]
    assert lines[-1].split()[:2] == ["1:28", "2:32"], lines
    assert lines[-1].endswith("2 of 3 without notes")


@pytest.mark.needs("ptrace")
@pytest.mark.slow
def test_playing_adds_what_the_blocks_take() -> None:
    """A line that has to see that nothing comes takes its time; the table says how long that was."""
    document = parse(page(step("thread w1", "expect not w1 asleep within 0.3s", name="One"), step("thread w2", name="Two")), "x.md")
    played = measured(document)
    assert played["one"] >= 0.3 > played["two"] > 0
    assert "(played in 0." in "\n".join(table(times_of(document, played)))
