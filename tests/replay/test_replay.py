"""The replay without a terminal: places, going forward and back, searching, questions, time; fast, and whatever was recorded."""

from __future__ import annotations

import io
import itertools
import random
import time
from pathlib import Path

import pytest

from tests.exports.sample import as_file
from tests.replay.tapes import PID, Player, kept, lesson, made, shuffled, steps
from tracedbg.model import events as ev
from tracedbg.model.errors import TracedbgError
from tracedbg.replay import commandline
from tracedbg.replay.tape import Tape

HOSTILE = "\x1b]0;own\x07\x1b[2J\x9b31m\u202e\r</script>"


# --- places ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "position"),
    [
        ("1", 1),
        ("12", 12),
        ("start", 0),
        ("end", 37),
        ("0.002s", 10),
        ("2ms", 10),
        ("0:05", 12),
        ("+2s", 11),
        ("-1s", 0),
        ("section 1", 6),
        ("who-takes-it", 6),
        ("Who takes", 6),
        ("who", 6),
        ("section 0", 4),
    ],
)
def test_places(words: str, position: int) -> None:
    tape = Tape(lesson())
    assert tape.place(words.split(), 11) == position


@pytest.mark.parametrize(
    ("words", "todo"),
    [
        ("", "write the number of a record, a time"),
        ("0", "they go from 1 to 37"),
        ("38", "they go from 1 to 37"),
        ("9" * 5000, "info sections"),
        ("nowhere", "info sections"),
        ("section 7", "info sections"),
        ("section \u0661", "info sections"),
    ],
)
def test_what_is_no_place_says_what_to_write(words: str, todo: str) -> None:
    with pytest.raises(TracedbgError) as caught:
        Tape(lesson()).place(words.split(), 0)
    assert todo in caught.value.todo


def test_numbers_that_were_taken_out() -> None:
    """Where a part was taken out, the next record is the nearest to what was meant."""
    whole = lesson()
    tape = Tape(type(whole)(whole.path, whole.header, whole.records[:5] + whole.records[20:]))
    assert tape.records[tape.place(["7"], 0) - 1].seq == 21


# --- forward and back -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(4))
def test_forward_and_back_is_where_it_was(seed: int) -> None:
    """Forward n events and back n is the same place, with the same state as one who comes there anew."""
    random_ = random.Random(seed)
    recording = steps(300) if seed == 0 else lesson() if seed == 1 else shuffled(300, random_)
    player = Player(recording)
    deck = player.deck
    for _ in range(12):
        anywhere = random_.randrange(len(deck.tape))
        player.run(f"seek {anywhere + 1}")
        player.run("step")
        before, count = deck.position, random_.randrange(1, 9)
        taken = 0
        while taken < count and deck.position < len(deck.tape):
            player.run("step")
            taken += deck.drawing.shows(deck.tape.records[deck.position - 1])
        if taken:
            player.run(f"reverse-step {taken}")
        assert not taken or deck.position == before or not deck.drawing.shows(deck.tape.records[before - 1])
        fresh = Player(recording)
        if deck.position:
            fresh.run(f"seek {deck.tape.records[deck.position - 1].seq}")
        for line in ("info registers", "info threads", "info waitqueue", "info source", "backtrace", "info lanes", "where"):
            assert player.run(line) == fresh.run(line), line


def test_what_step_shows_is_what_play_shows() -> None:
    """One by one and all at once are the same lines, but for calls that only repeat the one before them."""
    for recording in (lesson(), steps(200)):
        at_once, one_by_one = Player(recording), Player(recording)
        whole = at_once.run("play")
        lines: list[str] = []
        while one_by_one.deck.position < len(one_by_one.deck.tape):
            lines += one_by_one.run("step 3")
        assert lines == whole
        assert whole[-1].startswith("the end: ")


def test_by_stops_and_sections() -> None:
    player = Player(lesson())
    deck = player.deck
    shown = player.run("continue")
    assert shown[-2].endswith("stopped SIGTRAP breakpoint")
    assert shown[-1] == "paused at 28, 6.000 s, in 1: Who takes it?; main at small.c:3"
    first = deck.position
    assert deck.tape.stops == [first, first + 6]
    player.run("continue")
    assert deck.position == first + 6
    assert player.run("continue")[-1].startswith("the end"), "without a further stop up to the end"
    assert player.run("reverse-continue")[0].startswith(f"back at {first + 6}, 9.000 s, in 1: Who takes it?")
    player.run("rc")
    assert deck.position == first
    assert player.run("")[0] == "back at the beginning", "Enter repeats"
    assert not player.well or deck.position == 0
    player.run("")
    assert not player.well
    player.run("section 2")
    assert deck.position == 6
    player.run("reverse-section")
    assert deck.position == 4


def test_time() -> None:
    """Records are due when they were, but no pause is longer than `idle`, and all is `speed` times as fast."""
    player = Player(lesson(), speed=2.0)
    deck = player.deck
    deck.idle = 1.0
    deck.play()
    due = deck.advance(50.0)
    assert due is not None
    assert due == pytest.approx(50.0 + 5e-6 / 2)
    moments = []
    while due is not None:
        moments.append(due)
        due = deck.advance(due)
    long = [later - sooner for sooner, later in itertools.pairwise(moments) if later - sooner > 0.1]
    assert long == pytest.approx([0.5, 0.4999, 0.5, 0.4495], abs=0.06), "5 s, 1 s, 3 s and 0.9 s, cut to 1 s, twice as fast"


def test_pause_and_its_errors() -> None:
    player = Player(lesson(), speed=1.0)
    deck = player.deck
    player.console.run("play")
    deck.advance(0.0)
    assert deck.playing
    player.console.run("pause")
    assert not deck.playing
    assert player.shown[-1].startswith("paused at ")
    for line, todo in (
        ("pause", "play goes on"),
        ("run", "in a replay nothing runs"),
        ("on w1 getpid", "help lists"),
        ("guess 1", "play goes on"),
    ):
        player.run(line)
        assert not player.well
        assert todo in player.shown[-1]
    player.run("seek end")
    for line in ("play", "step", "continue"):
        assert "reverse-continue goes back" in player.run(line)[-1]


# --- search, log, help ----------------------------------------------------------------------------------------------------------
def test_search() -> None:
    player = Player(lesson())
    deck = player.deck
    player.run("search esrch")
    assert deck.position == 11, "the question that names it"
    player.run("")
    assert deck.position == 16
    player.run("search breakpoint")
    first = deck.position
    player.run("search")
    assert deck.position == first + 6
    player.run("")
    assert not player.well
    assert "reverse-search looks back" in player.shown[-1]
    player.run("reverse-search ESRCH")
    assert deck.position < first
    assert any("ESRCH" in line for line in player.shown)


def test_the_log_and_what_it_shows() -> None:
    player = Player(lesson())
    player.run("seek 16")
    assert [line.split()[0] for line in player.run("log last 3")] == ["11", "16"] or player.well
    assert player.run("log 30") == ["that was not told yet: seek goes there"]
    player.run("log tracer")
    player.run("seek start")
    shown = player.run("play")
    assert any(line.startswith("tracer") for line in shown)
    assert not any(line.startswith("w1 ") for line in shown)
    assert "there are" in player.run("log nobody")[-1]
    player.run("log --detail desk all")
    player.run("seek start")
    assert any("takes up" in line for line in player.run("play"))


def test_every_command_has_help_that_runs() -> None:
    from tracedbg.replay.commands import all_commands

    player = Player(lesson())
    player.run("seek 33")
    for row in all_commands().rows:
        assert row.help.examples, row.name
        assert player.run(f"help {row.name}"), row.name
        assert player.well
        for example in row.help.examples:
            if row.name not in ("pause", "guess", "quit"):
                player.run("seek start" if row.name == "section" else "seek 16")
                player.run(example.replace("412", "12"))
                assert player.well, (example, player.shown)
    assert "Moving on the recording" in "\n".join(player.run("help"))


# --- questions ------------------------------------------------------------------------------------------------------------------
def test_a_question_is_asked_again() -> None:
    """Time stands still until it is answered; the recorded guess is told only behind what happened."""
    player = Player(lesson(), questions=True)
    deck = player.deck
    shown = player.run("play")
    assert deck.question is not None
    assert not any("What happened" in line or "recorded" in line for line in shown)
    player.run("3")
    assert not player.well
    assert "type a number from 1 to 2" in player.shown[-1]
    text = "\n".join(player.run("2"))
    assert "tracer  ptrace(PTRACE_CONT, 4242, 0, 0) = -1 ESRCH" in text.partition("What happened:")[2]
    assert "As you predicted: `ESRCH`" in text
    assert "recorded guess: 1" in text
    player.run("seek 11")
    assert deck.question is not None, "whoever goes back to it is asked again"
    assert "You had predicted: `= 0`" in "\n".join([*player.run("1"), *player.run("play")])
    player.run("seek 11")
    skipped = "\n".join([*player.run(""), *player.run("play")])
    assert "predicted" not in skipped
    assert "recorded guess: 1" in skipped


# --- the state as it was --------------------------------------------------------------------------------------------------------
def test_the_state_that_was_kept() -> None:
    player = Player(lesson())
    assert "nothing of the kind was kept up to here" in player.run("info registers")[0]
    player.run("continue")
    stop = player.deck.position
    assert player.run("info registers $rip") == [
        f"registers as kept at {stop}, when process 4242 stood at main at small.c:3:",
        f"{'rip':<15}0x400003",
    ]
    assert "=>     3  int line3;" in player.run("list")
    assert player.run("bt")[1] == "#0  main () at small.c:3"
    player.run("seek " + str(stop + 3))
    assert player.run("info registers")[0].endswith(f"; it runs since {stop + 3}:")
    player.run("continue")
    assert player.run("info registers")[1].endswith("0x400005")
    player.run("rc")
    assert player.run("info registers")[1].endswith("0x400003")


def test_what_follows_from_the_events() -> None:
    player = Player(lesson())
    player.run("seek 7")
    assert player.run("info waitqueue") == ["nobody is in a wait call here"]
    player.run("seek 9")
    assert player.run("info waitqueue")[1] == "process 70: w1  wait4(-1, __WALL), entered at 8 (0.000 s), not seen asleep so far"
    player.run("seek 10")
    assert player.run("info waitqueue")[1].endswith("seen asleep in do_wait at 10 [user]")
    assert player.deck.states.sleepers(10) == ["w1"]
    assert player.run("info threads") == ["nothing is traced here"]
    player.run("continue")
    stop = player.deck.position
    assert player.run("info threads")[1] == "* 1  4242 main"
    player.run("step")
    assert player.run("info threads")[1].startswith("4242: running (continue), told at ")
    assert any(line.startswith("w1       wait4(-1, __WALL)") for line in player.run("info lanes"))
    player.run(f"seek {stop}")
    assert player.run("info threads")[0] == f"threads as kept at {stop}, when process 4242 stood at main at small.c:3:"


def test_a_queue_that_only_the_state_tells() -> None:
    """Where the beginning of a wait was taken out, what was kept at the stop still says who slept."""
    state = kept(3)
    state = type(state)(state.pid, queue=(("w2", "wait4(-1, __WALL)"),))
    player = Player(made([(0, "tracee", ev.TraceeStopped(0x57F, "step", PID), 0), (5, "repl", state, 1)]))
    player.run("continue")
    assert player.run("info waitqueue") == [
        "wait queue as kept at 1, when process 4242 stood still:",
        "w2  wait4(-1, __WALL)",
    ]


# --- whatever was recorded ------------------------------------------------------------------------------------------------------
def test_hostile_text_is_made_visible() -> None:
    evil = [
        ev.StepReached(1, HOSTILE, HOSTILE),
        ev.TextTold("prose", HOSTILE),
        ev.TextTold("program", HOSTILE, HOSTILE),
        ev.TextTold("prose", "*" * 50_000),
        ev.PredictionAsked(HOSTILE, (ev.ChoiceOffered(HOSTILE, HOSTILE),)),
        ev.PredictionRevealed(3, 0, 0),
        ev.BlockLeftOut(HOSTILE, HOSTILE),
        ev.LineEntered("", "walkthrough"),
        ev.LineEntered(HOSTILE, "walkthrough"),
        ev.CommandFinished(False, (HOSTILE,), HOSTILE),
        ev.CallReturned("ptrace", (), 0),
        ev.CallReturned("wait4", (HOSTILE,), 0, HOSTILE, -5, None, HOSTILE),
        ev.ProgramOutput(ev.pack(HOSTILE.encode())),
        ev.UnknownEvent({"ev": HOSTILE, "x": HOSTILE}),
        ev.StateKept(1, HOSTILE, HOSTILE, 1, ((1, HOSTILE),), ((HOSTILE, HOSTILE),), (HOSTILE,), (HOSTILE,), ((HOSTILE, HOSTILE),)),
        ev.ThreadAsleep(HOSTILE, HOSTILE, HOSTILE),
        ev.TraceeStopped(-1, HOSTILE, 10**30),
        ev.Note("x" * 1_000_000),
    ]
    player = Player(made([(seq, HOSTILE if seq % 2 else "repl", event, 5) for seq, event in enumerate(evil)], HOSTILE))
    shown = player.run("play")
    for line in ("info registers", "info threads", "info waitqueue", "list", "bt", "info lanes", "where", "info sections", "info stops",
                 "info recording", "log last 100", "seek " + HOSTILE, "search " + HOSTILE, "rc", "seek end"):  # fmt: skip
        shown += player.run(line)
    assert len(shown) > 40
    assert all(text.isprintable() for text in shown)
    assert max(map(len, shown)) < 3000


def test_of_a_later_version_and_cut_off(tmp_path: Path) -> None:
    """Kinds and keys of a later minor version are played; what is missing is said."""
    path = tmp_path / "later.jsonl"
    whole = as_file(lesson()).replace(b'"ev":"note"', b'"ev":"note","mood":"good"', 1)
    later = b'{"seq":90,"t":9000000000,"lane":"w1","tid":1,"ev":"dream","of":3,"src":"user"}\n'
    path.write_bytes(whole.rpartition(b'{"seq":37')[0] + later + b'{"seq":91,"t"')
    shown: list[str] = []
    host = commandline.host(
        commandline.asked([str(path), "--paused"]), lambda line, keep: shown.append("".join(t for _, t in line)), lambda: 80, colour=False
    )
    assert "Space pauses" in shown[0]
    assert "broke off in the middle" in shown[1]
    player = Player(Tape(commandline.load(str(path))).recording)
    text = player.run("play")
    assert any("unknown event dream" in line for line in text)
    assert "broke off in the middle" in text[-2]
    host.quit()


def test_a_script_goes_on_if_told_so(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_bytes(as_file(lesson()))
    asked = commandline.asked([str(path), "--from", "who-takes-it"])
    for keep_going, last in (
        (False, "there is no section nowhere; info sections lists them"),
        (True, "6, 0.000 s, in 1: Who takes it?; 6 of 37 events"),
    ):
        out = io.StringIO()
        assert commandline.play_plain(asked, ["seek nowhere", "where"], out, 80, colour=False, keep_going=keep_going) == 1
        assert out.getvalue().splitlines()[-1] == last


# --- long recordings ------------------------------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.alone
def test_seeking_in_a_hundred_thousand_events() -> None:
    """Anywhere within 0.2 s, with the state, the lines before it and the side pane."""
    player = Player(steps(100_000))
    deck = player.deck
    took = []
    for seq in (99_990, 1, 50_000, 99_000, 3, 75_123):
        began = time.process_time()
        player.run(f"seek {seq}")
        player.run("info threads")
        deck.states.side(deck.position, 60)
        took.append(time.process_time() - began)
        assert player.well
    assert max(took) < 0.2
