"""The engine, in this process: windows, failures, predictions, needs of blocks, moments."""

from __future__ import annotations

import contextlib
import re

import pytest

from tests.walk.pages import EXAMPLES, failures, page, play, step
from tracedbg.commands.runner import Runner
from tracedbg.commands.table import all_commands
from tracedbg.eventlog.sinks import CallbackSink
from tracedbg.model.events import (
    BlockLeftOut,
    CallReturned,
    Detail,
    PredictionAnswered,
    PredictionAsked,
    PredictionRevealed,
    Record,
    StepReached,
    TextTold,
)
from tracedbg.session.session import Session
from tracedbg.walk import moments
from tracedbg.walk.moments import Lack
from tracedbg.walk.player import Player
from tracedbg.walk.reading import parse, read

pytestmark = [pytest.mark.needs("ptrace"), pytest.mark.slow]


def test_an_event_that_was_not_to_come() -> None:
    (result,) = play(page(step("on repl getpid", "expect not repl getpid"))).results
    assert result.outcome == "failed"
    (failure,) = result.failures
    assert (failure.line, failure.asked) == (7, "expect not repl getpid")
    assert failure.told[0] == "  seen after 0.0 s, and it was not to come:"
    assert re.fullmatch(r"    repl  getpid\(\) = \d+", failure.told[1])


def test_nothing_happened() -> None:
    (failure,) = failures(play(page(step("expect w1 x within 0.1s"))))
    assert failure.told == ("  waited 0.1 s; nothing has happened since the block began",)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("on w9 getpid", "there is no thread w9"),
        ("expect w1 = $nobody", r"\$nobody is not set"),
        ("launch /nonexistent", "/nonexistent"),
    ],
)
def test_a_command_that_fails(line: str, told: str) -> None:
    (failure,) = failures(play(page(step("on repl getpid", line))))
    assert (failure.line, failure.asked) == (7, line)
    assert re.search(told, failure.told[0])
    assert failure.told[0].startswith("  ")


def test_the_window_is_the_whole_block_and_each_event_meets_one_line() -> None:
    """At the prompt a command after an expectation begins a new window; in a block it does not."""
    lines = ("on repl getpid", "expect repl getpid", "on repl gettid", "on repl getpid", "expect repl gettid", "expect repl getpid")
    assert play(page(step(*lines))).results[0].outcome == "passed"
    first = play(page(step("on repl getpid", "on repl gettid", "expect repl gettid", "on repl getppid", "expect repl getpid"))).results[0]
    assert first.outcome == "passed", "an event from before an expectation still counts"
    again = failures(play(page(step("on repl getpid", "expect repl getpid", "expect repl getpid within 0.1s"))))[0]
    assert "(it has met another line)" in again.told[1]
    split = play(page(step("on repl getpid"), step("expect repl getpid within 0.1s", name="Next")), go_on=True)
    assert [result.outcome for result in split.results] == ["passed", "failed"], "the next block has a window of its own"


PREDICT = "**Predict:** what?\n\n- `{}` - a\n- `{}` - b\n- neither\n\n"


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        (("= 1", "= 2"), "  no choice matches the event that decides:"),
        (("getppid =", "getppid = <pid>"), "  2 choices match the event that decides:"),
    ],
)
def test_a_prediction_that_the_kernel_does_not_decide_fails(choices: tuple[str, str], told: str) -> None:
    played = play(page(step("on repl getppid", "expect repl getppid", above=PREDICT.format(*choices)), step("on repl getpid", name="Next")))
    (failure,) = failures(played)
    assert (failure.line, failure.asked, failure.told[0]) == (5, "**Predict:**", told)
    assert re.fullmatch(r"    repl  getppid\(\) = \d+", failure.told[1])
    assert [line.removesuffix("  (matches)") for line in failure.told[3:]] == [f"    {choice}" for choice in choices] + ["    (no pattern)"]
    assert [result.slug for result in played.results] == ["step"], "the rest is not played"


def test_a_prediction_is_about_the_first_expectation() -> None:
    block = step(
        "on repl getppid", "on repl gettid", "expect repl gettid", "expect repl getppid", above=PREDICT.format("getppid", "gettid")
    )
    assert play(page(block)).results[0].judged[0].right == 1


def test_going_on_after_a_failure() -> None:
    text = page(
        step("on repl getpid", "expect repl getpid = 1 within 0.1s", name="One"),
        step("on repl getpid", "expect repl getpid", name="Two"),
        step("expect repl nothing within 0.1s", name="Three"),
    )
    played = play(text, go_on=True)
    assert [(result.slug, result.outcome) for result in played.results] == [("one", "failed"), ("two", "passed"), ("three", "failed")]
    assert [(failure.line, failure.after) for failure in failures(played)] == [(7, 0), (20, 7)]
    assert [result.slug for result in play(text).results] == ["one"]


# --- needs and moments --------------------------------------------------------------------------------------------------------
def test_a_block_that_lacks_something_is_skipped_where_it_stands() -> None:
    optional = step("on repl getpid", "expect repl getpid = 1", name="Two", info=" needs=tracefs", above=PREDICT.format("= 1", "= 2"))
    played = play(page(step("on repl getpid", "expect repl getpid", name="One"), optional), lacks=("tracefs",))
    assert [result.outcome for result in played.results] == ["passed", "skipped"]
    assert played.results[1].lacks == (moments.Lack("tracefs", "it is missing", "get it", 18),)
    assert played.results[1].judged == ()


def test_moments_come_in_the_order_of_the_page() -> None:
    page_ = read(EXAMPLES[0])
    seen: list[object] = []
    with Session() as session:
        session.view.on = False
        play_ = Player(page_, session, Runner(session, all_commands()), {}).play()
        moment = next(play_)
        while True:
            seen.append(moment)
            try:
                moment = play_.send(1 if isinstance(moment, moments.Asking) else None)
            except StopIteration:
                break
    kinds = [type(moment).__name__ for moment in seen]
    second = kinds.index("StepEnds") + 1
    assert kinds[second : second + 10] == [
        "StepBegins", "Reading", "Asking", "BlockReady", "LineBegins", "LineDone", "LineBegins", "LineDone", "Answered", "BlockDone",
    ]  # fmt: skip
    assert kinds[second + 10 : second + 12] == ["Explaining", "StepEnds"]
    answered = next(moment for moment in seen if isinstance(moment, moments.Answered))
    assert (answered.judged.guess, answered.judged.right) == (1, 2)
    ends = [moment.result for moment in seen if isinstance(moment, moments.StepEnds)]
    assert [result.slug for result in ends] == [step.slug for step in page_.steps if step.blocks]


def test_what_a_page_tells_and_asks_stands_in_the_log_beside_what_the_kernel_did() -> None:
    why = "<details><summary>Why?</summary>\n\nBecause.\n\n</details>\n\n"
    told = "**Rule** `wait.one-reaper`: it holds.\n\n" + PREDICT.format("getpid", "gettid")
    text = page(step("on repl gettid", "expect repl gettid", above=told) + why, step("on repl getpid", name="Two", info=" needs=tracefs"))
    records: list[Record] = []
    with Session() as session:
        session.view.on = False
        session.log.attach(CallbackSink(records.append, Detail.DESK))
        play_ = Player(parse(text, "x.md"), session, Runner(session, all_commands()), {"tracefs": Lack("tracefs", "no", "x")}).play()
        moment = next(play_)
        with contextlib.suppress(StopIteration):
            while True:
                moment = play_.send(0 if isinstance(moment, moments.Asking) else None)
    kinds = (StepReached, TextTold, PredictionAsked, PredictionAnswered, PredictionRevealed, BlockLeftOut)
    lesson = [record for record in records if isinstance(record.event, kinds)]
    title, first, asked, answered, revealed, because, rule, second, skipped = lesson
    assert [each.event for each in (title, first, second)] == [
        StepReached(0, "", "Title"), StepReached(1, "step", "Step"), StepReached(2, "two", "Two"),
    ]  # fmt: skip
    assert isinstance(asked.event, PredictionAsked)
    assert [choice.pattern for choice in asked.event.choices] == ["getpid", "gettid", ""]
    assert (answered.event, answered.of) == (PredictionAnswered(0), asked.seq)
    call = next(record for record in records if isinstance(record.event, CallReturned) and record.event.name == "gettid")
    assert (revealed.event, revealed.of) == (PredictionRevealed(call.seq, 1, 0), asked.seq)
    assert because.event == TextTold("why", "Because.", "Why?")
    # The rule comes after its step: before the prediction it would have told the answer.
    assert rule.event == TextTold("rule", "**Rule** `wait.one-reaper`: it holds.", "wait.one-reaper")
    assert skipped.event == BlockLeftOut("tracefs", "no")


def test_what_is_typed_between_blocks_counts_for_nothing() -> None:
    text = page(step("on repl getpid", name="One"), step("expect repl gettid within 0.1s", name="Two"))
    with Session() as session:
        session.view.on = False
        runner = Runner(session, all_commands())
        player = Player(parse(text, "x.md"), session, runner, {})
        for moment in player.play():
            if isinstance(moment, moments.BlockReady) and moment.block.line > 10:
                assert runner.run_line("on repl gettid", "keyboard")
    assert [result.outcome for result in player.results] == ["passed", "failed"]


def test_a_play_that_is_dropped_closes_its_block() -> None:
    with Session() as session:
        session.view.on = False
        runner = Runner(session, all_commands())
        play_ = Player(parse(page(step("on repl getpid", "on repl gettid")), "x.md"), session, runner, {}).play()
        while not isinstance(next(play_), moments.LineDone):
            pass
        play_.close()
        assert runner.run_line("on repl gettid", "keyboard")
        assert not runner.run_line("expect repl getpid within 0.1s", "keyboard"), "a new window has begun"
