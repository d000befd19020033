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
    ArrowCodec,
    ArrowDecisions,
    Codec,
    Decisions,
    JsonCodec,
    JsonDecisions,
    TensorCodec,
)
from streamproc.codecs.outputs import Fields, Labelled, Numbers, Objects, Outputs
from streamproc.codecs.tensor import TensorDecoder

__all__ = [
    "SCHEMA_VERSION",
    "ArrowCodec",
    "ArrowDecisions",
    "Codec",
    "DecisionEncoder",
    "DecisionModel",
    "DecisionRecord",
    "Decisions",
    "Decoded",
    "Decoder",
    "FieldType",
    "Fields",
    "JsonCodec",
    "JsonDecisionEncoder",
    "JsonDecisions",
    "JsonDecoder",
    "Labelled",
    "Numbers",
    "Objects",
    "Outputs",
    "RowsRejected",
    "TensorCodec",
    "TensorDecoder",
    "decode_decision",
    "key_text",
]
