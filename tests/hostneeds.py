"""What tests need of the machine: one probe for each need, run once, named in the skip.

Used by `conftest.py` on the main thread of a test run.  It must not skip anything silently: a need that is missing is
named with its reason, and `TRACEDBG_NO_SKIPS=1` turns every skip into a failure.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

NO_SKIPS = os.environ.get("TRACEDBG_NO_SKIPS", "") not in ("", "0")

# Who runs the tests, and with which extras and second compiler, is a choice and nothing that a machine lacks: these stay
# skips under TRACEDBG_NO_SKIPS.  `.ci/run` makes each choice once.
# Whether tracefs is mounted is one too: tracedbg never mounts it, and `.ci/run` does so only where CI is set.
CHOICES = frozenset({"root", "ordinary-user", "dev-extra", "clang", "tracefs"})

# A child that says TRACEME and exits: the smallest thing that fails where a container's seccomp filter refuses ptrace.
_TRACEME = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
ctypes.set_errno(0)
ok = libc.ptrace(0, 0, None, None) == 0
sys.exit(0 if ok else ctypes.get_errno() or 1)
"""


def _program(name: str) -> str:
    return "" if shutil.which(name) else f"no program {name!r} on the PATH"


def _ptrace() -> str:
    done = subprocess.run([sys.executable, "-S", "-c", _TRACEME], check=False, timeout=30)
    return "" if done.returncode == 0 else f"PTRACE_TRACEME is refused here: {os.strerror(abs(done.returncode))}"


def _children_file() -> str:
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    return "" if path.exists() else "the kernel has no /proc/PID/task/TID/children (CONFIG_PROC_CHILDREN)"


def _x86_64() -> str:
    machine = os.uname().machine
    return "" if machine == "x86_64" and ctypes.sizeof(ctypes.c_long) == 8 else f"machine is {machine}, not x86-64"


def _drgn() -> str:
    try:
        import drgn  # noqa: F401  # late: 24 ms that most runs need not pay
    except ImportError as error:
        return f"drgn cannot be imported: {error}"
    return ""


def _tracefs() -> str:
    from tracedbg.kernel.needs import tracefs_allowed  # late: few tests ask

    need = tracefs_allowed()
    return "" if need.ok else f"{need.reason} ({need.remedy})"


def _landlock() -> str:
    from tracedbg.kernel.needs import probe  # late: few tests ask

    need = probe("landlock")
    return "" if need.ok else f"{need.reason} ({need.remedy})"


def chromium() -> str:
    """The path of Chromium, empty where there is none."""
    return next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), "")


def _chromium() -> str:
    if not chromium():
        return "no program 'chromium' on the PATH"
    lacks = [name for name in ("playwright", "axe_playwright_python") if importlib.util.find_spec(name) is None]
    return f"{', '.join(lacks)}: not installed (extra `browser`)" if lacks else ""


def _pictures() -> str:
    from tracedbg.exports.pictures import check  # late: few tests ask
    from tracedbg.model.errors import NotHere

    try:
        check()
    except NotHere as error:
        return f"{error.what} ({error.todo})"
    return ""


def _dev_extra() -> str:
    return "" if importlib.util.find_spec("importlinter") else "import-linter is not installed (extra `dev`)"


PROBES: dict[str, Callable[[], str]] = {
    "ptrace": _ptrace,
    "cc": lambda: _program("cc"),
    "clang": lambda: _program("clang"),
    "gdb": lambda: _program("gdb"),
    "tmux": lambda: _program("tmux"),
    "setpriv": lambda: _program("setpriv"),
    "x86-64": _x86_64,
    "proc-children": _children_file,
    "drgn": _drgn,
    "tracefs": _tracefs,
    "landlock": _landlock,
    "chromium": _chromium,
    "pictures": _pictures,
    "dev-extra": _dev_extra,
    "root": lambda: "" if os.geteuid() == 0 else f"needs root, and this run has uid {os.geteuid()}",
    "ordinary-user": lambda: "" if os.geteuid() else "needs an ordinary user, and this run is root's",
}


@functools.cache
def missing(need: str) -> str:
    """Why `need` (a key of `PROBES`) is not there, in one clause; empty when it is there."""
    return PROBES[need]()
