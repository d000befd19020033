"""From journeys to OTLP spans.

Names and attributes are those of OpenTelemetry's messaging conventions
(https://opentelemetry.io/docs/specs/semconv/messaging/kafka/); what is ours begins with ``streamproc.``.

Spans are written as bytes: what all of a kind share is serialized once, and its ids and instants are put beside it
(https://protobuf.dev/programming-guides/encoding/: fields come in any order, and messages that are joined are
merged). A journey costs 12 us so, half of what it costs to fill protobuf's messages; the SDK's way over
``ReadableSpan`` costs ten times those.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from struct import Struct

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from streamproc.core import NS_PER_MS, NS_PER_S, VERSION, Outcome
from streamproc.telemetry.journey import BatchSpan, Committed, Journey, Told
from streamproc.telemetry.sampling import Parent
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

_KINDS = {
    "process": Span.SPAN_KIND_CONSUMER,
    "poll": Span.SPAN_KIND_CLIENT,
    "commit": Span.SPAN_KIND_CLIENT,
    "send": Span.SPAN_KIND_PRODUCER,
    "send alone": Span.SPAN_KIND_CLIENT,
}
"""The conventions' kinds: what is sent without the context of its span is a mere call of the broker."""

_TRACE_ID, _SPAN_ID, _PARENT_SPAN_ID = b"\x0a\x10", b"\x12\x08", b"\x22\x08"
"""Of a ``Span``: fields 1, 2 and 4, bytes, and how many there are of each."""
_TIMES = Struct("<BQBQ")
_START, _END = 7 << 3 | 1, 8 << 3 | 1
"""Its fields 7 and 8, of fixed 64 bits."""
_SPAN_ATTRIBUTES, _SPAN_LINKS, _SPAN_STATUS = 9, 13, 15
_DECODE, _FEATURES, _DECIDE = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
"""What tells stages apart that have no id in ``SpanIds``: the constants of SplitMix64."""
_INTERNAL = frozenset(("decode", "features", "queue", "infer", "decide", "infer batch"))
_TYPES = {"poll": "receive", "commit": "settle"}
"""The conventions' types of operations, where they differ from the names."""
_SCOPE_SPANS_SCOPE, _SCOPE_SPANS_SPANS = 1, 2
_RESOURCE_SPANS_RESOURCE, _RESOURCE_SPANS_SCOPE_SPANS = 1, 2
_REQUEST_RESOURCE_SPANS = 1

_KEY_VALUE_KEY, _KEY_VALUE_VALUE = 1, 2
_ANY_INT = 3 << 3 | 0
_ANY_DOUBLE, _ANY_DOUBLE_TAG = Struct("<Bd"), 4 << 3 | 1


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
        self._resource = _field(_RESOURCE_SPANS_RESOURCE, described)
        scope = InstrumentationScope(name=SCOPE, version=VERSION).SerializeToString()
        self._scope = _field(_SCOPE_SPANS_SCOPE, scope)
        self._pipeline = pipeline
        self._group = group
        self._model = model
        self._template = lru_cache(maxsize=1024)(self._make_template)

    def request(self, spans: Iterable[bytes]) -> bytes:
        """An ``ExportTraceServiceRequest`` of what ``spans`` gave."""
        scope_spans = b"".join((self._scope, *spans))
        resource_spans = self._resource + _field(_RESOURCE_SPANS_SCOPE_SPANS, scope_spans)
        return _field(_REQUEST_RESOURCE_SPANS, resource_spans)

    def spans(self, told: Told) -> bytes:
        """The spans of what was told: of a journey ``process`` from the fetch to the outcome, and what was within and before.

        Returns:
            them as fields of a ``ScopeSpans``.
        """
        match told:
            case Journey():
                return self._journey(told)
            case BatchSpan(ids=ids, run=run, links=links):
                described = b"".join(
                    (
                        self._template("infer batch", "", 0),
                        *map(_link, links),
                        _number(BATCH_SIZE, run.size),
                        _number(VARIANT, run.variant),
                        _text(BATCH_REASON, run.reason),
                    )
                )
                trace = _TRACE_ID + ids.trace_id + _SPAN_ID
                return _span(trace, ids.span_id, described, *run.executed_ns)
            case Committed(source=source, ids=span_ids, began_ns=began_ns, ended_ns=ended_ns):
                parent = _PARENT_SPAN_ID + span_ids.process
                described = parent + self._template("commit", *source)
                trace = _TRACE_ID + span_ids.trace_id + _SPAN_ID
                return _span(trace, span_ids.commit, described, began_ns, ended_ns)

    def _journey(self, journey: Journey) -> bytes:
        ids, topic, partition = journey.ids, *journey.source
        trace = _TRACE_ID + ids.trace_id + _SPAN_ID
        parent = _PARENT_SPAN_ID + journey.parent_span_id if journey.parent_span_id else b""
        arrival_ns, final_ns = journey.arrival_ns, journey.final_ns
        described = parent + self._template("process", topic, partition) + _description(journey)
        made = [_span(trace, ids.process, described, arrival_ns, final_ns)]
        parent = _PARENT_SPAN_ID + ids.process
        if 0 <= arrival_ns - journey.event_time_ns <= _WAIT_MAX_NS:
            described = parent + self._template("poll", topic, partition)
            made.append(_span(trace, ids.poll, described, journey.event_time_ns, arrival_ns))
        made += [
            _span(trace, span_id, parent + self._template(kind, "", 0) + more, began_ns, ended_ns)
            for kind, span_id, more, began_ns, ended_ns in _stages(journey)
        ]
        if journey.topic is not None:
            began_ns = journey.decided_ns or journey.admitted_ns or arrival_ns
            kind = "send" if _carried_on(journey) else "send alone"
            described = parent + self._template(kind, journey.topic, partition)
            made.append(_span(trace, ids.send, described, began_ns, final_ns))
        return b"".join(made)

    def _make_template(self, kind: str, topic: str, partition: int) -> bytes:
        """What all spans of a kind have in common."""
        if kind in _INTERNAL:
            model = {MODEL: self._model} if kind.startswith("infer") else {}
            return Span(
                name=kind,
                kind=Span.SPAN_KIND_INTERNAL,
                attributes=[attribute(*item) for item in model.items()],
            ).SerializeToString()
        operation = kind.removesuffix(" alone")
        attributes: dict[str, object] = {
            SYSTEM: "kafka",
            OPERATION_NAME: operation,
            OPERATION_TYPE: _TYPES.get(operation, operation),
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
        ).SerializeToString()


def _stages(journey: Journey) -> Iterator[tuple[str, bytes, bytes, int, int]]:
    """What is known of the way within ``process``: name, span id, further fields, begin and end."""
    ids, run = journey.ids, journey.run
    if journey.decoded_ns and journey.admitted_ns:
        decoded_ns = journey.decoded_ns
        yield "decode", ids.stage(_DECODE), b"", journey.arrival_ns, decoded_ns
        yield "features", ids.stage(_FEATURES), b"", decoded_ns, journey.admitted_ns
    if not (journey.admitted_ns and journey.started_ns):
        return
    yield "queue", ids.queue, b"", journey.admitted_ns, journey.started_ns
    if run is None or journey.batch is None:
        yield "infer", ids.infer, b"", journey.started_ns, journey.finished_ns
        return
    yield "infer", ids.infer, _link(journey.batch), *run.executed_ns
    if journey.decided_ns:
        yield "decide", ids.stage(_DECIDE), b"", run.executed_ns[1], journey.decided_ns


def _carried_on(journey: Journey) -> bool:
    """Whether the record that was sent has our context: a decision whose trace was chosen before."""
    return journey.cause == SAMPLED and journey.decided_ns > 0


def _field(number: int, data: bytes) -> bytes:
    """A field of bytes: its tag, the length, the bytes."""
    return _head(number, len(data)) + data


@lru_cache(maxsize=4_096)
def _head(number: int, length: int) -> bytes:
    return bytes((number << 3 | 2, *_varint(length)))


def _link(span: Parent) -> bytes:
    """A link to a span of another trace."""
    return _field(_SPAN_LINKS, _TRACE_ID + span.trace_id + _SPAN_ID + span.span_id)


def _number(name: str, value: int) -> bytes:
    """An attribute that is a whole number, as a field of a ``Span``."""
    said = bytes((_ANY_INT, *_varint(value)))
    return _field(_SPAN_ATTRIBUTES, _key(name) + _field(_KEY_VALUE_VALUE, said))


@lru_cache(maxsize=64)
def _key(name: str) -> bytes:
    return _field(_KEY_VALUE_KEY, name.encode())


def _varint(number: int) -> list[int]:
    """A number in seven bits a byte, the lowest first; the highest bit says that another byte follows.

    Raises:
        ValueError: it is no int64, or negative: no reader would take the request that it stands in.
    """
    if not 0 <= number < 1 << 63:
        msg = f"{number} is no length, offset or row"
        raise ValueError(msg)
    found = []
    while number > 0x7F:  # noqa: PLR2004
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return found


_SLACK_HEAD = _field(
    _SPAN_ATTRIBUTES,
    _field(_KEY_VALUE_KEY, SLACK.encode()) + _field(_KEY_VALUE_VALUE, bytes(_ANY_DOUBLE.size)),
)[: -_ANY_DOUBLE.size]


def _span(trace: bytes, span_id: bytes, described: bytes, began_ns: int, ended_ns: int) -> bytes:
    times = _TIMES.pack(_START, began_ns, _END, max(began_ns, ended_ns))
    return _field(_SCOPE_SPANS_SPANS, b"".join((trace, span_id, described, times)))


def _description(journey: Journey) -> bytes:
    """The attributes of ``process`` that are this event's own, and its status."""
    outcome = journey.outcome.word
    found = [
        _number(OFFSET, journey.offset),
        _text(OUTCOME, outcome),
        _text(CAUSE, journey.cause),
    ]
    if journey.reason:
        found.append(_text(REASON, journey.reason))
    if journey.timestamp_ns not in (0, journey.event_time_ns):
        found.append(_number(RECORD_TIME, journey.timestamp_ns))
    if journey.row >= 0:
        found.append(_attribute(ROW, journey.row))
    if journey.deadline_ns:
        slack_ns = journey.deadline_ns - journey.final_ns
        slack = _ANY_DOUBLE.pack(_ANY_DOUBLE_TAG, round(slack_ns / NS_PER_MS, 3))
        found.append(_SLACK_HEAD + slack)
    if journey.key is not None:
        key = journey.key[: 4 * _KEY_CHARACTERS].decode(errors="replace")[:_KEY_CHARACTERS]
        found.append(_text(KEY, key))
    if journey.outcome is Outcome.DEAD_LETTER:
        status = Status(code=Status.STATUS_CODE_ERROR, message=journey.reason)
        found.append(_field(_SPAN_STATUS, status.SerializeToString()))
        found.append(_text(ERROR_TYPE, journey.reason))
    return b"".join(found)


def _attribute(name: str, value: object) -> bytes:
    """An attribute as a field of a ``Span``."""
    return _field(_SPAN_ATTRIBUTES, attribute(name, value).SerializeToString())


@lru_cache(maxsize=4_096)
def _text(name: str, value: str) -> bytes:
    """An attribute of a text that comes again, as a field of a ``Span``."""
    return _attribute(name, value)


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
