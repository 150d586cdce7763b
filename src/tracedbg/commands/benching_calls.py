"""Reading a call that was typed after ``on NAME``, and what ``help on`` says of calls.

Command thread; pure.  The rows are in `lang.callforms`, the values that are made of them in `lab.typed`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from tracedbg.lab import calls
from tracedbg.lab.typed import MAKERS, Typed
from tracedbg.lang import params
from tracedbg.lang.callforms import FORMS, groups
from tracedbg.lang.paramtypes import ParamType
from tracedbg.model.errors import BadArgument, UnknownCommand
from tracedbg.model.names import PTRACE_REQUESTS

F = TypeVar("F", bound=Callable[..., object])
_TRACEME = PTRACE_REQUESTS["PTRACE_TRACEME"]


def read_call(verb: str, words: Sequence[str]) -> Typed:
    """Read a call and its arguments as typed.

    Raises:
        UnknownCommand: no such call.
        BadArgument: a word is not what its place asks for, is missing, or is too much.
    """
    form = FORMS.get(verb)
    if form is None:
        raise UnknownCommand(f"'{verb}' is no call that a thread can be told to make", f"help on lists them: {', '.join(FORMS)}")
    if verb == "ptrace":
        return _read_ptrace(words)
    values = form.read(words)
    make = MAKERS.get(verb)
    return make(values) if make is not None else calls.simple_call(verb, [value for value in values if value is not None])


def _read_ptrace(words: Sequence[str]) -> Typed:
    form = FORMS["ptrace"]
    request, tid, addr, _ = form.read(words[:3])
    if len(words) < 2 and request != _TRACEME:
        raise BadArgument(f"ptrace takes 2 to 4 arguments, not {len(words)}", f"usage: on NAME {form.usage}")
    if len(words) > 4:
        raise BadArgument(f"ptrace takes 2 to 4 arguments, not {len(words)}", f"usage: on NAME {form.usage}")
    data = 0
    if len(words) > 3:
        kind: ParamType[int] = params.NUMBER
        if request in calls.SIGNAL_REQUESTS:
            kind = params.SIGNAL
        elif request in calls.OPTION_REQUESTS:
            kind = params.PTRACE_OPTIONS
        data = kind.parse(words[3])
    return calls.ptrace_call(request, tid, addr, data)


def with_calls(handler: F) -> F:
    """Add the calls, group by group, to a handler's help."""
    paragraphs = []
    for title, forms in groups():
        ours = [f"`{form.usage}`" for form in forms if form.ours]
        others = [f"`{form.usage}`" for form in forms if not form.ours]
        text = f"Calls for {title}: " + ", ".join(ours)
        if others:
            text += ("; of puppets only: " if ours else "of puppets only: ") + ", ".join(others)
        paragraphs.append(f"    {text}.")
    before, mark, after = (handler.__doc__ or "").partition("    In the kernel:")
    handler.__doc__ = before + "\n\n".join(paragraphs) + "\n\n" + mark + after
    return handler
