"""A recording sent to a real Kafka, on its schedule."""

import asyncio
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from aiokafka import AIOKafkaProducer

from streamproc.connectors.kafka import Access, absent, cluster_id, partition_of, topic_shapes
from streamproc.connectors.playback import COPY_PARTITIONS, Arrival
from streamproc.core import (
    NS_PER_MS,
    NS_PER_S,
    Clock,
    ConfigError,
    ExternalError,
    Int64Array,
    RecordBatch,
)

_BATCH_BYTES: Final = 1 << 18
_DELIVERY_S: Final = 30.0


@dataclass(slots=True)
class Produced:
    """What was sent.

    Attributes:
        sent: records handed over.
        failed: those of them that the broker did not take.
        duration_s: from the first to the last.
        lag_ns: int64 [batches], how much later than due each was handed over.
    """

    sent: int = 0
    failed: int = 0
    duration_s: float = 0.0
    lag_ns: Int64Array = field(default_factory=lambda: np.zeros(0, np.int64))


async def same_cluster(target: Access, origin: Access) -> bool | None:
    """Whether two addresses are of one cluster; None where the origin, which may be gone, cannot be asked.

    Raises:
        ConfigError: the target refuses us.
        ExternalError: the target cannot be reached.
    """
    await target.check_reachable()
    async with target.explained():
        ours = await cluster_id(target.settings())
    try:
        await origin.check_reachable()
        async with origin.explained():
            theirs = await cluster_id(origin.settings())
    except (ConfigError, ExternalError):
        return None
    return bool(ours) and ours == theirs


async def produce(
    arrivals: Iterable[Arrival],
    access: Access,
    *,
    clock: Clock,
    topics: Iterable[str],
    unbounded: bool = False,
    shifted: bool = False,
) -> Produced:
    """Send all of it, with its own keys, values, headers and timestamps.

    A record goes to the partition that it came from, where the topic has it; else to the one of its key.

    Args:
        arrivals: what comes, and when.
        access: the cluster.
        clock: the time.
        topics: those of the records; they must be there.
        unbounded: True to send as quickly as the broker takes it.
        shifted: True to move timestamps by as much as the records come later than they did.

    Raises:
        ConfigError: a topic is not there.
        ExternalError: the broker failed.
    """
    settings = access.settings()
    await access.check_reachable()
    async with access.explained():
        shapes = await topic_shapes(settings, list(topics))
    missing = [topic for topic, shape in shapes.items() if shape is None]
    if missing:
        msg = f"{access.what}: {absent(missing, settings)}: make it first"
        raise ConfigError(msg)
    partitions = {topic: shape.partitions for topic, shape in shapes.items() if shape}
    producer = AIOKafkaProducer(acks="all", max_batch_size=_BATCH_BYTES, **settings)
    async with access.explained():
        await producer.start()
        try:
            feed = _Feed(producer, partitions, shifted=shifted)
            return await _play(arrivals, feed, clock, unbounded=unbounded)
        finally:
            await producer.stop()


async def _play(
    arrivals: Iterable[Arrival], feed: "_Feed", clock: Clock, *, unbounded: bool
) -> Produced:
    lags = array("q")
    started_ns = clock.now_ns()
    offset_ns: int | None = None
    for arrival in arrivals:
        now_ns = clock.now_ns()
        if offset_ns is None:
            offset_ns = now_ns - arrival.due_ns
        at_ns = now_ns if unbounded else arrival.due_ns + offset_ns
        if at_ns > now_ns:
            await asyncio.sleep((at_ns - now_ns) / NS_PER_S)
            now_ns = clock.now_ns()
        lags.append(now_ns - at_ns)
        later_ns = at_ns - arrival.due_ns
        await feed.send(replace(arrival.batch, shift_ns=arrival.batch.shift_ns + later_ns))
    await feed.settled()
    seconds = (clock.now_ns() - started_ns) / NS_PER_S
    return Produced(feed.sent, feed.failed, seconds, np.array(lags, np.int64))


class _Feed:
    """Appends records to the producer's batches; acknowledgements are not waited for.

    Args:
        producer: started.
        partitions: how many each topic has.
        shifted: whether timestamps move with the records.
    """

    def __init__(
        self, producer: AIOKafkaProducer, partitions: Mapping[str, int], *, shifted: bool
    ) -> None:
        self._producer = producer
        self._partitions = partitions
        self._shifted = shifted
        self._pending: set[asyncio.Future[Any]] = set()
        self.sent = 0
        self.failed = 0

    async def send(self, batch: RecordBatch) -> None:
        """Send the records of one batch, those of each partition together."""
        topic, partition = batch.source
        count = self._partitions[topic]
        partition %= COPY_PARTITIONS  # a copy lies beside its original
        rows: dict[int, list[int]] = {}
        for row, key in enumerate(batch.key):
            own = partition
            if partition >= count:
                own = partition % count if key is None else partition_of(key, count)
            rows.setdefault(own, []).append(row)
        for own, chosen in rows.items():
            await self._send(batch, topic, own, chosen)

    async def settled(self) -> None:
        """Wait until the broker has answered for all of it; what it has not, failed."""
        if self._pending:
            await asyncio.wait(self._pending, timeout=_DELIVERY_S)
        for future in list(self._pending):
            future.cancel()

    async def _send(self, batch: RecordBatch, topic: str, partition: int, rows: list[int]) -> None:
        made, held = self._producer.create_batch(), 0
        shift_ns = batch.shift_ns if self._shifted else 0
        stamps = batch.timestamp_ns.tolist()
        for row in rows:
            record: dict[str, Any] = {
                "timestamp": None if stamps[row] < 0 else (stamps[row] + shift_ns) // NS_PER_MS,
                "key": batch.key[row],
                "value": batch.value[row],
                "headers": list(batch.headers.get(row, ())),
            }
            if made.append(**record) is None:
                await self._dispatch(made, topic, partition, held)
                made, held = self._producer.create_batch(), 0
                if made.append(**record) is None:
                    self.failed += 1  # longer than a batch may be
                    continue
            held += 1
        await self._dispatch(made, topic, partition, held)

    async def _dispatch(self, made: Any, topic: str, partition: int, held: int) -> None:  # noqa: ANN401 - aiokafka's
        if not held:
            return
        made.close()
        future = await self._producer.send_batch(made, topic, partition=partition)
        self.sent += held
        self._pending.add(future)

        def ended(done: "asyncio.Future[Any]") -> None:
            self._pending.discard(done)
            if done.cancelled() or done.exception() is not None:
                self.failed += held

        future.add_done_callback(ended)
