"""Help, and facts about tracedbg itself.

Handlers run at once, also while another command runs; they print nothing.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from tracedbg import __version__
from tracedbg.lang.params import Words
from tracedbg.lang.reference import help_lines
from tracedbg.lang.table import CommandTable
from tracedbg.model.text import Shown
from tracedbg.session.session import Session

from .answers import Said, said

table = CommandTable("helping", "Help")


_language: list[CommandTable] = [table]


def explain(whole: CommandTable) -> None:
    """Tell this module what the whole language is: it is merged above, and `help` explains all of it."""
    _language[0] = whole


class Help(msgspec.Struct, frozen=True):
    """A page of help, drawn when the width is known."""

    words: tuple[str, ...]
    language: CommandTable

    def lines(self, width: int) -> list[Shown]:
        """The page."""
        return help_lines(self.language, self.words, width)


@table.add("help", "h", while_busy="now")
def help_(session: Session, words: Annotated[Words, "a command or a family; nothing for an overview"] = ()) -> Help:
    """Explain a command, or list them.

    Example: help break
    """
    help_lines(_language[0], words, 80)  # an unknown name is an error now, not when it is drawn
    return Help(words, _language[0])


@table.add("show version", "version", while_busy="now")
def show_version(session: Session) -> Said:
    """Show which tracedbg and which kernel this is.

    Example: show version
    """
    import platform

    return said(f"tracedbg {__version__} on Linux {platform.release()} {platform.machine()}, Python {platform.python_version()}")


@table.add("echo", while_busy="now")
def echo(session: Session, words: Annotated[Words, "text"] = ()) -> Said:
    """Show a line of text; scripts speak with it.

    Example: echo now the program runs
    """
    return said(" ".join(words))
