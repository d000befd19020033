"""Decisions as Avro, behind a schema's id (Confluent's wire format); see ``decision_form``."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any, Final

import fastavro

from streamproc.codecs.decision import DecisionRecord
from streamproc.codecs.decision_form import AVRO, DecisionRows, record_of
from streamproc.codecs.outputs import Outputs
from streamproc.codecs.registry import FRAME_BYTES, framed
from streamproc.core import EventBatch, ModelInfo, Outcome, TopicPartition

_SCHEMA: Final = fastavro.parse_schema(AVRO)


class AvroDecisionEncoder:
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
        made = []
        for row in self._rows.of(source, outcome, events, decided_ns, outputs):
            body = BytesIO()
            fastavro.schemaless_writer(body, _SCHEMA, row)
            made.append(framed(self._schema_id, body.getvalue()))
        return made


def decode_avro_decision(value: bytes) -> DecisionRecord:
    """Read a decision; no registry is asked, for there is one schema.

    Raises:
        ValueError: it is none.
    """
    body = BytesIO(value)
    body.seek(FRAME_BYTES)
    try:
        row: Any = fastavro.schemaless_reader(body, _SCHEMA, None)
    except (EOFError, IndexError, UnicodeDecodeError, OverflowError, MemoryError) as error:
        msg = f"no Avro decision: {type(error).__name__}"
        raise ValueError(msg) from error
    if body.read(1):
        msg = "no Avro decision: bytes are left over"
        raise ValueError(msg)
    return record_of(row)
