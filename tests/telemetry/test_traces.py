"""Journeys of events, their spans, and a collector that takes them, or does not."""

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from streamproc.core import NS_PER_MS, NS_PER_S, ConfigError, Duration, Outcome, TopicPartition
from streamproc.telemetry import Journey, Passage, Sampler, Tracer, Traces
from streamproc.telemetry.otlp import QUEUE_MAX, Exporter, make_exporter
from streamproc.telemetry.spans import SpanMaker
from streamproc.telemetry.traces import ALWAYS_PER_S, SLOWEST_KEPT
from tests.support import free_port, wait_until
from tests.support.otlp import OtlpReceiver, attributes

MS = NS_PER_MS
NOW_NS = 1_700_000_000 * NS_PER_S
SOURCE = TopicPartition("ticks", 3)
PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def passage(count: int = 1, *, first: int = 0, **changes: Any) -> Passage:
    """Events that took 1 ms from one stage to the next."""
    at = np.full(count, NOW_NS)
    decided = Passage(
        source=SOURCE,
        offset=np.arange(first, first + count),
        row=None,
        key=[b"BTC"] * count,
        headers={},
        event_time_ns=at,
        arrival_ns=at + MS,
        admitted_ns=at + 2 * MS,
        deadline_ns=at + 50 * MS,
        started_ns=NOW_NS + 3 * MS,
        finished_ns=NOW_NS + 4 * MS,
        decided_ns=NOW_NS + 5 * MS,
        final_ns=NOW_NS + 6 * MS,
        outcome=Outcome.ON_TIME,
        reason="",
        topic="decisions",
    )
    return replace(decided, **changes)


def shed(count: int, **changes: Any) -> Passage:
    nothing: dict[str, Any] = dict.fromkeys(("admitted_ns", "started_ns", "finished_ns", "decided_ns", "topic"))  # fmt: skip
    return passage(count, **nothing, outcome=Outcome.SHED, reason="expired", **changes)


def journeys(*passages: Passage, ratio: float = 0.0, always: Any = ()) -> list[Journey]:
    told: list[Journey] = []
    tracer = Tracer(Sampler("p", ratio), always, told.append)
    for some in passages:
        tracer.ended(some)
    tracer.close()
    return told


def spans_of(*told: Journey) -> dict[str, Span]:
    maker = SpanMaker({"service.name": "s"}, pipeline="p", group="g", model="full sha256:1")
    request = ExportTraceServiceRequest.FromString(maker.request(map(maker.spans, told)))
    (of_resource,) = request.resource_spans
    return {span.name: span for span in of_resource.scope_spans[0].spans}


def test_a_decision_carries_on_the_trace_that_its_outcome_tells() -> None:
    told: list[Journey] = []
    tracer = Tracer(Sampler("p", 0.5), (), told.append)
    some = passage(100, headers={4: [("traceparent", PARENT)]})
    going = tracer.outgoing(some.source, some.offset, some.row, dict(some.headers))
    tracer.ended(some)
    assert {j.offset: j.ids for j in told} == going
    assert 4 in going
    assert going[4].traceparent.startswith(PARENT[:36])


def test_a_journey_is_five_spans() -> None:
    (journey,) = journeys(passage(headers={0: [("traceparent", PARENT)]}))
    spans = spans_of(journey)
    times = {
        name: ((s.start_time_unix_nano - NOW_NS) // MS, (s.end_time_unix_nano - NOW_NS) // MS)
        for name, s in spans.items()
    }
    assert times == {
        "process ticks": (1, 6),
        "poll ticks": (0, 1),
        "queue": (2, 3),
        "infer": (3, 4),
        "send decisions": (5, 6),
    }
    process = spans["process ticks"]
    assert process.parent_span_id.hex() == "00f067aa0ba902b7"
    assert {s.trace_id for s in spans.values()} == {journey.ids.trace_id}
    assert {s.parent_span_id for n, s in spans.items() if n != "process ticks"} == {process.span_id}
    assert spans["send decisions"].span_id == journey.ids.send
    assert spans["send decisions"].kind == Span.SPAN_KIND_PRODUCER
    assert attributes(process) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "ticks",
        "messaging.destination.partition.id": "3",
        "messaging.consumer.group.name": "g",
        "messaging.kafka.offset": 0,
        "messaging.kafka.message.key": "BTC",
        "streamproc.pipeline": "p",
        "streamproc.outcome": "on_time",
        "streamproc.slack_ms": 44.0,
        "streamproc.trace.cause": "sampled",
    }
    assert attributes(spans["infer"]) == {"streamproc.model": "full sha256:1"}


def test_what_never_ran_has_no_spans_of_a_run() -> None:
    (journey,) = journeys(shed(1, deadline_ns=None), ratio=1.0)
    spans = spans_of(journey)
    assert set(spans) == {"process ticks", "poll ticks"}
    said = attributes(spans["process ticks"])
    assert (said["streamproc.outcome"], said["streamproc.reason"]) == ("shed", "expired")
    assert "streamproc.slack_ms" not in said


def test_a_dead_letter_is_an_error_and_a_key_may_be_any_bytes() -> None:
    dead = passage(outcome=Outcome.DEAD_LETTER, reason="undecodable", key=[b"\xff" * 500], row=np.array([7]))  # fmt: skip
    spans = spans_of(*journeys(dead, ratio=1.0))
    process = spans["process ticks"]
    assert (process.status.code, process.status.message) == (
        Status.STATUS_CODE_ERROR,
        "undecodable",
    )
    assert attributes(process)["streamproc.row"] == 7
    assert len(attributes(process)["messaging.kafka.message.key"]) <= 128


@pytest.mark.parametrize("offset", [0, 127, 128, 2**14, 2**40, 2**62])
@pytest.mark.parametrize("text", ["", "x" * 127, "x" * 20_000])
def test_numbers_and_lengths_of_any_size_are_read_back(offset: int, text: str) -> None:
    dead = passage(outcome=Outcome.DEAD_LETTER, reason=text, first=offset)
    process = spans_of(*journeys(dead, ratio=1.0))["process ticks"]
    assert attributes(process)["messaging.kafka.offset"] == offset
    assert process.status.message == text


def test_an_event_from_the_future_has_no_span_before_its_fetch() -> None:
    ahead = passage(event_time_ns=np.array([NOW_NS + 90 * MS]))
    assert "poll ticks" not in spans_of(*journeys(ahead, ratio=1.0))


def test_outcomes_are_told_up_to_a_rate() -> None:
    second = [shed(100, first=n * 100, final_ns=NOW_NS + n * 100 * MS) for n in range(30)]
    told = journeys(*second, always=["shed"])
    assert len(told) == 3 * ALWAYS_PER_S
    assert {j.cause for j in told} == {"shed"}
    assert len({j.offset for j in told}) == len(told)
    assert journeys(*second, always=["late"]) == []


def test_the_slowest_of_a_window_are_told_at_its_end() -> None:
    slow = [
        passage(event_time_ns=np.array([NOW_NS - n * MS]), first=n, final_ns=NOW_NS + n * 90 * MS)
        for n in range(100)
    ]
    told = journeys(*slow, always=["slowest"])
    assert sorted(j.offset for j in told) == list(range(100 - SLOWEST_KEPT, 100))
    assert {j.cause for j in told} == {"slowest"}
    two_windows = [*slow, *(replace(p, final_ns=p.final_ns + 20 * NS_PER_S) for p in slow)]
    assert len(journeys(*two_windows, always=["slowest"])) == 2 * SLOWEST_KEPT


def exporter(**options: Any) -> Exporter:
    made = make_exporter(
        Traces(timeout=Duration.parse("2s"), **options),
        pipeline="p",
        group="g",
        model="full sha256:1",
        environ={},
    )
    assert made is not None
    return made


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_collector_gets_the_spans(protocol: Any) -> None:
    told = journeys(passage(700), ratio=1.0)
    with OtlpReceiver() as receiver:
        url = receiver.grpc if protocol == "grpc" else receiver.http
        out = exporter(otlp=url, protocol=protocol, headers={"api-key": "k"})
        for journey in told:
            out.export(journey)
        out.close()
        assert len(receiver.spans()) == 5 * 700
        assert (out.exported, out.dropped) == (700, 0)
        assert {headers["api-key"] for headers in receiver.headers} == {"k"}
        resource = receiver.requests[0].resource_spans[0].resource
        assert {a.key: a.value.string_value for a in resource.attributes}["service.name"] == "p"


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_dead_collector_is_said_once_and_costs_only_the_traces(
    protocol: Any, caplog: pytest.LogCaptureFixture
) -> None:
    out = exporter(otlp=f"http://127.0.0.1:{free_port()}", protocol=protocol)
    (journey,) = journeys(passage(), ratio=1.0)
    for _ in range(3):
        before = out.dropped
        for _ in range(512):
            out.export(journey)
        wait_until("dropped", lambda before=before: out.dropped > before)  # type: ignore[misc]
    out.close()
    assert out.exported == 0
    assert out.dropped == 3 * 512
    assert [r.levelno for r in caplog.records if "traces" in r.getMessage()] == [logging.WARNING]


def test_a_collector_that_comes_back_is_said_too(caplog: pytest.LogCaptureFixture) -> None:
    (journey,) = journeys(passage(), ratio=1.0)
    with OtlpReceiver() as receiver:
        receiver.refuse = 1
        out = exporter(otlp=receiver.http)
        for _ in range(2):
            for _ in range(512):
                out.export(journey)
            wait_until("taken or not", lambda: not out._waiting)
        out.close()
    assert (out.dropped, out.exported) == (512, 512)
    said = [r.getMessage() for r in caplog.records]
    assert "it answered 503" in said[0]
    assert "takes them again" in said[1]


def test_what_waits_is_bounded() -> None:
    class Stuck:
        def send(self, request: Any) -> None:
            raise AssertionError

        def close(self) -> None:
            pass

    maker = SpanMaker({}, pipeline="p", group="g", model="m")
    out = Exporter(maker, Stuck(), "nowhere")
    out._closing = True
    out._wake.set()
    out._thread.join()
    (journey,) = journeys(passage(), ratio=1.0)
    for _ in range(QUEUE_MAX + 10):
        out.export(journey)
    assert (len(out._waiting), out.dropped) == (QUEUE_MAX, 10)


def place_of(options: Traces, environ: dict[str, str]) -> tuple[str, str]:
    made = make_exporter(options, pipeline="p", group="g", model="m", environ=environ)
    assert made is not None
    made.close()
    return made._place, type(made._transport).__name__


BASE = "OTEL_EXPORTER_OTLP_ENDPOINT"
OF_TRACES = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"


@pytest.mark.parametrize(
    ("options", "environ", "place"),
    [
        (Traces(), {}, "http://localhost:4318/v1/traces"),
        (Traces(otlp="http://c:1/"), {BASE: "http://d:2"}, "http://c:1/v1/traces"),
        (Traces(otlp="http://c:1/v1/traces"), {}, "http://c:1/v1/traces"),
        (Traces(), {BASE: "http://d:2"}, "http://d:2/v1/traces"),
        (Traces(), {BASE: "http://d:2", OF_TRACES: "http://e:3/in"}, "http://e:3/in"),
        (Traces(protocol="grpc"), {}, "http://localhost:4317"),
        (Traces(), {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http://localhost:4317"),
    ],
)
def test_the_environment_says_what_the_file_does_not(
    options: Traces, environ: dict[str, str], place: str
) -> None:
    found, transport = place_of(options, environ)
    assert found == place
    assert transport == ("GrpcTransport" if place.endswith("4317") else "HttpTransport")


def test_headers_of_the_environment() -> None:
    (journey,) = journeys(passage(), ratio=1.0)
    with OtlpReceiver() as receiver:
        environ = {"OTEL_EXPORTER_OTLP_HEADERS": "Api-Key=a%20b, x=y"}
        out = make_exporter(
            Traces(otlp=receiver.http), pipeline="p", group="g", model="m", environ=environ
        )
        assert out is not None
        out.export(journey)
        out.close()
        assert receiver.headers[0]["api-key"] == "a b"
        assert receiver.headers[0]["x"] == "y"


def test_the_sdk_may_be_disabled_and_a_wrong_protocol_is_said() -> None:
    def made(environ: dict[str, str]) -> Exporter | None:
        return make_exporter(Traces(), pipeline="p", group="g", model="m", environ=environ)

    assert made({"OTEL_SDK_DISABLED": "true"}) is None
    with pytest.raises(ConfigError, match="http/json"):
        made({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"})
