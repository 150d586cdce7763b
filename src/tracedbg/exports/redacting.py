r"""A recording without the addresses and paths of the machine it was made on; the same one always becomes the same word.

Pure, any thread.  Addresses become ``0xadd0001``, paths ``PATH1``, in every text, number and header field.  It must not be taken for
more than it is: what is written in another way (a name without its folder, a pointer as single bytes) stays.
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from tracedbg.eventlog.recordings import Recording
from tracedbg.model.eventbase import Base64, pack, unpack
from tracedbg.model.events import Event, Record, SiteChanged, StateKept
from tracedbg.model.names import EVENT_NAMES

_FIRST_ADDRESS = 0xADD0000
"""The placeholders of addresses are numbers, because some addresses are; this one is larger than any pid (pid_max, proc(5))."""
_LOWEST = 0x10000
"""No program maps less (vm.mmap_min_addr); smaller numbers are offsets, flags and statuses."""
_LOWEST_DECIMAL = 1 << 24
"""Four times the largest pid: a smaller number that is not written in hexadecimal is no address."""
_64 = (1 << 64) - 1
_TRAPPED, _SYSGOOD = 0x7F, 0x80

_PLACES = re.compile(
    r"""
      (?P<hex>0[xX][0-9a-fA-F]+)
    | (?P<range>(?<![\w-])[0-9a-f]{6,16}-[0-9a-f]{6,16}(?![\w-]))  # a line of /proc/PID/maps
    | (?P<bare>(?<![\w-])(?=[0-9]*[a-f])[0-9a-f]{12,16}(?![\w-]))  # an address without 0x; twelve digits at least, or words were some
    | (?P<decimal>(?<![\w.])[0-9]{8,20}(?![\w.]))
    | (?P<path>
        (?<=file://)/[^\s"'`,;:()\[\]{}|<>]+
      | (?<![\w/.~-])(?:~\w*|\.{1,2})?/(?!/|\w+>)[^\s"'`,;:()\[\]{}|<>]+
      | (?<![\w/.~:-])//+[^\s"'`,;:()\[\]{}|<>/]+[^\s"'`,;:()\[\]{}|<>]*  # but not what follows http:
      | (?<![\w/.~-])[\w.+-]+(?:/[\w.+-]+)*/[\w.+-]+\.(?:[cChSs]|cc|cpp|hh|hpp|py|rs|go|so|asm)\b  # relative, to a source
      )
    """,
    re.VERBOSE,
)
_SAME_EVERYWHERE = re.compile(r"/(?:proc|sys|dev)(?:/(?!root\b|cwd\b|home\b|map_files\b)[^/]+)*/?")
"""Paths that tell nothing about a machine's owner, and much about what was looked at."""
_KEPT = 4096
"""Events that are remembered with what became of them: long runs repeat."""
_OLD = re.compile(r"\bPATH(\d{1,9})\b")


def redact(recording: Recording) -> Recording:
    """The recording without its addresses and paths.

    Args:
        recording: by time.
    """
    return Redactor(recording).recording()


def is_address(value: int) -> bool:
    """Whether a number is taken for an address.

    Not so are small ones, status words of stops, single bits (flags, sizes of pages) and small negative numbers (results of calls).
    """
    if not _LOWEST <= value < _64 - 4095 or value & (value - 1) == 0 or value == 0xFFFFFFFF:
        return False
    word, signal, event = value & 0xFF, value >> 8 & 0xFF & ~_SYSGOOD, value >> 16
    return not (word == _TRAPPED and 0 < signal <= 64 and event in EVENT_NAMES)


class Redactor:
    """What has been found in a recording, and by what it is replaced.

    Args:
        recording: by time.
    """

    def __init__(self, recording: Recording) -> None:
        self._before = recording
        self.addresses: dict[int, int] = {}
        self.paths: dict[str, int] = {}
        self._paths_before = 0  # placeholders of an earlier time
        self._with_blanks: list[str] = []  # paths that no text would show the end of
        self._seen: dict[Any, Any] = {}
        self._lane = functools.cache(self.text)
        for text in _texts(recording.header):
            self._find(text)
        known: set[Any] = set()
        for record in recording.records:
            try:
                if record.event in known:
                    continue
                known.add(record.event)
            except TypeError:  # it holds a dict
                pass
            self._find_in(record)
        for lane in dict.fromkeys(record.lane for record in recording.records):
            self._find(lane)

    # --- finding ------------------------------------------------------------------------------------------------------------------
    def _find_in(self, record: Record) -> None:
        event = record.event
        if isinstance(event, StateKept) and "/" in event.file and event.file not in self.paths:
            self._path(event.file)
            if event.file in self.paths and not (_PLACES.fullmatch(event.file) and _path_of(event.file) == event.file):
                self._with_blanks = sorted([*self._with_blanks, event.file], key=len, reverse=True)
        for value in _texts(event if isinstance(event, Event) else event.raw):
            self._find(value)
        for number in _numbers(event if isinstance(event, Event) else event.raw):
            least = _LOWEST if isinstance(event, SiteChanged) else _LOWEST_DECIMAL
            if least <= number & _64 and is_address(number & _64):
                self._address(number & _64)

    def _find(self, text: str) -> None:
        if not text:
            return
        for found in _OLD.finditer(text):
            self._paths_before = max(self._paths_before, int(found[1]))
        for path in self._with_blanks:
            text = text.replace(path, "")
        for found in _PLACES.finditer(text):
            kind, word = found.lastgroup, found[0]
            if kind == "path":
                self._path(_path_of(word))
            elif kind in ("hex", "bare", "range"):
                for digits in word.split("-"):
                    if is_address(int(digits, 16)):
                        self._address(int(digits, 16))

    def _address(self, value: int) -> int:
        return self.addresses.setdefault(value, _FIRST_ADDRESS + len(self.addresses) + 1)

    def _path(self, path: str) -> None:
        if not _SAME_EVERYWHERE.fullmatch(path):
            self.paths.setdefault(path, len(self.paths) + 1)

    # --- replacing ----------------------------------------------------------------------------------------------------------------
    def recording(self) -> Recording:
        """The recording, redacted."""
        before = self._before
        records = tuple(self._record(record) for record in before.records)
        header = {str(self._value(key)): self._value(value) for key, value in before.header.items()}
        return Recording(before.path, header, records, self.text(before.note))

    def text(self, text: str) -> str:
        """A text, redacted."""
        for path in self._with_blanks:
            text = text.replace(path, self._name(path))
        return _PLACES.sub(self._instead, text)

    def _instead(self, found: re.Match[str]) -> str:
        kind, word = found.lastgroup, found[0]
        if kind == "path":
            path = _path_of(word)
            return self._name(path) + word[len(path) :]
        if kind == "decimal":
            return str(self.addresses.get(int(word), word))
        prefix = "0x" if kind == "hex" else ""
        parts = [(digits, self.addresses.get(int(digits, 16))) for digits in word.split("-")]
        return "-".join(digits if value is None else f"{prefix}{value:x}" for digits, value in parts)

    def _name(self, path: str) -> str:
        number = self.paths.get(path)
        return path if number is None else f"PATH{self._paths_before + number}"

    def _record(self, record: Record) -> Record:
        event = record.event
        try:
            changed = self._seen.get(event)
        except TypeError:  # it holds a dict
            changed = self._value(event)
        else:
            if changed is None:
                if len(self._seen) >= _KEPT:
                    self._seen.clear()
                changed = self._seen[event] = self._value(event)
        lane = self._lane(record.lane)
        if changed is event and lane == record.lane:
            return record
        return Record(record.seq, record.t, lane, record.tid, record.source, changed, record.of)

    def _value(self, value: Any) -> Any:
        """The same value where there is nothing to replace, so that most of a recording is shared."""
        if isinstance(value, enum.Enum | bool):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int):
            return self.addresses.get(value & _64, value) if abs(value) >= _LOWEST else value
        if isinstance(value, Base64):
            return pack(self.text(unpack(value).decode("latin-1")).encode("latin-1"))
        if isinstance(value, tuple | list):
            return type(value)(self._value(each) for each in value)
        if isinstance(value, dict):
            return {self._value(key): self._value(each) for key, each in value.items()}
        if isinstance(value, msgspec.Struct):
            fields = {name: getattr(value, name) for name in value.__struct_fields__}
            changes = {name: self._value(each) for name, each in fields.items()}
            return value if changes == fields else type(value)(**changes)
        return value


def _path_of(word: str) -> str:
    """Without the end of a sentence, or of what is emphasised."""
    return word.rstrip(".!?*")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if not isinstance(value, enum.Enum):
            yield value
    elif isinstance(value, Base64):
        yield unpack(value).decode("latin-1")
    else:
        for each in _inside(value):
            yield from _texts(each)


def _numbers(value: Any) -> Iterator[int]:
    if isinstance(value, int):
        yield value
    else:
        for each in _inside(value):
            yield from _numbers(each)


def _inside(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple | list):
        yield from value
    elif isinstance(value, dict):
        yield from value
        yield from value.values()
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield getattr(value, name)
