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
from streamproc.codecs.json import JsonDecoder
from streamproc.codecs.options import (
    TOPIC_FIELD,
    ArrowCodec,
    ArrowDecisions,
    AvroCodec,
    Codec,
    Decisions,
    Field,
    FieldTypes,
    JsonCodec,
    JsonDecisions,
    JsonSchemaCodec,
    OneCodec,
    ProtobufCodec,
    TensorCodec,
    TopicCodecs,
    paths_of,
    types_of,
)
from streamproc.codecs.outputs import Fields, Labelled, Numbers, Objects, Outputs
from streamproc.codecs.registry import RegisteredSchema, Registry, SchemaDecoder, SchemaType, framed
from streamproc.codecs.tensor import TensorDecoder
from streamproc.codecs.topics import Decoders, TopicDecoders, decoder_of

__all__ = [
    "SCHEMA_VERSION",
    "TOPIC_FIELD",
    "ArrowCodec",
    "ArrowDecisions",
    "AvroCodec",
    "Codec",
    "DecisionEncoder",
    "DecisionModel",
    "DecisionRecord",
    "Decisions",
    "Decoded",
    "Decoder",
    "Decoders",
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
    "OneCodec",
    "Outputs",
    "ProtobufCodec",
    "RegisteredSchema",
    "Registry",
    "RowsRejected",
    "SchemaDecoder",
    "SchemaType",
    "TensorCodec",
    "TensorDecoder",
    "TopicCodecs",
    "TopicDecoders",
    "decode_decision",
    "decoder_of",
    "framed",
    "key_text",
    "paths_of",
    "types_of",
]
