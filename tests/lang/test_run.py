"""From a line to a handler's result."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lang.table_for_tests import TABLE, FakeSession
from tracedbg.lang.forms import Format, Location, ProgramArgs
from tracedbg.lang.grammar import parse
from tracedbg.lang.run import Call, prepare
from tracedbg.lang.table import CommandTable
from tracedbg.model.errors import BadArgument, BadSyntax, NotFound, TracedbgError, UnknownCommand


def run(text: str) -> object:
    session = FakeSession()
    return prepare(TABLE, session, text).run(session)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("continue", ("continue", 1)),
        ("c 3 # thrice", ("continue", 3)),
        ("si 0x10", ("stepi", 16, False)),
        ("stepi 5 &", ("stepi", 5, True)),
        ("signal INT", ("signal", 2)),
        ("x/8xg $rsp", ("x", Format(8, "x", "g"), "$rsp", False)),
        ("x /8 /xg $rsp", ("x", Format(8, "x", "g"), "$rsp", False)),
        ("x --raw &buf[1] + 2", ("x", Format(), "&buf[1] + 2", True)),
        ("x/2 --raw p", ("x", Format(2), "p", True)),
        ("x", ("x", Format(), None, False)),
        ("x s --raw", ("x", Format(), "s --raw", False)),  # after the expression began, it is C
        ("disassemble /s /r main", ("disassemble", "rs", "main")),
        ("disassemble/r", ("disassemble", "r", None)),
        ("b fact.c:12 if  n == 1", ("break", Location("fact.c:12", "n == 1"))),
        ("b fact if s[0] == ' ' && t == \"a  b\"", ("break", Location("fact", "s[0] == ' ' && t == \"a  b\""))),
        ("b", ("break", Location(""))),
        ("d 1 3-5", ("delete", (1, 3, 4, 5))),
        ("d", ("delete", ())),
        ("info r", ("info registers", ())),
        ("i r rip $rax", ("info registers", ("rip", "rax"))),
        ("set var x = 3", ("set variable", "x = 3")),
        ("set $rax = 5", ("set", "$rax = 5")),
        ("set logging on log.txt", ("set logging", True, "log.txt")),
        ('set logging on "my log"', ("set logging", True, "my log")),
        ("run < in > out", ("run", ProgramArgs((), "in", "out"), None, False)),
        ("run --stop --tty /dev/pts/3 a 'b c'", ("run", ProgramArgs(("a", "b c")), "/dev/pts/3", True)),
        ('run --tty="/dev/a b" x', ("run", ProgramArgs(("x",)), "/dev/a b", False)),
        ("run --verbose --stop", ("run", ProgramArgs(("--verbose", "--stop")), None, False)),  # the program's own
        ("run -- --stop", ("run", ProgramArgs(("--stop",)), None, False)),
        ("run tty=x", ("run", ProgramArgs(("tty=x",)), None, False)),
        ("look $tracee state $rip", ("look", "4242", ("state", "$rip"), ())),
        ('look "$tracee"', ("look", "$tracee", (), ())),
        ("on w1 look tracer", ("look", "tracer", (), ("w1",))),
        ("on w1,$first wait4 -1 __WALL &", ("on", ("w1", "w2"), "wait4", ("-1", "__WALL"), True)),
        ("on w1 ptrace PTRACE_CONT $tracee", ("on", ("w1",), "ptrace", ("PTRACE_CONT", "4242"), False)),
        ("on w1 kill -$tracee 9", ("on", ("w1",), "kill", ("-4242", "9"), False)),
        ("on w1 kill $tracee+1 9", ("on", ("w1",), "kill", ("4243", "9"), False)),
        ("on w1 continue", ("on", ("w1",), "continue", (), False)),  # no command for an actor: a call, whatever its name
        ("on w1 lo", ("on", ("w1",), "lo", (), False)),  # and nothing is abbreviated there
        ('on w1 write 1 "a $tracee\\n"', ("on", ("w1",), "write", ("1", "a $tracee\n"), False)),
        ("thread w1 w2", ("thread", ("w1", "w2"))),
        ("expect not w1|w2 wait4 within 0.3s", ("expect", "not w1|w2 wait4 within 0.3s")),
        ('expect tracee wrote "a  b"', ("expect", 'tracee wrote "a  b"')),
    ],
)
def test_lines(text: str, result: object) -> None:
    assert run(text) == result


@pytest.mark.parametrize(
    ("text", "error", "what", "todo"),
    [
        ("c x", BadArgument, "'x' is not a count (1 or more)", "numbers are written"),
        ("c 0", BadArgument, "'0' is not a count", "usage: continue [COUNT]"),
        ("c 1 2", BadArgument, "'2' is more than 'continue' takes", "usage: continue [COUNT]"),
        ("signal", BadArgument, "'signal' needs SIGNAL: which", "usage: signal SIGNAL"),
        ("set", BadArgument, "'set' needs EXPRESSION: an assignment", "usage: set EXPRESSION"),
        ("c/x", BadArgument, "'continue' takes no /x", "usage"),
        ("c &", BadArgument, "'continue' cannot run in the background", "leave the &"),
        ("si --fast", BadArgument, "'--fast' is not a count", "numbers"),
        ("run --tty", BadArgument, "--tty needs a value", "usage"),
        ("run --stop=1", BadArgument, "--stop takes no value", "usage"),
        ("b fact if", BadArgument, "condition after 'if' is missing", "for example"),
        ("look $nobody", NotFound, "$nobody is not set", "$tracee is set by"),
        ("look $first+1", BadArgument, "'w2' is no number", "only numbers"),
        ("on $nobody wait4", NotFound, "$nobody is not set", ""),
        ("on w1 wait4/x", BadSyntax, "a call takes no /x", ""),
        ("frob", UnknownCommand, "Undefined command", "help"),
        ("", BadSyntax, "empty", "help"),
    ],
)
def test_refused(text: str, error: type[TracedbgError], what: str, todo: str) -> None:
    with pytest.raises(error) as caught:
        run(text)
    assert what in caught.value.what
    assert todo in caught.value.todo


def test_without_an_actor_call_a_line_for_an_actor_is_unknown() -> None:
    with pytest.raises(UnknownCommand, match="cannot be addressed to w1"):
        prepare(CommandTable(), FakeSession(), "on w1 wait4 -1")


def test_what_a_call_says_of_itself() -> None:
    session = FakeSession()
    call = prepare(TABLE, session, "c 3")
    assert (call.name, call.while_busy, call.repeat_line) == ("continue", "refuse", "c 3")
    call = prepare(TABLE, session, "i b")
    assert (call.name, call.while_busy, call.repeat_line) == ("info breakpoints", "now", None)
    call = prepare(TABLE, session, "on w1 wait4 -1")
    assert (call.row, call.name, call.while_busy, call.repeat_line) == (None, "wait4", "now", None)


class Listener:
    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def started(self, call: Call) -> None:
        self.heard.append(("started", call.name))

    def finished(self, call: Call, result: object) -> None:
        self.heard.append(("finished", call.name, result))

    def failed(self, call: Call, error: BaseException) -> None:
        self.heard.append(("failed", call.name, error))


def test_an_observer_hears_beginning_and_end() -> None:
    session, listener = FakeSession(), Listener()
    prepare(TABLE, session, "c").run(session, listener)
    assert listener.heard == [("started", "continue"), ("finished", "continue", ("continue", 1))]

    table = CommandTable("broken")
    error = RuntimeError("gone")

    @table.add("fail")
    def fail(session: object) -> None:
        """Fail."""
        raise error

    listener = Listener()
    with pytest.raises(RuntimeError):
        prepare(table, session, "fail").run(session, listener)
    assert listener.heard == [("started", "fail"), ("failed", "fail", error)]


VERBS = st.sampled_from([word for row in TABLE.rows for word in (row.name, *row.aliases)])
PIECES = st.sampled_from(["--tty", "--raw", "$tracee", "$x", "/x", "1", "3-5", "=", "on", "if", "&", '"a', "w1,w2", "'", "#", "\\"])


@given(st.builds("{}{} {}".format, st.sampled_from(["", "on w1 "]), VERBS, st.lists(PIECES, max_size=5).map(" ".join)))
def test_any_line_binds_or_is_refused_in_words(text: str) -> None:
    session = FakeSession()
    refused = None
    try:
        call = prepare(TABLE, session, text)
    except TracedbgError as error:
        refused = error
    else:
        assert call.run(session)
        assert call.line == parse(text)
    if refused:
        assert refused.what
        assert refused.todo
