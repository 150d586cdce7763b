"""A small recording made by hand: a step with a question, a wait that sleeps, a refusal, a wait that never returns."""

from __future__ import annotations

from tracedbg.eventlog.codec import encode, header
from tracedbg.eventlog.recordings import Recording
from tracedbg.exports.forms import FORMS, LESSONS_HAVE_IT, Kind, text_of
from tracedbg.model import events as ev
from tracedbg.model.ids import Role, Source

_WAIT = ("wait4", (-1, "__WALL"))
_CONT = ("ptrace", ("PTRACE_CONT", 4242, 0, 0))

EVENTS: tuple[tuple[int, str, ev.Event, int], ...] = (
    # microseconds, lane, event, seq that it belongs to
    (0, "repl", ev.SessionStarted("0.1.0", "6.18.5", "3.11.7"), 0),
    (5, "w1", ev.LaneOpened("w1", Role.BENCH, 70), 0),
    (6, "tracer", ev.LaneOpened("tracer", Role.TRACER, 70), 0),
    (10, "repl", ev.StepReached(0, "", "One stop"), 0),
    (11, "repl", ev.TextTold("prose", "A stop has *one* taker. See `wait4`."), 0),
    (20, "repl", ev.StepReached(1, "who-takes-it", "Who takes it?"), 0),
    (30, "repl", ev.LineEntered("on w1 wait4 -1 __WALL &", "walkthrough"), 0),
    (40, "w1", ev.CallEntered(*_WAIT, "take one status"), 0),
    (41, "repl", ev.CommandFinished(True), 7),
    (2000, "w1", ev.ThreadAsleep("wait4", "do_wait", "state S"), 8),
    (2100, "repl", ev.PredictionAsked("what?", (ev.ChoiceOffered("= 0", "it obeys"), ev.ChoiceOffered("ESRCH", "no such"))), 0),
    (5_000_000, "repl", ev.PredictionAnswered(0), 11),
    (5_000_100, "repl", ev.RequestQueued("tracer", "ptrace"), 0),
    (5_000_150, "tracer", ev.RequestStarted("ptrace"), 13),
    (5_000_160, "tracer", ev.CallEntered(*_CONT), 0),
    (5_000_190, "tracer", ev.CallReturned(*_CONT, -1, "ESRCH"), 15),
    (5_000_200, "tracer", ev.RequestDone("ptrace", False), 14),
    (5_000_210, "repl", ev.LineEntered("expect tracer ptrace = -1 ESRCH", "walkthrough"), 0),
    (5_000_220, "repl", ev.ExpectJudged("tracer ptrace = -1 ESRCH", True, 16), 18),
    (5_000_230, "repl", ev.CommandFinished(True, ("met: tracer  ptrace(PTRACE_CONT, 4242, 0, 0) = -1 ESRCH (No such process)",)), 18),
    (5_000_300, "repl", ev.PredictionRevealed(16, 1, 0), 11),
    (5_000_400, "repl", ev.TextTold("why", "It is not your tracee.", "Why?"), 0),
    (5_000_500, "repl", ev.TextTold("rule", "**Rule** `tracer.wrong-thread`: only the tracer.", "tracer.wrong-thread"), 0),
    (5_000_600, "repl", ev.BlockLeftOut("tracefs", "not mounted"), 0),
    (5_000_700, "repl", ev.SessionEnded(True), 0),
)  # fmt: skip

TIDS = {"repl": 70, "tracer": 77, "w1": 79}


def recording(events: tuple[tuple[int, str, ev.Event, int], ...] = EVENTS, title: str = "One stop") -> Recording:
    """As it is read back."""
    records = tuple(
        ev.Record(seq, t * 1000, lane, TIDS.get(lane, 0), Source.PROC if isinstance(event, ev.ThreadAsleep) else Source.USER, event, of)
        for seq, (t, lane, event, of) in enumerate(events, 1)
    )
    return Recording("one.jsonl", {"title": title}, records)


def as_file(one: Recording) -> bytes:
    """As it stands on disk."""
    return header({"title": one.header["title"]}) + b"".join(encode(record) for record in one.records)


def goldens() -> dict[str, str]:
    """Every form of it that is text, by the name of its file; a lesson's walkthrough is its page."""
    forms = (name for name, form in FORMS.items() if form.kind in (Kind.TEXT, Kind.FILES) and name not in LESSONS_HAVE_IT)
    return {f"{name}.txt": text_of(name, recording()) for name in forms}
