"""Is it what its form says?  A check for each form of an export, by its ending; used on samples and on everything that ships."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

from markdown_it import MarkdownIt

LARGEST_PAGE = 300_000
"""Bytes of a page of one lesson."""

_VOID = frozenset(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"])
_OURS = re.compile(r"\x1b\[[0-9;]*m")


class Page(HTMLParser):
    """An HTML page: elements closed where they must be; its ids, its links, and the text of its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.ids: set[str] = set()
        self.twice: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.handlers: list[str] = []
        self.policy = ""
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self.tags: set[str] = set()
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == [], f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in _VOID:
            self._open.append(tag)
        if tag in self.inside and ("type", "application/json") not in attrs:
            self.inside[tag].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id" and value:
                (self.twice if value in self.ids else self.ids).add(value)
            if name == "href" and tag == "a":
                self.links.append(value or "")
            elif name in ("src", "srcset", "action", "formaction", "poster", "data", "ping") or (name == "href" and tag == "link"):
                self.fetched.append(value or "")
            elif name.startswith("on"):
                self.handlers.append(name)
        told = dict(attrs)
        if tag == "meta" and told.get("http-equiv") == "Content-Security-Policy":
            self.policy = told.get("content") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self._open, f"</{tag}> at {self.getpos()}, and nothing is open"
            assert self._open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in self.inside and self.inside[self._open[-1]]:
            self.inside[self._open[-1]][-1] += data


def harmless_page(text: str) -> Page:
    """A page, or a part of one, that fetches nothing and in which nothing foreign runs."""
    page = Page(text)
    assert (page.fetched, page.handlers, page.twice) == ([], [], set())
    assert not page.tags & {"iframe", "object", "embed", "base", "form", "img", "video", "audio"}
    assert [link for link in page.links if ":" in link and not link.startswith("https://")] == []
    assert text.replace("\n", "").isprintable()
    return page


def _html(text: str) -> None:
    page = harmless_page(text)
    assert len(text.encode()) <= LARGEST_PAGE
    assert page.policy.startswith("default-src 'none'")
    assert {"html", "head", "title", "body"} <= page.tags


def _cast(text: str) -> None:
    head, *events = [json.loads(line) for line in text.splitlines()]
    assert text.isascii()
    assert head["version"] in (2, 3)
    assert all(event[1] in "om" and event[0] >= 0 for event in events)
    if head["version"] == 2:
        assert [event[0] for event in events] == sorted(event[0] for event in events)
    shown = "".join(event[2] for event in events)
    assert _OURS.sub("", shown).replace("\r\n", "").isprintable()


def nested(text: str) -> list[dict[str, object]]:
    """The events of a trace whose slices nest and end, and whose arrows have both ends."""
    trace: list[dict[str, object]] = json.loads(text)["traceEvents"]
    open_: dict[object, list[object]] = {}
    at: dict[object, object] = {}
    for event in trace:
        if event["ph"] in ("B", "E"):
            assert event["ts"] >= at.get(event["tid"], 0.0)  # type: ignore[operator]  # an event of a trace has a number there
            at[event["tid"]] = event["ts"]
        if event["ph"] == "B":
            open_.setdefault(event["tid"], []).append(event["name"])
        elif event["ph"] == "E":
            open_[event["tid"]].pop()
    assert not any(open_.values())
    flows = {phase: {event["id"] for event in trace if event["ph"] == phase} for phase in ("s", "f")}
    assert flows["s"] == flows["f"]
    return trace


def _svg(text: str) -> None:
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert not [each for each in root.iter() if each.tag.endswith(("}script", "}image", "}foreignObject"))]


def _markdown(text: str) -> None:
    tokens = MarkdownIt("commonmark").parse(text)
    assert tokens[0].tag == "h1"
    assert text.replace("\n", "").isprintable()


CHECKS: dict[str, Callable[[str], object]] = {
    ".html": _html,
    ".cast": _cast,
    ".json": nested,
    ".svg": _svg,
    ".md": _markdown,
}
"""By the ending of a file's name."""
