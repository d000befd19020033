"""Who is told before each commit has been told of everything that it covers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from streamproc.connectors.kafka import KafkaSource
from streamproc.core import Duration, SystemClock, TopicPartition
from streamproc.runtime import Service
from streamproc.testing import FakeExecutor, MemoryBroker, MemorySink, MemorySource
from tests.engine.pipelines import pipeline, within

if TYPE_CHECKING:
    from collections.abc import Mapping

EVENTS = 400


class Watched(MemorySource):
    """Asks, at each commit, what has been told until then."""

    told = 0

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        assert self.told >= sum(positions.values())
        await super().commit(positions)


async def test_the_books_were_told_before_positions_are_stored() -> None:
    clock = SystemClock()
    broker = MemoryBroker({"ticks": 2, "decisions": 2, "p.dlq": 2}, clock=clock)
    source = Watched(broker, ["ticks"], group="p")
    kafka = KafkaSource(topics=("ticks",), commit_interval=Duration.parse("1ms"))
    config = pipeline(source=kafka, deadline=within("60s"))
    parts = config.parts(
        source=source, sink=MemorySink(broker), executor=FakeExecutor(), clock=clock
    )
    times = 0

    def tell() -> None:
        nonlocal times
        times += 1
        accounts = service.accounts()
        assert accounts is not None
        source.told = accounts.consumed

    service = Service(config, parts)
    service.before_commit = tell
    running = asyncio.create_task(service.run())
    async with asyncio.timeout(60):
        for sent in range(50, EVENTS + 1, 50):
            for number in range(50):
                broker.produce("ticks", {"x": number}, partition=number % 2)
            while sum(broker.committed("p").values()) < sent:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.001)
    service.stop()
    summary = await running
    assert summary["consumed"] == EVENTS
    assert times >= EVENTS / 50
