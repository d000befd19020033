"""A source that plays a recording."""

import asyncio
from collections.abc import Collection, Iterator, Mapping

import pytest

from streamproc.connectors.playback import Arrival, Playback, PlayedSource, arrivals
from streamproc.core import RecordBatch, SystemClock, TopicPartition, VirtualClock
from tests.replay.playback.recordings import MS, START_NS, batch, reads

POLL_NS = 50 * MS


class Listener:
    def __init__(self) -> None:
        self.positions: dict[TopicPartition, int] = {}

    def assigned(self, positions: Mapping[TopicPartition, int]) -> None:
        self.positions |= positions

    async def revoked(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        raise AssertionError


class JumpingClock(VirtualClock):
    """Time jumps to whatever is slept for."""

    async def sleep(self, seconds: float) -> None:
        self.advance(round(seconds * 1_000 * MS))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> JumpingClock:
    made = JumpingClock(START_NS + 86_400_000 * MS)
    monkeypatch.setattr("streamproc.connectors.playback.played.asyncio.sleep", made.sleep)
    return made


BATCHES = [batch([3, 4], 0), batch([0], 10, partition=1), batch([5, 9], 200)]


def played(batches: list[RecordBatch] = BATCHES, **playback: float) -> Iterator[Arrival]:
    return arrivals(reads(batches), Playback(**playback))  # type: ignore[arg-type]


async def test_each_batch_comes_when_it_is_due_with_its_lag(clock: JumpingClock) -> None:
    source, listener = PlayedSource(played(), clock=clock), Listener()
    await source.start(listener)
    assert listener.positions == {TopicPartition("ticks", 0): 3}
    begun_ns = clock.now_ns()
    found = []
    while not source.exhausted():
        for one in await source.poll(timeout_ns=POLL_NS, records_max=100):
            found.append((one.offset.tolist(), (one.arrival_ns - begun_ns) / MS))
            lag_ns = one.arrival_ns - int(one.timestamp_ns[0]) - one.shift_ns
            assert lag_ns == pytest.approx(MS, abs=1_000)
    assert found == [([3, 4], 0), ([0], 10), ([5, 9], 200)]
    assert listener.positions == {TopicPartition("ticks", 0): 3, TopicPartition("ticks", 1): 0}
    assert await source.positions() == {
        TopicPartition("ticks", 0): 10,
        TopicPartition("ticks", 1): 1,
    }
    assert source.lag_ns.tolist() == [0, 0, 0]


async def test_who_is_late_catches_up_and_says_so(clock: JumpingClock) -> None:
    source = PlayedSource(played(), clock=clock)
    await source.start(Listener())
    await source.poll(timeout_ns=POLL_NS, records_max=100)
    clock.advance(30 * MS)
    (second,) = await source.poll(timeout_ns=POLL_NS, records_max=100)
    lateness_ns = second.arrival_ns - int(second.timestamp_ns[0]) - second.shift_ns
    assert lateness_ns == 21 * MS, "the lag of 1 ms, and the 20 ms that it came late"
    assert (source.lag_ns / MS).tolist() == [0, 20]


async def test_no_more_than_was_asked_for(clock: JumpingClock) -> None:
    source = PlayedSource(played([batch(range(10), 0)]), clock=clock)
    await source.start(Listener())
    found = []
    while not source.exhausted():
        (one,) = await source.poll(timeout_ns=POLL_NS, records_max=4)
        found.append((one.offset.tolist(), one.end_position))
    assert found == [([0, 1, 2, 3], 4), ([4, 5, 6, 7], 8), ([8, 9], 10)]


async def test_as_quickly_as_it_goes_nothing_is_late(clock: JumpingClock) -> None:
    source = PlayedSource(played(), clock=clock, unbounded=True)
    await source.start(Listener())
    found = await source.poll(timeout_ns=POLL_NS, records_max=100)
    assert [one.offset.tolist() for one in found] == [[3, 4], [0], [5, 9]]
    assert {b.arrival_ns - int(b.timestamp_ns[0]) - b.shift_ns for b in found} == {MS}


async def test_paused_it_gives_nothing(clock: JumpingClock) -> None:
    source = PlayedSource(played(), clock=clock)
    await source.start(Listener())
    source.pause()
    assert await source.poll(timeout_ns=POLL_NS, records_max=9) == []
    source.resume()
    assert await source.poll(timeout_ns=POLL_NS, records_max=9)


async def test_nothing_at_all_is_exhausted_at_once() -> None:
    source = PlayedSource(played([]), clock=SystemClock())
    await source.start(Listener())
    assert source.exhausted()
    async with asyncio.timeout(5):
        assert await source.poll(timeout_ns=POLL_NS, records_max=9) == []
