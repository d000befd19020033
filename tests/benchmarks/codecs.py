"""What decoding costs: CPU time of an event by codec, and of the libraries beneath.

python -m tests.benchmarks.codecs
"""

import io
import json
from collections.abc import Callable
from typing import Any

import fastavro
import numpy as np
from google.protobuf import descriptor_pb2

from streamproc.codecs import AvroCodec, JsonCodec, JsonDecoder, ProtobufCodec
from streamproc.codecs.avro import AvroDecoder
from streamproc.codecs.protobuf import ProtobufDecoder
from streamproc.core import process_cpu_ns

RECORDS = 1_000
ROUNDS = 40


def cpu_us(work: Callable[[], object]) -> float:
    """The least CPU time of a record, us."""
    best = 1 << 62
    for _ in range(ROUNDS):
        began = process_cpu_ns()
        work()
        best = min(best, process_cpu_ns() - began)
    return best / RECORDS / 1_000


def _events(numbers: int, texts: int) -> list[dict[str, Any]]:
    return [
        {
            "symbol": "BTCUSDT",
            "ts": 1_700_000_000_000 + n,
            "px": 1.5 + n,
            "f": [0.5 * i for i in range(numbers)],
            **{f"t{i}": "a text that nobody reads" for i in range(texts)},
        }
        for n in range(RECORDS)
    ]


def _avro(events: list[dict[str, Any]]) -> tuple[Any, list[bytes]]:
    kinds = {str: "string", int: "long", float: "double", list: {"type": "array", "items": "float"}}
    fields = [{"name": name, "type": kinds[type(value)]} for name, value in events[0].items()]
    schema = {"type": "record", "name": "Tick", "fields": fields}
    parsed = fastavro.parse_schema(schema)
    values = []
    for event in events:
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, event)
        values.append(out.getvalue())
    return schema, values


def _protobuf(events: list[dict[str, Any]]) -> tuple[bytes, list[bytes]]:
    from tests.codecs.schemas import proto_class  # noqa: PLC0415 - needs another client

    kind = descriptor_pb2.FieldDescriptorProto
    kinds = {str: kind.TYPE_STRING, int: kind.TYPE_INT64, float: kind.TYPE_DOUBLE, list: kind.TYPE_FLOAT}  # fmt: skip
    file = descriptor_pb2.FileDescriptorProto(name="tick.proto", package="bench", syntax="proto3")
    message = file.message_type.add(name="Tick")
    for number, (name, value) in enumerate(events[0].items(), 1):
        label = 3 if isinstance(value, list) else 1
        message.field.add(name=name, number=number, type=kinds[type(value)], label=label)
    made = proto_class(file, "bench.Tick")
    values = [made(**event).SerializeToString() for event in events]
    return descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString(), values


def main() -> None:
    """Print the table."""
    print("| event | codec | us/event | library alone |\n|---|---|---|---|")
    for numbers, texts in ((16, 0), (16, 20), (200, 0)):
        events = _events(numbers, texts)
        fields = {"symbol": "str", "ts": "int64", "px": "float64", "f": f"float32[{numbers}]"}
        schema, avro = _avro(events)
        files, protobuf = _protobuf(events)
        plain = [json.dumps(event, separators=(",", ":")).encode() for event in events]
        parsed = fastavro.parse_schema(schema)
        reader = fastavro.schemaless_reader
        codecs: list[tuple[str, Any, list[bytes], str]] = [
            ("json", JsonDecoder(JsonCodec(fields)), plain, ""),
            (
                "avro",
                AvroDecoder(AvroCodec(fields, schema="x"), json.dumps(schema)),
                avro,
                f"fastavro {cpu_us(lambda avro=avro, p=parsed, reader=reader: [reader(io.BytesIO(v), p) for v in avro]):.2f}",
            ),
            (
                "protobuf",
                ProtobufDecoder(ProtobufCodec(fields, descriptor="x", message="bench.Tick"), files),
                protobuf,
                "",
            ),
        ]
        for name, decoder, values, alone in codecs:
            assert not decoder.decode(list(values)).rejected
            assert np.isfinite(decoder.decode(list(values)).columns["px"]).all()
            took = cpu_us(lambda d=decoder, v=values: d.decode(list(v)))
            print(f"| {numbers} floats, {texts} texts | {name} | {took:.2f} | {alone} |")


if __name__ == "__main__":
    main()
