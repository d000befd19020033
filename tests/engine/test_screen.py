"""What is given up before it is decoded, and what is jumped over."""

from typing import Any

from streamproc.codecs import JsonCodec
from streamproc.core import Outcome, TopicPartition
from streamproc.engine import Outcomes
from streamproc.scheduling import Conflate, Expired, Planner, SkipAhead
from streamproc.testing import PipelineTest, assert_accounts
from tests.engine.pipelines import MS, pipeline, within

T0 = TopicPartition("ticks", 0)
SKIPS = (Expired(), Planner(), SkipAhead(min_records=100))


def shedding(*shed: Any, **changes: Any) -> PipelineTest:
    config = pipeline(**({"shed": shed, "outcomes": Outcomes(shed_topic="shed")} | changes))
    return PipelineTest(config)


def test_of_one_fetch_only_the_newest_of_a_key_is_decoded() -> None:
    test = shedding(Expired(), Conflate())
    for n, key in enumerate(["a", "b", None, "a", None, "a"]):
        test.send("ticks", {"x": n}, key=key)
    test.send("ticks", b"{", key="b")  # it counts as newer: what is in it is not known
    result = test.run()
    assert [d.output for d in sorted(result.decisions, key=lambda d: d.offset)] == [[0.0]] * 3
    assert sorted(d.offset for d in result.decisions) == [2, 4, 5]
    assert {letter.id: letter.reason for letter in result.shed} == {
        f"ticks/0/{offset}": "conflate" for offset in (0, 1, 3)
    }
    assert result.summary["reasons"] == {"conflate": 3, "undecodable": 1}
    assert_accounts(result.summary)


def test_where_the_key_is_a_field_it_is_decoded_first() -> None:
    codec = JsonCodec(fields={"x": "float64", "k": "str"})
    test = shedding(Expired(), Conflate(), codec=codec, key="k")
    for n in range(4):
        test.send("ticks", {"x": n, "k": "ab"[n % 2]}, key="same")
    result = test.run()
    assert sorted(d.offset for d in result.decisions) == [2, 3]


def backlog(test: PipelineTest, *, old: int, new: int, off_ns: int = 0) -> None:
    """Records that are a minute old, and as many new ones as told; their producer's clock is off by so much."""

    def arrive() -> None:
        for n in range(old + new):
            age_ns = 60_000 * MS if n < old else 0
            stamp_ns = test.now_ns + off_ns - age_ns + n
            test.broker.produce("ticks", {"x": n}, key="k", timestamp_ns=stamp_ns)

    test.call(arrive)


def test_a_backlog_that_is_too_old_is_jumped_over() -> None:
    test = shedding(*SKIPS)
    backlog(test, old=10_000, new=10)
    result = test.run()
    accounts = result.accounts
    assert accounts.skips["skip_ahead"] > 7_000
    assert accounts.fetched + accounts.skipped == test.broker.end_position(T0) == 10_010
    assert result.committed[T0] == 10_010
    assert sorted(d.offset for d in result.decisions if d.outcome == "on_time") == [
        *range(10_000, 10_010)
    ]
    assert_accounts(result.summary)


def test_a_short_backlog_is_given_up_one_by_one() -> None:
    test = shedding(Expired(), Planner(), SkipAhead(min_records=50_000))
    backlog(test, old=10_000, new=10)
    result = test.run()
    assert result.accounts.skipped == 0
    assert result.accounts.fetched == 10_010


def test_without_the_policy_nothing_is_jumped_over() -> None:
    test = shedding(Expired(), Planner())
    backlog(test, old=5_000, new=10)
    result = test.run()
    assert result.accounts.skipped == 0
    assert result.accounts.settled[Outcome.SHED, "expired"] == 4_999  # and one is tried


def test_where_nothing_new_has_come_reading_goes_on_at_the_end() -> None:
    test = shedding(*SKIPS)
    backlog(test, old=5_000, new=0)
    assert test.run().committed[T0] == 5_000
    test.send("ticks", {"x": 1})
    result = test.run()
    assert result.accounts.fetched + result.accounts.skipped == 5_001
    assert result.outcome_of("ticks/0/5000") == "on_time"


def test_a_jump_lands_by_the_producers_clock() -> None:
    """The log is searched by timestamps, and those of a clock that is ahead are put right before they count."""
    test = shedding(*SKIPS, deadline=within("100ms"))
    ahead_ns = 3_000 * MS
    for _ in range(200):  # so that the clock is known
        backlog(test, old=0, new=1, off_ns=ahead_ns)
        test.run(until_ns=test.now_ns + 5 * MS)
    known = test.broker.end_position(T0)
    test.run(until_ns=test.now_ns + 100_000 * MS)
    backlog(test, old=5_000, new=10, off_ns=ahead_ns)
    result = test.run()
    assert result.accounts.skips["skip_ahead"] > 2_000
    on_time = {d.offset for d in result.decisions if d.outcome == "on_time"}
    assert on_time >= {*range(known + 5_000, known + 5_010)}
    assert result.accounts.fetched + result.accounts.skipped == test.broker.end_position(T0)
