"""Schemas, and values written by confluent-kafka's serialisers with its registry in memory."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from streamproc.codecs import RegisteredSchema

TICK = {
    "type": "record",
    "name": "Tick",
    "namespace": "shop",
    "fields": [
        {"name": "symbol", "type": "string"},
        {
            "name": "trade",
            "type": {
                "type": "record",
                "name": "Trade",
                "fields": [{"name": "px", "type": "double"}],
            },
        },
        {"name": "f", "type": {"type": "array", "items": "float"}},
    ],
}
NEWER_TICK = {
    **TICK,
    "fields": [
        {"name": "venue", "type": ["null", "string"], "default": None},
        *TICK["fields"],
        {"name": "qty", "type": "long", "default": 7},
    ],
}
JSON_TICK = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "Tick",
    "type": "object",
    "properties": {"symbol": {"type": "string"}, "price": {"type": "number", "minimum": 0}},
    "required": ["symbol", "price"],
}


class MockRegistry:
    """confluent-kafka's own registry in memory, and values written with it."""

    def __init__(self) -> None:
        self.client = SchemaRegistryClient.new_client({"url": "mock://"})

    def registered(self, schema_id: int) -> RegisteredSchema:
        """What our client would be given."""
        found = self.client.get_schema(schema_id)
        kind: Any = found.schema_type
        return RegisteredSchema(kind, found.schema_str)

    def avro(
        self, schema: Mapping[str, Any], value: Mapping[str, Any], topic: str = "ticks"
    ) -> bytes:
        """A value, by ``AvroSerializer``."""
        made = AvroSerializer(self.client, json.dumps(schema), conf={"normalize.schemas": False})
        return _bytes(made(value, SerializationContext(topic, MessageField.VALUE)))

    def json(self, schema: Mapping[str, Any], value: Mapping[str, Any]) -> bytes:
        """A value, by ``JSONSerializer``."""
        made = JSONSerializer(json.dumps(schema), self.client)
        return _bytes(made(value, SerializationContext("json", MessageField.VALUE)))

    def protobuf(self, message: Any, topic: str = "proto") -> bytes:
        """A value, by ``ProtobufSerializer``."""
        made = ProtobufSerializer(
            type(message),
            self.client,
            {"use.deprecated.format": False, "auto.register.schemas": True},
        )
        return _bytes(made(message, SerializationContext(topic, MessageField.VALUE)))


def id_of(value: bytes) -> int:
    """The schema's id in a value's frame."""
    return int.from_bytes(value[1:5])


def proto_file(*, newer: bool = False) -> descriptor_pb2.FileDescriptorProto:
    """``shop.Tick`` with a ``Trade`` inside, behind another message; the newer one has a quantity as well."""
    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name=f"tick{2 if newer else 1}.proto", package="shop", syntax="proto3"
    )
    file.message_type.add(name="Other").field.add(name="x", number=1, type=kind.TYPE_INT32, label=1)
    tick = file.message_type.add(name="Tick")
    trade = tick.nested_type.add(name="Trade")
    trade.field.add(name="px", number=1, type=kind.TYPE_DOUBLE, label=1)
    side = tick.enum_type.add(name="Side")
    side.value.add(name="SELL", number=0)
    side.value.add(name="BUY", number=1)
    tick.field.add(name="symbol", number=1, type=kind.TYPE_STRING, label=1)
    tick.field.add(
        name="trade", number=2, type=kind.TYPE_MESSAGE, type_name=".shop.Tick.Trade", label=1
    )
    tick.field.add(name="f", number=3, type=kind.TYPE_FLOAT, label=3)
    tick.field.add(name="side", number=4, type=kind.TYPE_ENUM, type_name=".shop.Tick.Side", label=1)
    if newer:
        tick.field.add(name="qty", number=5, type=kind.TYPE_INT64, label=1)
    return file


def proto_class(file: descriptor_pb2.FileDescriptorProto, name: str = "shop.Tick") -> Any:
    """The class of a message of a file."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def serialised(file: descriptor_pb2.FileDescriptorProto) -> str:
    """A file as a registry gives it."""
    return base64.b64encode(file.SerializeToString()).decode()


def _bytes(made: bytes | None) -> bytes:
    assert made is not None
    return made
