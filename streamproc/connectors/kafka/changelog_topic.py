"""A compacted topic that holds what is remembered of keys: made, and read from its first record to its last."""

import logging
from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from streamproc.connectors.kafka.connection import Access, stop_within
from streamproc.connectors.kafka.topics import TopicShape, create_topics, topic_shapes
from streamproc.core import ConfigError, ExternalError, Problem

log = logging.getLogger(__name__)

_KEY = "state.changelog.topic"
_COMPACTED = {"cleanup.policy": "compact"}
_FETCH_MS = 1_000
_RECORDS_MAX = 2_000
_SILENT_MAX = 60
"""Fetches in a row that may bring nothing before the end is reached: a minute."""
_STOP_S = 5.0

Take: TypeAlias = Callable[[int, Sequence[bytes | None], Sequence[bytes | None]], None]
"""Is shown records: their partition, keys and values."""


async def prepare_changelog(
    access: Access, topic: str, *, source_access: Access, inputs: Collection[str]
) -> None:
    """Make the topic where it does not exist, and see that it is one for this.

    Args:
        access: the cluster that it is in.
        topic: its name.
        source_access: the cluster of the source.
        inputs: the source's topics; the number of a partition is the same there and here.

    Raises:
        ConfigError: the topic cannot be made, or is laid out in another way.
        ExternalError: the cluster cannot be reached.
    """
    async with source_access.explained():
        read = await topic_shapes(source_access.settings(), inputs)
    there = [shape for shape in read.values() if shape is not None]
    if not there:
        return  # the source will say so
    counts = {shape.partitions for shape in there}
    if len(counts) > 1:
        msg = f"needs source topics with equally many partitions, these have {', '.join(map(str, sorted(counts)))}"
        raise ConfigError(Problem(msg, _KEY))
    like = TopicShape(counts.pop(), max(shape.replicas for shape in there))
    settings = access.settings()
    async with access.explained(writes=True):
        shape = (await topic_shapes(settings, [topic]))[topic]
        if shape is None:
            await create_topics(settings, {topic: like}, key=_KEY, configs=_COMPACTED)
            log.info("made the compacted topic %s with %d partitions", topic, like.partitions)
            return
        if shape.partitions != like.partitions:
            msg = (
                f"topic {topic!r} has {shape.partitions} partitions, and the source's {like.partitions}: "
                "name another, which is made as it must be"
            )
            raise ConfigError(Problem(msg, _KEY))
        policy = await _cleanup_policy(access, topic)
    if policy is not None and policy != "compact":
        msg = f"topic {topic!r} has cleanup.policy={policy}, which forgets what is old: set compact, or name another"
        raise ConfigError(Problem(msg, _KEY))


async def read_changelog(
    access: Access, topic: str, partitions: Collection[int], take: Take
) -> None:
    """Read partitions to their end: to where no transaction is open any more.

    Args:
        access: the cluster.
        topic: its name.
        partitions: which of it.
        take: is shown the records, in order within each partition.

    Raises:
        ExternalError: they cannot be read.
        ConfigError: ``take`` refuses what they are.
    """
    consumer = AIOKafkaConsumer(
        **{
            **access.settings(),
            "group_id": None,
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "isolation_level": "read_committed",
        }
    )
    try:
        async with access.explained():
            await consumer.start()
            left = await _from_first_to_last(consumer, topic, partitions)
            silent = 0
            while left:
                fetched = await consumer.getmany(timeout_ms=_FETCH_MS, max_records=_RECORDS_MAX)
                for tp, records in fetched.items():
                    take(tp.partition, [r.key for r in records], [r.value for r in records])
                for tp in list(left):
                    if await consumer.position(tp) >= left[tp]:
                        del left[tp]
                        consumer.pause(tp)
                silent = 0 if fetched else silent + 1
                if silent > _SILENT_MAX:
                    msg = f"{topic}: its end cannot be read"
                    raise ExternalError(msg)
    except KafkaError as error:
        msg = f"{topic}: what features remembered cannot be read: {error!r}"
        raise ExternalError(msg) from error
    finally:
        await stop_within(consumer.stop(), "the reader of the changelog", _STOP_S)


async def _from_first_to_last(
    consumer: AIOKafkaConsumer, topic: str, partitions: Collection[int]
) -> dict[KafkaPartition, int]:
    """Stand at the first records; gives the ends of the partitions that have any."""
    places = [KafkaPartition(topic, number) for number in partitions]
    begins = await consumer.beginning_offsets(places)
    ends = await consumer.end_offsets(places)  # of read_committed: the last stable offsets
    left = {tp: end for tp, end in ends.items() if end > begins[tp]}
    consumer.assign(list(left))
    for tp in left:
        consumer.seek(tp, begins[tp])
    return left


async def _cleanup_policy(access: Access, topic: str) -> str | None:
    """How a topic is cleaned up; None where we may not know."""
    admin = AIOKafkaAdminClient(**access.settings())
    await admin.start()
    try:
        asked = ConfigResource(ConfigResourceType.TOPIC, topic, configs={"cleanup.policy": None})
        for answer in await admin.describe_configs([asked]):
            for _, _, _, _, entries in answer.resources:
                for name, value, *_ in entries:
                    if name == "cleanup.policy":
                        return str(value)
    except KafkaError as error:
        log.info("%s: its settings cannot be read: %r", topic, error)
    finally:
        await admin.close()
    return None
