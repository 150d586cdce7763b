"""The timeline of a lesson in a browser: stepped by keys and buttons, stopped by its questions, opened at one, and whole on paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.visiting import PHONE, Browser, hidden_text, violations, wider_than_the_window
from tests.exports.test_exports import EVIL
from tracedbg.eventlog.recordings import load
from tracedbg.exports.forms import text_of
from tracedbg.walk.shipped import recording_of

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow]


def test_a_timeline_waits_for_each_prediction(browser: Browser, tmp_path: Path) -> None:
    kept = recording_of("tour")
    assert kept is not None
    path = tmp_path / "timeline.html"
    path.write_text(text_of("html", load(str(kept))), encoding="utf-8")
    with browser.visit(path) as page:
        where, current = page.locator("#pos"), page.locator("li[aria-current=step]")
        assert where.inner_text().startswith("1 / ")
        page.keyboard.press("j")
        page.locator("#next").click()
        assert where.inner_text().startswith("3 / ")
        page.keyboard.press("k")
        assert where.inner_text().startswith("2 / ")
        page.keyboard.press("End")
        asked = page.locator("li[data-ask]")
        assert current.get_attribute("id") == asked.first.get_attribute("id"), "nothing behind a question is shown before it is answered"
        asked.first.locator("button").first.click()
        assert asked.first.locator(".verdict").inner_text() != ""
        page.keyboard.press("j")
        assert current.get_attribute("id") != asked.first.get_attribute("id")
        last = asked.last.get_attribute("id")
        page.evaluate("place => { location.hash = place }", last)
        page.locator(f"#{last}[aria-current=step]").wait_for()
        page.keyboard.press("j")
        assert current.get_attribute("id") == last, "a link to a question opens paused at it"
        page.keyboard.press("Escape")
        assert violations(page) == []
        page.set_viewport_size({"width": PHONE, "height": 800})
        assert wider_than_the_window(page) == []


def test_a_timeline_is_whole_without_scripts_and_harmless(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "evil.html"
    path.write_text(text_of("html", EVIL), encoding="utf-8")
    with browser.visit(path, scripts=False) as page:
        assert hidden_text(page, "ol.rows > li") == []
        assert page.locator("#next").is_hidden()
    with browser.visit(path) as page:
        assert page.locator("img, iframe, body a[href^=javascript]").count() == 0
        page.keyboard.press("Escape")
        page.emulate_media(media="print")
        assert hidden_text(page, "ol.rows > li") == []
