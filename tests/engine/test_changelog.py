"""What rewinding cannot restore comes back from a changelog: partitions move at random, and nothing is otherwise."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from streamproc.codecs import JsonCodec
from streamproc.core import NS_PER_S, Duration
from streamproc.features import ChangelogTopic, Duplicates, FeatureState
from streamproc.features.operators import Cumulative, Lag, Rolling
from streamproc.replay.playback import without_transactions
from streamproc.testing import FakeExecutor, PipelineTest
from tests.engine.pipelines import pipeline, within
from tests.engine.test_features import echo

T0 = 1_699_990_000 * NS_PER_S
TICKS = ("ticks", 0)
CODEC = JsonCodec(fields={"x": "float64", "kind": "str"})
FEATURES = [
    Cumulative(field="x", take=["count", "sum", "std"]),
    Cumulative(field="x", half_life=Duration.parse("3s"), as_="fading"),
    Rolling(field="x", take=["sum"], events=5),
    Lag(field="x", by=2),
]


def state(interval: str = "1ms") -> FeatureState:
    changelog = ChangelogTopic(topic="p-changelog", interval=Duration.parse(interval))
    return FeatureState(changelog=changelog, grace=Duration.parse("2s"))


def keyed(**changes: Any) -> PipelineTest:
    parts: dict[str, Any] = {
        "codec": CODEC,
        "features": FEATURES,
        "state": state(),
        "deadline": within("10s", from_="arrival"),
    }
    return PipelineTest(pipeline(**(parts | changes)), executor=FakeExecutor(echo))


def send(test: PipelineTest, number: int, rng: np.random.Generator, spread_s: float) -> None:
    second = number / 4 + float(rng.uniform(-spread_s, spread_s))
    test.send(
        "ticks",
        {"x": float(rng.normal()), "kind": str(number // 3 * 2 % 40)},
        key="abcdef"[int(rng.integers(6))],
        timestamp_ns=T0 + round(second * NS_PER_S),
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("interval", ["1ms", "40ms"])
@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_moved_at_random_decisions_are_those_of_an_undisturbed_run(
    delivery: str, interval: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamproc.engine.changelog._ROWS_MAX", 1)  # passes end in their middle
    monkeypatch.setattr("streamproc.engine.changelog._SENT_BYTES_MAX", 1)
    twice = Duplicates(field="kind", within=Duration.parse("3s"))

    def decided(*, moved: bool) -> dict[str, Any]:
        rng, moves = np.random.default_rng(seed), np.random.default_rng(seed)
        test = keyed(delivery=delivery, duplicates=twice, state=state(interval))
        for number in range(80):
            send(test, number, rng, spread_s=2.0)
            until_ns = test.now_ns + int(moves.integers(1, 8)) * 1_000_000
            test.run(until_ns=until_ns if moves.random() < 0.7 else None)
            if moves.random() < 0.2 and moved:
                test.revoke(TICKS)
                test.assign(TICKS)
                test.run(until_ns=test.now_ns + 1)
        result = test.run()
        handed_back = result.summary["handed_back"]
        assert result.summary["consumed"] == 80, handed_back
        assert moved == (result.summary["restored"] > 0)
        return {d.id: d.output for d in result.decisions}

    assert decided(moved=True) == decided(moved=False)


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_a_restart_reads_little_again_and_only_what_changed_is_written(delivery: str) -> None:
    test = keyed(delivery=delivery)
    rng = np.random.default_rng(1)
    for number in range(200):
        send(test, number, rng, spread_s=0.0)
        test.run()
    written = test.broker.records("p-changelog")
    assert len({record.key for record in written}) == 7
    test.revoke(TICKS)
    test.assign(TICKS)
    summary = test.run().summary
    assert summary["restored"] < 20
    before = len(test.broker.records("p-changelog"))
    test.send("ticks", {"x": 1.0, "kind": "z"}, key="a", timestamp_ns=T0 + 60 * NS_PER_S)
    test.run()
    test.run()
    test.run()
    new = test.broker.records("p-changelog")[before:]
    assert {record.key for record in new} <= {b"kticks\0a", b"mticks\0"}


def test_nothing_is_written_that_is_not_committed_yet() -> None:
    test = keyed(state=state("1ms"))
    test.sink.hold()
    rng = np.random.default_rng(1)
    for number in range(30):
        send(test, number, rng, spread_s=0.0)
        test.run(until_ns=test.now_ns + 5_000_000)
    assert {record.key for record in test.broker.records("p-changelog")} == {b"mticks\0"}


def test_a_group_that_is_set_back_begins_with_nothing_and_what_was_written_is_deleted() -> None:
    test = keyed()
    rng = np.random.default_rng(1)
    for number in range(40):
        send(test, number, rng, spread_s=0.0)
        test.run()
    first = {d.id: d.output for d in test.run().decisions}
    test.revoke(TICKS)
    test.call(test.broker.group("p").committed.clear)
    test.assign(TICKS)
    test.run()
    again = test.run().decisions
    assert len(again) == 80
    assert {d.id: d.output for d in again[40:]} == first
    deleted = [r for r in test.broker.records("p-changelog") if r.value is None]
    assert {r.key for r in deleted} >= {b"kticks\0a"}
    test.revoke(TICKS)
    test.assign(TICKS)
    send(test, 40, rng, spread_s=0.0)
    assert test.run().decisions[-1].output[0] > 1


def test_a_replay_has_no_changelog_and_begins_with_nothing() -> None:
    config = without_transactions(
        pipeline(features=FEATURES, state=state(), codec=CODEC, delivery="exactly_once")
    )
    test = PipelineTest(config, executor=FakeExecutor(echo))
    rng = np.random.default_rng(1)
    for number in range(10):
        send(test, number, rng, spread_s=0.0)
    assert test.run().summary["consumed"] == 10
    assert not test.broker.has_topic("p-changelog")


def test_keys_for_which_there_is_no_room_are_deleted() -> None:
    one = state()
    test = keyed(state=FeatureState(changelog=one.changelog, max_keys=2, grace=one.grace))
    rng = np.random.default_rng(1)
    for number in range(40):
        send(test, number, rng, spread_s=0.0)
        test.run()
    latest = {r.key: r.value for r in test.broker.records("p-changelog")}
    assert len([key for key, value in latest.items() if value is not None]) <= 3
    assert None in latest.values()


def test_what_is_too_late_is_so_after_a_restart_too() -> None:
    test = keyed()
    for number, second in enumerate((0, 10, 7)):
        if number == 2:
            test.revoke(TICKS)
            test.assign(TICKS)
        test.send("ticks", {"x": 1.0, "kind": "k"}, key="a", timestamp_ns=T0 + second * NS_PER_S)
        for _ in range(3):  # so that the changelog holds all of it
            test.run()
    assert [letter.reason for letter in test.run().dead_letters] == ["too_late"]
    assert test.run().summary["restored"] == 0


WINDOWS = [Rolling(field="x", take=["sum"], events=5), Lag(field="x", by=2)]


def aging(**changes: Any) -> PipelineTest:
    bounds = replace(state(), ttl=Duration.parse("20s"), **changes)
    return keyed(features=WINDOWS, state=bounds)


def held(test: PipelineTest) -> set[bytes | None]:
    """The keys that the compacted topic holds."""
    records = test.broker.records("p-changelog")
    last = {record.key: record.value for record in records}
    return {key for key, value in last.items() if value is not None and key != b"mticks\0"}


def tick(test: PipelineTest, key: str, second: float, x: float = 1.0) -> None:
    test.send("ticks", {"x": x, "kind": "z"}, key=key, timestamp_ns=T0 + round(second * NS_PER_S))
    for _ in range(3):  # a pass, and the commit that lets it out
        test.run()


def test_keys_that_the_ttl_is_over_for_leave_the_topic() -> None:
    test = aging()
    tick(test, "a", 0)
    tick(test, "b", 1)
    assert held(test) == {b"kticks\0a", b"kticks\0b"}
    tick(
        test, "b", 22.9
    )  # grace 2s: one of 20.9 may still come, and sees that of 0 not; that of 1 it would
    tick(test, "c", 22.9)
    assert held(test) == {b"kticks\0b", b"kticks\0c"}
    before = len(test.broker.records("p-changelog"))
    tick(test, "c", 23)
    deleted = [r for r in test.broker.records("p-changelog")[before:] if r.value is None]
    assert deleted == []  # once
    tick(test, "a", 23.5)
    assert b"kticks\0a" in held(test)
    test.revoke(TICKS)
    test.assign(TICKS)
    tick(test, "d", 60)
    assert held(test) == {b"kticks\0d"}  # of those that were read back, too


def test_what_keeps_more_than_windows_or_lets_anything_in_has_no_such_end() -> None:
    for test in (
        aging(late="decide"),
        keyed(features=FEATURES, state=replace(state(), ttl=Duration.parse("20s"))),
    ):
        tick(test, "a", 0)
        tick(test, "b", 500)
        assert held(test) == {b"kticks\0a", b"kticks\0b"}


def test_keys_without_room_leave_the_topic() -> None:
    test = keyed(features=WINDOWS, state=replace(state(), max_keys=3))
    for number, key in enumerate("abcdef"):
        tick(test, key, number)
    tick(test, "f", 7)
    assert held(test) == {b"kticks\0d", b"kticks\0e", b"kticks\0f"}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_dead_keys_are_missed_by_nobody(delivery: str, seed: int) -> None:
    def decided(*, moved: bool) -> dict[str, Any]:
        rng, moves = np.random.default_rng(seed), np.random.default_rng(seed)
        bounds = replace(state(), ttl=Duration.parse("5s"))
        test = keyed(delivery=delivery, features=WINDOWS, state=bounds)
        for number in range(80):
            second = 2.0 * number + float(rng.uniform(-2, 2))
            key = "abcdefgh"[int(rng.integers(8))]
            test.send(
                "ticks",
                {"x": float(rng.normal()), "kind": "z"},
                key=key,
                timestamp_ns=T0 + round(second * NS_PER_S),
            )
            until_ns = test.now_ns + int(moves.integers(1, 8)) * 1_000_000
            test.run(until_ns=until_ns if moves.random() < 0.7 else None)
            if moves.random() < 0.2 and moved:
                test.revoke(TICKS)
                test.assign(TICKS)
                test.run(until_ns=test.now_ns + 1)
        result = test.run()
        assert any(r.value is None for r in test.broker.records("p-changelog"))
        return {d.id: d.output for d in result.decisions}

    assert decided(moved=True) == decided(moved=False)
