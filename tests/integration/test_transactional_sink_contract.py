"""The Kafka sink of transactions keeps the contract, on a real broker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition

from streamproc.connectors.kafka import Access, KafkaSink, KafkaTransactionalSink, Producers
from streamproc.connectors.kafka.group_offsets import stable_offsets
from streamproc.connectors.kafka.group_requests import GroupMembership, StoredOffset
from streamproc.connectors.kafka.progress_text import from_stored
from streamproc.core import NS_PER_MS, Progress, SystemClock, TopicPartition
from streamproc.runtime.transactional_id import TransactionalId
from streamproc.testing import StoredRecord
from streamproc.testing.contracts import TRANSACTIONAL_SINK_CHECKS
from tests.support.kafka import create_topics, read

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from streamproc.core import TransactionalSink
    from tests.support.kafka import KafkaBroker


class KafkaBed:
    """The group has no members, so that offsets of no generation may be stored."""

    def __init__(self, bootstrap: str, name: str) -> None:
        self.input_topic, self.topic, self.other_topic = (f"{name}-{n}" for n in ("in", "out", "x"))
        self.clock = SystemClock()
        self._bootstrap, self._group = bootstrap, name
        self._generations: list[int] = []

    def make(self) -> KafkaTransactionalSink:
        return KafkaTransactionalSink(
            Producers(
                KafkaSink(topic=self.topic),
                access=Access("sink.kafka", self._bootstrap),
                input_topics=[self.input_topic],
                made_topics=[self.other_topic],
            ),
            identity=TransactionalId(self._group, "bed"),
            membership=self._membership,
            stored=self._stored,
            clock=self.clock,
        )

    async def read(self, topic: str) -> list[StoredRecord]:
        found = await asyncio.to_thread(read, self._bootstrap, topic)
        return [
            StoredRecord(
                r.topic, r.partition, r.offset, r.timestamp_ms * NS_PER_MS, r.key, r.value, r.headers
            )
            for r in found
        ]  # fmt: skip

    async def stored(self) -> Mapping[TopicPartition, Progress]:
        sources = [TopicPartition(self.input_topic, number) for number in range(3)]
        found = await self._stored(sources)
        return {source: from_stored(stored) for source, stored in found.items()}

    async def break_next(self, sink: TransactionalSink) -> None:
        self._generations.append(7)

    def _membership(self) -> GroupMembership:
        if self._generations:
            return GroupMembership(self._group, self._generations.pop(), "nobody", None)
        return GroupMembership(self._group, -1, "", None)

    async def _stored(
        self, partitions: Collection[TopicPartition]
    ) -> dict[TopicPartition, StoredOffset]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, group_id=self._group, enable_auto_commit=False
        )
        await consumer.start()
        try:
            consumer.assign([KafkaPartition(*source) for source in partitions])
            return await stable_offsets(consumer, self._group, partitions)
        finally:
            await consumer.stop()


@pytest.mark.parametrize("check", TRANSACTIONAL_SINK_CHECKS, ids=lambda check: check.__name__)
async def test_the_contract(
    kafka: KafkaBroker, topic_name: str, check: Callable[[KafkaBed], Awaitable[None]]
) -> None:
    bed = KafkaBed(kafka.bootstrap, topic_name)
    await asyncio.to_thread(
        create_topics, kafka.bootstrap, bed.input_topic, bed.topic, partitions=3
    )
    await asyncio.to_thread(create_topics, kafka.bootstrap, bed.other_topic, partitions=2)
    await check(bed)
