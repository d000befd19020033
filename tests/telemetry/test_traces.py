"""Journeys of events, and their spans."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from streamproc.core import NS_PER_S, Outcome
from streamproc.telemetry import (
    Accounts,
    BatchSpan,
    Committed,
    Journey,
    Sampler,
    Told,
    Tracer,
)
from streamproc.telemetry.open_runs import LINKS_MAX, OPEN_MAX
from streamproc.telemetry.spans import SpanMaker
from streamproc.telemetry.traces import ALWAYS_PER_S, SLOWEST_KEPT
from tests.support.otlp import attributes
from tests.telemetry.passages import (
    MS,
    NOW_NS,
    PARENT,
    SOURCE,
    all_told,
    journeys,
    passage,
    ran,
    shed,
)


def spans_of(*told: Told) -> dict[str, Span]:
    maker = SpanMaker({"service.name": "s"}, pipeline="p", group="g", model="full sha256:1")
    request = ExportTraceServiceRequest.FromString(maker.request(map(maker.spans, told)))
    (of_resource,) = request.resource_spans
    return {span.name: span for span in of_resource.scope_spans[0].spans}


def test_a_decision_carries_on_the_trace_that_its_outcome_tells() -> None:
    told: list[Any] = []
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
    second = [shed(70, first=n * 70, final_ns=NOW_NS + n * 100 * MS) for n in range(30)]
    told = journeys(*second, always=["shed"])
    assert len(told) == 3 * ALWAYS_PER_S
    assert {j.cause for j in told} == {"shed"}
    assert len({j.offset for j in told}) == len(told)
    assert journeys(*second, always=["late"]) == []


def test_those_above_the_rate_are_counted() -> None:
    accounts, told = Accounts(pipeline="p"), list[Told]()
    tracer = Tracer(Sampler("p", 0.0), ["shed", "late"], told.append, accounts)
    tracer.ended(shed(ALWAYS_PER_S + 23))
    tracer.ended(shed(5))
    tracer.ended(passage(3, outcome=Outcome.LATE))
    assert accounts.traces_suppressed == {Outcome.SHED: 28}
    assert len(told) == ALWAYS_PER_S + 3


# -- all stages, the micro-batch, the commit


def times_of(spans: dict[str, Span]) -> dict[str, tuple[int, int]]:
    return {
        name: (s.start_time_unix_nano - NOW_NS, s.end_time_unix_nano - NOW_NS)
        for name, s in spans.items()
    }


def test_the_stages_are_the_instants_of_the_columns() -> None:
    told = all_told(ran(), ratio=1.0)
    spans = spans_of(*told)
    assert times_of(spans) == {
        "poll ticks": (0, MS),
        "process ticks": (MS, 6 * MS),
        "decode": (MS, 3 * MS // 2),
        "features": (3 * MS // 2, 2 * MS),
        "queue": (2 * MS, 3 * MS),
        "infer": (3 * MS + 5, 4 * MS),
        "infer batch": (3 * MS + 5, 4 * MS),
        "decide": (4 * MS, 5 * MS),
        "send decisions": (5 * MS, 6 * MS),
    }
    assert attributes(spans["process ticks"])["streamproc.record_timestamp_ns"] == NOW_NS + 1
    ours = [span for name, span in spans.items() if name != "infer batch"]
    assert len({span.span_id for span in ours}) == len(ours)


def test_a_micro_batch_is_linked_with_its_traced_events() -> None:
    *some, batch = all_told(ran(3), ratio=1.0)
    assert isinstance(batch, BatchSpan)
    spans = spans_of(*some, batch)
    whole, one = spans["infer batch"], spans["infer"]
    assert len(whole.links) == 3
    assert (one.trace_id, one.span_id) in {(link.trace_id, link.span_id) for link in whole.links}
    (link,) = one.links
    assert (link.trace_id, link.span_id) == (whole.trace_id, whole.span_id)
    assert whole.trace_id not in {s.trace_id for name, s in spans.items() if name != "infer batch"}
    assert attributes(whole) == {
        "streamproc.batch.size": 3,
        "streamproc.batch.reason": "deadline",
        "streamproc.variant_level": 0,
        "streamproc.model": "full sha256:1",
    }


def test_a_micro_batch_is_told_once_when_all_of_it_has_ended() -> None:
    told: list[Told] = []
    tracer = Tracer(Sampler("p", 1.0), (), told.append)
    run = ran(200).run
    assert run is not None
    tracer.ended(ran(150, run=run))
    assert not [one for one in told if isinstance(one, BatchSpan)]
    tracer.ended(ran(50, run=run, outcome=Outcome.LATE))
    tracer.close()
    (batch,) = [one for one in told if isinstance(one, BatchSpan)]
    assert len(batch.links) == LINKS_MAX


def test_runs_that_never_end_are_let_go() -> None:
    told: list[Told] = []
    tracer = Tracer(Sampler("p", 1.0), (), told.append)
    run = ran().run
    assert run is not None
    for number in range(2 * OPEN_MAX):
        tracer.ended(ran(run=replace(run, number=number, size=2)))
    assert len(tracer._runs._open) == len(tracer._runs._left) == OPEN_MAX
    assert sum(isinstance(one, BatchSpan) for one in told) == OPEN_MAX


def test_the_batch_of_one_of_the_slowest_is_told_with_it() -> None:
    told = all_told(ran(), always=["slowest"])
    assert [type(one) for one in told] == [Journey, BatchSpan]


def test_an_untraced_batch_is_not_told() -> None:
    assert all_told(ran(3), ratio=0.0) == []


def test_the_commit_ends_the_trace() -> None:
    told: list[Any] = []
    tracer = Tracer(Sampler("p", 1.0), (), told.append)
    tracer.ended(passage(3))
    tracer.committed({SOURCE: 2}, NOW_NS + 8 * MS, NOW_NS + 9 * MS)
    first = [one for one in told if isinstance(one, Committed)]
    assert [one.ids for one in first] == [j.ids for j in told[:2]]
    spans = spans_of(told[0], first[0])
    commit = spans["commit ticks"]
    assert times_of({"commit ticks": commit}) == {"commit ticks": (8 * MS, 9 * MS)}
    assert commit.parent_span_id == spans["process ticks"].span_id
    said = attributes(commit)
    assert said["messaging.operation.name"] == "commit"
    assert said["messaging.operation.type"] == "settle"
    tracer.committed({SOURCE: 3}, NOW_NS + 18 * MS, NOW_NS + 19 * MS)
    assert sum(isinstance(one, Committed) for one in told) == 3


def test_one_of_the_slowest_finds_the_commit_that_was_its_own() -> None:
    told: list[Any] = []
    tracer = Tracer(Sampler("p", 0.0), ["slowest"], told.append)
    tracer.ended(passage(1, first=5))
    for position in (3, 6, 9):
        tracer.committed({SOURCE: position}, NOW_NS + position, NOW_NS + position + 1)
    assert told == []
    tracer.close()
    (commit,) = [one for one in told if isinstance(one, Committed)]
    assert (commit.began_ns, commit.ended_ns) == (NOW_NS + 6, NOW_NS + 7)


def test_a_trace_is_named_in_its_lanes_bucket() -> None:
    accounts = Accounts(pipeline="p", lanes=("top", "default"))
    tracer = Tracer(Sampler("p", 0.0), ["late"], lambda _: None, accounts)
    tracer.ended(passage(2, lane=np.array([1, 1]), outcome=Outcome.LATE))
    found = {name for name, kept in accounts.exemplars.items() if kept.by_bucket}
    assert "lane 1" in found
    assert "lane 0" not in found


def test_a_trace_is_named_in_the_buckets_that_it_fell_into() -> None:
    accounts = Accounts(pipeline="p")
    tracer = Tracer(Sampler("p", 1.0), (), lambda _: None, accounts)
    tracer.ended(passage())
    tracer.ended(shed(1))  # is in no histogram
    found = {
        name: [(e.value_ns, e.at_ns) for e in kept.by_bucket.values()]
        for name, kept in accounts.exemplars.items()
    }
    final_ns = NOW_NS + 6 * MS
    assert found["e2e"] == [(6 * MS, final_ns)]
    assert found["own"] == [(4 * MS, final_ns)]
    assert found["queue"] == found["infer"] == found["decode"] == [(MS, final_ns)]
    assert found["emit"] == [(2 * MS, final_ns)]


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
