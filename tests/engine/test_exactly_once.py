"""Transactions in virtual time: however they are aborted, each event has one outcome, and it counts at the commit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.codecs import ArrowCodec
from streamproc.connectors.kafka import KafkaSink
from streamproc.core import ConfigError, Duration, TopicPartition
from streamproc.engine import Outcomes, PythonFunction
from streamproc.scheduling import Lane
from streamproc.testing import (
    Auditor,
    FakeExecutor,
    PipelineTest,
    assert_accounts,
    assert_no_on_time_after_deadline,
)
from tests.engine.pipelines import MS, pipeline, raise_at_poison, reference_to, within

T0 = TopicPartition("ticks", 0)
LANES = (Lane("front", "x > 500"), Lane("middle", "x > 300", priority=1))
EVERYTHING = Outcomes(dead_letter_topic="p.dlq", shed_topic="p.shed")


def transactional(**changes: Any) -> Any:
    return pipeline(**({"delivery": "exactly_once", "outcomes": EVERYTHING} | changes))


def audit(test: PipelineTest) -> None:
    """What anybody sees who reads the topics."""
    auditor = Auditor("exactly_once")
    for record in test.broker.records("decisions"):
        auditor.add_decision(record)
    for topic in ("p.dlq", "p.shed"):
        for record in test.broker.records(topic):
            auditor.add_letter(record)
    for record in test.broker.records("ticks"):
        auditor.add_input(record)
    auditor.report(test.broker.committed("p")).require_complete()


arrivals = st.lists(
    st.tuples(
        st.sampled_from([b"{", b'{"x": 1}', b'{"x": 400}', b'{"x": 600}', b'{"x": 666}']),
        st.sampled_from(["a", "b", None]),
        st.integers(0, 80),
        st.integers(-60, 0),
        st.integers(0, 1),
    ),
    max_size=60,
)


@settings(deadline=None, max_examples=60)
@given(
    arrivals=arrivals,
    models=st.tuples(st.integers(0, 8), st.integers(0, 2), st.integers(1, 2)),
    commit_ms=st.integers(0, 30),
    late=st.sampled_from(["publish", "drop"]),
    lanes=st.sampled_from([(), LANES]),
    aborts=st.integers(0, 4),
    revoke_ms=st.none() | st.integers(0, 60),
    failing=st.integers(0, 2),
)
def test_every_event_has_one_outcome_whatever_is_aborted(
    *, arrivals: Any, models: Any, commit_ms: int, late: Any, lanes: Any, aborts: int,
    revoke_ms: int | None, failing: int,
) -> None:  # fmt: skip
    fixed, per_event, slots = models
    executor = FakeExecutor(fixed_ns=fixed * MS, per_event_ns=per_event * MS, concurrency=slots)
    test = PipelineTest(
        transactional(
            deadline=within("50ms"),
            features=PythonFunction(reference_to(raise_at_poison)),
            late=late,
            lanes=lanes,
        ),
        executor=executor,
        partitions=2,
        acknowledge_ns=commit_ms * MS,
    )
    executor.fail(runs=failing)
    test.sink.fail_commits(times=aborts)
    start_ns = test.now_ns
    for value, key, at_ms, happened_ms, partition in arrivals:
        at_ns = start_ns + at_ms * MS
        test.send(
            "ticks", value, key=key, partition=partition, at_ns=at_ns, timestamp_ns=at_ns + happened_ms * MS
        )  # fmt: skip
    if revoke_ms is not None:
        test.revoke(("ticks", 0), at_ns=start_ns + revoke_ms * MS)
        test.assign(("ticks", 0), at_ns=start_ns + 90 * MS)
    result = test.run()

    assert result.in_flight == 0
    assert_accounts(result.accounts)
    assert_no_on_time_after_deadline(
        result.decisions, result.acknowledged_ns, acked_late=result.accounts.acked_late
    )
    inputs = [record.id for record in test.broker.records("ticks")]
    assert set(result.final) == set(inputs)
    counted = dict.fromkeys([*result.summary["outcomes"], "handed_back"], 0)
    for found in result.final.values():
        assert len([o for o in found if o.outcome != "handed_back"]) == 1
        for final in found:
            counted[final.outcome] += 1
    assert counted.pop("handed_back") == result.summary["handed_back"]
    assert counted == result.summary["outcomes"]
    ends = {s: test.broker.end_position(s) for s in test.broker.partitions("ticks")}
    assert dict(result.committed) == ends
    if late == "publish":
        audit(test)


def test_an_outcome_counts_at_the_commit_and_not_before() -> None:
    test = PipelineTest(transactional(), executor=FakeExecutor(fixed_ns=MS), acknowledge_ns=5 * MS)
    start_ns = test.now_ns
    test.send("ticks", {"x": 1})
    result = test.run(until_ns=start_ns + 4 * MS)
    assert (result.final, result.in_flight, result.decisions, result.committed) == (
        {},
        1,
        [],
        {T0: 0},
    )
    result = test.run()
    (final,) = result.final["ticks/0/0"]
    assert final.final_ns == start_ns + 6 * MS
    assert (final.outcome, result.committed) == ("on_time", {T0: 1})


def test_what_is_committed_too_late_is_late_in_the_books() -> None:
    test = PipelineTest(
        transactional(), executor=FakeExecutor(fixed_ns=MS), acknowledge_ns=100 * MS
    )
    test.send("ticks", {"x": 1})
    result = test.run()
    assert result.outcome_of("ticks/0/0") == "late"
    assert result.accounts.acked_late == 1


def test_a_transaction_begins_an_interval_after_the_last_one() -> None:
    sink = KafkaSink(topic="decisions", transaction_interval=Duration.parse("20ms"))
    test = PipelineTest(
        transactional(sink=sink), executor=FakeExecutor(fixed_ns=MS), acknowledge_ns=MS
    )
    start_ns = test.now_ns
    for at_ms in (0, 2, 4, 30, 60):
        test.send("ticks", {"x": 1}, at_ns=start_ns + at_ms * MS)
    result = test.run()
    finals_ms = [(f[0].final_ns - start_ns) / MS for f in result.final.values()]
    # The first at once, those after it an interval after its beginning, and so on; then it is idle.
    assert finals_ms == [2, 22, 22, 42, 62]


def test_what_ends_before_earlier_ones_is_not_done_again() -> None:
    """The second is shed at once, and committed, while the first is still computed; then all is taken away."""
    test = PipelineTest(
        transactional(deadline=within("1s")),
        executor=FakeExecutor(fixed_ns=50 * MS),
        acknowledge_ns=MS,
    )
    start_ns = test.now_ns
    test.send("ticks", {"x": 1})
    test.send("ticks", b"{")
    result = test.run(until_ns=start_ns + 10 * MS)
    assert [letter.id for letter in result.dead_letters] == ["ticks/0/1"]
    assert result.committed == {T0: 0}
    assert test.broker.group("p").beyond[T0].tolist() == [1]

    test.revoke(("ticks", 0))
    test.assign(("ticks", 0))
    result = test.run()
    assert [o.outcome for o in result.final["ticks/0/0"]] == ["handed_back", "on_time"]
    assert [o.outcome for o in result.final["ticks/0/1"]] == ["dead_letter"]
    assert result.committed == {T0: 2}
    assert result.summary["handed_back"] == 1
    audit(test)


def test_what_was_done_before_is_stored_again_with_the_next_position() -> None:
    """A second life that ends before the first event is done must not forget what the first one had done."""
    test = PipelineTest(transactional(), executor=FakeExecutor(fixed_ns=50 * MS), acknowledge_ns=MS)
    start_ns = test.now_ns
    test.send("ticks", {"x": 1})
    test.send("ticks", b"{")
    test.revoke(("ticks", 0), at_ns=start_ns + 10 * MS)
    test.assign(("ticks", 0), at_ns=start_ns + 10 * MS)
    test.send("ticks", b"}", at_ns=start_ns + 12 * MS)
    test.run(until_ns=start_ns + 20 * MS)
    assert test.broker.group("p").beyond[T0].tolist() == [1, 2]
    test.run()
    audit(test)


def test_a_commit_waits_where_too_much_is_done_behind_the_position() -> None:
    test = PipelineTest(transactional(), executor=FakeExecutor(fixed_ns=40 * MS), acknowledge_ns=MS)
    test.sink.holds_max = 1
    start_ns = test.now_ns
    for value in ({"x": 1}, b"{", b"{", b"{"):
        test.send("ticks", value)
    assert test.run(until_ns=start_ns + 30 * MS).dead_letters == []
    result = test.run()
    assert len(result.dead_letters) == 3
    assert result.committed == {T0: 4}
    audit(test)


def test_records_of_several_events_are_refused() -> None:
    with pytest.raises(ConfigError, match="records of one event each"):
        PipelineTest(transactional(codec=ArrowCodec(fields={"x": "float64"})))
