"""Avro with a schema registry, end to end: old and new schema side by side, written by another client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from streamproc.codecs import decode_framed_decision
from streamproc.codecs.protobuf_decision import message_class
from tests.codecs.schemas import MockRegistry, id_of
from tests.integration.pipelines import InThread, assert_adds_up, decisions, headers, set_up
from tests.support.kafka import Message, committed, end_offsets, fill, read
from tests.support.registry import Registered, RegistryServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import KafkaBroker

OLD: dict[str, Any] = {
    "type": "record",
    "name": "Tick",
    "fields": [
        {"name": "ts", "type": "long"},
        {"name": "f", "type": {"type": "array", "items": "float"}},
    ],
}
NEW = {**OLD, "fields": [*OLD["fields"], {"name": "venue", "type": "string", "default": ""}]}


def test_old_and_new_schema_side_by_side(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    written = MockRegistry()
    event = {"ts": 1, "f": [0.5] * 16}
    old, new = written.avro(OLD, event), written.avro(NEW, {**event, "venue": "X"})
    with RegistryServer().serving() as registry:
        registry.status = 503  # it comes later than the pipeline
        fields = {"ts": "int64", "features": {"path": "f", "type": "float32[16]"}}
        source, sink, config = set_up(kafka, topic_name, tmp_path, partitions=1)
        text = config.read_text().replace(
            config.read_text()[config.read_text().index("codec:") : config.read_text().index("features:\n-")],
            "codec: " + json.dumps({"avro": {"fields": fields, "registry": {"url": registry.url}}}) + "\n",
        )  # fmt: skip
        config.write_text(text)
        unknown = b"\0\0\0\xff\xff" + old[5:]
        values = [old, new, unknown, old[:-3], new]
        fill(kafka.bootstrap, source, [Message(value) for value in values])
        with InThread(config) as pipeline:
            pipeline.ready()
            pipeline.until("the registry is asked", lambda: len(registry.asked) > 2)
            assert not pipeline.consumed
            for value in (old, new):
                number = id_of(value)
                registry.by_id[number] = Registered(written.registered(number).text)
            registry.status = 200
            pipeline.until("all is read", lambda: pipeline.consumed == len(values))
            ends = end_offsets(kafka.bootstrap, source)
            pipeline.until(
                "all is committed", lambda: committed(kafka.bootstrap, topic_name, source) == ends
            )
            summary = pipeline.stop()
    assert_adds_up(summary)
    ids = [output.id for _, output in decisions(kafka.bootstrap, sink)]
    assert ids == [f"{source}/0/{offset}" for offset in (0, 1, 4)]
    letters = read(kafka.bootstrap, f"{topic_name}.dlq")
    reasons = [headers(letter)["streamproc-reason"] for letter in letters]
    assert reasons == [b"unknown_schema", b"undecodable"]
    assert [letter.value for letter in letters] == [unknown, old[:-3]]


@pytest.mark.parametrize("kind", ["avro", "protobuf"])
def test_decisions_are_read_by_another_client(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path, kind: str
) -> None:
    with RegistryServer().serving() as registry:
        wanted = {kind: {"registry": {"url": registry.url}, "auto_register": True}}
        source, sink, config = set_up(kafka, topic_name, tmp_path, partitions=1, decisions=wanted)
        value = json.dumps({"ts": 1, "features": [0.5] * 16}).encode()
        fill(kafka.bootstrap, source, [Message(value, b"k")] * 20)
        with InThread(config, stop_after=20) as pipeline:
            summary = pipeline.result()
        assert_adds_up(summary)
        assert {subject for subject, _ in registry.registered} == {f"{sink}-value"}
        client = SchemaRegistryClient({"url": registry.url})
        decode: Any = AvroDeserializer(client)
        if kind == "protobuf":
            decode = ProtobufDeserializer(message_class(), {"use.deprecated.format": False})
        records = read(kafka.bootstrap, sink)
        context = SerializationContext(sink, MessageField.VALUE)
        said = [decode(record.value, context) for record in records]
    ids = [one["id"] if kind == "avro" else one.id for one in said]
    assert ids == [f"{source}/0/{offset}" for offset in range(20)]
    labels = [one["output"]["label"] if kind == "avro" else one.output.label for one in said]
    mine = [decode_framed_decision(record.value or b"") for record in records]
    assert labels == [record.output["label"] for record in mine]  # type: ignore[index]
    assert all(headers(record)["streamproc-outcome"] for record in records)
