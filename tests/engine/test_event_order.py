"""Events take the place of their time, whatever the order in which topics are polled and batches cut."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.core import Duration, EventBatch, Int64Array, TopicPartition, object_column
from streamproc.engine import EventOrder, Reorder

MS = 1_000_000
TOPICS = ("quotes", "trades")
HERE = [TopicPartition(topic, 0) for topic in TOPICS]


def order_of(slack_ms: int = 10, **options: Any) -> EventOrder:
    order = EventOrder(Reorder(slack=Duration(slack_ms * MS), **options), TOPICS)
    for index, source in enumerate(HERE):
        order.assigned(source, index, 0)
    return order


def events(index: int, first: int, count: int, number: int) -> EventBatch:
    """Events of one partition, told by their offsets."""
    zero = np.zeros(count, np.int64)
    offset = np.arange(first, first + count)
    none = object_column([None] * count)
    return EventBatch(
        np.arange(number, number + count), zero + index, offset, offset, zero, zero, zero, zero,
        none, none, none,
    )  # fmt: skip


class Placed(NamedTuple):
    topic: str
    offset: int


class Feed:
    """Gives an order batches of both topics, and keeps what comes out."""

    def __init__(self, order: EventOrder) -> None:
        self.order = order
        self.read = [0, 0]
        self.out: list[Placed] = []

    def take(self, index: int, said_ms: Sequence[int], *, behind: int = 1, now_ms: int = 0) -> None:
        said_ns: Int64Array = np.array(said_ms, np.int64) * MS
        batch = events(index, self.read[index], len(said_ms), self.order.taken_total)
        self.order.taken_total += len(said_ms)
        self.read[index] += len(said_ms)
        self.order.heard(HERE[index], behind=behind, arrival_ns=now_ms * MS)
        self.order.add(HERE[index], batch, said_ns)
        self.look(now_ms)

    def look(self, now_ms: float) -> None:
        for due in self.order.due(int(now_ms * MS)):
            if due.released is None:
                continue
            ordered = due.released
            self.out += [
                Placed(TOPICS[index], offset)
                for index, offset in zip(
                    ordered.events.partition.tolist(), ordered.events.offset.tolist(), strict=True
                )
            ]


def plain(logs: Sequence[Sequence[int]], slack_ms: int) -> list[Placed]:
    """The meaning, as loops: the place is the time, or that of the newest before it less the slack."""
    placed = []
    for rank, log in enumerate(logs):
        newest = -(10**9)
        for offset, at in enumerate(log):
            newest = max(newest, at)
            placed.append((max(at, newest - slack_ms), rank, offset))
    return [Placed(TOPICS[rank], offset) for _, rank, offset in sorted(placed)]


LOG = st.lists(st.integers(0, 60), max_size=25)


@settings(max_examples=80, deadline=None)
@given(LOG, LOG, st.integers(0, 20), st.data())
def test_the_order_depends_neither_on_polls_nor_on_batches(
    quotes: list[int], trades: list[int], slack_ms: int, data: st.DataObject
) -> None:
    feed = Feed(order_of(slack_ms))
    left = [list(quotes), list(trades)]
    while any(left):
        index = data.draw(st.sampled_from([i for i, log in enumerate(left) if log]))
        size = data.draw(st.integers(1, len(left[index])))
        feed.take(index, left[index][:size])
        left[index] = left[index][size:]
    for index in (0, 1):
        feed.take(index, [1_000])  # so that all before it is complete
    wanted = plain([[*quotes, 1_000], [*trades, 1_000]], slack_ms)
    assert feed.out == wanted[: len(feed.out)]
    assert len(feed.out) == len(wanted) - 2


def test_an_event_waits_until_none_before_it_can_come() -> None:
    feed = Feed(order_of(10))
    feed.take(0, [100, 120])
    assert feed.out == []  # of trades nothing is known
    feed.take(1, [111])
    assert feed.out == [Placed("quotes", 0)]
    feed.take(1, [95, 140])
    assert feed.out[1:] == [Placed("trades", 1)]  # behind what went on before
    feed.take(0, [131])
    assert feed.out[2:] == [Placed("trades", 0), Placed("quotes", 1)]


def test_a_topic_that_was_read_to_its_end_is_not_waited_for_longer_than_the_slack() -> None:
    feed = Feed(order_of(10, idle=Duration(5 * MS)))
    feed.take(1, [50], behind=0, now_ms=0)
    feed.take(0, [100], behind=0, now_ms=1_000)
    assert feed.order.wake_ns() == 1_015 * MS + 1
    feed.look(1_015)
    assert feed.out == [Placed("trades", 0)]
    feed.look(1_015.1)
    assert feed.out[1:] == [Placed("quotes", 0)]
    feed.take(1, [90], behind=0, now_ms=1_016)  # it comes behind all the same
    feed.look(1_100)
    assert feed.out[2:] == [Placed("trades", 1)]
    assert feed.order.waiting_total == 0
    assert feed.order.wake_ns() is None


def test_a_topic_with_more_to_read_is_waited_for_however_long_it_takes() -> None:
    feed = Feed(order_of(10))
    feed.take(1, [50], behind=3, now_ms=0)
    feed.take(0, [100, 200], behind=0, now_ms=0)
    feed.look(1_000_000)
    assert feed.out == []
    assert feed.order.wake_ns() is None
    feed.take(1, [60, 70, 180], behind=0, now_ms=1_000_000)
    assert [placed.topic for placed in feed.out] == ["trades", "trades", "trades", "quotes"]


def test_a_silent_topic_does_not_hold_up_what_is_read_of_a_backlog() -> None:
    feed = Feed(order_of(10))
    feed.take(1, [50], behind=0, now_ms=0)
    for step in range(1, 6):
        feed.take(0, [1_000 * step], behind=1_000, now_ms=20 + step)
    assert len(feed.out) == 5


def test_who_tells_of_the_ends_is_believed_rather_than_the_batches() -> None:
    feed = Feed(order_of(10))
    feed.order.at_ends([], 0)
    feed.take(1, [50], behind=0, now_ms=0)
    feed.take(0, [100], behind=0, now_ms=0)
    feed.look(10_000)
    assert feed.out == []
    feed.order.at_ends(HERE, 10_000 * MS)
    feed.look(10_010.1)
    assert len(feed.out) == 2


def test_what_is_ahead_need_not_be_read_on_and_what_is_too_much_goes_early() -> None:
    feed = Feed(order_of(10, max_events=8))
    feed.take(1, [0])
    feed.take(0, [20, 30, 40])
    assert feed.order.ahead(0) == {HERE[0]}
    feed.take(0, [50, 60, 70, 80, 90, 100])
    assert feed.order.forced_total == 2
    assert feed.out == [Placed("trades", 0), Placed("quotes", 0)]
    feed.take(1, [5, 15, 25])  # behind what went on: it takes the first place that is left
    assert feed.out[2:4] == [Placed("trades", 1), Placed("trades", 2)]


def test_what_is_taken_back_is_told_by_partition() -> None:
    feed = Feed(order_of())
    feed.take(0, [1, 2])
    feed.take(1, [1])
    assert feed.order.take_back([HERE[0]]) == {0: 2, 1: 1}
    assert feed.order.waiting_total == 0
    assert feed.order.drop(0) == 0


@pytest.mark.parametrize(
    "wrong", [{"slack": Duration(-1)}, {"slack": Duration(1), "max_events": 0}]
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        Reorder(**wrong)
