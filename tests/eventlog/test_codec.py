"""What is written reads back: every kind of event, generated from its types; kinds of other versions pass through."""

from __future__ import annotations

import json
import types
import typing
from typing import Any, get_args, get_origin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import odd
from tracedbg.eventlog.codec import VERSION, decode, encode, header, read_header
from tracedbg.model.errors import UserError
from tracedbg.model.events import EVENT_TYPES, Base64, ChildInfo, ChoiceOffered, Event, Note, Record, UnknownEvent, pack, unpack
from tracedbg.model.ids import Role, Source

_NUMBERS = st.integers(-(2**62), 2**62)


def _strategy(kind: Any) -> st.SearchStrategy[Any]:
    """Values of one field's type."""
    simple = {str: st.text(odd.VALID), int: _NUMBERS, bool: st.booleans(), type(None): st.none()}
    if kind in simple:
        return simple[kind]
    if kind is Role:
        return st.sampled_from(Role)
    if kind is Base64:
        return st.binary().map(lambda data: pack(b"\xff" + data)).filter(lambda packed: isinstance(packed, Base64))
    if kind is ChildInfo:
        return st.builds(ChildInfo, _NUMBERS, _NUMBERS, _NUMBERS)
    if kind is ChoiceOffered:
        return st.builds(ChoiceOffered, _strategy(str), _strategy(str))
    origin, args = get_origin(kind), get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([_strategy(each) for each in args])
    if origin is tuple and len(args) == 2 and args[1] is ...:
        return st.lists(_strategy(args[0]), max_size=4).map(tuple)
    if origin is tuple:
        return st.tuples(*[_strategy(each) for each in args])
    if origin is dict:
        return st.dictionaries(_strategy(args[0]), _strategy(args[1]), max_size=4)
    raise AssertionError(f"no strategy for {kind}")


def _events(kind: type[Event]) -> st.SearchStrategy[Event]:
    fields = msgspec.structs.fields(kind)
    return st.builds(kind, **{field.name: _strategy(field.type) for field in fields})


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_kind_survives_a_round_trip(kind: type[Event], data: st.DataObject) -> None:
    event = data.draw(_events(kind))
    source = data.draw(st.sampled_from(Source))
    record = Record(7, 123456789, data.draw(st.sampled_from(["w1", "tracer", "é"])), 4242, source, event, data.draw(st.integers(0, 9)))
    line = encode(record)
    assert line.isascii()
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == record
    flat = json.loads(line)  # another parser reads it as well
    assert (flat["seq"], flat["lane"], flat["src"]) == (7, record.lane, source.value)


def test_no_field_of_an_event_hides_the_envelope() -> None:
    for kind in EVENT_TYPES:
        names = {field.encode_name for field in msgspec.structs.fields(kind)}
        assert not names & {"seq", "t", "lane", "tid", "src", "of", "ev"}, kind


def test_a_lone_surrogate_is_written_all_the_same() -> None:
    line = encode(Record(1, 0, "repl", 1, Source.USER, Note("bad \udcff name")))
    assert line.isascii()
    assert json.loads(line)["text"] == "bad \udcff name"


@given(st.binary())
def test_any_bytes_can_be_packed(data: bytes) -> None:
    assert unpack(pack(data)) == data


def test_a_kind_of_another_version_passes_through_unchanged() -> None:
    line = b'{"seq":3,"t":5,"lane":"w1","tid":9,"ev":"from.the.future","what":{"a":[1,2]},"src":"proc","of":2}\n'
    record = decode(line)
    assert isinstance(record.event, UnknownEvent)
    assert json.loads(encode(record)) == json.loads(line)


def test_a_field_of_another_version_is_no_error() -> None:
    record = decode(b'{"seq":3,"t":5,"lane":"repl","tid":9,"ev":"note","text":"hi","colour":"red","src":"user"}\n')
    assert record.event == Note("hi")


@pytest.mark.parametrize(
    "line", [b"", b"[]", b'{"seq":1}', b'{"seq":1,"t":0,"lane":"x","tid":0,"ev":"note","text":1,"src":"user"}', b"\xff"]
)
def test_what_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(line)


def test_the_header_names_the_format_and_newer_ones_are_refused() -> None:
    assert read_header(header({"title": "é"}))["version"] == VERSION
    for bad in (b"{}", b"nonsense", b"[1]", header({}).replace(b'"version":1', b'"version":2')):
        with pytest.raises(UserError):
            read_header(bad)
