"""A timeline in a browser: stepped through, asked, linked to, read aloud, on a telephone, on paper, without scripts, and hostile."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.visiting import PHONE, Browser, hidden_text, violations, wider_than_the_window
from tests.exports.sample import recording
from tests.exports.test_exports import EVIL
from tracedbg.eventlog.recordings import Recording, load
from tracedbg.exports.page import fragment, page
from tracedbg.exports.story import Question, tell
from tracedbg.walk import shipped
from tracedbg.walk.shipped import recording_of

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow]

DOCS = Path(__file__).resolve().parents[2] / "docs" / "TIMELINE.md"


@pytest.fixture(scope="module")
def tour() -> Recording:
    kept = recording_of("tour")
    assert kept is not None
    return load(str(kept))


@pytest.fixture(scope="module")
def path(tour: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("timeline") / "tour.html"
    path.write_text(page(tour), encoding="utf-8")
    return path


def asked(recording: Recording) -> list[Question]:
    return [item for section in tell(recording).sections for item in section.items if isinstance(item, Question)]


def place(page: Page) -> str:
    """The row that is marked: its id."""
    return page.locator("li.cur").get_attribute("id") or ""


# --- the five questions ---------------------------------------------------------------------------------------------------------
def section(page: Page, heading: str) -> Locator:
    return page.locator("section").filter(has=page.get_by_role("heading", name=heading))


def who_took_it(page: Page) -> None:
    row = section(page, "Three sleep, one is told").locator("li", has=page.locator(".g text.wake", has_text="takes")).first
    assert row.locator(".x b").inner_text() == "w1"
    assert re.search(r"stopped SIGTRAP PTRACE_EVENT_EXIT", row.locator("code.got").inner_text())


def who_slept_in_vain(page: Page) -> None:
    rows = section(page, "Three sleep, one is told").locator("li.r").filter(has_text=re.compile(r"woken \d+ in-vain \d+"))
    assert rows.locator(".x b").all_inner_texts() == ["w2", "w3"]
    rows.first.evaluate("(one) => { location.hash = one.id }")
    assert page.locator("#state").inner_text().endswith("w2, w3")


def why_refused(page: Page) -> None:
    where = section(page, "Who may command")
    row = where.locator("li", has=page.locator(".g text.refused"))
    assert (row.locator(".g text.refused").text_content(), row.locator(".x b").inner_text()) == ("ESRCH", "w1")
    assert "= -1 ESRCH" in row.locator("code.err").inner_text()
    assert "ptrace_check_attach" in (where.locator("details", has_text="Why?").last.text_content() or "")
    assert where.get_by_text("tracer.wrong-thread").is_visible()


def is_it_stopped(page: Page) -> None:
    rows = section(page, "Who may hear of it").locator("li[data-s]")
    rows.last.evaluate("(one) => { location.hash = one.id }")
    assert page.locator("#state").inner_text() == "At this row: tracee stopped"
    assert rows.last.locator(".g .st").count() == 1


def how_is_it_known(page: Page) -> None:
    row = section(page, "Three sleep, one is told").locator("li.r").filter(has_text="seen asleep").first
    assert re.search(r"/proc: state S, wchan do_wait", row.inner_text())
    assert row.locator(".g .seen").count() == 1


FIVE: dict[str, Callable[[Page], None]] = {
    "Who took the stop?": who_took_it,
    "Who slept in vain?": who_slept_in_vain,
    "Why was this refused?": why_refused,
    "Is the tracee stopped now?": is_it_stopped,
    "How is it known that a thread sleeps?": how_is_it_known,
}


# --- visits -----------------------------------------------------------------------------------------------------------------------
def test_a_timeline_is_stepped_through_asked_and_read(browser: Browser, path: Path, tour: Recording) -> None:
    first, second, *_ = asked(tour)
    with browser.visit(path, f"r{second.seq}") as page:
        # A link opens before the answer, not behind it.
        assert place(page) == f"r{second.seq}"
        assert page.locator(f"#r{second.seq}").is_visible()
        assert hidden_text(page, f"#r{second.seq} ~ li") != []
        page.evaluate(f"location.hash = 'r{first.seq}'")
        page.keyboard.press("End")
        assert place(page) == f"r{second.seq}", "what was linked to is not asked again; what comes later is"
        page.keyboard.press("k")
        page.get_by_role("button", name="back", exact=True).click()
        before = place(page)
        page.get_by_role("button", name="next", exact=True).click()
        page.keyboard.press("ArrowRight")
        assert place(page) == f"r{second.seq}" != before
        page.keyboard.press("j")
        assert place(page) == f"r{second.seq}", "the answer is not shown before the question is answered"
        assert "answer the question" in page.locator("#state").inner_text()
        page.locator(f"#r{second.seq} button").nth(second.right).click()
        assert page.locator(f"#r{second.seq} .verdict").inner_text().startswith("As you predicted")
        page.keyboard.press("j")
        assert place(page) != f"r{second.seq}"
        page.keyboard.press("Home")
        slider = page.get_by_role("slider", name="Row")
        slider.fill("3")
        assert page.locator("#pos").inner_text().startswith("4 / ")
        assert slider.get_attribute("aria-valuetext", timeout=1000).startswith("row 4 of ")  # type: ignore[union-attr]  # None fails
        slider.press("ArrowRight")
        assert page.locator("#pos").inner_text().startswith("5 / "), "the slider's own keys step once"
        page.locator("h1").click()
        page.keyboard.press("Escape")
        assert hidden_text(page, "ol.rows > li, section > h2") == []
        for look in FIVE.values():
            look(page)
            page.keyboard.press("Escape")
        page.set_viewport_size({"width": PHONE, "height": 800})
        assert wider_than_the_window(page) == []
        page.emulate_media(media="print")
        page.keyboard.press("Home")  # a question that is open hides nothing from paper
        assert hidden_text(page, "ol.rows > li, section > h2, .legend li") == []


def test_the_five_questions_are_those_that_the_docs_answer() -> None:
    assert re.findall(r"^### (.+)$", DOCS.read_text(encoding="utf-8"), re.MULTILINE) == list(FIVE)


def test_it_can_be_read_aloud_in_both_themes(browser: Browser, path: Path) -> None:
    small = path.with_name("sample.html")  # of everything a little; the long test has every lesson
    small.write_text(page(recording()), encoding="utf-8")
    with browser.visit(small) as visited:
        assert violations(visited) == []


def test_without_scripts_everything_is_there(browser: Browser, path: Path) -> None:
    with browser.visit(path, scripts=False) as page:
        assert page.get_by_role("button").count() == 0, "what needs a script is not shown"
        assert hidden_text(page, "ol.rows > li, section > h2, .ask li") == []


def test_nothing_hostile_runs_and_two_fragments_share_a_page(browser: Browser, path: Path, tour: Recording) -> None:
    evil = path.with_name("evil.html")
    evil.write_text(page(EVIL), encoding="utf-8")
    with browser.visit(evil) as visited:
        visited.keyboard.press("Escape")
        assert visited.locator("main a[href^=javascript], main img, main script").count() == 0
        assert "<script>" in visited.locator("main").inner_text()
    host = path.with_name("host.html")
    own = "<style>p { color: rgb(1, 2, 3) } .r, .x, .ask { color: rgb(9, 9, 9) }</style><p id=mine>mine</p><nav>own</nav>"
    head = '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Host</title>'
    host.write_text(f"{head}<h1>Host</h1>{own}{fragment(tour)}{fragment(EVIL)}", encoding="utf-8")
    with browser.visit(host) as visited:
        assert visited.locator(".tdbg").count() == 2
        assert visited.locator("#mine").evaluate("(one) => getComputedStyle(one).color") == "rgb(1, 2, 3)"
        assert visited.locator("nav").evaluate("(one) => getComputedStyle(one).position") == "static"
        assert visited.locator(".tdbg [id], .tdbg script").count() == 0
        assert hidden_text(visited, ".tdbg ol.rows > li") == []


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("lesson", [shipped.name_of(each) for each in shipped.lessons()])
def test_every_lesson_is_gone_through_to_its_end(browser: Browser, lesson: str, tmp_path: Path) -> None:
    kept = recording_of(lesson)
    assert kept is not None
    played = load(str(kept))
    file = tmp_path / f"{lesson}.html"
    file.write_text(page(played), encoding="utf-8")
    with browser.visit(file) as visited:
        for question in asked(played):
            visited.keyboard.press("End")
            assert place(visited) == f"r{question.seq}"
            visited.locator(f"#r{question.seq} button").first.click()
        visited.keyboard.press("End")
        assert hidden_text(visited, "ol.rows > li, section > h2") == []
        number, count = visited.locator("#pos").inner_text().split(" / ")
        assert number == count
        assert violations(visited) == []
        visited.set_viewport_size({"width": PHONE, "height": 800})
        assert wider_than_the_window(visited) == []
