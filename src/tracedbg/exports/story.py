"""A recording as somebody would tell it: sections, and in each what was told, typed, asked, and what happened.

Pure, any thread.  Every form that is read by people is made from this, so that all of them tell the same.  Text in it is as it was
recorded: whoever writes it somewhere makes it harmless for that place.
"""

from __future__ import annotations

import msgspec

from tracedbg.eventlog.recordings import Recording
from tracedbg.model.events import (
    BlockLeftOut,
    ChoiceOffered,
    CommandFinished,
    Detail,
    Event,
    ExpectJudged,
    LaneOpened,
    LineEntered,
    Looked,
    PredictionAnswered,
    PredictionAsked,
    PredictionRevealed,
    ProgramStopped,
    Record,
    StepReached,
    TextTold,
    UnknownEvent,
)
from tracedbg.model.ids import Role
from tracedbg.model.text import Shown
from tracedbg.render.lines import line_of, remembering


class Told(msgspec.Struct, frozen=True):
    """Markdown of a page: `TextTold` says which kinds there are."""

    t: int
    kind: str
    text: str
    summary: str = ""


class Command(msgspec.Struct):
    """A line that was entered, and its answer.

    Args:
        seq: of the record of the line.
        t: when it was entered, nanoseconds.
        text: as typed.
        origin: ``keyboard``, ``script`` or ``walkthrough``.
        answer: lines.
        error: why it failed, empty if it did not.
        ended: when the answer came, 0 if it never did.
        met: seq of the record that met it, where it is an expectation; 0 for none.
    """

    seq: int
    t: int
    text: str
    origin: str
    answer: tuple[str, ...] = ()
    error: str = ""
    ended: int = 0
    met: int = 0

    @property
    def asserts(self) -> bool:
        """It is an expectation."""
        return self.text.split(None, 1)[:1] in (["expect"], ["then"])


class Answer(msgspec.Struct, frozen=True):
    """The moment in which a command's answer came."""

    t: int
    command: Command


class Happened(msgspec.Struct, frozen=True):
    """One line of the live log: the record, and its canonical text."""

    record: Record
    text: Shown


class Question(msgspec.Struct):
    """A prediction.

    Args:
        seq: of its record.
        t: when it was asked, nanoseconds.
        text: Markdown.
        choices: in the order of the page.
        chosen: number of the choice that was guessed, -1 for none.
        right: number of the choice that the kernel made right, -1 for a question that is for thinking only, -2 if it was never decided.
        by: seq of the record that decided.
    """

    seq: int
    t: int
    text: str
    choices: tuple[ChoiceOffered, ...]
    chosen: int = -1
    right: int = -2
    by: int = 0


class Revealed(msgspec.Struct, frozen=True):
    """The moment in which a question was answered."""

    t: int
    question: Question


class LeftOut(msgspec.Struct, frozen=True):
    """A block that was not run."""

    t: int
    need: str
    reason: str


Item = Told | Command | Answer | Happened | Question | Revealed | LeftOut


class Section(msgspec.Struct):
    """A step of a lesson, or a whole session without one.

    Args:
        number: 0 for what comes before the first step.
        slug: of the step, empty for number 0.
        heading: of the step, or the title.
        t: when it began, nanoseconds.
        items: in the order of time.
    """

    number: int
    slug: str
    heading: str
    t: int
    items: list[Item] = msgspec.field(default_factory=list)


class Story(msgspec.Struct, frozen=True):
    """All of a recording.

    Args:
        title: of it.
        note: what is missing, empty for nothing.
        sections: in order.
        roles: of each lane.
        end: when the last record came, nanoseconds.
        deciding: lane and text of the records that met an expectation or decided a question, by seq.
    """

    title: str
    note: str
    sections: tuple[Section, ...]
    roles: dict[str, Role]
    end: int
    deciding: dict[int, tuple[str, Shown]]


def tell(recording: Recording, detail: Detail = Detail.CALLS, *, looks: bool = False) -> Story:
    """Make the story of a recording.

    Args:
        recording: by time.
        detail: of the lines that are kept.
        looks: facts that were read in /proc are lines of their own, though the answers repeat them.
    """
    teller = _Teller(detail, looks)
    for record in recording.records:
        teller.take(record)
    title = next((section.heading for section in teller.sections if section.heading), recording.title)
    first = teller.sections[0]
    first.heading = first.heading or title
    sections = tuple(section for section in teller.sections if section.items or section.number)
    end = max((record.t for record in recording.records), default=0)
    deciding = {
        record.seq: (record.lane, text)
        for record in recording.records
        if record.seq in teller.deciding and (text := line_of(record)) is not None
    }
    return Story(title, recording.note, sections or (first,), teller.roles, end, deciding)


class _Teller:
    def __init__(self, detail: Detail, looks: bool) -> None:
        self._detail, self._told_twice = detail, (ProgramStopped,) if looks else (ProgramStopped, Looked)
        self.sections = [Section(0, "", "", 0)]
        self.roles: dict[str, Role] = {}
        self.deciding: set[int] = set()
        self._commands: dict[int, Command] = {}
        self._questions: dict[int, Question] = {}
        self._text = remembering()
        self._expecting = 0  # seq of the expectation that runs

    def _add(self, item: Item) -> None:
        self.sections[-1].items.append(item)

    def take(self, record: Record) -> None:
        """The next record."""
        event = record.event
        if isinstance(event, StepReached):
            self._step(record, event)
        elif isinstance(event, TextTold):
            self._add(Told(record.t, event.kind, event.text, event.summary))
        elif isinstance(event, LineEntered):
            command = self._commands[record.seq] = Command(record.seq, record.t, event.text, event.origin)
            self._expecting = record.seq if command.asserts else 0
            self._add(command)
        elif isinstance(event, (CommandFinished, ExpectJudged)):
            self._judged(record, event)
        elif isinstance(event, (PredictionAsked, PredictionAnswered, PredictionRevealed)):
            self._prediction(record, event)
        elif isinstance(event, BlockLeftOut):
            self._add(LeftOut(record.t, event.need, event.reason))
        else:
            if isinstance(event, LaneOpened):
                self.roles.setdefault(record.lane, event.role)
            self._line(record, event)

    def _step(self, record: Record, event: StepReached) -> None:
        if event.number == 0 and len(self.sections) == 1 and not self.sections[0].heading:
            self.sections[0].heading = event.heading
        else:
            self.sections.append(Section(event.number, event.slug, event.heading, record.t))

    def _judged(self, record: Record, event: CommandFinished | ExpectJudged) -> None:
        if isinstance(event, ExpectJudged):
            command = self._commands.get(self._expecting)
            if command is not None:
                command.met = event.by
                self.deciding.add(event.by)
            return
        command = self._commands.get(record.of)
        if command is not None:
            command.answer, command.error, command.ended = event.lines, event.error, record.t
            self._add(Answer(record.t, command))

    def _prediction(self, record: Record, event: PredictionAsked | PredictionAnswered | PredictionRevealed) -> None:
        if isinstance(event, PredictionAsked):
            question = self._questions[record.seq] = Question(record.seq, record.t, event.question, event.choices)
            self._add(question)
            return
        asked = self._questions.get(record.of)
        if asked is None:
            return
        if isinstance(event, PredictionAnswered):
            asked.chosen = event.choice
        else:
            asked.chosen, asked.right, asked.by = event.chosen, event.right, event.by
            self.deciding.add(event.by)
            self._add(Revealed(record.t, asked))

    def _line(self, record: Record, event: Event | UnknownEvent) -> None:
        # What the answer of a command says anyway is not said twice, as at the prompt.
        if isinstance(event, UnknownEvent) or event.detail > self._detail or isinstance(event, self._told_twice):
            return
        text = self._text(record)
        if text is not None:
            self._add(Happened(record, text))
