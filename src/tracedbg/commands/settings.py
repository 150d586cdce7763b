"""Settings: what the next start and the next attach will be like.

Handlers run on the command thread and print nothing.
"""

from __future__ import annotations

import os
from typing import Annotated

from tracedbg.lang.params import NO_ARGUMENTS, Path, ProgramArguments, Rest
from tracedbg.lang.paramtypes import ChoiceType
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import BadArgument
from tracedbg.session.session import Session

from .answers import Said

table = CommandTable("settings", "Settings")

_MODES = ChoiceType("MODE", "seize", "attach")
_ON = ChoiceType("STATE", "on", "off")


@table.add("set args")
def set_args(session: Session, args: Annotated[ProgramArguments, "arguments and redirections"] = NO_ARGUMENTS) -> Said:
    """Set the arguments for the next start.

    Example: set args -v input.txt
    """
    session.settings.args = args
    return Said(())


@table.add("set cwd")
def set_cwd(session: Session, directory: Annotated[Path, "a directory"]) -> Said:
    """Set the working directory of the next start.

    Example: set cwd build
    """
    if not os.path.isdir(directory):
        raise BadArgument(f"{directory} is no directory", "name an existing one")
    session.settings.cwd = os.path.abspath(directory)
    return Said(())


@table.add("set environment", "set env")
def set_environment(session: Session, text: Annotated[Rest, "NAME=VALUE or NAME VALUE"]) -> Said:
    """Set a variable of the program's environment for the next start.

    Example: set environment LANG=C
    """
    name, _, value = text.replace("=", " ", 1).partition(" ")
    session.settings.environment[name] = value.strip()
    session.settings.unset.discard(name)
    return Said(())


@table.add("unset environment", "unset env")
def unset_environment(session: Session, name: Annotated[Rest, "NAME"]) -> Said:
    """Take a variable out of the program's environment for the next start.

    Example: unset environment DISPLAY
    """
    session.settings.environment.pop(name, None)
    session.settings.unset.add(name)
    return Said(())


@table.add("set attach-mode")
def set_attach_mode(session: Session, mode: Annotated[str, _MODES]) -> Said:
    """Choose how `attach` takes hold: seize (SEIZE and INTERRUPT) or attach (ATTACH and SIGSTOP).

    Example: set attach-mode attach
    """
    session.settings.attach_mode = mode
    return Said(())


@table.add("set disable-randomization")
def set_disable_randomization(session: Session, state: Annotated[str, _ON]) -> Said:
    """Give the program the same addresses at each start (on), or random ones (off).

    In the kernel: personality(ADDR_NO_RANDOMIZE) in the child, before exec.

    Example: set disable-randomization off
    """
    session.settings.disable_randomization = state == "on"
    return Said(())


@table.add("set inferior-tty", "tty")
def set_inferior_tty(session: Session, device: Annotated[Path, "a terminal, as the command tty names it"]) -> Said:
    """Run the program on another terminal from the next start on.

    Example: set inferior-tty /dev/pts/3
    """
    session.settings.inferior_tty = device
    return Said(())
