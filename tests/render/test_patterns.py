"""The matcher of expect and then, by the tables of the walkthrough format and by properties."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests import odd
from tracedbg.model.errors import BadArgument, BadSyntax, NotFound
from tracedbg.render.patterns import SHAPES, Pattern, split_words
from tracedbg.render.wordregex import RegexError, WordRegex

TRACEE = {"tracee": "4242", "pc": "0x3ffff"}

# The canonical lines of the format's page.
CONT_REFUSED = "ptrace(PTRACE_CONT, 4242, 0, 0) = -1 ESRCH (No such process)"
CONT = "ptrace(PTRACE_CONT, 4242, 0, 0) = 0"
STOPPED = "wait4(-1, __WALL) = 4242 stopped SIGTRAP status 0x57f"
EXEC = "wait4(-1, __WALL) = 4242 stopped SIGTRAP PTRACE_EVENT_EXEC status 0x4057f"
EXITED = "wait4(-1, __WALL) = 4242 exited 0 status 0x0"
NOHANG = "wait4(-1, __WALL|WNOHANG) = 0"
WAITID = "waitid(P_PID, 4242, WSTOPPED) = 0 CLD_TRAPPED pid 4242 si_status SIGTRAP"
WROTE = 'wrote "hello, (world)\\n"'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CONT_REFUSED, ["ptrace", "PTRACE_CONT", "4242", "0", "0", "=", "-1", "ESRCH", "No", "such", "process"]),
        (NOHANG, ["wait4", "-1", "__WALL|WNOHANG", "=", "0"]),
        (WROTE, ["wrote", '"hello, (world)\\n"']),
        ('wrote "say \\"x y\\" now"', ["wrote", '"say \\"x y\\" now"']),
        ('wrote "no end', ["wrote", '"no end']),
        ('name="a b" c', ['name="a b"', "c"]),
        ("woken 2 in-vain 1", ["woken", "2", "in-vain", "1"]),
        ("stack ptrace_stop do_notify_parent_cldstop", ["stack", "ptrace_stop", "do_notify_parent_cldstop"]),
        ("", []),
    ],
)
def test_words_of_a_line(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@pytest.mark.parametrize(
    ("pattern", "lane", "text", "captured"),
    [
        ("w1 wait4 = $tracee stopped SIGTRAP", "w1", STOPPED, {}),
        ("w1 wait4 = $tracee stopped SIGTRAP", "w1", EXEC, {}),
        ("w1 wait4 = $tracee stopped SIGTRAP", "w2", STOPPED, None),
        ("w1 wait4 = $tracee exited 0", "w1", EXITED, {}),
        ("w1 ptrace = -1 ESRCH", "w1", CONT_REFUSED, {}),
        ("w1 ptrace = -1 EPERM", "w1", CONT_REFUSED, None),
        ("tracer ptrace = 0", "tracer", CONT, {}),
        ("tracer ptrace = 0", "tracer", CONT_REFUSED, None),
        ("w1 look = 0", "w1", "look() = 0x10", None),  # whole words: = 0 is not = 0x10
        ("w1 look = 0", "w1", "look() = 0", {}),
        ("w1 wait4", "w1", "wait4x(-1) = 0", None),
        ("w1 sigtrap", "w1", STOPPED, None),  # case counts
        ("w1 asleep do_wait", "w1", "asleep do_wait", {}),
        ("w1 do_wait asleep", "w1", "asleep do_wait", None),  # the order counts
        ("w1|w2 wait4 = $tracee exited 0", "w2", EXITED, {}),
        ("w1|w2 wait4 = $tracee exited 0", "w3", EXITED, None),
        ("* wait4", "anyone", EXITED, {}),
        ("w1 __WALL|WNOHANG = 0", "w1", NOHANG, {}),  # first as it stands
        ("w1 wait4 __WALL|__WCLONE", "w1", STOPPED, {}),  # then as alternatives
        ("w1 wait4 stopped SIGUSR1|SIGTRAP", "w1", STOPPED, {}),
        ("w1 wait4 stopped SIGUSR1|SIGUSR2", "w1", STOPPED, None),
        ("w1 wait4 = <pid> stopped", "w1", STOPPED, {}),
        ("w1 wait4 = <child:pid> stopped", "w1", STOPPED, {"child": "4242"}),
        ("<first:w1|w2> wait4 = $tracee", "w2", STOPPED, {"first": "w2"}),
        ("<first:w1|w2> wait4 = $tracee", "w3", STOPPED, None),
        ("w1 wait4 status <what:addr>", "w1", STOPPED, {"what": "0x57f"}),
        ("w1 status <what:addr>", "w1", "status 12", None),
        ("w1 = <n> <how:exited|killed>", "w1", EXITED, {"how": "exited"}),
        ("w1 waitid CLD_TRAPPED pid $tracee", "w1", WAITID, {}),
        ("w1 /^PTRACE_/ = 0", "w1", CONT, {}),
        ("w1 /^CONT/ = 0", "w1", CONT, None),
        ("w1 ptrace(PTRACE_CONT, $tracee", "w1", CONT, {}),  # punctuation only separates, here too
        ('tracee wrote "hello, (world)\\n"', "tracee", WROTE, {}),
        ('tracee wrote "hello"', "tracee", WROTE, None),
        ("tracee wrote /hello/", "tracee", WROTE, {}),
        ("tracee wrote /(hello|bye), /", "tracee", WROTE, None),
        ("tracee wrote /(bye|hello),/", "tracee", WROTE, {}),
        ("tracer exec /bin/true", "tracer", "exec /bin/true", {}),  # a path is no regular expression
        ("w1 <any> = 0", "w1", CONT, {}),
        ("w1 woken <n> in-vain <n>", "w1", "woken 2 in-vain 1", {}),
        ("w1 took <t:time>", "w1", "took 1.5s", {"t": "1.5s"}),
        ("<who:w1|w2> signal from $who", "w1", "signal SIGCHLD from w1", {"who": "w1"}),
        ("<who:w1|w2> signal from $who", "w1", "signal SIGCHLD from w2", None),
        ("w1 = $tracee|0", "w1", NOHANG, {}),
        ("w1 = <n>|nothing", "w1", NOHANG, {}),
        ("w1 = $tracee+1", "w1", "fork = 4243", {}),
        ("w1 = $tracee-2|$tracee+1", "w1", "fork = 4240", {}),
        ("w1 = $tracee+1", "w1", "fork = 4242", None),
        ("w1 rip $pc+1", "w1", "look rip 0x40000", {}),  # what was hexadecimal stays so
    ],
)
def test_match(pattern: str, lane: str, text: str, captured: dict[str, str] | None) -> None:
    parsed = Pattern.parse(pattern)
    assert parsed.match(lane, text, TRACEE) == captured
    assert (parsed.closeness(lane, text, TRACEE) == parsed.size) == (captured is not None)


@pytest.mark.parametrize(
    ("shape", "good", "bad"),
    [
        ("pid", ["1", "4242", "4194304"], ["0", "-1", "0x1", "042", "4242x"]),
        ("tid", ["77"], ["-77"]),
        ("n", ["0", "-1", "42", "0x1f"], ["", "x", "1.5", "0x"]),
        ("addr", ["0x0", "0x7fffffffe000"], ["123", "0x", "0x00000000000000000"]),
        ("time", ["0", "0.3", "5s", "12ms", "3us", "9ns"], ["5h", "-1s", ".s"]),
        ("any", ["x", '"a b"'], [""]),
    ],
)
def test_shapes(shape: str, good: list[str], bad: list[str]) -> None:
    assert set(good) == {word for word in (*good, *bad) if SHAPES[shape].fullmatch(word)}


def test_options_of_a_pattern() -> None:
    parsed = Pattern.parse("not w1|w2 wait4 within 0.3s")
    assert (parsed.negate, parsed.within, parsed.size) == (True, 0.3, 2)
    assert parsed.match("w2", NOHANG, {}) == {}
    plain = Pattern.parse("w1 wait4 within")
    assert (plain.negate, plain.within, plain.size) == (False, None, 3)
    assert Pattern.parse("* a within 2s").within == 2


def test_words_only_for_predictions() -> None:
    parsed = Pattern.of_words("= -1 ESRCH")
    assert parsed.match("w1", CONT_REFUSED, {}) == {}
    assert parsed.match("w1", CONT, {}) is None


def test_closeness_counts_the_lane_and_words_in_order() -> None:
    """The figure of the format's page: "closest event: 4 of 5 words"."""
    parsed = Pattern.parse("w1 ptrace = -1 EPERM")
    assert (parsed.closeness("w1", CONT_REFUSED, {}), parsed.size) == (4, 5)
    assert parsed.closeness("w2", CONT_REFUSED, {}) == 3
    # A word missing in the middle does not hide what comes after it.
    assert Pattern.parse("w1 ptrace PTRACE_LISTEN = -1 ESRCH").closeness("w1", CONT_REFUSED, {}) == 5


def test_unset_variable_is_named() -> None:
    parsed = Pattern.parse("$who wait4 = <child:pid> $code|0")
    assert parsed.needs == ("who", "code")
    assert parsed.captures == ("child",)
    with pytest.raises(NotFound, match=r"\$who is not set"):
        parsed.check({})
    with pytest.raises(NotFound, match=r"\$code is not set"):
        parsed.check({"who": "w1"})
    parsed.check({"who": "w1", "code": "3"})
    with pytest.raises(NotFound, match=r"\$who"):
        parsed.match("w1", EXITED, {})
    with pytest.raises(BadArgument, match="no number"):
        Pattern.parse("w1 $who+1").match("w1", EXITED, {"who": "w1"})
    with pytest.raises(BadArgument, match="below zero"):
        Pattern.parse("w1 $who-1").match("w1", EXITED, {"who": "0"})


@pytest.mark.parametrize(
    ("text", "what", "column"),
    [
        ("", "lane", 0),
        ("w1", "at least one word", 2),
        ("not w1", "at least one word", 6),
        ("w1 wait4 within soon", "not a time", 16),
        ("w1 <number>", "no shape", 3),
        ("w1 <x:pid> <x:pid>", "set twice", 0),
        ("w1 <x:pid> = $x", "set and used", 0),
        ("w1 /(/", "regular expression", 3),
        ("w1 <n>|<foo>", "no shape", 3),
    ],
)
def test_bad_patterns(text: str, what: str, column: int) -> None:
    with pytest.raises(BadSyntax, match=what) as caught:
        Pattern.parse(text)
    assert caught.value.column == column


WORDS = st.lists(st.text(st.sampled_from("abz019_=|-x"), min_size=1, max_size=6), min_size=1, max_size=12)


@given(WORDS, st.data())
def test_every_subsequence_matches(words: list[str], data: st.DataObject) -> None:
    chosen = [word for word in words if data.draw(st.booleans())]
    assume(chosen and chosen[0] != "not" and "within" not in chosen)
    parsed = Pattern.parse("* " + " ".join(chosen))
    assert parsed.match("lane", " ".join(words), {}) == {}


@given(WORDS, WORDS)
def test_match_agrees_with_a_plain_definition(line: list[str], wanted: list[str]) -> None:
    def fits(want: str, word: str) -> bool:
        return want == word or word in [part for part in want.split("|") if part]

    def defined(want: list[str], rest: list[str]) -> bool:
        if not want:
            return True
        return any(fits(want[0], word) and defined(want[1:], rest[at + 1 :]) for at, word in enumerate(rest))

    wanted = wanted[:3]
    parsed = Pattern.parse("w1 " + " ".join(wanted))
    assert (parsed.match("w1", " ".join(line), {}) is not None) == defined(wanted, line)


@given(odd.text(max_size=200))
def test_no_text_breaks_parser_or_splitter(text: str) -> None:
    assert all(word for word in split_words(text))
    column, parsed = 0, None
    try:
        parsed = Pattern.parse(text)
    except BadSyntax as error:
        column = error.column
    assert 0 <= column <= len(text)
    if parsed:
        variables = dict.fromkeys(parsed.needs, "1")
        assert 0 <= parsed.closeness("w1", text, variables) <= parsed.size


# --- the regular expressions ---------------------------------------------------------------------------------------------------
REGEX = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", r"\w", r"\.", "[a-c0-2]", "x"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{1,}", "{0,1}"])).map(lambda two: f"({two[0]}){two[1]}"),
    ),
    max_leaves=6,
)


@settings(max_examples=max(100, settings().max_examples))
@given(REGEX, st.text("abcx01.", max_size=8), st.booleans(), st.booleans())
def test_regex_agrees_with_re(text: str, word: str, begin: bool, end: bool) -> None:
    text = "^" * begin + text + "$" * end
    assert WordRegex(text).search(word) == (re.search(text, word) is not None)


@pytest.mark.parametrize("text", ["(a+)+$", "(a|aa)+$", "(a*)*b", ".*.*.*.*.*=", "(((a+)+)+)+$", "(a?){30}a{30}"])
def test_regex_cannot_hang(text: str) -> None:
    """Each of these takes `re` longer than anyone waits; the suite's own time limit is the judge here."""
    regex = WordRegex(text)
    assert regex.search("a" * 3000 + "!") == (text == "(a?){30}a{30}")


@pytest.mark.parametrize(
    "text",
    ["(", ")", "a)", "[a", "*", "a**", "a{2", "a{3,1}", "a{x}", "\\", r"\b", "[b-a]", "(a{99}){99}", "x" * 201],
)
def test_bad_regex(text: str) -> None:
    with pytest.raises(RegexError):
        WordRegex(text)


@given(st.text("ab()[]{}|*+?.^$\\d1,-", max_size=20))
def test_no_text_breaks_the_regex_parser(text: str) -> None:
    try:
        WordRegex(text).search("ab1d,-")
    except RegexError:
        pass
