"""The wire form of a decision: JSON, schema version 1 (``schemas/decision.schema.json``).

A decision is written by joining texts: what all decisions of a batch share is made once, whole columns of
numbers become text in one call, and nothing is made for one event alone but the joined bytes. That is 0.6
us a decision where encoding an object each takes 1.3.
"""

import base64
from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import Protocol

import msgspec
import orjson

from streamproc.codecs.outputs import Outputs
from streamproc.codecs.pieces import count_texts, joined, number_texts, run_starts, spread
from streamproc.core import EventBatch, ModelInfo, ObjectArray, Outcome, TopicPartition

SCHEMA_VERSION = 1
_KEYS_MAX = 65_536
"""Keys whose text is remembered; when there are more, all are forgotten."""
_KEYS_BYTES_MAX = 16 << 20
"""Of those keys, likewise."""


class DecisionModel(msgspec.Struct, frozen=True):
    """The variant and digest of the model that decided."""

    variant: str
    digest: str


class DecisionRecord(msgspec.Struct, frozen=True):
    """A decision as it is read back.

    Attributes:
        id: ``topic/partition/offset`` of the record it answers, ``/row`` behind it where that held several
            events; a repeat has the same.
        schema_version: of this form.
        pipeline: the pipeline's name.
        outcome: ``on_time``, ``degraded`` or ``late``, as known when it was handed to the producer.
        model: what decided.
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
    model: DecisionModel
    key: str | None
    event_time_ns: int
    deadline_ns: int
    decided_ns: int
    output: object


def decode_decision(value: bytes) -> DecisionRecord:
    """Read a decision.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return _DECODER.decode(value)


_DECODER = msgspec.json.Decoder(DecisionRecord)


class DecisionEncoder(Protocol):
    """Writes decisions.

    Attributes:
        several: True where one record holds many decisions.
    """

    several: bool

    def encode(
        self,
        *,
        source: TopicPartition,
        outcome: Outcome,
        events: EventBatch,
        decided_ns: int,
        outputs: Outputs,
        traceparent: Mapping[int, bytes],
    ) -> list[bytes]:
        """The values of records with decisions about events of one partition that end alike.

        Args:
            source: the partition.
            outcome: what all of them are.
            events: n of them.
            decided_ns: when they were decided.
            outputs: n of them.
            traceparent: by row of the events, of those that are traced.

        Returns:
            n values, or one where a record holds several.
        """
        ...


class JsonDecisionEncoder:
    """Writes the decisions of one pipeline and one model as JSON, each in a record of its own.

    Args:
        pipeline: its name.
        model: what decided.
    """

    several = False

    def __init__(self, pipeline: str, model: ModelInfo) -> None:
        name = orjson.dumps(pipeline)
        made_by = orjson.dumps({"variant": model.variant, "digest": model.digest})
        self._heads = {
            outcome: b'","schema_version":%d,"pipeline":%b,"outcome":"%b","model":%b,"key":'
            % (SCHEMA_VERSION, name, outcome.word.encode(), made_by)
            for outcome in Outcome
        }
        self._keys: dict[bytes | None, bytes] = {}
        self._keys_bytes = 0

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
        pieces = [
            *_ids(source, events),
            repeat(self._heads[outcome]),
            self._key_texts(events.key),
            *_times(events),
            *outputs.json_pieces(b',"decided_ns":%d,"output":' % decided_ns, b"}"),
        ]
        return joined(pieces, len(events))

    def _key_texts(self, keys: ObjectArray) -> list[bytes]:
        """The keys as JSON, and what stands between them and the event times."""
        known = self._keys
        listed = keys.tolist()
        try:
            return list(map(known.__getitem__, listed))
        except KeyError:
            if len(known) > _KEYS_MAX or self._keys_bytes > _KEYS_BYTES_MAX:
                known.clear()
                self._keys_bytes = 0
            for key in set(listed) - known.keys():
                known[key] = orjson.dumps(key_text(key)) + b',"event_time_ns":'
                self._keys_bytes += 2 * len(known[key])
            return list(map(known.__getitem__, listed))


def _ids(source: TopicPartition, events: EventBatch) -> list[Iterable[bytes]]:
    """The first pieces of the decisions: up to the end of their ids."""
    start = b'{"id":"%b/%d/' % (source.topic.encode(), source.partition)
    if events.row is None:
        return [repeat(start), number_texts(events.offset)]
    rows = count_texts(events.row)
    starts = run_starts(events.offset)
    if starts is None:
        return [repeat(start), number_texts(events.offset), repeat(b"/"), rows]
    records = [b"%b%d/" % (start, offset) for offset in events.offset[starts].tolist()]
    return [spread(records, starts, len(events)), rows]


def _times(events: EventBatch) -> list[Iterable[bytes]]:
    """The pieces from the event time to the deadline."""
    event_time_ns, deadline_ns = events.event_time_ns, events.deadline_ns
    starts = run_starts(event_time_ns, deadline_ns)
    if starts is None:  # not even those of one millisecond, or of one record
        return [number_texts(event_time_ns), repeat(b',"deadline_ns":'), number_texts(deadline_ns)]
    firsts = zip(event_time_ns[starts].tolist(), deadline_ns[starts].tolist(), strict=True)
    texts = [b'%d,"deadline_ns":%d' % pair for pair in firsts]
    return [spread(texts, starts, len(events))]


def key_text(key: bytes | None) -> str | None:
    """A key as text: UTF-8, or ``base64:`` and the bytes where it is none."""
    if key is None:
        return None
    try:
        return key.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(key).decode()
