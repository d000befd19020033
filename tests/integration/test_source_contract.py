"""The Kafka source keeps the contract that the one in memory keeps, on a real broker."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from streamproc.connectors.kafka import KafkaRecordSource, KafkaSource
from streamproc.core import NS_PER_MS, Duration, SystemClock, TopicPartition
from streamproc.testing.contracts import SOURCE_CHECKS
from tests.support.kafka import Message, committed, create_topics, fill, read

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from streamproc.core import Source
    from streamproc.testing import StoredRecord
    from tests.support.kafka import KafkaBroker


class KafkaBed:
    def __init__(self, bootstrap: str, topic: str) -> None:
        self.topic = topic
        self._bootstrap = bootstrap
        self._produced = 0

    def make(self) -> Source:
        options = KafkaSource(
            topics=(self.topic,),
            bootstrap_servers=self._bootstrap,
            auto_offset_reset="earliest",
            fetch_max_wait=Duration.parse("10ms"),
        )
        return KafkaRecordSource(options, group_id=self.topic, clock=SystemClock())

    async def produce(self, records: Sequence[StoredRecord]) -> list[StoredRecord]:
        messages = [
            Message(
                r.value,
                r.key,
                headers=r.headers,
                partition=r.partition,
                timestamp_ms=r.timestamp_ns // NS_PER_MS,
            )
            for r in records
        ]
        await asyncio.to_thread(fill, self._bootstrap, self.topic, messages)
        stored = await asyncio.to_thread(read, self._bootstrap, self.topic)
        by_time = {(r.partition, r.timestamp_ms): r.offset for r in stored}
        return [
            replace(r, offset=by_time[r.partition, r.timestamp_ns // NS_PER_MS]) for r in records
        ]

    async def committed(self) -> Mapping[TopicPartition, int]:
        stored = await asyncio.to_thread(committed, self._bootstrap, self.topic, self.topic)
        return {
            TopicPartition(self.topic, partition): offset for partition, offset in stored.items()
        }


@pytest.mark.parametrize("check", SOURCE_CHECKS, ids=lambda check: check.__name__)
async def test_the_contract(
    kafka: KafkaBroker, topic_name: str, check: Callable[[KafkaBed], Awaitable[None]]
) -> None:
    kept = {"retention.ms": "-1"}  # the records are of 2023
    await asyncio.to_thread(create_topics, kafka.bootstrap, topic_name, partitions=2, config=kept)
    await check(KafkaBed(kafka.bootstrap, topic_name))
