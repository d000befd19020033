"""The books add up, whatever is entered."""

import json
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.core import InvariantError, Outcome, Reason
from streamproc.telemetry import (
    BATCH_REASONS,
    BATCH_SIZE_BOUNDS,
    STAGES,
    UNKNOWN,
    Accounts,
    LatencyHistogram,
)
from streamproc.telemetry.accounts import _COUNTERS
from streamproc.telemetry.exemplars import Exemplars
from streamproc.telemetry.tail import TailCounts

MS = 1_000_000

singly = st.tuples(
    st.sampled_from(Outcome), st.integers(0, 10_000), st.sampled_from(["", *Reason, "mine"])
)
by_code = st.lists(st.sampled_from(Outcome), max_size=50)


@given(st.lists(st.one_of(singly, by_code)), st.integers(0, 100), st.integers(0, 100))
def test_the_outcomes_add_up_to_what_was_consumed(
    entries: list[tuple[Outcome, int, str] | list[Outcome]], handed_back: int, in_flight: int
) -> None:
    accounts = Accounts(pipeline="p")
    expected = 0
    with_reason = 0
    for entry in entries:
        if isinstance(entry, tuple):
            outcome, count, reason = entry
            accounts.settle(outcome, count, reason)
            expected += count
            with_reason += count if reason else 0
        else:
            for outcome in entry:
                accounts.settle(outcome, 1)
            expected += len(entry)
    accounts.fetched = expected + handed_back + in_flight
    accounts.handed_back = handed_back

    summary = accounts.summary(1.0, 1.0)

    assert accounts.consumed == expected
    assert summary["consumed"] == sum(summary["outcomes"].values()) == expected
    assert list(summary["outcomes"]) == [outcome.word for outcome in Outcome]
    assert sum(summary["reasons"].values()) == with_reason
    assert all(summary["reasons"].values())
    assert sum(accounts.settled.values()) == expected
    assert accounts.in_flight == in_flight
    accounts.check(in_flight=in_flight)


def test_books_that_do_not_add_up_are_a_bug() -> None:
    accounts = Accounts(pipeline="p")
    accounts.fetched = 10
    accounts.handed_back = 1
    accounts.settle(Outcome.ON_TIME, 7)
    accounts.check(in_flight=2)
    with pytest.raises(
        InvariantError, match=r"fetched 10 is not consumed 7 \+ handed back 1 \+ in flight 0"
    ):
        accounts.check()


def test_the_summary_is_the_contracts() -> None:
    accounts = Accounts(pipeline="direction", exact_bounds_ns=(50 * MS,))
    accounts.fetched = 1_003
    accounts.handed_back = 3
    accounts.settle(Outcome.ON_TIME, 990)
    accounts.settle(Outcome.SHED, 8, Reason.EXPIRED)
    accounts.settle(Outcome.DEAD_LETTER, 2, Reason.UNDECODABLE)
    accounts.latency(np.arange(1, 991) * 10_000)
    accounts.stage("queue", np.array([1 * MS, 3 * MS]))
    accounts.stage_constant("infer", 2 * MS, 990)

    summary = accounts.summary(0.5, 0.25)

    assert json.loads(json.dumps(summary)) == {
        "pipeline": "direction",
        "consumed": 1_000,
        "duration_s": 0.5,
        "throughput_per_s": 2_000.0,
        "cpu_s": 0.25,
        "outcomes": {
            "on_time": 990,
            "degraded": 0,
            "late": 0,
            "shed": 8,
            "dead_letter": 2,
            "filtered": 0,
            "absorbed": 0,
        },
        "skipped": 0,
        "handed_back": 3,
        "restored": 0,
        "emitted": 0,
        "batches": 0,
        "reasons": {"expired": 8, "undecodable": 2},
        "latency_ms": {
            "p50": pytest.approx(4.95, rel=0.02),
            "p90": pytest.approx(8.91, rel=0.02),
            "p99": pytest.approx(9.81, rel=0.02),
            "p999": pytest.approx(9.9, rel=0.02),
            "max": 9.9,
        },
        "stages_ms": {
            "broker": {},
            "decode": {},
            "queue": {"p50": 1.0, "p99": 3.0},
            "infer": {"p50": 2.0, "p99": 2.0},
            "emit": {},
        },
        "own_ms": {},
    }


def test_a_summary_of_nothing() -> None:
    summary = Accounts(pipeline="p").summary(0.0, 0.0)
    assert summary["throughput_per_s"] == 0
    assert summary["latency_ms"] == {}
    assert summary["reasons"] == {}
    assert summary["stages_ms"] == {name: {} for name in STAGES}


def test_batches_by_size_and_reason() -> None:
    accounts = Accounts(pipeline="p")
    for size in (1, 2, 3, 4, 5, 8_192, 8_193):
        accounts.batch(size, "full")
    accounts.batch(1, "idle")
    assert accounts.summary(1.0, 0.0)["batches"] == 8
    sizes = dict(zip((*BATCH_SIZE_BOUNDS, 0), accounts.batch_sizes, strict=True))
    assert {bound: count for bound, count in sizes.items() if count} == {
        1: 2,
        2: 1,
        4: 2,
        8: 1,
        8_192: 1,
        0: 1,
    }
    assert accounts.batched == 16_401
    assert accounts.batches == {"full": 7, "deadline": 0, "idle": 1, "drain": 0}


def test_refusals() -> None:
    accounts = Accounts(pipeline="p")
    with pytest.raises(ValueError, match="-1 x shed"):
        accounts.settle(Outcome.SHED, -1, "expired")
    with pytest.raises(ValueError, match="at least one event, was 0"):
        accounts.batch(0, "full")
    assert accounts.consumed == 0


Entry = Callable[[Accounts], None]


def latency(value_ns: int) -> Entry:
    return lambda accounts: accounts.latency(np.array([value_ns]))


def own(value_ns: int) -> Entry:
    return lambda accounts: accounts.own.add(np.array([value_ns]))


def counted(name: str) -> Entry:
    return lambda accounts: setattr(accounts, name, getattr(accounts, name) + 1)


def slow(took_ns: int) -> Entry:
    column = np.array([took_ns])

    def enter(accounts: Accounts) -> None:
        accounts.tail.threshold_ns = 0
        accounts.tail.settled(column, (column, column, column, 1, 2, 3), accounts.e2e)

    return enter


entries = st.lists(
    st.one_of(
        singly.map(lambda e: lambda accounts: accounts.settle(*e)),
        st.integers(-MS, 100 * MS).map(latency),
        st.integers(0, 100 * MS).map(own),
        st.tuples(st.sampled_from(STAGES), st.integers(0, MS), st.integers(1, 9)).map(
            lambda e: lambda accounts: accounts.stage_constant(*e)
        ),
        st.tuples(st.integers(1, 10_000), st.sampled_from(BATCH_REASONS)).map(
            lambda e: lambda accounts: accounts.batch(*e)
        ),
        st.tuples(st.integers(0, 2), st.integers(1, 99), st.integers(0, MS)).map(
            lambda e: lambda accounts: accounts.run(*e)
        ),
        st.tuples(st.sampled_from(Outcome), st.integers(1, 9)).map(
            lambda e: lambda accounts: accounts.suppressed(*e)
        ),
        st.integers(0, 100 * MS).map(
            lambda ns: lambda accounts: accounts.gc_pauses.add_constant(ns, 1)
        ),
        st.integers(0, 100 * MS).map(slow),
        st.sampled_from([name for name in _COUNTERS if name != "batched"]).map(counted),
    ),
    max_size=30,
)


def kept_by(*parts: list[Entry]) -> Accounts:
    accounts = Accounts(pipeline="p", exact_bounds_ns=(50 * MS,))
    for entry in (entry for part in parts for entry in part):
        entry(accounts)
    return accounts


def everything(accounts: Accounts) -> object:
    """All that books hold, by their own attributes: a new one that is not merged is found."""
    return plain(vars(accounts))


def plain(value: object) -> object:
    if isinstance(value, LatencyHistogram | TailCounts):
        return plain(value.__getstate__())
    if isinstance(value, Exemplars):
        return dict(value.by_bucket)
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(of) for key, of in value.items()}
    if isinstance(value, list):
        return [plain(of) for of in value]
    return value


@settings(deadline=None, max_examples=50)
@given(entries, entries)
def test_merged_books_are_those_of_one_who_counted_all(
    first: list[Entry], second: list[Entry]
) -> None:
    merged, other = kept_by(first), kept_by(second)
    before = everything(other)
    merged.merge(pickle.loads(pickle.dumps(other)))  # noqa: S301
    assert everything(merged) == everything(kept_by(first, second))
    assert everything(other) == before


def test_books_with_other_deadlines_are_not_merged() -> None:
    with pytest.raises(ValueError, match="bounds differ"):
        kept_by().merge(Accounts(pipeline="p", exact_bounds_ns=(33 * MS + 7,)))


def test_lanes_add_up() -> None:
    accounts = Accounts(pipeline="p", lanes=("top", "default"))
    accounts.settle_lanes(Outcome.ON_TIME, np.array([1, 0, 1]))
    accounts.settle_lanes(Outcome.SHED, np.array([1]), Reason.EXPIRED)
    accounts.settle(Outcome.SHED, 2, Reason.EXPIRED, lane=UNKNOWN)
    other = Accounts(pipeline="p", lanes=("top", "default"))
    other.settle(Outcome.ON_TIME, 5)
    other.settle(Outcome.SHED, 1, Reason.EXPIRED, lane=UNKNOWN)
    accounts.merge(other)
    assert accounts.settled_by_lane == {
        ("top", Outcome.ON_TIME, ""): 6,
        ("default", Outcome.ON_TIME, ""): 2,
        ("default", Outcome.SHED, "expired"): 1,
        ("unknown", Outcome.SHED, "expired"): 3,
    }
    assert accounts.settled == {(Outcome.ON_TIME, ""): 8, (Outcome.SHED, "expired"): 4}
    assert accounts.consumed == 12
    lanes = accounts.summary(1.0, 0.0)["lanes"]
    assert {lane: words["on_time"] for lane, words in lanes.items()} == {
        "top": 6, "default": 2, "unknown": 0,
    }  # fmt: skip


def test_books_of_other_lanes_are_not_merged() -> None:
    with pytest.raises(ValueError, match="lanes differ"):
        Accounts(pipeline="p", lanes=("a",)).merge(Accounts(pipeline="p"))


def test_what_was_skipped_is_kept_by_reason() -> None:
    accounts, other = Accounts(pipeline="p"), Accounts(pipeline="p")
    accounts.skips["retention"] = 2
    other.skips["skip_ahead"] = 3
    accounts.merge(other)
    assert accounts.skips == {"retention": 2, "skip_ahead": 3}
    assert accounts.summary(1.0, 0.0)["skipped"] == 5
