"""The wire form of a decision: JSON, schema version 1 (``schemas/decision.schema.json``)."""

import base64
from collections.abc import Sequence

import msgspec

from streamproc.core import Int64Array, ModelInfo, ObjectArray, Outcome

SCHEMA_VERSION = 1


class DecisionRecord(msgspec.Struct, frozen=True):
    """A decision as it is written.

    Attributes:
        id: ``topic/partition/offset`` of the record it answers; a repeat has the same.
        schema_version: of this form.
        pipeline: the pipeline's name.
        outcome: ``on_time``, ``degraded`` or ``late``, as known when it was handed to the producer.
        model: the variant and digest of the model.
        key: the event's key as text; ``base64:`` and its bytes where they are no UTF-8.
        event_time_ns: when the event happened.
        deadline_ns: when the decision had to be with the broker.
        decided_ns: when it was made.
        output: what was decided.
    """

    id: str
    schema_version: int
    pipeline: str
    outcome: str
    model: msgspec.Raw
    key: str | None
    event_time_ns: int
    deadline_ns: int
    decided_ns: int
    output: object


class DecisionEncoder:
    """Encodes the decisions of one pipeline and one model.

    Args:
        pipeline: its name.
        model: what decided.
    """

    def __init__(self, pipeline: str, model: ModelInfo) -> None:
        self._pipeline = pipeline
        self._encoder = msgspec.json.Encoder()
        self._model = msgspec.Raw(
            self._encoder.encode({"variant": model.variant, "digest": model.digest})
        )

    def encode(
        self,
        *,
        prefix: str,
        outcome: Outcome,
        offset: Int64Array,
        key: ObjectArray,
        event_time_ns: Int64Array,
        deadline_ns: Int64Array,
        decided_ns: int,
        output: Sequence[object],
    ) -> list[bytes]:
        """The values of decisions about events of one partition that end alike.

        Args:
            prefix: ``topic/partition/``.
            outcome: what all of them are.
            offset: int64 [n].
            key: object [n], bytes or None.
            event_time_ns: int64 [n].
            deadline_ns: int64 [n].
            decided_ns: when they were decided.
            output: n objects that JSON can hold.

        Raises:
            TypeError: an output holds what JSON cannot.
        """
        encode, pipeline, word, model = (
            self._encoder.encode,
            self._pipeline,
            outcome.word,
            self._model,
        )
        return [
            encode(
                DecisionRecord(
                    f"{prefix}{o}", SCHEMA_VERSION, pipeline, word, model, k, e, d, decided_ns, out
                )
            )
            for o, k, e, d, out in zip(
                offset.tolist(),
                key_texts(key),
                event_time_ns.tolist(),
                deadline_ns.tolist(),
                output,
                strict=True,
            )
        ]


def key_texts(keys: ObjectArray) -> list[str | None]:
    """Keys as texts: UTF-8, or ``base64:`` and the bytes where they are none."""
    listed = keys.tolist()
    try:
        return [None if key is None else key.decode() for key in listed]
    except UnicodeDecodeError:
        return [_key_text(key) for key in listed]


def _key_text(key: bytes | None) -> str | None:
    if key is None:
        return None
    try:
        return key.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(key).decode()
