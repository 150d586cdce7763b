"""Recordings as pages, casts and traces: as they were, well-formed, and harmless whatever was recorded."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.exports.sample import EVENTS, as_file, recording
from tests.exports.wellformed import nested
from tests.terminal.harness import Emulator
from tests.walk.pages import failures, play
from tracedbg import cli
from tracedbg.commands.runner import Runner
from tracedbg.commands.table import all_commands
from tracedbg.eventlog.recordings import load
from tracedbg.exports import commandline
from tracedbg.exports.forms import FORMS, LESSONS_HAVE_IT, Form, Kind, text_of
from tracedbg.exports.perfetto import perfetto
from tracedbg.exports.saving import save
from tracedbg.exports.story import Revealed, tell
from tracedbg.exports.walkthrough import walkthrough
from tracedbg.model import events as ev
from tracedbg.model.errors import BadArgument, UserError
from tracedbg.model.events import CommandFinished
from tracedbg.session.session import Session
from tracedbg.walk.reading import parse

READ = tuple(name for name, form in FORMS.items() if form.kind in (Kind.TEXT, Kind.FILES) and name not in LESSONS_HAVE_IT)
"""The forms that are for reading: of any recording."""

HOSTILE = "\x1b]0;own\x07\x1b[2J\x9b31m\u202e</script><script>alert(1)</script>\r```\n# x [a](javascript:alert(1)) ![p](http://x/y)"


def _hostile(event: ev.Event) -> ev.Event:
    """The event with hostile text wherever it has text of its own."""
    changes = {}
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if isinstance(value, str) and name not in ("kind", "origin"):
            changes[name] = HOSTILE
        elif name == "lines":
            changes[name] = (HOSTILE, *value)
        elif name == "choices":
            changes[name] = (ev.ChoiceOffered(HOSTILE, HOSTILE), ev.ChoiceOffered("", HOSTILE))
        elif name == "args":
            changes[name] = (HOSTILE,)
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    return type(event)(**(fields | changes))


EVIL = recording(tuple((t, lane if lane in ("repl", "tracer") else HOSTILE, _hostile(event), of) for t, lane, event, of in EVENTS), HOSTILE)


# --- whatever was recorded ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", READ)
def test_what_is_written_holds_no_foreign_control_character(form):
    text = text_of(form, EVIL)
    kept = text.replace("\n", "")
    if form.startswith("cast"):
        # A cast holds escapes as JSON writes them: those of our own table of colours, and nothing else.
        shown = "".join(json.loads(line)[2] for line in text.splitlines()[1:])
        kept = re.sub(r"\x1b\[[0-9;]*m", "", shown).replace("\r\n", "")
        assert text.isascii()
    assert kept.isprintable()


def test_a_page_of_a_hostile_recording_is_only_text():
    page = MarkdownIt("commonmark").parse(text_of("markdown", EVIL))
    inline = [child for token in page for child in token.children or []]
    assert not [token for token in inline if token.type in ("image", "html_inline", "link_open")]
    html = [token.content for token in page if token.type == "html_block"]
    assert all(content.split("\n")[0].startswith("<details><summary>") or content.startswith("</details>") for content in html)
    assert not any("<script" in content for content in html)
    assert [token.tag for token in page if token.type == "heading_open"] == ["h1", "h2"]


def test_a_cast_leaves_the_terminal_as_it_was():
    import pyte

    screen = Emulator(100, 30)
    stream = pyte.ByteStream(screen)
    for line in text_of("cast", EVIL).splitlines()[1:]:
        _, kind, data = json.loads(line)
        if kind == "o":
            stream.feed(data.encode())
    assert screen.title == ""
    assert screen.cursor.attrs.fg == "default"
    assert any("own" in row for row in [*screen.scrolled, *(screen.row(y) for y in range(30))])


# --- forms ----------------------------------------------------------------------------------------------------------------------
def test_both_versions_of_a_cast_tell_the_same_at_the_same_time():
    two = [json.loads(line) for line in text_of("cast", recording()).splitlines()]
    three = [json.loads(line) for line in text_of("cast-v3", recording()).splitlines()]
    assert (two[0]["version"], three[0]["version"]) == (2, 3)
    assert [event[1:] for event in two[1:]] == [event[1:] for event in three[1:]]
    at = 0.0
    for old, new in zip(two[1:], three[1:], strict=True):
        at += new[0]
        assert old[0] == pytest.approx(at, abs=1e-9)
    assert [event[2] for event in two[1:] if event[1] == "m"] == ["One stop", "Who takes it?"]


@pytest.mark.parametrize("one", [recording(), EVIL], ids=["sample", "hostile"])
def test_the_slices_of_a_trace_nest_and_end(one):
    trace = nested(perfetto(one))
    assert [event["args"]["result"] for event in trace if event["ph"] == "E" and event.get("args", {}).get("result")][
        -1
    ] == "never returned"


def test_a_handout_asks_first_and_answers_on_the_last_page():
    page = text_of("handout", recording())
    sheets, answers = page.split('<section class="answers">')
    assert "<h3>Question 1</h3>" in sheets
    assert sheets.count('class="box"') == 2
    assert "ESRCH (No such process)" not in sheets
    assert "It is not your tracee" not in sheets
    assert "<h3>Question 1: B</h3>" in answers
    assert "<code>tracer</code>&nbsp; <code>ptrace(PTRACE_CONT, 4242, 0, 0) = -1 ESRCH" in answers
    assert "It is not your tracee" in answers
    assert "expect " not in page
    assert "Nothing is asked" in text_of("handout", recording(EVENTS[:5]))


# --- the command ----------------------------------------------------------------------------------------------------------------
def test_the_command_reads_a_file_and_writes_one(tmp_path, capsys):
    path, out = tmp_path / "one.jsonl", tmp_path / "one.md"
    path.write_bytes(as_file(recording()))
    assert commandline.main([str(path), "--to", "markdown", "-o", str(out)]) == 0
    assert out.read_text(encoding="utf-8") == text_of("markdown", recording())
    assert out.stat().st_mode & 0o777 == 0o600
    path.write_bytes(as_file(recording())[:-4])
    assert commandline.main([str(path), "--to", "markdown"]) == 0
    captured = capsys.readouterr()
    assert "broke off" in captured.err
    assert captured.out.startswith("# One stop\n\n*line 26 broke off")
    with pytest.raises(UserError):
        commandline.main([str(path), "--to", "cast", "-o", str(tmp_path / "no" / "where")])


@pytest.fixture
def file(tmp_path):
    """The sample as a file; its path."""
    path = tmp_path / "one.jsonl"
    path.write_bytes(as_file(recording()))
    return str(path)


def test_the_ending_of_the_output_chooses_the_form(file, tmp_path):
    assert commandline.main([file, "-o", str(tmp_path / "one.cast"), "--columns", "60"]) == 0
    assert json.loads((tmp_path / "one.cast").read_text().splitlines()[0])["width"] == 60


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--to", "\x1bm"], "there is no form .x1bm; the forms are html, fragment, svg, png, markdown, cast"),
        ([], "which form is wanted"),
        (["-o", "one.xyz"], "which form is wanted"),
        (["--to", "markdown", "--columns", "80"], "form markdown has no --columns; those that have it: cast, cast-v3"),
        (["--to", "cast", "--columns", "5"], "--columns 5 is not between 20 and 500"),
        (["--to", "parts"], "makes several files"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_work(file, parts, words, told):
    with pytest.raises(BadArgument, match=told):
        commandline.main([file, *words])


@pytest.fixture
def parts(monkeypatch):
    """Forms of kinds that stand for themselves."""
    names = {"a.txt": "one", "b.bin": b"\xff"}

    def make(_recording, options):
        return {name: text for name, text in names.items() if options.section in ("", name)}

    monkeypatch.setitem(FORMS, "parts", Form(make, "", ".parts", Kind.FILES, ("section",)))
    monkeypatch.setitem(FORMS, "picture", Form(lambda _recording, _options: b"\xff", "", ".pic", Kind.BYTES))
    return names


def test_several_files_go_into_a_directory_and_one_where_it_is_asked_for(file, tmp_path, capsysbinary, parts):
    folder = tmp_path / "out"
    assert commandline.main([file, "--to", "parts", "-o", str(folder)]) == 0
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == {"a.txt": b"one", "b.bin": b"\xff"}
    assert commandline.main([file, "--to", "parts", "--section", "a.txt", "-o", str(tmp_path / "a")]) == 0
    assert (tmp_path / "a").read_text() == "one"
    assert commandline.main([file, "--to", "parts", "--section", "b.bin"]) == 0
    assert commandline.main([file, "--to", "picture"]) == 0
    assert capsysbinary.readouterr().out == b"\xff\xff"
    parts["../evil"] = ""
    with pytest.raises(BadArgument, match="is no name for a file"):
        commandline.main([file, "--to", "parts", "-o", str(folder)])


def test_bytes_do_not_go_to_a_terminal_and_nothing_onto_the_recording(file, parts, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with pytest.raises(BadArgument, match="a terminal cannot show it; name a file with -o"):
        commandline.main([file, "--to", "picture"])
    with pytest.raises(BadArgument, match="is the recording itself"):
        commandline.main([file, "--to", "markdown", "-o", file])


def test_a_failure_leaves_what_was_there(tmp_path):
    path = tmp_path / "there"
    path.write_text("before")
    path.chmod(0o640)

    def breaks_off():
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save(str(path), breaks_off())
    assert (path.read_text(), os.listdir(tmp_path)) == ("before", ["there"])
    (tmp_path / "link").symlink_to(path)
    save(str(tmp_path / "link"), [b"after"])
    assert (path.read_text(), path.stat().st_mode & 0o777, (tmp_path / "link").is_symlink()) == ("after", 0o640, True)


# --- a lesson kept ----------------------------------------------------------------------------------------------------------------
@pytest.mark.needs("ptrace")
@pytest.mark.slow
def test_a_lesson_is_recorded_and_becomes_every_form(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HOME", "/bin")
    page = Path(__file__).parents[1] / "walk" / "10-whose-tracee.md"
    path = str(tmp_path / "one.jsonl")
    assert cli.main(["record", str(page), "-o", path, "--speed", "1000", "--trust", "--author", "A. Teacher"]) == 0
    one = load(path)
    assert (one.note, one.header["author"]) == ("", "A. Teacher")
    title = one.title
    told = tell(one)
    assert told.title == title
    assert [section.number for section in told.sections] == list(range(len(told.sections)))
    revealed = next(item.question for section in told.sections for item in section.items if isinstance(item, Revealed))
    assert (revealed.right, revealed.chosen) == (2, -1)
    assert "-1 ESRCH" in told.deciding[revealed.by][1]
    data = Path(path).read_bytes()
    assert b"~/true" in data
    assert b"/bin/true" not in data
    capsys.readouterr()
    for form in (name for name in READ if FORMS[name].kind is Kind.TEXT):
        assert cli.main(["export", path, "--to", form]) == 0
        assert "ESRCH" in capsys.readouterr().out


# --- a session becomes a lesson -----------------------------------------------------------------------------------------------------
SESSION = """
    thread w1 w2
    launch /bin/true
    on w1 wait4 -1 __WALL
    on w1 ptrace PTRACE_CONT $tracee
    look $tracee state TracerPid
    on nobody getpid
    on w1 wait4 $tracee __WALL &
    expect w1 asleep
    on w2 wait4 $tracee __WALL &
    on tracer ptrace PTRACE_CONT $tracee
    expect <first:w1|w2> wait4 = $tracee exited 0
    puppet p1
    on p1 fork kid
    on p1 kill $kid SIGKILL
    on p1 wait4 $kid 0
    file /bin/true
    starti
    continue
    help
"""


@pytest.mark.needs("ptrace")
@pytest.mark.slow
def test_what_somebody_did_becomes_a_walkthrough_that_passes(tmp_path):
    path = str(tmp_path / "session.jsonl")
    with Session(events=path) as session:
        runner = Runner(session, all_commands())
        for line in SESSION.strip().splitlines():
            assert runner.run_line(line.strip(), "keyboard") == ("nobody" not in line)
        assert session.log.until(lambda record: record.event == CommandFinished(True), 5, since=0)
    page = walkthrough(load(path))
    lines = page.splitlines()
    assert "expect tracer fork = $tracee" in lines
    assert "expect w1 ptrace PTRACE_CONT $tracee 0 0 = -1 ESRCH" in lines
    assert "expect tracee look state t TracerPid $tracer" in lines
    assert any(line.startswith("# on nobody getpid: there is no thread") for line in lines)
    assert lines.count("expect w1 asleep") == 1, "what was expected is not expected twice"
    assert not any("exited 0" in line and line.startswith("expect w") for line in lines)
    assert "expect p1 wait4 $kid 0 = $kid killed SIGKILL" in lines
    assert "help" not in lines
    for _ in range(2):
        played = play(page)
        assert [result.outcome for result in played.results] == ["passed"], (failures(played), page)


def test_a_line_of_a_recording_does_not_leave_its_block():
    refused = ev.CommandFinished(False, (), HOSTILE)
    events = (
        (0, "repl", ev.LineEntered("thread w1", "keyboard"), 0),
        (1, "repl", ev.LineEntered("```", "keyboard"), 0),
        (2, "repl", refused, 2),
        (3, "repl", ev.LineEntered(HOSTILE, "keyboard"), 0),
        (4, "repl", refused, 4),
    )
    document = parse(walkthrough(recording(events, HOSTILE)), "x.md")
    assert [step.title for step in document.steps] == ["What happens", "Try it yourself"]
    assert len(document.steps[0].blocks) == 1


def test_a_lesson_has_its_page_already():
    for events in (EVENTS, EVENTS[:2]):
        with pytest.raises(BadArgument):
            walkthrough(recording(events))
