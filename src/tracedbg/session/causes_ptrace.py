"""Why a ptrace request failed for what was asked: EIO, EINVAL, EFAULT and the rarer ones; the others are in `causes_denied`.

Pure over the facts of the failure and the log, any thread.  Source: kernel/ptrace.c (ptrace_request), arch/x86/kernel/ptrace.c, ptrace(2)
ERRORS.
"""

from __future__ import annotations

from collections.abc import Mapping

from tracedbg.kernel import facts
from tracedbg.model.decodetables import ALL_REQUESTS
from tracedbg.model.names import PTRACE_OPTIONS, PTRACE_REQUESTS

from .causes import Case, Diagnosis, Finder, bits, unknown
from .causes_denied import no_such, not_permitted, task_of, traceme

_R = PTRACE_REQUESTS
_RESUMING = frozenset(
    _R[f"PTRACE_{name}"] for name in ("CONT", "SYSCALL", "SINGLESTEP", "SINGLEBLOCK", "SYSEMU", "SYSEMU_SINGLESTEP", "DETACH")
)
_PEEKS = frozenset(_R[f"PTRACE_{name}"] for name in ("PEEKTEXT", "PEEKDATA"))
_POKES = frozenset(_R[f"PTRACE_{name}"] for name in ("POKETEXT", "POKEDATA"))
_USER = frozenset(_R[f"PTRACE_{name}"] for name in ("PEEKUSER", "POKEUSER"))
_SETS = frozenset(_R[f"PTRACE_{name}"] for name in ("GETREGSET", "SETREGSET"))
_SETREGS = frozenset(_R[f"PTRACE_{name}"] for name in ("SETREGS", "SETFPREGS"))
_LISTEN = "PTRACE_LISTEN"
_ALL_OPTIONS = sum(set(PTRACE_OPTIONS.values()))
_USER_END = 912
"""sizeof(struct user), the end of what PEEKUSER reaches on x86-64 (arch/x86/kernel/ptrace.c)."""


def diagnose(case: Case) -> Diagnosis | None:
    """The cause of a ptrace request's failure; None if its errno has no story here."""
    request = case.failure.numbers[0]
    if request == _R["PTRACE_TRACEME"]:
        return traceme(case)
    find = {
        "ESRCH": no_such,
        "EPERM": not_permitted,
        "EIO": _io,
        "EINVAL": _invalid,
        "EFAULT": _fault,
        "EBUSY": _busy,
        "ENOSPC": _busy,
        "ENODEV": _no_set,
    }.get(case.failure.errno)
    return find(case) if find is not None else None


# --- EIO, EINVAL, EFAULT ------------------------------------------------------------------------------------------------------
def _io(case: Case) -> Diagnosis:
    request, tid, addr, data = case.failure.numbers
    name = case.who(tid)
    if request not in ALL_REQUESTS.values():
        return Diagnosis(
            "bad-request",
            f"{request:#x} is no ptrace request of this machine",
            "decode request NAME",
            "args.ptrace",
            (case.asked(f"request {request}"),),
        )
    if request == _R["PTRACE_SEIZE"]:
        if addr:
            return Diagnosis(
                "seize-address",
                "PTRACE_SEIZE wants its third argument (addr) to be 0",
                "options are the fourth argument",
                "args.ptrace",
                (case.asked(f"addr {addr:#x}"),),
            )
        return Diagnosis(
            "seize-options",
            f"{bits(data & ~_ALL_OPTIONS)} is no ptrace option, and PTRACE_SEIZE says EIO where SETOPTIONS says EINVAL",
            "decode option NUMBER names the bits",
            "args.ptrace",
            (case.asked(f"options {bits(data)}"),),
        )
    if request in _RESUMING:
        return Diagnosis(
            "bad-signal",
            f"{data} is no signal: a resumed tracee can be given 0 to 64",
            "0 delivers none",
            "args.ptrace",
            (case.asked(f"signal {data}"),),
        )
    if request in (_R["PTRACE_INTERRUPT"], _R[_LISTEN]):
        return _not_seized(case, request == _R[_LISTEN])
    if request in _PEEKS | _POKES:
        return _memory(case, writing=request in _POKES)
    if request in _USER:
        return _user_area(case)
    if request in _SETREGS:
        what = "a register was given a value that the processor does not allow there (a segment that is no user segment, for example)"
        return Diagnosis(
            "bad-register", what, "read them first with PTRACE_GETREGS, change what is to change, and write them back", "args.ptrace"
        )
    return unknown(case, f"the kernel could not do this to {name}")


def _not_seized(case: Case, listen: bool) -> Diagnosis:
    tid, name, _ = task_of(case)
    attached = case.history.attached(tid, case.failure.caller)
    evidence = [case.logged(f"{attached.lane}: PTRACE_{attached.what.upper()}", attached.seq)] if attached is not None else []
    state = case.then(f"state {case.failure.fact('target.state')} of {tid}", f"/proc/{tid}/stat")
    if listen and attached is not None and attached.what == "seize":
        stop = case.history.stop_taken(tid)
        told = f": its last stop was {stop.what}" if stop is not None else ""
        evidence += [case.logged(f"{stop.lane} took {stop.what}", stop.seq)] if stop is not None else []
        return Diagnosis(
            "listen-elsewhere",
            f"{name} is seized, but stands in no stop of the kind PTRACE_EVENT_STOP{told}",
            "LISTEN is for group-stops (status 0x80137f); PTRACE_CONT lets it run",
            "args.ptrace",
            (*evidence, state),
        )
    request = _LISTEN if listen else "PTRACE_INTERRUPT"
    how = {"attach": " by PTRACE_ATTACH", "traceme": " by PTRACE_TRACEME"}.get(attached.what if attached is not None else "", "")
    todo = "PTRACE_CONT lets it run" if listen else f"send it SIGSTOP (tgkill {tid}), and swallow that signal when it comes"
    rule = "tracer.attach-seize"
    return Diagnosis(
        "not-seized",
        f"{request} is for seized tracees only, and {name} came to its tracer{how or ' in another way'}",
        todo,
        rule,
        (*evidence, state),
    )


def _memory(case: Case, *, writing: bool) -> Diagnosis:
    tid, name, status = task_of(case)
    address, mapped = case.failure.numbers[2] & 0xFFFFFFFFFFFFFFFF, case.failure.fact("map", "hidden")
    found = case.then(f"{address:#x} of {tid}: {mapped if mapped != 'none' else 'nothing is mapped there'}", f"/proc/{tid}/maps")
    target = facts.target_of(dict(case.failure.facts))
    if target is not None and target.dumpable is False:
        what = f"{name} is not dumpable: a tracer without CAP_SYS_PTRACE keeps it, but not its memory"
        return Diagnosis(
            "undumpable",
            what,
            "run the tracer as root",
            "perm.credentials",
            (case.then(f"/proc/{tid}/stat belongs to root", status), found),
        )
    if mapped == "none":
        return Diagnosis(
            "bad-address", f"nothing is mapped at {address:#x} in {name}", "info proc mappings shows what is", "args.ptrace", (found,)
        )
    verb = "write" if writing else "read"
    return Diagnosis(
        "no-access",
        f"what is mapped at {address:#x} in {name} lets nobody {verb} it ({mapped})",
        "shared mappings that may not be written stay so for a tracer too; private ones are copied",
        "args.ptrace",
        (found,),
    )


def _user_area(case: Case) -> Diagnosis:
    offset = case.failure.numbers[2]
    asked = case.asked(f"offset {offset:#x}")
    if offset & 7:
        return Diagnosis(
            "unaligned", f"{offset:#x} is no multiple of 8: the USER area is read and written by words", "", "args.ptrace", (asked,)
        )
    if not 0 <= offset < _USER_END:
        return Diagnosis(
            "beyond-user", f"the USER area ends before {offset:#x}", "registers are at 0, debug registers at 848", "args.ptrace", (asked,)
        )
    return Diagnosis("bad-register", "the value is not allowed in that register", "", "args.ptrace", (asked,))


def _invalid(case: Case) -> Diagnosis | None:
    request, tid, addr, data = case.failure.numbers
    name = case.who(tid)
    if request == _R["PTRACE_SETOPTIONS"]:
        wrong = data & ~_ALL_OPTIONS
        if not wrong:
            return Diagnosis(
                "suspend-seccomp",
                "PTRACE_O_SUSPEND_SECCOMP needs a kernel with checkpoint/restore",
                "leave that option away",
                "args.ptrace",
                (case.asked(f"options {bits(data)}"),),
            )
        return Diagnosis(
            "bad-option",
            f"{bits(wrong)} is no ptrace option of this kernel",
            "decode option NUMBER names the bits",
            "args.ptrace",
            (case.asked(f"options {bits(data)}"),),
        )
    if request in (_R["PTRACE_GETSIGINFO"], _R["PTRACE_SETSIGINFO"]):
        stop = case.history.stop_taken(tid)
        evidence = (case.logged(f"{stop.lane} took {stop.what}", stop.seq),) if stop is not None else ()
        return Diagnosis(
            "group-stop",
            f"{name} is in a group-stop, which has no siginfo",
            "this very error is how a tracer tells it from a delivery stop",
            "stop.group-vs-signal",
            evidence,
        )
    if request in _SETS:
        return Diagnosis(
            "bad-regset",
            f"{addr:#x} is no register set of this machine",
            "1 is NT_PRSTATUS, the general registers",
            "args.ptrace",
            (case.asked(f"set {addr:#x}"),),
        )
    if request in (_R["PTRACE_GETSIGMASK"], _R["PTRACE_SETSIGMASK"]):
        return Diagnosis(
            "bad-size",
            f"the size of a signal set is 8 and not {addr}",
            "give 8 as the third argument",
            "args.ptrace",
            (case.asked(f"size {addr}"),),
        )
    if request == _R["PTRACE_POKEUSER"]:
        return Diagnosis(
            "bad-debug-register",
            "the debug register does not accept this address or control word",
            "",
            "args.ptrace",
            (case.asked(f"offset {addr:#x}, value {data:#x}"),),
        )
    return None


def _no_set(case: Case) -> Diagnosis:
    return Diagnosis(
        "no-regset",
        "this processor, or this tracee, does not have that register set",
        "",
        "args.ptrace",
        (case.asked(f"set {case.failure.numbers[2]:#x}"),),
    )


def _fault(case: Case) -> Diagnosis:
    where = case.failure.numbers[3] & 0xFFFFFFFFFFFFFFFF
    what = (
        f"{where:#x} is no address in the caller's own memory to read from or to write to (the fourth argument is "
        "the caller's, the third the tracee's)"
    )
    return Diagnosis("bad-pointer", what, "leave DATA away at `on`: a buffer is given", "args.ptrace", (case.asked(f"data {where:#x}"),))


def _busy(case: Case) -> Diagnosis:
    return Diagnosis(
        "debug-registers",
        "the debug registers are in use by someone else",
        "delete a hardware breakpoint or watchpoint",
        "",
        (case.asked(f"offset {case.failure.numbers[2]:#x}"),),
    )


FINDERS: Mapping[str, Finder] = {"ptrace": diagnose}
