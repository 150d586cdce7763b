"""Breakpoint locations: the same addresses as gdb's, and errors that say what exists instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.programs import build, line_of, matrix, source
from tests.symbols.gdb import ask
from tracedbg.model.errors import BadArgument, NotFound
from tracedbg.symbols.engine import StaticSymbols

_BREAK = re.compile(r"^\d+(?:\.\d+)?\s+(?:breakpoint\s+keep\s+)?y\s+(0x[0-9a-f]+)\s", re.MULTILINE)


def gdb_places(program: Path, specs: list[str]) -> dict[str, set[int]]:
    """The addresses at which gdb would stop for each location."""
    commands = []
    for spec in specs:
        commands += ["delete", f"break {spec}", "info breakpoints"]
    answers = ask(program, commands)
    return {spec: {int(hit, 16) for hit in _BREAK.findall(answers[3 * n + 2])} for n, spec in enumerate(specs)}


def our_places(symbols: StaticSymbols, spec: str) -> set[int]:
    try:
        return {each.address for each in symbols.locate(spec)}
    except NotFound:
        return set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "flags"),
    matrix(
        ["fact", "structs", "inline", "signals", "nocfi"],
        [("-g", "-O0"), ("-g", "-O0", "-fcf-protection"), ("-g", "-O2"), ("-g", "-static", "-O0"), ("-g", "-O1", "-static-pie")],
    ),
)
def test_functions_as_gdb(name: str, flags: tuple[str, ...]) -> None:
    program = build(name, *flags)
    symbols = StaticSymbols(str(program))
    own = set(
        re.findall(
            r"^(?:static |volatile |inline |__attribute__\(\(\w+\)\) )*[\w* ]+?[ *](\w+)\([^;]*$", source(name).read_text(), re.MULTILINE
        )
    )
    specs = sorted(own | {"_start", "bare_leaf", "bare_caller"} & set(symbols.functions()))
    assert "main" in specs
    wanted = gdb_places(program, specs)
    found = {spec: our_places(symbols, spec) for spec in specs}
    assert {spec: len(places) for spec, places in found.items()} == {spec: len(places) for spec, places in wanted.items()}
    # For an inlined copy in several parts gdb 13 takes the first part, we take DW_AT_entry_pc, as later versions of gdb do.
    assert all(found[spec] == wanted[spec] for spec in specs if len(wanted[spec]) == 1), (found, wanted)
    assert all(min(found[spec]) == min(wanted[spec]) for spec in specs if wanted[spec]), (found, wanted)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "flags"),
    matrix(["fact", "structs", "inline", "threads"], [("-g", "-O0"), ("-g", "-O0", "-no-pie"), ("-gdwarf-4", "-O0")]),
)
def test_every_line_as_gdb(name: str, flags: tuple[str, ...]) -> None:
    program = build(name, *flags)
    symbols = StaticSymbols(str(program))
    lines = [f"{name}.c:{number}" for number in range(1, len(source(name).read_text().splitlines()) + 1)]
    wanted = gdb_places(program, lines)
    found = {spec: our_places(symbols, spec) for spec in lines}
    # A line before the first function is an accepted difference: gdb slides into the function's own line there.
    differing = {spec for spec in lines if found[spec] != wanted[spec]}
    assert len(differing) <= len(lines) // 50, {spec: (found[spec], wanted[spec]) for spec in differing}


def test_inlined_function_has_all_its_places() -> None:
    program = build("inline", "-g", "-O2")
    symbols = StaticSymbols(str(program))
    places = symbols.locate("square")
    assert len(places) == 2
    assert {each.function for each in places} == {"square"}
    assert "square" not in symbols.functions()
    marked = line_of("inline.c", "inlined twice")
    assert len(symbols.locate(f"inline.c:{marked}")) == 2


def test_all_spellings_mean_the_same_place() -> None:
    symbols = StaticSymbols(str(build("fact")))
    first = line_of("fact.c", "long below = 1;")
    (place,) = symbols.locate("fact")
    assert (place.function, place.line) == ("fact", first)
    assert place.file.endswith("/fact.c")
    for spec in (
        f"fact.c:{first}",
        f"programs/fact.c:{first}",
        f"{place.file}:{first}",
        "fact.c:fact",
        f"*{place.address}",
        f"*{place.address:#x}",
        f"*fact+{place.address - symbols.address_of('fact')}",
        str(first),
        f"+{first - 3}",
        f"-{30 - first}",
    ):
        line = 3 if spec[0] == "+" else 30
        assert symbols.locate(spec, default_file=place.file, default_line=line) == [place], spec
    assert symbols.locate("", pc=place.address) == [place]
    assert symbols.locate("*fact")[0].address == symbols.address_of("fact")


@pytest.mark.parametrize(
    ("spec", "kind", "words"),
    [
        ("facd", NotFound, "did you mean fact"),
        ("no_such_thing", NotFound, "no function no_such_thing"),
        ("fakt.c:3", NotFound, "did you mean fact.c"),
        ("fact.c:999", NotFound, "its last line with code is"),
        ("fact.c:0", BadArgument, "count from 1"),
        ("*1+", BadArgument, "no address"),
        ("*nothing+4", NotFound, "no function nothing"),
        ("12", NotFound, "no current source file"),
        ("", BadArgument, "a place is missing"),
        ("fact.c:mein", NotFound, "main"),
        ("*0x1ffffffffffffffff", BadArgument, "64 bits"),
    ],
)
def test_errors_say_what_exists(spec: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as caught:
        StaticSymbols(str(build("fact"))).locate(spec)
    assert words in str(caught.value)


def test_without_debug_information() -> None:
    symbols = StaticSymbols(str(build("fact", "-O0")))
    entry = symbols.address_of("fact")
    (place,) = symbols.locate("fact")
    assert place.address > entry  # behind push and mov, as in gdb
    assert (place.function, place.line) == ("fact", 0)
    assert symbols.after_prologue(entry) is None
    assert symbols.row(entry) is None
    assert symbols.statement_addresses(entry) == []
    assert symbols.default_list_place() == ("", 0)
    assert not symbols.has_lines()
    with pytest.raises(NotFound, match="compile it with"):
        symbols.locate("fact.c:9")


def test_stripped() -> None:
    symbols = StaticSymbols(str(build("fact", "-s")))
    with pytest.raises(NotFound, match="stripped"):
        symbols.locate("fact")
    assert symbols.functions() == []
    assert symbols.entry_point()
    assert symbols.locate("*0x1149")[0].function == ""
    assert symbols.locate("printf")[0].function == "printf@plt"
    with pytest.raises(BadArgument, match="not a 64-bit"):
        StaticSymbols(__file__)


def test_completion_lists() -> None:
    symbols = StaticSymbols(str(build("structs")))
    assert "ret_point" in symbols.functions("ret_")
    assert all("ret_" in name for name in symbols.functions("ret_"))
    assert any(path.endswith("structs.c") for path in symbols.source_files())
    assert symbols.functions() is not symbols.functions()
