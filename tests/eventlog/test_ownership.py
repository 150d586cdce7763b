"""What root makes through sudo in somebody's folder is theirs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tracedbg.eventlog.ownership import caller, hand_back
from tracedbg.exports.saving import save

SOMEBODY = 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user cannot give files away")
def test_a_file_in_a_folder_of_the_caller_is_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", str(SOMEBODY))
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    for folder in (theirs, ours):
        folder.mkdir()
    os.chown(theirs, SOMEBODY, SOMEBODY)
    for folder in (theirs, ours):
        save(str(folder / "page.html"), [b"x"])
    assert [(folder / "page.html").stat().st_uid for folder in (theirs, ours)] == [SOMEBODY, 0]
    # Replaced, it stays theirs.
    save(str(theirs / "page.html"), [b"y"])
    assert (theirs / "page.html").stat().st_uid == SOMEBODY


@pytest.mark.parametrize("uid", ["", "no", "-1", "9" * 30, "\u0661"])
def test_nobody_called(uid: str, tmp_path: Path) -> None:
    assert caller({"SUDO_UID": uid}) == -1
    with (tmp_path / "x").open("wb") as file:
        assert not hand_back(file.fileno(), str(tmp_path), {"SUDO_UID": uid})
