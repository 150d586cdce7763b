"""Why a wait call failed otherwise than with ECHILD: EINVAL by the bit, a bad pointer, a signal.

Pure over the facts of the failure, any thread.  Source: kernel/exit.c (kernel_wait4, kernel_waitid_prepare), wait(2) ERRORS.
"""

from __future__ import annotations

from collections.abc import Mapping

from tracedbg.model.names import WAIT_OPTIONS, WAITID_TYPES, wait_options_text

from .causes import Case, Diagnosis, Finder, bits
from .causes_echild import as_int, no_child

_O = WAIT_OPTIONS
_EVENTS = _O["WEXITED"] | _O["WSTOPPED"] | _O["WCONTINUED"]
_FOR_WAIT4 = _O["WNOHANG"] | _O["WUNTRACED"] | _O["WCONTINUED"] | _O["__WNOTHREAD"] | _O["__WALL"] | _O["__WCLONE"]
_FOR_WAITID = _FOR_WAIT4 | _O["WEXITED"] | _O["WNOWAIT"]
_ALL, _PID, _PGID, _PIDFD = (WAITID_TYPES[f"P_{name}"] for name in ("ALL", "PID", "PGID", "PIDFD"))
_INT_MIN = -(1 << 31)


def diagnose(case: Case) -> Diagnosis | None:
    """The cause of a wait's failure; None if its errno has no story here."""
    find = {
        "ECHILD": no_child,
        "EINVAL": _invalid,
        "EFAULT": _fault,
        "EAGAIN": _again,
        "EINTR": _interrupted,
        "EBADF": _bad_fd,
        "ESRCH": _int_min,
    }.get(case.failure.errno)
    return find(case) if find is not None else None


# --- EINVAL and the rest ------------------------------------------------------------------------------------------------------
def _invalid(case: Case) -> Diagnosis | None:
    waitid = case.failure.name == "waitid"
    numbers = [*case.failure.numbers, 0, 0, 0]
    options = (numbers[2] if waitid else numbers[1]) & 0xFFFFFFFF
    asked = case.asked(f"options {wait_options_text(options, waitid=waitid)} ({bits(options)})")
    wrong = options & ~(_FOR_WAITID if waitid else _FOR_WAIT4)
    if wrong:
        name = wait_options_text(wrong, waitid=True)
        only = (
            " (an option of waitid only; wait4 always reports ends)" if not waitid and wrong & ~(_O["WEXITED"] | _O["WNOWAIT"]) == 0 else ""
        )
        return Diagnosis(
            "bad-option",
            f"{case.failure.name} does not know the option {name}{only}",
            "decode option NAME says which call knows it",
            "args.wait",
            (asked,),
        )
    if not waitid:
        return None
    kind, ident = numbers[0], as_int(numbers[1])
    if not options & _EVENTS:
        return Diagnosis(
            "no-event",
            "waitid must be told what to report: WEXITED, WSTOPPED, WCONTINUED, at least one of them",
            "add WEXITED",
            "args.wait",
            (asked,),
        )
    who = case.asked(f"idtype {kind}, id {ident}")
    if kind not in (_ALL, _PID, _PGID, _PIDFD):
        return Diagnosis("bad-idtype", f"{kind} is no idtype", "P_ALL, P_PID, P_PGID and P_PIDFD are", "args.wait", (who,))
    least = {_PID: 1, _PGID: 0, _PIDFD: 0}.get(kind, 0)
    if ident < least:
        return Diagnosis(
            "bad-id",
            f"with this idtype the id must be {least} or more, and {ident} was given",
            "P_ALL takes any child",
            "args.wait",
            (who,),
        )
    return None


def _fault(case: Case) -> Diagnosis:
    child = "" if case.failure.name == "waitid" else "; the child was reaped all the same, and what it had to tell is lost"
    where = next((str(arg) for arg in case.failure.args if str(arg).startswith("status ")), "the pointer given")
    return Diagnosis(
        "bad-pointer",
        f"the result could not be stored at {where.removeprefix('status ')}{child}",
        "give an address of the caller's own memory",
        "wait.bad-pointer",
        (case.asked(where),),
    )


def _again(case: Case) -> Diagnosis | None:
    if not case.failure.value("fd.flags"):
        return None
    flags = int(case.failure.fact("fd.flags"), 8)
    held = case.then(
        f"flags {case.failure.fact('fd.flags')} (octal) of the descriptor: O_NONBLOCK {'set' if flags & 0o4000 else 'not set'}",
        f"/proc/{case.failure.caller}/fdinfo",
    )
    return Diagnosis(
        "nonblocking-pidfd",
        "the pidfd was opened with PIDFD_NONBLOCK and there is nothing to report yet",
        "poll it, or open it without",
        "pidfd.poll",
        (held,),
    )


def _interrupted(case: Case) -> Diagnosis:
    return Diagnosis(
        "signal",
        f"a signal ended the wait of {case.who(case.failure.caller)} before there was news: a handler ran that has no SA_RESTART",
        "wait again; nothing is lost",
        "interrupt.eintr",
        (case.asked(case.failure.text),),
    )


def _bad_fd(case: Case) -> Diagnosis:
    fd = case.failure.numbers[1]
    held = case.failure.fact("fd", "none")
    what = f"descriptor {fd} is not open" if held == "none" else f"descriptor {fd} is {held}, not a pidfd"
    return Diagnosis(
        "bad-descriptor", what, "pidfd_open PID makes one", "pidfd.poll", (case.then(f"{fd}: {held}", f"/proc/{case.failure.caller}/fd"),)
    )


def _int_min(case: Case) -> Diagnosis | None:
    if as_int(case.failure.numbers[0]) != _INT_MIN:
        return None
    return Diagnosis(
        "int-min",
        "the most negative int cannot be made a process group by changing its sign",
        "-1 means any child",
        "args.wait",
        (case.asked("pid -2147483648"),),
    )


FINDERS: Mapping[str, Finder] = dict.fromkeys(("wait4", "waitid", "waitpid"), diagnose)
