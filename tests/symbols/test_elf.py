"""Which files are programs, and what is said about those that are not."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.programs import build
from tracedbg.model.errors import BadArgument, NotFound
from tracedbg.symbols.elf import ElfFile, check_program
from tracedbg.symbols.plt import plt_symbols


def make(path: Path, data: bytes, mode: int = 0o755) -> str:
    path.write_bytes(data)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    ("flags", "pie", "static"),
    [
        (("-g", "-pie"), True, False),
        (("-g", "-no-pie"), False, False),
        (("-g", "-static"), False, True),
        (("-g", "-static-pie"), True, True),
        (("-s", "-pie"), True, False),
    ],
)
def test_kinds_of_programs(flags: tuple[str, ...], pie: bool, static: bool) -> None:
    found = check_program(str(build("fact", *flags)))
    assert (found.kind, found.machine, found.pie, found.static) == ("elf", "x86-64", pie, static)
    assert bool(found.interpreter) == (not static)
    assert found.lines == ("-g" in flags)
    assert found.symbols == ("-s" not in flags)
    assert found.entry


def test_script(tmp_path: Path) -> None:
    found = check_program(make(tmp_path / "s", b"#! /bin/sh -e\nexit 0\n"))
    assert (found.kind, found.interpreter) == ("script", "/bin/sh")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"hello\n", "not an ELF"),
        (b"#!\n", "no interpreter"),
        (b"#!/no/such\n", "/no/such"),
        (b"\x7fELF\x02", "cut short"),
    ],
)
def test_no_program(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises((BadArgument, NotFound), match=words) as caught:
        check_program(make(tmp_path / "x", data))
    assert caught.value.todo


def test_directory_missing_and_device(tmp_path: Path) -> None:
    with pytest.raises(BadArgument, match="directory"):
        check_program(str(tmp_path))
    with pytest.raises(NotFound, match="no file"):
        check_program(str(tmp_path / "nothing"))
    with pytest.raises(BadArgument, match="regular"):
        check_program("/dev/null")


def test_not_executable(tmp_path: Path) -> None:
    with pytest.raises(BadArgument, match="not executable"):
        check_program(make(tmp_path / "x", build("hello").read_bytes(), 0o644))


def altered(offset: int, value: bytes) -> bytes:
    data = bytearray(build("hello").read_bytes())
    data[offset : offset + len(value)] = value
    return bytes(data)


def test_other_machines(tmp_path: Path) -> None:
    with pytest.raises(BadArgument, match="32-bit"):
        check_program(make(tmp_path / "a", altered(4, b"\x01")))
    with pytest.raises(BadArgument, match="AArch64"):
        check_program(make(tmp_path / "b", altered(18, struct.pack("<H", 183))))
    with pytest.raises(BadArgument, match="object file"):
        check_program(make(tmp_path / "c", altered(16, struct.pack("<H", 1))))
    with pytest.raises(BadArgument, match="damaged"):
        check_program(make(tmp_path / "d", build("hello").read_bytes()[:40]))


def test_missing_loader(tmp_path: Path) -> None:
    data = build("hello").read_bytes()
    at = data.index(b"/lib64/ld-linux")
    with pytest.raises(NotFound, match="needs the loader"):
        check_program(make(tmp_path / "x", altered(at, b"/nil64/")))


@pytest.mark.needs("ordinary-user")
def test_unreadable_program(tmp_path: Path) -> None:
    path = make(tmp_path / "x", b"\x7fELF", 0)
    with pytest.raises(BadArgument, match="cannot be read"):
        check_program(path)


def test_stubs_have_names() -> None:
    for flags in (("-g",), ("-g", "-fcf-protection=full"), ("-g", "-no-pie"), ("-g", "-Wl,-z,now")):
        elf = ElfFile(str(build("hello", *flags)))
        names = [name for name, _ in plt_symbols(elf).values()]
        assert "printf@plt" in names, flags
        assert len(names) == len(set(names))
