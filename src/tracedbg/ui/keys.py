"""Key bindings that are ours; everything else is as in a shell with Emacs keys.

UI thread only.  Each binding calls one action and decides nothing itself.  The bindings of prompt_toolkit that run an editor or a
shell command are never loaded: nothing here may create a child process.
"""

from __future__ import annotations

from typing import Protocol

from prompt_toolkit.application.current import get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, get_common_complete_suffix
from prompt_toolkit.filters import Condition, is_searching
from prompt_toolkit.key_binding.bindings.auto_suggest import load_auto_suggest_bindings
from prompt_toolkit.key_binding.key_bindings import KeyBindings, KeyBindingsBase, merge_key_bindings
from prompt_toolkit.key_binding.key_processor import KeyPressEvent
from prompt_toolkit.keys import Keys

from tracedbg.model.text import visible


class Actions(Protocol):
    """What keys can ask for."""

    def asking(self) -> bool:
        """Whether a question waits for y or n."""
        ...

    def answer(self, yes: bool) -> None:
        """Answer it."""
        ...

    def interrupt(self) -> None:
        """Ctrl-C on an empty line."""
        ...

    def request_leave(self) -> None:
        """Ctrl-D on an empty line."""
        ...

    def suspend(self) -> None:
        """Ctrl-Z."""
        ...

    def help(self) -> None:
        """F1."""
        ...

    def toggle_split(self) -> None:
        """F2."""
        ...

    def toggle_hold(self) -> None:
        """F3."""
        ...

    def clear(self) -> None:
        """Ctrl-L."""
        ...

    def space(self) -> bool:
        """Space on an empty line; False for an ordinary blank."""
        ...


def key_bindings(actions: Actions) -> KeyBindingsBase:
    """Our bindings and the ones that accept a suggestion."""
    bindings = KeyBindings()
    asking = Condition(actions.asking)
    plain = ~asking & ~is_searching

    @bindings.add("enter", filter=plain)
    def _accept(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @bindings.add("c-c", filter=plain, eager=True)
    @bindings.add("<sigint>", filter=plain)
    def _interrupt(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.text:
            buffer.reset()
        else:
            actions.interrupt()

    @bindings.add("c-d", filter=plain & Condition(lambda: not _text()))
    def _leave(_event: KeyPressEvent) -> None:
        actions.request_leave()

    @bindings.add("c-z", filter=~asking)
    def _suspend(_event: KeyPressEvent) -> None:
        actions.suspend()

    @bindings.add("f1", filter=plain)
    def _help(_event: KeyPressEvent) -> None:
        actions.help()

    @bindings.add("f2", filter=plain)
    def _split(_event: KeyPressEvent) -> None:
        actions.toggle_split()

    @bindings.add("f3", filter=~asking)
    def _hold(_event: KeyPressEvent) -> None:
        actions.toggle_hold()

    @bindings.add("c-l")
    def _clear(_event: KeyPressEvent) -> None:
        actions.clear()

    @bindings.add(" ", filter=plain & Condition(lambda: not _text()))
    def _space(event: KeyPressEvent) -> None:
        if not actions.space():
            event.current_buffer.insert_text(" ")

    # Up and Down belong to the history until a candidate has been chosen with Tab; then they move in the menu.
    nothing_chosen = Condition(lambda: not _candidate_chosen())

    @bindings.add("up", filter=plain & nothing_chosen)
    def _up(event: KeyPressEvent) -> None:
        event.current_buffer.history_backward(count=event.arg)

    @bindings.add("down", filter=plain & nothing_chosen)
    def _down(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        before = buffer.working_index
        buffer.history_forward(count=event.arg)
        if buffer.working_index == before and buffer.complete_state is not None:
            buffer.complete_next()

    @bindings.add("tab", filter=plain)
    def _tab(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if _candidate_chosen():
            buffer.complete_next()
        else:
            _complete(buffer)

    @bindings.add(Keys.BracketedPaste, filter=plain)
    def _paste(event: KeyPressEvent) -> None:
        # Several lines stay in the line to be looked at; Enter runs them one after the other.  What was copied from a web page
        # may hold characters that nobody sees.
        text = event.data.replace("\r\n", "\n").replace("\r", "\n").expandtabs()
        event.current_buffer.insert_text("\n".join(visible(line) for line in text.rstrip("\n").split("\n")))

    # A question takes every key, so these come last (the last binding that matches wins) and are eager.
    @bindings.add(Keys.Any, filter=asking, eager=True)
    @bindings.add("enter", filter=asking, eager=True)
    @bindings.add("c-c", filter=asking, eager=True)
    @bindings.add("c-d", filter=asking, eager=True)
    @bindings.add("escape", filter=asking, eager=True)
    @bindings.add("<sigint>", filter=asking, eager=True)
    def _no(_event: KeyPressEvent) -> None:
        actions.answer(False)

    @bindings.add("y", filter=asking, eager=True)
    @bindings.add("Y", filter=asking, eager=True)
    def _yes(_event: KeyPressEvent) -> None:
        actions.answer(True)

    return merge_key_bindings([bindings, load_auto_suggest_bindings()])


def _complete(buffer: Buffer) -> None:
    """Tab as in readline: insert what all candidates have in common, at once, so that keys typed right behind it find it there.

    (prompt_toolkit's own works in the background and is lost when the menu is just being filled for the key before.)
    """
    document = buffer.document
    found = list(buffer.completer.get_completions(document, CompleteEvent(completion_requested=True)))
    before = document.text_before_cursor
    # Names that merely contain the word are for the menu: those that begin with it decide what Tab inserts.
    found = [one for one in found if one.text.startswith(before[len(before) + one.start_position :])] or found
    if len(found) == 1:
        buffer.apply_completion(found[0])
        return
    common = get_common_complete_suffix(document, found)
    if common:
        buffer.insert_text(common)
    elif buffer.complete_state is not None and buffer.complete_state.completions:
        buffer.complete_next()
    elif found:
        buffer.start_completion()


def _text() -> str:
    return get_app().current_buffer.text


def _candidate_chosen() -> bool:
    state = get_app().current_buffer.complete_state
    return state is not None and state.complete_index is not None
