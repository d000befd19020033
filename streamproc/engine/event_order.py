"""Events wait here until none can come any more that happened before them.

The place of an event in the order is when it happened; of one that comes more than the slack after a younger one of its
partition, it is that one's time less the slack. So the place follows from the partition's own log. The **watermark** of
a partition is its newest event's time less the slack: whatever is still to come of it takes a place there or behind.
That of a **shard**, the partitions of one number of all topics, is the least of theirs, and what lies before it is
complete. The order is by place, then topic, then offset: it depends neither on how topics were polled, nor on batches.

A partition that was read to its end, and of which nothing comes, would hold the others for ever. Its watermark goes on
with the clock, and where nothing comes for longer than the slack, it is that of the shard's newest event. What comes
behind it all the same takes the first place that is left.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from streamproc.core import BoolArray, EventBatch, Int64Array, Rows, TopicPartition, constant
from streamproc.engine.options import Reorder

_BEGINNING_NS = np.iinfo(np.int64).min // 4


class Ordered(NamedTuple):
    """Events of one shard in their order, complete up to the last of them.

    Attributes:
        shard: the number of their partitions.
        events: of several partitions.
        said_ns: int64 [n], when they happened.
        place_ns: int64 [n], their places, ascending.
    """

    shard: int
    events: EventBatch
    said_ns: Int64Array
    place_ns: Int64Array

    def take(self, rows: Rows) -> "Ordered":
        """Some of them."""
        return Ordered(self.shard, self.events.take(rows), self.said_ns[rows], self.place_ns[rows])

    def with_rows(self) -> "Ordered":
        """The same, with -1 as the row of records that are one event."""
        if self.events.row is not None:
            return self
        row = constant(-1, len(self.events))
        return self._replace(events=replace(self.events, row=row))


class Due(NamedTuple):
    """What an instant brings to one shard.

    Attributes:
        shown: events that have their places for good.
        released: events whose turn it is; all that they wait for were shown.
    """

    shown: Ordered | None
    released: Ordered | None


@dataclass(slots=True)
class _Input:
    """One topic's partition in a shard.

    Attributes:
        source: which it is; None before it was met.
        silent_ns: since when nothing came of it.
        at_end: whether it was read to its end then.
        newest_ns: the time of its newest event.
    """

    silent_ns: int
    source: TopicPartition | None = None
    at_end: bool = True
    newest_ns: int = _BEGINNING_NS


@dataclass(slots=True)
class _Shard:
    """The partitions of one number.

    Attributes:
        inputs: by topic, in the order in which those of one instant are taken.
        waiting: events by topic that wait, each batch in its order.
        shown: events that wait for others that come behind them, in their order.
        floor_ns: up to where places were given away.
        count: how many wait.
    """

    inputs: dict[str, _Input]
    waiting: dict[str, list[Ordered]] = field(default_factory=dict)
    shown: list[Ordered] = field(default_factory=list)
    floor_ns: int = _BEGINNING_NS
    count: int = 0

    def batches(self) -> Iterator[Ordered]:
        """All that waits."""
        yield from self.shown
        for some in self.waiting.values():
            yield from some

    def latest(self) -> tuple[int, int]:
        """The time of the newest event of all, and since when nothing came of any."""
        inputs = self.inputs.values()
        return max(one.newest_ns for one in inputs), max(one.silent_ns for one in inputs)


class EventOrder:
    """Holds events until it is their turn.

    Args:
        options: what the user set.
        topics: the topics that make up a shard.
        grace_ns: how far an event may be behind what went on before it; None for any.
        after_ns: for how long after its place an event waits for others, which are shown before it goes on.

    Attributes:
        forced_total: events that went on early because too many waited.
        taken_total: how many events came; what comes next has this number and those behind it, so that no two have one.
    """

    def __init__(
        self,
        options: Reorder,
        topics: Sequence[str],
        *,
        grace_ns: int | None = None,
        after_ns: int = 0,
    ) -> None:
        self._after_ns = after_ns
        self._grace_ns = grace_ns
        self._slack_ns = int(options.slack)
        self._idle_ns = int(options.idle)
        self._max = options.max_events
        self._topics = tuple(topics)
        self._shards: dict[int, _Shard] = {}
        self._sources: dict[int, TopicPartition] = {}
        self._ends: frozenset[TopicPartition] | None = None
        self.forced_total = 0
        self.taken_total = 0

    @property
    def waiting_total(self) -> int:
        """How many events wait."""
        return sum(shard.count for shard in self._shards.values())

    def assigned(self, source: TopicPartition, index: int, now_ns: int) -> None:
        """A partition is ours from now on, under this index."""
        self._sources[index] = source
        shard = self._shards.get(source.partition)
        if shard is None:
            shard = _Shard({topic: _Input(now_ns) for topic in self._topics})
            self._shards[source.partition] = shard
        at_end = self._ends is None or source in self._ends
        shard.inputs[source.topic] = _Input(now_ns, source, at_end)

    def source_of(self, index: int) -> TopicPartition:
        """A partition by its index."""
        return self._sources[index]

    def drop(self, index: int) -> int | None:
        """A partition is ours no longer: its shard is forgotten, and its number given, where it is known."""
        source = self._sources.pop(index, None)
        if source is None:
            return None
        self._shards.pop(source.partition, None)
        return source.partition

    def at_ends(self, ends: Collection[TopicPartition], now_ns: int) -> None:
        """Of all partitions these alone were read to their ends, and nothing came of them by now.

        Where this is never told, it is what the last batch of each partition said.
        """
        before, self._ends = self._ends or frozenset(), frozenset(ends)
        for shard in self._shards.values():
            for one in shard.inputs.values():
                if one.source is not None:
                    one.at_end = one.source in self._ends
                    if one.at_end and one.source not in before:
                        one.silent_ns = now_ns

    def heard(self, source: TopicPartition, *, behind: int, arrival_ns: int) -> None:
        """Records came of a partition; so many more were known to follow."""
        one = self._shards[source.partition].inputs[source.topic]
        one.silent_ns = max(one.silent_ns, arrival_ns)
        if self._ends is None:
            one.at_end = not behind

    def add(
        self, source: TopicPartition, events: EventBatch, said_ns: Int64Array
    ) -> Int64Array | None:
        """Let decoded events wait, in the order of their offsets.

        Returns:
            the rows of those that are too late even for the first place that is left, which is so only where their
            partition was silent; None where there are none.
        """
        if not len(events):
            return None
        shard = self._shards[source.partition]
        one = shard.inputs[source.topic]
        late = None
        if self._grace_ns is not None and int(said_ns.min()) < shard.floor_ns - self._grace_ns:
            in_time = said_ns >= shard.floor_ns - self._grace_ns
            late = np.flatnonzero(~in_time)
            rows = np.flatnonzero(in_time)
            events, said_ns = events.take(rows), said_ns[rows]
            if not len(events):
                return late
        newest_ns = np.maximum(np.maximum.accumulate(said_ns), one.newest_ns)
        one.newest_ns = int(newest_ns[-1])
        place_ns = np.maximum(np.maximum(said_ns, newest_ns - self._slack_ns), shard.floor_ns)
        made = Ordered(source.partition, events, said_ns, place_ns)
        if np.any(place_ns[1:] < place_ns[:-1]):
            made = made.take(np.argsort(place_ns, kind="stable"))
        shard.waiting.setdefault(source.topic, []).append(made)
        shard.count += len(events)
        return late

    def due(self, now_ns: int) -> Iterator[Due]:
        """The events whose turn it is by an instant, shard by shard."""
        for number, shard in self._shards.items():
            if not shard.count:
                continue
            turn_ns = self._watermark_ns(shard, now_ns)
            if shard.count > self._max:
                turn_ns = max(turn_ns, self._forced_ns(shard))
            taken = self._taken(shard, turn_ns)
            shown = _merged(number, taken) if taken else None
            if shown is not None:
                shard.shown.append(shown)
            released = self._released(shard, turn_ns - self._after_ns)
            if shown is not None or released:
                yield Due(shown, _merged(number, released) if released else None)

    def wake_ns(self) -> int | None:
        """When the next event is due although nothing comes; None where only what comes can tell."""
        wakes = [self._wake_of(shard) for shard in self._shards.values() if shard.count]
        return min((wake for wake in wakes if wake is not None), default=None)

    def ahead(self, now_ns: int) -> set[TopicPartition]:
        """Partitions that are so far ahead of others of their shard that they need not be read on."""
        found: set[TopicPartition] = set()
        for shard in self._shards.values():
            if 2 * shard.count >= self._max:
                turn_ns = self._watermark_ns(shard, now_ns)
                found |= {
                    one.source
                    for one in shard.inputs.values()
                    if one.source is not None and self._mark_ns(shard, one, now_ns) > turn_ns
                }
        return found

    def take_back(self, sources: Collection[TopicPartition] | None = None) -> dict[int, int]:
        """Let events wait no longer that will not be decided here; gives how many of each partition, by index.

        Args:
            sources: the partitions whose shards are meant; None for all.
        """
        shards = None if sources is None else {source.partition for source in sources}
        gone: dict[int, int] = {}
        for number, shard in self._shards.items():
            if shards is not None and number not in shards:
                continue
            for batch in shard.batches():
                fresh = batch.events.partition[batch.events.ordinal >= 0]
                for index, count in zip(*np.unique(fresh, return_counts=True), strict=True):
                    gone[int(index)] = gone.get(int(index), 0) + int(count)
            shard.waiting.clear()
            shard.shown.clear()
            shard.count = 0
        return gone

    def _watermark_ns(self, shard: _Shard, now_ns: int) -> int:
        return min(self._mark_ns(shard, one, now_ns) for one in shard.inputs.values())

    def _mark_ns(self, shard: _Shard, one: _Input, now_ns: int) -> int:
        """A partition's watermark."""
        mark_ns = one.newest_ns - self._slack_ns
        if not one.at_end:
            return mark_ns
        silent_ns = max(0, now_ns - one.silent_ns - self._idle_ns)
        if one.newest_ns > _BEGINNING_NS:
            mark_ns += silent_ns
        if silent_ns <= self._slack_ns:
            return mark_ns
        # What comes of it next is as young as what comes of the others.
        newest_ns, since_ns = shard.latest()
        rest_ns = max(0, now_ns - since_ns - self._idle_ns)
        return max(mark_ns, newest_ns - self._slack_ns + rest_ns)

    def _wake_of(self, shard: _Shard) -> int | None:
        """When a shard's first event is due if nothing comes; None where that is not enough."""
        waiting = shard.shown[:1] or [b[0] for b in shard.waiting.values() if b]
        first_ns = min(int(batch.place_ns[0]) for batch in waiting) + self._after_ns
        newest_ns, since_ns = shard.latest()
        patience_ns = self._slack_ns + self._idle_ns
        wakes = [0]
        for one in shard.inputs.values():
            if one.newest_ns - self._slack_ns > first_ns:
                continue
            if not one.at_end:
                return None
            wake_ns = max(
                one.silent_ns + patience_ns, since_ns + patience_ns + first_ns - newest_ns
            )
            if one.newest_ns > _BEGINNING_NS:
                wake_ns = min(wake_ns, one.silent_ns + patience_ns + first_ns - one.newest_ns)
            wakes.append(wake_ns + 1)
        return max(wakes)

    def _forced_ns(self, shard: _Shard) -> int:
        """Up to where events must go so that no more than allowed are left."""
        place_ns = np.concatenate([batch.place_ns for batch in shard.batches()])
        over = len(place_ns) - self._max
        self.forced_total += over
        return int(np.partition(place_ns, over - 1)[over - 1]) + 1 + self._after_ns

    def _released(self, shard: _Shard, turn_ns: int) -> list[Ordered]:
        """Take out those whose turn it is of what was shown."""
        found, shard.shown = _split(shard.shown, turn_ns)
        shard.count -= sum(len(batch.place_ns) for batch in found)
        return found

    def _taken(self, shard: _Shard, turn_ns: int) -> list[Ordered]:
        """Take out what lies before a place, topic by topic."""
        found: list[Ordered] = []
        for topic in shard.inputs:
            before, shard.waiting[topic] = _split(shard.waiting.get(topic, ()), turn_ns)
            found += before
        if found:
            shard.floor_ns = max(shard.floor_ns, *(int(batch.place_ns[-1]) for batch in found))
        return found


def _split(batches: Sequence[Ordered], turn_ns: int) -> tuple[list[Ordered], list[Ordered]]:
    """What lies before a place, and the rest."""
    before: list[Ordered] = []
    rest: list[Ordered] = []
    for batch in batches:
        split = int(np.searchsorted(batch.place_ns, turn_ns))
        if split:
            before.append(batch.take(slice(0, split, None)))
        if split < len(batch.place_ns):
            rest.append(batch.take(slice(split, None, None)) if split else batch)
    return before, rest


def _merged(number: int, batches: Sequence[Ordered]) -> Ordered:
    """One behind the other by their places; of equal ones, as they stand."""
    if len(batches) == 1:
        return batches[0]
    if any(batch.events.row is not None for batch in batches):  # records of several events, in some
        batches = [batch.with_rows() for batch in batches]
    joined = Ordered(
        number,
        EventBatch.concatenate([batch.events for batch in batches]),
        np.concatenate([batch.said_ns for batch in batches]),
        np.concatenate([batch.place_ns for batch in batches]),
    )
    return joined.take(np.argsort(joined.place_ns, kind="stable"))


def by_partition(events: EventBatch) -> Iterator[EventBatch]:
    """Events that are to be decided, those of each partition together, in the order of their records."""
    fresh: BoolArray = events.ordinal >= 0
    for index in np.unique(events.partition[fresh]).tolist():
        rows = np.flatnonzero(fresh & (events.partition == index))
        part = events.take(rows[np.argsort(events.ordinal[rows], kind="stable")])
        whole = part.row is not None and bool((part.row < 0).all())
        yield replace(part, row=None) if whole else part
