"""Record to JSON line and back.

Pure, any thread.  One flat object a line, ASCII only, so that `cat` of a recording is harmless.  Kinds and fields that this version
does not know survive a round trip unchanged; a higher format version is refused.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from tracedbg.model.errors import UserError
from tracedbg.model.events import EVENTS_BY_TAG, Event, Record, UnknownEvent
from tracedbg.model.ids import Source

FORMAT = "tracedbg-recording"
VERSION = 1

_encoder = msgspec.json.Encoder()
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
    except msgspec.DecodeError as error:
        raise UserError("this is not a recording of tracedbg", "name a file written by --events") from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise UserError("this is not a recording of tracedbg", "name a file written by --events")
    if not isinstance(head.get("version"), int) or head["version"] > VERSION:
        raise UserError(f"this recording has format {head.get('version')!r}, newer than {VERSION}", "read it with a newer tracedbg")
    return head


def decode(line: bytes) -> Record:
    """One line back to its record; an unknown kind becomes an `UnknownEvent`.

    Raises:
        msgspec.DecodeError: the line is not an object with the envelope's fields.
    """
    raw = msgspec.json.decode(line, type=dict[str, Any])
    try:
        fields = {key: value for key, value in raw.items() if key not in _ENVELOPE}
        kind = EVENTS_BY_TAG.get(fields.get("ev", ""))
        event: Event | UnknownEvent
        if kind is None:
            event = UnknownEvent(fields)
        else:
            event = msgspec.convert(fields, kind)
        return Record(raw["seq"], raw["t"], raw["lane"], raw["tid"], Source(raw["src"]), event, raw.get("of", 0))
    except (KeyError, ValueError, TypeError) as error:
        raise msgspec.DecodeError(f"not an event line: {error}") from error
