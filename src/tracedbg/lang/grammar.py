r"""One line of input: text to `Line` and back.

Pure functions, any thread.  This module must not know any command: what a verb means is the table's business.

    line  = [ "on" actor { "," actor } ] verb [ "/" format ] { word } [ "&" ] [ "#" comment ]
    word  = bare | "quoted"

A quoted word knows the escapes ``\n \t \r \\ \" \xNN`` and is unescaped when parsed.  Quotes inside a bare word (an expression
such as ``strcmp(s, "a b")`` or ``' '``) keep blanks and ``#`` together and stay as typed: the rest of a line that a command
takes as one expression is C, not ours.
"""

from __future__ import annotations

import re

import msgspec

from tracedbg.model.errors import BadSyntax

_VERB = re.compile(r"([A-Za-z_][\w-]*)/(\S*)")
_COMMA = re.compile(r"[ \t]*,[ \t]*")
_PLAIN = re.compile(r"[^\s\"'#&\\][^\s\"'\\]*")
# Double quotes first; then a C character literal anywhere ('"', ' ', '\''); a single quote on its own is an ordinary sign (don't).
_CHAR = re.compile(r"'(?:\\[^\s]+?|[^\\'])'")
_SINGLE = re.compile(r"'[^']*'(?=\s|$)")
_UNESCAPE = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"'}
_ESCAPE = {value: "\\" + key for key, value in _UNESCAPE.items()}


class Word(msgspec.Struct, frozen=True):
    r"""One word of a line.

    Args:
        text: without quotes and escapes if `quoted`, else as typed.  A byte written as ``\xNN`` with NN above 7f is the lone
            surrogate U+DCNN, so that ``text.encode("utf-8", "surrogateescape")`` gives exactly the bytes that were meant.
        quoted: the whole word stood in double quotes.
        start: 0-based column of its first character, quotes included.
        end: column after its last.
    """

    text: str
    quoted: bool = False
    start: int = 0
    end: int = 0

    @property
    def shown(self) -> str:
        """The word as it could be typed again."""
        return _quote(self.text) if self.quoted else self.text


class Line(msgspec.Struct, frozen=True):
    """A parsed line.

    Args:
        verb: first word of the command; empty for a blank line or a comment.
        words: everything after the verb, without ``&`` and comment.
        actors: names after ``on``, in the order typed; empty means the debugger itself.
        suffix: what followed ``verb/``, None without a slash.
        background: the line ended in ``&``.
        text: the line as typed.
        verb_start: column of the verb.
        verb_end: column after the verb, its suffix included.
        end: column after the last word, before ``&`` and comment: the rest of the line from word N is
            ``text[words[N].start:end]``.
    """

    verb: str
    words: tuple[Word, ...] = ()
    actors: tuple[str, ...] = ()
    suffix: str | None = None
    background: bool = False
    text: str = ""
    verb_start: int = 0
    verb_end: int = 0
    end: int = 0

    def tail(self, index: int) -> str:
        """Return the text from word `index` to the end, exactly as typed; empty if there is no such word."""
        return self.text[self.words[index].start : self.end] if index < len(self.words) else ""

    def __bool__(self) -> bool:
        """Say whether there is anything to do."""
        return bool(self.verb)

    def __str__(self) -> str:
        """Print the line in its normal form: one blank between words, no comment.  Parsing it gives the same line."""
        parts = ["on " + ",".join(self.actors)] if self.actors else []
        parts.append(self.verb if self.suffix is None else f"{self.verb}/{self.suffix}")
        parts.extend(word.shown for word in self.words)
        if self.background:
            parts.append("&")
        return " ".join(part for part in parts if part)


class Cursor(msgspec.Struct, frozen=True):
    """What stands before the cursor, for completion.

    Args:
        before: finished words before the one under the cursor, ``on`` and the actors included as they were typed.
        word: the part of the word under the cursor that was typed so far, without an opening quote.
        start: column where that word begins, its quote included.
        quoted: an opening double quote has not been closed.
        comment: the cursor stands in a comment, where nothing is completed.
    """

    before: tuple[Word, ...]
    word: str
    start: int
    quoted: bool
    comment: bool = False


def quote_word(text: str) -> str:
    """Return `text` as one word of a line: as it is where that works, else in double quotes."""
    return text if _PLAIN.fullmatch(text) and text.isprintable() else _quote(text)


def parse(text: str) -> Line:
    """Return the `Line` of one line of input.

    Raises:
        BadSyntax: a quote without its end, an unknown escape, ``on`` without an actor or a command, a stray ``&``.  Its `column`
            says where.
    """
    words, open_quote, _ = _scan(text)
    if open_quote is not None:
        raise BadSyntax("a double quote has no end", 'close it with ", or write \\" for the sign itself', column=open_quote)
    background = bool(words) and _is_sign(words[-1], "&")
    if background:
        stray = words.pop()
        if not words:
            raise BadSyntax("& has no command before it", "write the command first: COMMAND &", column=stray.start)
    end = words[-1].end if words else 0
    actors, words = _actors(text, words)
    if not words:
        return Line("", text=text)
    first, rest = words[0], tuple(words[1:])
    if _is_sign(first, "&"):
        raise BadSyntax("a line cannot begin with &", "& belongs at the end: COMMAND &", column=first.start)
    match = None if first.quoted else _VERB.fullmatch(first.text)
    verb, suffix = (match[1], match[2]) if match else (first.text, None)
    if first.quoted or not verb:
        raise BadSyntax("a line begins with a command, not with quoted text", "see 'help'", column=first.start)
    return Line(verb, rest, actors, suffix, background, text, first.start, first.end, end)


def cursor(text: str) -> Cursor:
    """Look at an incomplete line that ends at the cursor.  Never raises."""
    words, open_quote, comment = _scan(text, lenient=True)
    if comment:
        return Cursor(tuple(words), "", len(text), False, True)
    if open_quote is not None and words and words[-1].start == open_quote:
        last = words.pop()
        return Cursor(tuple(words), last.text, last.start, True)
    if words and words[-1].end == len(text):
        last = words.pop()
        return Cursor(tuple(words), last.text, last.start, False)
    return Cursor(tuple(words), "", len(text), False)


def _is_sign(word: Word, sign: str) -> bool:
    return word.text == sign and not word.quoted


def _actors(text: str, words: list[Word]) -> tuple[tuple[str, ...], list[Word]]:
    """Split ``on a,b`` off; blanks around the commas are allowed."""
    if not words or not _is_sign(words[0], "on"):
        return (), words
    if len(words) == 1:
        raise BadSyntax("'on' needs the name of a thread or puppet", "for example: on w1 wait4 -1 __WALL", column=words[0].end)
    last = 1
    # "on w1, w2 CALL": the list goes on while a comma stands on either side of the blank.
    while last + 1 < len(words) and (words[last].text.endswith(",") or words[last + 1].text.startswith(",")):
        last += 1
    begin, end = words[1].start, words[last].end
    names = tuple(_COMMA.split(text[begin:end]))
    if not all(names) or any(word.quoted for word in words[1 : last + 1]):
        raise BadSyntax("a name is missing in the list after 'on'", "write it as: on w1,w2 CALL", column=begin)
    if last + 1 == len(words):
        raise BadSyntax("'on' needs a call after the name", "for example: on w1 wait4 -1 __WALL", column=end)
    return names, words[last + 1 :]


def _scan(text: str, *, lenient: bool = False) -> tuple[list[Word], int | None, bool]:
    """Cut `text` into words.  Return them, the column of a double quote without end, and whether it ends in a comment."""
    words: list[Word] = []
    place, size = 0, len(text)
    while place < size:
        if text[place].isspace():
            place += 1
            continue
        if text[place] == "#":
            return words, None, True
        start = place
        open_quote = None
        while place < size and not text[place].isspace():
            char = text[place]
            if char == '"':
                close = _closing(text, place)
                if close < 0:
                    open_quote = place
                    place = size
                else:
                    place = close + 1
            elif char == "'":
                whole = _CHAR.match(text, place) or (_SINGLE.match(text, place) if place == start else None)
                place = whole.end() if whole else place + 1
            else:
                place += 1
        if text[start] == '"' and open_quote == start:
            words.append(Word(_unescape(text, start + 1, size, lenient=True), True, start, size))
        elif text[start] == '"' and open_quote is None and _closing(text, start) == place - 1:
            words.append(Word(_unescape(text, start + 1, place - 1, lenient=lenient), True, start, place))
        else:
            words.append(Word(text[start:place], False, start, place))
        if open_quote is not None:
            return words, open_quote, False
    return words, None, False


def _closing(text: str, place: int) -> int:
    """Return the column of the double quote that closes the one at `place`, -1 if there is none."""
    place += 1
    while place < len(text):
        if text[place] == "\\":
            place += 1
        elif text[place] == '"':
            return place
        place += 1
    return -1


def _unescape(text: str, place: int, end: int, *, lenient: bool) -> str:
    out: list[str] = []
    while place < end:
        char = text[place]
        place += 1
        if char != "\\":
            out.append(char)
            continue
        kind = text[place : place + 1] if place < end else ""
        if kind == "x":
            digits = text[place + 1 : min(place + 3, end)]
            if len(digits) == 2 and all(digit in "0123456789abcdefABCDEF" for digit in digits):
                value = int(digits, 16)
                # PEP 383: a byte above 7f that is not text travels as U+DC80..U+DCFF.
                out.append(chr(value) if value < 0x80 else chr(0xDC00 + value))
                place += 3
                continue
        elif kind in _UNESCAPE:
            out.append(_UNESCAPE[kind])
            place += 1
            continue
        if not lenient:
            raise BadSyntax("unknown escape in quoted text", r"known are \n \t \r \\ \" and \xNN", column=place - 1)
        out.append(char)
    return "".join(out)


def _quote(text: str) -> str:
    out: list[str] = []
    for char in text:
        code = ord(char)
        if char in _ESCAPE:
            out.append(_ESCAPE[char])
        elif code < 0x20 or code == 0x7F:
            out.append(f"\\x{code:02x}")
        elif 0xDC80 <= code <= 0xDCFF:
            out.append(f"\\x{code - 0xDC00:02x}")
        else:
            out.append(char)
    return '"' + "".join(out) + '"'
