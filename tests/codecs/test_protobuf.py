from typing import Any

import numpy as np
import pytest
from google.protobuf import descriptor_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.codecs import Field, ProtobufCodec, RegisteredSchema, Registry, framed
from streamproc.codecs.protobuf import ProtobufDecoder
from streamproc.core import Reason, RecordError
from tests.codecs.schemas import MockRegistry, proto_class, proto_file, serialised

FIELDS: dict[str, str | Field] = {
    "symbol": "str",
    "price": Field("float64", "trade.px"),
    "f": "float32[3]",
    "side": "str",
}
REGISTRY = Registry("http://127.0.0.1:1")


def tick(*, newer: bool = False, **more: Any) -> Any:
    made = proto_class(proto_file(newer=newer))(symbol="BTC", f=[1, 2, 3], side=1, **more)
    made.trade.px = 1.5
    return made


def alone(fields: dict[str, str | Field], file: Any = None, message: str = "shop.Tick") -> ProtobufDecoder:  # fmt: skip
    files = descriptor_pb2.FileDescriptorSet(file=[file or proto_file()]).SerializeToString()
    return ProtobufDecoder(ProtobufCodec(fields, descriptor="x", message=message), files)


def test_what_confluents_serialiser_wrote_is_read_old_and_new_side_by_side() -> None:
    registry = MockRegistry()
    old, new = registry.protobuf(tick()), registry.protobuf(tick(newer=True, qty=9))
    decoder = ProtobufDecoder(ProtobufCodec(FIELDS, REGISTRY, message="shop.Tick"), None)
    missing = decoder.missing([old, new])
    assert len(missing) == 2
    for schema_id in missing:
        decoder.learn(schema_id, registry.registered(schema_id))
    decoded = decoder.decode([old, new])
    assert not decoded.rejected
    assert decoded.columns["symbol"].tolist() == ["BTC", "BTC"]
    assert decoded.columns["price"].tolist() == [1.5, 1.5]
    assert decoded.columns["side"].tolist() == ["BUY", "BUY"]
    np.testing.assert_array_equal(decoded.columns["f"], np.float32([[1, 2, 3], [1, 2, 3]]))


def test_the_first_message_is_named_by_a_single_zero_and_another_kind_is_refused() -> None:
    decoder = ProtobufDecoder(ProtobufCodec({"x": "int64"}, REGISTRY), None)
    decoder.learn(5, RegisteredSchema("PROTOBUF", serialised(proto_file())))
    other = proto_class(proto_file(), "shop.Other")(x=3).SerializeToString()
    decoded = decoder.decode([
        framed(5, b"\0" + other),  # the first
        framed(5, b"\2\0" + other),  # the same, in full
        framed(5, b"\2\2" + tick().SerializeToString()),  # the second, shop.Tick, has no x
        framed(5, b"\2\x40" + other),  # there are not so many
        framed(5, b""),
        framed(5, b"\x80\x80\x80\x80\x80\x80"),
    ])  # fmt: skip
    assert decoded.record is not None
    assert decoded.record.tolist() == [0, 1]
    assert decoded.columns["x"].tolist() == [3, 3]
    reasons = [decoded.rejected[n].reason for n in (2, 3, 4, 5)]
    assert reasons == [Reason.MISSING_FIELD, *[Reason.UNDECODABLE] * 3]


def test_presence_says_what_is_missing_and_what_is_zero() -> None:
    message = proto_class(proto_file())
    decoded = alone({"symbol": "str", "trade.px": "float64"}).decode([
        message(symbol="a", trade={}).SerializeToString(),
        message(symbol="b").SerializeToString(),
        message(trade={}).SerializeToString(),
    ])  # fmt: skip
    assert decoded.columns["symbol"].tolist() == ["a", ""]
    assert decoded.columns["trade.px"].tolist() == [0.0, 0.0]
    assert decoded.rejected[1].reason == Reason.MISSING_FIELD


def test_what_a_newer_writer_adds_is_passed_over() -> None:
    decoded = alone({"symbol": "str"}).decode([tick(newer=True, qty=9).SerializeToString()])
    assert decoded.columns["symbol"].tolist() == ["BTC"]


def test_imports_come_from_the_references_and_from_google() -> None:
    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="main.proto",
        package="shop",
        syntax="proto3",
        dependency=["tick1.proto", "google/protobuf/timestamp.proto"],
    )
    message = file.message_type.add(name="Order")
    message.field.add(
        name="tick", number=1, type=kind.TYPE_MESSAGE, type_name=".shop.Tick", label=1
    )
    message.field.add(
        name="at", number=2, type=kind.TYPE_MESSAGE, type_name=".google.protobuf.Timestamp", label=1
    )
    decoder = ProtobufDecoder(
        ProtobufCodec({"tick.symbol": "str", "at.seconds": "int64"}, REGISTRY), None
    )
    references = (("tick1.proto", serialised(proto_file())),)
    decoder.learn(1, RegisteredSchema("PROTOBUF", serialised(file), references))
    body = b"\x0a\x05\x0a\x03BTC\x12\x02\x08\x07"  # tick.symbol and at.seconds, by hand
    decoded = decoder.decode([framed(1, b"\0" + body)])
    assert not decoded.rejected
    assert decoded.columns["at.seconds"].tolist() == [7]
    decoder.learn(2, RegisteredSchema("PROTOBUF", serialised(file)))
    refused = decoder.decode([framed(2, b"\0" + body)]).rejected[0]
    assert "imports tick1.proto" in refused.detail


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"nothing": "str"}, "field 'nothing' is missing"),
        ({"trade": "float64"}, "a message"),
        ({"f": "float32"}, "is repeated"),
        ({"symbol": "float32[3]"}, "is single"),
    ],
)
def test_fields_that_do_not_fit_the_message_are_refused_with_the_file(fields: dict[str, str | Field], words: str) -> None:  # fmt: skip
    with pytest.raises(RecordError, match=words):
        alone(fields)


def test_a_message_that_the_file_does_not_have() -> None:
    with pytest.raises(RecordError, match=r"no message 'shop\.Tock'; there are shop\.Other, shop\.Tick"):  # fmt: skip
        alone({"symbol": "str"}, message="shop.Tock")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_bytes_end_as_a_row_or_a_rejection(data: st.DataObject) -> None:
    good = tick().SerializeToString()
    bent = st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255)).map(
        lambda how: good[: how[0]] + bytes([how[1]]) + good[how[0] + 1 :]
    )
    values = data.draw(st.lists(st.one_of(st.binary(max_size=40), bent, st.none()), max_size=8))
    decoded = alone(FIELDS).decode(list(values))
    kept = range(len(values)) if decoded.record is None else decoded.record.tolist()
    assert sorted([*kept, *decoded.rejected]) == list(range(len(values)))
