"""When each batch of a recording comes again."""

import numpy as np
import pytest

from streamproc.core import RecordBatch, TopicPartition
from streamproc.replay.playback import COPY_PARTITIONS, Arrival, Playback, arrivals
from tests.replay.playback.recordings import MS, START_NS, batch, reads, steady


def played(batches: list[RecordBatch], **playback: object) -> list[Arrival]:
    return list(arrivals(reads(batches), Playback(**playback)))  # type: ignore[arg-type]


def due_ms(found: list[Arrival]) -> list[float]:
    return [(arrival.due_ns - START_NS) / MS for arrival in found]


def test_as_it_was_nothing_is_moved() -> None:
    batches = steady(5, every_ms=3.0)
    found = played(batches)
    assert [arrival.batch for arrival in found] == batches
    assert due_ms(found) == [0, 3, 6, 9, 12]


def test_at_another_speed_times_move_by_as_much_as_the_arrival() -> None:
    found = played(steady(5, every_ms=3.0), speed=3.0)
    assert due_ms(found) == [0, 1, 2, 3, 4]
    assert [a.batch.shift_ns for a in found] == [a.due_ns - a.batch.arrival_ns for a in found]


def test_the_schedule_is_absolute_whatever_the_speed() -> None:
    """No error of a division adds up: each instant is computed from the first."""
    batches = [batch([i], i * 0.001) for i in range(1, 1000)]
    found = played(batches, speed=7.0)
    first_ns = batches[0].arrival_ns
    assert [a.due_ns for a in found] == [
        first_ns + int((b.arrival_ns - first_ns) / 7.0) for b in batches
    ]


def test_long_pauses_are_cut() -> None:
    found = played(
        [batch([0], 0), batch([1], 10), batch([2], 5_000), batch([3], 5_010)], max_gap_ns=100 * MS
    )
    assert due_ms(found) == [0, 10, 110, 120]


def test_laps_follow_each_other_with_offsets_of_their_own() -> None:
    batches = [batch([5, 6], 0), batch([7, 9], 10), batch([3], 20, partition=1)]
    found = played(batches, laps=3)
    assert due_ms(found) == [0, 10, 20, 30, 40, 50, 60, 70, 80]
    offsets = [a.batch.offset.tolist() for a in found if a.batch.source.partition == 0]
    assert offsets == [[5, 6], [7, 9], [10, 11], [12, 14], [15, 16], [17, 19]]


def test_only_some_keys() -> None:
    mixed = batch([0, 1, 2], 0, keys=[b"a", b"b", None], headers={1: [("h", b"1")]})
    found = played([mixed, batch([3], 1, keys=[b"c"])], keys=frozenset({b"b"}))
    assert [a.batch.offset.tolist() for a in found] == [[1]]
    assert found[0].batch.headers == {0: [("h", b"1")]}
    assert found[0].batch.end_position == 3


def test_at_twice_the_load_each_record_comes_twice_with_its_key_and_a_fresh_id() -> None:
    found = played(steady(4, every_ms=4.0), load=2.0)
    assert due_ms(found) == [0, 2, 4, 6, 8, 10, 12, 17]
    originals, copies = found[::2], found[1::2]
    assert [a.batch.source for a in originals] == [TopicPartition("ticks", 0)] * 4
    assert [a.batch.source for a in copies] == [TopicPartition("ticks", COPY_PARTITIONS)] * 4
    assert [a.batch.key for a in copies] == [a.batch.key for a in originals]
    lags = {a.due_ns - int(a.batch.timestamp_ns[0]) - a.batch.shift_ns for a in found}
    assert lags == {MS}, "a copy lags behind its time as its original does"


@pytest.mark.parametrize("load", [0.25, 1.5, 2.75])
def test_a_part_of_a_load_is_drawn_evenly(load: float) -> None:
    found = played(steady(200, size=50), load=load)
    total = sum(len(a.batch) for a in found)
    assert total == pytest.approx(10_000 * load, rel=0.06)
    assert [a.due_ns for a in found] == sorted(a.due_ns for a in found)


def test_what_is_drawn_does_not_depend_on_the_batches() -> None:
    def drawn(batches: list[RecordBatch], seed: int) -> list[int]:
        found = played(batches, load=0.3, seed=seed)
        return np.concatenate([a.batch.offset for a in found]).tolist()  # type: ignore[no-any-return]

    assert drawn(steady(1000), 1) == drawn(steady(10, size=100), 1)
    assert drawn(steady(1000), 1) != drawn(steady(1000), 2)


@pytest.mark.parametrize("wrong", [{"speed": 0}, {"load": 0}, {"laps": 0}, {"max_gap_ns": 0}])
def test_what_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        Playback(**wrong)  # type: ignore[arg-type]
