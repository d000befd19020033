"""The contract of a transactional sink."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import numpy as np

from streamproc.core import (
    AbortedError,
    Progress,
    TopicPartition,
    TransactionalSink,
)
from streamproc.testing.contracts.checking import limited, see
from streamproc.testing.contracts.sink import SinkBed, some, started


class TransactionalSinkBed(SinkBed, Protocol):
    """What a transactional sink is tested on; ``read`` gives what those see who read committed."""

    def make(self) -> TransactionalSink:
        """A sink of a group that owns the partitions of the input topic; it is not started."""
        ...

    async def stored(self) -> Mapping[TopicPartition, Progress]:
        """What the group has stored."""
        ...

    async def break_next(self, sink: TransactionalSink) -> None:
        """See to it that the sink's next commit is aborted."""
        ...


class _Results:
    """What came of the sends."""

    def __init__(self) -> None:
        self.given: list[int | Exception] = []

    def __call__(self, result: int | Exception) -> None:
        self.given.append(result)


def _progress(
    bed: TransactionalSinkBed, position: int, *beyond: int
) -> dict[TopicPartition, Progress]:
    source = TopicPartition(bed.input_topic, 1)
    return {source: Progress(position, np.array(beyond, np.int64))}


async def _commit(sink: TransactionalSink, progress: Mapping[TopicPartition, Progress]) -> int:
    async with limited("the commit"):
        return await sink.commit(progress)


async def _stored(bed: TransactionalSinkBed) -> Progress:
    stored, source = await bed.stored(), TopicPartition(bed.input_topic, 1)
    see(source in stored, f"nothing is stored of {source}")
    return stored[source]


async def _values(bed: TransactionalSinkBed) -> list[bytes | None]:
    return [record.value for record in await bed.read(bed.topic)]


async def publishes_at_the_commit(bed: TransactionalSinkBed) -> None:
    """Before it nobody sees anything, and nobody is told; then all is there, with the positions."""
    async with started(bed.make()) as sink:
        done = _Results()
        before_ns = bed.clock.now_ns()
        sink.send(some(bed, 1, count=3), done)
        await asyncio.sleep(0)
        see(not done.given, "done was called before the commit")
        see(not await _values(bed), "records are there before the commit")
        committed_ns = await _commit(sink, _progress(bed, 3, 5, 6, 9))
        see(done.given == [committed_ns], f"done was told {done.given}, the commit {committed_ns}")
        see(before_ns <= committed_ns <= bed.clock.now_ns(), f"committed at {committed_ns}")
        see(sink.pending_bytes() == 0, f"{sink.pending_bytes()} bytes pending behind the commit")
        found = await _values(bed)
        see(found == [b"0-0", b"0-1", b"0-2"], f"{found} are there after the commit")
        stored = await _stored(bed)
        see(
            (stored.position, stored.beyond.tolist()) == (3, [5, 6, 9]),
            f"stored is {stored}, not position 3 and 5, 6, 9 behind it",
        )


async def what_comes_during_a_commit_is_in_the_next_one(bed: TransactionalSinkBed) -> None:
    """It is neither lost nor published with the one before."""
    async with started(bed.make()) as sink:
        first, second = _Results(), _Results()
        sink.send(some(bed, 1, count=2), first)
        committing = asyncio.ensure_future(sink.commit(_progress(bed, 2)))
        await asyncio.sleep(0)
        sink.send(some(bed, 1, count=2, start=1), second)
        async with limited("the commit"):
            await committing
        see(len(first.given) == 1, f"the first was told {first.given}")
        see(not second.given, "the second was told with the first")
        found = await _values(bed)
        see(found == [b"0-0", b"0-1"], f"the first commit published {found}")
        await _commit(sink, _progress(bed, 4))
        see(len(second.given) == 1, f"the second was told {second.given}")
        found = await _values(bed)
        see(found == [b"0-0", b"0-1", b"1-0", b"1-1"], f"the second commit left {found}")


async def positions_alone_are_stored(bed: TransactionalSinkBed) -> None:
    """A commit without records stores the progress, and one without anything does nothing."""
    async with started(bed.make()) as sink:
        await _commit(sink, _progress(bed, 7))
        await _commit(sink, {})
        stored = await _stored(bed)
        see(stored.position == 7, f"stored is {stored}, not 7")  # noqa: PLR2004


async def an_aborted_transaction_leaves_nothing(bed: TransactionalSinkBed) -> None:
    """``AbortedError``: no record, no position, nobody is told; and the sink goes on."""
    async with started(bed.make()) as sink:
        await _commit(sink, _progress(bed, 1))
        done = _Results()
        await bed.break_next(sink)
        sink.send(some(bed, 1, count=2), done)
        try:
            await _commit(sink, _progress(bed, 2))
        except AbortedError:
            pass
        else:
            see(condition=False, message="the commit was to be aborted")
        see(not done.given, f"done was told {done.given} of an aborted transaction")
        see(sink.pending_bytes() == 0, f"{sink.pending_bytes()} bytes pending behind the abort")
        see(not await _values(bed), "records of an aborted transaction are there")
        stored = await _stored(bed)
        see(stored.position == 1, f"the aborted transaction stored {stored}")
        sink.send(some(bed, 1, count=1, start=5), done)
        await _commit(sink, _progress(bed, 2))
        found = await _values(bed)
        see(found == [b"5-0"], f"after an abort {found} are there")


async def publishes_nothing_when_it_stops(bed: TransactionalSinkBed) -> None:
    """What is not committed when it stops is not published."""
    done = _Results()
    async with started(bed.make()) as sink:
        sink.send(some(bed, 1, count=2), done)
        await asyncio.sleep(0)
    see(not done.given, f"done was told {done.given} without a commit")
    see(not await _values(bed), "records are there that were never committed")


async def keeps_the_order_of_a_partition(bed: TransactionalSinkBed) -> None:
    """Records for one output partition stand in the order in which they were sent, over many transactions."""
    async with started(bed.make()) as sink:
        for number in range(30):
            sink.send(some(bed, number % 3, count=4, start=number), _Results())
            if number % 7 == 0:
                await _commit(sink, _progress(bed, number))
        await _commit(sink, _progress(bed, 99))
    for partition in range(3):
        found = [r.value for r in await bed.read(bed.topic) if r.partition == partition]
        wanted = [b"%d-%d" % (n, row) for n in range(partition, 30, 3) for row in range(4)]
        see(found == wanted, f"partition {partition} holds {found}")


Check = Callable[[TransactionalSinkBed], Awaitable[None]]

TRANSACTIONAL_SINK_CHECKS: tuple[Check, ...] = (
    publishes_at_the_commit,
    what_comes_during_a_commit_is_in_the_next_one,
    positions_alone_are_stored,
    an_aborted_transaction_leaves_nothing,
    publishes_nothing_when_it_stops,
    keeps_the_order_of_a_partition,
)
"""Each takes a bed of its own."""


async def transactional_sink_contract(
    make_bed: Callable[[], AbstractAsyncContextManager[TransactionalSinkBed]],
) -> None:
    """Run all checks, each on a new bed.

    Args:
        make_bed: makes topics that were not used before.

    Raises:
        AssertionError: the sink breaks its contract.
    """
    for check in TRANSACTIONAL_SINK_CHECKS:
        async with make_bed() as bed:
            await check(bed)
