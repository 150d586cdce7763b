"""What tracedbg takes from python-ptrace, and the only module that imports it.

Taken: the register and siginfo structures of `ptrace.binding`, and (lazily, elsewhere) its system-call prototypes.  None of its
debugger classes: they wait by themselves, poll, and send requests from `__del__` on whatever thread collects garbage.
Importing it would run ldconfig as a child process, which a waiter on -1 could reap; so the library search is answered here.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import warnings
from collections.abc import Callable


def _structures() -> tuple[type[ctypes.Structure], type[ctypes.Structure], type[ctypes.Structure]]:
    # ptrace.ctypes_libc calls find_library("c"), which runs `ldconfig -p`.  On Linux with glibc or musl the C library is already
    # part of the process; CDLL(None) finds it, so None is a right answer.
    search: Callable[[str], str | None] = ctypes.util.find_library
    setattr(ctypes.util, "find_library", lambda name: None if name == "c" else search(name))  # noqa: B010  (mypy forbids the plain form)
    try:
        with warnings.catch_warnings():
            # ptrace.tools calls datetime.utcfromtimestamp when it is imported, which Python 3.12 deprecates; not ours to mend.
            warnings.simplefilter("ignore", DeprecationWarning)
            from ptrace.binding.linux_struct import siginfo, user_fpregs_struct, user_regs_struct
    finally:
        setattr(ctypes.util, "find_library", search)  # noqa: B010
    return user_regs_struct, user_fpregs_struct, siginfo


UserRegs, UserFpRegs, SigInfo = _structures()
"""`struct user_regs_struct`, `struct user_fpregs_struct` and `siginfo_t` of this CPU."""
