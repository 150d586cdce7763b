"""A status word reads the same here as with the macros of wait(2), over every word that the kernel can store."""

from __future__ import annotations

import os

import pytest

from tracedbg.model.names import PTRACE_EVENTS
from tracedbg.model.waitstatus import CONTINUED, StatusKind, WaitStatus, exited, killed, stopped


def test_every_word_agrees_with_the_macros() -> None:
    for word in range(1 << 16):
        status = WaitStatus(word)
        if os.WIFCONTINUED(word):
            assert status.kind is StatusKind.CONTINUED
        elif os.WIFSTOPPED(word):
            assert status.kind is StatusKind.STOPPED, hex(word)
            assert status.signal | (0x80 if status.is_syscall else 0) == os.WSTOPSIG(word)
        elif os.WIFEXITED(word):
            assert (status.kind, status.exit_code) == (StatusKind.EXITED, os.WEXITSTATUS(word))
            assert status.is_end
        elif os.WIFSIGNALED(word):
            assert (status.kind, status.signal) == (StatusKind.KILLED, os.WTERMSIG(word)), hex(word)
            assert status.dumped == os.WCOREDUMP(word)
            assert status.is_end


@pytest.mark.parametrize("event", [0, *PTRACE_EVENTS.values()])
def test_events_ride_above_the_sixteen_bits(event: int) -> None:
    for signal in range(1, 65):
        status = stopped(signal, event)
        assert (status.kind, status.signal, status.event) == (StatusKind.STOPPED, signal, event)
        assert os.WIFSTOPPED(status.word & 0xFFFF)
    assert killed(9).event == 0


def test_building_is_the_inverse_of_reading() -> None:
    assert [exited(code).exit_code for code in range(256)] == list(range(256))
    assert [killed(number).signal for number in range(1, 65)] == list(range(1, 65))
    assert killed(6, dumped=True).dumped
    assert CONTINUED.kind is StatusKind.CONTINUED


@pytest.mark.parametrize(
    ("word", "text"),
    [
        (0x0700, "exited 7"),
        (0x0009, "killed SIGKILL"),
        (0x0086, "killed SIGABRT dumped"),
        (0x137F, "stopped SIGSTOP"),
        (0xFFFF, "continued"),
        (0x057F, "stopped SIGTRAP"),
        (0x857F, "stopped SIGTRAP|0x80"),
        (0x4057F, "stopped SIGTRAP PTRACE_EVENT_EXEC"),
        (0x80137F, "stopped SIGSTOP PTRACE_EVENT_STOP"),
        (0x80057F, "stopped SIGTRAP PTRACE_EVENT_STOP"),
    ],
)
def test_words_of_the_canonical_line(word: int, text: str) -> None:
    assert WaitStatus(word).text() == text
