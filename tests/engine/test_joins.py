"""Two topics joined through the engine: in order of time, the same whatever the polls, restarts and replays."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.codecs import JsonCodec, TopicCodecs
from streamproc.connectors.kafka import KafkaSource
from streamproc.core import NS_PER_MS, NS_PER_S, Columns, Duration
from streamproc.engine import EventTime, Reorder
from streamproc.features import Duplicates, FeatureState
from streamproc.features.operators import AsOf, Interval, Rolling
from streamproc.runtime.standing import standing
from streamproc.telemetry import ReorderStates
from streamproc.testing import FakeExecutor, PipelineTest
from tests.engine.pipelines import pipeline, within

T0 = 1_699_990_000 * NS_PER_S
CODEC = TopicCodecs(
    {
        "quotes": JsonCodec({"at": "int64", "bid": "float64", "id": "str"}),
        "trades": JsonCodec({"at": "int64", "size": "float64"}),
    }
)
QUOTE = AsOf(
    when="topic == 'quotes'", fields=["bid"], within=Duration.parse("3s"), fill=-1.0, as_="quote"
)
VOLUME = Rolling(
    field="size", take=["sum"], time=Duration.parse("2s"), when="topic == 'trades'", as_="volume"
)
AROUND = Interval(
    when="topic == 'quotes'",
    fields=["bid"],
    take=["count", "sum"],
    before=Duration.parse("700ms"),
    after=Duration.parse("500ms"),
    as_="around",
)
SLACK_MS = 400


class Sent(NamedTuple):
    topic: str
    at_ms: int
    value: float
    key: str = "k"


def joined(**changes: Any) -> PipelineTest:
    """Trades with the bid as it was, what was traded in 2 s, and the bids around them; quotes are absorbed."""
    parts: dict[str, Any] = {
        "source": KafkaSource(topics=("quotes", "trades"), auto_offset_reset="earliest"),
        "codec": CODEC,
        "event_time": EventTime("at", "ms"),
        "reorder": Reorder(slack=Duration(SLACK_MS * NS_PER_MS)),
        "features": [QUOTE, VOLUME, AROUND],
        "absorb": "topic == 'quotes'",
        "state": FeatureState(ttl=Duration.parse("10s"), grace=Duration.parse("2s")),
        "deadline": within("1h", from_="arrival"),
    }
    return PipelineTest(pipeline(**(parts | changes)), executor=FakeExecutor(echo))


def echo(inputs: Columns) -> Columns:
    return {"output": inputs["input"]}


def send(test: PipelineTest, one: Sent, *, at_ns: int | None = None) -> None:
    field = "bid" if one.topic == "quotes" else "size"
    value = {"at": T0 // NS_PER_MS + one.at_ms, field: one.value}
    if one.topic == "quotes":
        value["id"] = str(one.at_ms)  # type: ignore[assignment]
    at_ns = test.now_ns if at_ns is None else at_ns
    timestamp_ns = T0 + one.at_ms * NS_PER_MS
    test.send(one.topic, value, key=one.key, timestamp_ns=timestamp_ns, at_ns=at_ns)


def offline(sent: Sequence[Sent]) -> dict[str, list[float]]:
    """The same join over the whole recording, as loops over what happened, sorted by time."""
    found: dict[str, list[float]] = {}
    offsets = {"quotes": 0, "trades": 0}
    for one in sent:
        number = offsets[one.topic]
        offsets[one.topic] += 1
        if one.topic == "quotes":
            continue
        quotes = sorted((o for o in sent if o.topic == "quotes" and o.key == one.key), key=at)
        before = [o for o in quotes if one.at_ms - 3_000 < o.at_ms <= one.at_ms]
        trades = sorted((o for o in sent if o.topic == "trades" and o.key == one.key), key=at)
        # Of one instant, those that came before it.
        place = bisect_right([o.at_ms for o in trades], one.at_ms)
        while trades[place - 1] is not one:
            place -= 1
        volume = sum(o.value for o in trades[:place] if o.at_ms > one.at_ms - 2_000)
        around = [o.value for o in quotes if one.at_ms - 700 <= o.at_ms <= one.at_ms + 500]
        bid = before[-1].value if before else -1.0
        found[f"trades/0/{number}"] = [bid, volume, len(around), sum(around)]
    return found


def at(one: Sent) -> int:
    return one.at_ms


def outputs(test: PipelineTest) -> dict[str, Any]:
    return {d.id: d.output for d in test.run().decisions}


@st.composite
def recordings(draw: st.DrawFn) -> list[Sent]:
    """What is sent, in the order of its sending: out of order by less than the slack."""
    count = draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    base = np.cumsum(rng.integers(0, 300, count))
    return [
        Sent(
            "quotes" if rng.integers(2) else "trades",
            int(ms + rng.integers(0, SLACK_MS)),
            float(rng.integers(1, 9)),
            "ab"[rng.integers(2)],
        )
        for ms in base.tolist()
    ]


@settings(max_examples=40, deadline=None)
@given(recordings(), st.randoms(use_true_random=False))
def test_joined_online_is_joined_offline_however_the_topics_are_polled(
    sent: list[Sent], random: Any
) -> None:
    test = joined()
    # Each topic in its own order, the two of them interleaved at random, in batches at random.
    logs = {topic: [one for one in sent if one.topic == topic] for topic in ("quotes", "trades")}
    begin_ns = test.now_ns
    step = 0
    while any(logs.values()):
        log = logs[random.choice([topic for topic, log in logs.items() if log])]
        for _ in range(random.randint(1, 5)):
            if log:
                send(test, log.pop(0), at_ns=begin_ns + step * NS_PER_MS // 100)
        step += random.randint(0, 1)
    assert outputs(test) == offline(sent)


def test_a_trade_waits_for_a_quote_that_comes_after_it_but_happened_before() -> None:
    test = joined()
    begin_ns = test.now_ns
    send(test, Sent("trades", 1_000, 2.0), at_ns=begin_ns)
    send(test, Sent("quotes", 900, 7.0), at_ns=begin_ns + 100 * NS_PER_MS)
    result = test.run()
    assert [d.output for d in result.decisions] == [[7.0, 2.0, 1.0, 7.0]]
    decided_ns = next(iter(result.acknowledged_ns.values()))
    waited_ms = (decided_ns - begin_ns) / NS_PER_MS
    waits_ms = SLACK_MS + 500  # for quotes that happen up to so long after it
    assert waits_ms <= waited_ms <= waits_ms + SLACK_MS + 150


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_partitions_that_come_back_are_joined_as_if_nothing_had_been(delivery: str) -> None:
    rng = np.random.default_rng(11)
    sent = [
        Sent(
            ("quotes", "trades")[int(rng.integers(2))],
            int(100 * i + rng.integers(0, SLACK_MS)),
            float(rng.normal()),
            "abc"[int(rng.integers(3))],
        )
        for i in range(120)
    ]
    moves = set(rng.integers(1, 119, 8).tolist())

    def decided(*, moved: bool) -> dict[str, Any]:
        test = joined(delivery=delivery)
        begin_ns = test.now_ns
        for number, one in enumerate(sent):
            send(test, one, at_ns=begin_ns + 100 * number * NS_PER_MS)
            test.run(until_ns=begin_ns + (100 * number + 50) * NS_PER_MS)
            if moved and number in moves:
                both = (("quotes", 0), ("trades", 0))
                test.revoke(*both)
                test.assign(*both)
        result = test.run()
        assert result.summary["consumed"] == len(sent)
        assert moved == (result.summary["restored"] > 0)
        assert moved == (result.summary["handed_back"] > 0)
        return {d.id: d.output for d in result.decisions}

    still = decided(moved=False)
    assert len(still) == sum(one.topic == "trades" for one in sent)
    assert decided(moved=True) == still


def test_what_waits_is_not_committed_and_what_comes_back_is_decided_once() -> None:
    test = joined()
    begin_ns = test.now_ns
    for number in range(4):
        send(test, Sent("trades", 100 * number, 1.0), at_ns=begin_ns)
    send(test, Sent("quotes", 10_000, 1.0), at_ns=begin_ns)
    result = test.run(until_ns=begin_ns + 50 * NS_PER_MS)
    assert result.decisions == []
    assert {source.topic: p for source, p in result.committed.items()} == {"quotes": 0, "trades": 0}
    assert result.in_flight == 5
    result = test.run()
    assert len(result.decisions) == 4
    assert {source.topic: p for source, p in result.committed.items()} == {"quotes": 1, "trades": 4}


def test_what_waits_and_what_goes_early_because_too_much_waits_are_shown() -> None:
    test = joined(reorder=Reorder(slack=Duration(SLACK_MS * NS_PER_MS), max_events=4096))
    begin_ns = test.now_ns

    def shown() -> ReorderStates | None:
        now_ns, assembly = test.now_ns, test._assembly
        return standing(
            assembly, (), lag={}, drift=None, loop_lag_ns=0, reloads={}, now_ns=now_ns
        ).reordered

    for number in range(4100):
        send(test, Sent("trades", number // 50, 1.0, key=str(number)), at_ns=begin_ns)
    test.run(until_ns=begin_ns + 50 * NS_PER_MS)
    assert shown() == ReorderStates(waiting=4050, forced=4)  # a whole instant goes: 50 events
    test.run()
    assert shown() == ReorderStates(waiting=0, forced=4)


def test_what_is_behind_the_grace_of_its_partition_is_too_late() -> None:
    test = joined()
    for at_ms in (5_000, 3_100, 2_900):
        send(test, Sent("trades", at_ms, 1.0))
    result = test.run()
    assert [(r.id, r.reason) for r in result.dead_letters] == [("trades/0/2", "too_late")]
    assert result.summary["outcomes"]["dead_letter"] == 1
    # The second is late for its place, and taken when it comes: its window is that of its own time.
    assert {d.id: d.output for d in result.decisions} == {
        "trades/0/0": [-1.0, 2.0, 0.0, 0.0], "trades/0/1": [-1.0, 1.0, 0.0, 0.0],
    }  # fmt: skip


def test_duplicates_are_looked_for_in_the_topics_that_have_the_field() -> None:
    test = joined(duplicates=Duplicates(field="id", within=Duration.parse("1s")))
    for one in (Sent("quotes", 1, 1.0), Sent("quotes", 1, 2.0)):
        send(test, one)
    for at_ms in (2, 3):
        send(test, Sent("trades", at_ms, 1.0))
    result = test.run()
    assert result.outcome_of("quotes/0/1") == "filtered"
    assert [d.output for d in result.decisions] == [[1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 1.0, 1.0]]
