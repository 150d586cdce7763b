"""The canonical lines: one for each kind of event, exactly as the format page words them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import odd
from tracedbg.model import events as ev
from tracedbg.model.ids import Role, Source
from tracedbg.model.text import Shown
from tracedbg.render.lines import kinds, line_of, remembering


def _line(event, *, lane="w1", tid=77):
    return line_of(ev.Record(1, 0, lane, tid, Source.USER, event))


def _wait(*args, ret=4242, errno="", status=None, info=None, name="wait4"):
    return ev.CallReturned(name, args or (-1, "__WALL"), ret, errno, status, info)


def test_every_kind_of_event_has_its_function():
    assert kinds() == frozenset(ev.EVENT_TYPES)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (_wait(status=0x57F), "wait4(-1, __WALL) = 4242 stopped SIGTRAP status 0x57f"),
        (_wait(status=0x4057F), "wait4(-1, __WALL) = 4242 stopped SIGTRAP PTRACE_EVENT_EXEC status 0x4057f"),
        (_wait(status=0), "wait4(-1, __WALL) = 4242 exited 0 status 0x0"),
        (_wait(status=0xF), "wait4(-1, __WALL) = 4242 killed SIGTERM status 0xf"),
        (_wait(status=0xFFFF), "wait4(-1, __WALL) = 4242 continued status 0xffff"),
        (_wait(-1, "__WALL|WNOHANG", ret=0), "wait4(-1, __WALL|WNOHANG) = 0"),
        (_wait(ret=-1, errno="ECHILD"), "wait4(-1, __WALL) = -1 ECHILD (No child processes)"),
        (
            _wait("P_PID", 4242, "WSTOPPED", name="waitid", ret=0, info=ev.ChildInfo(4, 4242, 5)),
            "waitid(P_PID, 4242, WSTOPPED) = 0 CLD_TRAPPED pid 4242 si_status SIGTRAP",
        ),
        (
            _wait("P_ALL", 0, "WEXITED", name="waitid", ret=0, info=ev.ChildInfo(1, 4242, 5)),
            "waitid(P_ALL, 0, WEXITED) = 0 CLD_EXITED pid 4242 si_status 5",
        ),
        (
            _wait("P_ALL", 0, "WEXITED", name="waitid", ret=0, info=ev.ChildInfo(2, 4242, 9)),
            "waitid(P_ALL, 0, WEXITED) = 0 CLD_KILLED pid 4242 si_status SIGKILL",
        ),
        (
            _wait("P_ALL", 0, "WSTOPPED", name="waitid", ret=0, info=ev.ChildInfo(4, 4242, 0x405)),
            "waitid(P_ALL, 0, WSTOPPED) = 0 CLD_TRAPPED pid 4242 si_status SIGTRAP PTRACE_EVENT_EXEC",
        ),
        (_wait("P_ALL", 0, "WSTOPPED|WNOHANG", name="waitid", ret=0), "waitid(P_ALL, 0, WSTOPPED|WNOHANG) = 0 empty"),
        (ev.CallReturned("ptrace", ("PTRACE_CONT", 4242, 0, 0), 0), "ptrace(PTRACE_CONT, 4242, 0, 0) = 0"),
        (
            ev.CallReturned("ptrace", ("PTRACE_CONT", 4242, 0, 0), -1, "ESRCH"),
            "ptrace(PTRACE_CONT, 4242, 0, 0) = -1 ESRCH (No such process)",
        ),
        (
            ev.CallReturned("ptrace", ("PTRACE_PEEKTEXT", 4242, "0x401000", "&word"), 0xCC),
            "ptrace(PTRACE_PEEKTEXT, 4242, 0x401000, &word) = 0xcc",
        ),
        (ev.CallReturned("ptrace", ("0x4300", 1, 0, 0), -1, "9999"), "ptrace(0x4300, 1, 0, 0) = -1 9999"),
        (ev.CallReturned("fork", (), 4242), "fork = 4242"),
        (ev.CallReturned("fork", (), -1, "EAGAIN"), "fork = -1 EAGAIN (Resource temporarily unavailable)"),
        (ev.CallReturned("setpgid", (0, 0), 0), "setpgid(0, 0) = 0"),
        (ev.CallReturned("gettid", (), 77), "gettid() = 77"),
        (ev.CallEntered("wait4", (-1, "__WALL")), "waiting wait4(-1, __WALL)"),
        (ev.CallEntered("ptrace", ("PTRACE_CONT", 1, 0, 0)), None),
        (ev.ThreadAsleep("wait4", "do_wait", "state S"), "asleep do_wait"),
        (ev.ThreadAsleep("wait4", "0", "state S"), "asleep wait4"),
        (ev.ThreadWoken(2, 1), "woken 2 in-vain 1"),
        (ev.Looked("w1", (("state", "t"), ("TracerPid", "77"), ("PPid", "70"))), "look state t TracerPid 77 PPid 70"),
        (ev.TraceeStopped(0x57F, "SIGTRAP", 77), "stopped SIGTRAP"),
        (ev.TraceeStopped(0x57F, "breakpoint 1", 77), "stopped SIGTRAP breakpoint 1"),
        (ev.TraceeStopped(0x57F, "breakpoint 1", 70), "stopped SIGTRAP breakpoint 1 tid 77"),
        (ev.TraceePaused(0x137F, "interrupted", 77), "paused SIGSTOP interrupted"),
        (ev.TraceeResumed("cont", 0, 77), "running cont"),
        (ev.TraceeResumed("cont", 10, 70), "running cont with SIGUSR1 tid 77"),
        (ev.TraceeGone(0, "ended", 77), "exited 0"),
        (ev.TraceeGone(0xF, "ended", 77), "killed SIGTERM"),
        (ev.TraceeGone(-1, "detached", 77), "gone detached"),
        (ev.ProgramOutput("hello\n"), 'wrote "hello\\n"'),
        (ev.ProgramOutput("x: ", partial=True), 'wrote "x: " unfinished'),
        (ev.ProgramOutput(ev.pack(b"\xff\x1b[2J")), r'wrote "\\xff\x1b[2J"'),
        (ev.ProgramInput("5\n"), 'typed "5\\n"'),
        (ev.StatusReported(4242, 0x57F, "w1"), "told 4242 stopped SIGTRAP taken-by w1"),
        (ev.SiteChanged("planted", 0x401136), "planted 0x401136"),
        (ev.PlanWaits("cont", "the end of the step"), "cont waits for the end of the step"),
        (ev.PlanWent("cont", "4242 stopped SIGTRAP", 4242), "cont goes on: 4242 stopped SIGTRAP"),
        (ev.RequestHeld("ptrace(PTRACE_CONT, 1, 0, 0)", "let it run"), "held before ptrace(PTRACE_CONT, 1, 0, 0) to let it run"),
        (ev.RequestFreed("ptrace(PTRACE_CONT, 1, 0, 0)"), "goes on to ptrace(PTRACE_CONT, 1, 0, 0)"),
        (ev.LoopDone("stepi", {"wait4": 3, "ptrace": 6}), "loop stepi done: wait4 3, ptrace 6"),
    ],
)
def test_the_words(event, text):
    assert _line(event) == text


_HOSTILE = "\x1b[31m\n\u202e\x07\r\x9b"
_VALUES = {
    str: st.one_of(st.just(_HOSTILE), odd.text(max_size=20)),
    int: st.integers(-(2**63), 2**63),
    bool: st.booleans(),
}


def _some(kind) -> st.SearchStrategy:
    """A strategy for a payload with hostile text wherever text may stand."""
    fields = {}
    for field in msgspec.structs.fields(kind):
        base = field.type
        if base in _VALUES:
            fields[field.name] = _VALUES[base]
        elif base is Role:
            fields[field.name] = st.sampled_from(Role)
        elif "data" in field.name:
            fields[field.name] = st.binary(max_size=20).map(ev.pack)
        elif field.name == "args":
            fields[field.name] = st.lists(st.one_of(_VALUES[str], _VALUES[int]), min_size=1, max_size=4).map(tuple)
        elif field.name == "counts":
            fields[field.name] = st.dictionaries(_VALUES[str], _VALUES[int], max_size=3)
        elif field.name in ("fields", "facts", "registers", "queue"):
            fields[field.name] = st.lists(st.tuples(_VALUES[str], _VALUES[str]), max_size=3).map(tuple)
        elif field.name == "source":
            fields[field.name] = st.lists(st.tuples(_VALUES[int], _VALUES[str]), max_size=3).map(tuple)
        elif field.name in ("lines", "words", "functions", "frames", "threads"):
            fields[field.name] = st.lists(_VALUES[str], max_size=3).map(tuple)
        elif field.name == "choices":
            fields[field.name] = st.lists(st.builds(ev.ChoiceOffered, _VALUES[str], _VALUES[str]), max_size=3).map(tuple)
        elif field.name == "status":
            fields[field.name] = st.one_of(st.none(), st.integers(0, 2**32 - 1))
        elif field.name == "info":
            fields[field.name] = st.one_of(st.none(), st.builds(ev.ChildInfo, *[st.integers(-(2**31), 2**31 - 1)] * 3))
        else:
            raise AssertionError(f"{kind.__name__}.{field.name}: {base} has no strategy here")
    return st.builds(kind, **fields)


@pytest.mark.parametrize("kind", ev.EVENT_TYPES, ids=lambda kind: kind.__name__)
@settings(max_examples=30)
@given(data=st.data())
def test_no_text_from_outside_reaches_a_terminal_as_it_is(kind, data):
    event, tid = data.draw(_some(kind)), data.draw(st.integers(0, 2**31))
    line = _line(event, tid=tid)
    assert line is None or isinstance(line, Shown)
    assert line is None or line.isprintable()
    # What stands elsewhere in the record makes no difference: the text that is remembered is the one that would be made.
    text = remembering(1)
    for _ in range(2):
        assert text(ev.Record(7, 9, "lane", tid, Source.PROC, event, 3)) == line
    assert text(ev.Record(7, 9, "lane", tid + 1, Source.PROC, event, 3)) == _line(event, tid=tid + 1)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (ev.CallReturned("ptrace", (), 7), "ptrace() = 7"),
        (ev.ProgramOutput(ev.Base64("A")), 'wrote "A"'),
        (ev.ProgramOutput(ev.Base64("\x9b=")), 'wrote "\\x9b="'),
    ],
)
def test_what_no_writer_would_write_has_a_line_too(event, text):
    assert _line(event) == text


def test_an_event_of_a_later_version_says_its_kind():
    assert line_of(ev.Record(1, 0, "x", 0, Source.USER, ev.UnknownEvent({"ev": "new.\x1b"}))) == "unknown event new.\\x1b"
