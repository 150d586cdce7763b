"""A lesson in front of a class: where it is, what is shown, what the class has said.

UI thread.  It draws frames for a screen that it does not know, and asks a `LivePlay` to play on; a recording stands in from the section on
in which the live play fails.  It never waits.  Notes do not pass through `frame`: they go to those who follow, by `state`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from tracedbg.model.ids import Role
from tracedbg.model.text import Shown, visible
from tracedbg.render.styles import StyledLine
from tracedbg.session.show import Frame

from .document import Details, Document, Prediction
from .live_play import LivePlay
from .moments import Lack
from .polls import Polls
from .recorded import RecordedPage, Run
from .slide_drawing import MEASURE, draw, pages
from .slides import Slide, slides_of
from .timing import times_of

KEYS = (
    ("Space Enter Right PageDown", "on"),
    ("Left PageUp", "back"),
    ("] [", "next section, begin of this or the one before"),
    ("r", "play this section anew"),
    ("b .", "blank the screen"),
    ("1-9 + -", "a vote for a choice, one more, one less"),
    ("p", "show the votes"),
    ("Home", "the very beginning"),
    ("t", "light or dark"),
    ("q", "leave"),
)
"""Keys and what they do."""

_CENTRED = ("notice", "heading", "outcome", "rule", "end", "skipped")


class Presentation:
    """What is shown.

    Args:
        document: the page; that of the recording where nothing is live.
        lacks: what is missing here.
        live: plays it; None where the machine refuses.
        recorded: stands in for it; None if there is none.
        refused: what refuses, and the remedy, where nothing is live.
        tell: takes a state for those who follow, on the UI thread; it must not block.
    """

    def __init__(
        self,
        document: Document,
        lacks: Mapping[str, Lack],
        recorded: RecordedPage | None,
        *,
        refused: str = "",
        tell: Callable[[dict[str, Any]], None] = lambda _state: None,
    ) -> None:
        self._document, self._lacks, self._recorded, self._refused, self._tell = document, lacks, recorded, refused, tell
        self._live: LivePlay | None = None
        self._from = 0 if refused else len(document.steps) + 1
        self._changed: Callable[[], None] = lambda: None
        # Where it is.
        self._section = self._index = self._page = 0
        self._size = (80, 24)
        self.polls = Polls()
        self._blank = self._help = self._asks_to_leave = False
        self._said = ""
        self._began = self._reached = time.monotonic()
        self._spent: dict[int, float] = {}
        self._planned = [each.presented * 60 for each in times_of(document)]
        self._told: dict[str, Any] = {}
        self.over = False

    def play(self, live: LivePlay) -> None:
        """Play it live with this."""
        self._live = live
        live.start(self._news)

    def _news(self) -> None:
        """Something has happened; any thread.  Whom to tell is known only once there is a screen."""
        self._changed()

    def on_change(self, callback: Callable[[], None]) -> None:
        """Keep whom to tell that the frame may have changed."""
        self._changed = callback

    def go_to(self, step: int) -> None:
        """Begin with this step; those before it are played meanwhile."""
        self._enter(step)

    # --- what there is --------------------------------------------------------------------------------------------------------
    def _is_recorded(self, section: int) -> bool:
        return section >= self._from and self._recorded is not None

    def _page_of(self, section: int) -> tuple[Document, int, Mapping[str, Lack]]:
        """The page that a section is taken from, its number there, and what is missing there."""
        if self._recorded is None or not self._is_recorded(section):
            return self._document, section, self._lacks
        there = self._recorded.document
        lacks = {run.lack.need: run.lack for run in self._recorded.runs.values() if run.lack is not None}
        if section == 0 or there is self._document:
            return there, section, lacks
        slug = self._document.steps[section - 1].slug
        number = next((number for number, step in enumerate(there.steps, 1) if step.slug == slug), 0)
        # A step that the recording does not have is shown as the page has it.
        return (there, number, lacks) if number else (self._document, section, self._lacks)

    def _slides(self, section: int) -> tuple[Slide, ...]:
        slides = slides_of(*self._page_of(section))
        if section == 0 and self._refused:
            what = f"{self._refused}\n\nSo this is a {self._label}. Nothing of it runs here."
            slides = (Slide("notice", "This machine refuses", what), *slides)
        return (*slides, Slide("end", self._document.title)) if section == len(self._document.steps) else slides

    @property
    def _label(self) -> str:
        return str(self._recorded.label) if self._recorded is not None else "recording"

    @property
    def _slide(self) -> Slide:
        slides = self._slides(self._section)
        self._index = min(self._index, len(slides) - 1)
        return slides[self._index]

    def _run(self, slide: Slide) -> Run | None:
        if slide.block is None:
            return None
        if self._recorded is not None and self._is_recorded(self._section):
            return self._recorded.runs.get(slide.block.line)
        return self._live.run((self._section, slide.number)) if self._live is not None else None

    @property
    def _roles(self) -> Mapping[str, Role]:
        if self._recorded is not None and self._is_recorded(self._section):
            return self._recorded.roles
        return self._live.roles if self._live is not None else {}

    # --- drawing --------------------------------------------------------------------------------------------------------------
    def frame(self, columns: int, rows: int) -> Frame:
        """What to show now."""
        self._size = (columns, rows)
        self._look()
        slide, shown = self._slide, self._pages()
        self._page = min(self._page, len(shown) - 1)
        if slide.kind == "log" and self._runs(slide):
            self._page = len(shown) - 1  # the newest lines, until the block has ended
        state = self.state()
        if state != self._told:
            self._told = state
            self._tell(state)
        width = self._width
        if self._help:
            return Frame((Shown("Keys"), Shown("")), tuple(self._keys(width)), (Shown(""), Shown("any key goes back")), width)
        foot = self._foot(slide, len(shown))
        return Frame(self._head(columns), tuple(shown[self._page]), foot, width, slide.kind in _CENTRED, self._blank)

    @property
    def _width(self) -> int:
        columns = self._size[0]
        return min(columns - (2 if columns < 60 else 8), MEASURE)

    def _pages(self) -> list[list[StyledLine]]:
        slide = self._slide
        section = self._section
        of = f"{section} of {len(self._document.steps)}" if section and slide.kind == "heading" else ""
        asked = slide.prediction
        seen = asked is not None and (slide.kind == "outcome" or self.polls.shown(section, asked))
        votes = self.polls.votes(section, asked) if asked is not None and seen else None
        label = self._label if self._is_recorded(section) else ""
        lines = draw(slide, self._width, run=self._run(slide), roles=self._roles, votes=votes, of=of, label=label)
        trouble = self._live.trouble if self._live is not None else None
        if slide.kind == "log" and trouble is not None and trouble.place == (section, slide.number) and not self._is_recorded(section):
            lines = [*lines, (), (("error", visible(trouble.what)),), *((("plain", visible(line)),) for line in trouble.told)]
        return pages(lines, self._size[1] - (3 if self._size[1] < 20 else 5))

    def _head(self, columns: int) -> tuple[Shown, Shown]:
        step = self._document.steps[self._section - 1].title if self._section else self._document.title
        number = f"{self._section}/{len(self._document.steps)}  " if self._section else ""
        label = ""
        if self._is_recorded(self._section):
            label = self._label.upper() if columns >= 80 else "RECORDING"
        # A heading need not stand there twice.
        return visible("" if self._slide.kind == "heading" else number + step), visible(label)

    def _foot(self, slide: Slide, count: int) -> tuple[Shown, Shown]:
        left = self._said
        if self._asks_to_leave:
            left = "Leave? (y or n)"
        elif not left and slide.kind == "log" and self._runs(slide):
            left = "it runs ..."
        elif not left and (asked := self._asked()) is not None:
            voted = sum(self.polls.votes(self._section, asked))
            left = f"{voted} votes" if voted else ""
        place = f"{self._index + 1}/{len(self._slides(self._section))}" + (f" page {self._page + 1}/{count}" if count > 1 else "")
        return visible(left), visible(f"? keys  {place}" if not self._section and not self._index else place)

    def _keys(self, width: int) -> list[StyledLine]:
        first = max(len(keys) for keys, _ in KEYS) + 2
        if width < 50:
            return [(("strong", Shown(keys)), ("plain", Shown(f" {what}"))) for keys, what in KEYS]
        return [(("strong", Shown(f"{keys:<{first}}")), ("plain", Shown(what))) for keys, what in KEYS]

    # --- the play -------------------------------------------------------------------------------------------------------------
    def _runs(self, slide: Slide) -> bool:
        """A block that is shown has not ended yet."""
        if self._live is None or self._is_recorded(self._section):
            return False
        return self._live.trouble is None and self._live.state((self._section, slide.number)) != "done"

    def _look(self) -> None:
        """If the live play cannot go on, its recording does, from the section on in which that happened."""
        trouble = self._live.trouble if self._live is not None else None
        if trouble is None or self._from <= trouble.place[0]:
            return
        if self._recorded is None:
            self._said = f"the live play failed: {trouble.what}; r plays it anew"
            return
        self._from = trouble.place[0]
        self._said = f"the live play failed ({trouble.what}): a recording goes on"

    def _enter(self, section: int, index: int = 0) -> None:
        now = time.monotonic()
        if section != self._section:
            self._spent[self._section] = self._spent.get(self._section, 0.0) + now - self._reached
            self._reached = now
        self._section, self._index, self._page = section, index, 0
        if self._live is not None and not self._is_recorded(section):
            slide = self._slide
            self._live.allow((section, slide.number if slide.kind in ("log", "outcome") else -1))

    # --- keys -----------------------------------------------------------------------------------------------------------------
    def press(self, action: str) -> None:
        """A key."""
        if self._asks_to_leave:
            self._asks_to_leave, self.over = False, action in ("yes", "leave")
            return
        if self._help or self._blank:
            # A clicker has few keys: any of them brings the picture back.
            self._help = self._blank = False
            return
        self._said = ""
        if action.isdecimal():
            self._vote(int(action) - 1)
        elif action in _ACTIONS:
            _ACTIONS[action](self)

    def _next(self) -> None:
        slide = self._slide
        if self._page + 1 < len(self._pages()):
            self._page += 1
        elif slide.kind == "log" and self._runs(slide):
            return  # the last row says so
        elif self._index + 1 < len(self._slides(self._section)):
            self._enter(self._section, self._index + 1)
        else:
            self._skip()

    def _back(self) -> None:
        if self._page:
            self._page -= 1
            return
        if self._index:
            self._index -= 1
        elif self._section:
            self._enter(self._section - 1, len(self._slides(self._section - 1)) - 1)
        self._page = len(self._pages()) - 1

    def _skip(self) -> None:
        if self._section < len(self._document.steps):
            self._enter(self._section + 1)
        else:
            self._said = "this is the end"

    def _former(self) -> None:
        self._enter(self._section if self._index else max(self._section - 1, 0))

    def _restart(self) -> None:
        """Show the section's begin at once; a new session hurries there meanwhile."""
        if self._live is not None:
            self._from = len(self._document.steps) + 1
            self._live.restart(self._section)
        self.polls.forget(self._section)
        self._enter(self._section)

    def _first(self) -> None:
        self._enter(0)

    def _blanks(self) -> None:
        self._blank = True

    def _helps(self) -> None:
        self._help = True

    def _leaves(self) -> None:
        self._asks_to_leave = True

    # --- the class ------------------------------------------------------------------------------------------------------------
    def _asked(self) -> Prediction | None:
        """The question that waits for its answer: votes count until its block begins."""
        for slide in reversed(self._slides(self._section)[: self._index + 1]):
            if slide.kind == "question":
                return slide.prediction
            if slide.kind in ("log", "outcome"):
                return None
        return None

    def _vote(self, choice: int) -> None:
        asked = self._asked()
        if asked is not None and not self.polls.vote(self._section, asked, choice):
            self._said = f"there is no choice {choice + 1}"

    def _more(self) -> None:
        if (asked := self._asked()) is not None:
            self.polls.again(self._section, asked, 1)

    def _less(self) -> None:
        if (asked := self._asked()) is not None:
            self.polls.again(self._section, asked, -1)

    def _poll(self) -> None:
        if (asked := self._asked()) is not None:
            self.polls.toggle(self._section, asked)
            # The choices with their bars stand at the end of a question that needs several pages.
            self._page = len(self._pages()) - 1

    # --- those who follow -----------------------------------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        """All that somebody who follows may know: where it is, notes, times, votes, the answer."""
        steps = self._document.steps
        section, slide = self._section, self._slide
        slides = self._slides(section)
        step = steps[section - 1] if section else None
        parts = step.parts if step is not None else self._document.intro
        coming = slides[self._index + 1].kind if self._index + 1 < len(slides) else "section"
        return {
            "title": self._document.title,
            "step": section,
            "of": len(steps),
            "heading": step.title if step is not None else self._document.title,
            "next": steps[section].title if section < len(steps) else "",
            "slide": slide.kind,
            "at": self._index + 1,
            "slides": len(slides),
            "coming": coming,
            "label": self._label if self._is_recorded(section) else "live",
            "said": self._said,
            "blank": self._blank,
            "began": self._began,
            "reached": self._reached - self._spent.get(section, 0.0),
            "planned": round(self._planned[section]) if section < len(self._planned) else 0,
            "planned_all": round(sum(self._planned)),
            "planned_to": round(sum(self._planned[: section + 1])),
            "notes": [part.text for part in parts if isinstance(part, Details) and part.kind == "notes"],
            "more": [f"**{part.summary}** {part.text}" for part in parts if isinstance(part, Details) and part.kind in ("hint", "more")],
            "question": self._question(slide.prediction or self._asked()),
        }

    def _question(self, asked: Prediction | None) -> dict[str, Any] | None:
        if asked is None:
            return None
        section = self._section
        return {
            "text": asked.question,
            "choices": [f"`{each.pattern}` {each.reason}" if each.pattern else each.reason for each in asked.choices],
            "votes": self.polls.votes(section, asked),
            "right": self._right(asked),
            "shown": self.polls.shown(section, asked),
        }

    def _right(self, asked: Prediction) -> int | None:
        """Which choice is right: as it came out, or else as it did when it was recorded; None if nobody knows."""
        for slide in self._slides(self._section):
            if slide.kind == "outcome" and slide.prediction is asked and (run := self._run(slide)) is not None and asked.line in run.judged:
                return run.judged[asked.line].right
        return self._recorded.right(asked) if self._recorded is not None else None


_ACTIONS: dict[str, Callable[[Presentation], None]] = {
    "next": Presentation._next,
    "back": Presentation._back,
    "skip": Presentation._skip,
    "former": Presentation._former,
    "restart": Presentation._restart,
    "first": Presentation._first,
    "blank": Presentation._blanks,
    "help": Presentation._helps,
    "leave": Presentation._leaves,
    "more": Presentation._more,
    "less": Presentation._less,
    "poll": Presentation._poll,
}
