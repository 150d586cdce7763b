"""The lessons as a course: parts, levels, what was played, what comes next."""

from __future__ import annotations

from pathlib import Path

from tracedbg.walk import course
from tracedbg.walk.learning_progress import Mark, Progress, digest_to
from tracedbg.walk.outline import Outline, outline
from tracedbg.walk.reading import read
from tracedbg.walk.shipped import lessons, name_of


def test_every_lesson_belongs_to_a_part() -> None:
    found = lessons()
    assert [path for _, paths in course.grouped(found) for path in paths] == found
    assert course.part_of(found[0]) == "Begin here"
    assert list(course.PARTS) == sorted(course.PARTS)


def test_a_lesson_is_as_deep_as_its_easiest_rule() -> None:
    def level(*rules: str) -> str:
        return course.level_of(Outline("x.md", "Title", (), rules))

    assert level("wake.order-lifo", "wake.one-winner") == "core"
    assert level("wake.order-lifo", "wake.coarse-filter") == "deep"
    assert level("wake.order-lifo") == "expert"


def test_an_outline_says_what_reading_says() -> None:
    for path in (*FEW, *sorted(Path(__file__).parent.glob("1*.md"))):
        page, seen = read(path), outline(path)
        assert seen == Outline(
            str(path), page.title, tuple(each.slug for each in page.steps), tuple(r for s in page.steps for r in s.rules)
        )


FEW = [path for path in lessons() if path.name[:2] in ("01", "10", "12", "24", "30")]


def test_the_list_knows_what_was_played_and_what_is_next(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "lessons.json")
    tour, who, deep, expert, asleep = FEW
    lines = course.listed(progress, 80, FEW)
    assert lines[-1] == "Next: tracedbg learn tour"
    assert max(map(len, lines)) < 80
    assert "played, 0 of 5." in " ".join(lines)
    assert [line[:3] for line in lines if line[3:].split(" ")[0] in (name_of(path) for path in FEW)] == ["   ", "   ", " + ", " ! ", "   "]
    for path in (tour, asleep):
        page = read(path)
        slug = page.steps[0].slug
        progress.note(page, Mark(slug, digest_to(page, slug), done=path == tour))
    lines = course.listed(progress, 80, FEW)
    assert any(line.startswith("*  tour ") for line in lines)
    assert "(step 2 of" in " ".join(lines)
    # What was begun comes before what was not, and what goes deep comes last.
    assert lines[-1] == f"Next: tracedbg learn {name_of(asleep)}"
    for path, following in ((asleep, who), (who, deep), (deep, expert)):
        progress.note(read(path), Mark("x", "", done=True))
        assert course.listed(progress, 80, FEW)[-1] == f"Next: tracedbg learn {name_of(following)}"
    progress.note(read(expert), Mark("x", "", done=True))
    assert "Next" not in course.listed(progress, 80, FEW)[-1]
