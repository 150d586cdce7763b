"""Imports point down only: import-linter's contract is kept, and it notices what it is for.  Needs the extra `dev`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.laws.trees import SOURCE, TOP

pytestmark = [pytest.mark.slow, pytest.mark.needs("dev-extra")]


def lint_imports(top: Path) -> subprocess.CompletedProcess[str]:
    # The console script's folder may not be on the PATH; the function behind it is the same.
    code = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, "--no-cache", "--config", str(top / "pyproject.toml")],
        cwd=top, env={"PYTHONPATH": str(top / "src"), "PATH": "/usr/bin:/bin", "NO_COLOR": "1"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_floors_are_kept() -> None:
    done = lint_imports(TOP)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("where", ["top", "late", "type-only"])
def test_an_upward_import_is_refused(tmp_path: Path, where: str) -> None:
    """The contract sees an import of a higher floor, also a late one and one for type checkers only."""
    shutil.copytree(SOURCE, tmp_path / "src" / "tracedbg", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOP / "pyproject.toml", tmp_path)
    code = {
        "top": "from tracedbg.kernel import raw\n",
        "late": "def f() -> None:\n    from tracedbg.kernel import raw\n",
        "type-only": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from tracedbg.kernel import raw\n",
    }[where]
    (tmp_path / "src" / "tracedbg" / "model" / "climber.py").write_text(code)
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "tracedbg.model.climber" in done.stdout
