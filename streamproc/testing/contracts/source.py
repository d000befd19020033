"""The contract of a source."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from streamproc.core import (
    NOTHING_BEYOND,
    NS_PER_MS,
    Int64Array,
    RecordBatch,
    Source,
    TopicPartition,
)
from streamproc.testing.broker import StoredRecord
from streamproc.testing.contracts.checking import limited, see

_POLL_NS = 50 * NS_PER_MS
_QUIET_POLLS = 3
"""Polls that must give nothing before "nothing comes" is believed."""
T0_NS = 1_700_000_000_000 * NS_PER_MS


class SourceBed(Protocol):
    """What a source is tested on: one topic of two partitions, read by one group from its earliest record.

    Attributes:
        topic: the topic.
    """

    topic: str

    def make(self) -> Source:
        """A source of the group; it is not started."""
        ...

    async def produce(self, records: Sequence[StoredRecord]) -> list[StoredRecord]:
        """Append records to the partitions that they name; gives them with their offsets."""
        ...

    async def committed(self) -> Mapping[TopicPartition, int]:
        """What the group has committed for the topic."""
        ...


class RecordingListener:
    """Keeps what a source tells, and answers a revocation with what was given so far.

    Attributes:
        owned: the partitions at this moment, and from where they are read.
        events: ``("assigned" or "revoked", partitions)`` in order.
        behind: for each partition the position behind the last record given; kept by ``gather``.
    """

    def __init__(self) -> None:
        self.owned: dict[TopicPartition, int] = {}
        self.events: list[tuple[str, list[TopicPartition]]] = []
        self.behind: dict[TopicPartition, int] = {}

    def assigned(
        self,
        positions: Mapping[TopicPartition, int],
        beyond: Mapping[TopicPartition, Int64Array] = NOTHING_BEYOND,  # noqa: ARG002 - nothing is done before
    ) -> None:
        """See ``AssignmentListener``."""
        self.owned.update(positions)
        self.behind.update(positions)
        self.events.append(("assigned", list(positions)))

    async def revoked(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """See ``AssignmentListener``."""
        self.events.append(("revoked", list(partitions)))
        gone = [source for source in partitions if source in self.owned]
        for source in gone:
            del self.owned[source]
        return {source: self.behind.pop(source) for source in gone}


class _Reader:
    """A source that is started, and all that it gave."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.listener = RecordingListener()
        self.batches: list[RecordBatch] = []

    async def poll(self, records_max: int = 1_000) -> int:
        """Poll once; gives how many records came."""
        batches = await self.source.poll(timeout_ns=_POLL_NS, records_max=records_max)
        for batch in batches:
            see(len(batch) > 0, "poll gave a batch without records")
            see(
                batch.source in self.listener.behind,
                f"records of {batch.source} came, which was not assigned",
            )
            self.listener.behind[batch.source] = batch.end_position
        self.batches += batches
        return sum(map(len, batches))

    async def gather(self, count: int) -> None:
        """Poll until so many records came in all."""
        async with limited(f"{count} records from the source"):
            while self.total < count:
                await self.poll()
        see(self.total == count, f"{self.total} records came instead of {count}")

    async def gather_assignment(self, count: int) -> None:
        """Poll until so many partitions are owned."""
        async with limited(f"the assignment of {count} partitions"):
            while len(self.listener.owned) != count:
                await self.poll()

    @property
    def total(self) -> int:
        return sum(map(len, self.batches))

    def ids(self) -> list[tuple[int, int]]:
        """Partition and offset of all that came."""
        return [(b.source.partition, o) for b in self.batches for o in b.offset.tolist()]


@asynccontextmanager
async def _reading(bed: SourceBed) -> AsyncIterator[_Reader]:
    reader = _Reader(bed.make())
    async with limited("the source's start"):
        await reader.source.start(reader.listener)
    try:
        yield reader
    finally:
        async with limited("the source's stop"):
            await reader.source.stop()


def _records(bed: SourceBed, count: int, *, start: int = 0) -> list[StoredRecord]:
    """Records turn by turn for both partitions; every kind of key, value and header is among them."""
    kinds: list[tuple[bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]] = [
        (b"key", b'{"x": 1}', ()),
        (None, b"value", (("traceparent", b"00-1"), ("empty", b""), ("null", None))),
        (b"\xff\xfe", b"\x00\xff", (("twice", b"1"), ("twice", b"2"))),
        (b"tombstone", None, ()),
        (b"", b"", ()),
    ]
    return [
        StoredRecord(bed.topic, n % 2, -1, T0_NS + n * NS_PER_MS, *kinds[n % len(kinds)])
        for n in range(start, start + count)
    ]


async def gives_every_record_once_as_it_was_produced(bed: SourceBed) -> None:
    """All records come, in the order of each partition, with their keys, values, headers and times."""
    produced = await bed.produce(_records(bed, 40))
    async with _reading(bed) as reader:
        await reader.gather(40)
        found: dict[tuple[int, int], StoredRecord] = {}
        for batch in reader.batches:
            for row, offset in enumerate(batch.offset.tolist()):
                found[batch.source.partition, offset] = StoredRecord(
                    *batch.source,
                    offset,
                    int(batch.timestamp_ns[row]),
                    batch.key[row],
                    batch.value[row],
                    tuple(batch.headers.get(row, ())),
                )
        for record in produced:
            got = found.get((record.partition, record.offset))
            see(got == record, f"produced {record}, the source gave {got}")
        for partition in (0, 1):
            offsets = [o for p, o in reader.ids() if p == partition]
            see(offsets == sorted(offsets), f"partition {partition} is out of order: {offsets}")
        arrivals = [batch.arrival_ns for batch in reader.batches]
        see(arrivals == sorted(arrivals), f"arrival_ns goes back: {arrivals}")
        for batch in reader.batches:
            last = int(batch.offset[-1])
            see(
                batch.end_position > last, f"end_position {batch.end_position} is not behind {last}"
            )


async def tells_the_assignment_before_the_first_record(bed: SourceBed) -> None:
    """``assigned`` is called before any record is given, with the positions they are read from."""
    await bed.produce(_records(bed, 4))
    async with _reading(bed) as reader:
        await reader.gather(4)  # fails at a record of a partition that was not assigned
        first = dict(reader.listener.owned)
        see(
            set(first) == {TopicPartition(bed.topic, n) for n in (0, 1)},
            f"both partitions must be assigned, were {first}",
        )
        for batch in reader.batches:
            start = first[batch.source]
            see(int(batch.offset[0]) >= start, f"{batch.source}: records before {start} came")


async def gives_no_more_than_asked_for(bed: SourceBed) -> None:
    """``records_max`` bounds one poll, over all partitions together."""
    await bed.produce(_records(bed, 30))
    async with _reading(bed) as reader:
        async with limited("30 records, at most 7 a poll"):
            while reader.total < 30:  # noqa: PLR2004 - as many as were produced
                count = await reader.poll(records_max=7)
                see(count <= 7, f"records_max=7, but {count} records came")  # noqa: PLR2004
        see(len(set(reader.ids())) == reader.total, "records came twice")


async def gives_nothing_while_paused(bed: SourceBed) -> None:
    """Between ``pause`` and ``resume`` polls go on and give nothing; then nothing is lost."""
    await bed.produce(_records(bed, 6))
    async with _reading(bed) as reader:
        await reader.gather(6)
        reader.source.pause()
        await bed.produce(_records(bed, 6, start=6))
        for _ in range(_QUIET_POLLS):
            count = await reader.poll()
            see(not count, f"{count} records came while paused")
        reader.source.resume()
        await reader.gather(12)
        see(len(set(reader.ids())) == reader.total, "records came twice")


async def knows_its_positions_and_its_lag(bed: SourceBed) -> None:
    """``positions`` is behind what was given; ``lag`` is 0 when all was."""
    await bed.produce(_records(bed, 10))
    async with _reading(bed) as reader:
        await reader.gather(10)
        positions = await reader.source.positions()
        for source, behind in reader.listener.behind.items():
            position = positions.get(source, -1)
            see(position >= behind, f"{source}: position {position}, but given up to {behind}")
        lag = reader.source.lag()
        see(not any(lag.values()), f"all was given, but lag is {lag}")


async def goes_on_from_what_was_committed(bed: SourceBed) -> None:
    """A later source of the group begins at the committed positions, not at what was given."""
    produced = await bed.produce(_records(bed, 20))
    commit = {
        TopicPartition(bed.topic, 0): produced[4].offset,
        TopicPartition(bed.topic, 1): produced[9].offset,
    }
    async with _reading(bed) as reader:
        await reader.gather(20)
        async with limited("the commit"):
            await reader.source.commit(commit)
    stored = await bed.committed()
    for source, position in commit.items():
        see(
            stored.get(source) == position,
            f"{source}: committed {stored.get(source)}, not {position}",
        )
    left = sum(r.offset >= commit[TopicPartition(bed.topic, r.partition)] for r in produced)
    async with _reading(bed) as reader:
        await reader.gather(left)
        first = {p: min(o for q, o in reader.ids() if q == p) for p, _ in reader.ids()}
        wanted = {source.partition: position for source, position in commit.items()}
        see(first == wanted, f"the next source began at {first}, not at {wanted}")


async def settles_where_it_begins(bed: SourceBed) -> None:
    """Where the group had no position, the start is committed before the first record is given."""
    produced = await bed.produce(_records(bed, 4))
    async with _reading(bed) as reader:
        await reader.gather_assignment(2)
        stored = await bed.committed()
    for number in (0, 1):
        first = min(r.offset for r in produced if r.partition == number)
        position = stored.get(TopicPartition(bed.topic, number))
        see(
            position == first,
            f"partition {number}: {position} is committed at the start, not {first}",
        )


async def leaves_out_what_is_not_its_own(bed: SourceBed) -> None:
    """A commit for a partition that is not owned stores nothing and raises nothing."""
    foreign = TopicPartition(bed.topic, 7)
    async with _reading(bed) as reader:
        await reader.gather_assignment(2)
        async with limited("the commit"):
            await reader.source.commit({foreign: 5})
    see(
        foreign not in await bed.committed(),
        "a position of a partition that is not owned was stored",
    )


async def hands_partitions_over(bed: SourceBed) -> None:
    """Another member joins: each partition is revoked first, committed, and read on without gap or repeat."""
    await bed.produce(_records(bed, 12))
    async with _reading(bed) as one:
        await one.gather(12)
        async with _reading(bed) as two, limited("a partition for each of two members"):
            while not (len(one.listener.owned) == len(two.listener.owned) == 1):
                await asyncio.gather(one.poll(), two.poll())
            await bed.produce(_records(bed, 12, start=12))
            while one.total + two.total < 24:  # noqa: PLR2004 - all that was produced
                await asyncio.gather(one.poll(), two.poll())
            ids = one.ids() + two.ids()
            see(len(set(ids)) == len(ids), "a record was given to both members")
            see(
                [name for name, _ in one.listener.events[1:3]] == ["revoked", "assigned"],
                f"the first member was told {one.listener.events}",
            )


async def jumps_over_what_is_too_old(bed: SourceBed) -> None:
    """``skip_to`` goes on with the first record that is young enough; what lies before never comes."""
    old, other = TopicPartition(bed.topic, 0), TopicPartition(bed.topic, 1)
    async with _reading(bed) as reader:
        await reader.gather_assignment(2)  # before there is anything, or its polls might read all
        produced = await bed.produce(_records(bed, 40))
        await reader.poll(records_max=3)
        start, wanted = reader.listener.behind[old], produced[30]
        async with limited("the jump"):
            jump = await reader.source.skip_to(old, wanted.timestamp_ns)
        see(jump == (start, wanted.offset), f"jumped {jump}, not from {start} to {wanted.offset}")
        positions = await reader.source.positions()
        see(
            positions.get(old) == wanted.offset,
            f"the position is {positions.get(old)} after {jump}",
        )
        given = [o for p, o in reader.ids() if p == old.partition]
        left = [r.offset for r in produced if r.partition == 0 and r.offset >= wanted.offset]
        others = [r.offset for r in produced if r.partition == 1]
        await reader.gather(len(given) + len(left) + len(others))
        got = [o for p, o in reader.ids() if p == old.partition]
        see(got == given + left, f"{got} came instead of {given} and, after the jump, {left}")
        got = [o for p, o in reader.ids() if p == other.partition]
        see(got == others, f"the other partition gave {got}, not {others}")


async def jumps_neither_back_nor_beyond_the_end(bed: SourceBed) -> None:
    """Where no record is too old nothing is jumped over; where all are, reading goes on at the end."""
    await bed.produce(_records(bed, 10))
    source = TopicPartition(bed.topic, 0)
    late_ns = T0_NS + 1_000_000 * NS_PER_MS
    async with _reading(bed) as reader:
        await reader.gather(10)
        for timestamp_ns in (0, T0_NS, late_ns):
            async with limited("the jump"):
                jump = await reader.source.skip_to(source, timestamp_ns)
            see(jump is None, f"nothing lies before {timestamp_ns}, but it jumped {jump}")
        end = reader.listener.behind[source]
        reader.source.pause()  # so that none of these comes before the jump
        await bed.produce(_records(bed, 10, start=10))
        async with limited("the jump"):
            jump = await reader.source.skip_to(source, late_ns)
        see(jump == (end, end + 5), f"jumped {jump}, not from {end} to {end + 5}")
        reader.source.resume()
        await bed.produce(_records(bed, 2, start=20))
        await reader.gather(10 + 5 + 2)
        see(len(set(reader.ids())) == reader.total, "records came twice")


async def jumps_in_no_partition_of_others(bed: SourceBed) -> None:
    """A jump in a partition that is not owned does nothing."""
    await bed.produce(_records(bed, 2))
    async with _reading(bed) as reader:
        await reader.gather(2)
        async with limited("the jump"):
            jump = await reader.source.skip_to(TopicPartition(bed.topic, 7), T0_NS)
        see(jump is None, f"a partition that is not owned: jumped {jump}")


Check = Callable[[SourceBed], Awaitable[None]]

SOURCE_CHECKS: tuple[Check, ...] = (
    gives_every_record_once_as_it_was_produced,
    tells_the_assignment_before_the_first_record,
    gives_no_more_than_asked_for,
    gives_nothing_while_paused,
    knows_its_positions_and_its_lag,
    goes_on_from_what_was_committed,
    settles_where_it_begins,
    leaves_out_what_is_not_its_own,
    hands_partitions_over,
    jumps_over_what_is_too_old,
    jumps_neither_back_nor_beyond_the_end,
    jumps_in_no_partition_of_others,
)
"""Each takes a bed of its own."""


async def source_contract(make_bed: Callable[[], AbstractAsyncContextManager[SourceBed]]) -> None:
    """Run all checks, each on a new bed.

    Args:
        make_bed: makes a topic of two partitions and a group that were not used before.

    Raises:
        AssertionError: the source breaks its contract.
    """
    for check in SOURCE_CHECKS:
        async with make_bed() as bed:
            await check(bed)
