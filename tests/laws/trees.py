"""The tree under the laws: its modules, parsed once for a run.

Runs on the main thread of a test run.  It must not be imported before a test run (it lists files when it is imported).
"""

from __future__ import annotations

import ast
import functools
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
SOURCE = TOP / "src" / "tracedbg"
MODULES = sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    """The path below src/tracedbg."""
    return path.relative_to(SOURCE).as_posix()


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """The parsed module."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@functools.cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a module; walking a tree takes longer than the tests that look at its nodes."""
    return tuple(ast.walk(tree_of(path)))
