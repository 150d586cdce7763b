r"""Regular expressions that cannot hang: the ``/regex/`` of an expectation.

Pure functions, any thread.  Must not use `re` for what a page wrote: `re` backtracks, so ``(a+)+$`` on thirty letters takes
minutes, and it holds the GIL meanwhile.  Here all ways through the expression advance together, one character at a time
(K. Thompson, "Regular expression search algorithm", 1968), so the time is at most length of text times length of expression.

Known are: letters, ``.``, ``[a-z]``, ``[^a-z]``, ``\d \w \s \D \W \S``, ``\`` before a sign, ``( )``, ``|``, ``* + ?``,
``{m,n}``, ``^`` and ``$``.  Nothing captures, and there is no look-around and no back reference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

LIMIT_TEXT = 200
"""Characters of an expression."""
LIMIT_WORD = 4096
"""Characters of a word that are looked at."""
_LIMIT_STEPS = 1000
"""Steps of a compiled expression: ``(a{99}){99}`` must not fill the memory."""

_Test = Callable[[str], bool]
_CLASSES: dict[str, _Test] = {
    "d": lambda char: "0" <= char <= "9",
    "D": lambda char: not "0" <= char <= "9",
    "w": lambda char: char.isalnum() or char == "_",
    "W": lambda char: not (char.isalnum() or char == "_"),
    "s": str.isspace,
    "S": lambda char: not char.isspace(),
}


class RegexError(ValueError):
    """The expression is not one of ours; the text says why."""


# A compiled expression is a list of steps.  A step takes a character (its test), or leads to others without taking one.
_Step = _Test | tuple[int, ...] | str
_BEGIN, _END, _MATCH = "begin", "end", "match"


@final
class WordRegex:
    """A compiled expression.

    Args:
        text: the expression without its slashes.

    Raises:
        RegexError: unknown syntax, or too long.
    """

    __slots__ = ("_place", "_steps", "text")

    def __init__(self, text: str) -> None:
        if len(text) > LIMIT_TEXT:
            raise RegexError(f"longer than {LIMIT_TEXT} characters")
        self.text = text
        self._place = 0
        self._steps: list[_Step] = []
        self._either()
        if self._place < len(text):
            raise RegexError("a ) has no (")
        self._steps.append(_MATCH)

    def search(self, word: str) -> bool:
        """Say whether the expression occurs anywhere in `word`."""
        word = word[:LIMIT_WORD]
        last = len(word)
        alive: set[int] = set()
        for place in range(last + 1):
            # A match may begin at every place: that is what searching means.
            if self._follow(alive, 0, place == 0, place == last):
                return True
            if place == last:
                return False
            char = word[place]
            following: set[int] = set()
            for index in alive:
                test = self._steps[index]
                if callable(test) and test(char) and self._follow(following, index + 1, False, place + 1 == last):
                    return True
            alive = following
        return False

    def _follow(self, alive: set[int], start: int, first: bool, last: bool) -> bool:
        """Add to `alive` all steps that `start` leads to without a character; say whether the end is among them."""
        todo = [start]
        while todo:
            index = todo.pop()
            if index in alive:
                continue
            alive.add(index)
            step = self._steps[index]
            if step == _MATCH:
                return True
            if isinstance(step, tuple):
                todo.extend(step)
            elif (step == _BEGIN and first) or (step == _END and last):
                todo.append(index + 1)
        return False

    # Parsing, by recursive descent: either > sequence > repeated > atom.
    def _peek(self) -> str:
        return self.text[self._place : self._place + 1]

    def _take(self) -> str:
        char = self._peek()
        if not char:
            raise RegexError("it ends too early")
        self._place += 1
        return char

    def _emit(self, step: _Step) -> int:
        if len(self._steps) >= _LIMIT_STEPS:
            raise RegexError("it repeats too much")
        self._steps.append(step)
        return len(self._steps) - 1

    def _either(self) -> None:
        start = len(self._steps)
        self._sequence()
        if self._peek() == "|":
            self._place += 1
            # first: split(start + 1, second) … jump(end); second: …
            first = self._cut(start)
            self._emit(())
            self._place_block(start + 1, first)
            self._steps[start] = (start + 1, len(self._steps) + 1)
            jump = self._emit(())
            self._either()
            self._steps[jump] = (len(self._steps),)

    def _sequence(self) -> None:
        while self._peek() not in ("", "|", ")"):
            start = len(self._steps)
            self._atom()
            self._repeat(start)

    def _atom(self) -> None:
        char = self._take()
        if char == "(":
            self._either()
            if self._peek() != ")":
                raise RegexError("a ( has no )")
            self._place += 1
        elif char == "[":
            self._emit(self._set())
        elif char == ".":
            self._emit(lambda _: True)
        elif char in "^$":
            self._emit(_BEGIN if char == "^" else _END)
        elif char == "\\":
            self._emit(self._escape())
        elif char in "*+?{":
            raise RegexError(f"{char} has nothing to repeat")
        else:
            self._emit(char.__eq__)

    def _escape(self) -> _Test:
        char = self._take()
        if char in _CLASSES:
            return _CLASSES[char]
        if char.isalnum():
            raise RegexError(f"\\{char} is not known here")
        return char.__eq__

    def _set(self) -> _Test:
        negated = self._peek() == "^"
        self._place += negated
        tests: list[_Test] = []
        ranges: list[tuple[str, str]] = []
        while not (self._peek() == "]" and (tests or ranges)):
            low = self._take()
            if low == "\\":
                tests.append(self._escape())
            elif self._peek() == "-" and self.text[self._place + 1 : self._place + 2] not in ("", "]"):
                self._place += 1
                high = self._take()
                if high == "\\":
                    high = self._take()
                if high < low:
                    raise RegexError(f"the range {low}-{high} is empty")
                ranges.append((low, high))
            else:
                ranges.append((low, low))
        self._place += 1

        def test(char: str) -> bool:
            inside = any(low <= char <= high for low, high in ranges) or any(one(char) for one in tests)
            return inside != negated

        return test

    def _repeat(self, start: int) -> None:
        least, most = self._count()
        if (least, most) == (1, 1):
            return
        block = self._cut(start)
        for _ in range(least):
            self._place_block(len(self._steps), block)
        if most is None:
            # split(body, end); body; jump back to the split
            split = self._emit(())
            self._place_block(split + 1, block)
            self._emit((split,))
            self._steps[split] = (split + 1, len(self._steps))
        else:
            for _ in range(most - least):
                split = self._emit(())
                self._place_block(split + 1, block)
                self._steps[split] = (split + 1, len(self._steps))

    def _count(self) -> tuple[int, int | None]:
        char = self._peek()
        counts: tuple[int, int | None]
        if char and char in "*+?":
            self._place += 1
            counts = {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
        elif char == "{":
            close = self.text.find("}", self._place)
            low, comma, high = self.text[self._place + 1 : close].partition(",")
            if close < 0 or not low.isdecimal() or not (high.isdecimal() or not high) or max(len(low), len(high)) > 3:
                raise RegexError("a count looks like {2} or {2,5}")
            counts = (int(low), (int(high) if high else None) if comma else int(low))
            if counts[1] is not None and counts[1] < counts[0]:
                raise RegexError(f"the count {{{low},{high}}} is empty")
            self._place = close + 1
        else:
            return (1, 1)
        if self._peek() == "?":  # lazy or greedy makes no difference to whether there is a match
            self._place += 1
        if self._peek() in ("*", "+", "?", "{"):
            raise RegexError("a repetition of a repetition needs ( )")
        return counts

    def _cut(self, start: int) -> list[_Step]:
        """Take the steps from `start` on away, their targets made relative, so that they can be placed several times."""
        block: list[_Step] = [tuple(target - start for target in step) if isinstance(step, tuple) else step for step in self._steps[start:]]
        del self._steps[start:]
        return block

    def _place_block(self, base: int, block: list[_Step]) -> None:
        for step in block:
            self._emit(tuple(target + base for target in step) if isinstance(step, tuple) else step)
