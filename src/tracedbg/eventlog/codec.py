"""Record to JSON line and back.

Pure, any thread.  One flat object a line, ASCII only, so that `cat` of a recording is harmless.  Kinds and fields that this version
does not know survive a round trip unchanged; a higher format version is refused.
"""

from __future__ import annotations

import functools
import json
import operator
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from tracedbg.model.errors import UserError
from tracedbg.model.events import EVENT_TYPES, EVENTS_BY_TAG, Event, Record, UnknownEvent
from tracedbg.model.ids import Source

FORMAT = "tracedbg-recording"
VERSION = 1

_encoder = msgspec.json.Encoder()
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON, no UTF-8, or brackets nested by the thousand."""
_ENVELOPE = ("seq", "t", "lane", "tid", "src", "of")


def header(meta: dict[str, object]) -> bytes:
    """The first line of a file."""
    text = json.dumps({"format": FORMAT, "version": VERSION, "clock": "monotonic", **meta}, separators=(",", ":"))
    return text.encode("ascii") + b"\n"


def encode(record: Record, since: int = 0) -> bytes:
    """One line with its newline.

    Args:
        record: what to write.
        since: the time from which times are counted, in nanoseconds of the record's clock; what is older has time 0.
    """
    event = record.event
    if since:
        record = Record(record.seq, max(0, record.t - since), record.lane, record.tid, record.source, event, record.of)
    if isinstance(event, UnknownEvent):
        return _slow(record, event.raw)
    try:
        body = _encoder.encode(event)
        lane = _encoder.encode(record.lane)
    except UnicodeEncodeError:  # a lone surrogate, which msgspec refuses
        return _slow(record, _fields(event))
    of = b',"of":%d' % record.of if record.of else b""
    line = b'{"seq":%d,"t":%d,"lane":%b,"tid":%d,%b,"src":"%b"%b}\n' % (
        record.seq,
        record.t,
        lane,
        record.tid,
        body[1:-1],
        record.source.value.encode(),
        of,
    )
    # msgspec writes raw UTF-8; the file promises ASCII.
    return line if line.isascii() else _slow(record, _fields(event))


def _fields(event: Event) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(event)
    return fields


def _slow(record: Record, fields: dict[str, Any]) -> bytes:
    line = {"seq": record.seq, "t": record.t, "lane": record.lane, "tid": record.tid, **fields, "src": record.source.value}
    if record.of:
        line["of"] = record.of
    return json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n"


def read_header(line: bytes) -> dict[str, Any]:
    """Check the first line of a file.

    Raises:
        UserError: not a recording, or one of a newer format.
    """
    try:
        head = msgspec.json.decode(line)
    except _UNREADABLE as error:
        raise UserError("this is not a recording of tracedbg", "name a file written by --events") from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise UserError("this is not a recording of tracedbg", "name a file written by --events")
    if not isinstance(head.get("version"), int) or head["version"] > VERSION:
        raise UserError(f"this recording has format {head.get('version')!r}, newer than {VERSION}", "read it with a newer tracedbg")
    return head


def decode(line: bytes) -> Record:
    """One line back to its record; an unknown kind becomes an `UnknownEvent`.

    Raises:
        msgspec.DecodeError: the line is not an object with the envelope's fields, or not one of its kind.
    """
    try:
        # Parsed twice, each time into a struct: that takes a third of the time of one parse into a dict and its conversion.
        place = _places.decode(line)
        try:
            event: Event | UnknownEvent = _events().decode(line)
        except msgspec.ValidationError:
            event = _unknown(line)
    except msgspec.DecodeError:
        raise
    except _UNREADABLE as error:
        raise msgspec.DecodeError(str(error)) from None
    return Record(place.seq, place.t, place.lane, place.tid, place.src, event, place.of)


def decode_many(lines: Sequence[bytes]) -> list[Record]:
    """Many lines at once, in less than half the time of one after the other.

    Raises:
        msgspec.DecodeError: one of them is no record; `decode` says which, and why.
    """
    text = b"".join(lines)
    try:
        places, events = _places.decode_lines(text), _events().decode_lines(text)
    except _UNREADABLE:  # also a kind that this version does not know
        places, events = [], []
    if not len(places) == len(events) == len(lines):
        return [decode(line) for line in lines]
    return [
        Record(place.seq, place.t, place.lane, place.tid, place.src, event, place.of) for place, event in zip(places, events, strict=True)
    ]


def _unknown(line: bytes) -> UnknownEvent:
    """The event of a kind that this version does not know.

    Raises:
        msgspec.DecodeError: its kind is known, but it is not one.
    """
    if _kinds.decode(line).ev in EVENTS_BY_TAG:
        _events().decode(line)  # says again what is wrong with it
    fields = msgspec.json.decode(line, type=dict[str, Any])
    return UnknownEvent({key: value for key, value in fields.items() if key not in _ENVELOPE})


_Number = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
_Time = Annotated[int, msgspec.Meta(ge=-(1 << 62), le=1 << 62)]
"""Nanoseconds; what another clock told may lie a little before the beginning."""


class _Place(msgspec.Struct, frozen=True, gc=False):
    """What every line has; the fields of its event are skipped."""

    seq: _Number
    t: _Time
    lane: str
    tid: _Number
    src: Source
    of: _Number = 0


class _Kind(msgspec.Struct, frozen=True):
    ev: str


_places = msgspec.json.Decoder(_Place)
_kinds = msgspec.json.Decoder(_Kind)


@functools.cache
def _events() -> msgspec.json.Decoder[Event]:
    return msgspec.json.Decoder(functools.reduce(operator.or_, EVENT_TYPES))
