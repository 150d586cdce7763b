"""The JSON schema of a recording's lines, made from the classes of the events.

Pure.  Readers ignore kinds and fields that they do not know, so the schema refuses none: it says what a kind that it knows must have.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from tracedbg.eventlog.codec import FORMAT, VERSION
from tracedbg.model.events import EVENT_TYPES
from tracedbg.model.ids import Source

_TEXT, _NUMBER = {"type": "string"}, {"type": "integer"}

_HEADER = {
    "description": "The first line.",
    "type": "object",
    "required": ["format", "version", "clock"],
    "properties": {
        "format": {"const": FORMAT},
        "version": {"const": VERSION},
        "clock": {"const": "monotonic"},
        "started": {"description": "When it began, UTC.", "type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
        "title": _TEXT,
        "author": _TEXT,
        "licence": _TEXT,
        "host": {
            "description": "The machine; never its name.",
            "type": "object",
            "properties": {"kernel": _TEXT, "machine": _TEXT, "cpus": _NUMBER, "python": _TEXT, "tracedbg": _TEXT},
        },
        "term": {"description": "The terminal.", "type": "object", "properties": {"cols": _NUMBER, "rows": _NUMBER}},
        "caps": {"description": "Needs that were met.", "type": "array", "items": _TEXT},
        "walkthrough": {
            "description": "The page that was played.",
            "type": "object",
            "required": ["name", "sha256"],
            "properties": {"name": _TEXT, "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"}},
        },
    },
}

_ENVELOPE = {
    "seq": {"description": "Number in the log, rising.", "type": "integer", "minimum": 1},
    "t": {"description": "Nanoseconds of the monotonic clock since the file began.", "type": "integer"},
    "lane": {"description": "The thread of tracedbg, or tracee.", "type": "string"},
    "tid": {"description": "Number of that task, 0 if unknown.", "type": "integer", "minimum": 0},
    "ev": {"description": "The kind.", "type": "string"},
    "src": {"description": "How it is known.", "enum": [each.value for each in Source]},
    "of": {"description": "The seq of the line that it completes or belongs to.", "type": "integer", "minimum": 1},
}


def _tidy(schema: Any) -> Any:
    """Descriptions in one line."""
    if isinstance(schema, dict):
        return {name: " ".join(value.split()) if name == "description" and isinstance(value, str) else _tidy(value)
                for name, value in schema.items()}  # fmt: skip
    return [_tidy(each) for each in schema] if isinstance(schema, list) else schema


def schema() -> dict[str, Any]:
    """Of one line: the header if it has a format, an event otherwise."""
    _, kinds = msgspec.json.schema_components(EVENT_TYPES, ref_template="#/$defs/{name}")
    known = [
        {"if": {"properties": {"ev": {"const": str(kind.__struct_config__.tag)}}}, "then": {"$ref": f"#/$defs/{kind.__name__}"}}
        for kind in EVENT_TYPES
    ]
    event = {
        "description": "Any other line: the fields of the record, and between them those of its kind.",
        "type": "object",
        "required": ["seq", "t", "lane", "tid", "ev", "src"],
        "properties": _ENVELOPE,
        "allOf": known,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of a tracedbg recording",
        "description": "Kinds and fields that are not known here are to be ignored.",
        "if": {"required": ["format"]},
        "then": {"$ref": "#/$defs/header"},
        "else": {"$ref": "#/$defs/event"},
        "$defs": {"header": _HEADER, "event": event, **{name: _tidy(each) for name, each in sorted(kinds.items())}},
    }


def schema_page() -> str:
    """docs/recording.schema.json."""
    return json.dumps(schema(), indent=1, ensure_ascii=True) + "\n"
