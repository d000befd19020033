"""Avro with a schema registry, end to end: old and new schema side by side, written by another client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

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
