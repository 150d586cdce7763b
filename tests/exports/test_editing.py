"""Recordings cut, annotated and redacted: what is left is whole, true, and tells nothing that was taken out."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.exports.sample import EVENTS, as_file, recording
from tracedbg import cli
from tracedbg.eventlog.recordings import load
from tracedbg.exports.commandline import main as export
from tracedbg.exports.editing import remark, remarks, trim, written
from tracedbg.exports.forms import FORMS, LESSONS_HAVE_IT, Kind, text_of
from tracedbg.exports.redacting import Redactor, is_address, redact
from tracedbg.exports.story import tell
from tracedbg.model import events as ev
from tracedbg.model.errors import BadArgument, NotFound
from tracedbg.model.ids import Role, Source

READ = tuple(name for name, form in FORMS.items() if form.kind in (Kind.TEXT, Kind.FILES))
SLOT = ("ptrace", ("PTRACE_CONT", 4242, 0, 0))

TWO_STEPS: tuple[tuple[int, str, ev.Event, int], ...] = (
    (0, "repl", ev.SessionStarted("0.1.0", "6.18.5", "3.11.7"), 0),
    (1, "repl", ev.LaneOpened("repl", Role.REPL, 70), 0),
    (2, "repl", ev.StepReached(0, "", "Two steps"), 0),
    (1000, "repl", ev.StepReached(1, "first", "First"), 0),
    (1100, "w1", ev.LaneOpened("w1", Role.BENCH, 70), 0),
    (1110, "w2", ev.LaneOpened("w2", Role.BENCH, 70), 0),
    (1200, "w2", ev.LaneClosed("w2"), 0),
    (1300, "w1", ev.CallEntered("wait4", (-1, 0)), 0),  # 8: returns in the second step
    (1400, "w1", ev.ThreadAsleep("wait4", "do_wait", "state S"), 8),
    (1450, "tracee", ev.TraceeBorn(4242, "launched"), 0),
    (1500, "tracee", ev.TraceeResumed("continue", 0, 4242), 0),
    (1600, "tracee", ev.TraceeStopped(0x57F, "breakpoint 1", 4242), 0),
    (1700, "tracer", ev.CallEntered(*SLOT), 0),
    (1800, "tracer", ev.CallReturned(*SLOT, 0), 13),
    (9000, "repl", ev.StepReached(2, "second", "Second"), 0),
    (9100, "w1", ev.CallReturned("wait4", (-1, 0), 4242, status=0x57F), 8),
    (9200, "repl", ev.LineEntered("look", "walkthrough"), 0),
    (20000, "repl", ev.StepReached(3, "third", "Third"), 0),
    (20100, "repl", ev.CommandFinished(True, ("fine",)), 17),
    (20200, "repl", ev.Note("the last"), 0),
    (20300, "repl", ev.SessionEnded(True), 0),
)


def _seqs(one):
    return [record.seq for record in one.records]


# --- trim -------------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("cut", "kept"),
    [
        ({"first": "first"}, [1, 2, 3, *range(4, 22)]),
        ({"first": "second"}, [1, 2, 3, 5, 8, 9, 10, 12, *range(15, 22)]),
        ({"first": "14"}, [1, 2, 3, 4, 5, 8, 9, 10, 12, 13, *range(14, 22)]),
        ({"last": "first"}, [*range(1, 15), 21]),
        ({"last": "7"}, [1, 2, 3, 4, 5, 6, 7, 21]),
        ({"without": ["first"]}, [1, 2, 3, 5, 8, 9, 10, 12, *range(15, 22)]),
        ({"without": ["second"]}, [*range(1, 15), 16, 17, *range(18, 22)]),
        ({"first": "second", "last": "second"}, [1, 2, 3, 5, 8, 9, 10, 12, 15, 16, 17, 21]),
    ],
    ids=str,
)
def test_what_goes_on_across_a_cut_is_kept(cut, kept):
    trimmed = trim(recording(TWO_STEPS), **cut)
    assert _seqs(trimmed) == kept
    assert trimmed.header["trimmed"] is True


def test_the_time_that_was_cut_out_is_closed():
    trimmed = trim(recording(TWO_STEPS), without=["second"])
    at = {record.seq: record.t for record in trimmed.records}
    assert at[14] == at[16] == at[17] == 1_800_000
    assert at[18] == 1_801_000
    assert at[20] - at[18] == 200_000
    assert trim(recording(TWO_STEPS), first="second").records[-1].t == 11_301_000


@pytest.mark.parametrize(
    ("cut", "error", "told"),
    [
        ({"first": "nowhere"}, NotFound, "there is no section nowhere; sections: first, second, third"),
        ({"last": "99"}, NotFound, "there is no record 99; numbers in this recording: 1 to 21"),
        ({"first": "third", "last": "first"}, BadArgument, "nothing would be left"),
        ({"first": "21"}, BadArgument, "nothing would be left"),
    ],
)
def test_a_cut_that_makes_no_sense_is_refused(cut, error, told):
    with pytest.raises(error, match=re.escape(told)):
        trim(recording(TWO_STEPS), **cut)
    with pytest.raises(NotFound, match="sections: this recording has none"):
        trim(recording(TWO_STEPS[:3]), "first")


@given(first=st.integers(1, 21), length=st.integers(0, 21), without=st.sets(st.sampled_from(["first", "second", "third"])))
def test_any_part_of_a_recording_is_one(first, length, without):
    whole = recording(TWO_STEPS)
    try:
        trimmed = trim(whole, str(first), str(min(21, first + length)), sorted(without))
    except BadArgument:
        return
    seqs = _seqs(trimmed)
    assert len(set(seqs)) == len(seqs)
    assert all(record.of in seqs for record in trimmed.records if record.of), "nothing belongs to what is gone"
    assert [record.seq for record in sorted(trimmed.records, key=lambda record: (record.t, record.seq))] == seqs
    opened = {record.lane for record in trimmed.records if isinstance(record.event, ev.LaneOpened)}
    assert {record.lane for record in trimmed.records} & {"w1", "w2"} <= opened
    for form in READ:
        if form not in LESSONS_HAVE_IT:
            assert text_of(form, trimmed)


# --- note -------------------------------------------------------------------------------------------------------------------------
def test_a_note_stands_behind_its_record_in_every_form_for_reading():
    noted = remark(remark(recording(), 10, "old"), 10, "Look *here*: it sleeps.")
    assert remarks(noted) == [(10, "Look *here*: it sleeps.")]
    where = [
        record.of if isinstance(record.event, ev.TextTold) and record.event.kind == "remark" else record.seq for record in noted.records
    ]
    assert where[9:12] == [10, 10, 11]
    assert len(set(_seqs(noted))) == len(noted.records)
    page = text_of("markdown", noted)
    assert page.index("asleep do_wait") < page.index("**Note:** Look *here*: it sleeps.") < page.index("**Question:**")
    assert "sleeps." in text_of("cast", noted)
    assert remark(noted, 10, "").records == recording().records
    with pytest.raises(NotFound, match="there is no note at record 3; notes stand at: 10"):
        remark(noted, 3, "")


def test_a_note_of_a_session_stands_in_its_walkthrough():
    typed = ((0, "repl", ev.LineEntered("thread w1", "keyboard"), 0), (1, "repl", ev.CommandFinished(True), 1))
    page = text_of("walkthrough", remark(recording(typed), 2, "one waiter\n```\n# is enough"))
    assert "```tracedbg\n# one waiter\n# ```\n# # is enough\nthread w1\n" in page.replace("````", "```")


def test_the_commands_edit_a_file(tmp_path, capsys):
    path, out = str(tmp_path / "one.jsonl"), str(tmp_path / "two.jsonl")
    (tmp_path / "one.jsonl").write_bytes(as_file(recording(TWO_STEPS)))
    assert cli.main(["trim", path, "--from", "second", "--drop-section", "third", "-o", out]) == 0
    assert load(out).note == ""
    assert [section.slug for section in tell(load(out)).sections if section.number] == ["second"]
    assert cli.main(["note", out, "--at", "16", "who", "was", "it?", "--title", "Cut", "--author", "A. Teacher", "-o", out]) == 0
    edited = load(out)
    assert (edited.title, edited.header["author"], remarks(edited)) == ("Cut", "A. Teacher", [(16, "who was it?")])
    capsys.readouterr()
    assert cli.main(["note", out]) == 0
    assert capsys.readouterr().out == "16: who was it?\n"
    assert cli.main(["note", out, "--at", "16", "--remove", "--author", "", "-o", "-"]) == 0
    printed = capsys.readouterr().out
    assert ("remark" in printed, "author" in printed, "Cut" in printed) == (False, False, True)
    for words in (["trim", path, "-o", out], ["trim", path, "--to", "5"], ["note", out, "--at", "16", "-o", out], ["note", out, "x"]):
        assert cli.main(words) == 2
        assert capsys.readouterr().err.startswith("tracedbg: ")
    assert remarks(load(out)) == [(16, "who was it?")]


# --- redact -----------------------------------------------------------------------------------------------------------------------
def test_a_recording_is_followed_without_its_addresses_and_paths():
    events = (
        (0, "repl", ev.LineEntered("file /srv/ann/secret/fact", "keyboard"), 0),
        (1, "repl", ev.CommandFinished(True, ("Breakpoint 1 at 0x555555555144: file /srv/ann/secret/fact.c, line 2.",)), 1),
        (2, "tracer", ev.SiteChanged("planted", 0x555555555144), 0),
        (3, "tracee", ev.ProgramOutput("at 0x00007fffffffe5ac = 140737488348588, in /srv/ann/secret/fact.\n"), 0),
        (4, "tracee", ev.ProgramOutput(ev.pack(b"\xff /srv/ann/secret/fact 0x555555555144")), 0),
        (5, "tracer", ev.CallReturned("ptrace", ("PTRACE_PEEKTEXT", 4242, 93824992235844, 0), -0x55555555), 0),
        (6, "tracee", ev.StateKept(4242, "fact () at a b/x.c:2", "/srv/ann/my files/x.c", registers=(("rip", "0x555555555144"),)), 0),
        (
            7,
            "repl",
            ev.CommandFinished(True, ("555555554000-555555555000 r-xp /usr/lib/x.so", "0x57f 0x80057f 0x40000000 0xffffffffffffffff")),
            0,
        ),
        (
            8,
            "repl",
            ev.Note("in /srv/ann/my files/x.c, /proc/70/task/79/syscall, /proc/70/cwd/x, and/or https://man7.org/x src/fact.c"),
            0,
        ),
    )
    done = redact(recording(events))
    lines = [event.lines for event in (record.event for record in done.records) if isinstance(event, ev.CommandFinished)]
    page = text_of("markdown", done)
    assert "tracedbg> file PATH1" in page
    assert "Breakpoint 1 at 0xadd0001: file PATH2, line 2." in lines[0]
    assert "planted 0xadd0001" in page
    assert "at 0xadd0002 = 182255618, in PATH1." in page
    assert r"\xff PATH1 0xadd0001" in page
    assert "ptrace(PTRACE_PEEKTEXT, 4242, 182255617, 0)" in page
    assert lines[1] == ("add0004-add0005 r-xp PATH5", "0x57f 0x80057f 0x40000000 0xffffffffffffffff")
    state = done.records[6].event
    assert isinstance(state, ev.StateKept)
    assert (state.file, state.registers) == ("PATH3", (("rip", "0xadd0001"),))
    told = done.records[8].event
    assert isinstance(told, ev.Note)
    assert told.text == "in PATH3, /proc/70/task/79/syscall, PATH6, and/or https://man7.org/x PATH7"
    again = redact(done)
    assert text_of("markdown", again) == page


_PATHS = st.lists(st.text("abcXYZ019._-é", min_size=2, max_size=9).filter(lambda word: word.strip(".")), min_size=1, max_size=4).map(
    lambda words: "/srv/" + "/".join(words) + "x"  # a full stop would end a sentence
)
_ADDRESSES = st.integers(0x10000, (1 << 47) - 1).filter(lambda value: is_address(value) and not 0xADD0000 <= value < 0xADE0000)


def _secretive(chance, paths, addresses):
    """The sample, with paths and addresses wherever there is text."""

    def secret():
        address, path = chance.choice(addresses), chance.choice(paths)
        return chance.choice(
            [f"0x{address:x}", f"0x{address:016x}", path, f"{path}:12", f"'{path}'", f"({path})", f"a={path},", f"<{path}>"]
        )

    def event(one):
        changes = {}
        for name in one.__struct_fields__:
            value = getattr(one, name)
            if name in ("kind", "origin", "errno", "file"):
                continue
            if isinstance(value, str) and not isinstance(value, Role):
                changes[name] = f"{value} {secret()}"
            elif name == "lines":
                changes[name] = (*value, f"at {secret()} in {secret()}")
            elif name == "args":
                changes[name] = (*value, secret())
            elif name == "choices":
                changes[name] = tuple(ev.ChoiceOffered(secret(), f"for {secret()}") for _ in value)
        return type(one)(**({name: getattr(one, name) for name in one.__struct_fields__} | changes))

    extra = (
        (6_000_000, "tracer", ev.SiteChanged("planted", chance.choice(addresses)), 0),
        (6_000_001, "tracee", ev.ProgramOutput(ev.pack(b"\xff " + secret().encode("latin-1"))), 0),
        (6_000_002, "tracee", ev.StateKept(1, secret(), chance.choice(paths), 1, ((1, secret()),), (("rip", secret()),), (secret(),)), 0),
    )
    return recording(tuple((t, lane, event(each), of) for t, lane, each, of in (*EVENTS, *extra)), f"One {secret()}")


@given(seed=st.integers(0, 2**32), paths=st.lists(_PATHS, min_size=1, max_size=3), addresses=st.lists(_ADDRESSES, min_size=1, max_size=3))
def test_nothing_that_was_redacted_stands_in_any_form(seed, paths, addresses):
    one = _secretive(random.Random(seed), paths, addresses)
    redactor = Redactor(one)
    done = redactor.recording()
    assert set(redactor.paths) <= set(paths)
    assert set(redactor.addresses) <= set(addresses)
    outputs = [text_of(form, done) for form in READ if form not in LESSONS_HAVE_IT]
    outputs.append(b"".join(written(done)).decode())
    for text in outputs:
        assert "/srv/" not in text
        assert not any(re.search(rf"(?<![0-9a-f])0*{address:x}(?![0-9a-f])", text) for address in addresses if address > 0xFFFFFFF)


def test_the_command_redacts_before_any_form(tmp_path, capsys):
    path = tmp_path / "one.jsonl"
    path.write_bytes(as_file(recording(((0, "repl", ev.Note("in /srv/ann/x"), 0),))))
    assert export([str(path), "--to", "markdown", "--redact"]) == 0
    assert "note: in PATH1" in capsys.readouterr().out
    assert cli.main(["trim", str(path), "--redact", "-o", str(path)]) == 0
    assert "/srv/" not in path.read_text()
    assert load(str(path)).records[0].source is Source.USER
