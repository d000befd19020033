"""From journeys to OTLP spans.

Names and attributes are those of OpenTelemetry's messaging conventions
(https://opentelemetry.io/docs/specs/semconv/messaging/kafka/); what is ours begins with ``streamproc.``. The
messages are filled directly: the SDK's way over ``ReadableSpan`` costs ten times as much.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from streamproc.core import NS_PER_MS, NS_PER_S, VERSION, Outcome
from streamproc.telemetry.traces import SAMPLED, Journey

if TYPE_CHECKING:
    from google.protobuf.internal.containers import RepeatedCompositeFieldContainer

    SpanList: TypeAlias = RepeatedCompositeFieldContainer[Span]

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

_KEY_CHARACTERS = 128
_WAIT_MAX_NS = 7 * 24 * 3600 * NS_PER_S
"""What Kafka keeps by default. An event that is older has a wrong time, not a span of fifty years."""


_KINDS = {
    "process": Span.SPAN_KIND_CONSUMER,
    "poll": Span.SPAN_KIND_CLIENT,
    "send": Span.SPAN_KIND_PRODUCER,
    "send alone": Span.SPAN_KIND_CLIENT,
}
"""The conventions' kinds: what is sent without the context of its span is a mere call of the broker."""


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
        self._resource = Resource(attributes=attributes)
        self._pipeline = pipeline
        self._group = group
        self._model = model
        self._template = lru_cache(maxsize=1024)(self._make_template)

    def request(self, journeys: Iterable[Journey]) -> ExportTraceServiceRequest:
        """One request with the spans of these journeys."""
        request = ExportTraceServiceRequest()
        of_resource = request.resource_spans.add(resource=self._resource)
        scope = of_resource.scope_spans.add()
        scope.scope.name, scope.scope.version = SCOPE, VERSION
        for journey in journeys:
            self._add(scope.spans, journey)
        return request

    def _add(self, spans: "SpanList", journey: Journey) -> None:
        """A journey's spans: ``process`` from the fetch to the outcome, and what there was within and before."""
        ids, topic = journey.ids, journey.source.topic
        process = self._span(
            spans, "process", topic, journey, ids.process, journey.arrival_ns, journey.final_ns
        )
        if journey.parent_span_id:
            process.parent_span_id = journey.parent_span_id
        self._describe(process, journey)
        if 0 <= journey.arrival_ns - journey.event_time_ns <= _WAIT_MAX_NS:
            began, ended = journey.event_time_ns, journey.arrival_ns
            self._child(spans, "poll", topic, journey, ids.poll, began, ended)
        if journey.admitted_ns and journey.started_ns:
            began, ended = journey.admitted_ns, journey.started_ns
            self._child(spans, "queue", "", journey, ids.queue, began, ended)
            began, ended = journey.started_ns, journey.finished_ns
            self._child(spans, "infer", "", journey, ids.infer, began, ended)
        if journey.topic is not None:
            began = journey.decided_ns or journey.admitted_ns or journey.arrival_ns
            kind = "send" if _carried_on(journey) else "send alone"
            self._child(spans, kind, journey.topic, journey, ids.send, began, journey.final_ns)

    def _child(
        self,
        spans: "SpanList",
        kind: str,
        topic: str,
        journey: Journey,
        span_id: bytes,
        began_ns: int,
        ended_ns: int,
    ) -> None:
        span = self._span(spans, kind, topic, journey, span_id, began_ns, ended_ns)
        span.parent_span_id = journey.ids.process

    def _span(
        self,
        spans: "SpanList",
        kind: str,
        topic: str,
        journey: Journey,
        span_id: bytes,
        began_ns: int,
        ended_ns: int,
    ) -> Span:
        span = spans.add()
        span.CopyFrom(self._template(kind, topic, journey.source.partition))
        span.trace_id = journey.ids.trace_id
        span.span_id = span_id
        span.start_time_unix_nano = began_ns
        span.end_time_unix_nano = max(began_ns, ended_ns)
        return span

    def _describe(self, span: Span, journey: Journey) -> None:
        add = span.attributes.append
        add(attribute(OFFSET, journey.offset))
        add(attribute(OUTCOME, journey.outcome.word))
        add(attribute(CAUSE, journey.cause))
        if journey.reason:
            add(attribute(REASON, journey.reason))
        if journey.row >= 0:
            add(attribute(ROW, journey.row))
        if journey.deadline_ns:
            slack_ns = journey.deadline_ns - journey.final_ns
            add(attribute(SLACK, round(slack_ns / NS_PER_MS, 3)))
        if journey.key is not None:
            key = journey.key.decode(errors="replace")[:_KEY_CHARACTERS]
            add(attribute(KEY, key))
        if journey.outcome is Outcome.DEAD_LETTER:
            span.status.code = Status.STATUS_CODE_ERROR
            span.status.message = journey.reason
            add(attribute(ERROR_TYPE, journey.reason))

    def _make_template(self, kind: str, topic: str, partition: int) -> Span:
        """What all spans of a kind have in common."""
        if kind in ("queue", "infer"):
            model = {MODEL: self._model} if kind == "infer" else {}
            return Span(
                name=kind,
                kind=Span.SPAN_KIND_INTERNAL,
                attributes=[attribute(*item) for item in model.items()],
            )
        operation = kind.removesuffix(" alone")
        attributes: dict[str, object] = {
            SYSTEM: "kafka",
            OPERATION_NAME: operation,
            OPERATION_TYPE: "receive" if kind == "poll" else operation,
            DESTINATION: topic,
        }
        if operation != "send":
            attributes |= {PARTITION: str(partition), GROUP: self._group}
        if kind == "process":
            attributes[PIPELINE] = self._pipeline
        return Span(
            name=f"{operation} {topic}",
            kind=_KINDS[kind],
            attributes=[attribute(*item) for item in attributes.items()],
        )


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
