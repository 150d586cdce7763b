"""One browser for the tests of this folder; it ends with them, so that no test that traces meets a child which is not its own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests import hostneeds, leftovers
from tests.browser.visiting import Browser


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Headless Chromium, driven by Playwright; nothing is downloaded."""
    from playwright.sync_api import sync_playwright  # late: without the extra `browser` the tests are skipped, with the reason

    before = leftovers.belongings()
    with sync_playwright() as playwright:
        # Root has no user namespaces to give away: Chromium refuses to start its sandbox there (and says so).
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        chromium = playwright.chromium.launch(executable_path=hostneeds.chromium(), args=[*sandbox, "--disable-dev-shm-usage"])
        yield Browser(chromium)
        chromium.close()
    # Zygotes that outlive it are adopted by this process, which is a subreaper: they must be gone before the next test waits for -1.
    left = [each for each in leftovers.left_behind(before) if each.startswith("process")]
    assert left == []
