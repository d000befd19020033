"""Decisions of Avro and Protobuf, read by another client's deserialisers, against what the same say in JSON."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from confluent_kafka.schema_registry import Schema
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.codecs import (
    DecisionRecord,
    JsonDecisionEncoder,
    Numbers,
    Outputs,
    decode_decision,
    decode_framed_decision,
    is_framed,
)
from streamproc.codecs.avro_decision import AvroDecisionEncoder
from streamproc.codecs.decision_form import AVRO, PROTO
from streamproc.codecs.protobuf_decision import ProtobufDecisionEncoder, message_class
from streamproc.connectors.registry import compile_proto
from streamproc.core import EventBatch
from tests.codecs.schemas import MockRegistry
from tests.codecs.test_arrow_decision import MODEL, OUTPUTS, SCORES, encode, events

SCHEMAS = Path(__file__).parents[2] / "schemas"
CONTEXT = SerializationContext("decisions", MessageField.VALUE)
ENCODERS = pytest.mark.parametrize("encoder", [AvroDecisionEncoder, ProtobufDecisionEncoder])


def of_json(some: EventBatch, outputs: Outputs) -> list[DecisionRecord]:
    return [
        decode_decision(value) for value in encode(JsonDecisionEncoder("p", MODEL), some, outputs)
    ]


def flat(record: DecisionRecord, outputs: Outputs) -> DecisionRecord:
    """What a decision of JSON says, with plain numbers flattened."""
    if not isinstance(outputs, Numbers):
        return record
    values = np.ravel(record.output).tolist()  # type: ignore[arg-type]
    fields = {name: getattr(record, name) for name in record.__struct_fields__}
    return DecisionRecord(**{**fields, "output": values})


@ENCODERS
@pytest.mark.parametrize("outputs", OUTPUTS, ids=lambda o: type(o).__name__)
@pytest.mark.parametrize("several", [True, False])
def test_they_say_what_json_says(encoder: Any, outputs: Outputs, several: bool) -> None:
    some = events() if several else events(offset=[5, 6, 7], row=None)
    values = encode(encoder("p", MODEL, 17), some, outputs)
    assert {value[:5] for value in values} == {b"\0\0\0\0\x11"}
    assert all(is_framed(value) for value in values)
    wanted = [flat(record, outputs) for record in of_json(some, outputs)]
    assert [decode_framed_decision(value) for value in values] == wanted


def test_avro_is_read_by_another_client() -> None:
    registry = MockRegistry()
    schema_id = registry.client.register_schema("decisions-value", Schema(json.dumps(AVRO), "AVRO"))
    read = AvroDeserializer(registry.client)
    for outputs in OUTPUTS:
        values = encode(AvroDecisionEncoder("p", MODEL, schema_id), events(), outputs)
        for value, record in zip(values, of_json(events(), outputs), strict=True):
            said: Any = read(value, CONTEXT)
            assert said["id"] == record.id
            assert said["key"] == record.key
            assert said["deadline_ns"] == record.deadline_ns
            assert said["event_time_ns"] == record.event_time_ns
            assert said["model"] == {"variant": record.model.variant, "digest": record.model.digest}
    assert said["output"]["json"] == "7"


def test_protobuf_is_read_by_another_client() -> None:
    (file,) = descriptor_pb2.FileDescriptorSet.FromString(
        compile_proto({"decision.proto": PROTO}, "decision.proto")
    ).file
    mine = descriptor_pb2.FileDescriptorProto()
    message_class().DESCRIPTOR.file.CopyToProto(mine)
    assert MessageToDict(mine) | {"name": ""} == without_names(file) | {"name": ""}

    read = ProtobufDeserializer(message_class(), {"use.deprecated.format": False})
    outputs = OUTPUTS[0]
    values = encode(ProtobufDecisionEncoder("p", MODEL, 9), events(), outputs)
    for value, record in zip(values, of_json(events(), outputs), strict=True):
        said: Any = read(value, CONTEXT)
        assert (said.id, said.deadline_ns) == (record.id, record.deadline_ns)
        assert said.HasField("key") == (record.key is not None)
        assert {"label": said.output.label, "scores": list(said.output.scores)} == record.output


def without_names(file: Any) -> dict[str, Any]:
    """As descriptors come out of a pool: without the names that JSON would use."""
    found: dict[str, Any] = json.loads(
        json.dumps(MessageToDict(file)), object_hook=lambda o: (o.pop("jsonName", None) and o) or o
    )
    return found


@ENCODERS
@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 120), at=st.integers(5, 70), byte=st.integers(0, 255))
def test_damaged_ones_are_refused_or_read(encoder: Any, cut: int, at: int, byte: int) -> None:
    (value, *_) = encode(encoder("p", MODEL, 1), events(), Numbers(SCORES))
    damaged = bytearray(value)
    damaged[at] = byte
    for broken in (bytes(damaged), value[: max(6, len(value) - cut)]):
        try:
            decode_framed_decision(broken)
        except ValueError:
            continue


def test_the_schemas_in_the_repository_are_current() -> None:
    assert json.loads((SCHEMAS / "decision.avsc").read_text("utf-8")) == AVRO
    assert (SCHEMAS / "decision.proto").read_text("utf-8") == PROTO
