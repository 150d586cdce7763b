"""The sections of a recording as pictures: the lanes of the timeline with each row's text beside it, one SVG file for each section.

Pure, any thread.  A picture needs nothing else: its colours stand in it, for light and dark; its fonts are whatever is sans-serif there.
"""

from __future__ import annotations

from collections.abc import Iterator

from tracedbg.eventlog.recordings import Recording

from .drawing import Lanes
from .markup import milliseconds, text
from .rows import Part, Row
from .story import Answer, Command, Happened
from .timeline import timeline

HEAD, ROW = 78, 36
"""Pixels: height of the names above the lanes, and of each row below."""
_LANE, _WORDS, _TIME = 96, 620, 84
"""Pixels: width of a lane, of the text and of the time."""
_FITS = 84
"""Characters of a line of text, 7 pixels each at most."""

_STYLE = """
.bg{fill:#fff}text{fill:#1b1f24;font:11px sans-serif}.g text{text-anchor:middle}.hn{font-weight:700;font-size:13px;text-anchor:middle}
.ha{fill:#57616c;text-anchor:middle}.ti{font-size:18px;font-weight:700}.tm{fill:#57616c;font-family:monospace;text-anchor:end}
.x{font:12px monospace}
.err{fill:#b3261e}.life{stroke:#cfd6dd;stroke-width:2}.a{stroke-width:2;fill:none}.dot{fill:#57616c}.eye{fill:#fff;stroke:#1b1f24;stroke-width:1.5}
.command{stroke:#6b5ca5}.request{stroke:#0b5cab}.refused{stroke:#b3261e}.report{stroke:#8f5300}.wake{stroke:#17693a}.sleep{stroke:#57616c}
.h.command{fill:#6b5ca5}.h.request{fill:#0b5cab}.h.report{fill:#8f5300}.h.wake{fill:#17693a}.h.sleep{fill:#57616c}
text.t{stroke:none}text.refused{fill:#b3261e}text.request{fill:#0b5cab}text.wake{fill:#17693a}text.sleep{fill:#57616c}
.b{stroke-width:18}.sR{stroke:#a6dcb9}.st{stroke:#f6b9af}.sX{stroke:#b4bbc3}.sN{stroke:#e9eef3}.c{stroke:#57616c;stroke-width:8}.q{stroke:#e9eef3;stroke-width:66}
.seen{stroke:#f0b93a}.inf{stroke:#f9e6b3}line.inf{stroke-dasharray:4 2}
.z1{stroke-width:66}.z2{stroke-width:33}.z3{stroke-width:22}.z4{stroke-width:16}
@media(prefers-color-scheme:dark){.bg{fill:#14171a}text{fill:#e6e9ec}.ha,.tm{fill:#a7b1bb}.err{fill:#ff938a}.life{stroke:#414a53}
.command{stroke:#b9a7ff}.request{stroke:#7dbbff}.refused{stroke:#ff938a}.report{stroke:#f0b35c}.wake{stroke:#7cdba0}.sleep{stroke:#a7b1bb}
.h.command{fill:#b9a7ff}.h.request{fill:#7dbbff}.h.report{fill:#f0b35c}.h.wake{fill:#7cdba0}.h.sleep{fill:#a7b1bb}
text.refused{fill:#ff938a}text.request{fill:#7dbbff}text.wake{fill:#7cdba0}text.sleep{fill:#a7b1bb}
.sR{stroke:#1f5a37}.st{stroke:#83352c}.sX{stroke:#59616a}.sN{stroke:#242b32}.q{stroke:#242b32}.seen{stroke:#7a5b06}.inf{stroke:#453a14}}
""".strip()


def sections(recording: Recording) -> list[tuple[str, str]]:
    """A picture for each section in which something happens: its name, and the SVG.

    Args:
        recording: by time.

    Raises:
        BadArgument: there would be too many rows.
    """
    made = timeline(recording)
    # Of a recording in which nothing happened there is one picture, which says so by its emptiness.
    drawn = [part for part in made.parts if any(isinstance(row.item, Happened) for row in part.rows)] or made.parts[:1]
    return [(f"{part.section.number:02}-{_name(part)}", _picture(part, recording.title)) for part in drawn]


def _name(part: Part) -> str:
    """Letters of a file's name: a slug is foreign text, too."""
    kept = "".join(char if char.isascii() and (char.isalnum() or char == "-") else "" for char in part.section.slug.lower())
    return kept[:60] or "session"


def _picture(part: Part, title: str) -> str:
    lanes = Lanes(part.columns)
    across = max(1, len(part.columns)) * _LANE
    rows = [row for row in part.rows if isinstance(row.item, Happened | Command | Answer)]
    width, height = across + _TIME + _WORDS, HEAD + ROW * len(rows) + 16
    heading = f"{part.section.number}. {part.section.heading}" if part.section.number else title
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{text(heading)}</title><style>{_STYLE}</style>",
        f'<rect class="bg" width="{width}" height="{height}"/><text class="ti" x="12" y="26">{text(heading)}</text>',
        *_heads(part, height),
        *(_row(row, number, lanes, across) for number, row in enumerate(rows)),
        "</svg>",
    ]) + "\n"  # fmt: skip


def _heads(part: Part, height: int) -> Iterator[str]:
    for number, column in enumerate(part.columns):
        x = _LANE * number + _LANE // 2
        yield f'<text class="hn" x="{x}" y="54">{text(column.name[:13])}</text>'
        yield f'<text class="ha" x="{x}" y="69">{text(column.about[:17])}</text>'
        yield f'<line class="life" x1="{x}" x2="{x}" y1="{HEAD}" y2="{height - 16}"/>'


def _row(row: Row, number: int, lanes: Lanes, across: int) -> str:
    y = HEAD + ROW * number
    kind = " err" if any(arrow.kind == "refused" for arrow in row.arrows) else ""
    return (
        f'<svg class="g" y="{y}" width="{across}" height="{ROW}" overflow="hidden">{lanes.row(row)}</svg>'
        f'<text class="tm" x="{across + _TIME - 14}" y="{y + 22}">{milliseconds(row.t)}</text>'
        f'<text class="x{kind}" x="{across + _TIME}" y="{y + 22}">{text(_cut(_words(row)))}</text>'
    )


def _words(row: Row) -> str:
    item = row.item
    if row.folded:
        return f"the same {row.folded} more times: {row.lane} {row.text}"
    if isinstance(item, Command):
        return f"you: {item.text}"
    if isinstance(item, Answer):
        return item.command.error or " / ".join(item.command.answer)
    return f"{row.lane}  {row.text}"


def _cut(line: str) -> str:
    return line if len(line) <= _FITS else line[: _FITS - 1] + "\u2026"
