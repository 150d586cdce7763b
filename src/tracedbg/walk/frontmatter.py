"""Front matter: the lines between two ``---`` at the top of a walkthrough.

Pure, any thread.  A small subset of YAML on purpose (``key: value``, ``key: [a, b]``): it must not grow into a configuration language.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import msgspec

from tracedbg.kernel import needs as kernel_needs

from .document import Problem

VERSION = 1
"""The newest format that this version reads."""
_LONGEST_S = 3600.0
_LINE = re.compile(r"([A-Za-z_][\w-]*)[ \t]*:(?:[ \t]+(.*))?")
_KEYS = "needs, timeout and format"


class FrontMatter(msgspec.Struct, frozen=True):
    """What it says.

    Args:
        needs: names of capabilities.
        timeout: seconds for the whole file.
        ends: number of lines that it takes, both fences included.
    """

    needs: tuple[str, ...] = ()
    timeout: float = 60.0
    ends: int = 0


def front_matter(lines: Sequence[str], problems: list[Problem]) -> FrontMatter:
    """Read it; what is wrong is added to `problems`.

    Args:
        lines: of the whole file, without newlines.
        problems: filled.
    """
    if not lines or lines[0].rstrip() != "---":
        return FrontMatter()
    end = next((number for number, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), 0)
    if not end:
        problems.append(Problem(1, 1, "the front matter has no end", "close it with a second line of ---"))
        return FrontMatter(ends=len(lines))
    seen: dict[str, str] = {}
    needs: tuple[str, ...] = ()
    timeout = 60.0
    for number, line in enumerate(lines[1:end], 2):
        found = _LINE.fullmatch(line.rstrip())
        if found is None:
            problems.append(Problem(number, 1, "this is no line of front matter", "write key: value, or key: [a, b]"))
            continue
        key, value = found[1], (found[2] or "").strip()
        column = found.start(2) + 1 if found[2] else len(line) + 1
        if key in seen:
            problems.append(Problem(number, 1, f"{key} stands twice", "keep one of them"))
        seen[key] = value
        if key == "needs":
            needs = _needs(value, number, column, problems)
        elif key == "timeout":
            timeout = _seconds(value, number, column, problems)
        elif key == "format":
            _format(value, number, column, problems)
        else:
            problems.append(Problem(number, 1, f"unknown key {key}", f"keys are {_KEYS}"))
    return FrontMatter(needs, timeout, end + 1)


def names_of(value: str) -> list[str]:
    """``a`` or ``[a, b]`` as a list of names."""
    if value.startswith("[") and value.endswith("]"):
        inner = value[1:-1].strip()
        return [each.strip() for each in inner.split(",")] if inner else []
    return [value]


def check_needs(names: Sequence[str], line: int, column: int, problems: list[Problem]) -> tuple[str, ...]:
    """The names that are capabilities; the others become problems."""
    good = []
    for name in names:
        if kernel_needs.known(name):
            good.append(name)
        else:
            what = f"unknown need '{name}'" if name else "a need without a name"
            problems.append(Problem(line, column, what, f"needs are {kernel_needs.NAMES_TEXT}"))
    return tuple(good)


def _needs(value: str, line: int, column: int, problems: list[Problem]) -> tuple[str, ...]:
    return check_needs(names_of(value), line, column, problems)


def _seconds(value: str, line: int, column: int, problems: list[Problem]) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= _LONGEST_S:
        problems.append(Problem(line, column, f"'{value}' is no time limit", f"write seconds, at most {_LONGEST_S:.0f}: timeout: 60"))
        return 60.0
    return seconds


def _format(value: str, line: int, column: int, problems: list[Problem]) -> None:
    if not value.isascii() or not value.isdecimal() or int(value) < 1:
        problems.append(Problem(line, column, f"'{value}' is no version of the format", f"write format: {VERSION}"))
    elif int(value) > VERSION:
        problems.append(Problem(line, column, f"this page has format {value}, newer than {VERSION}", "use a newer tracedbg"))
