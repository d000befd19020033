"""Writes records to one topic, beside what the pipeline itself writes: all are waited for."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from aiokafka.errors import KafkaError

from streamproc.connectors.kafka.connection import Access
from streamproc.connectors.kafka.options import KafkaSink
from streamproc.connectors.kafka.producers import Producers
from streamproc.core import ConfigError, ExternalError

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer


class TopicWriter:
    """Connects when there is something to write, and anew after a failure.

    Args:
        access: the cluster.
        topic: where to.
        options: the pipeline's sink, whose sizes and times are taken over.
    """

    def __init__(self, access: Access, topic: str, options: KafkaSink) -> None:
        self._topic = topic
        options = replace(options, topic=topic)
        self._producers = Producers(options, access=access, input_topics=(), made_topics=())
        self._producer: AIOKafkaProducer | None = None

    async def write(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Write keys and values; returns when the broker has them.

        Raises:
            ExternalError: it has not.
        """
        try:
            if self._producer is None:
                # A producer asks for a topic that is not there ten times a second, and logs each as an error.
                await self._producers.learn_topics()
                self._producer = await self._producers.connect()
            sent = [
                await self._producer.send(self._topic, value, key=key) for key, value in records
            ]
            await asyncio.gather(*sent)
        except (KafkaError, ConfigError, ExternalError) as error:
            await self.stop()
            words = error.problems[0].message if isinstance(error, ConfigError) else error
            msg = f"{self._topic} takes nothing: {words}"
            raise ExternalError(msg, retriable=True) from error

    async def stop(self) -> None:
        """Disconnect."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await self._producers.disconnect(producer)
