"""Every kind of argument by its name: what the handlers' signatures are written with.

Pure, any thread.  The classes are in `paramtypes` and `forms`; this module must hold nothing but names.

A handler names a kind in its signature, so that the type checker sees the value and the table sees the kind::

    def stepi(session: Session, count: Annotated[Count, "how many instructions"] = 1) -> Stepped: ...
"""

from __future__ import annotations

import os
from typing import Annotated

from tracedbg.model import names
from tracedbg.model.startup import ProgramArgs

from .forms import Format, FormatType, IdListType, Location, LocationType, ProgramArgsType, WordsType
from .paramtypes import (
    FlagsType,
    NamedType,
    NameType,
    NumberType,
    OnOffType,
    PathType,
    RegisterType,
    SignalType,
    TailType,
    TextType,
)


def _executable(entry: os.DirEntry[str]) -> bool:
    return os.access(entry.path, os.X_OK)


COUNT = NumberType("COUNT", "a count (1 or more)", 1)
NUMBER = NumberType("NUMBER", "a number")
PID = NumberType("PID", "the number of a process or thread", 1, 2**22)  # PID_MAX_LIMIT, include/linux/threads.h
WAIT_PID = NumberType("PID", "a pid, -1 for any child, 0 or -PGID for a process group", -(2**31), 2**22)
THREAD = NumberType("THREAD", "the number of a thread in 'info threads'", 1)
BREAKPOINTS = IdListType("ID", "breakpoint numbers", "breakpoint")
SIGNAL = SignalType("SIGNAL", "a signal", names.SIGNALS, "SIG")
REQUEST = NamedType("REQUEST", "a ptrace request", names.PTRACE_REQUESTS, "PTRACE_")
WAIT_OPTIONS = FlagsType("OPTIONS", "options of a wait call", names.WAIT_OPTIONS)
PTRACE_OPTIONS = FlagsType("OPTIONS", "ptrace options", names.PTRACE_OPTIONS, "PTRACE_O_")
WAITID_TYPE = NamedType("IDTYPE", "P_ALL, P_PID, P_PGID or P_PIDFD", names.WAITID_TYPES, "P_")
ON_OFF = OnOffType("on|off", "on or off")
REGISTER = RegisterType("REGISTER", "a register", "register", r"\$?[A-Za-z][A-Za-z0-9_.]*", variables=False)
ACTOR = NameType("NAME", "the name of a thread or puppet", "actor", r"[A-Za-z][\w.-]*")
NEW_NAME = NameType("NAME", "a name (a letter, then letters, digits, - or _)", "", r"[A-Za-z][\w-]*")
PATH = PathType("FILE")
PROGRAM = PathType("PROGRAM", "a program", _executable)
TEXT = TextType("TEXT", "text; in quotes it may hold blanks and \\n")
WORDS = WordsType("WORD", "words", "")
FIELDS = WordsType("FIELD", "names of facts, or registers with $", "fact", variables=False)
ADDRESS = TailType("ADDRESS", "an address: a number, a symbol, $REGISTER, or an expression of these", "symbol", "register",
                   tail_word=r"\$?[\w.]*$")  # fmt: skip
EXPRESSION = TailType("EXPRESSION", "a C expression", "symbol", "register", "variable", tail_word=r"\$?\w*$")
PATTERN = TailType("[not] LANE WORD... [within Ns]", "a pattern", "lane", "variable")
REST = TailType("TEXT", "the rest of the line")
LINE = TailType("COMMAND", "a command with its arguments", "command", tail_word=r"^.*$")
FORMAT = FormatType("/NFU", "a format such as /8xg")
LOCATION = LocationType("LOCATION", "FUNCTION, FILE:LINE, LINE or *ADDRESS, with 'if CONDITION' behind it if you like")
PROGRAM_ARGS = ProgramArgsType("ARG... [< IN] [> OUT]", "a program's arguments")

NO_FORMAT = Format()
HERE = Location("")
NO_ARGUMENTS = ProgramArgs()
"""Defaults for handlers, which must not call anything in a signature."""

# What a handler writes: `Annotated[Count, "how many"]`.
Count = Annotated[int, COUNT]
Number = Annotated[int, NUMBER]
Pid = Annotated[int, PID]
WaitPid = Annotated[int, WAIT_PID]
ThreadNumber = Annotated[int, THREAD]
BreakpointIds = Annotated[tuple[int, ...], BREAKPOINTS]
Signal = Annotated[int, SIGNAL]
Request = Annotated[int, REQUEST]
WaitOptions = Annotated[int, WAIT_OPTIONS]
PtraceOptions = Annotated[int, PTRACE_OPTIONS]
WaitidType = Annotated[int, WAITID_TYPE]
OnOff = Annotated[bool, ON_OFF]
Register = Annotated[str, REGISTER]
Actor = Annotated[str, ACTOR]
NewName = Annotated[str, NEW_NAME]
Path = Annotated[str, PATH]
Program = Annotated[str, PROGRAM]
Text = Annotated[str, TEXT]
Words = Annotated[tuple[str, ...], WORDS]
Fields = Annotated[tuple[str, ...], FIELDS]
Address = Annotated[str, ADDRESS]
Expression = Annotated[str, EXPRESSION]
PatternText = Annotated[str, PATTERN]
Rest = Annotated[str, REST]
CommandLine = Annotated[str, LINE]
FormatSpec = Annotated[Format, FORMAT]
LocationSpec = Annotated[Location, LOCATION]
ProgramArguments = Annotated[ProgramArgs, PROGRAM_ARGS]
