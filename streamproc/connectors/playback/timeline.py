"""When each batch of a recording comes again: an absolute schedule, with filters, other speeds and other loads.

A batch's times all move by the same amount: what an event says of when it happened keeps its distance to its
arrival, and so do deadlines. So a lag that was recorded is played again as a lag.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from streamproc.core import NS_PER_MS, BoolArray, RecordBatch, TopicPartition

COPY_PARTITIONS: Final = 10_000
"""Copies of a partition's records come in partitions of their own, this much further on: 20003 is the second copy of
partition 3. No topic has so many, so an original keeps its id and a copy gets a fresh one."""
SPREAD_MAX_NS: Final = 10 * NS_PER_MS
"""Copies come after their original, evenly over the time to the next arrival, and at most over this."""
_STIRS: Final = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_GOLDEN: Final = 0x9E3779B97F4A7C15
_LAST_SHIFT: Final = 31
_LOAD_MAX: Final = 1_000.0

Records = Callable[[], Iterable[RecordBatch]]
"""Reads a recording from its begin, in the order in which it was consumed; is called for each lap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Playback:
    """What of a recording is played, and how.

    Attributes:
        speed: how many times quicker than it was.
        load: how many times as many events: each comes so often; a part of one is drawn by the seed.
        max_gap_ns: pauses are no longer than this; None leaves them as they were.
        laps: how often it is played, one lap behind the other.
        keys: only records with one of these keys; empty for all.
        seed: for what is drawn.
    """

    speed: float = 1.0
    load: float = 1.0
    max_gap_ns: int | None = None
    laps: int = 1
    keys: frozenset[bytes] = frozenset()
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.speed < float("inf"):
            msg = f"speed must be above 0, was {self.speed}"
            raise ValueError(msg)
        if not 0 < self.load <= _LOAD_MAX:
            msg = f"load must be above 0 and at most {_LOAD_MAX:g}, was {self.load}"
            raise ValueError(msg)
        if self.laps < 1 or (self.max_gap_ns is not None and self.max_gap_ns <= 0):
            msg = f"laps and max_gap_ns must be above 0, were {self.laps} and {self.max_gap_ns}"
            raise ValueError(msg)


class Arrival(NamedTuple):
    """A batch, and when it comes.

    Attributes:
        due_ns: when, on the timeline of the recording.
        batch: its records; ``arrival_ns`` is the instant of the recording, ``shift_ns`` what lies between.
        lap: how often the recording was played before.
    """

    due_ns: int
    batch: RecordBatch
    lap: int = 0


def arrivals(records: Records, playback: Playback) -> Iterator[Arrival]:
    """All that comes, in the order in which it does; holds two batches at a time."""
    chosen = _in_time(_laps(records, playback), playback)
    if playback.load == 1.0:
        yield from chosen
        return
    last: Arrival | None = None
    for arrival in chosen:
        if last is not None:
            yield from _copies(last, arrival.due_ns, playback)
        last = arrival
    if last is not None:
        yield from _copies(last, last.due_ns + SPREAD_MAX_NS, playback)


def _laps(records: Records, playback: Playback) -> Iterator[tuple[int, int, RecordBatch]]:
    """The laps' batches with the instants at which they come at speed 1; later laps have later offsets."""
    first_ns: int | None = None
    last_ns = lap_ns = 0
    spans: dict[TopicPartition, tuple[int, int]] = {}
    for lap in range(playback.laps):
        batches = 0
        for batch in records():
            batches += 1
            if first_ns is None:
                first_ns = batch.arrival_ns
            last_ns = max(last_ns, batch.arrival_ns)
            if not lap:
                start, _ = spans.get(batch.source, (int(batch.offset[0]), 0))
                spans[batch.source] = (start, max(batch.end_position, int(batch.offset[-1]) + 1))
                yield 0, batch.arrival_ns, _of_keys(batch, playback.keys)
                continue
            start, end = spans[batch.source]
            raised = lap * (end - start)
            again = replace(
                batch, offset=batch.offset + raised, end_position=batch.end_position + raised
            )
            yield lap, batch.arrival_ns + lap * lap_ns, _of_keys(again, playback.keys)
        if first_ns is None:
            return
        if not lap:  # a mean gap before it begins again
            span_ns = last_ns - first_ns
            lap_ns = max(1, span_ns + span_ns // max(1, batches - 1))


def _in_time(
    chosen: Iterator[tuple[int, int, RecordBatch]], playback: Playback
) -> Iterator[Arrival]:
    """Each batch at its instant."""
    first_ns: int | None = None
    before_ns = left_out_ns = 0
    for lap, at_ns, batch in chosen:
        if not len(batch):
            continue
        if first_ns is None:
            first_ns = before_ns = at_ns
        gap_ns = at_ns - before_ns
        if playback.max_gap_ns is not None and gap_ns > playback.max_gap_ns:
            left_out_ns += gap_ns - playback.max_gap_ns
        before_ns = max(before_ns, at_ns)
        place_ns = at_ns - left_out_ns - first_ns
        due_ns = first_ns + (place_ns if playback.speed == 1.0 else int(place_ns / playback.speed))
        shift_ns = due_ns - batch.arrival_ns
        if shift_ns:
            batch = replace(batch, shift_ns=shift_ns)  # noqa: PLW2901 - the same batch, later
        yield Arrival(due_ns, batch, lap)


def _copies(arrival: Arrival, next_ns: int, playback: Playback) -> Iterator[Arrival]:
    """A batch as often as the load says, each time with fewer records where that is no whole number."""
    times = -int(-playback.load // 1)
    spread_ns = min(next_ns - arrival.due_ns, SPREAD_MAX_NS)
    for copy in range(times):
        batch = arrival.batch
        part = playback.load - copy
        if part < 1.0:
            rows = _drawn(batch, part, playback.seed)
            batch = rows_of(batch, np.flatnonzero(rows).tolist())
            if not len(batch):
                continue
        late_ns = max(0, spread_ns) * copy // times
        if copy:
            topic, partition = batch.source
            batch = replace(
                batch,
                source=TopicPartition(topic, partition + copy * COPY_PARTITIONS),
                shift_ns=batch.shift_ns + late_ns,
            )
        yield Arrival(arrival.due_ns + late_ns, batch, arrival.lap)


def _drawn(batch: RecordBatch, part: float, seed: int) -> BoolArray:
    """Which records are taken (bool [n]): by who they are, so that how they are batched changes nothing.

    SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) of the offset.
    """
    start = (seed * _GOLDEN + batch.source.partition + 1) & (2**64 - 1)
    mixed = batch.offset.astype(np.uint64) * np.uint64(_GOLDEN) + np.uint64(start)
    for shift, factor in _STIRS:
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(_LAST_SHIFT)
    drawn: BoolArray = mixed < np.uint64(int(part * 2**64))
    return drawn


def _of_keys(batch: RecordBatch, keys: frozenset[bytes]) -> RecordBatch:
    """The records that have one of these keys; all where there are none."""
    if not keys:
        return batch
    return rows_of(batch, [row for row, key in enumerate(batch.key) if key in keys])


def rows_of(batch: RecordBatch, rows: Sequence[int]) -> RecordBatch:
    """The rows named, ascending, as a batch of their own."""
    if len(rows) == len(batch):
        return batch
    return replace(
        batch,
        offset=batch.offset[list(rows)],
        timestamp_ns=batch.timestamp_ns[list(rows)],
        key=[batch.key[row] for row in rows],
        value=[batch.value[row] for row in rows],
        headers={
            place: batch.headers[row] for place, row in enumerate(rows) if row in batch.headers
        },
    )
