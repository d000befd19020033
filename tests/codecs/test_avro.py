import io
import json
from typing import Any

import fastavro
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.codecs import AvroCodec, Field, RegisteredSchema, Registry, framed
from streamproc.codecs.avro import AvroDecoder
from streamproc.core import Reason, RecordError
from tests.codecs.schemas import NEWER_TICK, TICK, MockRegistry, id_of

FIELDS: dict[str, str | Field] = {
    "symbol": "str",
    "price": Field("float64", "trade.px"),
    "f": "float32[3]",
}
OLD = {"symbol": "BTC", "trade": {"px": 1.5}, "f": [1.0, 2.0, 3.0]}
NEW = {"venue": "X", "symbol": "ETH", "trade": {"px": 2.5}, "f": [4.0, 5.0, 6.0], "qty": 9}
REGISTRY = Registry("http://127.0.0.1:1")


def written(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def record(*fields: tuple[str, Any]) -> dict[str, Any]:
    named = [{"name": name, "type": kind} for name, kind in fields]
    return {"type": "record", "name": "R", "fields": named}


def doubled(levels: int) -> dict[str, Any]:
    """A record of two of a record of two ... of nothing."""
    made: dict[str, Any] = {"type": "record", "name": "L0", "fields": []}
    for level in range(1, levels):
        fields = [{"name": "a", "type": made}, {"name": "b", "type": made["name"]}]
        made = {"type": "record", "name": f"L{level}", "fields": fields}
    return made


def alone(schema: Any, fields: dict[str, str | Field]) -> AvroDecoder:
    return AvroDecoder(AvroCodec(fields, schema="x.avsc"), json.dumps(schema))


def learned(fields: dict[str, str | Field], registry: MockRegistry, *values: bytes, reader: Any = None) -> AvroDecoder:  # fmt: skip
    decoder = AvroDecoder(AvroCodec(fields, REGISTRY), None if reader is None else json.dumps(reader))  # fmt: skip
    for schema_id in decoder.missing(values):
        decoder.learn(schema_id, registry.registered(schema_id))
    return decoder


def test_what_confluents_serialiser_wrote_is_read_old_and_new_side_by_side() -> None:
    registry = MockRegistry()
    old, new = registry.avro(TICK, OLD), registry.avro(NEWER_TICK, NEW)
    assert id_of(old) != id_of(new)
    decoder = learned(FIELDS, registry, old, new)
    decoded = decoder.decode([old, new, old])
    assert decoded.record is None
    assert not decoded.rejected
    assert decoded.columns["symbol"].tolist() == ["BTC", "ETH", "BTC"]
    assert decoded.columns["price"].tolist() == [1.5, 2.5, 1.5]
    np.testing.assert_array_equal(
        decoded.columns["f"], np.float32([[1, 2, 3], [4, 5, 6], [1, 2, 3]])
    )


def test_the_readers_schema_gives_what_an_old_record_lacks() -> None:
    registry = MockRegistry()
    old, new = registry.avro(TICK, OLD), registry.avro(NEWER_TICK, NEW)
    decoder = learned({**FIELDS, "qty": "int64"}, registry, old, new, reader=NEWER_TICK)
    assert decoder.decode([old, new]).columns["qty"].tolist() == [7, 9]


def test_without_a_readers_schema_what_lacks_a_field_is_a_dead_letter_and_the_others_are_not() -> (
    None
):
    registry = MockRegistry()
    old, new = registry.avro(TICK, OLD), registry.avro(NEWER_TICK, NEW)
    decoded = learned({**FIELDS, "qty": "int64"}, registry, old, new).decode([old, new])
    assert decoded.record is not None
    assert decoded.record.tolist() == [1]
    assert decoded.rejected[0].reason == Reason.MISSING_FIELD
    assert "qty" in decoded.rejected[0].detail


def test_a_schema_that_nobody_knows_is_a_dead_letter_until_it_is_forgotten() -> None:
    value = framed(77, b"x")
    decoder = AvroDecoder(AvroCodec(FIELDS, REGISTRY), None)
    assert decoder.missing([value, value, None, b"", b"\1abcd"]) == {77}
    decoder.refuse(77, "the schema registry does not know the schema")
    assert decoder.missing([value]) == set()
    decoded = decoder.decode([value])
    assert decoded.rejected[0].reason == Reason.UNKNOWN_SCHEMA
    assert "77" in decoded.rejected[0].detail
    decoder.forget(77)
    assert decoder.missing([value]) == {77}


def test_logical_types_enums_nulls_and_maps() -> None:
    schema = record(
        ("at", {"type": "long", "logicalType": "timestamp-millis"}),
        ("day", {"type": "int", "logicalType": "date"}),
        ("amount", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}),
        ("side", {"type": "enum", "name": "Side", "symbols": ["BUY", "SELL"]}),
        ("size", ["null", "double"]),
        ("tags", {"type": "map", "values": "string"}),
        ("more", ["null", {"type": "record", "name": "M", "fields": [{"name": "n", "type": "int"}]}]),
    )  # fmt: skip
    fields: dict[str, str | Field] = {
        "at": "int64",
        "day": "int32",
        "amount": "float64",
        "side": "str",
        "size": "float64",
        "tags.venue": "str",
        "more.n": "int64",
    }
    plain = record(
        ("at", "long"), ("day", "int"), ("amount", "bytes"), *((f["name"], f["type"]) for f in schema["fields"][3:])
    )  # fmt: skip
    good = {
        "at": 1_700_000_000_123,
        "day": 19_000,
        "amount": (-12345).to_bytes(4, signed=True),
        "side": "SELL",
        "size": 0.5,
        "tags": {"venue": "X"},
        "more": {"n": 3},
    }
    values = [
        written(plain, good),
        written(plain, {**good, "size": None}),
        written(plain, {**good, "tags": {}}),
        written(plain, {**good, "more": None}),
    ]
    decoded = alone(schema, fields).decode(list(values))
    assert {name: column.tolist() for name, column in decoded.columns.items()} == {
        "at": [1_700_000_000_123],
        "day": [19_000],
        "amount": [-123.45],
        "side": ["SELL"],
        "size": [0.5],
        "tags.venue": ["X"],
        "more.n": [3],
    }
    assert {n: e.reason for n, e in decoded.rejected.items()} == dict.fromkeys(
        (1, 2, 3), "missing_field"
    )


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (["int", "string"], "a union of several types"),
        ("bytes", "no column"),
        ({"type": "record", "name": "I", "fields": []}, "no column"),
        ({"type": "map", "values": "int"}, "no column"),
    ],
)
def test_types_that_no_column_is_made_of_are_refused_with_the_file(kind: Any, words: str) -> None:
    with pytest.raises(RecordError, match=words):
        alone(record(("x", kind)), {"x": "int64"})


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (record(("x", {"type": "array", "items": "null"})), "takes no bytes"),
        (record(("x", ["null", "R"])), "recursive"),
        ({"type": "string"}, "an event is a record"),
        ({"type": "nothing"}, "no Avro schema"),
        (doubled(40), "more than 65536 types"),
        (json.loads("[" * 100 + '"int"' + "]" * 100), "no Avro schema|inside each other|a record"),
    ],
)
def test_schemas_that_could_do_harm_are_refused(schema: Any, words: str) -> None:
    with pytest.raises(RecordError, match=words):
        alone(schema, {"x": "int64"})


def test_schemas_refer_to_others() -> None:
    inner = {"type": "record", "name": "shop.Inner", "fields": [{"name": "n", "type": "long"}]}
    outer = {
        "type": "record",
        "name": "shop.Outer",
        "fields": [{"name": "i", "type": "shop.Inner"}],
    }
    decoder = AvroDecoder(AvroCodec({"i.n": "int64"}, REGISTRY), None)
    references = (("shop.Inner", json.dumps(inner)),)
    decoder.learn(1, RegisteredSchema("AVRO", json.dumps(outer), references))
    decoded = decoder.decode([framed(1, written({**outer, "fields": [{"name": "i", "type": inner}]}, {"i": {"n": 5}}))])  # fmt: skip
    assert not decoded.rejected
    assert decoded.columns["i.n"].tolist() == [5]


def test_a_value_of_another_schema_is_refused_though_it_can_be_read() -> None:
    decoder = alone(record(("x", "long")), {"x": "int64"})
    decoded = decoder.decode([written(record(("x", "long"), ("y", "long")), {"x": 1, "y": 2})])
    assert decoded.rejected[0].reason == Reason.UNDECODABLE
    assert "left over" in decoded.rejected[0].detail


def test_empty_large_and_unframed_values() -> None:
    decoder = AvroDecoder(AvroCodec(FIELDS, REGISTRY), None)
    decoded = decoder.decode([None, b"", b"{}", b"\0" * 4, b"\0" * (2 << 20)])
    reasons = [decoded.rejected[n].reason for n in range(5)]
    assert reasons == ["empty", "empty", "undecodable", "undecodable", "too_large"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_bytes_end_as_a_row_or_a_rejection(data: st.DataObject) -> None:
    schema = record(
        ("s", "string"), ("n", ["null", "long"]), ("a", {"type": "array", "items": "double"}),
        ("m", {"type": "map", "values": "bytes"}), ("e", {"type": "enum", "name": "E", "symbols": ["A"]}),
    )  # fmt: skip
    good = written(schema, {"s": "abc", "n": 1, "a": [1.0, 2.0], "m": {"k": b"v"}, "e": "A"})
    cut = st.integers(0, len(good)).map(lambda at: good[:at])
    bent = st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255)).map(
        lambda how: good[: how[0]] + bytes([how[1]]) + good[how[0] + 1 :]
    )
    values = data.draw(
        st.lists(st.one_of(st.binary(max_size=40), cut, bent, st.none()), max_size=8)
    )
    decoder = alone(schema, {"s": "str", "n": "int64", "a": "float64[2]", "e": "str"})
    decoded = decoder.decode(list(values))
    kept = range(len(values)) if decoded.record is None else decoded.record.tolist()
    assert sorted([*kept, *decoded.rejected]) == list(range(len(values)))
    assert all(len(column) == len(list(kept)) for column in decoded.columns.values())
