"""Decisions behind a schema's id, of either language."""

from streamproc.codecs.decision import DecisionRecord
from streamproc.codecs.registry import FRAME_BYTES


def is_framed(value: bytes) -> bool:
    """Whether a value begins as those with a schema's id do; no JSON and no Arrow stream does."""
    return len(value) > FRAME_BYTES and not value[0]


def decode_framed_decision(value: bytes) -> DecisionRecord:
    """Read a decision of Avro or Protobuf.

    Raises:
        ValueError: it is none, or its language's package is not installed.
    """
    try:
        # Behind the id Protobuf says by a zero byte that it is the first message; Avro an id's length, never zero.
        if value[FRAME_BYTES]:
            from streamproc.codecs.avro_decision import decode_avro_decision  # noqa: PLC0415 - an extra

            return decode_avro_decision(value)
        from streamproc.codecs.protobuf_decision import decode_protobuf_decision  # noqa: PLC0415

        return decode_protobuf_decision(value)
    except ImportError as error:
        msg = f"a decision that needs {error.name} to be read"
        raise ValueError(msg) from error
