"""Journeys of events, and their spans."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from streamproc.core import NS_PER_S, Outcome
from streamproc.telemetry import Journey, Sampler, Tracer
from streamproc.telemetry.spans import SpanMaker
from streamproc.telemetry.traces import ALWAYS_PER_S, SLOWEST_KEPT
from tests.support.otlp import attributes
from tests.telemetry.passages import MS, NOW_NS, PARENT, journeys, passage, shed


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
    kinds = {name: span.kind for name, span in spans.items()}
    assert kinds == {
        "process ticks": Span.SPAN_KIND_CONSUMER,
        "poll ticks": Span.SPAN_KIND_CLIENT,
        "queue": Span.SPAN_KIND_INTERNAL,
        "infer": Span.SPAN_KIND_INTERNAL,
        "send decisions": Span.SPAN_KIND_PRODUCER,
    }
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
    assert attributes(process)["error.type"] == "undecodable"
    assert attributes(process)["streamproc.row"] == 7
    assert len(attributes(process)["messaging.kafka.message.key"]) <= 128


def test_what_is_sent_without_our_context_produces_nothing_that_goes_on() -> None:
    """A letter keeps its own headers; a decision that is told of later was sent without a context."""
    dead = passage(outcome=Outcome.DEAD_LETTER, reason="undecodable", decided_ns=None, topic="dlq")
    (letter,) = journeys(dead, ratio=1.0)
    assert spans_of(letter)["send dlq"].kind == Span.SPAN_KIND_CLIENT
    (late,) = journeys(passage(outcome=Outcome.LATE), always=["late"])
    assert spans_of(late)["send decisions"].kind == Span.SPAN_KIND_CLIENT


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


@pytest.mark.parametrize("event_time_ns", [5, 0, -7, NOW_NS - 8 * 24 * 3600 * NS_PER_S])
def test_an_event_with_a_nonsense_time_has_no_span_of_years(event_time_ns: int) -> None:
    (journey,) = journeys(passage(event_time_ns=np.array([event_time_ns])), ratio=1.0)
    spans = spans_of(journey)
    assert set(spans) == {"process ticks", "queue", "infer", "send decisions"}


@given(instants=st.lists(st.integers(-1, 20), min_size=7, max_size=7))
def test_no_span_ends_before_it_began_whatever_the_clocks_say(instants: list[int]) -> None:
    event, arrival, admitted, started, finished, decided, final = (
        NOW_NS + ms * MS for ms in instants
    )
    (journey,) = journeys(
        passage(
            event_time_ns=np.array([event]),
            arrival_ns=np.array([arrival]),
            admitted_ns=np.array([admitted]),
            started_ns=started,
            finished_ns=finished,
            decided_ns=decided,
            final_ns=final,
        ),
        ratio=1.0,
    )
    spans = spans_of(journey)
    assert all(0 < s.start_time_unix_nano <= s.end_time_unix_nano for s in spans.values())


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
