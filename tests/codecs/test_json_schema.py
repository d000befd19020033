import pytest

from streamproc.codecs import Field, JsonSchemaCodec, Registry, framed
from streamproc.codecs.json_schema import JsonSchemaDecoder
from streamproc.core import Reason
from tests.codecs.schemas import JSON_TICK, MockRegistry, id_of

REGISTRY = Registry("http://127.0.0.1:1")
FIELDS: dict[str, str | Field] = {"symbol": "str", "p": Field("float64", "price")}


@pytest.mark.parametrize("validate", [False, True])
def test_what_confluents_serialiser_wrote_is_read(*, validate: bool) -> None:
    registry = MockRegistry()
    value = registry.json(JSON_TICK, {"symbol": "BTC", "price": 1.5})
    decoder = JsonSchemaDecoder(JsonSchemaCodec(FIELDS, REGISTRY, validate=validate))
    missing = decoder.missing([value])
    assert missing == ({id_of(value)} if validate else set())
    for schema_id in missing:
        decoder.learn(schema_id, registry.registered(schema_id))
    decoded = decoder.decode([value, value])
    assert not decoded.rejected
    assert decoded.columns["p"].tolist() == [1.5, 1.5]


def test_what_violates_its_schema_is_a_dead_letter_whose_reason_shows_no_value() -> None:
    registry = MockRegistry()
    good = registry.json(JSON_TICK, {"symbol": "BTC", "price": 1.5})
    number = id_of(good)
    decoder = JsonSchemaDecoder(JsonSchemaCodec(FIELDS, REGISTRY, validate=True))
    decoder.learn(number, registry.registered(number))
    decoded = decoder.decode(
        [framed(number, b'{"symbol":"secret","price":-1}'), good, framed(number, b"{"), b"{}", None]
    )
    assert decoded.record is not None
    assert decoded.record.tolist() == [1]
    reasons = {n: error.reason for n, error in decoded.rejected.items()}
    assert reasons == {
        0: Reason.SCHEMA_VIOLATION,
        2: Reason.UNDECODABLE,
        3: Reason.UNDECODABLE,
        4: Reason.EMPTY,
    }
    assert decoded.rejected[0].detail == "price violates the schema's properties/price/minimum"


def test_without_validation_only_the_frame_is_looked_at() -> None:
    decoder = JsonSchemaDecoder(JsonSchemaCodec(FIELDS))
    value = b'{"symbol":"A","price":2}'
    decoded = decoder.decode([value, framed(9, value), None])
    assert decoded.columns["p"].tolist() == [2.0]
    assert {n: e.reason for n, e in decoded.rejected.items()} == {0: "undecodable", 2: "empty"}
