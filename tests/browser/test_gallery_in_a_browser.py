"""The site of all lessons in a browser: found by words, read without scripts, by ear, on a phone and on paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.visiting import PHONE, Browser, hidden_text, violations, wider_than_the_window
from tracedbg.eventlog.recordings import load
from tracedbg.walk import exhibits
from tracedbg.walk.gallery_page import front_page

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow]


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The front page over a few lessons."""
    few = exhibits.shipped_recordings()[:4]
    shown = [exhibits.exhibit(page.stem, load(str(path)), "", page) for page, path in few]
    path = tmp_path_factory.mktemp("site") / "index.html"
    path.write_text(front_page("Lessons", shown, "0", {}), encoding="utf-8")
    return path


def test_the_front_page_finds_places_by_words_and_serves_everyone(browser: Browser, front: Path) -> None:
    with browser.visit(front) as page:
        page.keyboard.press("Tab")
        page.get_by_role("searchbox", name="Search in all lessons").fill("wait4 ECHILD")
        assert "place" in page.locator("#said").inner_text()
        first = page.locator("#found a").first
        assert first.get_attribute("href", timeout=1000).startswith("lessons/")  # type: ignore[union-attr]  # None fails here
        page.keyboard.press("Escape")
        assert page.locator("#found a").count() == 0
        assert violations(page) == []
        page.set_viewport_size({"width": PHONE, "height": 800})
        assert wider_than_the_window(page) == []
        page.emulate_media(media="print")
        assert hidden_text(page, "main h2, main h3, main h4, main dd, .lessons > li, .questions > li") == []


def test_the_front_page_is_whole_without_scripts(browser: Browser, front: Path) -> None:
    with browser.visit(front, scripts=False) as page:
        assert page.get_by_role("searchbox").count() == 0, "what needs a script is not shown"
        assert page.locator("main a").count() > 50
