"""Where to begin: resolved to explicit offsets and committed before the first fetch.

With a plain ``latest``, a process that dies before its first commit begins behind what it had fetched,
and those records are lost. So the place is settled once, for all partitions of the topics, while the group
has no member; a partition that has none later was added since, and begins at its earliest record.
"""

import contextlib
import logging
from collections.abc import Collection, Mapping

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import CommitFailedError, KafkaError

from streamproc.connectors.kafka.stored_errors import heed_stored_errors
from streamproc.connectors.kafka.topics import absent, topic_shapes
from streamproc.core import ConfigError, Problem, TopicPartition

log = logging.getLogger(__name__)


async def settle_start(
    settings: Mapping[str, object], *, group_id: str, topics: Collection[str], reset: str
) -> None:
    """Commit a place to begin for each partition that has none.

    Args:
        settings: of the client.
        group_id: the consumer group.
        topics: the topics that will be read.
        reset: ``earliest`` or ``latest``.

    Raises:
        ConfigError: a topic does not exist.
        KafkaError: the broker failed.
    """
    shapes = await topic_shapes(settings, topics)
    missing = [topic for topic, shape in shapes.items() if shape is None]
    if missing:
        raise ConfigError(Problem(absent(missing, settings), "source.kafka.topics"))
    partitions = [
        KafkaPartition(topic, number)
        for topic, shape in shapes.items()
        for number in range(shape.partitions if shape else 0)
    ]
    consumer = AIOKafkaConsumer(group_id=group_id, enable_auto_commit=False, **settings)
    await consumer.start()
    heed_stored_errors(consumer)
    try:
        new = [tp for tp in partitions if await consumer.committed(tp) is None]
        if len(new) < len(partitions):
            return  # the group began before: what is new since was added since
        resolve = consumer.beginning_offsets if reset == "earliest" else consumer.end_offsets
        start = await resolve(new)
        consumer.assign(new)
        # A member of the group has settled it in the meantime: then its word counts.
        with contextlib.suppress(CommitFailedError):
            await consumer.commit(dict(start))
    finally:
        await consumer.stop()


async def positions_of(
    consumer: AIOKafkaConsumer, assigned: Collection[TopicPartition]
) -> dict[TopicPartition, int]:
    """The committed positions of partitions; one that has none is set to its earliest record.

    Raises:
        KafkaError: the broker failed.
    """
    positions: dict[TopicPartition, int] = {}
    for source in assigned:
        tp = KafkaPartition(source.topic, source.partition)
        committed = await consumer.committed(tp)
        if committed is None:
            committed = (await consumer.beginning_offsets([tp]))[tp]
            log.info("%s/%d is new to the group: it is read from %d", *source, committed)
            with contextlib.suppress(KafkaError):  # the next commit stores it all the same
                await consumer.commit({tp: committed})
        positions[source] = committed
    return positions
