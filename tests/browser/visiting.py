"""A visit to a page: what the browser complained about, what wanted to leave, what assistive technology would stumble over.

Used by the tests of this folder only.  A page is a file; nothing but that file may be asked for.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import ConsoleMessage, Page, Route

THEMES = ("light", "dark")
PHONE = 390
"""CSS pixels of the width of a telephone."""
DEADLINE = 20_000
"""Milliseconds; exists to fail."""


class Browser:
    """Opens pages, each as a person without history would.

    Args:
        chromium: as Playwright drives it.
    """

    def __init__(self, chromium: Chromium) -> None:
        self._chromium = chromium

    @contextlib.contextmanager
    def visit(self, path: Path, place: str = "", *, scripts: bool = True, width: int = 1280, theme: str = "light") -> Iterator[Page]:
        """Open a file; fails behind the block if the browser complained about anything, or asked for anything else.

        Args:
            path: of the page.
            place: what stands behind ``#`` in the address.
            scripts: false for a browser in which they are off.
            width: of the window, CSS pixels.
            theme: which the system of the visitor asks for.
        """
        complaints: list[str] = []
        here = path.resolve().as_uri()
        context = self._chromium.new_context(
            java_script_enabled=scripts,
            viewport={"width": width, "height": 800},
            color_scheme="dark" if theme == "dark" else "light",
            reduced_motion="reduce",
            offline=False,  # what wants to leave must be seen to want it
        )
        context.set_default_timeout(DEADLINE)

        def only_here(route: Route) -> None:
            url = route.request.url.partition("#")[0]
            if url == here:
                route.continue_()
            else:
                complaints.append(f"asks for {url}")
                route.abort()

        def heard(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning", "assert"):
                complaints.append(f"{message.type}: {message.text}")

        context.route("**/*", only_here)
        page = context.new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(f"uncaught: {error}"))
        page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        context.on("page", lambda other: complaints.append(f"opens a window: {other.url}"))
        try:
            page.goto(here + (f"#{place}" if place else ""))
            yield page
        finally:
            context.close()
        assert complaints == []


@functools.cache
def _axe() -> str:
    spec = importlib.util.find_spec("axe_playwright_python")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).with_name("axe.min.js").read_text(encoding="utf-8")


_RUN = """async () => (await axe.run(document, {resultTypes: ["violations"], ...%s})).violations.map((broken) =>
    `${broken.id} (${broken.impact}): ` + broken.nodes.slice(0, 3).map((node) =>
        node.html.slice(0, 120) + " | " + node.any.map((one) => one.message).join("; ")).join(" || "))"""


_ONLY_COLOURS = '{runOnly: ["color-contrast"]}'


def violations(page: Page) -> list[str]:
    """What axe finds in a page, in both themes: a line for each rule that it breaks.  Only colours depend on the theme."""
    found: list[str] = []
    page.evaluate(_axe())
    for theme in THEMES:
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        found += [f"{theme}: {line}" for line in page.evaluate(_RUN % ("{}" if theme == "light" else _ONLY_COLOURS))]
    return found


def wider_than_the_window(page: Page) -> list[str]:
    """What makes a page scroll sideways: empty if it does not."""
    if page.evaluate("document.scrollingElement.scrollWidth <= document.scrollingElement.clientWidth"):
        return []
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
            .slice(0, 5).map((e) => e.outerHTML.slice(0, 120))"""
    )
    return found or ["something that no element is"]


def hidden_text(page: Page, selector: str) -> list[str]:
    """The beginning of the text of each element there that nobody can see now."""
    found: list[str] = page.locator(selector).evaluate_all(
        "(all) => all.filter((e) => !e.checkVisibility({checkVisibilityCSS: true})).map((e) => e.textContent.trim().slice(0, 60))"
    )
    return found


def value(page: Page, expression: str) -> Any:
    """What an expression of JavaScript is in the page, by way of JSON."""
    return json.loads(page.evaluate(f"JSON.stringify({expression})"))
