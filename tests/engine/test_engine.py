"""The engine as a whole, on the virtual clock: every event has one outcome, and it is true."""

import base64
import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.codecs import JsonCodec
from streamproc.connectors.kafka import KafkaSink
from streamproc.core import Duration, InvariantError, Size
from streamproc.engine import EventTime, Outcomes, Output, PythonFunction
from streamproc.runtime.scheduling import UNTRIED_SEND_NS
from streamproc.scheduling import Lane, TailDrop, Utility
from streamproc.telemetry import Metrics, Telemetry, Traces
from streamproc.testing import (
    FakeExecutor,
    OutcomeChecker,
    PipelineTest,
    TestResult,
    VirtualClock,
    assert_accounts,
    assert_no_on_time_after_deadline,
    assert_order,
)
from tests.engine.pipelines import (
    MS,
    POISON,
    decide_at_length,
    decide_not_at_poison,
    nan_at_poison,
    pipeline,
    raise_at_poison,
    reference_to,
    within,
)

EVERYTHING = Outcomes(shed_topic="shed")


def python(function: Any) -> PythonFunction:
    return PythonFunction(python=reference_to(function))


def run(test: PipelineTest, values: list[Any]) -> TestResult:
    for value in values:
        test.send("ticks", value if isinstance(value, bytes) else {"x": value}, key="k")
    return test.run()


def outcomes(result: TestResult) -> dict[str, int]:
    return {word: n for word, n in result.summary["outcomes"].items() if n}


# -- the promises, for any mix ----------------------------------------------------------------------

arrivals = st.lists(
    st.tuples(
        st.sampled_from([b'{"x": 1}', b'{"x": 666}', b'{"x": "y"}', b"{", b"", None, b'{"x": 1e400}']),
        st.sampled_from([b"a", b"b", b"\xff", None]),
        st.integers(0, 40),  # arrives, ms
        st.integers(-60, 20),  # happened before or after that, ms
        st.integers(0, 1),  # partition
    ),
    max_size=40,
)  # fmt: skip
SHED: Any = [
    (),
    ("expired",),
    ("expired", "planner", "conflate", "skip_ahead"),
    ("expired", "planner", "codel", TailDrop(4), Utility("x")),
    ("tail_drop", "conflate"),
]
LANES = (
    Lane("first", "x == 1", priority=0, budget=Duration.parse("20ms")),
    Lane("second", "x == 666", priority=1, share=0.3, budget=Duration.parse("80ms")),
)
models = st.tuples(st.integers(0, 30), st.integers(0, 3), st.sampled_from([1, 2]))


@settings(deadline=None, max_examples=150)
@given(
    arrivals=arrivals,
    models=models,
    acknowledge_ms=st.integers(0, 30),
    ordering=st.sampled_from(["none", "key", "partition"]),
    late=st.sampled_from(["publish", "drop"]),
    shed=st.sampled_from(SHED),
    lanes=st.sampled_from([(), LANES]),
    null_topics=st.booleans(),
    revoke_ms=st.none() | st.integers(0, 60),
    failing=st.integers(0, 2),
)
def test_every_event_has_one_true_outcome(
    *,
    arrivals: Any, models: Any, acknowledge_ms: int, ordering: Any, late: Any, shed: Any, lanes: Any,
    null_topics: bool, revoke_ms: int | None, failing: int,
) -> None:  # fmt: skip
    lanes = () if ordering == "partition" else lanes
    fixed, per_event, slots = models
    executor = FakeExecutor(fixed_ns=fixed * MS, per_event_ns=per_event * MS, concurrency=slots)
    topics = Outcomes(dead_letter_topic=None) if null_topics else EVERYTHING
    test = PipelineTest(
        pipeline(
            deadline=within("50ms"), features=python(raise_at_poison), ordering=ordering, late=late,
            shed=shed, lanes=lanes, outcomes=topics,
        ),
        executor=executor,
        partitions=2,
        acknowledge_ns=acknowledge_ms * MS,
    )  # fmt: skip
    executor.fail(runs=failing)
    start_ns = test.now_ns
    for value, key, at_ms, happened_ms, partition in arrivals:
        at_ns = start_ns + at_ms * MS
        test.send(
            "ticks", value, key=key, partition=partition, at_ns=at_ns, timestamp_ns=at_ns + happened_ms * MS
        )  # fmt: skip
    if revoke_ms is not None:
        test.revoke(("ticks", 0), at_ns=start_ns + revoke_ms * MS)
        test.assign(("ticks", 0), at_ns=start_ns + 70 * MS)
    result = test.run()

    assert result.in_flight == 0
    assert_accounts(result.accounts)
    assert_no_on_time_after_deadline(
        result.decisions,
        None if revoke_ms is not None else result.acknowledged_ns,
        acked_late=result.accounts.acked_late,
    )
    if ordering != "none":
        assert_order(result.decisions, by="key", repeats=revoke_ms is not None)
        if not lanes:
            assert_order(result.decisions, by="partition", repeats=revoke_ms is not None)
    inputs = [record.id for record in test.broker.records("ticks")]
    assert set(result.final) == set(inputs)
    counted: dict[str, int] = dict.fromkeys([*result.summary["outcomes"], "handed_back"], 0)
    for found in result.final.values():
        decided = [o.outcome for o in found if o.outcome != "handed_back"]
        # What was done but stood behind something open is read again after a revoke.
        assert len(decided) == 1 or (revoke_ms is not None and decided)
        for final in found:
            counted[final.outcome] += 1
    assert counted.pop("handed_back") == result.summary["handed_back"]
    assert counted == result.summary["outcomes"]
    ends = {s.partition: test.broker.end_position(s) for s in test.broker.partitions("ticks")}
    assert {s.partition: p for s, p in result.committed.items()} == ends
    if not null_topics and late == "publish" and revoke_ms is None:
        checker = OutcomeChecker(inputs)
        checker.add_decisions(d.record.value or b"" for d in result.decisions)
        letters = [*result.dead_letters, *result.shed]
        checker.add_letters((x.record.headers, x.record.value) for x in letters)
        checker.report().assert_each_once()


@settings(deadline=None, max_examples=25)
@given(arrivals, st.integers(-(10**15), 10**18))
def test_a_shift_of_all_times_changes_nothing(arrivals: Any, shift_ns: int) -> None:
    def told(start_ns: int) -> list[tuple[str, str, int]]:
        test = PipelineTest(
            pipeline(deadline=within("50ms")),
            executor=FakeExecutor(fixed_ns=10 * MS, per_event_ns=MS),
            clock=VirtualClock(start_ns),
        )
        for value, key, at_ms, happened_ms, _ in arrivals:
            at_ns = start_ns + at_ms * MS
            test.send("ticks", value, key=key, at_ns=at_ns, timestamp_ns=at_ns + happened_ms * MS)
        final = test.run().final
        return [(i, o.outcome, o.final_ns - start_ns) for i, f in final.items() for o in f]

    t0 = 1_700_000_000_000 * MS
    assert told(t0) == told(t0 + shift_ns)


# -- deadlines --------------------------------------------------------------------------------------


def test_a_late_acknowledgement_makes_the_outcome_late() -> None:
    delays = iter([200 * MS, MS])
    test = PipelineTest(
        pipeline(), executor=FakeExecutor(), acknowledge_ns=lambda records: next(delays)
    )
    result = run(test, [1.0])
    assert result.decisions[0].outcome == "on_time"
    assert result.outcome_of("ticks/0/0") == "late"
    assert result.accounts.acked_late == 1
    assert outcomes(result) == {"late": 1}
    assert_no_on_time_after_deadline(result.decisions, result.acknowledged_ns, acked_late=1)


def test_the_way_to_the_broker_is_learned() -> None:
    """After slow acknowledgements a decision that would arrive too late is said to be late at once."""
    test = PipelineTest(pipeline(shed=()), executor=FakeExecutor(), acknowledge_ns=40 * MS)
    run(test, [1.0])
    test.send("ticks", {"x": 2}, timestamp_ns=test.now_ns - 70 * MS)
    result = test.run()
    assert result.decisions[1].outcome == "late"
    assert result.accounts.acked_late == 0


def late_events(**changes: Any) -> tuple[PipelineTest, TestResult]:
    test = PipelineTest(pipeline(shed=(), **changes), executor=FakeExecutor())
    for x in range(3):
        test.send("ticks", {"x": x}, timestamp_ns=test.now_ns - 200 * MS)
    return test, test.run()


def test_late_decisions_are_published_as_late() -> None:
    _, result = late_events()
    assert [d.outcome for d in result.decisions] == ["late"] * 3
    assert {d.record.header("streamproc-outcome") for d in result.decisions} == {b"late"}
    assert outcomes(result) == {"late": 3}


def test_late_decisions_are_dropped_and_counted() -> None:
    _, result = late_events(late="drop")
    assert result.decisions == []
    assert outcomes(result) == {"late": 3}
    assert result.committed == {("ticks", 0): 3}


def test_dropped_decisions_teach_nothing_about_the_broker() -> None:
    """They were never sent, so their 0 ns must not make the broker look quick."""
    test, _ = late_events(late="drop")
    assert test._assembly.engine._scheduler.send_ns == UNTRIED_SEND_NS


def test_expired_events_are_shed_before_they_are_decoded() -> None:
    test = PipelineTest(pipeline(outcomes=EVERYTHING), executor=FakeExecutor())
    run(test, [1.0])  # at the very first something is tried all the same
    for value in (b"{", b'{"x": 1}'):
        test.send(
            "ticks", value, key=b"\xff", headers={"h": "v"}, timestamp_ns=test.now_ns - 200 * MS
        )
    result = test.run()
    assert outcomes(result) == {"on_time": 1, "shed": 2}  # no dead letter: nobody looked inside
    assert result.summary["reasons"] == {"expired": 2}
    (first, second) = result.shed
    assert (first.record.value, first.record.key) == (b"{", b"\xff")
    assert first.record.header("h") == b"v"
    assert (second.id, second.reason) == ("ticks/0/2", "expired")
    assert result.committed == {("ticks", 0): 3}


def test_without_a_shed_topic_shed_events_are_counted() -> None:
    test = PipelineTest(pipeline(), executor=FakeExecutor())
    run(test, [1.0])
    test.send("ticks", {"x": 1}, timestamp_ns=test.now_ns - 200 * MS)
    assert outcomes(test.run()) == {"on_time": 1, "shed": 1}


def test_deadlines_from_arrival_and_from_a_field() -> None:
    def deadline(**changes: Any) -> tuple[int, int]:
        test = PipelineTest(
            pipeline(codec=JsonCodec(fields={"x": "float64", "ts": "int64"}), **changes),
            executor=FakeExecutor(),
            clock=VirtualClock(10**18),
        )
        test.send("ticks", {"x": 1, "ts": 10**12 - 10}, timestamp_ns=10**18 - 20 * MS)
        (decision,) = test.run().decisions
        return decision.event_time_ns - 10**18, decision.deadline_ns - 10**18

    assert deadline() == (-20 * MS, 80 * MS)
    assert deadline(deadline=within("100ms", from_="arrival")) == (-20 * MS, 100 * MS)
    by_field = EventTime(field="ts", unit="ms")
    assert deadline(event_time=by_field) == (-10 * MS, 90 * MS)


@pytest.mark.parametrize("stamp", [-(2**63), 2**63 - 1, 0, -1])
@pytest.mark.parametrize("field", [True, False])
def test_impossible_times_stop_nothing(stamp: int, field: bool) -> None:
    changes: dict[str, Any] = {"codec": JsonCodec(fields={"x": "float64", "ts": "int64"})}
    if field:
        changes["event_time"] = EventTime(field="ts", unit="s")
    test = PipelineTest(pipeline(**changes), executor=FakeExecutor())
    value = {"x": 1, "ts": stamp if field else 0}
    test.send("ticks", value, timestamp_ns=None if field else stamp)
    test.send("ticks", {"x": 1, "ts": 0})
    result = test.run()
    assert_accounts(result.accounts)
    assert result.summary["consumed"] == 2
    if stamp > 0:
        assert result.outcome_of("ticks/0/0") == "on_time"


# -- order ------------------------------------------------------------------------------------------


def test_order_is_kept_by_key_with_two_slots_and_deadlines_that_go_back() -> None:
    costs = iter([50 * MS, 1 * MS] * 20)

    class Uneven(FakeExecutor):
        def cost_ns(self, size: int) -> int:
            return next(costs, MS)

    def finished(ordering: str) -> TestResult:
        executor = Uneven(concurrency=2, inputs=())
        test = PipelineTest(
            pipeline(deadline=within("5s"), ordering=ordering, shed=()),
            executor=executor,
        )
        for n in range(20):
            test.send(
                "ticks", {"x": n}, key=f"k{n % 3}", at_ns=test.now_ns + n * MS,
                timestamp_ns=test.now_ns + (n * 7 % 20) * 10 * MS,
            )  # fmt: skip
        return test.run()

    kept = finished("key")
    assert [d.offset for d in kept.decisions] == list(range(20))
    assert_order(kept.decisions, by="key")
    costs = iter([50 * MS, 1 * MS] * 20)
    with pytest.raises(AssertionError):
        assert_order(finished("none").decisions, by="key")


def test_a_late_event_does_not_overtake_an_earlier_one_of_its_key() -> None:
    """One batch: the first event in time, the second late, the third in time."""
    test = PipelineTest(pipeline(shed=()), executor=FakeExecutor())
    for happened_ms in (0, -200, 0):
        test.send("ticks", {"x": 1}, key="k", timestamp_ns=test.now_ns + happened_ms * MS)
    result = test.run()
    assert [(d.offset, d.outcome) for d in result.decisions] == [
        (0, "on_time"),
        (1, "late"),
        (2, "on_time"),
    ]


# -- revoke -----------------------------------------------------------------------------------------


def test_acknowledgements_after_a_revoke_are_ignored() -> None:
    test = PipelineTest(pipeline(), executor=FakeExecutor(), partitions=2, acknowledge_ns=10 * MS)
    start_ns = test.now_ns
    for partition in (0, 1):
        test.send("ticks", {"x": partition}, partition=partition)
    test.revoke(("ticks", 0), at_ns=start_ns + 5 * MS)  # decided after 1 ms, acknowledged after 11
    result = test.run()
    assert len(result.decisions) == 2
    assert result.outcome_of("ticks/0/0") == "handed_back"
    assert result.outcome_of("ticks/1/0") == "on_time"
    assert result.committed == {("ticks", 0): 0, ("ticks", 1): 1}
    assert result.summary["handed_back"] == 1
    assert_accounts(result.accounts)


@pytest.mark.parametrize("failing", [False, True])
def test_a_run_that_ends_after_a_revoke_publishes_nothing(failing: bool) -> None:
    executor = FakeExecutor(fixed_ns=10 * MS)
    test = PipelineTest(pipeline(), executor=executor)
    executor.fail(runs=int(failing))
    start_ns = test.now_ns
    test.send("ticks", {"x": 1})
    test.send("ticks", {"x": 2}, at_ns=start_ns + MS)  # waits
    test.revoke(("ticks", 0), at_ns=start_ns + 5 * MS)
    result = test.run()
    assert (result.decisions, result.dead_letters) == ([], [])
    assert result.summary["handed_back"] == 2
    assert_accounts(result.accounts)


def test_a_ticket_is_acknowledged_once() -> None:
    test = PipelineTest(pipeline(), executor=FakeExecutor())
    run(test, [1.0])
    with pytest.raises(InvariantError, match="ticket 1 is not open"):
        test._assembly.engine.acknowledged(1, test.now_ns)


# -- failures of the user's code, the model and the data ----------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"features": python(raise_at_poison)}, "features_failed"),
        ({"features": python(nan_at_poison)}, "not_finite"),
        ({"output": python(decide_not_at_poison)}, "decide_failed"),
    ],
)
def test_one_poisonous_row_is_one_dead_letter(changes: Any, reason: str) -> None:
    values = [float(n) for n in range(40)]
    values[17] = POISON
    result = run(PipelineTest(pipeline(**changes), executor=FakeExecutor()), values)
    assert outcomes(result) == {"on_time": 39, "dead_letter": 1}
    (letter,) = result.dead_letters
    assert (letter.id, letter.reason) == ("ticks/0/17", reason)
    assert letter.record.json() == {"x": POISON}
    assert letter.detail


def test_a_model_that_raises_dead_letters_its_batch_only() -> None:
    executor = FakeExecutor()
    test = PipelineTest(pipeline(), executor=executor)
    executor.fail(RuntimeError("out of memory"))
    test.send("ticks", {"x": 1})
    test.send("ticks", {"x": 2}, at_ns=test.now_ns + 10 * MS)
    result = test.run()
    assert outcomes(result) == {"on_time": 1, "dead_letter": 1}
    (letter,) = result.dead_letters
    assert (letter.reason, letter.detail) == ("model_failed", "RuntimeError: out of memory")


def test_an_output_that_is_not_finite_is_a_dead_letter() -> None:
    executor = FakeExecutor(lambda inputs: np.log(np.maximum(inputs["input"], 0)))
    with np.errstate(divide="ignore"):
        result = run(PipelineTest(pipeline(), executor=executor), [1.0, -1.0, 2.0])
    assert [d.id for d in result.decisions] == ["ticks/0/0", "ticks/0/2"]
    (letter,) = result.dead_letters
    assert (letter.id, letter.reason) == ("ticks/0/1", "not_finite")


@pytest.mark.parametrize(
    "model", [lambda x: x["input"][:-1], lambda x: {}, lambda x: np.float32(1.0)]
)
def test_an_output_of_another_size_is_a_dead_letter(model: Any) -> None:
    result = run(PipelineTest(pipeline(), executor=FakeExecutor(model)), [1.0, 2.0])
    assert outcomes(result) == {"dead_letter": 2}
    assert {letter.reason for letter in result.dead_letters} == {"decide_failed"}


def test_bad_records_are_dead_letters_as_they_came() -> None:
    test = PipelineTest(pipeline(), executor=FakeExecutor())
    for value in (b"{", b'{"y": 1}', b'{"x": "a"}', b"", None, b'{"x": NaN}'):
        test.send("ticks", value, key=b"\xff\x00", headers={"own": b"1"})
    result = test.run()
    assert [letter.reason for letter in result.dead_letters] == [
        "undecodable", "missing_field", "wrong_type", "empty", "empty", "not_finite",
    ] or {letter.reason for letter in result.dead_letters} == {
        "undecodable", "missing_field", "wrong_type", "empty", "not_finite",
    }  # fmt: skip
    for letter in result.dead_letters:
        original = next(r for r in test.broker.records("ticks") if r.id == letter.id)
        assert (letter.record.key, letter.record.value) == (original.key, original.value)
        assert letter.record.header("own") == b"1"
    assert result.committed == {("ticks", 0): 6}


def test_without_a_dead_letter_topic_they_are_counted() -> None:
    test = PipelineTest(
        pipeline(outcomes=Outcomes(dead_letter_topic=None)), executor=FakeExecutor()
    )
    result = run(test, [b"{", 1.0])
    assert outcomes(result) == {"on_time": 1, "dead_letter": 1}
    assert result.committed == {("ticks", 0): 2}


# -- what is written ----------------------------------------------------------------------------------


def test_keys_that_are_no_text() -> None:
    test = PipelineTest(pipeline(), executor=FakeExecutor())
    for key in (b"\xff\xfe", b"text", None, b"", b'"\n'):
        test.send("ticks", {"x": 1}, key=key, partition=0)
    result = test.run()
    encoded = "base64:" + base64.b64encode(b"\xff\xfe").decode()
    assert [d.key for d in result.decisions] == [encoded, "text", None, "", '"\n']
    assert [d.record.key for d in result.decisions] == [b"\xff\xfe", b"text", None, b"", b'"\n']


def test_a_field_as_the_key() -> None:
    codec = JsonCodec(fields={"x": "float64", "symbol": "str"})
    test = PipelineTest(pipeline(codec=codec, key="symbol"), executor=FakeExecutor())
    values = [{"x": 1, "symbol": "Ü"}, {"x": 1, "symbol": ""}]
    for value in values:
        test.send("ticks", value, key="other")
    test.send("ticks", b'{"x": 1, "symbol": "\\ud800"}')
    result = test.run()
    assert [d.record.key for d in result.decisions] == ["Ü".encode(), b""]
    assert result.outcome_of("ticks/0/2") == "dead_letter"


def test_trace_contexts_are_passed_on() -> None:
    test = PipelineTest(pipeline(), executor=FakeExecutor())
    trace = {"traceparent": b"00-\xff", "tracestate": "a=1", "other": "x"}
    test.send("ticks", b"{")
    test.send("ticks", {"x": 1}, headers=trace)
    test.send("ticks", {"x": 1})
    traced, plain = test.run().decisions
    assert dict(traced.record.headers) == {
        "traceparent": b"00-\xff",
        "tracestate": b"a=1",
        "streamproc-outcome": b"on_time",
    }
    assert dict(plain.record.headers) == {"streamproc-outcome": b"on_time"}


def test_a_trace_goes_on_in_the_decision_or_begins_with_it() -> None:
    telemetry = Telemetry(metrics=Metrics(listen=None), traces=Traces(ratio=1.0, always=()))
    test = PipelineTest(pipeline(telemetry=telemetry), executor=FakeExecutor())
    trace, state = "4bf92f3577b34da6a3ce929d0e0e4736", ("tracestate", b"a=1")
    sampled, not_sampled = (
        f"00-{trace}-00f067aa0ba902b7-{flags}".encode() for flags in ("01", "00")
    )
    for traceparent in (sampled, not_sampled, b"00-\xff", None):
        headers = [] if traceparent is None else [("traceparent", traceparent)]
        test.send("ticks", {"x": 1.0}, headers=[*headers, state])
    result = test.run()
    told = {journey.offset: journey for journey in test.journeys}
    assert told.keys() == {0, 2, 3}
    headers_of = [dict(d.record.headers) for d in result.decisions]
    # A sampled parent: the same trace, with our span as the parent of what comes next.
    assert headers_of[0]["traceparent"] == told[0].ids.traceparent
    assert (told[0].ids.trace_id.hex(), told[0].parent_span_id.hex()) == (trace, "00f067aa0ba902b7")
    assert headers_of[0]["tracestate"] == b"a=1"
    # One that is not sampled is handed on untouched.
    assert (headers_of[1]["traceparent"], headers_of[1]["tracestate"]) == (not_sampled, b"a=1")
    # None, or a malformed one: a trace of its own, which no foreign state belongs to.
    for number in (2, 3):
        assert headers_of[number]["traceparent"] == told[number].ids.traceparent
        assert told[number].parent_span_id == b""
        assert "tracestate" not in headers_of[number]


def test_labels() -> None:
    executor = FakeExecutor(lambda inputs: np.hstack([inputs["input"], 1 - inputs["input"]]))
    output = Output(labels=("up", "down"), scores=True)
    result = run(PipelineTest(pipeline(output=output), executor=executor), [0.25, 0.75])
    assert [d.output for d in result.decisions] == [
        {"label": "down", "scores": [0.25, 0.75]},
        {"label": "up", "scores": [0.75, 0.25]},
    ]
    assert result.decisions[0].model == {"variant": "full", "digest": "sha256:000000000000"}


def test_a_decision_that_is_too_large_is_one_dead_letter() -> None:
    sink = KafkaSink(topic="decisions", max_record=Size.parse("10KiB"))
    test = PipelineTest(
        pipeline(sink=sink, output=python(decide_at_length)), executor=FakeExecutor()
    )
    result = run(test, [1.0, 20_000.0, 2.0])
    assert [d.output for d in result.decisions] == ["x", "xx"]
    (letter,) = result.dead_letters
    assert (letter.id, letter.reason) == ("ticks/0/1", "too_large")


def test_a_dead_letter_that_is_too_large_carries_its_digest() -> None:
    sink = KafkaSink(topic="decisions", max_record=Size.parse("10KiB"))
    value = b'{"y": "' + b"y" * 20_000 + b'"}'
    result = run(PipelineTest(pipeline(sink=sink), executor=FakeExecutor()), [value])
    (letter,) = result.dead_letters
    assert letter.record.value is None
    assert letter.record.header("streamproc-size") == str(len(value)).encode()
    assert letter.record.header("streamproc-sha256") == hashlib.sha256(value).hexdigest().encode()


def test_several_partitions_in_one_batch_keep_their_ids() -> None:
    test = PipelineTest(pipeline(), executor=FakeExecutor(), partitions=3)
    for n in range(9):
        test.send("ticks", {"x": n} if n != 4 else b"{", partition=n % 3)
    result = test.run()
    expected = [(f"ticks/{n % 3}/{n // 3}", [float(n)]) for n in range(9) if n != 4]
    assert sorted((d.id, d.output) for d in result.decisions) == sorted(expected)
    assert test.executor.sizes[-1] > 1


@pytest.mark.parametrize("large", ["key", "tracestate"])
def test_what_travels_beside_a_decision_counts_as_well(large: str) -> None:
    """A 6 KiB value fits in 10 KiB, but not with a key or a trace of 6 KiB beside it."""
    sink = KafkaSink(topic="decisions", max_record=Size.parse("10KiB"))
    test = PipelineTest(pipeline(sink=sink), executor=FakeExecutor())
    long = "k" * (6 << 10)
    headers = {"traceparent": "00-1-1-01", "tracestate": long * 2} if large == "tracestate" else {}
    test.send("ticks", {"x": 1.0}, key=long if large == "key" else "k", headers=headers)
    test.send("ticks", {"x": 2.0}, key="k")
    result = test.run()
    assert [d.output for d in result.decisions] == [[2.0]]
    assert [(letter.id, letter.reason) for letter in result.dead_letters] == [
        ("ticks/0/0", "too_large")
    ]
