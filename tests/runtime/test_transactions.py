"""``exactly_once`` on a real event loop and the broker in memory: commits, aborts, rebalances, ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streamproc.connectors.kafka import KafkaSink
from streamproc.core import ConfigError, Duration, ExternalError, SystemClock, TopicPartition
from streamproc.engine import Outcomes
from streamproc.runtime import Service
from streamproc.testing import (
    Auditor,
    FakeExecutor,
    MemoryBroker,
    MemorySink,
    MemorySource,
    MemoryTransactionalSink,
    assert_accounts,
)
from tests.engine.pipelines import pipeline, within

T0 = TopicPartition("ticks", 0)
T1 = TopicPartition("ticks", 1)
OUT = ("decisions", "p.dlq", "ledger")


class World:
    """A service in transactions, and what it runs on."""

    def __init__(
        self, *, sink: Any = None, ends: bool = True, commit_ns: int = 0, **changes: Any
    ) -> None:
        self.clock = SystemClock()
        self.broker = MemoryBroker({"ticks": 2} | dict.fromkeys(OUT, 2), clock=self.clock)
        self.source = MemorySource(self.broker, ["ticks"], group="p", ends=ends)
        self.sink = sink or MemoryTransactionalSink(self.broker, group="p", commit_ns=commit_ns)
        config = pipeline(
            delivery="exactly_once",
            deadline=within("60s"),
            outcomes=Outcomes(ledger_topic="ledger"),
            sink=KafkaSink(topic="decisions", transaction_interval=Duration.parse("2ms")),
            **changes,
        )
        self.service = Service(config, self._parts(config), stop_when_idle_ns=None)

    def _parts(self, config: Any) -> Any:
        return config.parts(
            source=self.source, sink=self.sink, executor=FakeExecutor(), clock=self.clock
        )

    def produce(self, count: int) -> None:
        for n in range(count):
            self.broker.produce("ticks", {"x": n} if n % 7 else b"{", partition=n % 2)

    async def run(self) -> Any:
        async with asyncio.timeout(20):
            summary = await self.service.run()
        assert_accounts(summary)
        return summary

    def audit(self) -> None:
        auditor = Auditor("exactly_once")
        takes = (auditor.add_decision, auditor.add_letter, auditor.add_ledger)
        for topic, take in zip(OUT, takes, strict=True):
            for record in self.broker.records(topic):
                take(record)
        for record in self.broker.records("ticks"):
            auditor.add_input(record)
        auditor.report(self.broker.committed("p")).require_complete()


@pytest.fixture(autouse=True)
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.runtime.intake_loop.POLL_NS", 1_000_000)


async def test_it_runs_to_the_end_of_the_source() -> None:
    world = World()
    world.produce(500)
    summary = await world.run()
    assert (summary["consumed"], summary["handed_back"]) == (500, 0)
    assert world.sink.commits_total >= 1
    world.audit()


async def test_aborted_transactions_are_handed_back_and_read_again() -> None:
    world = World()
    world.produce(500)
    world.sink.fail_commits(times=3)
    summary = await world.run()
    assert summary["consumed"] == 500
    assert summary["handed_back"] > 0
    assert world.sink.aborts_total == 3
    world.audit()


async def test_partitions_that_leave_are_committed_first() -> None:
    world = World(ends=False, commit_ns=5_000_000)
    running = asyncio.create_task(world.run())
    for _ in range(10):
        world.produce(40)
        await asyncio.sleep(0.004)
        if world.source.owned:
            await world.source.revoke([T0])
            await world.source.assign([T0])
    async with asyncio.timeout(10):
        while sum(world.broker.committed("p").values()) < 400:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.005)
    world.service.stop()
    await running
    world.audit()


async def test_an_abort_while_partitions_leave_loses_nothing() -> None:
    world = World(ends=False, commit_ns=5_000_000)
    running = asyncio.create_task(world.run())
    async with asyncio.timeout(10):
        while T0 not in world.source.owned:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.001)
    for _ in range(5):
        world.produce(40)
        world.sink.fail_commits()
        await world.source.revoke([T0])
        await world.source.assign([T0])
    async with asyncio.timeout(10):
        while sum(world.broker.committed("p").values()) < 200:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.005)
    world.service.stop()
    await running
    world.audit()


async def test_a_commit_that_fails_for_good_ends_the_pipeline() -> None:
    world = World()
    world.produce(10)
    world.sink.fail_commits(ExternalError("sink: gone"))
    with pytest.raises(ExternalError, match="sink: gone"):
        await world.run()
    assert world.broker.records("decisions") == []


async def test_a_sink_without_transactions_is_refused() -> None:
    world = World(sink=MemorySink(MemoryBroker()))
    with pytest.raises(ConfigError, match="needs a transactional source and sink"):
        await world.run()
