"""The exporter, and a collector that takes what it is sent, or refuses, or is slow, or dead."""

import logging
import time
from typing import Any

import grpc
import pytest

from streamproc.core import Duration
from streamproc.telemetry import Journey, Traces
from streamproc.telemetry.otlp import CLOSE_S, QUEUE_MAX, REQUEST_MAX, Exporter, make_exporter
from streamproc.telemetry.otlp_settings import collector_of
from streamproc.telemetry.otlp_transports import TRACES, GrpcTransport, HttpTransport
from streamproc.telemetry.spans import SpanMaker
from tests.support import free_port, wait_until
from tests.support.otlp import OtlpReceiver
from tests.telemetry.passages import journeys, passage

HTTP, GRPC = "http/protobuf", "grpc"
both = pytest.mark.parametrize("protocol", [HTTP, GRPC])


@pytest.fixture(scope="module")
def journey() -> Journey:
    (made,) = journeys(passage(), ratio=1.0)
    return made


def exporter(url: str, protocol: str, *, timeout: str = "2s", backoff_s: float = 0.05) -> Exporter:
    """As the service has it, but quicker to ask again."""
    options = Traces(otlp=url, timeout=Duration.parse(timeout))
    collector = collector_of(options, TRACES, protocol, {})
    kind = GrpcTransport if protocol == GRPC else HttpTransport
    transport = kind(collector, TRACES)
    maker = SpanMaker({}, pipeline="p", group="g", model="full sha256:1")
    return Exporter(maker, transport, url, first_backoff_s=backoff_s)


def url_of(receiver: OtlpReceiver, protocol: str) -> str:
    return receiver.grpc if protocol == GRPC else f"{receiver.http}/v1/traces"


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


@both
def test_a_collector_gets_the_spans(protocol: Any) -> None:
    told = journeys(passage(700), ratio=1.0)
    with OtlpReceiver() as receiver:
        options = Traces(
            otlp=receiver.grpc if protocol == GRPC else receiver.http,
            protocol=protocol,
            headers={"Api-Key": "k"},
            compression="gzip",
        )
        out = make_exporter(options, pipeline="p", group="g", model="m", environ={})
        assert out is not None
        for one in told:
            out.export(one)
        out.close()
        assert len(receiver.spans()) == 5 * 700
        assert (out.exported, out.dropped) == (700, 0)
        assert {headers["api-key"] for headers in receiver.headers} == {"k"}


@both
def test_a_dead_collector_is_said_once_and_costs_only_the_traces(
    protocol: Any, journey: Journey, caplog: pytest.LogCaptureFixture
) -> None:
    out = exporter(f"http://127.0.0.1:{free_port()}", protocol)
    count = QUEUE_MAX + 3 * REQUEST_MAX
    for _ in range(count):
        out.export(journey)
    wait_until("it was tried", lambda: out._failing)
    began = time.monotonic()
    out.close()
    assert time.monotonic() - began < CLOSE_S + 1
    assert (out.exported, out.dropped) == (0, count)
    (text,) = said(caplog)
    assert "does not take them" in text
    assert "127.0.0.1" in text


def test_nothing_is_made_for_a_collector_that_is_left_alone(journey: Journey) -> None:
    made = 0

    class Counting(SpanMaker):
        def spans(self, journey: Journey) -> bytes:
            nonlocal made
            made += 1
            return super().spans(journey)

    maker = Counting({}, pipeline="p", group="g", model="m")
    collector = collector_of(Traces(otlp=f"http://127.0.0.1:{free_port()}"), TRACES, HTTP, {})
    out = Exporter(maker, HttpTransport(collector, TRACES), "nowhere", first_backoff_s=60)
    out.export(journey)
    wait_until("it was tried", lambda: out._failing)
    for _ in range(3 * QUEUE_MAX):
        out.export(journey)
    assert len(out._waiting) == QUEUE_MAX
    out.close()
    assert made == 1
    assert (out.exported, out.dropped) == (0, 3 * QUEUE_MAX + 1)


@both
def test_a_collector_that_comes_back_gets_what_waited(
    protocol: Any, journey: Journey, caplog: pytest.LogCaptureFixture
) -> None:
    with OtlpReceiver() as receiver:
        receiver.refuse = 3
        out = exporter(url_of(receiver, protocol), protocol)
        for _ in range(600):
            out.export(journey)
        wait_until("all are taken", lambda: out.exported == 600)
        out.close()
        assert len(receiver.spans()) == 5 * 600
    assert out.dropped == 0
    refused, again = said(caplog)
    assert ("503" in refused) or ("UNAVAILABLE" in refused)
    assert "takes them again" in again


@both
def test_what_is_refused_for_good_is_dropped_and_counted(
    protocol: Any, journey: Journey, caplog: pytest.LogCaptureFixture
) -> None:
    with OtlpReceiver() as receiver:
        receiver.refuse, receiver.refusal = 1, (401, grpc.StatusCode.UNAUTHENTICATED)
        out = exporter(url_of(receiver, protocol), protocol)
        for _ in range(REQUEST_MAX):
            out.export(journey)
        wait_until("refused", lambda: out.dropped == REQUEST_MAX)
        out.export(journey)
        wait_until("taken", lambda: out.exported == 1)
        out.close()
    assert (out.exported, out.dropped) == (1, REQUEST_MAX)
    assert ("401" in said(caplog)[0]) or ("UNAUTHENTICATED" in said(caplog)[0])


@both
def test_a_slow_collector_does_not_hold_up_the_end(protocol: Any, journey: Journey) -> None:
    with OtlpReceiver() as receiver:
        receiver.open.clear()
        out = exporter(url_of(receiver, protocol), protocol, timeout="30s")
        for _ in range(REQUEST_MAX + 7):
            out.export(journey)
        wait_until("it is asked", lambda: receiver.attempts)
        began = time.monotonic()
        out.close()
        assert time.monotonic() - began < CLOSE_S + 1
        assert (out.exported, out.dropped) == (0, REQUEST_MAX + 7)
        receiver.open.set()
        out._thread.join(10)
        # It may still have taken them: said too late to be counted.
        assert (out.exported, out.dropped) == (0, REQUEST_MAX + 7)


@both
def test_a_collector_too_slow_for_the_timeout_is_asked_again(
    protocol: Any, journey: Journey
) -> None:
    with OtlpReceiver() as receiver:
        receiver.open.clear()
        out = exporter(url_of(receiver, protocol), protocol, timeout="200ms")
        out.export(journey)
        wait_until("it was tried", lambda: out._failing)
        receiver.open.set()
        wait_until("taken", lambda: out.exported == 1)
        out.close()
    assert (out.exported, out.dropped) == (1, 0)


@both
def test_spans_that_the_collector_does_not_want_are_said_once(
    protocol: Any, journey: Journey, caplog: pytest.LogCaptureFixture
) -> None:
    with OtlpReceiver() as receiver:
        receiver.rejected = 3
        out = exporter(url_of(receiver, protocol), protocol)
        for count in (1, 2):
            out.export(journey)
            wait_until("taken", lambda count=count: out.exported == count)  # type: ignore[misc]
        out.close()
    (text,) = said(caplog)
    assert "3 spans: too old" in text


def test_what_cannot_be_made_into_spans_ends_nothing(journey: Journey) -> None:
    with OtlpReceiver() as receiver:
        out = exporter(url_of(receiver, HTTP), HTTP)
        out.export(journey._replace(offset=2**70))  # no such number in protobuf
        wait_until("dropped", lambda: out.dropped == 1)
        out.export(journey)
        wait_until("taken", lambda: out.exported == 1)
        out.close()
