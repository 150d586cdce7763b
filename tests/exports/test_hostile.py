"""Recordings that mean harm: whatever stands in a file, it is refused in a sentence or becomes a form that harms nobody.

The files are made by chance from good ones: bytes, and values inside of lines, are exchanged.  TRACEDBG_FUZZ_SECONDS says how long.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

import tracedbg
from tests.exports.sample import as_file, recording
from tests.exports.test_editing import TWO_STEPS
from tests.exports.wellformed import CHECKS, Page
from tests.regenerate import EXAMPLES
from tracedbg.eventlog.recordings import LONGEST_LINE, Damaged, Recording, load
from tracedbg.exports.editing import remark, trim, written
from tracedbg.exports.forms import FORMS, Kind, text_of
from tracedbg.exports.redacting import redact
from tracedbg.exports.story import tell
from tracedbg.model import events as ev
from tracedbg.model.errors import BadArgument, UserError
from tracedbg.model.ids import Role
from tracedbg.replay.commandline import asked, play_plain
from tracedbg.replay.state import States
from tracedbg.replay.tape import Tape

HOSTILE = "\x1b]0;own\x07\x1b[2J\x9b31m\u202e</script><script>alert(1)</script>\r```\n# x [a](javascript:alert(1)) ![p](http://x/y) ]]>"
SLOWEST_S = 5.0
"""For one small file in all forms; most take a hundredth of it."""

SHIPPED = Path(tracedbg.__file__).parent / "recordings"
_BASES = (
    as_file(recording()),
    as_file(recording(TWO_STEPS)),
    *(b"".join(path.read_bytes().splitlines(keepends=True)[:150]) for path in sorted(SHIPPED.glob("*.jsonl"))[:3]),
    as_file(recording(tuple((seq * 10, lane, event, max(0, seq - 2)) for seq, (event, lane, _) in enumerate(EXAMPLES.values())))),
)
_ANYTHING: tuple[Callable[[random.Random], Any], ...] = (
    lambda chance: chance.choice(
        ["", HOSTILE, "x" * 5000, "\ud800", "\x00", "tracee", "repl", "w1", "note", "sys.exit", "PTRACE_PEEKTEXT"]
    ),
    lambda chance: chance.choice([0, 1, -1, 2, 8, 41, 2**31, 2**63 - 1, 2**63, -(2**62), -(2**63), 2**64, 10**400, 1 << 20]),
    lambda chance: chance.choice([None, True, False, 1.5, 1e308, [], {}, [[]], [HOSTILE], {"b64": "AA=="}, {"b64": "@"}, {"b64": HOSTILE}]),
    lambda chance: chance.choice([[["a", "b"]] * 50, [[1, "x"]] * 50, {HOSTILE: 1}, {"code": 9, "pid": 1, "status": 2**40}]),
)


def _damaged(chance: random.Random) -> bytes:
    """One of the good files, in which some things are not what they were."""
    lines = chance.choice(_BASES).splitlines(keepends=True)
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(len(lines))
        what = chance.randrange(8)
        if what == 0:  # bytes
            line = bytearray(lines[place])
            at = chance.randrange(len(line))
            line[at : at + chance.choice((0, 1, 1, 20))] = chance.choice(
                (b"", b'"', b"{", b"\n", b"\xff", b"9" * 40, b"[" * 3000, b"\\ud800")
            )
            lines[place] = bytes(line)
        elif what == 1:
            lines[place] = lines[chance.randrange(len(lines))]
        elif what == 2:
            del lines[chance.randrange(len(lines)) :][:1]
            lines = lines or [b"\n"]
        elif what == 3:
            lines.insert(place, lines[chance.randrange(len(lines))])
        else:
            lines[place] = _other_value(lines[place], chance)
    return b"".join(lines)


def _other_value(line: bytes, chance: random.Random) -> bytes:
    """A line with one value of it exchanged."""
    try:
        fields = json.loads(line)
    except ValueError:
        return line
    if not isinstance(fields, dict) or not fields:
        return line
    key = chance.choice(list(fields))
    old = fields[key]
    if chance.random() < 0.2:  # of another type, mostly
        fields[key] = chance.choice(_ANYTHING)(chance)
    elif isinstance(old, str):
        fields[key] = chance.choice([HOSTILE, old + HOSTILE, "", "tracee", "w1", "repl", "x" * 3000, {"b64": "A"}])
    elif isinstance(old, bool):
        fields[key] = not old
    elif isinstance(old, int):
        fields[key] = chance.choice([old + 1, old - 1, -old, old * 1000, 0, 1, chance.randrange(30), chance.randrange(1 << 62), 1 << 70])
    elif isinstance(old, list):
        fields[key] = chance.choice([[], old[:1], old[1:], old + old, old * 40, [*old, chance.choice(_ANYTHING)(chance)]])
    elif isinstance(old, dict):
        fields[key] = {**old, HOSTILE: chance.choice(_ANYTHING)(chance)}
    return json.dumps(fields).encode() + b"\n"


# --- what must hold of any form ----------------------------------------------------------------------------------------------------
def _cast(text: str) -> None:
    assert text.isascii()
    before = 0.0
    for line in text.splitlines()[1:]:
        at, kind, data = json.loads(line)
        assert kind in "om"
        assert at >= 0
        assert re.sub(r"\x1b\[[0-9;]*m", "", data).replace("\r\n", "").isprintable()
        before = max(before, at)
    assert before < 1e11


def _trace(text: str) -> None:
    open_: dict[int, int] = {}
    for event in json.loads(text)["traceEvents"]:
        open_[event["tid"]] = open_.get(event["tid"], 0) + {"B": 1, "E": -1}.get(event["ph"], 0)
        assert open_[event["tid"]] >= 0
    assert not any(open_.values())


def _markdown(text: str) -> None:
    assert text.replace("\n", "").isprintable()
    for token in MarkdownIt("commonmark").parse(text):
        assert not [child for child in token.children or [] if child.type in ("image", "html_inline")]
        if token.type == "html_block":
            assert token.content.startswith(("<details><summary>", "</details>"))
            assert "<script" not in token.content


def _page(text: str) -> None:
    page = Page(text)  # numbers that are there twice may be ids that are there twice: nothing that does harm
    assert (page.fetched, page.handlers) == ([], [])
    assert not page.tags & {"iframe", "object", "embed", "base", "form", "img", "video", "audio"}
    assert [link for link in page.links if ":" in link and not link.startswith("https://")] == []
    assert text.replace("\n", "").isprintable()


_HARMLESS: dict[str, Callable[[str], object]] = {".cast": _cast, ".json": _trace, ".md": _markdown, ".html": _page}


def check(form: str, text: str) -> None:
    """A form of a recording that means harm."""
    suffix = FORMS[form].suffix
    if suffix == ".svg":
        for part in re.split(r"(?m)^== .*\n", text)[1:] if text.startswith("== ") else [text]:
            CHECKS[".svg"](part)
    else:
        _HARMLESS.get(suffix, lambda text: None)(text)
    assert text.replace("\n", "").isprintable()


def _harmless_error(error: UserError) -> None:
    assert str(error).isprintable()
    assert str(error).count("\n") == 0


def _try_all(one: Recording, chance: random.Random) -> None:
    tell(one)
    if one.records:
        one = remark(one, chance.choice(one.records).seq, HOSTILE)
    forms = [name for name, form in FORMS.items() if form.kind in (Kind.TEXT, Kind.FILES)]
    for form in chance.sample(forms, min(3, len(forms))):
        try:
            text = text_of(form, one)
        except UserError as error:
            _harmless_error(error)
            continue
        check(form, text)
    try:
        less = trim(redact(one), str(chance.choice(one.records).seq)) if one.records else one
    except UserError:
        return
    for line in written(less):
        assert line.isascii()


def _replay(path: Path, one: Recording, chance: random.Random) -> None:
    """It is played, and looked at from some place."""
    out = io.StringIO()
    play_plain(asked([str(path)]), (), out, 80, colour=False, keep_going=False)
    assert out.getvalue().replace("\n", "").isprintable()
    states, place = States(Tape(one)), chance.randrange(len(one.records) + 1)
    looks = (states.registers, states.backtrace, states.source, states.threads, states.waitqueue, states.lanes)
    assert all(line.isprintable() for look in looks for line in look(place))


def _once(path: Path, seed: int) -> bool:
    """One file; whether it could be read."""
    chance = random.Random(seed)
    path.write_bytes(_damaged(chance))
    began = time.process_time()
    try:
        one = load(str(path))
    except UserError as error:
        _harmless_error(error)
        return False
    finally:
        assert time.process_time() - began < SLOWEST_S
    _try_all(one, chance)
    if chance.random() < 0.3:
        _replay(path, one, chance)
    assert time.process_time() - began < SLOWEST_S
    return True


_FUZZ_SECONDS = float(os.environ.get("TRACEDBG_FUZZ_SECONDS", "10"))


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1.5, pytest.param(_FUZZ_SECONDS, marks=[pytest.mark.long, pytest.mark.timeout(_FUZZ_SECONDS + 100)])])
def test_files_changed_by_chance_do_no_harm(tmp_path, seconds):
    path = tmp_path / "r.jsonl"
    end = time.monotonic() + seconds
    tried = read = 0
    while time.monotonic() < end:
        seed = random.randrange(2**48)
        try:
            read += _once(path, seed)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {path.read_bytes()!r}"[:4000]) from error
        tried += 1
    assert 0 < read < tried


# --- one by one ----------------------------------------------------------------------------------------------------------------------
def _line(**fields: object) -> bytes:
    return json.dumps({"seq": 1, "t": 1, "lane": "w1", "tid": 0, "ev": "note", "text": "x", "src": "user", **fields}).encode() + b"\n"


_HEAD = as_file(recording()).partition(b"\n")[0] + b"\n"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (_line(t=2**62 + 1), "t"),
        (_line(t=-(2**63)), "t"),
        (_line(seq=-1), "seq"),
        (_line(seq=2**63), "seq"),
        (_line(of=-5), "of"),
        (_line(tid=10**400), ""),
        (_line(lane=["w1"]), "lane"),
        (_line(ev="sys.exit", name="x", args=[], ret=1e400), "malformed"),
        (_line(ev="sys.exit", name="x", args=[], ret=0).replace(b'"ret": 0', b'"ret": ' + b"9" * 5000), ""),
        (b'{"seq":1,"t":1,"lane":"w1\\ud800","tid":0,"ev":"note","text":"x","src":"user"}\n', ""),
    ],
    ids=[
        "late",
        "early",
        "negative seq",
        "long seq",
        "negative of",
        "400 digits",
        "a list as lane",
        "infinity",
        "5000 digits",
        "surrogate",
    ],
)
def test_a_place_that_cannot_be_is_an_error_of_its_line(tmp_path, data, told):
    path = tmp_path / "r.jsonl"
    path.write_bytes(_HEAD + data)
    with pytest.raises(Damaged, match=r":2: this line is no event") as error:
        load(str(path))
    assert told in str(error.value)


def test_lines_without_an_end_are_not_held(tmp_path):
    path = tmp_path / "r.jsonl"
    for first in (_HEAD, b""):
        with path.open("wb") as file:
            file.write(first)
            file.truncate(400 << 20)  # a hole: it has no blocks, and reads as zeros
        with pytest.raises(Damaged, match="a line of more than 4 MiB"):
            load(str(path))
    with path.open("r+b") as file:
        file.truncate(1 << 30)
    with pytest.raises(BadArgument, match="larger than 512 MiB"):
        load(str(path))


def test_names_of_megabytes_circles_and_numbers_that_return_are_drawn(tmp_path):
    path = tmp_path / "r.jsonl"
    long = "w\x1b" * (LONGEST_LINE // 60)
    lines = [
        _line(lane=long, ev="lane.open", label=long[:5], role="bench", pid=1),
        _line(seq=2, of=3, ev="sys.exit", name="wait4", args=[], ret=0),
        _line(seq=3, of=2, ev="sys.exit", name="wait4", args=[], ret=0),
        _line(seq=3, of=3, ev="sys.enter", name="wait4", args=[]),
        _line(seq=3, of=3, ev="asleep", call="wait4", wchan="x", evidence="y"),
        _line(seq=4, t=2**62, ev="sys.exit", of=3, name="ptrace", args=[], ret=2**70),
    ]
    path.write_bytes(_HEAD + b"".join(lines))
    one = load(str(path))
    began = time.process_time()
    for form, row in FORMS.items():
        if row.kind in (Kind.TEXT, Kind.FILES):
            try:
                check(form, text_of(form, one))
            except UserError as error:
                _harmless_error(error)
    assert time.process_time() - began < 2 * SLOWEST_S
    assert isinstance(one.records[0].event, ev.LaneOpened)


# --- long ones ------------------------------------------------------------------------------------------------------------------------
_WAIT = ("wait4", (-1, "__WALL"))
_MANY = 6_000
_SHAPES: dict[str, Callable[[int], tuple[str, ev.Event, int]]] = {
    # number of the record -> lane, event, the record that it belongs to
    "never returned": lambda seq: ("w1", ev.CallEntered(*_WAIT), 0),
    "returned at last": lambda seq: (
        ("w1", ev.CallEntered(*_WAIT), 0) if seq <= _MANY // 2 else ("w1", ev.CallReturned(*_WAIT, 7), seq - _MANY // 2)
    ),
    "returned inside out": lambda seq: (
        ("w1", ev.CallEntered(*_WAIT), 0) if seq <= _MANY // 2 else ("w1", ev.CallReturned(*_WAIT, 7), _MANY + 1 - seq)
    ),
    "returned from nowhere": lambda seq: (
        ("w1", ev.CallEntered(*_WAIT), 0) if seq <= _MANY // 2 else ("w1", ev.CallReturned(*_WAIT, 7), _MANY + seq)
    ),
    "a lane each": lambda seq: (f"w{seq // 2}", ev.CallEntered(*_WAIT) if seq % 2 else ev.LaneOpened(f"w{seq // 2}", Role.BENCH, 1), 0),
    "all asleep": lambda seq: (f"w{seq % 300}", ev.ThreadAsleep("wait4", "do_wait", "x"), 1),
    "sections": lambda seq: ("repl", ev.StepReached(seq, f"s{seq}", "Step"), 0),
    "commands": lambda seq: ("repl", ev.LineEntered("thread w1", "keyboard") if seq % 2 else ev.CommandFinished(True), seq - 1),
    "expectations": lambda seq: ("repl", ev.LineEntered("expect x", "keyboard") if seq % 2 else ev.ExpectJudged("x", True, seq - 1), 0),
    "questions": lambda seq: ("repl", ev.PredictionAsked("?", (ev.ChoiceOffered("a", "b"),) * 2) if not seq % 20 else ev.Note("x"), 0),
    "born": lambda seq: ("tracee", ev.TraceeBorn(seq, "clone"), 0),
    "desks": lambda seq: ("tracer", ev.RequestStarted("x") if seq % 2 else ev.RequestQueued("tracer", "x"), max(0, seq - 3)),
    "states": lambda seq: ("tracee", ev.StateKept(seq, "x", "x.c", 1, ((1, "x"),), (("rip", "0x7f0000000000"),), ("#0 x",)), seq - 1),
}


@pytest.mark.long
@pytest.mark.parametrize("shape", _SHAPES)
def test_the_time_grows_with_the_size_and_not_with_its_square(shape):
    events = [(0, "w1", ev.LaneOpened("w1", Role.BENCH, 70), 0)]
    events += [(seq, *_SHAPES[shape](seq)) for seq in range(1, _MANY + 1)]
    one = recording(tuple(events))
    slow = {}
    todo: dict[str, Callable[[], object]] = {
        name: functools.partial(text_of, name, one) for name, form in FORMS.items() if form.kind in (Kind.TEXT, Kind.FILES)
    }
    todo |= {"trim": lambda: trim(one, "10", "5000"), "redact": lambda: redact(one), "states": lambda: States(Tape(one)).waitqueue(_MANY)}
    for name, make in todo.items():
        began = time.process_time()
        with contextlib.suppress(UserError):
            make()
        took = time.process_time() - began
        if took > SLOWEST_S:
            slow[name] = took
    assert slow == {}
