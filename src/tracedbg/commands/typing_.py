"""Commands about the program's own terminal: typing for it, handing it the keyboard.

Handlers run at once, also while the program runs; they print nothing.
"""

from __future__ import annotations

from typing import Annotated

from tracedbg.lang.grammar import parse
from tracedbg.lang.params import Rest
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import NotHere
from tracedbg.session.session import Session
from tracedbg.session.stopped import Stopped
from tracedbg.tracer import running

from .answers import Said, StopTold, said

table = CommandTable("terminal", "The program's terminal")


def _alive(session: Session) -> bool:
    return session.program.alive


_KEYS = {"^C": b"\x03", "^D": b"\x04", "^Z": b"\x1a", "^\\": b"\x1c"}


@table.add("input", while_busy="now", enabled=_alive)
def input_(session: Session, text: Annotated[Rest, "the text, a newline is added; in quotes exactly this; ^C ^D ^Z are keys"]) -> Said:
    r"""Type into the program's terminal.

    Example: input "yes\n"
    """
    if text in _KEYS:
        data = _KEYS[text]
    elif text.startswith('"'):
        data = parse("input " + text).words[0].text.encode("utf-8", "surrogateescape")
    else:
        data = text.encode("utf-8", "surrogateescape") + b"\n"
    session.program.need_process()
    sent = session.terminal.send(data)
    return said() if sent == len(data) else said(f"only {sent} of {len(data)} bytes were taken: the program does not read")


@table.add("fg", while_busy="now", enabled=_alive)
def fg(session: Session) -> StopTold | Said:
    """Hand the keyboard to the program until Ctrl-] or its next stop; a stopped program runs on.

    Bytes pass both ways unchanged, so that full-screen programs work.

    Example: fg
    """
    program = session.program
    program.need_process()
    if session.keyboard is None:
        raise NotHere("there is no keyboard to hand over here", "input TEXT types for the program")
    if session.terminal.pty is None:
        raise NotHere("the program has no terminal of ours", "type where it runs, or start it with run, without --tty")
    if program.busy:
        session.keyboard(None)
        return Said(())
    tid = program.need_stopped()
    found = session.keyboard(lambda: program.proceed(running.cont, tid))
    return StopTold(found) if isinstance(found, Stopped) else Said(())
