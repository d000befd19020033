"""The capture's protobuf messages: one table, of which both the classes and ``schemas/capture.proto`` are made.

The classes come from descriptors that are built when this module is imported, so that they work with
whatever protobuf runtime is installed: generated code would be bound to one.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE: Final = "streamproc.capture.v1"
FILE: Final = "streamproc/capture.proto"
_HEAD: Final = """\
// The messages of a streamproc recording, an MCAP file (https://mcap.dev); docs/recording.md describes it.
// Made by `python -m streamproc.config`; streamproc/connectors/capture/schema.py is its source.
// All instants are ns since 1970, UTC.
"""


class _Field(NamedTuple):
    number: int
    name: str
    kind: str
    words: str = ""


class _Message(NamedTuple):
    name: str
    words: str
    fields: Sequence[_Field]


_TIMESTAMP_TYPES: Final = ("CREATE_TIME", "LOG_APPEND_TIME")

_MESSAGES: Final = (
    _Message(
        "Header",
        "A record's header. Names may repeat; their order is kept.",
        (_Field(1, "name", "string"), _Field(2, "value", "optional bytes", "Absent for null.")),
    ),
    _Message(
        "FetchedBatch",
        "What one fetch gave of a partition; stands in the first of its records.",
        (
            _Field(1, "records", "uint32", "How many: this one and those behind it on its channel."),
            _Field(
                2, "end_position", "int64", "The consumer's position behind the last of them."
            ),
            _Field(3, "behind", "int64", "How many records were known to follow them in the log."),
        ),
    ),
    _Message(
        "KafkaRecord",
        "A record as it was consumed. Channels records/TOPIC/PARTITION; log_time: when it was consumed.",
        (
            _Field(1, "topic", "string"),
            _Field(2, "partition", "int32"),
            _Field(3, "offset", "int64"),
            _Field(4, "timestamp_ns", "optional int64", "Absent where the record has none."),
            _Field(5, "timestamp_type", "TimestampType"),
            _Field(6, "key", "optional bytes", "Absent for null, which is not an empty key."),
            _Field(7, "value", "optional bytes", "Absent for a tombstone."),
            _Field(8, "headers", "repeated Header"),
            _Field(9, "batch", "optional FetchedBatch"),
        ),
    ),
    _Message(
        "Decision",
        "A record that was sent: a decision, a dead letter, a shed event. Channel decisions; log_time: when it was sent.",
        (
            _Field(1, "topic", "string", "Where it was sent."),
            _Field(2, "partition", "optional int32", "Where it lies there, if that is known."),
            _Field(3, "offset", "optional int64"),
            _Field(4, "source_topic", "string", "The input record that it is about."),
            _Field(5, "source_partition", "int32"),
            _Field(
                6,
                "source_offset",
                "optional int64",
                "Absent where one record tells of several inputs.",
            ),
            _Field(7, "row", "optional int32", "The event's row within its record, if it has several."),
            _Field(8, "outcome", "string", "on_time, degraded, late, shed or dead_letter."),
            _Field(9, "reason", "string", "Why it was shed or dead-lettered."),
            _Field(10, "lane", "string"),
            _Field(11, "variant", "string", "Of the model that decided."),
            _Field(12, "key", "optional bytes"),
            _Field(13, "value", "optional bytes"),
            _Field(14, "headers", "repeated Header"),
        ),
    ),
    _Message(
        "Outcomes",
        "What became of events of one partition that ended together. Channel outcomes; log_time: when it was final.\n"
        "Columns have one entry an event, in the same order, or none where it is not known.",
        (
            _Field(1, "topic", "string"),
            _Field(2, "partition", "int32"),
            _Field(3, "offset", "repeated sfixed64"),
            _Field(4, "row", "repeated sint32", "None where each record is one event; -1 for a whole record."),
            _Field(
                5,
                "outcome",
                "bytes",
                "One byte an event: 0 on_time, 1 degraded, 2 late, 3 shed, 4 dead_letter, 5 filtered, 6 absorbed.",
            ),
            _Field(6, "reason", "string"),
            _Field(
                7,
                "lane",
                "repeated sint32",
                "One for all or one an event: places in the metadata's lanes; -1 was never known.",
            ),
            _Field(8, "variant", "optional int32", "Its place among the metadata's models; absent: not run."),
            _Field(9, "event_time_ns", "repeated sfixed64", "When they happened."),
            _Field(10, "arrival_ns", "repeated sfixed64", "When they were fetched."),
            _Field(11, "admitted_ns", "repeated sfixed64", "When they were decoded, and waited."),
            _Field(12, "deadline_ns", "repeated sfixed64"),
            _Field(13, "started_ns", "optional sfixed64", "When their run began."),
            _Field(14, "decided_ns", "optional sfixed64", "When their run had ended."),
            _Field(15, "handed_ns", "optional sfixed64", "When their records were handed to the producer."),
            _Field(
                16,
                "acknowledged_ns",
                "sfixed64",
                "When the broker had them; when it was settled, where nothing was sent.",
            ),
        ),
    ),
    _Message(
        "Schedule",
        "What the scheduler was told and did, to do it again. Channel schedule.",
        (
            _Field(1, "version", "uint32", "Of the data's format."),
            _Field(2, "data", "bytes"),
        ),
    ),
    _Message(
        "TablePart",
        "Says that rows are a part of all that a table holds.",
        (
            _Field(1, "first", "uint64", "The place of the first of them; 0 begins the table anew."),
            _Field(2, "total", "uint64", "How many there are in all parts."),
        ),
    ),
    _Message(
        "TableRows",
        "What a lookup's table holds, or how it changed. Channels tables/NAME; log_time: what arrives later sees it.\n"
        "Each file begins with all that the table holds, if anything was known of it by then.",
        (
            _Field(1, "topic", "string", "Where it comes from."),
            _Field(2, "field", "repeated string", "What the numbers are."),
            _Field(3, "keys_max", "uint64", "How many keys it holds; of more, those that were put there first go."),
            _Field(4, "key", "repeated string", "Put there, or taken out, one after the other."),
            _Field(5, "gone", "bytes", "One byte a key, 1 where it is taken out; empty where none is."),
            _Field(6, "number", "repeated double", "For each key as many as there are fields; 0 for one that is taken out."),
            _Field(7, "partition", "repeated int32", "Partitions of the topic,"),
            _Field(8, "position", "repeated int64", "and behind which record of each the table is then."),
            _Field(9, "part", "optional TablePart", "Absent for a change."),
        ),
    ),
    _Message(
        "Gap",
        "Something is missing. Channel gaps; log_time: the gap's end.",
        (
            _Field(1, "start_ns", "sfixed64"),
            _Field(2, "end_ns", "sfixed64"),
            _Field(3, "reason", "string", "queue_full, disk_full, write_failed or recorder_lost."),
            _Field(4, "dropped", "map<string, uint64>", "How many events by kind: records, decisions, outcomes, schedule, tables."),
        ),
    ),
)  # fmt: skip

_SCALARS: Final[Mapping[str, int]] = {
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "sint32": descriptor_pb2.FieldDescriptorProto.TYPE_SINT32,
    "uint32": descriptor_pb2.FieldDescriptorProto.TYPE_UINT32,
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "uint64": descriptor_pb2.FieldDescriptorProto.TYPE_UINT64,
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "sfixed64": descriptor_pb2.FieldDescriptorProto.TYPE_SFIXED64,
}


def proto_text() -> str:
    """The text of ``schemas/capture.proto``."""
    lines = [_HEAD, 'syntax = "proto3";', "", f"package {PACKAGE};", ""]
    lines += ["enum TimestampType {", "  // What a record's timestamp is."]
    lines += [f"  {name} = {number};" for number, name in enumerate(_TIMESTAMP_TYPES)] + ["}"]
    for message in _MESSAGES:
        lines += ["", *(f"// {line}" for line in message.words.split("\n"))]
        lines.append(f"message {message.name} {{")
        for field in message.fields:
            if field.words:
                lines.append(f"  // {field.words}")
            lines.append(f"  {field.kind} {field.name} = {field.number};")
        lines.append("}")
    return "\n".join([*lines, ""])


def message_class(name: str) -> Any:  # noqa: ANN401 - made at run time
    """The class of a message, such as ``KafkaRecord``."""
    return _classes()[f"{PACKAGE}.{name}"]


def schema_name(name: str) -> str:
    """The name of a message's schema in an MCAP file."""
    return f"{PACKAGE}.{name}"


@cache
def descriptor_set() -> bytes:
    """What describes the messages in an MCAP file: a serialised ``FileDescriptorSet``."""
    found: bytes = descriptor_pb2.FileDescriptorSet(file=[_file()]).SerializeToString(
        deterministic=True
    )
    return found


@cache
def _classes() -> Mapping[str, Any]:
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file())
    return message_factory.GetMessageClassesForFiles([FILE], pool)


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name=FILE, package=PACKAGE, syntax="proto3")
    kind = file.enum_type.add(name="TimestampType")
    for number, name in enumerate(_TIMESTAMP_TYPES):
        kind.value.add(name=name, number=number)
    for message in _MESSAGES:
        made = file.message_type.add(name=message.name)
        for field in message.fields:
            _add(made, field)
    return file


def _add(message: descriptor_pb2.DescriptorProto, field: _Field) -> None:
    label, _, kind = field.kind.rpartition(" ")
    described = descriptor_pb2.FieldDescriptorProto
    made = message.field.add(name=field.name, number=field.number)
    repeated = label == "repeated" or kind.endswith(">")
    made.label = described.LABEL_REPEATED if repeated else described.LABEL_OPTIONAL
    if kind.endswith(">"):
        _map_entry(message, made, field)
    elif kind in _SCALARS:
        made.type = _SCALARS[kind]  # type: ignore[assignment]
    else:
        enum = kind == "TimestampType"
        made.type = described.TYPE_ENUM if enum else described.TYPE_MESSAGE
        made.type_name = f".{PACKAGE}.{kind}"
    if label == "optional":
        # proto3 keeps presence in a oneof of one field (docs/implementing_proto3_presence.md of protobuf).
        made.proto3_optional = True
        made.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{field.name}")


def _map_entry(
    message: descriptor_pb2.DescriptorProto,
    made: descriptor_pb2.FieldDescriptorProto,
    field: _Field,
) -> None:
    """``map<string, uint64>``, as protoc writes it: repeated entries of a nested message."""
    described = descriptor_pb2.FieldDescriptorProto
    name = f"{field.name.title()}Entry"
    entry = message.nested_type.add(name=name)
    entry.options.map_entry = True
    entry.field.add(
        name="key", number=1, type=described.TYPE_STRING, label=described.LABEL_OPTIONAL
    )
    entry.field.add(
        name="value", number=2, type=described.TYPE_UINT64, label=described.LABEL_OPTIONAL
    )
    made.type = described.TYPE_MESSAGE
    made.type_name = f".{PACKAGE}.{message.name}.{name}"
