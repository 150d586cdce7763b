"""Typing while the log flows: nothing torn, nothing lost, and quick enough not to be noticed."""

from __future__ import annotations

import re
import select
import sys
import time
from pathlib import Path

import pytest

from .fake_host import flood_line
from .harness import PROMPT, Emulator, Screen, prompt_line

HOST = [sys.executable, str(Path(__file__).with_name("fake_host.py"))]
FLOOD = re.compile(r"F(\d{6}) ptrace\(PTRACE_CONT, 4242, 0, 0\) = 0 (\d{6})E")
GAP = re.compile(r"\.\.\. (\d+) lines? not shown here; the log has them all \(see: help log\)")
ENDED = re.compile(r"flood of (\d+) lines ended after ([\d.]+) s")


def pause(seconds: float) -> None:
    """The pace of a typist: this is a rhythm, not a way to wait for something."""
    select.select([], [], [], seconds)


def account(history: list[str], typed: list[str]) -> tuple[int, int, int]:
    """Check every line of a session; returns how many flood lines were shown, left out, and announced by the host."""
    shown, missing, announced, last = 0, 0, 0, -1
    echoes: list[str] = []
    said: list[str] = []
    for line in history:
        if match := FLOOD.fullmatch(line):
            assert match[1] == match[2], f"torn: {line!r}"
            number = int(match[1])
            assert number > last, f"out of order: {number} after {last}"
            last = number
            shown += 1
        elif match := GAP.fullmatch(line):
            missing += int(match[1])
        elif match := ENDED.fullmatch(line):
            announced = int(match[1])
        elif line.startswith(PROMPT.rstrip()):
            echoes.append(line[len(PROMPT) :])
        elif line.startswith("said <"):
            said.append(line)
        else:
            assert line in ("", "goodbye"), f"torn or foreign: {line!r}"
    assert echoes == typed, "a key was lost or doubled"
    assert said == [f"said <{text[4:]}>" for text in typed if text.startswith("say ")]
    return shown, missing, announced


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(180)
def test_typing_at_20_keys_a_second_while_5000_lines_a_second_flow(tmp_path: Path) -> None:
    """No torn line, no lost key, every flood line shown or counted, and 50 ms at most from key to frame (95th percentile).

    Latency is the time from writing a key into the pty until the chunk of output arrives after which the emulator shows it.  The
    chunks get their time when a thread reads them; the emulator runs afterwards, so that its slowness is not measured.  Since other
    processes may hold the processors for a while, the best of five rounds counts: a defect in the code is there in all of them.
    What is torn, lost or miscounted fails in any round.
    """
    tries: list[float] = []
    for _ in range(5):
        tries.append(percentile(one_round(tmp_path), 0.95))
        if tries[-1] <= 0.050:
            break
    assert min(tries) <= 0.050, f"95th percentiles of each round in seconds: {tries}"


def one_round(state: Path) -> list[float]:
    typed = ["flood 5000 5"]
    keys: list[tuple[float, str]] = []  # when, and the line as it stands after this key
    with Screen(HOST, 80, 24, {"XDG_STATE_HOME": str(state)}) as screen:
        screen.until(lambda: screen.prompt_line() == "")
        screen.type(typed[0] + "\n")
        screen.until(lambda: flood_line(0)[:7] in screen.text)
        began = time.monotonic()
        for number in range(3):
            line = f"say line{number}-abcdefghijk"
            typed.append(line)
            for at, key in enumerate(line):
                keys.append((time.monotonic(), line[: at + 1]))
                screen.type(key)
                pause(0.05)
            pause(0.15)  # so that the last key has its own frame, too
            screen.type("\n")
        assert time.monotonic() - began < 4.9, "the typing lasted longer than the flood: this machine is too busy to measure"
        screen.until_bytes(b"lines ended after")
        screen.type("quit\n")
        typed.append("quit")
        assert screen.wait() == 0
        latencies: list[float] = []
        waiting = list(keys)

        def look(when: float, emulator: Emulator) -> None:
            line = prompt_line([emulator.row(emulator.cursor.y)])
            # A key counts as shown when the line holds it, or already holds more.
            while line is not None and waiting and when >= waiting[0][0] and line.startswith(waiting[0][1].rstrip()):
                latencies.append(when - waiting.pop(0)[0])

        screen.replay(look)
        screen.until("goodbye")
        shown, missing, announced = account(screen.history, typed)
        assert not waiting, f"never seen on the screen: {waiting[:3]}"
        assert announced == 25_000
        assert shown + missing == announced
        assert shown >= 1000, "hardly anything of the flow was shown"
        return latencies
