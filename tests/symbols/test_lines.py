"""Line tables, against pyelftools row by row, and with damage."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from tests.programs import build, line_of, matrix
from tracedbg.symbols.elf import ElfFile
from tracedbg.symbols.lineprogram import END, PROLOGUE_END, STATEMENT, Sections
from tracedbg.symbols.lines import LineTable

FLAGS = [
    ("-g", "-O0"),
    ("-g", "-O2"),
    ("-gdwarf-4", "-O2"),
    ("-gdwarf-3", "-O1"),
    ("-gdwarf-2", "-O0"),
    ("-g", "-O2", "-gz"),
    ("-g3", "-O3", "-ffunction-sections"),
    ("-g", "-O2", "-flto"),
]


def oracle(program: Path) -> list[list[tuple[int, int, int, int, int]]]:
    """All rows by unit, in the order of their addresses within a sequence and of the sequences."""
    units = []
    with open(program, "rb") as file:
        dwarf = ELFFile(file).get_dwarf_info()
        seen = set()
        for unit in dwarf.iter_CUs():
            program_ = dwarf.line_program_for_CU(unit)
            if program_ is None or program_.program_start_offset in seen:
                continue
            seen.add(program_.program_start_offset)
            sequences: list[list[Any]] = [[]]
            for entry in program_.get_entries():
                state = entry.state
                if state is None:
                    continue
                flags = STATEMENT * bool(state.is_stmt) | PROLOGUE_END * bool(state.prologue_end)
                flags = END if state.end_sequence else flags
                sequences[-1].append((state.address, state.file, state.line, state.column, flags))
                if state.end_sequence:
                    sequences.append([])
            kept = [rows for rows in sequences if rows and rows[0][0]]
            units.append([row for rows in sorted(kept, key=lambda rows: rows[0][0]) for row in rows])
    return units


@pytest.mark.parametrize(("name", "flags"), matrix(["structs", "inline"], FLAGS))
def test_rows_equal_those_of_pyelftools(name: str, flags: tuple[str, ...]) -> None:
    program = build(name, *flags)
    table = LineTable.of(ElfFile(str(program)))
    wanted = oracle(program)
    assert sum(map(len, wanted)) > 10
    found = [[tuple(row) for row in unit.rows()] for unit in table.units]
    assert sorted(found) == sorted(wanted)


@pytest.mark.parametrize("flags", FLAGS, ids=" ".join)
def test_files_are_absolute_paths(flags: tuple[str, ...]) -> None:
    table = LineTable.of(ElfFile(str(build("structs", *flags))))
    mine = [path for path in table.files() if path.endswith("/structs.c")]
    assert len(mine) == 1
    assert Path(mine[0]).samefile(Path(__file__).parent.parent / "programs" / "structs.c")


@pytest.mark.needs("clang")
def test_rows_of_clang_equal_those_of_pyelftools() -> None:
    program = build("structs", "-g", "-O2", compiler="clang")
    found = [[tuple(row) for row in unit.rows()] for unit in LineTable.of(ElfFile(str(program))).units]
    assert sorted(found) == sorted(oracle(program))


def test_find_and_row_agree() -> None:
    table = LineTable.of(ElfFile(str(build("fact"))))
    line = line_of("fact.c", "long product")
    found, places = table.find("fact.c", line)
    assert found == line
    ((address, path),) = places
    row = table.row_at(address, path)
    assert row is not None
    assert (row.low, row.line, row.is_stmt) == (address, line, True)
    assert table.row_at(row.high - 1, path) == row
    following = table.row_at(row.high, path)
    assert following is not None
    assert following != row


def test_a_line_without_code_means_the_next_one_with_code() -> None:
    table = LineTable.of(ElfFile(str(build("fact"))))
    head = line_of("fact.c", "long fact(int n)")
    assert table.find("fact.c", head)[0] == head + 1  # code begins with the brace
    assert table.find("fact.c", 10_000) == (0, [])
    assert table.find("act.c", 1) == (0, [])
    assert table.last_line("fact.c") == len(Path(table.matching_files("fact.c")[0]).read_text().splitlines())


def test_64_bit_dwarf() -> None:
    # pyelftools 0.33 reads no such tables; but the code is the same, and so are the rows.
    wide = LineTable.of(ElfFile(str(build("structs", "-g", "-gdwarf64", "-O0"))))
    plain = LineTable.of(ElfFile(str(build("structs", "-g", "-O0"))))
    assert [row for unit in wide.units for row in unit.rows()] == [row for unit in plain.units for row in unit.rows()]
    assert wide.files() == plain.files()


def test_no_table() -> None:
    table = LineTable.of(ElfFile(str(build("fact", "-s"))))
    assert table.units == []
    assert table.files() == []
    assert table.find("fact.c", 5) == (0, [])
    assert table.row_at(0x1140, "fact.c") is None


def test_damaged_tables_never_raise() -> None:
    elf = ElfFile(str(build("structs", "-g", "-O2")))
    line, strings, more = elf.data(".debug_line"), elf.data(".debug_line_str"), elf.data(".debug_str")
    seed = random.randrange(1 << 32)
    source = random.Random(seed)
    for _ in range(300):
        data = bytearray(line)
        for _ in range(source.randint(1, 6)):
            data[source.randrange(len(data))] = source.randrange(256)
        cut = bytes(data[: source.randrange(len(data))]) if source.random() < 0.2 else bytes(data)
        try:
            table = LineTable(Sections(cut, strings, more))
            table.files()
            table.find("structs.c", 70)
            table.row_at(0x1200, "structs.c")
            table.rows_between(0x1139, 0x1300, "structs.c")
        except Exception as error:
            pytest.fail(f"seed {seed}: {error!r}")
