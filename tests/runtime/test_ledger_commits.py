"""``at_least_once``: positions are stored only when the ledger that covers them is with the broker."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from streamproc.connectors.kafka import KafkaSource
from streamproc.core import Duration, SystemClock, TopicPartition
from streamproc.engine import Outcomes
from streamproc.runtime import Service
from streamproc.testing import FakeExecutor, MemoryBroker, MemorySink, MemorySource
from tests.engine.pipelines import pipeline, within

if TYPE_CHECKING:
    import pytest

    from streamproc.core import OutRecords, SendDone

T0 = TopicPartition("ticks", 0)


class Watched(MemorySink):
    """Holds the ledger's acknowledgements back, and nothing else's."""

    ledger_held = True

    def send(self, records: OutRecords, done: SendDone) -> None:
        if records.topic == "ledger" and self.ledger_held:
            self.waiting = (records, done)
            return
        super().send(records, done)

    def let(self) -> None:
        self.ledger_held = False
        self.send(*self.waiting)


async def test_the_ledger_is_there_before_the_position(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.runtime.intake_loop.POLL_NS", 1_000_000)
    clock = SystemClock()
    broker = MemoryBroker({"ticks": 1, "decisions": 1, "p.dlq": 1, "ledger": 1}, clock=clock)
    source, sink = MemorySource(broker, ["ticks"], group="p"), Watched(broker)
    kafka = KafkaSource(topics=("ticks",), commit_interval=Duration.parse("5ms"))
    config = pipeline(
        source=kafka, deadline=within("60s"), outcomes=Outcomes(ledger_topic="ledger")
    )
    parts = config.parts(source=source, sink=sink, executor=FakeExecutor(), clock=clock)
    service = Service(config, parts)
    for n in range(20):
        broker.produce("ticks", {"x": n})
    running = asyncio.create_task(service.run())
    async with asyncio.timeout(10):
        while not hasattr(sink, "waiting"):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.002)
    assert len(broker.records("decisions")) > 0
    assert broker.committed("p")[T0] == 0  # it waits for the ledger
    sink.let()
    service.stop()
    async with asyncio.timeout(10):
        await running
    told = [json.loads(record.value or b"") for record in broker.records("ledger")]
    assert told[-1]["end"] == broker.committed("p")[T0] == 20
    assert [record["start"] for record in told] == [0, *(record["end"] for record in told[:-1])]
    assert {o["outcome"] for record in told for o in record["outcomes"]} == {"on_time"}
