"""Text to Line and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import odd
from tracedbg.lang.grammar import Line, Word, cursor, parse, quote_word
from tracedbg.model.errors import BadSyntax


def shape(line: Line) -> tuple[object, ...]:
    """A line without its columns."""
    return line.actors, line.verb, line.suffix, [(word.text, word.quoted) for word in line.words], line.background


def plain(*texts: str) -> list[tuple[str, bool]]:
    return [(text, False) for text in texts]


@pytest.mark.parametrize(
    ("text", "actors", "verb", "suffix", "words", "background"),
    [
        ("on w1 wait4 -1 __WALL &", ("w1",), "wait4", None, plain("-1", "__WALL"), True),
        ("on w1,w2,w3 ptrace PTRACE_CONT $tracee", ("w1", "w2", "w3"), "ptrace", None, plain("PTRACE_CONT", "$tracee"), False),
        ("on w1, w2 ,w3 getpid", ("w1", "w2", "w3"), "getpid", None, [], False),
        ("on $first ptrace PTRACE_CONT 1", ("$first",), "ptrace", None, plain("PTRACE_CONT", "1"), False),
        ("continue", (), "continue", None, [], False),
        ("  c   3  # three times", (), "c", None, plain("3"), False),
        ("x/8xg $rsp", (), "x", "8xg", plain("$rsp"), False),
        ("x/-3i $pc", (), "x", "-3i", plain("$pc"), False),
        ("p/x n", (), "p", "x", plain("n"), False),
        ("p /x n", (), "p", None, plain("/x", "n"), False),
        ("disassemble /s main", (), "disassemble", None, plain("/s", "main"), False),
        ("break fact.c:12 if n == 1", (), "break", None, plain("fact.c:12", "if", "n", "==", "1"), False),
        ("set var x = 3", (), "set", None, plain("var", "x", "=", "3"), False),
        ("set $rax = 5", (), "set", None, plain("$rax", "=", "5"), False),
        ("run < in > out", (), "run", None, plain("<", "in", ">", "out"), False),
        ("run 'a # b' c", (), "run", None, plain("'a # b'", "c"), False),
        ("list +10", (), "list", None, plain("+10"), False),
        ('input "hello world\\n"', (), "input", None, [("hello world\n", True)], False),
        ('input "\\x03\\t\\\\\\""', (), "input", None, [('\x03\t\\"', True)], False),
        ('input ""', (), "input", None, [("", True)], False),
        ('input "&"', (), "input", None, [("&", True)], False),
        ('print strcmp(s, "a b # c")', (), "print", None, plain("strcmp(s,", '"a b # c")'), False),
        ('print f("a b")', (), "print", None, plain('f("a b")'), False),
        ("print c == '#'", (), "print", None, plain("c", "==", "'#'"), False),
        ("print c == ' '", (), "print", None, plain("c", "==", "' '"), False),
        ("print c == '\"'", (), "print", None, plain("c", "==", "'\"'"), False),
        ("print '\\'' + 1", (), "print", None, plain("'\\''", "+", "1"), False),
        ("echo don't stop", (), "echo", None, plain("don't", "stop"), False),
        ("print &x", (), "print", None, plain("&x"), False),
        ("print a & b", (), "print", None, plain("a", "&", "b"), False),
        ("print a#b", (), "print", None, plain("a#b"), False),
        ("continue &", (), "continue", None, [], True),
        ("./tour a", (), "./tour", None, plain("a"), False),
        ("", (), "", None, [], False),
        ("   # only a comment", (), "", None, [], False),
        ("once 1", (), "once", None, plain("1"), False),
    ],
)
def test_lines(text: str, actors: tuple[str, ...], verb: str, suffix: str | None, words: list[tuple[str, bool]], background: bool) -> None:
    line = parse(text)
    assert shape(line) == (actors, verb, suffix, words, background)
    assert line.text == text
    assert bool(line) == bool(verb)
    for word in line.words:
        if not word.quoted:
            assert text[word.start : word.end] == word.text


@pytest.mark.parametrize(
    ("text", "what", "column"),
    [
        ('input "abc', "no end", 6),
        ('print f("abc', "no end", 8),
        ('input "a\\q"', "unknown escape", 8),
        ('input "a\\x1"', "unknown escape", 8),
        ("on", "needs the name", 2),
        ("on w1", "needs a call", 5),
        ("on w1 &", "needs a call", 5),
        ("on w1, wait4", "needs a call", 12),
        ("on ,w1 wait4", "name is missing", 3),
        ("on w1,,w2 wait4", "name is missing", 3),
        ("&", "no command before", 0),
        ("& continue", "cannot begin with &", 0),
        ('"continue"', "begins with a command", 0),
    ],
)
def test_bad_lines(text: str, what: str, column: int) -> None:
    with pytest.raises(BadSyntax, match=what) as caught:
        parse(text)
    assert caught.value.column == column


def test_the_rest_of_a_line_is_what_was_typed() -> None:
    line = parse('break  fact.c:12   if  s[0] == " "  # why &')
    assert line.tail(0) == 'fact.c:12   if  s[0] == " "'
    assert line.tail(1) == 'if  s[0] == " "'
    assert line.tail(9) == ""
    assert parse("print a & b &").tail(0) == "a & b"


def test_bytes_in_quotes_are_exact() -> None:
    (word,) = parse(r'input "\xff\x80\x41é"').words
    assert word.text.encode("utf-8", "surrogateescape") == b"\xff\x80A\xc3\xa9"


@pytest.mark.parametrize(
    ("text", "before", "word", "quoted"),
    [
        ("", [], "", False),
        ("con", [], "con", False),
        ("on w1 ", ["on", "w1"], "", False),
        ("on w1,w", ["on"], "w1,w", False),
        ("on w1 wait4 -1 __W", ["on", "w1", "wait4", "-1"], "__W", False),
        ('file "my pro', ["file"], "my pro", True),
        ('file "my prog"', ["file"], "my prog", False),
        ('file "a\\', ["file"], "a\\", True),
        ('print f("a', ["print"], 'f("a', False),
        ("print 1 # no", ["print", "1"], "", False),
    ],
)
def test_cursor(text: str, before: list[str], word: str, quoted: bool) -> None:
    here = cursor(text)
    assert [one.text for one in here.before] == before
    assert (here.word, here.quoted) == (word, quoted)
    assert here.comment == ("#" in text)


NAMES = st.text("abcw12_-", min_size=1, max_size=5).filter(lambda name: name[0].isalpha())
BARE = st.text("abz09_$=|<>*.:+-/,()[]", min_size=1, max_size=8)
TEXT = st.text(odd.VALID, max_size=10) | st.text("\udcff\udc80\n\t\"\\'#& x", max_size=6)
WORDS = st.lists(st.one_of(BARE.map(Word), TEXT.map(lambda text: Word(text, True))), max_size=5).map(tuple)
LINES = st.builds(
    Line,
    NAMES.filter(lambda name: name != "on"),
    WORDS,
    st.lists(NAMES | NAMES.map("$".__add__), max_size=3).map(tuple),
    st.none() | st.text("0123456789xgs-", max_size=4),
    st.booleans(),
)


@given(LINES)
def test_parse_reads_what_print_wrote(line: Line) -> None:
    printed = str(line)
    again = parse(printed)
    assert shape(again) == shape(line)
    assert str(again) == printed


@given(odd.text(max_size=60) | st.text("ab \"'\\#&on,/x1", max_size=30))
def test_any_text_parses_or_says_where_it_does_not(text: str) -> None:
    here = cursor(text)
    assert 0 <= here.start <= len(text)
    column, line = 0, Line("")
    try:
        line = parse(text)
    except BadSyntax as error:
        column = error.column
    assert 0 <= column <= len(text)
    if line:
        assert shape(parse(str(line))) == shape(line)
        places = [place for word in line.words for place in (word.start, word.end)]
        assert places == sorted(places)
        assert all(place <= line.end for place in places)


@given(TEXT)
def test_a_quoted_word_is_one_word(text: str) -> None:
    (word,) = parse("input " + quote_word(text)).words
    assert word.text == text
