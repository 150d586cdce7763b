"""Numbers and names of ptrace, wait and signals: read in both directions, and what the bits say is what the macros say."""

from __future__ import annotations

import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracedbg.model import decodetables as tables
from tracedbg.model import statusdrawing
from tracedbg.model.decoding import KINDS, Reading, number_of, of_number, of_siginfo, readings, spellings
from tracedbg.model.errors import BadArgument
from tracedbg.model.names import EVENT_STOP, PTRACE_EVENTS, PTRACE_OPTIONS, PTRACE_REQUESTS, SIGNALS, WAIT_OPTIONS
from tracedbg.model.waitstatus import CONTINUED, exited, killed, stopped

STATUSES = st.one_of(
    st.integers(0, 255).map(exited),
    st.tuples(st.integers(1, 64), st.booleans()).map(lambda each: killed(each[0], dumped=each[1])),
    st.integers(1, 64).map(stopped),
    st.just(stopped(5 | 0x80)),
    st.sampled_from(sorted(PTRACE_EVENTS.values())).map(lambda event: stopped(5, event)),
    st.sampled_from([19, 20, 21, 22]).map(lambda signal: stopped(signal, EVENT_STOP)),
    st.just(CONTINUED),
).map(lambda status: status.word)


def back(reading: Reading) -> list[Reading]:
    """What its spelling reads as."""
    return [each for each in readings((reading.kind, *reading.spelling.split())) if each.label == reading.label]


def text(line: str) -> list[str]:
    return [f"{each.label} {each.number:#x} {each.spelling}" for each in readings(line.split())]


@given(STATUSES)
def test_a_status_reads_back_and_its_fields_are_its_bits(word: int) -> None:
    assert statusdrawing.made_by_the_kernel(word)
    (reading,) = of_number(word, ("status",))
    assert [each.number for each in back(reading)] == [word]
    assert [each.number for each in readings(reading.spelling.split()) if each.kind == "status"] == [word]
    bits = "".join(bits for bits, _ in statusdrawing.fields(word)).replace(" ", "")
    assert int(bits, 2) == word
    said = statusdrawing.macros(word)
    for macro in ("WIFEXITED", "WIFSIGNALED", "WIFSTOPPED", "WIFCONTINUED"):
        assert (macro in said) == getattr(os, macro)(word), macro


@given(st.one_of(st.integers(0, 0xFFFFFF), st.integers(0, 0x1FF)))
@example(0x1FF)
def test_any_number_reads_back_by_every_reading(number: int) -> None:
    found = of_number(number)
    for reading in [*found, *(each for kind in KINDS for each in of_number(number, (kind,)))]:
        if reading.spelling.startswith("0x") and reading.kind == "status":
            assert not statusdrawing.made_by_the_kernel(number)
        assert number in [each.number for each in back(reading)], reading
    assert [each.likely for each in found] == sorted((each.likely for each in found), reverse=True)


@given(st.sampled_from(sorted(SIGNALS.values())), st.integers(-100, 0xFFFF))
def test_a_siginfo_reads_back(signal: int, code: int) -> None:
    reading = of_siginfo(signal, code)
    assert [each.number for each in back(reading)] == [code]


@given(st.integers(1, sum(set(PTRACE_OPTIONS.values()))), st.integers(1, sum(set(WAIT_OPTIONS.values()))))
def test_flags_read_back(options: int, waits: int) -> None:
    for number, label in ((options, "ptrace options"), (waits, "wait options")):
        (reading,) = [each for each in of_number(number, ("option",)) if each.label == label] or [None]
        if reading is not None:
            assert [each.number for each in back(reading)] == [number]


def test_every_name_that_is_offered_can_be_decoded_and_every_number_has_words() -> None:
    words = {"exited": "exited 7", "killed": "killed SIGKILL", "stopped": "stopped SIGSTOP"}
    for name in spellings():
        if name not in KINDS:
            found = readings(words.get(name, name).split())
            assert found
            assert all(each.lines and all(each.lines) for each in found), name
    assert set(tables.REQUEST_WORDS) == set(tables.ALL_REQUESTS) >= set(PTRACE_REQUESTS)
    assert set(tables.OPTION_WORDS) == set(PTRACE_OPTIONS)
    assert set(tables.EVENT_WORDS) == set(PTRACE_EVENTS)
    assert set(tables.WAIT_OPTION_WORDS) == set(WAIT_OPTIONS)
    assert {SIGNALS[name] for name in tables.SIGNAL_WORDS} == set(range(1, 32))


def test_the_likeliest_reading_comes_first() -> None:
    for line, first in (
        ("0x137f", "wait status 0x137f stopped SIGSTOP"),
        ("0x4057f", "wait status 0x4057f stopped SIGTRAP PTRACE_EVENT_EXEC"),
        ("2943", "wait status 0xb7f stopped SIGSEGV"),
        ("0xffff", "wait status 0xffff continued"),
        ("0x700", "wait status 0x700 exited 7"),
        ("3", "errno 0x3 ESRCH"),
        ("-3", "errno 0x3 ESRCH"),
        ("0xfffffffffffffffd", "errno 0x3 ESRCH"),
        ("-512", "errno 0x200 ERESTARTSYS"),
        ("0x4206", "ptrace request 0x4206 PTRACE_SEIZE"),
        ("0x100000", "ptrace options 0x100000 PTRACE_O_EXITKILL"),
        ("0x40000001", "wait options 0x40000001 __WALL|WNOHANG"),
        ("TRACEEXEC|EXITKILL", "ptrace options 0x100010 PTRACE_O_TRACEEXEC|PTRACE_O_EXITKILL"),
        ("nohang|wall", "wait options 0x40000001 __WALL|WNOHANG"),
        ("USR1", "signal 0xa SIGUSR1"),
        ("esrch", "errno 0x3 ESRCH"),
        ("killed SIGABRT dumped", "wait status 0x86 killed SIGABRT dumped"),
        ("stopped SIGTRAP|0x80", "wait status 0x857f stopped SIGTRAP|0x80"),
        ("siginfo SIGCHLD CLD_TRAPPED", "siginfo 0x4 SIGCHLD 4"),
        ("PTRACE_EVENT_EXEC", "ptrace event 0x4 PTRACE_EVENT_EXEC"),
        ("SEIZE", "ptrace request 0x4206 PTRACE_SEIZE"),
    ):
        assert text(line)[0] == first, line
    assert {each.kind for each in readings(["10"])} == {"errno", "signal", "status", "option"}
    assert [each.kind for each in readings(["CONT"])] == ["signal", "request"]
    assert [each.kind for each in readings(["option", "3"])] == ["option", "option"]
    assert "never stores" in str(readings(["status", "0x1137f"]))
    assert "no macro of wait(2) is true" in str(readings(["status", "0x1ff"]))


def test_what_it_says_is_exact() -> None:
    (status,) = readings(["0x80137f"])
    assert status.lines[0].split() == ["10000000", "0", "0010011", "01111111"]
    assert "waitid to a tracer: si_code CLD_TRAPPED (4), si_status 0x8013" in status.lines
    (job,) = readings(["0x137f"])
    assert any(line.startswith("waitid to the parent: si_code CLD_STOPPED (5), si_status 19") for line in job.lines)
    (trap,) = readings(["siginfo", "SIGTRAP", "0x8005"])
    assert "PTRACE_EVENT_STOP" in trap.title
    assert "is no option" not in str(readings(["option", "0x300001"]))
    assert "is no option" in str(readings(["option", "0x1000"]))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("frobnicate", "not a number or name"),
        ("ESRHC", "perhaps ESRCH"),
        ("signal 99", "is not a signal"),
        ("event 99", "is not an event"),
        ("errno", "needs a number or a name"),
        ("siginfo SIGCHLD ILL_ILLOPC", "is not a siginfo"),
        ("stopped SIGTRAP PTRACE_EVENT_NONE", "not a number or name"),
        ("WNOHANG|EXITKILL", "not a number or name"),
    ],
)
def test_what_is_unknown_is_refused(line: str, words: str) -> None:
    with pytest.raises(BadArgument) as caught:
        readings(line.split())
    assert words in str(caught.value)


def test_numbers_are_read_as_they_are_typed() -> None:
    assert [number_of(each) for each in ("10", "0x1F", "-3", "-0x3", "010", "x", "1e3", "")] == [10, 31, -3, -3, 10, None, None, None]
