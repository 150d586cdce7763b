"""How the bits of a wait status are made, drawn and said: fields, the macro of wait(2) that is true, what waitid tells whom.

Pure, any thread.  Source: wait(2); kernel/exit.c (wait_task_zombie, wait_task_stopped, wait_task_continued), kernel/signal.c.
"""

from __future__ import annotations

from .decodetables import EVENT_WORDS, STOP_SIGNALS
from .names import CLD_NAMES, EVENT_NAMES, EVENT_STOP, signal_name
from .waitstatus import StatusKind, WaitStatus

_EXITED, _KILLED, _DUMPED, _TRAPPED, _STOPPED, _CONTINUED = CLD_NAMES
_SIGTRAP = 5


def made_by_the_kernel(word: int) -> bool:
    """Whether the kernel stores such a word: no bit where it puts none, no number that does not exist."""
    status = WaitStatus(word)
    if status.kind is StatusKind.CONTINUED:
        return True
    if status.kind is StatusKind.EXITED:
        return 0 <= word <= 0xFF00 and not word & 0xFF
    if status.kind is StatusKind.KILLED:
        return 0 < word <= 0xFF and 1 <= status.signal <= 64
    if not 0 < word <= 0xFFFFFF or word & 0xFF != 0x7F or not 1 <= status.signal <= 64:
        return False
    if status.is_syscall:
        return status.signal == _SIGTRAP and not status.event
    return not status.event or (status.event in EVENT_NAMES and (status.event == EVENT_STOP or status.signal == _SIGTRAP))


def fields(word: int) -> list[tuple[str, str]]:
    """The fields of a word from the highest bit down: its bits, and what they say.  All of them together are the word."""
    status = WaitStatus(word)
    high, middle, low = word >> 16 & 0xFF, word >> 8 & 0xFF, word & 0xFF
    if status.kind is StatusKind.CONTINUED:
        return [(f"{high:08b}", "unused"), (f"{middle:08b} {low:08b}", "continued")]
    if status.kind is StatusKind.EXITED:
        return [(f"{high:08b}", "unused"), (f"{middle:08b}", f"exit code {middle}"), (f"{low:08b}", "exited")]
    if status.kind is StatusKind.KILLED:
        core = "core dump" if status.dumped else "no core"
        name = f"killed by {low & 0x7F}"
        return [(f"{high:08b}", "unused"), (f"{middle:08b}", "unused"), (f"{low >> 7:b}", core), (f"{low & 0x7F:07b}", name)]
    event = f"event {high}" if high else "no event"
    sysgood = "SYSGOOD" if status.is_syscall else "-"
    return [(f"{high:08b}", event), (f"{middle >> 7:b}", sysgood), (f"{middle & 0x7F:07b}", f"signal {status.signal}"),
            (f"{low:08b}", "stopped")]  # fmt: skip


def drawn(word: int) -> list[str]:
    """Two lines: the bits in fields, and under each field what it says; bits from 24 on are never used."""
    columns = fields(word)
    widths = [max(len(bits), len(says)) for bits, says in columns]
    rows = zip(*columns, strict=True)
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def macros(word: int) -> str:
    """The macros of wait(2) that take it apart."""
    status = WaitStatus(word)
    if status.kind is StatusKind.EXITED:
        return f"WIFEXITED; WEXITSTATUS {status.exit_code}"
    if status.kind is StatusKind.CONTINUED:
        return "WIFCONTINUED"
    if word & 0xFF == 0xFF:
        return "no macro of wait(2) is true of it"
    if status.kind is StatusKind.KILLED:
        return f"WIFSIGNALED; WTERMSIG {status.signal} ({signal_name(status.signal)})" + ("; WCOREDUMP" if status.dumped else "")
    plain = status.signal | (0x80 if status.is_syscall else 0)
    text = f"WIFSTOPPED; WSTOPSIG {plain:#x} ({signal_name(status.signal)}{'|0x80' if status.is_syscall else ''})"
    return text + (f"; status>>16 is {status.event} ({EVENT_NAMES.get(status.event, 'no event of this kernel')})" if status.event else "")


def _code(code: int, value: str) -> str:
    return f"si_code {CLD_NAMES[code]} ({code}), si_status {value}"


def told_by_waitid(word: int) -> list[tuple[str, str]]:
    """What waitid stores for it: to the parent, and to a tracer; who is told what is the watcher's relation as much as the event."""
    status = WaitStatus(word)
    kind = status.kind
    if kind is StatusKind.EXITED:
        return [("to parent and tracer", _code(_EXITED, str(status.exit_code)))]
    if kind is StatusKind.KILLED:
        return [("to parent and tracer", _code(_DUMPED if status.dumped else _KILLED, f"{status.signal} ({signal_name(status.signal)})"))]
    if kind is StatusKind.CONTINUED:
        return [("to parent and tracer", _code(_CONTINUED, "18 (SIGCONT), asked with WCONTINUED"))]
    shifted = word >> 8
    tracer = _code(_TRAPPED, f"{shifted:#x}" if shifted > 0x7F else f"{shifted} ({signal_name(shifted)})")
    if status.signal in STOP_SIGNALS and status.event in (0, EVENT_STOP):
        signal = f"{status.signal} ({signal_name(status.signal)})"
        return [("to the parent", _code(_STOPPED, f"{signal}, once all threads have stopped for it, asked with WSTOPPED")),
                ("to a tracer", tracer)]  # fmt: skip
    return [("to the parent", "nothing: a ptrace-stop is told to the tracer only"), ("to a tracer", tracer)]


def meaning(word: int) -> str:
    """What has happened, in a sentence."""
    status = WaitStatus(word)
    kind, signal = status.kind, signal_name(status.signal)
    if kind is StatusKind.EXITED:
        return f"it called exit({status.exit_code}), or a number with these low eight bits"
    if kind is StatusKind.CONTINUED:
        return "a job-control stop was ended by SIGCONT"
    if kind is StatusKind.KILLED:
        return f"{signal} ended it" + (", and a core dump was made or tried" if status.dumped else "")
    if status.is_syscall:
        return "at the entry to or the exit from a system call, under PTRACE_SYSCALL with PTRACE_O_TRACESYSGOOD"
    if status.event == EVENT_STOP:
        if status.signal in STOP_SIGNALS:
            return f"a seized tracee is in a group-stop for {signal}: PTRACE_LISTEN leaves it there, PTRACE_CONT lets it run"
        return "a seized tracee: PTRACE_INTERRUPT, the end of a group-stop, or the first stop of an auto-attached child"
    if status.event:
        words = EVENT_WORDS.get(EVENT_NAMES.get(status.event, ""))
        return f"{words[0]} (asked with {words[1]})" if words is not None else "an event that is not known here"
    if status.signal == _SIGTRAP:
        return ("step, breakpoint, exec without PTRACE_O_TRACEEXEC, or system call stop without SYSGOOD: "
                "PTRACE_GETSIGINFO tells which")  # fmt: skip
    if status.signal in STOP_SIGNALS:
        return (f"to a parent: stopped by {signal}. To a tracer: {signal} is about to be delivered, or, where GETSIGINFO says EINVAL, "
                "the group-stop after it")  # fmt: skip
    return f"signal-delivery-stop: {signal} is about to be delivered, and the tracer may keep it from that"
