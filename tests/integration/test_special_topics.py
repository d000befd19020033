"""Topics whose offsets have gaps: transactions, compaction, and every compression; nothing stalls, commits reach the end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition
from confluent_kafka import Producer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from streamproc.connectors.kafka import KafkaRecordSource
from streamproc.connectors.kafka.options import KafkaSource
from streamproc.core import SystemClock, TopicPartition
from tests.integration.pipelines import (
    TICK,
    InThread,
    assert_adds_up,
    decisions,
    write_config,
)
from tests.support import wait_until
from tests.support.kafka import Message, committed, create_topics, end_offsets, fill, read

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from streamproc.core import RecordBatch
    from tests.support.kafka import KafkaBroker

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
COMPACT = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.01",
    "min.compaction.lag.ms": "0",
    "max.compaction.lag.ms": "1000",
    "delete.retention.ms": "0",
    "segment.ms": "500",
}


# -- what is put into the topics


def hurry_the_cleaner(bootstrap: str) -> None:
    """Let the broker's cleaner look for work more often than every 15 s."""
    entry = ConfigEntry(
        "log.cleaner.backoff.ms", "200", incremental_operation=AlterConfigOpType.SET
    )
    broker = ConfigResource(ResourceType.BROKER, "1", incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for done in admin.incremental_alter_configs([broker]).values():
        done.result()


def fill_with_transactions(bootstrap: str, topic: str, codec: str, *, partitions: int) -> None:
    """Committed and aborted transactions of two producers, with plain records between; markers at the end."""
    settings = {"bootstrap.servers": bootstrap, "linger.ms": 2, "compression.type": codec}
    producers = [Producer({**settings, "transactional.id": f"{topic}-{n}"}) for n in range(2)]
    events = iter(TICK.messages(100_000))

    def produce(producer: Producer, count: int) -> None:
        for _, message in zip(range(count), events, strict=False):
            place = crc32(message.value or b"") % partitions
            producer.produce(topic, message.value, message.key, partition=place)
        producer.flush(20)

    for producer in producers:
        producer.init_transactions(20)
    for turn in range(6):
        first, second = producers
        first.begin_transaction()
        produce(first, 120)
        second.begin_transaction()
        produce(second, 70)
        produce(first, 30)
        (first.abort_transaction if turn % 2 else first.commit_transaction)(20)
        produce(second, 10)
        (second.abort_transaction if turn % 3 == 1 else second.commit_transaction)(20)
        fill(bootstrap, topic, [m for _, m in zip(range(25), events, strict=False)])
    producers[
        0
    ].begin_transaction()  # the topic's last record is a marker of an aborted transaction
    produce(producers[0], 40)
    producers[0].abort_transaction(20)


def fill_compacted(bootstrap: str, topic: str, codec: str, *, partitions: int) -> None:
    """Keys written over and over, then wait until the cleaner took most of them away."""
    events = [
        # Most keys are written again and again; some once, so that batches keep a record here and there.
        m._replace(partition=n % partitions, key=b"once-%d" % n if n % 90 == 0 else m.key)
        for n, m in enumerate(TICK.messages(6_000))
    ]
    fill(bootstrap, topic, events, {"compression.type": codec, "batch.num.messages": 50})
    before = len(events)

    def cleaned() -> bool:
        # Only a closed segment is cleaned; a record now and then closes it.
        last = [Message(events[0].value, b"last", (), number) for number in range(partitions)]
        fill(bootstrap, topic, last)
        return len(read(bootstrap, topic)) < before // 2

    wait_until("the cleaner's work", cleaned, timeout_s=60, every_s=0.5)
    counts: list[int] = []

    def at_rest() -> bool:
        counts.append(len(read(bootstrap, topic)))
        return counts[-4:] == counts[-1:] * 4

    wait_until("the cleaner's end", at_rest, timeout_s=60, every_s=0.5)


# -- how they are read


class Listener:
    """Takes what it is given."""

    def __init__(self) -> None:
        self.positions: dict[TopicPartition, int] = {}

    def assigned(self, positions: Mapping[TopicPartition, int]) -> None:
        self.positions = dict(positions)

    async def revoked(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return {}


Row = tuple[int, int, int, bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]


async def read_by_source(
    bootstrap: str, topic: str, *, isolation: str, records_max: int, start: Mapping[int, int] | None
) -> tuple[list[Row], dict[int, int]]:
    """All records of a topic as ``KafkaRecordSource`` gives them, and the positions it ends with."""
    options = KafkaSource(
        topics=[topic],
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        isolation_level=isolation,  # type: ignore[arg-type]
    )
    source = KafkaRecordSource(options, group_id=f"{topic}-{records_max}", clock=SystemClock())
    listener = Listener()
    await source.start(listener)
    try:
        ends = await asyncio.to_thread(all_ends, bootstrap, topic)
        rows: list[Row] = []
        positions: dict[int, int] = {}
        sought = start is None
        async with asyncio.timeout(30):
            while positions != ends:
                # Only when the source has taken the partitions over: it seeks to the committed place itself.
                if not sought and listener.positions:
                    for partition, offset in (start or {}).items():
                        source._client.seek(KafkaPartition(topic, partition), offset)
                    sought, rows = True, []
                batches = await source.poll(timeout_ns=50_000_000, records_max=records_max)
                if sought:
                    rows += [row for batch in batches for row in rows_of(batch)]
                    found = await source.positions()
                    positions = {tp.partition: position for tp, position in found.items()}
        return sorted(rows, key=lambda row: row[:2]), positions
    finally:
        await source.stop()


def rows_of(batch: RecordBatch) -> list[Row]:
    assert batch.offset.dtype == np.int64
    assert (np.diff(batch.offset) > 0).all()
    assert batch.end_position > batch.offset[-1]
    return [
        (
            batch.source.partition,
            offset,
            time_ns // 1_000_000,
            batch.key[row],
            batch.value[row],
            tuple(batch.headers.get(row, ())),
        )
        for row, (offset, time_ns) in enumerate(
            zip(batch.offset.tolist(), batch.timestamp_ns.tolist(), strict=True)
        )
    ]


async def read_plainly(
    bootstrap: str, topic: str, *, isolation: str, start: Mapping[int, int] | None
) -> list[Row]:
    """All records of a topic as a plain consumer gives them."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", isolation_level=isolation
    )
    await consumer.start()
    try:
        ends = await asyncio.to_thread(all_ends, bootstrap, topic)
        places = [KafkaPartition(topic, number) for number in ends]
        consumer.assign(places)
        for place in places:
            consumer.seek(place, (start or {}).get(place.partition, 0))
        rows: list[Row] = []
        async with asyncio.timeout(30):
            while {p.partition: await consumer.position(p) for p in places} != ends:
                for records in (await consumer.getmany(timeout_ms=50)).values():
                    rows += [
                        (r.partition, r.offset, r.timestamp, r.key, r.value, tuple(r.headers))
                        for r in records
                    ]
        return sorted(rows, key=lambda row: row[:2])
    finally:
        await consumer.stop()


def all_ends(bootstrap: str, topic: str) -> dict[int, int]:
    return end_offsets(bootstrap, topic)


async def assert_same(bootstrap: str, topic: str, isolation: str) -> list[Row]:
    """What the source gives is what a plain consumer gives, from the beginning and from inside a batch."""
    ends = end_offsets(bootstrap, topic)
    middle = {partition: end // 2 + 3 for partition, end in ends.items()}
    for start in (None, middle):
        plain = await read_plainly(bootstrap, topic, isolation=isolation, start=start)
        for records_max in (1_024, 256):
            rows, positions = await read_by_source(
                bootstrap, topic, isolation=isolation, records_max=records_max, start=start
            )
            assert rows == plain
            assert positions == ends
    return await read_plainly(bootstrap, topic, isolation=isolation, start=None)


def assert_pipeline_reaches_the_end(
    kafka: KafkaBroker, topic: str, folder: Path, rows: list[Row], isolation: str
) -> None:
    """Every record has one decision, nothing stalls, and the commits reach the end behind the markers."""
    name, sink = f"{topic}-{isolation}", f"{topic}-{isolation}-out"
    create_topics(kafka.bootstrap, sink, partitions=2)
    config = write_config(
        folder,
        name=name,
        bootstrap=kafka.bootstrap,
        topic=topic,
        sink=sink,
        source={"kafka": {"isolation_level": isolation, "commit_interval": "100ms"}},
    )
    ends = end_offsets(kafka.bootstrap, topic)
    with InThread(config) as pipeline:
        wait_until("the end is committed", lambda: committed(kafka.bootstrap, name, topic) == ends)
        summary = pipeline.stop()
    assert_adds_up(summary)
    assert summary["outcomes"]["on_time"] == len(rows)
    assert summary["skipped"] == summary["handed_back"] == 0
    made = [d.id for _, d in decisions(kafka.bootstrap, sink, at_least=len(rows))]
    assert sorted(made) == sorted(f"{topic}/{row[0]}/{row[1]}" for row in rows)


# -- the tests


@pytest.mark.parametrize("codec", ["none", "lz4"])
async def test_transactional_input(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path, codec: str
) -> None:
    create_topics(kafka.bootstrap, topic_name, partitions=2)
    await asyncio.to_thread(
        fill_with_transactions, kafka.bootstrap, topic_name, codec, partitions=2
    )
    counts = {}
    for isolation in ("read_committed", "read_uncommitted"):
        rows = await assert_same(kafka.bootstrap, topic_name, isolation)
        counts[isolation] = len(rows)
        await asyncio.to_thread(
            assert_pipeline_reaches_the_end, kafka, topic_name, tmp_path, rows, isolation
        )
    assert counts == {"read_committed": 3 * 150 + 4 * 80 + 6 * 25, "read_uncommitted": 6 * 255 + 40}


async def test_compacted_input(kafka: KafkaBroker, topic_name: str, tmp_path: Path) -> None:
    hurry_the_cleaner(kafka.bootstrap)
    create_topics(kafka.bootstrap, topic_name, partitions=2, config=COMPACT)
    await asyncio.to_thread(fill_compacted, kafka.bootstrap, topic_name, "zstd", partitions=2)
    rows = await assert_same(kafka.bootstrap, topic_name, "read_uncommitted")
    gap = [np.diff([row[1] for row in rows if row[0] == number]).max() for number in range(2)]
    assert gap[0] == 45  # a record here and there is left
    first = {number: min(row[1] for row in rows if row[0] == number) for number in range(2)}
    assert max(gap[1], first[1]) > 1_000  # a long stretch is gone
    await asyncio.to_thread(
        assert_pipeline_reaches_the_end, kafka, topic_name, tmp_path, rows, "read_uncommitted"
    )


@pytest.mark.parametrize("codec", CODECS)
async def test_compressed_input(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path, codec: str
) -> None:
    create_topics(kafka.bootstrap, topic_name, partitions=2)
    traced = (("traceparent", b"00-ab"), ("empty", None))
    sent = [
        m._replace(headers=traced if n % 7 == 0 else (), partition=n % 2, timestamp_ms=10**12 + n)
        for n, m in enumerate(TICK.messages(3_000))
    ]
    settings: dict[str, Any] = {"compression.type": codec, "linger.ms": 50, "batch.size": 100_000}
    await asyncio.to_thread(fill, kafka.bootstrap, topic_name, sent, settings)

    rows = await assert_same(kafka.bootstrap, topic_name, "read_uncommitted")

    assert len(rows) == len(sent)
    assert sorted(row[2] - 10**12 for row in rows) == list(range(len(sent)))
