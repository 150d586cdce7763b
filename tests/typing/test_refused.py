"""The type checker keeps law 1: what needs the right to make ptrace requests cannot be called without it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.needs("dev-extra")
def test_requests_without_the_right_do_not_type_check() -> None:
    from mypy import api

    source = HERE / "refused.py"
    expected = {number for number, line in enumerate(source.read_text().splitlines(), 1) if "# REFUSED" in line}
    assert expected, "no marked line"
    config = HERE.parents[1] / "pyproject.toml"
    out, err, _ = api.run(["--config-file", str(config), "--no-incremental", "--cache-dir", "/dev/null", str(source)])
    found = {int(number) for number in re.findall(r"refused\.py:(\d+): error", out)}
    assert found == expected, out + err
