"""The contract of a sink."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol, TypeVar

from streamproc.connectors.kafka import partition_of
from streamproc.core import NS_PER_S, Clock, OutRecords, Sink, TopicPartition
from streamproc.testing.broker import StoredRecord
from streamproc.testing.contracts.checking import LIMIT_S, limited, see

S = TypeVar("S", bound=Sink)

STOP_NS = int(LIMIT_S) * NS_PER_S // 2


class SinkBed(Protocol):
    """What a sink is tested on.

    Attributes:
        input_topic: where the events came from: a topic of three partitions.
        topic: where the records go: a topic of three partitions.
        other_topic: another one, with two partitions.
        clock: the clock of the sink's instants.
    """

    input_topic: str
    topic: str
    other_topic: str
    clock: Clock

    def make(self) -> Sink:
        """A sink that may write to both topics; it is not started."""
        ...

    async def read(self, topic: str) -> Sequence[StoredRecord]:
        """All records of a topic, each partition in its order."""
        ...


class _Acknowledgement:
    """Waits for one send's result, and sees that it comes once."""

    def __init__(self) -> None:
        self._result: asyncio.Future[int | Exception] = asyncio.get_running_loop().create_future()
        self.calls = 0

    def __call__(self, result: int | Exception) -> None:
        self.calls += 1
        if not self._result.done():
            self._result.set_result(result)

    async def result(self) -> int:
        async with limited("the acknowledgement"):
            result = await asyncio.shield(self._result)
        see(not isinstance(result, Exception), f"sending failed: {result!r}")
        return result if isinstance(result, int) else 0


@asynccontextmanager
async def started(sink: S) -> AsyncIterator[S]:
    """A sink between its start and its stop."""
    async with limited("the sink's start"):
        await sink.start()
    try:
        yield sink
    finally:
        async with limited("the sink's stop"):
            await sink.stop(timeout_ns=STOP_NS)


async def _send(sink: Sink, records: OutRecords) -> int:
    acknowledgement = _Acknowledgement()
    sink.send(records, acknowledgement)
    return await acknowledgement.result()


async def writes_what_it_is_given(bed: SinkBed) -> None:
    """Keys, values, null ones among them, and headers, shared ones and those of a row, arrive."""
    shared = (("shared", b"1"), ("null", None))
    records = OutRecords(
        bed.topic,
        TopicPartition(bed.input_topic, 1),
        [b"key", None, b"\xff\xfe", b"gone"],
        [b"value", b"", b"\x00\xff", None],
        shared,
        {0: (("own", b"a"), ("own", b"b")), 3: (("own", b""),)},
    )
    async with started(bed.make()) as sink:
        await _send(sink, records)
    found = await bed.read(bed.topic)
    see(
        [(r.key, r.value) for r in found] == list(zip(records.key, records.value, strict=True)),
        f"keys and values arrived as {[(r.key, r.value) for r in found]}",
    )
    for row, record in enumerate(found):
        wanted = sorted([*records.row_headers.get(row, ()), *shared], key=str)
        got = sorted(record.headers, key=str)
        see(got == wanted, f"row {row}: headers {got} instead of {wanted}")


async def acknowledges_once_and_later(bed: SinkBed) -> None:
    """``done`` is called once, after ``send`` has returned, with an instant of its clock."""
    async with started(bed.make()) as sink:
        acknowledgement = _Acknowledgement()
        before_ns = bed.clock.now_ns()
        sink.send(some(bed, 0, count=3), acknowledgement)
        see(acknowledgement.calls == 0, "done was called inside send")
        see(sink.pending_bytes() > 0, "pending_bytes is 0 before the acknowledgement")
        acknowledged_ns = await acknowledgement.result()
        see(
            before_ns <= acknowledged_ns <= bed.clock.now_ns(),
            f"acknowledged at {acknowledged_ns}, sent at {before_ns}",
        )
        see(sink.pending_bytes() == 0, f"{sink.pending_bytes()} bytes pending after it")
        see(len(await bed.read(bed.topic)) == 3, "acknowledged, but not there")  # noqa: PLR2004
    see(acknowledgement.calls == 1, f"done was called {acknowledgement.calls} times")


async def keeps_the_order_of_a_partition(bed: SinkBed) -> None:
    """Records for one output partition stand in the order in which they were sent."""
    async with started(bed.make()) as sink:
        results = []
        for number in range(60):
            acknowledgement = _Acknowledgement()
            sink.send(some(bed, number % 3, count=5, start=number), acknowledgement)
            results.append(acknowledgement)
            if number % 7 == 0:
                await asyncio.sleep(0)  # lets some leave while others come
        for acknowledgement in results:
            await acknowledgement.result()
    values: dict[int, list[bytes]] = {0: [], 1: [], 2: []}
    for record in await bed.read(bed.topic):
        values[record.partition].append(record.value or b"")
    for partition, found in values.items():
        wanted = [b"%d-%d" % (n, row) for n in range(partition, 60, 3) for row in range(5)]
        see(found == wanted, f"partition {partition} is out of order: {found[:20]}")


async def uses_the_input_partition_number(bed: SinkBed) -> None:
    """Where both topics have equally many partitions and the key is the record's: the same number."""
    async with started(bed.make()) as sink:
        for partition in (0, 1, 2):
            await _send(sink, some(bed, partition, count=2, key=b"same"))
    found = [(r.partition, r.value) for r in await bed.read(bed.topic)]
    see(
        found == [(p, b"0-%d" % row) for p in (0, 1, 2) for row in (0, 1)],
        f"partitions and values: {found}",
    )


async def uses_the_hash_of_the_key(bed: SinkBed) -> None:
    """For a new key, or another number of partitions: murmur2 of the key; without a key one partition."""
    keys = [f"key-{n}".encode() for n in range(20)]
    source = TopicPartition(bed.input_topic, 1)
    async with started(bed.make()) as sink:
        for topic, rekeyed in ((bed.topic, True), (bed.other_topic, False)):
            values: list[bytes | None] = [b"v"] * len(keys)
            await _send(sink, OutRecords(topic, source, [*keys], values, rekeyed=rekeyed))
        await _send(sink, OutRecords(bed.other_topic, source, [None] * 4, [b"a", b"b", b"c", b"d"]))
    for topic, partitions in ((bed.topic, 3), (bed.other_topic, 2)):
        for record in await bed.read(topic):
            if record.key is not None:
                wanted = partition_of(record.key, partitions)
                see(
                    record.partition == wanted,
                    f"{record.key!r} lies in {topic}/{record.partition}, not in {wanted}",
                )
    keyless = [(r.partition, r.value) for r in await bed.read(bed.other_topic) if r.key is None]
    see(len({p for p, _ in keyless}) == 1, f"records without a key lie in {keyless}")
    see([v for _, v in keyless] == [b"a", b"b", b"c", b"d"], f"their order is {keyless}")


async def sends_what_it_took_before_it_stops(bed: SinkBed) -> None:
    """``stop`` waits for the acknowledgement of what was taken."""
    sink = bed.make()
    async with limited("the sink's start"):
        await sink.start()
    see(sink.healthy(), "it is not healthy after its start")
    acknowledgement = _Acknowledgement()
    sink.send(some(bed, 2, count=50), acknowledgement)
    async with limited("the sink's stop"):
        await sink.stop(timeout_ns=STOP_NS)
    await acknowledgement.result()
    found = await bed.read(bed.topic)
    see(len(found) == 50, f"{len(found)} of 50 records were there after the stop")  # noqa: PLR2004


def some(
    bed: SinkBed, partition: int, *, count: int, start: int = 0, key: bytes | None = None
) -> OutRecords:
    """Records of one input partition, with values that say which send and row they are."""
    values: list[bytes | None] = [b"%d-%d" % (start, row) for row in range(count)]
    return OutRecords(bed.topic, TopicPartition(bed.input_topic, partition), [key] * count, values)


Check = Callable[[SinkBed], Awaitable[None]]

SINK_CHECKS: tuple[Check, ...] = (
    writes_what_it_is_given,
    acknowledges_once_and_later,
    keeps_the_order_of_a_partition,
    uses_the_input_partition_number,
    uses_the_hash_of_the_key,
    sends_what_it_took_before_it_stops,
)
"""Each takes a bed of its own."""


async def sink_contract(make_bed: Callable[[], AbstractAsyncContextManager[SinkBed]]) -> None:
    """Run all checks, each on a new bed.

    Args:
        make_bed: makes topics that were not used before.

    Raises:
        AssertionError: the sink breaks its contract.
    """
    for check in SINK_CHECKS:
        async with make_bed() as bed:
            await check(bed)
