"""Experiments on tracing, waiting and waking, typed line by line: the language is enough for them, and the kernel answers as told.

The lessons show the same rules in every run, so these are for `.ci/run --long`.
"""

from __future__ import annotations

import pytest

from tests.commands.console import console
from tests.commands.experiments import ORDER, TRACER, WAIT, WAKE

pytestmark = [pytest.mark.needs("ptrace"), pytest.mark.slow, pytest.mark.long]

ALL = {**TRACER, **WAIT, **WAKE, **ORDER}


@pytest.mark.parametrize("rule", ALL)
def test_experiment(rule):
    with console() as it:
        it.script(ALL[rule])
