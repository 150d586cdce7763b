"""Actors and programs for the tests of kernel facts; both are gone when a test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.kernel.actors import Actor, Started


@pytest.fixture
def started() -> Iterator[list[Started]]:
    """Programs that a test started: append here, and they are killed and reaped."""
    programs: list[Started] = []
    yield programs
    for program in programs:
        program.gone()


@pytest.fixture
def actor(started: list[Started]) -> Iterator[Callable[[], Actor]]:
    """Makes actors; they end after the test (and their tracees are released), before the programs are reaped."""
    made: list[Actor] = []

    def make() -> Actor:
        made.append(Actor())
        return made[-1]

    yield make
    for each in made:
        each.end()


@pytest.fixture
def start(started: list[Started]) -> Callable[[Actor, str], Started]:
    """`start(actor, mode)`: the actor's thread starts `tracee MODE` and so is its parent."""

    def start_on(actor: Actor, mode: str) -> Started:
        program = actor.do(Started, mode)
        started.append(program)
        return program

    return start_on
