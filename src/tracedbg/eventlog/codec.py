"""Record to JSON line and back.

Pure, any thread.  One flat object a line, ASCII only, so that `cat` of a recording is harmless.  Kinds and fields that this version
does not know survive a round trip unchanged; a higher format version is refused.
"""

from __future__ import annotations

import functools
import json
from typing import Any

import msgspec

from tracedbg.model.errors import UserError
from tracedbg.model.events import EVENTS_BY_TAG, Event, Record, UnknownEvent
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


def encode(record: Record) -> bytes:
    """One line with its newline."""
    event = record.event
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
        event: Event | UnknownEvent
        if place.ev in EVENTS_BY_TAG:
            event = _decoder(place.ev).decode(line)
        else:
            fields = msgspec.json.decode(line, type=dict[str, Any])
            event = UnknownEvent({key: value for key, value in fields.items() if key not in _ENVELOPE})
    except msgspec.DecodeError:
        raise
    except _UNREADABLE as error:
        raise msgspec.DecodeError(str(error)) from None
    return Record(place.seq, place.t, place.lane, place.tid, place.src, event, place.of)


class _Place(msgspec.Struct, frozen=True):
    """What every line has; the fields of its event are skipped."""

    seq: int
    t: int
    lane: str
    tid: int
    src: Source
    ev: str
    of: int = 0


_places = msgspec.json.Decoder(_Place)


@functools.cache
def _decoder(tag: str) -> msgspec.json.Decoder[Event]:
    return msgspec.json.Decoder(EVENTS_BY_TAG[tag])
