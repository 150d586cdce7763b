"""Every recording that ships becomes every form: a few lessons each time, all of them with the repeats."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.exports.wellformed import CHECKS, harmless_page
from tracedbg import cli
from tracedbg.eventlog.recordings import load
from tracedbg.exports.forms import FORMS, LESSONS_HAVE_IT, Kind, made
from tracedbg.walk import shipped

RECORDINGS = sorted(shipped.RECORDINGS.iterdir())
ALWAYS = ("01-tour", "40-who-is-woken", "65-exec-waits-for-you")
"""The first, the largest, and one with many lanes."""

FORMS_FOR_ALL = [name for name, form in FORMS.items() if form.kind in (Kind.TEXT, Kind.FILES) and name not in LESSONS_HAVE_IT]


def check(form: str, name: str, out: object) -> None:
    """One form of one recording is what it says."""
    files = {f"{name}{FORMS[form].suffix}": out} if isinstance(out, str) else out
    assert isinstance(files, dict), form
    assert files, form
    for file, text in files.items():
        assert text, file
        if form == "fragment":
            harmless_page(text)
        else:
            CHECKS[os.path.splitext(file)[1]](text)


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", [pytest.param(path, marks=() if path.stem in ALWAYS else pytest.mark.long, id=path.stem) for path in RECORDINGS]
)
def test_it_becomes_every_form(path: Path) -> None:
    recording = load(str(path))
    for form in FORMS_FOR_ALL:
        try:
            check(form, path.stem, made(form, recording))
        except AssertionError as error:
            error.add_note(f"form {form} of {path.name}")
            raise


@pytest.mark.slow
def test_a_lesson_is_played_by_asciinema(tmp_path: Path) -> None:
    cast = tmp_path / "tour.cast"
    cast.write_text(str(made("cast", load(str(RECORDINGS[0])))), encoding="utf-8")
    main, slave = os.openpty()  # its `cat` wants a terminal
    try:
        command = [sys.executable, "-m", "asciinema", "cat", str(cast)]
        done = subprocess.run(command, stdin=slave, capture_output=True, timeout=60, check=True)
    finally:
        os.close(main)
        os.close(slave)
    assert b"When the tracer thread ends" in done.stdout
    assert b"TracerPid" in done.stdout


@pytest.mark.slow
def test_a_lesson_is_exported_and_replayed_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["export", "tour", "--to", "markdown"]) == 0
    assert capsys.readouterr().out == made("markdown", load(str(RECORDINGS[0])))
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert cli.main(["replay", "tour", "--speed", "0"]) == 0
    assert "Who may command" in capsys.readouterr().out
    (tmp_path / "tour").write_text("no recording")
    assert cli.main(["export", "tour", "--to", "markdown"]) == 2, "a file that is there is meant"


ELSEWHERE = """
import sys
sys.modules.update(dict.fromkeys(("ptrace", "drgn", "capstone", "elftools", "prompt_toolkit")))
from tracedbg import cli
import tracedbg.walk.gallery
sys.exit(cli.main(["export", "tour", "--to", "markdown"]) or cli.main(["replay", "tour", "--speed", "0"]))
"""


@pytest.mark.slow
def test_recordings_are_of_use_where_nothing_can_be_traced() -> None:
    done = subprocess.run([sys.executable, "-c", ELSEWHERE], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"When the tracer thread ends") == 2
