"""From a Markdown file to a `Document`, or to a list of everything that is wrong with it.

Pure but for opening the file, any thread.  Only constructs at the top level of the page are special; all else is prose.  It must not run
anything, and never ends in another error than `WrongFile`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from .checks import check_line, check_prediction
from .document import (
    Block,
    BlockLine,
    Choice,
    Details,
    Document,
    Part,
    Prediction,
    Problem,
    Prose,
    Rules,
    Step,
    TraceeSource,
    WrongFile,
)
from .frontmatter import check_needs, front_matter
from .pieces import Piece, lead, pieces_of, plain_text, slug_of

_DETAILS = re.compile(r"<details>\s*<summary>([^<>\n]+)</summary>\s*")
_RULE_ID = re.compile(r"[a-z][a-z0-9]*\.[a-z0-9]+(?:-[a-z0-9]+)*")
_TRACEE = re.compile(r"[A-Za-z][\w-]{0,30}")
_LARGEST = 1 << 20
"""Bytes of a page; a larger file is something else."""


def read(path: str | Path) -> Document:
    """Read a file.

    Raises:
        WrongFile: it cannot be read, or breaks the format.
    """
    name = str(path)
    try:
        data = Path(path).read_bytes()[: _LARGEST + 1]
    except OSError as error:
        raise WrongFile(name, (Problem(0, 0, f"it cannot be read: {error.strerror}", "name a Markdown file"),)) from error
    if len(data) > _LARGEST:
        raise WrongFile(name, (Problem(0, 0, "it is too large for a page", "split it"),))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise WrongFile(name, (Problem(line, column, "this is not UTF-8", "save the file as UTF-8"),)) from error
    return parse(text, name)


def parse(text: str, path: str) -> Document:
    """Read a text.

    Args:
        text: the file.
        path: its name, for messages.

    Raises:
        WrongFile: it breaks the format.
    """
    reader = _Reader(text)
    document = reader.document(path)
    if reader.problems:
        raise WrongFile(path, tuple(sorted(set(reader.problems), key=lambda each: (each.line, each.column, each.what))))
    return document


class _Reader:
    """Walks over the top level of one page."""

    def __init__(self, text: str) -> None:
        # As markdown-it counts lines; str.splitlines would also split at form feeds and the like.
        self.text = text.replace("\r\n", "\n").replace("\r", "\n")
        self.lines = self.text.split("\n")
        self.problems: list[Problem] = []
        self.title: str | None = None
        self.intro: list[Part] = []
        self.steps: list[tuple[str, str, int, list[Part]]] = []
        self.tracees: dict[str, int] = {}

    def document(self, path: str) -> Document:
        front = front_matter(self.lines, self.problems)
        body = "\n".join([""] * front.ends + self.lines[front.ends :])
        tokens = MarkdownIt("commonmark").parse(body)
        pieces = pieces_of(tokens)
        place = 0
        while place < len(pieces):
            place = self._piece(pieces, place)
        if self.title is None:
            self._problem(0, 1, "the page has no title", "begin it with a heading: # Title")
        steps = tuple(Step(title, slug, line, tuple(parts)) for title, slug, line, parts in self.steps)
        self._check_steps(steps)
        needs = front.needs + (("cc",) if self.tracees and "cc" not in front.needs else ())
        return Document(path, self.title or "", tuple(self.intro), steps, needs, front.timeout, self.text)

    # --- helpers --------------------------------------------------------------------------------------------------------------
    def _problem(self, line: int, column: int, what: str, todo: str = "") -> None:
        """Note a problem; `line` is 0-based here."""
        self.problems.append(Problem(line + 1, column, what, todo))

    def _source(self, begin: int, end: int) -> str:
        return "\n".join(self.lines[begin:end]).strip("\n")

    @property
    def _parts(self) -> list[Part]:
        return self.steps[-1][3] if self.steps else self.intro

    def _prose(self, begin: int, end: int) -> None:
        """Add prose; what follows prose directly is one part with it."""
        parts = self._parts
        last = parts[-1] if parts else None
        if isinstance(last, Prose):
            begin = last.line - 1
            parts.pop()
        parts.append(Prose(begin + 1, self._source(begin, end)))

    def _column(self, line: int, text: str) -> int:
        return max(self.lines[line].find(text), 0) + 1 if line < len(self.lines) else 1

    # --- one piece ------------------------------------------------------------------------------------------------------------
    def _piece(self, pieces: Sequence[Piece], place: int) -> int:
        """Take in the piece at `place`; where the next one is."""
        piece = pieces[place]
        if piece.kind == "html_block":
            return self._details(pieces, place)
        self._no_html(piece)
        if piece.kind == "heading_open" and piece.first.tag in ("h1", "h2"):
            self._heading(piece)
        elif piece.kind == "fence":
            self._fence(piece)
        elif piece.kind == "paragraph_open" and (word := lead(piece.inline)) in ("Predict", "Predict:", "Prediction:"):
            return self._prediction(pieces, place, word)
        elif piece.kind == "paragraph_open" and (word := lead(piece.inline)) in ("Rule", "Rule:", "Rules", "Rules:"):
            self._rules(piece, word)
        else:
            self._prose(piece.begin, piece.end)
        return place + 1

    def _no_html(self, piece: Piece) -> None:
        for token in piece.tokens:
            begin = (token.map or (piece.begin, 0))[0]
            if token.type == "html_block":
                self._raw_html(begin, token.content)
            for child in token.children or []:
                if child.type == "html_inline":
                    first = child.content.split("\n")[0]
                    end = (token.map or (0, piece.end))[1]
                    line = next((number for number in range(begin, end) if first in self.lines[number]), begin)
                    self._problem(line, self._column(line, first), f"raw HTML: {first}", "write Markdown; only <details> is special")

    def _raw_html(self, line: int, content: str) -> None:
        first = content.strip().split("\n")[0]
        self._problem(line, self._column(line, first), f"raw HTML: {first[:40]}", "write Markdown; only <details> is special")

    def _heading(self, piece: Piece) -> None:
        title = plain_text(piece.inline).strip()
        if piece.first.tag == "h1":
            if self.title is not None:
                self._problem(piece.begin, 1, "a second title", "a page has one # Title; steps are ## headings")
            elif self.steps:
                self._problem(piece.begin, 1, "the title comes after a step", "the first heading is the # Title")
            elif not title:
                self._problem(piece.begin, 1, "the title is empty", "write # Title")
            self.title = self.title or title
            return
        if self.title is None:
            self._problem(piece.begin, 1, "a step before the title", "the first heading is the # Title")
            self.title = ""
        slug = slug_of(title)
        if not slug:
            self._problem(piece.begin, 1, "a step without a name", "write ## and a few words")
        first = next((line for _, other, line, _ in self.steps if other == slug), None)
        if first is not None:
            self._problem(piece.begin, 1, f"a second step called '{slug}'", f"the first is on line {first}; give one another name")
        self.steps.append((title, slug, piece.begin + 1, []))

    # --- blocks ---------------------------------------------------------------------------------------------------------------
    def _fence(self, piece: Piece) -> None:
        token = piece.first
        words = token.info.split()
        name = words[0] if words else ""
        if name.lower().rstrip(":") == "tracedbg" and name != "tracedbg":
            self._problem(piece.begin, self._column(piece.begin, name), f"'{name}' is no kind of block", "write ```tracedbg")
        is_tracee = name == "c" and len(words) > 1
        if name != "tracedbg" and not is_tracee:
            self._prose(piece.begin, piece.end)
            return
        closing = self.lines[piece.end - 1].strip()
        if piece.end - piece.begin < 2 or set(closing) != {token.markup[0]} or len(closing) < len(token.markup):
            self._problem(piece.begin, 1, "the block has no end", f"close it with {token.markup}")
        options = [(word, self._column(piece.begin, word)) for word in words[1:]]
        if is_tracee:
            self._tracee(piece, options)
        else:
            self._block(piece, options)

    def _block(self, piece: Piece, options: Sequence[tuple[str, int]]) -> None:
        needs: list[str] = []
        for word, column in options:
            key, _, value = word.partition("=")
            if key != "needs" or not value:
                self._problem(piece.begin, column, f"a tracedbg block has no option '{word}'", "it has needs=NAME")
            else:
                needs += check_needs(value.split(","), piece.begin + 1, column + len("needs="), self.problems)
        lines = []
        for number, text in enumerate(piece.first.content.split("\n"), piece.begin + 2):
            if not text.strip() or text.lstrip().startswith("#"):
                continue
            indent = max(self.lines[number - 1].find(text), 0) if number <= len(self.lines) else 0
            self.problems += check_line(text, number, indent)
            lines.append(BlockLine(number, text))
        if not lines:
            self._problem(piece.begin, 1, "an empty block", "write at least one command in it")
        if not self.steps:
            self._problem(piece.begin, 1, "a block outside of a step", "put a ## heading above it")
        self._parts.append(Block(piece.begin + 1, piece.first.content.rstrip("\n"), tuple(lines), tuple(needs)))

    def _tracee(self, piece: Piece, options: Sequence[tuple[str, int]]) -> None:
        name, flags = "", []
        for word, column in options:
            key, _, value = word.partition("=")
            if key == "tracee" and not name and _TRACEE.fullmatch(value):
                name = value
            elif key == "tracee":
                why = "a second name" if name else f"'{value}' cannot name a program"
                self._problem(piece.begin, column, why, "write tracee=NAME once, of letters, digits, _ and -")
            elif key == "cflags" and value.startswith("-"):
                flags.append(value)
            else:
                self._problem(piece.begin, column, f"a c block has no option '{word}'", "it has tracee=NAME and cflags=-FLAG")
        if not name and not any(word.startswith("tracee=") for word, _ in options):
            self._problem(piece.begin, 1, "a c block with options needs a name", "write ```c tracee=NAME")
        elif name in self.tracees:
            self._problem(piece.begin, 1, f"a second program called {name}", f"the first is on line {self.tracees[name]}")
        self.tracees.setdefault(name, piece.begin + 1)
        self._parts.append(TraceeSource(piece.begin + 1, name, tuple(flags), piece.first.content))

    # --- paragraphs with a meaning --------------------------------------------------------------------------------------------
    def _rules(self, piece: Piece, word: str) -> None:
        inline = piece.inline
        assert inline is not None, "a paragraph has an inline token"
        todo = "write **Rule** `id`: statement"
        children = [child for child in inline.children or [] if child.type != "text" or child.content]
        ids, statement, wrong = [], "", word != "Rule"
        place = 3  # strong_open, its text, strong_close
        while place + 1 < len(children) and children[place].content.strip() in ("", ",") and children[place + 1].type == "code_inline":
            ids.append(children[place + 1].content)
            place += 2
        rest = children[place].content if place < len(children) and children[place].type == "text" else ""
        if wrong or not ids or not rest.startswith(":"):
            self._problem(piece.begin, 1, "this is no rule", todo)
            return
        for each in ids:
            if not _RULE_ID.fullmatch(each):
                self._problem(
                    piece.begin, self._column(piece.begin, each), f"'{each}' is no name of a rule", "a name is chapter.short-name"
                )
        marker = f"`{ids[-1]}`"
        statement = inline.content[inline.content.find(marker) + len(marker) :].removeprefix(":").strip()
        if not statement:
            self._problem(piece.begin, 1, "a rule without a statement", todo)
        if not self.steps:
            self._problem(piece.begin, 1, "a rule outside of a step", "put it below the ## heading of the step that shows it")
        self._parts.append(Rules(piece.begin + 1, tuple(ids), statement, self._source(piece.begin, piece.end)))

    def _prediction(self, pieces: Sequence[Piece], place: int, word: str) -> int:
        piece = pieces[place]
        inline = piece.inline
        assert inline is not None, "a paragraph has an inline token"
        if word != "Predict:":
            self._problem(piece.begin, 1, f"**{word}** begins no prediction", "write **Predict:**")
        following = pieces[place + 1] if place + 1 < len(pieces) else None
        if following is None or following.kind not in ("bullet_list_open", "ordered_list_open"):
            self._problem(piece.begin, 1, "a prediction without choices", "write a list directly after it, an item for each answer")
            return place + 1
        self._no_html(following)
        if not self.steps:
            self._problem(piece.begin, 1, "a prediction outside of a step", "put a ## heading above it")
        question = inline.content.split(":", 1)[-1].removeprefix("**").strip()
        self._parts.append(Prediction(piece.begin + 1, question, self._choices(following)))
        return place + 2

    def _choices(self, piece: Piece) -> tuple[Choice, ...]:
        found: list[Choice] = []
        item: list[Token] = []
        for token in piece.tokens[1:-1]:
            item.append(token)
            if token.type == "list_item_close" and token.level == 1:
                found.append(self._choice(item))
                item = []
        if len(found) < 2:
            self._problem(piece.begin, 1, "a prediction with one choice", "write at least two")
        return tuple(found)

    def _choice(self, item: Sequence[Token]) -> Choice:
        line = (item[0].map or (0, 0))[0]
        inlines = [token for token in item if token.type == "inline"]
        if len(inlines) != 1 or item[1].type != "paragraph_open":
            self._problem(line, 1, "a choice is one paragraph", "keep it short; explain below, in <details>")
            return Choice("", "", line + 1)
        content = inlines[0].content
        first = next((child for child in inlines[0].children or [] if child.type != "text" or child.content), None)
        if first is None or first.type != "code_inline":
            return Choice("", content, line + 1)
        close = re.compile(rf"(?<!`){first.markup}(?!`)").search(content, len(first.markup))
        reason = content[close.end() :] if close else ""
        return Choice(first.content, reason.strip().lstrip("-\u2013\u2014:").strip(), line + 1)

    # --- details --------------------------------------------------------------------------------------------------------------
    def _details(self, pieces: Sequence[Piece], place: int) -> int:
        piece = pieces[place]
        content = piece.first.content
        found = _DETAILS.fullmatch(content)
        if found is None:
            if content.strip() == "</details>":
                self._problem(piece.begin, 1, "</details> without its beginning", "write <details><summary>Why?</summary> above")
            elif content.lstrip().startswith("<details"):
                self._problem(
                    piece.begin, 1, "this is not how <details> begins", "write <details><summary>Why?</summary>, then a blank line"
                )
            else:
                self._raw_html(piece.begin, content)
            return place + 1
        for end in range(place + 1, len(pieces)):
            inner = pieces[end]
            if inner.kind == "html_block" and inner.first.content.strip() == "</details>":
                self._close_details(piece, pieces[place + 1 : end], found[1].strip(), inner.begin)
                return end + 1
            if inner.kind == "html_block" and inner.first.content.lstrip().startswith("<details"):
                self._problem(inner.begin, 1, "<details> inside <details>", "close the first one before")
                return end
        self._problem(piece.begin, 1, "<details> without its end", "write </details> on a line of its own, after a blank line")
        return place + 1

    def _close_details(self, piece: Piece, inside: Sequence[Piece], summary: str, end: int) -> None:
        for each in inside:
            self._no_html(each)
            words = each.first.info.split()
            if each.kind == "fence" and (words[:1] == ["tracedbg"] or (words[:1] == ["c"] and len(words) > 1)):
                self._problem(each.begin, 1, "a hidden block", "what is run stands outside of <details>")
            if each.kind == "heading_open" and each.first.tag in ("h1", "h2"):
                self._problem(each.begin, 1, "a step inside <details>", "use ### there, or close <details> before")
            if each.kind == "paragraph_open" and lead(each.inline) in ("Predict:", "Rule"):
                self._problem(each.begin, 1, f"**{lead(each.inline)}** inside <details>", "it has its meaning only outside")
        if not inside:
            self._problem(piece.begin, 1, "an empty <details>", "write the explanation between blank lines")
        begin = inside[0].begin if inside else end
        self._parts.append(Details(piece.begin + 1, summary, self._source(begin, end)))

    # --- the whole ------------------------------------------------------------------------------------------------------------
    def _check_steps(self, steps: Sequence[Step]) -> None:
        if not steps and self.title:
            self._problem(0, 1, "the page has no step", "write ## headings with blocks below them")
        for step in steps:
            shows = any(line.asserts for block in step.blocks for line in block.lines)
            for place, part in enumerate(step.parts):
                if isinstance(part, Rules) and not shows:
                    todo = "write expect lines in a block of the same step"
                    self._problem(part.line - 1, 1, "nothing in this step shows the rule", todo)
                if isinstance(part, Prediction):
                    self.problems += check_prediction(part, step.block_after(place))
