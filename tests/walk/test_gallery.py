"""The site of all lessons: every link leads somewhere, nothing foreign runs, and what others put there stays."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import os
import re
from pathlib import Path

import pytest

from tests.exports.sample import as_file, recording
from tests.exports.test_exports import EVIL, HOSTILE
from tests.exports.wellformed import Page, harmless_page
from tracedbg import cli
from tracedbg.eventlog.recordings import load
from tracedbg.model.errors import BadArgument, UserError
from tracedbg.walk import exhibits, gallery
from tracedbg.walk.catalogue import RULES
from tracedbg.walk.gallery_page import front_page

FEW = exhibits.shipped_recordings()[:2]


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hostile recording, with a hostile name."""
    path = tmp_path_factory.mktemp("foreign") / "own\x1b]0;<script>.jsonl"
    path.write_bytes(as_file(EVIL))
    return path


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two lessons are enough to see how a site is made."""
    monkeypatch.setattr(gallery, "shipped_recordings", lambda: FEW)


def export(*words: object) -> str:
    out = io.StringIO()
    assert gallery.main([str(word) for word in words], out) == 0
    return out.getvalue()


def contents(site: Path) -> dict[str, bytes]:
    return {str(path.relative_to(site)): path.read_bytes() for path in site.rglob("*") if path.is_file()}


# --- what is in it --------------------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_site_is_whole_and_harmless(tmp_path: Path, foreign: Path, few: None, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "site"
    assert cli.main(["export", "--site", str(site), "--title", HOSTILE, str(foreign), str(foreign)]) == 0
    assert re.match(r"4 recordings, \d+ files, [\d.]+ MB in [\d.]+ s: ", capsys.readouterr().out)
    files = contents(site)
    pages = {name: harmless_page(data.decode()) for name, data in files.items() if name.endswith(".html")}
    assert {"index.html", "lessons/01-tour.html", "lessons/own-0-script.html", "lessons/own-0-script-2.html"} <= set(pages)
    assert [link for name, page in pages.items() for link in page.links if not leads_somewhere(link, name, files, pages)] == []
    assert {f"files/01-tour{each}" for each in (".jsonl", ".md", ".cast", ".trace.json")} <= set(files)
    front = pages["index.html"]
    for kind in ("script", "style"):
        (text,) = front.inside[kind]
        assert f"{kind}-src 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in front.policy
    assert {link for link in front.links if link.startswith("lessons/10-")} >= {
        f"lessons/{FEW[1][0].stem}.html#r{asked.seq}" for asked in questions(FEW[1])
    }, "a question leads to its own row"
    assert b"</script><script>" not in files["index.html"]
    assert load(str(site / "files" / "own-0-script.jsonl")).records == EVIL.records
    assert (site.stat().st_mode | 0o022, (site / "index.html").stat().st_mode | 0o022) == (0o40777, 0o100666)
    assert os.listdir(tmp_path) == ["site"], "nothing is left beside it"


def questions(both: tuple[Path, Path]) -> tuple[exhibits.Asked, ...]:
    return exhibits.exhibit("x", load(str(both[1])), "", both[0]).questions


def leads_somewhere(link: str, page: str, files: dict[str, bytes], pages: dict[str, Page]) -> bool:
    """A link is to a file of the site, and to a place that is there; or it leads to the web, from the text of a lesson."""
    if link.startswith("https://"):
        return page != "index.html"
    path, _, place = link.partition("#")
    target = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
    return target in files and (not place or place in pages[target].ids)


@pytest.mark.slow
def test_the_front_page_leads_to_every_lesson_question_and_rule() -> None:
    # Not the pages themselves: the other test looks whether links into them lead somewhere.
    shown = [exhibits.exhibit(page.stem, load(str(path)), "", page) for page, path in exhibits.shipped_recordings()]
    text = front_page("Lessons", shown, "0", {})
    page = harmless_page(text)
    assert {one.page for one in shown} <= set(page.links)
    assert len(page.links) > len([asked for one in shown for asked in one.questions]) + len(RULES)
    assert set(RULES) <= page.ids
    without = [each[:80] for each in re.findall(r"<dd>.*?</dd>", text, re.DOTALL) if "<a " not in each]
    assert without == []
    found = re.search(r'id="places">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    places = json.loads(found[1])
    assert [path for path, _, _ in places] == [one.page for one in shown]
    tour = {heading: words for _, heading, words in places[0][2]}
    assert "echild" in tour["Who may hear of it"]
    assert "ptrace_cont" in tour["Who may command"]
    assert len(text) < 500_000


# --- where it is put -------------------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_site_is_brought_up_to_date_and_what_others_put_there_stays(tmp_path: Path, few: None, foreign: Path) -> None:
    site = tmp_path / "deep" / "site"
    (site / ".tracedbg-site-killed").mkdir(parents=True)  # a run that was killed left it
    export("--site", site, foreign)
    (site / ".tracedbg-site-killed").rmdir()
    before = contents(site)
    (site / "CNAME").write_text("example.org")
    (site / "lessons" / "mine.html").write_text("mine")
    damaged = tmp_path / "damaged.jsonl"
    damaged.write_bytes(as_file(EVIL)[:-1] + b"no event\n{}\n")
    with pytest.raises(UserError, match="no event"):
        export("--site", site, damaged)
    assert contents(site) == {**before, "CNAME": b"example.org", "lessons/mine.html": b"mine"}, "a failure changes nothing"
    private = tmp_path / "private.jsonl"
    private.write_bytes(as_file(recording()).replace(b"It is not your tracee", b"It stands in /srv/secret/prog"))
    export("--site", site, "--redact", private)
    after = contents(site)
    assert not [name for name, data in after.items() if b"secret" in data]
    assert b"/bin/true" in after["files/01-tour.jsonl"], "lessons are as they are"
    assert (after["CNAME"], after["lessons/mine.html"]) == (b"example.org", b"mine")
    assert not [name for name in after if "own-0-script" in name], "what is no longer part of it goes"
    assert b"own-0-script" not in after["index.html"]
    assert os.listdir(tmp_path / "deep") == ["site"]
    assert set(os.listdir(site)) == {"CNAME", "files", "index.html", "lessons", gallery.LISTING}


def test_a_directory_of_somebody_else_is_refused(tmp_path: Path, few: None) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BadArgument, match="is not empty, and holds no site"):
        export("--site", tmp_path)
    listing = tmp_path / gallery.LISTING
    for files in (["../outside"], ["/etc/passwd"], ["a/../b"], "x", [7]):
        listing.write_text(json.dumps({"files": files}))
        with pytest.raises(BadArgument, match="holds no site"):
            export("--site", tmp_path)
    with pytest.raises(BadArgument, match="is no directory"):
        export("--site", tmp_path / "notes.txt")
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", gallery.LISTING}


def test_a_link_in_a_listed_place_is_not_followed(tmp_path: Path, few: None) -> None:
    outside, site = tmp_path / "outside", tmp_path / "site"
    outside.mkdir()
    (outside / "old.html").write_text("kept")
    site.mkdir()
    (site / "lessons").symlink_to(outside)
    (site / gallery.LISTING).write_text(json.dumps({"files": ["lessons/old.html"]}))
    with pytest.raises(BadArgument, match="is a link"):
        export("--site", site)
    assert contents(outside) == {"old.html": b"kept"}


def test_text_of_the_front_page_stays_text() -> None:
    one = exhibits.exhibit("evil", EVIL, "")
    text = front_page(HOSTILE, [one], HOSTILE, {})
    harmless_page(text)
    assert html.escape("</script><script>") in text
