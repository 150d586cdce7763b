"""Help and the reference page, both made from the command table.

Pure, any thread.  This module must not say anything about a command that its row does not say: the page cannot go out of date.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from tracedbg.model.errors import UnknownCommand
from tracedbg.model.text import Shown, visible

from .signature import Help, Param
from .table import Command, CommandTable, Node

_GRAMMAR = """\
    line   = [ "on" NAME { "," NAME } ] command { word } [ "&" ] [ "#" comment ]
    word   = bare word | "text in double quotes, with \\n \\t \\r \\\\ \\" \\xNN"
    option = --name | --name VALUE | name=VALUE"""

_ON = "on NAME[,NAME...] CALL [ARGUMENT...] [&]"

_PREFACE = f"""\
# Commands

This page is made from the command table (`src/tracedbg/commands`), as is `help` at the prompt.

One line is one command:

{_GRAMMAR}

* A command may be shortened as long as only one command begins so; the other names given below always work.
* What stands in brackets may be left out; `...` means that there may be several.
* A format follows the command after a slash: `x/8xg $rsp`.
* `$name` is a value that was seen before: `$tracee` is the program, others are set by `expect`.
* `on NAME` runs a call on that thread or puppet: `on w1 wait4 -1 __WALL`. With `&` the prompt does not wait for it.
* Enter on an empty line runs the last command again where that makes sense; it is said so below.
"""


def reference(table: CommandTable) -> str:
    """Return the reference page in Markdown, families and rows in the table's order."""
    parts = [_PREFACE]
    if table.actor_call_row:
        parts.append(f"\n## On a thread or puppet\n\n### `{_ON}`\n\n")
        parts.append("\n".join(_markdown_help(table.actor_call_row.help)))
    for family, title in table.families.items():
        rows = [row for row in table.rows if row.family == family]
        if rows:
            parts.append(f"\n## {title}\n")
            parts.extend("\n" + _markdown(row) for row in rows)
    return "".join(parts)


def help_lines(table: CommandTable, names: Sequence[str] = (), width: int = 80) -> list[Shown]:
    """Return the lines of ``help``, ``help FAMILY``, ``help GROUP`` or ``help NAME``.

    Args:
        table: the merged table.
        names: words after ``help``.
        width: columns of the terminal; lines are folded at blanks, and cut nowhere.

    Raises:
        UnknownCommand: there is neither such a command nor such a family.
        AmbiguousCommand: a prefix of several commands.
    """
    width = max(width, 20)
    if not names:
        return _overview(table, width)
    if list(names) == ["on"] and table.actor_call_row:
        # "on" is grammar, not a row; what it does is told by the function that runs the calls.
        return _folded([_ON, "", *_help_text(table.actor_call_row.help, width)], width)
    title = table.families.get(names[0]) if len(names) == 1 else None
    exact = table.exact(names)
    if title is not None and exact is None:
        return _listing(title, (row for row in table.rows if row.family == names[0]), width)
    try:
        found = table.match(names)
    except UnknownCommand:
        import difflib  # late: only for an error

        close = difflib.get_close_matches(names[0], [*table.families, *(row.name for row in table.rows)], 3)
        todo = f"perhaps {' or '.join(close)}; 'help' lists all" if close else "'help' lists all"
        raise UnknownCommand(f"there is no help on '{visible(' '.join(names))}'", todo) from None
    if found.used < len(names):
        raise UnknownCommand(f"there is no help on '{visible(' '.join(names))}'", f"try: help {found.node.path}")
    return _node(found.node, width)


def _overview(table: CommandTable, width: int) -> list[Shown]:
    lines = ["Commands (help NAME tells more; a name may be shortened while it stays the only one):", ""]
    for family, title in table.families.items():
        names = [row.name for row in table.rows if row.family == family]
        if names:
            lines.append(f"{title} (help {family}):")
            # textwrap breaks at ASCII blanks only, so a no-break space keeps "info breakpoints" on one line.
            text = ", ".join(name.replace(" ", "\xa0") for name in names)
            folded = textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
            lines += [line.replace("\xa0", " ") for line in folded]
    lines += ["", f"On a thread or puppet (help on): {_ON}"]
    return _folded(lines, width)


def _listing(title: str, rows: Iterable[Command], width: int) -> list[Shown]:
    lines = [f"{title}:", ""]
    for row in rows:
        lines += _item(row.usage, row.help.summary, width)
    return _folded(lines, width)


def _node(node: Node, width: int) -> list[Shown]:
    lines = _command_lines(node.row, width) if node.row else []
    below = [row for row in node.rows() if row is not node.row]
    if below:
        if lines:
            lines.append("")
        elif node.about:
            lines += [*textwrap.wrap(node.about, width), ""]
        lines.append(f"Sub-commands of '{node.path}':")
        for row in below:
            lines += _item(row.usage, row.help.summary, width)
    return _folded(lines, width)


def _command_lines(row: Command, width: int) -> list[str]:
    lines = [row.usage]
    if row.aliases:
        lines.append(f"  also: {', '.join(row.aliases)}")
    arguments: list[str] = []
    for param in row.params:
        if param.kind != "given":
            arguments += _item(_label(param), _meaning(param), width)
    lines += ["", *_help_text(row.help, width, arguments)]
    notes = _notes(row)
    if notes:
        lines += ["", *textwrap.wrap(" ".join(notes), width)]
    return lines


def _help_text(text: Help, width: int, arguments: Sequence[str] = ()) -> list[str]:
    lines = textwrap.wrap(text.summary, width)
    for paragraph in text.text:
        lines += ["", *textwrap.wrap(paragraph, width)]
    if arguments:
        lines += ["", *arguments]
    if text.kernel:
        lines += ["", "In the kernel:", *textwrap.wrap(text.kernel, width, initial_indent="  ", subsequent_indent="  ")]
    if text.examples:
        lines += ["", "For example:", *("  " + example for example in text.examples)]
    return lines


def _item(left: str, right: str, width: int, column: int = 26) -> list[str]:
    """Two columns; one above the other where the left is long or the terminal narrow."""
    if width < 2 * column:
        return [f"  {left}", *textwrap.wrap(right, width, initial_indent="      ", subsequent_indent="      ")]
    text = textwrap.wrap(right, width - column) or [""]
    head = f"  {left}"
    if len(head) >= column:
        return [head, *(" " * column + line for line in text)]
    return [(head.ljust(column) + text[0]).rstrip(), *(" " * column + line for line in text[1:])]


def _folded(lines: Iterable[str], width: int) -> list[Shown]:
    out: list[Shown] = []
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()))
        if len(line) <= width:
            out.append(visible(line))
        else:
            out += [visible(part) for part in textwrap.wrap(line, width, subsequent_indent=indent + "  ", break_on_hyphens=False)]
    return out


def _label(param: Param) -> str:
    if param.type is None:
        return param.option_name
    return f"{param.option_name} {param.type.name}" if param.kind == "option" else param.type.name


def _meaning(param: Param) -> str:
    about = param.type.about if param.type else ""
    if not param.help:
        return about
    return f"{param.help} ({about})" if about and about != param.help else param.help


def _notes(row: Command) -> list[str]:
    notes: list[str] = []
    if row.while_busy == "now":
        notes.append("Works at once, also while another command runs.")
    if row.repeats:
        notes.append("Enter on an empty line goes on." if row.repeat_as else "Enter on an empty line repeats it.")
    if row.actor_ok:
        notes.append(f"May be addressed: on NAME {row.name}.")
    return notes


def _markdown(row: Command) -> str:
    parts = [f"### `{row.usage}`\n"]
    if row.aliases:
        parts.append("Also: " + ", ".join(f"`{alias}`" for alias in row.aliases) + "\n")
    cells = [f"| `{_cell(_label(param))}` | {_cell(_meaning(param))} |" for param in row.params if param.kind != "given"]
    parts += _markdown_help(row.help, cells)
    notes = _notes(row)
    if notes:
        parts.append(f"*{' '.join(notes)}*\n")
    return "\n".join(parts)


def _markdown_help(text: Help, cells: Sequence[str] = ()) -> list[str]:
    parts = [text.summary + "\n", *(paragraph + "\n" for paragraph in text.text)]
    if cells:
        parts.append("\n".join(["| argument | meaning |", "| --- | --- |", *cells]) + "\n")
    if text.kernel:
        parts.append(f"**In the kernel:** {text.kernel}\n")
    if text.examples:
        parts.append("\n".join(["```text", *text.examples, "```"]) + "\n")
    return parts


def _cell(text: str) -> str:
    # A bar ends a cell of a table even inside a code span (GitHub Flavored Markdown, tables extension).
    return text.replace("|", "\\|")
