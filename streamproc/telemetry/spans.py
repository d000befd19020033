"""From journeys to OTLP spans.

Names and attributes are those of OpenTelemetry's messaging conventions
(https://opentelemetry.io/docs/specs/semconv/messaging/kafka/); what is ours begins with ``streamproc.``.

They are written as bytes (``span_bytes``): that costs a quarter of filling protobuf's messages, and those a tenth of the SDK's
way over ``ReadableSpan``.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from struct import Struct
from types import MappingProxyType
from typing import NamedTuple

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from streamproc.core import NS_PER_MS, NS_PER_S, VERSION, Outcome, TopicPartition
from streamproc.telemetry.journey import BatchSpan, Committed, Journey, Told
from streamproc.telemetry.span_bytes import (
    LINK_SIZE,
    PARENT_SIZE,
    SPAN,
    Write,
    field,
    fraction,
    head,
    link_to,
    number,
    parent_of,
    text,
    times,
    trace_of,
    writer,
)
from streamproc.telemetry.traces import SAMPLED

SCOPE = "streamproc"

SYSTEM = "messaging.system"
OPERATION_NAME = "messaging.operation.name"
OPERATION_TYPE = "messaging.operation.type"
DESTINATION = "messaging.destination.name"
PARTITION = "messaging.destination.partition.id"
GROUP = "messaging.consumer.group.name"
OFFSET = "messaging.kafka.offset"
KEY = "messaging.kafka.message.key"
ERROR_TYPE = "error.type"
PIPELINE = "streamproc.pipeline"
OUTCOME = "streamproc.outcome"
REASON = "streamproc.reason"
ROW = "streamproc.row"
SLACK = "streamproc.slack_ms"
CAUSE = "streamproc.trace.cause"
MODEL = "streamproc.model"
RECORD_TIME = "streamproc.record_timestamp_ns"
BATCH_SIZE = "streamproc.batch.size"
BATCH_REASON = "streamproc.batch.reason"
VARIANT = "streamproc.variant_level"

_KEY_CHARACTERS = 128
_WAIT_MAX_NS = 7 * 24 * 3600 * NS_PER_S
"""What Kafka keeps by default. An event that is older has a wrong time, not a span of fifty years."""

_DECODE, _FEATURES, _DECIDE = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
"""What is mixed into the id of ``process`` for stages that have none in ``SpanIds``: the constants of SplitMix64."""
_SPAN_IDS = Struct("8s8s8s8s8s8s")
_TYPES = {"poll": "receive", "commit": "settle"}
"""The conventions' types of operations, where they differ from the names."""
_SCOPE_SPANS_SCOPE = 1
_RESOURCE_SPANS_RESOURCE, _RESOURCE_SPANS_SCOPE_SPANS = 1, 2
_REQUEST_RESOURCE_SPANS = 1

_offset, _row, _record_time = number(OFFSET), number(ROW), number(RECORD_TIME)
_slack, _key = fraction(SLACK), text(KEY)
_batch_size, _variant, _batch_reason = number(BATCH_SIZE), number(VARIANT), text(BATCH_REASON)


class _Way(NamedTuple):
    """What the spans of one partition's events have in common."""

    process: bytes
    poll: Write
    commit: Write
    send: Write
    send_alone: Write


class SpanMaker:
    """Makes the spans of one pipeline.

    Args:
        resource: the process's attributes, such as ``service.name``.
        pipeline: the pipeline's name.
        group: its consumer group.
        model: the model's variant and digest, as ``full sha256:...``.
    """

    def __init__(
        self, resource: Mapping[str, object], *, pipeline: str, group: str, model: str
    ) -> None:
        attributes = [attribute(name, value) for name, value in resource.items()]
        described = Resource(attributes=attributes).SerializeToString()
        self._resource = field(_RESOURCE_SPANS_RESOURCE, described)
        scope = InstrumentationScope(name=SCOPE, version=VERSION).SerializeToString()
        self._scope = field(_SCOPE_SPANS_SCOPE, scope)
        self._pipeline = pipeline
        self._group = group
        self._way = lru_cache(maxsize=1024)(self._make_way)
        decode, features, queue, decide = map(_internal, ("decode", "features", "queue", "decide"))
        self._decode, self._features = writer(decode, PARENT_SIZE), writer(features, PARENT_SIZE)
        self._queue, self._decide = writer(queue, PARENT_SIZE), writer(decide, PARENT_SIZE)
        infer = _internal("infer", {MODEL: model})
        self._infer = writer(infer, PARENT_SIZE)
        self._infer_linked = writer(infer, PARENT_SIZE + LINK_SIZE)
        self._batch = _internal("infer batch", {MODEL: model})

    def request(self, spans: Iterable[bytes]) -> bytes:
        """An ``ExportTraceServiceRequest`` of what ``spans`` gave."""
        parts = [self._scope, *spans]
        scope_spans = head(_RESOURCE_SPANS_SCOPE_SPANS, size := sum(map(len, parts)))
        size += len(self._resource) + len(scope_spans)
        resource_spans = head(_REQUEST_RESOURCE_SPANS, size)
        return b"".join((resource_spans, self._resource, scope_spans, *parts))

    def spans(self, told: Told) -> bytes:
        """The spans of what was told: of a journey ``process`` from the fetch to the outcome, and what was within and before.

        Returns:
            them as fields of a ``ScopeSpans``.
        """
        match told:
            case Journey():
                return self._journey(told)
            case Committed(source=source, ids=ids, began_ns=began_ns, ended_ns=ended_ns):
                trace, parent = trace_of(ids.trace_id), parent_of(ids.process)
                way = self._way(source, None)
                return way.commit(trace, ids.commit, parent, began_ns, ended_ns)
            case BatchSpan():
                return self._run(told)

    def _run(self, batch: BatchSpan) -> bytes:
        ids, run, links = batch
        parts = (
            trace_of(ids.trace_id),
            ids.span_id,
            self._batch,
            *(link_to(*link) for link in links),
            _batch_size(run.size),
            _variant(run.variant),
            _batch_reason(run.reason.encode()),
            times(*run.executed_ns),
        )
        return field(SPAN, b"".join(parts))

    def _journey(self, journey: Journey) -> bytes:
        """All of its spans; of the way within ``process`` those that are known."""
        ids, run, batch = journey.ids, journey.run, journey.batch
        process_id, poll_id, queue_id, infer_id, send_id, _ = _SPAN_IDS.unpack(ids.spans)
        trace, parent = trace_of(ids.trace_id), parent_of(process_id)
        arrival_ns, admitted_ns = journey.arrival_ns, journey.admitted_ns
        decoded_ns, started_ns = journey.decoded_ns, journey.started_ns
        way = self._way(journey.source, journey.topic)
        made = [_process(journey, trace, process_id, way.process)]
        if 0 <= arrival_ns - journey.event_time_ns <= _WAIT_MAX_NS:
            made.append(way.poll(trace, poll_id, parent, journey.event_time_ns, arrival_ns))
        seed = int.from_bytes(process_id, "big")
        if decoded_ns and admitted_ns:
            decode_id, features_id = _mixed(seed, _DECODE), _mixed(seed, _FEATURES)
            made.append(self._decode(trace, decode_id, parent, arrival_ns, decoded_ns))
            made.append(self._features(trace, features_id, parent, decoded_ns, admitted_ns))
        if admitted_ns and started_ns:
            made.append(self._queue(trace, queue_id, parent, admitted_ns, started_ns))
            if run is None or batch is None:
                made.append(self._infer(trace, infer_id, parent, started_ns, journey.finished_ns))
            else:
                linked = parent + link_to(*batch)
                made.append(self._infer_linked(trace, infer_id, linked, *run.executed_ns))
                if journey.decided_ns:
                    decide_id, ended_ns = _mixed(seed, _DECIDE), run.executed_ns[1]
                    made.append(self._decide(trace, decide_id, parent, ended_ns, journey.decided_ns))  # fmt: skip
        if journey.topic is not None:
            began_ns = journey.decided_ns or admitted_ns or arrival_ns
            send = way.send if _carried_on(journey) else way.send_alone
            made.append(send(trace, send_id, parent, began_ns, journey.final_ns))
        return b"".join(made)

    def _make_way(self, source: TopicPartition, sink: str | None) -> _Way:
        consumed = {PARTITION: str(source.partition), GROUP: self._group}
        process = consumed | {PIPELINE: self._pipeline}
        return _Way(
            _operation("process", Span.SPAN_KIND_CONSUMER, source.topic, process),
            *(
                writer(_operation(name, kind, topic, more), PARENT_SIZE)
                for name, kind, topic, more in (
                    ("poll", Span.SPAN_KIND_CLIENT, source.topic, consumed),
                    ("commit", Span.SPAN_KIND_CLIENT, source.topic, consumed),
                    # What is sent without the context of its span is a mere call of the broker.
                    ("send", Span.SPAN_KIND_PRODUCER, sink or "", {}),
                    ("send", Span.SPAN_KIND_CLIENT, sink or "", {}),
                )
            ),
        )


def _internal(name: str, attributes: Mapping[str, object] = MappingProxyType({})) -> bytes:
    """What all spans of a stage have in common."""
    made = [attribute(*item) for item in attributes.items()]
    return Span(name=name, kind=Span.SPAN_KIND_INTERNAL, attributes=made).SerializeToString()


def _operation(
    name: str, kind: Span.SpanKind.ValueType, topic: str, more: Mapping[str, object]
) -> bytes:
    """What all spans of an operation on a topic have in common; the kinds are the conventions'."""
    attributes = {
        SYSTEM: "kafka",
        OPERATION_NAME: name,
        OPERATION_TYPE: _TYPES.get(name, name),
        DESTINATION: topic,
        **more,
    }
    made = [attribute(*item) for item in attributes.items()]
    return Span(name=f"{name} {topic}", kind=kind, attributes=made).SerializeToString()


def _mixed(seed: int, salt: int) -> bytes:
    """The id of a stage's span, of that of ``process``."""
    return (seed ^ salt).to_bytes(8, "big")


def _process(journey: Journey, trace: bytes, process_id: bytes, common: bytes) -> bytes:
    """The span of the whole way, with what is this event's own."""
    parts = [
        trace,
        process_id,
        common,
        _ended(journey.outcome, journey.reason, journey.cause),
        _offset(journey.offset),
        times(journey.arrival_ns, journey.final_ns),
    ]
    if journey.ids.parent_span_id:
        parts.append(parent_of(journey.ids.parent_span_id))
    if journey.timestamp_ns not in (0, journey.event_time_ns):
        parts.append(_record_time(journey.timestamp_ns))
    if journey.row >= 0:
        parts.append(_row(journey.row))
    if journey.deadline_ns:
        slack_ns = journey.deadline_ns - journey.final_ns
        parts.append(_slack(round(1_000 * slack_ns / NS_PER_MS) / 1_000))
    key = journey.key
    if key is not None:
        if len(key) > _KEY_CHARACTERS or not key.isascii():
            key = key[: 4 * _KEY_CHARACTERS].decode(errors="replace")[:_KEY_CHARACTERS].encode()
        parts.append(_key(key))
    return field(SPAN, b"".join(parts))


@lru_cache(maxsize=1_024)
def _ended(outcome: Outcome, reason: str, cause: str) -> bytes:
    """What became of it, as attributes and, where that is an error, its status."""
    said = {OUTCOME: outcome.word, CAUSE: cause}
    if reason:
        said[REASON] = reason
    status = None
    if outcome is Outcome.DEAD_LETTER:
        said[ERROR_TYPE] = reason
        status = Status(code=Status.STATUS_CODE_ERROR, message=reason)
    attributes = [attribute(*item) for item in said.items()]
    return Span(attributes=attributes, status=status).SerializeToString()


def _carried_on(journey: Journey) -> bool:
    """Whether the record that was sent has our context: a decision whose trace was chosen before."""
    return journey.cause == SAMPLED and journey.decided_ns > 0


def attribute(name: str, value: object) -> KeyValue:
    """An attribute; what is no number or truth is text."""
    made = KeyValue(key=name)
    if isinstance(value, bool):
        made.value.bool_value = value
    elif isinstance(value, int):
        made.value.int_value = value
    elif isinstance(value, float):
        made.value.double_value = value
    else:
        made.value.string_value = str(value)
    return made
