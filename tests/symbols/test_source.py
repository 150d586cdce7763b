"""Source text: where it is looked for, what is said when it is missing or newer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tracedbg.model.errors import NotFound
from tracedbg.symbols.source import SourceText


def test_lines_and_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.c"
    path.write_bytes(b"one\r\n\ttwo\n\x1b[2Jthree\x0c\nfour")
    text = SourceText()
    assert text.lines(str(path), 1, 9) == [(1, "one"), (2, "        two"), (3, "\\x1b[2Jthree\\x0c"), (4, "four")]
    assert text.lines(str(path), -3, 1) == [(1, "one")]
    assert text.count(str(path)) == 4
    path.write_text("new\n")
    assert text.lines(str(path), 1, 9) == [(1, "new")]
    with pytest.raises(NotFound, match="out of range"):
        text.lines(str(path), 2, 3)


def test_search_by_directories(tmp_path: Path) -> None:
    (tmp_path / "moved" / "sub").mkdir(parents=True)
    (tmp_path / "moved" / "sub" / "b.c").write_text("sub\n")
    (tmp_path / "moved" / "b.c").write_text("top\n")
    text = SourceText([str(tmp_path / "moved")])
    assert text.lines("/build/sub/b.c", 1, 1) == [(1, "sub")]
    assert text.lines("/build/other/b.c", 1, 1) == [(1, "top")]
    assert SourceText(compile_directory=str(tmp_path / "moved")).lines("sub/b.c", 1, 1) == [(1, "sub")]
    with pytest.raises(NotFound, match=r"/build/c\.c is not here"):
        text.lines("/build/c.c", 1, 1)


def test_what_is_no_source_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.c")  # must not be waited for
    for name in (str(tmp_path / "pipe.c"), str(tmp_path), "", "a\0b"):
        with pytest.raises(NotFound):
            SourceText().lines(name, 1, 2)


def test_warning_when_the_source_is_newer(tmp_path: Path) -> None:
    source, program = tmp_path / "a.c", tmp_path / "a"
    source.write_text("x")
    program.write_text("y")
    os.utime(source, (100, 100))
    os.utime(program, (200, 200))
    assert SourceText().warning(str(source), str(program)) == ""
    os.utime(source, (300, 300))
    assert "newer" in SourceText().warning(str(source), str(program))
    assert SourceText().warning("/no/such.c", str(program)) == ""
