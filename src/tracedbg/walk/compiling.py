"""The C programs of a page: written to files and compiled, before anything is played.

Whatever thread of a process that holds no tracer: a compiler is a child, and where a lesson plays, a waiter on -1 would collect its status.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from tracedbg.kernel.reap import Child, Reaper
from tracedbg.kernel.spawn import SpawnSpec
from tracedbg.model.errors import NotHere
from tracedbg.model.text import visible

from .document import Document, TraceeSource
from .moments import Failure

FLAGS = ("-g", "-O0")
"""What every program is compiled with, before the flags of its block."""
_LIMIT_S = 30.0
_SHOWN = 20
"""Lines of a compiler's complaints that are shown."""


def compile_all(document: Document, folder: str, reaper: Reaper) -> list[Failure]:
    """Compile every program of a page; what the compiler refused.

    Args:
        document: the page.
        folder: becomes ``NAME.c`` and ``NAME`` for each.
        reaper: starts the compilers, all at once.

    Raises:
        NotHere: there is no compiler.
    """
    if not document.tracees:
        return []
    cc = shutil.which("cc")
    if cc is None:
        raise NotHere("there is no program cc", "install a C compiler, such as gcc")
    deadline = time.monotonic() + _LIMIT_S
    at_work = [(tracee, _start(cc, tracee, folder, reaper)) for tracee in document.tracees]
    failures = []
    for tracee, child in at_work:
        if child.wait(max(deadline - time.monotonic(), 0)):
            said = _output(tracee, folder).read_text("utf-8", "backslashreplace").splitlines()
        else:
            reaper.end(child)
            said = [f"the compiler has not ended in {_LIMIT_S:.0f} s"]
        ok = child.status is not None and child.status.word == 0
        child.close()
        if not ok:
            failures.append(_failure(document.path, tracee, said))
    return failures


def _output(tracee: TraceeSource, folder: str) -> Path:
    """Where a compiler writes what it has to say: a file, since nobody needs to read it meanwhile."""
    return Path(folder, f"{tracee.name}.messages")


def _start(cc: str, tracee: TraceeSource, folder: str, reaper: Reaper) -> Child:
    Path(folder, f"{tracee.name}.c").write_text(tracee.source, encoding="utf-8")
    libraries = [flag for flag in tracee.cflags if flag.startswith("-l")]  # they come after what uses them
    others = [flag for flag in tracee.cflags if flag not in libraries]
    argv = [cc, *FLAGS, *others, "-o", tracee.name, f"{tracee.name}.c", *libraries]
    environment = {**os.environ, "LC_ALL": "C"}
    with open(os.devnull, "rb") as nothing, _output(tracee, folder).open("wb") as output:
        stdio = (nothing.fileno(), output.fileno(), output.fileno())
        return reaper.spawn(SpawnSpec(cc, argv, environment, stdio=stdio, cwd=folder, randomize=True, trace=False))


def _failure(path: str, tracee: TraceeSource, said: Sequence[str]) -> Failure:
    """The compiler's words with the places in the page instead of those in ``NAME.c``."""
    place = re.compile(rf"^{re.escape(tracee.name)}\.c:(?:(\d+):)?")
    lines = []
    for line in said[:_SHOWN]:
        found = place.match(line)
        rest = line[found.end() :] if found else line
        where = "" if found is None else f"{path}:{tracee.line + int(found[1])}:" if found[1] else f"{path}:"
        lines.append(f"  {visible(where + rest)}")
    if len(said) > _SHOWN:
        lines.append(f"  ({len(said) - _SHOWN} more lines)")
    return Failure(tracee.line, f"```c tracee={tracee.name}", ("  it cannot be compiled:", *lines))
