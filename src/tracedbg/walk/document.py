"""A walkthrough as values: what `reading` makes of a file and every front end uses.

Pure values, any thread.  They travel to player processes as JSON, so they hold plain data only; no tokens, no open files.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tracedbg.model.errors import UserError
from tracedbg.model.text import Shown, visible


class Problem(msgspec.Struct, frozen=True):
    """Something in a file that the format does not allow.

    Args:
        line: 1-based, 0 where the file as a whole is meant.
        column: 1-based.
        what: what is wrong, one clause.
        todo: what to write instead; may be empty.
    """

    line: int
    column: int
    what: str
    todo: str = ""

    def told(self, path: str) -> Shown:
        """One line: ``file:line:column: what; todo``."""
        text = f"{self.what}; {self.todo}" if self.todo else self.what
        return visible(f"{path}:{self.line}:{self.column}: {text}")


class WrongFile(UserError):
    """A file is no walkthrough.

    Args:
        path: as it was named.
        problems: all that was found, in file order; at least one.
    """

    def __init__(self, path: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems[0].told(path))
        self.path, self.problems = path, problems

    @property
    def lines(self) -> list[Shown]:
        """A line for each problem."""
        return [problem.told(self.path) for problem in self.problems]


# --- parts of a step ----------------------------------------------------------------------------------------------------------
class _Part(msgspec.Struct, frozen=True, tag_field="part"):
    """Base of what a page consists of, in file order; `line` is where it begins, 1-based."""

    line: int


class Prose(_Part, frozen=True, tag="prose"):
    """Markdown that is only read."""

    text: str


class Rules(_Part, frozen=True, tag="rules"):
    """``**Rule** `id`: statement``: the expectations of this step show these rules.

    Args:
        ids: of the catalogue, for example ``tracer.wrong-thread``.
        statement: what stands after the colon, Markdown.
        text: the whole paragraph, Markdown.
    """

    ids: tuple[str, ...]
    statement: str
    text: str


class Choice(msgspec.Struct, frozen=True):
    """One answer of a prediction.

    Args:
        pattern: words that the event must have in this order; empty if this choice cannot be judged.
        reason: why one might think so, Markdown.
        line: where it stands.
    """

    pattern: str
    reason: str
    line: int


class Prediction(_Part, frozen=True, tag="predict"):
    """A question about the event that the first expectation of the next block will match."""

    question: str
    choices: tuple[Choice, ...]

    @property
    def judged(self) -> bool:
        """The kernel can tell which choice is right; otherwise the question is for thinking only."""
        return any(choice.pattern for choice in self.choices)


class BlockLine(msgspec.Struct, frozen=True):
    """One line of a block that is to be run: neither blank nor only a comment."""

    line: int
    text: str

    @property
    def asserts(self) -> bool:
        """It is an `expect` or a `then`."""
        return self.text.split(None, 1)[0] in ("expect", "then")


class Block(_Part, frozen=True, tag="block"):
    """Lines for the prompt.

    Args:
        source: as it stands in the file.
        lines: what is run.
        needs: capabilities without which it is skipped.
    """

    source: str
    lines: tuple[BlockLine, ...]
    needs: tuple[str, ...] = ()

    @property
    def judge(self) -> BlockLine | None:
        """The first expectation: the one that predictions are about."""
        return next((line for line in self.lines if line.asserts), None)


class TraceeSource(_Part, frozen=True, tag="tracee"):
    """A C program that is compiled before the first step.

    Args:
        name: it becomes ``./name``, from ``name.c``.
        cflags: more arguments for the compiler.
        source: the program's text; its first line is the one after `line`.
    """

    name: str
    cflags: tuple[str, ...]
    source: str


class Details(_Part, frozen=True, tag="details"):
    """Text that is closed until somebody asks for it: ``Why?``, ``Hint``, ``Notes`` for whoever presents it, or anything else."""

    summary: str
    text: str

    @property
    def kind(self) -> str:
        """``why``, ``hint``, ``notes`` or ``more``."""
        return {"why?": "why", "hint": "hint", "notes": "notes"}.get(self.summary.lower(), "more")


Part = Prose | Rules | Prediction | Block | TraceeSource | Details


class Step(msgspec.Struct, frozen=True):
    """A second-level heading and what follows: one test item, one place to resume at.

    Args:
        title: of the heading, plain text.
        slug: its anchor, unique in the file.
        line: of the heading.
        parts: in file order.
    """

    title: str
    slug: str
    line: int
    parts: tuple[Part, ...] = ()

    @property
    def blocks(self) -> tuple[Block, ...]:
        """What is run in it; a step without blocks is only read, and is no test item."""
        return tuple(part for part in self.parts if isinstance(part, Block))

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that it shows, each once."""
        return tuple(dict.fromkeys(each for part in self.parts if isinstance(part, Rules) for each in part.ids))

    def block_after(self, index: int) -> Block | None:
        """The first block after part number `index`."""
        return next((part for part in self.parts[index + 1 :] if isinstance(part, Block)), None)


class Document(msgspec.Struct, frozen=True):
    """A whole walkthrough.

    Args:
        path: as it was named.
        title: of the first heading, plain text.
        intro: what stands before the first step.
        steps: in file order.
        needs: capabilities without which all of it is skipped; ``cc`` is among them where a tracee is compiled.
        timeout: seconds for the whole file.
        text: the file.
    """

    path: str
    title: str
    intro: tuple[Part, ...]
    steps: tuple[Step, ...]
    needs: tuple[str, ...] = ()
    timeout: float = 60.0
    text: str = ""

    @property
    def tracees(self) -> tuple[TraceeSource, ...]:
        """Every C program of the page."""
        parts = [*self.intro, *(part for step in self.steps for part in step.parts)]
        return tuple(part for part in parts if isinstance(part, TraceeSource))

    @property
    def all_needs(self) -> tuple[str, ...]:
        """Every capability that is asked for anywhere, each once."""
        return tuple(dict.fromkeys([*self.needs, *(need for block in self.blocks() for need in block.needs)]))

    def blocks(self) -> Iterator[Block]:
        """Every block, in file order."""
        for step in self.steps:
            yield from step.blocks

    def step(self, slug: str) -> Step | None:
        """The step of that slug."""
        return next((step for step in self.steps if step.slug == slug), None)
