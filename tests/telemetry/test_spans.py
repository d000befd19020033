"""Spans written as bytes are what OTLP's own encoder makes of them."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from streamproc.core import NS_PER_S, VERSION, Outcome, TopicPartition
from streamproc.telemetry import BatchRun, BatchSpan, Committed, Journey, Told
from streamproc.telemetry.sampling import Parent, SpanIds
from streamproc.telemetry.spans import SpanMaker, attribute
from tests.telemetry.passages import MS, NOW_NS, passage
from tests.telemetry.passages import journeys as told_of

RESOURCE = {"service.name": "s", "service.instance.id": 7, "ready": True, "share": 0.5}
MODEL = "full sha256:1"
STAGES = {"decode": 0x9E3779B97F4A7C15, "features": 0xBF58476D1CE4E5B9, "decide": 0x94D049BB133111EB}  # fmt: skip
"""What is mixed into the id of ``process``: the ids stay what they were, whoever joins traces by them."""

instants = st.integers(0, 30).map(lambda ms: NOW_NS + ms * MS)
perhaps = st.one_of(st.just(0), instants)
runs = st.builds(
    BatchRun,
    st.integers(0, 2**40),
    st.integers(1, 4_096),
    st.sampled_from(["full", "deadline"]),
    st.integers(0, 3),
    instants,
    st.tuples(instants, instants),
)
parents = st.builds(Parent, st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8))
ids = st.builds(
    SpanIds,
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=48, max_size=48),
    st.sampled_from([b"", b"12345678"]),
)
journeys = st.builds(
    Journey,
    source=st.builds(TopicPartition, st.sampled_from(["ticks", "überall"]), st.integers(0, 300)),
    offset=st.integers(0, 2**63 - 1) | st.sampled_from([0, 127, 128, 2**14 - 1, 2**14, 2**21]),
    row=st.integers(-1, 1_000),
    key=st.none() | st.binary(max_size=300) | st.text(max_size=200).map(str.encode),
    ids=ids,
    event_time_ns=instants | st.sampled_from([0, 5, NOW_NS - 8 * 24 * 3600 * NS_PER_S]),
    arrival_ns=instants,
    admitted_ns=perhaps,
    deadline_ns=perhaps,
    started_ns=perhaps,
    finished_ns=instants,
    decided_ns=perhaps,
    final_ns=instants,
    outcome=st.sampled_from(Outcome),
    reason=st.sampled_from(["", "expired", "x" * 200]),
    topic=st.sampled_from([None, "decisions", "ticks.dlq"]),
    cause=st.sampled_from(["sampled", "late", "slowest"]),
    timestamp_ns=perhaps | st.just(NOW_NS + 5),
    decoded_ns=perhaps,
    run=st.none() | runs,
    batch=st.none() | parents,
)
committed = st.builds(
    Committed, st.builds(TopicPartition, st.just("ticks"), st.integers(0, 9)), ids, instants, instants
)  # fmt: skip
batches = st.builds(BatchSpan, parents, runs, st.lists(parents, max_size=128).map(tuple))


def by_the_encoder(told: Told) -> Iterator[Span]:
    """The same spans as messages, field by field."""
    if isinstance(told, BatchSpan):
        run = told.run
        span = made("infer batch", told.ids.trace_id, told.ids.span_id, b"", *run.executed_ns)
        said = {"model": MODEL, "batch.size": run.size, "batch.reason": run.reason, "variant_level": run.variant}  # fmt: skip
        span.attributes.extend(attribute(f"streamproc.{name}", value) for name, value in said.items())  # fmt: skip
        for link in told.links:
            span.links.add(trace_id=link.trace_id, span_id=link.span_id)
        yield span
        return
    process, poll, queue, infer, send, commit = (told.ids.spans[at : at + 8] for at in range(0, 48, 8))  # fmt: skip
    if isinstance(told, Committed):
        times = (told.began_ns, told.ended_ns)
        yield operation(told, "commit", "settle", Span.SPAN_KIND_CLIENT, commit, times)
        return
    times = (told.arrival_ns, told.final_ns)
    whole = operation(told, "process", "process", Span.SPAN_KIND_CONSUMER, process, times)
    whole.attributes.extend(own_attributes(told))
    if told.outcome is Outcome.DEAD_LETTER:
        whole.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message=told.reason))
    yield whole
    if 0 <= told.arrival_ns - told.event_time_ns <= 7 * 24 * 3600 * NS_PER_S:
        times = (told.event_time_ns, told.arrival_ns)
        yield operation(told, "poll", "receive", Span.SPAN_KIND_CLIENT, poll, times)
    for name, span_id, began_ns, ended_ns in stages(told, process, queue, infer):
        span = made(name, told.ids.trace_id, span_id, process, began_ns, ended_ns)
        if name == "infer":
            span.attributes.append(attribute("streamproc.model", MODEL))
            if told.run is not None and told.batch is not None:
                span.links.add(trace_id=told.batch.trace_id, span_id=told.batch.span_id)
        yield span
    if told.topic is not None:
        times = (told.decided_ns or told.admitted_ns or told.arrival_ns, told.final_ns)
        goes_on = told.cause == "sampled" and told.decided_ns > 0
        kind = Span.SPAN_KIND_PRODUCER if goes_on else Span.SPAN_KIND_CLIENT
        yield operation(told, "send", "send", kind, send, times)


def stages(
    told: Journey, process: bytes, queue: bytes, infer: bytes
) -> Iterator[tuple[str, bytes, int, int]]:
    mixed = {name: bytes(a ^ b for a, b in zip(process, salt.to_bytes(8, "big"), strict=True)) for name, salt in STAGES.items()}  # fmt: skip
    if told.decoded_ns and told.admitted_ns:
        yield "decode", mixed["decode"], told.arrival_ns, told.decoded_ns
        yield "features", mixed["features"], told.decoded_ns, told.admitted_ns
    if not (told.admitted_ns and told.started_ns):
        return
    yield "queue", queue, told.admitted_ns, told.started_ns
    if told.run is None or told.batch is None:
        yield "infer", infer, told.started_ns, told.finished_ns
        return
    yield "infer", infer, *told.run.executed_ns
    if told.decided_ns:
        yield "decide", mixed["decide"], told.run.executed_ns[1], told.decided_ns


def own_attributes(told: Journey) -> Iterator[KeyValue]:
    said: dict[str, object] = {"messaging.kafka.offset": told.offset, "streamproc.pipeline": "p", "streamproc.outcome": told.outcome.word, "streamproc.trace.cause": told.cause}  # fmt: skip
    if told.reason:
        said["streamproc.reason"] = told.reason
    if told.timestamp_ns not in (0, told.event_time_ns):
        said["streamproc.record_timestamp_ns"] = told.timestamp_ns
    if told.row >= 0:
        said["streamproc.row"] = told.row
    if told.deadline_ns:
        said["streamproc.slack_ms"] = round((told.deadline_ns - told.final_ns) / 1e6, 3)
    if told.key is not None:
        said["messaging.kafka.message.key"] = told.key[:512].decode(errors="replace")[:128]
    if told.outcome is Outcome.DEAD_LETTER:
        said["error.type"] = told.reason
    return (attribute(*item) for item in said.items())


def made(
    name: str, trace_id: bytes, span_id: bytes, parent: bytes, began_ns: int, ended_ns: int
) -> Span:
    return Span(
        name=name,
        kind=Span.SPAN_KIND_INTERNAL,
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=parent,
        start_time_unix_nano=began_ns,
        end_time_unix_nano=max(began_ns, ended_ns),
    )


def operation(
    told: Journey | Committed,
    name: str,
    of_type: str,
    kind: Span.SpanKind.ValueType,
    span_id: bytes,
    times: tuple[int, int],
) -> Span:
    """A span of the broker's conventions."""
    parent = told.ids.parent_span_id if name == "process" else told.ids.spans[:8]
    topic = told.source.topic
    more = {"destination.partition.id": str(told.source.partition), "consumer.group.name": "g"}
    if name == "send":
        assert isinstance(told, Journey)
        topic, more = str(told.topic), {}
    span = made(f"{name} {topic}", told.ids.trace_id, span_id, parent, *times)
    span.kind = kind
    said = {"system": "kafka", "operation.name": name, "operation.type": of_type, "destination.name": topic} | more  # fmt: skip
    span.attributes.extend(attribute(f"messaging.{key}", value) for key, value in said.items())
    return span


def in_order(span: Span) -> Span:
    """Its attributes by name: they are a set."""
    ordered = Span()
    ordered.CopyFrom(span)
    del ordered.attributes[:]
    ordered.attributes.extend(sorted(span.attributes, key=lambda one: one.key))
    return ordered


@given(st.lists(journeys | committed | batches, max_size=4))
def test_a_backend_reads_what_the_encoder_would_have_sent(told: list[Told]) -> None:
    maker = SpanMaker(RESOURCE, pipeline="p", group="g", model=MODEL)
    data = maker.request([maker.spans(one) for one in told])
    request = ExportTraceServiceRequest.FromString(data)
    assert len(request.SerializeToString()) == len(data)  # nothing that a reader passes over
    (of_resource,) = request.resource_spans
    assert {one.key for one in of_resource.resource.attributes} == set(RESOURCE)
    (scope_spans,) = of_resource.scope_spans
    assert (scope_spans.scope.name, scope_spans.scope.version) == ("streamproc", VERSION)
    expected = [in_order(span) for one in told for span in by_the_encoder(one)]
    assert [in_order(span) for span in scope_spans.spans] == expected


@pytest.mark.parametrize("offset", [-1, 2**63, 2**70])
def test_what_is_no_offset_is_refused(offset: int) -> None:
    """Else the whole request would be unreadable."""
    maker = SpanMaker({}, pipeline="p", group="g", model=MODEL)
    (told,) = told_of(passage(), ratio=1.0)
    with pytest.raises(ValueError, match="is no length, offset or row"):
        maker.spans(told._replace(offset=offset))
