"""What the ordinary screen shows below the log: the prompt with its line, room for the menu, the toolbar.

UI thread only; drawn anew for every frame from plain values.  Decides nothing and runs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prompt_toolkit.application.current import get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import Float, FloatContainer, HSplit, Window
from prompt_toolkit.layout.controls import BufferControl, FormattedTextControl
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.layout import Layout
from prompt_toolkit.layout.menus import CompletionsMenu
from prompt_toolkit.layout.processors import AppendAutoSuggestion
from prompt_toolkit.utils import get_cwidth
from prompt_toolkit.widgets.toolbars import SearchToolbar

from tracedbg.model.text import visible

MENU_ROWS = 4
KEYS_FIELD = "F1 help F2 split F3 hold"


@dataclass(frozen=True)
class Sources:
    """Where the fixed parts of the screen get their words from; each is asked once a frame."""

    prompt: Callable[[], str]
    asking: Callable[[], bool]
    fields: Callable[[], Sequence[tuple[str, str]]]
    held: Callable[[], int | None]
    doubt: Callable[[], str]


def toolbar_text(fields: Sequence[tuple[str, str]], *, held: int | None, doubt: str, keys: str, columns: int) -> StyleAndTextTuples:
    """The toolbar's fields in order of worth, as many as fit into `columns`.

    Args:
        fields: (key, text) of the host.
        held: lines that wait because the flow is held; None when it is not.
        doubt: what may be wrong with the half-typed line, or nothing.
        keys: the last field.
        columns: width of the terminal.
    """
    parts: list[tuple[str, str]] = []
    if held is not None:
        parts.append(("class:toolbar.hold", f"HELD, {held} lines wait (F3)"))
    parts += [("class:toolbar", f"{visible(key)}: {visible(text)}") for key, text in fields]
    if doubt:
        parts.append(("class:toolbar.doubt", f"! {visible(doubt)}"))
    parts.append(("class:toolbar.key", keys))
    out: StyleAndTextTuples = []
    used = 0
    for style, text in parts:
        separator = " | " if out else " "
        width = len(separator) + get_cwidth(text)
        if used + width > columns:
            if not out:  # even the first field is too wide: better half a word than nothing
                out.append((style, cut(separator + text, columns)))
            break
        out += [("class:toolbar", separator), (style, text)]
        used += width
    return out


def cut(text: str, columns: int) -> str:
    """`text` cut to `columns` cells, its end marked where something is missing."""
    if get_cwidth(text) <= columns:
        return text
    out, used = [], 0
    for char in text:
        used += get_cwidth(char)
        if used > columns - 1:
            break
        out.append(char)
    return "".join(out) + "…"


def menu_rows(rows: int) -> int:
    """Rows kept free below the line for the completion menu: they are always there, so that nothing jumps while one types."""
    if rows >= 16:
        return MENU_ROWS
    return 3 if rows >= 10 else 0


class PromptArea:
    """Line, search field and toolbar: the lower part of both screens, over the same buffer.

    Args:
        buffer: the line being typed.
        sources: the words around it.
        reserve: whether room for the menu is kept below the line.
    """

    def __init__(self, buffer: Buffer, sources: Sources, *, reserve: bool) -> None:
        self._sources = sources
        search = SearchToolbar()
        self.control = BufferControl(
            buffer=buffer,
            search_buffer_control=search.control,
            input_processors=[AppendAutoSuggestion()],
            preview_search=True,
        )

        def height() -> Dimension:
            rows = get_app().output.get_size().rows
            room = menu_rows(rows) if reserve else 0
            return Dimension(min=1 + room, max=max(1 + room, rows // 2))

        line = Window(
            self.control,
            height=height,
            wrap_lines=True,
            get_line_prefix=self._prefix,
            dont_extend_height=True,
            always_hide_cursor=False,
        )
        bar = Window(FormattedTextControl(self._toolbar), height=1, style="class:toolbar", dont_extend_height=True)
        self.container = HSplit([line, search, bar])

    def _prefix(self, line_number: int, wrap_count: int) -> StyleAndTextTuples:
        prompt = str(visible(self._sources.prompt()))
        style = "class:question" if self._sources.asking() else "class:prompt"
        if line_number == 0 and wrap_count == 0:
            return [(style, prompt)]
        # Further rows start at the left edge in a narrow terminal, where indenting would leave no room for the text.
        return [] if wrap_count else [(style, "> ")]

    def _toolbar(self) -> StyleAndTextTuples:
        sources = self._sources
        return toolbar_text(
            sources.fields(),
            held=sources.held(),
            doubt=sources.doubt(),
            keys=KEYS_FIELD,
            columns=get_app().output.get_size().columns,
        )


def with_menu(area: PromptArea, content: HSplit) -> Layout:
    """`content` with the completion menu floating at the cursor, the keyboard on the line."""
    menu = Float(xcursor=True, ycursor=True, content=CompletionsMenu(max_height=MENU_ROWS, scroll_offset=1))
    return Layout(FloatContainer(content, floats=[menu]), focused_element=area.control)


def inline_layout(buffer: Buffer, sources: Sources) -> Layout:
    """The ordinary screen's part below the log."""
    area = PromptArea(buffer, sources, reserve=True)
    return with_menu(area, area.container)
