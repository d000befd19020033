"""Features of what keys did before, through the engine: outcomes, restarts, batches, failures."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from streamproc.codecs import JsonCodec, TopicCodecs
from streamproc.connectors.kafka import KafkaSource
from streamproc.core import (
    NS_PER_S,
    Array,
    Columns,
    Duration,
    Outcome,
    TopicPartition,
    VirtualClock,
)
from streamproc.engine import Call, Entry, ScheduleLog
from streamproc.features import Duplicates, FeatureState
from streamproc.features.operators import (
    AsOf,
    ClosedWindow,
    Custom,
    Difference,
    KeyedBatch,
    Rolling,
)
from streamproc.runtime import assemble
from streamproc.testing import FakeExecutor, PipelineTest
from tests.engine.pipelines import POISON, pipeline, reference_to, within
from tests.support.captures import batch_of

T = [TopicPartition("ticks", number) for number in (0, 1)]
T0 = 1_699_990_000 * NS_PER_S
TTL = FeatureState(ttl=Duration.parse("10s"), grace=Duration.parse("2s"))
SUM = Rolling(field="x", take=["sum"], time=Duration.parse("5s"), max_events=8)


def keyed(**changes: Any) -> PipelineTest:
    """``ticks`` with x and kind; the decision is the model's input."""
    parts: dict[str, Any] = {
        "codec": JsonCodec(fields={"x": "float64", "kind": "str"}),
        "features": [SUM],
        "state": TTL,
        "deadline": within("100ms", from_="arrival"),
    }
    return PipelineTest(pipeline(**(parts | changes)), executor=FakeExecutor(echo))


def echo(inputs: Columns) -> Columns:
    return {"output": inputs["input"]}


def send(test: PipelineTest, x: float, *, second: float, key: str = "k", kind: str = "t") -> None:
    test.send(
        "ticks", {"x": x, "kind": kind}, key=key, timestamp_ns=T0 + round(second * NS_PER_S),
        at_ns=test.now_ns,
    )  # fmt: skip


def outputs(test: PipelineTest) -> dict[str, Any]:
    return {d.id: d.output for d in test.run().decisions}


def test_a_rolling_sum_of_each_key_is_what_the_model_is_given() -> None:
    test = keyed()
    for second, x in enumerate([1.0, 2.0, 4.0]):
        send(test, x, second=second)
        send(test, -x, second=second, key="other")
    assert [v[0] for v in outputs(test).values()] == [1, -1, 3, -3, 7, -7]


def test_filtered_events_are_remembered_by_nobody_and_absorbed_ones_are() -> None:
    test = keyed(filter="x > 0", absorb="kind == 'quote'")
    send(test, 1.0, second=0)
    send(test, -8.0, second=1)
    send(test, 2.0, second=2, kind="quote")
    send(test, 4.0, second=3)
    result = test.run()
    assert [d.output[0] for d in result.decisions] == [1, 7]
    assert result.outcome_of("ticks/0/1") == "filtered"
    assert result.outcome_of("ticks/0/2") == "absorbed"
    assert result.summary["consumed"] == 4


def test_decisions_about_windows_are_those_of_the_events_that_close_them() -> None:
    window = ClosedWindow(field="x", take=["sum", "count"], size=Duration.parse("1s"), as_="w")
    test = keyed(features=[window], absorb="_w_closes == 0")
    for second, x in ((0.1, 1.0), (0.5, 2.0), (1.2, 4.0), (5.0, 8.0)):
        send(test, x, second=second)
    result = test.run()
    decided = {d.id: d.output for d in result.decisions}
    assert decided == {"ticks/0/2": [3, 2], "ticks/0/3": [4, 1]}
    assert result.summary["outcomes"]["absorbed"] == 2


def test_what_comes_twice_is_filtered_and_remembered_once() -> None:
    test = keyed(duplicates=Duplicates(field="kind", within=Duration.parse("3s")))
    for second, kind in ((0, "a"), (1, "b"), (2, "a"), (4, "a"), (4, "b")):
        send(test, 1.0, second=second, kind=kind)
    result = test.run()
    assert {d.id: d.output[0] for d in result.decisions} == {
        "ticks/0/0": 1, "ticks/0/1": 2, "ticks/0/3": 3,
    }  # fmt: skip
    assert result.outcome_of("ticks/0/2") == result.outcome_of("ticks/0/4") == "filtered"
    assert result.accounts.settled[Outcome.FILTERED, "duplicate"] == 2


def test_what_is_too_late_is_a_dead_letter_and_in_no_window() -> None:
    test = keyed()
    for x, second in ((1.0, 10), (2.0, 9), (4.0, 7), (8.0, 10)):
        send(test, x, second=second)
    result = test.run()
    assert [d.output[0] for d in result.decisions] == [1, 2, 11]
    assert [(r.id, r.reason) for r in result.dead_letters] == [("ticks/0/2", "too_late")]


def test_an_event_of_the_far_future_does_not_make_all_others_too_late() -> None:
    test = keyed(deadline=within("100ms"))
    now_s = (test.now_ns - T0) / NS_PER_S
    for second in (now_s, now_s + 1e6, now_s):
        send(test, 1.0, second=second)
    result = test.run()
    assert [r.reason for r in result.dead_letters] == ["too_early"]
    assert len(result.decisions) == 2


def test_without_a_partner_an_event_gets_the_fill_or_becomes_a_dead_letter() -> None:
    join: dict[str, Any] = {
        "when": "kind == 'quote'",
        "fields": ["x"],
        "within": Duration.parse("2s"),
    }
    for missing in ("fill", "dead_letter"):
        test = keyed(features=[AsOf(**join, missing=missing)], absorb="kind == 'quote'")
        for second, x, kind in ((0, 7.0, "quote"), (1, 0.0, "t"), (2, 0.0, "t")):
            send(test, x, second=second, kind=kind)
        result = test.run()
        made = {d.id: d.output[0] for d in result.decisions}
        letters = [letter.reason for letter in result.dead_letters]
        if missing == "fill":
            assert (made, letters) == ({"ticks/0/1": 7, "ticks/0/2": 0}, [])
        else:
            assert (made, letters) == ({"ticks/0/1": 7}, ["no_partner"])


def test_expired_events_are_remembered_all_the_same() -> None:
    test = keyed(deadline=within("100ms"))
    now_s = (test.now_ns - T0) / NS_PER_S
    send(test, 1.0, second=now_s - 1)
    send(test, 2.0, second=now_s)
    result = test.run()
    assert result.outcome_of("ticks/0/0") == "shed"
    assert [d.output[0] for d in result.decisions] == [3]


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_a_partition_that_comes_back_is_decided_as_if_nothing_had_been(delivery: str) -> None:
    rng = np.random.default_rng(5)
    moves = sorted(rng.integers(1, 60, 6).tolist())
    sent = [
        (float(x), i / 4 + float(d), "ab"[k])
        for i, (x, d, k) in enumerate(
            zip(rng.normal(size=60), rng.uniform(-1, 1, 60), rng.integers(0, 2, 60), strict=True)
        )
    ]
    features = [SUM, Difference(field="x"), Rolling(field="x_difference_1", take=["std"], events=4)]

    def decided(*, moved: bool) -> dict[str, Any]:
        twice = Duplicates(field="kind", within=Duration.parse("3s"))
        test = keyed(features=features, delivery=delivery, duplicates=twice)
        for number, (x, second, key) in enumerate(sent):
            send(test, x, second=second, key=key, kind=str(number // 3 * 2 % 40))
            test.run()
            if moved and number in moves:
                test.revoke(("ticks", 0))
                test.assign(("ticks", 0))
                test.run()
        result = test.run()
        assert result.summary["consumed"] == len(sent)
        assert moved == (result.summary["restored"] > 0)
        return {d.id: d.output for d in result.decisions}

    assert decided(moved=True) == decided(moved=False)


def test_what_the_consumer_says_of_empty_partitions_is_not_needed_to_do_it_again() -> None:
    batch = batch_of(2, source=T[0], value=[b'{"x": 1, "kind": "t"}'] * 2)

    def calls(*, told: bool) -> list[Call]:
        entries: list[Entry] = []
        log = ScheduleLog(lambda data, _: entries.append(Entry.decode(data)))
        config = replace(keyed()._config, deadline=within("1h", from_="arrival"))
        clock = VirtualClock(batch.arrival_ns)
        engine = assemble(config, [FakeExecutor(echo)], clock, log=log).engine
        engine.assigned(dict.fromkeys(T, 0))
        engine.ingest(batch)
        if told:
            engine.moved({T[1]: 0})
        assert engine.restore.under_way != told
        engine.ingest(replace(batch, offset=batch.offset + 2, end_position=4))
        log.flush()
        return [Call(call) for entry in entries for call in entry.calls]

    assert calls(told=True) == calls(told=False)


def count_seen(batch: KeyedBatch) -> Array:
    if (batch["x"] == POISON).any():
        batch.state["seen"][batch.slot] += 100  # must leave no trace
        raise ValueError
    made = np.zeros(len(batch))
    for rows in batch.rounds():
        batch.state["seen"][batch.slot[rows]] += 1
        made[rows] = batch.state["seen"][batch.slot[rows]]
    return made


def test_the_users_operator_keeps_state_of_its_keys_and_a_failure_leaves_none() -> None:
    custom = Custom(python=reference(count_seen), as_="seen", state={"seen": "int64"})
    test = keyed(features=[custom], state=FeatureState(restore="none"))
    for x in (1.0, 1.0, POISON, 1.0):
        send(test, x, second=0)
        send(test, 1.0, second=0, key="other")
    result = test.run()
    assert [d.output[0] for d in result.decisions] == [1, 1, 2, 2, 3, 3, 4]
    assert [letter.reason for letter in result.dead_letters] == ["features_failed"]


def reference(function: Any) -> str:
    return reference_to(function).replace(reference_to(function).split(":")[0], __name__)


def test_an_expression_and_an_operator_may_be_about_one_of_several_topics() -> None:
    codec = TopicCodecs(
        {"quotes": JsonCodec({"bid": "float64"}), "ticks": JsonCodec({"x": "float64"})}
    )
    source = KafkaSource(topics=("quotes", "ticks"), auto_offset_reset="earliest")
    test = keyed(codec=codec, source=source, absorb="topic == 'quotes'", filter="bid != 7")
    for topic, value in (("ticks", {"x": 1}), ("quotes", {"bid": 2}), ("quotes", {"bid": 7})):
        test.send(topic, value, key="k", timestamp_ns=T0)
    result = test.run()
    assert {d.id: d.output for d in result.decisions} == {"ticks/0/0": [1.0]}
    assert result.outcome_of("quotes/0/0") == "absorbed"
    assert result.outcome_of("quotes/0/1") == "filtered"
