"""A handout in a browser and on paper: nothing runs, everything is there, and no answer stands on the sheet of a question."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.visiting import PHONE, Browser, hidden_text, violations, wider_than_the_window
from tests.exports.sample import recording
from tests.exports.test_exports import EVIL
from tracedbg.eventlog.recordings import load
from tracedbg.exports.forms import text_of
from tracedbg.walk.shipped import recording_of

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow]

_TOPS = """() => ({answers: document.querySelector(".answers").getBoundingClientRect().top,
    asked: [...document.querySelectorAll(".ask")].map((one) => one.getBoundingClientRect().bottom)})"""


def test_a_handout_is_read_on_screen_and_on_paper(browser: Browser, tmp_path: Path) -> None:
    kept = recording_of("tour")
    assert kept is not None
    path = tmp_path / "handout.html"
    path.write_text(text_of("handout", load(str(kept))), encoding="utf-8")
    with browser.visit(path, scripts=True) as page:
        assert violations(page) == []
        assert page.locator(".ask").count() == page.locator(".answer").count() > 3
        page.set_viewport_size({"width": PHONE, "height": 800})
        assert wider_than_the_window(page) == []
        page.emulate_media(media="print")
        assert hidden_text(page, ".ask, .answer, pre, p, .line") == []
        tops = page.evaluate(_TOPS)
        assert all(bottom <= tops["answers"] for bottom in tops["asked"])
        assert page.locator(".answers").evaluate("(one) => getComputedStyle(one).breakBefore") == "page"


def test_a_hostile_handout_is_only_text(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "evil.html"
    for one in (EVIL, recording()):
        path.write_text(text_of("handout", one), encoding="utf-8")
        with browser.visit(path) as page:
            assert page.locator("script, img, a, iframe, [onerror]").count() == 0
            assert page.locator(".choices li").count() == 2
