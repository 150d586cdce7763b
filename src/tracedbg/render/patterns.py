"""The matcher of ``expect`` and ``then``: does one event line satisfy one pattern?

Pure functions of pattern, lane, text and variables, any thread.  This module must not wait, read a log or know what an event is: it
sees a lane's name and the canonical line.

A pattern is a lane and words.  The words must occur in the line in order, gaps allowed.  Each word of a pattern is decided
on its own, so the first word of the line that fits is always a right choice, and no search is needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from tracedbg.model.errors import BadArgument, BadSyntax, NotFound

from .wordregex import RegexError, WordRegex

# A word of an event line.  ( ) and , only separate; quoted text is one word, its quotes included.  The possessive *+ keeps a quote
# without its end linear.
_WORD = re.compile(r'(?:[^\s(),"]|"(?:\\.|[^"\\])*+(?:"|\\?$))+', re.DOTALL)
# In a pattern /regex/ is one word too, although it may hold ( ) and commas.
_REGEX = re.compile(r"/((?:\\.|[^/\\\s])+)/(?=[\s(),]|$)")
_CAPTURE = re.compile(r"<(?:([A-Za-z_]\w*):)?([^<>]+)>")
_NAME = re.compile(r"\$([A-Za-z_]\w*(?:\.\w+)?)([+-]\d+)?")
_SECONDS = re.compile(r"(\d+(?:\.\d+)?|\.\d+)s")
_BAR = re.compile(r"\|(?![^<]*>)")

SHAPES: Mapping[str, re.Pattern[str]] = {
    "pid": re.compile(r"[1-9][0-9]{0,9}"),
    "tid": re.compile(r"[1-9][0-9]{0,9}"),
    "n": re.compile(r"-?(?:[0-9]+|0x[0-9a-fA-F]+)"),
    "addr": re.compile(r"0x[0-9a-fA-F]{1,16}"),
    "time": re.compile(r"[0-9]+(?:\.[0-9]+)?(?:s|ms|us|µs|ns)?"),
    "any": re.compile(r".+", re.DOTALL),
}
"""What ``<pid>`` and its like accept: one whole word."""


class _Part(msgspec.Struct, frozen=True):
    """One word (or the lane) of a pattern.

    Args:
        text: as written.
        choices: what it may be, in words: a literal, ``$name``, or ``<shape>``.
        capture: the variable that a match sets, empty if none.
        regex: for ``/regex/``, else None.
        anything: ``*`` as the lane.
    """

    text: str
    choices: tuple[str, ...] = ()
    capture: str = ""
    regex: WordRegex | None = None
    anything: bool = False

    def fits(self, word: str, variables: Mapping[str, str]) -> bool:
        if self.anything:
            return True
        if self.regex is not None:
            return self.regex.search(word)
        # As it stands first, so that __WALL|WNOHANG means itself; then each side of the bars.
        if not self.capture and word == self.text:
            return True
        return any(_choice_fits(choice, word, variables) for choice in self.choices)


def _choice_fits(choice: str, word: str, variables: Mapping[str, str]) -> bool:
    shape = SHAPES.get(choice[1:-1]) if choice[0] == "<" and choice[-1] == ">" else None
    if shape is not None:
        return shape.fullmatch(word) is not None
    name = _NAME.fullmatch(choice)
    if name is None:
        return choice == word
    value = variables.get(name[1])
    if value is None:
        raise _unset(name[1])
    return word == (moved(value, name[2]) if name[2] else value)


def moved(value: str, by: str) -> str:
    """Return what ``$name+1`` means, for a name that stands for `value`: hexadecimal stays hexadecimal.

    Args:
        value: of the variable.
        by: a sign and a decimal number.

    Raises:
        BadArgument: the variable is no number, or the sum is below zero.
    """
    try:
        number = int(value, 0) + int(by)
    except ValueError:
        raise BadArgument(f"'{value}' is no number, so {by} cannot be added", "only numbers can be moved: $pc+1") from None
    if number < 0:
        raise BadArgument(f"{value} {by} is below zero", "addresses and counts are not")
    return hex(number) if value.startswith("0x") else str(number)


def _unset(name: str) -> NotFound:
    return NotFound(f"${name} is not set", "$tracee is set by 'run' and 'launch', other names by <name:...> in an earlier expect")


class Pattern(msgspec.Struct, frozen=True):
    """A parsed pattern.

    Args:
        text: as written.
        lane: which lanes it accepts.
        words: what must occur, in order.
        negate: it began with ``not``.
        within: seconds from ``within Ns``, None if not told.
    """

    text: str
    lane: _Part
    words: tuple[_Part, ...]
    negate: bool = False
    within: float | None = None

    @staticmethod
    def parse(text: str) -> Pattern:
        """Return the pattern of ``[not] LANE WORD... [within Ns]``.

        Raises:
            BadSyntax: no lane, no word, an unknown shape, a bad regex, a name set twice.  `column` is counted in `text`.
        """
        pieces = _split_pattern(text)
        negate = bool(pieces) and pieces[0][0] == "not"
        if negate:
            del pieces[0]
        within = None
        if len(pieces) >= 2 and pieces[-2][0] == "within":
            seconds = _SECONDS.fullmatch(pieces[-1][0])
            if seconds is None:
                raise BadSyntax(f"'{pieces[-1][0]}' is not a time", "write seconds: within 2s", column=pieces[-1][1])
            within = float(seconds[1])
            del pieces[-2:]
        if len(pieces) < 2:
            raise BadSyntax("a pattern needs a lane and at least one word", "for example: w1 wait4 = <pid>", column=len(text))
        lane = _part(*pieces[0], lane=True)
        words = tuple(_part(*piece) for piece in pieces[1:])
        return _checked(Pattern(text, lane, words, negate, within))

    @staticmethod
    def of_words(text: str) -> Pattern:
        """Return a pattern of words only, for any lane (a prediction's choice).

        Raises:
            BadSyntax: as `parse`.
        """
        words = tuple(_part(*piece) for piece in _split_pattern(text))
        if not words:
            raise BadSyntax("a pattern needs at least one word", "for example: = -1 ESRCH")
        return _checked(Pattern(text, _Part("*", anything=True), words))

    @property
    def size(self) -> int:
        """How many words it has, the lane counted: the largest `closeness`."""
        return 1 + len(self.words)

    @property
    def captures(self) -> tuple[str, ...]:
        """The variables that a match sets."""
        return tuple(part.capture for part in (self.lane, *self.words) if part.capture)

    @property
    def needs(self) -> tuple[str, ...]:
        """The variables that must be set before it can be tried, without ``$``."""
        own = self.lane.capture
        names = [_NAME.fullmatch(choice) for part in (self.lane, *self.words) for choice in part.choices]
        return tuple(dict.fromkeys(name[1] for name in names if name and name[1] != own))

    def check(self, variables: Mapping[str, str]) -> None:
        """Make sure that every variable is set.

        Raises:
            NotFound: one is not; it is named.
        """
        for name in self.needs:
            if name not in variables:
                raise _unset(name)

    def match(self, lane: str, text: str, variables: Mapping[str, str]) -> dict[str, str] | None:
        """Return what a match sets (often nothing), or None if the event does not match.  `negate` plays no part here.

        Args:
            lane: the event's lane.
            text: its canonical line.
            variables: values without ``$`` in their names.

        Raises:
            NotFound: a variable is not set.
            BadArgument: ``$name+1`` of a variable that is no number.
        """
        found, captured = self._walk(lane, text, variables)
        return captured if found == self.size else None

    def closeness(self, lane: str, text: str, variables: Mapping[str, str]) -> int:
        """Count how many of `size` words match in order, the lane counted: for "closest event: 4 of 5 words".

        The longest common subsequence, not the greedy walk: a word that is missing in the middle does not hide those after it.
        """
        here = dict(variables)
        score = int(self.lane.fits(lane, here))
        if score and self.lane.capture:
            here[self.lane.capture] = lane
        elif self.lane.capture:
            here.setdefault(self.lane.capture, "")
        words = split_words(text)
        row = [0] * (len(words) + 1)
        for part in self.words:
            above, row = row, [0]
            for index, word in enumerate(words):
                row.append(above[index] + 1 if part.fits(word, here) else max(above[index + 1], row[index]))
        return score + row[-1]

    def _walk(self, lane: str, text: str, variables: Mapping[str, str]) -> tuple[int, dict[str, str]]:
        captured: dict[str, str] = {}
        if not self.lane.fits(lane, variables):
            return 0, captured
        here = variables
        if self.lane.capture:
            captured[self.lane.capture] = lane
            here = {**variables, **captured}
        found, rest = 1, iter(split_words(text))
        for part in self.words:
            for word in rest:
                if part.fits(word, here):
                    found += 1
                    if part.capture:
                        captured[part.capture] = word
                    break
            else:
                break
        return found, captured


def split_words(text: str) -> list[str]:
    """Return the words of a canonical event line: ``( ) ,`` separate and are left out, quoted text is one word."""
    return _WORD.findall(text)


def _split_pattern(text: str) -> list[tuple[str, int]]:
    """Return the words of a pattern with their columns."""
    pieces: list[tuple[str, int]] = []
    place = 0
    while place < len(text):
        if text[place].isspace() or text[place] in "(),":
            place += 1
            continue
        found = _REGEX.match(text, place) or _WORD.match(text, place)
        assert found is not None, f"every sign begins a word or separates: {text[place]!r}"
        pieces.append((found[0], place))
        place = found.end()
    return pieces


def _part(text: str, column: int, *, lane: bool = False) -> _Part:
    if lane and text == "*":
        return _Part(text, anything=True)
    if text.startswith('"'):
        return _Part(text, (text,))
    regex = _REGEX.fullmatch(text)
    if regex:
        try:
            return _Part(text, regex=WordRegex(regex[1]))
        except RegexError as error:
            raise BadSyntax(f"bad regular expression {text}: {error}", "words are usually enough", column=column) from None
    capture = _CAPTURE.fullmatch(text)
    if capture is None:
        return _Part(text, _choices(_BAR.split(text), column))
    name, body = capture[1] or "", capture[2]
    alone = body in SHAPES
    if not name and not alone and "|" not in body:
        raise _unknown_shape(body, column)
    return _Part(text, (f"<{body}>",) if alone else _choices(body.split("|"), column, inside=True), name)


def _choices(texts: list[str], column: int, *, inside: bool = False) -> tuple[str, ...]:
    choices: list[str] = []
    for text in texts:
        shape = _CAPTURE.fullmatch(text)
        if inside and text in SHAPES:
            choices.append(f"<{text}>")
        elif shape and len(texts) > 1:
            if shape[1]:
                raise BadSyntax(f"{text} cannot set a name between bars", "put the bars inside: <name:a|b>", column=column)
            if shape[2] not in SHAPES:
                raise _unknown_shape(shape[2], column)
            choices.append(text)
        elif text:  # an empty side of a bar matches nothing: there are no empty words
            choices.append(text)
    return tuple(choices)


def _unknown_shape(name: str, column: int) -> BadSyntax:
    return BadSyntax(f"<{name}> is no shape", "shapes are " + " ".join(f"<{shape}>" for shape in SHAPES), column=column)


def _checked(pattern: Pattern) -> Pattern:
    seen: set[str] = set()
    for name in pattern.captures:
        if name in seen:
            raise BadSyntax(f"${name} is set twice in one pattern", "give the second another name")
        seen.add(name)
    # The lane is decided before the words, so its capture may be used in them; a word's capture may not, since which of several
    # words it takes would depend on what comes after.
    for part in pattern.words:
        if part.capture and part.capture in pattern.needs:
            raise BadSyntax(f"${part.capture} is set and used in one pattern", "use it on the next line")
    return pattern
