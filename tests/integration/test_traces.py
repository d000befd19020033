"""One trace from the producer over the pipeline to who reads the decisions; and a collector that is no help."""

from __future__ import annotations

import socket
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from streamproc.core import NS_PER_S
from streamproc.telemetry.traces import ALWAYS_PER_S
from tests.integration.pipelines import (
    TICK,
    Command,
    InThread,
    assert_adds_up,
    headers,
    report,
    set_up,
    write_config,
)
from tests.support import free_port, wait_until
from tests.support.kafka import Record, committed, create_topics, end_offsets, fill, read
from tests.support.otel_collector import OtelCollector, collector_program
from tests.support.otlp import OtlpReceiver, attributes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from streamproc.engine.settled import Settled
    from streamproc.telemetry import BatchRun
    from tests.support.kafka import KafkaBroker, Message

EVENTS = 4
STAGES = ("decode", "features", "queue", "infer", "decide")
STATE = "vendor=1"
CONTEXT = TraceContextTextMapPropagator()


@pytest.fixture(params=["receiver", "collector"])
def backend(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[OtlpReceiver | OtelCollector]:
    """What takes the spans: a receiver in this process, and the real collector where it is installed."""
    if request.param == "receiver":
        with OtlpReceiver() as receiver:
            yield receiver
        return
    program = collector_program()
    if program is None:
        pytest.skip("OTELCOL names no OpenTelemetry Collector: see docs/tracing.md")
    with OtelCollector(program, tmp_path) as collector:
        yield collector


def tracing(service: str, backend: OtlpReceiver | OtelCollector) -> TracerProvider:
    """The SDK of a neighbour of ours."""
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    exporter = OTLPSpanExporter(endpoint=f"{backend.http}/v1/traces")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


def produce(provider: TracerProvider, topic: str, messages: list[Message]) -> list[Message]:
    """Messages that carry the context of the span that sends each."""
    tracer, made = provider.get_tracer("producer"), []
    for message in messages:
        carrier: dict[str, str] = {}
        with tracer.start_as_current_span(f"send {topic}", kind=SpanKind.PRODUCER):
            CONTEXT.inject(carrier)
        context = tuple((name, value.encode()) for name, value in carrier.items())
        made.append(message._replace(headers=(*context, ("tracestate", STATE.encode()))))
    return made


def consume(provider: TracerProvider, records: list[Record]) -> None:
    """Go on with the context of each decision."""
    tracer = provider.get_tracer("consumer")
    for record in records:
        carrier = {name: (value or b"").decode() for name, value in record.headers}
        span = tracer.start_span(
            f"process {record.topic}", CONTEXT.extract(carrier), kind=SpanKind.CONSUMER
        )
        span.end()


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_one_trace_goes_from_the_producer_to_who_reads_the_decisions(
    kafka: KafkaBroker,
    topic_name: str,
    tmp_path: Path,
    backend: OtlpReceiver | OtelCollector,
    protocol: str,
) -> None:
    url = backend.grpc if protocol == "grpc" else backend.http
    source, sink, config = set_up(
        kafka,
        topic_name,
        tmp_path,
        partitions=1,
        telemetry={"traces": {"otlp": url, "protocol": protocol, "ratio": 0, "always": []}},
    )
    producer, consumer = tracing("producer", backend), tracing("consumer", backend)
    traced = produce(producer, source, list(TICK.messages(EVENTS)))
    parents = [dict(m.headers)["traceparent"] or b"" for m in traced]
    # The last one's producer does not trace it: nor do we, whatever our own share is.
    not_sampled = parents[-1][:-2] + b"00"
    traced[-1] = traced[-1]._replace(headers=(("traceparent", not_sampled),))
    pipeline = InThread(config, stop_after=EVENTS + 1).ready()
    columns = Columns()
    pipeline.call(lambda: columns.attach(pipeline))
    fill(kafka.bootstrap, source, [*traced, *TICK.messages(1)])
    pipeline.result()
    records = read(kafka.bootstrap, sink, at_least=EVENTS + 1)
    consume(consumer, records[: EVENTS - 1])
    producer.shutdown()
    consumer.shutdown()

    def spans() -> list[Span]:  # how many micro-batches there are is the machine's
        return [span for span in backend.spans() if span.name != "infer batch"]

    # All that the producer sent; nine of ours, one of the reader's.
    expected = EVENTS + (EVENTS - 1) * 10
    wait_until("all spans", lambda: len(spans()) >= expected)
    assert len(spans()) == expected
    for number, parent in enumerate(parents[:-1]):
        of_trace = [s for s in spans() if s.trace_id.hex() == parent[3:35].decode()]
        assert_one_trace(of_trace, source=source, sink=sink, offset=number)
        columns.assert_told(of_trace, source=source, sink=sink, offset=number)
        assert headers(records[number])["tracestate"] == STATE.encode()
    assert headers(records[EVENTS - 1])["traceparent"] == not_sampled
    assert "traceparent" not in headers(records[EVENTS])
    assert pipeline.service is not None
    exporter = pipeline.service._telling.exporter
    assert exporter is not None
    assert (exporter.exported, exporter.dropped) == (EVENTS - 1, 0)


def assert_one_trace(spans: list[Span], *, source: str, sink: str, offset: int) -> None:
    """Who is whose child, and in which order it all happened."""
    by_name = {span.name: span for span in spans}
    assert len(by_name) == len(spans) == 11
    by_id = {span.span_id: span.name for span in spans}
    assert {name: by_id.get(span.parent_span_id) for name, span in by_name.items()} == {
        f"send {source}": None,
        f"process {source}": f"send {source}",
        f"poll {source}": f"process {source}",
        **dict.fromkeys(STAGES, f"process {source}"),
        f"commit {source}": f"process {source}",
        f"send {sink}": f"process {source}",
        f"process {sink}": f"send {sink}",
    }
    assert all(s.start_time_unix_nano <= s.end_time_unix_nano for s in spans)
    ours = [
        by_name[name] for name in (f"poll {source}", *STAGES, f"send {sink}", f"commit {source}")
    ]
    begins = [span.start_time_unix_nano for span in ours]
    assert begins == sorted(begins)
    process = by_name[f"process {source}"]
    assert ours[-2].end_time_unix_nano == process.end_time_unix_nano
    assert by_name[f"process {sink}"].start_time_unix_nano > begins[-1]
    said = attributes(process)
    assert said["messaging.kafka.offset"] == offset
    assert said["streamproc.outcome"] == "on_time"


class Columns:
    """What the columns say of each event, to hold its spans against."""

    def __init__(self) -> None:
        self._instants: dict[int, dict[str, int]] = {}
        self._runs: dict[int, BatchRun] = {}

    def attach(self, pipeline: InThread) -> None:
        """Be told of outcomes."""
        assert pipeline.service is not None
        assert pipeline.service._assembly is not None
        pipeline.service._assembly.settlement.tap = self

    def sent(self, *_: object) -> None:
        """Nothing is final yet."""

    def ended(
        self, source: object, offset: Any, settled: Settled, missed: object, final_ns: int
    ) -> None:
        """Keep the instants of events that were decided."""
        decided = settled.decided
        assert decided is not None
        assert decided.run is not None
        for place, number in enumerate(offset.tolist()):
            events = decided.events.take(slice(place, place + 1, None))
            assert events.timestamp_ns is not None
            assert events.decoded_ns is not None
            self._runs[number] = decided.run
            self._instants[number] = {
                "record": int(events.timestamp_ns[0]),
                "event": int(events.event_time_ns[0]),
                "fetched": int(events.arrival_ns[0]),
                "decoded": int(events.decoded_ns[0]),
                "admitted": int(events.admitted_ns[0]),
                "planned": decided.started_ns,
                "sent": decided.handed_ns,
                "acknowledged": final_ns,
            }

    def assert_told(self, spans: list[Span], *, source: str, sink: str, offset: int) -> None:
        """The spans' times are the columns'."""
        at, run = self._instants[offset], self._runs[offset]
        times = {s.name: (s.start_time_unix_nano, s.end_time_unix_nano) for s in spans}
        del times[f"send {source}"], times[f"process {sink}"], times[f"commit {source}"]
        assert times == {
            f"poll {source}": (at["event"], at["fetched"]),
            f"process {source}": (at["fetched"], at["acknowledged"]),
            "decode": (at["fetched"], at["decoded"]),
            "features": (at["decoded"], at["admitted"]),
            "queue": (at["admitted"], at["planned"]),
            "infer": run.executed_ns,
            "decide": (run.executed_ns[1], at["sent"]),
            f"send {sink}": (at["sent"], at["acknowledged"]),
        }
        process = next(s for s in spans if s.name == f"process {source}")
        said = attributes(process).get("streamproc.record_timestamp_ns", at["event"])
        assert said == at["record"]


@pytest.mark.parametrize(
    ("word", "changes"),
    [("shed", {}), ("late", {"shed": []})],  # with no policy what is too old is decided, and late
    ids=["shed", "late"],
)
def test_every_event_that_is_shed_or_late_is_traced_up_to_a_rate_and_the_rest_are_counted(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path, word: str, changes: dict[str, Any]
) -> None:
    events = 600
    with OtlpReceiver() as receiver:
        source, _, config = set_up(
            kafka,
            topic_name,
            tmp_path,
            partitions=1,
            telemetry={"traces": {"otlp": receiver.http, "ratio": 0, "always": ["shed", "late"]}},
            **changes,
        )
        long_ago_ms = 1_600_000_000_000
        old = [
            m._replace(timestamp_ms=long_ago_ms + n) for n, m in enumerate(TICK.messages(events))
        ]
        fill(kafka.bootstrap, source, old)
        pipeline = InThread(config, stop_after=events)
        summary = pipeline.result()
        ended = {word: n for word, n in summary["outcomes"].items() if n}
        assert set(ended) <= {"shed", "late"}  # now and then one is tried, to see how long it takes
        assert pipeline.service is not None
        accounts = pipeline.service.accounts()
        assert accounts is not None
        told = [s for s in receiver.spans() if s.name == f"process {source}"]
    causes = [attributes(s)["streamproc.trace.cause"] for s in told]
    suppressed = {o.word: n for o, n in accounts.traces_suppressed.items()}
    assert {word: causes.count(word) + suppressed.get(word, 0) for word in ended} == ended
    assert len({attributes(s)["messaging.kafka.offset"] for s in told}) == len(told)
    assert ended[word] > events / 2
    assert causes.count(word) >= ALWAYS_PER_S
    seconds = Counter(
        (cause, span.end_time_unix_nano // NS_PER_S)
        for cause, span in zip(causes, told, strict=True)
    )
    assert max(seconds.values()) <= ALWAYS_PER_S


# -- a collector that is no help


@pytest.fixture(params=["dead", "silent"])
def no_help(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a collector that refuses connections, or takes them and never answers."""
    if request.param == "dead":
        yield f"http://127.0.0.1:{free_port()}"
        return
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_collector_that_is_no_help_costs_only_the_traces(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path, no_help: str, protocol: str
) -> None:
    events = 20_000
    source, sink, config = set_up(
        kafka,
        topic_name,
        tmp_path,
        partitions=1,
        telemetry={"traces": {"otlp": no_help, "protocol": protocol, "ratio": 1.0}},
    )
    fill(kafka.bootstrap, source, TICK.messages(events))
    with InThread(config) as pipeline:
        pipeline.until("all decisions", lambda: pipeline.consumed == events, timeout_s=120)
        asked = time.monotonic()
        summary = pipeline.stop()
        took_s = time.monotonic() - asked
    assert took_s < 8  # of which the exporter has two
    assert_adds_up(summary)
    assert summary["outcomes"]["on_time"] == events
    assert sum(end_offsets(kafka.bootstrap, sink).values()) == events
    assert committed(kafka.bootstrap, topic_name, source) == {0: events}
    assert pipeline.service is not None
    assert pipeline.service._assembly is not None
    accounts = pipeline.service._assembly.accounts
    assert (accounts.traces_exported, accounts.traces_dropped) == (0, events)


def test_a_dead_collector_is_said_once_and_the_command_ends_as_without_one(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    """The same events, without traces and with one in a hundred for a collector that is not there."""
    events = 40_000
    source = topic_name
    sinks = {"without": f"{topic_name}-a", "dead": f"{topic_name}-b"}
    create_topics(kafka.bootstrap, source, *sinks.values(), partitions=1)
    fill(kafka.bootstrap, source, TICK.messages(events))
    answers: dict[str, Any] = {}
    for which, sink in sinks.items():
        traces = {"otlp": f"http://127.0.0.1:{free_port()}", "ratio": 0.01}
        config = write_config(
            tmp_path,
            name=sink,
            bootstrap=kafka.bootstrap,
            topic=source,
            sink=sink,
            telemetry={"traces": traces if which == "dead" else None},
        )
        command = Command(config, "--stop-after", str(events))
        try:
            assert command.process.wait(60) == 0, command.log_tail()
        finally:
            command.kill()
        answers[which] = command.answer()
        warned = command.log_tail().count("does not take them")
        assert warned == (which == "dead")
        assert "Traceback" not in command.log_tail()
    without, dead = answers["without"], answers["dead"]
    report(
        "a dead collector",
        events=events,
        cpu_us_per_event={n: round(a["cpu_s"] / events * 1e6, 2) for n, a in answers.items()},
    )
    assert dead["outcomes"] == without["outcomes"]
    assert dead["outcomes"]["on_time"] == events
    # Shared machines are noisy; that it is nothing is measured elsewhere. This finds a thread that spins.
    assert dead["cpu_s"] < 2 * without["cpu_s"] + 0.5
