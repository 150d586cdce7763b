"""What a number or a name of ptrace, wait or signals can be: every reading of it, the likeliest first.

Pure, any thread.  `readings` takes what a person typed; each `Reading` carries a spelling that reads back to the same number.  Nothing
is asked of the kernel here: what a failed call means at this moment is the business of `why`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from . import decodetables as tables
from . import statusdrawing as status_
from .errors import BadArgument
from .names import (
    EVENT_NAMES,
    PTRACE_EVENTS,
    PTRACE_OPTIONS,
    SIGNALS,
    WAIT_OPTIONS,
    errno_text,
    flags_text,
    signal_name,
    wait_options_text,
)
from .waitstatus import CONTINUED, StatusKind, WaitStatus, exited, killed, stopped

KINDS = ("status", "errno", "signal", "event", "request", "option", "siginfo")
"""What `decode KIND ...` narrows to; ``option`` is ptrace's and wait's."""

_REQUEST_NAMES = {number: name for name, number in tables.ALL_REQUESTS.items()}
_ERRNO_NAMES = {number: name for name, number in reversed(list(tables.ERRNOS.items()))} | {11: "EAGAIN", 35: "EDEADLK", 95: "EOPNOTSUPP"}
_ALL_OPTIONS = sum(set(PTRACE_OPTIONS.values()))
_ALL_WAIT_OPTIONS = sum(set(WAIT_OPTIONS.values()))
_NUMBER = re.compile(r"-?(?:0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})")


class Reading(msgspec.Struct, frozen=True):
    """One thing that it can be.

    Args:
        kind: one of `KINDS`; for options, `label` says whose.
        label: as it is shown.
        number: its value.
        spelling: words that read back to it, after the kind.
        lines: what it means.
        likely: higher comes first.
        title: the first line, where it is not label, number and spelling.
        gist: the one line that says most, where it is not the first.
    """

    kind: str
    label: str
    number: int
    spelling: str
    lines: tuple[str, ...]
    likely: int = 0
    title: str = ""
    gist: str = ""


def number_of(text: str) -> int | None:
    """The value of a number as it is typed here: decimal or 0x, with a sign; None for anything else."""
    if not _NUMBER.fullmatch(text):
        return None
    return int(text, 16) if "x" in text.lower() else int(text)


# --- one kind each: a number to its reading -----------------------------------------------------------------------------------
def of_status(word: int, likely: int = 0) -> Reading:
    """A wait status, also one that the kernel never makes."""
    status = WaitStatus(word)
    told = [f"waitid {whom}: {what}" for whom, what in status_.told_by_waitid(word)]
    gist = status_.meaning(word)
    lines = [*status_.drawn(word), status_.macros(word), *told, gist]
    text = status.text()
    if not status_.made_by_the_kernel(word):
        lines = [*status_.drawn(word), status_.macros(word)]
        lines.append("the kernel never stores this word: it is only what the macros make of it")
        text = hex(word)
    return Reading("status", "wait status", word, text, tuple(lines), likely, gist=gist)


def of_errno(number: int, likely: int = 0) -> Reading:
    """An errno, or one of the kernel's own restart codes."""
    name = _ERRNO_NAMES.get(number, str(number))
    restart = tables.RESTARTS.get(name)
    lines = [f"inside the kernel: {restart[1]}" if restart is not None else errno_text(number)]
    if name in tables.ERRNO_WORDS:
        lines.append(tables.ERRNO_WORDS[name])
    lines.append(f"a raw system call returns it as {-number} ({-number & 0xFFFFFFFFFFFFFFFF:#x})")
    return Reading("errno", "errno", number, name, tuple(lines), likely)


def of_signal(number: int, likely: int = 0) -> Reading:
    """A signal; 0 is none, which kill uses to ask."""
    if number == 0:
        none = "none: kill(pid, 0) only asks whether the process is there and may be signalled"
        return Reading("signal", "signal", 0, "0", (none,), likely)
    name = signal_name(number)
    does, about = tables.SIGNAL_WORDS.get(name, ("terminates the process", "real-time: queued, and delivered lowest number first"))
    lines = [f"{about}; where nothing else was chosen it {does}", f"in a signal set it is bit {number - 1}, {1 << (number - 1):#x}"]
    words = f"as a wait status: killed by it {killed(number).word:#x}, stopped by it {stopped(number).word:#x}"
    if does == tables.SIGNAL_WORDS["SIGABRT"][0]:
        words += f", killed with a core dump {killed(number, dumped=True).word:#x}"
    return Reading("signal", "signal", number, name, (*lines, words), likely)


def of_event(number: int, likely: int = 0) -> Reading:
    """A ptrace event code."""
    name = EVENT_NAMES[number]
    happened, asked, message = tables.EVENT_WORDS[name]
    signal = "SIGTRAP or a stop signal" if name == "PTRACE_EVENT_STOP" else "SIGTRAP"
    lines = (happened, f"asked for with {asked}; PTRACE_GETEVENTMSG tells {message}",
             f"wait status {stopped(5, number).word:#x}: event {number} above bit 16, {signal} in bits 8 to 15")  # fmt: skip
    return Reading("event", "ptrace event", number, name, lines, likely)


def of_request(number: int, likely: int = 0) -> Reading:
    """A ptrace request."""
    name = _REQUEST_NAMES[number]
    lines = [tables.REQUEST_WORDS[name]]
    if name not in tables.ATTACHING_REQUESTS:
        where = "running or stopped" if name in tables.RUNNING_REQUESTS else "in a ptrace-stop"
        lines.append(f"only the tracer thread may make it, on a tracee {where}; else ESRCH")
    return Reading("request", "ptrace request", number, name, tuple(lines), likely)


def _bits(number: int, table: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    seen = set()
    for name, bit in table.items():
        if number & bit and bit not in seen:
            seen.add(bit)
            yield name, bit


def of_option(number: int, likely: int = 0) -> Reading:
    """Options of PTRACE_SETOPTIONS and PTRACE_SEIZE."""
    lines = [f"{name} {bit:#x}: {tables.OPTION_WORDS[name]}" for name, bit in _bits(number, PTRACE_OPTIONS)]
    lines += _left_over(number & ~_ALL_OPTIONS, "SETOPTIONS answers EINVAL, SEIZE EIO")
    return Reading("option", "ptrace options", number, flags_text(number, PTRACE_OPTIONS), tuple(lines), likely)


def of_wait_option(number: int, likely: int = 0) -> Reading:
    """Options of wait4 and waitid."""
    lines = []
    for name, bit in _bits(number, {key: bit for key, bit in WAIT_OPTIONS.items() if key != "WSTOPPED"}):
        about, calls = tables.WAIT_OPTION_WORDS[name]
        both = "; as WSTOPPED for waitid" if name == "WUNTRACED" else ""
        lines.append(f"{name} {bit:#x}: {about} ({calls}{both})")
    lines += _left_over(number & ~_ALL_WAIT_OPTIONS, "both calls answer EINVAL")
    return Reading("option", "wait options", number, wait_options_text(number), tuple(lines), likely)


def _left_over(bits: int, answer: str) -> list[str]:
    return [f"{bits:#x} is no option: {answer}"] if bits else []


def of_siginfo(signal: int, code: int, likely: int = 0) -> Reading:
    """A siginfo's code together with its signal: what the kernel or a sender says about why."""
    name = signal_name(signal)
    own = tables.SIGNAL_CODES.get(name, {})
    lines = []
    found = next(((key, words) for key, (value, words) in own.items() if value == code), None)
    found = found or next(((key, words) for key, (value, words) in tables.COMMON_CODES.items() if value == code), None)
    event = EVENT_NAMES.get(code >> 8) if name == "SIGTRAP" and code & 0xFF == 5 and code > 0xFF else None
    if event is not None:
        found = f"SIGTRAP|{event}<<8", tables.EVENT_WORDS[event][0]
    elif name != "SIGTRAP" and signal in tables.STOP_SIGNALS and code >> 8 == 128 and code & 0xFF == signal:
        found = f"{name}|PTRACE_EVENT_STOP<<8", "a seized tracee's group-stop"
    elif name == "SIGTRAP" and code in (5, 0x85):
        found = ("SIGTRAP|0x80" if code & 0x80 else "SIGTRAP"), "a system call stop"
    elif name == "SIGTRAP" and code == 0x80:
        lines.append("on x86 this is what an int3 instruction brings: the pc is one byte behind it")
    elif found is None and not own and 0 < code <= 6:
        # The exit signal that clone asked for need not be SIGCHLD; its siginfo is of the same kind.
        found = next((key, words) for key, (value, words) in tables.SIGNAL_CODES["SIGCHLD"].items() if value == code)
        lines.append(f"so for a child whose exit signal is {name} (clone(2))")
    said, words = found if found is not None else (f"{code}", "no code that is known for this signal")
    who = "a process" if code <= 0 else "the kernel"
    lines = [words, *lines, f"si_signo {signal}, si_code {code} ({code & 0xFFFFFFFF:#x}); it comes from {who}"]
    return Reading("siginfo", "siginfo", code, f"{name} {code}", tuple(lines), likely, title=f"siginfo {name} {code}: {said}")


# --- a bare number ------------------------------------------------------------------------------------------------------------
def _as_signed(number: int) -> int:
    """A return value as tools print it: 0xfffffffffffffffd is -3."""
    for bits in (64, 32):
        if (1 << bits) - 4096 <= number < 1 << bits:
            return number - (1 << bits)
    return number


def of_number(number: int, kinds: Sequence[str] = KINDS) -> list[Reading]:
    """Every reading of a number, the likeliest first.

    How likely is judged by what people meet: a word that ends in 7f is a status, 0x42xx a request, a small number an errno or a
    signal, a negative one what a system call returned.
    """
    found: list[Reading] = []
    narrow = len(kinds) == 1
    signed = _as_signed(number)

    def add(kind: str, fits: bool, make: Callable[[int, int], Reading], value: int, likely: int) -> None:
        if kind in kinds and fits:
            found.append(make(value, likely))

    small = 0 < number <= 64
    made = status_.made_by_the_kernel(number) if number >= 0 else False
    strong = made and (
        number & 0xFF == 0x7F or number == CONTINUED.word or (number > 0xFF and WaitStatus(number).kind is StatusKind.EXITED)
    )
    add("status", made or (narrow and 0 <= number < 1 << 32), of_status, number, 90 if strong else 40 if number else 80)
    known = abs(signed) in _ERRNO_NAMES
    add("errno", known and signed < 0, of_errno, -signed, 95)
    add("errno", (known or (narrow and number > 0)) and signed > 0, of_errno, signed, 70 if number < 200 else 60)
    add("signal", 0 <= number <= 64, of_signal, number, 60 if small else 10)
    add("event", number in EVENT_NAMES, of_event, number, 50)
    add("request", number in _REQUEST_NAMES, of_request, number, 92 if number >= 0x4200 else 45)
    named = number > 0 and number & ~_ALL_OPTIONS == 0
    add("option", named or (narrow and number > 0), of_option, number, 85 if number >= 0x100000 else 30)
    for_wait = number > 0 and number & ~_ALL_WAIT_OPTIONS == 0
    add("option", for_wait or (narrow and not named and 0 < number < 1 << 32), of_wait_option, number, 85 if number >= 1 << 24 else 25)
    if "siginfo" in kinds and number in (code for code, _ in tables.COMMON_CODES.values()) and number < 0:
        found.append(of_siginfo_of_any(number, 80 if number == -6 else 50))
    return sorted(found, key=lambda reading: -reading.likely)


def of_siginfo_of_any(code: int, likely: int = 0) -> Reading:
    """A code that every signal may have."""
    name, words = next((name, words) for name, (value, words) in tables.COMMON_CODES.items() if value == code)
    who = "a process" if code <= 0 else "the kernel"
    return Reading("siginfo", "siginfo code", code, name, (words, f"of any signal; it comes from {who}"), likely)


# --- what was typed -----------------------------------------------------------------------------------------------------------
def readings(words: Sequence[str]) -> list[Reading]:
    """Every reading of what was typed: ``0x57f``, ``ESRCH``, ``errno 3``, ``killed SIGKILL``, ``WNOHANG|__WALL``, ``siginfo SIGCHLD 4``.

    Raises:
        BadArgument: it is nothing that is known here.
    """
    if not words:
        raise BadArgument("decode needs something to decode", "for example: decode 0x57f, decode ESRCH, decode siginfo SIGCHLD 4")
    kinds, rest = (KINDS, tuple(words)) if words[0] not in KINDS else ((words[0],), tuple(words[1:]))
    if not rest:
        raise BadArgument(f"decode {words[0]} needs a number or a name", f"for example: {_EXAMPLES[words[0]]}")
    found = list(_read(rest, kinds))
    if found:
        return found
    narrow = kinds is not KINDS
    what = f"{'an' if kinds[0][0] in 'aeo' else 'a'} {kinds[0]}" if narrow else "a number or name that decode knows"
    example = f"for example: {_EXAMPLES[kinds[0]]}" if narrow else "Tab shows the names"
    raise BadArgument(f"'{' '.join(rest)}' is not {what}", _near(rest[-1]) or example)


_EXAMPLES = {
    "status": "decode status 0x4057f",
    "errno": "decode errno ESRCH",
    "signal": "decode signal 10",
    "event": "decode event 4",
    "request": "decode request 0x4206",
    "option": "decode option 0x100000",
    "siginfo": "decode siginfo SIGCHLD 4",
}


def _near(word: str) -> str:
    import difflib  # late: needed only for an error

    near = difflib.get_close_matches(word.upper(), spellings(), 3)
    return "perhaps " + " or ".join(near) if near else ""


def _read(words: tuple[str, ...], kinds: Sequence[str]) -> Iterator[Reading]:
    number = number_of(words[0]) if len(words) == 1 else None
    if number is not None:
        yield from of_number(number, kinds)
        return
    if "status" in kinds:
        word = status_of_words(" ".join(words).replace(",", " ").split())
        if word is not None:
            yield of_status(word)
    if "siginfo" in kinds:
        yield from _siginfos(words)
    if len(words) > 1:
        return
    yield from _named(words[0], kinds)


def _siginfos(words: Sequence[str]) -> Iterator[Reading]:
    """``SIGCHLD 4``, ``SIGCHLD CLD_TRAPPED``, or a code's name alone."""
    signal = _signal(words[0]) if len(words) == 2 else None
    name = words[-1].upper()
    of = next(((each, codes[name][0]) for each, codes in tables.SIGNAL_CODES.items() if name in codes), None)
    if signal is not None:
        code = number_of(words[1])
        if code is None:
            common = tables.COMMON_CODES.get(name)
            code = common[0] if common is not None else of[1] if of is not None and of[0] == signal_name(signal) else None
        if code is not None and -(1 << 31) <= code < 1 << 32:
            yield of_siginfo(signal, code - (1 << 32) if code >= 1 << 31 else code)
    elif len(words) == 1:
        if name in tables.COMMON_CODES:
            yield of_siginfo_of_any(tables.COMMON_CODES[name][0])
        elif of is not None:
            yield of_siginfo(SIGNALS[of[0]], of[1])


def _signal(word: str) -> int | None:
    number = number_of(word)
    if number is not None:
        return number if 1 <= number <= 64 else None
    return SIGNALS.get(word.upper(), SIGNALS.get("SIG" + word.upper()))


def _named(word: str, kinds: Sequence[str]) -> Iterator[Reading]:
    """A name, with or without what it begins with; `CONT` is a signal and a request."""
    upper = word.upper()
    if "errno" in kinds and upper in tables.ERRNOS:
        yield of_errno(tables.ERRNOS[upper])
    if "signal" in kinds and number_of(word) is None and (number := _signal(word)) is not None:
        yield of_signal(number)
    for kind, prefix, table, make in (
        ("request", "PTRACE_", tables.ALL_REQUESTS, of_request),
        ("event", "PTRACE_EVENT_", PTRACE_EVENTS, of_event),
    ):
        number = table.get(upper, table.get(prefix + upper))
        if kind in kinds and number is not None:
            yield make(number)
    if "option" in kinds:
        for prefixes, options, make_options in (
            (("", "PTRACE_O_"), PTRACE_OPTIONS, of_option),
            (("", "W", "__", "__W"), WAIT_OPTIONS, of_wait_option),
        ):
            value = _flags(upper, prefixes, options)
            if value is not None:
                yield make_options(value)


def _flags(text: str, prefixes: Sequence[str], table: Mapping[str, int]) -> int | None:
    """Names and numbers joined by ``|``, at least one name among them."""
    value, named = 0, False
    known = {name.upper(): bit for name, bit in table.items()}
    for part in text.split("|"):
        bit = number_of(part)
        if bit is None:
            bit = next((known[prefix + part] for prefix in prefixes if prefix + part in known), None)
            named = named or bit is not None
        if bit is None or bit < 0:
            return None
        value |= bit
    return value if named else None


def status_of_words(words: Sequence[str]) -> int | None:
    """The word that a status in words stands for, as `WaitStatus.text` writes it; None if it is none.

    ``exited 7``, ``killed SIGABRT dumped``, ``stopped SIGTRAP|0x80``, ``stopped SIGTRAP PTRACE_EVENT_EXEC``, ``continued``.
    """
    match [word.lower() if index == 0 else word for index, word in enumerate(words)]:
        case ["continued"]:
            return CONTINUED.word
        case ["exited", code] if (number := number_of(code)) is not None:
            return exited(number).word
        case ["killed", name, *dumped] if (signal := _signal(name)) is not None and [each.lower() for each in dumped] in ([], ["dumped"]):
            return killed(signal, dumped=bool(dumped)).word
        case ["stopped", name, *events] if len(events) <= 1:
            name, bar, bit = name.partition("|")
            stop, event = _signal(name), _event(events)
            if stop is None or event is None or (bar and number_of(bit) != 0x80):
                return None
            return stopped(stop | (0x80 if bar else 0), event).word
    return None


def _event(words: Sequence[str]) -> int | None:
    if not words:
        return 0
    upper = words[0].upper()
    return PTRACE_EVENTS.get(upper, PTRACE_EVENTS.get("PTRACE_EVENT_" + upper))


def spellings() -> list[str]:
    """Every name that can be typed, for completion."""
    codes = [name for table in tables.SIGNAL_CODES.values() for name in table]
    every = (*KINDS, "exited", "killed", "stopped", "continued", *tables.ERRNOS, *SIGNALS, *tables.ALL_REQUESTS, *PTRACE_EVENTS,
             *PTRACE_OPTIONS, *WAIT_OPTIONS, *tables.COMMON_CODES, *codes)  # fmt: skip
    return list(dict.fromkeys(every))
