"""Decisions as Protobuf, behind a schema's id (Confluent's wire format); see ``decision_form``."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from streamproc.codecs.decision import DecisionRecord
from streamproc.codecs.decision_form import DecisionRows, record_of
from streamproc.codecs.outputs import Outputs
from streamproc.codecs.registry import FRAME_BYTES, framed
from streamproc.core import EventBatch, ModelInfo, Outcome, TopicPartition

FIRST_MESSAGE: Final = b"\0"
"""Which message of the schema it is, as the wire format says it: the first."""
_KINDS: Final = descriptor_pb2.FieldDescriptorProto
_FIELDS: Final = {
    "Model": "string variant, string digest",
    "Output": "optional string label, repeated double scores, repeated double values, optional string json",
    "": "string id, int32 schema_version, string pipeline, string outcome, Model model, optional string key, "
    "int64 event_time_ns, int64 deadline_ns, int64 decided_ns, Output output",
}
"""The fields of each message, numbered from 1; they are those of ``decision_form.PROTO``."""


class ProtobufDecisionEncoder:
    """Writes the decisions of one pipeline and one model, each in a record of its own.

    Args:
        pipeline: its name.
        model: what decided.
        schema_id: under which the registry has the schema.
    """

    several = False

    def __init__(self, pipeline: str, model: ModelInfo, schema_id: int) -> None:
        self._rows = DecisionRows(pipeline, model)
        self._schema_id = schema_id

    def encode(
        self,
        *,
        source: TopicPartition,
        outcome: Outcome,
        events: EventBatch,
        decided_ns: int,
        outputs: Outputs,
        traceparent: Mapping[int, bytes],  # noqa: ARG002 - it travels in the records' headers
    ) -> list[bytes]:
        """N values; see ``DecisionEncoder``."""
        message = message_class()
        return [
            framed(self._schema_id, FIRST_MESSAGE + message(**row).SerializeToString())
            for row in self._rows.of(source, outcome, events, decided_ns, outputs)
        ]


def decode_protobuf_decision(value: bytes) -> DecisionRecord:
    """Read a decision; no registry is asked, for there is one schema.

    Raises:
        ValueError: it is none.
    """
    try:
        said = message_class().FromString(value[FRAME_BYTES + len(FIRST_MESSAGE) :])
    except DecodeError as error:
        msg = f"no Protobuf decision: {error}"
        raise ValueError(msg) from error
    row = {field.name: getattr(said, field.name) for field in said.DESCRIPTOR.fields}
    row["key"] = said.key if said.HasField("key") else None
    row["model"] = {"variant": said.model.variant, "digest": said.model.digest}
    output = said.output
    row["output"] = {
        "label": output.label if output.HasField("label") else None,
        "scores": list(output.scores),
        "values": list(output.values),
        "json": output.json if output.HasField("json") else None,
    }
    return record_of(row)


@cache
def message_class() -> Any:  # noqa: ANN401 - protobuf's classes are made at run time
    """The class of ``streamproc.Decision``; it has a pool of its own."""
    file = descriptor_pb2.FileDescriptorProto(
        name="streamproc/decision.proto", package="streamproc", syntax="proto3"
    )
    decision = file.message_type.add(name="Decision")
    for name, fields in _FIELDS.items():
        message = decision.nested_type.add(name=name) if name else decision
        for number, text in enumerate(fields.split(", "), start=1):
            _add(message, number, *text.split())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("streamproc.Decision"))


def _add(message: Any, number: int, *words: str) -> None:  # noqa: ANN401
    *rule, kind, name = words
    repeated = _KINDS.LABEL_REPEATED if rule == ["repeated"] else _KINDS.LABEL_OPTIONAL
    field = message.field.add(name=name, number=number, label=repeated)
    if kind in _FIELDS:
        field.type, field.type_name = _KINDS.TYPE_MESSAGE, f".streamproc.Decision.{kind}"
    else:
        field.type = getattr(_KINDS, f"TYPE_{kind.upper()}")
    if rule == ["optional"]:
        # As protoc writes presence: a union of its own for each, behind all others.
        field.proto3_optional, field.oneof_index = True, len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{name}")
