"""Producers of a sink: connected, warmed up, given up; and the topics that they write to."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaProducer

from streamproc.connectors.kafka.connection import Access, stop_within
from streamproc.connectors.kafka.options import KafkaSink
from streamproc.connectors.kafka.raw_batches import abandon
from streamproc.connectors.kafka.topics import absent, create_topics, topic_shapes
from streamproc.core import NS_PER_MS, ConfigError, Problem

log = logging.getLogger(__name__)

_READY_TIMEOUT_S = 3.0
_STOP_S = 5.0


class Producers:
    """Makes a sink's producers, one after the other.

    Args:
        options: what the user set.
        access: brokers and security.
        input_topics: the topics whose events the records are made from.
        made_topics: the topics that may be made where they do not exist (dead letters).

    Attributes:
        options: as given.
        access: as given.
        batch_bytes: the most that a batch holds: a topic's ``max.message.bytes`` bounds a whole batch, not only one
            record.
    """

    def __init__(
        self,
        options: KafkaSink,
        *,
        access: Access,
        input_topics: Sequence[str],
        made_topics: Sequence[str],
    ) -> None:
        self.options = options
        self.access = access
        self.batch_bytes = min(int(options.max_batch), int(options.max_record))
        self._settings: Mapping[str, object] = access.settings()
        self._input_topics = input_topics
        self._made_topics = made_topics

    async def learn_topics(self) -> dict[str, int]:
        """The number of partitions of each topic; makes those that are missing and may be made.

        Raises:
            ConfigError: one does not exist.
            KafkaError: the broker failed.
        """
        topics = list(dict.fromkeys((self.options.topic, *self._made_topics, *self._input_topics)))
        shapes = await topic_shapes(self._settings, topics)
        missing = [t for t in topics if shapes[t] is None]
        refused = [t for t in missing if t not in self._made_topics]
        if refused:
            msg = f"{absent(refused, self._settings)}: make it, or name another"
            ours = self.options.topic in refused
            raise ConfigError(Problem(msg, "sink.kafka.topic" if ours else "source.kafka.topics"))
        if missing:
            inputs = [shape for t in self._input_topics if (shape := shapes[t])]
            like = max(inputs or [shape for shape in shapes.values() if shape])
            made = dict.fromkeys(missing, like)
            await create_topics(self._settings, made, key="outcomes.dead_letter_topic")
            log.info("made the topic %s with %d partitions", ", ".join(missing), like.partitions)
            shapes |= made
        return {topic: shape.partitions for topic, shape in shapes.items() if shape}

    def renew(self, access: Access, settings: Mapping[str, object]) -> None:
        """Show other credentials from now on."""
        self.access, self._settings = access, settings

    async def connect(self, **more: object) -> AIOKafkaProducer:
        """A producer that is ready to send.

        Args:
            **more: settings of it beside the user's.

        Raises:
            KafkaError: the broker failed.
        """
        options = self.options
        producer = AIOKafkaProducer(
            **{
                **self._settings,
                "acks": "all",
                "enable_idempotence": True,
                "linger_ms": int(options.linger) // NS_PER_MS,
                "max_batch_size": self.batch_bytes,
                "max_request_size": max(int(options.max_record), int(options.max_batch)),
                "compression_type": None if options.compression == "none" else options.compression,
                "request_timeout_ms": int(options.delivery_timeout) // NS_PER_MS,
                **more,
                **options.client,
            }
        )
        try:
            await producer.start()
            await self._warm_up(producer)
        except BaseException:
            await stop_within(producer.stop(), "sink.kafka: the producer", _STOP_S)
            raise
        return producer

    async def disconnect(self, producer: AIOKafkaProducer) -> None:
        """Give a producer up, within a bounded time."""
        # stop() waits for what is under way, for ever where a broker is down.
        await stop_within(producer.stop(), "sink.kafka: the producer", _STOP_S)
        abandon(producer)
        await stop_within(producer.client.close(), "sink.kafka: the client", _STOP_S)

    async def _warm_up(self, producer: AIOKafkaProducer) -> None:
        """Do what the first sends would have to wait for: the topics' leaders, and connections to them."""
        for topic in dict.fromkeys((self.options.topic, *self._made_topics)):
            await producer.partitions_for(topic)
        brokers = producer.client.cluster.brokers()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_READY_TIMEOUT_S):
                await asyncio.gather(*(producer.client.ready(b.nodeId) for b in brokers))
