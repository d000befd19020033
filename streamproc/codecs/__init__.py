"""Bytes to columns and back: decoding of events, the wire form of decisions. No I/O."""

from streamproc.codecs.decision import (
    SCHEMA_VERSION,
    DecisionEncoder,
    DecisionModel,
    DecisionRecord,
    JsonDecisionEncoder,
    decode_decision,
    key_text,
)
from streamproc.codecs.decoded import Decoded, Decoder, RowsRejected
from streamproc.codecs.fields import FieldType
from streamproc.codecs.framed_decision import decode_framed_decision, is_framed
from streamproc.codecs.json import JsonDecoder
from streamproc.codecs.options import (
    ArrowCodec,
    ArrowDecisions,
    AvroCodec,
    AvroDecisions,
    Codec,
    Decisions,
    Field,
    FieldTypes,
    JsonCodec,
    JsonDecisions,
    JsonSchemaCodec,
    ProtobufCodec,
    ProtobufDecisions,
    TensorCodec,
    paths_of,
    types_of,
)
from streamproc.codecs.outputs import Fields, Labelled, Numbers, Objects, Outputs
from streamproc.codecs.registry import RegisteredSchema, Registry, SchemaDecoder, SchemaType, framed
from streamproc.codecs.tensor import TensorDecoder

__all__ = [
    "SCHEMA_VERSION",
    "ArrowCodec",
    "ArrowDecisions",
    "AvroCodec",
    "AvroDecisions",
    "Codec",
    "DecisionEncoder",
    "DecisionModel",
    "DecisionRecord",
    "Decisions",
    "Decoded",
    "Decoder",
    "Field",
    "FieldType",
    "FieldTypes",
    "Fields",
    "JsonCodec",
    "JsonDecisionEncoder",
    "JsonDecisions",
    "JsonDecoder",
    "JsonSchemaCodec",
    "Labelled",
    "Numbers",
    "Objects",
    "Outputs",
    "ProtobufCodec",
    "ProtobufDecisions",
    "RegisteredSchema",
    "Registry",
    "RowsRejected",
    "SchemaDecoder",
    "SchemaType",
    "TensorCodec",
    "TensorDecoder",
    "decode_decision",
    "decode_framed_decision",
    "framed",
    "is_framed",
    "key_text",
    "paths_of",
    "types_of",
]
