"""A host for the terminal's tests: it runs no program, but is as busy as one that does.

Started as a program by the tests.  Commands: see `FakeHost.submit`.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
import tty
from collections.abc import Callable
from dataclasses import dataclass

from tracedbg.model.text import Shown, visible
from tracedbg.ui.plain import is_dumb, run_plain
from tracedbg.ui.pump import Pump

WORDS = ("answer", "ask", "breakpoint", "burst", "flood", "frame", "fg", "help", "hostile", "input", "quit", "say", "wait")


@dataclass(frozen=True)
class Found:
    text: str
    start: int = 0
    display: str = ""
    meta: str = ""


def flood_line(number: int) -> str:
    """A line that shows when it was torn: its number at both ends."""
    return f"F{number:06d} ptrace(PTRACE_CONT, 4242, 0, 0) = 0 {number:06d}E"


class FakeHost:
    def __init__(self, pump: Pump, options: argparse.Namespace) -> None:
        self.pump = pump
        self.options = options
        self.terminal = None  # type: ignore[var-annotated]
        self._changed: list[Callable[[bool], None]] = []
        self._prompt = "tracedbg> "
        self._last = ""
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._busy = threading.Event()
        self._ended = False
        self._sizes: list[tuple[int, int]] = []
        self._quiet = threading.Condition()
        self._working = 0
        self._attached = options.attached
        self._interrupted = threading.Event()

    # --- Host -------------------------------------------------------------------------------------------------------
    def echoes(self, line: str) -> bool:
        return True

    def submit(self, line: str) -> None:
        line = line or self._last
        self._last = line
        verb, _, rest = line.partition(" ")
        if verb == "say":
            self.answer(f"said <{rest}>")
        elif verb == "flood":
            rate, seconds = rest.split()
            self._spawn(lambda: self._flood(int(rate), float(seconds)))
        elif verb == "burst":
            for number in range(int(rest)):
                self.pump.put((("plain", Shown(f"burst {number}")),))
        elif verb == "answer":
            for number in range(int(rest)):
                self.answer(f"answer {number}")
        elif verb == "hostile":
            for text in HOSTILE:
                self.pump.put((("time", Shown("  0.000001 ")), ("lane.tracee", Shown("prog ")), ("plain", visible(text))))
                # A host that forgot `visible` is caught by the last gate.
                self.pump.put((("plain", Shown(text)),))
        elif verb == "wait":
            self._busy.set()
            self._spawn(self._wait)
        elif verb == "predict":
            self._prompt = "predict [1-3]> "
            self._tell()
        elif verb == "sizes":  # sizes N: as soon as N of them were noticed
            self._spawn(lambda: self._tell_sizes(int(rest)))
        elif verb == "quick":
            self._spawn(self._quick)
        elif verb == "fg":
            self._spawn(self._foreground)
        elif verb == "quit":
            self._ended = True
            if self.terminal is not None:
                self.terminal.leave()
        elif verb == "crash":
            self._prompt = None  # type: ignore[assignment]
        else:
            self.pump.put((("error", visible(f"no command {line!r}")),), keep=True)

    def answer(self, text: str) -> None:
        self.pump.put((("answer", visible(text)),), keep=True)

    def interrupt(self) -> str:
        if self._busy.is_set():
            self._interrupted.set()
            return "stopped waiting"
        return "nothing runs; Ctrl-D leaves"

    def request_quit(self) -> str | None:
        return "process 4242 would be let go; leave?" if self._attached else None

    def quit(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(5)
        self.answer("goodbye")

    def idle(self, seconds: float) -> bool:
        with self._quiet:
            return self._quiet.wait_for(lambda: self._working == 0, seconds)

    def ended(self) -> bool:
        return self._ended

    def complete(self, text: str) -> list[Found]:
        head, _, word = text.rpartition(" ")
        if not head:
            return [Found(one, -len(word), meta="a command") for one in WORDS if one.startswith(word)]
        if head == "breakpoint":
            return [Found(one, -len(word)) for one in ("main", "factorial", "fib\x1b[31m") if one.startswith(word)]
        return []

    def validate(self, text: str) -> str | None:
        return None if any(one.startswith(text.split(maxsplit=1)[0]) for one in WORDS) else "unknown command"

    def toolbar(self) -> list[tuple[str, str]]:
        return [("tracer", "idle"), ("queue", "w1 w2"), ("program", "stopped")]

    def prompt(self) -> str:
        return self._prompt

    def context(self) -> list[Shown]:
        return [Shown("   11 int fact(int n)"), Shown("-> 12 {   return n < 2 ? 1 : n * fact(n - 1); }"), Shown("   13 ")]

    def on_change(self, callback: Callable[[bool], None]) -> None:
        self._changed.append(callback)

    def resized(self, columns: int, rows: int) -> None:
        with self._quiet:
            self._sizes.append((columns, rows))
            self._quiet.notify_all()

    # --- what the commands do ---------------------------------------------------------------------------------------
    def _tell_sizes(self, count: int) -> None:
        with self._quiet:
            self._quiet.wait_for(lambda: len(self._sizes) >= count, 5)
            seen = list(self._sizes)
        self.answer(f"sizes {seen}")

    def _tell(self) -> None:
        for callback in self._changed:
            callback(True)

    def _spawn(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            finally:
                with self._quiet:
                    self._working -= 1
                    self._quiet.notify_all()

        thread = threading.Thread(target=run)
        self._threads.append(thread)
        with self._quiet:
            self._working += 1
        thread.start()

    def _flood(self, rate: int, seconds: float) -> None:
        began = time.monotonic()
        number = 0
        while not self._stop.wait(0.005):
            now = min(time.monotonic() - began, seconds)
            while number < now * rate:
                text = flood_line(number)
                self.pump.put((("lane.tracer", Shown(text[:8])), ("plain", Shown(text[8:]))))
                number += 1
            if now >= seconds:
                break
            self._tell()
        self.answer(f"flood of {number} lines ended after {time.monotonic() - began:.1f} s")

    def _quick(self) -> None:
        """As a single step does: some lines, half a millisecond apart, the stop last."""
        for number in range(4):
            until = time.perf_counter() + 0.0005
            while time.perf_counter() < until:
                pass
            self.pump.put((("plain", Shown(f"step call {number}")),))
        self.pump.put((("plain", Shown("the stop")),))

    def _wait(self) -> None:
        while not self._interrupted.wait(0.05) and not self._stop.is_set():
            pass
        self._interrupted.clear()
        self._busy.clear()
        self.answer("the wait is over")

    def _foreground(self) -> None:
        """A little program on a pty of its own: tells what it reads; `s` stops it, `a` turns on all that a program can leave on."""
        from tracedbg.ui.foreground import run_foreground

        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        stop = threading.Event()
        done = threading.Event()
        sink: list[Callable[[bytes], None]] = []

        def program() -> None:
            while not done.is_set():
                data = os.read(slave, 100)
                if b"a" in data:
                    sink[0](b"\x1b[?10")
                    sink[0](b"49h\x1b[?1000h\x1b[?25l\x1b[5;10rin the alternate screen\r\n")
                elif sink:
                    sink[0](b"program read " + data.hex().encode() + b"\r\n")
                if b"s" in data:
                    stop.set()

        def register(show: Callable[[bytes], None]) -> Callable[[], None]:
            sink.append(show)
            return sink.clear

        thread = threading.Thread(target=program, daemon=True)
        thread.start()
        assert self.terminal is not None
        reason = run_foreground(self.terminal, lambda data: void(os.write(master, data)), register, stop)
        done.set()
        os.write(master, b".")
        thread.join(5)
        os.close(master)
        os.close(slave)
        self.answer(f"back from fg: {reason}")


def void(_: object) -> None:
    return None


HOSTILE = (
    "\x1b]0;own\x07title",
    "\x1b[2J\x1b[Hcleared",
    "\x9b31mC1",
    "\x9d0;t\x9c",
    "bidi \u202e override \u2066 isolate",
    "carriage\rreturn",
    "back\x08\x08space",
    "bell\x07",
    "new\nline",
    "nel\x85 ls\u2028 ps\u2029",
    "\x1bc reset",
    "\x1b[?1049h\x1b[?25l",
    "\x1b[6n",
    "zero\u200bwidth\ufeff",
    "tag\U000e0041",
    "surrogate\udc80",
    "shift\x0eout",
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--attached", action="store_true")
    options = parser.parse_args()
    pump = Pump()
    host = FakeHost(pump, options)
    if is_dumb(os.environ):
        run_plain(host, pump)
    else:
        from tracedbg.ui.app import Terminal

        host.terminal = Terminal(host, pump)
        host.terminal.on_resize = host.resized
        host.terminal.run()


if __name__ == "__main__":
    main()
