"""Interval joins of columns, beside loops over all pairs: the same bits, whatever the batches."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.core import Columns, Duration, object_column
from streamproc.features import Expression
from streamproc.features.interval_joins import IntervalJoins, Rows
from streamproc.features.operators import Interval

MS = 1_000_000
ALL = ("count", "sum", "mean", "std", "variance", "min", "max", "first", "last")
FIELDS = {"kind": "str", "x": "float64"}


class Event(NamedTuple):
    at_ms: int
    key: str
    kind: str
    x: float


EVENTS = st.lists(
    st.builds(
        Event,
        st.integers(0, 40),
        st.sampled_from("ab"),
        st.sampled_from(["quote", "trade"]),
        st.floats(-1e6, 1e6).map(lambda x: round(x, 3)),
    ),
    max_size=30,
).map(lambda found: sorted(found, key=lambda event: event.at_ms))


def interval(before_ms: int, after_ms: int, **more: Any) -> Interval:
    before, after = Duration(before_ms * MS), Duration(after_ms * MS)
    options: dict[str, Any] = {
        "when": "kind == 'quote'",
        "fields": ["x"],
        "take": ALL,
        "fill": -7.0,
    }
    return Interval(before=before, after=after, **(options | more))


def joins_of(*joins: Interval, bytes_max: int = 1 << 20) -> IntervalJoins:
    conditions = {join.when: Expression.parse(join.when, FIELDS) for join in joins}
    return IntervalJoins(joins, conditions, grace_ns=0, bytes_max=bytes_max)


def rows(events: Sequence[Event], first: int) -> Rows:
    at_ns = np.array([event.at_ms for event in events], np.int64) * MS
    columns: Columns = {
        "kind": object_column([event.kind for event in events]),
        "x": np.array([event.x for event in events]),
    }
    key = object_column([event.key.encode() for event in events])
    return Rows(columns, key, at_ns, at_ns, np.arange(first, first + len(events)))


def plain(join: Interval, events: Sequence[Event]) -> list[dict[str, float]]:
    made = []
    for event in events:
        x = [
            o.x
            for o in events
            if o is not event
            and o.kind == "quote"
            and o.key == event.key
            and event.at_ms * MS - join.before <= o.at_ms * MS <= event.at_ms * MS + join.after
        ]
        total = 0.0
        for value in x:
            total += value
        mean = total / len(x) if x else join.fill
        squares = 0.0
        for value in x:
            squares += (value - mean) * (value - mean)
        variance = squares / (len(x) - 1) if len(x) > 1 else join.fill
        made.append(
            {
                "interval_count": float(len(x)),
                "interval_x_sum": total,
                "interval_x_mean": mean,
                "interval_x_variance": variance,
                "interval_x_std": math.sqrt(variance) if len(x) > 1 else join.fill,
                "interval_x_min": min(x, default=join.fill),
                "interval_x_max": max(x, default=join.fill),
                "interval_x_first": x[0] if x else join.fill,
                "interval_x_last": x[-1] if x else join.fill,
            }
        )
    return made


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.integers(0, 15), st.integers(0, 15), st.data())
def test_a_join_is_that_of_all_pairs_in_any_batches(
    events: list[Event], before_ms: int, after_ms: int, data: st.DataObject
) -> None:
    join = interval(before_ms, after_ms)
    joins = joins_of(join)
    made: list[dict[str, float]] = []
    shown = 0
    while shown < len(events):
        seen, shown = shown, data.draw(st.integers(shown + 1, len(events)))
        joins.remember(0, rows(events[seen:shown], seen))
        # Asked for is what has all within its reach shown.
        until_ms = events[shown].at_ms if shown < len(events) else 10**9
        ready = [e for e in events[len(made) : shown] if e.at_ms + after_ms < until_ms]
        if ready:
            columns = joins.columns(0, rows(ready, len(made)))
            made += [
                {name: float(columns[name][row]) for name in join.names()}
                for row in range(len(ready))
            ]
    assert made == plain(join, events)


def test_of_more_than_allowed_the_last_ones_count() -> None:
    join = interval(100, 0, max_events=2, take=["count", "first"])
    joins = joins_of(join)
    events = [Event(n, "a", "quote", float(n)) for n in range(5)] + [Event(9, "a", "trade", 0.0)]
    joins.remember(0, rows(events, 0))
    made = joins.columns(0, rows(events[5:], 5))
    assert (made["interval_count"][0], made["interval_x_first"][0]) == (2, 3)


def test_what_none_behind_can_match_is_forgotten_and_so_is_what_is_too_much() -> None:
    joins = joins_of(interval(5, 0))
    for n in range(200):
        joins.remember(0, one := rows([Event(n, str(n % 7), "quote", 1.0)], n))
        joins.columns(0, one)
    assert len(joins) <= 12
    joins = joins_of(interval(10_000, 0), bytes_max=1_040)
    for n in range(50):
        joins.remember(0, rows([Event(n, "a", "quote", float(n))], n))
    made = joins.columns(0, rows([Event(60, "a", "trade", 0.0)], 60))
    assert made["interval_count"][0] == len(joins) == 50 - joins.evicted_total == 10
    assert made["interval_x_first"][0] == 40


def test_shards_know_nothing_of_each_other() -> None:
    joins = joins_of(interval(5, 0))
    joins.remember(0, rows([Event(1, "a", "quote", 1.0)], 0))
    assert joins.columns(1, rows([Event(1, "a", "trade", 1.0)], 1))["interval_count"][0] == 0
    joins.drop(0)
    assert len(joins) == 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"take": ["median"]}, "take must name"),
        ({"fields": []}, "belong together"),
        ({"take": ["count"]}, "belong together"),
        ({"max_events": 0}, "max_events"),
        ({"before": Duration(-1)}, "below 0"),
    ],
)
def test_what_is_no_join_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Interval(
            **({"when": "x > 1", "before": Duration(1), "fields": ["x"], "take": ["sum"]} | wrong)
        )
