"""How the answer of `tracedbg check` looks: plain lines, JSON, Markdown.

Pure functions, any thread.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import msgspec

from tracedbg.model.text import visible

from .catalogue import CHAPTERS
from .checking import VERDICTS, Conformance, Row
from .testing import failure_lines, lack_line

FORMAT = "tracedbg-check"
VERSION = 1
_LABELS = {"holds": "holds", "differs": "DIFFERS", "not here": "not here", "varies": "varies", "not shown": "not shown"}
_WIDE = 9


def as_lines(report: Conformance, width: int, *, full: bool = False) -> Iterator[str]:
    """For people.

    Args:
        report: the answer.
        width: columns.
        full: all evidence instead of one event for each rule.
    """
    yield report.host.text
    chapter = ""
    for row in report.rows:
        here = row.rule.partition(".")[0]
        if here != chapter:
            chapter = here
            yield ""
            yield str(visible(f"{chapter}: {CHAPTERS.get(chapter, 'rules that are not in the catalogue')}"))
        yield from _row_lines(row, width, full)
    yield ""
    yield from (f"also failed, in a step that shows no rule: {note}" for note in report.notes)
    yield f"{_summary(report)}; Linux {report.host.kernel}; {report.seconds:.1f} s"


def _row_lines(row: Row, width: int, full: bool) -> Iterator[str]:
    head = f"  {_LABELS[row.verdict]:<{_WIDE}} {visible(row.rule)}"
    indent = " " * (_WIDE + 3)
    yield head
    yield from textwrap.wrap(str(visible(row.says)), max(width, 40), initial_indent=indent, subsequent_indent=indent)
    if row.verdict == "not shown":
        yield f"{indent}- no lesson shows it"
    yield from (f"{indent}- {line}" for line in _lacking(row))
    for failure, path in ((failure, shown.path) for shown in row.shown for failure in shown.failures):
        yield from (f"{indent}- {line}" for line in failure_lines(path, failure))
    if full:
        seen = [each for shown in row.shown for each in shown.evidence if each.lane]
    else:
        seen = [row.key] if row.key is not None and row.verdict == "holds" else []
    yield from (f"{indent}| {visible(f'{each.lane}  {each.text}')}" for each in seen)


def _lacking(row: Row) -> list[str]:
    """What is missing here, each thing once."""
    return list(dict.fromkeys(lack_line(lack) for shown in row.shown for lack in shown.lacks))


def _summary(report: Conformance) -> str:
    words = {"holds": "hold", "differs": "differ", "not here": "not here", "varies": "vary", "not shown": "not shown"}
    # The first four always; the last only where it says something.
    return ", ".join(f"{report.count(each)} {words[each]}" for each in VERDICTS if each != "not shown" or report.count(each))


def as_json(report: Conformance) -> bytes:
    """For programs: one object, ASCII only."""
    import json

    built = msgspec.to_builtins(report, enc_hook=str)
    counts = {each: report.count(each) for each in VERDICTS}
    return json.dumps({"format": FORMAT, "version": VERSION, "counts": counts, **built}, indent=1).encode("ascii") + b"\n"


def as_markdown(report: Conformance) -> Iterator[str]:
    """For a page: a table, and below it what differs."""
    yield f"# Rules of tracing and waiting on Linux {report.host.kernel}"
    yield ""
    yield f"{report.host.text}. {_summary(report)}."
    yield ""
    yield "| rule | says | verdict | evidence |"
    yield "| --- | --- | --- | --- |"
    for row in report.rows:
        yield f"| `{visible(row.rule)}` | {_cell(row.says)} | {row.verdict} | {_evidence(row)} |"
    for row in report.rows:
        failures = [line for shown in row.shown for failure in shown.failures for line in failure_lines(shown.path, failure)]
        if failures:
            yield from ("", f"## `{visible(row.rule)}` {row.verdict}", "", "```text", *failures, "```")


def _evidence(row: Row) -> str:
    if row.verdict == "not here":
        return _cell("; ".join(_lacking(row)))
    if row.verdict == "holds" and row.key is not None:
        return f"`{_cell(f'{row.key.lane}: {row.key.text}')}`"
    return ""


def _cell(text: str) -> str:
    return str(visible(text)).replace("|", "\\|")
