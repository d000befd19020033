"""Bytes to columns and back: decoding of events, the wire form of decisions. No I/O."""

from streamproc.codecs.decision import (
    SCHEMA_VERSION,
    DecisionEncoder,
    DecisionModel,
    DecisionRecord,
    decode_decision,
    key_text,
    row_texts,
)
from streamproc.codecs.decoded import Decoded, Decoder
from streamproc.codecs.fields import FieldType
from streamproc.codecs.json import JsonDecoder
from streamproc.codecs.options import JsonCodec

__all__ = [
    "SCHEMA_VERSION",
    "DecisionEncoder",
    "DecisionModel",
    "DecisionRecord",
    "Decoded",
    "Decoder",
    "FieldType",
    "JsonCodec",
    "JsonDecoder",
    "decode_decision",
    "key_text",
    "row_texts",
]
