"""A recorded lesson as a page that can be played again, without the program and on a machine that cannot trace.

Pure but for `bundled` and `read_page`, which read a file; any thread.  Nothing of the recording is run, and its text is as foreign as any:
it reaches people through `visible` and `markdown_lines` like that of a page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from tracedbg.eventlog.recordings import Recording, load
from tracedbg.exports.story import Answer, Command, Happened, Item, LeftOut, Question, Revealed, Section, Story, Told, tell
from tracedbg.model.ids import Role
from tracedbg.model.text import Shown, visible
from tracedbg.render.styles import StyledLine, lane_style

from . import shipped
from .document import Block, BlockLine, Choice, Details, Document, Part, Prediction, Prose, Rules, Step, TraceeSource
from .moments import Judged, Lack

_LANE_WIDTH = 8


class Run(msgspec.Struct):
    """What a block made happen.

    Args:
        items: commands, answers and events, in the order of time.
        judged: how predictions about it came out, by the line of the question.
        lack: why it was not run, None if it was.
        missing: how many of its first events are not among the items.
    """

    items: list[Item]
    judged: dict[int, Judged] = {}
    lack: Lack | None = None
    missing: int = 0


class RecordedPage(msgspec.Struct, frozen=True):
    """A recording as a page.

    Args:
        document: title, steps and parts; numbers of lines are places in the recording and in no file.
        runs: of each block, by its line.
        roles: of the lanes.
        label: that it is a recording, of when and where; a few words.
        note: what is missing of it, empty for nothing.
    """

    document: Document
    runs: dict[int, Run]
    roles: Mapping[str, Role]
    label: Shown
    note: str = ""

    def right(self, asked: Prediction) -> int | None:
        """Which choice of a question of the live page was right when it was recorded; None if it is not in the recording."""
        choices = [choice.pattern for choice in asked.choices]
        for part in (part for step in self.document.steps for part in step.parts):
            if isinstance(part, Prediction) and part.question == asked.question and [each.pattern for each in part.choices] == choices:
                return next((run.judged[part.line].right for run in self.runs.values() if part.line in run.judged), None)
        return None


def bundled(document: Document) -> RecordedPage | None:
    """The recording that ships with a lesson; None for a page from elsewhere, or if it is not installed.

    Raises:
        UserError: it is damaged.
    """
    if not shipped.is_shipped(document.path):
        return None
    path = shipped.recording_of(shipped.name_of(Path(document.path)))
    return read_page(str(path)) if path is not None else None


def read_page(path: str) -> RecordedPage:
    """Read a recording.

    Raises:
        UserError: it is none, or is damaged.
    """
    return page_of(load(path))


def page_of(recording: Recording) -> RecordedPage:
    """Make a page of a recording."""
    story = tell(recording)
    maker = _Maker(story)
    for section in story.sections:
        maker.section(section)
    document = Document(recording.path, visible(story.title), tuple(maker.intro), tuple(maker.steps))
    return RecordedPage(document, maker.runs, story.roles, label_of(recording), story.note)


def label_of(recording: Recording) -> Shown:
    """That it is a recording, with its day and its kernel as far as it tells them."""
    host = recording.header.get("host")
    kernel = host.get("kernel") if isinstance(host, dict) else None
    day = recording.text("started")[:10]
    words = ["recording", f"of {day}" if day else "", f"on Linux {kernel.partition('-')[0]}" if isinstance(kernel, str) and kernel else ""]
    return visible(" ".join(filter(None, words)))


class _Maker:
    """Steps and parts, as the items of a story come."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self.intro: list[Part] = []
        self.steps: list[Step] = []
        self.runs: dict[int, Run] = {}
        self._line = 0
        # Of the section.
        self._parts: list[Part] = []
        self._run: Run | None = None
        self._logged: list[Item] = []
        self._questions: dict[int, Prediction] = {}

    def section(self, section: Section) -> None:
        """Take in a section."""
        self._parts, self._run, self._logged, self._questions = [], None, [], {}
        for item in section.items:
            if isinstance(item, Command | Answer | Happened):
                self._logged.append(item)
            else:
                self._close()
                self._told(item)
        self._close()
        # A session without a lesson is one step; what stands before the first step of a page cannot run anything.
        if section.number or any(isinstance(part, Block) for part in self._parts):
            self._line += 1
            self.steps.append(Step(visible(section.heading), section.slug or "session", self._line, tuple(self._parts)))
        else:
            self.intro = self._parts

    def _next(self) -> int:
        self._line += 1
        return self._line

    def _close(self) -> None:
        """A block ends where something is told or asked; what happens without a command belongs to the block before."""
        logged, self._logged = self._logged, []
        if not logged:
            return
        commands = [item for item in logged if isinstance(item, Command)]
        if not commands:
            if self._run is not None:
                self._run.items += logged
            return
        line = self._next()
        lines = tuple(BlockLine(self._next(), str(visible(each.text))) for each in commands if each.text.strip())
        self._parts.append(Block(line, "", lines))
        self._run = self.runs[line] = Run(logged, {})

    def _told(self, item: Item) -> None:
        if isinstance(item, Told):
            self._parts.append(_part(item, self._next()))
        elif isinstance(item, Question):
            choices = tuple(Choice(choice.pattern, choice.reason, self._next()) for choice in item.choices)
            prediction = Prediction(self._next(), item.text, choices)
            self._questions[item.seq] = prediction
            self._parts.append(prediction)
        elif isinstance(item, Revealed):
            self._revealed(item.question)
        elif isinstance(item, LeftOut):
            line = self._next()
            self._parts.append(Block(line, "", (), (item.need,)))
            self.runs[line] = Run([], {}, Lack(item.need, item.reason, "", line))

    def _revealed(self, question: Question) -> None:
        prediction = self._questions.get(question.seq)
        if prediction is None or self._run is None:
            return
        lane, text = self._story.deciding.get(question.by, ("", Shown("")))
        right = question.right if question.right < len(prediction.choices) else -1
        self._run.judged[prediction.line] = Judged(prediction.line, lane, text, right, None, question.by)


def _part(told: Told, line: int) -> Part:
    if told.kind == "program":
        return TraceeSource(line, str(visible(told.summary)).removesuffix(".c"), (), told.text)
    if told.kind == "rule":
        ids = tuple(str(visible(each.strip())) for each in told.summary.split(",") if each.strip())
        return Rules(line, ids, told.text.partition("`:")[2].strip() or told.text, told.text)
    if told.kind in ("why", "hint", "more", "notes"):
        return Details(line, told.summary, told.text)
    return Prose(line, told.text)


# --- a block's log ------------------------------------------------------------------------------------------------------------
def drawn(items: Iterable[Item], roles: Mapping[str, Role]) -> Iterator[StyledLine]:
    """The lines of a block: commands, answers, what happened; an expectation is shown when it was met, as in the live log.

    Args:
        items: of its run.
        roles: of the lanes, for their colours.
    """
    last, again = ("", ""), 0
    for item in items:
        call = (item.record.lane, str(item.text)) if isinstance(item, Happened) else ("", "")
        if call[0] and call == last:
            again += 1
            continue
        if again:
            yield (("hint", Shown(f"{'':{_LANE_WIDTH}} | ... {again} more of these")),)
        last, again = call, 0
        yield from _lines(item, roles)
    if again:
        yield (("hint", Shown(f"{'':{_LANE_WIDTH}} | ... {again} more of these")),)


def _lines(item: Item, roles: Mapping[str, Role]) -> Iterator[StyledLine]:
    if isinstance(item, Happened):
        lane = item.record.lane
        yield (
            (lane_style(roles.get(lane, Role.BENCH)), Shown(f"{visible(lane):<{_LANE_WIDTH}}")),
            ("hint", Shown(" | ")),
            ("plain", visible(item.text)),
        )
    elif isinstance(item, Command):
        if not item.asserts:
            yield (("prompt", Shown("tracedbg> ")), ("input", visible(item.text)))
    elif isinstance(item, Answer):
        command = item.command
        if command.asserts and not command.error:
            yield (("good", Shown("ok ")), ("hint", visible(command.text.strip())))
            return
        yield from ((("answer", visible(line)),) for line in command.answer)
        if command.error:
            yield (("error", visible(command.error)),)
